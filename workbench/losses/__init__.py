"""Losses: tensors in, scalar tensors out."""

from workbench.losses.attention import attention_balance, attention_regularizer, weight_penalty
from workbench.losses.classification import every_step, fine_tuning
from workbench.losses.distillation import (
    ContrastiveMemory,
    Reduction,
    Similarity,
    attention_distillation,
    best_constant,
    contrastive_representation,
    feature_distillation,
    supervised_contrastive,
)
from workbench.losses.embedding import kl_divergence, manhattan, normalized_euclidean
from workbench.losses.hinge import squared_hinge
from workbench.losses.processes import average, draw_seed, gather_rows, same, share
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
    "Reduction",
    "Similarity",
    "atomic",
    "attention_balance",
    "attention_distillation",
    "attention_regularizer",
    "average",
    "best_constant",
    "boundary_saliency",
    "contrastive_representation",
    "covariance",
    "draw_seed",
    "every_step",
    "feature_distillation",
    "fine_tuning",
    "gather_rows",
    "global_contextual",
    "graph_distillation",
    "hallucination",
    "kl_divergence",
    "logit_mse",
    "manhattan",
    "mars",
    "multi_label",
    "normalized_euclidean",
    "same",
    "share",
    "squared_hinge",
    "supervised_contrastive",
    "weight_penalty",
]
