"""Temporal filters: what they see, what padding does, and the numbers inside."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from workbench.nets import SSTCN, TGM, BiLSTM
from workbench.nets.temporal import GaussianMixtures

FILTERS = [SSTCN, TGM, BiLSTM]


def made(kind: type, channels: int = 8) -> torch.nn.Module:
    torch.manual_seed(0)
    return kind(6, channels).eval()


@pytest.mark.parametrize("kind", FILTERS)
def test_padding_never_changes_a_real_snippet(kind):
    net, x = made(kind), torch.randn(1, 20, 6)
    alone = net(x)
    mask = torch.arange(50)[None] < 20
    for rubbish in (0.0, 1e6, float("nan")):
        padded = torch.cat([x, torch.full((1, 30, 6), rubbish)], dim=1)
        found = net(padded, mask)
        assert torch.allclose(found[:, :20], alone, atol=1e-6), rubbish
        assert not found[:, 20:].any()


@pytest.mark.parametrize("kind", FILTERS)
def test_videos_of_a_batch_do_not_meet(kind):
    net, x = made(kind), torch.randn(3, 12, 6)
    mask = torch.arange(12) < torch.tensor([12, 5, 1])[:, None]
    together = net(x, mask)
    for i, count in enumerate((12, 5, 1)):
        assert torch.allclose(together[i : i + 1, :count], net(x[i : i + 1, :count]), atol=1e-6)


@pytest.mark.parametrize("kind", FILTERS)
def test_every_parameter_learns(kind):
    net = made(kind).train()
    net(torch.randn(2, 40, 6)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_sstcn_sees_31_snippets_to_either_side():
    net, x = made(SSTCN), torch.randn(1, 101, 6, requires_grad=True)
    net(x)[0, 50].sum().backward()
    seen = x.grad[0].abs().sum(1).nonzero()[:, 0]
    assert (int(seen.min()), int(seen.max())) == (50 - 31, 50 + 31)  # 1 + 2 + 4 + 8 + 16
    assert [layer.conv_dilated.dilation[0] for layer in net.layers] == [1, 2, 4, 8, 16]


def test_sstcn_has_the_published_size_and_names():
    net = SSTCN(1024)
    assert net.channels == 256 and net(torch.zeros(1, 2, 1024)).shape == (1, 2, 256)
    assert sum(p.numel() for p in net.parameters()) == 1024 * 256 + 256 + 5 * (256 * 256 * 4 + 2 * 256)
    assert {name.split(".")[0] for name, _ in net.named_parameters()} == {"conv_1x1", "layers"}
    assert "layers.4.conv_dilated.weight" in net.state_dict()


def test_a_layer_of_sstcn_is_what_the_paper_writes():
    net, x = made(SSTCN), torch.randn(1, 9, 8)
    layer = net.layers[1]
    inner = F.conv1d(x.mT, layer.conv_dilated.weight, layer.conv_dilated.bias, padding=2, dilation=2)
    expected = x.mT + F.conv1d(inner.relu(), layer.conv_1x1.weight, layer.conv_1x1.bias)
    assert torch.allclose(layer(x.mT), expected, atol=1e-6)


def test_gaussians_have_the_centres_and_widths_that_are_learnt():
    layer = GaussianMixtures(1, 2, length=5, mixtures=2)
    with torch.no_grad():
        layer.centre.copy_(torch.tensor([0.0, -50.0]))  # the middle, and the first position
        layer.width.copy_(torch.tensor([0.0, math.log(2.0)]))  # standard deviations 1 and 2
        layer.attention.copy_(torch.tensor([[[50.0, 0.0]], [[0.0, 0.0]]]))
    curves = torch.stack(
        [
            torch.exp(-((torch.arange(5.0) - 2) ** 2) / 2),
            torch.exp(-(torch.arange(5.0) ** 2) / 8),
        ]
    )
    curves = curves / curves.sum(1, keepdim=True)
    assert torch.allclose(layer.gaussians(), curves, atol=1e-6)
    assert torch.allclose(layer.kernels()[:, 0], torch.stack([curves[0], curves.mean(0)]), atol=1e-6)
    impulse = torch.zeros(1, 1, 1, 9)
    impulse[..., 4] = 1
    assert torch.allclose(layer(impulse)[0, 0, 0, 2:7], curves[0].flip(0), atol=1e-6)


def test_mixtures_filter_every_feature_alone():
    layer, x = GaussianMixtures(2, 3), torch.randn(2, 2, 4, 10)
    whole = layer(x)
    assert whole.shape == (2, 3, 4, 10)
    assert torch.allclose(whole[:, :, 1:2], layer(x[:, :, 1:2]), atol=1e-6)
    expected = sum(
        layer.combine[0, i] * F.conv1d(x[0, i, :1][None], layer.kernels()[0, i][None, None], padding=2) for i in (0, 1)
    )
    assert torch.allclose(whole[0, 0, :1], expected.relu()[0], atol=1e-6)


def test_wrong_input_is_one_sentence():
    with pytest.raises(ValueError, match=r"the mask must be bool \[1, 5\], got torch.float32 \[1, 5\]"):
        made(SSTCN)(torch.zeros(1, 5, 6), torch.ones(1, 5))
    with pytest.raises(ValueError, match="a real snippet follows padding"):
        made(BiLSTM)(torch.zeros(1, 3, 6), torch.tensor([[True, False, True]]))
    with pytest.raises(ValueError, match="must be even, got 7"):
        BiLSTM(6, 7)
    with pytest.raises(ValueError, match="length must be odd"):
        GaussianMixtures(1, 2, length=4)
