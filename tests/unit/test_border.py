"""What callers give to ``build``, to a system and to losses: wrong ones are named, with the nearest that is right."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench import losses
from workbench.systems import build
from workbench.systems.common.border import check_batch
from workbench.types import Batch, Skeleton

SMALL = {"num_classes": 4, "clip": (8, 32, 32), "width": 0.125, "output_stride": (4, 16, 16), "poses": 4}
SYSTEMS: dict = {}


def made(name: str, **changes):
    if (name, *changes.items()) not in SYSTEMS:
        SYSTEMS[name, *changes.items()] = build(name, **{**SMALL, **changes}).eval()
    return SYSTEMS[name, *changes.items()]


def poses(joints: int, last: int = 3) -> torch.Tensor:
    return torch.zeros(2, 1, 4, joints, last)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("vnp", {}, "unknown system 'vnp'; known: .*; did you mean 'vpn'\\?$"),
        ("VPN", {}, "did you mean 'vpn'"),
        ("zzzz", {}, "unknown system 'zzzz'; known: rgb, .*augmented_rgb$"),
        (3, {}, "unknown system 3; known: rgb"),
        (
            "rgb",
            {"num_classes": "60"},
            "num_classes must be a whole number above 0, without quotes: num_classes=60",
        ),
        ("rgb", {"num_classes": 6.0}, "num_classes must be a whole number above 0, got 6.0"),
        ("rgb", {"num_classes": True}, "num_classes must be a whole number above 0, got True"),
        ("rgb", {"num_classes": None}, "num_classes must be a whole number above 0, got None"),
        ("rgb", {"num_classes": -1}, "num_classes must be a whole number above 0, got -1"),
        ("rgb", {"width": -0.5}, "width must be a number above 0, got -0.5"),
        ("rgb", {"width": float("nan")}, "width must be a number above 0, got nan"),
        ("rgb", {"width": "1.0"}, "width must be a number above 0, got '1.0'"),
        ("rgb", {"clip": (16, 96)}, r"clip must be \(T,H,W\) in frames and pixels, .*, got \(16, 96\)"),
        ("rgb", {"clip": 64}, r"clip must be \(T,H,W\) .*, got 64"),
        ("rgb", {"clip": "64"}, r"clip must be \(T,H,W\) .*, got '64'"),
        ("rgb", {"clip": (16, 96, 0)}, r"clip must be \(T,H,W\) .*, got \(16, 96, 0\)"),
        ("rgb", {"clip": (16, 96, 96.5)}, r"clip must be \(T,H,W\) .*, got \(16, 96, 96.5\)"),
        ("rgb", {"output_stride": (8, 32)}, r"output_stride must be \(T,H,W\) .*, got \(8, 32\)"),
        ("rgb", {"poses": "20"}, "poses must be a whole number above 0, without quotes: poses=20"),
        ("rgb", {"backbone": "id3"}, "unknown backbone 'id3'; valid: .*; did you mean 'i3d'"),
        ("vpn", {"skeleton": "kinect_v3"}, "unknown skeleton 'kinect_v3'; known: .*; did you mean 'kinect_v"),
        ("vpn", {"skeleton": 25}, "skeleton must be a Skeleton or its name, such as 'kinect_v2', got 25"),
        ("vpn", {"copuler": False}, "vpn has no option 'copuler'; valid options: .*; did you mean 'coupler'"),
        ("vpn", {"coupler": "no"}, "vpn: coupler must be one of True, False, got 'no'"),
        ("detector", {"features": 1024}, "features must name the channels of each modality, .*, got 1024"),
        ("detector", {"features": {"rgb": "1024"}}, r"features\['rgb'\] must be a whole number above 0"),
    ],
)
def test_what_is_built_wrongly_is_named_with_what_is_right(name, changes, words):
    with pytest.raises(ValueError, match=words):
        build(name, **{**SMALL, **changes})


def test_numbers_of_numpy_and_lists_are_as_good():
    system = made("pose_lstm", num_classes=np.int64(4), width=np.float32(0.125))
    assert system(Batch(pose=poses(25))).logits.shape == (2, 4)
    assert build("rgb", **{**SMALL, "clip": [8, 32, 32]}).setting.clip == (8, 32, 32)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (torch.zeros(2, 3, 8, 32, 32), r"PoseLSTM\w* reads a Batch, got a Tensor \[2, 3, 8, 32, 32\]; .*Batch\(video="),
        (poses(25), r"got a Tensor \[2, 1, 4, 25, 3\]; workbench.types.Batch\(pose=...\) makes one"),
        ({"pose": poses(25)}, "reads a Batch, got a dict"),
        (None, "reads a Batch, got a NoneType"),
        (
            Batch(pose=poses(20)),
            r"built for the 25 joints of kinect_v2, batch.pose \[2, 1, 4, 20, 3\] has 20; ",
        ),
        (Batch(pose=poses(7)), "has 7; no known skeleton has 7"),
        (Batch(pose=poses(25, 2)), r"batch.pose must be \[B,M,t_p,V,3\], got \[2, 1, 4, 25, 2\]"),
        (Batch(pose=poses(25)[0]), r"batch.pose must be \[B,M,t_p,V,3\], got \[1, 4, 25, 3\]"),
        (Batch(), "reads batch.pose, which this batch doesn't have"),
    ],
)
def test_what_is_no_batch_for_a_system_is_one_sentence(batch, words):
    with pytest.raises(ValueError, match=words):
        made("pose_lstm")(batch)


def test_the_skeleton_that_has_so_many_joints_is_named():
    with pytest.raises(ValueError, match="build it with skeleton=.*'kinect_v1'"):
        made("pose_lstm")(Batch(pose=poses(20)))
    assert build("pose_lstm", **SMALL, skeleton="kinect_v1").eval()(Batch(pose=poses(20))).logits.shape == (2, 4)


def test_members_of_a_system_are_held_to_the_same():
    fused = build("late_fusion", **SMALL, members=["rgb", "pose_lstm"]).eval()
    with pytest.raises(ValueError, match="was built for the 25 joints of kinect_v2"):
        fused(Batch(video=torch.zeros(2, 3, 8, 32, 32), pose=poses(20)))


def test_a_system_that_reads_no_poses_takes_any():
    check_batch("RGB", Batch(pose=poses(7)), frozenset({"video"}), None)
    with pytest.raises(ValueError, match=r"batch.video must be \[B,3,T,H,W\], got \[2, 8, 32, 32, 3\]"):
        made("rgb")(Batch(video=torch.zeros(2, 8, 32, 32, 3)))


ROWS, ROW = torch.zeros(4, 8), torch.zeros(1, 8)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: losses.normalized_euclidean(ROWS, ROW), r"normalized_euclidean: .* got \[4, 8\] and \[1, 8\]"),
        (lambda: losses.kl_divergence(ROWS, ROWS[:, :1]), r"kl_divergence: .* got \[4, 8\] and \[4, 1\]"),
        (lambda: losses.manhattan(ROWS, ROW[0]), r"manhattan: .* got \[4, 8\] and \[8\]"),
        (lambda: losses.squared_hinge(ROWS, torch.zeros(3).long()), r"squared_hinge: .* got \[4, 8\] and \[3\]"),
        (lambda: losses.every_step(ROWS, torch.zeros(4).long()), r"logits \[B,t_p,N\] and label \[B\] .* got \[4, 8\]"),
        (lambda: losses.fine_tuning(ROWS, torch.zeros(2).long(), ROWS), r"fine_tuning: .* got \[4, 8\] and \[2\]"),
        (lambda: losses.mars(ROWS, ROW), r"mars: .* got \[1, 8\] and \[4, 8\]"),
        (lambda: losses.mars([1.0], ROW), r"mars: .* got \[1, 8\] and a list"),
        (lambda: losses.logit_mse(ROWS, [ROWS, ROW]), r"logit_mse: .* got \[1, 8\] and \[4, 8\]"),
    ],
)
def test_losses_broadcast_nothing(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_skeletons_have_names_that_are_near():
    with pytest.raises(ValueError, match="did you mean 'coco17'|did you mean 'coco"):
        Skeleton.named("coko17")
