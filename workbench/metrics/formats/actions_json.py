"""The JSON of the densely labelled sets (TSU's benchmark, MultiTHUMOS and Charades in the public code) and TSU's CSV.

    {video: {"subset": "training" | "testing", "duration": d, "actions": [[class, start, end], ...]}}

Times are in the unit of the duration: frames in TSU, seconds elsewhere. TSU's annotations proper are one CSV a video
with the header event,start_frame,end_frame and names for classes; in some files the two disagree: say which one was
used.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.metrics.event_tables import checked
from workbench.metrics.formats import text

#: Two names of TSU's CSV that the 51 classes merge into others.
MERGED = {"Make_coffee.Get_water": "Get_water", "Make_tea.Insert_tea_bag": "Insert_tea_bag"}
HEADER = ["event", "start_frame", "end_frame"]


def read_actions_json(path: str | os.PathLike, subset: str | None = "testing") -> tuple[pd.DataFrame, dict[str, float]]:
    """(table of video, label (int), start, end; video -> duration) of one subset, or of all (None).

    Videos without an action are in the durations alone. ValueError naming file and video for what isn't of the form,
    and where no video is of the subset.
    """
    events, durations = [], {}
    for video, entry in text.read_json(path).items():
        where = f"{path}, video {video}"
        if not isinstance(entry, dict) or not isinstance(entry.get("actions"), list):
            raise ValueError(f"{where}: expected subset, duration and a list of actions")
        if subset is not None and entry.get("subset") != subset:
            continue
        durations[video] = text.number(entry.get("duration"), where, "duration")
        for action in entry["actions"]:
            if not isinstance(action, list) or len(action) != 3:
                raise ValueError(f"{where}: expected actions of class, start and end, got {str(action)[:80]}")
            start, end = (text.number(value, where, "time") for value in action[1:])
            events.append({"video": video, "label": text.whole(action[0], where, "class"), "start": start, "end": end})
    if not durations:
        raise ValueError(f"{path} has no video" + (f" of subset {subset!r}" if subset is not None else ""))
    return text.table(events, "video", "label", "start", "end"), durations


def write_actions_json(
    path: str | os.PathLike, truth: Any, durations: Mapping[str, float], subset: str | Mapping[str, str] = "testing"
) -> None:
    """durations: of all videos; subset: of all, or video -> subset. Labels must be whole numbers."""
    truth = checked(truth, "ground truth", scored=False)
    if unknown := sorted(set(truth["video"]) - set(durations)):
        raise ValueError(f"video {unknown[0]!r} has no duration")
    entries: dict[str, dict[str, Any]] = {
        str(video): {
            "subset": subset if isinstance(subset, str) else subset[video],
            "duration": float(duration),
            "actions": [],
        }
        for video, duration in durations.items()
    }
    for row in truth.itertuples():
        label = text.whole(row.label, f"video {row.video}", "label")
        entries[row.video]["actions"].append([label, row.start, row.end])
    text.write_json(path, entries)


def read_tsu_csv(path: str | os.PathLike, classes: Mapping[str, int]) -> pd.DataFrame:
    """Table of video (the name of the file), label (int), start, end in frames; the two older names are merged.

    ValueError naming file and line for another header, a name that ``classes`` (name -> number) lacks, or no number.
    """
    path, events = Path(path), []
    lines = csv.reader(text.read(path).splitlines())
    if [field.strip() for field in next(lines, [])] != HEADER:
        raise ValueError(f"{path}, line 1: expected the header {','.join(HEADER)}")
    for row in lines:
        where = f"{path}, line {lines.line_num}"
        if not row:
            continue
        name = MERGED.get(row[0].strip(), row[0].strip())
        if len(row) != 3 or name not in classes:
            raise ValueError(f"{where}: expected a known event and two frames, got {','.join(row)[:80]!r}")
        start, end = (text.number(value, where, "frame") for value in row[1:])
        events.append({"video": path.stem, "label": classes[name], "start": start, "end": end})
    return text.table(events, "video", "label", "start", "end")


def write_tsu_csv(path: str | os.PathLike, truth: Any, classes: Mapping[str, int]) -> None:
    """The events of one video; ``classes`` name -> number."""
    names = {number: name for name, number in classes.items()}
    rows = checked(truth, "ground truth", scored=False).itertuples()
    events = (f"{names[row.label]},{text.exact(row.start)},{text.exact(row.end)}" for row in rows)
    text.write(path, [",".join(HEADER), *events])
