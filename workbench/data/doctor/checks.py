"""What a check is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from workbench.data.dataset import Dataset


@dataclass(frozen=True)
class Finding:
    """What is wrong, in a sentence's end; badness orders the findings of one check; clip is (part, position in it), or
    None where it is not about one clip."""

    text: str
    badness: float = 1.0
    clip: tuple[str, int] | None = None


#: What a check of a clip returns where nothing is wrong; None is "can't be said of this clip".
FINE = Finding("", 0.0)


def above(limit: float, value: float, text: str) -> Finding | None:
    """A finding, as bad as ``value``, where that is above ``limit``; None where it is unknown."""
    if not np.isfinite(value):
        return None
    return Finding(text, value) if value > limit else FINE


@dataclass(frozen=True)
class Note:
    """What is kept of a clip for the checks that compare clips."""

    clip: tuple[str, int]
    id: str
    fps: float
    frames: int
    glimpses: np.ndarray
    pixel_aspect: float


@dataclass(frozen=True)
class Survey:
    """What the checks of the whole data set see: its parts by name, and notes on the clips that were examined."""

    parts: dict[str, Dataset]
    notes: list[Note] = field(default_factory=list)

    def has(self, *names: str) -> bool:
        """Whether each of these parts is there and holds a clip."""
        return all(name in self.parts and len(self.parts[name]) for name in names)


@dataclass(frozen=True)
class Check:
    """name as the table shows it; meaning, what is checked and why it matters; severity "error" (training would be
    wrong) or "warning"; an error in at most the share ``tolerance`` of the clips that were measured is a warning.

    scope is "clip": function(case) -> Finding, FINE or None; or "set": function(survey) -> list of Finding, or None
    where it does not apply; or "notes": a "set" that compares the notes on clips. reads is the attribute of the Case
    that the function takes in its place, where that is not None; "" for the Case itself.
    """

    name: str
    meaning: str
    severity: str
    tolerance: float
    scope: str
    reads: str
    function: Callable


CHECKS: list[Check] = []


def check(
    name: str, meaning: str, severity: str = "error", tolerance: float = 0.0, scope: str = "clip", reads: str = ""
) -> Callable:
    """Registers the decorated function."""

    def register(function: Callable) -> Callable:
        CHECKS.append(Check(name, meaning, severity, tolerance, scope, reads, function))
        return function

    return register
