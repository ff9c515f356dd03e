"""The skeleton text of Cornell's CAD-60 and CAD-120, and their folders' ``activityLabel.txt``.

One line a frame, comma separated with a trailing comma: frame number; of joints 1 to 11 nine numbers of orientation,
their confidence, x, y, z, confidence; of joints 12 to 15 x, y, z, confidence; 171 numbers. The last line is END.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workbench.data.files.text import Damage, load, table
from workbench.data.sources import official
from workbench.types import Pose, Skeleton

SKELETON = Skeleton.named("cad_15")
WIDTH = 1 + 11 * 14 + 4 * 4
_FIRST = np.array([1 + 14 * joint + 10 for joint in range(11)] + [1 + 11 * 14 + 4 * joint for joint in range(4)])


def read_skeleton(path: str | Path) -> Pose:
    """The body of one skeleton file of CAD-60 or CAD-120.

    Args:
        path: the file, in millimetres.

    Returns:
        A Pose in camera space: joints float32 [1,T,15,3] in metres, x right, y up, z away; confidence float32 [1,T,15]
        in [0,1].

    Raises:
        Damage: a ValueError, of anything but the format in the file, with file and line.
    """
    values = _lines(path)
    places = _FIRST[:, None] + np.arange(4)
    points = values[:, places]
    confidence = points[..., 3]
    if not ((confidence >= 0) & (confidence <= 1)).all():
        row = int(np.flatnonzero(~((confidence >= 0) & (confidence <= 1)).all(axis=1))[0])
        raise Damage(f"{path}, line {row + 1}: expected confidences in [0, 1]")
    joints = (points[..., :3] / 1000).astype(np.float32)
    return Pose(joints[None], SKELETON, "camera", np.arange(len(joints)), confidence[None].astype(np.float32))


def count_frames(path: str | Path) -> int:
    """How many frames the file has."""
    return len(_frames(path))


def _frames(path: str | Path) -> list[bytes]:
    lines = load(path).rstrip().splitlines()
    if not lines or lines[-1].strip().rstrip(b",") != b"END":
        raise Damage(f"{path}, line {max(len(lines), 1)}: expected END, the file is cut off")
    if len(lines) == 1:
        raise Damage(f"{path} holds no frame")
    return lines[:-1]


def _lines(path: str | Path) -> np.ndarray:
    values = table(path, _frames(path), WIDTH)
    steps = np.flatnonzero(~(np.diff(values[:, 0]) > 0))
    if len(steps):
        raise Damage(f"{path}, line {steps[0] + 2}: expected a frame number above the one of the line before")
    return values


def activities(root: Path) -> dict[str, str]:
    """Activity by sequence id, from every ``activityLabel.txt`` below ``root``."""
    found = {}
    for path in official.walk(root, ("activitylabel.txt",)):
        for line in load(path).decode("utf-8", "replace").splitlines():
            fields = [field.strip() for field in line.split(",")]
            if len(fields) >= 2 and fields[0].isdigit():
                found[fields[0]] = fields[1]
    return found


READER = official.PoseReader(read_skeleton)
