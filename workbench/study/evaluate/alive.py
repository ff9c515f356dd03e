"""Is it alive? Whether what ``evaluate`` measured of a run's mechanism says that it acts, in words.

A mechanism below a floor is idle: its equation is computed, and the prediction doesn't hang on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.study.evaluate.exchanges import POSE, TIME, UNIFORM, weighs
from workbench.study.runs.find_runs import latest
from workbench.study.runs.run_folder import Run

#: Share of the predictions that another clip's poses (or time in another order) change at least. An exchange can move
#: accuracy by no more than the share that it changes, and a tenth is what other test clips do to it anyway: the 95 %
#: interval of 60 % right reaches 7 to 10 points to either side with 200 to 100 clips.
CHANGED = 0.10
#: Variance of a map over clips, as a share of its mean square: a hundredth of the map's size. A map that varies less is
#: a constant that was learnt, whatever it looks like.
VARIANCE = 1e-4

WORDS = {
    POSE: "another clip's poses change",
    TIME: "time in another order changes",
    UNIFORM: "uniform attention changes",
}


def verdict(alive: dict[str, Any]) -> list[str]:
    """A sentence for each part that is idle; empty where none is. alive: of a split, as ``evaluate`` stores it.

    Judged: the share of changed predictions, by other poses where the system reads poses, else by shuffled time (of a
    ceiling, whose attention is given, by uniform attention); the variance over clips of every map that weighs; of a
    contrast that the student's embedding is nearer to its own teacher's than to other classes', with an interval above
    zero; of a squared error that it is below the best constant's, and that the teacher's embedding varies.
    """
    sentences, exchanges = [], alive.get("exchanges", {})
    judged = UNIFORM if alive.get("ceiling") else POSE if POSE in exchanges else TIME
    if judged in exchanges and (changed := exchanges[judged]["changed"]["value"]) < CHANGED:
        sentences.append(f"idle: {WORDS[judged]} {100 * changed:.1f} % of predictions (floor {100 * CHANGED:.0f} %)")
    shares = {name: spread["over_clips_share"] for name, spread in alive.get("maps", {}).items() if weighs(name)}
    if same := [f"{name} {share:.1g}" for name, share in shares.items() if share < VARIANCE]:
        measure = f"variance over clips as a share of the mean square, floor {VARIANCE:g}"
        sentences.append(f"idle: the same map for every clip ({measure}): {', '.join(same)}")
    for level, numbers in alive.get("distillation", {}).items():
        sentences += [] if level == "skipped" else _taught(level, numbers)
    return sentences


def _taught(level: str, numbers: dict[str, Any]) -> list[str]:
    if "loss" in numbers:
        sentences = []
        if numbers["teacher_share"] < VARIANCE:
            measure = f"its variance over clips is {numbers['teacher_share']:.1g} (floor {VARIANCE:g})"
            sentences.append(f"idle: the teacher's embedding of {level} is the same for every clip, {measure}")
        if numbers["loss"] >= numbers["constant"]:
            measure = f"{numbers['loss']:.3g} is not below the best constant's, {numbers['constant']:.3g}"
            sentences.append(f"idle: the distillation of {level} tells no clip from another, its loss of {measure}")
        return sentences
    if "margin" not in numbers or numbers["margin"]["low"] > 0:
        return []
    margin = numbers["margin"]
    measure = f"cosine {margin['value']:+.3f} [{margin['low']:+.3f}, {margin['high']:+.3f}] (floor: above 0)"
    where = f"the student's embedding of {level} is no nearer to its own teacher's than to other classes'"
    return [f"idle: {where}, {measure}"]


def average(measured: Sequence[Any]) -> Any:
    """What several seeds measured as one: the mean of each number, but of intervals the lowest "low" and the highest
    "high"; what the first seed lacks is left out, and words are the first's."""
    first = measured[0]
    if isinstance(first, dict):
        ends = {"low": min, "high": max}
        mean = {}
        for name in first:
            values = [row[name] for row in measured if isinstance(row, dict) and name in row]
            mean[name] = ends[name](values) if name in ends else average(values)
        return mean
    return first if isinstance(first, str | bool) else sum(measured) / len(measured)


def line(system: str, root: str | Path = "runs", split: str = "test", data: str | None = None) -> str:
    """One line about the latest run of ``system`` under ``root`` (on the data at ``data``; None: on any): whether it
    is alive, or how to find out."""
    try:
        run = latest(root, data, system=system)
    except FileNotFoundError as problem:
        return f"is {system} alive? {problem}"
    return f"is {system} alive? {run.id}: {state(run, split)}"


def state(run: Run, split: str = "test") -> str:
    """The sentences about a run, as one; or why there are none."""
    measured = run.metrics.get(split)
    if measured is None:
        return f"not measured; evaluate(run, {split!r}) does"
    if not measured.get("alive"):
        return "it has no mechanism beside its networks, or was evaluated before this was measured"
    if set(measured["alive"]) == {"gradients"}:
        return "only how much each term of its loss moves it was measured"
    return "; ".join(verdict(measured["alive"])) or "alive"
