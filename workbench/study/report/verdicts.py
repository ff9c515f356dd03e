"""Does a claim hold here? Paired over seeds and clips, with all comparisons of a table counted.

The first that fits, in this order:

    not run              a row of the claim has no result
    holds                ahead, for other seeds and other clips alike (``metrics.crossed``), at 5 % after Holm's
                         correction
    contradicted         behind, as surely as what holds is ahead
    holds weakly         ahead with every seed, and either the same without the correction, or for these very networks
                         on other clips (McNemar, permutation) with it
    contradicted weakly  behind, as surely as what holds weakly is ahead
    the same within x    no direction is seen, and the 90 % interval lies within -x and x: both one-sided tests that
                         the rows are further apart are rejected at 5 %, without correction (TOST, Schuirmann 1987)
    not resolved         none of these: the effect, if there is one, is smaller than this study can tell

x is the claim's ``same``, else the table's for columns in percent. A claim with a gain, a single seed and costs are
never "the same": there the interval is not about other seeds, or not about the two rows' difference.

"within" a tolerance is judged alike: it holds where both one-sided tests say that the rows are no further apart, and is
contradicted where the difference is beyond the tolerance, after Holm's correction; weakly where it takes away the
correction, or, with one seed, by the interval for other clips.

A better and a worse that change places turn holds into contradicted and holds weakly into contradicted weakly. So it is
for a claim over several comparisons: it has the verdict that all of them have, holds or is contradicted weakly where
they go one way and some weakly, and is not resolved otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from workbench import metrics
from workbench.study.report import scores
from workbench.study.sweep.results import Results
from workbench.study.tables.table_file import Claim, Column

HOLDS, WEAKLY, SAME, OPEN = "holds", "holds weakly", "the same within x", "not resolved"
WEAKLY_AGAINST, AGAINST, MISSING = "contradicted weakly", "contradicted", "not run"
VERDICTS = (HOLDS, WEAKLY, SAME, OPEN, WEAKLY_AGAINST, AGAINST, MISSING)
LEVEL = 0.05
Prices = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Test:
    """One comparison of two rows in one column, ``effect`` being how far ``better`` is ahead in the column's unit (less
    the claim's gain). p_clips: of these networks on other clips (NaN without). adjusted and adjusted_clips are the two
    after Holm's correction over the table. ahead and behind: with how many of the seeds better is. won and lost count
    clips, averaged over seeds, that only better, or only worse, gets right; size is Cohen's h. same is the x of "the
    same within x" and p_same its p (NaN where it is not asked)."""

    claim: str
    better: str
    worse: str
    columns: tuple[str, ...]
    effect: metrics.Effect
    p: float
    p_clips: float
    seeds: int
    ahead: int
    behind: int
    size: float = float("nan")
    won: float = float("nan")
    lost: float = float("nan")
    adjusted: float = float("nan")
    adjusted_clips: float = float("nan")
    same: float | None = None
    p_same: float = float("nan")
    verdict: str = OPEN

    @property
    def words(self) -> str:
        """The verdict with the number that it was reached with."""
        return f"the same within {self.same:g}" if self.verdict == SAME else self.verdict


@dataclass(frozen=True)
class Judged:
    """A claim, its verdict, the tests behind it, and for what is not run the reason."""

    claim: Claim
    verdict: str
    tests: tuple[Test, ...]
    reason: str = ""

    @property
    def words(self) -> str:
        """The verdict with the number that it was reached with."""
        return self.tests[0].words if self.verdict == SAME else self.verdict


def judge(results: Results, prices: Prices | None = None) -> list[Judged]:
    """The table's claims with their verdicts. prices: what ``markdown.prices_of`` measured, by the rows' labels, for
    claims about costs."""
    claims = {claim.id: claim for claim in results.table.claims}
    tests = [test for claim in claims.values() for test in _tests(results, claim, prices or {})]
    adjusted = metrics.holm([test.p for test in tests])
    adjusted_clips = metrics.holm([test.p_clips for test in tests])
    by_claim: dict[str, list[Test]] = {name: [] for name in claims}
    for test, p, p_clips in zip(tests, adjusted, adjusted_clips, strict=True):
        test = replace(test, adjusted=float(p), adjusted_clips=float(p_clips))
        by_claim[test.claim].append(replace(test, verdict=verdict(claims[test.claim], test)))
    return [_judged(results, claim, tuple(by_claim[claim.id])) for claim in claims.values()]


def verdict(claim: Claim, test: Test) -> str:
    """Of one comparison; see the top of the file."""
    if claim.relation == "within":
        return _within(claim, test)
    value = test.effect.value
    if test.adjusted < LEVEL:
        return HOLDS if value > 0 else AGAINST
    if test.p < LEVEL or test.adjusted_clips < LEVEL:
        if value > 0 and test.ahead == test.seeds:
            return WEAKLY
        if value < 0 and test.behind == test.seeds:
            return WEAKLY_AGAINST
    return SAME if test.p_same < LEVEL else OPEN


def _within(claim: Claim, test: Test) -> str:
    value, low, high = test.effect[:3]
    tolerance = claim.tolerance or 0.0
    near = abs(value) <= tolerance
    if test.adjusted < LEVEL:
        return HOLDS if near else AGAINST
    if np.isnan(test.p):
        sure = (-tolerance <= low and high <= tolerance) or low > tolerance or high < -tolerance
    else:
        sure = test.p < LEVEL
    return (WEAKLY if near else WEAKLY_AGAINST) if sure else OPEN


def together(verdicts: Iterable[str]) -> str:
    """The verdict of a claim from those of its comparisons."""
    distinct = set(verdicts)
    if len(distinct) < 2:
        return distinct.pop() if distinct else MISSING
    if distinct == {HOLDS, WEAKLY}:
        return WEAKLY
    return WEAKLY_AGAINST if distinct == {AGAINST, WEAKLY_AGAINST} else OPEN


def shares(judged: Iterable[Judged]) -> dict[str, int]:
    """How many claims have each verdict."""
    names = [claim.verdict for claim in judged]
    return {name: names.count(name) for name in VERDICTS}


def _judged(results: Results, claim: Claim, tests: tuple[Test, ...]) -> Judged:
    missing = {
        f"{row}: {reason}"
        for pair in claim.pairs
        for row in pair
        for column in results.table.of(claim)
        if column in results.table.columns and (reason := results.reason(row, column))
    }
    # An order is not seen where one of its rows is missing.
    complete = {(test.better, test.worse) for test in tests} == set(claim.pairs)
    verdict = together(test.verdict for test in tests) if complete else MISSING
    return Judged(claim, verdict, tests, "; ".join(sorted(missing)))


def _tests(results: Results, claim: Claim, prices: Prices) -> list[Test]:
    """The comparisons of a claim. Columns of the paper that are the same numbers here are one comparison."""
    comparisons: dict[tuple, Test] = {}
    for better, worse in claim.pairs:
        for column in results.table.of(claim):
            cost = column in results.table.costs
            test = _of_costs(results, column, better, worse, prices) if cost else _test(results, column, better, worse)
            if test is None:
                continue
            test = replace(_as_claimed(test, claim, _same(results, claim, column)), claim=claim.id)
            key = better, worse, test.effect[:3]
            if key in comparisons:
                test = replace(comparisons[key], columns=(*comparisons[key].columns, column.key))
            comparisons[key] = test
    return list(comparisons.values())


def _test(results: Results, column: Column, better: str, worse: str) -> Test | None:
    sign = 1.0 if column.direction == "higher" else -1.0
    ours, theirs = (scores.of(results, row, column) for row in (better, worse))
    if ours is None or theirs is None:
        return _by_seed(results, column, better, worse, sign)
    seeds = [seed for seed in ours.seeds if seed in theirs.seeds]
    if not seeds:
        return None
    if ours.ids != theirs.ids:
        raise ValueError(f"rows {better!r} and {worse!r} were tested on different clips; remove the older runs")
    first, second = ([row.seeds.index(seed) for seed in seeds] for row in (ours, theirs))
    difference = sign * (ours.values[first] - theirs.values[second])
    right, wrong = ours.right[first], theirs.right[second]
    if len(seeds) == 1:
        interval = metrics.bootstrap(difference[0])
        effect = metrics.Effect(*interval, *[float("nan")] * 3)
        p_clips = (
            metrics.mcnemar(wrong[0], right[0]) if column.metric != "mean_class" else metrics.sign_flip(difference[0])
        )
    else:
        effect, p_clips = metrics.crossed(difference), metrics.sign_flip(difference.mean(0))
    return Test(
        claim="",
        better=better,
        worse=worse,
        columns=(column.key,),
        effect=effect,
        p=effect.p,
        p_clips=p_clips,
        seeds=len(seeds),
        ahead=int((difference.mean(1) > 0).sum()),
        behind=int((difference.mean(1) < 0).sum()),
        size=sign * metrics.cohens_h(float(wrong.mean()), float(right.mean())),
        won=float((right & ~wrong).sum(1).mean()),
        lost=float((wrong & ~right).sum(1).mean()),
    )


def _by_seed(results: Results, column: Column, better: str, worse: str, sign: float) -> Test | None:
    """For metrics that are no mean over clips: paired over seeds alone."""
    ours, theirs = (results.values(row, column) for row in (better, worse))
    difference = np.array([sign * (ours[seed] - theirs[seed]) for seed in ours if seed in theirs])
    if not len(difference):
        return None
    effect, seeds = metrics.paired_t(difference), len(difference)
    ahead, behind = int((difference > 0).sum()), int((difference < 0).sum())
    return Test("", better, worse, (column.key,), effect, effect.p, float("nan"), seeds, ahead, behind)


def _of_costs(results: Results, column: Column, better: str, worse: str, prices: Prices) -> Test | None:
    """Measured again and again on one machine: the quartiles stand for the interval, and a p that is 0 or 1 says
    whether they lie apart."""
    ours, theirs = (prices.get(results.table.row(row).label) for row in (better, worse))
    if ours is None or theirs is None or any(np.isnan(costs.get(column.metric, np.nan)) for costs in (ours, theirs)):
        return None
    sign = 1.0 if column.direction == "higher" else -1.0
    (low, value, high), (low2, value2, high2) = (
        [costs.get(f"{column.metric}{end}", costs[column.metric]) for end in ("_q1", "", "_q3")]
        for costs in (ours, theirs)
    )
    least, most = sorted([sign * (low - high2), sign * (high - low2)])
    p = 0.0 if least > 0 or most < 0 else 1.0
    effect = metrics.Effect(sign * (value - value2), least, most, p, float("nan"), float("nan"))
    ahead, behind = int(effect.value > 0), int(effect.value < 0)
    return Test("", better, worse, (column.key,), effect, p, float("nan"), 1, ahead, behind)


def _same(results: Results, claim: Claim, column: Column) -> float | None:
    """The x of "the same within x", in the column's unit."""
    if claim.same is not None:
        return claim.same
    return results.table.same if column.unit == "percent" else None


def _as_claimed(test: Test, claim: Claim, same: float | None) -> Test:
    """The comparison under what the claim asks for beyond 'ahead', and whether the rows are the same within ``same``
    where it asks for no more."""
    if claim.relation == "within":
        tolerance = claim.tolerance or 0.0
        near = abs(test.effect.value) <= tolerance
        # One of the two is true, so that there is one way to be wrong.
        p = _equivalence(test.effect, tolerance) if near else _beyond(test.effect, tolerance)
        return replace(test, p=p, p_clips=float("nan"))
    if claim.gain:
        return _less_the_gain(test, claim.gain)
    return test if same is None else replace(test, same=same, p_same=_equivalence(test.effect, same))


def _less_the_gain(test: Test, gain: float) -> Test:
    value, low, high, p, error, freedom = test.effect
    moved = value - gain
    if error > 0:
        p = 2 * float(student.sf(abs(moved) / error, freedom))
    effect = metrics.Effect(moved, low - gain, high - gain, p, error, freedom)
    # Clips can't be paired against a gain, nor seeds counted.
    ahead, behind = (test.seeds if way else 0 for way in (moved > 0, moved < 0))
    return replace(test, effect=effect, p=p, p_clips=float("nan"), ahead=ahead, behind=behind)


def _equivalence(effect: metrics.Effect, tolerance: float) -> float:
    """p of the two one-sided tests that the effect is beyond the tolerance on either side: below 0.05 where the 90 %
    interval lies within. NaN where the effect has no error of its own."""
    if not effect.error > 0:
        return float("nan") if np.isnan(effect.error) else float(abs(effect.value) > tolerance)
    sides = ((tolerance - effect.value) / effect.error, (tolerance + effect.value) / effect.error)
    return max(float(student.sf(side, effect.freedom)) for side in sides)


def _beyond(effect: metrics.Effect, tolerance: float) -> float:
    """p of the test that the effect is within the tolerance: below 0.05 where the 95 % interval lies outside."""
    if not effect.error > 0:
        return float("nan") if np.isnan(effect.error) else float(abs(effect.value) <= tolerance)
    return min(1.0, 2 * float(student.sf((abs(effect.value) - tolerance) / effect.error, effect.freedom)))
