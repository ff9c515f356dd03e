"""THUMOS14 action detection: 20 sports in long videos (Jiang et al., 2014).

Layout, anywhere below the root: ``<Class>_val.txt``, ``<Class>_test.txt``, ``Ambiguous_val.txt``,
``Ambiguous_test.txt`` (lines ``<video> <start> <end>``, seconds) and the videos ``video_validation_*.mp4``,
``video_test_*.mp4``.

Protocols, event mAP at tIoU 0.3 to 0.7: the annotated validation videos train (200 videos, 3,007 instances).
``official`` tests on the videos with an instance (212, 3,358 instances), ``clean`` leaves out the two with wrong
annotations as well (210, as AFSD does), ``all`` keeps video_test_0001292, which has ambiguous instances only (213).
There is no validation part. Every CliffDiving is a Diving too, as in the files.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from workbench.data.dataset import Dataset
from workbench.data.files import facts
from workbench.data.files.text import Damage, load, numbers
from workbench.data.sources import official

PROTOCOLS = ("official", "clean", "all")
CLASSES = tuple(facts.classes("thumos14_20").values())
ONLY_AMBIGUOUS = frozenset({"video_test_0001292"})
WRONG = frozenset({"video_test_0000270", "video_test_0001496"})
VIDEO = r"video_(validation|test)_\d{7}"
RATE = 30.0
THUMOS14 = official.PublicSet("thumos14", PROTOCOLS, metric="event_map", rate=RATE)


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder with annotations and videos, data/thumos14 where it is None."""
    folder, protocol = THUMOS14.locate(root, protocol)
    tables = videos(folder, split, protocol), intervals(folder, split, protocol)
    return THUMOS14.untrimmed(*tables, CLASSES, protocol, split)


def videos(root: str | Path, split: str, protocol: str = "official") -> pd.DataFrame:
    """One row an annotated video: id, video (path, "" if not there), duration (of the annotation: the end of its last
    interval, at least), split."""
    return annotated_videos(Path(root), split, intervals(root, split, protocol))


def annotated_videos(root: Path, split: str, instances: pd.DataFrame) -> pd.DataFrame:
    """The videos that ``instances``, intervals, are of."""
    paths = {path.stem: str(path) for path in official.walk(root, official.VIDEOS)}
    rows = [
        {"id": name, "video": paths.get(name, ""), "duration": end, "part": part_of(name)}
        for name, end in instances.groupby("video")["end"].max().items()
    ]
    return official.videos_table(rows, split)


def intervals(root: str | Path, split: str, protocol: str = "official") -> pd.DataFrame:
    """One row an instance: video (id), label (position in CLASSES, -1 where ambiguous), start, end (seconds),
    ambiguous: whoever detects something there is neither right nor wrong."""
    dropped = {"official": ONLY_AMBIGUOUS, "clean": ONLY_AMBIGUOUS | WRONG, "all": frozenset()}[protocol]
    rows = []
    for path in official.walk(Path(root), ("_val.txt", "_test.txt")):
        name = re.sub(r"_(val|test)$", "", path.stem)
        if name not in (*CLASSES, "Ambiguous"):
            continue
        label = CLASSES.index(name) if name in CLASSES else -1
        rows += [
            (video, label, start, end, label < 0)
            for video, start, end in read_intervals(path)
            if video not in dropped and split in (part_of(video), "all")
        ]
    if not rows and split != "validation":
        raise FileNotFoundError(f"{root} holds no annotation <Class>_val.txt or <Class>_test.txt of this split")
    return official.intervals_table("thumos14", rows)


def part_of(video: str) -> str:
    """train for a validation video, test for a test video."""
    return "train" if video.startswith("video_validation") else "test"


def read_intervals(path: str | Path) -> list[tuple[str, float, float]]:
    """(video, start, end in seconds) of each line; ValueError naming file and line otherwise."""
    rows = []
    for number, line in enumerate(load(path).splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        times = numbers(fields[1:]) if len(fields) == 3 else 0
        video = fields[0].decode("ascii", "replace")
        if isinstance(times, int) or not (times >= 0).all() or not re.fullmatch(VIDEO, video):
            found = line[:60].decode(errors="replace")
            raise Damage(f"{path}, line {number}: expected '<video> <start> <end>', got {found!r}")
        rows.append((video, *times.tolist()))
    return rows
