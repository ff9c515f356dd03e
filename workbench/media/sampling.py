"""Which frames of a video make a clip. Frame numbers count from 0."""

from __future__ import annotations

import numpy as np


def sample_uniform(total: int, count: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """int64 [count], ascending: one frame of each of ``count`` equal segments of ``total`` frames.

    The middle of each segment, or with ``rng`` a random place in it (the same for all segments, so that the rate stays
    even). Fewer frames than segments: frames repeat. ValueError if either number is below 1.
    """
    _positive(total=total, count=count)
    share = 0.5 if rng is None else rng.random()
    return ((np.arange(count) + share) * total / count).astype(np.int64)


def sample_strided(total: int, count: int, stride: int, start: int | np.random.Generator = 0) -> np.ndarray:
    """int64 [count]: every ``stride``-th frame from ``start``, continued from frame 0 where the video ends.

    The clips of VPN and the thesis: 64 frames at stride 2; with a Generator as ``start`` the start is drawn from the
    first half of the video (training). ValueError if a number is below 1 or ``start`` is not a frame.
    """
    _positive(total=total, count=count, stride=stride)
    if isinstance(start, np.random.Generator):
        start = int(start.integers(max(total // 2, 1)))
    if not 0 <= start < total:
        raise ValueError(f"start must be a frame number from 0 to {total - 1}, got {start}")
    return (start + stride * np.arange(count)) % total


def windows(total: int, count: int, stride: int) -> np.ndarray:
    """int64 [n, count]: the strided clips that follow each other over all of a video, for test time.

    Thesis section 4.6.1, "for all stack of 64 frames in a video": each clip starts where the one before ends; the last
    is moved back to end with the video; a video shorter than a clip gives one, wrapped round. ValueError as above.
    """
    _positive(total=total, count=count, stride=stride)
    span = count * stride
    last = max(total - (span - stride + 1), 0)
    starts = list(range(0, last, span)) + [last]
    return np.stack([sample_strided(total, count, stride, start) for start in starts])


def _positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
