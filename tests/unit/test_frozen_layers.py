"""Layers that don't learn, and what they make of a clip, which is computed once."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.fixtures import fake_synthadl
from workbench.nets import I3D
from workbench.nets.video.memory import Memory
from workbench.nets.weights import SHIPPED
from workbench.study import fit
from workbench.study.config.train_config import parse
from workbench.study.runs.find_runs import open_run

FIRST = ["Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3", "Mixed_3b", "Mixed_3c"]
PRESET = {"base": "tiny", "batch_size": 4, "clip": [8, 32, 32], "output_stride": [4, 16, 16], "width": 0.125}


class Layers(nn.Module):
    """A layer that tells which shapes it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.asked = nn.Parameter(torch.tensor(2.0)), []

    def forward(self, video):
        self.asked.append(tuple(video.shape))
        return self.weight * video.sum((1, 3, 4))


def test_a_clip_is_computed_once_by_itself_and_in_its_own_place():
    layers, clips = Layers(), torch.randn(3, 2, 4, 5, 5)
    memory = Memory(layers)
    assert torch.equal(memory(clips), 2 * clips.sum((1, 3, 4)))
    again = torch.cat([clips[2:], torch.randn(1, 2, 4, 5, 5), clips[:1]])
    assert torch.equal(memory(again), 2 * again.sum((1, 3, 4)))
    assert layers.asked == [(1, 2, 4, 5, 5)] * 4 and len(memory) == 4
    assert not memory(clips.requires_grad_()).requires_grad


def test_what_has_no_room_is_computed_each_time():
    memory, clips = Memory(nn.Identity(), limit=100), torch.randn(2, 1, 1, 4, 4)  # 64 bytes each
    assert torch.equal(memory(clips), clips) and torch.equal(memory(clips), clips) and len(memory) == 1


def test_the_next_of_the_same_layers_reads_what_was_shared(tmp_path):
    clips, computed = torch.randn(3, 1, 2, 2, 2), []
    for rows, weight in ((clips[:2], 2.0), (clips, 2.0), (clips, 2.0), (clips, 3.0)):
        layers = Layers()
        layers.weight.data.fill_(weight)
        memory = Memory(layers, tmp_path)
        assert torch.equal(memory(rows), weight * rows.sum((1, 3, 4)))
        memory.share()
        memory.share()
        computed.append(len(layers.asked))
    assert computed == [2, 1, 0, 3] and len(list(tmp_path.rglob("*.safetensors"))) == 3
    with torch.autocast("cpu", torch.bfloat16):
        layers = Layers()
        Memory(layers, tmp_path)(clips)
    assert len(layers.asked) == 3  # another precision gives other numbers


def test_a_damaged_file_is_computed_again(tmp_path):
    clips, layers = torch.randn(2, 1, 2, 2, 2), Layers()
    memory = Memory(layers, tmp_path)
    memory(clips)
    memory.share()
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.warns(UserWarning, match=path.name):
        assert torch.equal(Memory(layers, tmp_path)(clips), memory(clips))
    assert len(layers.asked) == 4


@pytest.mark.parametrize("behind", [0, 2, 7, 9])
def test_a_network_of_frozen_first_layers_gives_what_it_gave(behind):
    torch.manual_seed(0)
    network, video = I3D(width=0.125, output_stride=(4, 16, 16)).eval(), torch.randn(2, 3, 8, 32, 32)
    before, state = network(video), set(network.state_dict())
    frozen = [name for name, layer in network.halves(behind)[0].named_children() if list(layer.parameters())]
    network.remember(frozen)
    assert network.behind == behind and set(network.state_dict()) == state
    assert torch.allclose(network(video), before, atol=1e-5) and len(network.memory) == 2
    assert torch.equal(network(video.flip(0)), network(video).flip(0)) and len(network.memory) == 2
    laid = network(video.contiguous(memory_format=torch.channels_last_3d))
    assert torch.allclose(laid, before, atol=1e-5)
    network.remember(frozen[1:])
    assert network.memory is None and torch.equal(network(video), before)


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
    with pytest.raises(ValueError, match="Mixed_3b.b0.conv3d.weight is frozen, and nothing in init gives it a value"):
        fit({**shared, "preset": PRESET, "epochs": 1, "freeze": ["Mixed_3b"]})


def test_the_preset_frozen_trains_what_comes_behind_and_computes_the_rest_once(tmp_path, monkeypatch):
    world, counts = fake_synthadl(tmp_path / "world", actions=2, views=2, frames=12, size=(48, 64)), []
    share = Memory.share
    monkeypatch.setattr(
        Memory, "share", lambda memory: (counts.append(sum(map(len, memory._new.values()))), share(memory))
    )
    preset, cache = PRESET | {"base": "frozen", "width": 0.25, "phases": 1}, str(tmp_path / "cache")
    shared = {"root": str(world), "runs": str(tmp_path / "runs"), "cache": cache, "progress": False, "preset": preset}
    shared |= {"evaluate": ["validation"]}
    rgb = {"system": "rgb", "init": {"backbone": "i3d_synthadl_p"}, "epochs": 2}
    run = open_run(fit({**shared, **rgb}), tmp_path / "runs")
    before, after = load_file(SHIPPED["i3d_synthadl_p"]), run.state()
    for name, value in before.items():
        if name.endswith("conv3d.weight"):
            learnt = name.split(".")[0] in ("Mixed_5b", "Mixed_5c")
            assert torch.equal(after[f"backbone.{name}"], value.float()) != learnt, name
    clips, held_out = len(run.dataset("train")), len(run.dataset("validation"))
    # Training and evaluation have their own precision: fp32 in evaluation.
    assert counts in ([clips + held_out, held_out], [clips + held_out, 0])
    counts.clear()
    other = open_run(fit({**shared, **rgb, "seed": 1}), tmp_path / "runs")
    assert counts == [0, 0] and other.id != run.id
    fit({**shared, "system": "pose_lstm", "epochs": 1})  # has no such layer
    assert counts == [0, 0]
