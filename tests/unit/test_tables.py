"""A table file: read strictly, run row by row, reported with its spread."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.fixtures import fake_synthadl
from workbench.study import files
from workbench.study.config.train_config import TrainConfig
from workbench.study.report import markdown
from workbench.study.sweep import job, sweep
from workbench.study.tables import plan, table_file
from workbench.study.tables.table_file import read_table

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
        read = table_file.read_table(path)
        for row in (row for row in read.rows if not row.absent and not row.requires):
            TrainConfig(**{**read.base, **row.parameters})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("title: Two rows", "titel: Two rows"), "titel"),
        (("metric: top1", "metrics: top1"), "metrics"),
        (("rows:", "rows: ["), "can't be read as YAML"),
        ((TABLE, "just words"), "not a table file"),
    ],
)
def test_a_bad_table_file_is_one_sentence_that_names_it(table, change, words):
    table.write_text(TABLE.replace(*change))
    with pytest.raises(ValueError, match=words) as problem:
        table_file.read_table(table)
    assert str(table) in str(problem.value)


def test_an_unknown_row_is_named_before_anything_runs(table):
    with pytest.raises(ValueError, match="no row 'tall'; it has: short, long"):
        sweep.sweep(table, rows=["tall"])


def test_rows_run_once_and_the_report_holds_the_numbers_of_their_runs(table, tmp_path):
    where = {"root": str(fake_synthadl(tmp_path / "world")), "runs": str(tmp_path / "runs")}
    results = sweep.sweep(table, seeds=2, rows=["short"], **where)
    assert results["seed"].tolist() == [0, 1] and set(results["system"]) == {"Short"}
    measured = [json.loads(path.read_text())["test"]["top1"] for path in (tmp_path / "runs").glob("*/metrics.json")]
    assert sorted(results["top-1"] / 100) == pytest.approx(sorted(measured))
    assert results["ranking"].isna().all()
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/weights.safetensors")}
    sweep.sweep(table, seeds=2, rows=["short"], **where)
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/weights.safetensors")}
    read = sweep.read([table], 2, where=where)[0]
    markdown.write(tmp_path / "report.md", [markdown.section(read, "a command")])
    assert "| Short |" in (tmp_path / "report.md").read_text() and "not run yet" in read.reason(
        "long", read.table.columns[0]
    )


def test_a_table_may_read_validation_subjects_of_runs_that_were_measured_on_test(table, tmp_path):
    """The run is measured on the split that it lacks, and not trained again."""
    where = {"root": str(fake_synthadl(tmp_path / "world")), "runs": str(tmp_path / "runs")}
    sweep.sweep(table, seeds=1, rows=["short"], **where)
    (weights,) = (tmp_path / "runs").glob("*/weights.safetensors")
    trained = weights.stat().st_mtime_ns
    choosing = tmp_path / "choosing.yaml"
    text = TABLE.replace("progress: false", "progress: false, evaluate: [test, validation]")
    choosing.write_text(text.replace("metric: ranking", "metric: validation_top1"))
    both = [read_table(choosing), read_table(table)]
    for order in (both, both[::-1]):
        (cell,) = plan.plan(order, 1, ["short"], where=where).cells.values()
        assert cell.splits == {"test", "validation"}
    record = {"status": job.DONE, "code": cell.code, "source": cell.source}
    files.write_json(job.folder(cell) / f"{cell.key}.json", record)
    (job.folder(cell) / f"{cell.key}.ipynb").touch()
    assert job.done(cell) is None
    found = sweep.sweep(choosing, seeds=1, rows=["short"], **where)
    assert weights.stat().st_mtime_ns == trained
    measured = json.loads((weights.parent / "metrics.json").read_text())["validation"]["top1"]
    assert found["ranking"][0] == pytest.approx(100 * measured)
    assert job.done(cell) == record
    # What the run has lost is named before the cell is executed again, and stays there for its training to mend.
    (weights.parent / "config.json").write_bytes(b"")
    with pytest.warns(UserWarning, match="config.json is damaged .*: the run goes through its cell again"):
        assert job.done(cell) is None
    assert (weights.parent / "config.json").read_bytes() == b""


def test_a_file_says_how_many_seeds_unless_the_sweep_is_told(table, tmp_path):
    where = {"root": str(fake_synthadl(tmp_path / "world")), "runs": str(tmp_path / "runs")}

    def seeds(told):
        return sweep.read([table], told, where=where)[0].seeds

    assert seeds(None) == [0, 1, 2]
    table.write_text(TABLE + "seeds: 2\n")
    assert seeds(None) == [0, 1] and seeds(1) == [0]
    with pytest.raises(ValueError, match="seeds must be 1 or more, got 0"):
        seeds(0)
    table.write_text(TABLE + "seeds: 0\n")
    with pytest.raises(ValueError, match="greater than 0"):
        seeds(None)


def test_spread_is_mean_and_sample_deviation_in_the_order_of_the_rows():
    results = pd.DataFrame(
        {"system": ["Long", "Short", "Long", "Short"], "seed": [0, 0, 1, 1], "top-1": [50.0, 10.0, 54.0, 20.0]}
    )
    found = markdown.spread(results)
    assert found["system"].tolist() == ["Long", "Short"]
    assert found["top-1"].tolist() == [52.0, 15.0]
    assert found["top-1_sd"].tolist() == pytest.approx([8**0.5, 50**0.5])


def test_a_row_starts_from_the_run_of_another_row_with_the_same_seed(table, tmp_path):
    start = "init: {pose_backbone: 'row:long'}"
    row = f"{{system: pose_lstm, epochs: 1, options: {{hidden: 8}}, {start}}}"
    third = f"  - {{id: third, label: Third, parameters: {row}}}\n"
    table.write_text(TABLE + third)
    where = {"root": str(fake_synthadl(tmp_path / "world")), "runs": str(tmp_path / "runs")}
    sweep.sweep(table, seeds=2, rows=["third"], **where)
    configs = [json.loads(path.read_text())["config"] for path in (tmp_path / "runs").glob("*/config.json")]
    started = {config["seed"]: config["init"]["pose_backbone"] for config in configs if config["init"]}
    long = {
        path.parent.name: json.loads(path.read_text())["config"] for path in (tmp_path / "runs").glob("*/config.json")
    }
    assert {seed: long[run]["seed"] for seed, run in started.items()} == {0: 0, 1: 1}
    assert all(long[run]["epochs"] == 2 for run in started.values())


def test_rows_that_start_from_each_other_or_from_nowhere_are_refused(table, tmp_path):
    def rows(*sources):
        return (
            TABLE.split("rows:")[0]
            + "rows:\n"
            + "".join(
                f"  - {{id: {name}, label: {name}, parameters: {{system: pose_lstm, init: {{'': 'row:{source}'}}}}}}\n"
                for name, source in sources
            )
        )

    world = {"root": str(fake_synthadl(tmp_path / "world"))}
    table.write_text(rows(("a", "b"), ("b", "a")))
    with pytest.raises(ValueError, match="start from each other: a <- b <- a"):
        sweep.sweep(table, **world)
    table.write_text(rows(("a", "gone")))
    with pytest.raises(ValueError, match="row 'a' starts from row 'gone'"):
        sweep.sweep(table, **world)


FULL = """
paper: Somebody (2020), table 1
title: With claims
base: {protocol: cs, preset: tiny, system: pose_lstm}
columns: [{id: a, metric: top1, label: A}, {id: b, metric: top1, label: B, protocol: cv}]
rows:
  - {id: one, label: One, parameters: {epochs: 6}, published: [1, 2]}
  - {id: two, label: Two, parameters: {epochs: {pose: 0}}, published: {b: 3.5}}
claims: [{id: c, text: Two is better., better: two, worse: one, margin: [1, 2]}]
"""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("worse: one", "worse: won"), "claim 'c' names the row 'won'; there are: one, two"),
        (("published: [1, 2]", "published: [1]"), "row 'one' has 1 published values for 2 columns"),
        (("{b: 3.5}", "{d: 3.5}"), "published value for the column 'd'; there are: a, b"),
        (("margin: [1, 2]", "margin: [1]"), "claim 'c' has 1 margins for 2 columns"),
        (("id: two", "id: one"), "two rows have the id 'one'"),
        (("paper: Somebody (2020), table 1", ""), "paper doesn't say where"),
        (("better: two, worse: one", "better: two"), "needs better and worse"),
        (("better: two,", "better: two, relation: within,"), "needs a tolerance"),
        (("parameters: {epochs: 6},", ""), "row 'one' needs either parameters or"),
        (("label: Two,", "label: Two, requires: {cluster: big},"), "requires 'cluster'; valid: dataset, system, file"),
    ],
)
def test_a_table_whose_names_do_not_fit_says_which(tmp_path, change, words):
    path = tmp_path / "full.yaml"
    assert FULL.count(change[0]) == 1
    path.write_text(FULL.replace(*change))
    with pytest.raises(ValueError, match=words.replace("(", r"\(")) as problem:
        table_file.read_table(path)
    assert str(path) in str(problem.value)


def test_published_values_go_to_their_columns_and_claims_to_theirs(tmp_path):
    path = tmp_path / "full.yaml"
    path.write_text(FULL)
    table = table_file.read_table(path)
    assert table.row("one").published == {"a": 1, "b": 2} and table.row("two").published == {"b": 3.5}
    assert [column.key for column in table.of(table.claims[0])] == ["a", "b"]


def test_another_preset_stretches_epochs_and_leaves_a_rows_own_numbers(tmp_path):
    path = tmp_path / "full.yaml"
    path.write_text(FULL.replace("{epochs: {pose: 0}}", "{epochs: {pose: 0}, preset: {base: tiny, width: 0.125}}"))
    where = {"root": str(fake_synthadl(tmp_path / "world")), "runs": str(tmp_path / "runs")}
    study = sweep.read([path], 1, where={**where, "preset": "study"})[0]
    one, two = (study.plan.cells[study.entry(row, study.table.columns[0], 0).cell].parameters for row in ("one", "two"))
    assert one["epochs"] == 9 and two["epochs"] == {"pose": 0}
    assert two["preset"] == {"base": "study", "width": 0.125}
    tiny = sweep.read([path], 1, where=where)[0]
    assert tiny.plan.cells[tiny.entry("one", tiny.table.columns[0], 0).cell].parameters["epochs"] == 6


def test_a_column_whose_own_data_are_missing_is_not_run_and_says_why(tmp_path):
    world, away, path = fake_synthadl(tmp_path / "world"), tmp_path / "away", tmp_path / "full.yaml"
    base = {"protocol": "cs", "system": "pose_lstm", "root": str(world), "runs": str(tmp_path / "runs")}
    columns = [{"id": "a", "label": "A", "metric": "top1"}, {"id": "b", "label": "B", "metric": "top1"}]
    columns[1]["parameters"] = {"root": str(away)}
    rows = [{"id": "one", "label": "One", "parameters": {"epochs": 1}}]
    whole = {"title": "With and without", "base": base, "columns": columns, "rows": rows}
    path.write_text(yaml.safe_dump(whole))
    here, missing = sweep.read([path], 1)[0].entries
    assert here.cell and not missing.cell
    assert missing.reason.startswith(f"no SynthADL world in {away}")
    there, missing = sweep.read([path], 1, where={"root": str(world)})[0].entries
    assert there == here and not missing.cell
    path.write_text(yaml.safe_dump({**whole, "base": {**base, "root": str(tmp_path / "nowhere")}}))
    with pytest.raises(FileNotFoundError, match="no SynthADL world in .*nowhere"):
        sweep.read([path], 1)


def test_a_sweep_draws_the_world_of_its_table_where_it_is_missing(tmp_path, monkeypatch):
    from synthadl import world
    from workbench.study.sweep import worlds

    drawn, folder = [], Path(table_file.__file__).parents[3] / "notebooks/ablations"
    path = folder / "vpn_table1.yaml"
    monkeypatch.setattr(world, "generate", lambda root, **how: drawn.append((root, how)))
    monkeypatch.chdir(tmp_path)
    worlds.draw_missing([path])
    assert drawn == [("data/synthadl/tiny", {})]
    begun = tmp_path / "data/synthadl/tiny"
    begun.mkdir(parents=True)
    worlds.draw_missing([path])
    assert len(drawn) == 2  # one that was broken off is drawn to its end
    (begun / "index.parquet").touch()
    worlds.draw_missing([path])
    assert len(drawn) == 2
    worlds.draw_missing([folder / "sensitivity.yaml", folder / "detection.yaml"])
    assert drawn[2:] == [
        ("data/synthadl/untrimmed", {"world": "untrimmed"}),
        ("data/synthadl/no_imposters", {"knobs": {"imposters": 0}}),
    ]
