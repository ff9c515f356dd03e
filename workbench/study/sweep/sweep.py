"""``sweep``: table files -> every run they need, made or found, and the tables' numbers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from workbench.study.config.notebook_config import Train
from workbench.study.config.train_config import parse
from workbench.study.sweep import executors, results
from workbench.study.sweep.job import DONE, Limits, Record, done, run_of, set_aside
from workbench.study.sweep.results import Results
from workbench.study.tables.plan import Cell, plan
from workbench.study.tables.table_file import read_table
from workbench.study.train.fit import fit


@dataclass
class Swept:
    """What a sweep did: the tables' ``results``, the ids of runs that were ``replaced`` since other code had made them,
    and the records of the cells that were executed now; ``failed`` are those that have no result."""

    results: list[Results]
    replaced: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    @property
    def failed(self) -> list[Record]:
        """The records of cells that didn't end well."""
        return [record for record in self.records if record["status"] != DONE]


def sweep(
    path: str | Path,
    seeds: int | None = None,
    rows: Iterable[str] | None = None,
    engine: str = "serial",
    protocols: Iterable[str] | None = None,
    **where: Any,
) -> pd.DataFrame:
    """Runs what is not yet done of a table.

    Args:
        path: the table, a YAML file (see notebooks/ablations).
        seeds: runs of each row, with seeds 0 to seeds - 1; None: as the file says. A row with ``seeds`` of its own runs
            with the first so many only.
        rows: the ids of the rows to run; None: all.
        engine: serial (in this process, without executing notebooks), processes (one a core of this machine; each run
            is an executed notebook under <runs>/cells), or the address of a running Dask scheduler.
        protocols: who is held out; None: as the file says.
        **where: fields of TrainConfig that are replaced in every row (root, runs, cache, preset).

    Returns:
        One line a row and seed: system (the row's label), seed and the columns' numbers, shares in percent; NaN for
        what is not run.

    Raises:
        ValueError: a bad file, or an unknown row.
        RuntimeError: a row failed; all others are done.
    """
    options: dict[str, Any] = {"seeds": seeds, "rows": rows, "protocols": protocols, "where": where}
    if engine == "serial":
        return _in_process([path], **options).results[0].frame()
    swept = sweep_files([path], **options, scheduler=None if engine in ("processes", "dask") else engine)
    if swept.failed:
        first = swept.failed[0]
        raise RuntimeError(
            f"{len(swept.failed)} cells of {path} failed, the first is {first['label']}: {first['error']}"
        )
    return swept.results[0].frame()


def sweep_files(
    paths: Iterable[str | Path],
    seeds: int | None = None,
    rows: Iterable[str] | None = None,
    protocols: Iterable[str] | None = None,
    where: dict[str, Any] | None = None,
    limits: Limits | None = None,
    progress: bool = True,
    work: executors.Work = executors.run_cell,
    scheduler: str | None = None,
    slurm: str | Path | None = None,
    workers: int | None = None,
    gpus: int | None = None,
) -> Swept:
    """``sweep`` of several files at once; a run that two of them need is made once. With ``scheduler`` or ``slurm`` on
    a cluster (see ``executors.cluster``), else side by side on this machine: so many ``workers`` at once, or so many
    rows as the ``gpus`` take. Cells that fail are told in the result; the others run on."""
    paths = list(paths)
    tables = [read_table(path) for path in paths]
    planned = plan(tables, seeds, rows, protocols, where)
    replaced = set_aside(planned.cells)
    waiting = [cell for cell in planned.cells.values() if done(cell) is None]
    records: list[Record] = []
    if waiting:
        limits = Limits(**{**vars(limits or Limits()), "sweep": uuid.uuid4().hex[:8]})
        with tqdm(total=len(waiting), desc="sweep", unit="cell", disable=not progress) as bar:

            def finished(record: Record) -> None:
                records.append(record)
                bar.set_postfix_str(f"{record['label']}: {record['status']}", refresh=False)
                bar.update()

            def underway(cells: list[Cell]) -> None:
                standing = ", ".join(map(_standing, cells))
                if standing and standing != getattr(bar, "postfix", standing):  # a hidden bar has none
                    bar.set_postfix_str(standing)

            if scheduler or slurm:
                request = scheduler, slurm, workers, limits.threads, gpus, limits.retries
                with executors.cluster(*request) as client:
                    executors.distribute(waiting, limits, finished, client, bool(gpus), work)
            else:
                executors.side_by_side(waiting, limits, finished, underway, work, gpus or workers)
    return Swept(results.collect(paths, tables, planned), replaced, records)


def _standing(cell: Cell) -> str:
    """What is being executed, and how far it has come."""
    run = run_of(cell)
    return cell.label if run is None else f"{cell.label}: epoch {len(run.history) + 1}"


def _in_process(paths: list[str | Path], **options: Any) -> Swept:
    """Every row in this process: those that train by ``fit``, the others by executing their notebook."""
    tables = [read_table(path) for path in paths]
    planned = plan(tables, **options)
    replaced = set_aside(planned.cells)
    executors.serial(planned.cells.values(), Limits(), lambda record: None, _fit)
    return Swept(results.collect(paths, tables, planned), replaced)


def _fit(cell: Cell, limits: Limits, *needed: Record) -> Record:
    if not cell.trains:
        record = executors.run_cell(cell, limits, *needed)
        if record["status"] != DONE:
            raise RuntimeError(record["error"])
        return record
    fit(parse(Train(**cell.parameters).training()))
    return {"key": cell.key, "status": DONE}


def read(
    paths: Iterable[str | Path],
    seeds: int | None = None,
    protocols: Iterable[str] | None = None,
    where: dict[str, Any] | None = None,
) -> list[Results]:
    """The tables' results as far as their runs are there; nothing is run."""
    paths = list(paths)
    tables = [read_table(path) for path in paths]
    return results.collect(paths, tables, plan(tables, seeds, None, protocols, where))
