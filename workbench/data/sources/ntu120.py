"""NTU RGB+D 120: 120 actions, 106 subjects, 32 setups (Liu et al., TPAMI 2019). Format and layout: see ntu.py.

Protocols, with top-1 accuracy; clips with a usable skeleton in train and test (all samples in brackets):

- ``cs`` (cross-subject, CS1): 53 subjects against the other 53, 63,026 and 50,919 (63,360 and 51,120);
- ``setup`` (cross-setup, CS2): even setups against odd ones, 54,468 and 59,477 (54,720 and 59,760);
- ``one-shot``: the 100 auxiliary classes train, the clips of the 20 novel classes but for one exemplar each are tested;
- ``one-shot-exemplars``: the same test part, with the 20 exemplars as the training part.
"""

from __future__ import annotations

from pathlib import Path

from workbench.data.catalog import Dataset
from workbench.data.sources import ntu, ntu60, official

TRAIN_SUBJECTS = ntu60.TRAIN_SUBJECTS | {
    45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95,
    97, 98, 100, 103,
}  # fmt: skip
NOVEL = frozenset(range(1, 121, 6))
PROTOCOLS = ("cs", "setup", "one-shot", "one-shot-exemplars")
ALIASES = {"xsub": "cs", "csub": "cs", "cs1": "cs", "xset": "setup", "cset": "setup", "cs2": "setup"}
SETUPS, ACTIONS = range(1, 33), 120


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is a folder with .skeleton files, videos or both, data/ntu120 where it is None."""
    protocol = official.choose("ntu120", protocol, PROTOCOLS, ALIASES)
    return ntu.open_with("ntu120", root, split, protocol, lambda row: part(row, protocol), ACTIONS, SETUPS)


def part(row: dict, protocol: str) -> str:
    """train, test or, in the one-shot protocols, unused."""
    if protocol == "cs":
        return "train" if row["subject"] in TRAIN_SUBJECTS else "test"
    if protocol == "setup":
        return "test" if row["setup"] % 2 else "train"
    novel = row["label"] + 1 in NOVEL
    if novel and row["id"] != exemplar(row["label"] + 1):
        return "test"
    return "train" if novel == (protocol == "one-shot-exemplars") else "unused"


def exemplar(action: int) -> str:
    """The one clip by which a novel class (A001 to A120) is known."""
    return f"S{1 if action <= 55 else 18:03d}C003P008R001A{action:03d}"
