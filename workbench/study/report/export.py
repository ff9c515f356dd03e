"""A study as files: the report, and beside it each table's numbers and verdicts for machines to read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from safefiles import drafts
from workbench.study import files
from workbench.study.report import alive_report, conditions, markdown, verdicts
from workbench.study.report.verdicts import Judged, Prices
from workbench.study.runs import hardware
from workbench.study.sweep.results import Results

#: What is true of one machine only.
HERE = ("root", "runs", "cache", "host")


def write(
    path: str | Path,
    studied: Iterable[Results],
    command: str,
    runs: str | Path = "runs",
    changes: dict[str, Any] | None = None,
) -> None:
    """The report of all tables at ``path``, and under study/ beside it <table>.csv (see ``lines``) and <table>.json
    (see ``facts``). changes are those of every row's configuration, for what the rows cost."""
    sections: list[str] = []
    by_document: dict[str, list[Judged]] = {}
    for results in studied:
        prices = markdown.prices_of(results, runs, changes)
        study_facts = facts(results, command, prices)
        document = re.sub(r"(?<=\)), .*", "", results.table.paper or results.table.title)
        by_document.setdefault(document, []).extend(verdicts.judge(results, prices))
        sections.append(markdown.section(results, command, prices))
        folder = Path(path).parent / "study"
        drafts.write(folder / f"{results.path.stem}.csv", lines(results, prices).to_csv(index=False).encode())
        drafts.write(folder / f"{results.path.stem}.json", files.json_bytes(study_facts))
    learnt = [_learnt(document, judged) for document, judged in by_document.items() if judged]
    count = Counter(one.verdict for judged in by_document.values() for one in judged)
    markdown.write(path, [_summary(len(sections), count, command), *learnt, *sections])


def _learnt(document: str, judged: list[Judged]) -> str:
    """A paragraph on what a document claims: the claims by verdict, each with the differences that were measured."""
    ran = sum(one.verdict != verdicts.MISSING for one in judged)
    parts = [f"**{document}.** {ran} of {len(judged)} {'claim is' if len(judged) == 1 else 'claims are'} run."]
    by_words: dict[str, list[str]] = {}
    for one in sorted(judged, key=lambda one: verdicts.VERDICTS.index(one.verdict)):
        differences = ", ".join(f"{test.effect.value:+.1f}" for test in one.tests)
        text = one.claim.text.removesuffix(".") + (f" ({differences})" if differences else "")
        by_words.setdefault(one.words, []).append(text)
    parts += [f"*{words[0].upper()}{words[1:]}*: {'; '.join(texts)}." for words, texts in by_words.items()]
    return " ".join(parts) + "\n"


def _summary(tables: int, verdicts_count: Counter[str], command: str) -> str:
    """What was studied, and how many claims came to which verdict."""
    environment = hardware.environment()
    revision = f", revision {environment['git'][:9]}" if environment["git"] else ""
    study = f"{tables} {'table' if tables == 1 else 'tables'} by `{command}`{revision}, on {environment['processor']}."
    shares = ", ".join(f"{verdict} {count}" for verdict, count in verdicts_count.most_common())
    return f"# Results\n\n{study}" + (f" Claims by verdict: {shares}.\n" if verdicts_count else "\n")


def lines(results: Results, prices: Prices | None = None) -> pd.DataFrame:
    """One line a row, column and seed: row, column, metric, protocol, seed, value, published, cell, seconds,
    training_seconds, memory_gib, attempts, and reason where there is no value. Costs have no seed."""
    rows = []
    for row in results.table.shown:
        for column in results.table.columns:
            values = results.values(row.id, column)
            place = {"row": row.id, "column": column.key, "metric": column.metric, "protocol": column.protocol}
            for seed in results.seeds:
                entry = results.entry(row.id, column, seed)
                if entry is None:
                    continue
                record = results.record(row.id, column, seed) or {}
                took = {name: record.get(name) for name in ("seconds", "training_seconds", "memory_gib", "attempts")}
                reason = "" if seed in values else results.reason(row.id, column)
                value = {"seed": seed, "value": values.get(seed), "published": row.published.get(column.key)}
                rows.append({**place, **value, "cell": entry.cell, **took, "reason": reason})
        for column in results.table.costs:
            price = (prices or {}).get(row.label, {}).get(column.metric)
            cost = {"row": row.id, "column": column.key, "metric": column.metric, "value": price}
            rows.append({**cost, "published": row.published.get(column.key)})
    return pd.DataFrame(rows)


def facts(results: Results, command: str, prices: Prices | None = None) -> dict[str, Any]:
    """What the study was: table, command, seeds, machine, revision, each row's configuration by protocol, its
    reading and its training, costs, the numbers with their intervals, the claims with verdicts and every comparison,
    and the rank agreement."""
    environment = hardware.environment()
    rows: dict[str, Any] = {}
    for entry in results.entries:
        if entry.cell and entry.seed == results.seeds[0]:
            parameters = results.plan.cells[entry.cell].parameters
            told = {name: value for name, value in parameters.items() if name not in HERE}
            rows.setdefault(entry.row, {})[entry.column] = told
    records = [record for key in results.plan.cells if (record := results.cell_record(key)) is not None]
    kinds = {tuple(sorted((k, v) for k, v in record["machine"].items() if k not in HERE)) for record in records}
    return {
        "table": results.path.name,
        "title": results.table.title,
        "paper": results.table.paper,
        "command": command,
        "seeds": results.seeds,
        "reported_by": {
            name: environment[name] for name in ("workbench", "git", "python", "processor", "gpu", "versions")
        },
        "trained_on": [dict(kind) for kind in sorted(kinds, key=str)],
        "code": sorted({record["code"] for record in records}),
        "effort": markdown.effort(results),
        "rank_agreement": markdown.agreement(results),
        "alive": alive_report.facts(results),
        "numbers": _without_nan(markdown.numbers(results, prices).to_dict("records")),
        "claims": [_claim(judged) for judged in verdicts.judge(results, prices)],
        "readings": conditions.readings(results).to_dict("records"),
        "rows": rows,
    }


def _claim(judged: Judged) -> dict[str, Any]:
    tests = [asdict(test) | {"effect": test.effect._asdict()} for test in judged.tests]
    claim = {"id": judged.claim.id, "text": judged.claim.text, "basis": judged.claim.basis, "verdict": judged.verdict}
    return claim | {"reason": judged.reason, "margin": judged.claim.margin, "tests": _without_nan(tests)}


def _without_nan(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and value != value else value
