"""NTU RGB+D 60: 60 actions, 40 subjects, 3 cameras (Shahroudy et al., CVPR 2016). Format and layout: see ntu.py.

Protocols, both with top-1 accuracy; clips with a usable skeleton in train and test (all samples in brackets, which is
what a folder of videos without skeletons gives):

- ``cs`` (cross-subject): 20 subjects against the other 20, 40,091 and 16,487 (40,320 and 16,560);
- ``cv`` (cross-view): cameras 2 and 3 against camera 1, 37,646 and 18,932 (37,920 and 18,960).

Neither has a validation part. ``cs-val`` takes the training subjects 4, 19 and 31 for it, as the public code of VPN
does. ``cv-val`` takes camera 1 of setup 17, that code's choice too, and out of the test part, so that no clip is in two
parts: its test numbers are on fewer clips than those of ``cv``.
"""

from __future__ import annotations

from pathlib import Path

from workbench.data.catalog import Dataset
from workbench.data.sources import ntu, official

TRAIN_SUBJECTS = frozenset((1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38))
VALIDATION_SUBJECTS = frozenset((4, 19, 31))
TRAIN_CAMERAS = frozenset((2, 3))
PROTOCOLS = ("cs", "cv", "cs-val", "cv-val")
ALIASES = {"xsub": "cs", "csub": "cs", "xview": "cv", "cview": "cv"}
SETUPS, ACTIONS = range(1, 18), 60


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is a folder with .skeleton files, videos or both, data/ntu60 where it is None."""
    protocol = official.choose("ntu60", protocol, PROTOCOLS, ALIASES)
    return ntu.open_with("ntu60", root, split, protocol, lambda row: part(row, protocol), ACTIONS, SETUPS)


def part(row: dict, protocol: str) -> str:
    """train, validation or test."""
    if protocol == "cs-val" and row["subject"] in VALIDATION_SUBJECTS:
        return "validation"
    if protocol == "cv-val" and row["camera"] == 1 and row["setup"] == 17:
        return "validation"
    if protocol.startswith("cs"):
        return "train" if row["subject"] in TRAIN_SUBJECTS else "test"
    return "train" if row["camera"] in TRAIN_CAMERAS else "test"
