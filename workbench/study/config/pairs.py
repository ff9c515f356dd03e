"""The pairs NAME=VALUE of a command's ``--set``, as a dict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from safefiles.reading import parse_yaml
from workbench.boundary import Usage


def parse_pairs(pairs: Iterable[str]) -> dict[str, Any]:
    """``["epochs=3", "options.coupler=false"]`` as {"epochs": 3, "options": {"coupler": False}}; values are YAML, and
    the order says nothing: ``preset=tiny preset.crop=frame`` is the preset with another crop.

    Usage (a ValueError) for a pair without "=", a value that is no YAML, or two pairs that contradict each other."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not all(name.split(".")):
            raise Usage(f"{pair!r} should read NAME=VALUE")
        try:
            value = parse_yaml(text)
        except ValueError as problem:
            raise Usage(f"{pair!r} should read NAME=VALUE, with a YAML value: {problem}") from None
        first, *rest = name.split(".")
        for part in reversed(rest):
            value = {part: value}
        values[first] = _merged(values[first], value, first, pair) if first in values else value
    return values


def _merged(old: Any, value: Any, name: str, pair: str) -> Any:
    """What two pairs of ``--set`` say together of ``name``."""
    if name == "preset" and isinstance(old, dict) != isinstance(value, dict):
        old, value = ({"base": each} if not isinstance(each, dict) else each for each in (old, value))
    if isinstance(old, dict) and isinstance(value, dict):
        shared = {key: _merged(old[key], value[key], f"{name}.{key}", pair) for key in old.keys() & value.keys()}
        return {**old, **value, **shared}
    if type(old) is not type(value) or old != value:
        raise Usage(f"{pair!r} contradicts another --set, which says that {name} is {old!r}")
    return old
