"""Limits on what a kernel may take: followed from outside, ended when it goes beyond."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

import psutil


class Watch:
    """Follows processes and those that they start while the context lasts: ``peak`` is their resident memory in bytes;
    ``exceeded`` says in words which limit they were ended for. minutes of wall time, from the first process on, and
    memory in GiB; None is no limit."""

    def __init__(self, minutes: float | None = None, memory: float | None = None) -> None:
        self.minutes, self.memory = minutes, memory
        self.peak, self.exceeded = 0, ""
        self._pids: list[int] = []
        self._start = 0.0
        self._over = threading.Event()

    def follow(self, pid: int) -> None:
        """Counts a process in, from now on."""
        self._start = time.monotonic() if not self._pids else self._start
        self._pids.append(pid)

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(1):
            family = [process for pid in self._pids for process in _family(pid)]
            used = sum(_memory(process) for process in family)
            self.peak = max(self.peak, used)
            if self.memory is not None and used > self.memory * 2**30:
                self.exceeded = f"{used / 2**30:.2f} GiB, more than the limit of {self.memory:g}"
            elif self._pids and self.minutes is not None and time.monotonic() - self._start > 60 * self.minutes:
                self.exceeded = f"more than the limit of {self.minutes:g} minutes"
            if self.exceeded:
                for process in family:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
                return


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _memory(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0
