"""What files hold, in a few digits: digests of their bytes, computed once for each state of a file and remembered.

Names, sizes and times of change are not contents: a copied data set is the same, and a file that was corrected in place
is another. A file is read again when its size or its time of change differs from what is remembered.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
import warnings
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from safefiles import checksums
from safefiles.processes import cores
from workbench.media.files.ingest import default_cache

if TYPE_CHECKING:
    import pandas as pd

#: The digest of a file that isn't there: its clip can't be read, and is another once the file is.
ABSENT = "absent"
#: A file that changed less than so many nanoseconds ago may change again without another time of change.
FRESH = 2_000_000_000
#: More bytes than this to read are worth a progress bar.
MUCH = 1_000_000_000
QUERY = "SELECT size, changed, digest FROM files WHERE path = ?"
#: Size in bytes and time of change in nanoseconds.
State = tuple[int, int]


def digests(paths: Iterable[str | os.PathLike]) -> dict[str, str]:
    """Sixteen hex digits of each file's bytes, by its path as given; "absent" for what is no readable file."""
    names = list(dict.fromkeys(str(path) for path in paths))
    states = {path: state for path in names if (state := _state(path)) is not None}
    memory = Memory(default_cache().parent / "contents.sqlite")
    remembered = memory.read(states)
    rest = [path for path in states if path not in remembered]
    computed = dict(zip(rest, _read_all(rest, sum(states[path][0] for path in rest)), strict=True))
    now = time.time_ns()
    memory.write({path: (*states[path], computed[path]) for path in rest if now - states[path][1] > FRESH})
    return {path: ABSENT for path in names} | remembered | computed


def fingerprint(facts: list, rows: pd.DataFrame, files: Sequence[Sequence[str | Path]]) -> str:
    """Sixteen hex digits of clips or videos: ``facts`` about them all, what is said of each (``rows``), and the bytes
    of the files that each is read from. ValueError where one of them was written by the workbench and has changed."""
    digest_of = digests(path for paths in files for path in paths)
    if changed := checksums.differing({path: digest for path, digest in digest_of.items() if digest != ABSENT}):
        more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise ValueError(
            f"{changed[0]} is damaged{more}: these are not the bytes that were written; the command that made it "
            f"makes it again (if you changed it yourself, delete {checksums.NAME} of its data set)"
        )
    digest = hashlib.sha256(json.dumps(facts).encode())
    digest.update(rows.to_csv(index=False).encode("utf-8", "surrogateescape"))
    digest.update(json.dumps([[digest_of[os.fspath(path)] for path in paths] for paths in files]).encode())
    return digest.hexdigest()[:16]


def _state(path: str) -> State | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def _read_all(paths: list[str], size: int) -> list[str]:
    """Hashing releases the interpreter: threads are enough."""
    with ThreadPoolExecutor(cores()) as pool:
        digests = pool.map(_digest, paths)
        return list(tqdm(digests, "fingerprinting files", len(paths), unit="file", disable=size < MUCH))


def _digest(path: str) -> str:
    try:
        return checksums.digest(path)
    except OSError:
        return ABSENT


class Memory:
    """Digests by path, size and time of change, in one SQLite file that processes share. It is only a memory: where it
    can't be read or written, everything is computed anew, with a warning."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self, states: dict[str, State]) -> dict[str, str]:
        """The digests of the files whose state is the remembered one, by path."""
        if not self.file.exists():
            return {}
        try:
            with closing(self._open()) as base:
                rows = {path: base.execute(QUERY, [_name(path)]).fetchone() for path in states}
        except sqlite3.Error as problem:
            self._warn(problem)
            return {}
        return {
            path: row[2][:16]
            for path, row in rows.items()
            if row is not None and row[:2] == states[path] and row[2] == _checked(*row)
        }

    def write(self, entries: dict[str, tuple[int, int, str]]) -> None:
        """Adds ``entries``, by path, to the file; a warning where it can't be written."""
        if not entries:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as base, base:
                base.executemany(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
                    [(_name(path), *entry[:2], _checked(*entry)) for path, entry in entries.items()],
                )
        except (sqlite3.Error, OSError) as problem:
            self._warn(problem)

    def _open(self) -> sqlite3.Connection:
        base = sqlite3.connect(self.file, timeout=30)
        base.execute("CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, size INT, changed INT, digest TEXT)")
        return base

    def _warn(self, problem: Exception) -> None:
        warnings.warn(f"{self.file}: digests of files can't be remembered here ({problem}); delete it", stacklevel=3)


def _checked(size: int, changed: int, digest: str) -> str:
    """The digest with a checksum of the whole entry: a damaged one is not believed."""
    return f"{digest[:16]}-{zlib.crc32(f'{size} {changed} {digest[:16]}'.encode()):08x}"


def _name(path: str) -> bytes:
    """Names of files need not be text."""
    return os.fsencode(os.path.abspath(path))
