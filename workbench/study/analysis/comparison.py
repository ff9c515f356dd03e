"""Runs beside each other: each class's gain with its interval, and what a weight of the loss does (VPN++ figure 8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench import metrics
from workbench.study import files
from workbench.study.config.experiment import resolve
from workbench.study.config.train_config import TrainConfig
from workbench.study.runs.find_runs import finished
from workbench.study.runs.run_folder import Run
from workbench.systems import variants

#: The weights of distillation.
WEIGHTS = ("alpha", "beta")


def class_gains(first: np.ndarray, second: np.ndarray, labels: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Mean of ``second - first`` (bool [S], which clips are right) for each class with clips, with its 95 % interval
    over clips: columns action, clips, value, low, high; largest gain first."""
    gains = []
    for label in np.unique(labels):
        clips = labels == label
        interval = metrics.paired_difference(first[clips], second[clips])
        gains.append({"action": classes[label], "clips": int(clips.sum()), **interval._asdict()})
    return pd.DataFrame(gains).sort_values("value", ascending=False, kind="stable", ignore_index=True)


def sensitivity(run: Run, root: str | Path = "runs", split: str = "test") -> pd.DataFrame:
    """The finished runs under ``root`` that differ from ``run`` in alpha alone, or in beta alone, and perhaps in seed;
    ``run`` itself among both.

    Columns option, value, seed, id, top1, low, high (of the interval over clips); by option, value and seed. Runs not
    evaluated on ``split`` are left out. Weights that runs start from count by the modules that get them, since with
    another seed they are another run's. Empty where the system has neither weight.
    """
    columns = ["option", "value", "seed", "id", "top1", "low", "high"]
    rows = []
    for option in [name for name in WEIGHTS if name in variants(run.config.system)]:
        identity = _but(run, option)
        for peer in finished(root):
            measured = peer.metrics.get(split)
            if measured and _but(peer, option) == identity:
                top1 = [measured[name] for name in ("top1", "top1_low", "top1_high")]
                rows.append([option, float(options(peer.config)[option]), peer.config.seed, peer.id, *top1])
    return pd.DataFrame(rows, columns=columns).sort_values(["option", "value", "seed"], ignore_index=True)


def options(config: TrainConfig) -> dict[str, Any]:
    """Every option of the system, its default where the configuration says nothing."""
    return {name: option.default for name, option in variants(config.system).items()} | resolve(config).options


def _but(run: Run, option: str) -> dict[str, Any]:
    """What makes a run what it is, but for one option, the seed, and whose weights exactly it starts from."""
    config = run.config
    rest_of_options = {name: value for name, value in options(config).items() if name != option}
    identity = {name: value for name, value in config.identity().items() if name != "seed"}
    # Older runs have one fingerprint of their training clips.
    data = files.read_json(run.folder / "config.json")["data"]
    rest = {"options": rest_of_options, "preset": config.numbers.model_dump(), "init": sorted(config.init)}
    return identity | rest | {"data": [data.get("train", data.get("fingerprint")), data.get("validation")]}
