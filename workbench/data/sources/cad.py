"""Cornell's CAD-60 and CAD-120, and their skeleton text.

CAD-60: 12 activities, 4 persons, 60 clips (Sung et al., ICRA 2012).

Layout: ``data1`` to ``data4`` (one person each) with ``<10-digit id>.txt`` and ``activityLabel.txt``. The pictures come
as PNG files; a video made of them is found as ``<id>.mp4``.

Protocols: ``leave-out:1`` to ``leave-out:4`` test on one person ("new person") over all 12 activities, top-1; the
result is their mean. ``leave-out:<person>/<environment>`` is the same within bathroom, bedroom, kitchen, livingroom or
office, as the original reports. The sequences "still" and "random" are not evaluated, four others have no label.

CAD-120: 10 activities, 4 subjects, 124 sequences (Koppula et al., IJRR 2013).

Layout: ``SubjectN_annotations/<activity>/<10-digit id>.txt`` and ``labeling.txt``. The pictures come as PNG files; a
video made of them is found as ``<id>.mp4``.

Protocols: ``leave-out:1``, ``:3``, ``:4`` and ``:5`` test on one subject's 31 sequences and train on the other 93,
top-1 over the 10 activities; the result is their mean. ``sub_activities`` reads what happens within a sequence.

The skeleton text has one line a frame, comma separated with a trailing comma: frame number; of joints 1 to 11 nine
numbers of orientation, their confidence, x, y, z, confidence; of joints 12 to 15 x, y, z, confidence; 171 numbers. The
last line is END.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.dataset import Dataset
from workbench.data.files import facts
from workbench.data.files.text import Damage, load, table
from workbench.data.formats.pose_reader import PoseReader
from workbench.data.sources import official
from workbench.types import Pose, Skeleton

SKELETON = Skeleton.named("cad_15")
WIDTH = 1 + 11 * 14 + 4 * 4
_FIRST = np.array([1 + 14 * joint + 10 for joint in range(11)] + [1 + 11 * 14 + 4 * joint for joint in range(4)])
ENVIRONMENTS = {
    "bathroom": ("rinsing mouth with water", "brushing teeth", "wearing contact lenses"),
    "bedroom": ("talking on the phone", "drinking water", "opening pill container"),
    "kitchen": ("cooking (chopping)", "cooking (stirring)", "drinking water", "opening pill container"),
    "livingroom": ("talking on the phone", "drinking water", "talking on couch", "relaxing on couch"),
    "office": ("talking on the phone", "writing on whiteboard", "drinking water", "working on computer"),
}
PERSONS = (1, 2, 3, 4)
PROTOCOLS_60 = (
    *(f"leave-out:{person}" for person in PERSONS),
    *(f"leave-out:{person}/{room}" for person in PERSONS for room in ENVIRONMENTS),
)
PROTOCOLS_120 = ("leave-out:1", "leave-out:3", "leave-out:4", "leave-out:5")
ACTIVITIES = tuple(fields[2] for fields in facts.rows("classes/cad120.txt") if fields[0] == "activity")
SUB_ACTIVITIES = tuple(fields[2] for fields in facts.rows("classes/cad120.txt") if fields[0] == "subactivity")
#: What the label files call "cleaning" by another name.
_RENAMED = {"scrubbing": "cleaning"}


def open_cad60(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder that holds data1 to data4, data/cad60 where it is None."""
    folder, protocol = CAD60.locate(root, protocol)
    tested, _, environment = protocol.removeprefix("leave-out:").partition("/")
    everything = list(facts.classes("cad60").values())
    classes = list(ENVIRONMENTS[environment]) if environment else everything
    poses, videos, files = _files(folder, "cad60")
    labels = {row["id"]: row["activity"] for row in facts.columns("cad60_sequences.csv")} | activities(folder)
    persons = {row["id"]: int(row["folder"][-1]) for row in facts.columns("cad60_sequences.csv")}
    names = [name for name in files if labels.get(name) in everything and name in persons]
    official.left_out("cad60", set(files) - set(names), "are still, random or without a label")
    rows = _rows([name for name in names if labels[name] in classes], labels, classes, persons, int(tested))
    return CAD60.clips(rows, classes, protocol, split, videos, poses)


def open_cad120(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder of the subjects' folders, data/cad120 where it is None."""
    folder, protocol = CAD120.locate(root, protocol)
    poses, videos, files = _files(folder, "cad120")
    persons = {row["id"]: int(row["subject"]) for row in facts.columns("cad120_sequences.csv")}
    labels = {name: (poses.get(name) or videos[name]).parent.name for name in files} | activities(folder)
    names = [name for name in files if labels[name] in ACTIVITIES and name in persons]
    official.left_out("cad120", set(files) - set(names), "are in no fold or in no activity's folder")
    rows = _rows(names, labels, ACTIVITIES, persons, int(protocol.removeprefix("leave-out:")))
    return CAD120.clips(rows, ACTIVITIES, protocol, split, videos, poses)


def _files(folder: Path, name: str) -> tuple[dict[str, Path], dict[str, Path], Iterable[str]]:
    """(poses and videos by the id of their sequence, the ids of both)."""
    poses = official.by_name(path for path in official.walk(folder, (".txt",)) if path.stem.isdigit())
    videos = official.by_name(official.walk(folder, official.VIDEOS))
    return poses, videos, official.matching({**poses, **videos}, r"\d{10}", name, folder)


def _rows(
    names: list[str], labels: dict[str, str], classes: Sequence[str], persons: dict[str, int], tested: int
) -> list[dict]:
    return [
        {
            "id": name,
            "label": classes.index(labels[name]),
            "part": "test" if persons[name] == tested else "train",
            "subject": persons[name],
        }
        for name in names
    ]


def sub_activities(path: str | Path) -> pd.DataFrame:
    """A ``labeling.txt`` as rows: video (sequence id), label (position in SUB_ACTIVITIES), start and end (frames,
    counted from 0, end exclusive), affordances (one name an object). Damage naming the line otherwise."""
    rows = []
    for number, line in enumerate(load(path).decode("utf-8", "replace").splitlines(), 1):
        fields = [field.strip() for field in line.split(",")]
        if fields == [""]:
            continue
        name = _RENAMED.get(fields[3], fields[3]) if len(fields) > 3 else ""
        if name not in SUB_ACTIVITIES or not (fields[1] + fields[2]).isdigit():
            raise Damage(f"{path}, line {number}: expected id,start,end,sub-activity,affordances, got {line[:60]!r}")
        start, end = int(fields[1]) - 1, int(fields[2])
        rows.append((fields[0], SUB_ACTIVITIES.index(name), start, end, [field for field in fields[4:] if field]))
    return pd.DataFrame(rows, columns=["video", "label", "start", "end", "affordances"])


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
    values = table(path, _frames(path), WIDTH)
    steps = np.flatnonzero(~(np.diff(values[:, 0]) > 0))
    if len(steps):
        raise Damage(f"{path}, line {steps[0] + 2}: expected a frame number above the one of the line before")
    points = values[:, _FIRST[:, None] + np.arange(4)]
    confidence = points[..., 3]
    wrong = np.flatnonzero(~((confidence >= 0) & (confidence <= 1)).all(axis=1))
    if len(wrong):
        raise Damage(f"{path}, line {wrong[0] + 1}: expected confidences in [0, 1]")
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


def activities(root: Path) -> dict[str, str]:
    """Activity by sequence id, from every ``activityLabel.txt`` below ``root``."""
    by_sequence = {}
    for path in official.walk(root, ("activitylabel.txt",)):
        for line in load(path).decode("utf-8", "replace").splitlines():
            fields = [field.strip() for field in line.split(",")]
            if len(fields) >= 2 and fields[0].isdigit():
                by_sequence[fields[0]] = fields[1]
    return by_sequence


CAD60 = official.PublicSet(
    "cad60", PROTOCOLS_60, reader=PoseReader(read_skeleton), skeleton=SKELETON, count=count_frames
)
CAD120 = replace(CAD60, name="cad120", protocols=PROTOCOLS_120)
