"""Toyota Smarthome Untrimmed: 536 long videos of 18 seniors, 51 activities that overlap (Dai et al., TPAMI 2022).

Layout, anywhere below the root: ``PxxTxxCxx.mp4``, ``PxxTxxCxx.csv`` (``event,start_frame,end_frame``) and the poses
``results_PxxTxxCxx_lcrnet+v3d.json`` (see formats/lcrnet.py). Frames count at 25 per second of the distributed files.

Protocols, mAP over frames: ``cs`` (351 videos train, 185 test) and ``cv`` (cameras 1, 3, 4, 6, 7 against 2 and 5, 369
and 167). They read the CSV files, which are the reference; ``cs-json`` and ``cv-json`` read the intervals of the
benchmark's own JSON file (``*_CS_*.json`` or ``*_CV_*.json``, both hold the same), which differs for some videos. None
has a validation part. Intervals of no length are left out.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.dataset import Dataset
from workbench.data.files import facts, jsons
from workbench.data.files.text import Damage, load
from workbench.data.formats import lcrnet
from workbench.data.sources import official, smarthome

STEM = r"P(\d\d)T(\d\d)C(\d\d)"
CLASSES = tuple(facts.classes("tsu51").values())
TRAIN_CAMERAS = frozenset((1, 3, 4, 6, 7))
RATE = 25.0
#: Older names in the CSV files.
RENAMED = {"Make_coffee.Get_water": "Get_water", "Make_tea.Insert_tea_bag": "Insert_tea_bag"}

TSU = official.PublicSet(
    "tsu",
    ("cs", "cv", "cs-json", "cv-json"),
    reader=replace(lcrnet.READER, rate=RATE),
    skeleton=lcrnet.SKELETON,
    metric="frame_map",
    rate=RATE,
)

read_skeleton, read_pixels = lcrnet.read_skeleton, lcrnet.read_pixels


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder with annotations and videos, data/tsu where it is None."""
    folder, protocol = TSU.locate(root, protocol)
    tables = videos(folder, split, protocol), intervals(folder, split, protocol)
    return TSU.untrimmed(*tables, CLASSES, protocol, split)


def videos(root: str | Path, split: str, protocol: str = "cs") -> pd.DataFrame:
    """One row an annotated video: id, video and pose (paths, "" if not there), subject, camera, duration (seconds,
    known where there is a pose or a JSON file), split."""
    root = Path(root)
    paths = {path.stem: str(path) for path in official.walk(root, official.VIDEOS)}
    results = {path.stem: path for path in official.walk(root, (".json",)) if path.stem.startswith("results_")}
    poses = {re.sub(r"^results_|_lcrnet.*$", "", name): path for name, path in results.items()}
    annotated = _annotated(root, protocol)
    rows = []
    for name, match in official.matching(annotated, STEM, "tsu", root).items():
        part, pose = part_of(match, protocol), poses.get(name, "")
        if split in (part, "all"):
            entry = annotated[name]
            frames = entry.get("duration") if isinstance(entry, dict) else None
            frames = lcrnet.count_frames(pose) if frames is None and pose and name not in paths else frames
            row = {"id": name, "video": paths.get(name, ""), "pose": str(pose), "subject": int(match[1])}
            row |= {"camera": int(match[3]), "duration": np.nan if frames is None else frames / RATE, "part": part}
            rows.append(row)
    return official.videos_table(rows, split)


def intervals(root: str | Path, split: str, protocol: str = "cs") -> pd.DataFrame:
    """One row an instance: video (id), label (position in CLASSES), start, end (seconds), ambiguous (False)."""
    rows = []
    for name, annotation in _annotated(Path(root), protocol).items():
        match = re.fullmatch(STEM, name)
        if match and split in (part_of(match, protocol), "all"):
            events = _of_json(annotation, name) if isinstance(annotation, dict) else read_events(annotation)
            rows += [(name, label, start / RATE, end / RATE) for label, start, end in events]
    return official.intervals_table("tsu", rows)


def part_of(match: re.Match, protocol: str) -> str:
    """train or test, of a name matched by STEM."""
    if protocol.startswith("cs"):
        return "train" if int(match[1]) in smarthome.TRAIN_SUBJECTS else "test"
    return "train" if int(match[3]) in TRAIN_CAMERAS else "test"


def read_events(path: str | Path) -> list[tuple[int, int, int]]:
    """(label from 0, start, end in frames) of each row of a CSV file; ValueError naming file and line otherwise."""
    lines = csv.reader(load(path).decode("utf-8-sig", "replace").splitlines())
    events = []
    try:
        for number, fields in enumerate(lines, 1):
            if number == 1 and fields[:3] == ["event", "start_frame", "end_frame"] or not fields:
                continue
            name = RENAMED.get(fields[0].strip(), fields[0].strip())
            times = [field.strip() for field in fields[1:3]]
            if name not in CLASSES or len(times) != 2 or not all(re.fullmatch(r"[0-9]{1,9}", time) for time in times):
                raise Damage(
                    f"{path}, line {number}: expected event,start_frame,end_frame, got {','.join(fields)[:60]!r}"
                )
            events.append((CLASSES.index(name), int(times[0]), int(times[1])))
    except csv.Error as error:
        raise Damage(f"{path}, line {lines.line_num}: {error}") from None
    return events


def _annotated(root: Path, protocol: str) -> Mapping[str, Path | dict]:
    """What holds the intervals of each video: its CSV file, or its entry in the JSON file."""
    if not protocol.endswith("-json"):
        files = official.by_name(path for path in official.walk(root, (".csv",)) if re.fullmatch(STEM, path.stem))
        if not files:
            raise FileNotFoundError(f"{root} holds no annotation PxxTxxCxx.csv")
        return files
    paths = [path for path in official.walk(root, (".json",)) if re.search(r"_c[sv]_", path.name.lower())]
    if not paths:
        raise FileNotFoundError(f"{root} holds no *_CS_*.json or *_CV_*.json with the benchmark's intervals")
    content = jsons.read(paths[0])
    if not isinstance(content, dict) or not all(isinstance(entry, dict) for entry in content.values()):
        raise Damage(f"{paths[0]}: expected an object with one entry a video")
    for name, entry in content.items():
        duration = entry.get("duration")
        if not isinstance(duration, int | float) or isinstance(duration, bool) or not 0 < duration < 1e7:
            raise Damage(f"{paths[0]}, {name}: expected duration in frames, got {str(duration)[:40]}")
    return content


def _of_json(entry: dict, name: str) -> list[tuple[int, float, float]]:
    events = []
    for action in jsons.member(entry, "actions", list, f"{name} in the benchmark's JSON file"):
        label, start, end = jsons.numbers(action, 3, f"{name} in the benchmark's JSON file, an action").tolist()
        if label not in range(len(CLASSES)):
            raise Damage(f"{name} in the benchmark's JSON file: there is no class {label:g}")
        events.append((int(label), start, end))
    return events
