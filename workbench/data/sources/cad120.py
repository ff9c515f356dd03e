"""CAD-120: 10 activities, 4 subjects, 124 sequences (Koppula et al., IJRR 2013). Format: see cad.py.

Layout: ``SubjectN_annotations/<activity>/<10-digit id>.txt`` and ``labeling.txt``. The pictures come as PNG files; a
video made of them is found as ``<id>.mp4``.

Protocols: ``leave-out:1``, ``:3``, ``:4`` and ``:5`` test on one subject's 31 sequences and train on the other 93,
top-1 over the 10 activities; the result is their mean. ``sub_activities`` reads what happens within a sequence.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.data.catalog import Dataset
from workbench.data.files import facts
from workbench.data.files.text import Damage, load
from workbench.data.sources import cad, official

PROTOCOLS = ("leave-out:1", "leave-out:3", "leave-out:4", "leave-out:5")
ACTIVITIES = tuple(fields[2] for fields in facts.rows("classes/cad120.txt") if fields[0] == "activity")
SUB_ACTIVITIES = tuple(fields[2] for fields in facts.rows("classes/cad120.txt") if fields[0] == "subactivity")
#: What the label files call "cleaning" by another name.
_RENAMED = {"scrubbing": "cleaning"}

read_skeleton = cad.read_skeleton


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder of the subjects' folders, data/cad120 where it is None."""
    place = official.folder(root, "cad120")
    protocol = official.choose("cad120", protocol, PROTOCOLS)
    left = int(protocol.removeprefix("leave-out:"))
    poses = official.by_name(path for path in official.walk(place, (".txt",)) if path.stem.isdigit())
    videos = official.by_name(official.walk(place, official.VIDEOS))
    subjects = {row["id"]: int(row["subject"]) for row in facts.columns("cad120_sequences.csv")}
    labels = cad.activities(place)
    files = official.matching({**poses, **videos}, r"\d{10}", "cad120", place)
    for name in files:
        labels.setdefault(name, (poses.get(name) or videos[name]).parent.name)
    known = [name for name in files if labels[name] in ACTIVITIES and name in subjects]
    official.left_out("cad120", set(files) - set(known), "are in no fold or in no activity's folder")
    rows = [
        {
            "id": name,
            "label": ACTIVITIES.index(labels[name]),
            "part": "test" if subjects[name] == left else "train",
            "subject": subjects[name],
            "video": videos.get(name, ""),
            "pose": poses.get(name, ""),
        }
        for name in known
    ]
    return official.dataset(
        "cad120",
        rows,
        list(ACTIVITIES),
        protocol,
        split,
        reader=cad.READER,
        skeleton=cad.SKELETON,
        count=cad.count_frames,
    )


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
