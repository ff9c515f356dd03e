"""A manifest from a folder of videos, and in words what was assumed."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data import naming
from workbench.data.catalog import SPLITS, measure
from workbench.data.sources import posefiles, written
from workbench.data.sources.manifest import leave_out
from workbench.data.sources.places import Folder

#: How names of video files end.
VIDEOS = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ts", ".mts"}

#: Folders that say which part their classes play.
PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}

#: Shares of subjects, or of the clips of each class, for test and for validation.
TEST, VALIDATION = 0.25, 0.15

WAYS = ("auto", "subject", "clip", "leave-one-out", "leave-out:<subject>[,...]")


@dataclass
class Proposal:
    """table: the manifest's rows, paths relative to ``folder``. said: what was assumed. warned: what to look at."""

    folder: Path
    table: pd.DataFrame
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)


def propose(
    folder: str | Path,
    subject_pattern: str | None = None,
    camera_pattern: str | None = None,
    split: str = "auto",
    seed: int = 0,
) -> Proposal:
    """What the manifest of ``folder`` (one folder a class, or train/, val/ and test/ with one a class each) would be.

    Every video is decoded once to count its frames; damaged ones are left out and named. Patterns are regular
    expressions with a group for the subject or camera in the file's name; without one, subjects are looked for in the
    names. split: subject (no subject in two parts), clip (of each class the same share, drawn from ``seed``),
    leave-one-out (test on the first subject), leave-out:<subject>[,...], or auto: what the folders say, else subject
    where there are three, else clip. ValueError, one sentence, where no manifest can be made.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"no folder at {root}")
    proposal = Proposal(root, pd.DataFrame())
    table = _collect(root, proposal)
    stems = [Path(name).stem for name in table["video"]]
    table["subject"], table["camera"] = _subjects(stems, table["label"], subject_pattern, proposal), ""
    if camera_pattern is not None:
        table["camera"] = naming.by_pattern(stems, camera_pattern)
        _say_found(proposal, "camera", table["camera"], f"the pattern {camera_pattern}")
    table = _counted(root, table, proposal)
    table["split"] = _split(table, split, seed, proposal)
    if not (table["pose"] != "").any():
        table = table.drop(columns="pose")
    proposal.table = table.drop(columns="part")
    return proposal


def write(proposal: Proposal, out: str | Path, force: bool = False) -> list[Path]:
    """Writes the manifest ``out`` (.csv or .parquet) and, where the videos are not below it, the .yaml beside it that
    says where they are. FileExistsError where one is there already, unless ``force``; each is written whole or not."""
    out = Path(out)
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"a manifest is a .csv or a .parquet file, got {out}")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"no folder {out.parent} to write {out.name} to")
    beside = out.with_suffix(".yaml")
    for path in (out, beside):
        if path.exists() and not force:
            raise FileExistsError(f"{path} is there already; --force replaces it, --out names another")
    home, here = Path(os.path.realpath(proposal.folder)), Path(os.path.realpath(out.parent))
    elsewhere = here != home and here not in home.parents
    table = proposal.table.copy()
    if not elsewhere and here != home:
        for column in {"video", "pose"} & set(table):
            table[column] = [name and str(home.relative_to(here) / name) for name in table[column]]
    beside.unlink(missing_ok=True)
    written.write(table, out, {"folder": str(home)} if elsewhere else None)
    return [out, beside] if elsewhere else [out]


def next_steps(proposal: Proposal, out: str | Path) -> list[str]:
    """The commands after the wizard: train on the manifest ``out``, and look at what was learnt."""
    crop = "" if "pose" in proposal.table else " preset.crop=frame"
    quoted = shlex.quote(str(out))
    return [
        f"python -m workbench train rgb --root {quoted} --set{crop} init.backbone=i3d_synthadl_p epochs=40",
        "papermill notebooks/02_gradcam.ipynb gradcam.ipynb -p run latest:rgb",
    ]


def _collect(root: Path, proposal: Proposal) -> pd.DataFrame:
    """video, label, part and pose of every video in a class's folder, sorted by path."""
    safe, rows, loose, foreign, outside = Folder(root), [], [], Counter(), []
    paths = sorted(
        Path(os.path.relpath(os.path.join(base, name), root))
        for base, _, names in os.walk(root)
        for name in names
        if not name.startswith(".")
    )
    paths = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    tops = {path.parts[0] for path in paths if len(path.parts) > 1 and path.suffix.lower() in VIDEOS}
    by_part = bool(tops) and {top.lower() for top in tops} <= set(PARTS)
    depth = 2 if by_part else 1
    for path in paths:
        if path.suffix.lower() not in VIDEOS:
            foreign[path.suffix.lower() or path.name] += not posefiles.kind(path)
        elif len(path.parts) <= depth:
            loose.append(str(path))
        elif safe.find(path.as_posix())[1]:
            outside.append(str(path))
        else:
            part = PARTS[path.parts[0].lower()] if by_part else ""
            rows.append((path.as_posix(), path.parts[depth - 1], part, _pose(safe, path)))
    table = pd.DataFrame(rows, columns=["video", "label", "part", "pose"])
    if not len(table):
        raise ValueError(f"{root} holds no videos in folders by class, such as {root.name}/walk/ann.mp4")
    if table["label"].nunique() < 2:
        raise ValueError(f"{root} holds videos of one class only ({table['label'][0]!r}); it takes one folder a class")
    where = "the folder within train, val or test" if by_part else "the folder's name"
    proposal.said.append(f"class: {where}; {table['label'].nunique()} classes, {len(table)} videos")
    _warn_some(proposal, "videos outside of a class's folder, left out", loose)
    _warn_some(proposal, "links that lead out of the folder, left out", outside)
    others = [f"{count} x {suffix}" for suffix, count in foreign.items() if count]
    _warn_some(proposal, "files that are no videos, left out", others)
    if (table["pose"] != "").any():
        proposal.said.append(f"poses: the files of the same name beside {(table['pose'] != '').sum()} videos")
    return table


def _pose(safe: Folder, video: Path) -> str:
    """The file of poses beside a video, "" where there is none."""
    found = (video.with_suffix(suffix).as_posix() for suffix in posefiles.READERS)
    return next((name for name in found if safe.find(name)[0]), "")


def _subjects(stems: list[str], labels: pd.Series, pattern: str | None, proposal: Proposal) -> list[str]:
    if pattern is not None:
        subjects = naming.by_pattern(stems, pattern)
        missing = [stem for stem, subject in zip(stems, subjects, strict=True) if not subject]
        if missing:
            raise ValueError(
                f"{pattern!r} finds no subject in {len(missing)} file name(s), the first is {missing[0]!r}"
            )
        how = f"the pattern {pattern}"
    else:
        found = naming.find(stems, labels.tolist())
        if found is None:
            proposal.said.append("subject: none, nothing in the file names looks like one (--subject-pattern tells)")
            return [""] * len(stems)
        subjects, how = found
    _say_found(proposal, "subject", subjects, how)
    return subjects


def _say_found(proposal: Proposal, what: str, values: list[str] | pd.Series, how: str) -> None:
    names = sorted(set(values))
    more = ", ..." if len(names) > 12 else ""
    proposal.said.append(f"{what}: {how}; {len(names)} found: {', '.join(names[:12])}{more}")


def _counted(root: Path, table: pd.DataFrame, proposal: Proposal) -> pd.DataFrame:
    facts = measure([os.path.join(root, name) for name in table["video"]])
    _warn_some(proposal, "videos that cannot be read, left out", [text for text in facts["problem"] if text])
    good = (facts["problem"] == "").to_numpy()
    if not good.any():
        raise ValueError(f"not one of the {len(table)} videos in {root} can be read; the first: {facts['problem'][0]}")
    counted = table[good].join(facts[["frames", "fps"]]).reset_index(drop=True)
    shortest, longest = counted["frames"].min(), counted["frames"].max()
    proposal.said.append(f"frames: counted by decoding every video, {shortest} to {longest}")
    return counted


def _split(table: pd.DataFrame, split: str, seed: int, proposal: Proposal) -> list[str]:
    """The part each clip plays."""
    subjects = sorted(set(table["subject"]) - {""})
    if split == "auto" and (table["part"] != "").any():
        proposal.said.append("split: the folders train, val and test")
        return table["part"].tolist()
    if split == "auto":
        split = "subject" if len(subjects) >= 3 else "clip"
    if split == "clip":
        proposal.said.append(
            f"split: drawn from seed {seed}, of each class {TEST:.0%} for test and {VALIDATION:.0%} for validation"
        )
        proposal.warned.append(
            "a split by clip may leak: clips of one person, place or recording in training and in test make results "
            "look better than they are"
        )
        return _by_clip(table["label"], seed)
    kind, _, names = split.partition(":")
    if kind not in ("subject", "leave-one-out", "leave-out") or (kind == "leave-out") != bool(names):
        raise ValueError(f"unknown split {split!r}; known: {', '.join(WAYS)}")
    if len(subjects) < 3:
        raise ValueError(
            f"the split {split!r} needs 3 subjects or more, {len(subjects)} found; --subject-pattern tells who performs"
        )
    if kind == "subject":
        roles = _by_subject(subjects, seed)
    else:
        left_out = [name.strip() for name in names.split(",")] if names else subjects[:1]
        roles = leave_out(subjects, left_out, proposal.folder)
    told = [f"{part} {', '.join(name for name in subjects if roles[name] == part)}" for part in SPLITS]
    proposal.said.append(f"split: by subject, no one is in two parts; {'; '.join(told)}")
    proposal.said.append(f"any other can be left out of training by protocol=leave-out:{subjects[-1]} and the like")
    return [roles[subject] for subject in table["subject"]]


def _by_subject(subjects: list[str], seed: int) -> dict[str, str]:
    order = np.random.default_rng(seed).permutation(len(subjects))
    test, held = max(1, round(TEST * len(subjects))), max(1, round(VALIDATION * len(subjects)))
    roles = ["test"] * test + ["validation"] * held + ["train"] * len(subjects)
    return {subjects[i]: role for i, role in zip(order, roles, strict=False)}


def _by_clip(labels: pd.Series, seed: int) -> list[str]:
    """Of each class the same shares; one clip is for training, two for training and test."""
    rng, roles = np.random.default_rng(seed), pd.Series("train", index=labels.index)
    for _, rows in labels.groupby(labels, sort=True):
        order = rng.permutation(rows.index.to_numpy())
        test = max(1, round(TEST * len(order))) if len(order) > 1 else 0
        held = max(1, round(VALIDATION * len(order))) if len(order) > 2 else 0
        roles[order[:test]], roles[order[test : test + held]] = "test", "validation"
    return roles.tolist()


def _warn_some(proposal: Proposal, what: str, cases: list[str]) -> None:
    if cases:
        more = f", and {len(cases) - 5} more" if len(cases) > 5 else ""
        proposal.warned.append(f"{what} ({len(cases)}): {', '.join(cases[:5])}{more}")
