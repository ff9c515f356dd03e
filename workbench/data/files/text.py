"""Numbers in text files, read all at once; what is wrong is told with the line where it stands."""

from __future__ import annotations

import re
from itertools import accumulate
from pathlib import Path

import numpy as np

from safefiles.reading import present

#: No file of coordinates in a public data set is larger; what is would not fit into memory as words.
LARGEST = 256 * 1024**2

#: No coordinate in metres, millimetres or pixels is as large.
ABSURD = 1e9

#: What a program made with Microsoft's compiler writes for a number that is none.
_MICROSOFT_NAN = re.compile(rb"[+-]?(1\.#(IND|QNAN|SNAN)\d*|nan\((ind|snan)\))", re.IGNORECASE)


class Damage(ValueError):
    """One sentence that names file and line."""


def load(path: str | Path) -> bytes:
    """All of the file; Damage if it is empty or absurdly large, Unreadable if it is none."""
    file = Path(path)
    present(file)
    size = file.stat().st_size
    if size == 0:
        raise Damage(f"{path} is empty")
    if size > LARGEST:
        raise Damage(f"{path} has {size / 1e6:.0f} MB, more than any file of its kind")
    return file.read_bytes()


class Tokens:
    """The words of a text file by position, whatever its lines are like."""

    def __init__(self, path: str | Path) -> None:
        self.path, self._data = path, load(path)
        self._words = self._data.split()
        if not self._words:
            raise Damage(f"{path} holds nothing but blanks")

    def __len__(self) -> int:
        return len(self._words)

    def word(self, position: int) -> str:
        """The word at a place; Damage behind the last one."""
        if position >= len(self):
            raise Damage(f"{self.path} ends on line {self._line(len(self) - 1)}, in the middle of a frame")
        return self._words[position].decode("ascii", "replace")

    def integer(self, position: int, least: int, most: int, name: str) -> int:
        """The whole number at ``position``; Damage if it is none or not within [least, most]."""
        word = self.word(position)
        if not (word.isascii() and word.isdigit() and len(word) <= 9 and least <= int(word) <= most):
            span = f"{least}" if least == most else f"{least} to {most}"
            raise self.damage(position, f"{name} ({span})")
        return int(word)

    def numbers(self, position: int, count: int) -> np.ndarray:
        """float64 [count] from ``position`` on, NaN where the file says so; Damage for what is no coordinate."""
        words = self._words[position : position + count]
        if len(words) < count:
            self.word(len(self))
        values = numbers(words)
        if isinstance(values, int):
            raise self.damage(position + values, "a number")
        return values

    def end(self, position: int) -> None:
        """Damage if there is anything at ``position``."""
        if position < len(self):
            raise self.damage(position, "the end of the file")

    def damage(self, position: int, expected: str) -> Damage:
        """What is wrong with the word at a place, with file and line."""
        return Damage(
            f"{self.path}, line {self._line(position)}: expected {expected}, got {self.word(position)[:40]!r}"
        )

    def _line(self, position: int) -> int:
        counts = accumulate(len(line.split()) for line in self._data.splitlines())
        return next(number for number, count in enumerate(counts, 1) if count > position)


def numbers(words: list[bytes]) -> np.ndarray | int:
    """float64 [n], NaN where a word says so; or the position of the first word that is no coordinate."""
    try:
        values = np.array(list(map(float, words)))
        # Python takes 1_0 for a number.
        if b"_" not in b"".join(words) and not (np.abs(values) >= ABSURD).any():
            return values
    except ValueError:
        pass
    values = np.array([_value(word) for word in words])
    wrong = np.flatnonzero(np.abs(values) >= ABSURD)
    return int(wrong[0]) if len(wrong) else values


def _value(word: bytes) -> float:
    """The number that ``word`` is, infinity if it is none."""
    if _MICROSOFT_NAN.fullmatch(word):
        return np.nan
    try:
        return np.inf if b"_" in word else float(word)
    except ValueError:
        return np.inf


def table(path: str | Path, lines: list[bytes], width: int, first: int = 1) -> np.ndarray:
    """float64 [n,width]: the numbers of lines of equal width, separated by blanks or commas.

    first is the number of the first line in the file. Damage naming the line that is otherwise.
    """
    rows = np.empty((len(lines), width))
    for row, line in enumerate(lines):
        words = line.replace(b",", b" ").split()
        if len(words) != width:
            raise Damage(f"{path}, line {first + row}: expected {width} numbers, got {len(words)}")
        values = numbers(words)
        if isinstance(values, int):
            word = words[values][:40].decode("ascii", "replace")
            raise Damage(f"{path}, line {first + row}: expected a number, got {word!r}")
        rows[row] = values
    return rows
