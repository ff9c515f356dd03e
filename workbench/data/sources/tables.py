"""What every source checks about its table before it trusts a row."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd


def require(table: pd.DataFrame, columns: Iterable[str], path: Path) -> None:
    """ValueError naming the columns that ``table`` (read from ``path``) lacks."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"{path} lacks the column(s) {', '.join(missing)}; it has: {', '.join(map(str, table.columns))}")


def unique(table: pd.DataFrame, path: Path) -> None:
    """ValueError naming the first id that occurs twice."""
    twice = table["id"][table["id"].duplicated()]
    if len(twice):
        raise ValueError(f"{path} has the id {twice.iloc[0]!r} more than once; ids must be unique")


def below(root: Path, names: Iterable[str], path: Path) -> list[str]:
    """Absolute paths of ``names`` (relative to ``root``) listed in ``path``; none may leave ``root`` or be missing."""
    base = os.path.realpath(root)
    full = [os.path.realpath(os.path.join(base, name)) for name in names]
    for name, target in zip(names, full, strict=True):
        if os.path.commonpath([base, target]) != base:
            raise ValueError(f"{path} names {name!r}, which lies outside {base}")
    missing = [target for target in full if not os.path.isfile(target)]
    if missing:
        raise FileNotFoundError(f"{path} names {len(missing)} file(s) that do not exist, the first is {missing[0]}")
    return full
