"""What a process that works for another one does first."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time


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
