"""Training end to end on a small world: what a run holds, what resumes, what is skipped."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from safefiles import checksums
from tests.fixtures import fake_synthadl
from workbench.media import video
from workbench.study import evaluate, fit
from workbench.study.config.experiment import resolve
from workbench.study.config.train_config import parse
from workbench.study.evaluate import attention_grades, inference
from workbench.study.runs import find_runs, run_folder, run_table
from workbench.study.runs.init_weights import initialise
from workbench.study.runs.store import Store
from workbench.study.train import checkpoint
from workbench.study.train.loop import Training
from workbench.systems.vpn.vpn import VPN
from workbench.types import Batch, Output, Truth

PRESET = {
    "base": "tiny",
    "batch_size": 4,
    "clip": [8, 32, 32],
    "output_stride": [4, 16, 16],
    "width": 0.125,
    "poses": 8,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    return fake_synthadl(tmp_path_factory.mktemp("world"), actions=2, views=2, frames=12, size=(48, 64))


def configuration(world: Path, folder: Path, **changes) -> dict:
    shared = {"root": str(world), "runs": str(folder), "cache": None, "progress": False, "preset": PRESET, "epochs": 2}
    return {**shared, **changes}


@pytest.fixture(scope="module")
def vpn(world, tmp_path_factory) -> run_folder.Run:
    folder = tmp_path_factory.mktemp("runs")
    options = {"pose_first": False}
    return find_runs.open_run(
        fit(configuration(world, folder, system="vpn", options=options, tags={"why": "test"})), folder
    )


@pytest.fixture
def shared_store(vpn, monkeypatch) -> None:
    """A database that is there already, since making one takes a second."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{vpn.folder.parent / 'mlflow.db'}")


def test_a_run_is_one_complete_folder(vpn):
    names = {path.name for path in vpn.folder.iterdir() if not path.name.startswith(".")}
    results = {"predictions_test.npz", "maps_test.npz", "metrics.json"}
    trained = {"config.json", "environment.json", "checkpoint.pt", "history.csv", "weights.safetensors"}
    assert names == results | trained | {checksums.NAME}
    assert vpn.finished and vpn.classes == ["action 0", "action 1"]
    facts = json.loads((vpn.folder / "environment.json").read_text())
    assert facts["precision"] in ("bf16", "fp32") and facts["versions"]["torch"] == torch.__version__
    assert facts["store"].startswith("sqlite:") and facts["skipped"] == []
    torch.load(vpn.folder / "checkpoint.pt", weights_only=True)


def test_history_has_a_row_an_epoch_of_every_stage(vpn):
    history = vpn.history
    assert history["stage"].tolist() == ["backbone", "backbone", "joint", "joint"]
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert {"train_total", "train_top1", "validation_total", "validation_top1", "learning_rate"} <= set(history)
    assert history["train_embedding"].notna().tolist() == [False, False, True, True]
    joint = history.iloc[3]
    total = 0.8 * joint.train_classification + 0.2 * joint.train_embedding + 1e-5 * joint.train_attention
    assert joint.train_total == pytest.approx(total, rel=1e-3)


def test_predictions_are_the_trained_systems_own(vpn):
    found, dataset, system = vpn.predictions(), vpn.dataset("test"), vpn.system()
    assert found.ids == dataset.ids and found.labels.tolist() == dataset.labels.tolist()
    assert not system.training
    from workbench.data import sample

    with torch.inference_mode():
        output = system(sample(dataset, 1, vpn.spec).batch.to("cpu"))
    np.testing.assert_allclose(found.logits[1], output.logits[0], atol=1e-4)
    np.testing.assert_allclose(found.features[1], output.features[0], atol=1e-4)
    np.testing.assert_allclose(found.scores.sum(1), 1, atol=1e-5)
    maps = vpn.maps()
    assert set(maps) == {"spatial", "temporal", "attention", "joints"}
    np.testing.assert_allclose(maps["attention"][1], output.maps["attention"][0], atol=1e-5)
    assert vpn.metrics["test"]["top1"] == (found.logits.argmax(1) == found.labels).mean()


def test_attention_is_graded_against_four_baselines(vpn):
    graded = vpn.metrics["test"]["attention"]
    baselines = {"uniform", "centre", "shuffled_pose", "shuffled_time"}
    assert set(graded["ranking"]) == {"system", *baselines, *(f"minus_{name}" for name in baselines)}
    assert graded["ranking"]["uniform"]["value"] == pytest.approx(0.5)
    share = graded["inside_share"]
    assert share["minus_uniform"]["value"] == pytest.approx(share["system"]["value"] - share["uniform"]["value"])
    row = run_table.table(vpn.folder.parent).set_index("id").loc[vpn.id]
    assert row["test_ranking"] == graded["ranking"]["system"]["value"]
    assert row["test_ranking_minus_centre"] == graded["ranking"]["minus_centre"]["value"]


def test_whether_it_is_alive_is_measured_beside_accuracy(vpn):
    alive = vpn.metrics["test"]["alive"]
    assert set(alive) == {"exchanges", "maps", "gradients"}
    assert set(alive["exchanges"]) == {"own", "shuffled_pose", "shuffled_time"} | (
        {"uniform_attention"} if "uniform_attention" in alive["exchanges"] else set()
    )
    assert alive["exchanges"]["own"]["top1"]["value"] == vpn.metrics["test"]["top1"]
    assert set(alive["maps"]) == {"spatial", "temporal", "attention", "joints"}
    last = vpn.history.iloc[3]
    shares = {name: last[name] for name in ("gradient_classification", "gradient_embedding", "gradient_attention")}
    assert alive["gradients"] == {"joint": {"first": alive["gradients"]["joint"]["first"], "last": shares}}
    assert (
        sum(shares.values()) == pytest.approx(1)
        and vpn.history["gradient_embedding"].notna().tolist()[:2] == [False] * 2
    )
    row = run_table.table(vpn.folder.parent).set_index("id").loc[vpn.id]
    assert row["test_alive_pose_changed"] == alive["exchanges"]["shuffled_pose"]["changed"]["value"]
    assert row["test_alive_attention_over_clips"] == alive["maps"]["attention"]["over_clips_share"]
    assert row["test_alive_joint_last_gradient_embedding"] == shares["gradient_embedding"]


def test_the_store_has_one_row_with_every_epoch(vpn):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{vpn.folder.parent / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("workbench").experiment_id
    row = next(row for row in client.search_runs([experiment]) if row.info.run_name == vpn.id)
    assert row.info.status == "FINISHED" and row.data.tags["why"] == "test"
    assert row.data.params["system"] == "vpn" and row.data.params["seed"] == "0"
    steps = client.get_metric_history(row.info.run_id, "train_total")
    assert [(point.step, point.value) for point in steps] == list(enumerate(vpn.history["train_total"], start=1))
    assert row.data.metrics["test_top1"] == vpn.metrics["test"]["top1"]


def test_a_finished_run_is_not_repeated_and_a_missing_split_is_added(vpn):
    before = (vpn.folder / "weights.safetensors").stat().st_mtime_ns
    assert fit(vpn.config.model_dump() | {"evaluate": ["test", "validation"]}) == vpn.id
    assert (vpn.folder / "weights.safetensors").stat().st_mtime_ns == before
    assert set(vpn.metrics) == {"test", "validation"}
    assert vpn.predictions("validation").ids == vpn.dataset("validation").ids


def test_the_same_configuration_gives_the_same_weights(world, tmp_path, shared_store):
    first, again, other = (
        find_runs.open_run(fit(configuration(world, tmp_path / name, system="pose_lstm", seed=seed)), tmp_path / name)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    weights = [(run.folder / "weights.safetensors").read_bytes() for run in (first, again, other)]
    assert weights[0] == weights[1] != weights[2]
    np.testing.assert_array_equal(first.predictions().logits, again.predictions().logits)


def test_learning_happens_and_the_best_epoch_is_kept(world, tmp_path, shared_store):
    config = configuration(world, tmp_path, system="rgb", epochs=6, augment=False, optimizer={"lr": 5e-3})
    run = find_runs.open_run(fit(config), tmp_path)
    history = run.history
    assert history["train_total"].iloc[-1] < 0.6 * history["train_total"].iloc[0]
    evaluate(run, "validation", progress=False, cache=None)
    # In fp32 now, in bf16 while training: the same clips, give or take one at the border.
    assert abs(run.metrics["validation"]["top1"] - history["validation_top1"].max()) <= 0.26


def test_early_stopping(world, tmp_path, shared_store):
    config = configuration(world, tmp_path, system="pose_lstm", epochs=30, patience=2, optimizer={"lr": 1e-9})
    history = find_runs.open_run(fit(config), tmp_path).history
    assert len(history) < 30 and not (tmp_path / "mlflow.db").exists()
    scores = list(zip(history["validation_top1"], -history["validation_total"], strict=True))
    assert scores.index(max(scores)) == len(history) - 3


def test_some_epochs_are_validated_the_last_among_them_and_training_is_the_same(world, tmp_path, shared_store):
    def history(every: int, **changes):
        preset = PRESET | {"validate_every": every}
        asked = {"system": "pose_lstm", "epochs": 4, "evaluate": [], **changes, "preset": preset}
        return find_runs.open_run(fit(configuration(world, tmp_path, **asked)), tmp_path).history

    every, third = history(1), history(3)
    assert third["validation_top1"].notna().tolist() == [True, False, False, True]
    assert third["train_total"].tolist() == every["train_total"].tolist()
    for row in (0, 3):
        assert third["validation_total"][row] == every["validation_total"][row]
    # These watch every epoch.
    assert history(3, patience=9)["validation_top1"].notna().all()
    assert history(3, schedule={"name": "plateau"})["validation_top1"].notna().all()


def test_a_run_starts_from_another_runs_module(vpn, world, tmp_path):
    config = configuration(world, vpn.folder.parent, system="rgb", epochs=1, optimizer={"name": "sgd", "lr": 0.0})
    run = find_runs.open_run(fit(config | {"init": {"backbone": vpn.id}, "evaluate": []}), vpn.folder.parent)
    old, new = (load_file(folder / "weights.safetensors") for folder in (vpn.folder, run.folder))
    for name in (name for name in new if name.startswith("backbone.") and "running" not in name and "num_" not in name):
        assert torch.equal(old[name], new[name]), name
    with pytest.raises(ValueError, match="init names the module 'backbon', which the system lacks; it has: backbone"):
        fit(config | {"init": {"backbon": vpn.id}})
    with pytest.raises(FileNotFoundError, match="has no run 'nothing'; it has: .*vpn-cs"):
        fit(config | {"init": {"backbone": "nothing"}})
    with pytest.raises(ValueError, match=f"run {vpn.id} can't initialise 'classifier'"):
        fit(config | {"init": {"classifier": f"{vpn.id}:attention"}})


def test_a_stage_that_needs_poses_alone_makes_no_pictures(world, tmp_path, shared_store, monkeypatch):
    fields = []
    forward = VPN.forward

    def heard(self, batch):
        fields.append((batch.video is not None, batch.pose is not None))
        return forward(self, batch)

    monkeypatch.setattr(VPN, "forward", heard)
    changes = {"options": {"pose_first": True}, "epochs": {"backbone": 0, "pose": 1, "joint": 1}, "evaluate": []}
    run = find_runs.open_run(fit(configuration(world, tmp_path, system="vpn", **changes)), tmp_path)
    assert run.history["stage"].tolist() == ["pose", "joint"]
    assert fields[0] == (False, True) and fields[-1] == (True, True)


def test_a_classifier_starts_one_of_twice_the_features(vpn, world, tmp_path, shared_store):
    """Its weights stand in both halves, each divided by two: of the same features twice the scores are the same."""
    options = {"coupler": False, "embedding": "none"}
    config = parse(configuration(world, vpn.folder.parent, system="vpn", options=options))
    system = resolve(config, vpn.classes, "kinect_v2").build()
    told = initialise(system, {"classifier": vpn.id}, config.runs)
    assert told["classifier"].endswith("2 tensors of classifier., in 2 parts of its inputs")
    old = load_file(vpn.folder / "weights.safetensors")
    features = torch.randn(3, old["classifier.weight"].shape[1])
    expected = features @ old["classifier.weight"].T + old["classifier.bias"]
    torch.testing.assert_close(system.classifier(torch.cat([features, features], dim=1)), expected)


def test_finding_runs(vpn):
    root = vpn.folder.parent
    assert find_runs.open_run("latest:vpn", root).id == vpn.id == find_runs.latest(root, system="vpn", seed=0).id
    with pytest.raises(FileNotFoundError, match="no finished run with system='vpn', seed=7"):
        find_runs.latest(root, system="vpn", seed=7)
    with pytest.raises(ValueError, match="runs have no field 'sed'; valid: system"):
        find_runs.latest(root, sed=7)
    for name in ("..", "", "a/../" + vpn.id, str(vpn.folder)):
        with pytest.raises(FileNotFoundError, match="has no run"):
            find_runs.open_run(name, root)
    assert run_table.table(root / "nowhere").empty
    finished = [run.id for run in find_runs.finished(root)]
    assert list(run_table.recent(root, vpn)["id"])[0] == vpn.id and set(run_table.recent(root, vpn)["id"]) == set(
        finished
    )
    assert list(run_table.recent(root, vpn, others=0)["id"]) == [vpn.id]


def test_random_states_come_back(tmp_path):
    checkpoint.seed_all(3)
    checkpoint.save(tmp_path / "c.pt", {"x": torch.arange(3)})
    drawn = random.random(), np.random.random(), torch.rand(1).item()
    checkpoint.seed_all(4)
    state = checkpoint.load(tmp_path / "c.pt")
    checkpoint.set_random_state(state["random"])
    assert (random.random(), np.random.random(), torch.rand(1).item()) == drawn
    assert state["x"].tolist() == [0, 1, 2]


def test_windows_of_a_clip_are_pooled_by_their_highest_score():
    logits = torch.tensor([[2.0, 0.0], [0.0, 5.0], [1.0, 0.0]])
    features = torch.tensor([[1.0], [3.0], [7.0]])
    batch = Batch(label=torch.tensor([1, 1, 0]), ids=["a", "a", "b"])
    found = inference.gather([(batch, Output(logits, features, maps={"temporal": torch.ones(3, 2)}))])
    assert found.ids == ["a", "b"] and found.labels.tolist() == [1, 0]
    assert found.logits.tolist() == [[0, 5], [1, 0]] and found.features[:, 0].tolist() == [2, 7]
    soft = logits.softmax(1)
    np.testing.assert_allclose(found.scores, torch.stack([soft[:2].max(0).values, soft[2]]), rtol=1e-6)
    assert found.maps["temporal"].shape == (2, 2) and found.keys is None


def test_partners_are_other_clips_of_other_classes():
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    partner = attention_grades.partners(labels, seed=0)
    assert sorted(partner) == list(range(8)) and (labels[partner] != labels).all()
    same = attention_grades.partners(np.zeros(5, int), seed=0)
    assert sorted(same) == list(range(5)) and (same != np.arange(5)).all()
    with pytest.raises(ValueError, match="two clips or more"):
        attention_grades.partners(np.array([0]), seed=0)


def test_shuffled_time_permutes_what_the_system_reads_and_nothing_else():
    pose = torch.arange(2 * 1 * 6 * 2 * 3.0).reshape(2, 1, 6, 2, 3)
    mixed = attention_grades.shuffle_time(0)(Batch(pose=pose, video=torch.zeros(2, 3, 4, 2, 2), ids=["a", "b"]))
    assert mixed.video.abs().sum() == 0 and not torch.equal(mixed.pose, pose)
    assert torch.equal(mixed.pose.sort(2).values, pose)
    alone = attention_grades.shuffle_time(0)(Batch(pose=pose[1:], ids=["b"]))
    assert torch.equal(alone.pose, mixed.pose[1:])


def segmented(count: int) -> Batch:
    """Clips of six poses and two segments of four; every number is another."""
    whole = torch.arange(count * 6 * 6.0).reshape(count, 1, 6, 2, 3)
    part = 1000 + torch.arange(2 * count * 4 * 6.0).reshape(2 * count, 1, 4, 2, 3)
    return Batch(pose=whole, segments={2: Batch(pose=part)}, ids=[f"clip {i}" for i in range(count)])


def test_shuffled_time_permutes_moments_among_the_segments_of_a_clip():
    batch = segmented(3)
    mixed = attention_grades.shuffle_time(0)(batch)
    before, after = (each.segments[2].pose.unflatten(0, (3, 2)) for each in (batch, mixed))
    assert torch.equal(after.flatten(1).sort(1).values, before.flatten(1))  # the same poses in each clip
    assert torch.equal(after.diff(dim=5), before.diff(dim=5))  # and each pose whole
    assert not torch.equal(after[:, 0].flatten(1).sort(1).values, before[:, 0].flatten(1))
    alone = Batch(pose=batch.pose[2:], segments={2: Batch(pose=batch.segments[2].pose[4:])}, ids=batch.ids[2:])
    assert torch.equal(attention_grades.shuffle_time(0)(alone).segments[2].pose, mixed.segments[2].pose[4:])


def test_shuffled_poses_are_another_clips_in_its_segments_too():
    batch = segmented(4).replace(label=torch.arange(4))
    poses = attention_grades.poses_of(batch)
    assert poses["clip 1"][2].shape == (2, 1, 4, 2, 3)
    labels = batch.label.numpy()
    mixed = attention_grades.shuffle_pose(poses, labels, 0)(batch)
    partner = attention_grades.partners(labels, 0)
    assert sorted(partner) == [0, 1, 2, 3] and (partner != np.arange(4)).all()
    assert torch.equal(mixed.pose, batch.pose[partner])
    assert torch.equal(
        mixed.segments[2].pose.unflatten(0, (4, 2)), batch.segments[2].pose.unflatten(0, (4, 2))[partner]
    )


def test_perfect_attention_beats_every_baseline():
    mask = np.zeros((4, 8, 8), bool)
    mask[2:, :4, :4] = True
    truth = Truth(np.zeros(25, bool), mask, np.zeros((4, 4), np.float32), (2, 4), np.arange(4))
    perfect = {"attention": np.zeros((3, 2, 2, 2)), "temporal": np.tile([0.0, 1.0], (3, 1))}
    perfect["attention"][:, 1, 0, 0] = 1
    methods = {"system": perfect} | {name: attention_grades.constant(name, perfect) for name in ("uniform", "centre")}
    told = attention_grades.summary(
        {name: attention_grades.grade_maps(maps, [truth] * 3) for name, maps in methods.items()}
    )
    for grade in ("inside_share", "pointing_game", "ranking", "temporal_overlap", "temporal_gain"):
        assert told[grade]["system"]["value"] == 1
        assert told[grade]["minus_uniform"]["low"] > 0 and told[grade]["minus_centre"]["low"] > 0


def test_spatial_weights_without_coupler_are_graded_as_constant_attention():
    maps = {"spatial": np.random.default_rng(0).random((2, 3, 3)), "temporal": np.ones((2, 4))}
    found = attention_grades.gradable(maps)
    assert found["attention"].shape == (2, 4, 3, 3)
    np.testing.assert_array_equal(found["attention"][:, 3], maps["spatial"])
    assert attention_grades.gradable({"joints": np.ones((2, 4, 25))}) == {}


def test_without_mlflow_a_run_is_a_folder_and_says_so(world, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    run = find_runs.open_run(fit(configuration(world, tmp_path, system="pose_lstm", epochs=1)), tmp_path)
    assert run.finished and run.metrics["test"]["clips"] == 4
    assert "mlflow is not installed" in json.loads((run.folder / "environment.json").read_text())["store"]
    assert "mlflow is not installed" in caplog.text and not (tmp_path / "mlflow.db").exists()


def test_the_store_logs_each_epoch_once_over_a_resume(tmp_path):
    history = [{"train_total": 1.0, "stage": "a"}, {"train_total": float("nan")}, {"train_total": 0.5}]
    Store(tmp_path, "r", {"x": 1}, {}).epochs(history[:1])
    again = Store(tmp_path, "r", {"x": 1}, {})
    again.epochs(history)
    again.finish({"test_top1": 0.5})
    points = again._client.get_metric_history(again._row, "train_total")
    assert [(point.step, point.value) for point in points] == [(1, 1.0), (3, 0.5)]


def test_configurations_that_do_not_fit_the_data(world, tmp_path):
    with pytest.raises(ValueError, match="SynthADL has no protocol 'xs'"):
        fit(configuration(world, tmp_path, system="rgb", protocol="xs"))
    assert parse(configuration(world, tmp_path, system="rgb")).root == str(world)
    assert video.probe(str(next((world / "videos").glob("*.mp4")))).frames >= 12


def test_a_kill_between_the_last_checkpoint_and_its_row_loses_no_row(world, tmp_path, shared_store, monkeypatch):
    asked = configuration(world, tmp_path, system="pose_lstm", evaluate=[])
    tell = Training._tell

    def killed(self):
        if len(self.position.history) == 2:
            raise KeyboardInterrupt
        tell(self)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "_tell", killed)
        with pytest.raises(KeyboardInterrupt):
            fit(asked)
    run = find_runs.open_run(fit(asked), tmp_path)
    assert list(run.history["epoch"]) == [1, 2]
