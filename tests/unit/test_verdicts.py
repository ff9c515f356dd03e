"""Claims judged on runs that are written by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.fixtures import fake_synthadl
from workbench.study import files, hardware, reports, study_data, sweeping, verdicts
from workbench.study.verdicts import AGAINST, HOLDS, MISSING, OPEN, WEAKLY

TABLE = """
paper: Somebody (2020), table 1
title: Three rows
base: {protocol: cs, preset: tiny, system: pose_lstm}
columns:
  - {id: first, label: First, metric: top1}
  - {id: second, label: Second, metric: mean_class}
  - {id: third, label: Third, metric: top1, protocol: cv}
rows:
  - {id: plain, label: Plain, published: [50, 51, 52], parameters: {epochs: 1}}
  - {id: good, label: Good, published: [60, 61, 62], parameters: {epochs: 2}}
  - {id: same, label: Same, published: [40, 61, 62], parameters: {epochs: 3}}
  - {id: other, label: Other, published: [70, null, 62], absent: the paper cites it from elsewhere}
claims:
  - {id: c1, text: Good is better., better: good, worse: plain, margin: [10, 10, 10]}
  - {id: c2, text: Plain is better than good., better: plain, worse: good}
  - {id: c3, text: Same is better than plain., better: same, worse: plain}
  - {id: c4, text: Other is better., better: other, worse: plain}
  - {id: c5, text: Same and plain are equal., relation: within, better: same, worse: plain, tolerance: 20}
  - {id: c6, text: They fall., relation: order, rows: [good, plain, same]}
  - {id: c7, text: Good is better by 70., better: good, worse: plain, gain: 70.0}
"""
CLIPS, CLASSES = 120, 4


def _results(place: Path, seeds: int = 3, text: str = TABLE):
    """The table's results, where plain gets half of the clips right, good those and 40 of the 60 others, and same as
    many as plain but on clips that differ a little."""
    path = place / "table.yaml"
    path.write_text(text)
    where = {"root": str(fake_synthadl(place / "world")), "runs": str(place / "runs")}
    planned = sweeping.read([path], seeds, where=where)[0]
    right = np.arange(CLIPS) % 2 == 0
    good = right | (np.arange(CLIPS) % 3 != 0)
    for entry in planned.entries:
        if entry.cell:
            rng = np.random.default_rng([entry.seed, len(entry.row)])
            hit = {"plain": right, "good": good, "same": right}[entry.row].copy()
            lucky = rng.choice(CLIPS, 6, replace=False)
            hit[lucky] = ~hit[lucky]
            _write(planned, entry, hit)
    return sweeping.read([path], seeds, where=where)[0]


def _write(results, entry, hit: np.ndarray) -> None:
    cell = results.plan.cells[entry.cell]
    folder = Path(cell.runs) / cell.key
    labels = np.arange(CLIPS) % CLASSES
    scores = np.eye(CLASSES, dtype=np.float32)[np.where(hit, labels, (labels + 1) % CLASSES)]
    ids = np.array([f"clip{i}" for i in range(CLIPS)])
    arrays = {"labels": labels, "logits": scores, "features": scores, "scores": scores, "ids": ids}
    files.write_arrays(folder / "predictions_test.npz", arrays)
    measured = {"top1": float(hit.mean()), "mean_class": float(hit.mean())}
    files.write_json(folder / "metrics.json", {"test": {"data": cell.contents["test"], **measured}})
    files.write_json(folder / "config.json", {"config": {"system": "pose_lstm"}})
    save_file({"w": np.zeros(1, np.float32)}, folder / "weights.safetensors")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return _results(tmp_path_factory.mktemp("verdicts"))


def test_claims_are_judged_by_what_the_clips_say(results):
    found = {one.claim.id: one for one in verdicts.judge(results)}
    assert {name: one.verdict for name, one in found.items()} == {
        "c1": HOLDS, "c2": AGAINST, "c3": OPEN, "c4": MISSING, "c5": HOLDS, "c6": OPEN, "c7": AGAINST,
    }  # fmt: skip
    (test,) = found["c1"].tests
    # Two columns of the paper that are the same numbers here are one comparison; the third was not asked for.
    assert test.columns == ("first", "second") and test.seeds == test.ahead == 3
    assert test.effect.value == pytest.approx(100 * (test.won - test.lost) / CLIPS)
    assert len(found["c7"].tests) == 1
    assert "Other" not in found["c4"].reason and "cites it from elsewhere" in found["c4"].reason
    assert "the protocol cv was not asked for" in found["c1"].reason
    assert verdicts.shares(found.values())[MISSING] == 1


def test_one_seed_can_only_hold_weakly(tmp_path):
    found = {one.claim.id: one.verdict for one in verdicts.judge(_results(tmp_path, seeds=1))}
    assert found["c1"] == WEAKLY and found["c2"] == OPEN


def test_verdicts_of_columns_come_together():
    assert verdicts.together([]) == MISSING
    assert verdicts.together([HOLDS, HOLDS]) == HOLDS
    assert verdicts.together([HOLDS, WEAKLY]) == WEAKLY
    assert verdicts.together([WEAKLY, OPEN]) == OPEN
    assert verdicts.together([AGAINST, OPEN]) == AGAINST
    assert verdicts.together([AGAINST, HOLDS]) == OPEN


def test_the_report_shows_both_numbers_and_never_a_zero_for_what_is_not_run(results):
    text = reports.section(results, "a command")
    assert "| First, paper | ours |" in text and "**holds**" in text and "Not run:" in text
    other = next(line for line in text.splitlines() if line.startswith("| Other |"))
    assert other == "| Other | 70 | not run | – | not run | 62 | not run |"
    assert "tau" in text and " 0.0 " not in other
    assert reports.agreement(results)["first"] < 1


def test_the_data_of_the_study_are_files(results, tmp_path):
    study_data.write(tmp_path / "results.md", [results], "a command")
    facts = json.loads((tmp_path / "study/table.json").read_text())
    assert [claim["verdict"] for claim in facts["claims"]][:2] == [HOLDS, AGAINST]
    assert facts["seeds"] == [0, 1, 2] and facts["rows"]["good"]["first"]["epochs"] == 2
    assert facts["reported_by"]["processor"]
    lines = (tmp_path / "study/table.csv").read_text().splitlines()
    assert lines[0].startswith("row,column,metric,protocol,seed,value,published")
    assert len(lines) == 1 + 4 * 3 * 3
    assert "Ours: mean over 3 seeds and" in reports.section(results, "a command")
    shutil.rmtree(results.run("same", results.table.columns[0], 2).folder)
    assert "Ours: mean over up to 3 seeds and" in reports.section(results, "a command")


def test_the_report_begins_with_how_the_claims_fared_in_a_checkout_or_not(results, tmp_path, monkeypatch):
    path, verdict = tmp_path / "results.md", verdicts.judge(results)[0].verdict
    found = sum(one.verdict == verdict for one in verdicts.judge(results))
    monkeypatch.setattr(hardware, "git_revision", lambda: "0123456789abcdef")
    study_data.write(path, [results], "a command")
    assert path.read_text().startswith("# Results\n\n1 table by `a command`, revision 012345678, on ")
    assert f"{verdict} {found}" in path.read_text().split("Claims by verdict: ")[1].split(".")[0]
    monkeypatch.setattr(hardware, "git_revision", lambda: None)
    study_data.write(path, [results], "a command")
    assert path.read_text().startswith("# Results\n\n1 table by `a command`, on ")


def test_predictions_on_other_clips_are_not_compared(results):
    column = results.table.columns[0]
    run = results.run("same", column, 0)
    arrays = files.read_arrays(run.folder / "predictions_test.npz")
    files.write_arrays(run.folder / "predictions_test.npz", {**arrays, "ids": arrays["ids"][::-1]})
    with pytest.raises(ValueError, match="row 'same' were tested on different clips"):
        verdicts.judge(results)
    files.write_arrays(run.folder / "predictions_test.npz", arrays)
