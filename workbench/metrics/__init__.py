"""Numbers from predictions and maps: classification, statistics, and attention graded against known truth."""

from workbench.metrics import attention
from workbench.metrics.classification import class_differences, confusion, hits, mean_class_accuracy, per_class, top_k
from workbench.metrics.statistics import Interval, Spread, bootstrap, over_seeds, paired_difference

__all__ = [
    "Interval",
    "Spread",
    "attention",
    "bootstrap",
    "class_differences",
    "confusion",
    "hits",
    "mean_class_accuracy",
    "over_seeds",
    "paired_difference",
    "per_class",
    "top_k",
]
