"""A table as a file that runs: rows x seeds, each one run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from workbench.study.config import Config, TrainConfig
from workbench.study.runs import flat, open_run
from workbench.study.train import fit


class Column(Config):
    """A measured number: ``metric`` of the test split, as ``runs.table`` names it, shown in percent under ``label``."""

    metric: str
    label: str


class Row(Config):
    """One line of the table: what it changes of ``base`` (fields of TrainConfig). An ``init`` that reads "row:<id>", or
    "row:<id>:<module>", starts from the run that another row is with the same seed; ``snippets`` name encoders so. A
    row that sets ``seed`` itself is one run, whatever the seed of the table. ``seeds`` limits how many a row that takes
    long is run with. A ``hidden`` row is run where another one needs it and is not in the table."""

    id: str
    label: str
    parameters: dict[str, Any]
    seeds: int | None = None
    hidden: bool = False


class Table(Config):
    """A table file. ``base`` holds the fields of TrainConfig that all rows share. ``costs`` are columns too, of numbers
    that ``profiling.profile`` measures of each row's system."""

    title: str
    note: str = ""
    base: dict[str, Any]
    columns: list[Column]
    costs: list[Column] = []
    rows: list[Row]


def read_table(path: str | Path) -> Table:
    """The table in a YAML file; ValueError naming the file and what is wrong with it."""
    try:
        raw = yaml.safe_load(Path(path).read_text())
        columns, costs = ([Column(**column) for column in raw.get(kind, [])] for kind in ("columns", "costs"))
        rows = [Row(**row) for row in raw.get("rows", [])]
        return Table(**{**raw, "columns": columns, "costs": costs, "rows": rows})
    except (ValueError, TypeError, AttributeError, yaml.YAMLError) as problem:
        raise ValueError(f"{path} is not a table file: {problem}") from None


def sweep(
    path: str | Path,
    seeds: int = 3,
    rows: Iterable[str] | None = None,
    **where: Any,
) -> pd.DataFrame:
    """Runs what is not yet done and returns one line a row and seed: label, seed and the columns' numbers in percent.

    ``rows`` are the ids to run, None all; ``where`` replaces fields of TrainConfig in every row (root, runs, cache). A
    row with ``seeds`` runs with the first so many only. ValueError for a bad file or an unknown row or column.
    """
    table = read_table(path)
    known = [row.id for row in table.rows]
    wanted = [row.id for row in table.rows if not row.hidden] if rows is None else list(rows)
    if strangers := [name for name in wanted if name not in known]:
        raise ValueError(f"{path} has no row {strangers[0]!r}; it has: {', '.join(known)}")
    measured = []
    for seed in range(seeds):
        cells = Cells(table, seed, where)
        for row in table.rows:
            if row.id in wanted and (row.seeds is None or seed < row.seeds):
                numbers = flat(open_run(cells.run(row.id), cells.runs).metrics)
                found = {c.label: 100 * numbers.get(f"test_{c.metric}", float("nan")) for c in table.columns}
                measured.append({"system": row.label, "seed": seed, **found})
    return pd.DataFrame(measured)


def configs(path: str | Path, changes: dict[str, Any] | None = None) -> dict[str, TrainConfig]:
    """The configuration of every shown row by its label, with ``changes``, untied from the rows it starts from."""
    table = read_table(path)
    return {
        row.label: TrainConfig(**{**table.base, **row.parameters, **(changes or {}), "init": {}, "snippets": {}})
        for row in table.rows
        if not row.hidden
    }


class Cells:
    """The runs that the rows of a table are with one seed, each made when it is first asked for."""

    def __init__(self, table: Table, seed: int, where: dict[str, Any]) -> None:
        self.table, self.seed, self.where = table, seed, where
        self.runs = {**table.base, **where}.get("runs", "runs")

    def run(self, row: str) -> str:
        """The id of the run that ``row`` is; rows that it starts from are run before."""
        return fit(self.config(row))

    def config(self, row: str, within: tuple[str, ...] = ()) -> dict[str, Any]:
        """The fields of TrainConfig for ``row``; ValueError where rows start from each other in a circle."""
        if row in within:
            raise ValueError(f"rows of {self.table.title!r} start from each other: {' <- '.join((*within, row))}")
        rows = {row.id: row for row in self.table.rows}
        if row not in rows:
            raise ValueError(f"row {within[-1]!r} starts from row {row!r}, which is not in {self.table.title!r}")
        config = {**self.table.base, "seed": self.seed, **rows[row].parameters, **self.where}
        tied = {
            field: {part: self._source(source, (*within, row)) for part, source in config[field].items()}
            for field in ("init", "snippets")
            if config.get(field)
        }
        return {**config, **tied}

    def _source(self, source: str, within: tuple[str, ...]) -> str:
        kind, _, rest = source.partition(":")
        if kind != "row":
            return source
        row, colon, module = rest.partition(":")
        return f"{fit(self.config(row, within))}{colon}{module}"
