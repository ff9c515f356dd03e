"""The clips of one split of one protocol: names, labels, videos, poses, truth, and the files they are read from."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from tqdm import tqdm

from safefiles.processes import cores
from workbench.data import content_digests
from workbench.data.spelling import canonical
from workbench.media import video
from workbench.types import Pose, Skeleton, Truth


class Reader(Protocol):
    """How a source reads what belongs to one row of its table. All frames of the clip, or None where it has none.

    A row has the verified ``frames`` and ``fps`` of its video, also where the table leaves them to be counted. A source
    whose videos lie in archives besides has ``video(row)``, which puts the file there before it is read; one whose
    intervals were read off a player's clock has ``edges(row)``, as ``shown`` gives them; one of a clip that was drawn
    again has ``film`` uint8 [n,H,W,3], its pictures in place of the file's, and ``framing(row)``, the joints in its
    picture that crops go by in place of ``pixels(row)``.
    """

    def pose(self, row: pd.Series) -> Pose | None:
        """The joints of a clip in space, None where there are none."""

    def pixels(self, row: pd.Series) -> Pose | None:
        """The joints of a clip in its picture, None where there are none."""

    def truth(self, row: pd.Series) -> Truth | None:
        """What makes the label of a clip what it is; None, nobody knows, unless a source does."""
        return None

    def files(self, row: pd.Series) -> list[Path]:
        """The files of a clip."""


class Rows:
    """What the tables of clips and of long videos have in common: one row each, with an id and a video."""

    name: str
    protocol: str
    split: str
    table: pd.DataFrame
    skeleton: Skeleton | None
    reader: Reader
    #: What a row is called in messages.
    row_name = "clip"

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def ids(self) -> list[str]:
        """The names of the rows, in order."""
        return self.table["id"].tolist()

    @cached_property
    def videos(self) -> list[str]:
        """The file of each row's video."""
        return self.table["video"].tolist()

    @property
    def title(self) -> str:
        """What messages call it: name, protocol and split."""
        return f"{self.name} ({self.protocol}, {self.split})"

    @property
    def schema(self) -> Skeleton:
        """The skeleton of data that have poses; ValueError where they have none."""
        if self.skeleton is None:
            raise ValueError(f"{self.title} has no poses")
        return self.skeleton

    def index(self, id: str) -> int:
        """Position of the row called ``id``, however its accents are encoded; ValueError naming it otherwise."""
        position = self._positions.get(id, self._forms.get(canonical(id)))
        if position is None:
            raise ValueError(f"{self.title} has no {self.row_name} {id!r}")
        return position

    def row(self, i: int) -> pd.Series:
        """The table's row ``i``, with its frames and fps; ValueError naming the file where it can't be read."""
        row = self.table.iloc[i]
        if "frames" in row.index:
            return row
        info = video.ingest(row["video"])
        return pd.concat([row, pd.Series({"frames": info.frames, "fps": info.fps})])

    def pose(self, i: int) -> Pose | None:
        """Camera space (metres; x right, y up, z away), joints float32 [M,T,V,3], all frames; None if it has none."""
        return self.reader.pose(self.row(i))

    def pixels(self, i: int) -> Pose | None:
        """Image space (source pixels, y down), joints float32 [M,T,V,2], all frames; None if it has none."""
        return self.reader.pixels(self.row(i))

    def body(self, i: int) -> Pose | None:
        """What systems read as a pose: that in camera space, or, where row ``i`` has none, its joints in pixels."""
        pose = self.pose(i)
        return self.pixels(i) if pose is None else pose

    def truth(self, i: int) -> Truth | None:
        """What makes the label what it is, in source pixels, all frames; None where nobody knows."""
        return self.reader.truth(self.row(i))

    def files(self, i: int) -> list[Path]:
        """The files that row ``i`` is read from; what is made of them is stale when one of them changes."""
        return self.reader.files(self.table.iloc[i])

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.ids)}

    @cached_property
    def _forms(self) -> dict[str, int]:
        """Positions by names as they are compared, of those that only one row has."""
        counts = Counter(map(canonical, self.ids))
        return {canonical(name): position for name, position in self._positions.items() if counts[canonical(name)] == 1}


@dataclass(frozen=True)
class Dataset(Rows):
    """The clips of one split of one protocol.

    classes are the names exactly as the files have them, position = label. table has one row a clip: id, video
    (absolute path), label (int), subject, camera, view, setup, and what else the source knows; where it knows them,
    frames (int), fps and problem (why a clip is no good, "" where it is): they are otherwise found out, when first
    asked for, by decoding every video once. skeleton is None where no clip has a pose. mirrored tells that left and
    right are exchanged in its pictures, as Kinect's recorder does it. instances is given where videos are untrimmed,
    with intervals instead of one label (then -1): one row an action with video (the clip's id), label (int), start and
    end (seconds). metric is the one that papers report on it: top1, mean_class, frame_map, event_map.
    """

    name: str
    classes: list[str]
    skeleton: Skeleton | None
    table: pd.DataFrame
    reader: Reader
    protocol: str
    split: str
    mirrored: bool = False
    instances: pd.DataFrame | None = None
    metric: str = "top1"

    @cached_property
    def labels(self) -> np.ndarray:
        """int64 [S], one label a clip; -1 where ``instances`` says what happens when."""
        return self.table["label"].to_numpy(np.int64)

    @cached_property
    def _facts(self) -> pd.DataFrame:
        """frames, fps and problem of each clip: the table's, or those found by decoding its videos."""
        if "frames" not in self.table:
            return measure(self.videos)
        facts = self.table.reindex(columns=["frames", "fps", "problem"])
        return facts.assign(problem=facts["problem"].astype(object).fillna("")).reset_index(drop=True)

    @cached_property
    def lengths(self) -> np.ndarray:
        """int64 [S], frames of each clip; 0 where it can't be read."""
        return self._facts["frames"].to_numpy(np.int64)

    @cached_property
    def rates(self) -> np.ndarray:
        """float64 [S], frames per second of each clip; NaN where it can't be read."""
        return self._facts["fps"].to_numpy(np.float64)

    @cached_property
    def problems(self) -> dict[int, str]:
        """Why a clip cannot be used, by position, where the table or its video's length tells."""
        return {position: text for position, text in enumerate(self._facts["problem"]) if text}

    def video(self, i: int) -> str:
        """Path of the video of clip i, which is there when this returns, whatever it is kept in."""
        fetch = getattr(self.reader, "video", None)
        return self.videos[i] if fetch is None else fetch(self.table.iloc[i])

    def framing(self, i: int) -> Pose | None:
        """The joints, as ``pixels`` gives them, that crops go by."""
        return getattr(self.reader, "framing", self.reader.pixels)(self.row(i))

    @cached_property
    def _files(self) -> list[list[str]]:
        """Those of all clips. A row of a million by position takes minutes: readers get plain mappings."""
        names: list[str] = list(self.table)
        paths: dict[str, str] = {}
        columns = zip(*(self.table[name].tolist() for name in names), strict=True)
        rows = (dict(zip(names, values, strict=True)) for values in columns)
        files = ([os.fspath(path) for path in self.reader.files(row)] for row in rows)
        return [[paths.setdefault(path, path) for path in row] for row in files]

    @cached_property
    def contents(self) -> str:
        """Sixteen hex digits of what is learnt or tested: classes, ids, labels, intervals, and the bytes of every
        file that a clip is read from, videos and poses alike (see ``contents``)."""
        facts = [self.classes, self.skeleton.name if self.skeleton else None, self.mirrored]
        if self.instances is not None:
            facts.append(self.instances.to_csv(index=False))
        return content_digests.fingerprint(facts, self.table[["id", "label"]], self._files)

    def fingerprint(self) -> str:
        """Changes whenever the clips or a file they are read from do: names, sizes and times of change."""
        digest = hashlib.sha256()
        states_of: dict[str, os.stat_result] = {}
        for name, paths in zip(self.ids, self._files, strict=True):
            states = [states_of.get(path) or states_of.setdefault(path, os.stat(path)) for path in paths]
            digest.update(repr([name, *((state.st_size, state.st_mtime_ns) for state in states)]).encode())
        return digest.hexdigest()

    def subset(self, indices: Sequence[int]) -> Dataset:
        """The same data set with the clips at ``indices`` only, in that order."""
        table = self.table.iloc[list(indices)].reset_index(drop=True)
        instances = self.instances
        if instances is not None:
            instances = instances[instances["video"].isin(table["id"])].reset_index(drop=True)
        return dataclasses.replace(self, table=table, instances=instances)


def shown(row: pd.Series) -> np.ndarray:
    """float64 [frames + 1]: when each frame of the row's video begins to be shown and the last one ends, in seconds on
    a player's clock (see media.clock), as the file says; of a row without a video at the rate of the table.

    ValueError naming the file if it can't be read or has another number of frames than the table says.
    """
    if not row["video"]:
        return np.arange(int(row["frames"]) + 1) / float(row["fps"])
    info = video.ingest(row["video"])
    if "frames" in row.index and info.frames != row["frames"]:
        raise ValueError(f"{info.path} has {info.frames} frames, the table says {row['frames']}")
    return info.edges()


def measure(videos: Sequence[str]) -> pd.DataFrame:
    """frames, fps and problem of each file: verified by decoding it, or remembered from when that was done."""

    def facts(path: str) -> tuple[int, float, str]:
        try:
            info = video.ingest(path)
        except (ValueError, FileNotFoundError) as error:
            return 0, float("nan"), str(error)
        return info.frames, info.fps, ""

    with ThreadPoolExecutor(cores()) as pool:
        rows = list(
            tqdm(pool.map(facts, videos), "checking videos", len(videos), unit="file", disable=len(videos) < 20)
        )
    return pd.DataFrame(rows, columns=["frames", "fps", "problem"])
