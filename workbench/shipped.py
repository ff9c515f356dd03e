"""What comes with the library: notebooks and tables, beside it in its repository, inside of it where installed."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfile

import workbench
from safefiles import drafts

PACKAGE = Path(workbench.__file__).parent


def notebooks() -> Path:
    """The folder with the notebooks and, in ``ablations``, the tables that came with the library."""
    beside, inside = PACKAGE.parent / "notebooks", PACKAGE / "starter"
    return inside if inside.is_dir() else beside


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
