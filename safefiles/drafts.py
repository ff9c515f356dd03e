"""Files that are either the old one or the new one, whole, whenever the machine stops.

A file is written as a draft beside its place, under a name that says what it is, on which machine and by which process:
``.<name>.draft-<machine>-<process>-<random>``. Only files of such a name are ever removed: those that a process which
died left in a folder go when the next one first writes there.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import secrets
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATTERN = re.compile(r"\..+\.draft-(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}(\.[^.]*)?")
FULL = (errno.ENOSPC, errno.EDQUOT)
#: Seconds after which a draft is left over where the system can't tell whether its process still runs.
LEFT_OVER = 24 * 3600

#: Folders that this process has written to.
_visited: set[str] = set()


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A draft beside ``path`` to write to; it takes that name when the block ends well and is removed otherwise.

    Folders are made where needed; the draft has the ending of ``path``.

    OSError, one sentence with the file, the reason and what is left, where the system can't write; the old file stays.
    """
    path = Path(path)
    name = f".{path.stem}.draft-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}{path.suffix}"
    draft = path.with_name(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if (folder := os.path.abspath(path.parent)) not in _visited:
            _visited.add(folder)
            discard(folder)
        yield draft
        with open(draft, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as problem:
        told = hasattr(problem, "told") or problem.filename not in (None, str(draft), str(path), str(path.parent))
        if told:  # of another file, by a sentence of its own
            raise
        kept = "the previous one is kept" if path.exists() else "nothing was left half-written"
        room = "; free some space and start the same command again" if problem.errno in FULL else ""
        words = f"{path} can't be written: {problem.strerror or problem}; {kept}{room}"
        sentence = OSError(problem.errno, words)
        sentence.told = True
        raise sentence from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def write(path: str | os.PathLike, data: bytes) -> None:
    """Replaces ``path`` by ``data`` at once; raises as ``replacing``."""
    with replacing(path) as draft:
        draft.write_bytes(data)


def discard(folder: str | os.PathLike) -> list[Path]:
    """Removes the drafts in ``folder`` whose process has ended; returns them. Nothing else is touched: neither other
    hidden files, nor drafts of a process that still runs, nor those of another machine that shares the folder."""
    removed = []
    for path in Path(folder).glob(".*.draft-*"):
        match = PATTERN.fullmatch(path.name)
        if match and match["machine"] == _machine() and not _runs(int(match["process"]), path):
            path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _runs(process: int, draft: Path) -> bool:
    """Whether the process that writes ``draft`` may still be running."""
    if os.name == "nt":  # where signal 0 would end the process
        return time.time() - draft.stat().st_mtime < LEFT_OVER
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True
