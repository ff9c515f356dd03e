"""Public video networks, written out again: their weights load by name and give the same answers here."""

from __future__ import annotations

from math import prod

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.parity.public_s3d import HowTo100M, KyleminS3D, TorchvisionS3D
from workbench.nets import I3D, S3DG, I3DNonLocal, NonLocal, ResNeXt3D, weights
from workbench.systems import build


def trained(network: nn.Module) -> nn.Module:
    """As after training: no two channels alike, and statistics that are not those of a new network."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if tensor.ndim > 1:
            tensor.normal_(0, (2 / prod(tensor.shape[1:])) ** 0.5, generator=generator)
        elif name.endswith("running_var") or (name.endswith("weight") and tensor.ndim == 1):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.is_floating_point():
            tensor.normal_(0, 0.1, generator=generator)
    return network.eval()


def clip(*size: int) -> Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def same(ours: Tensor, theirs: Tensor) -> None:
    assert theirs.std() > 1e-3
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


# S3D and S3D-G


@pytest.mark.parametrize(
    ("public", "layout"), [(KyleminS3D, ""), (TorchvisionS3D, "torchvision's S3D")], ids=["kylemin", "torchvision"]
)
@pytest.mark.parametrize("size", [(16, 64, 64), (19, 75, 50)], ids=str)
def test_s3d_of_kinetics(public, layout, size, tmp_path):
    theirs, ours = trained(public(11)), S3DG(num_classes=11, layout="s3d").eval()
    torch.save({f"module.{name}": tensor for name, tensor in theirs.state_dict().items()}, tmp_path / "s3d.pt")
    report = weights.load(ours, tmp_path / "s3d.pt")
    assert (report.missing, report.unexpected, report.reshaped, report.layout) == ((), (), {}, layout)
    assert len(report.matched) == len(theirs.state_dict())
    norms = [module for module in ours.modules() if isinstance(module, nn.BatchNorm3d)]
    assert {(module.eps, module.momentum) for module in norms} == {(1e-3, 1e-3)}
    with torch.no_grad():
        f, (feature_map, logits) = ours(clip(*size)), theirs(clip(*size))
        same(f, feature_map)
        same(ours.classify(f), logits)


@pytest.mark.parametrize("public", [KyleminS3D, TorchvisionS3D])
def test_s3d_lacks_nothing_of_s3dg_but_the_gates(public, tmp_path):
    theirs, ours = trained(public(11)), S3DG(num_classes=11).eval()
    torch.save(theirs.state_dict(), tmp_path / "s3d.pt")
    report = weights.load(ours, tmp_path / "s3d.pt")
    assert len(report.matched) == len(theirs.state_dict()) and report.unexpected == () and report.reshaped == {}
    assert len(report.missing) == 2 * (1 + 9 * 4) and all(".gating." in name for name in report.missing)
    for name, parameter in ours.named_parameters():
        if "gating" in name:  # open: S3D-G is then S3D
            nn.init.constant_(parameter, 100 if name.endswith("bias") else 0)
    with torch.no_grad():
        same(ours(clip(16, 64, 64)), theirs(clip(16, 64, 64))[0])


def test_s3dg_of_howto100m(tmp_path):
    theirs, ours = trained(HowTo100M()), S3DG(layout="howto100m").eval()
    torch.save(theirs.state_dict(), tmp_path / "s3d_howto100m.pth")
    report = weights.load(ours, tmp_path / "s3d_howto100m.pth")
    assert (report.missing, report.reshaped, report.layout) == ((), {}, "HowTo100M's S3D-G")
    assert report.unexpected == ("fc.weight", "fc.bias", "text_module.fc1.weight", "text_module.fc1.bias")
    assert "by the names of HowTo100M's S3D-G" in str(report)
    with torch.no_grad():
        same(ours(clip(16, 64, 96)), theirs(clip(16, 64, 96)))


def test_a_layout_loads_into_a_system(tmp_path):
    theirs = TorchvisionS3D(11)
    torch.save(theirs.state_dict(), tmp_path / "s3d.pth")
    system = build("rgb", 5, backbone="s3dg")
    report = weights.load(system, tmp_path / "s3d.pth")
    assert report.unexpected == ("classifier.1.weight", "classifier.1.bias")
    weight = theirs.features[3][1][0].weight
    assert torch.equal(system.backbone.base[3].conv_t.weight, weight)


# 3D ResNeXt-101


class Block(nn.Module):
    def __init__(self, i: int, planes: int, stride: int, shortcut: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv3d(i, planes, 1, bias=False), nn.BatchNorm3d(planes)
        self.conv2 = nn.Conv3d(planes, planes, 3, stride, 1, groups=32, bias=False)
        self.bn2 = nn.BatchNorm3d(planes)
        self.conv3, self.bn3 = nn.Conv3d(planes, 2 * planes, 1, bias=False), nn.BatchNorm3d(2 * planes)
        if shortcut:
            layers = nn.Conv3d(i, 2 * planes, 1, stride, bias=False), nn.BatchNorm3d(2 * planes)
            self.downsample = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
        return (self.bn3(self.conv3(y)) + (self.downsample(x) if hasattr(self, "downsample") else x)).relu()


class PublicResNeXt(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 64, 7, stride=(1, 2, 2), padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(64)
        channels = 64
        for layer, (planes, count) in enumerate([(128, 3), (256, 4), (512, 23), (1024, 3)], start=1):
            blocks = []
            for i in range(count):
                blocks.append(Block(channels, planes, 2 if layer > 1 and not i else 1, not i))
                channels = 2 * planes
            self.add_module(f"layer{layer}", nn.Sequential(*blocks))
        self.fc = nn.Linear(2048, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.max_pool3d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        f = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return f, self.fc(F.avg_pool3d(f, f.shape[2:]).flatten(1))


def test_resnext_101(tmp_path):
    theirs, ours = trained(PublicResNeXt(7)), ResNeXt3D(num_classes=7).eval()
    state = {f"module.{name}": tensor for name, tensor in theirs.state_dict().items()}
    torch.save({"arch": "resnext-101", "epoch": 200, "state_dict": state}, tmp_path / "resnext-101-kinetics.pth")
    report = weights.load(ours, tmp_path / "resnext-101-kinetics.pth")
    assert (report.missing, report.unexpected, report.reshaped) == ((), (), {})
    norms = [module for module in ours.modules() if isinstance(module, nn.BatchNorm3d)]
    assert {(module.eps, module.momentum) for module in norms} == {(1e-5, 0.1)}
    with torch.no_grad():
        for size in [(16, 64, 64), (9, 33, 50)]:
            f, (feature_map, logits) = ours(clip(*size)), theirs(clip(*size))
            same(f, feature_map)
            same(ours.classify(f), logits)


# The non-local block


class PublicNonLocal(nn.Module):
    def __init__(self, channels: int, sub_sample: bool) -> None:
        super().__init__()
        inner = channels // 2
        pool = [nn.MaxPool3d((1, 2, 2))]
        self.g, self.phi = (nn.Conv3d(channels, inner, 1) for _ in range(2))
        if sub_sample:
            self.g, self.phi = nn.Sequential(self.g, *pool), nn.Sequential(self.phi, *pool)
        self.theta = nn.Conv3d(channels, inner, 1)
        self.W = nn.Sequential(nn.Conv3d(inner, channels, 1), nn.BatchNorm3d(channels))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        affinity = torch.einsum("bcp,bcq->bpq", self.theta(x).flatten(2), self.phi(x).flatten(2)).softmax(-1)
        y = torch.einsum("bpq,bcq->bcp", affinity, self.g(x).flatten(2))
        return self.W(y.view(len(x), -1, *x.shape[2:])) + x, affinity


@pytest.mark.parametrize("sub_sample", [True, False])
def test_non_local_block(sub_sample, tmp_path):
    theirs, ours = trained(PublicNonLocal(16, sub_sample)), NonLocal(16, sub_sample=sub_sample).eval()
    torch.save(theirs.state_dict(), tmp_path / "block.pt")
    report = weights.load(ours, tmp_path / "block.pt")
    assert (report.missing, report.unexpected, report.reshaped) == ((), (), {})
    x = torch.randn(2, 16, 3, 5, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        z, affinity = ours.attend(x)
        expected, weight = theirs(x)
    same(z, expected)
    same(affinity, weight)
    assert affinity.shape == (2, 60, 3 * 2 * 2 if sub_sample else 60)


def test_i3d_and_block_weights_load_into_i3d_with_the_block(tmp_path):
    plain, ours = I3D(num_classes=4, width=0.125), I3DNonLocal(num_classes=4, width=0.125)
    torch.save(plain.state_dict(), tmp_path / "i3d.pt")
    report = weights.load(ours, tmp_path / "i3d.pt")
    assert len(report.matched) == len(plain.state_dict()) and report.unexpected == ()
    assert report.missing and all(name.startswith("non_local.") for name in report.missing)
    block = trained(PublicNonLocal(ours.channels, sub_sample=True))
    torch.save(block.state_dict(), tmp_path / "block.pt")
    assert set(weights.load(ours, tmp_path / "block.pt").matched) == {
        f"non_local.{name}" for name in block.state_dict()
    }
    assert torch.equal(ours.non_local.phi[0].weight, block.phi[0].weight)
