"""Losses: tensors in, scalar tensors out."""

from workbench.losses.attention import attention_regularizer
from workbench.losses.classification import every_step
from workbench.losses.embedding import kl_divergence, manhattan, normalized_euclidean

__all__ = ["attention_regularizer", "every_step", "kl_divergence", "manhattan", "normalized_euclidean"]
