"""Which detection finds which event of the ground truth: the four official rules.

A detection (s, e) and a truth (s', e') are compared only where video and label agree. The evaluators differ:

thumos       overlap = intersection / hull of both, each interval with its ends in order; more than the threshold.
             Truths choose: in the order of the file each takes, of the detections that are still free, the one that
             overlaps most (of equals the surer), whatever its score. A false positive that touches an ambiguous segment
             of its video is not counted. Equal scores: by the name of the video, then by row.
activitynet  overlap = intersection / union of lengths; at least the threshold. Detections choose, by descending score:
             each takes the truth that overlaps most among those still free. Equal scores, and equal overlaps: the
             later row first.
pku, tsu     overlap = signed intersection / hull, ends as written; at least the threshold. Every detection is given
             to the truth that overlaps most (of equals the later), free or not; a truth counts once, for its surest
             detection, and the others of it stay in the denominator of precision. Equal scores: the later row first.

Where a hull or a union is 0 (two intervals without length at one place) the overlap is 0: of the official scripts
ActivityNet's divides 0 by 0 there, which makes any two intervals without length in one video a match, PKU-MMD's stops,
TSU's gives 0 too. ActivityNet's script orders equal scores as numpy's unstable sort does on the machine at hand; here
the order is the one that this sort gives to few rows, everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workbench.metrics.average_precision import Ranks

#: Rows of pairs that are compared at once: bounds the memory of large files (about 100 bytes a pair).
CHUNK = 4_000_000


def _hull(start: np.ndarray, end: np.ndarray, other_start: np.ndarray, other_end: np.ndarray) -> np.ndarray:
    start, end = np.minimum(start, end), np.maximum(start, end)
    other_start, other_end = np.minimum(other_start, other_end), np.maximum(other_start, other_end)
    return np.maximum(_signed_hull(start, end, other_start, other_end), 0.0)


def _signed_hull(start: np.ndarray, end: np.ndarray, other_start: np.ndarray, other_end: np.ndarray) -> np.ndarray:
    inside = np.minimum(end, other_end) - np.maximum(start, other_start)
    hull = np.maximum(end, other_end) - np.minimum(start, other_start)
    return np.divide(inside, hull, out=np.zeros_like(inside), where=hull != 0)


def _union(start: np.ndarray, end: np.ndarray, other_start: np.ndarray, other_end: np.ndarray) -> np.ndarray:
    inside = np.maximum(np.minimum(end, other_end) - np.maximum(start, other_start), 0.0)
    union = (other_end - other_start) + (end - start) - inside
    return np.divide(inside, union, out=np.zeros_like(inside), where=union > 0)


@dataclass(frozen=True)
class Rule:
    """One evaluator, as the text above has it. ``classes``: the labels over which it takes its mean whatever the data
    hold, None for those of the ground truth."""

    overlap: Callable[..., np.ndarray]
    chooser: str
    interpolation: str
    strict: bool = False
    spares_ambiguous: bool = False
    later_first: bool = True
    classes: range | None = None


RULES = {
    "thumos": Rule(_hull, "truth", "none", strict=True, spares_ambiguous=True, later_first=False),
    "activitynet": Rule(_union, "detection", "right"),
    "pku": Rule(_signed_hull, "shared", "pku", classes=range(1, 52)),
    "tsu": Rule(_signed_hull, "shared", "pku", classes=range(51)),
}


@dataclass(frozen=True)
class Coded:
    """A table as arrays, row by row: codes of what is ranked together and of the video, a key that agrees only where
    both label and video do, and the times."""

    group: np.ndarray
    video: np.ndarray
    key: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def __len__(self) -> int:
        return len(self.key)

    def take(self, rows: np.ndarray) -> Coded:
        """The events of ``rows`` int64 [n] alone, in that order."""
        return Coded(self.group[rows], self.video[rows], self.key[rows], self.start[rows], self.end[rows])


@dataclass(frozen=True)
class Matched:
    """``ranks`` and, for each of its D places: ``row`` int64 [D] in the predictions, ``truth`` int64 [I,D] the row of
    the truth that it was given to, or -1."""

    ranks: Ranks
    row: np.ndarray
    truth: np.ndarray


def match(
    rule: Rule,
    detections: Coded,
    scores: np.ndarray,
    truth: Coded,
    unsure: Coded,
    iou: np.ndarray,
    groups: int,
    videos: int,
) -> Matched:
    """Gives detections to truths under ``rule`` at every threshold of ``iou`` [I]. ``unsure``: ambiguous segments."""
    rows = np.arange(len(detections))
    ties = -rows if rule.later_first else rows
    # A stable order by score; where the names of videos break ties, their codes are in the order of the names.
    order = np.lexsort((ties, rows * 0 if rule.later_first else detections.video, -scores, detections.group))
    detections = detections.take(order)
    detection, event, overlap = _overlaps(rule, detections, truth, float(iou.min()))
    partners = np.full((len(iou), len(detections)), -1, np.int64)
    for index, threshold in enumerate(iou):
        near = overlap > threshold if rule.strict else overlap >= threshold
        partners[index] = _give(rule, detection[near], event[near], len(detections), len(truth))
    matched = partners >= 0
    hit = _first_of_each(partners) if rule.chooser == "shared" else matched
    counted = np.ones_like(hit)
    if rule.spares_ambiguous and len(unsure):
        counted = hit | ~_touches(rule, detections, unsure)
    ranks = Ranks(detections.group, detections.video, hit, matched, counted, truth.group, truth.video, groups, videos)
    return Matched(ranks, order, partners)


def pairs(key: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64 [P] twice: every (i, j) with key[i] == other[j], by i and then j."""
    order = np.argsort(other, kind="stable")
    ranked = other[order]
    first, last = np.searchsorted(ranked, key, "left"), np.searchsorted(ranked, key, "right")
    counts = last - first
    left = np.repeat(np.arange(len(key)), counts)
    within = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    return left, order[np.repeat(first, counts) + within]


def _overlaps(rule: Rule, detections: Coded, truth: Coded, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs whose overlap is at least ``least``, in the order in which the rule lets them choose."""
    chunks = []
    step = max(1, CHUNK // max(1, int(np.bincount(truth.key).max(initial=0))))
    for begin in range(0, max(1, len(detections)), step):
        part = detections.take(np.arange(begin, min(begin + step, len(detections))))
        left, right = pairs(part.key, truth.key)
        overlap = rule.overlap(part.start[left], part.end[left], truth.start[right], truth.end[right])
        near = overlap >= least
        chunks.append((left[near] + begin, right[near], overlap[near]))
    detection, event, overlap = (np.concatenate(values) for values in zip(*chunks, strict=True))
    by_truth = (detection, -overlap, event)
    by_detection = (-event, -overlap, detection)
    order = np.lexsort(by_truth if rule.chooser == "truth" else by_detection)
    return detection[order], event[order], overlap[order]


def _give(rule: Rule, detection: np.ndarray, event: np.ndarray, detections: int, events: int) -> np.ndarray:
    """int64 [D]: the truth that each detection gets, -1 for none, of pairs in the order of preference."""
    partners = np.full(detections, -1, np.int64)
    if rule.chooser == "shared":
        chosen, first = np.unique(detection, return_index=True)
        partners[chosen] = event[first]
        return partners
    # Each choice depends on all before it; only pairs that overlap enough come here, so that the walk is short.
    partner, taken = [-1] * detections, [False] * events
    for row, truth in zip(detection.tolist(), event.tolist(), strict=True):
        if partner[row] < 0 and not taken[truth]:
            partner[row], taken[truth] = truth, True
    partners[:] = partner
    return partners


def _first_of_each(partners: np.ndarray) -> np.ndarray:
    """bool [I,D]: the surest detection of each truth."""
    hit = np.zeros(partners.shape, bool)
    for row, values in zip(hit, partners, strict=True):
        truths, first = np.unique(values, return_index=True)
        row[first[truths >= 0]] = True
    return hit


def _touches(rule: Rule, detections: Coded, unsure: Coded) -> np.ndarray:
    left, right = pairs(detections.video, unsure.video)
    overlap = rule.overlap(detections.start[left], detections.end[left], unsure.start[right], unsure.end[right])
    return np.bincount(left[overlap > 0], minlength=len(detections)) > 0
