"""From the scores of snippets to detections: up-sampling, class-wise actionness to intervals, non-maximum suppression.

A video of T snippets covers its time in T equal parts; the score of snippet t stands for the middle of its part, as
pixels do (align_corners=False). F is the labels' number of steps, N the number of classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.metrics.classification import as_array
from workbench.metrics.event_tables import checked

SCORES = ("mean", "max", "mean_of_top")
COLUMNS = ("video", "label", "start", "end", "score")


def upsample(scores: Any, steps: int) -> np.ndarray:
    """float [steps,N]: ``scores`` [T,N] of T equal parts of a video, linearly interpolated to ``steps`` equal parts.

    The middle of part i of F lies at (i + 1/2) T/F - 1/2 snippets; before the first and after the last middle the
    outermost score holds. Equal to torch's interpolate(mode="linear", align_corners=False). Logits and probabilities
    alike; it works downwards too, where it samples and does not average. ValueError without snippets or steps.
    """
    scores = as_array(scores)
    if scores.ndim != 2 or 0 in scores.shape or steps < 1:
        raise ValueError(f"up-sampling needs scores [T,N] and steps above 0, got {list(scores.shape)} and {steps}")
    count = len(scores)
    positions = np.clip((np.arange(steps) + 0.5) * count / steps - 0.5, 0, count - 1)
    before = np.minimum(positions.astype(np.int64), max(0, count - 2))
    share = (positions - before)[:, None].astype(
        scores.dtype if np.issubdtype(scores.dtype, np.floating) else np.float64
    )
    return (1 - share) * scores[before] + share * scores[np.minimum(before + 1, count - 1)]


def intervals(
    actionness: Any,
    video: str = "",
    duration: float | Any | None = None,
    thresholds: float | Sequence[float] | Any = 0.5,
    merge: float = 0.0,
    shortest: float = 0.0,
    score: str = "mean",
    labels: Sequence | None = None,
) -> pd.DataFrame:
    """Table of video, label, start, end, score: where the score of a class stays at or above a threshold.

    actionness float [T,N] (probabilities, say), T equal parts of ``duration`` (seconds, frames; None: T steps), or of
    the T parts between the T+1 ascending moments in ``duration``; a run of parts a to b is the interval from where part
    a begins to where b ends. thresholds: one, several (every one gives its intervals;
    equal ones of one class are given once), or an array [I,N] of several for each class. merge: gaps of at most this
    long inside a class are closed (0: none); shortest: what is shorter is left out, after merging; both in the unit
    of ``duration``. score: of the run's parts the mean, the max, or the mean of the highest tenth (at least one
    part). labels: names of the classes, their numbers where None. Rows by class, threshold and start.

    ValueError for other shapes, NaN, a duration that is not positive, or an unknown score.
    """
    actionness = as_array(actionness).astype(np.float64)
    if actionness.ndim != 2 or 0 in actionness.shape or np.isnan(actionness).any():
        raise ValueError(f"actionness must be [T,N] without NaN, got shape {list(actionness.shape)}")
    if score not in SCORES:
        raise ValueError(f"unknown score {score!r}; known: {', '.join(SCORES)}")
    parts, classes = actionness.shape
    edges = _edges(parts, duration)
    if merge < 0 or shortest < 0:
        raise ValueError(f"merge and shortest must be at least 0, got {merge}, {shortest}")
    if labels is not None and len(labels) != classes:
        raise ValueError(f"{len(labels)} labels do not go with {classes} classes")
    scores: dict[tuple[int, int, int], float] = {}
    for thresholds_of_all in _by_class(thresholds, classes):
        kind, first, last = _runs(actionness >= thresholds_of_all)
        kind, first, last = _merged(kind, first, last, edges, merge)
        keep = edges[last] - edges[first] >= shortest - 1e-9
        for run in zip(kind[keep].tolist(), first[keep].tolist(), last[keep].tolist(), strict=True):
            scores.setdefault(run, _score(actionness[run[1] : run[2], run[0]], score))
    rows = [
        (video, kind if labels is None else labels[kind], edges[first], edges[last], value)
        for (kind, first, last), value in sorted(scores.items(), key=lambda item: item[0][0])
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"start": float, "end": float, "score": float})


def suppress(predictions: Any, iou: float = 0.5, most: int | None = None) -> pd.DataFrame:
    """Non-maximum suppression: of the predictions of one class in one video that overlap by more than ``iou``
    (intersection over union) the surest stays. Of equal scores the earlier row is ahead.

    most: of what stays, at most so many a video, the surest. The rows that stay keep their order and columns.
    ValueError for an iou outside [0,1] and as ``event_map`` for the table.
    """
    if not 0 <= iou <= 1:
        raise ValueError(f"iou must lie in [0,1], got {iou}")
    table = checked(predictions, "table of predictions", scored=True)
    start, end, score = (table[name].to_numpy() for name in ("start", "end", "score"))
    keep = np.zeros(len(table), bool)
    for rows in table.groupby(["video", "label"], sort=False).indices.values():
        keep[_surest(rows[np.argsort(-score[rows], kind="stable")], start, end, iou)] = True
    if most is not None:
        order = np.argsort(-score, kind="stable")
        order = order[keep[order]]
        ranks = table["video"].iloc[order].groupby(table["video"].iloc[order]).cumcount().to_numpy()
        keep[order[ranks >= most]] = False
    return table[keep].reset_index(drop=True)


def _surest(rows: np.ndarray, start: np.ndarray, end: np.ndarray, iou: float) -> list[int]:
    """Of ``rows``, surest first, those that no surer one that stays overlaps."""
    stay = []
    while len(rows):
        first, rest = rows[0], rows[1:]
        stay.append(int(first))
        inside = np.maximum(np.minimum(end[first], end[rest]) - np.maximum(start[first], start[rest]), 0.0)
        union = (end[first] - start[first]) + (end[rest] - start[rest]) - inside
        same = (start[first] == start[rest]) & (end[first] == end[rest])
        overlap = np.divide(inside, union, out=same.astype(np.float64), where=union > 0)
        rows = rest[overlap <= iou] if iou < 1 else rest
    return stay


def _by_class(thresholds: Any, classes: int) -> np.ndarray:
    """float64 [I,N]"""
    values = np.atleast_1d(as_array(thresholds).astype(np.float64))
    if values.ndim == 1:
        values = np.repeat(values[:, None], classes, axis=1)
    if values.ndim != 2 or values.shape[1] != classes or not len(values):
        raise ValueError(f"thresholds must be one, several or [I,{classes}], got shape {list(values.shape)}")
    return values


def _runs(active: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class, first part and the part after the last of every run of True down the columns, by class."""
    edges = np.diff(np.pad(active.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    kind, first = np.nonzero(edges == 1)
    return kind, first, np.nonzero(edges == -1)[1]


def _edges(parts: int, duration: Any) -> np.ndarray:
    """float64 [T+1]: where each of the parts begins, and the last one ends."""
    edges = as_array(parts if duration is None else duration).astype(np.float64)
    if edges.ndim == 0:
        edges = np.arange(parts + 1) * (edges / parts)
    if edges.shape != (parts + 1,) or not (np.diff(edges) >= 0).all() or not edges[-1] > edges[0]:
        expected = f"a number above 0 or {parts + 1} ascending moments"
        raise ValueError(f"duration must be {expected}, got {np.asarray(duration).ravel()[:3]}")
    return edges


def _merged(
    kind: np.ndarray, first: np.ndarray, last: np.ndarray, edges: np.ndarray, gap: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs of one class become one where at most ``gap`` lies between them, and something if it is above 0."""
    new = np.ones(len(kind), bool)
    new[1:] = (kind[1:] != kind[:-1]) | (edges[first[1:]] - edges[last[:-1]] > gap + 1e-9)
    final = np.append(new[1:], True)[: len(kind)]
    return kind[new], first[new], last[final]


def _score(values: np.ndarray, how: str) -> float:
    if how == "mean":
        return float(values.mean())
    return float(np.sort(values)[::-1][: 1 if how == "max" else max(1, len(values) // 10)].mean())
