"""Toyota Smarthome, trimmed: 31 activities of 18 seniors, 7 cameras (Das et al., ICCV 2019).

Layout: files are found by name anywhere below the root: ``mp4/<Activity>_pPP_rRR_vVV_cCC.mp4`` and the poses of
version 1.2, ``<stem>_pose3d.json`` (see formats/lcrnet.py). Those of version 1.1, ``<stem>.json``, are the data set
smarthome_v1.

Protocols, with mean per-class accuracy over the classes of the protocol (45 to 4,070 clips a class):

- ``cs`` (cross-subject, 31 classes), as released: 9 subjects train (8,829 clips), 19 and 25 validate (1,853), 7 test
  (5,433); ``cs-full``, as in the papers' text: all 11 train (10,682), none validate;
- ``cv1`` (19 classes): camera 1 trains (1,877), 5 validates (3,539), 2 tests (1,901);
- ``cv2`` (19 classes): cameras 1, 3, 4, 6, 7 train (7,806), 5 validates, 2 tests.

Camera 5 shows 17 of the 19 classes. The 14 clips of Pour.Fromcup, which is no official class, are left out.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from workbench.data.dataset import Dataset
from workbench.data.files import facts
from workbench.data.formats import lcrnet
from workbench.data.sources import official

STEM = r"([A-Za-z][A-Za-z.]*)_p(\d+)_r(\d+)_v(\d+)_c(\d+)"
SMARTHOME = official.PublicSet(
    "smarthome",
    ("cs", "cv1", "cv2", "cs-full"),
    {"cs1": "cs", "xsub": "cs"},
    reader=lcrnet.READER,
    skeleton=lcrnet.SKELETON,
    metric="mean_class",
    count=lcrnet.count_frames,
    rate=20.0,
)
TRAIN_SUBJECTS = frozenset((3, 4, 6, 7, 9, 12, 13, 15, 17, 19, 25))
VALIDATION_SUBJECTS = frozenset((19, 25))
TEST_SUBJECTS = frozenset((2, 10, 11, 14, 16, 18, 20))
CAMERAS = {
    "cv1": {"train": {1}, "validation": {5}, "test": {2}},
    "cv2": {"train": {1, 3, 4, 6, 7}, "validation": {5}, "test": {2}},
}


def _open(
    version: official.PublicSet, ending: str, root: str | Path | None, protocol: str | None, split: str
) -> Dataset:
    """See ``open_dataset``; ``root`` is a folder with videos, poses whose names end in ``ending``, or both, data/<name>
    where it is None."""
    folder, protocol = version.locate(root, protocol)
    classes = list(facts.classes("smarthome31" if protocol.startswith("cs") else "smarthome_cv19").values())
    files = [path for path in official.walk(folder, (".json",)) if path.stem.endswith("_pose3d") == bool(ending)]
    poses = official.by_name(files, ending)
    videos = official.by_name(official.walk(folder, official.VIDEOS))
    matches = official.matching({**poses, **videos}, STEM, version.name, folder)
    unofficial = [stem for stem in matches if stem.startswith("Pour.Fromcup_")]
    official.left_out(version.name, unofficial, "are of no official class")
    rows = []
    for stem, match in matches.items():
        subject, _, view, camera = map(int, match.groups()[1:])
        if match[1] in classes:
            row = {"id": stem, "label": classes.index(match[1]), "subject": subject, "camera": camera, "view": view}
            rows.append(row | {"part": part(row, protocol)})
    return version.clips(rows, classes, protocol, split, videos, poses)


def part(row: dict, protocol: str) -> str:
    """train, validation, test or unused."""
    if protocol in CAMERAS:
        return next((part for part, cameras in CAMERAS[protocol].items() if row["camera"] in cameras), "unused")
    if protocol == "cs" and row["subject"] in VALIDATION_SUBJECTS:
        return "validation"
    if row["subject"] in TRAIN_SUBJECTS:
        return "train"
    return "test" if row["subject"] in TEST_SUBJECTS else "unused"


open = partial(_open, SMARTHOME, "_pose3d")
open_v1 = partial(_open, replace(SMARTHOME, name="smarthome_v1"), "")
read_skeleton, read_pixels = lcrnet.read_skeleton, lcrnet.read_pixels
