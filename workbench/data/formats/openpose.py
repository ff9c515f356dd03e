"""OpenPose's 2D poses: its own files, one JSON a frame, and Kinetics-skeleton, one JSON a clip (ST-GCN)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from workbench.data.files import jsons
from workbench.data.files.text import Damage
from workbench.data.formats.people import People, placed, track_number
from workbench.types import Pose, Skeleton

#: Schemas by the number of joints: COCO's own (other programs write it in this form), OpenPose's COCO, and BODY_25.
SKELETONS = {17: Skeleton.named("coco_17"), 18: Skeleton.named("openpose_18"), 25: Skeleton.named("openpose_25")}
_FRAME = re.compile(r".*?(\d+)_keypoints\.json", re.ASCII)


def read_skeleton(path: str | Path, frames: int | None = None, size: tuple[float, float] | None = None) -> Pose:
    """The bodies that OpenPose found in one video.

    Args:
        path: the folder that --write_json filled, ``<name>_<frame number>_keypoints.json``, one file a frame; or one
            file of such a folder; or one file of Kinetics-skeleton. Frames count from 0; a folder whose numbers begin
            later than the video ends (--frame_first of a longer one) begins with the video.
        frames: T, where the video's are known; None: up to the last that is named.
        size: (width, height), by which coordinates that are shares of the picture, as Kinetics-skeleton's are, become
            pixels.

    Returns:
        A Pose in image space: joints float32 [M,T,V,2] in pixels, y down, V being 17, 18 or 25; confidence float32
        [M,T,V] in [0,1]. One body for each ``person_id`` of --tracking; else the most persons of any frame, in the
        order of the files, which is no identity. A joint of confidence 0 is NaN.

    Raises:
        ValueError: anything else in a file, by name.
    """
    path = Path(path)
    return placed(_people(path), path, frames, size)


def is_folder(path: str | Path) -> bool:
    """Whether ``path`` is a folder as --write_json fills it."""
    path = Path(path)
    return path.is_dir() and any(_FRAME.fullmatch(file.name) for file in path.iterdir())


def _people(path: Path) -> People:
    if not path.is_dir():
        content = jsons.read(path)
        if isinstance(content, dict) and "data" in content:
            return _of_clip(content, path)
        return _of_frames([(0, content, path)])
    numbered = [(int(match[1]), file) for file in path.iterdir() if (match := _FRAME.fullmatch(file.name))]
    if not numbered:
        raise Damage(f"{path} holds no <name>_<frame number>_keypoints.json")
    numbers = sorted(number for number, _ in numbered)
    if len(set(numbers)) < len(numbers):
        twice = next(a for a, b in zip(numbers, numbers[1:], strict=False) if a == b)
        raise Damage(f"{path} holds frame {twice} twice: are there several videos in it?")
    return _of_frames([(number, jsons.read(file), file) for number, file in sorted(numbered)])


def _of_frames(frames: list[tuple[int, object, Path]]) -> People:
    rows, joints = [], None
    for number, content, file in frames:
        for person in jsons.member(content, "people", list, str(file)):
            points = jsons.member(person, "pose_keypoints_2d", list, str(file))
            joints = joints or len(points) // 3
            if joints not in SKELETONS or len(points) != joints * 3:
                counts = " or ".join(str(3 * count) for count in SKELETONS)
                raise Damage(f"{file}: expected {counts} numbers a person, all alike, got {len(points)}")
            values = jsons.numbers(points, joints * 3, str(file)).reshape(joints, 3)
            rows.append((number, values, track_number(person.get("person_id"))))
    # Where nobody is seen at all, the schema can't be told; BODY_25 is what OpenPose writes unless told otherwise.
    return People(rows, SKELETONS[joints or 25], [number for number, _, _ in frames], first=0)


def _of_clip(content: dict, path: Path) -> People:
    """Kinetics-skeleton; frame_index counts from 1."""
    rows = []
    for entry, frame in enumerate(jsons.member(content, "data", list, str(path))):
        where = f"{path}, data {entry}"
        number = jsons.member(frame, "frame_index", int, where)
        if number < 1:
            raise Damage(f"{where}: expected a frame_index from 1 on, got {number}")
        for person in jsons.member(frame, "skeleton", list, where):
            positions = jsons.numbers(jsons.member(person, "pose", list, where), 36, f"{where}, pose").reshape(18, 2)
            scores = jsons.numbers(jsons.member(person, "score", list, where), 18, f"{where}, score")
            rows.append((number, np.column_stack([positions, scores]), None))
    return People(rows, SKELETONS[18], first=1)
