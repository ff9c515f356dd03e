"""What normalisation, mirroring and measures of poses must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from workbench.media import pose as poses
from workbench.types import Pose, Skeleton


def random_pose(seed: int = 0, persons: int = 2, frames: int = 6, skeleton: str = "kinect_v2") -> Pose:
    schema = Skeleton.named(skeleton)
    joints = np.random.default_rng(seed).normal(0, 0.4, (persons, frames, schema.count, 3)) + [0, 0, 3]
    return Pose(joints.astype(np.float32), schema, "camera", np.arange(frames))


def moved(pose: Pose, seed: int, scale: float = 1.0) -> Pose:
    """Turned, shifted and scaled as a whole."""
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    return pose.with_joints((scale * pose.joints @ turn.T + [0.3, -2.0, 5.0]).astype(np.float32))


@pytest.mark.parametrize("reference", ["frame", "first"])
@pytest.mark.parametrize("exact", ["x", "y"])
@pytest.mark.parametrize("seed", range(3))
def test_thesis_normalisation_ignores_place_orientation_and_size(reference, exact, seed):
    options = {"how": "thesis", "reference": reference, "exact": exact}
    plain = poses.normalize(random_pose(seed), **options).joints
    other = poses.normalize(moved(random_pose(seed), seed, scale=1.7), **options).joints
    np.testing.assert_allclose(other, plain, atol=2e-3, rtol=1e-3)


def test_thesis_normalisation_ignores_where_the_camera_moves_in_between():
    pose = random_pose()
    shaken = np.concatenate([moved(pose, t).joints[:, t : t + 1] for t in range(6)], axis=1)
    plain, other = poses.normalize(pose), poses.normalize(pose.with_joints(shaken))
    np.testing.assert_allclose(other.joints, plain.joints, atol=2e-3, rtol=1e-3)


def test_normalising_twice_changes_nothing():
    once = poses.normalize(random_pose())
    np.testing.assert_allclose(poses.normalize(once).joints, once.joints, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_agcn_normalisation_keeps_shape_and_size_and_aligns_the_shoulders(seed):
    pose = random_pose(seed)
    left, right = pose.skeleton.shoulders
    normal = poses.normalize(pose, "agcn").joints
    across = normal[0, 0, right] - normal[0, 0, left]
    np.testing.assert_allclose(across, [np.linalg.norm(across), 0, 0], atol=1e-5)
    before = np.linalg.norm(pose.joints[:, :, 3] - pose.joints[:, :, 9], axis=2)
    np.testing.assert_allclose(np.linalg.norm(normal[:, :, 3] - normal[:, :, 9], axis=2), before, rtol=1e-5)


@pytest.mark.parametrize("name", Skeleton.names())
def test_mirroring_twice_is_nothing(name):
    pose = random_pose(skeleton=name)
    np.testing.assert_array_equal(poses.mirror(poses.mirror(pose)).joints, pose.joints)


@pytest.mark.parametrize("name", ["kinect_v2", "lcrnet_13", "coco_17", "smarthome_17"])
def test_mirroring_and_thesis_normalisation_commute(name):
    pose = random_pose(skeleton=name)
    first = poses.normalize(poses.mirror(pose)).joints
    np.testing.assert_allclose(poses.mirror(poses.normalize(pose)).joints, first, atol=1e-3, rtol=1e-3)


def test_mirroring_and_projection_commute():
    intrinsics = np.array([[300.0, 0, 70], [0, 300, 60], [0, 0, 1]])
    flipped = intrinsics * [[1, 1, 0], [1, 1, 1], [1, 1, 1]] + [[0, 0, 160 - 70], [0, 0, 0], [0, 0, 0]]
    pose = random_pose()
    first = poses.project(poses.mirror(pose), flipped).joints
    np.testing.assert_allclose(poses.mirror(poses.project(pose, intrinsics), 160).joints, first, atol=1e-2)


@pytest.mark.parametrize("how", ["thesis", "agcn"])
def test_missing_joints_do_not_touch_the_others(how):
    pose = random_pose()
    holes = pose.joints.copy()
    holes[0, 2, 7] = holes[1, 3] = np.nan
    plain, other = poses.normalize(pose, how).joints, poses.normalize(pose.with_joints(holes), how).joints
    known = np.isfinite(holes)
    np.testing.assert_array_equal(np.isfinite(other), known)
    np.testing.assert_allclose(other[known], plain[known], atol=1e-5)


def test_dynamicity_ignores_place_orientation_and_size_in_every_frame():
    pose = random_pose()
    shaken = np.concatenate([moved(pose, t, 1 + t / 3).joints[:, t : t + 1] for t in range(6)], axis=1)
    assert poses.dynamicity(pose.with_joints(shaken)) == pytest.approx(poses.dynamicity(pose), rel=1e-3)


def test_dynamicity_ignores_absent_persons_and_the_order_of_joints():
    pose = random_pose(persons=1)
    absent = np.concatenate([pose.joints, np.full_like(pose.joints, np.nan)])
    assert poses.dynamicity(pose.with_joints(absent)) == pytest.approx(poses.dynamicity(pose))
    order = np.random.default_rng(0).permutation(25)
    assert poses.dynamicity(pose.with_joints(pose.joints[:, :, order])) == pytest.approx(poses.dynamicity(pose))


def test_filling_keeps_what_is_known():
    worse = poses.degrade(random_pose(frames=40), "low", 0)
    filled = poses.fill(worse).joints
    known = np.isfinite(worse.joints)
    np.testing.assert_array_equal(filled[known], worse.joints[known])
    assert np.isfinite(filled).mean() > known.mean()


def test_bones_ignore_where_a_person_stands():
    pose = random_pose()
    shifted = pose.with_joints(pose.joints + np.float32(1.5))
    np.testing.assert_allclose(poses.bones(shifted), poses.bones(pose), atol=1e-5)
    assert not np.allclose(poses.bones(pose), 0)
