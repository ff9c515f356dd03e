"""Configurations, presets, stages as data, and what decides which run is which."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tests.fixtures import fake_synthadl
from workbench.data import ClipSpec
from workbench.study.config.data_of import open_split
from workbench.study.config.experiment import resolve
from workbench.study.config.pairs import parse_pairs
from workbench.study.config.presets import PRESETS
from workbench.study.config.stages import amend
from workbench.study.config.train_config import TrainConfig, parse
from workbench.study.features.batches import cache_folder
from workbench.study.runs import hardware, run_identity
from workbench.study.train import optim
from workbench.systems import build
from workbench.systems.common.base import Stage

SMALLEST = {"clip": (16, 32, 32), "width": 0.125, "poses": 4}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sytem": "vpn"}, "TrainConfig has no parameter 'sytem'; valid names: system, options"),
        ({"system": "vnp"}, "unknown system 'vnp'; known: rgb, pose_lstm, "),
        ({"system": "vpn", "options": {"couplr": False}}, "vpn has no option 'couplr'; valid options: .*coupler"),
        ({"system": "rgb", "seed": "0"}, "seed should be a valid integer, got '0'"),
        ({"system": "rgb", "seed": -1}, "seed should be greater than or equal to 0, got -1"),
        ({"system": "rgb", "precision": "half"}, "precision should be 'auto', 'fp32', 'bf16' or 'fp16', got 'half'"),
        ({"system": "rgb", "epochs": 2.5}, "epochs should be a valid integer .*got 2.5"),
        ({"system": "rgb", "epochs": -1}, "epochs should be 0 or more, got -1"),
        ({"system": "rgb", "preset": "huge"}, "unknown preset 'huge'; known: tiny, study, frozen, paper"),
        ({"system": "rgb", "preset": {"widht": 1.0}}, "Preset has no parameter 'widht'; valid names: clip"),
        ({"seed": 1}, "TrainConfig needs the parameter 'system'"),
    ],
)
def test_a_wrong_parameter_is_one_sentence_with_the_valid_ones(wrong, words):
    with pytest.raises(ValueError, match=words) as caught:
        parse(wrong)
    assert "\n" not in str(caught.value)


def test_presets_are_numbers_of_one_shape():
    specs = {name: resolve(TrainConfig(system="rgb", preset=name)).clip for name in PRESETS}
    assert (specs["tiny"].frames, specs["tiny"].size) == (16, (96, 96))
    assert (specs["paper"].frames, specs["paper"].size, specs["paper"].stride) == (64, (224, 224), 2)
    assert specs["paper"].poses == 20 and specs["paper"].windows == "all"


def test_perf_net_s_input_is_its_paper_s():
    """Section 4: 64 consecutive frames, shorter side 256, 224 cropped of it; one central crop at test."""
    spec = resolve(TrainConfig(system="perf_stream", preset="perf_net_paper")).clip
    assert (spec.frames, spec.sampling, spec.crop, spec.size, spec.area) == (
        64,
        "consecutive",
        "centre",
        (224, 224),
        (256, 256),
    )
    assert (spec.windows, spec.test_area, spec.drawn_persons, spec.flow_method) == (1, "whole", "all", "tvl1")
    assert TrainConfig(system="detector", preset="perf_net_paper").numbers.batch_size == 8


def test_the_gradient_is_clipped_as_the_paper_the_preset_or_the_run_says():
    stages = [Stage("plain"), Stage("printed", clip_grad=1.0)]

    def clips(**asked) -> list[float | None]:
        return [stage.clip_grad for stage in resolve(TrainConfig(system="rgb", **asked)).procedure.of(stages)]

    assert clips(preset="paper") == clips(preset="perf_net_paper") == [None, 1.0]
    assert clips(preset="tiny") == clips(preset="study") == [5.0, 5.0]
    assert clips(preset="paper", clip_grad=2.0) == clips(preset="study", clip_grad=2.0) == [2.0, 2.0]
    assert clips(preset="paper", clip_grad=None) == clips(preset="study", clip_grad=None) == [None, None]
    assert clips(preset={"base": "paper", "clip_grad": 3.0}) == [3.0, 3.0]
    with pytest.raises(ValueError, match="clip_grad should be"):
        TrainConfig(system="rgb", clip_grad=0.0)
    pose = {stage.name: stage.clip_grad for stage in build("two_level_fusion", num_classes=2, **SMALLEST).stages()}
    assert pose == {"pose/pose": 1.0, "fisher/codebook": None, "head": None}  # thesis 3.4.1


def test_a_preset_of_ones_own_starts_from_another():
    config = TrainConfig(system="rgb", preset={"base": "paper", "width": 0.5, "clip": [8, 64, 64]}, batch_size=3)
    numbers = config.numbers
    assert (numbers.width, numbers.cut.clip, numbers.batch_size, numbers.cut.poses) == (0.5, (8, 64, 64), 3, 20)


def test_a_run_keeps_its_numbers_when_a_preset_changes(monkeypatch):
    resolved = TrainConfig(system="rgb", batch_size=3).resolved("cs", 8)
    assert parse(resolved.model_dump(mode="json")).resolved("cs", 8).identity() == resolved.identity()
    monkeypatch.setitem(PRESETS, "tiny", {**PRESETS["tiny"], "width": 0.5})
    assert resolved.numbers.width == 0.25 and resolved.numbers.batch_size == 3 and resolved.preset["base"] == "tiny"
    assert TrainConfig(system="rgb", batch_size=3).resolved("cs", 8).identity() != resolved.identity()


def test_a_run_counts_the_clips_that_its_loss_asks_for():
    assert TrainConfig(system="vpn_f").resolved("cs", 8).options == {"dataset_size": 8}
    assert TrainConfig(system="vpn_f", options={"dataset_size": 3}).resolved("cs", 8).options == {"dataset_size": 3}
    assert TrainConfig(system="rgb").resolved("cs", 8).options == {}


def test_a_presets_options_reach_the_systems_that_have_them():
    assert resolve(TrainConfig(system="rgb")).options == {"bn_momentum": 0.1}
    assert resolve(TrainConfig(system="pose_lstm", preset="tiny", options={"hidden": 7})).options == {"hidden": 7}
    assert resolve(TrainConfig(system="vpn", preset="paper")).options == {"regularizer": 0.001}  # thesis 4.6.1
    assert resolve(TrainConfig(system="vpn_f", preset="paper")).options == {}  # VPN++ prints none


def test_a_preset_may_have_an_option_for_one_system_alone():
    """alpha weighs the distillation of VPN-F, and is an edge of the graph of VPN."""
    preset = {"base": "paper", "options": {"vpn_f.alpha": 0.5, "alpha": 2.0}}
    assert resolve(TrainConfig(system="vpn_f", preset=preset)).options == {"alpha": 0.5}
    assert resolve(TrainConfig(system="vpn", preset=preset)).options == {"alpha": 2.0}
    assert resolve(TrainConfig(system="vpn_f", preset=preset, options={"alpha": 7.0})).options == {"alpha": 7.0}
    with pytest.raises(ValueError, match="vpn_f has no option 'alhpa'"):
        config = TrainConfig(system="vpn_f", preset={"base": "paper", "options": {"vpn_f.alhpa": 0.5}})
        resolve(config, ["a", "b"], "kinect_v2").build()


def test_pairs_from_the_command_line():
    assert parse_pairs(["epochs=3", "options.coupler=false", "init.backbone=a.pt", "tags.why=a=b"]) == {
        "epochs": 3,
        "options": {"coupler": False},
        "init": {"backbone": "a.pt"},
        "tags": {"why": "a=b"},
    }
    with pytest.raises(ValueError, match="'epochs' should read NAME=VALUE"):
        parse_pairs(["epochs"])


def test_amend_replaces_with_a_name_and_changes_without():
    published = {"name": "sgd", "lr": 0.01, "momentum": 0.9}
    assert amend(published, None, {"lr": 0.1}) == {"name": "sgd", "lr": 0.1, "momentum": 0.9}
    assert amend(published, {"name": "adam", "lr": 1e-3}, {"lr": 1e-4}) == {"name": "adam", "lr": 1e-4}
    assert published["lr"] == 0.01


def test_where_a_run_is_made_does_not_change_which_run_it_is(tmp_path):
    dataset, validation = SimpleNamespace(protocol="cs", contents="a"), SimpleNamespace(contents="b")

    def run(**changes):
        config = TrainConfig(system="vpn", **{"runs": str(tmp_path), **changes})
        return run_identity.run_of(resolve(config), dataset, validation).id

    assert run().startswith("vpn-cs-s0-") and run(seed=2).startswith("vpn-cs-s2-")
    assert run() == run(workers=4, device="cpu", cache=None, tags={"a": "b"}, root="elsewhere", progress=False)
    others = [{"seed": 1}, {"options": {"coupler": False}}, {"batch_size": 3}, {"optimizer": {"lr": 1.0}}, {"limit": 2}]
    assert len({run(), *(run(**change) for change in others)}) == 1 + len(others)
    before = run()
    for split in (dataset, validation):
        split.contents += "!"
        assert run() != before
    (tmp_path / "w.pt").write_bytes(b"first")
    first = run(init={"backbone": str(tmp_path / "w.pt")})
    (tmp_path / "w.pt").write_bytes(b"other")
    assert first not in (run(init={"backbone": str(tmp_path / "w.pt")}), run())


def test_runs_that_are_validated_every_epoch_go_by_the_name_they_had(monkeypatch):
    """Before presets said how often."""
    identities = {}
    for every in (1, 2):
        config = TrainConfig(system="rgb", preset={"base": "study", "validate_every": every})
        identities[every] = config.resolved("cs", 8).identity()
    assert "validate_every" not in identities[1]["preset"]
    assert identities[2]["preset"] == {**identities[1]["preset"], "validate_every": 2}
    assert TrainConfig(system="rgb", preset="study").resolved("cs", 8).identity() == identities[1]


def test_a_limit_keeps_all_classes_alike_and_may_be_of_training_alone(tmp_path):
    fake_synthadl(tmp_path, actions=3, subjects=4, views=2, frames=8)

    def labels(limit, split: str = "train") -> list[int]:
        asked = TrainConfig(system="rgb", root=str(tmp_path), limit=limit)
        return np.bincount(open_split(asked, split).labels, minlength=3).tolist()

    whole = labels(None)
    assert labels(6) == [2, 2, 2] and labels(1000) == whole and len(set(whole)) == 1
    assert labels({"train": 3}) == [1, 1, 1] and labels({"train": 3}, "test") == labels(None, "test")
    with pytest.raises(ValueError, match="limit should be"):
        TrainConfig(system="rgb", limit=0)


def test_cache_is_automatic_only_where_it_is_small():
    video, strided = frozenset({"video"}), ClipSpec(sampling="strided")
    assert cache_folder("auto", ClipSpec(sampling="uniform"), video) == "data/cache"
    assert cache_folder("auto", strided, video) is None
    assert cache_folder("auto", strided, frozenset({"flow"})) == "data/cache"
    assert cache_folder(None, ClipSpec(), frozenset({"flow"})) is None and cache_folder("x", strided, video) == "x"


STAGES = [
    Stage("first", epochs=30, schedule={"name": "step", "every": 10, "factor": 0.1}),
    Stage("second", epochs=9, optimizer={"name": "adam", "lr": 1.0}, schedule={"name": "constant"}),
]
PAPER = {"system": "rgb", "preset": "paper"}


def test_epochs_and_schedules_scale_together():
    preset = {"base": "paper", "epochs": {"": 1 / 3, "second": 2.0}}
    first, second = resolve(TrainConfig(system="rgb", preset=preset)).procedure.of(STAGES)
    assert (first.epochs, first.schedule["every"], second.epochs) == (10, 3, 18)
    first, second = resolve(TrainConfig(**PAPER, epochs={"first": 60})).procedure.of(STAGES)
    assert (first.epochs, first.schedule["every"], second.epochs) == (60, 20, 9)
    assert [stage.name for stage in resolve(TrainConfig(**PAPER, epochs={"first": 0})).procedure.of(STAGES)] == [
        "second"
    ]
    assert second.optimizer == {"name": "adam", "lr": 1.0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": {"third": 1}}, "rgb has no stage 'third'; its stages: first, second"),
        ({"epochs": 0}, "leaves out every stage"),
        ({"optimizer": {"name": "rmsprop"}}, "unknown optimizer 'rmsprop'; known: sgd, adam, adamw"),
        ({"optimizer": {"name": "sgd", "rate": 1}}, "optimizer sgd has no argument 'rate'; valid: lr, momentum"),
        (
            {"schedule": {"name": "cosin"}},
            "unknown schedule 'cosin'; known: constant, step, milestones, cosine, plateau",
        ),
        ({"schedule": {"name": "step", "gamma": 1}}, "schedule step has no argument 'gamma'; valid: every, factor"),
    ],
)
def test_unknown_optimisers_and_schedules_name_the_valid_ones(change, words):
    with pytest.raises(ValueError, match=words):
        resolve(TrainConfig(**PAPER, **change)).procedure.of(STAGES)


def rates(described: dict, epochs: int, steps: int, score: float = 1.0, lr: float = 1.0) -> list[float]:
    """The learning rate of every step."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=lr)
    schedule = optim.Schedule(optimizer, described, epochs, steps)
    seen = []
    for _ in range(epochs):
        for _ in range(steps):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        schedule.epoch(score)
    return seen


def test_schedules_by_hand():
    assert rates({"name": "constant"}, 2, 2) == [1, 1, 1, 1]
    assert rates({"name": "step", "every": 2, "factor": 0.1}, 4, 1) == pytest.approx([1, 1, 0.1, 0.1])
    assert rates({"name": "milestones", "milestones": [1, 3], "factor": 0.1}, 4, 1) == pytest.approx(
        [1, 0.1, 0.1, 0.01]
    )
    cosine = rates({"name": "cosine", "warmup": 0, "floor": 0.0}, 2, 2)
    assert cosine == pytest.approx([1, 0.5 + 0.25 * np.sqrt(2), 0.5, 0.5 - 0.25 * np.sqrt(2)])
    warm = rates({"name": "cosine", "warmup": 1, "floor": 0.5}, 3, 2)
    assert warm[:3] == pytest.approx([1 / 3, 2 / 3, 1]) and warm == sorted(warm[:3]) + sorted(warm[3:], reverse=True)
    assert min(warm[2:]) > 0.5
    assert rates({"name": "plateau", "patience": 1, "factor": 0.1}, 5, 1) == pytest.approx([1, 1, 1, 0.1, 0.1])


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
        self.backbone_two = nn.Linear(2, 2)
        self.head = nn.Linear(2, 2)


def test_freezing_goes_by_whole_names_and_frozen_modules_rest():
    system = Small()
    optim.freeze(system, Stage("joint", trains=("",), freezes=("backbone",)))
    assert not any(p.requires_grad for p in system.backbone.parameters())
    assert all(p.requires_grad for p in system.backbone_two.parameters())
    optim.train_mode(system)
    assert not any(module.training for module in system.backbone.modules())
    assert system.head.training and system.training
    optim.freeze(system, Stage("head", trains=("head",)))
    assert [name for name, p in system.named_parameters() if p.requires_grad] == ["head.weight", "head.bias"]
    with pytest.raises(ValueError, match="stage 'x' names 'hed', which has no parameters; there are: backbone"):
        optim.freeze(system, Stage("x", trains=("hed",)))


def test_learning_rates_by_module():
    system = Small()
    optim.freeze(system, Stage("all"))
    made = optim.make_optimizer(system, {"name": "sgd", "lr": 1.0, "scale": {"backbone": 0.1, "backbone.1": 0.5}})
    rate = {id(p): group["lr"] for group in made.param_groups for p in group["params"]}
    assert rate[id(system.head.weight)] == 1.0
    assert rate[id(system.backbone[0].weight)] == 0.1
    assert rate[id(system.backbone[1].weight)] == 0.5
    assert len(rate) == len(list(system.parameters()))


def test_precision_follows_processor_and_network(monkeypatch):
    flat, deep = nn.Linear(2, 2), nn.Sequential(nn.Conv3d(1, 1, 1))
    config = resolve(TrainConfig(system="rgb", device="cpu"))
    monkeypatch.setattr(hardware, "has_bf16", lambda kind: True)
    assert hardware.suits(config, deep) == {"device": "cpu", "precision": "bf16", "channels_last": True}
    assert hardware.suits(config, flat) == {"device": "cpu", "precision": "fp32", "channels_last": False}
    monkeypatch.setattr(hardware, "has_bf16", lambda kind: False)
    # Without bf16, channels-last still saves a third of a step where oneDNN convolves.
    last = torch.backends.mkldnn.is_available()
    assert hardware.suits(config, deep) == {"device": "cpu", "precision": "fp32", "channels_last": last}
    assert not hardware.suits(config, flat)["channels_last"]
    assert not hardware.suits(dataclasses.replace(config, channels_last="off"), deep)["channels_last"]
    asked = dataclasses.replace(config, precision="fp16")
    with pytest.raises(ValueError, match="fp16 needs a CUDA device, this run is on cpu"):
        hardware.suits(asked, deep)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="device 'cuda' was asked for but this machine has: .*cpu"):
        hardware.device("cuda")


def test_a_processor_that_torch_takes_for_a_lesser_one_has_no_bf16(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    for capability, has in (("AVX512", True), ("AVX2", False), ("DEFAULT", False)):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda found=capability: found)
        assert hardware.has_bf16("cpu") is has


def test_a_processor_whose_gradients_are_wrong_in_bf16_trains_in_fp32_and_says_why_where_bf16_is_asked(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    config = resolve(TrainConfig(system="rgb", device="cpu"))
    asked = dataclasses.replace(config, precision="bf16")
    assert hardware.suits(config, nn.Conv3d(1, 1, 1))["precision"] == "fp32"
    assert hardware.suits(asked, nn.Linear(1, 1))["precision"] == "bf16"
    with pytest.raises(
        ValueError, match="bf16 was asked for, but on this processor .* wrong gradients .* auto or fp32"
    ):
        hardware.suits(asked, nn.Conv3d(1, 1, 1))


@pytest.mark.parametrize("kernel", [(3, 3, 3), (3, 1, 1), (1, 3, 3), (5, 7, 7)])
@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_in_the_precision_that_is_chosen_a_convolution_has_the_gradients_of_fp32(kernel, steps):
    """In memory that was in use before: what a kernel forgets to write is then not zero by chance."""
    torch.manual_seed(0)
    network = nn.Conv3d(8, 24, kernel, padding=tuple(size // 2 for size in kernel), bias=False)
    video = torch.randn(8, 8, steps, 6, 6).contiguous(memory_format=torch.channels_last_3d)
    chosen = hardware.suits(resolve(TrainConfig(system="rgb", device="cpu")), network)["precision"]
    weights = {}
    for precision in ("fp32", chosen):
        network.zero_grad()
        for size in (1_000, 10_000, 100_000):
            torch.full((size,), 1e30)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            network(video).square().sum().backward()
        weights[precision] = network.weight.grad.clone()
    assert (weights[chosen] - weights["fp32"]).norm() < 0.02 * weights["fp32"].norm()


def test_channels_last_touches_only_3d_weights():
    module = nn.Sequential(nn.Conv3d(4, 4, 3), nn.Conv2d(4, 4, 3))
    hardware.channels_last(module)
    assert module[0].weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert not module[0].weight.is_contiguous() and module[1].weight.is_contiguous()
