"""Checks of labels and of who is in which part."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data import spelling
from workbench.data.doctor.case import Case
from workbench.data.doctor.checks import FINE, Finding, Survey, check
from workbench.data.wizard import performers

#: Protocols that hold out something else than subjects: each of these columns says what.
HELD_OUT = ("camera", "view", "setup")

#: Seconds by which an action may end after its video: annotators round up.
BEYOND = 1.0

#: A class with this many times fewer clips than the largest is named.
IMBALANCE = 50


@check(
    "labels in range",
    "Labels go from 0 to the number of classes minus one. A larger label is an error in training. If 0 is unused and "
    "the last label is too large, the labels count from 1.",
    scope="set",
)
def label_range(survey: Survey) -> list[Finding]:
    findings = []
    for part, data in survey.parts.items():
        labels = _labels(survey, part)
        wrong = labels[(labels < 0) | (labels >= len(data.classes))]
        if len(wrong):
            from_one = " and 0 is unused: are they counted from 1?" if labels.min() == 1 else ""
            text = f"{part}: label {wrong[0]} with {len(data.classes)} classes{from_one}"
            findings.append(Finding(text, len(wrong), _first(survey, part, int(wrong[0]))))
    return findings


@check(
    "classes in training and test",
    "Every test class has training clips. If test lacks the first class and has an additional one at the end, its "
    "labels are off by one.",
    scope="set",
)
def class_sets(survey: Survey) -> list[Finding] | None:
    if not survey.has("train", "test"):
        return None
    classes = survey.parts["train"].classes
    trained, tested = (set(_labels(survey, part).tolist()) for part in ("train", "test"))
    findings = [
        Finding(f"class {_name(classes, label)} is tested and has no clip in train", 1, _first(survey, "test", label))
        for label in sorted(tested - trained)
    ]
    only_trained, only_tested = sorted(trained - tested), sorted(tested - trained)
    if only_trained and only_tested and all(_name(classes, k).isdigit() for k in (*only_trained, *only_tested)):
        ends = (only_trained[0], only_tested[-1]), (only_trained[-1], only_tested[0])
        if (min(trained), max(tested)) == ends[0] or (max(trained), min(tested)) == ends[1]:
            findings.insert(0, Finding("labels of train and test look counted from different numbers: off by one?", 9))
    return findings


@check(
    "numbers as class names",
    "Class names that are numbers begin at 0. Names from 1 on are correct here, because classes are identified by "
    "name, but other programs read them as labels that are off by one.",
    severity="warning",
    scope="set",
)
def numbers(survey: Survey) -> list[Finding]:
    classes = next(iter(survey.parts.values())).classes
    if not classes or not all(re.fullmatch(r"[0-9]{1,9}", name) for name in classes):
        return []
    values = sorted(map(int, classes))
    if values == list(range(len(values))):
        return []
    return [Finding(f"classes are called {values[0]} to {values[-1]}, and there are {len(values)}")]


@check(
    "labels against folders",
    "If videos lie in folders named after classes, the folder of a clip is its class.",
    scope="set",
)
def folders(survey: Survey) -> list[Finding] | None:
    findings, named, total = [], 0, 0
    for part, data in survey.parts.items():
        if data.instances is not None:
            continue
        classes = set(data.classes)
        total += len(data)
        for i, (path, label) in enumerate(zip(data.videos, data.labels.tolist(), strict=True)):
            folder = Path(path).parent.name
            named += folder in classes
            if folder in classes and folder != _name(data.classes, label):
                text = f"{data.ids[i]} lies in {folder} and is labelled {_name(data.classes, label)}"
                findings.append(Finding(text, 1, (part, i)))
    # One folder that happens to have a class's name says nothing.
    return findings if named > 0.5 * max(total, 1) else None


@check(
    "balance of classes",
    "Every class has clips in train, and no class has many times more clips than another.",
    severity="warning",
    scope="set",
)
def balance(survey: Survey) -> list[Finding] | None:
    if not survey.has("train"):
        return None
    classes = survey.parts["train"].classes
    labels = _labels(survey, "train")
    counts = np.bincount(labels[(labels >= 0) & (labels < len(classes))], minlength=len(classes))
    most = counts.max(initial=0)
    findings = []
    for label, count in enumerate(counts.tolist()):
        if count * IMBALANCE < most or count == 0:
            largest = classes[int(counts.argmax())] if most else ""
            text = f"{classes[label]}: {count} clips in train, {largest}: {most}"
            findings.append(Finding(text, most / max(count, 0.5), _first(survey, "train", label)))
    return findings


@check(
    "subjects in one part",
    "Test subjects are not in training, unless the protocol holds out cameras, views or setups instead. Otherwise "
    "results show how well the network recognises people.",
    scope="set",
)
def subjects(survey: Survey) -> list[Finding] | None:
    if not survey.has("train", "test"):
        return None
    parts = {name: data.table for name, data in survey.parts.items()}
    if not all("subject" in table and _named(table["subject"]).size for table in parts.values()):
        return None
    findings = []
    for first, second in (("train", "test"), ("validation", "test"), ("train", "validation")):
        if first not in parts or second not in parts or _otherwise_apart(parts[first], parts[second]):
            continue
        for name in sorted(set(_named(parts[first]["subject"])) & set(_named(parts[second]["subject"])), key=str):
            clip = int((parts[second]["subject"] == name).to_numpy().argmax())
            # Choosing by validation on known persons is unwise; testing on them is wrong.
            findings.append(
                Finding(f"subject {name} is in {first} and in {second}", 2 if "test" in second else 1, (second, clip))
            )
    return findings


def _otherwise_apart(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    """Whether a camera, view or setup is what keeps the two parts apart."""
    for column in HELD_OUT:
        if column in first and column in second:
            a, b = set(_named(first[column])), set(_named(second[column]))
            if a and b and not a & b:
                return True
    return False


def _named(values: pd.Series) -> np.ndarray:
    return values[values.notna() & (values.astype(str) != "")].to_numpy()


def _labels(survey: Survey, part: str) -> np.ndarray:
    """int64: the labels of a part's clips, or of the actions in them."""
    data = survey.parts[part]
    return data.labels if data.instances is None else data.instances["label"].to_numpy(np.int64)


def _name(classes: list[str], label: int) -> str:
    return classes[label] if 0 <= label < len(classes) else str(label)


def _first(survey: Survey, part: str, label: int) -> tuple[str, int] | None:
    data = survey.parts[part]
    rows = np.flatnonzero(data.labels == label)
    return (part, int(rows[0])) if data.instances is None and len(rows) else None


@check(
    "names that look alike",
    "Names of classes and subjects differ by more than capitals, blanks, invisible characters or letters of other "
    "alphabets. A class that is typed in two ways is two classes, and a person with two spellings is in two parts.",
    scope="set",
)
def alike_names(survey: Survey) -> list[Finding]:
    classes = next(iter(survey.parts.values())).classes
    findings = [Finding(f"classes {spelling.quoted(group)}", len(group)) for group in spelling.near(classes)]
    columns = [_named(data.table["subject"]) for data in survey.parts.values() if "subject" in data.table]
    subjects = [str(name) for names in columns for name in names]
    return findings + [Finding(f"subjects {spelling.quoted(group)}", len(group)) for group in spelling.near(subjects)]


@check(
    "intervals in the video",
    "Actions lie between the start and the end of their video, on a player's clock. If they do not, the seconds are "
    "on another clock, or belong to another video. An action that begins after the end is never used in training.",
    tolerance=0.02,
)
def intervals(case: Case) -> Finding | None:
    data = case.dataset
    if data.instances is None or not case.frames:
        return None
    acts = data.instances[data.instances["video"] == case.id]
    edges = getattr(data.reader, "edges", None)
    if edges is None or not len(acts):
        return None
    try:
        times = edges(data.row(case.i))
    except (ValueError, OSError):
        # Another check tells why.
        return None
    late = acts[(acts["start"] >= times[-1]) | (acts["end"] > times[-1] + BEYOND) | (acts["end"] <= times[0])]
    if not len(late):
        return FINE
    act = late.iloc[0]
    text = f"{act['start']:g} to {act['end']:g} s, and the video is shown from {times[0]:.2f} to {times[-1]:.2f} s"
    return Finding(text, len(late))


@check(
    "cuts of one film",
    "If the performers are unknown, clips whose names differ only in a counter at the end, like the cuts of one film, "
    "are in one part. Otherwise training contains test material.",
    severity="warning",
    scope="set",
)
def cuts(survey: Survey) -> list[Finding] | None:
    clips = [(part, i) for part, data in survey.parts.items() if data.instances is None for i in range(len(data))]
    has_subjects = all("subject" in data.table and _named(data.table["subject"]).size for data in survey.parts.values())
    if has_subjects or not survey.has("train", "test") or not clips:
        return None
    names = [survey.parts[part].videos[i] or survey.parts[part].ids[i] for part, i in clips]
    labels = [_name(survey.parts[part].classes, int(survey.parts[part].labels[i])) for part, i in clips]
    table = pd.DataFrame({"label": labels, "film": performers.films([Path(name).stem for name in names], labels)})
    # In a class of one or two, what looks like a counter is all there is to tell clips apart by.
    table = table[table.groupby("label")["film"].transform("nunique") >= 3]
    table["part"] = [clips[k][0] for k in table.index]
    findings = []
    for _, rows in table.groupby("film", sort=True):
        test = rows.index[rows["part"] == "test"]
        train = rows.index[rows["part"] == "train"]
        if len(test) and len(train):
            text = f"{Path(names[train[0]]).name} (train) and {Path(names[test[0]]).name} (test) look cut from one film"
            findings.append(Finding(text, len(rows), clips[test[0]]))
    return findings


@check(
    "poses of one video",
    "A pose file belongs to one video. If two videos share a file, one of them has wrong poses, unless both are the "
    "same recording.",
    severity="warning",
    scope="set",
)
def shared_poses(survey: Survey) -> list[Finding] | None:
    if not all("pose" in data.table for data in survey.parts.values()):
        return None
    videos: dict[str, str] = {}
    findings = []
    for part, data in survey.parts.items():
        for i, (path, pose) in enumerate(zip(data.videos, data.table["pose"], strict=True)):
            if pose and path and videos.setdefault(pose, path) != path:
                text = f"{Path(pose).name} is that of {Path(videos[pose]).name} and of {Path(path).name}"
                findings.append(Finding(text, 1, (part, i)))
    return findings
