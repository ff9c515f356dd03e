"""The video backbones beside I3D: layers and tables against the papers, sizes, strides, gradients."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from workbench.nets import I3D, R3D50G, S3DG, I3DNonLocal, NonLocal, ResNeXt3D
from workbench.nets.video.layers import FeatureGating, MaxPool
from workbench.nets.video.sizes import scaled, thinned
from workbench.study.runs import hardware
from workbench.systems import build
from workbench.systems.common.building import BACKBONES
from workbench.types import Batch

OWN_STRIDE = {
    "i3d": (8, 32, 32),
    "i3d_nonlocal": (8, 32, 32),
    "r3d50g": (1, 32, 32),
    "s3dg": (8, 32, 32),
    "resnext3d101": (16, 32, 32),
}
TINY = {"width": 0.125, "output_stride": (4, 16, 16)}
every = pytest.mark.parametrize("name", OWN_STRIDE)


def clips(count: int = 2, channels: int = 3, size=(8, 32, 32)) -> torch.Tensor:
    return torch.randn(count, channels, *size, generator=torch.Generator().manual_seed(1))


# What all have in common


def test_backbones_are_those_of_the_systems():
    assert list(BACKBONES) == list(OWN_STRIDE)


@every
def test_output_stride_is_no_coarser_than_asked(name):
    kind = BACKBONES[name]
    assert kind(width=0.125).output_stride == OWN_STRIDE[name]
    for asked in [(4, 16, 16), (2, 8, 32), (16, 64, 2), (8, 32, 32)]:
        own = kind(width=0.125, output_stride=asked).output_stride
        assert own == tuple(map(min, OWN_STRIDE[name], asked))


@every
@pytest.mark.parametrize("asked", [(4, 12, 12), (4, 16, 1), (0, 8, 8), (4, 16), (-4, 16, 16)])
def test_other_strides_are_refused_with_the_valid_ones(name, asked):
    with pytest.raises(ValueError, match=r"output_stride .* is not one of \[.*\] x \[2, 4, 8, 16, 32\] x .*") as error:
        BACKBONES[name](width=0.125, output_stride=asked)
    assert str(list(asked))[1:-1] in str(error.value)


def test_last_strides_go_first():
    strides = [(2, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2)]
    assert thinned(strides, (8, 16, 16)) == strides
    assert thinned(strides, (4, 16, 4)) == [(2, 2, 2), (1, 2, 2), (2, 2, 1), (1, 2, 1)]
    assert thinned(strides, (32, 16, 2)) == [(2, 2, 2), (1, 2, 1), (2, 2, 1), (2, 2, 1)]


@every
@pytest.mark.parametrize("output_stride", [(16, 32, 32), (4, 16, 16), (2, 8, 4)])
@pytest.mark.parametrize("clip", [(16, 64, 48), (7, 33, 50), (1, 1, 1)])
def test_grid_tells_the_size_of_the_feature_map(name, output_stride, clip):
    network = BACKBONES[name](in_channels=2, width=0.125, output_stride=output_stride).eval()
    with torch.no_grad():
        feature_map = network(torch.zeros(1, 2, *clip))
    assert tuple(feature_map.shape) == (1, network.channels, *network.grid(clip))


def test_s3d_leaves_out_what_fills_no_last_window():
    # 112 pixels: 56, 28, 14, 7, and then 3 windows of two without padding; HowTo100M's padding makes it 4.
    assert S3DG(width=0.125).grid((16, 112, 112)) == (2, 3, 3)
    assert S3DG(width=0.125, layout="howto100m").grid((16, 112, 112)) == (2, 4, 4)
    assert I3D(width=0.125).grid((16, 112, 112)) == (2, 4, 4)


@pytest.mark.parametrize("size", [(16, 64, 64), (7, 33, 50)])
def test_howto100m_s3dg_reads_any_size(size):
    network = S3DG(width=0.125, layout="howto100m").eval()
    with torch.no_grad():
        assert tuple(network(clips(1, 3, size)).shape[2:]) == network.grid(size)


@every
def test_width_scales_channels_in_eights(name):
    network = BACKBONES[name](width=0.3)
    for module in network.modules():
        if isinstance(module, nn.Conv3d) and not isinstance(network, I3DNonLocal):
            assert module.out_channels % 8 == 0
    assert scaled(64, 0.3) == 16 and scaled(112, 0.25) == 32 and scaled(16, 0.1) == 8
    assert BACKBONES[name](width=0.5).channels == (1024 if name in ("r3d50g", "resnext3d101") else 512)


@every
def test_classifier_reads_the_feature_map(name):
    network = BACKBONES[name](num_classes=5, width=0.125).eval()
    f = torch.randn(2, network.channels, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    head = network.logits["conv3d"] if isinstance(network, I3D) else network.fc
    head = head[0] if isinstance(head, nn.Sequential) else head
    mean = f.mean((2, 3, 4))
    if name in ("i3d", "i3d_nonlocal", "s3dg"):  # mean of the steps 1, 2 and of 2, 3
        mean = (f * torch.tensor([0.25, 0.5, 0.25])[:, None, None]).sum(2).mean((2, 3))
    torch.testing.assert_close(network.classify(f), mean @ head.weight.flatten(1).T + head.bias)
    assert BACKBONES[name](width=0.125).state_dict().keys() < network.state_dict().keys()


@every
def test_gradient_reaches_every_parameter(name):
    torch.manual_seed(0)
    network = BACKBONES[name](num_classes=4, in_channels=2, **TINY)
    if name == "i3d_nonlocal":
        nn.init.ones_(network.non_local.W[1].weight)
    network.classify(network(clips(channels=2))).logsumexp(1).sum().backward()
    # A bias that is the same for all keys falls out of their softmax.
    without = {"non_local.phi.0.bias"}
    silent = {key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert silent <= without
    assert all(p.grad.isfinite().all() for p in network.parameters())


@every
def test_bf16_and_channels_last_agree_with_the_plain_path(name):
    torch.manual_seed(0)
    network, video = BACKBONES[name](num_classes=4, **TINY).eval(), clips()
    with torch.no_grad():
        plain = network(video)
        network.to(memory_format=torch.channels_last_3d)
        last = network(video.contiguous(memory_format=torch.channels_last_3d))
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(video.contiguous(memory_format=torch.channels_last_3d)).float()
    torch.testing.assert_close(last, plain, rtol=1e-3, atol=1e-3 * plain.std().item())
    assert F.cosine_similarity(rough.flatten(), plain.flatten(), dim=0) > 0.999
    if hardware.spoils_bf16("cpu"):
        return  # no run trains in bf16 here
    with torch.autocast("cpu", torch.bfloat16):
        loss = network.train().classify(network(video * 30)).float().logsumexp(1).sum()
    loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


@every
def test_every_backbone_serves_a_system(name):
    torch.manual_seed(0)
    system = build("rgb", 5, backbone=name, clip=(8, 32, 32), **TINY)
    batch = Batch(video=clips(), label=torch.tensor([0, 3]))
    output = system(batch)
    system.loss(output, batch)["total"].backward()
    assert output.maps["feature_map"].shape[2:] == system.backbone.grid((8, 32, 32))
    momentum = {module.momentum for module in system.backbone.modules() if isinstance(module, nn.BatchNorm3d)}
    assert momentum == {0.01}


# Shared layers


def test_feature_gating_by_hand():
    gating = FeatureGating(2)
    nn.init.zeros_(gating.fc.weight)
    gating.fc.weight.data[0, 1], gating.fc.bias.data[1] = math.log(3), -math.log(4)
    x = torch.stack([torch.full((1, 2, 2), 8.0), torch.tensor([[[0.0, 2.0], [0.0, 2.0]]])])[None]  # means 8 and 1
    # Gates: sigmoid(log 3 * 1) = 3 / 4, sigmoid(-log 4) = 1 / 5.
    torch.testing.assert_close(gating(x), x * torch.tensor([0.75, 0.2]).view(1, 2, 1, 1, 1))


def test_gates_start_half_open():
    torch.manual_seed(0)
    x = torch.rand(2, 16, 2, 3, 3)
    torch.testing.assert_close(FeatureGating(16)(x), x / 2, rtol=0.03, atol=0)


def test_max_pool_of_an_axis_smaller_than_its_window():
    pool = MaxPool((2, 2, 2), (2, 2, 2), padding=(0, 0, 0))
    x = torch.arange(6.0).view(1, 1, 1, 2, 3)
    assert pool(x).flatten().tolist() == [4.0]  # columns 0 and 1; the third fills no window
    with torch.autocast("cpu", torch.bfloat16):
        assert pool(x.bfloat16()).dtype == torch.bfloat16


# R3D50-G, PERF-Net table 1


def test_r3d50g_has_the_output_sizes_of_table_1():
    sizes, network = {}, R3D50G(width=0.125).eval()
    for name, module in network.named_children():
        module.register_forward_hook(lambda m, i, o, name=name: sizes.__setitem__(name, tuple(o.shape[1:])))
    with torch.no_grad():
        network(torch.zeros(1, 3, 5, 224, 224))
    assert {name: (8 * c, *size) for name, (c, *size) in sizes.items() if name != "bn1"} == {
        "conv1": (64, 5, 112, 112),
        "pool1": (64, 5, 56, 56),
        "res2": (256, 5, 56, 56),
        "res3": (512, 5, 28, 28),
        "res4": (1024, 5, 14, 14),
        "res5": (2048, 5, 7, 7),
    }
    assert network.grid((250, 256, 256)) == (250, 8, 8)


def test_r3d50g_has_the_kernels_of_table_1():
    network = R3D50G(width=0.125)
    assert network.conv1.kernel_size == (5, 7, 7) and network.pool1.kernel_size == (1, 3, 3)
    temporal = {"res2": [3, 3, 3], "res3": [3, 1, 3, 1], "res4": [3, 1, 3, 1, 3, 1], "res5": [3, 1, 3]}
    for name, kernels in temporal.items():
        *cells, gating = getattr(network, name)
        assert isinstance(gating, FeatureGating)
        assert [cell.conv1.kernel_size for cell in cells] == [(kernel, 1, 1) for kernel in kernels]
        assert {(cell.conv2.kernel_size, cell.conv3.kernel_size) for cell in cells} == {((1, 3, 3), (1, 1, 1))}
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.MaxPool3d):
            assert module.stride[0] == 1


def test_r3d50g_cell_is_a_residual():
    torch.manual_seed(0)
    network = R3D50G(width=0.125).eval()
    x = torch.rand(1, 32, 4, 6, 6)
    cell = network.res2[1]
    y = cell.bn2(cell.conv2(cell.bn1(cell.conv1(x)).relu())).relu()
    torch.testing.assert_close(cell(x), (x + cell.bn3(cell.conv3(y))).relu())
    assert [c.downsample is not None for c in network.res3[:-1]] == [True, False, False, False]


# ResNeXt-101


def test_resnext_has_101_layers():
    network = ResNeXt3D(width=0.125)
    blocks = [len(getattr(network, f"layer{i}")) for i in (1, 2, 3, 4)]
    assert blocks == [3, 4, 23, 3] and 3 * sum(blocks) + 2 == 101


@pytest.mark.parametrize(("width", "groups"), [(0.5, 16), (0.25, 8), (0.125, 4), (0.01, 2)])
def test_narrow_resnext_keeps_the_width_of_its_groups(width, groups):
    network = ResNeXt3D(width=width)
    for stage, size in [("layer1", 4), ("layer2", 8), ("layer3", 16), ("layer4", 32)]:
        conv = getattr(network, stage)[0].conv2
        assert (conv.groups, conv.weight.shape[1], conv.out_channels) == (groups, size, groups * size)


# The non-local block


def test_non_local_by_hand():
    block = NonLocal(1, inter_channels=1, sub_sample=False).eval()
    for conv, weight in [(block.theta, 1.0), (block.phi, math.log(2)), (block.g, 4.0), (block.W[0], 3.0)]:
        nn.init.constant_(conv.weight, weight)
        nn.init.zeros_(conv.bias)
    nn.init.ones_(block.W[1].weight)
    block.W[1].eps = 0.0
    x = torch.tensor([0.0, 1.0, 2.0]).view(1, 1, 3, 1, 1)
    z, affinity = block.attend(x)
    # Rows softmax(x_i x_j log 2), over 2^(x_i x_j): 1 1 1, 1 2 4, 1 4 16.
    rows = torch.tensor([[1, 1, 1], [1, 2, 4], [1, 4, 16]]).float()
    rows = rows / rows.sum(1, keepdim=True)
    torch.testing.assert_close(affinity[0], rows)
    y = 4 * rows @ torch.tensor([0.0, 1.0, 2.0])
    torch.testing.assert_close(z.flatten(), 3 * y + x.flatten())


def test_non_local_starts_as_the_identity_and_learns_its_affinity_all_the_same():
    torch.manual_seed(0)
    block, x = NonLocal(8), torch.randn(2, 8, 2, 4, 4)
    z, affinity = block.attend(x)
    assert torch.equal(z, x) and torch.equal(block(x), x)
    z.square().sum().backward()
    moved = {name for name, p in block.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved == {"W.1.weight", "W.1.bias"}
    block.zero_grad()
    affinity = block.attend(x)[1]
    affinity.square().sum().backward()
    moved = {name for name, p in block.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved >= {"theta.weight", "theta.bias", "phi.0.weight"} and not moved & {"g.0.weight", "W.0.weight"}


@pytest.mark.parametrize(("grid", "keys"), [((8, 7, 7), (8, 3, 3)), ((4, 6, 6), (4, 3, 3)), ((2, 1, 5), (2, 1, 2))])
def test_keys_are_sub_sampled_in_space(grid, keys):
    block = NonLocal(8)
    _, affinity = block.attend(torch.randn(2, 8, *grid))
    assert block.keys(grid) == keys and affinity.shape == (2, math.prod(grid), math.prod(keys))
    torch.testing.assert_close(affinity.sum(2), torch.ones(2, math.prod(grid)))
    assert NonLocal(8, sub_sample=False).keys(grid) == grid


def test_affinity_is_exact_in_bf16():
    torch.manual_seed(0)
    block, x = NonLocal(32), 3 * torch.randn(1, 32, 2, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        z, affinity = block.attend(x.bfloat16())
    assert affinity.dtype == torch.float32
    torch.testing.assert_close(affinity.sum(2), torch.ones(1, 32))
    torch.testing.assert_close(affinity, block.attend(x)[1], rtol=0.2, atol=0.02)


def test_i3d_nonlocal_is_i3d_and_a_block():
    torch.manual_seed(0)
    network, plain = I3DNonLocal(bn_momentum=1.0, **TINY), I3D(**TINY)
    network(clips())
    nn.init.ones_(network.non_local.W[1].weight)
    plain.load_state_dict(network.state_dict(), strict=False)
    network.eval(), plain.eval()
    seen, f, affinity = network(clips(), details=True)
    torch.testing.assert_close(f, plain(clips()))
    torch.testing.assert_close(seen, network.non_local(f))
    torch.testing.assert_close(network(clips()), seen)
    assert not torch.allclose(seen, f) and affinity.shape == (2, 2 * 2 * 2, 2)


def test_rgb_shows_the_affinity_and_classifies_what_was_attended():
    torch.manual_seed(0)
    system = build("rgb", 5, backbone="i3d_nonlocal", clip=(8, 32, 48), **TINY, bn_momentum=1.0)
    nn.init.ones_(system.backbone.non_local.W[1].weight)
    batch = Batch(video=clips(size=(8, 32, 48)))
    system(batch)
    output = system.eval()(batch)
    maps = output.maps
    assert maps["affinity_grid"].tolist() == [2, 2, 3]
    z, affinity = system.backbone.non_local.attend(maps["feature_map"])
    torch.testing.assert_close(maps["affinity"], affinity)
    torch.testing.assert_close(maps["modulated"], z)
    torch.testing.assert_close(output.features, z.mean((2, 3, 4)))
    assert not torch.allclose(z, maps["feature_map"])
    assert set(build("rgb", 5, clip=(8, 32, 32), **TINY)(Batch(video=clips())).maps) == {"feature_map"}
