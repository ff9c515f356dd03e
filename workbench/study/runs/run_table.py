"""Runs as tables: one row a run, with what it was asked and what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.nets import weights
from workbench.study import files
from workbench.study.runs import find_runs
from workbench.study.runs.alive_columns import columns
from workbench.study.runs.run_folder import Run

#: What a network reads, in words.
READS = {
    "video": "video",
    "pose": "poses",
    "flow": "optical flow",
    "rendered": "drawn poses",
    "parts": "parts of the body",
    "trajectories": "trajectories",
    "truth": "the known truth",
}
#: What else is done with it, or what taught the network that reads it.
BESIDES = {
    "p_i3d": "poses weigh the parts",
    "separable_sta": "poses say where and when to look",
    "vpn": "poses say where and when to look",
    "temporal_model": "poses weigh the segments",
    "global_model": "poses weigh the segments",
    "vpn_f": "poses taught it",
    "vpn_a": "poses taught it",
    "vpn_pp": "poses taught it",
    "mars": "flow taught it",
    "vfn_pp": "flow taught it",
    "vpfn_pp": "poses and flow taught it",
    "perf_net": "flow and drawn poses taught it",
}


def table(root: str | Path = "runs", runs: Iterable[Run] | None = None) -> pd.DataFrame:
    """One row a run (None: of all under ``root``): id, the configuration's main fields, status, epochs and the measured
    numbers of each split (such as test_top1, test_top1_low, test_top1_high). Empty where there are no runs."""
    rows = []
    for run in find_runs.all_runs(root) if runs is None else runs:
        config = run.config
        row = {"system": config.title} | {name: getattr(config, name) for name in ("dataset", "protocol", "seed")}
        row["options"] = json.dumps(config.options, sort_keys=True) if config.options else ""
        row |= {"status": "finished" if run.finished else "unfinished", "epochs": len(run.history)}
        rows.append({"id": run.id, **row, **flat(run.metrics)})
    return pd.DataFrame(rows)


def recent(root: str | Path, run: Run, others: int = 9) -> pd.DataFrame:
    """``table`` of a run and of so many others on the same data that were finished last."""
    rest = [other for other in find_runs.newest(root) if other.id != run.id and other.about_the_same(run)]
    return table(root, [run, *rest[:others]])


def summary(root: str | Path = "runs", data: str | Path | None = None) -> tuple[pd.DataFrame, str]:
    """For readers who know no term: each finished run's network and in a second line what it reads, the share of test
    clips that it classifies correctly and the 95 % interval, how many clips it learnt from, best first; and a sentence
    on the clips and on guessing. Of runs that learnt from ``data``, a folder or manifest (None: of all); two runs of a
    kind are told apart by their seeds."""
    seen: dict = {}
    rows, clips, classes = [], set(), set()
    for run in find_runs.finished(root):
        measured = run.metrics.get("test", {})
        if "top1" not in measured or (data is not None and not run.learnt_from(data, seen)):
            continue
        options = ", ".join(f"{name}={value}" for name, value in sorted(run.config.options.items()))
        name = run.config.system + (f" ({options})" if options else "")
        needs = run.experiment.build().needs_test
        reads = "reads " + " and ".join(title for field, title in READS.items() if field in needs)
        besides = BESIDES.get(run.config.system) if "truth" not in needs else None  # of a ceiling it would be untrue
        words = ": ".join(filter(None, [reads, besides]))
        row = {"network": f"{name}\n{words}", "seed": run.config.seed}
        row |= {name: 100 * measured[name] for name in ("top1", "top1_low", "top1_high")}
        row["learnt from"] = clips_learnt(run)
        rows.append(row)
        clips.add(measured["clips"])
        classes.add(len(run.classes))
    table = pd.DataFrame(rows)
    if table.empty:
        return table, ""
    table = table.sort_values("top1", ascending=False, kind="stable", ignore_index=True)
    interval = [f"{low:.0f} to {high:.0f}" for low, high in zip(table["top1_low"], table["top1_high"], strict=True)]
    shown = table[["network"]].assign(**{"correct, %": table["top1"].round(1), "95 % interval": interval})
    shown["learnt from"] = table["learnt from"]
    if table["seed"].nunique() > 1:
        shown.insert(1, "seed", table["seed"])
    guess = " or ".join(f"{100 / count:.1f}" for count in sorted(classes, reverse=True))
    many_clips, actions = (" or ".join(map(str, sorted(counts))) for counts in (clips, classes))
    origin = f"Of {many_clips} test clips of {actions} actions; no network has learnt from these clips."
    return shown, f"{origin} Guessing: {guess} %."


def clips_learnt(run: Run) -> str:
    """How many clips it was trained on; of a network that comes with the workbench, those of its card."""
    if run.ready_made:
        return f"{files.read_json(weights.card_of(run.ready_made))['data']['clips']['train']:,} clips, ready-made"
    return f"{run.data_record['clips']:,} clips" if "clips" in run.data_record else ""


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
