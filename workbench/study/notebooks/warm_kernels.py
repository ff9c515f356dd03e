"""Notebook kernels that start in a fraction of a second: forked from a process that has imported what they need.

A kernel of its own imports torch and the rest for 5 to 10 seconds, longer than some rows of a table train. The warm
process imports once and then only forks: it never computes, so that it has no threads that a fork would lose. When the
process that asked for kernels ends, however it ends, the warm process and its kernels end too.
"""

from __future__ import annotations

import ast
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from safefiles.processes import counts
from safefiles.reading import Unreadable
from workbench.study import files

KERNEL = "ipykernel.kernelapp"
#: Imported when they are first needed: by ``fit``, and by plotly for its first figure.
LATE = (
    "lightning.fabric",
    "safetensors.torch",
    "mlflow",
    "sklearn",
    "plotly.graph_objects",
    "nbformat",
    "kaleido",
)
PR_SET_PDEATHSIG = 1
CAN_FORK = hasattr(os, "fork") and sys.platform == "linux"


def imports_of(*notebooks: str | Path) -> tuple[str, ...]:
    """The modules that the notebooks' cells import, and those that they need later where they use this package."""
    modules = {KERNEL: None}
    for cell in chain.from_iterable(map(_cells, notebooks)):
        try:
            tree = ast.parse(cell)
        except SyntaxError:  # a cell magic: what it imports, the kernel imports
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules |= dict.fromkeys(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules |= dict.fromkeys([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
    return (*modules, *LATE) if any(name.partition(".")[0] == "workbench" for name in modules) else tuple(modules)


def _cells(notebook: str | Path) -> list[str]:
    """Its code; nothing of one that can't be read, which is said when it is executed."""
    try:
        return files.code_cells(notebook)
    except (OSError, Unreadable):
        return []


def kept(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variable by which Dask makes its workers give freed memory back at once: a training
    step would wait for the same pages to come back again and again, a third of its time and more."""
    return {name: value for name, value in environment.items() if name != "MALLOC_TRIM_THRESHOLD_"}


class Warm:
    """The process that kernels are forked from, seen from the process that asks for them."""

    def __init__(self, modules: tuple[str, ...], threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workbench.study.notebooks.warm_kernels", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**kept(os.environ), **counts(threads)},
        )
        self._turn = threading.Lock()

    def ask(self, **request: Any) -> Any:
        """One request and its answer; RuntimeError where the process has died."""
        with self._turn:
            assert self._process.stdin is not None and self._process.stdout is not None  # pipes
            try:
                self._process.stdin.write(json.dumps(request) + "\n")
                self._process.stdin.flush()
                answer = self._process.stdout.readline()
            except (OSError, ValueError):  # ValueError: closed from this side
                answer = ""
        if not answer:
            raise RuntimeError("the process that kernels start from has died")
        return json.loads(answer)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """Ends the process and waits for that."""
        assert self._process.stdin is not None  # a pipe
        self._process.stdin.close()
        self._process.wait()


_starting = threading.Lock()
#: Set while an interrupted ``pool`` ends: a cell whose kernel ended with it must not be tried again in a new one.
_ending = threading.Event()


@cache
def _kept() -> dict[tuple[tuple[str, ...], int], Warm]:
    return {}


def warm(modules: tuple[str, ...], threads: int) -> Warm:
    """The warm process of this process for these modules, started where there is none; RuntimeError while an
    interrupted ``pool`` ends."""
    with _starting:
        if _ending.is_set():
            raise RuntimeError("no kernel is started: this process was interrupted")
        process = _kept().get((modules, threads))
        if process is None or not process.alive:
            _kept()[modules, threads] = process = Warm(modules, threads)
        return process


@contextmanager
def pool(size: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that each wait for a kernel. Where the context is left by an exception, such as an interruption, what has
    not begun is left out, and all warm processes of this process end, and with them their kernels."""
    executor = ThreadPoolExecutor(size)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        with _starting:
            _ending.set()
            for source in _kept().values():
                source.close()
            _kept().clear()
        try:
            executor.shutdown()
        finally:
            _ending.clear()
        raise
    executor.shutdown()


class Forked:
    """A forked kernel with the part of Popen that a provisioner uses."""

    stdin = stdout = stderr = None

    def __init__(self, source: Warm, command: list[str], env: dict[str, str], folder: str) -> None:
        self._source = source
        self.pid = source.ask(what="start", command=command, env=env, folder=folder)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, None while the kernel runs."""
        if self.returncode is None:
            try:
                self.returncode = self._source.ask(what="poll", pid=self.pid)
            except RuntimeError:
                self.returncode = -signal.SIGKILL
        return self.returncode

    def wait(self) -> int:
        """The exit status so far, without waiting: its parent waits."""
        return self.poll() or 0

    def send_signal(self, number: int) -> None:
        """Sends a signal if the kernel runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends the kernel at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Asks the kernel to end."""
        self.send_signal(signal.SIGTERM)


class Provisioner(LocalProvisioner):
    """Starts the kernel by forking where there is a warm process, and tells its process id."""

    source: Warm | None
    started: Callable[[int], None]

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """A kernel from the warm process, or a new one where there is none; returns how it is reached."""
        kwargs["env"] = kept(kwargs.get("env") or os.environ)
        if self.source is None:
            connection = await super().launch_kernel(cmd, **kwargs)
            assert self.pid is not None  # it was launched
            self.started(self.pid)
            return connection
        env = {name: value for name, value in kwargs["env"].items() if name != "JPY_PARENT_PID"}
        env.setdefault("WORKBENCH_PICTURES", "0")  # the gallery draws figures itself (see show.session)
        forked = Forked(self.source, cmd, env, str(kwargs.get("cwd") or Path.cwd()))
        self.process = forked  # type: ignore[assignment]  # has what is asked of a Popen
        self.pid, self.pgid = forked.pid, forked.pid
        self.started(forked.pid)
        return self.connection_info


def manager(source: Warm | None, started: Callable[[int], None] = lambda pid: None) -> type[AsyncKernelManager]:
    """A kernel manager class, for nbclient, whose kernels are forked from ``source`` (None: start by themselves);
    ``started`` is told the process id of each."""

    class Manager(AsyncKernelManager):
        async def _async_pre_start_kernel(self, **options: Any) -> Any:
            provisioner = Provisioner(parent=self, kernel_id=self.kernel_id, kernel_spec=self.kernel_spec)
            provisioner.source, provisioner.started, self.provisioner = source, started, provisioner
            return await super()._async_pre_start_kernel(**options)

    return Manager


def serve(modules: list[str]) -> None:
    """The warm process: imports ``modules``, then answers requests, one JSON line each, until its input ends."""
    for name in modules:
        try:
            import_module(name)
        except ImportError:  # a name in a module, or an extra that isn't installed
            continue
    children: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if request["what"] == "start":
            parent, child = os.getpid(), os.fork()
            if child == 0:
                _end_with(parent)
                _become_kernel(request)
            children.add(child)
            answer: int | None = child
        else:
            answer = _ended(request["pid"], children)
        print(json.dumps(answer), flush=True)
    for child in children:
        _kill(child)


def _ended(child: int, children: set[int]) -> int | None:
    """How the child ended; None while it runs."""
    if child not in children:
        return 0
    ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        return None
    children.discard(child)
    # What the kernel had started itself must not outlive it.
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(status)


def _kill(child: int) -> None:
    """The child, and its group where it has come so far as to lead one."""
    for kill in (os.kill, os.killpg):
        with suppress(ProcessLookupError):
            kill(child, signal.SIGKILL)


def _end_with(parent: int) -> None:
    """Ends this process when ``parent``, its own, has ended, at once and however far it has come (on Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _become_kernel(request: dict[str, Any]) -> None:
    """Turns this fork into the kernel that ``request`` describes; does not return."""
    status = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        sys.stdin = open(os.devnull)  # noqa: SIM115
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["folder"])
        sys.path[0] = ""
        from ipykernel.kernelapp import IPKernelApp

        sys.argv = ["kernel", *request["command"][request["command"].index("-f") :]]
        IPKernelApp.launch_instance(sys.argv[1:])
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1:])
