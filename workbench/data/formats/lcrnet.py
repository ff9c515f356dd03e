"""The JSON files of LCR-Net that come with Toyota Smarthome and TSU.

One object with ``K``, ``njts`` = 13 and ``frames``: for each video frame a list of detections, possibly empty, each
with ``pose2d`` (26 numbers) and ``pose3d`` (39 numbers) in planar order: x of all joints, then all y, then all z.
Source: dairui01/Toyota_Smarthome, Tools/Pose_Visualization.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workbench.data.files import jsons
from workbench.data.files.table_checks import read_arrays
from workbench.data.files.text import Damage
from workbench.data.formats.pose_reader import PoseReader
from workbench.types import Pose, Skeleton

SKELETON = Skeleton.named("lcrnet_13")
REFINED = Skeleton.named("smarthome_17")
JOINTS, MOST_PERSONS = 13, 64


def read_skeleton(path: str | Path) -> Pose:
    """The detections of one file of LCR-Net, exactly as stored; see ``read_camera`` for the direction of x.

    Args:
        path: the JSON file.

    Returns:
        A Pose in the network's own world space: joints float32 [M,T,13,3] in metres, y up, z away from the camera. M is
        the most detections of any frame, at least 1, in the order of the file, which is no identity; a frame without a
        detection is NaN.

    Raises:
        ValueError: anything else in the file, with file and frame.
    """
    return _pose(path, "pose3d", 3, "camera")


def read_pixels(path: str | Path) -> Pose:
    """As ``read_skeleton`` in image space: float32 [M,T,13,2], pixels of the 640 x 480 video, y down."""
    return _pose(path, "pose2d", 2, "image")


def read_camera(path: str | Path) -> Pose:
    """``read_skeleton`` with x to the right and y up in the picture, as camera space has it.

    LCR-Net's own demo shows its x axis pointing left. No document says which way the distributed files have it, but
    they hold the same joints in pixels: an axis that clearly runs against those (over the whole clip) is turned.
    """
    content = _content(path)
    deep, flat = _numbers(content, path, "pose3d", 3), _numbers(content, path, "pose2d", 2)
    agreement = [_agreement(deep[..., axis], flat[..., axis]) for axis in (0, 1)]
    signs = [-1 if agreement[0] < -0.5 else 1, -1 if agreement[1] > 0.5 else 1, 1]
    return Pose(deep * np.array(signs, np.float32), SKELETON, "camera", np.arange(deep.shape[1]))


def _agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of [M,T,V] within bodies, where known; 0 where there is nothing to compare."""
    finite = np.isfinite(first).all(axis=2) & np.isfinite(second).all(axis=2)
    pairs = [values[finite] - values[finite].mean(axis=1, keepdims=True) for values in (first, second)]
    scale = np.sqrt((pairs[0] ** 2).sum() * (pairs[1] ** 2).sum())
    return float((pairs[0] * pairs[1]).sum() / scale) if scale > 0 else 0.0


def read_refined(path: str | Path) -> Pose:
    """The refined 2D poses (SSTA): an npz with ``kpts`` [T,17,2], pixels -> float32 [1,T,17,2], image space."""
    joints = read_arrays(path, ("kpts",))["kpts"]
    if joints.ndim != 3 or joints.shape[1:] != (17, 2) or joints.dtype.kind not in "fiu" or not len(joints):
        raise ValueError(f"{path}: expected kpts [T,17,2], got {joints.dtype} {joints.shape}")
    return Pose(joints[None].astype(np.float32), REFINED, "image", np.arange(len(joints)))


def count_frames(path: str | Path) -> int:
    """How many frames the file has; ValueError naming it where it is none of LCR-Net's."""
    return len(_content(path))


def _pose(path: str | Path, key: str, axes: int, space: str) -> Pose:
    joints = _numbers(_content(path), path, key, axes)
    return Pose(joints, SKELETON, space, np.arange(joints.shape[1]))


def _content(path: str | Path) -> list:
    content = jsons.read(path)
    frames = jsons.member(content, "frames", list, str(path))
    if not isinstance(content.get("njts"), int) or content["njts"] != JOINTS:
        raise Damage(f"{path}: expected njts {JOINTS}, got {str(content.get('njts'))[:40]}")
    if not frames:
        raise Damage(f"{path} holds no frame")
    for frame, people in enumerate(frames):
        if not isinstance(people, list) or len(people) > MOST_PERSONS:
            raise Damage(f"{path}, frame {frame}: expected a list of up to {MOST_PERSONS} detections")
    return frames


def _numbers(frames: list, path: str | Path, key: str, axes: int) -> np.ndarray:
    joints = jsons.blank(max(map(len, frames)), len(frames), JOINTS, axes, path)
    for frame, people in enumerate(frames):
        for person, detection in enumerate(people):
            where = f"{path}, frame {frame}, detection {person}"
            planar = jsons.numbers(jsons.member(detection, key, list, where), axes * JOINTS, f"{where}, {key}")
            joints[person, frame] = planar.reshape(axes, JOINTS).T
    return joints


READER = PoseReader(read_camera, read_pixels)
