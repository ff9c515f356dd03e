"""The other side of ``pose_worker``: starts it in its environment, feeds it, and survives its end."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from workbench.media.estimation import pose_worker
from workbench.media.estimation.pose_worker import LANDMARKS, receive, send
from workbench.media.files.sandbox import Child

#: Names the Python of the pose environment where it is not the one that `make pose-env` makes.
VARIABLE = "WORKBENCH_POSE_PYTHON"
MADE = Path(".venv-pose/bin/python")

#: Seconds that a busy machine may take to import mediapipe and load its model.
START = 120.0


class PoseError(RuntimeError):
    """The process that finds poses hung or died."""


class PoseProcess(Child):
    """One process of the pose environment, started when first needed and again after it was lost.

    python is the interpreter that has mediapipe (default: $WORKBENCH_POSE_PYTHON, else .venv-pose of this folder or of
    the project); model a ``.task`` file, or None for the model inside mediapipe; ``timeout`` how many seconds one frame
    may take. FileNotFoundError, one sentence, if either file is missing.
    """

    _connection: socket.socket

    def __init__(
        self, python: str | os.PathLike | None = None, model: str | os.PathLike | None = None, timeout: float = 30.0
    ) -> None:
        self.python, self.timeout = find_python(python), timeout
        self.model = None if model is None else Path(model)
        if self.model is not None and not self.model.is_file():
            raise FileNotFoundError(f"there is no pose model at {self.model}")
        self._fresh = True

    def landmarks(self, frames: Iterable[np.ndarray], count: int, size: tuple[int, int], fps: float) -> np.ndarray:
        """float32 [count,33,6] of ``count`` frames uint8 [H,W,3] RGB with ``size`` = (H, W): see ``pose_worker``.

        NaN where no person is found. PoseError if the process dies or hangs; it is gone then, and the next call starts
        another.
        """
        rows = np.full((count, LANDMARKS, 6), np.nan, np.float32)
        try:
            if self._process is None:
                self._start()
            self._open(count, size, fps)
            for number, frame in enumerate(frames):
                send(self._connection, np.ascontiguousarray(frame).tobytes())
                if reply := receive(self._connection):
                    rows[number] = np.frombuffer(reply, "<f4").reshape(LANDMARKS, 6)
                self._connection.settimeout(self.timeout)
        except TimeoutError:
            self.close()
            raise PoseError(f"no pose after {self.timeout:g} seconds, given up") from None
        except (EOFError, OSError):
            raise PoseError(f"the process that finds poses died ({self._cause_of_death()})") from None
        except BaseException:
            # In the middle of a video the two sides no longer agree about what comes next.
            self.close()
            raise
        return rows

    def _open(self, count: int, size: tuple[int, int], fps: float) -> None:
        self._connection.settimeout(max(self.timeout, START) if self._fresh else self.timeout)
        self._fresh = False
        video = {"frames": count, "height": size[0], "width": size[1], "fps": fps}
        send(self._connection, json.dumps(video).encode())
        reply = json.loads(receive(self._connection))
        if reply != {"landmarks": LANDMARKS}:
            raise ValueError(f"{self.python} speaks of {reply}, expected {LANDMARKS} landmarks")

    def _start(self) -> None:
        # PYTHONPATH would bring this environment's packages into the other one.
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        model = [] if self.model is None else [str(self.model)]
        self._connection = self._launch([str(self.python), pose_worker.__file__], model, clean)
        self._fresh = True


def find_python(python: str | os.PathLike | None = None) -> Path:
    """The interpreter of the pose environment; FileNotFoundError, one sentence, that says how to make one."""
    named = python or os.environ.get(VARIABLE)
    candidates = [Path(named)] if named else [MADE, Path(__file__).parents[3] / MADE]
    for path in candidates:
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"poses are found by MediaPipe in an environment of its own, and there is no {candidates[0]}; "
        f"make it with `make pose-env`, or name its Python in {VARIABLE}"
    )
