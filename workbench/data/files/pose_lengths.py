"""How many frames pose files have, remembered: clips without a video are as long as their poses."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from safefiles import checksums
from workbench.media.files.ingest import default_cache


def measure(paths: list[str], count: Callable[[Path], int], fps: float) -> pd.DataFrame:
    """frames, fps and problem ("" where there is none) of each of ``paths``.

    What ``count`` (path -> frames, ValueError for a file that is no good) has found is kept in the cache folder and
    valid as long as size and time of change of a file are the same.
    """
    digest = hashlib.sha256("\n".join(paths).encode()).hexdigest()[:32]
    record = default_cache().parent / "lengths" / f"{digest}.parquet"
    measured, rows, fresh = _read(record), [], False
    for path in tqdm(paths, "measuring poses", unit="file", disable=len(paths) < 1000):
        state = os.stat(path)
        key = f"{path}|{state.st_size}|{state.st_mtime_ns}"
        if key not in measured:
            measured[key], fresh = _attempt(Path(path), count), True
        rows.append((key, *measured[key]))
    table = pd.DataFrame(rows, columns=["key", "frames", "problem"])
    if fresh:
        with suppress(OSError), checksums.replacing(record) as draft:
            table.to_parquet(draft)
    return table[["frames", "problem"]].assign(fps=fps)[["frames", "fps", "problem"]]


def _attempt(path: Path, count: Callable[[Path], int]) -> tuple[int, str]:
    try:
        return count(path), ""
    except (ValueError, OSError) as error:
        return 0, str(error)


def _read(record: Path) -> dict[str, tuple[int, str]]:
    # A record is only a memory: what can't be read is found out again.
    with suppress(OSError, ValueError, KeyError):
        if not checksums.intact(record):
            return {}
        table = pd.read_parquet(record)
        return dict(zip(table["key"], zip(table["frames"], table["problem"], strict=True), strict=True))
    return {}
