"""SynthADL, the synthetic world that ships with the workbench (see synthadl): RGB, 3D poses and known truth.

Protocols: cs (cross-subject), cv (cross-view: views 1 and 2 train, 3 tests), setup (cross-setup: room and camera
height); each with a validation part of its own, as fixed by the split columns of ``index.parquet``.
"""

from __future__ import annotations

import os
import shlex
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from safefiles import checksums
from safefiles.reading import present, read_json, read_parquet
from workbench.data.catalog import SPLITS
from workbench.data.dataset import Dataset
from workbench.data.files.table_checks import below, numeric, read_arrays, require, unique
from workbench.data.sources import official
from workbench.media.degradation import LEVELS, degrade
from workbench.types import Pose, Skeleton, Truth

DEFAULT_ROOT = Path("data/synthadl/tiny")
PROTOCOLS = ("cs", "cv", "setup")
COLUMNS = ("id", "video", "arrays", "action", "label", "subject", "view", "camera", "setup", "frames", "fps")
NUMBERS = ("label", "frames", "fps", "width")
KINECT = Skeleton.named("kinect_v2")


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder that holds index.parquet."""
    root = Path(root or DEFAULT_ROOT)
    table, protocol = read_index("SynthADL", root, protocol, COLUMNS)
    classes = _classes(table, root / "index.parquet")
    table = select(table, root, protocol, split)
    settings = read_settings(root)
    quality = settings.get("pose_quality", "high") if isinstance(settings, dict) else settings
    return Dataset("synthadl", classes, KINECT, table, Arrays(check_quality(quality, root)), protocol, split)


def read_index(
    title: str, root: Path, protocol: str | None, columns: Sequence[str], flags: str = "", *tables: str
) -> tuple[pd.DataFrame, str]:
    """(index.parquet of the world in ``root`` with these ``columns``, checked; the protocol that is meant).

    FileNotFoundError, which calls the world ``title`` and says how to make it, with which ``flags``, where the index or
    one of the other ``tables`` is missing; ValueError for what is damaged.
    """
    protocol = official.choose(title, protocol or None, PROTOCOLS)
    paths = [root / name for name in ("index.parquet", *tables)]
    for path in paths:
        if not present(path):
            missing = f"no {title} world in {root.absolute()} ({path} is missing)"
            raise FileNotFoundError(describe_other(root) or f"{missing}; {command(root, flags)}")
    for path in (*paths, root / "world.json"):
        checksums.check(path, command(root, flags, again=True))
    table, column = read_parquet(paths[0]), f"split_{protocol}"
    require(table, (*columns, column), paths[0])
    numeric(table, [name for name in columns if name in NUMBERS], paths[0])
    unique(table, paths[0])
    unknown = sorted(set(table[column]) - {*SPLITS, "unused"})
    if unknown:
        raise ValueError(f"{paths[0]}: {column} holds {unknown[0]!r}; expected {', '.join(SPLITS)} or unused")
    return table, protocol


def select(table: pd.DataFrame, root: Path, protocol: str, split: str) -> pd.DataFrame:
    """The rows of ``split``, with absolute paths; FileNotFoundError where files are missing."""
    table = table if split == "all" else table[table[f"split_{protocol}"] == split]
    table = table.reset_index(drop=True)
    for name in ("video", "arrays"):
        table[name] = below(root, table[name].tolist(), root / "index.parquet")
    return table


def describe_other(root: Path) -> str:
    """What the folder ``root`` is where it is no world, and how that is used; "" where nobody knows."""
    if root.is_file():
        return f"{root.absolute()} is neither a folder nor a manifest (.csv, .parquet) nor a pickle of PySKL (.pkl)"
    tables = sorted(path for ending in ("csv", "parquet") for path in root.glob(f"*.{ending}"))
    if tables:
        return f"{root.absolute()} holds no SynthADL world but a table: give the manifest itself, --root {tables[0]}"
    if root.is_dir() and any(name.lower().endswith(official.VIDEOS) for _, _, names in os.walk(root) for name in names):
        way = f"`python -m workbench wizard {shlex.quote(str(root))}` makes a manifest of it, which is given as --root"
        return f"{root.absolute()} holds no SynthADL world but videos: {way}; --data names a public set"
    return ""


def command(root: Path, flags: str = "", again: bool = False) -> str:
    """The command that draws a world there, or ``again`` what is damaged of it."""
    way = "draw it again" if again else "make one"
    return f"{way} with `python -m workbench synth {shlex.quote(str(root))}{flags}`"


def _classes(table: pd.DataFrame, path: Path) -> list[str]:
    """Action names by label, over the whole world: a split that lacks an action keeps its place."""
    pairs = table[["label", "action"]].drop_duplicates().sort_values("label")
    if pairs["label"].tolist() != list(range(len(pairs))):
        raise ValueError(f"{path}: labels and actions must pair up one to one from 0, got {pairs.to_dict('list')}")
    return pairs["action"].tolist()


def read_settings(root: Path) -> Any:
    """What world.json says that the world was drawn with."""
    path = root / "world.json"
    if not present(path):
        raise FileNotFoundError(f"{path} is missing; it says what world this is")
    return read_json(path, "settings")["settings"]


def check_quality(value: Any, root: Path) -> str:
    """A world's pose_quality: its arrays are clean, and this is how well its sensor is meant to see them. ValueError if
    it is none of ``LEVELS``."""
    if not isinstance(value, str) or value not in LEVELS:
        raise ValueError(f"{root / 'world.json'}: pose_quality should be one of {', '.join(LEVELS)}, it is {value!r}")
    return value


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
        return self._truth(row, arrays, arrays["truth_joints"], arrays["interval"])

    def files(self, row: pd.Series) -> list[Path]:
        """The video and the arrays of a clip."""
        return [Path(row["video"]), Path(row["arrays"])]

    @staticmethod
    def _truth(row: pd.Series, arrays: Mapping[str, np.ndarray], joints: np.ndarray, interval: np.ndarray) -> Truth:
        """interval holds frame numbers, from the least to the greatest of them."""
        mask = np.unpackbits(arrays["truth_mask"], axis=-1, count=int(row["width"])).astype(bool)
        moment = int(interval.min()), int(interval.max())
        return Truth(joints, mask, arrays["truth_box"], moment, np.arange(row["frames"]))

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
