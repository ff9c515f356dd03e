"""Charades' two tasks, as its evaluation scripts (Charades_v1_localize, Charades_v1_classify) score them.

Localisation looks at 25 points of every test video, at (j - 1) / 25 of its length for j = 1 to 25: the start is one
of them, the end is not. A point shows a class where start <= time <= end. All points of all videos are ranked
together, class by class. Other public code (MS-TCT, PDAN, TGM) labels every feature step instead, with strict
inequalities: that is ``frame_map`` of ``step_labels``, and gives other numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from workbench.metrics.classification import as_array
from workbench.metrics.event_detection import MeanAP
from workbench.metrics.event_tables import checked, class_numbers
from workbench.metrics.frame_detection import frame_map

POINTS, CLASSES = 25, 157


def charades_localize(
    scores: Mapping[str, Any], intervals: Any, lengths: Mapping[str, float], classes: int = CLASSES
) -> MeanAP:
    """``per_class, mean`` over the 25 points of every video of ``lengths`` (seconds), in its order.

    scores: video -> float [25,N]; a video that is missing scores minus infinity everywhere. intervals: table of video,
    label (0 to N-1), start, end in seconds. Per class and mean as ``frame_map``. ValueError for scores of another shape
    or of a video without a length, and as ``frame_map``.
    """
    stacked = _stacked(scores, lengths, (POINTS, classes))
    return frame_map(stacked.reshape(-1, classes), charades_labels(intervals, lengths, classes).reshape(-1, classes))


def charades_classify(
    scores: Mapping[str, Any],
    intervals: Any,
    lengths: Mapping[str, float],
    classes: int = CLASSES,
    unlabelled: str = "last",
) -> MeanAP:
    """``per_class, mean`` of classification: which classes occur in a video. scores: video -> float [N]; else as
    ``charades_localize``.

    unlabelled: what becomes of the videos without an action (49 of the 1,863 test videos). "last": they rank below all
    others whatever their scores, as in the released Charades_v1_classify.m, whose loader leaves their ids empty, so
    that no prediction is looked up for them; "count": they are negatives like others, with their own scores.
    """
    if unlabelled not in ("last", "count"):
        raise ValueError(f"unlabelled must be last or count, got {unlabelled!r}")
    labels = np.zeros((len(lengths), classes), bool)
    video, kind, _ = _coded(intervals, lengths, classes)
    labels[video, kind] = True
    stacked = _stacked(scores, lengths, (classes,))
    if unlabelled == "last":
        stacked[~labels.any(1)] = -np.inf
    return frame_map(stacked, labels)


def charades_labels(intervals: Any, lengths: Mapping[str, float], classes: int = CLASSES) -> np.ndarray:
    """bool [V,25,N]: which class each of the 25 points of each video of ``lengths`` shows."""
    video, kind, table = _coded(intervals, lengths, classes)
    # In the script's own order of operations, so that a point on the end of an interval falls on the same side.
    times = np.arange(POINTS) / POINTS * np.array(list(lengths.values()), np.float64)[:, None]
    points = times[video]
    inside = (table["start"].to_numpy()[:, None] <= points) & (points <= table["end"].to_numpy()[:, None])
    labels = np.zeros((len(lengths), POINTS, classes), bool)
    row, point = np.nonzero(inside)
    labels[video[row], point, kind[row]] = True
    return labels


def sample_points(scores: Any) -> np.ndarray:
    """float [25,N]: of ``scores`` [T,N], T equal steps of a video, those that hold the times (j - 1) / 25."""
    scores = as_array(scores)
    if scores.ndim != 2 or 0 in scores.shape:
        raise ValueError(f"scores must be [T,N], got {list(scores.shape)}")
    return scores[np.arange(POINTS) * len(scores) // POINTS]


def _coded(intervals: Any, lengths: Mapping[str, float], classes: int) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    table = checked(intervals, "ground truth", scored=False)
    index_of = {str(name): index for index, name in enumerate(lengths)}
    if unknown := sorted(set(table["video"]) - set(index_of)):
        raise ValueError(f"video {unknown[0]!r} of the ground truth has no length")
    kinds = class_numbers(table["label"])
    if len(kinds) and not (kinds.min() >= 0 and kinds.max() < classes):
        raise ValueError(f"label {kinds.min() if kinds.min() < 0 else kinds.max()} is outside [0,{classes})")
    return np.array([index_of[name] for name in table["video"]], np.int64), kinds, table


def _stacked(scores: Mapping[str, Any], lengths: Mapping[str, float], shape: tuple[int, ...]) -> np.ndarray:
    if unknown := sorted(set(scores) - set(lengths)):
        raise ValueError(f"there are scores of video {unknown[0]!r}, which has no length")
    stacked = np.full((len(lengths), *shape), -np.inf)
    for row, video in zip(stacked, lengths, strict=True):
        if video in scores:
            values = as_array(scores[video])
            if values.shape != shape:
                raise ValueError(f"scores of video {video} must be {list(shape)}, got {list(values.shape)}")
            row[...] = values
    return stacked
