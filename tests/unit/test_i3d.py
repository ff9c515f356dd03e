"""I3D: padding, pools, strides, widths and the folded stem, against values worked out by hand."""

from __future__ import annotations

import pytest
import torch

from workbench.nets import I3D
from workbench.nets.video.convolution import SamePool, StemConv, same_padding
from workbench.nets.video.i3d import MIXED, pool_table


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [(10, 7, 2, (2, 3)), (9, 7, 2, (3, 3)), (8, 3, 2, (0, 1)), (7, 3, 2, (1, 1)), (5, 2, 2, (0, 1)), (6, 3, 1, (1, 1))],
)
def test_same_padding_puts_the_odd_zero_after(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


@pytest.mark.parametrize(
    ("row", "window", "stride", "expected"),
    [
        ([1, 5, 2, 4, 3, 0], 3, 2, [5, 4, 3]),  # windows 1 5 2, 2 4 3, 3 0 _
        ([1, 5, 2, 4, 3], 3, 2, [5, 5, 4]),  # windows _ 1 5, 5 2 4, 4 3 _
        ([1, 5, 2, 4, 3], 2, 2, [5, 4, 3]),  # windows 1 5, 2 4, 3 _
        ([1, 5, 2, 4], 3, 1, [5, 5, 5, 4]),
        ([-1, -5, -2, -4], 3, 2, [-1, -2]),  # nothing is padded that could win
        ([7], 3, 2, [7]),
    ],
)
def test_pool_by_hand(row, window, stride, expected):
    x = torch.tensor(row, dtype=torch.float32).view(1, 1, 1, 1, -1)
    pooled = SamePool((1, 1, window), (1, 1, stride))(x)
    assert pooled.flatten().tolist() == expected


@pytest.mark.parametrize("name", ["Conv3d_1a_7x7", "Conv3d_2c_3x3", "Mixed_4b"])
def test_every_unit_ends_in_its_own_relu(name):
    """As in the public network, so that Grad-CAM on a unit sees the same activations."""
    seen, network = [], I3D(width=0.125).eval()
    getattr(network, name).register_forward_hook(lambda module, inputs, output: seen.append(output))
    network(torch.randn(1, 3, 8, 32, 32))
    assert (seen[0] >= 0).all() and (seen[0] == 0).any() and (seen[0] > 0).any()


def test_pool_keeps_bf16_under_autocast():
    x = torch.randn(1, 8, 4, 6, 6).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert SamePool((3, 3, 3), (1, 1, 1))(x).dtype == torch.bfloat16


@pytest.mark.parametrize("size", [(8, 10, 12), (7, 9, 11), (8, 9, 10), (1, 2, 3)])
@pytest.mark.parametrize("channels", [3, 2])
def test_folded_stem_gives_the_same_sums_and_gradients(size, channels):
    torch.manual_seed(0)
    stem = StemConv(channels, 16)
    video = torch.randn(2, channels, *size, requires_grad=True)
    results = []
    for convolve in (stem.direct, stem.folded):
        y = convolve(video)
        results.append((y, *torch.autograd.grad(y.square().sum(), (stem.weight, video))))
    for direct, folded in zip(*results, strict=True):
        torch.testing.assert_close(folded, direct, rtol=1e-4, atol=1e-4)


def test_stem_folds_in_bf16_on_the_cpu_only():
    torch.manual_seed(0)
    stem, video = StemConv(3, 16).eval(), torch.randn(1, 3, 8, 16, 16)
    exact = stem(video)
    stem.direct = None  # calling it would raise
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(stem(video).float(), exact, rtol=0.05, atol=0.05)
    with pytest.raises(TypeError):
        stem(video)


@pytest.mark.parametrize("output_stride", [(8, 32, 32), (4, 16, 16), (2, 8, 4), (8, 2, 16)])
@pytest.mark.parametrize("clip", [(16, 64, 48), (7, 33, 50), (1, 1, 1)])
def test_grid_tells_the_size_of_the_feature_map(output_stride, clip):
    network = I3D(width=0.125, output_stride=output_stride).eval()
    with torch.no_grad():
        feature_map = network(torch.zeros(1, 3, *clip))
    expected = tuple(-(-size // stride) for size, stride in zip(clip, output_stride, strict=True))
    assert tuple(feature_map.shape) == (1, network.channels, *network.grid(clip))
    assert network.grid(clip) == expected


def test_a_finer_stride_comes_out_of_the_last_pools():
    table = pool_table((4, 16, 8))
    # 5a gives up all its strides, and with a window of two its window; 4a only its last axis', and keeps the window.
    assert table["5a_2x2"] == ((1, 1, 1), (1, 1, 1))
    assert table["4a_3x3"] == ((3, 3, 3), (2, 2, 1))
    assert table["3a_3x3"] == ((1, 3, 3), (1, 2, 2))


@pytest.mark.parametrize("output_stride", [(12, 32, 32), (4, 12, 12), (1, 2, 2), (8, 32)])
def test_an_impossible_stride_is_refused_by_name(output_stride):
    with pytest.raises(ValueError, match=r"output_stride .* is not one of \[2, 4, 8\]"):
        I3D(width=0.125, output_stride=output_stride)


def test_width_rounds_channels_to_multiples_of_eight():
    network = I3D(width=0.25)
    assert network.channels == 96 + 96 + 32 + 32
    assert network.Mixed_4b.b2a.conv3d.out_channels == 8  # 16 / 4 = 4: never below 8
    assert network.Mixed_4c.b1a.conv3d.out_channels == 32  # 112 / 4 = 28 rounds up
    for module in network.modules():
        if isinstance(module, torch.nn.Conv3d):
            assert module.out_channels % 8 == 0
    assert [I3D(width=1 / 8).channels, len(MIXED)] == [48 + 48 + 16 + 16, 9]


@pytest.mark.parametrize(("steps", "shares"), [(1, [1]), (2, [1 / 2] * 2), (4, [1 / 6, 1 / 3, 1 / 3, 1 / 6])])
def test_classifier_reads_the_outer_steps_half_as_often(steps, shares):
    torch.manual_seed(0)
    network = I3D(num_classes=5, width=0.125).eval()
    f = torch.randn(2, network.channels, steps, 4, 5)
    weight, bias = network.logits["conv3d"].weight[:, :, 0, 0, 0], network.logits["conv3d"].bias
    mean = (f.mean((3, 4)) * torch.tensor(shares)).sum(2)
    torch.testing.assert_close(network.classify(f), mean @ weight.T + bias)


def test_gradient_reaches_every_parameter():
    torch.manual_seed(0)
    network = I3D(num_classes=4, width=0.125, output_stride=(4, 16, 16))
    network.classify(network(torch.randn(2, 3, 8, 32, 32))).logsumexp(1).sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_tuned_path_agrees_with_the_plain_one():
    torch.manual_seed(0)
    network = I3D(width=0.25, output_stride=(4, 16, 16)).eval()
    video = torch.randn(2, 3, 8, 48, 48)
    with torch.no_grad():
        plain = network(video)
        network.to(memory_format=torch.channels_last_3d)
        last = network(video.contiguous(memory_format=torch.channels_last_3d))
        with torch.autocast("cpu", torch.bfloat16):
            bf16 = network(video.contiguous(memory_format=torch.channels_last_3d)).float()
    torch.testing.assert_close(last, plain, rtol=1e-3, atol=1e-4)
    assert torch.nn.functional.cosine_similarity(bf16.flatten(), plain.flatten(), dim=0) > 0.999
