"""The folder in which a command of the campaign runs: in forks of this process, on disks that are full or sealed."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.campaign_commands import Command

#: Longer than any command takes.
LONG = 300.0
PR_SET_CHILD_SUBREAPER = 36


class Fork:
    """A command that runs in ``place``, in a fork of this process; files may grow up to ``largest`` bytes."""

    def __init__(self, command: Command, place: Path, said: Path, largest: int | None = None) -> None:
        self._command, self._place, self._said, self._largest = command, place, said, largest
        self.code: int | None = None
        place.mkdir(parents=True, exist_ok=True)
        self.process = os.fork()
        if not self.process:
            self._become()

    @property
    def text(self) -> str:
        """What it has said."""
        return self._said.read_text(errors="replace") if self._said.exists() else ""

    def wait(self, seconds: float) -> bool:
        """Whether it ended within so many."""
        end = time.monotonic() + seconds
        while self.code is None:
            ended, status = os.waitpid(self.process, os.WNOHANG)
            if ended:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                return False
            else:
                time.sleep(0.002)
        return True

    def kill(self, group: bool) -> None:
        """With its children, or alone."""
        with suppress(ProcessLookupError):  # it leads no group yet
            (os.killpg if group else os.kill)(self.process, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)

    def _become(self) -> None:
        code = 99
        try:
            os.setsid()
            out = os.open(self._said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(out, stream)
            os.chdir(self._place)
            warnings.simplefilter("default")
            os.environ["WORKBENCH_CACHE"] = str(self._place / "records")
            if not self._command.store:
                sys.modules["mlflow"] = None
            if self._largest is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (self._largest, self._largest))
            start_kernels_from_here()
            code = self._command.run(self._place)
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


class Kernels:
    """The process that kernels are forked from, forked from this one, which has imported everything: what the
    workbench uses of Popen."""

    def __init__(self) -> None:
        from workbench.study.notebooks import warm_kernels

        (requests, ask), (hear, answers) = os.pipe(), os.pipe()
        self._pid, self._code = os.fork(), None
        if not self._pid:
            os.close(ask), os.close(hear)
            sys.stdin, sys.stdout = os.fdopen(requests), os.fdopen(answers, "w")
            try:
                warm_kernels.serve([])
            finally:
                os._exit(0)
        os.close(requests), os.close(answers)
        self.stdin, self.stdout = os.fdopen(ask, "w"), os.fdopen(hear)

    def poll(self) -> int | None:
        if self._code is None:
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if ended else None
        return self._code

    def wait(self) -> int:
        while self.poll() is None:
            time.sleep(0.01)
        return self._code


def start_kernels_from_here() -> None:
    """The first process for kernels that a command asks for need not import anything."""
    from workbench.study.notebooks import warm_kernels

    ready, whole = [Kernels()], warm_kernels.Warm

    def warm(modules: tuple[str, ...], threads: int) -> warm_kernels.Warm:
        if not ready:
            return whole(modules, threads)
        made = whole.__new__(whole)
        made._process, made._turn = ready.pop(), threading.Lock()
        return made

    warm_kernels.Warm = warm


def adopt() -> None:
    """Processes whose parent has died become children of this one, whatever group they are in (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def left(seconds: float = 60.0) -> list[str]:
    """What still runs after so long of what commands had started; it is ended then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.02)
        except ChildProcessError:
            return []
    words = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((path / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
                words.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode()[-200:])
                os.kill(int(path.name), signal.SIGKILL)
    return words


def can_mount() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0 and not os.environ.get("NO_MOUNT")


def pages(folder: Path) -> int:
    """Pages of memory, of 4 kB each, that a disk in memory with these files and folders has."""
    inside = list(folder.rglob("*"))
    return 1 + sum(1 + (-(-path.stat().st_size // 4096) if path.is_file() else 0) for path in inside)


@contextmanager
def small_disk(folder: Path, room: int) -> Iterator[None]:
    """A disk of so many ``pages`` at ``folder``, with the files that are there; what is on it at the end stays."""
    aside = folder.with_name(f"{folder.name}-aside")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, aside)
    mount("-t", "tmpfs", "-o", f"size={4 * room}k", "tmpfs", folder)
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield
        shutil.rmtree(aside)
        shutil.copytree(folder, aside)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    shutil.copytree(aside, folder, dirs_exist_ok=True)
    shutil.rmtree(aside)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    mount("--bind", folder, folder)
    try:
        mount("-o", "remount,bind,ro", folder)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True)
