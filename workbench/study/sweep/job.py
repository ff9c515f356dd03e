"""One cell of a sweep: is it done, and if not, executed with limits and retries, and recorded.

<runs>/cells/<key>.ipynb         the executed notebook
<runs>/cells/<key>.failed.ipynb  where it failed: up to there
<runs>/cells/<key>.json          the record, written last
<runs>/replaced/<run>-<code>     runs that other code had made
"""

from __future__ import annotations

import os
import platform
import time
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from safefiles import checksums, drafts
from safefiles.locks import turn
from safefiles.reading import present
from workbench.study import files
from workbench.study.runs.run_folder import Run
from workbench.study.runs.run_table import flat
from workbench.study.tables.plan import Cell

Record = dict[str, Any]
DONE, FAILED, SKIPPED = "done", "failed", "skipped"


@dataclass(frozen=True)
class Limits:
    """What one row may take: minutes, memory (GiB, of the kernel and what it starts), retries after a failure, and
    threads. None is no limit. sweep names the command that asked, so that attempts of an earlier one don't count."""

    minutes: float | None = None
    memory: float | None = None
    retries: int = 1
    threads: int = 1
    sweep: str = ""


def folder(cell: Cell) -> Path:
    """Where the records of cells are."""
    return Path(cell.runs) / "cells"


def run_of(cell: Cell) -> Run | None:
    """The run that the cell trains."""
    return Run(cell.key, Path(cell.runs) / cell.key) if cell.trains else None


def done(cell: Cell) -> Record | None:
    """The record of the cell where it was executed with the same code, configuration and data, and measured on all
    splits that it is to be, else None."""
    path, executed = folder(cell) / f"{cell.key}.json", folder(cell) / f"{cell.key}.ipynb"
    if not (present(path) and checksums.intact(path) and checksums.intact(executed)):
        return None
    record = files.read_json(path, "status", "code", "source", way_out="delete it, and the cell is executed again")
    same = record["status"] == DONE and (record["code"], record["source"]) == (cell.code, cell.source)
    run = run_of(cell)
    damaged = [] if run is None else run.damaged()
    for path in damaged:  # training sets it aside and makes it again
        warnings.warn(f"{path} {checksums.damage(path)}: the run goes through its cell again", stacklevel=2)
    complete = run is None or (not damaged and run.finished and cell.splits <= set(measured(cell)))
    return record if same and complete else None


def measured(cell: Cell) -> Record:
    """By split, what the run of the cell measured on the clips as they are now."""
    run = run_of(cell)
    numbers = {} if run is None or not run.finished else run.metrics
    return {split: values for split, values in numbers.items() if values.get("data") == cell.contents.get(split)}


def set_aside(cells: dict[str, Cell]) -> list[str]:
    """Moves runs away that other code made, and those that start from them; returns their ids. Runs from before code
    was recorded stay. RuntimeError where one of them is being trained."""
    moved: list[str] = []
    for cell in cells.values():
        run = run_of(cell)
        if run is None or not run.folder.is_dir() or not _is_of_other_code(run, cell, moved):
            continue
        with turn(run.folder / ".lock", f"run {run.id}"):
            # Another sweep may have moved it meanwhile, and made it anew.
            if made_by := _is_of_other_code(run, cell, moved):
                target = run.folder.parent / "replaced" / f"{run.id}-{made_by[:8]}-{time.time_ns()}"
                target.parent.mkdir(exist_ok=True)
                os.replace(run.folder, target)
                moved.append(run.id)
    return moved


def _is_of_other_code(run: Run, cell: Cell, moved: list[str]) -> str:
    """What the run was made by, where that isn't the cell's code, or where it starts from one that was moved."""
    path = run.folder / "environment.json"
    made_by = files.read_json(path).get("code") if checksums.intact(path) else None
    stale = made_by not in (None, cell.code.split("+")[0]) or set(cell.needs) & set(moved)
    return (made_by or "start") if stale else ""


def run_cell(cell: Cell, limits: Limits, *needed: Record) -> Record:
    """Executes the cell's notebook and returns its record. A failure is a record too; it never raises but for files
    that can't be written. ``needed`` are the records of the cells that it starts from."""
    broken = [record["key"] for record in needed if record["status"] != DONE]
    if broken:
        return _write(cell, {"status": SKIPPED, "error": f"it starts from {broken[0]}, which failed", "attempts": 0})
    if outcome := done(cell):
        return outcome
    # Two sweeps that need it execute it once.
    with turn(folder(cell) / f".{cell.key}.lock", f"the cell {cell.key}"):
        return done(cell) or _run(cell, limits)


def _run(cell: Cell, limits: Limits) -> Record:
    attempt, record = _attempts_before(cell, limits), {}
    while attempt <= limits.retries:
        attempt += 1
        drafts.write(_trace(cell), files.json_bytes({"sweep": limits.sweep, "attempt": attempt}))
        record = {"attempts": attempt, **_attempt(cell, limits)}
        if record["status"] == DONE or record.pop("final", False):
            break
    record = record or {"status": FAILED, "attempts": attempt, "error": f"its worker died {attempt} times"}
    _trace(cell).unlink(missing_ok=True)
    return _write(cell, record)


def _trace(cell: Cell) -> Path:
    """Is there while the cell runs: what a worker that is killed leaves behind."""
    return folder(cell) / f".{cell.key}.running"


def _attempts_before(cell: Cell, limits: Limits) -> int:
    if not _trace(cell).is_file():
        return 0
    try:
        trace = files.read_json(_trace(cell), "sweep", "attempt", way_out="delete it")
        return int(trace["attempt"]) if trace["sweep"] == limits.sweep else 0
    except (ValueError, TypeError):  # it is only a trace
        return 0


def _attempt(cell: Cell, limits: Limits) -> Record:
    from workbench.study import notebooks
    from workbench.study.notebooks import warm_kernels
    from workbench.study.sweep.resource_limits import Watch

    out = folder(cell) / f"{cell.key}.ipynb"
    source = (
        warm_kernels.warm(warm_kernels.imports_of(cell.notebook), limits.threads) if warm_kernels.CAN_FORK else None
    )
    start, watch = time.monotonic(), Watch(limits.minutes, limits.memory)
    try:
        with watch:
            manager = warm_kernels.manager(source, watch.follow)
            notebooks.run_copy(
                Path(cell.notebook), out, cell.parameters, cell.source, progress=False, kernel_manager_class=manager
            )
        outcome: Record = {"status": DONE, "numbers": {} if cell.trains else notebooks.recorded(out)}
    except Exception as problem:
        # Whatever the notebook, its kernel or papermill came to: the other rows run on.
        outcome = {"status": FAILED, "error": f"{type(problem).__name__}: {problem}"}
        failed = out.with_name(f"{out.stem}.failed.ipynb")
        outcome |= {"failed_notebook": failed.name} if failed.is_file() else {}
        if watch.exceeded:
            # Again would take as long, or as much.
            outcome |= {"error": f"{cell.label} took {watch.exceeded}; {problem}", "final": True}
    seconds = round(time.monotonic() - start, 2)
    return {**outcome, "seconds": seconds, "memory_gib": round(watch.peak / 2**30, 3)}


def _write(cell: Cell, record: Record) -> Record:
    from workbench.study.runs import hardware

    names = ("key", "label", "notebook", "parameters", "code", "source", "needs")
    facts, environment = {name: getattr(cell, name) for name in names}, hardware.environment()
    machine = {"host": platform.node(), **{name: environment[name] for name in ("processor", "gpu", "git")}}
    run = run_of(cell)
    if record["status"] == DONE and run is not None:
        trained = round(float(run.history["seconds"].sum()), 2)
        record = {**record, "numbers": flat(run.metrics), "training_seconds": trained}
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    record = {**facts, **record, "worker": os.getpid(), "machine": machine, "finished": finished}
    files.write_json(folder(cell) / f"{cell.key}.json", record)
    return record
