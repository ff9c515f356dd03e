"""ActivityNet's files, JSON.

truth       {"version": ..., "taxonomy": [...], "database": {video: {"subset": "validation", "duration": seconds,
             "annotations": [{"label": name, "segment": [start, end]}]}}}
detections  {"version": ..., "external_data": {...}, "results": {video: [{"label", "segment", "score"}]}}
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pandas as pd

from workbench.metrics.event_tables import ambiguous, checked
from workbench.metrics.formats import text


def read_activitynet_truth(path: str | os.PathLike, subset: str | None = "validation") -> pd.DataFrame:
    """Table of video, label (its name), start, end and duration (seconds; NaN where the file has none) of one subset
    (None: of all), in the order of the file. ValueError naming file and video for what isn't of the form, and where no
    video is of the subset."""
    database = text.member(text.read_json(path, "database")["database"], dict, f"{path}, database")
    for video, entry in database.items():
        text.member(entry, dict, f"{path}, video {video}")
    if subset is not None and subset not in (
        there := sorted({str(record.get("subset")) for record in database.values()})
    ):
        raise ValueError(f"{path} has no video of subset {subset!r}; it has: {', '.join(there)}")
    events = []
    for video, entry in database.items():
        if subset is not None and entry.get("subset") != subset:
            continue
        duration = entry.get("duration")
        length = float("nan") if duration is None else text.number(duration, f"{path}, video {video}", "duration")
        events += [{**event, "duration": length} for event in _events(path, video, entry.get("annotations", []))]
    return text.table(events, "video", "label", "start", "end", "duration")


def read_activitynet_detections(path: str | os.PathLike) -> pd.DataFrame:
    """Table of video, label (its name), start, end, score, in the order of the file, which decides between equal
    scores."""
    results = text.member(text.read_json(path, "results")["results"], dict, f"{path}, results")
    events = [event for video, entries in results.items() for event in _events(path, video, entries, scored=True)]
    return text.table(events, "video", "label", "start", "end", "score")


def write_activitynet_truth(
    path: str | os.PathLike, truth: Any, durations: Mapping[str, float], subset: str = "validation"
) -> None:
    """durations: video -> seconds, of all videos, those without an event too; ambiguous rows are left out."""
    truth = checked(truth, "ground truth", scored=False)
    truth = truth[~ambiguous(truth)]
    if unknown := sorted(set(truth["video"]) - set(durations)):
        raise ValueError(f"video {unknown[0]!r} has no duration")
    database: dict[str, dict[str, Any]] = {
        str(video): {"subset": subset, "duration": float(long), "annotations": []} for video, long in durations.items()
    }
    for row in truth.itertuples():
        database[row.video]["annotations"].append({"label": str(row.label), "segment": [row.start, row.end]})
    text.write_json(path, {"version": "VERSION 1.3", "taxonomy": [], "database": database})


def write_activitynet_detections(path: str | os.PathLike, predictions: Any) -> None:
    """Writes a table of video, label, start, end, score; raises as ``checked``."""
    results: dict[str, list] = {}
    for row in checked(predictions, "table of predictions", scored=True).itertuples():
        entry = {"label": str(row.label), "score": row.score, "segment": [row.start, row.end]}
        results.setdefault(row.video, []).append(entry)
    text.write_json(path, {"version": "VERSION 1.3", "results": results, "external_data": {"used": False}})


def _events(path: str | os.PathLike, video: str, entries: Any, scored: bool = False) -> list[dict]:
    events = []
    for index, entry in enumerate(text.member(entries, list, f"{path}, video {video}")):
        where = f"{path}, video {video}, entry {index}"
        segment = entry.get("segment") if isinstance(entry, dict) else None
        if not isinstance(segment, list) or len(segment) != 2 or "label" not in entry:
            raise ValueError(f"{where}: expected a label and a segment of start and end, got {str(entry)[:80]}")
        event: dict[str, Any] = {"video": video, "label": str(entry["label"])}
        event |= {name: text.number(value, where, name) for name, value in zip(("start", "end"), segment, strict=True)}
        events.append(event | ({"score": text.number(entry.get("score"), where, "score")} if scored else {}))
    return events
