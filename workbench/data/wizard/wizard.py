"""A manifest from a folder of videos, and in words what was assumed."""

from __future__ import annotations

import os
import shlex
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data import spelling
from workbench.data.catalog import PARTS, SPLITS
from workbench.data.dataset import measure
from workbench.data.files import written_manifest
from workbench.data.files.safe_folder import Folder
from workbench.data.own.manifest import leave_out
from workbench.data.wizard import find_footage, performers
from workbench.data.wizard.find_footage import Proposal
from workbench.media import video
from workbench.media.files.ingest import VideoNote

#: Shares of subjects, or of the clips of each class, for test and for validation.
TEST, VALIDATION = 0.25, 0.15

WAYS = ("auto", "subject", "clip", "leave-one-out", "leave-out:<subject>[,...]")


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
    table["subject"], certain = _subjects(stems, table["label"], subject_pattern, proposal)
    table["film"], table["camera"] = performers.films(stems, table["label"]), ""
    if camera_pattern is not None:
        table["camera"] = performers.by_pattern(stems, camera_pattern)
        _say_found(proposal, "camera", table["camera"], f"the pattern {camera_pattern}")
    table = _counted(root, table, proposal)
    table["split"] = _split(table, split, seed, certain, proposal)
    if not (table["pose"] != "").any():
        table = table.drop(columns="pose")
    proposal.table = table.drop(columns=["part", "film"])
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
    home, target = Path(os.path.realpath(proposal.folder)), Path(os.path.realpath(out.parent))
    elsewhere = target != home and target not in home.parents
    table = proposal.table.copy()
    if not elsewhere and target != home:
        for column in {"video", "pose"} & set(table):
            table[column] = [name and str(home.relative_to(target) / name) for name in table[column]]
    try:
        beside.unlink(missing_ok=True)
        written_manifest.write(table, out, {"folder": str(home)} if elsewhere else None)
    except PermissionError:
        raise PermissionError(f"{out.absolute().parent} may not be written to; --out names another place") from None
    return [out, beside] if elsewhere else [out]


def next_steps(proposal: Proposal, out: str | Path) -> list[str]:
    """The commands after the wizard: train on the manifest ``out``, and look at what was learnt."""
    crop = "" if "pose" in proposal.table else " preset.crop=frame"
    quoted = shlex.quote(str(out))
    return [
        f"python -m workbench train rgb --root {quoted} --set{crop} init.backbone=i3d_synthadl_p epochs=40",
        f"papermill notebooks/02_gradcam.ipynb gradcam.ipynb -p run latest:rgb -p root {quoted}",
    ]


def _collect(root: Path, proposal: Proposal) -> pd.DataFrame:
    """video, label, part and pose of every video in a class's folder, sorted by path."""
    safe, rows, loose, others = Folder(root), [], [], []
    problems: dict[str, list[str]] = {"outside": [], "missing": []}
    paths = find_footage.paths(root, proposal)
    tops = {path.parts[0] for path in paths if len(path.parts) > 1 and path.suffix.lower() in find_footage.VIDEOS}
    by_part = bool(tops) and {top.lower() for top in tops} <= set(PARTS)
    depth = 2 if by_part else 1
    for path in paths:
        if path.suffix.lower() not in find_footage.VIDEOS:
            others.append(path)
        elif len(path.parts) <= depth:
            loose.append(str(path))
        elif problem := safe.find(path.as_posix())[1]:
            problems[problem].append(str(path))
        else:
            part = PARTS[path.parts[0].lower()] if by_part else ""
            rows.append((path.as_posix(), path.parts[depth - 1], part))
    table = pd.DataFrame(rows, columns=["video", "label", "part"])
    table["label"] = spelling.merged(table["label"])
    if not len(table):
        raise ValueError(f"{root} holds no videos in folders by class, such as {root.name}/walk/ann.mp4")
    if table["label"].nunique() < 2:
        raise ValueError(
            f"{root} holds videos of one class only ({table['label'][0]!r}); a manifest needs one folder for each class"
        )
    where = "the folder within train, val or test" if by_part else "the folder's name"
    proposal.assumptions.append(f"class: {where}; {table['label'].nunique()} classes, {len(table)} videos")
    proposal.warn("videos outside the class folders, left out", loose)
    proposal.warn("links that lead out of the folder, left out; use the target folder, or copies", problems["outside"])
    proposal.warn("broken links and special files, left out", problems["missing"])
    alike = [spelling.quoted(group) for group in spelling.near(table["label"])]
    proposal.warn("different classes with similar names; rename folders", alike)
    table["pose"] = find_footage.poses(root, safe, table["video"].tolist(), proposal)
    find_footage.warn_of_others(root, others, table, proposal)
    if (table["pose"] != "").any():
        proposal.assumptions.append(f"poses: files with the same name beside {(table['pose'] != '').sum()} videos")
    return table


def _subjects(stems: list[str], labels: pd.Series, pattern: str | None, proposal: Proposal) -> tuple[list[str], bool]:
    """(who performs in each video, "" where nobody knows; whether that is no guess)."""
    if pattern is not None:
        subjects = performers.by_pattern(stems, pattern)
        missing = [stem for stem, subject in zip(stems, subjects, strict=True) if not subject]
        if missing:
            names = f"{len(missing)} file name(s), the first is {missing[0]!r}"
            raise ValueError(f"{pattern!r} finds no subject in {names}")
        subjects, how, certain = spelling.merged(subjects), f"the pattern {pattern}", True
    else:
        guess = performers.find(stems, labels.tolist())
        if guess is None:
            proposal.assumptions.append("subject: none found in the file names (set --subject-pattern)")
            return [""] * len(stems), False
        subjects, certain = spelling.merged(guess.names), guess.certain
        how = guess.how if certain else f"a guess, {guess.how} (set --subject-pattern if it is wrong)"
    _say_found(proposal, "subject", subjects, how)
    alike = [spelling.quoted(group) for group in spelling.near(subjects)]
    proposal.warn("different subjects with similar names", alike)
    return subjects, certain


def _say_found(proposal: Proposal, role: str, values: list[str] | pd.Series, how: str) -> None:
    names = sorted(set(values))
    more = ", ..." if len(names) > 12 else ""
    proposal.assumptions.append(f"{role}: {how}; {len(names)} found: {', '.join(names[:12])}{more}")


def _counted(root: Path, table: pd.DataFrame, proposal: Proposal) -> pd.DataFrame:
    full = [os.path.join(root, name) for name in table["video"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoNote)
        facts = measure(full)
        notes = [video.probe(path).note for path, text in zip(full, facts["problem"], strict=True) if not text]
    home = f"{root.absolute()}{os.sep}"
    proposal.warn("notes on videos", [note.replace(home, "") for note in notes if note])
    proposal.warn("videos that cannot be read, left out", [text for text in facts["problem"] if text])
    good = (facts["problem"] == "").to_numpy()
    if not good.any():
        raise ValueError(f"not one of the {len(table)} videos in {root} can be read; the first: {facts['problem'][0]}")
    counted = table[good].join(facts[["frames", "fps"]]).reset_index(drop=True)
    shortest, longest = counted["frames"].min(), counted["frames"].max()
    proposal.assumptions.append(f"frames: counted by decoding every video, {shortest} to {longest}")
    return counted


def _split(table: pd.DataFrame, split: str, seed: int, certain: bool, proposal: Proposal) -> list[str]:
    """The part each clip plays."""
    subjects = sorted(set(table["subject"]) - {""})
    if split == "auto" and (table["part"] != "").any():
        proposal.assumptions.append("split: the folders train, val and test")
        return table["part"].tolist()
    if split == "auto":
        split = "subject" if len(subjects) >= 3 else "clip"
    if split == "clip":
        proposal.assumptions.append(
            f"split: random with seed {seed}, of each class {TEST:.0%} for test and {VALIDATION:.0%} for validation"
        )
        proposal.warnings.append(
            "a split by clip may leak: with clips of one person, place or recording in training and test, results look "
            "better than they are"
        )
        films, together = _films(table)
        if together:
            proposal.assumptions.append(
                f"films: clips whose names differ in a counter at the end alone, such as {together}, stay in one part"
            )
        return _by_clip(table["label"], films, seed)
    kind, _, names = split.partition(":")
    if kind not in ("subject", "leave-one-out", "leave-out") or (kind == "leave-out") != bool(names):
        raise ValueError(f"unknown split {split!r}; known: {', '.join(WAYS)}")
    if len(subjects) < 3:
        way = (
            "begin file names with the person, as in anna_wave_1.mp4, or give an expression with a group for the person"
        )
        raise ValueError(
            f"the split {split!r} needs 3 subjects or more, {len(subjects)} found in the file names; {way}, such as "
            r"--subject-pattern '(P\d+)'; without --split the clips themselves are parted"
        )
    if kind == "subject":
        roles = _by_subject(subjects, seed)
    else:
        left_out = [name.strip() for name in names.split(",")] if names else subjects[:1]
        roles = leave_out(subjects, left_out, proposal.folder)
    parts = [f"{part} {', '.join(name for name in subjects if roles[name] == part)}" for part in SPLITS]
    alone = "nobody is in two parts" if certain else "if these are the performers, nobody is in two parts"
    proposal.assumptions.append(f"split: by subject, {alone}; {'; '.join(parts)}")
    proposal.assumptions.append(f"to leave out another subject, use for example protocol=leave-out:{subjects[-1]}")
    return [roles[subject] for subject in table["subject"]]


def _by_subject(subjects: list[str], seed: int) -> dict[str, str]:
    order = np.random.default_rng(seed).permutation(len(subjects))
    test, validation = max(1, round(TEST * len(subjects))), max(1, round(VALIDATION * len(subjects)))
    roles = ["test"] * test + ["validation"] * validation + ["train"] * len(subjects)
    return {subjects[i]: role for i, role in zip(order, roles, strict=False)}


def _films(table: pd.DataFrame) -> tuple[pd.Series, str]:
    """(which film each clip is cut from, as its name tells, in classes of three films or more, else the clip itself;
    two clips of one film in words, "" where there are none)."""
    filmed_often = table.groupby("label")["film"].transform("nunique") >= 3
    films = table["film"].where(filmed_often, table["video"])
    shared = films[films.duplicated(keep=False)]
    first = table["video"][films == shared.iloc[0]].tolist()[:2] if len(shared) else []
    return films, " and ".join(first)


def _by_clip(labels: pd.Series, films: pd.Series, seed: int) -> list[str]:
    """Of the films of each class the same shares; one is for training, two for training and test."""
    rng = np.random.default_rng(seed)
    roles: dict[str, str] = {}
    for _, rows in films.groupby(labels, sort=True):
        order = rng.permutation(rows.unique())
        test = max(1, round(TEST * len(order))) if len(order) > 1 else 0
        validation = max(1, round(VALIDATION * len(order))) if len(order) > 2 else 0
        roles |= dict.fromkeys(order, "train") | dict.fromkeys(order[:test], "test")
        roles |= dict.fromkeys(order[test : test + validation], "validation")
    return films.map(roles).tolist()
