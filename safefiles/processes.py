"""Processes and threads: how many, and how their threads wait, decided here for every command, kernel and worker.

Where work divides (rows of a sweep, clips, notebooks) one process a core computes with one thread; what doesn't divide,
a training, has the threads of one process. Torch, numpy and OpenCV read the environment when they are loaded: what is
set here counts for a process that loads them later, and for those that it starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

#: OpenMP threads that wait for each other sleep: GNU's name for it, then Intel's and LLVM's. Left alone they spin, and
#: two spinning threads beside other busy processes keep each other from working (docs/bench.md).
WAITING = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def wait_quietly() -> None:
    """Lets the threads of this process, and of those it starts, sleep while they wait; what the user has set stays."""
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)


def counts(threads: int) -> dict[str, str]:
    """The variables by which a process that starts with them computes with so many threads."""
    return dict.fromkeys(COUNTS, str(threads))


@contextmanager
def starting(threads: int = 1) -> Iterator[None]:
    """Processes that are started within compute with so many threads each."""
    before = {name: os.environ.get(name) for name in COUNTS}
    os.environ.update(counts(threads))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})
