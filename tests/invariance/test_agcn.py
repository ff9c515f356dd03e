"""What AGCN's output may not depend on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from workbench.nets import AGCN
from workbench.types import Skeleton


def network(skeleton: Skeleton, seed: int = 0, **options) -> AGCN:
    """With batch statistics and scales that let every part have a say."""
    torch.manual_seed(seed)
    made = AGCN(6, skeleton, width=0.125, **options).eval()
    for module in made.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
        if hasattr(module, "PA"):
            module.PA.data.normal_(0, 0.1)
    return made


@pytest.mark.parametrize("name", ["kinect_v2", "coco_17", "mediapipe_33", "lcrnet_13"])
def test_order_of_the_joints(name):
    body = Skeleton.named(name)
    order = torch.randperm(body.count, generator=torch.Generator().manual_seed(1))
    place = order.argsort()  # where each joint has gone
    moved = replace(
        body,
        joints=tuple(body.joints[i] for i in order),
        bones=tuple((int(place[child]), int(place[parent])) for child, parent in body.bones),
        root=tuple(int(place[i]) for i in body.root),
    )
    one, other = network(body), AGCN(6, moved, width=0.125).eval()
    state = one.state_dict()
    for key, value in state.items():
        if key.startswith("data_bn.") and value.dim():
            state[key] = value.view(2, -1, 3)[:, order].flatten()
        if key.endswith(".PA"):
            state[key] = value[:, order][:, :, order]
    other.load_state_dict(state)
    pose = torch.randn(3, 2, 8, body.count, 3)
    (features, joints), (permuted, moved_joints) = one(pose), other(pose[:, :, :, order])
    assert features.std(0).mean() > 1e-3
    torch.testing.assert_close(permuted, features, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(moved_joints, joints[:, :, order], rtol=1e-4, atol=1e-5)


def test_order_and_size_of_the_batch():
    made, pose = network(Skeleton.named("kinect_v2")), torch.randn(4, 2, 8, 25, 3)
    features, joints = made(pose)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(made(pose[order])[0], features[order])
    torch.testing.assert_close(made(pose[1:2])[1], joints[1:2])


def test_bodies_that_are_not_there():
    made, pose = network(Skeleton.named("kinect_v2"), persons=3), torch.randn(2, 1, 8, 25, 3)
    padded = torch.cat([pose, torch.zeros(2, 2, 8, 25, 3)], dim=1)
    assert torch.equal(made(pose)[0], made(padded)[0]) and torch.equal(made(padded[:, :2])[0], made(padded)[0])
