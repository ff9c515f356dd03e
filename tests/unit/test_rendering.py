"""Drawn skeletons: where the colours fall, how wide they are, and what stays as it was."""

from __future__ import annotations

import time

import numpy as np
import pytest

from workbench.media import rendering, skeletons
from workbench.types import Pose, Skeleton

COCO = Skeleton.named("coco_17")

#: A person of 96 x 176 pixels.
STANDING = {
    "nose": (112, 30),
    "eye_left": (118, 24),
    "eye_right": (106, 24),
    "ear_left": (126, 28),
    "ear_right": (98, 28),
    "shoulder_left": (140, 60),
    "shoulder_right": (84, 60),
    "elbow_left": (160, 90),
    "elbow_right": (64, 90),
    "wrist_left": (160, 120),
    "wrist_right": (64, 120),
    "hip_left": (130, 120),
    "hip_right": (94, 120),
    "knee_left": (130, 160),
    "knee_right": (94, 160),
    "ankle_left": (130, 200),
    "ankle_right": (94, 200),
}


def person(frames: int = 1, without: tuple[str, ...] = (), scale: float = 1.0, **changed: tuple[float, float]) -> Pose:
    joints = np.array([{**STANDING, **changed}[name] for name in COCO.joints], np.float32) * scale
    joints[[COCO.index(name) for name in without]] = np.nan
    return Pose(joints[None, None].repeat(frames, axis=1), COCO, "image", np.arange(frames))


def grey(frames: int = 1) -> np.ndarray:
    return np.full((frames, 224, 224, 3), 90, np.uint8)


def fine(limb: str) -> tuple[int, int, int]:
    return rendering.FINE_COLORS[skeletons.FINE.index(limb)]


def coarse(limb: str) -> tuple[int, int, int]:
    return rendering.COARSE_COLORS[skeletons.COARSE.index(limb)]


def at(picture: np.ndarray, x: int, y: int) -> tuple[int, ...]:
    return tuple(int(value) for value in picture[y, x])


def test_thirteen_and_six_different_colours():
    assert len(set(rendering.FINE_COLORS)) == len(skeletons.FINE) == 13
    assert len(set(rendering.COARSE_COLORS)) == len(skeletons.COARSE) == 6


def test_bars_lie_on_the_bones_in_the_colours_of_their_limbs():
    picture = rendering.draw(grey(), person())[0]
    assert at(picture, 160, 105) == fine("left forearm")
    assert at(picture, 150, 75) == fine("left upper arm")
    assert at(picture, 94, 180) == fine("right shin")
    assert at(picture, 94, 140) == fine("right thigh")
    assert at(picture, 20, 20) == (90, 90, 90)


def test_coarse_colours_join_the_limbs():
    picture = rendering.draw(grey(), person(), colors="coarse")[0]
    assert at(picture, 160, 105) == at(picture, 150, 75) == coarse("left arm")
    assert at(picture, 94, 180) == coarse("right leg")
    assert at(picture, 135, 90) == coarse("body")


def test_dots_lie_on_the_joints_only():
    picture = rendering.draw(grey(), person(), marker="dot")[0]
    assert at(picture, 160, 120) == fine("left forearm")
    assert at(picture, 130, 160) == fine("left thigh")
    assert at(picture, 112, 30) == fine("head")
    assert at(picture, 160, 105) == (90, 90, 90)


def test_black_background_drops_the_picture_and_nothing_else():
    black = rendering.draw(grey(), person(), background="black")[0]
    framed = rendering.draw(grey(), person())[0]
    assert at(black, 20, 20) == (0, 0, 0)
    solid = (black == np.array(rendering.FINE_COLORS)[:, None, None]).all(axis=3).any(axis=0)
    np.testing.assert_array_equal(black[solid], framed[solid])


def test_the_frames_themselves_are_left_alone():
    frames = grey()
    rendering.draw(frames, person())
    assert (frames == 90).all()


def width_of(picture: np.ndarray, x: int, y: int) -> float:
    """Pixels that the vertical bar through (x, y) covers in its row, on grey, half-covered ones in part."""
    row = picture[y, x - 9 : x + 9].astype(float) - 90
    return float(np.abs(row).sum() / np.abs(row[9]).sum())


def test_width_is_proportional_to_the_person_when_ratio_aware():
    for scale in (1.0, 0.75, 0.5):
        picture = rendering.draw(grey(), person(scale=scale))[0]
        expected = 176 * scale * rendering.PERSON_SHARE
        assert width_of(picture, round(94 * scale), round(180 * scale)) == pytest.approx(expected, abs=0.2)


def test_width_is_uniform_otherwise():
    for scale in (1.0, 0.75, 0.5):
        picture = rendering.draw(grey(), person(scale=scale), ratio_aware=False)[0]
        assert width_of(picture, round(94 * scale), round(180 * scale)) == pytest.approx(4.0, abs=0.2)


def test_slanted_bars_are_as_wide_as_upright_ones():
    upright = person(
        without=tuple(set(STANDING) - {"ankle_left", "knee_left"}), knee_left=(60, 60), ankle_left=(60, 160)
    )
    slanted = upright.joints.copy()
    slanted[0, 0, COCO.index("ankle_left")] = (130.7107, 130.7107)
    covered = [
        (rendering.draw(grey(), pose, ratio_aware=False, background="black")[0].astype(float)).sum()
        for pose in (upright, upright.with_joints(slanted))
    ]
    assert covered[1] == pytest.approx(covered[0], rel=0.1)


def test_missing_joints_are_left_out():
    picture = rendering.draw(grey(), person(without=("wrist_left",)))[0]
    assert at(picture, 160, 110) == (90, 90, 90)
    assert at(picture, 150, 75) == fine("left upper arm")
    nobody = person()
    nobody = nobody.with_joints(np.full_like(nobody.joints, np.nan))
    np.testing.assert_array_equal(rendering.draw(grey(), nobody), grey())


def test_several_persons_are_drawn():
    two = np.concatenate([person(scale=0.5).joints, person(scale=0.5).joints + [112, 0]]).astype(np.float32)
    picture = rendering.draw(grey(), Pose(two, COCO, "image", np.arange(1)))[0]
    assert at(picture, 47, 90) == at(picture, 47 + 112, 90) == fine("right shin")


def test_each_person_has_a_width_of_its_own():
    """Ratio-aware, the bars of a person of half the size are half as wide; uniform, they are equal."""
    two = np.concatenate([person(scale=1.0).joints, person(scale=0.5).joints + [140, 0]]).astype(np.float32)

    def widths(**options: bool) -> list[float]:
        """Of the right shins, which stand upright at x = 94 and, half as large, at 187."""
        drawn = rendering.draw(grey(), Pose(two, COCO, "image", np.arange(1)), background="black", **options)[0]
        rows = drawn[180, 80:108], drawn[90, 175:199]
        return [float(row.max(axis=1).astype(float).sum() / max(fine("right shin"))) for row in rows]

    expected = 176 * rendering.PERSON_SHARE
    assert widths() == pytest.approx([expected, expected / 2], abs=0.6)
    assert widths(ratio_aware=False) == pytest.approx([224 * rendering.PICTURE_SHARE] * 2, abs=0.6)


def test_a_joint_far_outside_does_no_harm():
    picture = rendering.draw(grey(), person(wrist_left=(3e9, -2e9)))[0]
    assert at(picture, 94, 180) == fine("right shin")


@pytest.mark.parametrize("name", Skeleton.names())
@pytest.mark.parametrize("marker", ["bar", "dot"])
def test_any_schema_can_be_drawn(name, marker):
    schema = Skeleton.named(name)
    joints = np.random.default_rng(0).uniform(20, 200, (1, 2, schema.count, 2)).astype(np.float32)
    drawn = rendering.draw(grey(2), Pose(joints, schema, "image", np.arange(2)), marker=marker, background="black")
    assert drawn.shape == (2, 224, 224, 3) and drawn.any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"background": "white"}, "background must be one of frame, black, got 'white'"),
        ({"marker": "line"}, "marker must be one of bar, dot"),
        ({"colors": "13"}, "colors must be one of fine, coarse"),
    ],
)
def test_unknown_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        rendering.draw(grey(), person(), **options)


def test_poses_must_fit_the_frames():
    with pytest.raises(ValueError, match="got 2 poses and 3 frames"):
        rendering.draw(grey(3), person(frames=2))
    with pytest.raises(ValueError, match="image space"):
        rendering.draw(grey(), person().with_joints(np.zeros((1, 1, 17, 3), np.float32), "camera"))


def test_five_hundred_frames_a_second():
    frames, pose = grey(100), person(frames=100)
    best = np.inf
    for _ in range(5):
        began = time.process_time()
        rendering.draw(frames, pose)
        best = min(best, time.process_time() - began)
    assert 100 / best > 500
