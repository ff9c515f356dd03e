"""MSRDailyActivity3D: 16 activities, 10 subjects, standing and sitting, 320 clips, Kinect v1 (Wang et al., CVPR 2012).

Layout: ``aXX_sXX_eXX_skeleton.txt`` and ``aXX_sXX_eXX_rgb.avi`` (640 x 480) anywhere below the root. The derived
``aXX_sXX_eXX_skeleton_proj.txt`` (one line a joint: frame, joint, x, y, z) that circulates is read as well.

Protocols, top-1: ``leave-out:1`` to ``leave-out:10`` test on one subject (288 clips train, 32 test), the result is
their mean; ``cs`` trains on the odd subjects and tests on the even ones, ``cs-first5`` on the first five and the last
five (160 and 160 each; the documents do not agree on which is the original).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from workbench.data.dataset import Dataset
from workbench.data.files import facts, jsons, text
from workbench.data.files.text import Damage, Tokens
from workbench.data.formats.pose_reader import PoseReader
from workbench.data.sources import official
from workbench.types import Pose, Skeleton

KINECT = Skeleton.named("kinect_v1")
STEM = r"(a\d\d)_s(\d\d)_e(\d\d)"
SIZE = (640, 480)
JOINTS, MOST_BODIES = 20, 6


def read_skeleton(path: str | Path) -> Pose:
    """The bodies of one skeleton file of MSRDailyActivity3D.

    Args:
        path: the file.

    Returns:
        A Pose in camera space: joints float32 [M,T,20,3] in metres, x right in the (mirrored) picture, y up, z away. M
        is the most bodies of any frame, at least 1; frames without a body are NaN. No confidence: the file's column for
        it says little.

    Raises:
        ValueError: anything else in the file, with file and line.
    """
    first = text.load(path).splitlines()[0].split()
    return _pose(_derived(path) if len(first) == 5 else _rows(path)[..., 0, :3], "camera")


def read_pixels(path: str | Path) -> Pose:
    """As ``read_skeleton`` in image space: float32 [M,T,20,2], pixels of the 640 x 480 video, y down. ValueError for a
    derived file, which has no such thing."""
    return _pose(_rows(path)[..., 1, :2] * np.array(SIZE, np.float32), "image")


def _pose(joints: np.ndarray, space: str) -> Pose:
    return Pose(np.ascontiguousarray(joints, np.float32), KINECT, space, np.arange(joints.shape[1]))


def _rows(path: str | Path) -> np.ndarray:
    """float32 [M,T,20,2,4]: of each joint the row in the world and the row on the screen."""
    tokens = Tokens(path)
    frames = tokens.integer(0, 1, 100_000, "a number of frames")
    tokens.integer(1, JOINTS, JOINTS, "the number of joints")
    position, bodies_of = 2, []
    for frame in range(frames):
        rows = tokens.integer(position, 0, 40 * MOST_BODIES, f"the number of rows of frame {frame + 1} of {frames}")
        if rows % 40:
            raise tokens.damage(position, f"a multiple of 40 rows in frame {frame + 1} of {frames}")
        bodies_of.append(tokens.numbers(position + 1, rows * 4).reshape(rows // 40, JOINTS, 2, 4))
        position += 1 + rows * 4
    tokens.end(position)
    values = jsons.blank(max(map(len, bodies_of)), frames, JOINTS, 8, path).reshape(-1, frames, JOINTS, 2, 4)
    for frame, bodies in enumerate(bodies_of):
        values[: len(bodies), frame] = bodies
    return values


def _derived(path: str | Path) -> np.ndarray:
    """float32 [1,T,20,3] of ``frame joint x y z``, both counted from 1, in order and without gaps."""
    lines = text.load(path).rstrip().splitlines()
    values = text.table(path, lines, 5)
    expected = np.stack([np.arange(len(values)) // JOINTS + 1, np.arange(len(values)) % JOINTS + 1], axis=1)
    wrong = np.flatnonzero((values[:, :2] != expected).any(axis=1))
    if len(wrong) or len(values) % JOINTS:
        line = int(wrong[0]) + 1 if len(wrong) else len(values)
        raise Damage(f"{path}, line {line}: expected all {JOINTS} joints of each frame in order")
    return values[:, 2:].reshape(1, -1, JOINTS, 3).astype(np.float32)


def count_frames(path: str | Path) -> int:
    """How many frames the file has."""
    return read_skeleton(path).joints.shape[1]


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is a folder with skeletons, videos or both, data/msrdaily where it is None."""
    folder, protocol = MSRDAILY.locate(root, protocol)
    poses = official.by_name(official.walk(folder, ("_skeleton.txt",)), "_skeleton")
    edition = MSRDAILY
    if not poses:
        poses = official.by_name(official.walk(folder, ("_skeleton_proj.txt",)), "_skeleton_proj")
        edition = replace(MSRDAILY, reader=PoseReader(read_skeleton))
    videos = official.by_name(official.walk(folder, official.VIDEOS), "_rgb")
    classes, rows = facts.classes("msrda16"), []
    matches = official.matching({**poses, **videos}, STEM, "msrdaily", folder)
    for stem, match in official.of_classes(matches, classes, "msrdaily", "are of no known class").items():
        subject = int(match[2])
        row = {"id": stem, "label": list(classes).index(match[1]), "subject": subject}
        rows.append(row | {"part": part(subject, protocol)})
    return edition.clips(rows, list(classes.values()), protocol, split, videos, poses)


MSRDAILY = official.PublicSet(
    "msrdaily",
    (*(f"leave-out:{subject}" for subject in range(1, 11)), "cs", "cs-first5"),
    {"cs-odd": "cs"},
    reader=PoseReader(read_skeleton, read_pixels),
    skeleton=KINECT,
    mirrored=True,
    count=count_frames,
)


def part(subject: int, protocol: str) -> str:
    """train or test."""
    if protocol == "cs":
        return "train" if subject % 2 else "test"
    if protocol == "cs-first5":
        return "train" if subject <= 5 else "test"
    return "test" if subject == int(protocol.removeprefix("leave-out:")) else "train"
