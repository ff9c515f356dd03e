"""Video files as exact frames, and the ways papers sample and crop them. One facade; the parts are beside this file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from safefiles.video import write
from workbench.media.files.decoding import VideoError, VideoInfo, decode
from workbench.media.files.ingest import PartialVideo, ingest
from workbench.media.files.sandbox import Sandbox, SandboxError
from workbench.media.framing import crop, person_box, person_track, resize
from workbench.media.sampling import sample_strided, sample_uniform, windows
from workbench.types import Clip

__all__ = [
    "Decoder",
    "PartialVideo",
    "VideoError",
    "VideoInfo",
    "crop",
    "ingest",
    "person_box",
    "person_track",
    "probe",
    "read",
    "resize",
    "sample_strided",
    "sample_uniform",
    "windows",
    "write",
]


def probe(path: str | os.PathLike, cache_dir: str | os.PathLike | None = None) -> VideoInfo:
    """The verified facts about ``path``; the first call decodes all of it (see ``ingest``, also for what is raised)."""
    return ingest(path, cache_dir)


def read(
    path: str | os.PathLike | VideoInfo,
    frame_numbers: Sequence[int] | np.ndarray | None = None,
    cache_dir: str | os.PathLike | None = None,
) -> Clip:
    """Exactly the frames ``frame_numbers``, counted from 0, in the given order, repeats allowed; None: all of them.

    Frames are uint8 [T,H,W,3] RGB and upright, whatever the file's rotation. ``path`` is verified first (see
    ``ingest``, also for what is raised) unless it is the VideoInfo that ``ingest`` returned. Decodes in this process.
    VideoError if a number is out of range.
    """
    info = path if isinstance(path, VideoInfo) else ingest(path, cache_dir)
    numbers = np.arange(info.frames) if frame_numbers is None else np.asarray(frame_numbers, np.int64)
    return Clip(decode(info, numbers), numbers, info.fps, source=info.path, times=info.seconds(numbers))


class Decoder:
    """``read`` in a process of its own, for files that are not to be trusted even when verified. A context manager.

    ``timeout``: after that many seconds without result the process is killed. Hanging and dying decoders end in a
    VideoError that names the file; the next ``read`` starts a new process. Frames are copied between processes, which
    costs about a third of the speed.
    """

    def __init__(self, timeout: float = 30.0) -> None:
        self.timeout = timeout
        self._sandbox = Sandbox()

    def read(
        self, path: str | os.PathLike | VideoInfo, frame_numbers: Sequence[int] | np.ndarray | None = None
    ) -> Clip:
        """As ``video.read``."""
        info = path if isinstance(path, VideoInfo) else ingest(path)
        numbers = np.arange(info.frames) if frame_numbers is None else np.asarray(frame_numbers, np.int64)
        try:
            frames = self._sandbox.call(DECODE, asdict(info), numbers.tolist(), timeout=self.timeout)
        except SandboxError as error:
            raise VideoError(f"{info.path}: {error}") from None
        return Clip(frames, numbers, info.fps, source=info.path, times=info.seconds(numbers))

    def close(self) -> None:
        """Ends the process."""
        self._sandbox.close()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


#: What a Decoder runs in its process.
DECODE = "workbench.media.video:decode_fields"


def decode_fields(fields: dict, frame_numbers: list[int]) -> np.ndarray:
    """``decode`` with a VideoInfo that came as plain fields."""
    return decode(VideoInfo.from_fields(fields), np.asarray(frame_numbers))
