"""A run is one folder: what is in it, read and checked.

config.json       the configuration, class names, skeleton and a fingerprint of the data
environment.json  versions, processor, git revision, precision, where the run is stored besides
checkpoint.pt     everything to go on with (weights_only-loadable)
history.csv       one row an epoch
weights.safetensors   the best weights; written last, so that a run that has them is finished
predictions_<split>.npz, maps_<split>.npz, metrics.json   written by ``evaluate``

Their checksums are kept beside them (see ``safefiles.checksums``): what is damaged does not count as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from safefiles import checksums
from safefiles.reading import Unreadable, present, reading
from workbench.data import ClipSpec, Dataset, Untrimmed
from workbench.nets import weights
from workbench.study import files
from workbench.study.config.data_of import open_split
from workbench.study.config.experiment import Experiment, resolve
from workbench.study.config.kinds import CLIPS, Data
from workbench.study.config.train_config import TrainConfig, parse
from workbench.study.runs import training_data
from workbench.systems import System

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
        """The configuration that the run was started with."""
        with reading(self.folder / "config.json", "the configuration of a run"):
            return parse(self._facts["config"])

    @property
    def classes(self) -> list[str]:
        """The names of the classes, by label."""
        return self._facts["classes"]

    @property
    def data_record(self) -> dict[str, Any]:
        """What it learnt from: root, the absolute path that it had; train and validation, their ``contents``."""
        return {"root": None, **self._facts["data"]}

    @property
    def ready_made(self) -> Path | None:
        """The file that all its weights came from with the workbench, of a network of these very classes; None where it
        was trained."""
        file = weights.SHIPPED.get(self.config.init.get("", ""))
        if file is None or not self.history.empty:
            return None
        return file if files.read_json(weights.card_of(file))["data"].get("classes") == self.classes else None

    def learnt_from(self, data: str | Path, seen: dict | None = None) -> bool:
        """Whether its training and validation clips are those at ``data``, a folder or manifest, as they are now."""
        return training_data.trained_on(self.config, self.data_record, data, seen)

    def about_the_same(self, other: Run) -> bool:
        """Whether it learnt from the clips that ``other`` learnt from, parted by the same protocol."""
        if (self.config.dataset, self.config.protocol) != (other.config.dataset, other.config.protocol):
            return False
        first, second = ([run.data_record.get(part) for part in training_data.PARTS] for run in (self, other))
        root = other.data_record["root"] or other.config.root
        return (first == second and None not in first) or (root is not None and self.learnt_from(root))

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
        """The file of the trained weights."""
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
        written = all((self.folder / f"{kind}_{split}.npz").is_file() for kind in self.experiment.kind.results)
        return written and self.metrics.get(split, {}).get("data") == contents

    def predictions(self, split: str = "test") -> Predictions:
        """Of a run that labels clips; those of detectors are read by ``study.evaluate.detection.read``."""
        if self.experiment.kind is not CLIPS:
            raise ValueError(
                f"run {self.id} labels moments of videos, not clips: study.evaluate.detection.read has its results"
            )
        path = self.results("predictions", split)
        arrays = files.read_arrays(path, "ids", "labels", "logits", "features", "scores", way_out=AGAIN)
        if len({len(values) for values in arrays.values()}) > 1 or len(arrays) != 5:
            shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in arrays.items())
            raise Unreadable(f"{path} can't be read as predictions, one row a clip ({shapes}); {AGAIN}")
        return Predictions(ids=arrays.pop("ids").tolist(), **arrays)

    def maps(self, split: str = "test") -> dict[str, np.ndarray]:
        """The small maps by name, float32 [S, ...] in the order of ``predictions`` (see types.MAPS); may be empty."""
        return files.read_arrays(self.results("maps", split), way_out=AGAIN)

    def results(self, kind: str, split: str) -> Path:
        """The file of "predictions" or "maps"; FileNotFoundError where the split was not evaluated."""
        path = self.folder / f"{kind}_{split}.npz"
        if not present(path):
            raise FileNotFoundError(
                f"run {self.id} has no {kind} for {split!r}; make them with evaluate(run, {split!r})"
            )
        return path

    def dataset(self, split: str = "test") -> Data:
        """The data of a split, as the run has read it."""
        return open_split(self.experiment, split, root=self._facts["data"]["root"])

    def clips(self, split: str = "test") -> Dataset:
        """The data of a run that labels clips; ValueError for a detector."""
        clips = self.dataset(split)
        if not isinstance(clips, Dataset):
            raise ValueError(f"run {self.id} labels moments of videos, not clips")
        return clips

    def videos(self, split: str = "test") -> Untrimmed:
        """The data of a detector; ValueError for a run that labels clips."""
        videos = self.dataset(split)
        if not isinstance(videos, Untrimmed):
            raise ValueError(f"run {self.id} labels clips, not moments of videos")
        return videos

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


def needs_of(config: TrainConfig, dataset: Dataset) -> frozenset[str]:
    """The fields of a batch that the system of ``config`` reads, in training or in test, when built for ``dataset``."""
    system = resolve(config, dataset.classes, dataset.skeleton.name if dataset.skeleton else None).build()
    return system.needs_train | system.needs_test
