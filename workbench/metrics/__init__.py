"""Numbers from predictions and maps: classification, statistics, and attention graded against known truth."""

from workbench.metrics import attention
from workbench.metrics.classification import class_differences, confusion, hits, mean_class_accuracy, per_class, top_k
from workbench.metrics.statistics import (
    Effect,
    Interval,
    Spread,
    bootstrap,
    cohens_h,
    crossed,
    holm,
    mcnemar,
    over_seeds,
    paired_difference,
    paired_t,
    rank_agreement,
    sign_flip,
)

__all__ = [
    "Effect",
    "Interval",
    "Spread",
    "attention",
    "bootstrap",
    "class_differences",
    "cohens_h",
    "confusion",
    "crossed",
    "hits",
    "holm",
    "mcnemar",
    "mean_class_accuracy",
    "over_seeds",
    "paired_difference",
    "paired_t",
    "per_class",
    "rank_agreement",
    "sign_flip",
    "top_k",
]
