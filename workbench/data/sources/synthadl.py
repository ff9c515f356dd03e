"""SynthADL, the synthetic world that ships with the workbench (see synthadl): RGB, 3D poses and known truth.

Protocols: cs (cross-subject), cv (cross-view: views 1 and 2 train, 3 tests), setup (cross-setup: room and camera
height); each with a validation part of its own, as fixed by the split columns of ``index.parquet``.
"""

from __future__ import annotations

import os
import shlex
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from safefiles import checksums
from safefiles.reading import present, read_json, read_parquet
from workbench.data.catalog import SPLITS
from workbench.data.dataset import Dataset
from workbench.data.files.table_checks import below, numeric, read_arrays, require, unique
from workbench.media.degradation import LEVELS, degrade
from workbench.types import Pose, Skeleton, Truth

DEFAULT_ROOT = Path("data/synthadl/tiny")
PROTOCOLS = ("cs", "cv", "setup")
COLUMNS = ("id", "video", "arrays", "action", "label", "subject", "view", "camera", "setup", "frames", "fps")
KINECT = Skeleton.named("kinect_v2")


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder that holds index.parquet."""
    root, protocol = Path(root or DEFAULT_ROOT), protocol or PROTOCOLS[0]
    if protocol not in PROTOCOLS:
        raise ValueError(f"SynthADL has no protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    path = root / "index.parquet"
    if not present(path):
        missing = f"no SynthADL world in {root.absolute()} ({path} is missing)"
        raise FileNotFoundError(what_else(root) or f"{missing}; {how(root)}")
    for each in (path, root / "world.json"):
        checksums.check(each, how(root, again=True))
    table = read_parquet(path)
    column = f"split_{protocol}"
    require(table, (*COLUMNS, column), path)
    numeric(table, ("label", "frames", "fps"), path)
    unique(table, path)
    check_splits(table[column], column, path)
    classes = _classes(table, path)
    table = table if split == "all" else table[table[column] == split]
    table = table.reset_index(drop=True)
    for name in ("video", "arrays"):
        table[name] = below(root, table[name].tolist(), path)
    return Dataset("synthadl", classes, KINECT, table, Arrays(_pose_quality(root / "world.json")), protocol, split)


def what_else(root: Path) -> str:
    """What the folder ``root`` is where it is no world, and how that is used; "" where nobody knows."""
    if root.is_file():
        return f"{root.absolute()} is neither a folder nor a manifest (.csv, .parquet) nor a pickle of PySKL (.pkl)"
    tables = sorted(path for ending in ("csv", "parquet") for path in root.glob(f"*.{ending}"))
    if tables:
        return f"{root.absolute()} holds no SynthADL world but a table: give the manifest itself, --root {tables[0]}"
    films = (".mp4", ".avi", ".mov", ".mkv", ".webm")
    if root.is_dir() and any(name.lower().endswith(films) for _, _, names in os.walk(root) for name in names):
        way = f"`python -m workbench wizard {shlex.quote(str(root))}` makes a manifest of it, which is given as --root"
        return f"{root.absolute()} holds no SynthADL world but videos: {way}; --data names a public set"
    return ""


def how(root: Path, more: str = "", again: bool = False) -> str:
    """The command that draws a world there, or ``again`` what is damaged of it."""
    way = "draw it again" if again else "make one"
    return f"{way} with `python -m workbench synth {shlex.quote(str(root))}{more}`"


def check_splits(values: pd.Series, column: str, path: Path) -> None:
    """ValueError for a split that is none of ``SPLITS``, nor unused."""
    unknown = sorted(set(values) - {*SPLITS, "unused"})
    if unknown:
        raise ValueError(f"{path}: {column} holds {unknown[0]!r}; expected {', '.join(SPLITS)} or unused")


def _classes(table: pd.DataFrame, path: Path) -> list[str]:
    """Action names by label, over the whole world: a split that lacks an action keeps its place."""
    pairs = table[["label", "action"]].drop_duplicates().sort_values("label")
    if pairs["label"].tolist() != list(range(len(pairs))):
        raise ValueError(f"{path}: labels and actions must pair up one to one from 0, got {pairs.to_dict('list')}")
    return pairs["action"].tolist()


def _pose_quality(path: Path) -> str:
    """The world's knob: its arrays are clean, and this is how well its sensor is meant to see them."""
    if not present(path):
        raise FileNotFoundError(f"{path} is missing; it says what world this is")
    settings = read_json(path, "settings")["settings"]
    quality = settings.get("pose_quality", "high") if isinstance(settings, dict) else settings
    check_quality(quality, path)
    return quality


def check_quality(value: object, path: Path) -> None:
    """ValueError for a pose_quality that is none of ``LEVELS``."""
    if not isinstance(value, str) or value not in LEVELS:
        raise ValueError(f"{path}: pose_quality should be one of {', '.join(LEVELS)}, it is {value!r}")


@dataclass(frozen=True)
class Arrays:
    """Reads the npz of one clip; every method takes a row of the table. Poses are degraded to ``pose_quality``."""

    pose_quality: str

    def pose(self, row: pd.Series) -> Pose:
        """Camera space, joints float32 [1,T,25,3]."""
        clean = Pose(self._load(row, "joints")[None], KINECT, "camera", np.arange(row["frames"]))
        return degrade(clean, self.pose_quality, zlib.crc32(row["id"].encode()))

    def pixels(self, row: pd.Series) -> Pose:
        """Image space, joints float32 [1,T,25,2]."""
        return Pose(self._load(row, "pixels")[None], KINECT, "image", np.arange(row["frames"]))

    def truth(self, row: pd.Series) -> Truth:
        """What the world knows of a clip."""
        arrays = self._stored(row, ("truth_joints", "truth_mask", "truth_box", "interval"))
        start, end = arrays["interval"].tolist()
        return Truth(
            joints=arrays["truth_joints"],
            mask=np.unpackbits(arrays["truth_mask"], axis=-1, count=int(row["width"])).astype(bool),
            box=arrays["truth_box"],
            interval=(start, end),
            frame_numbers=np.arange(row["frames"]),
        )

    def files(self, row: pd.Series) -> list[Path]:
        """The video and the arrays of a clip."""
        return [Path(row["video"]), Path(row["arrays"])]

    def _load(self, row: pd.Series, name: str) -> np.ndarray:
        values = self._stored(row, (name,))[name]
        if len(values) != row["frames"]:
            raise ValueError(f"{row['arrays']}: {name} has {len(values)} frames, the index says {row['frames']}")
        return values

    def _stored(self, row: pd.Series, names: Iterable[str]) -> Mapping[str, np.ndarray]:
        return read_arrays(row["arrays"], names)


@dataclass(frozen=True)
class DrawnAgain(Arrays):
    """Reads one clip from memory: ``film`` uint8 [n,H,W,3] and ``arrays``, as its npz would hold them. Crops stay where
    its files put them, so that what did not change is at the same place."""

    film: np.ndarray
    arrays: Mapping[str, np.ndarray]

    def framing(self, row: pd.Series) -> Pose:
        """The joints in the picture as the file has them."""
        return Arrays(self.pose_quality).pixels(row)

    def _stored(self, row: pd.Series, names: Iterable[str]) -> Mapping[str, np.ndarray]:
        return self.arrays


def drawn_again(dataset: Dataset, i: int, film: np.ndarray, arrays: Mapping[str, np.ndarray]) -> Dataset:
    """Clip ``i`` of SynthADL alone, with other pictures uint8 [n,H,W,3] and arrays (see ``synthadl.redraw``)."""
    reader = dataset.reader
    assert isinstance(reader, Arrays)  # a data set of SynthADL has no other
    return replace(dataset.subset([i]), reader=DrawnAgain(reader.pose_quality, film, arrays))
