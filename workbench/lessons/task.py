"""What a task of a lab is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Answers = list[np.ndarray]


def difference(answers: Answers, wanted: Answers, arguments: tuple = ()) -> float:
    """The largest difference as a share of the largest number, over all parts; of words the share that differ."""
    shares = [0.0]
    for answer, right in zip(answers, wanted, strict=True):
        if right.dtype.kind == "U":
            shares.append(float((answer != right).mean()))
            continue
        known = np.isfinite(right)
        gap = np.abs(answer.astype(float) - right)[known]
        shares.append(float(gap.max(initial=0)) / max(float(np.abs(right[known]).max(initial=0)), 1e-6))
    return max(shares)


@dataclass(frozen=True)
class Task:
    """A function to write. Inputs and answers are torch tensors, in drawings numpy arrays and plain values.

    library: the library's own function, which says what is right. shown: its name for the reader. takes: the names of
    the inputs. returns: what each result is, with its axes. cases: seed -> by kind of input the arguments.
    mistakes: by hint, what the function gives that makes this mistake; compared with an answer in the order of
    distance. said: hints by a part of an error's message. infinite: the hint where numbers overflow. trains: whether
    the lab goes on to train with the function. picture: whether answers are pictures on the first input; plain: whether
    they aren't tensors. distance: how far answers are from others, the same up to tolerance.
    """

    library: Callable[..., Any]
    shown: str
    takes: tuple[str, ...]
    returns: tuple[str, ...]
    cases: Callable[[int], dict[str, tuple]]
    mistakes: Mapping[str, Callable[..., Any]]
    said: Mapping[str, str] = field(default_factory=dict)
    infinite: str = ""
    trains: bool = False
    picture: bool = False
    plain: bool = False
    tolerance: float = 1e-4
    distance: Callable[[Answers, Answers, tuple], float] = difference

    @property
    def parts(self) -> int:
        """How many results the function has."""
        return len(self.returns)
