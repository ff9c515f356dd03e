"""Tables over a whole split: what a joint counts for, and what attention lies on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.fixtures import fake_synthadl
from tests.whatif import SKELETON, Toy, sample
from workbench.explain.grounding import KINDS
from workbench.explain.interventions import Drop
from workbench.explain.what_if import WhatIf, table
from workbench.show.figures import faithfulness as figures
from workbench.study import fit
from workbench.study.analysis import grounding
from workbench.study.analysis.joint_sensitivity import ALL, moved, sensitivity, where
from workbench.study.runs.find_runs import open_run

PRESET = {"base": "tiny", "clip": [8, 32, 32], "width": 0.125, "poses": 8, "output_stride": [4, 8, 8], "batch_size": 8}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict:
    """A vpn and an rgb run on six short clips, an epoch a stage each, evaluated on two."""
    store = tmp_path_factory.mktemp("runs")
    world = fake_synthadl(tmp_path_factory.mktemp("small"), actions=2, subjects=3, views=1, frames=12, size=(48, 64))
    asked = {"root": str(world), "runs": str(store), "preset": PRESET, "epochs": 1, "progress": False, "cache": None}
    return {name: open_run(fit(asked | {"system": name, "evaluate": ["test"]}), store) for name in ("vpn", "rgb")}


def test_a_row_a_joint_and_one_for_all(runs):
    run = runs["vpn"]
    found = sensitivity(run, "test", "drop", device="cpu", progress=False)
    assert set(found["joint"]) == {*SKELETON.joints, ALL} and found["joint"].iloc[-1] == ALL
    assert (np.diff(found["score_loss"][:-1]) <= 0).all() and (found["clips"] == 2).all()
    assert found["part"][found["joint"] == "hand_right"].item() == "right arm" and found["part"].iloc[-1] == ""
    assert ((found["score_loss_low"] <= found["score_loss"]) & (found["score_loss"] <= found["score_loss_high"])).all()
    assert found["attention_moved"].between(0, 1).all() and found["attention_moved"].iloc[-1] > 0
    written = pd.read_csv(where(run, "test", "drop"), keep_default_na=False)
    np.testing.assert_allclose(written["score_loss"], found["score_loss"], atol=1e-12)
    again = sensitivity(run, "test", "jitter", limit=1, device="cpu", progress=False)
    pd.testing.assert_frame_equal(again, sensitivity(run, "test", "jitter", limit=1, device="cpu", progress=False))
    assert not where(run, "test", "jitter").exists()
    assert "What does each joint count for?" in figures.sensitivities(found, run.id).layout.title.text


def test_groups_are_changed_together(runs):
    groups = {"right hand": ("hand_right", "thumb_right"), "mixed": ("head", "foot_left")}
    found = sensitivity(runs["vpn"], "test", "freeze", groups, limit=1, device="cpu", progress=False)
    assert set(found["joint"]) == {"right hand", "mixed", ALL}
    assert found.set_index("joint").part.to_dict() == {"right hand": "right arm", "mixed": "", ALL: ""}


def test_what_cannot_be_asked_is_said(runs):
    with pytest.raises(ValueError, match="reads no poses in evaluation: it reads video"):
        sensitivity(runs["rgb"], device="cpu", progress=False)
    with pytest.raises(ValueError, match="unknown change 'twist'; known: drop, freeze, jitter"):
        sensitivity(runs["vpn"], change="twist")
    with pytest.raises(ValueError, match="has no attention in space"):
        grounding.ground(runs["rgb"], progress=False)


def test_attention_is_grounded_class_by_class(runs):
    found = grounding.ground(runs["vpn"], "test", progress=False)
    assert list(found["class"].unique()) == ["action 0", "action 1", grounding.ALL]
    for column in ("mass", "uniform", "centre", "random"):
        np.testing.assert_allclose(found.groupby("class")[column].sum(), 1, rtol=1e-6)
    everyone = found[found["class"] == grounding.ALL].set_index("kind")
    assert list(everyone.index) == list(KINDS) and (everyone["clips"] == 2).all() and everyone.uniform["joints"] > 0
    assert (runs["vpn"].folder / "grounding_test.csv").is_file()
    assert "What does the attention lie on?" in figures.grounded(found, "vpn").layout.title.text


def test_moved_is_half_the_difference_of_the_shares():
    asked = WhatIf(Toy(), sample(), SKELETON)
    same = asked.original
    assert moved(same, same) == 0
    first, second = np.zeros((2, 1, 2)), np.zeros((2, 1, 2))
    first[0, 0, 0], second[0, 0, 0], second[1, 0, 1] = 2, 0.5, 0.5
    pair = [type(same)(same.logits, same.scores, {"attention": one}, {}, same.subject) for one in (first, second)]
    assert moved(*pair) == pytest.approx(0.5)
    bare = type(same)(same.logits, same.scores, {}, {}, same.subject)
    assert np.isnan(moved(bare, bare))


def test_questions_in_a_table():
    asked = WhatIf(Toy(), sample(), SKELETON, ["a", "b", "c"])
    found = table(asked, {"nothing": [], "blind": [Drop(SKELETON.joints)]}).set_index("what if")
    assert found.loss["nothing"] == 0 and found["run again"]["nothing"] == ""
    answer = asked.ask([Drop(SKELETON.joints)])
    label = asked.original.label
    assert found.loss["blind"] == pytest.approx(asked.original.scores[label] - answer.scores[label])
    assert found["run again"]["blind"] == "pose_backbone, dropout, classifier"
