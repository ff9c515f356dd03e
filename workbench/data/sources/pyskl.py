"""Pickles of MMAction2 and PySKL: a whole data set of poses in one file.

``{split: {name: [ids]}, annotations: [{frame_dir, label, keypoint [M,T,V,C], total_frames, keypoint_score [M,T,V] (2D),
img_shape or original_shape (2D)}]}``. 2D poses (C = 2) are in pixels, 3D ones (C = 3, Kinect v2) in metres. Read by the
restricted unpickler (see unpickling.py).

Protocols are what the names of the splits say: ``xsub`` of ``xsub_train`` and ``xsub_val``; ``split`` of plain
``train`` and ``val``. What the file calls val is what these libraries report, so it is the test part, unless there is a
test too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.data.catalog import Dataset
from workbench.data.sources import facts, official, unpickling
from workbench.types import Pose, Skeleton, Truth

#: Schemas by (joints, coordinates).
SKELETONS = {
    (17, 2): "coco_17",
    (18, 2): "openpose_18",
    (25, 2): "openpose_25",
    (25, 3): "kinect_v2",
    (20, 3): "kinect_v1",
}
MOST = 100_000_000


def read_skeleton(annotation: dict, where: str) -> Pose:
    """One entry of ``annotations`` -> joints float32 [M,T,V,C]: image space with confidence, or camera space (C = 3).

    A joint of confidence 0, and a body that is all zero in a frame, is NaN. ValueError beginning with ``where``
    otherwise.
    """
    if not isinstance(annotation, dict) or "keypoint" not in annotation:
        raise ValueError(f"{where} has no keypoint")
    joints = unpickling.array(annotation["keypoint"], f"{where}, keypoint,")
    if joints.ndim != 4 or joints.shape[2:] not in SKELETONS or not joints.size or joints.size > MOST:
        known = ", ".join(f"{v} x {c}" for v, c in SKELETONS)
        raise ValueError(f"{where}: expected keypoint [M,T,V,C] with V x C one of {known}, got {joints.shape}")
    skeleton = Skeleton.named(SKELETONS[joints.shape[2:]])
    joints = np.where((joints == 0).all(axis=(2, 3), keepdims=True), np.nan, joints)
    confidence = None
    if annotation.get("keypoint_score") is not None:
        confidence = unpickling.array(annotation["keypoint_score"], f"{where}, keypoint_score,")
        if confidence.shape != joints.shape[:3]:
            raise ValueError(f"{where}: expected keypoint_score {joints.shape[:3]}, got {confidence.shape}")
        joints = np.where(confidence[..., None] > 0, joints, np.nan)
        confidence = np.nan_to_num(confidence).clip(0, 1).astype(np.float32)
    space = "camera" if joints.shape[3] == 3 else "image"
    with np.errstate(over="ignore"):
        joints = joints.astype(np.float32)
    if np.isinf(joints).any():
        raise ValueError(f"{where}: keypoint holds numbers that can't be coordinates")
    return Pose(joints, skeleton, space, np.arange(joints.shape[1]), confidence)


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the pickle."""
    if root is None:
        raise ValueError("the data set 'pyskl' needs root: the path of a pickle of MMAction2 or PySKL")
    path = Path(root)
    if not path.is_file():
        raise FileNotFoundError(f"no pickle at {path}")
    splits, annotations = _load(str(path.absolute()), path.stat().st_mtime_ns)
    protocol = official.choose(str(path), protocol, _protocols(splits))
    parts = _parts(splits, protocol)
    labels = [annotation["label"] for annotation in annotations.values()]
    rows = [
        {
            "id": name,
            "video": "",
            "label": annotation["label"],
            "split": parts.get(name, "unused"),
            "frames": annotation["total_frames"],
            "fps": 30.0,
            "problem": "",
        }
        for name, annotation in annotations.items()
        if split in (parts.get(name, "unused"), "all")
    ]
    columns = ["id", "video", "label", "split", "frames", "fps", "problem"]
    first = read_skeleton(next(iter(annotations.values())), f"{path}, annotation 0")
    # The other files of these libraries that have 3D joints are of NTU too: Kinect's pictures are mirrored.
    mirrored = first.space == "camera"
    classes = _classes(max(labels) + 1)
    table = pd.DataFrame(rows, columns=columns)
    return Dataset("pyskl", classes, first.skeleton, table, Annotations(path, annotations), protocol, split, mirrored)


def _classes(count: int) -> list[str]:
    """Names where the number of classes is that of NTU; the files have none."""
    if count in (60, 120):
        return list(facts.classes("ntu120").values())[:count]
    return [f"class {label}" for label in range(count)]


@lru_cache(maxsize=1)
def _load(path: str, changed: int) -> tuple[dict[str, list[str]], dict[str, dict]]:
    """Ids by name of split, annotations by id: checked as far as the table needs it."""
    content = unpickling.load(path)
    splits = content.get("split") if isinstance(content, dict) else None
    annotations = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(splits, dict) or not isinstance(annotations, list) or not annotations:
        raise ValueError(f"{path}: expected a pickle with split and annotations")
    for name, ids in splits.items():
        if not isinstance(name, str) or not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
            raise ValueError(f"{path}: expected lists of ids in split, by name")
    return splits, dict(_checked(annotation, f"{path}, annotation {i}") for i, annotation in enumerate(annotations))


def _checked(annotation: Any, where: str) -> tuple[str, dict]:
    wanted = (("frame_dir", str), ("label", int), ("total_frames", int))
    if not isinstance(annotation, dict) or not all(type(annotation.get(key)) is kind for key, kind in wanted):
        raise ValueError(f"{where}: expected frame_dir, label and total_frames")
    if not 0 <= annotation["label"] < 100_000 or not 0 < annotation["total_frames"] < 10_000_000:
        raise ValueError(f"{where}: label {annotation['label']} and {annotation['total_frames']} frames can't be")
    return annotation["frame_dir"], annotation


def _protocols(splits: dict[str, list[str]]) -> list[str]:
    return list(dict.fromkeys(name.rpartition("_")[0] or "split" for name in splits))


def _parts(splits: dict[str, list[str]], protocol: str) -> dict[str, str]:
    """Part by id; an id in several keeps the last, and the test part comes last."""
    prefix = "" if protocol == "split" else f"{protocol}_"
    named = {name.removeprefix(prefix): ids for name, ids in splits.items() if name.startswith(prefix)}
    val = "validation" if "test" in named else "test"
    order = (("train", "train"), ("val", val), ("test", "test"))
    return {id: part for name, part in order for id in named.get(name, [])}


@dataclass(frozen=True, repr=False)
class Annotations:
    """Reads the entry of one clip; every method takes a row of the table."""

    path: Path
    entries: dict[str, dict]

    def pose(self, row: pd.Series) -> Pose | None:
        """Camera space, joints float32 [M,T,V,3], of a file with 3D joints."""
        return self._of_space(row, "camera")

    def pixels(self, row: pd.Series) -> Pose | None:
        """Image space, joints float32 [M,T,V,2], of a file with 2D joints."""
        return self._of_space(row, "image")

    def truth(self, row: pd.Series) -> Truth | None:
        return None

    def files(self, row: pd.Series) -> list[Path]:
        return [self.path]

    def _of_space(self, row: pd.Series, space: str) -> Pose | None:
        pose = read_skeleton(self.entries[row["id"]], f"{self.path}, {row['id']}")
        return official.fitted(pose, int(row["frames"]), f"{self.path}, {row['id']},") if pose.space == space else None
