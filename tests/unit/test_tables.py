"""A table file: read strictly, run row by row, reported with its spread."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.fixtures import fake_synthadl
from workbench.study import reports, tables
from workbench.study.config import TrainConfig

TABLE = """
title: Two rows
base: {protocol: cs, preset: {base: tiny, clip: [8, 48, 48], width: 0.0625}, progress: false}
columns: [{metric: top1, label: top-1}, {metric: ranking, label: ranking}]
rows:
  - {id: short, label: Short, parameters: {system: pose_lstm, epochs: 1, options: {hidden: 8}}}
  - {id: long, label: Long, parameters: {system: pose_lstm, epochs: 2, options: {hidden: 8}}}
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.yaml"
    path.write_text(TABLE)
    return path


def test_the_committed_tables_are_valid_and_their_rows_are_configurations():
    for path in sorted((Path(__file__).parents[2] / "notebooks/ablations").glob("*.yaml")):
        read = tables.read_table(path)
        for row in read.rows:
            TrainConfig(**{**read.base, **row.parameters})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("title: Two rows", "titel: Two rows"), "titel"),
        (("metric: top1", "metrics: top1"), "metrics"),
        (("rows:", "rows: ["), "not a table file"),
        ((TABLE, "just words"), "not a table file"),
    ],
)
def test_a_bad_table_file_is_one_sentence_that_names_it(table, change, words):
    table.write_text(TABLE.replace(*change))
    with pytest.raises(ValueError, match=words) as problem:
        tables.read_table(table)
    assert str(table) in str(problem.value)


def test_an_unknown_row_is_named_before_anything_runs(table):
    with pytest.raises(ValueError, match="no row 'tall'; it has: short, long"):
        tables.sweep(table, rows=["tall"])


def test_rows_run_once_and_the_report_holds_the_numbers_of_their_runs(table, tmp_path):
    where = {"root": str(fake_synthadl(tmp_path / "world")), "runs": str(tmp_path / "runs")}
    results = tables.sweep(table, seeds=2, rows=["short"], **where)
    assert results["seed"].tolist() == [0, 1] and set(results["system"]) == {"Short"}
    measured = [json.loads(path.read_text())["test"]["top1"] for path in (tmp_path / "runs").glob("*/metrics.json")]
    assert sorted(results["top-1"] / 100) == pytest.approx(sorted(measured))
    assert results["ranking"].isna().all()
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/weights.safetensors")}
    tables.sweep(table, seeds=2, rows=["short"], **where)
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/weights.safetensors")}
    reports.write(tmp_path / "report.md", [reports.section(tables.read_table(table), results, "a command")])
    assert "| Short |" in (tmp_path / "report.md").read_text()


def test_spread_is_mean_and_sample_deviation_in_the_order_of_the_rows(table):
    results = pd.DataFrame(
        {"system": ["Long", "Short", "Long", "Short"], "seed": [0, 0, 1, 1], "top-1": [50.0, 10.0, 54.0, 20.0]}
    )
    found = reports.spread(results)
    assert found["system"].tolist() == ["Long", "Short"]
    assert found["top-1"].tolist() == [52.0, 15.0]
    assert found["top-1_sd"].tolist() == pytest.approx([8**0.5, 50**0.5])
    text = reports.section(tables.read_table(table), results.assign(ranking=float("nan")), "a command")
    assert "| Long | 52.0 ± 2.8 | – |" in text and "| Short | 10.0 / 20.0 | – / – |" in text


def test_a_row_starts_from_the_run_of_another_row_with_the_same_seed(table, tmp_path):
    start = "init: {pose_backbone: 'row:long'}"
    row = f"{{system: pose_lstm, epochs: 1, options: {{hidden: 8}}, {start}}}"
    third = f"  - {{id: third, label: Third, parameters: {row}}}\n"
    table.write_text(TABLE + third)
    where = {"root": str(fake_synthadl(tmp_path / "world")), "runs": str(tmp_path / "runs")}
    tables.sweep(table, seeds=2, rows=["third"], **where)
    configs = [json.loads(path.read_text())["config"] for path in (tmp_path / "runs").glob("*/config.json")]
    started = {config["seed"]: config["init"]["pose_backbone"] for config in configs if config["init"]}
    long = {
        path.parent.name: json.loads(path.read_text())["config"] for path in (tmp_path / "runs").glob("*/config.json")
    }
    assert {seed: long[run]["seed"] for seed, run in started.items()} == {0: 0, 1: 1}
    assert all(long[run]["epochs"] == 2 for run in started.values())


def test_rows_that_start_from_each_other_or_from_nowhere_are_refused(table):
    def rows(*sources):
        return (
            TABLE.split("rows:")[0]
            + "rows:\n"
            + "".join(
                f"  - {{id: {name}, label: {name}, parameters: {{system: pose_lstm, init: {{'': 'row:{source}'}}}}}}\n"
                for name, source in sources
            )
        )

    table.write_text(rows(("a", "b"), ("b", "a")))
    with pytest.raises(ValueError, match="start from each other: a <- b <- a"):
        tables.sweep(table)
    table.write_text(rows(("a", "gone")))
    with pytest.raises(ValueError, match="row 'a' starts from row 'gone'"):
        tables.sweep(table)
