"""Writing H.264 that every reader, browser and player can seek in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from safefiles.drafts import replacing

#: Without mbtree, for x264's AVX-512 code for it gives other bytes from run to run.
_SETTINGS = {"preset": "veryfast", "x264-params": "mbtree=0"}


def write(path: str | os.PathLike, frames: np.ndarray | Iterable[np.ndarray], fps: float, crf: int = 18) -> None:
    """Writes ``frames`` (uint8 [T,H,W,3] RGB, or one [H,W,3] after the other) as H.264, yuv420p, closed GOP.

    Atomic: ``path`` is complete or untouched. One encoder thread, so that equal frames give equal files. ``crf`` is
    x264's quality, 0 (lossless) to 51. ValueError if there is no frame, a side is odd (yuv420p stores colour for pairs
    of pixels; nothing is padded or cut in silence), or sizes differ; OSError if the file can't be written.
    """
    path = Path(path)
    if not 0 < fps < float("inf"):
        raise ValueError(f"{path}: fps must be positive, got {fps}")
    rest = iter(frames)
    first = next(rest, None)
    if first is None:
        raise ValueError(f"{path}: there are no frames to write")
    _check(path, first, np.shape(first))
    try:
        with replacing(path) as draft:
            _encode(draft, chain([first], rest), path, first.shape, Fraction(fps).limit_denominator(100_000), crf)
    except av.FFmpegError as error:
        raise OSError(f"{path}: cannot be written ({error.strerror})") from None


def _encode(draft: Path, frames: Iterable[np.ndarray], path: Path, shape: tuple, rate: Fraction, crf: int) -> None:
    quicktime = path.suffix.lower() in (".mp4", ".m4v", ".mov")
    # faststart puts the index in front, so that browsers start before the end has arrived.
    with av.open(str(draft), "w", options={"movflags": "+faststart"} if quicktime else {}) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), **_SETTINGS})
        stream.height, stream.width, stream.pix_fmt = shape[0], shape[1], "yuv420p"
        stream.codec_context.thread_count = 1
        # Seeking costs at most half this many frames on average.
        stream.codec_context.gop_size = 48
        for frame in frames:
            _check(path, frame, shape)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def _check(path: Path, frame: np.ndarray, shape: tuple) -> None:
    if getattr(frame, "dtype", None) != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(
            f"{path}: a frame must be uint8 [H,W,3], got {getattr(frame, 'dtype', type(frame))} {np.shape(frame)}"
        )
    if frame.shape != shape:
        raise ValueError(f"{path}: all frames must have the size of the first, {shape[:2]}, got {frame.shape[:2]}")
    if frame.shape[0] % 2 or frame.shape[1] % 2:
        raise ValueError(f"{path}: H.264 in yuv420p needs even sides, got {frame.shape[1]} x {frame.shape[0]}")
