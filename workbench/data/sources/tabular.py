"""A CSV or parquet file as a table of texts, to the letter."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from workbench.data.sources.faults import Faults


def read(path: Path, faults: Faults) -> pd.DataFrame:
    """All values as text, "" where there is none: names such as "None" or "01" are names.

    Rows of another length than the header go to ``faults``. FileNotFoundError, or ValueError naming the file where it
    is no table.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no manifest at {path}")
    readers = {".csv": _csv, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise ValueError(f"a manifest is a .csv or a .parquet file, got {path}")
    return readers[path.suffix.lower()](path, faults)


def _csv(path: Path, faults: Faults) -> pd.DataFrame:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file, strict=True) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as CSV in UTF-8: {error}") from None
    header = [name.strip() for name in rows[0]] if rows else []
    if len(set(header)) < len(header):
        raise ValueError(f"{path} has a column twice: {', '.join(header)}")
    wrong = [f"row {i + 1} has {len(row)}" for i, row in enumerate(rows[1:]) if len(row) != len(header)]
    faults.add(f"rows of another number of fields than the header's {len(header)}", wrong)
    even = [(row + [""] * len(header))[: len(header)] for row in rows[1:]]
    return pd.DataFrame(even, columns=header, dtype=object)


def _parquet(path: Path, faults: Faults) -> pd.DataFrame:
    import pyarrow

    try:
        table = pd.read_parquet(path)
    except (ValueError, OSError, TypeError, KeyError, pyarrow.ArrowException) as error:
        raise ValueError(f"{path} cannot be read as parquet: {error}") from None
    table.columns = table.columns.astype(str)
    if not table.columns.is_unique:
        raise ValueError(f"{path} has a column twice: {', '.join(table.columns)}")
    return table.astype(object).where(table.notna(), "").map(str).reset_index(drop=True)
