"""How sure a number is: bootstrap intervals over clips, spreads over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from workbench.metrics.classification import as_array


class Interval(NamedTuple):
    """A number with its confidence interval, in the number's own unit."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Spread(NamedTuple):
    """``mean`` and sample standard deviation ``std`` (n - 1; NaN for one value) over ``count`` seeds."""

    mean: float
    std: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.std:.3f} (n={self.count})" if self.count > 1 else f"{self.mean:.3f} (n=1)"


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def bootstrap(
    *arrays: Any,
    statistic: Callable[..., float] = _mean,
    repeats: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap over clips: the rows of all ``arrays`` [S, ...] are drawn together, with replacement.

    ``statistic(*arrays) -> float`` defaults to the mean over the values that are not NaN. The same seed gives the same
    interval. ValueError where the arrays differ in length, are empty, or confidence is outside (0,1).
    """
    data = [as_array(array) for array in arrays]
    if not data or len({len(array) for array in data}) != 1 or len(data[0]) == 0:
        raise ValueError(f"the bootstrap needs arrays of one length above 0, got {[len(array) for array in data]}")
    if not 0 < confidence < 1 or repeats < 1:
        raise ValueError(f"confidence must lie in (0,1) and repeats above 0, got {confidence} and {repeats}")
    draws = np.random.default_rng(seed).integers(0, len(data[0]), (repeats, len(data[0])))
    values = np.array([statistic(*(array[draw] for array in data)) for draw in draws], np.float64)
    if np.isnan(values).all():
        return Interval(float(statistic(*data)), float("nan"), float("nan"))
    low, high = np.nanquantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(statistic(*data)), float(low), float(high))


def paired_difference(first: Any, second: Any, **options: Any) -> Interval:
    """Mean of ``second - first`` [S], the same clips under two methods, with its ``bootstrap`` interval (same options).

    Clips on which either is NaN are left out, so that both methods are compared on the same clips. An interval
    that excludes 0 is a difference that other test clips would most likely show too.
    """
    first, second = (as_array(values).astype(np.float64) for values in (first, second))
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"a paired difference needs two [S] arrays, got {list(first.shape)} and {list(second.shape)}")
    return bootstrap(second - first, **options)


def over_seeds(values: Sequence[float]) -> Spread:
    """Mean and spread of one number per seed. ValueError without values."""
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError("a spread needs at least one value")
    return Spread(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else float("nan"), len(values))
