"""The report's table "Is it alive?": what each row's mechanism does to its predictions, beside its ceiling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from workbench import metrics
from workbench.study.evaluate import alive
from workbench.study.evaluate.evaluate import is_ceiling
from workbench.study.evaluate.exchanges import POSE, TIME, UNIFORM, weighs
from workbench.study.report import scores
from workbench.study.report.markdown_table import markdown_table
from workbench.study.runs.run_folder import Run
from workbench.study.sweep import sweep
from workbench.study.sweep.results import Results
from workbench.study.tables.table_file import Column, Row

#: What is given in a ceiling, and otherwise learnt.
GIVEN = ("guide", "given")
HEADS = {
    "accuracy": "percent right",
    "gain": "gain",
    "ceiling": "at best",
    POSE: "another clip's poses",
    UNIFORM: "uniform attention",
    TIME: "shuffled time",
    "maps": "variance of maps",
    "distillation": "own teacher",
    "gradients": "gradient of the classes",
}


@dataclass(frozen=True)
class Living:
    """A row, its runs by seed, and the mean over seeds of what they measured (None: nothing was)."""

    row: Row
    runs: dict[int, Run]

    @cached_property
    def alive(self) -> dict[str, Any] | None:
        """What attention does, averaged over the runs; None where no run says."""
        measurements = [
            measured for run in self.runs.values() if (measured := run.metrics.get("test", {}).get("alive"))
        ]
        return alive.average(measurements) if measurements else None

    @cached_property
    def config(self) -> tuple[str, dict[str, Any]]:
        """The system and its options."""
        run = next(iter(self.runs.values()))
        return run.experiment.system, run.experiment.options

    @property
    def ceiling(self) -> bool:
        """Whether the row reads the truth."""
        return is_ceiling(self.config[1])


def read(results: Results, column: Column) -> list[Living]:
    """The rows that are shown, with the runs for ``column`` that were evaluated; without such a run a row is left
    out."""
    living = []
    for row in results.table.shown:
        runs = {seed: results.run(row.id, column, seed) for seed in results.seeds}
        evaluated = {seed: run for seed, run in runs.items() if run is not None and "test" in run.metrics}
        if evaluated:
            living.append(Living(row, evaluated))
    return living


def ceilings(living: Living, rows: Sequence[Living]) -> list[Living]:
    """The ceilings of a row: those of the same options, but for what is given; else of the same modulation."""
    system, options = living.config
    candidates = [row for row in rows if row.ceiling and row.config[0] == system]
    same = [row for row in candidates if _learnt(row.config[1]) == _learnt(options)]
    return same or [row for row in candidates if row.config[1].get("modulation") == options.get("modulation")]


def bars(path: str | Path, runs: str | Path, root: str | None = None) -> pd.DataFrame:
    """The rows of a table of ceilings that were run in the store ``runs``, on the data at ``root`` (None: the
    table's): label, value, low, high (percent, see
    ``scores.interval``) and kind, "plain", "learnt" or "known truth". Empty without the table or its runs."""
    empty = pd.DataFrame(columns=["label", "value", "low", "high", "kind"])
    if not Path(path).is_file():
        return empty
    where = {"runs": str(runs), **({} if root is None else {"root": root})}
    (results,) = sweep.read([path], where=where)
    column = column_of(results)
    if column is None:
        return empty
    lines = []
    for living in read(results, column):
        kind = "known truth" if living.ceiling else "plain" if living.config[0] == "rgb" else "learnt"
        interval = scores.interval(results, living.row.id, column)
        assert interval is not None  # the row was evaluated
        lines.append({"label": living.row.label, **interval._asdict(), "kind": kind})
    return pd.DataFrame(lines) if lines else empty


def _learnt(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in GIVEN}


def plain(rows: Sequence[Living]) -> Living | None:
    """What a mechanism is compared with: the first row of the table that is a video network without any."""
    return next((living for living in rows if living.config[0] == "rgb"), None)


def column_of(results: Results) -> Column | None:
    """The first column whose rows have runs, of those whose number is a mean over clips where there are any."""
    columns = sorted(results.table.columns, key=lambda column: column.metric not in scores.BY_CLIP)
    return next((column for column in columns if read(results, column)), None)


def gain(results: Results, better: Row, worse: Row, column: Column) -> metrics.Interval | None:
    """How much ``better`` is ahead, in the column's unit, with its 95 % interval over the seeds that both have and
    clips (clips alone for one seed); None without such a seed."""
    a, b = (scores.of(results, row.id, column) for row in (worse, better))
    if a is None or b is None or a.ids != b.ids or not (seeds := sorted(set(a.seeds) & set(b.seeds))):
        return None
    first, second = (row.values[[row.seeds.index(seed) for seed in seeds]] for row in (a, b))
    if len(seeds) == 1:
        return metrics.paired_difference(first[0], second[0])
    effect = metrics.crossed(second - first)
    return metrics.Interval(effect.value, effect.low, effect.high)


def facts(results: Results) -> dict[str, Any]:
    """By row, what was measured (mean over seeds) and the verdict in words, for machines to read."""
    column = column_of(results)
    rows = [] if column is None else read(results, column)
    return {living.row.id: {**living.alive, "verdict": alive.verdict(living.alive)} for living in rows if living.alive}


def section(results: Results) -> str:
    """The table in Markdown; empty where no row has a mechanism that was measured."""
    column = column_of(results)
    if column is None:
        return ""
    living_rows = read(results, column)
    measured = [living for living in living_rows if living.alive]
    if not measured:
        return ""
    base = plain(living_rows)
    lines = [{"row": living.row.label, **_line(results, living, living_rows, base, column)} for living in measured]
    heads = {key: head for key, head in HEADS.items() if any(line[key] != "–" for line in lines)}
    rows = [[line["row"], *(line[key] for key in heads), line["verdict"]] for line in lines]
    table = markdown_table(["", *heads.values(), "verdict"], rows)
    return f"Is it alive? ({column.label}) {_legend(heads, base)}\n\n{table}"


def _legend(heads: dict[str, str], base: Living | None) -> str:
    sentences = []
    if "gain" in heads and base is not None:
        sentences.append(f"Gain: over “{base.row.label}”, in points, with its 95 % interval.")
    if "ceiling" in heads:
        sentences.append(
            "At best: the same form with the known region and moment as attention, or with the teacher's own feature."
        )
    if {POSE, UNIFORM, TIME} & set(heads):
        sentences.append("For each exchange: the share of predictions that change, and after the arrow the accuracy.")
    if "maps" in heads:
        sentences.append("Variance: over clips, as a share of the map's mean square.")
    if "distillation" in heads:
        sentences.append(
            "Own teacher: cosine to its embedding minus that to other classes', and loss / the best constant's."
        )
    if "gradients" in heads:
        sentences.append("Gradient: the share of the classes, in the first and the last epoch of each stage.")
    sentences.append("Numbers are means over seeds, with the 95 % interval over clips of each seed in brackets.")
    return " ".join(sentences)


def _line(results: Results, living: Living, rows: list[Living], base: Living | None, column: Column) -> dict[str, str]:
    measured = living.alive or {}
    mean = metrics.over_seeds(list(results.values(living.row.id, column).values()))
    verdicts, maps = [*(["ceiling"] if living.ceiling else []), *alive.verdict(measured)], measured.get("maps", {})
    return {
        "accuracy": f"{mean.mean:.1f}",
        "gain": _ahead(results, living, base, column),
        "ceiling": "–" if living.ceiling else _at_best(results, living, rows, base, column),
        **{name: _exchange(measured.get("exchanges", {}).get(name)) for name in (POSE, UNIFORM, TIME)},
        "maps": _joined(f"{name} {spread['over_clips_share']:.1g}" for name, spread in maps.items() if weighs(name)),
        "distillation": _joined(_level(*pair) for pair in measured.get("distillation", {}).items()),
        "gradients": _joined(_stage(*pair) for pair in measured.get("gradients", {}).items()),
        "verdict": "; ".join(verdicts) or "alive",
    }


def _ahead(results: Results, living: Living, base: Living | None, column: Column) -> str:
    interval = None if base is None or base is living else gain(results, living.row, base.row, column)
    return "–" if interval is None else f"{interval.value:+.1f} [{interval.low:+.1f}, {interval.high:+.1f}]"


def _at_best(results: Results, living: Living, rows: list[Living], base: Living | None, column: Column) -> str:
    numbers = []
    for best in ceilings(living, rows):
        mean = metrics.over_seeds(list(results.values(best.row.id, column).values()))
        ahead = _ahead(results, best, base, column)
        numbers.append(f"{best.row.label}: {mean.mean:.1f}" + ("" if ahead == "–" else f" ({ahead})"))
    return _joined(numbers)


def _exchange(exchange: dict[str, Any] | None) -> str:
    if exchange is None:
        return "–"
    changed = {end: 100 * value for end, value in exchange["changed"].items()}
    share = f"{changed['value']:.1f} % [{changed['low']:.1f}, {changed['high']:.1f}]"
    return f"{share} → {100 * exchange['top1']['value']:.1f}"


def _level(level: str, measured: Any) -> str:
    if level == "skipped":
        return str(measured)
    numbers = [level]
    if "margin" in measured:
        numbers.append("{value:+.2f} [{low:+.2f}, {high:+.2f}]".format(**measured["margin"]))
    if measured.get("constant"):
        numbers.append(f"loss {measured['loss'] / measured['constant']:.3g} of the constant's")
    return " ".join(numbers)


def _stage(stage: str, ends: dict[str, dict[str, float]]) -> str:
    shares = [ends[end].get("gradient_classification") for end in ("first", "last")]
    return f"{stage} {shares[0]:.2f} → {shares[1]:.2f}" if None not in shares else ""


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(filter(None, parts)) or "–"
