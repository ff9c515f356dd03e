"""Per-frame mAP: how well every moment of every video is labelled (the densely labelled data sets).

A frame stands for whatever the labels' steps are: frames, seconds or 16-frame snippets, of all test videos one after
the other. S steps, N classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbench.metrics.classification import as_array
from workbench.metrics.event_detection import MeanAP
from workbench.metrics.event_tables import class_numbers

MEANS = ("positive", "nonzero", "all")


def frame_map(scores: Any, labels: Any, over: str = "positive") -> MeanAP:
    """Average precision of each class over time steps, and its mean.

    Per class the steps are ordered by descending score, steps of one score in their given order (as the stable sorts of
    torch and MATLAB leave them), and the precisions at the steps that show the class are averaged: APMeter of the
    public TGM, PDAN, MS-TCT and TSU code, and Charades' THUMOSeventclspr.

    Args:
        scores: float [S,N], logits or probabilities.
        labels: bool or 0/1 [S,N].
        over: what the mean is taken over. "positive": classes with at least one positive step. "nonzero": classes whose
            AP is above 0, the divisor of TSU_evaluation and of MS-TCT's and PDAN's logs, higher where a class is never
            found; 0 where there is none. "all": all N, an absent class counting 0, as TGM does.

    Returns:
        ``per_class`` float64 [N] in [0,1], NaN for a class that no step shows, and ``mean``: NaN where no class has a
        positive ("all": 0).

    Raises:
        ValueError: other shapes, labels other than 0 and 1, a NaN among the scores, no step, or another ``over``.
    """
    if over not in MEANS:
        raise ValueError(f"unknown mean over {over!r}; known: {', '.join(MEANS)}")
    scores, labels = checked_frames(scores, labels)
    precision = np.array([_column(scores[:, n], labels[:, n]) for n in range(scores.shape[1])])
    return MeanAP(precision, mean_over(precision, over))


def mean_over(precision: np.ndarray, over: str) -> float:
    """The mean of AP [N] as ``frame_map`` describes."""
    present = precision[~np.isnan(precision)]
    if over == "all":
        return float(present.sum() / len(precision))
    if not len(present):
        return float("nan")
    if over == "nonzero":
        return float(present.sum() / max(1, np.count_nonzero(present)))
    return float(present.mean())


def step_labels(intervals: Any, duration: float, steps: int, classes: int, closed: bool = False) -> np.ndarray:
    """bool [steps,classes]: which of ``steps`` equal steps of a video shows which class.

    intervals [A,3]: class (from 0), start, end in the unit of ``duration``. Step r stands at r * duration / steps and
    shows a class where start < time < end, strictly, as TSU_evaluation, TGM and MS-TCT have it (an interval without
    length shows nowhere); ``closed``: start <= time <= end. Times past the end label nothing. ValueError for a class
    outside [0,classes), a duration or a number of steps that is not positive.
    """
    if not duration > 0 or steps < 1:
        raise ValueError(f"a video needs a duration and steps above 0, got {duration} and {steps}")
    intervals = np.asarray(intervals, np.float64).reshape(-1, 3)
    kinds = class_numbers(pd.Series(intervals[:, 0]))
    if len(kinds) and not (kinds.min() >= 0 and kinds.max() < classes):
        raise ValueError(f"class {kinds.min() if kinds.min() < 0 else kinds.max()} is outside [0,{classes})")
    # Divided by the rate as the public code does: multiplied, a step on an interval's end could round to its other
    # side.
    times = (np.arange(steps) / (steps / float(duration)))[:, None]
    start, end = intervals[:, 1], intervals[:, 2]
    inside = (times >= start) & (times <= end) if closed else (times > start) & (times < end)
    labels = np.zeros((steps, classes), bool)
    step, interval = np.nonzero(inside)
    labels[step, kinds[interval]] = True
    return labels


def _column(scores: np.ndarray, positive: np.ndarray) -> float:
    order = np.argsort(-scores, kind="stable")
    ranks = np.flatnonzero(positive[order]) + 1
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks)) if len(ranks) else float("nan")


def checked_frames(scores: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """scores float [S,N] and labels bool [S,N] as arrays; raises as ``frame_map``."""
    scores, labels = as_array(scores), as_array(labels)
    if scores.ndim != 2 or 0 in scores.shape or scores.shape != labels.shape:
        raise ValueError(f"scores and labels must be [S,N] alike, got {list(scores.shape)} and {list(labels.shape)}")
    if not ((labels == 0) | (labels == 1)).all():
        raise ValueError("labels must be 0 or 1 for every step and class")
    scores = scores.astype(np.float64) if not np.issubdtype(scores.dtype, np.floating) else scores
    if np.isnan(scores).any():
        raise ValueError(f"scores of step {int(np.isnan(scores).any(1).argmax())} contain NaN")
    return scores, labels.astype(bool)
