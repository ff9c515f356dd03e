"""What the sources of public data sets share: looking for files, telling what was left out, making the table."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.catalog import LAYOUTS
from workbench.data.dataset import Dataset
from workbench.data.files import pose_lengths
from workbench.data.formats.pose_reader import PoseReader
from workbench.types import Skeleton

VIDEOS = (".mp4", ".avi", ".mkv", ".webm", ".mov")


class LeftOut(UserWarning):
    """Samples of a data set are not used; the text says how many and why."""


def choose(name: str, protocol: str | None, protocols: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """The protocol that is meant, the first of ``protocols`` where none is named; ValueError listing them otherwise."""
    protocols = list(protocols)
    chosen = protocols[0] if protocol is None else (aliases or {}).get(protocol, protocol)
    if chosen not in protocols:
        raise ValueError(f"{name} has no protocol {protocol!r}; known: {', '.join(protocols)}")
    return chosen


def walk(root: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files below ``root`` that end in one of ``suffixes`` (lower case), sorted; folders of depth maps and infrared
    videos are not entered, nor are hidden ones and those that a link has led to before."""
    paths, visited = [], set()
    for folder, folders, names in os.walk(root, followlinks=True):
        identity = os.path.realpath(folder)
        if identity in visited:
            folders.clear()
            continue
        visited.add(identity)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not re.search("depth|_ir$", f.lower()))
        paths += [Path(folder, name) for name in names if name.lower().endswith(suffixes) and not name.startswith(".")]
    return sorted(paths)


def by_name(paths: Iterable[Path], ending: str = "") -> dict[str, Path]:
    """Paths by what they are called without suffix and without ``ending``; ValueError if two are called the same."""
    named: dict[str, Path] = {}
    for path in paths:
        name = path.stem.removesuffix(ending)
        if name in named:
            raise ValueError(f"{name} is there twice, as {named[name]} and {path}; one of them has to go")
        named[name] = path
    return named


def matching(files: Iterable[str], pattern: str, name: str, root: Path) -> dict[str, re.Match]:
    """The names in ``files``, found below ``root``, that follow ``pattern``, matched. A warning tells how many others
    were left out; FileNotFoundError if none is left."""
    matches = {stem: re.fullmatch(pattern, stem) for stem in files}
    if not any(matches.values()):
        raise FileNotFoundError(f"{root} holds no file that is named as the samples of {name} are ({pattern})")
    left_out(name, [stem for stem, match in matches.items() if not match], "are not named as its samples are")
    return {stem: match for stem, match in matches.items() if match}


def of_classes(matches: Mapping[str, re.Match], classes: Iterable[str], name: str, why: str) -> dict[str, re.Match]:
    """The ``matches`` whose first group is one of ``classes``; a warning tells how many others there are, and ``why``
    they are left out."""
    known = {stem: match for stem, match in matches.items() if match[1] in classes}
    left_out(name, set(matches) - set(known), why)
    return known


def left_out(name: str, ids: Iterable[str], why: str) -> None:
    """Warns that ``ids`` of the data set are not used, if there are any."""
    ids = sorted(ids)
    if ids:
        more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
        warnings.warn(f"{name}: {len(ids)} left out, they {why}: {', '.join(ids[:3])}{more}", LeftOut, stacklevel=3)


@dataclass(frozen=True)
class PublicSet:
    """What all Datasets of one public data set have in common: its name, its protocols (the usual one first), other
    names of these, and what Dataset says. count: path -> frames of a pose file; rate: frames a second where there is no
    video."""

    name: str
    protocols: Sequence[str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    reader: PoseReader = PoseReader()
    skeleton: Skeleton | None = None
    mirrored: bool = False
    metric: str = "top1"
    count: Callable[[Path], int] | None = None
    rate: float = 30.0

    def locate(self, root: str | Path | None, protocol: str | None) -> tuple[Path, str]:
        """The folder, ``root`` or data/<name>, and the protocol that are meant; FileNotFoundError if there is no such
        folder, and what ``choose`` raises."""
        path = (Path(root) if root is not None else Path("data") / self.name).absolute()
        if not path.is_dir():
            layout = f"; expected in it: {LAYOUTS[self.name]} (docs/data.md)" if self.name in LAYOUTS else ""
            raise FileNotFoundError(f"no folder at {path}, where {self.name} was looked for; --root names it{layout}")
        return path, choose(self.name, protocol, self.protocols, self.aliases)

    def clips(
        self,
        rows: list[dict],
        classes: Sequence[str],
        protocol: str,
        split: str,
        videos: Mapping[str, Path] | None = None,
        poses: Mapping[str, Path] | None = None,
    ) -> Dataset:
        """The Dataset of ``rows``: dictionaries with id, label, part (train, validation, test or unused) and, where
        known, subject, camera, view, setup; and more, which the table keeps. ``videos`` and ``poses`` are paths by id.

        The length of a clip is its video's, found out when it is first needed; of clips without any video it is the
        pose file's, by ``count``, at ``rate``. A data set of which only some clips have a video keeps these.
        """
        blank = {"video": "", "pose": "", "subject": "", "camera": "", "view": "", "setup": ""}
        more = [column for column in (rows[0] if rows else ()) if column not in ("id", "label", "part", *blank)]
        table = pd.DataFrame([{**blank, **row} for row in rows], columns=["id", "label", "part", *blank, *more])
        table["label"] = table["label"].astype(int)
        for column, paths in (("video", videos), ("pose", poses)):
            files = table[column] if paths is None else [paths.get(name) for name in table["id"]]
            table[column] = [str(Path(path).absolute()) if path else "" for path in files]
        posed = (table["pose"] != "").any()
        table = self._filmed(table, "have a pose but no video, as others have")
        table = table if split == "all" else table[table["part"] == split]
        table = table.sort_values("id", kind="stable").reset_index(drop=True).rename(columns={"part": "split"})
        if len(table) and not (table["video"] != "").any():
            if self.count is None:
                raise FileNotFoundError(f"none of the videos of {self.name} is there")
            table = table.join(pose_lengths.measure(table["pose"].tolist(), self.count, self.rate))
        return self._dataset(classes, table, posed, protocol, split)

    def untrimmed(
        self, videos: pd.DataFrame, intervals: pd.DataFrame, classes: Sequence[str], protocol: str, split: str
    ) -> Dataset:
        """The Dataset of untrimmed ``videos`` (see ``videos(root, split)`` of its source) with ``intervals``.

        Where no video is there, for work on features that others have extracted, lengths follow from the annotation at
        ``rate``. A data set of which only some videos are there keeps these.
        """
        table = self._filmed(videos.assign(label=-1), "are not there").reset_index(drop=True)
        if not (table["video"] != "").any():
            frames = (table["duration"].fillna(0) * self.rate).round().astype(int)
            table = table.assign(frames=frames, fps=self.rate, problem="")
        instances = intervals[intervals["video"].isin(table["id"])].reset_index(drop=True)
        return self._dataset(classes, table, (table["pose"] != "").any(), protocol, split, instances)

    def _filmed(self, table: pd.DataFrame, why: str) -> pd.DataFrame:
        """The rows that have a video, where some have; a warning tells how many others there are, and ``why``."""
        filmed = table["video"] != ""
        if filmed.all() or not filmed.any():
            return table
        left_out(self.name, table["id"][~filmed], why)
        return table[filmed]

    def _dataset(
        self,
        classes: Sequence[str],
        table: pd.DataFrame,
        posed: bool,
        protocol: str,
        split: str,
        instances: pd.DataFrame | None = None,
    ) -> Dataset:
        skeleton = self.skeleton if posed else None
        facts = self.name, list(classes), skeleton, table, self.reader, protocol, split, self.mirrored
        return Dataset(*facts, instances, self.metric)


INTERVALS = ["video", "label", "start", "end", "ambiguous"]


def intervals_table(name: str, rows: list[tuple], durations: Mapping[str, float] | None = None) -> pd.DataFrame:
    """``rows`` (video, label, start, end[, ambiguous]; seconds) by video and start, cut to ``durations`` where known.

    Those that end before they start, or start after the video's end, are left out with a warning.
    """
    rows = [(*row, False) if len(row) == 4 else row for row in rows]
    table = pd.DataFrame(rows, columns=INTERVALS).astype(
        {"label": int, "start": float, "end": float, "ambiguous": bool}
    )
    last = table["video"].map(durations or {}).astype(float).fillna(np.inf)
    good = (table["end"] > table["start"]) & (table["start"] < last)
    why = "hold intervals that end before they start, or start after the video"
    left_out(f"{name}, {int((~good).sum())} intervals", set(table["video"][~good]), why)
    table = table.assign(end=np.minimum(table["end"], last))[good]
    return table.sort_values(["video", "start", "end", "label"], kind="stable").reset_index(drop=True)


def videos_table(rows: list[dict], split: str) -> pd.DataFrame:
    """``rows`` (id, part and what is known of video, pose, subject, camera, view, setup, duration; and more) as a table
    sorted by id, the part as its column split: those of one split, or "all"."""
    columns = ["id", "video", "pose", "subject", "camera", "view", "setup", "duration"]
    more = [column for column in (rows[0] if rows else ()) if column not in (*columns, "part")]
    table = pd.DataFrame(rows, columns=[*columns, *more, "part"]).rename(columns={"part": "split"})
    table[columns[1:-1]] = table[columns[1:-1]].astype(object).fillna("")
    table["duration"] = table["duration"].astype(float)
    table = table if split == "all" else table[table["split"] == split]
    return table.sort_values("id", kind="stable").reset_index(drop=True)
