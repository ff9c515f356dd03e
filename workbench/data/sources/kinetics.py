"""Kinetics-400, -600 and -700: clips of 10 s from YouTube (Kay et al., 2017).

Layout: the lists as CSV files (``label,youtube_id,time_start,time_end,split``) and the clips,
``<youtube id>_<start %06d>_<end %06d>.mp4``, anywhere below the root; or, without lists, folders
``train/<class>/<clip>`` and ``val/<class>/<clip>``. Videos vanish from YouTube: a warning tells how many clips of the
lists are not there, which belongs beside every result.

Protocols, top-1 (and top-5): ``val``, as papers report, trains on the training list and tests on the validation list
(K400: 19,906 rows, K600: 30,000) and has no validation part; ``lists`` takes the lists by their names. The test lists
(K400: 38,685 rows, K600: 72,924) have no labels, so that nothing of them is in a Dataset. Much of K400's validation
list is in K700's training list: don't pretrain on one to test on the other.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pandas as pd

from safefiles.reading import reading
from workbench.data.dataset import Dataset
from workbench.data.files import facts
from workbench.data.files.table_checks import require
from workbench.data.files.text import Damage
from workbench.data.sources import official

PROTOCOLS = ("val", "lists")
PARTS = {"train": "train", "val": "validation", "validate": "validation", "validation": "validation", "test": "test"}
_CLIP = re.compile(r"([\w-]{11})(?:_(\d{6})_(\d{6}))?")


def _open(edition: official.PublicSet, root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder with lists and clips, data/<name> where it is None."""
    folder, protocol = edition.locate(root, protocol)
    name, classes = edition.name, list(facts.classes(edition.name).values())
    labels = {_spelling(label): i for i, label in enumerate(classes)}
    table, clips = lists(folder), official.walk(folder, official.VIDEOS)
    rows = _in_folders(folder, clips, labels, name) if table.empty else _in_lists(table, clips, labels, name)
    if protocol == "val":
        rows = [{**row, "part": {"validation": "test", "test": "unused"}.get(row["part"], row["part"])} for row in rows]
    return edition.clips(rows, classes, protocol, split)


open_kinetics400 = partial(_open, official.PublicSet("kinetics400", PROTOCOLS))
open_kinetics600 = partial(_open, official.PublicSet("kinetics600", PROTOCOLS))
open_kinetics700 = partial(_open, official.PublicSet("kinetics700", PROTOCOLS))


def lists(root: Path) -> pd.DataFrame:
    """All rows of all lists below ``root``, as text: label ("" where a list has none), youtube_id, time_start,
    time_end, part."""
    tables = []
    for path in official.walk(root, (".csv",)):
        with reading(path, "CSV"):
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding_errors="replace")
        if "youtube_id" not in table:
            continue
        require(table, ("youtube_id", "time_start", "time_end"), path)
        splits = table["split"] if "split" in table else pd.Series(_part_of(path.stem), index=table.index)
        table["part"] = splits.map(PARTS)
        if table["part"].isna().any():
            raise ValueError(f"{path} has rows that are of no split; expected {', '.join(PARTS)}")
        times = table[["time_start", "time_end"]].apply(pd.to_numeric, errors="coerce")
        wrong = table.index[~((times >= 0) & (times < 1e6)).all(axis=1)]
        if len(wrong):
            row = table.loc[wrong[0]]
            times_text = f"{row['time_start'][:20]!r} to {row['time_end'][:20]!r}"
            raise Damage(f"{path}, row {wrong[0] + 1}: expected the seconds of a clip, got {times_text}")
        tables.append(table.reindex(columns=["label", "youtube_id", "time_start", "time_end", "part"]).fillna(""))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["label", "youtube_id", "part"])


def _part_of(name: str) -> str:
    """The split that a list or folder is named after, "" if none."""
    return next((word for word in re.split(r"[^a-z]+", name.lower()) if word in PARTS), "")


def _in_lists(table: pd.DataFrame, clips: list[Path], labels: dict[str, int], name: str) -> list[dict]:
    """The clips of ``table`` (see ``lists``); ``labels`` by the spelling of classes."""
    paths = {match[0]: path for path in clips if (match := _CLIP.fullmatch(path.stem))}
    rows, gone, unlabelled = [], [], []
    for label, video, start, end, part in table.itertuples(index=False):
        id = f"{video}_{int(float(start)):06d}_{int(float(end)):06d}"
        path = paths.get(id) or paths.get(video)
        if _spelling(label) not in labels:
            unlabelled.append(id)
        elif path is None:
            gone.append(id)
        else:
            rows.append({"id": id, "label": labels[_spelling(label)], "part": part, "video": path})
    official.left_out(name, gone, f"are among the {len(table)} of the lists but not in the folder")
    official.left_out(name, unlabelled, "have no label that is one of its classes")
    return list({row["id"]: row for row in rows}.values())


def _in_folders(root: Path, clips: list[Path], labels: dict[str, int], name: str) -> list[dict]:
    """The clips in folders of a split and a class below ``root``; ``labels`` by the spelling of classes."""
    rows, odd = [], []
    for path in clips:
        part = PARTS.get(_part_of("/".join(path.relative_to(root).parts)), "")
        label = labels.get(_spelling(path.parent.name))
        if part and label is not None:
            rows.append({"id": f"{part}/{path.stem}", "label": label, "part": part, "video": path})
        else:
            odd.append(path.stem)
    if not rows:
        raise FileNotFoundError(f"{root} holds neither a list (CSV with youtube_id) nor train/<class>/<clip>")
    official.left_out(name, odd, "are in no folder of a split and a class")
    return rows


def _spelling(label: str) -> str:
    """A class name whatever the downloader made of blanks and signs."""
    return re.sub(r"[^a-z0-9]", "", label.lower())
