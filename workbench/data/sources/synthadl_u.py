"""SynthADL-U, the untrimmed part of the synthetic world (see synthadl): 60 to 180 s, actions in sequence and
side by side, with intervals, 3D poses and known truth.

Protocols as of SynthADL: cs, cv, setup.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from safefiles.reading import read_parquet
from workbench.data.files.table_checks import numeric, read_arrays, require
from workbench.data.sources import synthadl
from workbench.data.sources.synthadl import KINECT, Arrays
from workbench.data.untrimmed.videos import Untrimmed
from workbench.types import Truth

DEFAULT_ROOT = Path("data/synthadl/untrimmed")
COLUMNS = ("id", "video", "arrays", "subject", "view", "camera", "setup", "frames", "fps", "width")


def open(root: str | Path | None, protocol: str | None, split: str) -> Untrimmed:
    """See ``open_untrimmed``; ``root`` is the folder that holds index.parquet and intervals.parquet."""
    root, path = Path(root or DEFAULT_ROOT), Path(root or DEFAULT_ROOT) / "intervals.parquet"
    table, protocol = synthadl.read_index("SynthADL-U", root, protocol, COLUMNS, " --world untrimmed", path.name)
    table = synthadl.select(table, root, protocol, split)
    table["duration"] = table["frames"] / table["fps"]
    intervals = read_parquet(path)
    require(intervals, ("id", "label", "start", "end"), path)
    numeric(intervals, ("label", "start", "end"), path)
    intervals = intervals[intervals["id"].isin(table["id"])].reset_index(drop=True)
    intervals = intervals.rename(columns={"id": "video"})[["video", "label", "start", "end"]].assign(ambiguous=False)
    settings = synthadl.read_settings(root)
    # Also the actions that no video happens to have.
    if not isinstance(settings, dict) or not isinstance(settings.get("actions"), list):
        raise ValueError(f"{root / 'world.json'}: its settings should list the world's actions")
    reader = UntrimmedArrays(synthadl.check_quality(settings.get("pose_quality"), root))
    return Untrimmed("synthadl_u", settings["actions"], KINECT, table, intervals, reader, protocol, split)


@dataclass(frozen=True)
class UntrimmedArrays(Arrays):
    """Reads the npz of one video, as Arrays does of a clip, but for the truth."""

    def truth(self, row: pd.Series) -> Truth:
        """In each frame the region is that of all actions that go on in it; the joints are those of any action, the
        interval reaches from the first action to the last."""
        arrays = read_arrays(row["arrays"], ("truth_mask", "truth_box", "intervals", "interval_joints"))
        return self._truth(row, arrays, np.any(arrays["interval_joints"], axis=0), arrays["intervals"])
