"""Systems made of systems: stages, scores and losses of members; early and late fusion."""

from __future__ import annotations

import copy
from math import log
from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from workbench.study.train import optim
from workbench.systems import SYSTEMS, Stage, build, names
from workbench.systems.baselines.late_fusion import Member
from workbench.systems.common.composite import combine, member_stages, pack, prefixed, unique, unpack
from workbench.types import Batch, Output

SIZES = {"clip": (8, 32, 32), "width": 0.125, "output_stride": (4, 16, 16), "poses": 8}
#: Every way in which members differ: alone or with sub-systems, one stage or several, loss under one name or another.
WHOLES = [
    ("late_fusion", {}),
    ("late_fusion", {"members": ["rgb", "rgb"], "combine": "logit_sum"}),
    ("late_fusion", {"members": ["vpn", "pose_lstm", "agcn"], "hidden": 8}),
    ("early_fusion", {}),
    ("early_fusion", {"members": ["pose_lstm", "rgb", "pose_lstm"], "hidden": 8}),
]


def batch(seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        video=torch.rand(3, 3, 8, 32, 32, generator=generator) * 2 - 1,
        pose=torch.randn(3, 1, 8, 25, 3, generator=generator),
        label=torch.tensor([0, 3, 1]),
    )


def system(name: str, seed: int = 0, **options):
    torch.manual_seed(seed)
    return build(name, 5, **SIZES, **options)


# Parts


def test_prefixed_stage_trains_the_same_by_its_names_in_the_whole():
    stage = Stage(
        "joint",
        freezes=("pose.lstm",),
        loss="pose_loss",
        optimizer={"name": "adam", "lr": 0.1, "scale": {"": 2.0, "pose": 3.0}},
        cached="encode",
    )
    found = prefixed("members.vpn", stage)
    assert (found.name, found.trains, found.freezes) == (
        "members.vpn/joint",
        ("members.vpn",),
        ("members.vpn.pose.lstm",),
    )
    assert found.part == "members.vpn" and (found.loss, found.cached) == ("pose_loss", "encode")
    assert found.optimizer == {"name": "adam", "lr": 0.1, "scale": {"members.vpn": 2.0, "members.vpn.pose": 3.0}}
    assert stage.optimizer["scale"] == {"": 2.0, "pose": 3.0}
    twice = prefixed("student", found)
    assert (twice.name, twice.part) == ("student/members.vpn/joint", "student.members.vpn")


def test_member_stages_name_parameters_of_the_whole():
    whole = system("late_fusion", members=["rgb", "vpn"])
    inner = member_stages("vpn", whole.vpn)
    assert [stage.name for stage in inner] == ["vpn/backbone", "vpn/joint"]
    for stage in inner:
        optim.freeze(whole, stage)
        alone = {name for name, parameter in whole.vpn.named_parameters() if parameter.requires_grad}
        optim.freeze(whole.vpn, next(s for s in whole.vpn.stages() if f"vpn/{s.name}" == stage.name))
        assert alone == {name for name, parameter in whole.vpn.named_parameters() if parameter.requires_grad}


def test_names_of_equal_members():
    assert unique(["rgb", "agcn", "rgb", "rgb"]) == ["rgb", "agcn", "rgb_2", "rgb_3"]


def test_combine_by_hand():
    one, two = torch.tensor([[0.0, log(3)]]), torch.tensor([[log(4), 0.0]])
    torch.testing.assert_close(combine([one, two], "logit_sum"), torch.tensor([[log(4), log(3)]]))
    # Softmax scores 1/4, 3/4 and 4/5, 1/5; a constant added to logits changes nothing.
    mean = torch.tensor([[(0.25 + 0.8) / 2, (0.75 + 0.2) / 2]])
    torch.testing.assert_close(combine([one + 7, two], "softmax_mean").exp(), mean)


def test_packed_output_comes_back():
    output = Output(torch.ones(1, 2), torch.zeros(1, 3), {"teacher/flow": torch.ones(1)}, {"a/b": torch.ones(2)})
    found = unpack("rgb", pack("rgb", output) | pack("rgb_2", Output(torch.zeros(1, 2), torch.ones(1, 3))))
    assert found.logits is output.logits and found.features is output.features
    assert found.maps == output.maps and found.aux == output.aux


# Wholes


@pytest.mark.parametrize(("name", "options"), WHOLES)
def test_every_stage_trains_exactly_its_parts(name, options):
    whole, data = system(name, **options), batch()
    for stage in whole.stages():
        optim.freeze(whole, stage)
        optim.train_mode(whole)
        whole.zero_grad(set_to_none=True)
        getattr(whole, stage.loss)(whole(data), data)["total"].backward()
        for key, parameter in whole.named_parameters():
            assert (parameter.grad is not None) == parameter.requires_grad, (stage.name, key)
            assert parameter.grad is None or parameter.grad.isfinite().all(), (stage.name, key)


@pytest.mark.parametrize(("name", "options"), WHOLES)
def test_a_member_alone_learns_as_in_the_whole(name, options):
    whole, data = system(name, **options).eval(), batch()
    for stage in whole.stages():
        if not stage.part:
            continue
        member = whole.get_submodule(stage.part)
        gradients = []
        for runs in (member, whole):
            optim.freeze(whole, stage)
            whole.zero_grad(set_to_none=True)
            getattr(runs, stage.loss)(runs(data), data)["total"].backward()
            gradients.append(
                {
                    key: parameter.grad.clone()
                    for key, parameter in member.named_parameters()
                    if parameter.grad is not None
                }
            )
        assert gradients[0] and gradients[0].keys() == gradients[1].keys()
        for key, gradient in gradients[0].items():
            torch.testing.assert_close(gradients[1][key], gradient, rtol=1e-4, atol=1e-6, msg=f"{stage.name}: {key}")


def test_late_fusion_averages_scores_of_systems_trained_apart():
    data, whole = batch(), system("late_fusion").eval()
    rgb, agcn = whole.rgb(data), whole.agcn(data)
    output = whole(data)
    torch.testing.assert_close(output.logits.softmax(1), (rgb.logits.softmax(1) + agcn.logits.softmax(1)) / 2)
    torch.testing.assert_close(output.features, torch.cat([rgb.features, agcn.features], dim=1))
    assert output.maps.keys() == {*rgb.maps, *agcn.maps}
    losses = [F.cross_entropy(member.logits, data.label) for member in (rgb, agcn)]
    torch.testing.assert_close(whole.loss(output, data)["total"], sum(losses))
    assert [(stage.name, stage.part) for stage in whole.stages()] == [("rgb/backbone", "rgb"), ("agcn/pose", "agcn")]


def test_two_rgb_networks_are_the_control():
    data, whole = batch(), system("late_fusion", members=["rgb", "rgb"], combine="logit_sum").eval()
    one, two = whole.rgb(data), whole.rgb_2(data)
    assert not torch.allclose(one.logits, two.logits)
    output = whole(data)
    torch.testing.assert_close(output.logits, one.logits + two.logits)
    assert torch.equal(output.maps["feature_map"], one.maps["feature_map"])  # the first member's
    assert whole.needs_train == {"video", "label"} and whole.needs_test == {"video"}


def test_early_fusion_classifies_features_side_by_side():
    data, whole = batch(), system("early_fusion").eval()
    features = torch.cat([whole.rgb(data).features, whole.agcn(data).features], dim=1)
    output = whole(data)
    torch.testing.assert_close(output.features, features)
    torch.testing.assert_close(output.logits, whole.classifier(features))
    torch.testing.assert_close(whole.loss(output, data)["total"], F.cross_entropy(output.logits, data.label))
    own = F.cross_entropy(whole.rgb(data).logits, data.label)
    torch.testing.assert_close(whole.backbone_loss(output, data)["rgb"], own)


def test_early_fusion_trains_members_then_all_but_their_classifiers():
    whole = system("early_fusion", members=["rgb", "pose_lstm"], hidden=8)
    *alone, joint = whole.stages()
    assert [stage.name for stage in alone] == ["rgb/backbone", "pose_lstm/pose"] and joint.name == "joint"
    optim.freeze(whole, joint)
    frozen = {key.rpartition(".")[0] for key, parameter in whole.named_parameters() if not parameter.requires_grad}
    assert frozen == {"rgb.classifier", "pose_lstm.classifier"}


def test_options_reach_the_members_that_have_them():
    whole = system("late_fusion", members=["agcn", "pose_lstm", "rgb"], persons=1, hidden=8, bn_momentum=0.5)
    assert whole.agcn.pose_backbone.persons == 1 and whole.pose_lstm.pose_backbone.lstm.hidden_size == 8
    assert {m.momentum for m in whole.rgb.modules() if isinstance(m, torch.nn.BatchNorm3d)} == {0.5}


def test_a_copy_has_losses_of_its_own():
    whole = system("late_fusion", members=["pose_lstm", "agcn"], hidden=8)
    other, data = copy.deepcopy(whole), batch()
    other.pose_loss(other(data), data)["total"].backward()
    assert all(parameter.grad is None for parameter in whole.parameters())
    assert all(parameter.grad is not None for parameter in other.parameters())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("late_fusion", {"members": ["rgb"]}, "late_fusion: members must be two or more systems, got rgb"),
        ("early_fusion", {"members": ["agcn"]}, "early_fusion: members must be two or more networks, got agcn"),
        ("late_fusion", {"members": ["rgb", "late_fusion"]}, "members must be one of 'rgb', 'pose_lstm', 'agcn'"),
        ("early_fusion", {"members": ["rgb", "vpn"]}, "members must be one of 'rgb', 'agcn', 'pose_lstm'"),
        ("late_fusion", {"combine": "product"}, "combine must be one of 'softmax_mean', 'logit_sum', got 'product'"),
    ],
)
def test_bad_options(name, options, message):
    with pytest.raises(ValueError, match=message):
        system(name, **options)


def test_members_are_systems():
    assert set(get_args(Member)) <= set(names())
    own = {name for name, kind in SYSTEMS.items() if kind.__module__.endswith("_fusion")}
    assert not own & set(get_args(Member))
