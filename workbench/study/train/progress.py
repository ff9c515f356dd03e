"""Where training stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass
class Position:
    """Where training stands: what changes from step to step besides weights, optimiser, schedule and random states.

    stage; epoch within the stage; rate, the last step's learning rate; sums of the epoch so far, over all processes,
    and the terms' shares of the gradient at its first step where they are measured; score (what the goal compares,
    minus the loss) and weights of the stage's best epoch; stale epochs since; history, one row an epoch.
    """

    stage: int = 0
    epoch: int = 0
    rate: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    score: list[float] | None = None
    best: dict[str, Tensor] | None = None
    stale: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def counted(values: dict[str, float], hits: dict[str, float], clips: int) -> dict[str, float]:
    """What a batch adds to the sums: its mean terms, weighted by its clips, its hits, and the clips."""
    return {**{name: value * clips for name, value in values.items()}, **hits, "clips": clips}


def add(sums: dict[str, float], more: dict[str, float]) -> None:
    """Adds the numbers of ``more`` to ``sums``, by name."""
    for name, value in more.items():
        sums[name] = sums.get(name, 0.0) + value
