"""OpenPose's 2D poses: its own files, one JSON a frame, and Kinetics-skeleton, one JSON a clip (ST-GCN)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from workbench.data.sources import coco, jsons
from workbench.data.sources.text import Damage
from workbench.types import Pose, Skeleton

#: Schemas by the number of joints: COCO's and BODY_25.
SKELETONS = {18: Skeleton.named("openpose_18"), 25: Skeleton.named("openpose_25")}
_FRAME = re.compile(r".*?(\d+)_keypoints\.json", re.ASCII)


def read_skeleton(path: str | Path) -> Pose:
    """joints float32 [M,T,V,2] in image space, confidence float32 [M,T,V] in [0,1]; V is 18 or 25.

    ``path`` is the folder that --write_json filled, ``<name>_<frame number>_keypoints.json``, whose frames count from
    the smallest number (pixels, y down); or one file of such a folder; or one file of Kinetics-skeleton, whose
    coordinates are in [0,1]: multiply by the picture's size. M is the most persons of any frame, in the order of the
    files, which is no identity. A joint of confidence 0 is NaN. ValueError naming the file if anything else is in it.
    """
    path = Path(path)
    if not path.is_dir():
        content = jsons.read(path)
        if isinstance(content, dict) and "data" in content:
            return _of_clip(content, path)
        return _of_frames([(0, content, path)], path)
    numbered = {int(match[1]): file for file in path.iterdir() if (match := _FRAME.fullmatch(file.name))}
    if not numbered:
        raise Damage(f"{path} holds no <name>_<frame number>_keypoints.json")
    first = min(numbered)
    return _of_frames([(number - first, jsons.read(file), file) for number, file in sorted(numbered.items())], path)


def _of_frames(frames: list[tuple[int, object, Path]], path: Path) -> Pose:
    people, joints = [], None
    for number, content, file in frames:
        for person in jsons.member(content, "people", list, str(file)):
            points = jsons.member(person, "pose_keypoints_2d", list, str(file))
            joints = joints or len(points) // 3
            if joints not in SKELETONS or len(points) != joints * 3:
                known = " or ".join(str(3 * count) for count in SKELETONS)
                raise Damage(f"{file}: expected {known} numbers a person, all alike, got {len(points)}")
            people.append((number, jsons.numbers(points, joints * 3, str(file)).reshape(joints, 3)))
    # Where nobody is seen at all, the schema can't be told; BODY_25 is what OpenPose writes unless told otherwise.
    return coco.gather(people, SKELETONS[joints or 25], path, frames[-1][0] + 1)


def _of_clip(content: dict, path: Path) -> Pose:
    """Kinetics-skeleton; frame_index counts from 1."""
    people, last = [], 0
    for entry, frame in enumerate(jsons.member(content, "data", list, str(path))):
        where = f"{path}, data {entry}"
        number = jsons.member(frame, "frame_index", int, where)
        if number < 1:
            raise Damage(f"{where}: expected a frame_index from 1 on, got {number}")
        last = max(last, number)
        for person in jsons.member(frame, "skeleton", list, where):
            places = jsons.numbers(jsons.member(person, "pose", list, where), 36, f"{where}, pose").reshape(18, 2)
            scores = jsons.numbers(jsons.member(person, "score", list, where), 18, f"{where}, score")
            people.append((number - 1, np.column_stack([places, scores])))
    return coco.gather(people, SKELETONS[18], path, last)
