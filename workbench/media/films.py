"""Moving pictures as files for slides and pages: a film (H.264), a GIF, or one picture of them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np
from PIL import Image

from safefiles import drafts
from safefiles import video as h264

SUFFIXES = (".mp4", ".gif", ".png")
#: Times in a GIF are whole hundredths of a second, and browsers slow down what is shown for less than two.
SHORTEST = 2
#: So many frames make the palette of a GIF.
LOOKED_AT = 64


def write(path: str | os.PathLike, frames: Iterable[np.ndarray], fps: float, still: int = 0) -> Path:
    """Writes frames as the suffix of ``path`` says, atomically; returns the path.

    Args:
        path: .mp4 (H.264, yuv420p; an odd side is continued by one row or column), .gif (endless, at most 50 frames
            a second) or .png (one frame).
        frames: uint8 [T,H,W,3] RGB, or one [H,W,3] after the other, of one size.
        fps: above 0, frames a second.
        still: the frame that .png shows, or the last one before it.

    Raises:
        ValueError: another suffix, no frames, or fps <= 0.
        OSError: the file can't be written.
    """
    path = Path(path)
    suffix = check(path, SUFFIXES)
    if not 0 < fps < float("inf"):
        raise ValueError(f"{path}: fps must be positive, got {fps}")
    if suffix == ".mp4":
        h264.write(path, map(_even, frames), fps)
        return path
    pictures = iter(frames)
    first = list(islice(pictures, LOOKED_AT if suffix == ".gif" else still + 1))
    if not first:
        raise ValueError(f"{path}: there are no frames to write")
    with drafts.replacing(path) as draft:
        if suffix == ".png":
            draft.write_bytes(png(first[-1]))
        else:
            # One palette for all, so that what stands still keeps its colour.
            palette = Image.fromarray(np.concatenate(first[::8])).quantize(256)
            shown = _timed(chain(first, pictures), fps, palette)
            next(shown).save(draft, save_all=True, append_images=shown, loop=0)
    return path


def png(frame: np.ndarray) -> bytes:
    """uint8 [H,W,3] RGB as the bytes of a PNG."""
    written = io.BytesIO()
    Image.fromarray(frame).save(written, "png")
    return written.getvalue()


def check(path: Path, suffixes: Iterable[str]) -> str:
    """The suffix of ``path`` in small letters; ValueError naming the valid ones where it is none of them."""
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{path} must end in one of {', '.join(suffixes)}")
    return path.suffix.lower()


def _even(frame: np.ndarray) -> np.ndarray:
    return np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), mode="edge")


def _timed(frames: Iterable[np.ndarray], fps: float, palette: Image.Image) -> Iterator[Image.Image]:
    """Frames with their times in hundredths of a second, rounded so that the whole keeps its length; those that no
    browser would show in time are left out."""
    begun, pending, count = 0, None, 0
    for count, frame in enumerate(frames, 1):
        now = round(100 * (count - 1) / fps)
        if pending is not None and now - begun < SHORTEST:
            continue
        if pending is not None:
            yield _lasting(pending, now - begun)
        begun, pending = now, Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
    if pending is not None:
        yield _lasting(pending, max(round(100 * count / fps) - begun, SHORTEST))


def _lasting(picture: Image.Image, hundredths: int) -> Image.Image:
    picture.info["duration"] = 10 * hundredths
    return picture
