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


def probe(path: str | os.PathLike) -> VideoInfo:
    """The verified facts about a video; the first call decodes all of it.

    Args:
        path: the file.

    Returns:
        Its size, rate, number of frames and the like.

    Raises:
        FileNotFoundError: no such file.
        VideoError: the file is no whole video, see ``ingest``.
    """
    return ingest(path)


def read(path: str | os.PathLike | VideoInfo, frame_numbers: Sequence[int] | np.ndarray | None = None) -> Clip:
    """Exactly the frames that are asked for, decoded in this process.

    Args:
        path: the file, which is verified first (see ``ingest``), or the VideoInfo that ``ingest`` returned.
        frame_numbers: int [T], counted from 0, in the given order, repeats allowed; None: all frames.

    Returns:
        A Clip whose frames are uint8 [T,H,W,3] RGB and upright, whatever the file's rotation.

    Raises:
        FileNotFoundError: no such file.
        VideoError: a number out of range, or the file is no whole video, see ``ingest``.
    """
    info = path if isinstance(path, VideoInfo) else ingest(path)
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
