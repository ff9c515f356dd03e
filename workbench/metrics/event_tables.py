"""Tables of events: one row an interval of one action in one video.

Columns: ``video`` (its id), ``label`` (an id or a name), ``start`` and ``end`` in one unit throughout (seconds,
frames or steps); predictions have a ``score`` (higher is surer), ground truth may have ``ambiguous`` (bool). The
order of the rows is the order in the file they came from: the official evaluators break ties by it. Further columns
are carried along.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = ("video", "label", "start", "end")
#: The label under which THUMOS14 files its ambiguous segments.
AMBIGUOUS = "Ambiguous"


def checked(table: Any, title: str, scored: bool) -> pd.DataFrame:
    """``table`` (a DataFrame, a dict of columns or a list of dicts) as a new DataFrame with rows counted from 0.

    ``start``, ``end`` and ``score`` become float64, ``video`` str, ``label`` a plain Python int, str, ... and
    ``ambiguous`` (where there is one) bool. ValueError in one sentence for a missing column, a missing label, a time
    that is not finite or a score that is NaN.
    """
    table = pd.DataFrame(table)
    needed = (*COLUMNS, "score") if scored else COLUMNS
    table = table.reset_index(drop=True) if table.shape[1] else pd.DataFrame({name: [] for name in needed})
    if missing := [name for name in needed if name not in table]:
        raise ValueError(f"the {title} has no column {missing[0]!r}; it needs {', '.join(needed)}")
    times = {name: _numbers(table, name, title) for name in needed[2:]}
    for name in ("video", "label"):
        _refuse(table, table[name].isna().to_numpy(), name, title, "must be given")
    for name in ("start", "end"):
        _refuse(table, ~np.isfinite(times[name]), name, title, "must be a finite time")
    if scored:
        _refuse(table, np.isnan(times["score"]), "score", title, "must be a number")
    # Python's own objects: pandas' text columns take ten times as long to look up one by one.
    names = {"video": [str(video) for video in table["video"].tolist()], "label": table["label"].tolist()}
    table = table.assign(**times, **{name: pd.Series(values, dtype=object) for name, values in names.items()})
    if "ambiguous" in table:
        table["ambiguous"] = [not pd.isna(value) and bool(value) for value in table["ambiguous"].tolist()]
    return table


def ambiguous(table: pd.DataFrame) -> np.ndarray:
    """bool [rows]: which rows of a ground truth are marked ambiguous, by their column or by THUMOS14's label."""
    marked = np.array([label == AMBIGUOUS for label in table["label"].tolist()], bool)
    return marked | table["ambiguous"].to_numpy(bool) if "ambiguous" in table else marked


def class_numbers(labels: pd.Series) -> np.ndarray:
    """int64 [rows] of labels that are whole numbers; ValueError naming the first that is not."""
    numbers = pd.to_numeric(labels, errors="coerce").to_numpy(np.float64)
    if (wrong := ~(numbers == np.floor(numbers))).any():
        raise ValueError(f"label {labels.iloc[int(wrong.argmax())]!r} is not the number of a class")
    return numbers.astype(np.int64)


def clip_times(table: Any, durations: Mapping[str, float]) -> pd.DataFrame:
    """The rows with ``start`` and ``end`` cut to [0, duration of the video], those that lie wholly outside left out.

    No official evaluator clips: 5,027 intervals of the Charades test list end after their video, and all count as they
    are. Use this where a detector may run past the end, or before lengths are compared. ValueError naming a video
    without a duration.
    """
    table = checked(table, "table of events", scored=False)
    if unknown := sorted(set(table["video"]) - set(durations)):
        raise ValueError(f"video {unknown[0]!r} has no duration ({len(unknown)} such videos)")
    ends = table["video"].map(durations).to_numpy(np.float64)
    inside = (table["start"].to_numpy(np.float64) < ends) & (table["end"].to_numpy(np.float64) >= 0)
    for name in ("start", "end"):
        table[name] = np.clip(table[name].to_numpy(np.float64), 0, ends)
    return table[inside].reset_index(drop=True)


def _numbers(table: pd.DataFrame, name: str, title: str) -> np.ndarray:
    try:
        return table[name].to_numpy(np.float64, na_value=np.nan)
    except (ValueError, TypeError):
        values = pd.to_numeric(table[name], errors="coerce")
        row = int((values.isna() & table[name].notna()).to_numpy().argmax())
        raise ValueError(
            f"{name} of row {row} of the {title} must be a number, got {table[name].iloc[row]!r}"
        ) from None


def _refuse(table: pd.DataFrame, wrong: np.ndarray, name: str, title: str, rule: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        video = table["video"].iloc[row]
        raise ValueError(f"{name} of row {row} of the {title} (video {video}) {rule}, got {table[name].iloc[row]}")
