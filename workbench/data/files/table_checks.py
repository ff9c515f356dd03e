"""What every source checks about its table and its arrays before it trusts them; what is wrong is told at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

#: So many of one kind are listed; of the others only the number is told.
LISTED = 20


class ManifestError(FileNotFoundError, ValueError):
    """A table that is no data set: what is wrong, kind by kind, with the rows."""

    def __str__(self) -> str:
        return str(self.args[0])


class Faults:
    """Collects what is wrong with the table at ``path``, to tell it all in one error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kinds: dict[str, list[str]] = {}

    def add(self, kind: str, cases: Iterable[str]) -> None:
        """``cases``, one text each, are wrong in the way that ``kind`` says; none: nothing happens."""
        self._kinds.setdefault(kind, []).extend(cases)

    def check(self) -> None:
        """ManifestError with the first cases and the number of each kind, if there is any."""
        kinds = {kind: cases for kind, cases in self._kinds.items() if cases}
        if not kinds:
            return
        total = sum(map(len, kinds.values()))
        lines = [f"{self._path} cannot be used, {total} fault(s):"]
        for kind, cases in kinds.items():
            more = f", and {len(cases) - LISTED} more" if len(cases) > LISTED else ""
            lines.append(f"  {kind} ({len(cases)}): {', '.join(cases[:LISTED])}{more}")
        raise ManifestError("\n".join(lines))


def of_row(value: str, row: int) -> str:
    """``value`` and where it stands: rows count from 1 after the header."""
    return f"{value!r} (row {row + 1})"


def require(table: pd.DataFrame, columns: Sequence[str], path: Path) -> None:
    """ValueError naming the columns that ``table`` (read from ``path``) lacks, or one that holds lists."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(
            f"{path} lacks the column(s) {', '.join(missing)}; it has: {', '.join(map(str, table.columns))}"
        )
    for name in columns:
        several = (value for value in table[name] if isinstance(value, list | dict | np.ndarray))
        if table[name].dtype == object and (wrong := next(several, None)) is not None:
            raise ValueError(f"{path}: {name} should hold one value a row, it holds {str(wrong)[:80]}")


def numeric(table: pd.DataFrame, columns: Iterable[str], path: Path) -> None:
    """ValueError naming the first of ``columns`` that holds anything but finite numbers."""
    for name in columns:
        column = table[name]
        if column.dtype.kind not in "iuf" or not np.isfinite(column.to_numpy()).all():
            wrong = next((value for value in column if not isinstance(value, int | float) or value != value), "inf")
            raise ValueError(f"{path}: {name} should hold numbers, it holds {wrong!r}")


def unique(table: pd.DataFrame, path: Path) -> None:
    """ValueError naming the first id that occurs twice."""
    twice = table["id"][table["id"].duplicated()]
    if len(twice):
        raise ValueError(f"{path} has the id {twice.iloc[0]!r} more than once; ids must be unique")


def below(root: Path, names: Iterable[str], path: Path) -> list[str]:
    """Absolute paths of ``names`` (relative to ``root``) listed in ``path``; none may leave ``root`` or be missing."""
    # By name, not by where links lead: a folder that its owner has linked to a larger disk is fine.
    base = os.path.abspath(root)
    full = [os.path.normpath(os.path.join(base, name)) for name in names]
    for name, target in zip(names, full, strict=True):
        if os.path.commonpath([base, target]) != base:
            raise ValueError(f"{path} names {name!r}, which lies outside {base}")
    missing = [target for target in full if not os.path.isfile(target)]
    if missing:
        raise FileNotFoundError(f"{path} names {len(missing)} file(s) that do not exist, the first is {missing[0]}")
    return full


def read_arrays(path: str | Path, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of an npz by name, never unpickled; ValueError naming ``path`` if it is damaged or lacks one."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = [name for name in required if name not in arrays]
            if missing:
                raise ValueError(f"it lacks {', '.join(missing)} and holds: {', '.join(arrays.files)}")
            return {name: arrays[name] for name in (*required, *optional) if name in arrays}
    except Exception as error:  # a damaged file may lead its reader anywhere
        raise ValueError(f"{path} cannot be read as arrays: {error}") from None
