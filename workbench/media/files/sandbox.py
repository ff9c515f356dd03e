"""A child process in which untrusted work may hang or die without taking the caller along."""

from __future__ import annotations

import atexit
import importlib
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import LifoQueue
from typing import Any, Self

import numpy as np

from safefiles.processes import counts
from safefiles.workers import follow

_SERVE = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from workbench.media.files.sandbox import serve
serve(int(sys.argv[1]), int(sys.argv[3]))
"""

#: Seconds that a busy machine may take to start the child and to import what a task needs.
START = 60.0


class SandboxError(RuntimeError):
    """The child hung, died or raised; ``lost`` tells the first two (another try may end otherwise) from the third."""

    def __init__(self, reason: str, lost: bool = False) -> None:
        super().__init__(reason)
        self.lost = lost


class Child:
    """One child process, which ends with its owner at the latest. A context manager. POSIX only, for it talks through
    an inherited socket."""

    _process: subprocess.Popen | None = None
    _connection: Connection | socket.socket

    def _launch(self, command: list[str], arguments: list[str], environment: dict[str, str]) -> socket.socket:
        """Starts ``command`` with the socket's number and ``arguments`` behind it; returns this side of the socket."""
        ours, theirs = socket.socketpair()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the child lives)
        self._process = subprocess.Popen(
            [*command, str(theirs.fileno()), *arguments],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            env=environment,
        )
        theirs.close()
        self._owner = os.getpid()
        atexit.register(self.close)
        return ours

    def _cause_of_death(self) -> str:
        process = self._process
        assert process is not None  # something has died
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        self._stop()
        if process.returncode < 0 and process.returncode != -signal.SIGKILL:
            return signal.Signals(-process.returncode).name
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").split("\n")
        last_line = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"exit code {process.returncode}" + (f": {last_line[:200]}" if last_line else "")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            # Not even a kill ends a process that waits for a disk that went away: it must not hold up this one.
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            self._connection.close()
            atexit.unregister(self.close)

    def close(self) -> None:
        """Ends the child."""
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Sandbox(Child):
    """One child process that is started when first needed and again after it died or was given up on.

    It is started by the interpreter's command line, not forked, so it also works inside the daemonic workers of a
    data loader and inherits neither locks nor CUDA. Calls from several threads take turns.
    """

    _connection: Connection

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def call(self, task: str, *arguments: Any, timeout: float) -> Any:
        """The result of ``task``, "module:function", with JSON-able ``arguments``, run in the child.

        A task returns something JSON-able or an ndarray. If it is a generator function, each ``yield`` is a sign of
        life and its return value is the result. SandboxError if, once the task has begun, ``timeout`` seconds pass
        without result or sign of life (the child is killed), if the child dies, or if the task raises.
        """
        with self._lock:
            if self._process is None or self._owner != os.getpid():
                self._start()
            try:
                self._connection.send_bytes(json.dumps([task, arguments]).encode())
                return self._result(timeout)
            except (EOFError, OSError):
                raise SandboxError(f"the process that read it died ({self._cause_of_death()})", lost=True) from None
            except BaseException as error:
                if not isinstance(error, SandboxError) or error.lost:
                    self._stop()
                raise

    def _result(self, timeout: float) -> Any:
        patience = max(timeout, START)
        while self._connection.poll(patience):
            patience = timeout
            kind, value = json.loads(self._connection.recv_bytes())
            if kind == "error":
                raise SandboxError(value)
            if kind == "array":
                data = self._connection.recv_bytes()
                return np.frombuffer(data, value["dtype"]).reshape(value["shape"])
            if kind == "value":
                return value
        raise SandboxError(f"no progress for {patience:g} seconds, given up", lost=True)

    def _start(self) -> None:
        # What the caller can import, the child can.
        search_path = [str(Path(__file__).resolve().parents[3]), *(entry or os.getcwd() for entry in sys.path)]
        arguments = [json.dumps(search_path), str(os.getpid())]
        ours = self._launch([sys.executable, "-c", _SERVE], arguments, {**os.environ, **counts(1)})
        self._connection = Connection(ours.detach())

    def close(self) -> None:
        """Ends the child; the next call starts another."""
        with self._lock:
            self._stop()


class Sandboxes:
    """Up to ``size`` sandboxes, so that calls from several threads run side by side; each is started when needed."""

    def __init__(self, size: int) -> None:
        # Last in, first out: calls that follow each other need one child only.
        self._free: LifoQueue[Sandbox] = LifoQueue()
        for _ in range(size):
            self._free.put(Sandbox())

    def call(self, task: str, *arguments: Any, timeout: float) -> Any:
        """As ``Sandbox.call``; waits for a sandbox that is free."""
        sandbox = self._free.get()
        try:
            return sandbox.call(task, *arguments, timeout=timeout)
        finally:
            self._free.put(sandbox)


def serve(handle: int, parent: int) -> None:
    """The child's side: answers calls from the socket ``handle`` until the caller, the process ``parent``, goes away,
    which it also notices while a decoder hangs."""
    follow(parent)
    connection = Connection(handle)
    with suppress(EOFError, ConnectionError):
        while True:
            task, arguments = json.loads(connection.recv_bytes())
            try:
                _reply(connection, _run(connection, task, arguments))
            except ConnectionError:
                raise
            except Exception as error:
                _send(connection, "error", f"{type(error).__name__}: {error}")


def _run(connection: Connection, task: str, arguments: list) -> Any:
    module, _, name = task.partition(":")
    function = getattr(importlib.import_module(module), name)
    _send(connection, "alive", None)
    result = function(*arguments)
    if not inspect.isgenerator(result):
        return result
    while True:
        try:
            next(result)
        except StopIteration as end:
            return end.value
        _send(connection, "alive", None)


def _reply(connection: Connection, result: Any) -> None:
    if not isinstance(result, np.ndarray):
        return _send(connection, "value", result)
    _send(connection, "array", {"dtype": result.dtype.str, "shape": result.shape})
    connection.send_bytes(np.ascontiguousarray(result).reshape(-1).view(np.uint8).data)


def _send(connection: Connection, kind: str, value: Any) -> None:
    connection.send_bytes(json.dumps([kind, value]).encode())
