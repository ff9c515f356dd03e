"""The files of the detection data sets, read into tables and written from them, and somebody else's results scored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.metrics.charades import charades_classify, charades_localize
from workbench.metrics.event_detection import IOU, MeanAP, event_map
from workbench.metrics.event_tables import AMBIGUOUS
from workbench.metrics.formats import entries
from workbench.metrics.formats.actions_json import (
    read_actions_json,
    read_tsu_csv,
    write_actions_json,
    write_tsu_csv,
)
from workbench.metrics.formats.activitynet import (
    read_activitynet_detections,
    read_activitynet_truth,
    write_activitynet_detections,
    write_activitynet_truth,
)
from workbench.metrics.formats.charades import (
    read_charades_classify,
    read_charades_localize,
    read_charades_truth,
    write_charades_classify,
    write_charades_localize,
    write_charades_truth,
)
from workbench.metrics.formats.pku import (
    read_pku_detections,
    read_pku_truth,
    videos_of,
    write_pku_detections,
    write_pku_truth,
)
from workbench.metrics.formats.thumos import (
    CLASSES,
    read_thumos_classes,
    read_thumos_detections,
    read_thumos_truth,
    write_thumos_detections,
    write_thumos_truth,
)

RULES = (*IOU, "charades", "charades_classify")
#: Frames of one step of TSU's labels and detections.
STEP = 16


def score_files(
    ground_truth: str | os.PathLike,
    detections: str | os.PathLike,
    rule: str,
    iou: float | Sequence[float] | None = None,
    subset: str | None = None,
) -> MeanAP:
    """The result of ``event_map`` (or of the Charades tasks) for files in the data set's own format.

        rule               ground_truth                             detections            subset (default)
        thumos             folder of <Class>_<subset>.txt           text file             test
        activitynet        JSON                                     JSON                  validation
        pku                folder of <video>.txt                    folder of <video>.txt none
        tsu                the same, or the JSON (in frames)        folder of <video>.txt testing (JSON alone)
        charades           CSV                                      submission file       none
        charades_classify  CSV                                      submission file       none

    iou: one threshold or several, ``IOU[rule]`` where None; Charades has none. Under pku and tsu only videos with a
    file of detections count, as in PKU-MMD's script, so that a folder with the labels of all videos will do. Under tsu
    detections are in steps of 16 frames, as are the labels of a folder; the frames of the JSON are divided by 16.
    Entries that cannot count (intervals that end before they start or have no length, repeated ones, detections of
    unknown videos or labels) are treated as the official script does, and warnings tell how many there are.
    ValueError or FileNotFoundError in one sentence that names the file, the line and what was expected; ValueError too
    where the ground truth has no event, of which there is no precision.
    """
    scores = _scored(ground_truth, detections, rule, iou, subset)
    if np.isnan(np.asarray(scores.mean, np.float64)).any():
        raise ValueError(f"{ground_truth} has no event in what is scored, so that there is no average precision")
    return scores


def _scored(
    ground_truth: str | os.PathLike,
    detections: str | os.PathLike,
    rule: str,
    iou: float | Sequence[float] | None,
    subset: str | None,
) -> MeanAP:
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}; known: {', '.join(RULES)}")
    for path, content in ((ground_truth, "annotations"), (detections, "detections")):
        if not Path(path).exists():
            raise FileNotFoundError(f"there is no file or folder of {content} at {Path(path).absolute()}")
    ground_truth, detections = Path(ground_truth).absolute(), Path(detections).absolute()
    if rule.startswith("charades"):
        if iou is not None:
            raise ValueError(f"rule {rule} scores points or videos and has no iou, got {iou}")
        truth, lengths = read_charades_truth(ground_truth)
        if not lengths:
            raise ValueError(f"{ground_truth} lists no video: it needs a row for each, below the line with the names")
        if rule == "charades":
            scores = entries.of_charades(read_charades_localize(detections), lengths, detections, ground_truth)
            return charades_localize(scores, truth, lengths)
        scores = entries.of_charades(read_charades_classify(detections), lengths, detections, ground_truth)
        return charades_classify(scores, truth, lengths)
    iou = IOU[rule] if iou is None else iou
    if rule == "thumos":
        listed = Path(ground_truth) / "detclasslist.txt"
        classes = read_thumos_classes(listed) if listed.is_file() else None
        truth = read_thumos_truth(ground_truth, "test" if subset is None else subset)
        if classes is None and (strangers := set(truth["label"]) - {*CLASSES.values(), AMBIGUOUS}):
            raise ValueError(
                f"{ground_truth} has classes such as {min(strangers)!r} that are not THUMOS14's: put detclasslist.txt, "
                "the number and name of each class, beside them"
            )
        return _event_map(read_thumos_detections(detections, classes), truth, iou, rule, detections, ground_truth)
    if rule == "activitynet":
        truth = read_activitynet_truth(ground_truth, "validation" if subset is None else subset)
        return _event_map(read_activitynet_detections(detections), truth, iou, rule, detections, ground_truth)
    if Path(ground_truth).is_file():
        truth, durations = read_actions_json(ground_truth, "testing" if subset is None else subset)
        entries.missing(set(durations), set(videos_of(detections)), ground_truth, detections)
        truth = truth[truth["video"].isin(videos_of(detections))]
        truth = truth.assign(start=truth["start"] / STEP, end=truth["end"] / STEP)
        predictions = read_pku_detections(detections)
        known = predictions["video"].isin(durations).to_numpy()
        entries.unread(
            predictions, known, detections, f"detections of videos that {ground_truth} has not in this subset"
        )
        return _event_map(predictions[known], truth, iou, rule, detections, ground_truth)
    videos = videos_of(detections)
    entries.missing(set(videos_of(ground_truth)), set(videos), ground_truth, detections)
    truth = read_pku_truth(ground_truth, videos)
    return _event_map(read_pku_detections(detections), truth, iou, rule, detections, ground_truth)


def _event_map(
    predictions: pd.DataFrame,
    truth: pd.DataFrame,
    iou: float | Sequence[float],
    rule: str,
    detections: str | os.PathLike,
    ground_truth: str | os.PathLike,
) -> MeanAP:
    """``event_map`` after telling what in the files cannot count."""
    if truth.empty:
        raise ValueError(f"{ground_truth} has no event in what is scored, so that there is no average precision")
    entries.tell(predictions, truth, rule, detections, ground_truth)
    return event_map(predictions, truth, iou, rule)


__all__ = [
    "RULES",
    "read_actions_json",
    "read_activitynet_detections",
    "read_activitynet_truth",
    "read_charades_classify",
    "read_charades_localize",
    "read_charades_truth",
    "read_pku_detections",
    "read_pku_truth",
    "read_thumos_classes",
    "read_thumos_detections",
    "read_thumos_truth",
    "read_tsu_csv",
    "score_files",
    "write_actions_json",
    "write_activitynet_detections",
    "write_activitynet_truth",
    "write_charades_classify",
    "write_charades_localize",
    "write_charades_truth",
    "write_pku_detections",
    "write_pku_truth",
    "write_thumos_detections",
    "write_thumos_truth",
    "write_tsu_csv",
]
