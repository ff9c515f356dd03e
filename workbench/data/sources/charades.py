"""Charades: 9,848 videos of daily activities at home, 157 actions that overlap in time (Sigurdsson et al., ECCV 2016).

Layout: ``Charades_v1_train.csv``, ``Charades_v1_test.csv`` and the videos ``<id>.mp4`` anywhere below the root.

Protocol ``localize``: 7,985 videos train, 1,863 are tested; mAP over frames (25 points a video in the official script).
Intervals end with the video: many annotations end a little after it. A few that end before they start are left out.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.data.dataset import Dataset
from workbench.data.files import facts
from workbench.data.files.table_checks import require
from workbench.data.files.text import Damage
from workbench.data.sources import official

CODES = tuple(facts.classes("charades157"))
CLASSES = tuple(facts.classes("charades157").values())
CHARADES = official.PublicSet("charades", ("localize",), metric="frame_map", rate=24.0)


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder with lists and videos, data/charades where it is None."""
    folder, protocol = CHARADES.locate(root, protocol)
    return CHARADES.untrimmed(videos(folder, split), intervals(folder, split), CLASSES, protocol, split)


def videos(root: str | Path, split: str) -> pd.DataFrame:
    """One row a video: id, video (path, "" if it isn't there), subject, scene, duration (seconds), split."""
    paths = {path.stem: str(path) for path in official.walk(Path(root), official.VIDEOS)}
    rows = [
        {
            "id": row["id"],
            "video": paths.get(row["id"], ""),
            "subject": row["subject"],
            "scene": row["scene"],
            "duration": _number(row["length"], row["id"], path),
            "part": part,
        }
        for path, part, row in _rows(Path(root), split)
    ]
    return official.videos_table(rows, split)


def intervals(root: str | Path, split: str) -> pd.DataFrame:
    """One row an instance: video (id), label (position in CLASSES), start, end (seconds), ambiguous (False)."""
    rows, durations = [], {}
    for path, _, row in _rows(Path(root), split):
        durations[row["id"]] = _number(row["length"], row["id"], path)
        for action in filter(None, row["actions"].split(";")):
            fields = action.split()
            if len(fields) != 3 or fields[0] not in CODES:
                raise Damage(
                    f"{path}, video {row['id']}: expected an action such as 'c092 11.90 21.20', got {action!r}"
                )
            start, end = (_number(field, row["id"], path) for field in fields[1:])
            rows.append((row["id"], CODES.index(fields[0]), start, end))
    return official.intervals_table("charades", rows, durations)


def _rows(root: Path, split: str) -> list[tuple[Path, str, dict]]:
    rows = []
    for part in ("train", "test"):
        if split not in (part, "all"):
            continue
        paths = official.walk(root, (f"charades_v1_{part}.csv",))
        if not paths:
            raise FileNotFoundError(f"{root} holds no Charades_v1_{part}.csv")
        try:
            table = pd.read_csv(paths[0], dtype=str, keep_default_na=False)
        except ValueError as error:
            raise Damage(f"{paths[0]} can't be read as CSV: {' '.join(str(error).split())}") from None
        require(table, ("id", "subject", "scene", "actions", "length"), paths[0])
        rows += [(paths[0], part, row) for row in table.to_dict("records")]
    return rows


def _number(text: str, video: str, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise Damage(f"{path}, video {video}: expected seconds, got {text[:40]!r}")
    return value
