"""Layers that don't learn, and what they make of a clip, which is computed once."""

from __future__ import annotations

import pytest
import torch

from tests.fixtures import fake_synthadl
from workbench.nets import I3D
from workbench.nets.video.memory import Memory
from workbench.study import fit
from workbench.study.config.train_config import parse
from workbench.study.runs.find_runs import open_run
from workbench.study.train import optim

FIRST = ["Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3", "Mixed_3b", "Mixed_3c"]
PRESET = {"base": "tiny", "batch_size": 4, "clip": [8, 32, 32], "output_stride": [4, 16, 16], "width": 0.125}


def test_a_clip_is_computed_once_by_itself_and_in_its_own_place():
    asked = []

    def layers(video):
        asked.append(video.shape)
        return video.sum((1, 3, 4))

    memory, clips = Memory(layers), torch.randn(3, 2, 4, 5, 5)
    assert torch.equal(memory(clips), clips.sum((1, 3, 4)))
    again = torch.cat([clips[2:], torch.randn(1, 2, 4, 5, 5), clips[:1]])
    assert torch.equal(memory(again), again.sum((1, 3, 4)))
    assert asked == [(1, 2, 4, 5, 5)] * 4 and len(memory) == 4


def test_what_has_no_room_is_computed_each_time():
    memory, clips = Memory(lambda video: video, limit=100), torch.randn(2, 1, 1, 4, 4)  # 64 bytes each
    assert torch.equal(memory(clips), clips) and torch.equal(memory(clips), clips) and len(memory) == 1


def test_nothing_is_learnt_through_it():
    clip = torch.randn(1, 1, 2, 2, 2, requires_grad=True)
    assert not Memory(lambda video: video * 2)(clip).requires_grad


def test_a_network_of_frozen_first_layers_gives_what_it_gave():
    torch.manual_seed(0)
    network, video = I3D(width=0.125, output_stride=(4, 16, 16)).eval(), torch.randn(2, 3, 8, 32, 32)
    before = network(video)
    network.requires_grad_(False)
    optim.remember(network, varies=True)
    assert network.memory is None
    optim.remember(network, varies=False)
    assert torch.allclose(network(video), before, atol=1e-5) and len(network.memory) == 2
    assert torch.equal(network(video.flip(0)), network(video).flip(0)) and len(network.memory) == 2
    network.Conv3d_1a_7x7.requires_grad_(True)
    optim.remember(network, varies=False)
    assert network.memory is None


def test_a_run_keeps_what_it_is_told_to_freeze(tmp_path):
    world = fake_synthadl(tmp_path / "world", actions=2, views=2, frames=12, size=(48, 64))
    shared = {"system": "rgb", "root": str(world), "runs": str(tmp_path / "runs"), "cache": None, "progress": False}
    shared |= {"preset": PRESET, "augment": False}
    start = open_run(fit({**shared, "epochs": 1}), tmp_path / "runs")
    run = open_run(fit({**shared, "epochs": 2, "freeze": FIRST, "init": {"": f"{start.id}:"}}), tmp_path / "runs")
    before, after = start.state(), run.state()
    for name, value in after.items():
        kept = name.split(".")[1] in FIRST
        if kept or name.endswith("conv3d.weight"):
            assert torch.equal(value, before[name]) == kept, name


def test_what_is_frozen_says_which_run_it_is_and_nothing_frozen_does_not():
    assert "freeze" not in parse({"system": "rgb"}).identity()
    assert parse({"system": "rgb", "freeze": FIRST}).identity()["freeze"] == FIRST


def test_a_layer_that_is_not_there_is_named(tmp_path):
    world = fake_synthadl(tmp_path / "world", actions=2, views=2, frames=12, size=(48, 64))
    shared = {"system": "rgb", "root": str(world), "runs": str(tmp_path / "runs"), "cache": None, "progress": False}
    with pytest.raises(ValueError, match="freeze names 'Mixed_3', which has no parameters here; did you mean 'Mixed_3"):
        fit({**shared, "preset": PRESET, "epochs": 1, "freeze": ["Mixed_3"]})
