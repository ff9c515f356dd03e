"""PKU-MMD's files, which TSU's event evaluation shares: a folder with one text file a video.

    <video>.txt   label,start,end,confidence     one event a line, frames (TSU: 16-frame steps), label a number

In a folder of results the last number is the score; in PKU-MMD's labels it is 2 (sure), 1 (slight) or 0.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.metrics.event_tables import checked
from workbench.metrics.formats import text


def read_pku_truth(folder: str | os.PathLike, videos: Iterable[str] | None = None) -> pd.DataFrame:
    """Table of video, label (int), start, end, confidence of every file, by name, or of ``videos``.

    Ends before starts stay as they are (0043-L holds one). A warning tells of files without an event.
    FileNotFoundError for a folder without files or a video without one; ValueError naming file and line.
    """
    return _read(folder, "confidence", videos)


def read_pku_detections(folder: str | os.PathLike) -> pd.DataFrame:
    """Table of video, label (int), start, end, score of every file, by name; errors as ``read_pku_truth``."""
    return _read(folder, "score", None)


def write_pku_truth(folder: str | os.PathLike, truth: Any, videos: Iterable[str] = ()) -> None:
    """One file a video, also for those of ``videos`` without an event. confidence is 1 where the table has none."""
    truth = checked(truth, "ground truth", scored=False)
    _write(folder, truth if "confidence" in truth else truth.assign(confidence=1), "confidence", videos)


def write_pku_detections(folder: str | os.PathLike, predictions: Any, videos: Iterable[str] = ()) -> None:
    """As ``write_pku_truth``. Give all ``videos``: PKU-MMD's script leaves out those without a file."""
    _write(folder, checked(predictions, "table of predictions", scored=True), "score", videos)


def videos_of(folder: str | os.PathLike) -> list[str]:
    """The videos that have a file in ``folder``, by name; FileNotFoundError where there is none."""
    files = sorted(path.stem for path in Path(folder).glob("*.txt"))
    if not files:
        raise FileNotFoundError(f"{folder} has no <video>.txt")
    return files


def _read(folder: str | os.PathLike, last: str, videos: Iterable[str] | None) -> pd.DataFrame:
    events: list[dict] = []
    empty: list[Path] = []
    for video in videos_of(folder) if videos is None else videos:
        path, before = Path(folder) / (text.file_name(video, "video") + ".txt"), len(events)
        for where, row in text.rows(path, 4, f"label,start,end,{last}"):
            names = ("start", "end", last)
            numbers = {name: text.number(value, where, name) for name, value in zip(names, row[1:4], strict=True)}
            events.append({"video": video, "label": text.whole(row[0], where, "label"), **numbers})
        empty += [path] if len(events) == before else []
    if empty:
        warnings.warn(f"{len(empty)} file(s) of {folder} say that nothing happens, such as {empty[0]}", stacklevel=3)
    return text.table(events, "video", "label", "start", "end", last)


def _write(folder: str | os.PathLike, events: pd.DataFrame, last: str, videos: Iterable[str]) -> None:
    for video in dict.fromkeys([*map(str, videos), *events["video"]]):
        rows = events[events["video"] == video]
        lines = [
            ",".join([str(text.whole(label, f"video {video}", "label")), *(text.exact(value) for value in values)])
            for label, *values in rows[["label", "start", "end", last]].itertuples(index=False)
        ]
        text.write(Path(folder) / (text.file_name(video, "video") + ".txt"), lines)
