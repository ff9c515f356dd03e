"""What must not change the networks' answer, or must change it in one known way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.nets import I3D, PoseGCN, PoseLSTM
from workbench.nets.pose.gcn import adjacency, normalize
from workbench.systems import build
from workbench.types import Batch, Skeleton

KINECT = Skeleton.named("kinect_v2")
SIZES = {"clip": (8, 32, 32), "width": 0.125, "output_stride": (4, 16, 16), "poses": 6}
SYSTEMS = [
    ("rgb", {}),
    ("pose_lstm", {"hidden": 8}),
    ("vpn", {}),
    ("vpn", {"pose_backbone": "lstm", "lstm_hidden": 8, "coupler": False}),
]


def system_and_batch(name: str, options: dict, count: int = 4):
    """A system whose features differ from clip to clip (an untrained one without batch statistics gives next to zero),
    and a batch of two persons a clip."""
    torch.manual_seed(0)
    momentum = {} if name == "pose_lstm" else {"bn_momentum": 1.0}
    system = build(name, 5, **SIZES, **options, **momentum)
    if name == "vpn":
        torch.nn.init.normal_(system.attention.spatial.score.weight)
        torch.nn.init.normal_(system.attention.temporal.score.weight)
    pose, video = torch.randn(count, 2, 6, 25, 3), torch.rand(count, 3, 8, 32, 32) * 2 - 1
    batch = Batch(video=video, pose=pose, label=torch.arange(count) % 5)
    with torch.no_grad():
        system.train()(batch)
        assert system.eval()(batch).features.std(0).mean() > 0.01
    return system, batch


def permuted(order: np.ndarray) -> Skeleton:
    """Kinect's skeleton with joint order[i] in place i."""
    place = np.argsort(order)

    def move(joints: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(int(place[joint]) for joint in joints)

    names = tuple(KINECT.joints[joint] for joint in order)
    bones = tuple(move(bone) for bone in KINECT.bones)
    return Skeleton(
        "permuted", names, bones, (), move(KINECT.root), move(KINECT.spine), move(KINECT.hips), move(KINECT.shoulders)
    )


@pytest.mark.parametrize("far_pairs", ["all", "selected"])
def test_graph_convolution_does_not_mind_how_joints_are_numbered(far_pairs):
    torch.manual_seed(0)
    order = np.random.default_rng(0).permutation(25)
    plain, other = PoseGCN(KINECT, 4, far_pairs=far_pairs), PoseGCN(permuted(order), 4, far_pairs=far_pairs)
    other.load_state_dict(plain.state_dict())
    pose = torch.randn(2, 4, 25, 3)
    torch.testing.assert_close(other.graph_convolution(pose[:, :, order]), plain.graph_convolution(pose)[:, :, order])


@pytest.mark.parametrize("name", ["kinect_v2", "kinect_v1", "lcrnet_13", "lcrnet_15", "smarthome_17"])
@pytest.mark.parametrize("far_pairs", ["all", "selected"])
def test_graph_is_its_own_mirror_image(name, far_pairs):
    skeleton = Skeleton.named(name)
    graph = normalize(adjacency(skeleton, far_pairs=far_pairs))
    mirrored = graph[skeleton.mirror][:, skeleton.mirror]
    torch.testing.assert_close(mirrored, graph)


@pytest.mark.parametrize("axis", [2, 3, 4])
def test_mirrored_kernels_on_a_mirrored_clip_give_the_mirrored_map(axis):
    # Odd sizes at every level are padded alike on both sides; the stem's 7 taps are not folded in fp32.
    torch.manual_seed(0)
    network = I3D(width=0.125).eval()
    video = torch.randn(1, 3, 9, 33, 33)
    with torch.no_grad():
        expected = network(video).flip(axis)
        for module in network.modules():
            if isinstance(module, torch.nn.Conv3d):
                module.weight.data = module.weight.data.flip(axis)
        torch.testing.assert_close(network(video.flip(axis)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "options"), SYSTEMS)
def test_order_and_company_in_a_batch_do_not_matter(name, options):
    system, data = system_and_batch(name, options)
    order = [2, 0, 3, 1]
    with torch.no_grad():
        whole = system(data)
        shuffled = system(data.replace(video=data.video[order], pose=data.pose[order]))
        single = system(data.replace(video=data.video[1:2], pose=data.pose[1:2]))
    torch.testing.assert_close(shuffled.logits, whole.logits[order], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(single.logits, whole.logits[1:2], rtol=1e-4, atol=1e-5)
    for key, value in whole.maps.items():
        torch.testing.assert_close(shuffled.maps[key], value[order], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "options"), SYSTEMS[1:])
def test_persons_have_no_order_and_the_absent_no_weight(name, options):
    system, data = system_and_batch(name, options)
    with torch.no_grad():
        both = system(data).logits
        swapped = system(data.replace(pose=data.pose.flip(1))).logits
        alone = system(data.replace(pose=data.pose[:, :1])).logits
        absent = data.pose.clone()
        for missing in (0.0, float("nan")):
            absent[:, 1] = missing
            torch.testing.assert_close(system(data.replace(pose=absent)).logits, alone)
            torch.testing.assert_close(system(data.replace(pose=absent.flip(1))).logits, alone)
        mixed = data.pose.clone()
        mixed[0, 1] = 0
        first = system(data.replace(pose=mixed)).logits
    torch.testing.assert_close(swapped, both)
    torch.testing.assert_close(first, torch.cat([alone[:1], both[1:]]))
    assert not torch.allclose(alone, both, rtol=1e-3)


@pytest.mark.parametrize(("name", "options"), SYSTEMS[1:])
@pytest.mark.parametrize("persons", [1, 2])
def test_nobody_is_a_finite_answer_in_training_too(name, options, persons):
    system, data = system_and_batch(name, options)
    data = data.replace(pose=torch.full((4, persons, 6, 25, 3), float("nan")))
    output = system.train()(data)
    system.loss(output, data)["total"].backward()
    assert output.logits.isfinite().all()
    assert all(p.grad.isfinite().all() for p in system.parameters() if p.grad is not None)


def test_one_missing_joint_counts_as_zero():
    torch.manual_seed(0)
    gcn, pose = PoseGCN(KINECT, 4).eval(), torch.randn(1, 1, 4, 25, 3)
    zero, nan = pose.clone(), pose.clone()
    zero[0, 0, 1, 7], nan[0, 0, 1, 7] = 0, float("nan")
    torch.testing.assert_close(gcn(nan)[0], gcn(zero)[0])


def test_lstm_step_knows_nothing_of_later_poses():
    torch.manual_seed(0)
    lstm, pose = PoseLSTM(25, hidden=8), torch.randn(2, 1, 6, 25, 3)
    other = pose.clone()
    other[:, :, 4:] += 1
    same = torch.isclose(lstm(pose), lstm(other)).flatten(2).all(2)
    assert same.tolist() == [[True] * 4 + [False] * 2] * 2
