"""What happens when in an untrimmed video, as one field of a table: ``11.9 21.2 drink from cup; 0 12.6 sit``."""

from __future__ import annotations

import math


def parse(text: str) -> list[tuple[str, float, float]]:
    """(label, start, end) in seconds of each action in ``text``: "start end label", separated by semicolons.

    A moment is a number of seconds, with a point or a comma, or as players show it, 1:05.5 or 0:01:05. ValueError
    naming the piece that is none, or that does not end after it starts.
    """
    actions = []
    for piece in filter(None, map(str.strip, text.split(";"))):
        start, end, label = (*piece.split(maxsplit=2), "", "", "")[:3]
        try:
            first, last = _seconds(start), _seconds(end)
        except ValueError:
            first = last = math.nan
        if not (label and 0 <= first < last < math.inf):
            raise ValueError(f"{piece!r} is not 'start end label' with 0 <= start < end in seconds")
        actions.append((label, first, last))
    return actions


def _seconds(text: str) -> float:
    """ValueError if it is no moment."""
    *before, last = text.replace(",", ".").split(":")
    if not before:
        return float(last)
    parts = [int(part) for part in before]
    if len(parts) > 2 or any(part < 0 for part in parts) or not 0 <= float(last) < 60:
        raise ValueError
    return sum(part * 60**power for power, part in enumerate(reversed(parts), 1)) + float(last)


def join(rows: list[tuple[str, float, float]]) -> str:
    """The inverse of ``parse``."""
    return "; ".join(f"{start} {end} {label}" for label, start, end in rows)
