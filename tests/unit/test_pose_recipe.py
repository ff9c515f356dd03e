"""How networks of poses alone are trained: what is done to bodies, the preset, and the GRU that is a baseline."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures import REST
from workbench.data import Augment, ClipSpec
from workbench.study.config.experiment import resolve
from workbench.study.config.train_config import TrainConfig
from workbench.systems import build
from workbench.types import Batch, Output, Pose, Skeleton

KINECT = Skeleton.named("kinect_v2")
BODY = Pose(np.float32(REST + np.arange(4)[:, None, None] * [0.1, 0, 0.2])[None], KINECT, "normalised", np.arange(4))


def lengths(pose: Pose) -> np.ndarray:
    return np.linalg.norm(np.diff(pose.joints[..., KINECT.bones, :], axis=3)[..., 0, :], axis=3)


@given(st.integers(0, 10**6), st.sampled_from([("thesis", 1), ("agcn", 2), ("none", 1)]), st.floats(1, 180))
def test_bodies_are_turned_about_the_vertical_as_wholes(seed, how, most):
    spec, rng = ClipSpec(normalize=how[0]), np.random.default_rng(seed)
    view = Augment(mirror=0, turn=most).draw(spec, rng)
    seen = view.bodies(BODY)
    np.testing.assert_allclose(lengths(seen), lengths(BODY), atol=1e-5)
    np.testing.assert_allclose(seen.joints[..., how[1]], BODY.joints[..., how[1]], atol=1e-5)
    angle = np.degrees(np.arccos(np.clip((np.trace(view.space) - 1) / 2, -1, 1)))
    assert angle <= most + 1e-3 and seen.joints.dtype == np.float32


@given(st.integers(0, 10**6))
def test_stretched_bodies_keep_their_directions_and_what_is_missing_stays_zero(seed):
    joints = BODY.joints.copy()
    joints[0, 2, 5] = 0
    view = Augment(mirror=0, stretch=0.2).draw(ClipSpec(), np.random.default_rng(seed))
    ratio = view.bodies(BODY.with_joints(joints)).joints[0] / np.where(joints[0] == 0, 1, joints[0])
    assert (ratio[2, 5] == 0).all() and (ratio[joints[0] != 0] >= 0.8 - 1e-5).all() and (ratio <= 1.2 + 1e-5).all()


def test_without_turning_clips_are_drawn_as_before_and_a_test_sees_bodies_as_they_are():
    plain, turned = (
        a.draw(ClipSpec(), np.random.default_rng(3)) for a in (Augment(), Augment(turn=30, tilt=10, stretch=0.1))
    )
    assert plain.space is None and (turned.top, turned.left, turned.gain) == (plain.top, plain.left, plain.gain)
    assert type(plain).plain(ClipSpec()).bodies(BODY) is BODY


def test_networks_of_poses_have_a_preset_of_their_own_where_none_is_said():
    for name in ("agcn", "pose_lstm", "pose_gru"):
        made = resolve(TrainConfig(system=name))
        assert made.numbers == resolve(TrainConfig(system=name, preset="poses")).numbers
        assert made.clip.poses == 32 and made.clip.pose_padding == "repeat" and made.options["smoothing"] == 0.1
        assert (
            made.numbers.augment["turn"] > 0 and resolve(TrainConfig(system=name, preset={"poses": 9})).clip.poses == 9
        )
        assert resolve(TrainConfig(system=name, preset="tiny")).clip.poses == 16
    streams = [resolve(TrainConfig(system="agcn", preset=name)).options.get("stream") for name in ("poses", "study")]
    assert streams == ["joint+bone", None]
    assert TrainConfig(system="rgb").preset == "tiny" and resolve(TrainConfig(system="vpn")).clip.poses == 16


def test_runs_from_before_keep_their_names():
    told = TrainConfig(system="agcn", preset="study").resolved("cs", 9).identity()
    assert "augment" not in told["preset"] and "smoothing" not in told["options"]
    assert TrainConfig(system="agcn").resolved("cs", 9).identity()["preset"]["augment"]["turn"] > 0


@pytest.mark.parametrize(
    ("augment", "words"),
    [({"turm": 3.0}, "no 'turm'; valid names: .*did you mean 'turn'"), ({"turn": 200.0}, r"must be in \[0, 180\]")],
)
def test_a_wrong_augmentation_is_named(augment, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig(system="agcn", preset={"augment": augment})


def batch(persons: int = 2) -> Batch:
    rng = torch.Generator().manual_seed(0)
    return Batch(pose=torch.randn(3, persons, 6, 25, 3, generator=rng), label=torch.tensor([0, 1, 2]))


def test_the_gru_reads_both_directions_and_the_mean_of_the_bodies_that_are_there():
    torch.manual_seed(0)
    gru, data = build("pose_gru", 4, hidden=8).eval(), batch()
    each = [gru.pose_backbone.gru(data.pose[:, m].flatten(2))[0] for m in range(2)]
    torch.testing.assert_close(gru(data).features, ((each[0] + each[1]) / 2).mean(1))
    alone = data.replace(pose=torch.cat([data.pose[:, :1], torch.zeros_like(data.pose[:, :1])], 1))
    torch.testing.assert_close(gru(alone).features, each[0].mean(1))
    changed = data.pose.clone()
    changed[:, :, -1] += 1
    assert not torch.allclose(gru.pose_backbone(changed)[:, 0], gru.pose_backbone(data.pose)[:, 0])


@pytest.mark.parametrize("name", ["agcn", "pose_lstm", "pose_gru"])
def test_smoothed_labels_share_a_tenth_of_the_target(name):
    data, small = batch(1), {} if name == "agcn" else {"hidden": 8}
    system = build(name, 4, width=0.125, smoothing=0.1, **small)
    # Logits (log 3, 0, 0, 0) say 1/2 to class 0: its label costs log 2, another log 6.
    logits = torch.tensor([[log(3), 0, 0, 0]]).expand(3, 4)
    given = Output(logits, logits, aux={"steps": logits[:, None]} if name == "pose_lstm" else {})
    own = [log(2), log(6), log(6)]
    expected = 0.9 * np.mean(own) + 0.1 * (log(2) + 3 * log(6)) / 4
    assert system.loss(given, data)["total"].item() == pytest.approx(expected, rel=1e-5)
