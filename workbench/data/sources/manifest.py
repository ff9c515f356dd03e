"""A table of your own footage: one CSV or parquet file is a data set.

Columns (all values are read as text and class names are kept to the letter):

- ``video``: path relative to the table's folder, and not outside it;
- ``label``: class name; where all are whole numbers the classes are in numeric order, else in alphabetical order;
- ``subject``: who performs; needed by the protocol leave-out;
- ``split``: train, validation, test or unused; needed by the protocol split;
- ``id`` (optional): unique name of the clip, else the video's path without its suffix;
- ``pose`` (optional): path of an npz, empty where a clip has none; ``camera``, ``view``, ``setup`` (optional).

A pose file holds ``joints`` float [T,V,3] or [M,T,V,3], camera space in metres (x right in the image, y up, z away),
NaN where a joint or body is missing, T the video's frames; ``skeleton``, the name of a known schema; and, optionally,
``pixels`` [T,V,2] or [M,T,V,2], the same joints in source pixels (only with them can clips be cropped to the person).
Pictures are taken not to be mirrored (see ``Dataset.mirrored``).

Protocols: ``split`` takes the split column. ``leave-out:<subject>[,<subject>...]`` tests on these subjects; of the
others one in ten, at least one, is for validation (those after the last left-out subject in sorted order, cyclically).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from workbench.data.catalog import SPLITS, Dataset
from workbench.data.sources.tables import below, read_arrays, require, unique
from workbench.media import video
from workbench.types import Pose, Skeleton, Truth

PROTOCOLS = ("split", "leave-out:<subject>[,<subject>...]")


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the table's path."""
    if root is None:
        raise ValueError("the data set 'manifest' needs root: the path of a CSV or parquet file")
    path, protocol = Path(root), protocol or "split"
    table = _read(path)
    require(table, ("video", "label"), path)
    if not len(table):
        raise ValueError(f"{path} lists no clip")
    if "id" not in table:
        table["id"] = [str(Path(name).with_suffix("")) for name in table["video"]]
    unique(table, path)
    table["split"] = _parts(table, protocol, path)
    classes = sorted(set(table["label"]), key=_numeric if all(map(_is_number, table["label"])) else None)
    table["label"] = table["label"].map({name: label for label, name in enumerate(classes)}).astype(int)
    table["video"] = below(path.parent, table["video"].tolist(), path)
    skeleton = _resolve_poses(table, path)
    table = table if split == "all" else table[table["split"] == split]
    table = _with_lengths(table.reset_index(drop=True))
    return Dataset("manifest", classes, skeleton, table, PoseFiles(skeleton), protocol, split)


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise FileNotFoundError(f"no manifest at {path}")
    if path.suffix == ".parquet":
        return pd.read_parquet(path).fillna("").astype(str)
    if path.suffix == ".csv":
        # Names such as "None" or "01" are names: nothing may be guessed to be a missing value or a number.
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    raise ValueError(f"a manifest is a .csv or a .parquet file, got {path}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _numeric(text: str) -> tuple[int, str]:
    return int(text), text


def _parts(table: pd.DataFrame, protocol: str, path: Path) -> list[str]:
    """The part each clip plays under ``protocol``."""
    if protocol == "split":
        require(table, ("split",), path)
        unknown = sorted(set(table["split"]) - {*SPLITS, "unused"})
        if unknown:
            raise ValueError(f"{path}: column split holds {unknown[0]!r}; expected {', '.join(SPLITS)} or unused")
        return table["split"].tolist()
    kind, _, names = protocol.partition(":")
    if kind != "leave-out" or not names:
        raise ValueError(f"a manifest has no protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    require(table, ("subject",), path)
    roles = _leave_out(sorted(set(table["subject"])), [name.strip() for name in names.split(",")], path)
    return [roles[subject] for subject in table["subject"]]


def _leave_out(subjects: list[str], left_out: list[str], path: Path) -> dict[str, str]:
    unknown = [name for name in left_out if name not in subjects]
    if unknown:
        raise ValueError(f"{path} has no subject {unknown[0]!r} to leave out; it has: {', '.join(subjects)}")
    last = subjects.index(max(left_out))
    others = [name for name in subjects[last:] + subjects[:last] if name not in left_out]
    if len(others) < 2:
        raise ValueError(
            f"{path}: leaving out {', '.join(left_out)} leaves {len(others)} subject(s); training and validation need 2"
        )
    held = set(others[: max(1, len(others) // 10)])
    return {name: "test" if name in left_out else "validation" if name in held else "train" for name in subjects}


def _resolve_poses(table: pd.DataFrame, path: Path) -> Skeleton | None:
    """Turns the pose column into absolute paths; returns the schema of the first pose file."""
    if "pose" not in table or not (table["pose"] != "").any():
        table["pose"] = ""
        return None
    given = table["pose"] != ""
    table.loc[given, "pose"] = below(path.parent, table.loc[given, "pose"].tolist(), path)
    return _skeleton(Path(table.loc[given, "pose"].iloc[0]))


def _with_lengths(table: pd.DataFrame) -> pd.DataFrame:
    """Adds the verified frames and fps, or, for a file that is no good, the problem."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        checked = pool.map(_facts, table["video"])
        facts = list(tqdm(checked, "checking videos", len(table), unit="file", disable=len(table) < 20))
    return table.join(pd.DataFrame(facts, columns=["frames", "fps", "problem"], index=table.index))


def _facts(path: str) -> tuple[int, float, str]:
    try:
        info = video.probe(path)
    except ValueError as error:
        return 0, float("nan"), str(error)
    return info.frames, info.fps, ""


def _skeleton(path: Path) -> Skeleton:
    return Skeleton.named(str(read_arrays(path, ("skeleton",))["skeleton"]))


@dataclass(frozen=True)
class PoseFiles:
    """Reads the pose file of one clip; every method takes a row of the table."""

    skeleton: Skeleton | None

    def pose(self, row: pd.Series) -> Pose | None:
        """Camera space, joints float32 [M,T,V,3]."""
        joints = self._load(row, "joints", 3)
        return None if joints is None else Pose(joints, self.skeleton, "camera", np.arange(row["frames"]))

    def pixels(self, row: pd.Series) -> Pose | None:
        """Image space, joints float32 [M,T,V,2]."""
        joints = self._load(row, "pixels", 2)
        return None if joints is None else Pose(joints, self.skeleton, "image", np.arange(row["frames"]))

    def truth(self, row: pd.Series) -> Truth | None:
        return None

    def files(self, row: pd.Series) -> list[Path]:
        return [Path(row["video"])] + ([Path(row["pose"])] if row["pose"] else [])

    def _load(self, row: pd.Series, name: str, dimensions: int) -> np.ndarray | None:
        path = row["pose"]
        if not path:
            return None
        arrays = read_arrays(path, ("joints", "skeleton"), ("pixels",))
        if str(arrays["skeleton"]) != self.skeleton.name:
            raise ValueError(f"{path} is not a {self.skeleton.name} skeleton, as the manifest's first pose file is")
        if name not in arrays:
            return None
        values = arrays[name].astype(np.float32)
        values = values[None] if values.ndim == 3 else values
        expected = (row["frames"], self.skeleton.count, dimensions)
        if values.ndim != 4 or values.shape[1:] != expected:
            frames, joints, _ = expected
            raise ValueError(
                f"{path}: {name} must be [T,V,{dimensions}] or [M,T,V,{dimensions}] with T={frames} frames and "
                f"V={joints} joints, got {values.shape}"
            )
        return values
