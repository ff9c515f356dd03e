"""Files from outside, read: whatever a damaged one makes of its reader becomes one sentence that names it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Bytes of a YAML file: no table or list of settings has as many.
LARGEST = 16 * 2**20
#: Nodes of a YAML document whose aliases are written out.
MOST = 50_000


class Unreadable(ValueError):
    """A file that can't be read: "<path> can't be read as <kind> (<reason>)"."""


@contextmanager
def reading(path: str | Path, kind: str, way_out: str = "") -> Iterator[None]:
    """What a library raises inside of the block becomes ``Unreadable``, with ``path``, ``kind`` ("a checkpoint"), the
    reason, and after it ``way_out``. A missing file stays a FileNotFoundError. Put nothing inside but the reading."""
    present(path)
    try:
        yield
    except (FileNotFoundError, Unreadable):
        raise
    except Exception as problem:  # a damaged file may lead its reader anywhere
        more = f"; {way_out}" if way_out else ""
        raise Unreadable(f"{path} can't be read as {kind} ({reason(problem)}){more}") from None


def present(path: str | os.PathLike) -> bool:
    """Whether there is a file to be read. Unreadable where what goes by its name is none, such as a folder, a pipe or a
    link that leads nowhere: what the file should say would else be passed over in silence."""
    if os.path.isfile(path):
        return True
    if os.path.lexists(path):
        kind = "a folder" if os.path.isdir(path) else "a link that leads nowhere" if os.path.islink(path) else "no file"
        raise Unreadable(f"{path} can't be read: it is {kind}")
    return False


def reason(problem: BaseException) -> str:
    """What went wrong, on one line."""
    text = getattr(problem, "strerror", None) or str(problem)
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")[:200]
    plain = line and not isinstance(problem, LookupError | AttributeError | TypeError)
    return line if plain else f"{type(problem).__name__}: {line}".rstrip(": ")


def read_text(path: str | Path, kind: str = "text") -> str:
    """The UTF-8 text of a file, without a byte order mark; Unreadable where it is none."""
    with reading(path, kind):
        return Path(path).read_text(encoding="utf-8-sig")


def read_json(path: str | Path, *keys: str, way_out: str = "") -> Any:
    """What a JSON file holds; Unreadable where it is none, or no object with ``keys``, where any are named."""
    with reading(path, "JSON", way_out):
        value = json.loads(read_text(path, "JSON"))
        if keys and not isinstance(value, dict):
            raise ValueError(f"it should hold an object with {', '.join(keys)}")
        if missing := [key for key in keys if key not in value]:
            raise ValueError(f"it lacks {', '.join(missing)}")
        return value


def read_parquet(path: str | Path) -> Any:
    """The table in a parquet file, a DataFrame; Unreadable where it is none."""
    import pandas as pd

    with reading(path, "parquet"):
        return pd.read_parquet(path)


def read_yaml(path: str | Path) -> Any:
    """What a YAML file holds, plain values only; Unreadable where it is none or is refused (see ``parse_yaml``)."""
    with reading(path, "YAML"):
        if (size := Path(path).stat().st_size) > LARGEST:
            raise ValueError(f"{size / 2**20:.0f} MB, more than any file of its kind")
        return parse_yaml(read_text(path, "YAML"))


def parse_yaml(text: str) -> Any:
    """The plain values in a YAML ``text``. ValueError where it is none; where it names a key twice; where its aliases,
    written out, would be more than ``MOST`` nodes, or never end."""
    import yaml

    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {})
        return loader.construct_document(node)
    except (yaml.YAMLError, LookupError, AttributeError, TypeError, OverflowError, RecursionError) as problem:
        words = " ".join(str(problem).replace('in "<unicode string>", ', "").split())
        raise ValueError(words[:300] or type(problem).__name__) from None


def _count(node: Any, known: dict[int, int]) -> int:
    """How many nodes ``node`` is with its aliases written out; nodes that are ``known`` are not counted again."""
    if id(node) not in known:
        known[id(node)] = MOST  # of one that is inside itself
        pairs = node.value if node.id == "mapping" else []
        inside = [part for pair in pairs for part in pair] if pairs else node.value if node.id == "sequence" else []
        names = [key.value for key, _ in pairs if key.id == "scalar" and not key.tag.endswith(":merge")]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"it names {twice!r} twice, line {node.start_mark.line + 1}")
        known[id(node)] = 1 + sum(_count(part, known) for part in inside)
    if known[id(node)] > MOST:
        raise ValueError(f"its aliases stand for more than {MOST} values, line {node.start_mark.line + 1}")
    return known[id(node)]
