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
    parameters = [values for t in tables for values in (t.base, *(part.parameters for part in (*t.rows, *t.columns)))]
    roots = {values.get("root") for values in parameters}
    for root, how in WORLDS.items():
        if root in roots and not (Path(root) / "index.parquet").exists():
            print(f"{root} is missing or incomplete; drawing it first")
            world.generate(root, **how)
