"""Pickles of MMAction2 and PySKL: a whole data set of poses in one file.

``{split: {name: ids}, annotations: [{frame_dir, label, keypoint [M,T,V,C], total_frames, keypoint_score [M,T,V] (2D),
img_shape or original_shape (2D)}]}``. 2D poses (C = 2) are in pixels, 3D ones (C = 3) in metres, of the schemas in
``SKELETONS``. Lists may be tuples or arrays, numbers arrays of one. Entries that are not so are left out and named;
ids that differ in a video's suffix or folder alone are taken for the same, and it is said. Read by the restricted
unpickler (see files/unpickling.py).

Protocols are what the names of the splits say: ``xsub`` of ``xsub_train`` and ``xsub_val``; ``split`` of plain
``train`` and ``val``. What the file calls val is what these libraries report, so it is the test part, unless there is a
test too.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.data.catalog import PARTS
from workbench.data.dataset import Dataset, Reader
from workbench.data.files import facts, unpickling
from workbench.data.files.text import ABSURD
from workbench.data.formats.pose_reader import TOLERANCE, fitted
from workbench.data.sources import official
from workbench.types import Pose, Skeleton

#: Schemas by (joints, coordinates).
SKELETONS = {
    (13, 2): "lcrnet_13",
    (13, 3): "lcrnet_13",
    (17, 2): "coco_17",
    (18, 2): "openpose_18",
    (25, 2): "openpose_25",
    (25, 3): "kinect_v2",
    (20, 3): "kinect_v1",
    (33, 2): "mediapipe_33",
    (33, 3): "mediapipe_33",
    # Joints that go on after those of COCO.
    (26, 2): "coco_17",
    (133, 2): "coco_17",
    (136, 2): "coco_17",
}
#: How names of videos end.
SUFFIXES = (".mp4", ".avi", ".mkv", ".webm", ".mov", ".skeleton", ".m4v", ".mpg")
MOST = 100_000_000


@dataclass(frozen=True, repr=False)
class Entry:
    """One entry that was checked: axes is 2 or 3, fields the entry itself."""

    id: str
    label: int
    frames: int
    skeleton: Skeleton
    axes: int
    fields: dict


def read_skeleton(annotation: dict, where: str) -> Pose:
    """The bodies of one entry of ``annotations``.

    Args:
        annotation: the entry. Of 26, 133 and 136 joints the 17 of COCO are read; three numbers a joint of a 2D schema
            are x, y and confidence.
        where: what the entry is called in messages.

    Returns:
        A Pose: joints float32 [M,T,V,C], in image space with confidence or, where C is 3, in camera space. A joint of
        confidence 0, and a body that is all zero in a frame, is NaN.

    Raises:
        ValueError: anything else in the entry.
    """
    if not isinstance(annotation, dict) or "keypoint" not in annotation:
        raise ValueError(f"{where} has no keypoint")
    skeleton, axes, _ = _layout(annotation, where)
    values = unpickling.array(annotation["keypoint"], f"{where}, keypoint,")
    joints = values[..., :axes]
    joints = np.where((joints == 0).all(axis=(2, 3), keepdims=True), np.nan, joints)
    confidence = _scores(annotation, joints.shape[:3], where)
    if confidence is None and values.shape[3] > axes:
        confidence = values[..., axes]
    if confidence is not None:
        joints = np.where(confidence[..., None] > 0, joints, np.nan)
        confidence = np.nan_to_num(confidence).clip(0, 1).astype(np.float32)[:, :, : skeleton.count]
    joints = joints[:, :, : skeleton.count]
    with np.errstate(over="ignore"):
        joints = joints.astype(np.float32)
    if np.isinf(joints).any():
        raise ValueError(f"{where}: keypoint holds numbers that can't be coordinates")
    return Pose(joints, skeleton, "camera" if axes == 3 else "image", np.arange(joints.shape[1]), confidence)


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the pickle."""
    if root is None:
        raise ValueError("the data set 'pyskl' needs root: the path of a pickle of MMAction2 or PySKL")
    path = Path(root)
    if not path.is_file():
        raise FileNotFoundError(f"no pickle at {path}")
    splits, entries = _load(str(path.absolute()), path.stat().st_mtime_ns)
    protocol = official.choose(str(path), protocol, {name.rpartition("_")[0] or "split": 0 for name in splits})
    parts = _parts(splits, protocol)
    ((skeleton, axes), _) = Counter((entry.skeleton, entry.axes) for entry in entries.values()).most_common(1)[0]
    rows = []
    for name, entry in entries.items():
        usual = (entry.skeleton, entry.axes) == (skeleton, axes)
        problem = "" if usual else f"{path}, {name}: other joints than the {skeleton.name} in {axes}D of most clips"
        if split in (part := parts.get(name, "unused"), "all"):
            rows.append((name, "", entry.label, part, entry.frames, 30.0, problem))
    classes = _classes(max(entry.label for entry in entries.values()) + 1)
    table = pd.DataFrame(rows, columns=["id", "video", "label", "split", "frames", "fps", "problem"])
    # The other files of these libraries that have 3D joints are of NTU too: Kinect's pictures are mirrored.
    mirrored = axes == 3
    return Dataset("pyskl", classes, skeleton, table, Annotations(path, entries), protocol, split, mirrored)


def _classes(count: int) -> list[str]:
    """Names where the number of classes is that of NTU; the files have none."""
    if count in (60, 120):
        return list(facts.classes("ntu120").values())[:count]
    return [f"class {label}" for label in range(count)]


@lru_cache(maxsize=1)
def _load(path: str, changed: int) -> tuple[dict[str, list[str]], dict[str, Entry]]:
    """Ids by name of split and good entries by id: checked as far as the table and the arrays tell. Says which entries
    are left out; ValueError if none is good."""
    content = unpickling.load(path)
    splits = content.get("split") if isinstance(content, dict) else None
    annotations = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(splits, dict) or not isinstance(annotations, list | tuple) or not len(annotations):
        raise ValueError(f"{path}: expected a pickle with split and annotations")
    parts = {name: _ids(ids, name, path) for name, ids in splits.items()}
    entries, bad, left_out = {}, [], set()
    for number, annotation in enumerate(annotations):
        where = f"{path}, annotation {number}"
        try:
            entry = _entry(annotation, where)
            if entry.id in entries:
                raise ValueError(f"{where}: {entry.id!r} is there twice")
            entries[entry.id] = entry
        except ValueError as problem:
            bad.append(str(problem).removeprefix(f"{path}, "))
            left_out |= {str(annotation.get("frame_dir"))} if isinstance(annotation, dict) else set()
    if not entries:
        raise ValueError(f"{path}: not one of its {len(bad)} annotations can be used; {bad[0]}")
    if bad:
        text = f"{path}: {len(bad)} of {len(annotations)} left out: {'; '.join(bad[:10])}"
        warnings.warn(text + (f"; and {len(bad) - 10} more" if len(bad) > 10 else ""), official.LeftOut, stacklevel=2)
    return _named_alike(parts, entries, left_out, path), entries


def _ids(ids: Any, name: Any, path: str) -> list[str]:
    names = unpickling.plain(ids)
    if not isinstance(name, str) or not isinstance(names, list | tuple) or not all(isinstance(id, str) for id in names):
        raise ValueError(f"{path}: expected lists of ids in split, by name, got {name!r} with {str(names)[:60]}")
    return list(names)


def _entry(annotation: Any, where: str) -> Entry:
    """One entry, checked; ValueError beginning with ``where``."""
    if not isinstance(annotation, dict):
        raise ValueError(f"{where}: expected an object with frame_dir, label and keypoint")
    id, label = annotation.get("frame_dir", annotation.get("filename")), _single(annotation.get("label"))
    if not isinstance(id, str) or not id:
        raise ValueError(f"{where}: expected frame_dir with its name, got {str(id)[:40]!r}")
    where = f"{where} ({id})"
    if type(label) is not int or not 0 <= label < 100_000:
        raise ValueError(f"{where}: expected one label from 0 on, got {str(unpickling.plain(label))[:40]!r}")
    skeleton, axes, shape = _layout(annotation, where)
    frames = _single(annotation.get("total_frames", shape[1]))
    if type(frames) is not int or not 0 < frames < 10_000_000:
        raise ValueError(f"{where}: {str(frames)[:40]} frames can't be")
    if abs(frames - shape[1]) > max(TOLERANCE, 0.02 * frames):
        raise ValueError(f"{where}: total_frames says {frames}, keypoint has {shape[1]} frames")
    _check_values(annotation, shape, where)
    return Entry(id, label, frames, skeleton, axes, annotation)


def _check_values(annotation: dict, shape: tuple[int, ...], where: str) -> None:
    """ValueError beginning with ``where`` if a number can't be a coordinate, scores don't fit, or nobody is seen."""
    values = unpickling.plain_array(annotation["keypoint"], f"{where}, keypoint,")
    if np.isinf(values).any() or (values.dtype.itemsize > 2 and (np.abs(values) >= ABSURD).any()):
        raise ValueError(f"{where}: keypoint holds numbers that can't be coordinates")
    visible = np.isfinite(values).all(axis=3) & (values != 0).any(axis=3)
    if (scores := _scores(annotation, shape[:3], where)) is not None:
        visible &= scores > 0
    if not visible.any():
        raise ValueError(f"{where}: no joint of any person is known in any frame")


def _scores(annotation: dict, shape: tuple[int, ...], where: str) -> np.ndarray | None:
    """keypoint_score; None where the entry has none, ValueError where it isn't of this shape."""
    if annotation.get("keypoint_score") is None:
        return None
    scores = unpickling.plain_array(annotation["keypoint_score"], f"{where}, keypoint_score,")
    if scores.shape != shape:
        raise ValueError(f"{where}: expected keypoint_score {shape}, got {scores.shape}")
    return scores


def _single(value: Any) -> Any:
    """The number of an array or list of one; anything else as it is."""
    value = unpickling.plain(value)
    while isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return value


def _layout(annotation: dict, where: str) -> tuple[Skeleton, int, tuple[int, ...]]:
    """(schema, coordinates of a joint, shape of keypoint)."""
    shape = np.shape(unpickling.plain_array(annotation.get("keypoint"), f"{where}, keypoint,"))
    axes = shape[3] if len(shape) == 4 else 0
    scored = annotation.get("keypoint_score") is None and axes == 3 and (shape[2], 3) not in SKELETONS
    layout = (shape[2], 2 if scored else axes) if len(shape) == 4 else None
    if layout not in SKELETONS or 0 in shape or np.prod(shape) > MOST:
        layouts = ", ".join(f"{v} x {c}" for v, c in SKELETONS)
        raise ValueError(f"{where}: expected keypoint [M,T,V,C] with V x C one of {layouts}, got {shape}")
    return Skeleton.named(SKELETONS[layout]), layout[1], shape


def _named_alike(
    splits: dict[str, list[str]], entries: dict[str, Entry], bad: set[str], path: str
) -> dict[str, list[str]]:
    """``splits`` with the ids that entries have: where only one side has suffixes of videos, or folders, these don't
    count. A warning says so, and how many ids have no entry; those of ``bad`` ones are told already."""
    missing = {id for ids in splits.values() for id in ids} - set(entries)
    if not missing:
        return splits
    by_stem = defaultdict(list)
    for id in entries:
        by_stem[_stem(id)].append(id)
    renamed = {id: by_stem[_stem(id)][0] for id in missing if len(by_stem[_stem(id)]) == 1}
    if renamed:
        first = sorted(renamed)[0]
        example = f"{first!r} for {renamed[first]!r}"
        text = f"{path}: {len(renamed)} ids of its splits are taken for entries of like name, as {example}"
        warnings.warn(text, official.LeftOut, stacklevel=4)
    gone = sorted(missing - set(renamed) - bad)
    if gone:
        official.left_out(path, gone, "are in its splits and not among its annotations")
    return {name: [renamed.get(id, id) for id in ids] for name, ids in splits.items()}


def _stem(id: str) -> str:
    name = id.replace("\\", "/").rsplit("/", 1)[-1]
    return name[: -len(suffix)] if (suffix := next((s for s in SUFFIXES if name.lower().endswith(s)), "")) else name


def _parts(splits: dict[str, list[str]], protocol: str) -> dict[str, str]:
    """Part by id; an id in several keeps the last, and the test part comes last."""
    prefix = "" if protocol == "split" else f"{protocol}_"
    named = {PARTS.get(name.removeprefix(prefix)): ids for name, ids in splits.items() if name.startswith(prefix)}
    val = "validation" if "test" in named else "test"
    order = (("train", "train"), ("validation", val), ("test", "test"))
    return {id: part for name, part in order for id in named.get(name, [])}


@dataclass(frozen=True, repr=False)
class Annotations(Reader):
    """Reads the entry of one clip; every method takes a row of the table."""

    path: Path
    entries: dict[str, Entry]

    def pose(self, row: pd.Series) -> Pose | None:
        """Camera space, joints float32 [M,T,V,3], of a file with 3D joints."""
        return self._of_space(row, "camera")

    def pixels(self, row: pd.Series) -> Pose | None:
        """Image space, joints float32 [M,T,V,2], of a file with 2D joints."""
        return self._of_space(row, "image")

    def files(self, row: pd.Series) -> list[Path]:
        """The one file of all clips."""
        return [self.path]

    def _of_space(self, row: pd.Series, space: str) -> Pose | None:
        pose = read_skeleton(self.entries[row["id"]].fields, f"{self.path}, {row['id']}")
        return fitted(pose, int(row["frames"]), f"{self.path}, {row['id']},") if pose.space == space else None
