"""Numbers from predictions and maps: classification, detection, statistics, attention graded against known truth."""

from workbench.extras import check

check(__name__)

from workbench.metrics import attention, formats, postprocess
from workbench.metrics.charades import charades_classify, charades_labels, charades_localize, sample_points
from workbench.metrics.classification import confusion, hits, mean_class_accuracy, per_class, top_k
from workbench.metrics.diagnosis import (
    false_positive_profile,
    missed_by_length,
    missed_by_overlap,
    prediction_kinds,
    truths_found,
)
from workbench.metrics.event_detection import IOU, MeanAP, event_map, match_events, pku_summary
from workbench.metrics.event_tables import clip_times
from workbench.metrics.formats import score_files
from workbench.metrics.frame_detection import frame_map, step_labels
from workbench.metrics.gains import event_gain, frame_gain
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
    wilson,
)

__all__ = [
    "IOU",
    "Effect",
    "Interval",
    "MeanAP",
    "Spread",
    "attention",
    "bootstrap",
    "charades_classify",
    "charades_labels",
    "charades_localize",
    "clip_times",
    "cohens_h",
    "confusion",
    "crossed",
    "event_gain",
    "event_map",
    "false_positive_profile",
    "formats",
    "frame_gain",
    "frame_map",
    "hits",
    "holm",
    "match_events",
    "mcnemar",
    "mean_class_accuracy",
    "missed_by_length",
    "missed_by_overlap",
    "over_seeds",
    "paired_difference",
    "paired_t",
    "per_class",
    "pku_summary",
    "postprocess",
    "prediction_kinds",
    "rank_agreement",
    "sample_points",
    "score_files",
    "sign_flip",
    "step_labels",
    "top_k",
    "truths_found",
    "wilson",
]
