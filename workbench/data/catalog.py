"""The data sets by name: the table of sources, and ``open_dataset`` over it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.dataset import Dataset

#: A data set is one function in a module of ``sources`` and one line here: "module:function" of an
#: ``open(root, protocol, split) -> Dataset``.
SOURCES = {
    "synthadl": "workbench.data.sources.synthadl:open",
    "manifest": "workbench.data.own.manifest:open",
    "shards": "workbench.data.own.shards:open",
    "ntu60": "workbench.data.sources.ntu:open_ntu60",
    "ntu120": "workbench.data.sources.ntu:open_ntu120",
    "smarthome": "workbench.data.sources.smarthome:open",
    "smarthome_v1": "workbench.data.sources.smarthome:open_v1",
    "nw_ucla": "workbench.data.sources.nw_ucla:open",
    "cad60": "workbench.data.sources.cad:open_cad60",
    "cad120": "workbench.data.sources.cad:open_cad120",
    "msrdaily": "workbench.data.sources.msrdaily:open",
    "kinetics400": "workbench.data.sources.kinetics:open_kinetics400",
    "kinetics600": "workbench.data.sources.kinetics:open_kinetics600",
    "kinetics700": "workbench.data.sources.kinetics:open_kinetics700",
    "ucf101": "workbench.data.sources.ucf101:open",
    "hmdb51": "workbench.data.sources.hmdb51:open",
    "charades": "workbench.data.sources.charades:open",
    "pku_mmd": "workbench.data.sources.pku_mmd:open",
    "tsu": "workbench.data.sources.tsu:open",
    "thumos14": "workbench.data.sources.thumos14:open",
    "multithumos": "workbench.data.sources.multithumos:open",
    "pyskl": "workbench.data.own.pyskl:open",
}

#: The same for untrimmed videos: ``open(root, protocol, split) -> Untrimmed`` (see data.untrimmed).
UNTRIMMED = {
    "synthadl_u": "workbench.data.sources.synthadl_u:open",
}

#: What the folders of the public sets hold, as it comes out of the official archives.
LAYOUTS = {
    **dict.fromkeys(("ntu60", "ntu120"), "nturgb+d_skeletons/*.skeleton and nturgb+d_rgb/*_rgb.avi"),
    **dict.fromkeys(("smarthome", "smarthome_v1"), "mp4/<Activity>_pPP_rRR_vVV_cCC.mp4 and the poses' .json"),
    "nw_ucla": "multiview_action/view_1/a01_s01_e00/..., or the JSON release",
    "cad60": "data1/ to data4/ with skeletons and activityLabel.txt",
    "cad120": "Subject1_annotations/ and so on",
    "msrdaily": "aXX_sXX_eXX_rgb.avi and aXX_sXX_eXX_skeleton.txt",
    **dict.fromkeys(
        ("kinetics400", "kinetics600", "kinetics700"), "the lists as CSV and <id>_000010_000020.mp4, or train/<class>/"
    ),
    "ucf101": "UCF-101/<Class>/*.avi and ucfTrainTestlist/",
    "hmdb51": "<class>/*.avi and testTrainMulti_7030_splits/",
    "charades": "Charades_v1_train.csv, Charades_v1_test.csv and <id>.mp4",
    "pku_mmd": "labels, videos and skeletons of PKU-MMD",
    "tsu": "the annotations' CSV and the videos",
    **dict.fromkeys(("thumos14", "multithumos"), "the annotations' .txt and video_*.mp4"),
}

#: Sources that are one table with a column split.
TABLES = ("manifest", "shards")

#: The name that leaves it to the root which source it is.
AUTO = "auto"

SPLITS = ("train", "validation", "test")
#: What parts are called by columns, folders and files, in small letters.
PARTS = {
    **{split: split for split in SPLITS},
    **{"training": "train", "val": "validation", "valid": "validation", "testing": "test"},
}


def open_dataset(
    name: str = AUTO, root: str | Path | None = None, protocol: str | None = None, split: str = "train"
) -> Dataset:
    """The clips of one split of a data set.

    Args:
        name: the data set; "auto" looks at root (see ``guess``).
        root: the folder (of synthadl, of shards, of a real data set) or the table (manifest: a CSV or parquet file) to
            open; None: the source's default.
        protocol: who is held out (synthadl: cs, cv, setup; manifest: split, leave-out:<subject>[,<subject>...]); None:
            the source's first.
        split: train, validation, test, or all.

    Returns:
        A Dataset; its files are opened clip by clip.

    Raises:
        ValueError: an unknown name, protocol or split; it names the valid ones.
        FileNotFoundError: a missing file, by name.
    """
    if name in UNTRIMMED:
        raise ValueError(f"{name!r} has untrimmed videos, no clips: open it with open_untrimmed({name!r}, ...)")
    name = guess(root) if name == AUTO else name
    if name not in SOURCES:
        raise ValueError(f"unknown data set {name!r}; known: {', '.join(SOURCES)}")
    if split not in (*SPLITS, "all"):
        raise ValueError(f"unknown split {split!r}; known: {', '.join(SPLITS)}, all")
    try:
        return opener(SOURCES[name])(root, protocol, split)
    except FileNotFoundError as problem:
        # What is wrong with the root itself is told with its layout already.
        if name not in LAYOUTS or "--root" in str(problem):
            raise
        expected = f"--root names the folder of {name}, and expected in it are {LAYOUTS[name]} (docs/data.md)"
        raise FileNotFoundError(f"{problem}; {expected}") from None


def opener(address: str) -> Callable[..., Any]:
    """The function that a line of ``SOURCES`` or ``UNTRIMMED`` names."""
    module, _, function = address.partition(":")
    return getattr(import_module(module), function)


def open_parts(name: str = AUTO, root: str | Path | None = None, protocol: str | None = None) -> dict[str, Dataset]:
    """``open_dataset`` of all splits, by name; a table that holds them all is read once."""
    name = guess(root) if name == AUTO else name
    if name not in TABLES:
        return {split: open_dataset(name, root, protocol, split) for split in SPLITS}
    data = open_dataset(name, root, protocol, "all")
    rows_of = {split: np.flatnonzero(data.table["split"].to_numpy() == split).tolist() for split in SPLITS}
    return {split: dataclasses.replace(data.subset(rows), split=split) for split, rows in rows_of.items()}


def guess(root: str | Path | None) -> str:
    """Which source ``root`` is of: a .csv or .parquet file is a manifest, a .pkl file one of PySKL, a folder with
    shards.json holds shards, and any other is SynthADL, as is None."""
    if root is not None and Path(root).suffix.lower() in (".csv", ".parquet"):
        return "manifest"
    if root is not None and (Path(root) / "shards.json").is_file():
        return "shards"
    if root is not None and Path(root).suffix.lower() in (".pkl", ".pickle"):
        return "pyskl"
    return "synthadl"


def locate(text: str | Path) -> tuple[str, str | None]:
    """(name, root) of a data set as it is named on the command line: "ntu60:/data/ntu", "synthadl", or a path alone.

    ValueError for a path that is none and no known name.
    """
    name, colon, root = str(text).partition(":")
    if name in SOURCES:
        return name, root if colon else None
    if Path(text).exists():
        return guess(text), str(text)
    raise ValueError(
        f"{text} is neither a file, a folder nor a data set; give NAME:FOLDER with one of {', '.join(SOURCES)}"
    )
