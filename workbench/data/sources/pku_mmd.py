"""PKU-MMD: 1,076 long recordings of 66 subjects by 3 Kinects v2, 51 actions (Liu et al., 2017).

Layout, anywhere below the root: ``RGB_VIDEO/XXXX-V.avi``, ``PKU_Skeleton_Renew/XXXX-V.txt`` (any folder with "skeleton"
in its name) and ``Train_Label_PKU_final/XXXX-V.txt`` (any folder with "label" in its name); V is L, M or R.

Protocols of phase 1, event mAP: ``cs`` tests on the ids 0291 to 0334 (944 sequences train, 132 test), ``cv`` on view M
(717 and 359). ``cs-2`` and ``cv-2`` are phase 2 (AxxNyy-V), by its lists ``cross_subject_v2.txt`` and
``cross_view_v2.txt``, which come with it. None has a validation part.

Label rows are ``label,start,end,confidence``, 1-based labels and frames at 30 per second. Row ``1,4925,4036,2`` of
0043-L, which ends before it starts, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.dataset import Dataset
from workbench.data.files import facts, text
from workbench.data.files.text import Damage
from workbench.data.formats.pose_reader import PoseReader
from workbench.data.sources import official
from workbench.types import Pose, Skeleton

KINECT = Skeleton.named("kinect_v2")
CLASSES = tuple(facts.classes("pku_mmd51").values())
STEM = r"(?:(\d{4})|A\d\dN\d\d)-([LMR])"
RATE = 30.0
BODIES, JOINTS = 2, 25


def read_skeleton(path: str | Path) -> Pose:
    """The two bodies of one skeleton file of PKU-MMD: one line a frame, 2 bodies x 25 joints x (x, y, z).

    Args:
        path: the file.

    Returns:
        A Pose in camera space: joints float32 [2,T,25,3] in metres, x right in the (mirrored) picture, y up, z away; a
        body whose joints are all zero is absent, hence NaN.

    Raises:
        Damage: a ValueError, of anything else in the file, with file and line.
    """
    values = text.table(path, text.load(path).rstrip().splitlines(), BODIES * JOINTS * 3)
    if not len(values):
        raise Damage(f"{path} holds no frame")
    joints = values.reshape(-1, BODIES, JOINTS, 3).swapaxes(0, 1).astype(np.float32)
    joints[(joints == 0).all(axis=(2, 3))] = np.nan
    return Pose(joints, KINECT, "camera", np.arange(joints.shape[1]))


def read_labels(path: str | Path) -> np.ndarray:
    """int64 [n,4]: label (1 to 51), start, end (frames), confidence (0 to 2). ValueError naming the line otherwise."""
    lines = text.load(path).rstrip().splitlines()
    values = text.table(path, lines, 4)
    good = (values == np.rint(values)).all(axis=1) & (values[:, 0] >= 1) & (values[:, 0] <= len(CLASSES))
    wrong = np.flatnonzero(~(good & (values[:, 1:] >= 0).all(axis=1)))
    if len(wrong):
        line = lines[wrong[0]][:60].decode("ascii", "replace")
        raise Damage(f"{path}, line {wrong[0] + 1}: expected label 1 to 51, start, end, confidence, got {line!r}")
    return values.astype(np.int64)


def read_split(path: str | Path) -> dict[str, str]:
    """Part (train, test) by sequence, of a list with the lines "Training videos:" and "Validataion videos:" (sic)."""
    parts, part = {}, ""
    for number, line in enumerate(text.load(path).decode("utf-8", "replace").splitlines(), 1):
        heading = re.match(r"\s*(train|val)\w*\s+videos", line, re.IGNORECASE)
        part = {"train": "train", "val": "test"}[heading[1].lower()] if heading else part
        for name in [] if heading else filter(None, (word.strip() for word in line.split(","))):
            if not part or not re.fullmatch(STEM, name):
                raise Damage(f"{path}, line {number}: expected names of sequences after a heading, got {name[:40]!r}")
            parts[name] = part
    return parts


def count_frames(path: str | Path) -> int:
    """How many frames a skeleton file has."""
    return len(text.load(path).rstrip().splitlines())


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder with labels, videos and skeletons, data/pku_mmd where None."""
    folder, protocol = PKU_MMD.locate(root, protocol)
    tables = videos(folder, split, protocol), intervals(folder, split, protocol)
    return PKU_MMD.untrimmed(*tables, CLASSES, protocol, split)


PKU_MMD = official.PublicSet(
    "pku_mmd",
    ("cs", "cv", "cs-2", "cv-2"),
    reader=PoseReader(read_skeleton, rate=RATE),
    skeleton=KINECT,
    mirrored=True,
    metric="event_map",
    rate=RATE,
)


def videos(root: str | Path, split: str, protocol: str = "cs") -> pd.DataFrame:
    """One row a sequence that has labels: id, video and pose (paths, "" if not there), view, duration (seconds, known
    where there is a pose), split."""
    root = Path(root)
    part_of = _parts(root, protocol)
    paths = {path.stem: str(path) for path in official.walk(root, official.VIDEOS)}
    poses = _files(root, "skeleton")
    rows = []
    for name, match in official.matching(_files(root, "label"), STEM, "pku_mmd", root).items():
        part = part_of(name)
        if part and split in (part, "all"):
            pose = poses.get(name, "")
            duration = count_frames(pose) / RATE if pose else np.nan
            row = {"id": name, "video": paths.get(name, ""), "pose": str(pose), "view": match[2], "camera": match[2]}
            rows.append(row | {"duration": duration, "part": part})
    return official.videos_table(rows, split)


def intervals(root: str | Path, split: str, protocol: str = "cs") -> pd.DataFrame:
    """One row an instance: video (id), label (position in CLASSES), start, end (seconds), ambiguous (False)."""
    part_of, rows = _parts(Path(root), protocol), []
    for name, path in _files(Path(root), "label").items():
        part = part_of(name)
        if part and split in (part, "all"):
            rows += [(name, label - 1, start / RATE, end / RATE) for label, start, end, _ in read_labels(path)]
    return official.intervals_table("pku_mmd", rows)


def _files(root: Path, word: str) -> dict[str, Path]:
    return official.by_name(path for path in official.walk(root, (".txt",)) if word in path.parent.name.lower())


def _parts(root: Path, protocol: str) -> Callable[[str], str]:
    """name -> train, test, or "" for what the protocol doesn't know."""
    if not protocol.endswith("-2"):
        return partial(_phase_one, protocol)
    file = {"cs-2": "cross_subject_v2.txt", "cv-2": "cross_view_v2.txt"}[protocol]
    lists = official.walk(root, (file,))
    if not lists:
        raise FileNotFoundError(f"{root} holds no {file}, which says who trains and who is tested in phase 2")
    listed = read_split(lists[0])
    return lambda name: listed.get(name, "")


def _phase_one(protocol: str, name: str) -> str:
    match = re.fullmatch(STEM, name)
    if match is None or match[1] is None:
        return ""
    tested = 291 <= int(match[1]) <= 334 if protocol == "cs" else match[2] == "M"
    return "test" if tested else "train"
