"""SynthADL-U, the untrimmed part of the synthetic world (see synthadl): 60 to 180 s, actions in sequence and
side by side, with intervals, 3D poses and known truth.

Protocols as of SynthADL: cs, cv, setup.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from safefiles import checksums
from safefiles.reading import present, read_json, read_parquet
from workbench.data.files.table_checks import below, numeric, read_arrays, require, unique
from workbench.data.sources import synthadl
from workbench.data.sources.synthadl import KINECT, PROTOCOLS, Arrays
from workbench.data.untrimmed.videos import Untrimmed
from workbench.types import Truth

DEFAULT_ROOT = Path("data/synthadl/untrimmed")
COLUMNS = ("id", "video", "arrays", "subject", "view", "camera", "setup", "frames", "fps", "width")


def open(root: str | Path | None, protocol: str | None, split: str) -> Untrimmed:
    """See ``open_untrimmed``; ``root`` is the folder that holds index.parquet and intervals.parquet."""
    root, protocol = Path(root or DEFAULT_ROOT), protocol or PROTOCOLS[0]
    if protocol not in PROTOCOLS:
        raise ValueError(f"SynthADL-U has no protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    path, annotations = root / "index.parquet", root / "intervals.parquet"
    for each in (path, annotations):
        if not present(each):
            missing = f"no SynthADL-U world in {root.absolute()} ({each} is missing)"
            way = synthadl.how(root, " --world untrimmed")
            raise FileNotFoundError(synthadl.what_else(root) or f"{missing}; {way}")
    for each in (path, annotations, root / "world.json"):
        checksums.check(each, synthadl.how(root, " --world untrimmed", again=True))
    table = read_parquet(path)
    column = f"split_{protocol}"
    require(table, (*COLUMNS, column), path)
    numeric(table, ("frames", "fps", "width"), path)
    unique(table, path)
    synthadl.check_splits(table[column], column, path)
    table = table if split == "all" else table[table[column] == split]
    table = table.reset_index(drop=True)
    for name in ("video", "arrays"):
        table[name] = below(root, table[name].tolist(), path)
    table["duration"] = table["frames"] / table["fps"]
    intervals = read_parquet(annotations)
    require(intervals, ("id", "label", "start", "end"), annotations)
    numeric(intervals, ("label", "start", "end"), annotations)
    settings = _settings(root / "world.json")
    classes = settings["actions"]
    mine = intervals[intervals["id"].isin(table["id"])].reset_index(drop=True)
    mine = mine.rename(columns={"id": "video"})[["video", "label", "start", "end"]].assign(ambiguous=False)
    reader = UntrimmedArrays(settings["pose_quality"])
    return Untrimmed("synthadl_u", classes, KINECT, table, mine, reader, protocol, split)


def _settings(path: Path) -> dict[str, Any]:
    """Of the whole world: its actions, also those that no video happens to have, and how good its poses are."""
    if not present(path):
        raise FileNotFoundError(f"{path} is missing; it says what world this is")
    settings = read_json(path, "settings")["settings"]
    if not isinstance(settings, dict) or not isinstance(settings.get("actions"), list):
        raise ValueError(f"{path}: its settings should list the world's actions")
    synthadl.check_quality(settings.get("pose_quality"), path)
    return settings


@dataclass(frozen=True)
class UntrimmedArrays(Arrays):
    """Reads the npz of one video, as Arrays does of a clip, but for the truth."""

    def truth(self, row: pd.Series) -> Truth:
        """In each frame the region is that of all actions that go on in it; the joints are those of any action, the
        interval reaches from the first action to the last."""
        arrays = read_arrays(row["arrays"], ("truth_mask", "truth_box", "intervals", "interval_joints"))
        return Truth(
            joints=np.any(arrays["interval_joints"], axis=0),
            mask=np.unpackbits(arrays["truth_mask"], axis=-1, count=int(row["width"])).astype(bool),
            box=arrays["truth_box"],
            interval=(int(arrays["intervals"].min()), int(arrays["intervals"].max())),
            frame_numbers=np.arange(row["frames"]),
        )
