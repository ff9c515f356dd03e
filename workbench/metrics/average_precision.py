"""Average precision of ranked detections, of all classes and thresholds at once.

Detections stand by class and, within a class, by descending score. Walking down the ranks of a class,

    precision[k] = found[k] / seen[k]     found: positives met so far, seen: detections so far

and AP is the sum of a precision over the ranks that find a positive, divided by the number of positives. What precision
is summed is the rule's reading ("interpolation"):

    none    precision[k] itself (THUMOS14, Charades, per-frame)
    right   the highest precision at rank k or below it (ActivityNet, Pascal VOC 2011)
    pku     the highest of: found/seen of all detections; and, for every rank j >= k that overlaps a positive (met
            before or not), found/seen of the ranks above j. PKU-MMD's script takes one detection away after the other,
            from the lowest score up, and looks at what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

INTERPOLATIONS = ("none", "right", "pku")


@dataclass(frozen=True)
class Ranks:
    """D detections by (group, descending score). A group is what is ranked together, a class as a rule.

    group int64 [D], not decreasing, in [0,C); hit bool [I,D]: finds a positive that none above it found; matched bool
    [I,D]: overlaps a positive; counted bool [I,D]: False where it neither helps nor harms; I thresholds. video int64
    [D] in [0,V). positive_group, positive_video int64 [G]: of the positives.
    """

    group: np.ndarray
    video: np.ndarray
    hit: np.ndarray
    matched: np.ndarray
    counted: np.ndarray
    positive_group: np.ndarray
    positive_video: np.ndarray
    groups: int
    videos: int

    def positives(self, weights: np.ndarray | None = None) -> np.ndarray:
        """float64 [C]: positives of each group, each counted as often as ``weights`` [V] says of its video."""
        counts = None if weights is None else weights[self.positive_video]
        return np.bincount(self.positive_group, counts, self.groups).astype(np.float64)


def average_precision(ranks: Ranks, interpolation: str = "none", weights: np.ndarray | None = None) -> np.ndarray:
    """float64 [I,C] in [0,1]; NaN for a group without positives.

    weights float [V] >= 0 counts every video (its detections and its positives) so many times: what a bootstrap over
    videos draws. The copies of a detection share one rank. ValueError for an unknown interpolation.
    """
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"unknown interpolation {interpolation!r}; known: {', '.join(INTERPOLATIONS)}")
    summed = np.zeros((len(ranks.hit), ranks.groups))
    if len(ranks.group):
        weight = ranks.counted * (1.0 if weights is None else weights[ranks.video])
        gain = ranks.hit * weight
        starts = np.flatnonzero(np.diff(ranks.group, prepend=-1))
        gained, seen = _cumulated(gain, starts), _cumulated(weight, starts)
        precision = _share(gained, seen)
        if interpolation == "right":
            precision = _highest_below(precision, starts)
        elif interpolation == "pku":
            above = np.where(ranks.matched & (weight > 0), _share(gained - gain, seen - weight), 0.0)
            ends = np.append(starts[1:], len(ranks.group)) - 1
            above[:, ends] = np.maximum(above[:, ends], precision[:, ends])
            precision = _highest_below(above, starts)
        summed[:, ranks.group[starts]] = np.add.reduceat(precision * gain, starts, axis=1)
    positives = ranks.positives(weights)
    return np.divide(summed, positives, out=np.full(summed.shape, np.nan), where=positives > 0)


def _share(part: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.divide(part, total, out=np.zeros_like(part), where=total > 0)


def _cumulated(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sums over the last axis that begin anew at every start."""
    total = np.cumsum(values, axis=1)
    before = np.concatenate([np.zeros((len(values), 1)), total[:, starts[1:] - 1]], axis=1)
    return total - np.repeat(before, np.diff(np.append(starts, values.shape[1])), axis=1)


def _highest_below(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The maximum from each place to the end of its group; values in [0,1]."""
    # Groups further up are lifted above all below them, so that one running maximum serves all groups.
    lift = 2.0 * np.repeat(np.arange(len(starts))[::-1], np.diff(np.append(starts, values.shape[1])))
    return np.maximum.accumulate((values + lift)[:, ::-1], axis=1)[:, ::-1] - lift
