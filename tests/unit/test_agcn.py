"""AGCN and the systems that read poses alone, against numbers worked out by hand."""

from __future__ import annotations

from math import e, sqrt

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from workbench import losses
from workbench.media.pose import bones
from workbench.nets import AGCN
from workbench.nets.pose.agcn import UnitGCN, adjacency
from workbench.nets.pose.bones import Bones
from workbench.systems import build
from workbench.types import Batch, Pose, Skeleton

CHAIN = Skeleton("chain", ("a", "b", "c"), ((1, 0), (2, 1)), (), (0,), (1,), (0, 2), (0, 2))
STAR = Skeleton("star", ("a", "b", "c"), ((1, 0), (2, 0)), (), (0,), (1,), (0, 2), (0, 2))
SMALL = {"width": 0.125, "poses": 8}


def batch(persons: int = 1, poses: int = 8, seed: int = 0) -> Batch:
    pose = torch.randn(3, persons, poses, 25, 3, generator=torch.Generator().manual_seed(seed))
    return Batch(pose=pose, label=torch.tensor([0, 3, 1]))


def system(name: str = "agcn", seed: int = 0, **options):
    torch.manual_seed(seed)
    if name == "pose_lstm":
        options = {"hidden": 16, **options}
    return build(name, 5, **SMALL, **options)


# The graph convolution


def test_adjacency_by_hand():
    # Columns gather: b its parent a and its child c; a only its child; c only its parent.
    expected = [np.eye(3), [[0, 1, 0], [0, 0, 1], [0, 0, 0]], [[0, 0, 0], [1, 0, 0], [0, 1, 0]]]
    np.testing.assert_array_equal(adjacency(CHAIN), np.array(expected, np.float32))
    np.testing.assert_array_equal(adjacency(STAR)[2], np.float32([[0, 0, 0], [0.5, 0, 0], [0.5, 0, 0]]))


def plain_unit(skeleton: Skeleton = CHAIN) -> UnitGCN:
    """W_k = 1, 10, 100 in the first channel, no learned or own links beyond 1/3 each, no batch norm, no residual."""
    unit = UnitGCN(1, 4, adjacency(skeleton)).eval()
    for parameter in unit.parameters():
        nn.init.zeros_(parameter)
    for conv, weight in zip(unit.conv_d, (1, 10, 100), strict=True):
        conv.weight.data[0] = weight
    unit.bn.weight.data.fill_(sqrt(1 + unit.bn.eps))
    return unit


def test_graph_convolution_by_hand():
    x = torch.tensor([1.0, 2, 4]).view(1, 1, 1, 3)
    # Each gathers the mean over all joints (7/3 times 111 = 259) and 1 x itself + 10 x parent + 100 x children.
    y = plain_unit()(x)[0, 0, 0]
    torch.testing.assert_close(y, torch.tensor([259.0 + 1 + 200, 259 + 2 + 10 + 400, 259 + 4 + 20]), rtol=1e-5, atol=0)
    assert plain_unit(STAR)(x)[0, 0, 0, 0].item() == pytest.approx(259 + 1 + 300, rel=1e-5)


def test_learned_links_are_added_per_subset():
    unit = plain_unit()
    unit.PA.data[1, 2, 0] = 0.5  # in subset 1 (weight 10) joint a also gathers half of c
    x = torch.tensor([1.0, 2, 4]).view(1, 1, 1, 3)
    assert unit(x)[0, 0, 0].tolist() == pytest.approx([460 + 20, 671, 283], rel=1e-5)


def test_own_links_by_hand():
    unit = plain_unit()
    unit.conv_a[2].weight.data.fill_(1)  # theta = x
    unit.conv_b[2].bias.data.fill_(1)  # phi = 2 x + 1
    unit.conv_b[2].weight.data.fill_(2)
    x = torch.tensor([0.0, 1, 0]).view(1, 1, 1, 3).expand(1, 1, 2, 3)
    links = unit.own_links(x)[0]
    # Scores theta_u phi_v, averaged over channels and time, go through a softmax over u: down a column.
    for v, phi in enumerate((1, 3, 1)):
        weights = np.array([1, e**phi, 1])
        np.testing.assert_allclose(links[2, :, v].detach(), weights / weights.sum(), rtol=1e-6)
    torch.testing.assert_close(links[:2], torch.full((2, 3, 3), 1 / 3))


def test_unit_starts_as_its_residual():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 4, 3)
    torch.testing.assert_close(UnitGCN(8, 8, adjacency(CHAIN))(x), x.relu(), rtol=0, atol=1e-4)


# The network


def test_published_size_and_start():
    torch.manual_seed(0)
    network = AGCN(60)
    assert sum(parameter.numel() for parameter in network.parameters()) == 3_469_510
    assert network.channels == 256
    assert network.l1.residual is None and isinstance(network.l2.residual, nn.Identity)
    for unit in (network.l1, network.l10):
        assert unit.gcn1.PA.unique().item() == pytest.approx(1e-6)
        assert unit.gcn1.bn.weight.unique().item() == pytest.approx(1e-6)
        assert unit.tcn1.bn.weight.unique().item() == 1 and unit.tcn1.conv.bias.abs().max() == 0
    expected = {"l10.gcn1.conv_d.0": sqrt(2 / (256 * 256 * 3)), "l10.gcn1.conv_a.0": sqrt(2 / 64), "fc": sqrt(2 / 60)}
    expected["l10.tcn1.conv"] = sqrt(2 / (256 * 9))
    for name, std in expected.items():
        assert network.get_submodule(name).weight.std().item() == pytest.approx(std, rel=0.05), name


def test_two_layers_are_the_first_two_units():
    network = AGCN(layers=2)
    full = AGCN(60).state_dict()
    own = network.state_dict()
    assert network.fc is None and network.channels == 64 and not hasattr(network, "l3")
    assert all(own[name].shape == full[name].shape for name in own)
    assert set(own) == {name for name in full if name.startswith(("data_bn.", "l1.", "l2."))}


@pytest.mark.parametrize(("width", "channels"), [(0.125, 32), (0.3, 80), (0.5, 128), (1.5, 384)])
def test_width_scales_channels_in_eights(width, channels):
    network = AGCN(width=width, layers=8)
    assert network.channels == channels
    assert all(conv.out_channels % 8 == 0 for name, conv in network.named_modules() if name.endswith("tcn1.conv"))


def test_joints_are_the_last_units_activation_stretched_in_time():
    torch.manual_seed(0)
    network, seen = AGCN(width=0.125).eval(), []
    network.l10.register_forward_hook(lambda module, inputs, output: seen.append(output))
    features, joints = network(torch.randn(3, 2, 8, 25, 3))
    x = seen[0]  # two bodies a clip: [6,32,2,25]
    x = (x[0::2] + x[1::2]) / 2
    assert x.shape[2] == 2 and x.std() > 0
    torch.testing.assert_close(features, x.mean((2, 3)))
    first, last = x.mean(1).unbind(1)  # at a quarter and three quarters of the time; linear between, held outside
    torch.testing.assert_close(joints[:, 0], first)
    torch.testing.assert_close(joints[:, 7], last)
    torch.testing.assert_close(joints[:, 3], first * 0.625 + last * 0.375)


def test_bodies_are_averaged_with_the_missing_as_zeros():
    torch.manual_seed(0)
    network = AGCN(width=0.125).eval()
    network.data_bn.running_mean.normal_()
    one = torch.randn(3, 1, 8, 25, 3)
    two = torch.cat([one, torch.zeros_like(one)], dim=1)
    for alone, padded in zip(network(one), network(two), strict=True):
        assert torch.equal(alone, padded)
    assert not torch.allclose(network(one)[0], network(torch.cat([one, one], dim=1))[0])


def test_missing_joints_count_as_zero():
    torch.manual_seed(0)
    network, pose = AGCN(width=0.125, persons=1).eval(), torch.randn(2, 1, 8, 25, 3)
    pose[:, :, :, 4] = float("nan")
    assert torch.equal(network(pose)[0], network(pose.nan_to_num(0))[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "layers must be 1 to 10, got 0"),
        ({"layers": 11}, "layers must be 1 to 10, got 11"),
        ({"persons": 0}, "persons must be 1 or more, got 0"),
        ({"skeleton": "starfish"}, "unknown skeleton 'starfish'"),
    ],
)
def test_bad_network(options, message):
    with pytest.raises(ValueError, match=message):
        AGCN(**options)


@pytest.mark.parametrize("shape", [(2, 3, 8, 25, 3), (2, 1, 8, 20, 3), (2, 1, 8, 25, 2), (2, 8, 25, 3)])
def test_poses_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"poses must be \[B,M<=2,t_p,25,3\], got \["):
        AGCN(width=0.125, layers=1)(torch.zeros(shape))


# Bones


@pytest.mark.parametrize("name", Skeleton.names())
def test_bones_are_those_of_the_media(name):
    skeleton = Skeleton.named(name)
    joints = np.random.default_rng(0).normal(size=(2, 4, skeleton.count, 3)).astype(np.float32)
    expected = bones(Pose(joints, skeleton, "camera", np.arange(4)))
    torch.testing.assert_close(Bones(skeleton)(torch.from_numpy(joints)[None])[0], torch.from_numpy(expected))


def test_bones_by_hand():
    pose = torch.tensor([[1.0, 0, 0], [3, 5, 0], [float("nan")] * 3])[None, None, None]
    assert Bones(CHAIN)(pose)[0, 0, 0].tolist() == [[0, 0, 0], [2, 5, 0], [-3, -5, 0]]


# Systems


def test_system_is_the_network_and_nothing_else():
    whole = build("agcn", 60)
    assert sum(parameter.numel() for parameter in whole.parameters()) == 3_469_510
    data, one = batch(), system().eval()
    output = one(data)
    features, joints = one.pose_backbone(data.pose)
    torch.testing.assert_close(output.logits, one.pose_backbone.fc(features))
    torch.testing.assert_close(output.maps["joints"], joints)
    assert output.maps["joints"].shape == (3, 8, 25) and output.maps["joints"].min() >= 0
    torch.testing.assert_close(one.loss(output, data)["total"], F.cross_entropy(output.logits, data.label))


@pytest.mark.parametrize("name", ["agcn", "pose_lstm"])
def test_bone_stream_reads_bones(name):
    data = batch()
    joint, bone = system(name).eval(), system(name, stream="bone").eval()
    own = data.replace(pose=Bones(Skeleton.named("kinect_v2"))(data.pose))
    torch.testing.assert_close(bone(data).logits, joint(own).logits)
    assert not torch.allclose(bone(data).logits, joint(data).logits)


@pytest.mark.parametrize("name", ["agcn", "pose_lstm"])
def test_two_streams_average_their_scores_and_learn_apart(name):
    data, two = batch(), system(name, stream="joint+bone").eval()
    streams = [system(name, stream=stream).eval() for stream in ("joint", "bone")]
    own = {key: value for key, value in two.state_dict().items() if not key.startswith("bone_stream.")}
    streams[0].load_state_dict(own)
    streams[1].load_state_dict(two.bone_stream.state_dict())
    outputs = [stream(data) for stream in streams]
    scores = torch.stack([output.logits.softmax(1) for output in outputs]).mean(0)
    output = two(data)
    torch.testing.assert_close(output.logits.softmax(1), scores)
    torch.testing.assert_close(output.features, torch.cat([o.features for o in outputs], dim=1))
    expected = sum(s.loss(o, data)["total"] for s, o in zip(streams, outputs, strict=True))
    torch.testing.assert_close(two.loss(output, data)["total"], expected)


def test_two_streams_can_add_their_logits():
    data, two = batch(), system(stream="joint+bone", combine="logit_sum").eval()
    output = two(data)
    joint = two.pose_backbone.fc(two.pose_backbone(data.pose)[0])
    torch.testing.assert_close(output.logits, joint + two.bone_stream(data).logits)
    assert torch.equal(output.maps["joints"], two.pose_backbone(data.pose)[1])


def test_lstm_learns_from_every_step():
    data, lstm = batch(), system("pose_lstm", hidden=8).eval()
    steps = lstm.classifier(lstm.pose_backbone(data.pose))
    torch.testing.assert_close(lstm.pose_loss(lstm(data), data)["total"], losses.every_step(steps, data.label))


@pytest.mark.parametrize("name", ["agcn", "pose_lstm"])
@pytest.mark.parametrize("stream", ["joint", "bone", "joint+bone"])
def test_stage_reaches_every_parameter(name, stream):
    one, data = system(name, stream=stream), batch()
    (stage,) = one.stages()
    getattr(one, stage.loss)(one(data), data)["total"].backward()
    for parameter_name, parameter in one.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name
    assert stage.name == "pose" and one.needs_train == {"pose", "label"} and one.needs_test == {"pose"}


def test_published_training():
    (stage,) = build("agcn", 5, width=0.125).stages()
    assert stage.optimizer == {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4}
    assert stage.epochs == 50 and stage.schedule["milestones"] == (30, 40) and stage.schedule["factor"] == 0.1


def test_unknown_stream():
    with pytest.raises(ValueError, match="stream must be one of 'joint', 'bone', 'joint\\+bone', got 'motion'"):
        build("agcn", 5, stream="motion")
