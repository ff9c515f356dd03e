"""Finds runs under a folder: by name, the latest of a system on some data, several on the same data, all of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safefiles import checksums
from safefiles.reading import present
from workbench.data.catalog import AUTO
from workbench.study import files
from workbench.study.config.data_of import open_split
from workbench.study.config.train_config import TrainConfig
from workbench.study.runs import training_data
from workbench.study.runs.alive_columns import columns
from workbench.study.runs.run_folder import Run
from workbench.systems import kind
from workbench.systems.common import own

LATEST = "latest:"
#: Data that runs are looked for on: at a path, those of another run, or any.
Origin = str | Path | Run | None


def open_run(run: str, root: str | Path = "runs", data: Origin = None) -> Run:
    """The run called ``run`` under ``root``, or the newest finished one of a system on ``data``: "latest:vpn" (see
    ``latest``). FileNotFoundError naming the runs there are."""
    if run.startswith(LATEST):
        return latest(root, data, system=run.removeprefix(LATEST))
    folder = Path(root) / run
    if Path(run).name != run or not present(folder / "config.json"):
        ids = ", ".join(known.id for known in all_runs(root)) or "none"
        raise FileNotFoundError(f"{Path(root).absolute()} has no run {run!r}; it has: {ids}")
    return Run(run, folder)


def open_together(names: Sequence[str], root: str | Path = "runs", data: str | None = None) -> list[Run]:
    """The runs called ``names``, those of "latest:<system>" all on the same data: on those at ``data``; where that is
    None, on those of the first run that is named by its id; else on those of the newest run for which there is one of
    every system."""
    by_id = [open_run(name, root) for name in names if not name.startswith(LATEST)]
    if data is not None or by_id:
        origin = by_id[0] if data is None else data
        return [open_run(name, root, origin) for name in names]
    problems: list[FileNotFoundError] = []
    tried: list[Run] = []
    for first in newest(root, system=names[0].removeprefix(LATEST)) or [latest(root, system=names[0][len(LATEST) :])]:
        if any(first.about_the_same(other) for other in tried):
            continue
        tried.append(first)
        try:
            return [first, *(open_run(name, root, first) for name in names[1:])]
        except FileNotFoundError as missing:
            problems.append(missing)
    raise problems[0]


def latest(root: str | Path = "runs", data: Origin = None, **filters: Any) -> Run:
    """The finished run that was finished last, of those whose configuration has the values of ``filters``, e.g.
    ``latest("runs", system="vpn", seed=1)``, and which learnt from ``data``: those at a path, or the same as another
    run; None: from any. ValueError for a filter that is no field; FileNotFoundError for no run, naming those on other
    data and the command that trains one."""
    if unknown := set(filters) - set(TrainConfig.model_fields):
        raise ValueError(f"runs have no field {min(unknown)!r}; valid: {', '.join(TrainConfig.model_fields)}")
    fitting = newest(root, **filters)
    seen: dict = {}
    for run in fitting:
        if data is None or (run.about_the_same(data) if isinstance(data, Run) else run.learnt_from(data, seen)):
            return run
    asked = ", ".join(f"{name}={value!r}" for name, value in filters.items()) or "any configuration"
    rest = _elsewhere(fitting, data, root, filters.get("system", "rgb"))
    raise FileNotFoundError(f"{Path(root).absolute()} has no finished run with {asked}{rest}")


def finished(root: str | Path = "runs") -> list[Run]:
    """The runs that have their weights, by name."""
    return [run for run in all_runs(root) if run.finished]


def newest(root: str | Path, **filters: Any) -> list[Run]:
    """Finished runs with these values, the last finished first."""
    fitting = [run for run in finished(root) if all(_has(run.config, name, value) for name, value in filters.items())]
    return sorted(fitting, key=lambda run: run.weights.stat().st_mtime_ns, reverse=True)


def by_pose(root: str | Path, run: Run) -> Run:
    """The finished run on the data of ``run`` whose answer depends most on the poses: its predictions are those that
    another clip's poses change most, as ``evaluate`` has measured on the test split; of a system that reads nothing but
    poses, all of them. The newest of equals; ``run`` itself where no run reads poses."""
    shares = {}
    for candidate in newest(root):
        reads = kind(candidate.config.system).needs_test
        if "pose" in reads and candidate.about_the_same(run):
            measured = columns(candidate.metrics.get("test", {}).get("alive", {}))
            shares[candidate] = 1.0 if reads == {"pose"} else measured.get("pose_changed", 0.0)
    return max(shares, key=lambda candidate: shares[candidate], default=run)


def _has(config: TrainConfig, name: str, value: Any) -> bool:
    if name == "system" and own.is_own(value):
        return own.means(value, config.system)
    return getattr(config, name) == value


def _elsewhere(fitting: list[Run], data: Origin, root: str | Path, system: str) -> str:
    """Where the runs are that were found but are about other data, and the command that trains one on ``data``."""
    where: str | None
    if isinstance(data, Run):
        config, path, where = data.config, data.data_record["root"], f"the data of {data.id}"
    else:
        path = where = None if data is None else str(Path(data).resolve())
        datasets = (run.config.dataset for run in all_runs(root) if run.data_record["root"] == path is not None)
        config = TrainConfig(system=system, dataset=next(datasets, AUTO), root=None if data is None else str(data))
    train = f"train one with `{training_data.how_to_train(system, config, root)}`"
    if data is None or not fitting:
        return f"; {train}"
    if not isinstance(data, Run) and not Path(data).exists():
        open_split(config, "train")  # says what is missing, and how it is made
    since = {path: ", which has changed since or was parted by another protocol"}
    named = [(run.id, run.data_record["root"]) for run in fitting[:3]]
    others = "; ".join(f"{name} of {root or fitting[0].config.dataset}{since.get(root, '')}" for name, root in named)
    return f" on {where}, only on other data ({others}); {train}"


def all_runs(root: str | Path) -> list[Run]:
    """Runs under ``root``, by name; folders that are none are not. One whose configuration is damaged is left out, with
    a warning."""
    runs = []
    for folder in sorted(path for path in Path(root).iterdir() if path.is_dir()) if Path(root).is_dir() else []:
        path = folder / "config.json"
        if not present(path):
            continue
        if problem := checksums.damage(path):
            warnings.warn(f"{path} {problem}: run {folder.name} is left out; {files.REMEDY}", stacklevel=3)
        else:
            runs.append(Run(folder.name, folder))
    return runs
