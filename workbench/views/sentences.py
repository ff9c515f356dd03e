"""What notebooks say of a run in words, computed from what was measured of it; Markdown."""

from __future__ import annotations

from IPython.display import Markdown

from workbench import metrics
from workbench.study.runs.run_folder import Run
from workbench.study.runs.run_table import clips_learnt
from workbench.systems.common.base import System

#: What f' is, by the option modulation (nets.attention.modulate).
FORMS = {
    "residual": "the printed form, $f' = f + A \\circ f$: the weighted map is added to the map itself",
    "gated": "the product alone, $f' = A \\circ f$",
    "mean": "the weighted mean, $f' = A \\circ f / \\overline{A}$: what has little weight counts little",
    "both": "the weighted mean $A \\circ f / \\overline{A}$ beside $f$ itself, so that the classifier reads both",
}
#: The baselines that attention has to beat, in words.
BASELINES = {"centre": "a blob in the centre", "shuffled_pose": "itself with another clip's poses"}
GRADES = {"ranking": "*where*", "temporal_overlap": "*when*"}


def network(*runs: Run, split: str = "test") -> Markdown:
    """Which networks a notebook is about: a line a run, what it learnt from and how often it is right."""
    return Markdown("\n\n".join(_network(run, split) for run in runs))


def _network(run: Run, split: str) -> str:
    learnt = clips_learnt(run)
    origin = f"**{run.config.title}** (`{run.id}`)" + (f" learnt from {learnt}" if learnt else "")
    measured = run.metrics.get(split, {})
    if "top1" not in measured:
        return f"{origin}."
    low, high = (f"{100 * measured[end]:.0f}" for end in ("top1_low", "top1_high"))
    right = f"{100 * measured['top1']:.1f} % of {measured['clips']:,} {split} clips (95 % interval {low} to {high})"
    return f"{origin}. It classifies {right} correctly."


def form(system: System) -> Markdown:
    """How the system weighs its feature map."""
    how = getattr(getattr(system, "options", None), "modulation", None)
    if how is None:
        return Markdown("The network shown here has no option `modulation`.")
    return Markdown(f'The network shown here has `modulation = "{how}"`: {FORMS[how]}.')


def graded(run: Run, split: str = "test") -> Markdown:
    """Whether the run's attention beats its baselines, grade by grade."""
    report = run.metrics.get(split, {}).get("attention", {})
    lines = []
    for grade, name in GRADES.items():
        for baseline, words in BASELINES.items():
            if interval := report.get(grade, {}).get(f"minus_{baseline}"):
                low, high = interval["low"], interval["high"]
                how = "beats" if low > 0 else "is behind" if high < 0 else "cannot be told from"
                lines.append(
                    f"{name}: the attention {how} {words} ({interval['value']:+.3f} [{low:+.3f}, {high:+.3f}])"
                )
    return Markdown("".join(f"- {line}\n" for line in lines) or "The attention of this run was not graded.")


def difference(first: Run, second: Run, split: str = "test") -> Markdown:
    """How much better the second of two runs is on the same clips, and whether other clips could turn that round."""
    predictions = [run.predictions(split) for run in (first, second)]
    right = [metrics.hits(one.scores, one.labels, 1) for one in predictions]
    value = metrics.paired_difference(*right)
    points = f"{100 * value.value:+.1f} points [{100 * value.low:+.1f}, {100 * value.high:+.1f}]"
    verdict = "Other test clips could turn this round" if value.low <= 0 <= value.high else "0 is outside the interval"
    return Markdown(
        f"**{second.config.title} minus {first.config.title}**: {points}, of {len(right[0])} clips. {verdict}."
    )
