"""MediaPipe's 33 landmarks in JSON, as its results are written down: one entry a frame of the video, from the first on.

The file is that list, or an object with it in ``frames``. An entry is an object with ``pose_landmarks`` and, if there
are any, ``pose_world_landmarks``; or the landmarks alone; or null or an empty list where nobody is found. Landmarks are
33 objects ``{x, y, z, visibility}``, or a list of persons of 33 each; ``landmark`` may lie in between.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.files import jsons
from workbench.data.files.text import Damage
from workbench.data.formats.people import in_pixels
from workbench.data.formats.pose_reader import fitted
from workbench.types import Pose, Skeleton

SKELETON = Skeleton.named("mediapipe_33")
AXES = np.array([1, -1, 1], np.float32)


def read_poses(
    path: str | Path, frames: int | None = None, size: tuple[float, float] | None = None
) -> tuple[Pose, ...]:
    """In image space joints float32 [M,T,33,2] (of pose_landmarks: shares of the picture, in pixels where its ``size``,
    (width, height), is known), and, where the file has world landmarks, in camera space [M,T,33,3], metres from the
    middle of the hips (x right in the image, y up, z away from the camera). confidence is the visibility.

    T is ``frames``, where the video's are known, else the number of entries. ValueError naming file and entry if
    anything else is in the file.
    """
    content = jsons.read(path)
    entries = content.get("frames") if isinstance(content, dict) else content
    if not isinstance(entries, list) or not entries:
        raise Damage(f"{path}: expected a list with one entry of landmarks a frame")
    pictured = [_persons(entry, "pose_landmarks", f"{path}, entry {i}") for i, entry in enumerate(entries)]
    world = [_persons(entry, "pose_world_landmarks", f"{path}, entry {i}") for i, entry in enumerate(entries)]
    values, confidence = _arrays(pictured, path)
    poses = [Pose(in_pixels(values[..., :2], size), SKELETON, "image", np.arange(len(entries)), confidence)]
    if any(world):
        values, confidence = _arrays(world, path)
        poses.append(Pose(values * AXES, SKELETON, "camera", np.arange(len(entries)), confidence))
    return tuple(pose if frames is None else fitted(pose, frames, str(path)) for pose in poses)


def _persons(entry: Any, field: str, where: str) -> list[np.ndarray]:
    """float64 [33,4] of x, y, z and visibility of each person of a frame."""
    if isinstance(entry, dict) and "landmark" not in entry:
        entry = entry.get(field)
    elif field != "pose_landmarks":
        return []
    if not entry:
        return []
    entry = entry.get("landmark") if isinstance(entry, dict) else entry
    people = entry if isinstance(entry, list) and entry and isinstance(entry[0], list) else [entry]
    return [_landmarks(person, where) for person in people]


def _landmarks(person: Any, where: str) -> np.ndarray:
    if not isinstance(person, list) or len(person) != SKELETON.count or not all(isinstance(p, dict) for p in person):
        raise Damage(f"{where}: expected {SKELETON.count} landmarks with x, y, z and visibility")
    rows = [[point.get("x"), point.get("y"), point.get("z"), point.get("visibility", 1.0)] for point in person]
    return np.stack([jsons.numbers(row, 4, where) for row in rows])


def _arrays(people: list[list[np.ndarray]], path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """float32 [M,T,33,3] and confidence [M,T,33]."""
    most = max(1, *map(len, people))
    joints = jsons.blank(most, len(people), SKELETON.count, 3, path)
    confidence = np.zeros(joints.shape[:3], np.float32)
    for frame, persons in enumerate(people):
        for row, points in enumerate(persons):
            joints[row, frame] = points[:, :3]
            confidence[row, frame] = np.nan_to_num(points[:, 3]).clip(0, 1)
    return joints, confidence
