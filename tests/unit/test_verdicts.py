"""Claims judged on runs that are written by hand."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy import stats

from tests.fixtures import fake_synthadl
from workbench import metrics
from workbench.show.figures import ablation
from workbench.study import files
from workbench.study.report import export, markdown, verdicts
from workbench.study.report.verdicts import AGAINST, HOLDS, MISSING, OPEN, SAME, WEAKLY, WEAKLY_AGAINST
from workbench.study.runs import hardware
from workbench.study.sweep import sweep
from workbench.study.tables import table_file
from workbench.study.tables.table_file import Claim

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
    planned = sweep.read([path], seeds, where=where)[0]
    right = np.arange(CLIPS) % 2 == 0
    good = right | (np.arange(CLIPS) % 3 != 0)
    for entry in planned.entries:
        if entry.cell:
            rng = np.random.default_rng([entry.seed, len(entry.row)])
            hit = {"plain": right, "good": good, "same": right}[entry.row].copy()
            lucky = rng.choice(CLIPS, 6, replace=False)
            hit[lucky] = ~hit[lucky]
            _write(planned, entry, hit)
    return sweep.read([path], seeds, where=where)[0]


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
    facts = {
        "config": {"system": "pose_lstm"},
        "classes": [str(i) for i in range(CLASSES)],
        "skeleton": None,
        "data": {},
    }
    files.write_json(folder / "config.json", facts)
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
    # Two columns of the paper that are the same numbers here are one comparison; the third was not requested.
    assert test.columns == ("first", "second") and test.seeds == test.ahead == 3
    assert test.effect.value == pytest.approx(100 * (test.won - test.lost) / CLIPS)
    assert len(found["c7"].tests) == 1
    assert "Other" not in found["c4"].reason and "cites it from elsewhere" in found["c4"].reason
    assert "the protocol cv was not requested" in found["c1"].reason
    assert verdicts.shares(found.values())[MISSING] == 1


def test_one_seed_can_only_tell_weakly(tmp_path):
    found = {one.claim.id: one.verdict for one in verdicts.judge(_results(tmp_path, seeds=1))}
    assert found["c1"] == WEAKLY and found["c2"] == WEAKLY_AGAINST


def test_verdicts_of_columns_come_together():
    assert verdicts.together([]) == MISSING
    assert verdicts.together([HOLDS, HOLDS]) == HOLDS
    assert verdicts.together([SAME, SAME]) == SAME
    assert verdicts.together([HOLDS, WEAKLY]) == WEAKLY
    assert verdicts.together([AGAINST, WEAKLY_AGAINST]) == WEAKLY_AGAINST
    for mixed in ([WEAKLY, OPEN], [AGAINST, OPEN], [AGAINST, HOLDS], [HOLDS, SAME]):
        assert verdicts.together(mixed) == OPEN
    # What counts for a claim counts as much against it.
    mirror = {HOLDS: AGAINST, WEAKLY: WEAKLY_AGAINST, SAME: SAME, OPEN: OPEN}
    mirror |= {AGAINST: HOLDS, WEAKLY_AGAINST: WEAKLY}
    for pair in itertools.product(mirror, repeat=2):
        assert verdicts.together(mirror[one] for one in pair) == mirror[verdicts.together(pair)]


GREATER = Claim(id="g", text="Ahead.", better="a", worse="b")
NAN = float("nan")


def compared(value, p=NAN, adjusted=NAN, adjusted_clips=NAN, ahead=0, behind=0, p_same=NAN, half=1.0):
    """A comparison over three seeds, adjusted as by a table of more."""
    effect = metrics.Effect(value, value - half, value + half, p, half / 2, 10.0)
    counts = {"seeds": 3, "ahead": ahead, "behind": behind}
    adjusted = {"adjusted": adjusted, "adjusted_clips": adjusted_clips, "same": 2.5, "p_same": p_same}
    return verdicts.Test("g", "a", "b", ("top1",), effect, p, NAN, **counts, **adjusted)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (HOLDS, {"value": 4.0, "p": 0.01, "adjusted": 0.04}),
        (WEAKLY, {"value": 4.0, "p": 0.01, "adjusted": 0.06, "ahead": 3}),
        (WEAKLY, {"value": 4.0, "p": 0.20, "adjusted": 0.60, "adjusted_clips": 0.01, "ahead": 3}),
        (OPEN, {"value": 4.0, "p": 0.01, "adjusted": 0.06, "ahead": 2, "behind": 1}),
        (OPEN, {"value": 4.0, "p": 0.20, "adjusted": 0.60, "adjusted_clips": 0.06, "ahead": 3}),
        (SAME, {"value": 0.5, "p": 0.20, "adjusted": 0.60, "ahead": 3, "p_same": 0.04}),
        (OPEN, {"value": 0.5, "p": 0.20, "adjusted": 0.60, "ahead": 3, "p_same": 0.06}),
        # A direction that is seen is told, also where it is small.
        (WEAKLY, {"value": 1.0, "p": 0.01, "adjusted": 0.06, "ahead": 3, "p_same": 0.04}),
        (HOLDS, {"value": 1.0, "p": 0.01, "adjusted": 0.04, "ahead": 3, "p_same": 0.04}),
    ],
)
def test_each_verdict_by_hand_and_its_mirror(words, found):
    assert verdicts.verdict(GREATER, compared(**found)) == words
    mirror = {HOLDS: AGAINST, WEAKLY: WEAKLY_AGAINST, SAME: SAME, OPEN: OPEN}
    turned = found | {"value": -found["value"], "ahead": found.get("behind", 0), "behind": found.get("ahead", 0)}
    assert verdicts.verdict(GREATER, compared(**turned)) == mirror[words]


@pytest.mark.parametrize(
    ("words", "value", "half", "adjusted"),
    [
        (HOLDS, 0.5, 0.5, 0.04),
        (WEAKLY, 0.5, 0.5, 0.06),
        (OPEN, 0.5, 3.0, 0.60),
        (AGAINST, -5.0, 1.0, 0.04),
        (WEAKLY_AGAINST, 5.0, 1.0, 0.06),
        (OPEN, 2.5, 1.0, 0.60),
    ],
)
def test_a_claim_of_no_difference_is_judged_alike(words, value, half, adjusted):
    claim = Claim(id="w", text="The same.", relation="within", better="a", worse="b", tolerance=2.0)
    test = verdicts._as_claimed(compared(value, half=half), claim, 2.5)
    assert np.isnan(test.p_same) and np.isnan(test.p_clips)
    error = half / 2
    inside = max(stats.t.sf((2.0 - value) / error, 10), stats.t.sf((2.0 + value) / error, 10))
    outside = 2 * stats.t.sf((abs(value) - 2.0) / error, 10)
    assert test.p == pytest.approx(inside if abs(value) <= 2 else outside)
    assert verdicts.verdict(claim, dataclasses.replace(test, adjusted=adjusted)) == words


def test_the_same_is_where_the_90_percent_interval_lies_within_x():
    test = compared(0.5, half=1.0)
    reach = 0.5 + 0.5 * stats.t.ppf(0.95, 10)
    assert verdicts._as_claimed(test, GREATER, reach + 1e-6).p_same < 0.05
    assert verdicts._as_claimed(test, GREATER, reach - 1e-6).p_same > 0.05
    # With a gain, the difference is no longer the two rows'; without x, nothing is asked.
    gain = Claim(id="g", text="Ahead by 3.", better="a", worse="b", gain=3.0)
    moved = verdicts._as_claimed(test, gain, 2.5)
    assert np.isnan(moved.p_same) and moved.effect.value == -2.5 and (moved.ahead, moved.behind) == (0, 3)
    assert np.isnan(verdicts._as_claimed(test, GREATER, None).p_same)


def test_a_better_and_a_worse_that_change_places_turn_the_verdict(results):
    first, second = (one.tests[0] for one in verdicts.judge(results)[:2])
    assert (first.ahead, first.behind) == (second.behind, second.ahead) == (3, 0)
    assert first.p == pytest.approx(second.p) and first.p_clips == pytest.approx(second.p_clips)
    assert first.effect.value == pytest.approx(-second.effect.value)


def test_x_is_the_tables_in_percent_or_the_claims(results, tmp_path):
    def words(text):
        path = tmp_path / "table.yaml"
        path.write_text(text)
        section = markdown.section(dataclasses.replace(results, table=table_file.read_table(path)), "a command")
        return next(line for line in section.splitlines() if line.startswith("| c3 |"))

    assert f"**{OPEN}**" in words(TABLE)
    # Six clips of 120 at random in each seed: the difference is within a few points.
    wide = TABLE.replace("title:", "same: 8\ntitle:")
    assert "**the same within 8**" in words(wide)
    own = "better: same, worse: plain, same: 9.5}"
    assert "**the same within 9.5**" in words(TABLE.replace("better: same, worse: plain}", own))
    other = wide.replace("metric: top1}", "metric: top1, unit: points}")
    assert f"**{OPEN}**" in words(other.replace("metric: mean_class}", "metric: mean_class, unit: points}"))


def test_every_verdict_has_its_colour_and_symbol():
    assert tuple(ablation.VERDICTS) == verdicts.VERDICTS
    assert len(set(ablation.VERDICTS.values())) == len(verdicts.VERDICTS)


def test_the_report_shows_both_numbers_and_never_a_zero_for_what_is_not_run(results):
    text = markdown.section(results, "a command")
    assert "| First, paper | ours |" in text and "**holds**" in text and "Not run:" in text
    other = next(line for line in text.splitlines() if line.startswith("| Other |"))
    assert other == "| Other | 70 | not run | – | not run | 62 | not run |"
    assert "tau" in text and " 0.0 " not in other
    assert markdown.agreement(results)["first"] < 1


def test_the_data_of_the_study_are_files(results, tmp_path):
    export.write(tmp_path / "results.md", [results], "a command")
    facts = json.loads((tmp_path / "study/table.json").read_text())
    assert [claim["verdict"] for claim in facts["claims"]][:2] == [HOLDS, AGAINST]
    assert facts["seeds"] == [0, 1, 2] and facts["rows"]["good"]["first"]["epochs"] == 2
    assert facts["reported_by"]["processor"]
    lines = (tmp_path / "study/table.csv").read_text().splitlines()
    assert lines[0].startswith("row,column,metric,protocol,seed,value,published")
    assert len(lines) == 1 + 4 * 3 * 3
    assert "Our numbers: the mean over 3 seeds," in markdown.section(results, "a command")
    shutil.rmtree(results.run("same", results.table.columns[0], 2).folder)
    assert "Our numbers: the mean over up to 3 seeds," in markdown.section(results, "a command")


def test_the_report_begins_with_how_the_claims_fared_in_a_checkout_or_not(results, tmp_path, monkeypatch):
    path, verdict = tmp_path / "results.md", verdicts.judge(results)[0].verdict
    found = sum(one.verdict == verdict for one in verdicts.judge(results))
    monkeypatch.setattr(hardware, "git_revision", lambda: "0123456789abcdef")
    export.write(path, [results], "a command")
    assert path.read_text().startswith("# Results\n\n1 table by `a command`, revision 012345678, on ")
    assert f"{verdict} {found}" in path.read_text().split("Claims by verdict: ")[1].split(".")[0]
    monkeypatch.setattr(hardware, "git_revision", lambda: None)
    export.write(path, [results], "a command")
    assert path.read_text().startswith("# Results\n\n1 table by `a command`, on ")


def test_the_report_says_per_document_what_was_learnt_before_its_tables(results, tmp_path):
    path = tmp_path / "results.md"
    export.write(path, [results, results], "a command")
    before = path.read_text().split("# Three rows")[0]
    assert before.count("**Somebody (2020).**") == 1
    (learnt,) = [
        line for line in before.splitlines() if line.startswith("**Somebody (2020).** 12 of 14 claims are run. *H")
    ]
    judged = {one.claim.id: one for one in verdicts.judge(results)}
    difference = judged["c1"].tests[0].effect.value
    assert f"Good is better ({difference:+.1f})" in learnt.split("*Contradicted*")[0]
    assert "Plain is better than good" in learnt.split("*Contradicted*: ")[1].split("*")[0]
    assert "Other is better" in learnt.split("*Not run*: ")[1] and learnt.endswith(".")


def test_predictions_on_other_clips_are_not_compared(results):
    column = results.table.columns[0]
    run = results.run("same", column, 0)
    arrays = files.read_arrays(run.folder / "predictions_test.npz")
    files.write_arrays(run.folder / "predictions_test.npz", {**arrays, "ids": arrays["ids"][::-1]})
    with pytest.raises(ValueError, match="row 'same' were tested on different clips"):
        verdicts.judge(results)
    files.write_arrays(run.folder / "predictions_test.npz", arrays)
