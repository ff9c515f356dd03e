"""Everything that is wrong with a table, told at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

#: So many of one kind are listed; of the others only the number is told.
LISTED = 20


class ManifestError(FileNotFoundError, ValueError):
    """A table that is no data set: what is wrong, kind by kind, with the rows."""

    def __str__(self) -> str:
        return str(self.args[0])


class Faults:
    """Collects what is wrong with the table at ``path``, to tell it all in one error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kinds: dict[str, list[str]] = {}

    def add(self, kind: str, cases: Iterable[str]) -> None:
        """``cases``, one text each, are wrong in the way that ``kind`` says; none: nothing happens."""
        self._kinds.setdefault(kind, []).extend(cases)

    def check(self) -> None:
        """ManifestError with the first cases and the number of each kind, if there is any."""
        kinds = {kind: cases for kind, cases in self._kinds.items() if cases}
        if not kinds:
            return
        total = sum(map(len, kinds.values()))
        lines = [f"{self._path} cannot be used, {total} fault(s):"]
        for kind, cases in kinds.items():
            more = f", and {len(cases) - LISTED} more" if len(cases) > LISTED else ""
            lines.append(f"  {kind} ({len(cases)}): {', '.join(cases[:LISTED])}{more}")
        raise ManifestError("\n".join(lines))


def of_row(value: str, row: int) -> str:
    """``value`` and where it stands: rows count from 1 after the header."""
    return f"{value!r} (row {row + 1})"
