"""Boxes that follow hands and bodies, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.media import regions, skeletons
from workbench.types import Pose, Skeleton

KINECT, COCO = Skeleton.named("kinect_v2"), Skeleton.named("coco_17")


def standing(skeleton: Skeleton = COCO, frames: int = 11, **places: tuple[float, float]) -> Pose:
    """A person 100 pixels tall and 40 wide about (50, 100), all joints at the hips' middle but those named."""
    joints = np.full((1, frames, skeleton.count, 2), (50.0, 100.0), np.float32)
    for name, place in places.items():
        joints[0, :, skeleton.index(name)] = place
    return Pose(joints, skeleton, "image", np.arange(frames))


BODY = {"nose": (50, 50), "ankle_left": (55, 150), "wrist_left": (70, 90), "wrist_right": (30, 90)}


def moved(pose: Pose, joint: str, places: np.ndarray) -> Pose:
    """``pose`` with one joint [T,2] elsewhere."""
    joints = pose.joints.copy()
    joints[0, :, pose.skeleton.index(joint)] = places
    return pose.with_joints(joints)


def middle(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def test_a_hand_is_a_square_as_large_as_a_share_of_the_person():
    found = regions.boxes(standing(**BODY), "left_hand")
    assert (found.dtype, found.shape) == (np.float32, (11, 4))
    np.testing.assert_allclose(middle(found), [[70, 90]] * 11, atol=1e-4)
    # The box of the joints is 40 x 100, a pixel wider at most for whole pixels.
    np.testing.assert_allclose(found[:, 2:] - found[:, :2], 0.3 * 100, atol=0.6)
    np.testing.assert_allclose(middle(regions.boxes(standing(**BODY), "right_hand")), [[30, 90]] * 11, atol=1e-4)


@pytest.mark.parametrize("name", Skeleton.names())
def test_every_schema_has_hands(name):
    skeleton = Skeleton.named(name)
    joints = np.random.default_rng(0).uniform(0, 100, (1, 6, skeleton.count, 2)).astype(np.float32)
    pose = Pose(joints.repeat(1, axis=1), skeleton, "image", np.arange(6))
    called = skeletons.common_names(skeleton)
    for side in ("left", "right"):
        best = next(
            called.index(f"{place}_{side}") for place in ("hand", "index", "wrist") if f"{place}_{side}" in called
        )
        found = middle(regions.boxes(moved(pose, skeleton.joints[best], np.full((6, 2), 40.0)), f"{side}_hand"))
        np.testing.assert_allclose(found, 40, atol=1e-4)


def test_a_hand_that_moves_evenly_is_followed_without_delay():
    places = np.stack([np.arange(11) * 3.0 + 40, np.full(11, 90.0)], axis=1)
    found = middle(regions.boxes(moved(standing(**BODY), "wrist_left", places), "left_hand"))
    np.testing.assert_allclose(found[2:-2], places[2:-2], atol=1e-4)
    np.testing.assert_allclose(found[0, 0], (40 * 3 + 43 + 46) / 5, atol=1e-4)  # the first place is held beyond the end


def test_trembling_is_averaged():
    places = np.full((11, 2), 90.0)
    places[5, 0] += 10
    found = middle(regions.boxes(moved(standing(**BODY), "wrist_left", places), "left_hand"))
    np.testing.assert_allclose(found[:, 0], [90] * 3 + [92] * 5 + [90] * 3, atol=1e-4)


def test_gaps_are_closed_and_ends_held():
    places = np.full((11, 2), np.nan)
    places[2], places[6] = (60, 90), (80, 90)
    found = middle(regions.boxes(moved(standing(**BODY), "wrist_left", places), "left_hand"))
    straight = np.array([60, 60, 60, 65, 70, 75, 80, 80, 80, 80, 80], float)
    padded = np.pad(straight, 2, mode="edge")
    np.testing.assert_allclose(found[:, 0], np.convolve(padded, np.ones(5) / 5, "valid"), atol=1e-4)


def test_a_missing_hand_is_where_its_wrist_is():
    pose = standing(KINECT, hand_left=(70, 90), wrist_left=(64, 90), head=(50, 50), foot_left=(50, 150))
    places = np.full((11, 2), (70.0, 90.0))
    places[:] = np.nan
    assert middle(regions.boxes(moved(pose, "hand_left", places), "left_hand"))[0].tolist() == [64, 90]


def test_a_hand_that_is_never_seen_is_an_error():
    pose = moved(standing(**BODY), "wrist_left", np.full((11, 2), np.nan))
    with pytest.raises(regions.Unseen, match="left hand is never seen: no wrist_left in any of the 11 frames"):
        regions.boxes(pose, "left_hand")
    nobody = pose.with_joints(np.full_like(pose.joints, np.nan))
    with pytest.raises(ValueError, match="no joint of any person"):
        regions.boxes(nobody, "full_body")


def test_bodies_by_hand():
    whole = regions.boxes(standing(**BODY), "full_body")
    # 40 x 100 about (50, 100), and a tenth of 100 on each side.
    np.testing.assert_allclose(whole, [[20, 40, 80, 160]] * 11, atol=1)
    upper = regions.boxes(standing(**BODY, knee_left=(90, 120)), "upper_body")
    # From the nose down to the hips: 40 x 50 about (50, 75), and a tenth of 50.
    np.testing.assert_allclose(upper, [[25, 45, 75, 105]] * 11, atol=1)


def test_a_walking_body_keeps_its_size():
    walking = standing(**BODY)
    walking = walking.with_joints(walking.joints + np.arange(11, dtype=np.float32)[:, None, None] * [5, 0])
    found = regions.boxes(walking, "full_body")
    np.testing.assert_allclose(middle(found)[2:-2, 0], 50 + 5 * np.arange(11)[2:-2], atol=1)
    assert np.ptp(found[:, 2:] - found[:, :2], axis=0).max() <= 1


def test_a_body_that_comes_nearer():
    """100 pixels tall, from the sixth of eleven frames on 200: of each frame's own size (eq. 4.3), or the largest's."""
    near = standing(**BODY)
    joints = near.joints.copy()
    joints[:, 6:] = 2 * (joints[:, 6:] - [50, 100]) + [50, 100]
    near = near.with_joints(joints)
    sizes = regions.boxes(near, "full_body", fixed=False)[:, 3] - regions.boxes(near, "full_body", fixed=False)[:, 1]
    np.testing.assert_allclose(sizes[[0, 3, 8, 10]], [120, 120, 240, 240], atol=2)
    np.testing.assert_allclose(sizes[[4, 5, 6, 7]], [144, 168, 192, 216], atol=2)  # a mean over five frames
    fixed = regions.person(near)
    np.testing.assert_allclose(fixed[:, 3] - fixed[:, 1], 240, atol=2)
    np.testing.assert_allclose(regions.person(near, margin=0.2)[:, 3] - fixed[:, 3], 20, atol=1)


def test_the_person_who_moves_most_is_followed():
    still, busy = standing(**BODY), standing(**BODY)
    places = np.stack([200 + 10.0 * np.arange(11), np.full(11, 90.0)], axis=1)
    busy = moved(busy, "wrist_left", places)
    two = Pose(np.concatenate([still.joints, busy.joints]), COCO, "image", np.arange(11))
    np.testing.assert_allclose(middle(regions.boxes(two, "left_hand"))[5], places[5], atol=1e-3)


@pytest.mark.parametrize("region", ["full_frame", "foot"])
def test_other_regions_are_refused(region):
    with pytest.raises(ValueError, match=f"one of left_hand, right_hand, full_body, upper_body, got '{region}'"):
        regions.boxes(standing(**BODY), region)
