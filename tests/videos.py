"""Videos that tell which frame they show, written in many ways, good and bad."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def numbered(count: int, height: int = 64, width: int = 96) -> np.ndarray:
    """uint8 [count,H,W,3]: eight stripes are the bits of the frame number, above a square that moves."""
    frames = np.random.default_rng(0).integers(0, 60, (1, height, width, 3), np.uint8).repeat(count, axis=0)
    for number, frame in enumerate(frames):
        for bit, stripe in enumerate(np.array_split(frame[: height // 2], 8, axis=1)):
            stripe[:] = 230 if number >> bit & 1 else 20
        x = number * 2 % (width - 16)
        frame[-24:-8, x : x + 16] = (200, 40, 90)
    return frames


def numbers(frames: np.ndarray) -> list[int]:
    """The frame numbers that ``frames`` of ``numbered`` show."""
    top = frames[:, 4 : frames.shape[1] // 2 - 4]
    stripes = [stripe[:, :, 3:-3].mean(axis=(1, 2, 3)) > 125 for stripe in np.array_split(top, 8, axis=2)]
    return sum(stripe.astype(int) << bit for bit, stripe in enumerate(stripes)).tolist()


def encode(
    path: Path,
    frames: np.ndarray,
    codec: str = "libx264",
    rotation: int | None = None,
    milliseconds: list[int] | None = None,
    b_frames: int | None = None,
    gop: int | None = None,
    container: dict | None = None,
    **options: str,
) -> Path:
    """Writes ``frames`` at 25 per second, or at the given times, and returns ``path``."""
    if codec == "libx264":  # mbtree's AVX-512 code gives other bytes from run to run
        options["x264-params"] = ":".join(["mbtree=0", *filter(None, [options.get("x264-params")])])
    with av.open(str(path), "w", options=container or {}) as output:
        stream = output.add_stream(codec, rate=25, options={"threads": "1", **options})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if b_frames is not None:
            stream.codec_context.max_b_frames = b_frames
        if gop is not None:
            stream.codec_context.gop_size = gop
        if milliseconds is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            if milliseconds is not None:
                picture.pts, picture.time_base = milliseconds[index], Fraction(1, 1000)
            output.mux(stream.encode(picture))
        output.mux(stream.encode())
    return path


def open_gop(path: Path, frames: np.ndarray) -> Path:
    """H.264 in which pictures shown before a keyframe are stored after it: decord errs on random access."""
    return encode(path, frames, **{"x264-params": "keyint=12:min-keyint=12:scenecut=0:open-gop=1:bframes=3:b-adapt=0"})


def sound(path: Path) -> Path:
    """A second of silence, and no picture."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def cut(source: Path, target: Path, share: float) -> Path:
    """The first ``share`` of a file's bytes."""
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target
