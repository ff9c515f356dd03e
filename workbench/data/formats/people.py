"""What 2D detectors write: persons in frames that they number in their own way. Here they get their places in videos.

Frames of a Pose count from 0. Files count from 0 or from 1, and tell it or not; where a file does not, what is known of
the video decides, and where that does not either, the habit of the programs that name frames so (``_stated_number``).
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.files import jsons
from workbench.data.files.text import Damage
from workbench.data.formats.pose_reader import fitted
from workbench.types import Pose, Skeleton

MOST_PERSONS, MOST_FRAMES = 64, 1_000_000

#: The joints of COCO come first where detectors find more of a body (Halpe 26 and 136, COCO-WholeBody 133).
WIDER = {17: "coco_17", 26: "coco_17", 133: "coco_17", 136: "coco_17"}


#: What is said where only habit tells which frame is the first.
GUESS = "the names of frames are padded with zeros and none is 0: taken to count from 1, but they may count from 0"


class PoseNote(UserWarning):
    """How files of poses were read, where they may be meant in another way too."""


@dataclass(frozen=True)
class People:
    """rows: (the frame's number, float [V,3] of x, y and confidence, the number of the track) of each person, as the
    file has them; the track is None where the file follows nobody, or not this one.

    listed are the numbers of all frames that the file speaks of, also of those that show nobody; None where it names
    only frames with persons. first is the number of the video's first frame: None where the file does not say.
    padded: frames are named with zeros in front, as "frame_000004.png".
    """

    rows: Sequence[tuple[int, np.ndarray, int | None]]
    skeleton: Skeleton
    listed: Sequence[int] | None = None
    first: int | None = None
    padded: bool = False

    @property
    def numbers(self) -> Sequence[int]:
        """Of the frames that the file names."""
        return [number for number, _, _ in self.rows] if self.listed is None else self.listed


def placed(
    people: People, path: str | Path, frames: int | None = None, size: tuple[float, float] | None = None
) -> Pose:
    """The persons on the ``frames`` frames of a video (None: up to the last that is named), in image space.

    joints float32 [M,T,V,2], NaN where a joint has no confidence and where nobody is. M: one body for each track, if
    the file has tracks; others, the most of any frame, follow in the order of the file, which is no identity. Shares of
    the picture become pixels by its ``size`` (width, height); without it they stay shares. Damage naming ``path`` where
    frames are named that the video has not.
    """
    numbers = people.numbers
    if not numbers and frames is None:
        raise Damage(f"{path} holds no person")
    stated = _stated_number(people, frames)
    first = int(people.padded) if stated is None else stated
    if frames is not None and is_guess(people, frames):
        warnings.warn(f"poses in {Path(str(path)).parent}: {GUESS}", PoseNote, stacklevel=4)
    total = max(numbers, default=first) - first + 1
    if total > MOST_FRAMES:
        raise Damage(f"{path} names frame {max(numbers)}, more than a video has")
    if min(numbers, default=first) < first:
        raise Damage(f"{path} names frame {min(numbers)}, and its frames count from {first}")
    # A file that names frames with persons only says nothing of what follows the last of them.
    total = max(total, frames or 0) if people.listed is None else total
    pose = _pose(people, first, total, path, size)
    return pose if frames is None else fitted(pose, frames, str(path))


def is_guess(people: People, frames: int | None) -> bool:
    """Whether it is habit alone that tells where the padded numbers of ``people`` count from: with ``frames`` in the
    video they may as well count from 0."""
    return people.padded and _stated_number(people, frames) is None


def _stated_number(people: People, frames: int | None) -> int | None:
    """The number that the file gives to the video's first frame.

    What the format says; else 0 where a frame is called 0; else 1 where the last frame that is named is the
    ``frames``-th and so can't count from 0. A file that lists as many frames as there are, or fewer, and numbers that
    no video of this length has, begins with the smallest. What is left, None, is habit: ffmpeg, which pads numbers with
    zeros, counts from 1; all others count from 0.
    """
    lowest, highest = min(people.numbers, default=0), max(people.numbers, default=0)
    if people.first is not None and (frames is None or highest - people.first < frames or people.listed is None):
        return people.first
    if lowest == 0:
        return 0
    if frames is not None and highest == frames:
        return 1
    if people.listed is not None and (lowest == 1 or (frames is not None and highest - lowest < frames <= highest)):
        return lowest
    return None


def _pose(people: People, first: int, total: int, path: str | Path, size: tuple[float, float] | None) -> Pose:
    rows = _bodies(people)
    if max(rows, default=0) >= MOST_PERSONS:
        raise Damage(f"{path} has {max(rows) + 1} persons")
    joints = jsons.blank(max(rows, default=0) + 1, total, people.skeleton.count, 2, path)
    confidence = np.zeros(joints.shape[:3], np.float32)
    for row, (number, points, _) in zip(rows, people.rows, strict=True):
        certain = np.nan_to_num(points[:, 2]).clip(0, 1)
        joints[row, number - first] = np.where(certain[:, None] > 0, points[:, :2], np.nan)
        confidence[row, number - first] = certain
    return Pose(in_pixels(joints, size), people.skeleton, "image", np.arange(total), confidence)


def _bodies(people: People) -> list[int]:
    """The body that each row is of. Tracks come first, the longest before others: beyond half of MOST_PERSONS, which a
    crowd or a tracker that loses persons makes, they count as nobody's. So do all where a frame has one of them twice,
    as AlphaPose calls everybody 0 that it does not follow."""
    tracked = [(number, track) for number, _, track in people.rows if track is not None]
    if len(set(tracked)) < len(tracked):
        tracked = []
    tracks = [track for track, _ in Counter(track for _, track in tracked).most_common(MOST_PERSONS // 2)]
    body_of = {track: body for body, track in enumerate(tracks)}
    untracked: Counter[int] = Counter()
    bodies = []
    for number, _, track in people.rows:
        if track is None or track not in body_of:
            untracked[number] += 1
            bodies.append(len(body_of) + untracked[number] - 1)
        else:
            bodies.append(body_of[track])
    return bodies


def track_number(value: Any) -> int | None:
    """The number of a track as files write it, 3, 3.0, [3] or "3"; None for anything else, and below 0."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    integral = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and value == value // 1
    return int(value) if integral else None


def in_pixels(joints: np.ndarray, size: tuple[float, float] | None) -> np.ndarray:
    """joints [...,2] as they are, or, where all are shares of the picture's sides (0 to 1, or -1 to 1 as OpenPose's
    keypoint_scale 4 writes them), in pixels of a picture of ``size`` (width, height), where that is known."""
    finite = joints[np.isfinite(joints).all(axis=-1)]
    if size is None or not len(finite) or np.abs(finite).max() > SHARE:
        return joints
    # No person is a pixel tall: what lies within one is no pixel.
    shares = (joints + 1) / 2 if finite.min() < -0.05 else joints
    return (shares * np.array(size, np.float32)).astype(joints.dtype)


#: The largest share of a picture's side that a joint lies at; detectors place some a little outside.
SHARE = 1.5
