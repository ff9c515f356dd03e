"""Typed models of values that people write, whose errors are one sentence."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from workbench.nearest import hint

Plain = bool | int | float | str


class Strict(BaseModel):
    """Values of the very types that are asked for, under known names, that stay as they are."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Config(Strict):
    """A model whose errors are one sentence that names the valid ones (ValueError)."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as problem:
            raise ValueError(_sentence(type(self), problem)) from None

    @classmethod
    def names(cls) -> list[str]:
        """The parameters, as people write them."""
        return list(cls.model_fields)


def _sentence(model: type[Config], problem: ValidationError) -> str:
    # A misspelt name explains a missing one, so it is told first.
    error, valid = min(problem.errors(), key=lambda error: error["type"] != "extra_forbidden"), model.names()
    path = _path(error)
    if error["type"] == "extra_forbidden":
        return f"{model.__name__} has no parameter {path[-1]!r}; valid names: {', '.join(valid)}{hint(path[-1], valid)}"
    if error["type"] == "missing" and len(path) > 1:
        return f"{model.__name__}: {path[0]} lacks an item, got {error['input']!r}"
    if error["type"] == "missing":
        return f"{model.__name__} needs the parameter {path[-1]!r}; valid names: {', '.join(valid)}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    # Pydantic gives one error per member of a union: together they say what would have been right.
    kinds = [each["msg"].removeprefix("Input should be ") for each in problem.errors() if _path(each)[0] == path[0]]
    return f"{model.__name__}: {path[0]} should be {' or '.join(dict.fromkeys(kinds))}, got {error['input']!r}"


def _path(error: Any) -> list[str]:
    """Where the error is, as people write it: a preset's ``cut`` stands among the rest."""
    return [str(part) for part in error["loc"] if part != "cut"]
