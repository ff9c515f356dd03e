"""Event mAP: how well intervals are found, named and placed, by the rules of four official evaluators.

    rule          overlap                 matching                              AP              mean over
    thumos        > threshold             truths choose, ambiguous spared       not interpolated  classes of the truth
    activitynet   >= threshold            detections choose by score            interpolated      classes of the truth
    pku           >= threshold, hull      many detections to one truth          PKU-MMD's own     51 classes, 1 to 51
    tsu           >= threshold, hull      as pku                                PKU-MMD's own     51 classes, 0 to 50

The sources are TH14evalDet.m of the evaluation kit of 2015-09-30, ActivityNet's eval_detection.py, PKU-MMD's
evaluate.py (with the overlap of starts and ends that its text means) and TSU's Event_based_map.py. ``event_matching``
says what each does with equal scores, equal overlaps, doubles, intervals without length and ends before starts.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from workbench.metrics.average_precision import average_precision
from workbench.metrics.event_matching import RULES, Coded, Matched, match
from workbench.metrics.event_tables import ambiguous, checked

#: The thresholds at which each rule's results are usually printed.
IOU = {
    "thumos": (0.3, 0.4, 0.5, 0.6, 0.7),
    "activitynet": tuple(float(value) for value in np.linspace(0.5, 0.95, 10)),
    "pku": (0.1, 0.3, 0.5),
    "tsu": (0.3, 0.5, 0.7),
}


class MeanAP(NamedTuple):
    """``per_class, mean = event_map(...)``: average precisions in [0,1] and their mean over classes.

    At one threshold: per_class a Series by label, mean a float. At several: per_class a DataFrame (row a label,
    column a threshold), mean a Series by threshold. (``frame_map``: per_class float64 [N], mean a float.)
    """

    per_class: Any
    mean: Any

    @property
    def average(self) -> float:
        """The mean over thresholds of the mean over classes (ActivityNet's Average-mAP)."""
        return float(np.mean(self.mean))


class Scored(NamedTuple):
    """What ``match_events`` returns. predictions and truth: the tables as they were counted, rows from 0; matched: who
    got whom; labels: the classes of ``matched.ranks``; iou float64 [I]."""

    predictions: pd.DataFrame
    truth: pd.DataFrame
    matched: Matched
    labels: list
    iou: np.ndarray


def event_map(
    predictions: Any,
    ground_truth: Any,
    iou: float | Sequence[float] = 0.5,
    rule: str = "thumos",
    classes: Sequence | None = None,
) -> MeanAP:
    """Mean average precision of predicted events against true ones, at one threshold or several.

    Nothing is clipped to the length of a video (see ``clip_times``).

    Args:
        predictions: a table of video, label, start, end, score. Those of labels outside the classes are left out, with
            a warning that counts them.
        ground_truth: a table of video, label, start, end, and where there are such rows ambiguous. Ambiguous rows are
            no positives under any rule; only thumos spares the false positives that touch them.
        iou: one threshold or several, in (0,1].
        rule: whose evaluation: "thumos", "activitynet", "pku" or "tsu".
        classes: the labels that the mean is over. None: for thumos and activitynet the labels of the truth; for pku and
            tsu, where every label of the truth is one of the data set's numbers, all 51 of them, as the official
            scripts divide, else the labels of the truth.

    Returns:
        ``per_class`` in [0,1] and ``mean``. A class without a truth is NaN and left out of the mean under thumos and
        activitynet, 0 under pku and tsu; a class without a prediction is 0.

    Raises:
        ValueError: an empty truth, missing columns, times that are not finite, a score that is NaN, a threshold outside
            (0,1], an unknown rule, or a truth whose label is not among the classes.
    """
    scored = match_events(predictions, ground_truth, iou, rule, classes)
    precision = average_precision(scored.matched.ranks, RULES[rule].interpolation)
    if RULES[rule].classes is not None:
        precision = np.nan_to_num(precision)
    return _summary(precision, scored, single=np.ndim(iou) == 0)


def match_events(
    predictions: Any,
    ground_truth: Any,
    iou: float | Sequence[float] = 0.5,
    rule: str = "thumos",
    classes: Sequence | None = None,
    together: str = "label",
) -> Scored:
    """Which prediction finds which truth; arguments and errors as ``event_map``.

    together: what is ranked together, "label" (as for mAP), "video" or "all".
    """
    thresholds = _checked_iou(iou, rule)
    predictions = checked(predictions, "table of predictions", scored=True)
    truth = checked(ground_truth, "ground truth", scored=False)
    marked = ambiguous(truth)
    truth, unsure = truth[~marked].reset_index(drop=True), truth[marked]
    if truth.empty:
        raise ValueError("the ground truth is empty: without an event to find average precision has no meaning")
    labels = _classes(truth["label"].tolist(), rule, classes)
    predictions = _known(predictions, labels)
    names = sorted({name for table in (predictions, truth, unsure) for name in table["video"].tolist()})

    def code(table: pd.DataFrame) -> Coded:
        label, video = _indices(table["label"], labels), _indices(table["video"], names)
        group = {"label": label, "video": video, "all": np.zeros(len(table), np.int64)}[together]
        return Coded(group, video, label * len(names) + video, table["start"].to_numpy(), table["end"].to_numpy())

    groups = {"label": len(labels), "video": len(names), "all": 1}[together]
    scores = predictions["score"].to_numpy()
    matched = match(RULES[rule], code(predictions), scores, code(truth), code(unsure), thresholds, groups, len(names))
    return Scored(predictions, truth, matched, labels, thresholds)


def pku_summary(
    predictions: Any, ground_truth: Any, iou: float = 0.5, rule: str = "pku", classes: Sequence | None = None
) -> dict[str, float]:
    """All numbers that PKU-MMD's evaluator prints, in [0,1], at one threshold; arguments and errors as ``event_map``.

    f1: of the truths that are found and all detections; ap: one ranking of all classes and videos; map_action: over
    classes (``event_map``); map_video: over the videos of either table; ap_2d: the mean of ap over the thresholds
    0.05 to 1.0 in steps of 0.05. The script leaves out the truth of videos without a file of results; here it counts
    as missed.
    """
    if rule not in ("pku", "tsu"):
        raise ValueError(f"the summary is PKU-MMD's: rule must be pku or tsu, got {rule!r}")
    steps = (np.arange(20) + 1) * 0.05

    def together(how: str, thresholds: Any) -> tuple[Scored, np.ndarray]:
        # The script lists all detections by class first, which decides between equal scores.
        table = checked(predictions, "table of predictions", scored=True)
        table = table.sort_values("label", kind="stable") if how == "all" else table
        scored = match_events(table, ground_truth, thresholds, rule, classes, how)
        return scored, np.nan_to_num(average_precision(scored.matched.ranks, "pku"))

    scored, ap = together("all", iou)
    hits, detections, truths = scored.matched.ranks.hit.sum(), len(scored.predictions), len(scored.truth)
    return {
        "f1": 2 * int(hits) / (detections + truths) if detections else 0.0,
        "ap": float(ap[0, 0]),
        "map_action": event_map(predictions, ground_truth, iou, rule, classes).mean,
        "map_video": float(together("video", iou)[1].mean()),
        "ap_2d": float(together("all", steps)[1].mean()),
    }


def _checked_iou(iou: float | Sequence[float], rule: str) -> np.ndarray:
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}; known: {', '.join(RULES)}")
    thresholds = np.atleast_1d(np.asarray(iou, np.float64))
    if thresholds.ndim != 1 or not len(thresholds) or not ((thresholds > 0) & (thresholds <= 1)).all():
        raise ValueError(f"iou must be one or several thresholds in (0,1], got {iou}")
    return thresholds


def _classes(labels: list, rule: str, classes: Sequence | None) -> list:
    present = set(labels)
    if classes is not None:
        unique = list(dict.fromkeys(classes))
        if missing := sorted(present - set(unique), key=str):
            raise ValueError(f"label {missing[0]!r} of the ground truth is not among the {len(unique)} classes")
        return unique
    official = RULES[rule].classes
    if official is not None and present <= set(official):
        return list(official)
    # Names by the alphabet, numbers by size, and numbers before names where a table holds both.
    return sorted(present, key=lambda label: (isinstance(label, str), label))


def _known(predictions: pd.DataFrame, labels: list) -> pd.DataFrame:
    classes = set(labels)
    rows = np.array([label in classes for label in predictions["label"].tolist()], bool)
    if rows.all():
        return predictions
    unknown = sorted({str(label) for label in predictions["label"][~rows]})
    warnings.warn(
        f"{int((~rows).sum())} predictions of labels that are not classes of the ground truth are left out: "
        f"{', '.join(unknown[:5])}{', ...' if len(unknown) > 5 else ''}",
        stacklevel=4,
    )
    return predictions[rows].reset_index(drop=True)


def _indices(values: pd.Series, names: list) -> np.ndarray:
    """int64: where each value stands in ``names``, -1 for one that does not."""
    index_of = {value: index for index, value in enumerate(names)}
    return np.array([index_of.get(value, -1) for value in values.tolist()], np.int64)


def _summary(precision: np.ndarray, scored: Scored, single: bool) -> MeanAP:
    mean = np.nanmean(precision, axis=1)
    labels = pd.Index(scored.labels, name="label")
    if single:
        return MeanAP(pd.Series(precision[0], labels, name="ap"), float(mean[0]))
    columns = pd.Index(scored.iou, name="iou")
    return MeanAP(pd.DataFrame(precision.T, labels, columns), pd.Series(mean, columns, name="map"))
