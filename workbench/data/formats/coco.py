"""2D poses with the 17 joints of COCO in JSON, as detectors write them. Of schemas that go on after these 17 (Halpe's
26 and 136, COCO-WholeBody's 133) the first 17 are read. Forms that are told apart:

- COCO results, and AlphaPose's: a list of ``{image_id, keypoints: 3 numbers a joint (x, y, confidence)}``;
- COCO annotations: an object with such a list in ``annotations`` and, in ``images``, which frame an image_id is: by
  ``frame_id`` or the like, else by the number in ``file_name``, else by its place in the table;
- MMPose: an object whose ``instance_info`` lists ``{frame_id, instances: [{keypoints: [x, y] a joint,
  keypoint_scores}]}``, or that list alone.

Without a table of images image_id is the frame's number, or a file name that ends in it. See ``people`` for what the
first frame is called.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.files import jsons
from workbench.data.files.text import Damage
from workbench.data.formats import people
from workbench.data.formats.people import WIDER, People, placed, track_number
from workbench.types import Pose, Skeleton

SKELETON = Skeleton.named("coco_17")
JOINTS = 17

#: What tables of images call the number of a frame.
FRAME_FIELDS = ("frame_id", "frame_index", "frame_number", "frame", "frame_idx")


def read_skeleton(path: str | Path, frames: int | None = None, size: tuple[float, float] | None = None) -> Pose:
    """The bodies of one file of COCO keypoints, as detectors write them (see above).

    Args:
        path: the JSON file.
        frames: T, where the video's are known; None: up to the last that is named.
        size: (width, height), which makes pixels of shares of the picture.

    Returns:
        A Pose in image space: joints float32 [M,T,17,2] in pixels of the video, y down; confidence float32 [M,T,17] in
        [0,1]. One body for each track, where the file has ``idx`` (AlphaPose) or ``track_id``; else the most persons of
        any frame, in the order of the file, which is no identity. A joint of confidence 0 is NaN, as is a frame nobody
        was found in.

    Raises:
        ValueError: anything else in the file, with file and entry.
    """
    return placed(_people(jsons.read(path), path), path, frames, size)


def is_guess(path: str | Path, frames: int | None) -> bool:
    """Whether frames may count from 0 as well as from 1, as they were taken to (see ``people``)."""
    return people.is_guess(_people(jsons.read(path), path), frames)


def _people(content: Any, path: str | Path) -> People:
    if isinstance(content, dict) and "instance_info" in content:
        return _of_mmpose(jsons.member(content, "instance_info", list, str(path)), f"{path}, instance_info")
    if isinstance(content, list) and content and isinstance(content[0], dict) and "instances" in content[0]:
        return _of_mmpose(content, f"{path}, entry")
    images = None
    if isinstance(content, dict) and "annotations" in content:
        content, images = jsons.member(content, "annotations", list, str(path)), content.get("images")
    if not isinstance(content, list):
        raise Damage(f"{path}: expected a list of detections, or an object with annotations or instance_info")
    detections = _detections(content, path)
    if isinstance(images, list) and images:
        return _in_images(detections, images, path)
    numbers = [_frame_number(name, f"{path}, entry {entry}") for entry, (name, _, _) in enumerate(detections)]
    rows = [(number, points, track) for (number, _), (_, points, track) in zip(numbers, detections, strict=True)]
    return People(rows, SKELETON, padded=any(zeros for _, zeros in numbers))


def _detections(content: list, path: str | Path) -> list[tuple[Any, np.ndarray, int | None]]:
    """(image_id, float [17,3], track) of each entry."""
    detections = []
    for entry, detection in enumerate(content):
        where = f"{path}, entry {entry}"
        if not isinstance(detection, dict):
            raise Damage(f"{where}: expected an object with image_id and keypoints")
        values = detection.get("keypoints")
        count = len(values) // 3 if isinstance(values, list) and len(values) // 3 in WIDER else JOINTS
        points = jsons.numbers(values, count * 3, f"{where}, keypoints").reshape(count, 3)[:JOINTS]
        track = track_number(detection.get("track_id", detection.get("idx")))
        detections.append((detection.get("image_id"), points, track))
    return detections


def _in_images(detections: list[tuple[Any, np.ndarray, int | None]], images: list, path: str | Path) -> People:
    """The ``detections`` in the frames that the table ``images`` names."""
    numbers, padded = _table(images, path)
    rows = []
    for entry, (name, points, track) in enumerate(detections):
        if name not in numbers:
            raise Damage(f"{path}, entry {entry}: image_id {str(name)[:40]!r} is not in images")
        rows.append((numbers[name], points, track))
    listed, named = sorted(numbers.values()), {number for number, _, _ in rows}
    # A table of all images of a video has gaps in the annotations, begins with its first frame, or both.
    complete = listed == list(range(listed[0], listed[0] + len(listed)))
    first = listed[0] if complete and (listed[0] <= 1 or named != set(listed)) else None
    return People(rows, SKELETON, first=first, padded=padded)


def _table(images: list, path: str | Path) -> tuple[dict[Any, int], bool]:
    """(the number of the frame that each id of ``images`` is, whether their names are padded with zeros)."""
    ids = []
    for entry, image in enumerate(images):
        if not isinstance(image, dict) or not isinstance(image.get("id"), int | str):
            raise Damage(f"{path}, images {entry}: expected an object with id")
        ids.append(image["id"])
    if len(set(ids)) < len(ids):
        raise Damage(f"{path}: images has the id {next(id for id in ids if ids.count(id) > 1)} twice")
    for field in FRAME_FIELDS:
        numbers = [image.get(field) for image in images]
        if all(type(number) is int and number >= 0 for number in numbers) and len(set(numbers)) == len(numbers):
            return dict(zip(ids, numbers, strict=True)), False
    try:
        named = [_frame_number(image.get("file_name"), "") for image in images]
    except Damage:
        named = []
    if named and len({number for number, _ in named}) == len(named):
        return {id: number for id, (number, _) in zip(ids, named, strict=True)}, any(zeros for _, zeros in named)
    return {id: position for position, id in enumerate(ids)}, False


def _frame_number(value: Any, where: str) -> tuple[int, bool]:
    """(the number that the name ends in, whether there are zeros in front of it)."""
    text = Path(str(value)).stem if isinstance(value, int | str) and not isinstance(value, bool) else ""
    match = re.search(r"(\d{1,12})$", text, re.ASCII)
    if not match:
        raise Damage(f"{where}: expected an image_id that is or ends in a frame number, got {str(value)[:40]!r}")
    return int(match[1]), len(match[1]) > 1 and match[1].startswith("0")


def _of_mmpose(content: list, where: str) -> People:
    """MMPose lists the frames of a video from 0 on; its script for detectors counts from 1 and leaves out those in
    which nobody is found."""
    rows, listed = [], []
    for entry, frame in enumerate(content):
        field = f"{where} {entry}"
        number = jsons.member(frame, "frame_id", int, field)
        if number < 0:
            raise Damage(f"{field}: expected a frame_id from 0 on, got {number}")
        listed.append(number)
        for instance in jsons.member(frame, "instances", list, field):
            points = jsons.member(instance, "keypoints", list, field)
            if len(points) not in WIDER:
                raise Damage(f"{field}: expected {JOINTS} keypoints, got {len(points)}")
            positions = [jsons.numbers(point, 2, f"{field}, keypoints") for point in points]
            scores = instance.get("keypoint_scores", [1.0] * len(points))
            scores = jsons.numbers(scores, len(points), f"{field}, keypoint_scores")
            track = track_number(instance.get("track_id"))
            rows.append((number, np.column_stack([positions, scores])[:JOINTS], track))
    return People(rows, SKELETON, first=0 if 0 in listed else 1)
