"""Does a claim hold here? Paired over seeds and clips, with all comparisons of a table counted.

    holds         ahead, for other seeds and other clips alike (``metrics.crossed``), at 5 % after Holm's correction
    holds weakly  ahead with every seed, and either the same without the correction, or for these very networks on
                  other clips (McNemar, permutation) with it
    contradicted  behind, as surely as what holds is ahead
    not resolved  neither: the effect, if there is one, is smaller than this study can tell
    not run       a row of the claim has no result

A claim over several columns holds if it does in all that were run, and is contradicted if it is in one and holds in
none. "within" a tolerance holds if both one-sided tests say so, weakly if the mean alone does, and is contradicted if
the interval lies outside.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from workbench import metrics
from workbench.study import scores
from workbench.study.results import Results
from workbench.study.tables import Claim, Column

HOLDS, WEAKLY, OPEN, AGAINST, MISSING = "holds", "holds weakly", "not resolved", "contradicted", "not run"
VERDICTS = (HOLDS, WEAKLY, OPEN, AGAINST, MISSING)
LEVEL = 0.05
Prices = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Test:
    """One comparison of two rows in one column, ``effect`` being how far ``better`` is ahead in the column's unit (less
    the claim's gain). p_clips: of these networks on other clips (NaN without). adjusted and adjusted_clips are the two
    after Holm's correction over the table. ahead of seeds: with how many of them better is ahead. won and lost count
    clips, averaged over seeds, that only better, or only worse, gets right; size is Cohen's h."""

    claim: str
    better: str
    worse: str
    columns: tuple[str, ...]
    effect: metrics.Effect
    p: float
    p_clips: float
    seeds: int
    ahead: int
    size: float = float("nan")
    won: float = float("nan")
    lost: float = float("nan")
    adjusted: float = float("nan")
    adjusted_clips: float = float("nan")
    verdict: str = OPEN


@dataclass(frozen=True)
class Judged:
    """A claim, its verdict, the tests behind it, and for what is not run the reason."""

    claim: Claim
    verdict: str
    tests: tuple[Test, ...]
    reason: str = ""


def judge(results: Results, prices: Prices | None = None) -> list[Judged]:
    """The table's claims with their verdicts. prices: what ``reports.costs`` measured, by the rows' labels, for claims
    about costs."""
    claims = {claim.id: claim for claim in results.table.claims}
    tests = [test for claim in claims.values() for test in _tests(results, claim, prices or {})]
    adjusted = metrics.holm([test.p for test in tests])
    adjusted_clips = metrics.holm([test.p_clips for test in tests])
    told: dict[str, list[Test]] = {name: [] for name in claims}
    for test, p, p_clips in zip(tests, adjusted, adjusted_clips, strict=True):
        test = replace(test, adjusted=float(p), adjusted_clips=float(p_clips))
        told[test.claim].append(replace(test, verdict=verdict(claims[test.claim], test)))
    return [_judged(results, claim, tuple(told[claim.id])) for claim in claims.values()]


def verdict(claim: Claim, test: Test) -> str:
    """Of one comparison; see the top of the file."""
    value, low, high = test.effect[:3]
    if claim.relation == "within":
        tolerance = claim.tolerance or 0.0
        if test.adjusted < LEVEL:
            return HOLDS
        if low > tolerance or high < -tolerance:
            return AGAINST
        return WEAKLY if abs(value) <= tolerance else OPEN
    if test.adjusted < LEVEL:
        return HOLDS if value > 0 else AGAINST
    sure = test.p < LEVEL or test.adjusted_clips < LEVEL
    return WEAKLY if value > 0 and test.ahead == test.seeds and sure else OPEN


def together(verdicts: Iterable[str]) -> str:
    """The verdict of a claim from those of its comparisons."""
    found = set(verdicts)
    if not found:
        return MISSING
    if found == {HOLDS}:
        return HOLDS
    if AGAINST in found:
        return OPEN if HOLDS in found else AGAINST
    return WEAKLY if found <= {HOLDS, WEAKLY} else OPEN


def shares(judged: Iterable[Judged]) -> dict[str, int]:
    """How many claims have each verdict."""
    found = [one.verdict for one in judged]
    return {name: found.count(name) for name in VERDICTS}


def _judged(results: Results, claim: Claim, tests: tuple[Test, ...]) -> Judged:
    missing = {
        f"{row}: {reason}"
        for pair in claim.pairs
        for row in pair
        for column in results.table.of(claim)
        if column in results.table.columns and (reason := results.reason(row, column))
    }
    # An order is not seen where one of its rows is missing.
    pairs = {(test.better, test.worse) for test in tests}
    whole = pairs == set(claim.pairs)
    return Judged(claim, together(t.verdict for t in tests) if whole else MISSING, tests, "; ".join(sorted(missing)))


def _tests(results: Results, claim: Claim, prices: Prices) -> list[Test]:
    """The comparisons of a claim. Columns of the paper that are the same numbers here are one comparison."""
    found: list[Test] = []
    for better, worse in claim.pairs:
        for column in results.table.of(claim):
            cost = column in results.table.costs
            test = _of_costs(results, column, better, worse, prices) if cost else _test(results, column, better, worse)
            if test is None:
                continue
            test = replace(_less_the_gain(test, claim), claim=claim.id)
            place = (better, worse, test.effect[:3])
            same = [i for i, old in enumerate(found) if (old.better, old.worse, old.effect[:3]) == place]
            if same:
                found[same[0]] = replace(found[same[0]], columns=(*found[same[0]].columns, column.key))
            else:
                found.append(test)
    return found


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
    first, second = ([one.seeds.index(seed) for seed in seeds] for one in (ours, theirs))
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
    effect, ahead = metrics.paired_t(difference), int((difference > 0).sum())
    return Test("", better, worse, (column.key,), effect, effect.p, float("nan"), len(difference), ahead)


def _of_costs(results: Results, column: Column, better: str, worse: str, prices: Prices) -> Test | None:
    """Measured again and again on one machine: the quartiles stand for the interval, and a p that is 0 or 1 says
    whether they lie apart."""
    ours, theirs = (prices.get(results.table.row(row).label) for row in (better, worse))
    if ours is None or theirs is None or any(np.isnan(one.get(column.metric, np.nan)) for one in (ours, theirs)):
        return None
    sign = 1.0 if column.direction == "higher" else -1.0
    (low, value, high), (low2, value2, high2) = (
        [one.get(f"{column.metric}{end}", one[column.metric]) for end in ("_q1", "", "_q3")] for one in (ours, theirs)
    )
    ends = sorted([sign * (low - high2), sign * (high - low2)])
    p = 0.0 if ends[0] > 0 or ends[1] < 0 else 1.0
    effect = metrics.Effect(sign * (value - value2), *ends, p, float("nan"), float("nan"))
    return Test("", better, worse, (column.key,), effect, p, float("nan"), 1, int(effect.value > 0))


def _less_the_gain(test: Test, claim: Claim) -> Test:
    """The comparison under what the claim asks for beyond 'ahead'."""
    if claim.relation == "within":
        return replace(test, p=_equivalence(test.effect, claim.tolerance or 0.0))
    if not claim.gain:
        return test
    value, low, high, p, error, freedom = test.effect
    moved = value - claim.gain
    if error > 0:
        p = 2 * float(student.sf(abs(moved) / error, freedom))
    effect = metrics.Effect(moved, low - claim.gain, high - claim.gain, p, error, freedom)
    # Clips can't be paired against a gain, nor seeds counted.
    return replace(test, effect=effect, p=p, p_clips=float("nan"), ahead=test.seeds if moved > 0 else 0)


def _equivalence(effect: metrics.Effect, tolerance: float) -> float:
    """p of the two one-sided tests that the effect is beyond the tolerance on either side."""
    if not effect.error > 0:
        return float("nan") if np.isnan(effect.error) else float(abs(effect.value) > tolerance)
    sides = ((tolerance - effect.value) / effect.error, (tolerance + effect.value) / effect.error)
    return max(float(student.sf(side, effect.freedom)) for side in sides)
