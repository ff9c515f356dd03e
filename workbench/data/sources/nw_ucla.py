"""Northwestern-UCLA Multiview Action 3D: 10 actions, 10 subjects, 3 views, Kinect v1 (Wang et al., CVPR 2014).

Layout, either of both: the release in common use, one ``aXX_sXX_eXX_vXX.json`` a sequence anywhere below the root; or
the original ``view_{1,2,3}/aXX_sXX_eXX/frame_<number>_tc_<time>_skeletons.txt``. Videos, where there are any, are named
``aXX_sXX_eXX_vXX`` or ``aXX/vXX_sXX_eXX``.

Protocols, top-1: ``cv3`` trains on views 1 and 2 and tests on 3 (1,020 and 464 sequences), the one that is reported;
``cv2`` and ``cv1`` test on the others (504 and 516). None has a validation part. The actions a07 and a10 do not exist.
Source: Uason-Chen/CTR-GCN, feeders/feeder_ucla.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from workbench.data.dataset import Dataset
from workbench.data.files import facts, jsons, text
from workbench.data.files.text import Damage
from workbench.data.formats.pose_reader import PoseReader
from workbench.data.sources import official
from workbench.types import Pose, Skeleton

KINECT = Skeleton.named("kinect_v1")
STEM = r"(a\d\d)_s(\d\d)_e(\d\d)_v(\d\d)"
JOINTS, MOST_BODIES = 20, 6
_FRAME = re.compile(r"frame_(\d+)_tc_.*_skeletons\.txt")


def read_skeleton(path: str | Path) -> Pose:
    """The bodies of one clip of N-UCLA.

    Args:
        path: a JSON file (one body, no confidence) or a folder of raw frames (up to six bodies).

    Returns:
        A Pose in camera space: joints float32 [M,T,20,3] in metres, x right in the (mirrored) picture, y up, z away;
        confidence float32 [M,T,20] of raw frames, 1 tracked, 0.5 inferred, 0 not. A frame without a body is NaN.

    Raises:
        ValueError: anything else in there, with file and line.
    """
    return _read_folder(Path(path)) if Path(path).is_dir() else _read_json(Path(path))


def _read_json(path: Path) -> Pose:
    frames = jsons.member(jsons.read(path), "skeletons", list, str(path))
    joints = jsons.blank(1, len(frames), JOINTS, 3, path)
    for t, frame in enumerate(frames):
        if not isinstance(frame, list) or len(frame) != JOINTS:
            raise Damage(f"{path}, frame {t}: expected {JOINTS} joints")
        for v, point in enumerate(frame):
            joints[0, t, v] = jsons.numbers(point, 3, f"{path}, frame {t}, joint {v}")
    return Pose(joints, KINECT, "camera", np.arange(len(frames)))


def _frames(folder: Path) -> list[Path]:
    paths = {int(match[1]): path for path in folder.iterdir() if (match := _FRAME.fullmatch(path.name))}
    if not paths:
        raise Damage(f"{folder} holds no frame_<number>_tc_<time>_skeletons.txt")
    return [paths[number] for number in sorted(paths)]


def _read_folder(folder: Path) -> Pose:
    paths = _frames(folder)
    bodies = [_read_frame(path) for path in paths]
    joints = jsons.blank(max(map(len, bodies)), len(bodies), JOINTS, 3, folder)
    confidence = np.zeros(joints.shape[:3], np.float32)
    for t, rows in enumerate(bodies):
        joints[: len(rows), t], confidence[: len(rows), t] = rows[..., :3], rows[..., 3] / 2
    return Pose(joints, KINECT, "camera", np.arange(len(bodies)), confidence)


def _read_frame(path: Path) -> np.ndarray:
    """float64 [M,20,4] of one raw file: x, y, z, state."""
    if path.stat().st_size == 0:
        return np.zeros((0, JOINTS, 4))
    lines = text.load(path).split()
    starts = [i for i, line in enumerate(lines) if b"," not in line]
    if len(starts) > MOST_BODIES or starts != list(range(0, len(lines), JOINTS + 1)) or len(lines) % (JOINTS + 1):
        raise Damage(f"{path}: expected for each body a line with one number and {JOINTS} lines x,y,z,state")
    bodies = [text.table(path, lines[i + 1 : i + 1 + JOINTS], 4, first=i + 2) for i in starts]
    values = np.array(bodies).reshape(-1, JOINTS, 4)
    if not np.isin(values[..., 3], (0, 1, 2)).all():
        raise Damage(f"{path}: expected a tracking state of 0, 1 or 2 in every fourth field")
    return values


def count_frames(path: str | Path) -> int:
    """How many frames a sequence has."""
    return len(_frames(Path(path))) if Path(path).is_dir() else read_skeleton(path).joints.shape[1]


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is a folder of either layout, data/nw_ucla where it is None."""
    folder, protocol = NW_UCLA.locate(root, protocol)
    poses = official.by_name(official.walk(folder, (".json",)))
    poses = _raw(folder) if not any(re.fullmatch(STEM, name) for name in poses) else poses
    videos = {_video_name(path): path for path in official.walk(folder, official.VIDEOS)}
    classes, rows = facts.classes("nw_ucla"), []
    matches = official.matching({**poses, **videos}, STEM, "nw_ucla", folder)
    for stem, match in official.of_classes(matches, classes, "nw_ucla", "are of no known action").items():
        label, view = list(classes).index(match[1]), int(match[4])
        row = {"id": stem, "label": label, "subject": int(match[2]), "view": view, "camera": view}
        rows.append(row | {"part": "test" if view == int(protocol[2]) else "train"})
    return NW_UCLA.clips(rows, list(classes.values()), protocol, split, videos, poses)


NW_UCLA = official.PublicSet(
    "nw_ucla",
    ("cv3", "cv2", "cv1"),
    {"cv": "cv3", "xview": "cv3"},
    reader=PoseReader(read_skeleton),
    skeleton=KINECT,
    mirrored=True,
    count=count_frames,
)


def _raw(root: Path) -> dict[str, Path]:
    """The folders of the original layout, by the name that their sequence has in the other one."""
    folders = {path.parent for path in official.walk(root, ("_skeletons.txt",))}
    return {f"{folder.name}_v0{folder.parent.name.removeprefix('view_')}": folder for folder in sorted(folders)}


def _video_name(path: Path) -> str:
    match = re.fullmatch(r"(v\d\d)_(s\d\d)_(e\d\d)", path.stem)
    return f"{path.parent.name}_{match[2]}_{match[3]}_{match[1]}" if match else path.stem
