"""A table of your own footage: one CSV or parquet file and a folder of videos are a data set.

Columns (all values are read as text and names are kept to the letter, but for accents, which are the same however they
are encoded; classes that look alike are told; other columns are kept and mean nothing):

- ``video``: path relative to the table's folder, and not outside it, by name or by link; empty (or no column) where a
  clip is poses alone: it is then as long as they are, at 30 frames a second, unless ``frames`` and ``fps`` say more;
- ``label``: class name; where all are whole numbers the classes are in numeric order, else in alphabetical order;
- ``intervals``, instead of ``label``, of untrimmed videos: ``11.9 21.2 drink; 0 12.6 sit`` is start and end in seconds
  and class name of each action;
- ``id`` (optional): unique name of the clip, else the path of the video (or of the poses), without its suffix where no
  other is called so;
- ``pose`` (optional): a file of poses, empty where a clip has none; see ``posefiles`` for the formats. Where the videos
  lie elsewhere (see ``folder`` below) it may be relative to their folder or to the table's;
- ``subject``, ``camera``, ``view``, ``setup`` (optional): who performs, and how it was filmed;
- ``split``, ``split_<name>`` (optional): train, validation, test or unused;
- ``frames`` and ``fps`` (optional, both): of the video, which are else counted when first asked for.

A file of the same name that ends in .yaml may stand beside it, with any of ``folder`` (what paths are relative to, in
place of the table's own folder), ``classes`` (all class names, in the order of their labels; any other is then a fault)
and ``mirrored`` (true: left and right are exchanged in the pictures).

Protocols: ``split`` takes the column split and ``<name>`` the column split_<name>. ``leave-out:<subject>[,...]`` tests
on these subjects; of the others one in ten, at least one, is for validation (those after the last left-out subject in
sorted order, cyclically).
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from safefiles.reading import present, read_yaml
from workbench.data import spelling
from workbench.data.catalog import PARTS, SPLITS
from workbench.data.dataset import Dataset, measure
from workbench.data.files import intervals, pose_lengths, text_table
from workbench.data.files.safe_folder import Folder
from workbench.data.files.table_checks import Faults, of_row, require
from workbench.data.formats import posefiles
from workbench.data.formats.posefiles import PoseFiles
from workbench.types import Skeleton

PROTOCOLS = ("split", "<name> of a column split_<name>", "leave-out:<subject>[,<subject>...]")
#: All columns that mean something.
COLUMNS = (
    *("video", "label", "split", "id", "intervals", "pose", "subject", "camera", "view", "setup", "frames", "fps"),
)
#: So many pose files are asked for their schema.
VOTES = 3
#: A path whose stem is what is before its last dot.
_PLAIN = re.compile(r"(?:[^/.]+/)*[^/.]+\.[^/.]+")
OPTIONAL = ("video", "subject", "camera", "view", "setup", "pose")
#: Frames a second of poses without a video, where nothing else is said; detectors' files do not tell.
RATE = 30.0


@dataclass(frozen=True)
class Beside:
    """What the .yaml beside a manifest says."""

    folder: Path
    classes: list[str] | None = None
    mirrored: bool = False


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the table's path. ManifestError (a ValueError and FileNotFoundError) tells
    everything that is wrong with it at once."""
    if root is None:
        raise ValueError("the data set 'manifest' needs root: the path of a CSV or parquet file")
    path = Path(root)
    beside, faults = read_beside(path), Faults(path)
    table = text_table.read(path, faults, COLUMNS)
    untrimmed = "intervals" in table and "label" not in table
    if "pose" not in table:
        require(table, ("video",), path)
    if not untrimmed:
        require(table, ("label",), path)
    if not len(table):
        raise ValueError(f"{path} lists no clip")
    for name in OPTIONAL:
        if name not in table:
            table[name] = ""
    if "id" not in table:
        table["id"] = identities([row.video or row.pose for row in table.itertuples()])
    _check_ids(table, faults)
    _resolve(table, "video", [Folder(beside.folder)], faults)
    _resolve(table, "pose", [Folder(beside.folder), Folder(path.parent)], faults)
    table["split"], protocol = parts(table, protocol, path, faults)
    _numbers(table, faults)
    instances = _instances(table, faults) if untrimmed else None
    labelled = table if instances is None else instances
    labelled["label"] = spelling.merged(labelled["label"], beside.classes or ())
    table["subject"] = spelling.merged(table["subject"])
    classes = _classes(labelled["label"], beside, faults)
    faults.check()
    for group in spelling.near(classes):
        warnings.warn(f"{path}: classes that look alike and are {len(group)}: {spelling.quoted(group)}", stacklevel=3)
    number = {name: label for label, name in enumerate(classes)}
    table["label"] = -1 if untrimmed else table["label"].map(number).astype(int)
    skeleton = _skeleton(table, faults)
    faults.check()
    table = table if split == "all" else table[table["split"] == split]
    if instances is not None:
        instances["label"] = instances["label"].map(number).astype(int)
        instances = instances[instances["video"].isin(table["id"])].reset_index(drop=True)
    table = table.reset_index(drop=True)
    if "frames" not in table and (table["video"] == "").any():
        table = table.join(_lengths(table))
    reader = PoseFiles(skeleton)
    return Dataset("manifest", classes, skeleton, table, reader, protocol, split, beside.mirrored, instances)


def read_beside(path: Path) -> Beside:
    """The .yaml beside the manifest ``path``, or what holds without; ValueError naming what is wrong with it."""
    file = path.with_suffix(".yaml")
    if not present(file):
        return Beside(path.parent)
    values = read_yaml(file)
    if values is None:
        raise ValueError(f"{file} says nothing; delete it where the manifest needs no folder, classes or mirrored")
    if not isinstance(values, dict) or set(values) - {"folder", "classes", "mirrored"}:
        raise ValueError(f"{file} may say folder, classes and mirrored, got {values!r}")
    folder, classes = values.get("folder", "."), values.get("classes")
    named = classes is None or (isinstance(classes, list) and all(isinstance(name, str) for name in classes))
    if not (isinstance(folder, str) and named and isinstance(values.get("mirrored", False), bool)):
        raise ValueError(f"{file}: folder must be a text, classes a list of texts, mirrored true or false")
    if classes is not None and len(set(classes)) < len(classes):
        raise ValueError(f"{file} lists a class twice")
    return Beside(path.parent / folder, classes, values.get("mirrored", False))


def identities(videos: list[str]) -> list[str]:
    """What clips are called: the video's path, without its suffix where that is one video's alone."""
    videos = [name.replace("\\", "/") for name in videos]
    stem_of = {name: _stem(name) for name in dict.fromkeys(videos)}
    stems = [stem_of[name] for name in videos]
    # A path that is listed twice is one video, and its id is then told to be there twice.
    counts = Counter(stem.casefold() for stem in stem_of.values())
    return [stem if counts[stem.casefold()] == 1 else name for stem, name in zip(stems, videos, strict=True)]


def _stem(name: str) -> str:
    """The path without its suffix."""
    if _PLAIN.fullmatch(name):
        return name[: name.rindex(".")]
    return str(Path(name).with_suffix("")) if name.strip("./") else name


def _check_ids(table: pd.DataFrame, faults: Faults) -> None:
    counts = table["id"][table["id"].duplicated(keep=False)].value_counts()
    faults.add("ids that occur more than once", [f"{name!r} ({n} times)" for name, n in counts.items()])
    bare = (table["video"].map(str.strip) == "") & (table["pose"].map(str.strip) == "")
    faults.add("rows with neither video nor poses", [f"row {row + 1}" for row in table.index[bare]])
    nameless = ~bare & (table["id"] == "")
    faults.add("rows without an id", [f"row {row + 1}" for row in table.index[nameless]])


def _resolve(table: pd.DataFrame, column: str, folders: list[Folder], faults: Faults) -> None:
    """Turns a column of files into absolute paths in the first of ``folders`` that has them."""
    names = table[column].tolist()
    poses = column == "pose"
    located = _find_all(dict.fromkeys(name for name in names if name.strip()), folders, poses)
    resolved = [located.get(name, ("", "")) for name in names]
    for kind, wording in (("missing", "that do not exist in"), ("outside", "that lie outside of")):
        cases = [of_row(names[row], row) for row, (_, problem) in enumerate(resolved) if problem == kind]
        faults.add(f"{column} files {wording} {folders[0].root}", cases)
    table[column] = [path for path, _ in resolved]
    if poses:
        kinds = {path: posefiles.kind(path) for path, _ in located.values() if path}
        unknown = [of_row(names[row], row) for row, (path, _) in enumerate(resolved) if path and not kinds[path]]
        faults.add(f"pose files of an unknown kind; what is read are {posefiles.KNOWN}", unknown)


def _find_all(names: Iterable[str], folders: list[Folder], or_folder: bool) -> dict[str, tuple[str, str]]:
    """What the first of ``folders`` that has a file finds, by name; what the first one does where none has it."""
    located = folders[0].find_all(names, or_folder)
    for folder in folders[1:]:
        missing = [name for name, (path, _) in located.items() if not path]
        located |= {name: result for name, result in folder.find_all(missing, or_folder).items() if result[0]}
    return located


def parts(table: pd.DataFrame, protocol: str | None, path: Path, faults: Faults) -> tuple[list[str], str]:
    """The part that each clip plays under ``protocol``, and that protocol's name; None is the table's first."""
    columns = [name for name in table if name == "split" or str(name).startswith("split_")]
    if protocol is None:
        protocol = "split" if "split" in columns or not columns else columns[0].removeprefix("split_")
    kind, _, names = protocol.partition(":")
    if kind == "leave-out" and names:
        require(table, ("subject",), path)
        subjects = table["subject"].map(str)
        roles = leave_out(sorted(set(subjects)), [name.strip() for name in names.split(",")], path)
        return [roles[subject] for subject in subjects], protocol
    column = "split" if protocol == "split" else f"split_{protocol}"
    if protocol == "split":
        require(table, ("split",), path)
    elif column not in columns:
        raise ValueError(f"a manifest has no protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    values = _parts_named(table[column].tolist(), column, path)
    cases = [of_row(value, row) for row, value in enumerate(values) if value not in (*SPLITS, "unused")]
    faults.add(f"values of {column} other than {', '.join(SPLITS)} or unused", cases)
    return values, protocol


def _parts_named(values: list[str], column: str, path: Path) -> list[str]:
    """``values`` with capitals, blanks and other usual names of parts as the parts; a warning says which."""
    known = {**PARTS, "unused": "unused"}
    part_of = {value: known.get(value.strip().casefold(), value) for value in set(values)}
    parts = [part_of[value] for value in values]
    changed = {old: new for old, new in zip(values, parts, strict=True) if old != new}
    if changed:
        readings = ", ".join(f"{old!r} as {new}" for old, new in changed.items())
        warnings.warn(f"{path}: {column} is read with {readings}", text_table.TableNote, stacklevel=4)
    return parts


def leave_out(subjects: list[str], left_out: list[str], path: Path) -> dict[str, str]:
    """The part of each subject when those ``left_out`` are tested on; ValueError where too few are left."""
    unknown = [name for name in left_out if name not in subjects]
    if unknown:
        raise ValueError(f"{path} has no subject {unknown[0]!r} to leave out; it has: {', '.join(subjects)}")
    last = subjects.index(max(left_out))
    remaining = [name for name in subjects[last:] + subjects[:last] if name not in left_out]
    if len(remaining) < 2:
        names = ", ".join(left_out)
        raise ValueError(
            f"{path}: leaving out {names} leaves {len(remaining)} subject(s); training and validation need 2"
        )
    validation = set(remaining[: max(1, len(remaining) // 10)])
    return {name: "test" if name in left_out else "validation" if name in validation else "train" for name in subjects}


def _numbers(table: pd.DataFrame, faults: Faults) -> None:
    """Makes numbers of frames and fps, where the table has both."""
    if not {"frames", "fps"} <= set(table):
        for name in {"frames", "fps"} & set(table):
            del table[name]
        return
    texts = (table[name].str.replace(",", ".", regex=False) for name in ("frames", "fps"))
    frames, rates = (pd.to_numeric(column, errors="coerce") for column in texts)
    good = (frames >= 1) & (frames % 1 == 0) & (rates > 0) & (frames < 2**53) & (rates < float("inf"))
    cases = [f"{table['frames'][row]!r}, {table['fps'][row]!r} (row {row + 1})" for row in table.index[~good]]
    faults.add("frames and fps that are no whole number above 0 and no number above 0", cases)
    table["frames"], table["fps"] = frames.where(good, 1).astype("int64"), rates.where(good, 1).astype(float)


def _lengths(table: pd.DataFrame) -> pd.DataFrame:
    """frames, fps and problem of each clip: of its video, or of its poses where it has none."""
    filmed = table["video"] != ""
    videos = measure(table["video"][filmed].tolist()).set_index(table.index[filmed])
    poses = pose_lengths.measure(table["pose"][~filmed].tolist(), posefiles.count, RATE).set_index(table.index[~filmed])
    return pd.concat([videos, poses]).sort_index()


def _instances(table: pd.DataFrame, faults: Faults) -> pd.DataFrame:
    """One row an action: video (the clip's id), label (class name), start, end."""
    rows, wrong = [], []
    for row, (name, text) in enumerate(zip(table["id"], table["intervals"], strict=True)):
        try:
            rows += [(name, *action) for action in intervals.parse(text)]
        except ValueError as error:
            wrong.append(f"{error} (row {row + 1})")
    faults.add("intervals that are none", wrong)
    return pd.DataFrame(rows, columns=["video", "label", "start", "end"])


def _classes(labels: pd.Series, beside: Beside, faults: Faults) -> list[str]:
    """All class names in the order of their labels: those that the .yaml lists, else those that occur."""
    faults.add("rows without a label", [f"row {row + 1}" for row, name in enumerate(labels) if not name.strip()])
    names = set(labels)
    if beside.classes is not None:
        unknown = sorted(name for name in names - set(beside.classes) if name.strip())
        faults.add(f"labels that are none of the {len(beside.classes)} classes listed", map(repr, unknown))
        return beside.classes
    # int() refuses very long numbers.
    numeric = all(name.isascii() and name.isdigit() and len(name) < 1000 for name in names)
    return sorted(names, key=(lambda name: (int(name), name)) if numeric else None)


def _skeleton(table: pd.DataFrame, faults: Faults) -> Skeleton | None:
    """The schema that most of a few pose files have, of those that can be read and show somebody; a clip with another
    is left out when it is read. The first readable one's where nobody is seen; ManifestError where none can be read."""
    paths = list(dict.fromkeys(table["pose"][table["pose"] != ""]))
    schemas: list[Skeleton] = []
    empty: list[Skeleton] = []
    problems: list[str] = []
    for path in paths:
        try:
            pose = next(iter(posefiles.read(path).values()))
        except ValueError as problem:
            problems.append(str(problem))
            continue
        (schemas if np.isfinite(pose.joints).any() else empty).append(pose.skeleton)
        if len(schemas) == VOTES:
            break
    if paths and not schemas and not empty:
        faults.add("not one pose file can be read; the first", problems[:1])
    votes = Counter(schemas or empty[:1])
    return votes.most_common(1)[0][0] if votes else None
