"""What is known about the public data sets: class lists and lists of samples, shipped with the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def rows(name: str) -> tuple[tuple[str, ...], ...]:
    """The tab-separated fields of each line of ``facts/<name>``, comments (#) left out."""
    text = files("workbench.data").joinpath("facts", name).read_text(encoding="utf-8")
    return tuple(tuple(line.split("\t")) for line in text.splitlines() if line and not line.startswith("#"))


@cache
def classes(name: str) -> dict[str, str]:
    """Class names by the code that the files use for them, in the order of the labels: ``facts/classes/<name>``."""
    return {fields[0]: fields[1] for fields in rows(f"classes/{name}.txt")}


@cache
def listed(name: str) -> frozenset[str]:
    """The names in a list of one name a line."""
    return frozenset(fields[0] for fields in rows(name))


@cache
def columns(name: str) -> tuple[dict[str, str], ...]:
    """The rows of a comma-separated list with a header, as dictionaries."""
    header, *lines = [fields[0].split(",") for fields in rows(name)]
    return tuple(dict(zip(header, line, strict=True)) for line in lines)
