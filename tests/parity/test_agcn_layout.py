"""The public 2s-AGCN: its layout, name by name, and its arithmetic, written out again from its description."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from workbench.nets import AGCN, weights
from workbench.systems import build
from workbench.types import Batch

# Joints count from 1, as in the NTU paper: (child, parent), towards joint 21.
NTU = [
    (1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9), (11, 10), (12, 11), (13, 1),
    (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19), (22, 23), (23, 8), (24, 25), (25, 12),
]  # fmt: skip
CHANNELS = [
    (3, 64),
    (64, 64),
    (64, 64),
    (64, 64),
    (64, 128),
    (128, 128),
    (128, 128),
    (128, 256),
    (256, 256),
    (256, 256),
]
STRIDES = [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]


def public_shapes(classes: int = 60, persons: int = 2, joints: int = 25) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, channels: int) -> None:
        shapes.update({f"{name}.{key}": (channels,) for key in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = ()

    def conv(name: str, inputs: int, outputs: int, kernel: int = 1) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs, kernel, 1), (outputs,)

    norm("data_bn", persons * 3 * joints)
    for i, ((inputs, outputs), stride) in enumerate(zip(CHANNELS, STRIDES, strict=True), start=1):
        shapes[f"l{i}.gcn1.PA"] = (3, joints, joints)
        for k in range(3):
            conv(f"l{i}.gcn1.conv_a.{k}", inputs, outputs // 4)
            conv(f"l{i}.gcn1.conv_b.{k}", inputs, outputs // 4)
            conv(f"l{i}.gcn1.conv_d.{k}", inputs, outputs)
        norm(f"l{i}.gcn1.bn", outputs)
        if inputs != outputs:
            conv(f"l{i}.gcn1.down.0", inputs, outputs)
            norm(f"l{i}.gcn1.down.1", outputs)
        conv(f"l{i}.tcn1.conv", outputs, outputs, 9)
        norm(f"l{i}.tcn1.bn", outputs)
        if i > 1 and (inputs != outputs or stride != 1):
            conv(f"l{i}.residual.conv", inputs, outputs)
            norm(f"l{i}.residual.bn", outputs)
    shapes["fc.weight"], shapes["fc.bias"] = (classes, 256), (classes,)
    return shapes


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, torch.Tensor]:
    """Tensors of the public shapes, of such sizes that every part of the network has a say in the logits."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in public_shapes().items():
        value = torch.randn(shape, generator=generator) if shape else torch.tensor(7)
        if name.endswith(("bn.weight", "down.1.weight", "running_var")):
            value = value.abs() + 0.5
        elif name.endswith("weight"):
            value = value * np.sqrt(0.35 / np.prod(shape[1:]))
        elif shape:
            value = value * 0.05
        state[name] = value
    return state


def graph() -> torch.Tensor:
    """Identity, inward, outward; each link stands in the row it comes from, and columns are divided by their sums."""
    a = np.zeros((3, 25, 25))
    a[0] = np.eye(25)
    for child, parent in NTU:
        a[1, parent - 1, child - 1] = 1
        a[2, child - 1, parent - 1] = 1
    sums = a.sum(1, keepdims=True)
    return torch.tensor(np.divide(a, sums, out=np.zeros_like(a), where=sums > 0), dtype=torch.float32)


def reference(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The public forward pass in evaluation: (N,C,T,V,M) -> (N, classes)."""
    n, c, t, v, m = x.shape

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, gamma, beta = (state[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, mean, var, gamma, beta)

    def conv(x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight, state[f"{name}.bias"], (stride, 1), ((weight.shape[2] - 1) // 2, 0))

    def gcn(x: torch.Tensor, name: str) -> torch.Tensor:
        r, c, t, v = x.shape
        y = 0
        for k in range(3):
            one = conv(x, f"{name}.conv_a.{k}").permute(0, 3, 1, 2).reshape(r, v, -1)
            two = conv(x, f"{name}.conv_b.{k}").reshape(r, -1, v)
            links = torch.softmax(one @ two / one.shape[-1], dim=-2) + graph()[k] + state[f"{name}.PA"][k]
            y = y + conv((x.reshape(r, c * t, v) @ links).view(r, c, t, v), f"{name}.conv_d.{k}")
        down = norm(conv(x, f"{name}.down.0"), f"{name}.down.1") if f"{name}.down.0.weight" in state else x
        return torch.relu(norm(y, f"{name}.bn") + down)

    x = norm(x.permute(0, 4, 3, 1, 2).reshape(n, m * v * c, t), "data_bn")
    x = x.view(n, m, v, c, t).permute(0, 1, 3, 4, 2).reshape(n * m, c, t, v)
    for i, stride in enumerate(STRIDES, start=1):
        if i == 1:
            rest = 0
        elif f"l{i}.residual.conv.weight" in state:
            rest = norm(conv(x, f"l{i}.residual.conv", stride), f"l{i}.residual.bn")
        else:
            rest = x
        x = gcn(x, f"l{i}.gcn1")
        x = torch.relu(norm(conv(x, f"l{i}.tcn1.conv", stride), f"l{i}.tcn1.bn") + rest)
    x = x.view(n, m, x.shape[1], -1).mean(3).mean(1)
    return F.linear(x, state["fc.weight"], state["fc.bias"])


def test_layout_is_the_public_one():
    network = AGCN(60)
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == public_shapes()
    norms = [m for m in network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-5, 0.1)}


@pytest.mark.parametrize("poses", [16, 13])
def test_forward_is_the_public_one(poses, checkpoint):
    network = AGCN(60).eval()
    network.load_state_dict(checkpoint)
    public = torch.randn(3, 3, poses, 25, 2, generator=torch.Generator().manual_seed(1))
    public[0, :, :, :, 1] = 0  # nobody
    with torch.no_grad():
        theirs = reference(checkpoint, public)
        ours = network.fc(network(public.permute(0, 4, 2, 3, 1))[0])
    assert 0.1 < theirs.std(0).mean() < 10
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_public_checkpoint_loads_into_a_system(checkpoint, tmp_path):
    torch.save({f"module.{name}": tensor for name, tensor in checkpoint.items()}, tmp_path / "ntu_cs_agcn_joint.pt")
    system = build("agcn", num_classes=60).eval()
    report = weights.load(system, tmp_path / "ntu_cs_agcn_joint.pt")
    assert (report.missing, report.unexpected, report.reshaped) == ((), (), {})
    public = torch.randn(2, 3, 16, 25, 2, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        logits = system(Batch(pose=public.permute(0, 4, 2, 3, 1))).logits
    torch.testing.assert_close(logits, reference(checkpoint, public), rtol=1e-4, atol=1e-4)
