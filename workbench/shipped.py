"""What comes with the library: notebooks, labs, tables and the study's numbers, beside it in its repository, inside of
it where installed."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from shutil import copyfile
from typing import Any

import workbench
from safefiles import drafts

PACKAGE = Path(workbench.__file__).parent
#: What is laid out; solutions only where asked for.
ENDINGS, SOLUTIONS = (".ipynb", ".md", ".yaml"), "solutions"


def notebooks() -> Path:
    """The folder with the notebooks and, in ``ablations`` and ``labs``, the tables and labs that came with the
    library."""
    beside, inside = PACKAGE.parent / "notebooks", PACKAGE / "starter"
    return inside if inside.is_dir() else beside


def study(table: str | Path) -> dict[str, Any]:
    """What the project's study measured of a table, as ``study.report.export.facts`` has it: its numbers with 95 %
    intervals, its claims, its effort and machine; {} where it was not measured."""
    beside, inside = PACKAGE.parent / "docs/study", PACKAGE / "measured"
    path = (inside if inside.is_dir() else beside) / f"{Path(table).stem}.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def lay_out(folder: str | Path, labs: bool = False, solutions: bool = False) -> list[Path]:
    """Copies notebooks and tables to ``folder``/notebooks, where people change them; what is there already stays.
    labs: the labs alone. solutions: the worked solutions of the labs too. Returns the new files; FileNotFoundError
    where the library came without notebooks, OSError where one can't be written."""
    new = []
    for file, target in _copies(folder, labs, solutions):
        if not target.exists():
            _copy(file, target)
            new.append(target)
    return new


def reset_labs(folder: str | Path) -> dict[Path, Path]:
    """Puts a fresh copy of every lab that was changed into ``folder``/notebooks/labs, and keeps the changed file beside
    it, as <lab>.mine-1.ipynb, -2 and so on; returns by lab where the changed file is now.

    A lab that is missing is laid out. ValueError where ``folder`` is where the fresh copies come from.
    """
    kept = {}
    for file, target in _copies(folder, labs=True, solutions=False):
        if target.exists() and target.samefile(file):
            where = f"{folder}/notebooks/labs is where the fresh copies come from"
            raise ValueError(f"{where}; lay the labs out in another folder, and work there: new FOLDER --labs")
        if target.exists() and target.read_bytes() != file.read_bytes():
            mine = (target.with_name(f"{target.stem}.mine-{n}{target.suffix}") for n in count(1))
            kept[target] = target.rename(next(path for path in mine if not path.exists()))
        if not target.exists():
            _copy(file, target)
    return kept


def _copies(folder: str | Path, labs: bool, solutions: bool) -> list[tuple[Path, Path]]:
    """What is copied, and where to."""
    source = notebooks()
    if not source.is_dir():
        raise FileNotFoundError(f"this installation has no notebooks: looked for in {source}")
    pairs = []
    for file in sorted((source / "labs" if labs else source).rglob("*")):
        path = file.relative_to(source)
        worked = SOLUTIONS in path.parts
        wanted = solutions and file.suffix == ".py" if worked else file.suffix in ENDINGS
        if wanted and ".ipynb_checkpoints" not in path.parts and ".mine-" not in file.name:
            pairs.append((file, Path(folder) / "notebooks" / path))
    return pairs


def _copy(file: Path, target: Path) -> None:
    with drafts.replacing(target) as draft:
        copyfile(file, draft)
