"""Files of poses, one a clip: each ending has its reader, which gives a Pose or raises ValueError naming the file.

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

from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np

from workbench.data.catalog import shown
from workbench.data.sources.official import fitted
from workbench.data.sources.tables import read_arrays
from workbench.types import Pose, Skeleton

#: ending: "module:function" of each function (path -> Pose or tuple of Poses, each of one space) that reads it. A new
#: format is one line.
READERS = {
    ".npz": ("workbench.data.sources.posefiles:read_npz",),
    ".skeleton": ("workbench.data.sources.ntu:read_skeleton", "workbench.data.sources.ntu:read_pixels"),
    ".coco.json": ("workbench.data.sources.coco:read_skeleton",),
    ".openpose.json": ("workbench.data.sources.openpose:read_skeleton",),
    ".lcrnet.json": ("workbench.data.sources.lcrnet:read_camera", "workbench.data.sources.lcrnet:read_pixels"),
}


def read(path: str | Path) -> dict[str, Pose]:
    """The poses in ``path`` by space ("camera", "image"); ValueError naming the file where it can't be read."""
    if not kind(path):
        raise ValueError(f"{path}: poses are read from files that end in {', '.join(READERS)}")
    poses = {}
    for name in READERS[kind(path)]:
        module, _, function = name.partition(":")
        found = getattr(import_module(module), function)(path)
        poses |= {pose.space: pose for pose in (found if isinstance(found, tuple) else (found,))}
    return poses


def kind(path: str | Path) -> str:
    """The ending in ``READERS`` that the name has; "" for none."""
    return next((ending for ending in READERS if str(path).lower().endswith(ending)), "")


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


@dataclass(frozen=True)
class PoseFiles:
    """Reads the pose file of one clip (column ``pose``, "" where it has none); methods take a row of the table."""

    skeleton: Skeleton | None

    def pose(self, row) -> Pose | None:
        """Camera space, joints float32 [M,T,V,3]; None without a file, or where it has pixels only."""
        return self._load(row, "camera")

    def pixels(self, row) -> Pose | None:
        """Image space, joints float32 [M,T,V,2]; None without a file, or where it has none."""
        return self._load(row, "image")

    def truth(self, row) -> None:
        return None

    def edges(self, row) -> np.ndarray:
        """As ``catalog.shown``: intervals in a manifest were read off a player."""
        return shown(row)

    def files(self, row) -> list[Path]:
        return [Path(row["video"])] + ([Path(row["pose"])] if row["pose"] else [])

    def _load(self, row, space: str) -> Pose | None:
        path = row["pose"]
        found = read(path).get(space) if path else None
        if found is None:
            return None
        if found.skeleton != self.skeleton:
            raise ValueError(
                f"{path} is a {found.skeleton.name} skeleton, the first pose file's is {self.skeleton.name}"
            )
        if kind(path) != ".npz":
            return fitted(found, int(row["frames"]), path)
        if len(found.frame_numbers) != row["frames"]:
            raise ValueError(f"{path} has poses for {len(found.frame_numbers)} frames, the video has {row['frames']}")
        return found
