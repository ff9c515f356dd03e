"""2D poses with the 17 joints of COCO in JSON, as detectors write them. Three forms are told apart:

- COCO results (also AlphaPose's): a list of ``{image_id, keypoints: 51 numbers (x, y, confidence)}``;
- COCO annotations: an object with such a list in ``annotations``;
- MMPose: an object whose ``instance_info`` lists ``{frame_id, instances: [{keypoints: 17 x [x, y], keypoint_scores}]}``

image_id is the frame's number, or a file name that ends in it; frames count from the smallest number.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.sources import jsons
from workbench.data.sources.text import Damage
from workbench.types import Pose, Skeleton

SKELETON = Skeleton.named("coco_17")
JOINTS, MOST_PERSONS, MOST_FRAMES = 17, 64, 1_000_000


def read_skeleton(path: str | Path) -> Pose:
    """joints float32 [M,T,17,2] in image space (pixels of the video, y down), confidence float32 [M,T,17] in [0,1].

    M is the most persons of any frame, in the order of the file, which is no identity. A joint of confidence 0 is NaN,
    as is a frame nobody was found in. ValueError naming file and entry if anything else is in the file.
    """
    content = jsons.read(path)
    if isinstance(content, dict) and "instance_info" in content:
        people = _of_mmpose(content, path)
    else:
        people = _of_results(
            content["annotations"] if isinstance(content, dict) and "annotations" in content else content, path
        )
    return gather(people, SKELETON, path)


def gather(
    people: list[tuple[int, np.ndarray]], skeleton: Skeleton, path: str | Path, frames: int | None = None
) -> Pose:
    """(frame number, float [V,3] of x, y, confidence) of persons -> Pose; the first frame is the smallest number, or,
    where ``frames`` are known, 0."""
    if not people and frames is None:
        raise Damage(f"{path} holds no person")
    first = min(number for number, _ in people) if frames is None else 0
    frames = max(number for number, _ in people) - first + 1 if frames is None else frames
    counts = np.zeros(min(frames, MOST_FRAMES), int)
    if frames > MOST_FRAMES:
        raise Damage(f"{path} names frame {first + frames - 1}, more than a video has")
    rows = []
    for number, _ in people:
        rows.append(counts[number - first])
        counts[number - first] += 1
    if max(rows, default=0) >= MOST_PERSONS:
        raise Damage(f"{path} has {max(rows) + 1} persons in one frame")
    joints = jsons.blank(max(rows, default=0) + 1, frames, skeleton.count, 2, path)
    confidence = np.zeros(joints.shape[:3], np.float32)
    for row, (number, points) in zip(rows, people, strict=True):
        certain = np.nan_to_num(points[:, 2]).clip(0, 1)
        joints[row, number - first] = np.where(certain[:, None] > 0, points[:, :2], np.nan)
        confidence[row, number - first] = certain
    return Pose(joints, skeleton, "image", np.arange(frames), confidence)


def _of_results(content: Any, path: str | Path) -> list[tuple[int, np.ndarray]]:
    if not isinstance(content, list):
        raise Damage(f"{path}: expected a list of detections, or an object with annotations or instance_info")
    people = []
    for entry, detection in enumerate(content):
        where = f"{path}, entry {entry}"
        if not isinstance(detection, dict):
            raise Damage(f"{where}: expected an object with image_id and keypoints")
        points = jsons.numbers(detection.get("keypoints"), JOINTS * 3, f"{where}, keypoints")
        people.append((_frame_number(detection.get("image_id"), where), points.reshape(JOINTS, 3)))
    return people


def _frame_number(value: Any, where: str) -> int:
    text = Path(str(value)).stem if isinstance(value, int | str) and not isinstance(value, bool) else ""
    match = re.search(r"(\d{1,12})$", text, re.ASCII)
    if not match:
        raise Damage(f"{where}: expected an image_id that is or ends in a frame number, got {str(value)[:40]!r}")
    return int(match[1])


def _of_mmpose(content: dict, path: str | Path) -> list[tuple[int, np.ndarray]]:
    people = []
    for entry, frame in enumerate(jsons.member(content, "instance_info", list, str(path))):
        where = f"{path}, instance_info {entry}"
        number = jsons.member(frame, "frame_id", int, where)
        if number < 0:
            raise Damage(f"{where}: expected a frame_id from 0 on, got {number}")
        for instance in jsons.member(frame, "instances", list, where):
            points = jsons.member(instance, "keypoints", list, where)
            if len(points) != JOINTS:
                raise Damage(f"{where}: expected {JOINTS} keypoints, got {len(points)}")
            places = [jsons.numbers(point, 2, f"{where}, keypoints") for point in points]
            scores = jsons.numbers(instance.get("keypoint_scores"), JOINTS, f"{where}, keypoint_scores")
            people.append((number, np.column_stack([places, scores])))
    return people
