"""The drawn worlds that the table files are about."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from synthadl import world
from workbench.study.tables.table_file import read_table

#: By folder: how the world is drawn.
WORLDS: dict[str, dict[str, Any]] = {
    "data/synthadl/tiny": {},
    "data/synthadl/untrimmed": {"world": "untrimmed"},
    "data/synthadl/no_imposters": {"knobs": {"imposters": 0}},
}


def draw_missing(files: Iterable[str | Path]) -> None:
    """Draws those of WORLDS that the table ``files`` name and that are missing or incomplete, and says so."""
    tables = [read_table(path) for path in files]
    roots = {table.base.get("root") for table in tables}
    roots |= {row.parameters.get("root") for table in tables for row in table.rows}
    roots |= {column.parameters.get("root") for table in tables for column in table.columns}
    for root, how in WORLDS.items():
        if root in roots and not (Path(root) / "index.parquet").exists():
            print(f"{root} is missing or incomplete; drawing it first")
            world.generate(root, **how)
