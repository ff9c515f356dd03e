"""The public PyTorch I3D: its layout, name by name, and its arithmetic, written out again from its description."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from workbench.nets import I3D, weights
from workbench.systems import build

# The public layer table: out channels of b0, b1a, b1b, b2a, b2b, b3b.
PUBLIC = {
    "Mixed_3b": (192, [64, 96, 128, 16, 32, 32]),
    "Mixed_3c": (256, [128, 128, 192, 32, 96, 64]),
    "Mixed_4b": (480, [192, 96, 208, 16, 48, 64]),
    "Mixed_4c": (512, [160, 112, 224, 24, 64, 64]),
    "Mixed_4d": (512, [128, 128, 256, 24, 64, 64]),
    "Mixed_4e": (512, [112, 144, 288, 32, 64, 64]),
    "Mixed_4f": (528, [256, 160, 320, 32, 128, 128]),
    "Mixed_5b": (832, [256, 160, 320, 32, 128, 128]),
    "Mixed_5c": (832, [384, 192, 384, 48, 128, 128]),
}


def public_shapes(classes: int = 400) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def unit(name: str, inputs: int, outputs: int, kernel: int) -> None:
        shapes[f"{name}.conv3d.weight"] = (outputs, inputs, kernel, kernel, kernel)
        for tensor in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.bn.{tensor}"] = (outputs,)
        shapes[f"{name}.bn.num_batches_tracked"] = ()

    unit("Conv3d_1a_7x7", 3, 64, 7)
    unit("Conv3d_2b_1x1", 64, 64, 1)
    unit("Conv3d_2c_3x3", 64, 192, 3)
    for name, (inputs, (b0, b1a, b1b, b2a, b2b, b3b)) in PUBLIC.items():
        unit(f"{name}.b0", inputs, b0, 1)
        unit(f"{name}.b1a", inputs, b1a, 1)
        unit(f"{name}.b1b", b1a, b1b, 3)
        unit(f"{name}.b2a", inputs, b2a, 1)
        unit(f"{name}.b2b", b2a, b2b, 3)
        unit(f"{name}.b3b", inputs, b3b, 1)
    shapes["logits.conv3d.weight"] = (classes, 1024, 1, 1, 1)
    shapes["logits.conv3d.bias"] = (classes,)
    return shapes


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(shape, generator=generator) if shape else torch.tensor(7)
        for name, shape in public_shapes().items()
    }


def test_layout_is_the_public_one():
    network = I3D(num_classes=400)
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == public_shapes()
    assert sum(parameter.numel() for parameter in network.parameters()) == 12_697_264
    assert {(m.eps, m.momentum) for m in network.modules() if isinstance(m, torch.nn.BatchNorm3d)} == {(0.001, 0.01)}


@pytest.mark.parametrize("form", ["plain", "data_parallel", "nested", "old"])
def test_public_checkpoint_loads_without_loss(form, checkpoint, tmp_path):
    content = checkpoint
    if form == "data_parallel":
        content = {f"module.{name}": tensor for name, tensor in checkpoint.items()}
    if form == "nested":
        content = {"epoch": 3, "state_dict": {f"module.{name}": tensor for name, tensor in checkpoint.items()}}
    if form == "old":
        content = {name: tensor for name, tensor in checkpoint.items() if not name.endswith("num_batches_tracked")}
    torch.save(content, tmp_path / "rgb_imagenet.pt")
    network = I3D(num_classes=400)
    report = weights.load(network, tmp_path / "rgb_imagenet.pt")
    assert (report.missing, report.unexpected, report.reshaped) == ((), (), {})
    for name, tensor in network.state_dict().items():
        assert (form == "old" and name.endswith("num_batches_tracked")) or torch.equal(tensor, checkpoint[name]), name


def test_public_checkpoint_loads_into_a_system(checkpoint, tmp_path):
    torch.save(checkpoint, tmp_path / "rgb_imagenet.pt")
    system = build("rgb", num_classes=60)
    report = weights.load(system, tmp_path / "rgb_imagenet.pt")
    own = system.backbone.state_dict()
    assert all(torch.equal(own[name], checkpoint[name]) for name in own)
    assert set(report.missing) == {"classifier.weight", "classifier.bias"}
    assert [name.split(".")[-3] for name in report.unexpected] == ["logits", "logits"]


def test_head_of_other_classes_is_reported_and_kept(checkpoint, tmp_path):
    torch.save(checkpoint, tmp_path / "rgb_imagenet.pt")
    network = I3D(num_classes=60)
    before = network.logits["conv3d"].bias.clone()
    report = weights.load(network, tmp_path / "rgb_imagenet.pt")
    assert report.reshaped == {
        "logits.conv3d.weight": ((400, 1024, 1, 1, 1), (60, 1024, 1, 1, 1)),
        "logits.conv3d.bias": ((400,), (60,)),
    }
    assert torch.equal(network.logits["conv3d"].bias, before)


def test_first_layer_of_other_channels_is_reported(checkpoint, tmp_path):
    torch.save(checkpoint, tmp_path / "rgb_imagenet.pt")
    report = weights.load(I3D(in_channels=2), tmp_path / "rgb_imagenet.pt")
    assert report.reshaped == {"Conv3d_1a_7x7.conv3d.weight": ((64, 3, 7, 7, 7), (64, 2, 7, 7, 7))}


def reference(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The public network's forward pass: explicit zeros around everything, TensorFlow's way."""

    def pad(x: torch.Tensor, kernel: tuple, stride: tuple) -> torch.Tensor:
        sides = []
        for axis in (2, 1, 0):
            size = x.shape[2 + axis]
            rest = size % stride[axis]
            total = max(kernel[axis] - (stride[axis] if rest == 0 else rest), 0)
            sides += [total // 2, total - total // 2]
        return F.pad(x, sides)

    def unit(x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        weight = state[f"{name}.conv3d.weight"]
        x = F.conv3d(pad(x, tuple(weight.shape[2:]), (stride,) * 3), weight, stride=stride)
        mean, var, gamma, beta = (
            state[f"{name}.bn.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, gamma, beta, eps=0.001).relu()

    def pool(x: torch.Tensor, kernel: tuple, stride: tuple) -> torch.Tensor:
        return F.max_pool3d(pad(x, kernel, stride), kernel, stride)

    def mixed(x: torch.Tensor, name: str) -> torch.Tensor:
        b1, b2 = unit(unit(x, f"{name}.b1a"), f"{name}.b1b"), unit(unit(x, f"{name}.b2a"), f"{name}.b2b")
        b3 = unit(pool(x, (3, 3, 3), (1, 1, 1)), f"{name}.b3b")
        return torch.cat([unit(x, f"{name}.b0"), b1, b2, b3], dim=1)

    x = pool(unit(x, "Conv3d_1a_7x7", 2), (1, 3, 3), (1, 2, 2))
    x = pool(unit(unit(x, "Conv3d_2b_1x1"), "Conv3d_2c_3x3"), (1, 3, 3), (1, 2, 2))
    x = pool(mixed(mixed(x, "Mixed_3b"), "Mixed_3c"), (3, 3, 3), (2, 2, 2))
    for letter in "bcdef":
        x = mixed(x, f"Mixed_4{letter}")
    return mixed(mixed(pool(x, (2, 2, 2), (2, 2, 2)), "Mixed_5b"), "Mixed_5c")


@pytest.mark.parametrize("size", [(16, 64, 64), (9, 33, 47)])
def test_forward_is_the_public_one(size):
    torch.manual_seed(0)
    network = I3D(width=0.125).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(-1, 2)  # a negative scale tells apart what a pool and a norm may not swap
            module.bias.data.normal_(0, 0.3)
    video = torch.rand(1, 3, *size) * 2 - 1
    with torch.no_grad():
        ours, theirs = network(video), reference(network.state_dict(), video)
    assert theirs.std() > 1e-3
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(8, 7, 7), (2, 7, 7), (8, 8, 8), (1, 7, 7)])
def test_head_is_the_public_one(size):
    """The public network's logits: average pooling (2,7,7) of stride 1, a 1 x 1 x 1 convolution, the mean over time; at
    256 pixels (8 x 8 cells) over the places too, of which the public code reads 224 pixels' only one."""
    torch.manual_seed(0)
    network = I3D(num_classes=11, width=0.125).eval()
    f = torch.randn(2, network.channels, *size).relu()
    pooled = torch.nn.AvgPool3d((min(2, size[0]), 7, 7), stride=(1, 1, 1))(f)
    logits = F.conv3d(pooled, network.logits["conv3d"].weight, network.logits["conv3d"].bias)
    torch.testing.assert_close(network.classify(f), logits.mean((2, 3, 4)))
    if size == (8, 7, 7):  # what a mean over all cells would be is something else
        plain = network.logits["conv3d"](f.mean((2, 3, 4), keepdim=True)).flatten(1)
        assert (network.classify(f) - plain).abs().max() > 1e-4
