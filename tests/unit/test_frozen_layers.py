"""Layers that don't learn, and what they make of a clip, which is computed once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.fixtures import fake_synthadl
from workbench.nets import I3D
from workbench.nets.video.i3d import FIRST
from workbench.nets.weights import SHIPPED
from workbench.study import fit
from workbench.study.config.train_config import parse
from workbench.study.features import frozen_layers
from workbench.study.features.batches import ClipBatches
from workbench.study.features.frozen_layers import FrozenLayers
from workbench.study.runs.find_runs import open_run
from workbench.systems import build
from workbench.types import Batch

PRESET = {"base": "tiny", "batch_size": 4, "clip": [8, 32, 32], "output_stride": [4, 16, 16], "width": 0.125}


def system(width=0.125):
    torch.manual_seed(0)
    return build("rgb", num_classes=3, clip=(8, 32, 32), width=width, output_stride=(4, 16, 16)).eval()


def clips(count, seed=0):
    video = torch.randint(0, 256, (count, 3, 8, 32, 32), dtype=torch.uint8, generator=torch.manual_seed(seed))
    return Batch(video=video, label=torch.zeros(count, dtype=torch.long), ids=[str(i) for i in range(count)])


def test_a_batch_goes_past_the_first_layers_and_the_network_says_the_same():
    rgb, batch = system(), clips(3)
    frozen = FrozenLayers(rgb, FIRST, cache=None)
    ready = frozen(batch)
    assert ready.encoded and ready.video.shape == (3, 64, 2, 2, 2) and ready.ids == batch.ids
    torch.testing.assert_close(ready.video, rgb.backbone.first_layers(batch.to("cpu").video).detach())
    assert not torch.allclose(ready.video[0], ready.video[1]) and not ready.video.requires_grad
    torch.testing.assert_close(rgb(ready).logits, rgb(batch.to("cpu")).logits)
    again = frozen(batch.replace(video=batch.video.flip(0)))
    assert torch.equal(again.video, ready.video.flip(0))


def test_what_is_computed_depends_on_neither_mode_nor_precision():
    before = FrozenLayers(system(), FIRST, cache=None)(clips(2)).video
    with torch.autocast("cpu", torch.bfloat16):
        in_training = FrozenLayers(system().train(), FIRST, cache=None)(clips(2)).video
    assert in_training.dtype == torch.float32 and torch.equal(in_training, before)


@pytest.mark.parametrize("names", [(), FIRST[1:]])
def test_what_learns_is_not_gone_past(names):
    ready = FrozenLayers(system(), names, cache=None)(clips(2))
    assert not ready.encoded and ready.video.shape == (2, 3, 8, 32, 32)


def test_networks_with_other_first_layers_are_not_gone_past():
    pair = nn.ModuleList([system(), system()])
    assert FrozenLayers(pair, FIRST, cache=None)(clips(1)).encoded
    pair[1].backbone.Mixed_3b.b0.conv3d.weight.data.add_(1)
    assert not FrozenLayers(pair, FIRST, cache=None)(clips(1)).encoded


def test_the_batch_says_that_it_is_encoded():
    rgb, batch = system(), FrozenLayers(system(), FIRST, cache=None)(clips(2))
    with pytest.raises(ValueError, match=r"batch.video must be \[B,3,T,H,W\], got \[2, 64, 2, 2, 2\]"):
        rgb(batch.replace(encoded=False))


def computed(monkeypatch):
    counts, layers = [], I3D.first_layers

    def counted(network, video):
        counts.append(len(video))
        return layers(network, video)

    monkeypatch.setattr(I3D, "first_layers", counted)
    return counts


def test_the_next_of_the_same_layers_reads_what_was_shared(tmp_path, monkeypatch):
    counts, sums = computed(monkeypatch), []
    for count in (2, 3, 3):
        frozen = FrozenLayers(system(), FIRST, str(tmp_path))
        sums.append(frozen(clips(3).replace(video=clips(3).video[:count])).video)
        frozen.share()
        frozen.share()
    assert counts == [1, 1, 1] and torch.equal(sums[1], sums[2]) and torch.equal(sums[1][:2], sums[0])
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2
    other = system()
    other.backbone.Mixed_3b.b0.conv3d.weight.data.add_(1)
    FrozenLayers(other, FIRST, str(tmp_path))(clips(3))
    assert counts == [1] * 6


def test_what_has_no_room_is_computed_each_time(monkeypatch):
    monkeypatch.setattr(frozen_layers, "LIMIT", 64 * 8 * 4)
    counts, frozen = computed(monkeypatch), FrozenLayers(system(), FIRST, cache=None)
    assert torch.equal(frozen(clips(2)).video, frozen(clips(2)).video) and counts == [1, 1, 1]


def test_a_damaged_file_is_computed_again(tmp_path, monkeypatch):
    frozen = FrozenLayers(system(), FIRST, str(tmp_path))
    before = frozen(clips(2)).video
    frozen.share()
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    counts = computed(monkeypatch)
    with pytest.warns(UserWarning, match=path.name):
        assert torch.equal(FrozenLayers(system(), FIRST, str(tmp_path))(clips(2)).video, before)
    assert counts == [1, 1]


@pytest.mark.parametrize("names", [FIRST, ("Mixed_3b",)])
def test_a_run_keeps_what_it_is_told_to_freeze(tmp_path, names):
    world = fake_synthadl(tmp_path / "world", actions=2, views=2, frames=12, size=(48, 64))
    shared = {"system": "rgb", "root": str(world), "runs": str(tmp_path / "runs"), "cache": None, "progress": False}
    shared |= {"preset": PRESET, "augment": False}
    start = open_run(fit({**shared, "epochs": 1}), tmp_path / "runs")
    run = open_run(fit({**shared, "epochs": 2, "freeze": list(names), "init": {"": f"{start.id}:"}}), tmp_path / "runs")
    before, after = start.state(), run.state()
    for name, value in after.items():
        kept = name.split(".")[1] in names
        if kept or name.endswith("conv3d.weight"):
            assert torch.equal(value, before[name]) == kept, name


def test_what_is_frozen_says_which_run_it_is_and_nothing_frozen_does_not():
    assert "freeze" not in parse({"system": "rgb"}).identity()
    assert parse({"system": "rgb", "freeze": list(FIRST)}).identity()["freeze"] == list(FIRST)


def test_a_layer_that_is_not_there_is_named(tmp_path):
    world = fake_synthadl(tmp_path / "world", actions=2, views=2, frames=12, size=(48, 64))
    shared = {"system": "rgb", "root": str(world), "runs": str(tmp_path / "runs"), "cache": None, "progress": False}
    with pytest.raises(ValueError, match="freeze names 'Mixed_3', which has no parameters here; did you mean 'Mixed_3"):
        fit({**shared, "preset": PRESET, "epochs": 1, "freeze": ["Mixed_3"]})
    with pytest.raises(ValueError, match="Mixed_3b.b0.conv3d.weight is frozen, and nothing in init gives it a value"):
        fit({**shared, "preset": PRESET, "epochs": 1, "freeze": ["Mixed_3b"]})


def test_the_preset_frozen_trains_what_comes_behind_and_computes_the_rest_once(tmp_path, monkeypatch):
    world = fake_synthadl(tmp_path / "world", actions=2, views=2, frames=12, size=(48, 64))
    counts = computed(monkeypatch)
    preset, cache = PRESET | {"base": "frozen", "width": 0.25}, str(tmp_path / "cache")
    shared = {"root": str(world), "runs": str(tmp_path / "runs"), "cache": cache, "progress": False, "preset": preset}
    rgb = {"system": "rgb", "init": {"backbone": "i3d_synthadl_p"}, "epochs": 2}
    run = open_run(fit({**shared, **rgb, "evaluate": []}), tmp_path / "runs")
    assert len(counts) >= len(run.dataset("train")) + len(run.dataset("validation"))
    fit({**shared, **rgb, "evaluate": ["validation", "test"]})
    before, after = load_file(SHIPPED["i3d_synthadl_p"]), run.state()
    for name, value in before.items():
        if name.endswith("conv3d.weight"):
            learnt = name.split(".")[0] not in FIRST
            assert torch.equal(after[f"backbone.{name}"], value.float()) != learnt, name
    windows = len(run.dataset("train")) * run.experiment.clip.phases
    windows += len(run.dataset("validation")) + len(run.dataset("test"))
    assert set(counts) == {1}
    vpn = {"system": "vpn", "init": {"backbone": f"{run.id}:backbone"}, "epochs": {"backbone": 0, "joint": 1}}
    fit({**shared, **vpn, "evaluate": ["validation"]})
    fit({**shared, "system": "pose_lstm", "epochs": 1})  # has no such layer
    assert len(counts) <= windows
    # What is measured is what the whole network says.
    logits = np.load(run.folder / "predictions_test.npz")["logits"]
    network = run.system().eval()
    batches = ClipBatches(run.experiment).load(run.clips("test"), network.wants(training=False))
    whole = torch.cat([network(batch.to("cpu")).logits for batch in batches])
    assert np.allclose(whole.detach(), logits, atol=1e-4)
