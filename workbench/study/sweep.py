"""A table as a file that runs: rows x seeds, each one run; the report gives mean and spread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from workbench.study import files
from workbench.study.config import Config
from workbench.study.runs import flat, open_run
from workbench.study.train import fit


class Column(Config):
    """A measured number of the test split: ``metric`` as in runs.flat without "test_" (top1, inside_share, ...), shown
    under ``label``, in percent."""

    metric: str
    label: str


class Row(Config):
    """One line of the table: the fields of TrainConfig that it changes. ``after`` names a row whose run of the same
    seed gives the weights that ``init`` takes from "after"."""

    id: str
    label: str
    parameters: dict[str, Any]
    after: str | None = None
    show: bool = True


class Table(Config):
    """A table file. ``base`` holds the fields of TrainConfig that all rows share."""

    title: str
    note: str = ""
    base: dict[str, Any]
    columns: list[Column]
    rows: list[Row]


def read_table(path: str | Path) -> Table:
    """The table in a YAML file; ValueError naming the file and what is wrong with it."""
    try:
        raw = yaml.safe_load(Path(path).read_text())
        return Table(
            **{
                **raw,
                "columns": [Column(**column) for column in raw.get("columns", [])],
                "rows": [Row(**row) for row in raw.get("rows", [])],
            }
        )
    except (ValueError, TypeError, AttributeError, yaml.YAMLError) as problem:
        raise ValueError(f"{path} is not a table file: {problem}") from None


def sweep(
    path: str | Path, seeds: int = 3, runs: str | Path = "runs", report: str | Path | None = None
) -> pd.DataFrame:
    """Runs what is not yet done and returns one line a row: mean and standard deviation over seeds, in percent.

    Columns are (label, "mean") and (label, "sd"); ``report`` also writes them as Markdown, with every seed's number.
    """
    table = read_table(path)
    measured = {
        (row.id, seed): flat({"test": open_run(run, runs).metrics["test"]})
        for seed in range(seeds)
        for row, run in _runs(table, seed, runs)
    }
    shown = [row for row in table.rows if row.show]
    numbers = pd.DataFrame(
        {
            (column.label, seed): [
                100 * measured[row.id, seed].get(f"test_{column.metric}", float("nan")) for row in shown
            ]
            for column in table.columns
            for seed in range(seeds)
        },
        index=[row.label for row in shown],
    )
    labels = [column.label for column in table.columns]
    result = pd.concat(
        {
            (label, kind): getattr(numbers[label], call)(axis=1)
            for label in labels
            for kind, call in (("mean", "mean"), ("sd", "std"))
        },
        axis=1,
    )
    if report is not None:
        files.write(Path(report), markdown(table, result, numbers, seeds, path).encode())
    return result


def _runs(table: Table, seed: int, runs: str | Path):
    """Trains the rows in order, one seed; yields (row, run id)."""
    done: dict[str, str] = {}
    for row in table.rows:
        parameters = {**table.base, **row.parameters, "seed": seed, "runs": str(runs)}
        if row.after is not None:
            if row.after not in done:
                raise ValueError(f"row {row.id!r} comes after {row.after!r}, which is no earlier row")
            source = {module: of.replace("after", done[row.after], 1) for module, of in parameters["init"].items()}
            parameters["init"] = source
        done[row.id] = fit(parameters)
        yield row, done[row.id]


def markdown(table: Table, result: pd.DataFrame, numbers: pd.DataFrame, seeds: int, path: str | Path) -> str:
    """The table with mean ± standard deviation, then each seed's numbers."""
    labels = list(dict.fromkeys(label for label, _ in result.columns))

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    def cell(mean: float, sd: float) -> str:
        return "–" if pd.isna(mean) else f"{mean:.1f} ± {sd:.1f}"

    head = [line(["", *labels]), line(["---", *["---:"] * len(labels)])]
    means = [
        line([name, *(cell(result.loc[name, (label, "mean")], result.loc[name, (label, "sd")]) for label in labels)])
        for name in result.index
    ]
    each = [
        line(
            [
                name,
                *(" / ".join("–" if pd.isna(v) else f"{v:.1f}" for v in numbers.loc[name, label]) for label in labels),
            ]
        )
        for name in numbers.index
    ]
    command = f"python -m workbench sweep {path} --seeds {seeds}"
    return "\n".join(
        [
            f"# {table.title}",
            "",
            table.note.strip(),
            "",
            f"Mean ± standard deviation over {seeds} seeds, in percent, from `{command}`.",
            "",
            *head,
            *means,
            "",
            "Each seed:",
            "",
            *head,
            *each,
            "",
        ]
    )
