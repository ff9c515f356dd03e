"""Runs as tables: one row a run, with what it was asked and what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.study.runs import find_runs
from workbench.study.runs.alive_columns import columns
from workbench.study.runs.run_folder import Run


def table(root: str | Path = "runs", runs: Iterable[Run] | None = None) -> pd.DataFrame:
    """One row a run (None: of all under ``root``): id, the configuration's main fields, status, epochs and the measured
    numbers of each split (such as test_top1, test_top1_low, test_top1_high). Empty where there are no runs."""
    rows = []
    for run in find_runs.all_runs(root) if runs is None else runs:
        config = run.config
        row = {name: getattr(config, name) for name in ("dataset", "protocol", "seed")}
        row = {"system": config.title, **row}
        row["options"] = json.dumps(config.options, sort_keys=True) if config.options else ""
        row |= {"status": "finished" if run.finished else "unfinished", "epochs": len(run.history)}
        rows.append({"id": run.id, **row, **flat(run.metrics)})
    return pd.DataFrame(rows)


def recent(root: str | Path, run: Run, others: int = 9) -> pd.DataFrame:
    """``table`` of a run and of so many others on the same data that were finished last."""
    rest = [other for other in find_runs.newest(root) if other.id != run.id and other.about_the_same(run)]
    return table(root, [run, *rest[:others]])


def summary(root: str | Path = "runs", data: str | Path | None = None) -> pd.DataFrame:
    """``table`` for readers: each finished run's numbers on the test split in percent, with 95 % intervals; of those
    that learnt from ``data``, a folder or manifest (None: of all)."""
    seen: dict = {}
    everything = table(root, [run for run in find_runs.all_runs(root) if data is None or run.learnt_from(data, seen)])
    if everything.empty:
        return everything
    done = everything[everything["status"] == "finished"]
    columns = done[["system", "options", "protocol", "seed"]].copy()
    for name, label in (("top1", "top-1 %"), ("mean_class", "mean per class %"), ("ranking", "attention ranking %")):
        columns[label] = 100 * done[f"test_{name}"] if f"test_{name}" in done else float("nan")
    if "test_top1_low" in done:
        low, high = 100 * done["test_top1_low"], 100 * done["test_top1_high"]
        columns["95 % interval of top-1"] = [f"{a:.0f} to {b:.0f}" for a, b in zip(low, high, strict=True)]
    return columns.round(1)


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
