"""How much each term of a loss moves what it trains: its share of the gradient.

A term's gradient is that of weight x term, with weight = d total / d term, so that a weight that training changes
counts as it stands. Terms meet in the parameters that the classification reaches: a term that only moves a projection
of its own takes nothing away from the classes. A network that learns beside the student has a classification of its
own, the term "teacher".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from workbench import losses

#: The terms whose parameters all others are measured on, and what the columns of the history are called then.
MEETING = {"classification": "gradient_", "teacher": "teacher_gradient_"}


def gradient_shares(terms: dict[str, Tensor], parameters: Sequence[Tensor], scale: float = 1.0) -> dict[str, float]:
    """The shares in [0,1] of all terms but "total", as gradient_<term>, on those of ``parameters`` (which require
    gradients) that the graph of terms["classification"] reaches; as teacher_gradient_<term> on those that
    terms["teacher"] reaches. A share is the 2-norm of the term's gradient divided by the sum of all terms' norms.

    Empty of fewer than two terms; a kind of share is left out where its term isn't there, reaches no parameter, or
    where the norms are all 0 or not finite. Gradients are those of all processes. scale multiplies them, which changes
    no share, where they would else be too small for fp16. Reads the graph and leaves it, and every ``grad``, as they
    are.
    """
    names = [name for name in terms if name != "total"]
    if len(names) < 2 or not terms["total"].requires_grad:
        return {}
    moving = [name for name in names if terms[name].requires_grad]
    weights = torch.autograd.grad(
        terms["total"], [terms[name] for name in moving], retain_graph=True, allow_unused=True
    )
    weighed = {name: weight for name, weight in zip(moving, weights, strict=True) if weight is not None}

    def gradient(name: str) -> tuple[Tensor | None, ...]:
        towards = scale * weighed[name]
        gradients = torch.autograd.grad(terms[name], parameters, towards, retain_graph=True, allow_unused=True)
        return tuple(None if g is None else losses.average(g) for g in gradients)

    meeting = {name: gradient(name) for name in MEETING if name in weighed}
    norms: dict[str, dict[str, float]] = {name: dict.fromkeys(names, 0.0) for name in meeting}
    for name in weighed:
        gradients = meeting[name] if name in meeting else gradient(name)
        for where, reached in meeting.items():
            both = [g for g, met in zip(gradients, reached, strict=True) if g is not None and met is not None]
            squares = [g.double().square().sum() for g in both]
            norms[where][name] = float(torch.stack(squares).sum().sqrt()) if squares else 0.0
    shares: dict[str, float] = {}
    for where, of_terms in norms.items():
        total = sum(of_terms.values())
        if total > 0 and math.isfinite(total):
            shares |= {f"{MEETING[where]}{name}": norm / total for name, norm in of_terms.items()}
    return shares


def by_stage(history: pd.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    """What training wrote into its ``history``: stage -> "first" and "last" (measured epoch) -> the shares, as
    ``gradient_shares`` calls them. Stages with a single term are left out."""
    names = [name for name in history if name.startswith(tuple(MEETING.values()))]
    shares = {}
    for stage, rows in history.groupby("stage", sort=False) if names else ():
        measured = rows[names].dropna(how="all")
        if len(measured):
            ends = {"first": measured.iloc[0], "last": measured.iloc[-1]}
            shares[str(stage)] = {end: row.dropna().to_dict() for end, row in ends.items()}
    return shares
