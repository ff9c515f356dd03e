"""What happens when in an untrimmed video, as one field of a table: ``11.9 21.2 drink from cup; 0 12.6 sit``."""

from __future__ import annotations

import math


def parse(text: str) -> list[tuple[str, float, float]]:
    """(label, start, end) in seconds of each action in ``text``: "start end label", separated by semicolons.

    ValueError naming the piece that is none, or that does not end after it starts.
    """
    found = []
    for piece in filter(None, map(str.strip, text.split(";"))):
        start, end, label = (*piece.split(maxsplit=2), "", "", "")[:3]
        try:
            first, last = float(start), float(end)
        except ValueError:
            first = last = math.nan
        if not (label and 0 <= first < last < math.inf):
            raise ValueError(f"{piece!r} is not 'start end label' with 0 <= start < end in seconds")
        found.append((label, first, last))
    return found


def join(rows: list[tuple[str, float, float]]) -> str:
    """The inverse of ``parse``."""
    return "; ".join(f"{start} {end} {label}" for label, start, end in rows)
