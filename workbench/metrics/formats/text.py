"""Text files read line by line with errors that name file and line, and written whole or not at all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from safefiles.drafts import replacing
from safefiles.reading import present
from workbench.metrics.formats import entries


def rows(path: str | os.PathLike, least: int, form: str) -> Iterator[tuple[str, list[str]]]:
    """(place, fields) of every line that isn't blank, fields cut at commas and white space.

    place is "file, line 3", for messages. ValueError for a line of fewer than ``least`` fields, saying that it should
    be of ``form``.
    """
    for number, line in enumerate(read(path).splitlines(), 1):
        fields = line.replace(",", " ").split()
        if fields and len(fields) < least:
            raise ValueError(f"{path}, line {number}: expected {form}, got {line.strip()[:80]!r}")
        if fields:
            yield f"{path}, line {number}", fields


def read(path: str | os.PathLike) -> str:
    """The text of a UTF-8 file, with or without byte-order mark; ValueError naming what isn't a file, or isn't text."""
    if not present(path):
        raise FileNotFoundError(f"{path} does not exist")
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file") from None


def read_json(path: str | os.PathLike, *keys: str) -> dict:
    """The object that a file holds; ValueError where it is no JSON, no object or lacks one of ``keys``."""
    try:
        values = json.loads(read(path), object_pairs_hook=lambda pairs: _once(pairs, path))
    except (json.JSONDecodeError, RecursionError) as problem:
        raise ValueError(f"{path} is not valid JSON: {problem}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold a JSON object, got a {type(values).__name__}")
    if missing := [key for key in keys if key not in values]:
        raise ValueError(f"{path} has no {missing[0]!r}; it needs {', '.join(keys)}")
    return values


def _once(pairs: list[tuple[str, Any]], path: str | os.PathLike) -> dict:
    """The object of ``pairs``; a warning tells of names that occur twice, of which JSON readers keep the last."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        entries.repeated([name for name, _ in pairs], path, "names")
    return mapping


def member(value: Any, kind: type[dict] | type[list], where: str) -> Any:
    """``value``, which must be a ``kind`` (dict or list); ValueError naming the place otherwise."""
    if not isinstance(value, kind):
        expected = "an object" if kind is dict else "a list"
        raise ValueError(f"{where}: expected {expected}, got {str(value)[:80]}")
    return value


def number(value: Any, where: str, name: str) -> float:
    """A finite float; ValueError naming the place otherwise."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        result = math.nan
    if not math.isfinite(result):
        raise ValueError(f"{where}: {name} must be a number, got {value!r}")
    return result


def whole(value: Any, where: str, name: str) -> int:
    """An integer, also one that is written as 3.0."""
    result = number(value, where, name)
    if result != int(result):
        raise ValueError(f"{where}: {name} must be a whole number, got {value!r}")
    return int(result)


def table(entries: Iterable[dict], *columns: str) -> pd.DataFrame:
    """A DataFrame of ``columns`` also where nothing was found; names stay Python's own text."""
    entries = list(entries)
    values = {name: [row[name] for row in entries] for name in columns}
    return pd.DataFrame(
        {name: pd.Series(own, dtype=object) if name in ("video", "label") else own for name, own in values.items()}
    )


def exact(value: float) -> str:
    """The shortest text that reads back as the same float: 3 for 3.0."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def file_name(name: object, role: str) -> str:
    """``name`` where it can be a file of its folder; ValueError for one that would leave it."""
    name = str(name)
    if not name or name in (".", "..") or any(character in name for character in "/\\\0"):
        raise ValueError(f"{role} {name!r} can't be the name of a file")
    return name


def word(name: object, role: str) -> str:
    """``name`` where it can stand between blanks and commas; ValueError otherwise."""
    name = str(name)
    if not name or any(character.isspace() or character == "," for character in name):
        raise ValueError(f"{role} {name!r} can't be written: blanks and commas separate the fields of this format")
    return name


def write(path: str | os.PathLike, lines: Iterable[str]) -> None:
    """Replaces ``path`` by ``lines`` at once; its folder is made where needed."""
    with replacing(path) as draft, open(draft, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def write_json(path: str | os.PathLike, values: Any) -> None:
    """Replaces ``path`` by ``values`` as one line of JSON; ValueError for NaN and infinity."""
    write(path, [json.dumps(values, ensure_ascii=False, allow_nan=False)])
