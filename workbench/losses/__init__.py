"""Losses: tensors in, scalar tensors out."""

from workbench.losses.attention import attention_balance, attention_regularizer, weight_penalty
from workbench.losses.classification import every_step, fine_tuning
from workbench.losses.distillation import (
    ContrastiveMemory,
    attention_distillation,
    contrastive_representation,
    supervised_contrastive,
)
from workbench.losses.embedding import kl_divergence, manhattan, normalized_euclidean
from workbench.losses.hinge import squared_hinge
from workbench.losses.sequence import (
    atomic,
    boundary_saliency,
    covariance,
    global_contextual,
    graph_distillation,
    hallucination,
    multi_label,
)
from workbench.losses.teachers import logit_mse, mars

__all__ = [
    "ContrastiveMemory",
    "atomic",
    "attention_balance",
    "attention_distillation",
    "attention_regularizer",
    "boundary_saliency",
    "contrastive_representation",
    "covariance",
    "every_step",
    "fine_tuning",
    "global_contextual",
    "graph_distillation",
    "hallucination",
    "kl_divergence",
    "logit_mse",
    "manhattan",
    "mars",
    "multi_label",
    "normalized_euclidean",
    "squared_hinge",
    "supervised_contrastive",
    "weight_penalty",
]
