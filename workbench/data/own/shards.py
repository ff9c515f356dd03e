"""A folder of WebDataset shards that ``prepare --shards`` has written: clips of any data set, in a few large files.

The root is the folder with shards.json. Videos are taken out of their shard one by one, when they are first read, into
``spool`` in the cache folder, up to 20 GB there ($WORKBENCH_SPOOL_GB). Batches are the same as from the files that went
into the shards; what is known about the truth of a synthetic world is not in them.

Protocols: the one that the shards were written with, and, where clips have a subject, leave-out:<subject>[,...] as of
manifests.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.data.dataset import Dataset, Reader
from workbench.data.files import tar_members
from workbench.data.files.table_checks import Faults
from workbench.data.formats.posefiles import of_arrays
from workbench.data.own.manifest import parts
from workbench.types import Pose, Skeleton

FACTS = {"name": str, "classes": list, "protocol": str, "mirrored": bool, "metric": str, "shards": list}


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder that holds shards.json."""
    if root is None:
        raise ValueError("the data set 'shards' needs root: the folder that holds shards.json")
    path = Path(root) / "shards.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {root} holds no shards, or not all were written")
    facts = _facts(path)
    rows = [row for name in facts["shards"] for row in _clips(Path(root).absolute() / name, len(facts["classes"]))]
    if not rows:
        raise ValueError(f"the shards of {path} hold no clip")
    table, faults = pd.DataFrame(rows), Faults(path)
    if protocol in (None, facts["protocol"]):
        protocol = facts["protocol"]
        table["split"], _ = parts(table, "split", path, faults)
    else:
        table["split"], protocol = parts(table, protocol, path, faults)
    faults.add("ids that occur more than once", map(repr, table["id"][table["id"].duplicated()]))
    faults.check()
    skeleton = None if facts.get("skeleton") is None else Skeleton.named(facts["skeleton"])
    table = table if split == "all" else table[table["split"] == split]
    table, classes = table.reset_index(drop=True), facts["classes"]
    extra = {"mirrored": facts["mirrored"], "metric": facts["metric"]}
    return Dataset(facts["name"], classes, skeleton, table, Shards(skeleton), protocol, split, **extra)


def _facts(path: Path) -> dict[str, Any]:
    facts = tar_members.read_json(path)
    wrong = [name for name, kind in FACTS.items() if not isinstance(facts.get(name), kind)]
    if wrong:
        raise ValueError(f"{path} does not say {', '.join(wrong)}")
    for name in facts["shards"]:
        if not isinstance(name, str) or name in ("", ".", "..") or set(name) & set("/\\\0"):
            raise ValueError(f"{path} names the shard {name!r}, which is no file of its folder")
    return facts


def _clips(path: Path, classes: int) -> list[dict[str, Any]]:
    """The table's rows of the clips of one shard."""
    rows, changed = [], path.stat().st_mtime_ns if path.is_file() else 0
    for key, files in tar_members.find(path).items():
        videos = [suffix for suffix in files if suffix not in ("json", "npz")]
        if "json" not in files or len(videos) != 1:
            raise ValueError(f"{path}: the clip {key} should have a .json and one video, it has {', '.join(files)}")
        row = _row(path, key, tar_members.read(path, *files["json"]), classes)
        # A video of the same place in another file, or in one that was written anew, is another video.
        digest = hashlib.sha256(repr([str(path), changed, *files[videos[0]]]).encode()).hexdigest()[:32]
        source = {"video": str(path), "spool": f"{digest}.{videos[0]}", "film": tuple(files[videos[0]])}
        rows.append({"subject": "", "camera": "", "view": "", "setup": "", **row, **source, "poses": files.get("npz")})
    return rows


def _row(path: Path, key: str, data: bytes, classes: int) -> dict[str, Any]:
    try:
        row = json.loads(data)
        good = isinstance(row["id"], str) and type(row["label"]) is int and 0 <= row["label"] < classes
        good = good and type(row["frames"]) is int and row["frames"] > 0 and row["fps"] > 0
    except (ValueError, KeyError, TypeError, RecursionError):
        good = False
    if not good:
        raise ValueError(f"{path}: {key}.json should say id, label (below {classes}), frames and fps")
    return row


@dataclass(frozen=True)
class Shards(Reader):
    """Reads one clip of a shard; every method takes a row of the table."""

    skeleton: Skeleton | None

    def video(self, row: pd.Series) -> str:
        """The clip's video as a file of its own."""
        if Path(row["spool"]).name != row["spool"]:
            raise ValueError(f"{row['video']} holds a video with the suffix {row['spool']!r}")
        offset, size = row["film"]
        return tar_members.take_out(row["video"], offset, size, row["spool"])

    def pose(self, row: pd.Series) -> Pose | None:
        """Camera space, joints float32 [M,T,V,3]."""
        return self._load(row, "camera")

    def pixels(self, row: pd.Series) -> Pose | None:
        """Image space, joints float32 [M,T,V,2]."""
        return self._load(row, "image")

    def files(self, row: pd.Series) -> list[Path]:
        """The shard of a clip."""
        return [Path(row["video"])]

    def _load(self, row: pd.Series, space: str) -> Pose | None:
        if row["poses"] is None:
            return None
        name = f"the poses of {row['id']} in {row['video']}"
        try:
            with np.load(io.BytesIO(tar_members.read(row["video"], *row["poses"])), allow_pickle=False) as file:
                poses = {pose.space: pose for pose in of_arrays(dict(file), name)}
        except Exception as error:  # a damaged file may lead its reader anywhere
            raise ValueError(f"{name} cannot be read: {error}") from None
        pose = poses.get(space)
        if pose is not None and pose.joints.shape[1] != row["frames"]:
            raise ValueError(f"{name} have {pose.joints.shape[1]} frames, the video has {row['frames']}")
        return pose
