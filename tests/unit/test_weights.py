"""Weights in and out: what matches is loaded, what does not is named, what could run code is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from workbench import drafts
from workbench.nets import weights


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
        ("w.pt", b"", "is not a readable torch file"),
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
