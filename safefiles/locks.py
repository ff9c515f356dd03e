"""One process at a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(lock: str | os.PathLike, what: str = "") -> Iterator[bool]:
    """A block that one process at a time is in, by the file ``lock``; gives whether it had to wait. The system ends the
    lock when its process dies. ``what`` is being made meanwhile is said where it is waited for. OSError where the
    folder may not be written to."""
    from filelock import FileLock, Timeout

    Path(lock).parent.mkdir(parents=True, exist_ok=True)
    held, waited = FileLock(lock), False
    try:
        held.acquire(timeout=0)
    except Timeout:
        waited = True
        if what:
            print(f"{what} is being made by another process: waiting for it", file=sys.stderr, flush=True)
        held.acquire(poll_interval=0.2 if what else 0.01)
    try:
        yield waited
    finally:
        held.release()
