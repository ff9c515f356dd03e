"""JSON files of poses: read once, checked, as arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.files.text import ABSURD, Damage, load

#: Numbers of a pose: more would be 400 MB.
MOST = 100_000_000


def read(path: str | Path) -> Any:
    """What the file holds; Damage naming it if it is empty, too large or no JSON."""
    data = load(path)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Damage(f"{path} is no JSON: {str(error)[:200]}") from None


def member(value: Any, key: str, kind: type, where: str) -> Any:
    """``value[key]``; Damage where ``value`` is no object, lacks it, or it is no ``kind``."""
    if not isinstance(value, dict) or not isinstance(value.get(key), kind):
        raise Damage(f"{where}: expected {key!r} with {'a list' if kind is list else kind.__name__}")
    return value[key]


def numbers(value: Any, count: int, where: str) -> np.ndarray:
    """float64 [count]; null is NaN. Damage where ``value`` is anything but a list of so many coordinates."""
    if not isinstance(value, list) or len(value) != count:
        size = f"{len(value)}" if isinstance(value, list) else "no list"
        raise Damage(f"{where}: expected {count} numbers, got {size}")
    if not all(item is None or (isinstance(item, int | float) and not isinstance(item, bool)) for item in value):
        raise Damage(f"{where}: expected {count} numbers")
    try:
        values = np.array([np.nan if item is None else float(item) for item in value])
    except OverflowError:
        values = np.array([np.inf])
    if (np.abs(values) >= ABSURD).any():
        raise Damage(f"{where}: holds a number that can't be a coordinate")
    return values


def blank(persons: int, frames: int, joints: int, axes: int, path: str | Path) -> np.ndarray:
    """float32 [M,T,V,D] of NaN, at least one person; Damage naming the file if there is no frame or far too much."""
    if frames < 1:
        raise Damage(f"{path} holds no frame")
    if persons * frames * joints * axes > MOST:
        raise Damage(f"{path} names {persons} persons in {frames} frames, more than a pose can have")
    return np.full((max(persons, 1), frames, joints, axes), np.nan, np.float32)
