"""THUMOS14's files: a folder of annotations, one file a class, and one file of detections.

    <Class>_test.txt, Ambiguous_test.txt   video_test_0000004  0.2 1.1             seconds, one event a line
    detclasslist.txt                       7 BaseballPitch                         number and name of each class
    detections                             video_test_0000004 0.2 1.1 7 0.93       start, end, class number, score

MultiTHUMOS' annotations are such a folder without the subset in its names (subset="").
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.metrics.event_tables import AMBIGUOUS, ambiguous, checked
from workbench.metrics.formats import text

#: Numbers (UCF101's) and names of the 20 classes, as in the evaluation kit.
CLASSES = {
    7: "BaseballPitch", 9: "BasketballDunk", 12: "Billiards", 21: "CleanAndJerk", 22: "CliffDiving",
    23: "CricketBowling", 24: "CricketShot", 26: "Diving", 31: "FrisbeeCatch", 33: "GolfSwing", 36: "HammerThrow",
    40: "HighJump", 45: "JavelinThrow", 51: "LongJump", 68: "PoleVault", 79: "Shotput", 85: "SoccerPenalty",
    92: "TennisSwing", 93: "ThrowDiscus", 97: "VolleyballSpiking",
}  # fmt: skip


def read_thumos_truth(folder: str | os.PathLike, subset: str = "test") -> pd.DataFrame:
    """Table of video, label (the class's name), start, end, ambiguous, from every <Class>_<subset>.txt of ``folder``.

    Files by name, Ambiguous last. FileNotFoundError where the folder has none; ValueError naming file and line.
    """
    ending = f"_{subset}.txt" if subset else ".txt"
    files = sorted(path for path in Path(folder).glob(f"*{ending}") if path.name != "detclasslist.txt")
    if not files:
        raise FileNotFoundError(f"{folder} has no file of annotations that ends in {ending}")
    files.sort(key=lambda path: path.name == f"{AMBIGUOUS}{ending}")
    events = []
    for path in files:
        label = path.name.removesuffix(ending)
        for where, (video, start, end, *_) in text.rows(path, 3, "video start end"):
            times = {"start": text.number(start, where, "start"), "end": text.number(end, where, "end")}
            events.append({"video": video, "label": label, **times, "ambiguous": label == AMBIGUOUS})
    return text.table(events, "video", "label", "start", "end", "ambiguous")


def write_thumos_truth(folder: str | os.PathLike, truth: Any, subset: str = "test") -> None:
    """One file a label, and Ambiguous_<subset>.txt (also where no row is ambiguous: the kit asks for it)."""
    truth = checked(truth, "ground truth", scored=False)
    marked = ambiguous(truth)
    ending = f"_{subset}.txt" if subset else ".txt"
    groups = {str(label): rows for label, rows in truth[~marked].groupby("label", sort=False)} | {
        AMBIGUOUS: truth[marked]
    }
    for label, rows in groups.items():
        lines = (
            f"{text.word(row.video, 'video')}  {text.exact(row.start)} {text.exact(row.end)}"
            for row in rows.itertuples()
        )
        text.write(Path(folder) / (text.file_name(label, "label") + ending), lines)


def read_thumos_classes(path: str | os.PathLike) -> dict[int, str]:
    """Number -> name of detclasslist.txt."""
    return {text.whole(row[0], where, "class"): row[1] for where, row in text.rows(path, 2, "number name")}


def read_thumos_detections(path: str | os.PathLike, classes: Mapping[int, str] | None = None) -> pd.DataFrame:
    """Table of video, label (the class's name), start, end, score. A ".mp4" behind a video's name is left out.

    classes: number -> name, THUMOS14's 20 by default. A number that is none of them is kept as label, so that
    ``event_map`` reports it (the kit prints a warning and leaves such rows out).
    """
    classes = CLASSES if classes is None else classes
    events = []
    for where, row in text.rows(path, 5, "video start end class score"):
        kind = text.whole(row[3], where, "class")
        start, end, score = (text.number(row[i], where, name) for i, name in ((1, "start"), (2, "end"), (4, "score")))
        video = row[0].replace(".mp4", "")
        events.append({"video": video, "label": classes.get(kind, kind), "start": start, "end": end, "score": score})
    return text.table(events, "video", "label", "start", "end", "score")


def write_thumos_detections(
    path: str | os.PathLike, predictions: Any, classes: Mapping[int, str] | None = None
) -> None:
    """The rows in their order; ValueError for a label that ``classes`` (number -> name) does not hold."""
    predictions = checked(predictions, "table of predictions", scored=True)
    numbers = {name: kind for kind, name in (CLASSES if classes is None else classes).items()}
    if unknown := [label for label in predictions["label"] if label not in numbers]:
        raise ValueError(f"label {unknown[0]!r} has no number; known: {', '.join(map(str, list(numbers)[:5]))}, ...")
    lines = []
    for row in predictions.itertuples():
        times = f"{text.exact(row.start)} {text.exact(row.end)}"
        lines.append(f"{text.word(row.video, 'video')} {times} {numbers[row.label]} {text.exact(row.score)}")
    text.write(path, lines)
