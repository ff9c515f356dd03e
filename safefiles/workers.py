"""Processes that work for another one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager


@contextmanager
def pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """``count`` processes, started at once and anew, that ``follow`` this one. Ctrl-C is this process's alone, from
    their first moment on."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, follow, (os.getpid(),)) as executor:
        with _unheard():
            for _ in range(count):  # a task starts one, until all are there
                executor.submit(int)
        yield executor


def follow(parent: int) -> None:
    """Ends this process within a second after the process ``parent``, its own, has ended, however it ended and whatever
    goes on here; and leaves Ctrl-C to it, which both get."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    if (started_by := multiprocessing.parent_process()) is not None:
        started_by.join()
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


@contextmanager
def _unheard() -> Iterator[None]:
    """Processes that are started within ignore Ctrl-C; so does this one meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
