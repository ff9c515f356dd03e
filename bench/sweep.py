"""What a sweep costs beside training: `python bench/sweep.py --help`.

Aims: 1,000 rows are scheduled in 30 seconds, and found done in 30 seconds; a row takes less than 5 seconds beyond its
own training and evaluation. The first is measured with rows that do nothing, the second by executing 01_train for a run
that is there already: what remains is the notebook.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from workbench.study import fit
from workbench.study.config.notebook_config import Train
from workbench.study.config.train_config import parse
from workbench.study.sweep import executors, job, sweep
from workbench.study.sweep.job import DONE, Limits, Record
from workbench.study.tables import plan
from workbench.study.tables.table_file import read_table


def nothing(cell: plan.Cell, limits: Limits, *needed: Record) -> Record:
    """A row that takes no time, recorded as if it had been executed."""
    folder = job.folder(cell)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{cell.key}.ipynb").write_text("{}")
    record = {"key": cell.key, "label": cell.label, "status": DONE, "numbers": {"number": 1.0}, "attempts": 1}
    record |= {"code": cell.code, "source": cell.source}
    (folder / f"{cell.key}.json").write_text(json.dumps(record))
    return record


def scheduling(place: Path, rows: int) -> tuple[float, float]:
    """Seconds for a table of so many rows: the first time, and found done."""
    notebook = place / "row.ipynb"
    notebook.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    lines = [
        {"id": f"row{i}", "label": f"row {i}", "notebook": str(notebook), "parameters": {"i": i}} for i in range(rows)
    ]
    table = place / "table.yaml"
    columns = [{"metric": "number", "label": "number", "unit": "words"}]
    table.write_text(json.dumps({"title": "Rows", "base": {"runs": str(place)}, "columns": columns, "rows": lines}))
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        swept = sweep.sweep_files([table], 1, progress=False, work=nothing)
        assert swept.results[0].frame()["number"].sum() == rows
        seconds.append(time.perf_counter() - start)
    return seconds[0], seconds[1]


def overhead(place: Path, root: str, repeats: int) -> list[float]:
    """Seconds of each execution of 01_train for a run that is there; the first also starts the warm process."""
    table = place / "one.yaml"
    base = {"root": root, "runs": str(place / "runs"), "limit": 29}
    row = {"id": "row", "label": "row", "parameters": {"system": "pose_lstm", "epochs": 1}}
    columns = [{"metric": "top1", "label": "top-1"}]
    table.write_text(json.dumps({"title": "One row", "base": base, "columns": columns, "rows": [row]}))
    (cell,) = plan.plan([read_table(table)], 1).cells.values()
    fit(parse(Train(**cell.parameters).training()))
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        assert executors.run_cell(cell, Limits())["status"] == DONE
        seconds.append(time.perf_counter() - start)
        (job.folder(cell) / f"{cell.key}.json").unlink()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--root", default="data/synthadl/tiny", help="a SynthADL world (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first, again = scheduling(Path(folder), args.rows)
        print(f"{args.rows} rows that do nothing: {first:.1f} s, found done: {again:.1f} s")
        seconds = overhead(Path(folder), args.root, args.repeats)
    print(
        f"a row beyond its training: {statistics.median(seconds[1:]):.1f} s (the first of a worker {seconds[0]:.1f} s)"
    )


if __name__ == "__main__":
    main()
