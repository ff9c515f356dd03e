"""What a table's runs measured: by row, column and seed, with the reason where there is nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from safefiles import checksums
from safefiles.reading import present
from workbench.study import files
from workbench.study.runs.run_folder import Predictions, Run
from workbench.study.runs.run_table import flat
from workbench.study.sweep import job
from workbench.study.sweep.job import Record
from workbench.study.tables.plan import Entry, Plan
from workbench.study.tables.table_file import Column, Table

NOT_YET = "not run yet"
#: The reason where a run is done and the metric is not among its numbers: there is nothing to measure.
NOTHING = "it has no such number"


@dataclass(frozen=True)
class Results:
    """A table and what was measured for it. ``path`` is its file."""

    path: Path
    table: Table
    entries: list[Entry]
    plan: Plan

    @cached_property
    def seeds(self) -> list[int]:
        """The seeds of all entries, ascending."""
        return sorted({entry.seed for entry in self.entries})

    def entry(self, row: str, column: Column, seed: int) -> Entry | None:
        """None for a seed that the row is not run with."""
        return self._by_place.get((row, column.key, seed))

    @cached_property
    def _by_place(self) -> dict[tuple[str, str, int], Entry]:
        return {(entry.row, entry.column, entry.seed): entry for entry in self.entries}

    def _key(self, row: str, column: Column, seed: int) -> str:
        """The cell behind an entry; "" where none is run."""
        entry = self.entry(row, column, seed)
        return "" if entry is None else entry.cell

    def values(self, row: str, column: Column) -> dict[int, float]:
        """What was measured, by seed, in the column's unit."""
        by_seed = {}
        for seed in self.seeds:
            key = self._key(row, column, seed)
            numbers = self._numbers(key) if key else {}
            number = numbers.get(f"test_{column.metric}", numbers.get(column.metric))
            if number is not None and np.isfinite(number):
                by_seed[seed] = column.scale * number
        return by_seed

    def reason(self, row: str, column: Column) -> str:
        """Why there is no value at all; empty where there is one."""
        if self.values(row, column):
            return ""
        reasons = [
            e.reason or self._failure(e.cell) for s in self.seeds if (e := self.entry(row, column, s)) is not None
        ]
        return reasons[0] if reasons else NOT_YET

    def run(self, row: str, column: Column, seed: int) -> Run | None:
        """The run behind an entry, where it is finished."""
        key = self._key(row, column, seed)
        run = job.run_of(self.plan.cells[key]) if key else None
        return run if run is not None and run.finished else None

    def predictions(self, row: str, column: Column) -> dict[int, Predictions]:
        """Of the test split, by seed."""
        runs = {seed: self.run(row, column, seed) for seed in self.seeds}
        return {seed: run.predictions() for seed, run in runs.items() if run is not None and "test" in run.metrics}

    def record(self, row: str, column: Column, seed: int) -> Record | None:
        """How the cell behind an entry was executed; None where it was not executed by a sweep."""
        key = self._key(row, column, seed)
        return self.cell_record(key) if key else None

    def executed(self, row: str, column: Column, seed: int) -> Path | None:
        """The executed notebook behind an entry, also one that failed."""
        key = self._key(row, column, seed)
        if not key:
            return None
        paths = [job.folder(self.plan.cells[key]) / f"{key}{ending}" for ending in (".ipynb", ".failed.ipynb")]
        return next((path for path in paths if path.is_file()), None)

    def frame(self) -> pd.DataFrame:
        """One line a row and seed that has an entry: system, seed and a number for each column, NaN where none is."""
        lines = []
        for seed in self.seeds:
            for row in self.table.rows:
                columns = self.table.columns
                if any(self.entry(row.id, column, seed) is not None for column in columns):
                    numbers = {column.label: self.values(row.id, column).get(seed, np.nan) for column in columns}
                    lines.append({"system": row.label, "seed": seed, **numbers})
        return pd.DataFrame(lines)

    def _numbers(self, key: str) -> dict[str, float]:
        cell = self.plan.cells[key]
        if cell.trains:
            return flat(job.measured(cell))
        record = self.cell_record(key)
        return record["numbers"] if record and record["status"] == job.DONE else {}

    def cell_record(self, key: str) -> Record | None:
        """How a cell was executed; None where no sweep did."""
        path = job.folder(self.plan.cells[key]) / f"{key}.json"
        return files.read_json(path) if present(path) and checksums.intact(path) else None

    def _failure(self, key: str) -> str:
        record = self.cell_record(key)
        if record and record.get("error"):
            return f"failed: {record['error']}"
        return NOTHING if self._numbers(key) else NOT_YET


def collect(paths: Iterable[str | Path], tables: list[Table], plan: Plan) -> list[Results]:
    """The results of each table, in the order of ``paths``."""
    return [
        Results(Path(path), table, entries, plan)
        for path, table, entries in zip(paths, tables, plan.entries, strict=True)
    ]
