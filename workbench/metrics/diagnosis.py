"""What kinds of mistakes a detector makes (after DETAD, Alwassel et al., ECCV 2018).

Every prediction is one of these, at a threshold ``iou`` and a lower one, ``near`` (0.1 in DETAD); overlap is the
rule's:

    right           finds a truth of its label
    double          overlaps a truth of its label by ``iou``, which another prediction has found (or finds)
    wrong label     overlaps a truth of another label by ``iou``
    localisation    overlaps a truth of its label by ``near`` or more, not by ``iou``
    background      anything else (DETAD's "confusion", a wrong label and a wrong place, with it)
    ignored         touches an ambiguous segment and finds nothing (THUMOS rule alone)

the first that applies, in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.metrics.event_detection import Scored, match_events
from workbench.metrics.event_matching import RULES, pairs

KINDS = ("right", "double", "wrong label", "localisation", "background", "ignored")
#: Edges, in the unit of the table, between DETAD's lengths XS, S, M, L and XL (its seconds, for ActivityNet).
LENGTHS = (30.0, 60.0, 120.0, 180.0)


def prediction_kinds(
    predictions: Any,
    ground_truth: Any,
    iou: float = 0.5,
    rule: str = "activitynet",
    classes: Sequence | None = None,
    near: float = 0.1,
) -> pd.DataFrame:
    """The predictions that ``event_map`` counts, by descending score (equal scores by row), with a column ``kind`` of
    ``KINDS``. Arguments and errors as ``event_map``; ValueError also unless 0 < near <= iou."""
    if not 0 < near <= iou:
        raise ValueError(f"near must lie above 0 and at most at iou, got {near} and {iou}")
    scored = match_events(predictions, ground_truth, iou, rule, classes)
    ranks, row = scored.matched.ranks, scored.matched.row
    back = np.empty_like(row)
    back[row] = np.arange(len(row))
    right, counted = ranks.hit[0][back], ranks.counted[0][back]
    same_label, other_label = _best_overlaps(scored, rule)
    threshold = float(scored.iou[0])
    # The THUMOS rule asks for more than its threshold.
    reached = (lambda overlap: overlap > threshold) if RULES[rule].strict else (lambda overlap: overlap >= threshold)
    kinds = np.select(
        [~counted, right, reached(same_label), reached(other_label), same_label >= near],
        ["ignored", "right", "double", "wrong label", "localisation"],
        "background",
    )
    order = np.argsort(-scored.predictions["score"].to_numpy(), kind="stable")
    return scored.predictions.assign(kind=kinds).iloc[order].reset_index(drop=True)


def false_positive_profile(kinds: pd.DataFrame, truths: int, bands: int = 10) -> pd.DataFrame:
    """How mistakes grow with the number of predictions: row g of ``bands`` (1 to bands) holds the share, in [0,1], of
    each of the counted ``KINDS`` among the g * ``truths`` surest predictions (fewer where there are fewer), as in
    DETAD.

    kinds: from ``prediction_kinds``; truths: how many events there are to find.
    """
    if truths < 1 or bands < 1:
        raise ValueError(f"a profile needs truths and bands above 0, got {truths} and {bands}")
    counted = kinds.loc[kinds["kind"] != "ignored", "kind"].to_numpy(object)
    shares = []
    for band in range(1, bands + 1):
        top = counted[: band * truths]
        shares.append([float(np.mean(top == kind)) if len(top) else float("nan") for kind in KINDS[:-1]])
    return pd.DataFrame(shares, pd.RangeIndex(1, bands + 1, name="band"), list(KINDS[:-1]))


def truths_found(
    predictions: Any, ground_truth: Any, iou: float = 0.5, rule: str = "activitynet", classes: Sequence | None = None
) -> pd.DataFrame:
    """The unambiguous truth, row by row, with columns ``found`` (bool), ``length`` (end - start) and ``together``
    (how many other events of any label overlap it in time in its video). Arguments and errors as ``event_map``.

    All predictions count, whatever their score: leave out those below the score at which a detector would be used.
    """
    scored = match_events(predictions, ground_truth, iou, rule, classes)
    found = np.zeros(len(scored.truth), bool)
    matches = scored.matched.truth[0]
    found[matches[matches >= 0]] = True
    start, end = scored.truth["start"].to_numpy(), scored.truth["end"].to_numpy()
    video = scored.matched.ranks.positive_video
    left, right = pairs(video, video)
    overlapping = (left != right) & (np.minimum(end[left], end[right]) > np.maximum(start[left], start[right]))
    together = np.bincount(left[overlapping], minlength=len(video))
    return scored.truth.assign(found=found, length=end - start, together=together)


def missed_by_length(truths: pd.DataFrame, edges: Sequence[float] = LENGTHS) -> pd.DataFrame:
    """Rows ``group``, ``count``, ``missed`` (share in [0,1], NaN where the group is empty) of ``truths_found`` by
    length: up to the first edge, above it up to the second, and so on; ``edges`` grow."""
    ends = np.asarray(edges, np.float64)
    if ends.ndim != 1 or not len(ends) or (np.diff(ends) <= 0).any():
        raise ValueError(f"the edges of lengths must grow, got {list(ends)}")
    names = [f"up to {ends[0]:g}", *(f"{low:g} to {high:g}" for low, high in zip(ends[:-1], ends[1:], strict=True))]
    bins = np.searchsorted(ends, truths["length"].to_numpy(), "left")
    return _missed(truths, bins, [*names, f"over {ends[-1]:g}"])


def missed_by_overlap(truths: pd.DataFrame, most: int = 3) -> pd.DataFrame:
    """Rows as ``missed_by_length``, by how many other events go on at the time: 0, 1, ..., ``most`` or more."""
    bins = np.minimum(truths["together"].to_numpy(), most)
    return _missed(truths, bins, [*map(str, range(most)), f"{most} or more"])


def _best_overlaps(scored: Scored, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """float64 [D] twice, by row: the highest overlap with a truth of the prediction's label, and of another."""
    index_of = {video: index for index, video in enumerate(dict.fromkeys(scored.truth["video"]))}
    videos = np.array([index_of.get(video, -1) for video in scored.predictions["video"]], np.int64)
    left, right = pairs(videos, np.array([index_of[video] for video in scored.truth["video"]], np.int64))
    times = [table[name].to_numpy()[rows] for table, rows in ((scored.predictions, left), (scored.truth, right))
             for name in ("start", "end")]  # fmt: skip
    overlap = RULES[rule].overlap(*times)
    same = scored.predictions["label"].to_numpy()[left] == scored.truth["label"].to_numpy()[right]
    best = np.zeros((2, len(videos)))
    np.maximum.at(best[0], left[same], overlap[same])
    np.maximum.at(best[1], left[~same], overlap[~same])
    return best[0], best[1]


def _missed(truths: pd.DataFrame, bins: np.ndarray, names: list[str]) -> pd.DataFrame:
    count = np.bincount(bins, minlength=len(names))
    missed = np.bincount(bins, ~truths["found"].to_numpy(bool), minlength=len(names))
    share = np.divide(missed, count, out=np.full(len(names), np.nan), where=count > 0)
    return pd.DataFrame({"group": names, "count": count, "missed": share})
