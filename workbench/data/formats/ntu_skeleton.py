"""The .skeleton text of NTU RGB+D: the joints of up to six bodies a frame, as Kinect's recorder wrote them.

Source of the format: shahroudy/NTURGB-D, Matlab/read_skeleton_file.m.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from safefiles.reading import present
from workbench.data.files.text import Tokens
from workbench.data.formats.pose_reader import PoseReader
from workbench.types import Pose, Skeleton

KINECT = Skeleton.named("kinect_v2")
JOINTS, FIELDS, BODY_FIELDS, MOST_BODIES = 25, 12, 10, 6

#: Confidence of a tracking state: 0 not tracked, 1 inferred, 2 tracked.
TRACKED = np.array([0.0, 0.5, 1.0], np.float32)


def read_skeleton(path: str | Path, bodies: str = "order") -> Pose:
    """The bodies of one .skeleton file of NTU RGB+D.

    Args:
        path: the file.
        bodies: "order" puts the first body of each frame into row 0, the second into row 1, as the official reader and
            2s-AGCN do; "identity" keeps a body that goes by the same id in its row, and a new id goes on in the free
            row whose last body was nearest.

    Returns:
        A Pose in camera space: joints float32 [M,T,25,3] in metres, x right in the (mirrored) picture, y up, z away;
        confidence float32 [M,T,25], 1 tracked, 0.5 inferred, 0 not tracked. M is the most bodies of any frame, at least
        1; a body that a frame lacks is NaN, as is what the file calls NaN.

    Raises:
        ValueError: anything else in the file, with file and line, or another ``bodies``.
    """
    joints, states = _read(path, bodies)
    return Pose(joints[..., :3], KINECT, "camera", np.arange(joints.shape[1]), states)


def read_pixels(path: str | Path, bodies: str = "order") -> Pose:
    """As ``read_skeleton`` in image space: float32 [M,T,25,2], pixels of the 1920 x 1080 colour picture, y down."""
    joints, states = _read(path, bodies)
    return Pose(joints[..., 5:7], KINECT, "image", np.arange(joints.shape[1]), states)


def count_frames(path: str | Path) -> int:
    """How many frames the file says it has; ValueError naming it where that is no number above 0."""
    present(path)
    with open(path, "rb") as file:
        first = file.readline(64).strip()
    if not first.isdigit() or not int(first):
        raise ValueError(f"{path}, line 1: expected a number of frames, got {first.decode('ascii', 'replace')!r}")
    return int(first)


def _read(path: str | Path, bodies: str) -> tuple[np.ndarray, np.ndarray]:
    """float32 [M,T,25,7] (x y z, depth x y, colour x y), and float32 [M,T,25] confidence."""
    if bodies not in ("order", "identity"):
        raise ValueError(f"bodies must be order or identity, got {bodies!r}")
    tokens = Tokens(path)
    starts, ids = _structure(tokens)
    rows = np.concatenate([np.zeros((0, FIELDS)), *(_body(tokens, start) for start, _, _ in starts)])
    rows = rows.reshape(len(starts), JOINTS, FIELDS)
    frames = np.array([frame for _, frame, _ in starts], int)
    slots = np.array([slot for _, _, slot in starts], int)
    if bodies == "identity":
        slots = _follow(rows[..., :3].mean(axis=1), frames, [name for frame in ids for name in frame])
    shape = (max(slots, default=0) + 1, len(ids), JOINTS)
    joints, states = np.full((*shape, 7), np.nan, np.float32), np.zeros(shape, np.float32)
    joints[slots, frames] = rows[..., :7]
    states[slots, frames] = TRACKED[rows[..., 11].astype(int)]
    return joints, states


def _structure(tokens: Tokens) -> tuple[list[tuple[int, int, int]], list[list[str]]]:
    """Where the joints of each body begin, its frame and its place in the frame; and the ids by frame."""
    starts, ids = [], []
    count = tokens.integer(0, 1, 100_000, "a number of frames")
    position = 1
    for frame in range(count):
        bodies = tokens.integer(position, 0, MOST_BODIES, f"the number of bodies in frame {frame + 1} of {count}")
        position, names = position + 1, []
        for slot in range(bodies):
            names.append(tokens.word(position))
            position += BODY_FIELDS
            tokens.integer(position, JOINTS, JOINTS, "the number of joints")
            starts.append((position + 1, frame, slot))
            position += 1 + JOINTS * FIELDS
        ids.append(names)
    tokens.end(position)
    return starts, ids


def _body(tokens: Tokens, start: int) -> np.ndarray:
    rows = tokens.numbers(start, JOINTS * FIELDS).reshape(JOINTS, FIELDS)
    wrong = np.flatnonzero(~np.isin(rows[:, 11], (0, 1, 2)))
    if len(wrong):
        raise tokens.damage(start + int(wrong[0]) * FIELDS + 11, "a tracking state of 0, 1 or 2")
    return rows


def _follow(centres: np.ndarray, frames: np.ndarray, names: list[str]) -> np.ndarray:
    """The row of each body [n]: that of its id, or, for a new id, the free one whose last body was nearest."""
    rows = np.zeros(len(names), int)
    owner: dict[str, int] = {}
    last: list[np.ndarray] = []
    for frame in np.unique(frames):
        present, taken, new = np.flatnonzero(frames == frame), set(), []
        for body in present:
            row = owner.get(names[body])
            if row is None or row in taken:
                new.append(body)
            else:
                taken.add(row)
                rows[body] = row
        for body in new:
            rows[body] = owner[names[body]] = _free_row(centres[body], last, taken)
            taken.add(rows[body])
        for body in present:
            last += [centres[body]] * (rows[body] + 1 - len(last))
            last[rows[body]] = centres[body]
    return rows


def _free_row(centre: np.ndarray, last: list[np.ndarray], taken: set[int]) -> int:
    free = [row for row in range(len(last)) if row not in taken]
    if not free:
        return max([*taken, len(last) - 1], default=-1) + 1
    return min(free, key=lambda row: np.nan_to_num(np.linalg.norm(last[row] - centre), nan=np.inf))


READER = PoseReader(partial(read_skeleton, bodies="identity"), partial(read_pixels, bodies="identity"))
