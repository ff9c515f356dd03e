"""What the gallery opens with: the median clip, the answers under both poses, and a table that needs no term."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from tests.tiny_runs import Place
from workbench import data, systems
from workbench.metrics.attention import grade
from workbench.study.evaluate import exchanges
from workbench.study.runs import find_runs, run_table
from workbench.study.runs.run_folder import Predictions, Run
from workbench.views import exhibit, median_clip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("exhibit"))
    place.basics()
    return {run.config.system: run for run in find_runs.finished(place.runs)}


def right_about(run: Run, monkeypatch, count: int) -> None:
    """Lets the run classify its first ``count`` clips correctly and no others."""
    found = run.predictions("test")
    wanted = np.where(np.arange(len(found.labels)) < count, found.labels, (found.labels + 1) % 4)
    told = {**vars(found), "logits": np.eye(4, dtype=np.float32)[wanted]}
    monkeypatch.setattr(Run, "predictions", lambda self, split="test": Predictions(**told))


@pytest.mark.parametrize("count", [1, 4, 5])
def test_the_clip_is_the_median_of_those_that_are_classified_correctly(runs, monkeypatch, count):
    run = runs["vpn"]
    right_about(run, monkeypatch, count)
    clips, maps = run.dataset("test"), run.maps("test")
    values = {}
    for n, name in enumerate(run.predictions("test").ids[:count]):
        i = clips.index(name)
        values[i] = grade(maps["attention"][n], None, data.truth_of(clips, i, run.spec))["ranking"]
    chosen = median_clip.median_clip(run)
    below = sum(value < chosen.value for value in values.values())
    above = sum(value > chosen.value for value in values.values())
    assert chosen.value == pytest.approx(values[chosen.i]) and chosen.count == count
    assert below <= (count - 1) // 2 and above <= count // 2


def test_the_exhibit_says_what_the_network_answers(runs, monkeypatch):
    run = runs["vpn"]
    right_about(run, monkeypatch, 3)
    shown = exhibit.of_run(run)
    clips, i = run.dataset("test"), median_clip.median_clip(run).i
    scores = exchanges.of_clip(run.system(), clips, i, run.spec)["own"].scores[0]
    text = " ".join(shown.sentences)
    assert f"“{clips.classes[scores.argmax()].replace('_', ' ')}” (score {scores.max():.2f})" in text
    effects = run.metrics["test"]["alive"]["exchanges"]
    own, posed, equal = (100 * effects[key]["top1"]["value"] for key in ("own", "shuffled_pose", "uniform_attention"))
    right = (
        f"{own:.1f} % as they are, {posed:.1f} % with another clip's poses, {equal:.1f} % with equal weights everywhere"
    )
    assert f"Of all {len(clips)} test clips, VPN classifies correctly {right}." in text
    assert "Of the 3 clips" in text and "another clip's poses" in text and "equal weights" in text
    scene = json.loads(re.search(r'<script type="application/json">([^<]*)', shown.player.to_html(False))[1])["scene"]
    assert len(scene["tracks"]) == 2 and scene["truth"] is not None
    own, given = (track["joints"] for track in scene["tracks"])
    donors = {exchanges.partner(clips, i, seed) for seed in range(exhibit.OTHERS)}
    others = [exhibit.sample_of_source(clips, donor, run.spec) for donor in donors]
    shares = [other.pixels.joints[..., :2] / other.clip.frames.shape[2:0:-1] for other in others]
    assert own is None and any(np.allclose(given, share * scene["size"], atol=0.06) for share in shares)
    wide, high = scene["size"]
    assert wide >= run.spec.size[1] and high >= run.spec.size[0] and len(scene["numbers"]) == exhibit.FRAMES


def test_a_network_that_classifies_nothing_correctly_is_not_shown(runs, monkeypatch):
    right_about(runs["vpn"], monkeypatch, 0)
    assert exhibit.of_run(runs["vpn"]) is None


@pytest.mark.parametrize(("changed", "shown"), [(0.5, True), (0.05, False)])
def test_only_a_network_whose_answers_depend_on_the_poses_is_shown(runs, monkeypatch, changed, shown):
    told = {"test": {"alive": {"exchanges": {"shuffled_pose": {"changed": {"value": changed}}}}}}
    monkeypatch.setattr(Run, "metrics", told)
    right_about(runs["vpn"], monkeypatch, 3)
    assert (exhibit.of_best(runs["vpn"].folder.parent) is not None) is shown


def test_the_table_needs_no_term(runs, monkeypatch):
    folder = runs["vpn"].folder.parent
    table, note = run_table.summary(folder)
    assert list(table.columns) == ["network", "correct, %", "95 % interval", "learnt from"]
    words = {"rgb": "reads video", "vpn": "reads video and poses: poses say where and when to look"}
    assert dict(name.split("\n") for name in table["network"]) == words
    assert set(run_table.BESIDES) <= set(systems.SYSTEMS)
    ceiling = SimpleNamespace(build=lambda: SimpleNamespace(needs_test=frozenset({"video", "truth"})))
    with monkeypatch.context() as told:
        told.setattr(Run, "experiment", ceiling)
        assert {name.split("\n")[1] for name in run_table.summary(folder)[0]["network"]} == {
            "reads video and the known truth"
        }
    clips = len(runs["vpn"].dataset("test"))
    assert note == f"Of {clips} test clips of 4 actions; no network has learnt from these clips. Guessing: 25.0 %."
    assert run_table.summary(folder / "nowhere")[0].empty


def test_a_notebook_opens_on_the_median_clip_and_says_where_the_network_is_wrong(runs, monkeypatch):
    run = runs["rgb"]  # which has no attention: the median score decides
    clips = run.dataset("test")
    assert median_clip.position(run, clips, 2) == 2 and median_clip.position(run, clips, clips.ids[3]) == 3
    right_about(run, monkeypatch, 3)
    found = run.predictions("test")
    scores = [found.scores[n, found.labels[n]] for n in range(3)]
    i = median_clip.position(run, clips, None)
    assert clips.ids[i] == found.ids[np.argsort(scores)[1]]
    assert median_clip.position(run, clips, None, "train") == 0  # never evaluated
    label = clips.labels[i]
    assert "right" in median_clip.answered(clips, i, label)
    assert f"WRONG (it is {clips.classes[label]})" in median_clip.answered(clips, i, (label + 1) % 4)
