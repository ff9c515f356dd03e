"""Charades' files: the CSV of annotations and the two submission files.

annotations  id,subject,...,actions,length     actions "c092 11.90 21.20;c147 0.00 12.60", seconds
localize     <id> <point 1 to 25> <157 scores>
classify     <id> <157 scores>
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from workbench.metrics.charades import CLASSES, POINTS
from workbench.metrics.classification import as_array
from workbench.metrics.event_tables import checked
from workbench.metrics.formats import entries, text

ACTION = re.compile(r"c(\d{3})$")


def read_charades_truth(path: str | os.PathLike) -> tuple[pd.DataFrame, dict[str, float]]:
    """(table of video, label (0 to 156), start, end; video -> length in seconds), in the order of the file.

    Nothing is clipped: many intervals end after their video. ValueError naming file and line.
    """
    lines = csv.DictReader(text.read(path).splitlines())
    if missing := {"id", "actions", "length"} - set(lines.fieldnames or ()):
        raise ValueError(f"{path}, line 1: the header has no column {min(missing)!r}")
    events, lengths = [], {}
    for row in lines:
        where = f"{path}, line {lines.line_num}"
        if row["length"] is None:
            raise ValueError(f"{where}: the line has fewer columns than the header")
        lengths[row["id"]] = text.number(row["length"], where, "length")
        for action in filter(None, (part.strip() for part in (row["actions"] or "").split(";"))):
            name, *times = action.split()
            kind = ACTION.match(name)
            if kind is None or len(times) != 2 or int(kind[1]) >= CLASSES:
                raise ValueError(f"{where}: expected actions such as 'c092 11.90 21.20', got {action[:80]!r}")
            start, end = (text.number(value, where, "time") for value in times)
            events.append({"video": row["id"], "label": int(kind[1]), "start": start, "end": end})
    return text.table(events, "video", "label", "start", "end"), lengths


def write_charades_truth(path: str | os.PathLike, truth: Any, lengths: Mapping[str, float]) -> None:
    """The columns id, actions and length, one line a video of ``lengths``."""
    truth = checked(truth, "ground truth", scored=False)
    if unknown := sorted(set(truth["video"]) - set(lengths)):
        raise ValueError(f"video {unknown[0]!r} has no length")
    actions: dict[str, list[str]] = {str(video): [] for video in lengths}
    for row in truth.itertuples():
        kind = text.whole(row.label, f"video {row.video}", "label")
        actions[row.video].append(f"c{kind:03d} {text.exact(row.start)} {text.exact(row.end)}")
    lines = [
        f"{text.word(video, 'video')},{';'.join(actions[str(video)])},{text.exact(length)}"
        for video, length in lengths.items()
    ]
    text.write(path, ["id,actions,length", *lines])


def read_charades_localize(path: str | os.PathLike, classes: int = CLASSES) -> dict[str, np.ndarray]:
    """video -> float64 [25,N]; a point without a line is minus infinity, as the script has it.

    Points count from 1; a file that has a point 0 counts from 0. A field more than the scores is ignored, as by the
    script. ValueError naming file and line.
    """
    points = []
    for where, row in text.rows(path, classes + 2, f"video, point and {classes} scores"):
        point = text.whole(row[1], where, "point")
        if not 0 <= point <= POINTS:
            raise ValueError(f"{where}: the point must lie in 1 to {POINTS}, got {point}")
        points.append((row[0], point, _scores(row[2:], where, classes)))
    entries.repeated([f"{video}, point {point}" for video, point, _ in points], path, "points")
    first = 0 if any(point == 0 for _, point, _ in points) else 1
    scores: dict[str, np.ndarray] = {}
    for video, point, values in points:
        if point - first >= POINTS:
            raise ValueError(f"{path}: video {video} has points 0 and {point}; {POINTS} points are expected")
        scores.setdefault(video, np.full((POINTS, classes), -np.inf))[point - first] = values
    return scores


def write_charades_localize(path: str | os.PathLike, scores: Mapping[str, Any]) -> None:
    """scores: video -> float [25,N]."""
    lines = []
    for video, values in scores.items():
        values = as_array(values)
        if values.ndim != 2 or len(values) != POINTS:
            raise ValueError(f"scores of video {video} must be [{POINTS},N], got {list(values.shape)}")
        lines += [f"{text.word(video, 'video')} {point} {_written(row)}" for point, row in enumerate(values, 1)]
    text.write(path, lines)


def read_charades_classify(path: str | os.PathLike, classes: int = CLASSES) -> dict[str, np.ndarray]:
    """video -> float64 [N]; ValueError naming file and line."""
    rows = list(text.rows(path, classes + 1, f"video and {classes} scores"))
    entries.repeated([row[0] for _, row in rows], path, "videos")
    return {row[0]: _scores(row[1:], where, classes) for where, row in rows}


def write_charades_classify(path: str | os.PathLike, scores: Mapping[str, Any]) -> None:
    """scores: video -> float [N]."""
    text.write(path, (f"{text.word(video, 'video')} {_written(as_array(values))}" for video, values in scores.items()))


def _scores(fields: list[str], where: str, classes: int) -> np.ndarray:
    if len(fields) > classes + 1:
        raise ValueError(f"{where}: expected {classes} scores, got {len(fields)}")
    try:
        scores = np.array(fields[:classes], np.float64)
    except ValueError:
        scores = np.array([np.nan])
    if np.isnan(scores).any():
        raise ValueError(f"{where}: the scores must be numbers")
    return scores


def _written(values: np.ndarray) -> str:
    return " ".join(str(float(value)) for value in values)
