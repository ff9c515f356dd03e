"""CAD-60: 12 activities, 4 persons, 60 clips (Sung et al., ICRA 2012). Format: see cad.py.

Layout: ``data1`` to ``data4`` (one person each) with ``<10-digit id>.txt`` and ``activityLabel.txt``. The pictures come
as PNG files; a video made of them is found as ``<id>.mp4``.

Protocols: ``leave-out:1`` to ``leave-out:4`` test on one person ("new person") over all 12 activities, top-1; the
result is their mean. ``leave-out:<person>/<environment>`` is the same within bathroom, bedroom, kitchen, livingroom or
office, as the original reports. The sequences "still" and "random" are not evaluated, four others have no label.
"""

from __future__ import annotations

from pathlib import Path

from workbench.data.catalog import Dataset
from workbench.data.files import facts
from workbench.data.sources import cad, official

ENVIRONMENTS = {
    "bathroom": ("rinsing mouth with water", "brushing teeth", "wearing contact lenses"),
    "bedroom": ("talking on the phone", "drinking water", "opening pill container"),
    "kitchen": ("cooking (chopping)", "cooking (stirring)", "drinking water", "opening pill container"),
    "livingroom": ("talking on the phone", "drinking water", "talking on couch", "relaxing on couch"),
    "office": ("talking on the phone", "writing on whiteboard", "drinking water", "working on computer"),
}
PERSONS = (1, 2, 3, 4)
PROTOCOLS = (
    *(f"leave-out:{person}" for person in PERSONS),
    *(f"leave-out:{person}/{place}" for person in PERSONS for place in ENVIRONMENTS),
)

read_skeleton = cad.read_skeleton


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder that holds data1 to data4, data/cad60 where it is None."""
    place = official.folder(root, "cad60")
    protocol = official.choose("cad60", protocol, PROTOCOLS)
    left, _, environment = protocol.removeprefix("leave-out:").partition("/")
    everything = list(facts.classes("cad60").values())
    classes = list(ENVIRONMENTS[environment]) if environment else everything
    poses = official.by_name(path for path in official.walk(place, (".txt",)) if path.stem.isdigit())
    videos = official.by_name(official.walk(place, official.VIDEOS))
    labels = {row["id"]: row["activity"] for row in facts.columns("cad60_sequences.csv")} | cad.activities(place)
    persons = {row["id"]: int(row["folder"][-1]) for row in facts.columns("cad60_sequences.csv")}
    files = official.matching({**poses, **videos}, r"\d{10}", "cad60", place)
    known = [name for name in files if labels.get(name) in everything and name in persons]
    official.left_out("cad60", set(files) - set(known), "are still, random or without a label")
    rows = [
        {
            "id": name,
            "label": classes.index(labels[name]),
            "part": "test" if persons[name] == int(left) else "train",
            "subject": persons[name],
            "video": videos.get(name, ""),
            "pose": poses.get(name, ""),
        }
        for name in known
        if labels[name] in classes
    ]
    return official.dataset(
        "cad60",
        rows,
        classes,
        protocol,
        split,
        reader=cad.READER,
        skeleton=cad.SKELETON,
        count=cad.count_frames,
    )
