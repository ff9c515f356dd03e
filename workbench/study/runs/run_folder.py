"""A run is one folder. This file names, opens, finds and lists them.

config.json       the configuration, class names, skeleton and a fingerprint of the data
environment.json  versions, processor, git revision, precision, where the run is stored besides
checkpoint.pt     everything to go on with (weights_only-loadable)
history.csv       one row an epoch
weights.safetensors   the best weights; written last, so that a run that has them is finished
predictions_<split>.npz, maps_<split>.npz, metrics.json   written by ``evaluate``

Their checksums are kept beside them (see ``workbench.checksums``): what is damaged does not count as there.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from workbench import checksums
from workbench.data import ClipSpec, Dataset
from workbench.data.catalog import AUTO
from workbench.nets import weights
from workbench.reading import Unreadable, present, reading
from workbench.study import files
from workbench.study.config.data_of import open_split
from workbench.study.config.experiment import Experiment, resolve
from workbench.study.config.kinds import CLIPS, Data
from workbench.study.config.train_config import TrainConfig, parse
from workbench.study.runs import at_hand
from workbench.study.runs.alive_columns import columns
from workbench.systems import System

LATEST = "latest:"
#: The way out of damaged results, and of damaged weights.
AGAIN = "move the file away, and evaluate the run again"
WHOLE = "move the file away, and train again: the run goes on from its checkpoint"
MADE = ("config.json", "environment.json", "checkpoint.pt", "history.csv", "weights.safetensors", "metrics.json",
        "predictions_*.npz", "maps_*.npz")  # fmt: skip


@dataclass(frozen=True)
class Predictions:
    """What a run says about each clip of a split, in the data set's order.

    ids S clip names; labels int64 [S]; logits float32 [S,N], of the window that is surest where there are several;
    features float32 [S,F], the mean over windows; scores float32 [S,N], softmax, the maximum over windows.
    """

    ids: list[str]
    labels: np.ndarray
    logits: np.ndarray
    features: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Run:
    """One run: what was asked (``config``), what happened (``history``), what came out (``predictions``, ``maps``)."""

    id: str
    folder: Path

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return files.read_json(self.folder / "config.json", "config", "classes", "skeleton", "data")

    @cached_property
    def config(self) -> TrainConfig:
        with reading(self.folder / "config.json", "the configuration of a run"):
            return parse(self._facts["config"])

    @property
    def classes(self) -> list[str]:
        return self._facts["classes"]

    @property
    def known(self) -> dict[str, Any]:
        """What it learnt from: root, the absolute path that it had; train and validation, their ``contents``."""
        return {"root": None, **self._facts["data"]}

    def learnt_from(self, data: str | Path, seen: dict | None = None) -> bool:
        """Whether its training and validation clips are those at ``data``, a folder or manifest, as they are now."""
        return at_hand.trained_on(self.config, self.known, data, seen)

    def about_the_same(self, other: Run) -> bool:
        """Whether it learnt from the clips that ``other`` learnt from, parted by the same protocol."""
        if (self.config.dataset, self.config.protocol) != (other.config.dataset, other.config.protocol):
            return False
        kept = [[run.known.get(part) for part in at_hand.PARTS] for run in (self, other)]
        place = other.known["root"] or other.config.root
        return (kept[0] == kept[1] and None not in kept[0]) or (place is not None and self.learnt_from(place))

    @cached_property
    def experiment(self) -> Experiment:
        """What its configuration came to."""
        return resolve(self.config, self.classes, self._facts["skeleton"], self._facts.get("features"))

    @property
    def spec(self) -> ClipSpec:
        """How the clips are cut that ``maps`` belong to: as in training, one window a clip, the middle one."""
        return self.experiment.one_window

    @property
    def weights(self) -> Path:
        return self.folder / "weights.safetensors"

    @property
    def finished(self) -> bool:
        """Whether the weights are there, and whole as far as can be seen without reading them."""
        return present(self.weights) and not checksums.damage(self.weights, read=False)

    def made(self) -> list[Path]:
        """The files that training and evaluation have written."""
        return sorted(path for pattern in MADE for path in self.folder.glob(pattern) if ".damaged-" not in path.name)

    def damaged(self) -> list[Path]:
        """Those of ``made`` that are not as they were written; training again makes them again."""
        return [path for path in self.made() if checksums.damage(path)]

    @property
    def history(self) -> pd.DataFrame:
        """One row an epoch: epoch, stage, seconds, learning_rate, train_<term>, train_top1, validation_<...>."""
        path = self.folder / "history.csv"
        if not present(path):
            return pd.DataFrame()
        checksums.check(path, files.REMEDY)
        with reading(path, "the history of a run"):
            table = pd.read_csv(path)
            if missing := {"epoch", "stage", "seconds"} - set(table):
                raise ValueError(f"it lacks {', '.join(sorted(missing))}")
            return table

    @property
    def metrics(self) -> dict[str, Any]:
        """By split, what ``evaluate`` measured; empty where nothing was evaluated."""
        path = self.folder / "metrics.json"
        if not present(path):
            return {}
        measured = files.read_json(path, way_out=AGAIN)
        if not isinstance(measured, dict) or not all(isinstance(values, dict) for values in measured.values()):
            raise Unreadable(f"{path} can't be read: it should hold an object a split; {AGAIN}")
        return measured

    def measured_on(self, split: str, contents: str) -> bool:
        """Whether the run was evaluated on the clips of ``split`` as they are now, ``contents`` being theirs, and what
        it said of them is there."""
        there = all((self.folder / f"{kind}_{split}.npz").is_file() for kind in self.experiment.kind.results)
        return there and self.metrics.get(split, {}).get("data") == contents

    def predictions(self, split: str = "test") -> Predictions:
        """Of a run that labels clips; those of detectors are read by ``study.detection.read``."""
        if self.experiment.kind is not CLIPS:
            raise ValueError(f"run {self.id} labels moments of videos, not clips: its results are study.detection's")
        path = self._result("predictions", split)
        arrays = files.read_arrays(path, "ids", "labels", "logits", "features", "scores", way_out=AGAIN)
        if len({len(values) for values in arrays.values()}) > 1 or len(arrays) != 5:
            shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in arrays.items())
            raise Unreadable(f"{path} can't be read as predictions, one row a clip ({shapes}); {AGAIN}")
        return Predictions(ids=arrays.pop("ids").tolist(), **arrays)

    def maps(self, split: str = "test") -> dict[str, np.ndarray]:
        """The small maps by name, float32 [S, ...] in the order of ``predictions`` (see types.MAPS); may be empty."""
        return files.read_arrays(self._result("maps", split), way_out=AGAIN)

    def _result(self, kind: str, split: str) -> Path:
        path = self.folder / f"{kind}_{split}.npz"
        if not present(path):
            raise FileNotFoundError(
                f"run {self.id} has no {kind} for {split!r}; make them with evaluate(run, {split!r})"
            )
        return path

    def dataset(self, split: str = "test") -> Data:
        return open_split(self.experiment, split, root=self._facts["data"]["root"])

    def system(self) -> System:
        """The trained system with its best weights, on the CPU, in evaluation mode; RuntimeError if unfinished."""
        state = self.state()
        system = self.experiment.build()
        with reading(self.weights, f"the weights of {self.experiment.system}", WHOLE):
            system.load_state_dict(state)
        return system.eval()

    def state(self) -> dict[str, Tensor]:
        """The best weights by name, on the CPU; RuntimeError if unfinished, ValueError if they are damaged."""
        checksums.check(self.weights, files.REMEDY)
        if not self.finished:
            raise RuntimeError(f"run {self.id} is not finished; call fit with the same configuration to go on with it")
        return files.read_weights(self.weights, WHOLE)


#: Data that runs are looked for on: at a path, those of another run, or any.
Origin = str | Path | Run | None


def needs_of(config: TrainConfig, dataset: Dataset) -> frozenset[str]:
    """The fields of a batch that the system of ``config`` reads, in training or in test, when built for ``dataset``."""
    system = resolve(config, dataset.classes, dataset.skeleton.name if dataset.skeleton else None).build()
    return system.needs_train | system.needs_test


def run_of(experiment: Experiment, dataset: Data, validation: Data) -> Run:
    """The run that ``experiment`` on ``dataset`` (its training split) and ``validation`` is, whether or not it exists.

    The name reads system-protocol-seed-hash; the hash covers the configuration, the weights that it starts from, and
    the contents of both splits: labels, and the bytes of videos, poses and whatever else their clips are read from.
    """
    words = [experiment.identity, _contents(experiment.init), dataset.contents, validation.contents]
    if experiment.snippets:
        words.append(_contents(experiment.snippets))
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:8]
    protocol = re.sub(r"[^a-zA-Z0-9]+", "-", dataset.protocol).strip("-")[:40]
    name = f"{experiment.system}-{protocol}-s{experiment.seed}-{digest}"
    return Run(name, Path(experiment.runs) / name)


def outdated(run: Run) -> list[str]:
    """One sentence for each finished run of the same configuration whose training or validation clips have changed
    since: ``run``, which is not made yet, takes its place."""
    mine, sentences = run.known, []
    for other in finished(run.folder.parent):
        if other.id == run.id or not other.id.startswith(run.id.rpartition("-")[0]):
            continue
        theirs = other.known
        changed = [split for split in ("train", "validation") if theirs.get(split) != mine[split]]
        same = other.config.identity() == run.experiment.identity and theirs.get("root") == mine["root"]
        if same and changed and "train" in theirs:
            what = " and ".join({"train": "training", "validation": "validation"}[split] for split in changed)
            sentences.append(
                f"run {other.id} has this configuration, but its {what} clips (labels, videos or poses) have changed "
                f"since: it is trained anew as {run.id}"
            )
    return sentences


def create(run: Run, experiment: Experiment, train: Data, validation: Data, features: dict[str, int] | None) -> None:
    """Writes config.json of a new run, with the channels of snippets' features if it reads such; ValueError
    where the folder holds another configuration."""
    facts = {
        "id": run.id,
        "config": experiment.asked.model_dump(mode="json"),
        "classes": train.classes,
        "skeleton": train.skeleton.name if train.skeleton else None,
        "features": features,
        "data": {
            "clips": len(train),
            "train": train.contents,
            "validation": validation.contents,
            "root": _absolute(experiment.root),
        },
    }
    path = run.folder / "config.json"
    if present(path) and parse(files.read_json(path, "config")["config"]).identity() != experiment.identity:
        raise ValueError(f"{path} holds another configuration than the run that goes by its name; move the folder away")
    files.write_json(path, facts)


def _contents(sources: dict[str, str]) -> dict[str, str]:
    """What stands behind ``init`` or ``snippets``: a file counts by its bytes, a run by its id."""

    def content(source: str) -> str:
        file = weights.SHIPPED.get(source, Path(source))
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else source

    return {name: content(source) for name, source in sources.items()}


def _absolute(root: str | None) -> str | None:
    return None if root is None else str(Path(root).resolve())


def open_run(run: str, root: str | Path = "runs", data: Origin = None) -> Run:
    """The run called ``run`` under ``root``, or the newest finished one of a system on ``data``: "latest:vpn" (see
    ``latest``). FileNotFoundError naming the runs there are."""
    if run.startswith(LATEST):
        return latest(root, data, system=run.removeprefix(LATEST))
    folder = Path(root) / run
    if Path(run).name != run or not present(folder / "config.json"):
        there = ", ".join(found.id for found in _all(root)) or "none"
        raise FileNotFoundError(f"{Path(root).absolute()} has no run {run!r}; it has: {there}")
    return Run(run, folder)


def open_together(names: Sequence[str], root: str | Path = "runs", data: str | None = None) -> list[Run]:
    """The runs called ``names``, those of "latest:<system>" all on the same data: on those at ``data``; where that is
    None, on those of the first run that is named by its id; else on those of the newest run for which there is one of
    every system."""
    by_id = [open_run(name, root) for name in names if not name.startswith(LATEST)]
    if data is not None or by_id:
        origin = by_id[0] if data is None else data
        return [open_run(name, root, origin) for name in names]
    problem, tried = None, []
    for first in _newest(root, system=names[0].removeprefix(LATEST)) or [latest(root, system=names[0][len(LATEST) :])]:
        if any(first.about_the_same(other) for other in tried):
            continue
        tried.append(first)
        try:
            return [first, *(open_run(name, root, first) for name in names[1:])]
        except FileNotFoundError as missing:
            problem = problem or missing
    raise problem


def latest(root: str | Path = "runs", data: Origin = None, **filters: Any) -> Run:
    """The finished run that was finished last, of those whose configuration has the values of ``filters``, e.g.
    ``latest("runs", system="vpn", seed=1)``, and which learnt from ``data``: those at a path, or the same as another
    run; None: from any. ValueError for a filter that is no field; FileNotFoundError for no run, naming those on other
    data and the command that trains one."""
    if unknown := set(filters) - set(TrainConfig.model_fields):
        raise ValueError(f"runs have no field {min(unknown)!r}; valid: {', '.join(TrainConfig.model_fields)}")
    fitting, seen = _newest(root, **filters), {}
    for run in fitting:
        if data is None or (run.about_the_same(data) if isinstance(data, Run) else run.learnt_from(data, seen)):
            return run
    wanted = ", ".join(f"{name}={value!r}" for name, value in filters.items()) or "any configuration"
    rest = _elsewhere(fitting, data, root, filters.get("system", "rgb"))
    raise FileNotFoundError(f"{Path(root).absolute()} has no finished run with {wanted}{rest}")


def _newest(root: str | Path, **filters: Any) -> list[Run]:
    """Finished runs with these values, the last finished first."""
    found = [run for run in finished(root) if all(getattr(run.config, name) == told for name, told in filters.items())]
    return sorted(found, key=lambda run: run.weights.stat().st_mtime_ns, reverse=True)


def _elsewhere(fitting: list[Run], data: Origin, root: str | Path, system: str) -> str:
    """Where the runs are that were found but are about other data, and the command that trains one on ``data``."""
    if isinstance(data, Run):
        about, here, where = data.config, data.known["root"], f"the data of {data.id}"
    else:
        here = None if data is None else str(Path(data).resolve())
        dataset = next((run.config.dataset for run in _all(root) if run.known["root"] == here is not None), AUTO)
        about = TrainConfig(system=system, dataset=dataset, root=data and str(data))
        where = here
    train = f"train one with `{at_hand.how_to_train(system, about, root)}`"
    if data is None or not fitting:
        return f"; {train}"
    if not isinstance(data, Run) and not Path(data).exists():
        open_split(about, "train")  # says what is missing, and how it is made
    since = {here: ", which has changed since or was parted by another protocol"}
    named = [(run.id, run.known["root"]) for run in fitting[:3]]
    others = "; ".join(f"{name} of {root or fitting[0].config.dataset}{since.get(root, '')}" for name, root in named)
    return f" on {where}, only on other data ({others}); {train}"


def recent(root: str | Path, run: Run, others: int = 9) -> pd.DataFrame:
    """``table`` of a run and of so many others on the same data that were finished last."""
    rest = [one for one in _newest(root) if one.id != run.id and one.about_the_same(run)]
    return table(root, [run, *rest[:others]])


def table(root: str | Path = "runs", runs: Iterable[Run] | None = None) -> pd.DataFrame:
    """One row a run (None: of all under ``root``): id, the configuration's main fields, status, epochs and the measured
    numbers of each split (such as test_top1, test_top1_low, test_top1_high). Empty where there are no runs."""
    rows = []
    for run in _all(root) if runs is None else runs:
        config = run.config
        row = {name: getattr(config, name) for name in ("system", "dataset", "protocol", "seed")}
        row["options"] = json.dumps(config.options, sort_keys=True) if config.options else ""
        row |= {"status": "finished" if run.finished else "unfinished", "epochs": len(run.history)}
        rows.append({"id": run.id, **row, **flat(run.metrics)})
    return pd.DataFrame(rows)


def summary(root: str | Path = "runs", data: str | Path | None = None) -> pd.DataFrame:
    """``table`` for readers: each finished run's numbers on the test split in percent, with 95 % intervals; of those
    that learnt from ``data``, a folder or manifest (None: of all)."""
    seen: dict = {}
    everything = table(root, [run for run in _all(root) if data is None or run.learnt_from(data, seen)])
    if everything.empty:
        return everything
    done = everything[everything["status"] == "finished"]
    shown = done[["system", "options", "protocol", "seed"]].copy()
    for name, label in (("top1", "top-1 %"), ("mean_class", "mean per class %"), ("ranking", "attention ranking %")):
        shown[label] = 100 * done[f"test_{name}"] if f"test_{name}" in done else float("nan")
    if "test_top1_low" in done:
        low, high = 100 * done["test_top1_low"], 100 * done["test_top1_high"]
        shown["95 % interval of top-1"] = [f"{a:.0f} to {b:.0f}" for a, b in zip(low, high, strict=True)]
    return shown.round(1)


def flat(metrics: dict[str, Any]) -> dict[str, float]:
    """The numbers of metrics.json under one-word names: test_top1, test_top1_low, of graded attention
    test_inside_share, test_inside_share_minus_centre, and of whether it is alive test_alive_pose_changed and the like
    (see ``alive_columns``)."""
    numbers: dict[str, float] = {}
    for split, measured in metrics.items():
        numbers |= {f"{split}_{name}": value for name, value in measured.items() if isinstance(value, int | float)}
        for grade, values in measured.get("attention", {}).items():
            for name, interval in values.items():
                if name == "system" or name.startswith("minus_"):
                    numbers[f"{split}_{grade}" + ("" if name == "system" else f"_{name}")] = interval["value"]
        numbers |= {f"{split}_alive_{name}": value for name, value in columns(measured.get("alive", {})).items()}
    return numbers


def finished(root: str | Path = "runs") -> list[Run]:
    """The runs that have their weights, by name."""
    return [run for run in _all(root) if run.finished]


def _all(root: str | Path) -> list[Run]:
    """Runs under ``root``, by name; folders that are none are not. One whose configuration is damaged is left out, with
    a warning."""
    found = []
    for folder in sorted(path for path in Path(root).iterdir() if path.is_dir()) if Path(root).is_dir() else []:
        path = folder / "config.json"
        if not present(path):
            continue
        if problem := checksums.damage(path):
            warnings.warn(f"{path} {problem}: run {folder.name} is left out; {files.REMEDY}", stacklevel=3)
        else:
            found.append(Run(folder.name, folder))
    return found
