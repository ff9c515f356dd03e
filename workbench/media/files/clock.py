"""When pictures are shown, in seconds on a player's clock, which stands at 0 where a file's first stream begins."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np

#: Seconds by which a moment may miss another and still be the same: containers round times, and so do tables.
SAME = 1e-6


#: Rates that cameras have, as fractions: of times that are rounded, the mean rate is but nearly one of them.
USUAL = (*(Fraction(1000 * n, 1001) for n in (24, 30, 60, 120)), *map(Fraction, (24, 25, 30, 50, 60, 120)))


def tick(stream: av.stream.Stream) -> Fraction:
    """Seconds that a time stamp of ``stream`` counts."""
    assert stream.time_base is not None  # every stream of a file has one
    return stream.time_base


def origin(container: av.container.InputContainer) -> Fraction:
    """The time stamp, in seconds, at which a player's clock stands at 0: the earliest of all streams, and never below
    0, for what lies before 0 is not shown."""
    rounded = Fraction(container.start_time or 0, av.time_base)
    starts = [stream.start_time * tick(stream) for stream in container.streams if stream.start_time is not None]
    # The container tells it in whole microseconds only.
    exact = [start for start in starts if abs(start - rounded) < 2 * SAME]
    return max(min(exact, default=rounded), Fraction(0))


def even_rate(times: Sequence[Fraction], tick: Fraction, rates: Sequence[Fraction | None]) -> Fraction | None:
    """The first of ``rates`` (frames a second), of usual ones, or else the mean one, at which ``times`` follow each
    other evenly, as far as a clock of steps of ``tick`` can tell; None if at none."""
    span = times[-1] - times[0]
    mean = (len(times) - 1) / span if span else None
    for rate in (*rates, *USUAL, mean):
        if rate and all(abs(time - times[0] - n / rate) <= tick for n, time in enumerate(times)):
            return rate
    return None


def frame_at(edges: np.ndarray, seconds: np.ndarray | float) -> np.ndarray:
    """int64: the frame that is shown at ``seconds``; the first before it begins, the last after it ends.

    edges float [T+1]: when each of T frames begins, and when the last one ends.
    """
    frame = np.searchsorted(edges[:-1], np.asarray(seconds, np.float64) + SAME, side="right") - 1
    return np.clip(frame, 0, len(edges) - 2).astype(np.int64)


def between(times: np.ndarray, start: float, end: float) -> np.ndarray:
    """bool [T]: which of ``times`` (seconds) lie from ``start`` up to, not including, ``end``."""
    return (times >= start - SAME) & (times < end - SAME)
