"""Files of poses, one a clip: each ending has its reader, which gives a Pose or raises ValueError naming the file.

A folder as OpenPose's --write_json fills it is a file of poses too.

The workbench's own layout is an npz, never unpickled, with

- ``joints`` float [T,V,3] or [M,T,V,3]: camera space in metres (x right in the image, y up, z away), NaN where a joint
  or body is missing;
- ``pixels`` float [T,V,2] or [M,T,V,2] (with or instead of ``joints``): the same joints in source pixels, y down;
- ``skeleton``: the name of a known schema (``Skeleton.names()``);
- ``confidence`` float [T,V] or [M,T,V] in [0,1] (optional).

T is the number of the video's frames. Of the other formats, recorders' files, see the readers; there a few frames more
or fewer than the video's are cut off or added as unknown at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.files.table_checks import read_arrays
from workbench.data.formats import coco, lcrnet, mediapipe, ntu_skeleton, openpose, people
from workbench.data.formats.pose_reader import FileReader, fitted
from workbench.media import video
from workbench.types import Pose, Skeleton


def read_npz(path: str | Path) -> tuple[Pose, ...]:
    """The workbench's own layout (see above): a Pose in camera space, in image space, or both."""
    return of_arrays(read_arrays(path, ("skeleton",), ("joints", "pixels", "confidence")), path)


def of_arrays(arrays: dict[str, np.ndarray], path: str | Path) -> tuple[Pose, ...]:
    """The poses in the arrays of such a file; ValueError naming ``path`` for what is no pose."""
    if not {"joints", "pixels"} & set(arrays):
        raise ValueError(f"{path} holds neither joints nor pixels")
    try:
        skeleton = Skeleton.named(str(arrays["skeleton"]))
        make = partial(_pose, skeleton=skeleton, confidence=arrays.get("confidence"))
        spaces = {"joints": ("camera", 3), "pixels": ("image", 2)}
        return tuple(make(arrays[name], name, *spaces[name]) for name in spaces if name in arrays)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _pose(
    values: np.ndarray, name: str, space: str, dimensions: int, skeleton: Skeleton, confidence: np.ndarray | None
) -> Pose:
    values = values[None] if values.ndim == 3 else values
    if values.ndim != 4 or values.shape[2:] != (skeleton.count, dimensions) or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must be numbers [T,V,{dimensions}] or [M,T,V,{dimensions}] with V={skeleton.count} joints "
            f"({skeleton.name}), got {values.dtype} {values.shape}"
        )
    if confidence is not None:
        confidence = (confidence[None] if confidence.ndim == 2 else confidence).astype(np.float32)
    return Pose(values.astype(np.float32), skeleton, space, np.arange(values.shape[1]), confidence)


#: The functions (path -> Pose or tuple of Poses, each of one space) that read what ends so. A new format is one line.
READERS: dict[str, tuple[Callable[..., Pose | tuple[Pose, ...]], ...]] = {
    ".npz": (read_npz,),
    ".skeleton": (ntu_skeleton.read_skeleton, ntu_skeleton.read_pixels),
    ".coco.json": (coco.read_skeleton,),
    ".openpose.json": (openpose.read_skeleton,),
    ".mediapipe.json": (mediapipe.read_poses,),
    ".lcrnet.json": (lcrnet.read_camera, lcrnet.read_pixels),
}

#: Those of detectors: the reader wants to know the video's number of frames and its (width, height).
OF_VIDEO = (".coco.json", ".openpose.json", ".mediapipe.json")


def read(path: str | Path, frames: int | None = None, size: tuple[float, float] | None = None) -> dict[str, Pose]:
    """The poses in ``path`` by space ("camera", "image"); ValueError naming the file where it can't be read.

    frames and size (width, height) are the video's, where they are known: detectors number frames in their own way, and
    some give shares of the picture.
    """
    if not kind(path):
        raise ValueError(f"{path}: poses are read from {KNOWN}")
    facts = {"frames": frames, "size": size} if kind(path) in OF_VIDEO else {}
    poses: dict[str, Pose] = {}
    for reader in READERS[kind(path)]:
        result = reader(path, **facts)
        poses |= {pose.space: pose for pose in (result if isinstance(result, tuple) else (result,))}
    return poses


def count(path: str | Path) -> int:
    """How many frames there are poses of; raises as ``read``."""
    return len(next(iter(read(path).values())).frame_numbers)


#: In words, what ``read`` reads.
KNOWN = f"files that end in {', '.join(READERS)}, or folders of OpenPose's <name>_<frame number>_keypoints.json"


def kind(path: str | Path) -> str:
    """The ending in ``READERS`` that says how ``path`` is read; "" for none."""
    return ".openpose.json" if openpose.is_folder(path) else ending(path)


def ending(path: str | Path) -> str:
    """The ending in ``READERS`` that the name has; "" for none."""
    return next((end for end in READERS if str(path).lower().endswith(end)), "")


@dataclass(frozen=True)
class PoseFiles(FileReader):
    """Reads the pose file of one clip (column ``pose``, "" where it has none); methods take a row of the table."""

    skeleton: Skeleton | None

    def pose(self, row: pd.Series) -> Pose | None:
        """Camera space, joints float32 [M,T,V,3]; None without a file, or where it has pixels only."""
        return self._load(row, "camera")

    def pixels(self, row: pd.Series) -> Pose | None:
        """Image space, joints float32 [M,T,V,2]; None without a file, or where it has none."""
        return self._load(row, "image")

    def doubt(self, row: pd.Series) -> str:
        """What can't be told of how the row's file is meant, "" where all can."""
        guessed = kind(row["pose"]) == ".coco.json" and coco.is_guess(row["pose"], int(row["frames"]))
        return people.GUESS if guessed else ""

    def _load(self, row: pd.Series, space: str) -> Pose | None:
        path = row["pose"]
        pose = read(path, int(row["frames"]), _size(row)).get(space) if path else None
        if pose is None:
            return None
        assert self.skeleton is not None  # a data set with pose files has one
        if pose.skeleton != self.skeleton and not np.isfinite(pose.joints).any():
            # Who found nobody may not tell in which joints.
            shape = 1, len(pose.frame_numbers), self.skeleton.count, pose.joints.shape[3]
            return Pose(np.full(shape, np.nan, np.float32), self.skeleton, pose.space, pose.frame_numbers)
        if pose.skeleton != self.skeleton:
            raise ValueError(f"{path} is a {pose.skeleton.name} skeleton, that of the data set is {self.skeleton.name}")
        if kind(path) != ".npz":
            return fitted(pose, int(row["frames"]), path)
        if len(pose.frame_numbers) != row["frames"]:
            raise ValueError(f"{path} has poses for {len(pose.frame_numbers)} frames, the video has {row['frames']}")
        return pose


def _size(row: pd.Series) -> tuple[int, int] | None:
    """(width, height) of the row's video, None where it has none."""
    if not row["video"]:
        return None
    info = video.ingest(row["video"])
    return info.width, info.height
