"""Rows of a table are trained alike, or say why not; and a report says by which reading each of them ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures import fake_synthadl
from workbench.study.config.train_config import TrainConfig
from workbench.study.report import conditions, markdown
from workbench.study.report.conditions import NEW, Trained
from workbench.study.sweep import sweep
from workbench.study.tables.table_file import read_table

FILES = sorted((Path(__file__).parents[2] / "notebooks/ablations").glob("*.yaml"))
TABLE = """
title: Rows that start from each other
base: {protocol: cs, preset: {base: study, clip: [8, 48, 48], width: 0.0625}, progress: false}
columns: [{metric: top1, label: top-1}]
rows:
  - id: start
    label: Start
    hidden: true
    parameters: {system: rgb, init: {backbone: i3d_synthadl_p}, epochs: {backbone: 8}}
  - {id: more, label: More, parameters: {system: rgb, init: {"": "row:start:"}, epochs: {backbone: 6}}}
  - id: vpn
    label: VPN
    parameters: {system: vpn, init: {backbone: "row:start", classifier: "row:start"}, epochs: {backbone: 0, joint: 6}}
  - id: new_classifier
    label: New classifier
    parameters:
      system: vpn
      options: {embedding: none}
      init: {backbone: "row:start"}
      epochs: {backbone: 0, joint: 6}
  - id: student
    label: Student
    parameters:
      system: vpn_f
      options: {persons: 1, similarity: temperature}
      init: {student: "row:more:"}
      epochs: {pose: 0, distillation: 2}
  - {id: pose, label: Pose, parameters: {system: pose_lstm, options: {hidden: 8}}}
  - {id: graph, label: Graph, parameters: {system: agcn, epochs: 5}}
"""


def table(tmp_path, text=TABLE):
    path = tmp_path / "table.yaml"
    path.write_text(text)
    return read_table(path)


def test_what_a_row_starts_from_counts(tmp_path):
    found = conditions.budgets(table(tmp_path))
    fourteen = Trained(14, "i3d_synthadl_p")
    assert found["start"].backbones == (Trained(8, "i3d_synthadl_p"),) and found["start"].classifier == Trained(8, NEW)
    assert found["more"].backbones == found["vpn"].backbones == found["new_classifier"].backbones == (fourteen,)
    assert found["more"].classifier == found["vpn"].classifier == Trained(14, NEW)
    assert found["new_classifier"].classifier == Trained(6, NEW)
    # Of a student, not of its teacher, which no stage trains.
    assert found["student"].backbones == (Trained(16, "i3d_synthadl_p"),)
    # 30 epochs as published, times the preset's 4/3.
    assert found["pose"].backbones == () and found["pose"].classifier == Trained(40, NEW)
    assert str(found["pose"]) == "network 40 epochs, new" and str(found["graph"]) == "network 5 epochs, new"
    assert str(found["vpn"]) == "backbone 14 epochs, from i3d_synthadl_p; classifier 14 epochs, new"


def test_unequal_rows_are_listed_unless_they_state_a_reason(tmp_path):
    found = conditions.unequal(table(tmp_path))
    assert set(found) == {"new_classifier", "student"}
    assert found["new_classifier"] == (
        "backbone 14 epochs, from i3d_synthadl_p; classifier 6 epochs, new; "
        "other rows: backbone 14 epochs, from i3d_synthadl_p; classifier 14 epochs, new"
    )
    reason = TABLE.replace("label: Student", "label: Student\n    differs: it has two epochs more")
    assert set(conditions.unequal(table(tmp_path, reason))) == {"new_classifier"}


def test_no_reason_excuses_a_classifier_that_nothing_trained(tmp_path):
    untrained = """
  - id: part
    label: Part
    differs: it is alone
    parameters:
      system: p_i3d
      options: {regions: [full_body], attention: false}
      init: {parts.full_body.backbone: i3d_synthadl_p}
      epochs: {backbone: 14, joint: 0}
"""
    assert "classifier 0 epochs, new" in conditions.unequal(table(tmp_path, TABLE + untrained))["part"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_rows_of_every_table_are_trained_alike_or_say_why_not(path):
    wrong = conditions.unequal(read_table(path))
    assert not wrong, "\n".join(f"{path.name}, {row}: {words}" for row, words in wrong.items())


def test_a_reading_is_what_differs_from_the_papers():
    printed = TrainConfig(system="vpn", preset="paper")
    assert conditions.differing(printed) == {} and conditions.reading(printed) == "as printed"
    small = {"base": "paper", "options": {"lstm_hidden": 16, "hidden": 8, "alpha_atomic": 1.0}}
    assert conditions.reading(TrainConfig(system="vpn", preset=small)) == "as printed (lstm_hidden = 16)"
    own = {"embedding": "none", "optimizer": "sgd", "lstm_hidden": 32}
    found = conditions.reading(TrainConfig(system="vpn", preset=small, options=own))
    assert found == "embedding = none (lstm_hidden = 32)"
    parts = ["left_hand", "right_hand", "full_body"]
    assert conditions.reading(TrainConfig(system="p_i3d", preset="paper", options={"regions": parts})) == "as printed"
    pair = conditions.reading(TrainConfig(system="p_i3d", preset="paper", options={"regions": parts[:2]}))
    assert pair == "regions = left_hand + right_hand"


def test_the_report_says_how_each_row_ran_as_the_sweep_was_told(tmp_path):
    path = tmp_path / "table.yaml"
    path.write_text(TABLE.replace("label: New classifier", "label: New classifier\n    differs: it is new"))
    root, runs = str(fake_synthadl(tmp_path / "world")), str(tmp_path / "runs")
    (results,) = sweep.read([path], 1, where={"root": root, "runs": runs, "preset": "tiny"})
    found = conditions.readings(results).set_index("row")
    assert list(found.index) == ["more", "vpn", "new_classifier", "student", "pose", "graph"]
    assert "embedding = none (" in found.loc["new_classifier", "reading"]
    assert "similarity = temperature (" in found.loc["student", "reading"]
    # The preset tiny has two thirds of the study's epochs: 5 of 8 and 4 of 6.
    assert found.loc["vpn", "training"] == "backbone 9 epochs, from i3d_synthadl_p; classifier 9 epochs, new"
    (frozen,) = sweep.read([path], 1, where={"root": root, "runs": runs, "preset": "frozen"})
    words = conditions.readings(frozen).set_index("row")["training"]
    assert words["vpn"].endswith("; frozen: Conv3d_1a_7x7, Conv3d_2b_1x1, Conv3d_2c_3x3, Mixed_3b, Mixed_3c")
    assert "frozen" not in words["pose"]
    text = markdown.section(results, "a command")
    line = next(
        line for line in text.splitlines() if line.startswith("| New classifier |") and "embedding = none" in line
    )
    assert line.endswith("| backbone 9 epochs, from i3d_synthadl_p; classifier 4 epochs, new | it is new |")
