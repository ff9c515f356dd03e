"""The ways in which a stage trains: a part alone, on cached features, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from safetensors.torch import load_file
from torch import nn

from tests.fixtures import fake_synthadl
from workbench import systems
from workbench.study import fit
from workbench.study.config.train_config import TrainConfig
from workbench.study.runs import find_runs
from workbench.study.train import optim
from workbench.study.train.stage_data import Kept
from workbench.systems import Stage, System
from workbench.systems.baselines.pose_lstm import PoseLSTMClassifier
from workbench.systems.common.building import assemble
from workbench.systems.common.composite import member_stages
from workbench.types import Output

COUNTS: dict[str, int] = {}


@dataclass(frozen=True)
class NoOptions:
    pass


class Probe(System):
    """A pose network, a head on its features, and a mean that is solved for."""

    needs_train, needs_test = frozenset({"pose", "label"}), frozenset({"pose"})
    Options, default_backbone = NoOptions, None

    def __init__(self, setting, options):
        super().__init__()
        self.member = assemble(PoseLSTMClassifier, setting, hidden=8)
        self.head = nn.Linear(8, setting.num_classes)
        self.mean = nn.Parameter(torch.zeros(8))

    def encode(self, batch):
        COUNTS["encode"] = COUNTS.get("encode", 0) + len(batch.ids)
        assert not self.member.training
        return {"h": self.member(batch).features}

    def forward(self, batch):
        h = (batch.features or self.encode(batch))["h"]
        return Output(self.head(h - self.mean), h)

    def loss(self, output, batch):
        total = F.cross_entropy(output.logits, batch.label)
        return {"total": total}

    def solve(self, train, validation):
        found = torch.cat([batch.features["h"] for batch in train])
        self.mean.data.copy_(found.mean(0))
        return {"clips": float(len(found)), "validation_clips": float(sum(len(batch.ids) for batch in validation))}

    def stages(self):
        return [
            *member_stages("member", self.member),
            Stage("mean", trains=("mean",), cached="encode", solve="solve"),
            Stage("head", trains=("head",), cached="encode"),
        ]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setitem(systems.SYSTEMS, "probe", Probe)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    COUNTS.clear()
    world = fake_synthadl(tmp_path / "world", actions=2, views=2, frames=12, size=(48, 64))
    preset = {"base": "tiny", "batch_size": 2, "clip": [8, 32, 32], "width": 0.125, "poses": 8}
    config = {"system": "probe", "root": str(world), "runs": str(tmp_path / "runs"), "cache": None, "progress": False}
    return {**config, "preset": preset, "epochs": {"pose": 2, "mean": 1, "head": 3}, "evaluate": ["test"]}


def test_every_kind_of_stage_trains_its_part_and_no_other(run):
    found = find_runs.open_run(fit(run), run["runs"])
    assert found.history["stage"].tolist() == ["member/pose"] * 2 + ["mean"] + ["head"] * 3
    assert found.history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    clips = len(found.dataset("train"))
    solved = found.history.iloc[2]
    assert solved["clips"] == clips and solved["validation_clips"] == len(found.dataset("validation"))
    weights = load_file(found.folder / "weights.safetensors")
    kept = Kept(found.folder / "features/mean_train.safetensors", 2)
    features = torch.cat([batch.features["h"] for batch in kept])
    assert torch.allclose(weights["mean"], features.mean(0), atol=1e-6) and weights["mean"].abs().sum() > 0
    # The features are those of the trained member, made once a clip and a stage; the test split adds its own forwards.
    system = found.system()
    assert torch.equal(system.mean.data, weights["mean"])
    in_order = [name for batch in kept for name in batch.ids]
    assert in_order == found.dataset("train").ids


def test_each_stage_is_clipped_as_its_paper_prints(run, monkeypatch):
    """The pose LSTM's gradient to a norm of 1, the others' not at all, where the preset says nothing of its own."""
    norms = []
    monkeypatch.setattr(
        Fabric, "clip_gradients", lambda *_, max_norm, **__: norms.append(max_norm) or torch.tensor(1.0)
    )
    paper = {**run["preset"], "base": "paper", "poses": 8, "windows": 1}
    found = find_runs.open_run(fit({**run, "preset": paper, "evaluate": []}), run["runs"])
    steps = len(found.dataset("train")) // 2
    assert norms == [1.0] * 2 * steps  # two epochs of member/pose, none of the head's
    norms.clear()
    fit({**run, "evaluate": []})
    assert norms == [5.0] * 5 * steps


def test_features_are_made_once_a_clip_whatever_the_epochs(run):
    run = {**run, "evaluate": []}
    found = find_runs.open_run(fit(run), run["runs"])
    clips = len(found.dataset("train")) + len(found.dataset("validation"))
    assert COUNTS["encode"] == 2 * clips  # two stages ask, each for both splits


def test_kept_features_are_shuffled_by_epoch_and_go_on_from_a_position(run):
    found = find_runs.open_run(fit({**run, "evaluate": []}), run["runs"])
    path = found.folder / "features/head_train.safetensors"

    def epoch(kept, number):
        kept.set_epoch(number)
        return [name for batch in kept for name in batch.ids]

    one, two = Kept(path, 2, seed=3, train=True), Kept(path, 2, seed=3, train=True)
    first, second = epoch(one, 0), epoch(one, 1)
    assert sorted(first) == sorted(second) and first != second and epoch(two, 1) == second
    half = Kept(path, 2, seed=3, train=True)
    half.load_state_dict({"epoch": 1, "position": 1})
    assert [name for batch in half for name in batch.ids] == second[2:]
    shards = [Kept(path, 2, seed=3, train=True, shard=(rank, 2)) for rank in range(2)]
    parts = [epoch(shard, 1) for shard in shards]
    assert len(parts[0]) == len(parts[1]) and not set(parts[0]) & set(parts[1])


def test_tables_by_stage_reach_the_stage_of_a_member():
    stages = [Stage("member/pose", part="member", trains=("member",)), Stage("head")]
    config = TrainConfig(
        system="pose_lstm",
        epochs={"pose": 7, "head": 2},
        optimizer={"scale": {"lstm": 3.0, "member.classifier": 2.0}},
    )
    pose, head = optim.adapt(stages, config)
    assert (pose.epochs, head.epochs) == (7, 2)
    assert pose.optimizer["scale"] == {"member.lstm": 3.0, "member.classifier": 2.0}
    assert pose.optimizer["lr"] == 2e-3 and head.optimizer["lr"] == 1e-3  # the preset's, by what follows the slash
    with pytest.raises(ValueError, match="no stage 'joint'; its stages: member/pose, pose, head"):
        optim.adapt(stages, TrainConfig(system="pose_lstm", epochs={"joint": 1}))


def test_trained_parts_are_joined_as_they_are(run):
    first = fit(run)
    joined = fit({**run, "epochs": 0, "init": {"": f"{first}:"}})
    before, after = (load_file(f"{run['runs']}/{name}/weights.safetensors") for name in (first, joined))
    assert joined != first and all(torch.equal(before[name], after[name]) for name in before)
    assert (
        find_runs.open_run(joined, run["runs"]).metrics["test"]
        == find_runs.open_run(first, run["runs"]).metrics["test"]
    )
