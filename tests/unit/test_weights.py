"""Weights in and out: what matches is loaded, what does not is named, what could run code is refused."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from safefiles import drafts
from workbench.nets import AGCN, I3D, R3D50G, S3DG, ResNeXt3D, convert, weights
from workbench.nets.layouts import LAYOUTS
from workbench.systems import build, names


def network(classes: int = 3, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.ModuleDict(
        {"backbone": nn.Conv3d(3, 8, 3), "norm": nn.BatchNorm3d(8), "classifier": nn.Linear(8, classes)}
    )


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path):
    source, target = network().to(memory_format=torch.channels_last_3d), network(seed=1)
    weights.save(source, tmp_path / "w.safetensors")
    report = weights.load(target, tmp_path / "w.safetensors")
    assert same(source, target)
    assert set(report.matched) == set(source.state_dict())
    assert (report.missing, report.unexpected, report.reshaped) == ((), (), {})
    assert os.listdir(tmp_path) == ["w.safetensors"]


def test_report_names_what_did_not_match(tmp_path):
    state = network(classes=5).state_dict()
    state["other"] = state.pop("norm.bias")
    torch.save(state, tmp_path / "w.pt")
    target = network()
    before = target["classifier"].weight.clone()
    report = weights.load(target, tmp_path / "w.pt")
    assert report.missing == ("norm.bias",)
    assert report.unexpected == ("other",)
    assert report.reshaped == {"classifier.weight": ((5, 8), (3, 8)), "classifier.bias": ((5,), (3,))}
    assert torch.equal(target["classifier"].weight, before)
    assert torch.equal(target["backbone"].weight, state["backbone.weight"])
    for name in ("norm.bias", "other", "classifier.weight", "(5, 8)"):
        assert name in str(report)


def test_prefix_takes_a_part_out_of_a_whole(tmp_path):
    source = network()
    weights.save(source, tmp_path / "w.safetensors")
    part = nn.Conv3d(3, 8, 3)
    report = weights.load(part, tmp_path / "w.safetensors", prefix="backbone")
    assert torch.equal(part.weight, source["backbone"].weight) and report.unexpected == ()
    with pytest.raises(ValueError, match=r"w\.safetensors: no tensor's name begins with 'nobody\.'"):
        weights.load(part, tmp_path / "w.safetensors", prefix="nobody")


def test_a_part_loads_without_naming_its_prefix(tmp_path):
    source = network()
    torch.save(
        {"model": {f"module.{name}": tensor for name, tensor in source.state_dict().items()}}, tmp_path / "w.pth"
    )
    part = nn.Conv3d(3, 8, 3)
    weights.load(part, tmp_path / "w.pth")
    assert torch.equal(part.bias, source["backbone"].bias)


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("ending", ["pt", "pth"])
def test_a_pickle_with_code_is_refused_and_does_not_run(ending, tmp_path):
    state = network().state_dict()
    state["trap"] = Evil(tmp_path / "ran")
    torch.save(state, tmp_path / f"w.{ending}")
    with pytest.raises(
        ValueError, match=rf"w\.{ending} is refused, as reading the objects other than tensors"
    ) as error:
        weights.load(network(), tmp_path / f"w.{ending}")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("w.pt", b"not a file of tensors", "is not a readable torch file"),
        ("w.pt", b"", "is not a readable file of weights: it is empty"),
        ("w.pt", b"PK\x03\x04 cut off", "is not a readable torch file"),
        ("w.pth", b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS .* `git lfs pull`"),
        ("w.safetensors", b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
        ("w.pt", b"  <!DOCTYPE HTML><p>Sign in", "is a web page and not the weights"),
        ("w.npz", b"PK\x03\x04", "is not a readable file of arrays"),
        ("w.safetensors", b"\xff" * 64, "is not a readable safetensors file"),
    ],
)
def test_damaged_files_end_in_one_sentence(name, content, reason, tmp_path):
    (tmp_path / name).write_bytes(content)
    target = network()
    with pytest.raises(ValueError, match=reason) as error:
        weights.load(target, tmp_path / name)
    assert name in str(error.value) and "\n" not in str(error.value)
    assert same(target, network())


def envelopes(state: dict) -> dict:
    """What other programs wrap a state dict in."""
    below = lambda prefix: {f"{prefix}{name}": tensor for name, tensor in state.items()}  # noqa: E731
    return {
        "slowfast": {"epoch": 196, "model_state": state, "optimizer_state": {"state": {0: {"m": torch.zeros(2)}}}},
        "numpy number": {"state_dict": below("module.basenet."), "best_prec1": np.float64(61.2)},
        "namespace": {"state_dict": below("module."), "args": argparse.Namespace(lr=0.1)},
        "compiled": below("_orig_mod."),
        "compiled ddp": {"model": below("_orig_mod.module.")},
        "lightning": {"state_dict": below("net.backbone."), "hyper_parameters": {"lr": 0.1}, "callbacks": {}},
        "ema": {"model_ema": state, "epoch": 3},
        "deep": {"a": {"b": {"c": below("x.y.z.")}}},
        "half": {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()},
    }


@pytest.mark.parametrize("kind", envelopes({}))
def test_every_envelope_gives_the_same_tensors(kind, tmp_path):
    source = network()
    torch.save(envelopes(source.state_dict())[kind], tmp_path / "w.pth.tar")
    target = network(seed=1)
    report = weights.load(target, tmp_path / "w.pth.tar")
    assert set(report.matched) == set(source.state_dict()) and not report.unexpected
    assert same(source, target) or kind == "half"


def test_old_torch_files_and_arrays_are_read(tmp_path):
    source = network()
    torch.save(source.state_dict(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    np.savez(tmp_path / "w.npz", **{name: tensor.numpy() for name, tensor in source.state_dict().items()})
    for name in ("old.pt", "w.npz"):
        target = network(seed=1)
        weights.load(target, tmp_path / name)
        assert same(source, target)


def test_of_several_state_dicts_the_named_one_is_read_and_it_is_said(tmp_path):
    torch.save({"model_ema": network(seed=2).state_dict(), "state_dict": network().state_dict()}, tmp_path / "w.pt")
    target = network(seed=1)
    with pytest.warns(UserWarning, match="read from 'state_dict'; 'model_ema' left unread"):
        weights.load(target, tmp_path / "w.pt")
    assert same(target, network())


def test_a_network_is_found_beside_the_optimizer_and_others(tmp_path):
    big = {f"layer{n}.weight": torch.zeros(3) for n in range(50)}
    torch.save({"teacher": big, "student": {"net": network().state_dict()}}, tmp_path / "w.pt")
    target = network(seed=1)
    weights.load(target, tmp_path / "w.pt")
    assert same(target, network())


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(number, tmp_path):
    state = network().state_dict()
    state["norm.running_var"] = torch.full((8,), number)
    torch.save(state, tmp_path / "w.pt")
    target = network(seed=1)
    with pytest.raises(ValueError, match="w.pt: norm.running_var holds numbers that are not finite"):
        weights.load(target, tmp_path / "w.pt")
    assert same(target, network(seed=1))


def test_a_first_layer_that_is_not_loaded_is_said_aloud(tmp_path):
    state = network().state_dict()
    state["backbone.weight"] = state["backbone.weight"][:, :2].clone()
    torch.save(state, tmp_path / "w.pt")
    with pytest.warns(UserWarning, match=r"first layer is NOT loaded, backbone.weight is \(8, 2, .* there and \(8, 3"):
        weights.load(network(), tmp_path / "w.pt")


def test_what_is_refused_names_the_command_that_takes_the_tensors_out(tmp_path, capsys):
    source = network()
    torch.save({"net": source, "trap": Evil(tmp_path / "ran")}, tmp_path / "w.pt")
    with pytest.raises(ValueError, match="is refused") as error:
        weights.load(network(), tmp_path / "w.pt")
    command = str(error.value).split("`")[1].split()
    assert command[:3] == ["python", "-m", "workbench.nets.convert"] and "weights_only" not in str(error.value)
    assert convert.main([command[3], str(tmp_path / command[4])]) == 0
    assert not (tmp_path / "ran").exists() and "9 tensors" in capsys.readouterr().out
    target = network(seed=1)
    weights.load(target, tmp_path / "w.safetensors")
    assert same(source, target)
    assert convert.main([str(tmp_path / "gone.pt"), "x.safetensors"]) == 1 and convert.main([]) == 2


def test_files_without_tensors_for_the_module_are_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "none.pt")
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    torch.save({"elsewhere": torch.zeros(1)}, tmp_path / "other.pt")
    for name, reason in [
        ("none", "holds no tensors by name"),
        ("list", "holds a list"),
        ("other", "has no tensor for a Conv3d"),
    ]:
        with pytest.raises(ValueError, match=reason):
            weights.load(nn.Conv3d(1, 1, 1), tmp_path / f"{name}.pt")
    with pytest.raises(FileNotFoundError, match=r"no weights file .*absent\.pt"):
        weights.load(network(), tmp_path / "absent.pt")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = weights.save(network(), tmp_path / "w.safetensors")
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drafts.os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        weights.save(network(seed=1), path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["w.safetensors"]


def test_saving_under_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"w\.pt: .* ends in \.safetensors"):
        weights.save(network(), tmp_path / "w.pt")


# Public checkpoints and systems made of systems

NETWORKS = (I3D, R3D50G, S3DG, ResNeXt3D, AGCN)


def tiny(name: str, **options) -> nn.Module:
    torch.manual_seed(0)
    return build(name, num_classes=5, skeleton="kinect_v2", clip=(16, 32, 32), width=0.125, poses=8, **options)


def checkpoint(part: nn.Module, path: Path) -> dict[str, torch.Tensor]:
    """Other numbers under the names of a network's tensors, which are the public ones, in a file."""
    torch.manual_seed(1)
    state = {
        name: torch.rand(tensor.shape) if tensor.is_floating_point() else torch.tensor(7)
        for name, tensor in part.state_dict().items()
    }
    torch.save(state, path)
    return state


def holds(part: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, state[name]) for name, tensor in part.state_dict().items())


@pytest.mark.parametrize("name", names())
def test_a_public_checkpoint_finds_the_networks_of_every_system(name, tmp_path):
    system = tiny(name)
    networks = {path: part for path, part in system.named_modules() if isinstance(part, NETWORKS)}
    if not networks:
        pytest.skip(f"{name} has no network of which there are public checkpoints")
    for path, part in networks.items():
        state = checkpoint(part, tmp_path / "public.pt")
        shapes = [(key, value.shape) for key, value in state.items()]
        alike = [
            other
            for other, module in networks.items()
            if [(key, value.shape) for key, value in module.state_dict().items()] == shapes
        ]
        before = {key: value.clone() for key, value in system.state_dict().items()}
        report = weights.load(system, tmp_path / "public.pt")
        assert list(report.parts) == alike and path in alike and not report.unexpected
        assert all(holds(system.get_submodule(other), state) for other in alike)
        inside = tuple(f"{other}." for other in alike)
        after = system.state_dict()
        assert all(torch.equal(after[key], before[key]) for key in before if key not in report.matched)
        assert set(report.matched) == {key for key in before if key.startswith(inside)}


def test_a_student_and_its_teacher_and_a_stream_of_two_channels(tmp_path):
    system = tiny("perf_net")
    state = checkpoint(system.student.backbone, tmp_path / "public.pt")
    flow = {key: value.clone() for key, value in system.teachers["flow"].state_dict().items()}
    report = weights.load(system, tmp_path / "public.pt")
    assert report.parts == ("student.backbone", "teachers.pose.backbone")
    assert report.similar == ("teachers.flow.backbone",) and holds(system.teachers["flow"], flow)
    assert "into student.backbone and teachers.pose.backbone" in str(report)
    assert "fits the file in part (load it by its name): teachers.flow.backbone" in str(report)
    report = weights.load(system.teachers["flow"], tmp_path / "public.pt")  # by its name
    assert report.parts == ("backbone",) and list(report.reshaped) == ["backbone.conv1.weight"]
    assert holds(system.student.backbone, state)


def test_a_network_of_fewer_layers_takes_those_only_where_no_other_fits(tmp_path):
    full, two = tiny("vpn_pp"), tiny("vpn_a")
    state = checkpoint(full.get_submodule("vpn_pp.pose_teacher.pose_backbone"), tmp_path / "agcn.pt")
    report = weights.load(full, tmp_path / "agcn.pt")
    assert report.parts == ("vpn_pp.pose_teacher.pose_backbone",)
    assert report.similar == ("vpn_pp.teacher.pose_backbone",)
    report = weights.load(two, tmp_path / "agcn.pt")
    assert report.parts == ("teacher.pose_backbone",) and "l10.gcn1.PA" in report.unexpected
    assert holds(two.teacher.pose_backbone, state)


def test_the_half_of_a_network_is_loaded_too(tmp_path):
    system = tiny("p_i3d", at=2)
    state = checkpoint(system.parts["left_hand"].backbone, tmp_path / "i3d.pt")
    report = weights.load(system, tmp_path / "i3d.pt")
    assert report.parts == (*(f"parts.{name}.backbone" for name in system.parts), "tail")
    assert holds(system.tail, state) and all(holds(part.backbone, state) for part in system.parts.values())


def test_a_translated_and_wrapped_checkpoint_finds_its_parts(tmp_path):
    system = tiny("late_fusion", members=["rgb", "rgb"], backbone="s3dg")
    state = checkpoint(system.rgb.backbone, tmp_path / "plain.pt")
    theirs = {ours: theirs for theirs, ours in LAYOUTS["torchvision's S3D"].items()}
    public = {}
    for name, tensor in state.items():
        module, _, tail = name.rpartition(".")
        public[f"module.{theirs.get(module, module)}.{tail}"] = tensor
    torch.save({"state_dict": public}, tmp_path / "public.pt")
    report = weights.load(system, tmp_path / "public.pt")
    assert report.layout == "torchvision's S3D" and report.parts == ("rgb.backbone", "rgb_2.backbone")
    assert holds(system.rgb.backbone, state) and holds(system.rgb_2.backbone, state)


def test_a_whole_system_is_a_part_of_a_larger_one(tmp_path):
    system, member = tiny("vpn_f"), tiny("rgb")
    state = checkpoint(member, tmp_path / "rgb.pt")
    assert weights.load(system, tmp_path / "rgb.pt").parts == ("student",)
    assert holds(system.student, state)


def test_what_fits_nowhere_is_told_where_it_might(tmp_path):
    system = tiny("vpn_f")
    torch.save({"elsewhere": torch.zeros(1)}, tmp_path / "other.pt")
    parts = r"a checkpoint could be of its student\.backbone \(I3D\), teacher\.pose_backbone \(AGCN\)"
    with pytest.raises(ValueError, match=rf"has no tensor for a VPNF: it holds elsewhere, .*{parts}"):
        weights.load(system, tmp_path / "other.pt")
    before = system.state_dict()["student.backbone.Conv3d_1a_7x7.bn.num_batches_tracked"].clone()
    checkpoint(I3D(width=0.25), tmp_path / "wide.pt")  # in which counters and a few thin layers have the same shape
    words = r"has no weights for a VPNF: \d+ of 285 shapes differ, e\.g\. student\.backbone\.Conv3d_1a_7x7\.conv3d\.w"
    with pytest.raises(ValueError, match=words):
        weights.load(system, tmp_path / "wide.pt")
    assert system.state_dict()["student.backbone.Conv3d_1a_7x7.bn.num_batches_tracked"] == before
