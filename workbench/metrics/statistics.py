"""How sure a number is: intervals over clips and seeds, paired tests, many tests at once, effect sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest, kendalltau
from scipy.stats import t as student

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
    count: int  # type: ignore[assignment]  # a field may hide tuple.count

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


def wilson(right: Any, confidence: float = 0.95) -> Interval:
    """The share of ``right`` bool [S] with Wilson's interval: unlike the bootstrap's it is no point where all or none
    are. ValueError without values."""
    values = as_array(right).astype(bool)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"a share needs one or more values [S], got {list(values.shape)}")
    interval = binomtest(int(values.sum()), len(values)).proportion_ci(confidence, method="wilson")
    return Interval(float(values.mean()), float(interval.low), float(interval.high))


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
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise ValueError("a spread needs at least one value")
    return Spread(float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else float("nan"), len(numbers))


def mcnemar(first: Any, second: Any) -> float:
    """Two-sided p of McNemar's exact test for bool [S], the same clips under two methods: of the clips that only one
    gets right each is a toss. 1 where there is none. ValueError for arrays of different length."""
    first, second = (as_array(values).astype(bool) for values in (first, second))
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"McNemar's test needs two [S] arrays, got {list(first.shape)} and {list(second.shape)}")
    gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
    return 1.0 if gained + lost == 0 else float(binomtest(gained, gained + lost).pvalue)


def sign_flip(differences: Any, repeats: int = 10_000, seed: int = 0) -> float:
    """Two-sided p of the paired permutation test that the mean of ``differences`` [S] is 0: each may have had the other
    sign. Exact for up to 14 that are not 0, else over ``repeats`` random draws, the observed one among them."""
    values = as_array(differences).astype(np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"differences must be finite and [S], got {list(values.shape)}")
    moving = np.abs(values[values != 0])
    if len(moving) == 0:
        return 1.0
    observed = abs(values.sum()) * (1 - 1e-12)
    if len(moving) <= 14:
        signs = 1 - 2 * ((np.arange(2 ** len(moving))[:, None] >> np.arange(len(moving))) & 1)
        return float((np.abs(signs @ moving) >= observed).mean())
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (repeats, len(moving)))
    return float((1 + (np.abs(signs @ moving) >= observed).sum()) / (1 + repeats))


class Effect(NamedTuple):
    """A mean difference with its confidence interval, two-sided p, and the standard error and degrees of freedom that
    both come from (NaN where they can't be told)."""

    value: float
    low: float
    high: float
    p: float
    error: float
    freedom: float


def crossed(differences: Any, confidence: float = 0.95) -> Effect:
    """The mean of paired differences as evidence for other seeds and other clips at once.

    Seeds and clips are crossed random effects, as readers and cases are in studies of diagnosis: d_rs = mean + a_r +
    b_s + e_rs. With S var(a) + var(e), R var(b) + var(e) and var(e) expected of the mean squares of seeds, clips and
    their interaction, the variance of the mean is (MS_r + max(MS_s - MS_rs, 0)) / (R S). MS_r counts as no less than
    MS_rs, since no variance of seeds is below 0. The t distribution has ``_freedom``. One seed that goes its own way
    widens the interval, however many clips there are. From three seeds on 2 to 7 % of the intervals at 95 % miss; with
    two seeds that differ it is up to 12 %.

    Args:
        differences: float [R,S], R >= 2 seeds by S >= 2 clips.
        confidence: of the interval, in (0,1).

    Returns:
        value, low, high and p, two-sided.

    Raises:
        ValueError: another shape, or a number that is not finite.

    Source:
        Dorfman, Berbaum and Metz (1992).
    """
    values = as_array(differences).astype(np.float64)
    if values.ndim != 2 or min(values.shape) < 2 or not np.isfinite(values).all():
        raise ValueError(f"differences must be finite and [R,S] with R, S >= 2, got {list(values.shape)}")
    seeds, clips = values.shape
    mean, by_seed, by_clip = values.mean(), values.mean(1), values.mean(0)
    rest = values - by_seed[:, None] - by_clip[None] + mean
    ms_r = clips * by_seed.var(ddof=1)
    ms_s = seeds * by_clip.var(ddof=1)
    ms_rs = (rest**2).sum() / ((seeds - 1) * (clips - 1))
    extra = max(ms_s - ms_rs, 0.0)
    variance = (max(ms_r, ms_rs) + extra) / (seeds * clips)
    freedom = _freedom(ms_r, ms_rs, extra, seeds, clips)
    return _by_t(float(mean), float(np.sqrt(variance)), freedom, confidence)


def _freedom(ms_r: float, ms_rs: float, extra: float, seeds: int, clips: int) -> float:
    """Degrees of freedom of max(MS_r, MS_rs) + extra, its parts' own weighted by their shares: 1/f = sum share_i / f_i.

    To the first order in 1/f that is Cochran's t for two variances, the mean of the parts' critical values weighted by
    their shares; Satterthwaite's, with squared shares, misses up to 8 % where MS_r of three seeds is small by luck.
    extra has S - 1. The seed part has R - 1 where MS_r is above MS_rs. Below, the seeds show no variance of their own
    and are pooled with the rest, (R - 1)(S - 1), without a jump at MS_r = MS_rs: R - 1 times (MS_rs / MS_r)^8. The
    power is the middle of those that keep 2 to 7 % in simulation; a jump has up to 7.5 %, R - 1 everywhere 0.0 %.
    """
    pooled, spread = (seeds - 1.0) * (clips - 1.0), max(ms_r, ms_rs)
    if spread == 0:
        return clips - 1.0
    part = pooled if ms_r == 0 else min((seeds - 1) * (spread / ms_r) ** 8, pooled)
    return float((spread + extra) / (spread / part + extra / (clips - 1)))


def paired_t(differences: Any, confidence: float = 0.95) -> Effect:
    """Mean of ``differences`` [R], one number a seed, by the paired t test; interval and p are NaN of a single one."""
    values = as_array(differences).astype(np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"differences must be [R] with R >= 1, got {list(values.shape)}")
    if len(values) == 1:
        return Effect(float(values[0]), *[float("nan")] * 5)
    return _by_t(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values) - 1.0, confidence)


def _by_t(mean: float, error: float, freedom: float, confidence: float) -> Effect:
    if error == 0:
        return Effect(mean, mean, mean, 1.0 if mean == 0 else 0.0, 0.0, freedom)
    half = error * float(student.ppf((1 + confidence) / 2, freedom))
    return Effect(mean, mean - half, mean + half, 2 * float(student.sf(abs(mean) / error, freedom)), error, freedom)


def holm(p: Sequence[float]) -> np.ndarray:
    """p values adjusted for all of them being looked at (Holm 1979), float64, in the same order: those below a level
    are wrong about none at all with at least 1 minus that level. NaN stays NaN and counts for nothing."""
    values = np.asarray(p, np.float64)
    adjusted = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return adjusted


def cohens_h(first: float, second: float) -> float:
    """Effect size of two shares in [0,1], second minus first: 2 asin(sqrt) apart (Cohen 1988: 0.2 small, 0.5 medium,
    0.8 large), the same anywhere between 0 and 1."""
    return float(2 * np.arcsin(np.sqrt(second)) - 2 * np.arcsin(np.sqrt(first)))


def rank_agreement(first: Sequence[float], second: Sequence[float]) -> float:
    """Kendall's tau-b in [-1,1] between two rankings of the same rows; rows that are NaN in either are left out, and
    NaN is returned for fewer than two or where one side is all ties."""
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    ranked = np.isfinite(x) & np.isfinite(y)
    return float(kendalltau(x[ranked], y[ranked]).statistic) if ranked.sum() > 1 else float("nan")
