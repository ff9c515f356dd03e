"""NTU RGB+D 60 and 120: 60 actions of 40 subjects in 17 setups (Shahroudy et al., CVPR 2016), 120 actions of 106
subjects in 32 setups (Liu et al., TPAMI 2019), each seen by 3 cameras.

Layout: files are found by name anywhere below the root, usually ``nturgb+d_skeletons/<stem>.skeleton`` and
``nturgb+d_rgb/<stem>_rgb.avi``; <stem> is SsssCcccPpppRrrrAaaa (setup, camera, performer, replication, action).

Protocols, all with top-1 accuracy; clips with a usable skeleton in train and test (all samples in brackets, which is
what a folder of videos without skeletons gives). None has a validation part but ``cs-val`` and ``cv-val``. ntu60:

- ``cs`` (cross-subject): 20 subjects against the other 20, 40,091 and 16,487 (40,320 and 16,560);
- ``cv`` (cross-view): cameras 2 and 3 against camera 1, 37,646 and 18,932 (37,920 and 18,960);
- ``cs-val`` validates on the training subjects 4, 19 and 31, as the public code of VPN does;
- ``cv-val`` validates on camera 1 of setup 17, that code's choice too, and out of the test part, so that no clip is in
  two parts: its test numbers are on fewer clips than those of ``cv``.

ntu120:

- ``cs`` (cross-subject, CS1): 53 subjects against the other 53, 63,026 and 50,919 (63,360 and 51,120);
- ``setup`` (cross-setup, CS2): even setups against odd ones, 54,468 and 59,477 (54,720 and 59,760);
- ``one-shot``: the 100 auxiliary classes train, the clips of the 20 novel classes but for one exemplar each are tested;
- ``one-shot-exemplars``: the same test part, with the 20 exemplars as the training part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workbench.data.dataset import Dataset
from workbench.data.files import facts
from workbench.data.formats import ntu_skeleton
from workbench.data.formats.pose_reader import PoseReader
from workbench.data.sources import official
from workbench.types import Skeleton

STEM = r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})"
TRAIN_SUBJECTS_60 = frozenset((1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38))
VALIDATION_SUBJECTS = frozenset((4, 19, 31))
TRAIN_CAMERAS = frozenset((2, 3))
TRAIN_SUBJECTS_120 = TRAIN_SUBJECTS_60 | {
    45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95,
    97, 98, 100, 103,
}  # fmt: skip
NOVEL = frozenset(range(1, 121, 6))


def part_60(row: dict, protocol: str) -> str:
    """What a sample of ntu60 is for: train, validation or test."""
    if protocol == "cs-val" and row["subject"] in VALIDATION_SUBJECTS:
        return "validation"
    if protocol == "cv-val" and row["camera"] == 1 and row["setup"] == 17:
        return "validation"
    if protocol.startswith("cs"):
        return "train" if row["subject"] in TRAIN_SUBJECTS_60 else "test"
    return "train" if row["camera"] in TRAIN_CAMERAS else "test"


def part_120(row: dict, protocol: str) -> str:
    """What a sample of ntu120 is for: train, test or, in the one-shot protocols, unused."""
    if protocol == "cs":
        return "train" if row["subject"] in TRAIN_SUBJECTS_120 else "test"
    if protocol == "setup":
        return "test" if row["setup"] % 2 else "train"
    novel = row["label"] + 1 in NOVEL
    if novel and row["id"] != exemplar(row["label"] + 1):
        return "test"
    return "train" if novel == (protocol == "one-shot-exemplars") else "unused"


def exemplar(action: int) -> str:
    """The one clip by which a novel class (A001 to A120) is known."""
    return f"S{1 if action <= 55 else 18:03d}C003P008R001A{action:03d}"


def samples(root: Path, name: str, actions: int, setups: range) -> list[dict]:
    """The samples below ``root`` with a skeleton that the authors count as usable, or, where there are no skeleton
    files at all, every video: id, label, setup, camera, subject, replication, video, pose."""
    skeletons = official.by_name(official.walk(root, (".skeleton",)))
    videos = official.by_name(official.walk(root, official.VIDEOS), "_rgb")
    if not skeletons and not videos:
        raise FileNotFoundError(f"{root} holds no .skeleton file and no video")
    rows = []
    for stem, match in official.matching(skeletons or videos, STEM, name, root).items():
        setup, camera, subject, replication, action = map(int, match.groups())
        if setup in setups and 1 <= action <= actions:
            row = {"id": stem, "label": action - 1, "setup": setup, "camera": camera, "view": camera}
            row |= {"subject": subject, "replication": replication}
            rows.append(row | {"video": videos.get(stem), "pose": skeletons.get(stem)})
    if not skeletons:
        return rows
    missing = facts.listed("ntu_missing_skeletons_120.txt")
    official.left_out(name, [row["id"] for row in rows if row["id"] in missing], "have no usable skeleton")
    return [row for row in rows if row["id"] not in missing]


@dataclass(frozen=True, kw_only=True)
class Edition(official.PublicSet):
    """One of the two data sets: its actions A001 on, its setups, and what a sample (a row of ``samples``) is for under
    a protocol."""

    reader: PoseReader = ntu_skeleton.READER
    skeleton: Skeleton = ntu_skeleton.KINECT
    mirrored: bool = True
    count: Callable[[Path], int] = ntu_skeleton.count_frames
    actions: int
    setups: range
    part: Callable[[dict, str], str]

    def open(self, root: str | Path | None, protocol: str | None, split: str) -> Dataset:
        """See ``open_dataset``; ``root`` is a folder with .skeleton files, videos or both, data/<name> where it is
        None."""
        folder, protocol = self.locate(root, protocol)
        rows = samples(folder, self.name, self.actions, self.setups)
        rows = [{**row, "part": self.part(row, protocol)} for row in rows]
        return self.clips(rows, list(facts.classes("ntu120").values())[: self.actions], protocol, split)


NTU60 = Edition(
    name="ntu60",
    actions=60,
    setups=range(1, 18),
    protocols=("cs", "cv", "cs-val", "cv-val"),
    aliases={"xsub": "cs", "csub": "cs", "xview": "cv", "cview": "cv"},
    part=part_60,
)
NTU120 = Edition(
    name="ntu120",
    actions=120,
    setups=range(1, 33),
    protocols=("cs", "setup", "one-shot", "one-shot-exemplars"),
    aliases={"xsub": "cs", "csub": "cs", "cs1": "cs", "xset": "setup", "cset": "setup", "cs2": "setup"},
    part=part_120,
)
open_ntu60, open_ntu120 = NTU60.open, NTU120.open

read_skeleton, read_pixels = ntu_skeleton.read_skeleton, ntu_skeleton.read_pixels
