"""What comes with the library: notebooks, tables and the study's numbers, beside it in its repository, inside of it
where installed."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copyfile
from typing import Any

import workbench
from safefiles import drafts

PACKAGE = Path(workbench.__file__).parent


def notebooks() -> Path:
    """The folder with the notebooks and, in ``ablations``, the tables that came with the library."""
    beside, inside = PACKAGE.parent / "notebooks", PACKAGE / "starter"
    return inside if inside.is_dir() else beside


def study(table: str | Path) -> dict[str, Any]:
    """What the project's study measured of a table, as ``study.report.export.facts`` has it: its numbers with 95 %
    intervals, its claims, its effort and machine; {} where it was not measured."""
    beside, inside = PACKAGE.parent / "docs/study", PACKAGE / "measured"
    path = (inside if inside.is_dir() else beside) / f"{Path(table).stem}.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def lay_out(folder: str | Path) -> list[Path]:
    """Copies notebooks and tables to ``folder``/notebooks, where people change them; what is there already stays.
    Returns the new files; FileNotFoundError where the library came without notebooks, OSError where one can't be
    written."""
    source, new = notebooks(), []
    if not source.is_dir():
        raise FileNotFoundError(f"this installation has no notebooks: looked for in {source}")
    for file in sorted(source.rglob("*")):
        target = Path(folder) / "notebooks" / file.relative_to(source)
        if file.suffix in (".ipynb", ".md", ".yaml") and ".ipynb_checkpoints" not in file.parts and not target.exists():
            with drafts.replacing(target) as draft:
                copyfile(file, draft)
            new.append(target)
    return new
