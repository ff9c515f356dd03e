"""Many clips under one name: Dataset, and ``open_dataset`` over the table of sources."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from workbench.types import Pose, Skeleton, Truth

#: A data set is one file in ``sources`` and one line here: module with ``open(root, protocol, split) -> Dataset``.
SOURCES = {
    "synthadl": "workbench.data.sources.synthadl",
    "manifest": "workbench.data.sources.manifest",
}

#: The same for untrimmed videos: module with ``open(root, protocol, split) -> Untrimmed`` (see data.untrimmed).
UNTRIMMED = {
    "synthadl_u": "workbench.data.sources.synthadl_u",
}

SPLITS = ("train", "validation", "test")


class Reader(Protocol):
    """How a source reads what belongs to one row of its table. All frames of the clip, or None where it has none."""

    def pose(self, row: pd.Series) -> Pose | None: ...

    def pixels(self, row: pd.Series) -> Pose | None: ...

    def truth(self, row: pd.Series) -> Truth | None: ...

    def files(self, row: pd.Series) -> list[Path]: ...


@dataclass(frozen=True)
class Dataset:
    """The clips of one split of one protocol.

    classes are the names exactly as the files have them, position = label. table has one row a clip: id, video
    (absolute path), label (int), subject, camera, view, setup, frames (int), fps, and what else the source knows.
    skeleton is None where no clip has a pose. mirrored tells that left and right are exchanged in its pictures, as
    Kinect's recorder does it.
    """

    name: str
    classes: list[str]
    skeleton: Skeleton | None
    table: pd.DataFrame
    reader: Reader
    protocol: str
    split: str
    mirrored: bool = False

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def ids(self) -> list[str]:
        return self.table["id"].tolist()

    @cached_property
    def labels(self) -> np.ndarray:
        """int64 [S], one label a clip."""
        return self.table["label"].to_numpy(np.int64)

    @cached_property
    def lengths(self) -> np.ndarray:
        """int64 [S], frames of each clip."""
        return self.table["frames"].to_numpy(np.int64)

    @cached_property
    def videos(self) -> list[str]:
        return self.table["video"].tolist()

    @cached_property
    def problems(self) -> dict[int, str]:
        """Why a clip cannot be used, by position, where that was found when the data set was opened."""
        texts = self.table.get("problem", [])
        return {position: text for position, text in enumerate(texts) if text}

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.ids)}

    def index(self, id: str) -> int:
        """Position of the clip called ``id``; ValueError naming it otherwise."""
        if id not in self._positions:
            raise ValueError(f"{self.name} ({self.protocol}, {self.split}) has no clip {id!r}")
        return self._positions[id]

    def pose(self, i: int) -> Pose | None:
        """Camera space (metres; x right, y up, z away), joints float32 [M,T,V,3], all frames; None if it has none."""
        return self.reader.pose(self.table.iloc[i])

    def pixels(self, i: int) -> Pose | None:
        """Image space (source pixels, y down), joints float32 [M,T,V,2], all frames; None if it has none."""
        return self.reader.pixels(self.table.iloc[i])

    def truth(self, i: int) -> Truth | None:
        """What makes the label what it is, in source pixels, all frames; None where nobody knows."""
        return self.reader.truth(self.table.iloc[i])

    def files(self, i: int) -> list[Path]:
        """The files this clip is read from; a cache is stale when one of them changes."""
        return self.reader.files(self.table.iloc[i])

    def fingerprint(self) -> str:
        """Changes whenever the clips or a file they are read from do: names, sizes and times of change."""
        digest = hashlib.sha256()
        for i, name in enumerate(self.ids):
            states = [path.stat() for path in self.files(i)]
            digest.update(repr([name, *((state.st_size, state.st_mtime_ns) for state in states)]).encode())
        return digest.hexdigest()

    def subset(self, indices: Sequence[int]) -> Dataset:
        """The same data set with the clips at ``indices`` only, in that order."""
        return dataclasses.replace(self, table=self.table.iloc[list(indices)].reset_index(drop=True))


def open_dataset(
    name: str, root: str | Path | None = None, protocol: str | None = None, split: str = "train"
) -> Dataset:
    """The clips of ``split`` (train, validation, test, or all) of the data set called ``name``.

    root is the folder (synthadl) or the table (manifest: a CSV or parquet file) to open; None is the source's default.
    protocol says who is held out (synthadl: cs, cv, setup; manifest: split, leave-out:<subject>[,<subject>...]); None
    is the source's first. Raises ValueError naming the valid ones for an unknown name, protocol or split, and
    FileNotFoundError naming the missing file.
    """
    if name in UNTRIMMED:
        raise ValueError(f"{name!r} has untrimmed videos, no clips: open it with open_untrimmed({name!r}, ...)")
    if name not in SOURCES:
        raise ValueError(f"unknown data set {name!r}; known: {', '.join(SOURCES)}")
    if split not in (*SPLITS, "all"):
        raise ValueError(f"unknown split {split!r}; known: {', '.join(SPLITS)}, all")
    return import_module(SOURCES[name]).open(root, protocol, split)
