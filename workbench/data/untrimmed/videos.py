"""Long videos and what happens when in them: Untrimmed, and ``open_untrimmed`` over the table in catalog.py."""

from __future__ import annotations

import dataclasses
import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data import content_digests
from workbench.data.catalog import SOURCES, SPLITS, UNTRIMMED, open_dataset, opener
from workbench.data.dataset import Dataset, Reader, Rows, measure
from workbench.media.files import clock
from workbench.types import Skeleton

TABLE = ("id", "video", "subject", "camera", "frames", "fps", "duration")
INTERVALS = ("video", "label", "start", "end", "ambiguous")
#: The label of an ambiguous interval that belongs to no class in particular.
ANY = -1


@dataclass(frozen=True)
class Untrimmed(Rows):
    """The videos of one split of one protocol, and their annotated intervals.

    classes are the names exactly as the files have them, position = label. table has one row a video: id, video
    (absolute path), subject, camera, frames (int), fps, duration (seconds), and what else the source knows. intervals
    has one row an action: video (an id of the table), label (int), start and end (seconds, end exclusive), ambiguous
    (bool: neither an example nor a counter-example; its label may be ANY). They may overlap, also within a class.
    skeleton is None where no video has a pose; mirrored as in Dataset.

    Raises ValueError, one sentence, for a table or intervals that are not so.
    """

    name: str
    classes: list[str]
    skeleton: Skeleton | None
    table: pd.DataFrame
    intervals: pd.DataFrame
    reader: Reader
    protocol: str
    split: str
    mirrored: bool = False
    row_name = "video"

    def __post_init__(self) -> None:
        for frame, columns, title in ((self.table, TABLE, "table"), (self.intervals, INTERVALS, "intervals")):
            if missing := [column for column in columns if column not in frame]:
                raise ValueError(f"the {title} of {self.name} lacks the column(s) {', '.join(missing)}")
        twice = self.table["id"][self.table["id"].duplicated()]
        if len(twice):
            raise ValueError(f"{self.name} has the id {twice.iloc[0]!r} twice")
        if problem := _problem(self.intervals, set(self.table["id"]), len(self.classes)):
            raise ValueError(f"{self.name}: {problem}")

    @cached_property
    def lengths(self) -> np.ndarray:
        """int64 [S], frames of each video."""
        return self.table["frames"].to_numpy(np.int64)

    @cached_property
    def durations(self) -> np.ndarray:
        """float64 [S], seconds from 0 on a player's clock to the end of each video."""
        return self.table["duration"].to_numpy(np.float64)

    def edges(self, i: int) -> np.ndarray:
        """float64 [frames + 1]: when each frame of video i begins to be shown and when the last one ends, in seconds on
        a player's clock: the file's own times, where intervals are meant so (see ``dataset.shown``), else n / fps."""
        row = self.table.iloc[i]
        edges = getattr(self.reader, "edges", None)
        return np.arange(self.lengths[i] + 1) / float(row["fps"]) if edges is None else edges(row)

    @cached_property
    def _rows(self) -> dict[str, np.ndarray]:
        return self.intervals.groupby("video", sort=False).indices

    def annotated(self, i: int) -> pd.DataFrame:
        """The intervals of video i, in the order of ``intervals``."""
        return self.intervals.iloc[self._rows.get(self.ids[i], np.empty(0, np.int64))]

    def labels(self, i: int, times: np.ndarray | None = None) -> np.ndarray:
        """Which actions go on in a video.

        Args:
            i: the video.
            times: float seconds [T]; None: when its frames begin.

        Returns:
            bool [T,N], True from an interval's start up to, not including, its end; ambiguous intervals say nothing.
        """
        times = self.edges(i)[:-1] if times is None else np.asarray(times, np.float64)
        active = np.zeros((len(times), len(self.classes)), bool)
        for row in self.annotated(i).itertuples():
            if not row.ambiguous:
                active[:, row.label] |= clock.between(times, row.start, row.end)
        return active

    def named(self, intervals: pd.DataFrame | None = None) -> pd.DataFrame:
        """``intervals`` (or detections; None: the data set's) with class names as labels, ANY as "ambiguous"."""
        rows = self.intervals if intervals is None else intervals
        names = {ANY: "ambiguous", **dict(enumerate(self.classes))}
        return rows.assign(label=[names[label] for label in rows["label"]])

    def stamp(self, i: int) -> str:
        """Changes whenever a file that video i is read from does: its id, and their sizes and times of change."""
        states = [path.stat() for path in self.files(i)]
        facts = [self.ids[i], *((state.st_size, state.st_mtime_ns) for state in states)]
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    @cached_property
    def contents(self) -> str:
        """As Dataset.contents: classes, ids, intervals, and the bytes of every file that a video is read from."""
        facts = [self.classes, self.skeleton.name if self.skeleton else None, self.mirrored, self.ids]
        files = [self.files(i) for i in range(len(self))]
        return content_digests.fingerprint(facts, self.intervals[list(INTERVALS)], files)

    def fingerprint(self) -> str:
        """Changes whenever the videos, a file they are read from, the classes or the intervals do."""
        digest = hashlib.sha256(repr([self.classes, [self.stamp(i) for i in range(len(self))]]).encode())
        digest.update(self.intervals[list(INTERVALS)].to_csv(index=False).encode())
        return digest.hexdigest()

    def subset(self, indices: Sequence[int]) -> Untrimmed:
        """The same data set with the videos at ``indices`` only, in that order, and their intervals."""
        table = self.table.iloc[list(indices)].reset_index(drop=True)
        intervals = self.intervals[self.intervals["video"].isin(table["id"])].reset_index(drop=True)
        return dataclasses.replace(self, table=table, intervals=intervals)


def _problem(intervals: pd.DataFrame, ids: set[str], classes: int) -> str:
    """What is wrong with the intervals, of the first one it is wrong with; nothing if all is well."""
    named = intervals["video"].isin(ids)
    label, start, end = (intervals[name].to_numpy(np.float64) for name in ("label", "start", "end"))
    labelled = np.isin(label, range(classes)) | ((label == ANY) & intervals["ambiguous"].to_numpy(bool))
    ordered = np.isfinite(start) & np.isfinite(end) & (end >= start)
    for holds, expected in (
        (named, "names a video that is not in the table"),
        (labelled, f"has no label from 0 to {classes - 1}"),
        (ordered, "does not end after it starts"),
    ):
        if not holds.all():
            row = intervals[~holds].iloc[0]
            return f"the interval {row['start']} to {row['end']} of {row['video']!r}, label {row['label']}, {expected}"
    return ""


def open_untrimmed(
    name: str, root: str | Path | None = None, protocol: str | None = None, split: str = "train"
) -> Untrimmed:
    """The videos of one split of an untrimmed data set.

    Args:
        name: synthadl_u, one of the public sets with intervals (charades, pku_mmd, tsu, thumos14, multithumos), or a
            manifest with intervals.
        root: the folder or table to open; None: the source's default.
        protocol: who is held out (synthadl_u: cs, cv, setup); None: the source's first.
        split: train, validation, test, or all.

    Returns:
        The videos with their intervals.

    Raises:
        ValueError: an unknown name, protocol or split, or clips that have one label each; it names the valid ones.
        FileNotFoundError: a missing file, by name.
    """
    if split not in (*SPLITS, "all"):
        raise ValueError(f"unknown split {split!r}; known: {', '.join(SPLITS)}, all")
    if name in UNTRIMMED:
        return opener(UNTRIMMED[name])(root, protocol, split)
    if name not in SOURCES:
        raise ValueError(f"unknown untrimmed data set {name!r}; known: {', '.join([*UNTRIMMED, *SOURCES])}")
    return of_dataset(open_dataset(name, root, protocol, split))


def of_dataset(data: Dataset) -> Untrimmed:
    """The same videos, those that can be read, with ``data.instances`` as intervals; a warning names the others, with
    the reason of the first. ValueError where it has no intervals, or no video that can be read."""
    if data.instances is None:
        raise ValueError(f"the clips of {data.name!r} have one label each: a detector needs videos with intervals")
    problems, ends = dict(data.problems), data.lengths / data.rates
    if hasattr(data.reader, "edges"):
        measure([path for path in data.videos if path])  # several at a time; after that each is remembered
        for i in sorted(set(range(len(data))) - set(problems)):
            try:
                ends[i] = data.reader.edges(data.row(i))[-1]
            except (ValueError, FileNotFoundError) as problem:
                problems[i] = str(problem)
    good = [i for i in range(len(data)) if i not in problems]
    if problems and not good:
        raise ValueError(f"not one video of {data.name} ({data.split}) can be used; the first: {problems[0]}")
    if problems:
        names, first = [data.ids[i] for i in sorted(problems)], problems[min(problems)]
        warnings.warn(
            f"{data.name} ({data.split}): {len(names)} of {len(data)} videos are left out: {', '.join(names[:5])}"
            f"{', ...' if len(names) > 5 else ''}; the first: {first}",
            stacklevel=2,
        )
    facts = {"frames": data.lengths, "fps": data.rates, "duration": ends}
    table = data.table.assign(**facts).iloc[good].reset_index(drop=True)
    intervals = data.instances[data.instances["video"].isin(table["id"])].reset_index(drop=True)
    if "ambiguous" not in intervals:
        intervals = intervals.assign(ambiguous=False)
    meta = data.reader, data.protocol, data.split, data.mirrored
    return Untrimmed(data.name, data.classes, data.skeleton, table, intervals, *meta)
