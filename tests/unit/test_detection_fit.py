"""``fit`` of detectors: from videos to both kinds of mAP, with everything a run has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.detection_fixtures import fake_synthadl_u
from tests.fixtures import fake_synthadl
from workbench import metrics
from workbench.data import Untrimmed
from workbench.study import TrainConfig, evaluate, fit
from workbench.study.config.train_config import parse
from workbench.study.evaluate import detection
from workbench.study.features import encoders
from workbench.study.notebooks.configs import Train
from workbench.study.runs.find_runs import open_run
from workbench.study.runs.run_table import table
from workbench.study.sweep.plan import plan
from workbench.study.sweep.table_file import configs, read_table

PRESET = {"base": "tiny", "clip": [8, 32, 32], "width": 0.125, "poses": 8, "output_stride": [4, 8, 8], "batch_size": 4}
SPACED = {"sampling": "strided", "stride": 2}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A world of six videos a split or fewer, and encoders for RGB and poses that were trained for an epoch."""
    place = tmp_path_factory.mktemp("detection")
    fake_synthadl_u(place / "world", actions=2, subjects=4, views=2, frames=100)
    fake_synthadl(place / "clips", actions=2, subjects=3, views=1, frames=16)
    for system in ("rgb", "agcn"):
        own = {"root": str(place / "clips"), "evaluate": [], "epochs": 1, "preset": PRESET | SPACED}
        fit({"system": system, **_where(place), **own})
    return place


def _where(place: Path) -> dict:
    return {"runs": str(place / "runs"), "cache": str(place / "cache"), "preset": PRESET, "progress": False}


def asked(place: Path, system: str = "detector", **changes) -> dict:
    snippets = {"rgb": "latest:rgb"} | ({"pose": "latest:agcn"} if system == "augmented_rgb" else {})
    options = {"teachers": ["pose"]} if system == "augmented_rgb" else {}
    own = {"snippets": snippets, "options": options, "epochs": 3, "root": str(place / "world")}
    return {"system": system, **_where(place), **own, **changes}


def test_a_detector_is_trained_chosen_and_measured(place):
    run = open_run(fit(asked(place)), place / "runs")
    assert run.id.startswith("detector-cs-s0-") and run.finished
    history, measured = run.history, run.metrics["test"]
    assert len(history) == 3 and {"validation_total", "validation_frame_map"} <= set(history)
    assert history["validation_frame_map"].between(0, 1).all() and "train_top1" not in history
    assert set(measured) > {"frame_map", "event_map_10", "event_map_30", "event_map_50", "event_map_70"}
    assert set(measured["per_class"]["frame_map"]) == {"action 0", "action 1"}
    row = table(place / "runs").set_index("id").loc[run.id]
    assert row["test_frame_map"] == pytest.approx(measured["frame_map"]) and row["dataset"] == "synthadl_u"
    # The weights that are kept are those of the best validation epoch.
    best = history.sort_values(["validation_frame_map", "validation_total"], ascending=[False, True]).iloc[0]
    evaluate(run, "validation", cache=str(place / "cache"), progress=False)
    found = detection.read(run, "validation")
    again = metrics.frame_map(np.concatenate(found.logits), np.concatenate(found.labels)).mean
    assert again == pytest.approx(best["validation_frame_map"], abs=1e-6)


def test_what_is_measured_is_what_the_metrics_say_of_what_is_kept(place):
    run = open_run(fit(asked(place)), place / "runs")
    found, data = detection.read(run), run.dataset("test")
    assert found.ids == data.ids
    for i, name in enumerate(found.ids):
        count = int(data.lengths[i]) // 16
        assert name == data.ids[i] and found.logits[i].shape == (count, 2) and found.times[i].shape == (count, 2)
        assert np.array_equal(found.labels[i], data.labels(i, found.times[i].mean(1)))
        scores = found.frame_scores(i, data)
        assert scores.shape == (data.lengths[i], 2)
        middle = 16 * (count // 2)  # between two snippets' middles: their mean, before the sigmoid
        near = found.logits[i][count // 2 - 1 : count // 2 + 1]
        between = (near[0] * 0.5 + near[1] * 0.5) + (near[1] - near[0]) / 32
        assert np.allclose(scores[middle], 1 / (1 + np.exp(-between)), atol=1e-5)
        assert (scores[16 * count :] == scores[16 * count - 1]).all()
    events = detection.events(found, data)
    assert (events["end"] - events["start"] >= detection.SHORTEST - 1e-9).all()
    again = metrics.event_map(events, data.intervals, 0.3, "thumos").mean
    assert run.metrics["test"]["event_map_30"] == pytest.approx(again)


def test_a_student_is_taught_and_needs_rgb_alone_afterwards(place):
    run = open_run(fit(asked(place, "augmented_rgb")), place / "runs")
    stages = run.history["stage"].unique().tolist()
    assert stages == ["teachers.pose/detection", "student/detection"]
    assert {"train_atomic", "train_global", "train_boundary"} <= set(run.history)
    shares = [name for name in run.history if name.startswith("gradient_")]
    assert {"gradient_classification", "gradient_atomic", "gradient_global"} <= set(shares)
    assert run.history[shares].dropna(how="all").sum(axis=1).to_numpy() == pytest.approx(1)
    assert set(run.config.snippets) == {"rgb", "pose"}
    taught = run.metrics["test"]["alive"]["distillation"]["pose/feature"]
    assert -1 <= taught["own"]["low"] <= taught["own"]["value"] <= 1 and {"other", "margin"} <= set(taught)
    system = run.system()
    assert system.feature_channels == {"rgb": 32 * 4, "pose": 32}
    # At test nothing of the poses is touched: their encoder may be gone.
    made = encoders.features(run.config, run.dataset("test"), system.modalities_test)
    assert set(made) == {"rgb"}


def test_a_run_that_was_stopped_ends_with_the_same_weights(place, monkeypatch):
    from workbench.study.train import loop

    whole = open_run(fit(asked(place, "augmented_rgb", seed=7)), place / "runs").system().state_dict()
    elsewhere = asked(place, "augmented_rgb", seed=7, runs=str(place / "stopped"), checkpoint_steps=1)
    elsewhere["snippets"] = open_run("latest:augmented_rgb", place / "runs").config.snippets
    for source in elsewhere["snippets"].values():
        (place / "stopped").mkdir(exist_ok=True)
        (place / "stopped" / source).symlink_to(place / "runs" / source)
    save, count = loop.Training._save, 0

    def stop(self, between=False):
        nonlocal count
        save(self, between)
        count += 1
        if count == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop.Training, "_save", stop)
    with pytest.raises(KeyboardInterrupt):
        fit(elsewhere)
    monkeypatch.setattr(loop.Training, "_save", save)
    resumed = open_run(fit(elsewhere), place / "stopped").system().state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_the_plateau_is_the_papers(place):
    config = TrainConfig(**asked(place, epochs=None))
    assert config.numbers.schedule is None and config.numbers.batch_size == 4
    assert (
        TrainConfig(system="detector").numbers.batch_size == 8
        and TrainConfig(system="detector").dataset == "synthadl_u"
    )
    assert TrainConfig(system="rgb").dataset == "synthadl" and "window" not in TrainConfig(system="rgb").identity()


def test_encoders_count_by_what_they_are(place):
    wide = PRESET | {"width": 0.25}  # as the shipped weights are
    first = fit(asked(place, snippets={"rgb": "latest:rgb"}, epochs=1, evaluate=[]))
    second = fit(asked(place, snippets={}, epochs=1, evaluate=[], preset=wide))
    shipped = open_run(second, place / "runs")
    assert first != second and shipped.config.snippets == {"rgb": "i3d_synthadl_p"}
    named = open_run(first, place / "runs").config.snippets["rgb"]
    assert named.startswith("rgb-cs-s0-")
    assert fit(asked(place, snippets={"rgb": named}, epochs=1, evaluate=[])) == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"streams": ["flow"]}, "snippets": {}}, "features of flow, for which snippets name no encoder"),
        ({"snippets": {"flow": "latest:rgb"}}, "snippets name 'flow', which this detector doesn't read: rgb"),
        ({"dataset": "charades_x"}, "unknown untrimmed data set 'charades_x'"),
        ({"system": "rgb", "options": {}}, "snippets and window are parameters of detectors, rgb reads clips"),
    ],
)
def test_wrong_configurations_are_one_sentence(place, changes, message):
    with pytest.raises(ValueError, match=message):
        fit(asked(place, **changes))


def test_results_are_read_by_those_they_are_for(place):
    run = open_run(fit(asked(place)), place / "runs")
    with pytest.raises(ValueError, match="labels moments of videos, not clips"):
        run.predictions()
    with pytest.raises(FileNotFoundError, match="no predictions for 'train'; make them with evaluate"):
        detection.read(run, "train")
    with pytest.raises(ValueError, match="labels clips; read them with run.predictions"):
        detection.read(open_run("latest:rgb", place / "runs"))


def test_a_video_without_features_is_missed_altogether():
    facts = {"subject": 1, "camera": 1, "frames": 64, "fps": 16.0, "duration": 4.0}
    table = pd.DataFrame([{"id": name, "video": f"/{name}.mp4", **facts} for name in "ab"])
    intervals = pd.DataFrame({"video": ["a", "b"], "label": 0, "start": 1.0, "end": 3.0, "ambiguous": False})
    data = Untrimmed("made", ["act"], None, table, intervals, None, "all", "all")
    times = np.stack([np.arange(4.0), np.arange(1.0, 5.0)], axis=1)
    logits = np.array([[-9], [30], [31], [-9]], np.float32)
    both = detection.Detected(["a", "b"], [logits] * 2, [logits > 0] * 2, [times] * 2)
    one = detection.Detected(["a"], [logits], [logits > 0], [times])
    assert detection.measure(both, data)["event_map_50"] == pytest.approx(1)
    assert detection.measure(one, data)["event_map_50"] == pytest.approx(0.5)
    # 32 frames of b rank below all others.
    assert detection.measure(one, data)["frame_map"] < detection.measure(both, data)["frame_map"]


def test_the_table_ties_its_rows():
    path = Path(__file__).parents[2] / "notebooks/ablations/detection.yaml"
    table, shown = read_table(path), configs(path)
    assert "flow network on trimmed clips" not in shown and "vanilla RGB" in shown
    rows = {row.id: row.parameters for row in table.rows}
    single = [tuple(row["options"].get("terms", ())) for row in rows.values()]
    for terms in (("atomic",), ("global",), ("boundary",), ("atomic", "global", "boundary")):
        assert terms in single
    for parameters in rows.values():
        for source in [*parameters.get("init", {}).values(), *parameters.get("snippets", {}).values()]:
            assert source == "i3d_synthadl_p" or source.split(":")[1] in rows


def test_a_rows_own_seed_holds_for_every_seed_of_the_table(place, tmp_path):
    path = tmp_path / "rows.yaml"
    path.write_text(f"""
title: two rows
base: {{protocol: cs, runs: {place / "runs"}, cache: {place / "cache"}, progress: false, epochs: 1, evaluate: []}}
columns:
  - {{metric: frame_map, label: mAP}}
rows:
  - id: encoder
    label: encoder
    hidden: true
    parameters: {{system: rgb, dataset: synthadl, root: {place / "clips"}, seed: 0, preset: {PRESET | SPACED}}}
  - id: rgb
    label: RGB
    parameters: {{system: detector, root: {place / "world"}, preset: {PRESET}, snippets: {{rgb: "row:encoder"}}}}
""")
    planned = plan([read_table(path)], seeds=2)
    encoder, *detectors = planned.cells.values()
    assert encoder.parameters["system"] == "rgb" and encoder.parameters["seed"] == 0
    assert [cell.parameters["seed"] for cell in detectors] == [0, 1]
    assert all(cell.parameters["more"]["snippets"] == {"rgb": encoder.key} for cell in detectors)
    assert all(cell.needs == (encoder.key,) for cell in detectors)
    # What is planned is what is trained.
    run = fit(parse(Train(**encoder.parameters).training()))
    detector = fit(parse(Train(**detectors[0].parameters).training()))
    assert [run, detector] == [encoder.key, detectors[0].key]
