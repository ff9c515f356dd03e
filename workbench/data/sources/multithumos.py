"""MultiTHUMOS: dense labels of 65 actions for the videos of THUMOS14 (Yeung et al., IJCV 2018).

Layout, anywhere below the root: one text a class, ``<Class>.txt`` (lines ``<video> <start> <end>``, seconds), or, where
there are none, ``multithumos.json``; and the videos ``video_validation_*.mp4``, ``video_test_*.mp4``.

Protocol ``dense``, mAP over frames: the 200 validation videos train, the 213 test videos are tested, 38,690 instances
in all; the three test videos that THUMOS14 evaluations leave out are in. There is no validation part.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from workbench.data.dataset import Dataset
from workbench.data.files import facts, jsons
from workbench.data.files.text import Damage
from workbench.data.sources import official, thumos14

CLASSES = tuple(facts.classes("multithumos65").values())
MULTITHUMOS = official.PublicSet("multithumos", ("dense",), metric="frame_map", rate=thumos14.RATE)


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder with annotations and videos, data/multithumos where it is None."""
    folder, protocol = MULTITHUMOS.locate(root, protocol)
    return MULTITHUMOS.untrimmed(videos(folder, split), intervals(folder, split), CLASSES, protocol, split)


def videos(root: str | Path, split: str) -> pd.DataFrame:
    """One row an annotated video: id, video (path, "" if not there), duration (the end of its last interval), split."""
    return thumos14.annotated_videos(Path(root), split, intervals(root, split))


def intervals(root: str | Path, split: str) -> pd.DataFrame:
    """One row an instance: video (id), label (position in CLASSES), start, end (seconds), ambiguous (False)."""
    root = Path(root)
    texts = [path for path in official.walk(root, (".txt",)) if path.stem in CLASSES]
    actions = [
        (video, CLASSES.index(p.stem), start, end) for p in texts for video, start, end in thumos14.read_intervals(p)
    ]
    if not texts:
        paths = official.walk(root, ("multithumos.json",))
        if not paths:
            raise FileNotFoundError(f"{root} holds neither <Class>.txt nor multithumos.json")
        actions = read_json(paths[0])
    rows = [row for row in actions if split in (thumos14.part_of(row[0]), "all")]
    return official.intervals_table("multithumos", rows)


def read_json(path: str | Path) -> list[tuple[str, int, float, float]]:
    """(video, label from 0, start, end in seconds) of each action; the file counts classes from 1."""
    content = jsons.read(path)
    if not isinstance(content, dict):
        raise Damage(f"{path}: expected an object with one entry a video")
    actions = []
    for video, entry in content.items():
        if not re.fullmatch(thumos14.VIDEO, video):
            raise Damage(f"{path}: expected names of videos of THUMOS14, got {video[:40]!r}")
        for action in jsons.member(entry, "actions", list, f"{path}, {video}"):
            label, start, end = jsons.numbers(action, 3, f"{path}, {video}, an action").tolist()
            if label - 1 not in range(len(CLASSES)) or not 0 <= start < 1e6:
                raise Damage(f"{path}, {video}: expected a class 1 to 65, start and end, got {action}")
            actions.append((video, int(label) - 1, start, end))
    return actions
