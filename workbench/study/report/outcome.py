"""What is said when training ends: how many clips are right, on whom, and what comes next; and persons left out in
turn."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from shlex import quote
from typing import Any

import numpy as np
import pandas as pd

from workbench import metrics
from workbench.study.config.data_of import open_split
from workbench.study.config.kinds import VIDEOS, Data
from workbench.study.config.train_config import parse
from workbench.study.runs import hardware
from workbench.study.runs.find_runs import open_run
from workbench.study.runs.run_folder import Run
from workbench.study.train.fit import fit
from workbench.systems import reads_poses_alone

#: What can be held out of training, and what it is called.
HELD_OUT = {"subject": "person", "view": "view", "camera": "camera", "setup": "setup"}
LEAVE_OUT = "leave-out:"


def sentences(run: Run, command: str) -> list[str]:
    """Sentences on a run that ``command`` trained: its accuracy with a 95 % interval, what was held out, and the
    commands that go on from here. Empty in all processes but the first."""
    if hardware.process() or os.environ.get("LOCAL_RANK", "0") != "0":
        return []
    split = next((name for name in ("test", "validation", "train") if name in run.metrics), None)
    if split is None:
        return [f"{run.id} is trained; no split was evaluated", *_next(run, command, None)]
    data, measured = run.dataset(split), run.metrics[split]
    if run.experiment.kind is VIDEOS:
        scored = f"per-frame mAP on {len(data)} {split} videos: {100 * measured['frame_map']:.1f} %"
    else:
        right = _right(run, split)
        share = metrics.wilson(right)
        scored = (
            f"{right.sum()} of {len(right)} {split} clips are classified correctly: {100 * share.value:.0f} % (95 % "
            f"interval {100 * share.low:.0f} to {100 * share.high:.0f}; chance {100 / len(run.classes):.0f} %)"
        )
    return [scored, *([] if split == "train" else [_held_out(run, data)]), *_next(run, command, split)]


def each_person(config: dict[str, Any]) -> Iterator[Run]:
    """Runs of ``config``, each tested on one person of its data and trained on the others; each is finished, or not
    repeated, when it is given. ValueError where fewer than three persons are known, or somebody isn't."""
    parsed = parse(config)
    table = open_split(parsed, "all").table
    names = sorted({str(name) for name in table["subject"]}) if "subject" in table else []
    unknown = int((table["subject"].map(str) == "").sum()) if names else len(table)
    if unknown or len(names) < 3:
        whom = f"{unknown} of {len(table)} clips have no subject" if unknown else f"there are {len(names)} subjects"
        raise ValueError(f"leaving out each person in turn needs a subject for every clip, and 3 or more: {whom}")
    for name in names:
        yield open_run(fit({**config, "protocol": f"{LEAVE_OUT}{name}", "evaluate": ["test"]}), parsed.runs)


def in_turn(runs: Sequence[Run]) -> list[str]:
    """A table of runs that were each tested on another person, and the accuracy on all of them with a 95 % interval:
    the wider of the one for other clips and the one for other persons."""
    people = {str(run.config.protocol).removeprefix(LEAVE_OUT): _right(run, "test") for run in runs}
    rows = [(name, right.sum(), len(right), f"{100 * right.mean():.0f} %") for name, right in people.items()]
    table = pd.DataFrame(rows, columns=["left out", "right", "clips", "accuracy"])
    counts = table[["right", "clips"]].to_numpy()
    persons = metrics.bootstrap(counts, statistic=lambda drawn: drawn[:, 0].sum() / drawn[:, 1].sum())
    clips = metrics.wilson(np.concatenate(list(people.values())))
    low, high = min(clips.low, persons.low), max(clips.high, persons.high)
    return [
        table.to_string(index=False),
        f"each of {len(people)} persons left out in turn: {counts[:, 0].sum()} of {counts[:, 1].sum()} clips are "
        f"classified correctly, {100 * clips.value:.0f} % (95 % interval for other persons and clips "
        f"{100 * low:.0f} to {100 * high:.0f})",
    ]


def _right(run: Run, split: str) -> np.ndarray:
    """bool [S]"""
    predictions = run.predictions(split)
    return np.asarray(metrics.hits(predictions.scores, predictions.labels, 1), bool)


def _held_out(run: Run, data: Data) -> str:
    """What ``data`` show that training has never seen."""
    trained = run.dataset("train")
    for column, role in HELD_OUT.items():
        held_out, known = _values(data, column), _values(trained, column)
        if held_out and known and not held_out & known:
            first = ", ".join(sorted(held_out)[:6]) + (", ..." if len(held_out) > 6 else "")
            return f"held out: {role} {first}; training has {len(trained)} clips of {len(known)} other {role}(s)"
    shared = _values(data, "subject") & _values(trained, "subject")
    who = f"{len(shared)} person(s), such as {min(shared)}, are in training too" if shared else "nobody knows of whom"
    return f"held out: clips, but {who}; expect less on new persons"


def _values(data: Data, column: str) -> set[str]:
    return {str(value) for value in data.table[column]} - {""} if column in data.table else set()


def _next(run: Run, command: str, split: str | None) -> list[str]:
    """Two commands: to look at the run, and to learn how sure the number is or to see all notebooks."""
    store = "" if str(run.folder.parent) == "runs" else f" -p runs {quote(str(run.folder.parent))}"
    look = f"papermill notebooks/02_gradcam.ipynb gradcam.ipynb -p run {run.id}{store}"
    if run.experiment.kind is VIDEOS:
        look = f"papermill notebooks/07_detection.ipynb detection.ipynb -p first {run.id} -p second {run.id}{store}"
    elif split and {"attention", "spatial", "temporal"} & set(run.maps(split)):
        look = f"papermill notebooks/04_attention_maps.ipynb attention.ipynb -p run {run.id}{store}"
    elif reads_poses_alone(run.config.system):
        look = f"python -m workbench sensitivity {run.id}" + store.replace(" -p runs", " --runs")
    root = "" if run.config.root is None else f" --root {quote(run.config.root)}"
    more = f"python -m workbench gallery{root}" + store.replace(" -p runs", " --runs")
    if run.config.dataset in ("manifest", "shards") and len(_values(run.dataset("all"), "subject")) > 2:
        more = f"{command} --each-person"
    return ["next:", f"  {look}", f"  {more}"]
