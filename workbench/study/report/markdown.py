"""Tables as Markdown, beside the paper's: mean and interval over seeds and clips, claims with verdicts, and costs."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from safefiles import checksums, drafts
from workbench import metrics
from workbench.study import files
from workbench.study.analysis import profiling
from workbench.study.config.experiment import resolve
from workbench.study.config.train_config import TrainConfig
from workbench.study.report import alive_report, conditions, scores, verdicts
from workbench.study.report.markdown_table import markdown_table
from workbench.study.report.verdicts import Judged, Prices
from workbench.study.runs import hardware
from workbench.study.sweep.results import NOTHING, Results
from workbench.study.tables.table_file import Column, configs


def spread(results: pd.DataFrame) -> pd.DataFrame:
    """One line a system, in the order of ``results``: each number's mean and, as <name>_sd, its standard deviation (NaN
    of a single seed)."""
    by_system = results.drop(columns="seed").groupby("system", sort=False)
    return by_system.mean().join(by_system.std(), rsuffix="_sd").reset_index()


def costs(configs: dict[str, TrainConfig], runs: str | Path, repeats: int = 20) -> Prices:
    """What ``profiling.profile`` measures at test of each configuration on this machine, by label. Measured once: kept
    under <runs>/costs."""
    measured = {}
    for label, config in configs.items():
        numbers = config.numbers.model_dump(mode="json")
        identity = [config.title, resolve(config).options, numbers, hardware.environment()["processor"]]
        identity += [config.network] if config.network else []
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        path = Path(runs) / "costs" / f"{re.sub('[^a-z0-9_]+', '-', config.title)}-{digest}.json"
        if not checksums.intact(path):
            files.write_json(path, profiling.profile(config, repeats, training=False))
        measured[label] = files.read_json(path)
    return measured


def prices_of(results: Results, runs: str | Path, changes: dict[str, Any] | None = None) -> Prices:
    """``costs`` of the table's rows, with ``changes`` of their configuration; empty for a table without costs."""
    return costs(configs(results.path, changes), runs) if results.table.costs else {}


def numbers(results: Results, prices: Prices | None = None) -> pd.DataFrame:
    """One line a row that is shown and column: row, label, column, published, value, low, high (95 %, see
    ``scores.interval``; quartiles of costs), seeds, and reason where there is no value."""
    lines = []
    for row in results.table.shown:
        for column in (*results.table.columns, *results.table.costs):
            place = {"row": row.id, "label": row.label, "column": column.key, "title": column.label}
            value = _measured(results, row.id, column, (prices or {}).get(row.label))
            lines.append({**place, "published": row.published.get(column.key), **value})
    return pd.DataFrame(lines)


def _measured(results: Results, row: str, column: Column, price: dict[str, float] | None) -> dict[str, Any]:
    nothing = {"value": float("nan"), "low": float("nan"), "high": float("nan"), "seeds": 0}
    if column in results.table.costs:
        if price is None or pd.isna(price.get(column.metric)):
            return nothing | {"reason": results.table.row(row).absent or "not measured"}
        low, high = (price.get(f"{column.metric}_{end}", price[column.metric]) for end in ("q1", "q3"))
        return {"value": price[column.metric], "low": low, "high": high, "seeds": 1, "reason": ""}
    interval = scores.interval(results, row, column)
    if interval is None:
        return nothing | {"reason": results.reason(row, column)}
    return {**interval._asdict(), "seeds": len(results.values(row, column)), "reason": ""}


def overview(results: Results) -> pd.DataFrame:
    """For the terminal: a line a row, a column a column, mean and interval, "not run", or – where a run has no such
    number."""
    measured = numbers(results)
    measured["shown"] = [_ours(line) for line in measured.itertuples()]
    wide = measured.pivot(index="label", columns="title", values="shown")
    wide = wide.loc[measured["label"].unique(), measured["title"].unique()]
    return wide.rename_axis(index="row", columns=None).reset_index()


def agreement(results: Results) -> dict[str, float]:
    """Kendall's tau between the paper's and our order of the rows, by column that has both."""
    by_column = {}
    for column in results.table.columns:
        rows = results.table.shown
        published = np.array([row.published.get(column.key) for row in rows], float).tolist()
        ours = [pd.Series(results.values(row.id, column), dtype=float).mean() for row in rows]
        by_column[column.key] = metrics.rank_agreement(published, ours)
    return {key: tau for key, tau in by_column.items() if not pd.isna(tau)}


def claims(studied: Iterable[Results], prices: dict[str, Prices] | None = None) -> pd.DataFrame:
    """One line a comparison, and one for a claim without any: table, claim, text, verdict (of the claim), columns,
    rows, difference, low, high, p, adjusted, p_clips, ahead, size (Cohen's h), won, lost, same (the x of "the same
    within x"), p_same, published (the paper's difference in the first of the columns) and reason. prices by the table's
    file name, see ``prices_of``."""
    rows = []
    for results in studied:
        for judged in verdicts.judge(results, (prices or {}).get(results.path.stem)):
            claim = {"table": results.path.stem, "claim": judged.claim.id, "text": judged.claim.text}
            claim |= {"verdict": judged.verdict, "reason": judged.reason}
            rows += [{**claim, **_comparison(results, judged, test)} for test in judged.tests] or [claim]
    names = "table claim text verdict columns rows difference low high p adjusted p_clips ahead size won lost"
    return pd.DataFrame(rows, columns=[*names.split(), "same", "p_same", "published", "reason"])


def _comparison(results: Results, judged: Judged, test: verdicts.Test) -> dict[str, Any]:
    margins = dict(zip([column.key for column in results.table.of(judged.claim)], judged.claim.margin, strict=False))
    effect = test.effect
    return {
        "columns": ", ".join(_title(results, key) for key in test.columns),
        "rows": f"{test.better} > {test.worse}",
        "difference": effect.value,
        "low": effect.low,
        "high": effect.high,
        "ahead": f"{test.ahead} of {test.seeds}",
        **{name: getattr(test, name) for name in ("p", "adjusted", "p_clips", "size", "won", "lost", "same", "p_same")},
        "published": margins.get(test.columns[0]),
    }


def cells(results: Results, folder: str | Path | None = None) -> pd.DataFrame:
    """One line a cell of the table: row, columns, seed, status, seconds, training_seconds, memory_gib, attempts, and
    notebook, the executed copy's path from ``folder`` (None: the current one)."""
    by_cell: dict[tuple[str, int, str], dict[str, Any]] = {}
    for entry in (entry for entry in results.entries if entry.cell):
        column = next(column for column in results.table.columns if column.key == entry.column)
        key = (entry.row, entry.seed, entry.cell)
        if key in by_cell:
            by_cell[key]["columns"] += f", {column.label}"
            continue
        record = results.cell_record(entry.cell) or {}
        took = {name: record.get(name) for name in ("seconds", "training_seconds", "memory_gib", "attempts")}
        path = results.executed(entry.row, column, entry.seed)
        where = "" if path is None else os.path.relpath(path, folder or Path.cwd())
        place = {"row": results.table.row(entry.row).label, "columns": column.label, "seed": entry.seed}
        status = record.get("status") or ("done" if results.run(entry.row, column, entry.seed) else "not run yet")
        by_cell[key] = {**place, "status": status, **took, "notebook": where}
    return pd.DataFrame(list(by_cell.values()))


def linked(cells: pd.DataFrame) -> str:
    """``cells`` as HTML, the notebooks as links; every text is escaped."""
    table = cells.astype(object).where(cells.notna(), "–").map(lambda value: html.escape(str(value)))
    table["notebook"] = [f'<a href="{path}">{Path(path).name}</a>' if path else "–" for path in table["notebook"]]
    return table.to_html(index=False, escape=False)


def effort(results: Results) -> dict[str, float]:
    """What the runs of the table took together: cells, hours of training, hours in all, and GiB of the largest."""
    keys = {entry.cell for entry in results.entries if entry.cell}
    waiting = list(keys)
    while waiting:
        more = set(results.plan.cells[waiting.pop()].needs) - keys
        keys |= more
        waiting += more
    records = [record for key in keys if (record := results.cell_record(key)) is not None]
    return {
        "cells": len(keys),
        "done": sum(record["status"] == "done" for record in records),
        "training_hours": sum(record.get("training_seconds", 0.0) for record in records) / 3600,
        # A record that was made anew, since a run was to be measured on more, knows only what that took.
        "hours": sum(max(r.get("seconds", 0.0), r.get("training_seconds", 0.0)) for r in records) / 3600,
        "memory_gib": max((record.get("memory_gib", 0.0) for record in records), default=0.0),
    }


def section(results: Results, command: str, prices: Prices | None = None) -> str:
    """A table in Markdown: the paper's and our numbers, what is not run and why, the claims, and every seed."""
    table, judged = results.table, verdicts.judge(results, prices)
    parts = [f"# {table.title}"]
    if table.paper:
        parts.append(f"{table.paper}. {table.setting}".strip())
    seeds = len(results.seeds)
    counts = {len(results.values(row.id, column)) for row in table.rows for column in table.columns} - {0}
    fewer = "up to " if any(count < seeds for count in counts) else ""
    samples = "clips" if seeds == 1 else "seeds and, for shares of clips, for other clips"
    legend = (
        f"Our numbers: the mean over {fewer}{seeds} {'seed' if seeds == 1 else 'seeds'}, and in brackets the 95 % "
        f"interval for other {samples}. Command: `{command}`."
    )
    if table.costs:
        legend += f" Costs: median and quartiles on {hardware.environment()['processor']}."
    parts += [table.note.strip(), legend, _numbers_table(results, prices)]
    parts += [_reasons(results, prices), _readings(results), _claims(results, judged)]
    parts += [alive_report.section(results), _each_seed(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _numbers_table(results: Results, prices: Prices | None) -> str:
    measured = numbers(results, prices)
    printed = measured["published"].notna().any()
    columns = (*results.table.columns, *results.table.costs)
    labels = [column.label if column.unit == "percent" else f"{column.label} ({column.unit})" for column in columns]
    heads = [head for label in labels for head in ([f"{label}, paper", "ours"] if printed else [label])]
    rows = []
    for label, row_lines in measured.groupby("label", sort=False):
        pairs = [[_plain(line.published), _ours(line)] if printed else [_ours(line)] for line in row_lines.itertuples()]
        rows.append([label, *(cell for pair in pairs for cell in pair)])
    return markdown_table(["", *heads], rows, numbers=True)


def _reasons(results: Results, prices: Prices | None) -> str:
    measured = numbers(results, prices)
    missing = measured[~measured["reason"].isin(["", NOTHING])]
    reasons = [
        f"- {reason}: "
        + "; ".join(f"{label} ({', '.join(mine['title'])})" for label, mine in group.groupby("label", sort=False))
        for reason, group in missing.groupby("reason", sort=False)
    ]
    return "Not run:\n\n" + "\n".join(reasons) if reasons else ""


def _readings(results: Results) -> str:
    readings = conditions.readings(results)
    if readings.empty:
        return ""
    readings["differs"] = readings["differs"].replace("", "–")
    rows = readings[["label", "reading", "training", "differs"]].to_numpy()
    heads = ["row", "reading", "training, including its start", "why the training differs"]
    legend = "Readings: the options that differ from the paper's; sizes that differ are in brackets."
    return f"{legend}\n\n{markdown_table(heads, rows)}"


def _claims(results: Results, judged: list[Judged]) -> str:
    if not judged:
        return ""
    rows = []
    for claim in judged:
        margin = " / ".join(_plain(value) for value in claim.claim.margin) or "–"
        rows.append([claim.claim.id, claim.claim.text, f"**{claim.words}**", _tests(claim), margin])
    heads = ["id", "claim", "verdict", "ours: difference [95 %], p (adjusted)", "paper: difference"]
    order = agreement(results)
    ranks = ", ".join(f"{_title(results, key)} {tau:.2f}" for key, tau in order.items())
    tail = f"\n\nAgreement of the rows' order with the paper's (Kendall's tau): {ranks}." if order else ""
    same = f"rows are the same within {results.table.same:g} points if the 90 % interval of their difference is"
    return f"Claims; {same}:\n\n{markdown_table(heads, rows)}{tail}"


def _title(results: Results, key: str) -> str:
    return next(c.label for c in (*results.table.columns, *results.table.costs) if c.key == key)


def _tests(judged: Judged) -> str:
    if not judged.tests:
        return judged.reason or "–"
    return "; ".join(
        f"{' = '.join(test.columns)}: {test.effect.value:+.1f} [{test.effect.low:+.1f}, {test.effect.high:+.1f}], "
        + (f"p {test.p:.2g} ({test.adjusted:.2g})" if not pd.isna(test.p) else f"p over clips {test.p_clips:.2g}")
        + (f", {test.words}" if len(judged.tests) > 1 else "")
        for test in judged.tests
    )


def _each_seed(results: Results) -> str:
    rows = []
    for row in results.table.shown:
        values = [results.values(row.id, column) for column in results.table.columns]
        rows.append([row.label, *(" / ".join(f"{value:.1f}" for value in seeds.values()) or "–" for seeds in values)])
    heads = ["", *(column.label for column in results.table.columns)]
    return f"Each seed:\n\n{markdown_table(heads, rows, numbers=True)}"


def write(path: str | Path, sections: Iterable[str]) -> None:
    """The sections in one Markdown file."""
    drafts.write(path, "\n".join(sections).encode())


def _plain(value: Any) -> str:
    return "–" if pd.isna(value) else f"{value:g}"


def _ours(line: Any) -> str:
    if pd.isna(line.value):
        return "–" if line.reason == NOTHING else "not run"
    form = "{:.1f}" if abs(line.value) < 1000 else "{:.0f}"
    if pd.isna(line.low) or line.low == line.high:
        return form.format(line.value)
    return f"{form.format(line.value)} [{form.format(line.low)}, {form.format(line.high)}]"
