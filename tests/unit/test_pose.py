"""Skeletons and poses against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import procrustes as scipy_procrustes

from workbench.media import pose as poses
from workbench.media import skeletons
from workbench.types import Pose, Skeleton

KINECT = Skeleton.named("kinect_v2")


def pose_of(joints: np.ndarray, skeleton: str = "kinect_v2", space: str = "camera", confidence=None) -> Pose:
    joints = np.asarray(joints, np.float32)
    return Pose(joints, Skeleton.named(skeleton), space, np.arange(joints.shape[1]), confidence)


def body(**places: tuple[float, float, float]) -> np.ndarray:
    """[1,1,25,3] with the joints of these names; all others are missing."""
    joints = np.full((1, 1, 25, 3), np.nan)
    for name, place in places.items():
        joints[0, 0, KINECT.index(name)] = place
    return joints


def joint(pose: Pose, name: str, t: int = 0, person: int = 0) -> np.ndarray:
    return pose.joints[person, t, pose.skeleton.index(name)]


# Skeletons


def test_names_and_get():
    assert "kinect_v2" in Skeleton.names() and Skeleton.named("coco_17").count == 17
    with pytest.raises(ValueError, match=r"unknown skeleton 'kinnect'; known: .*kinect_v1"):
        Skeleton.named("kinnect")


def test_convert_matches_places_and_averages_what_is_derived():
    joints = np.zeros((1, 1, 17, 2))
    coco = Skeleton.named("coco_17")
    for name, place in {"hip_left": (2, 0), "hip_right": (4, 2), "ear_left": (1, 9), "ear_right": (3, 9)}.items():
        joints[0, 0, coco.index(name)] = place
    confidence = np.full((1, 1, 17), 0.5, np.float32)
    confidence[0, 0, coco.index("hip_right")] = 0.25
    kinect = skeletons.convert(pose_of(joints, "coco_17", "image", confidence), "kinect_v2")
    assert joint(kinect, "hip_left").tolist() == [2, 0]
    assert joint(kinect, "spine_base").tolist() == [3, 1]
    assert joint(kinect, "head").tolist() == [2, 9]
    assert np.isnan(joint(kinect, "hand_left")).all() and np.isnan(joint(kinect, "neck")).all()
    assert kinect.confidence[0, 0, KINECT.index("spine_base")] == 0.25
    assert kinect.confidence[0, 0, KINECT.index("hand_left")] == 0


@pytest.mark.parametrize("source", Skeleton.names())
@pytest.mark.parametrize("target", Skeleton.names())
def test_convert_keeps_left_and_right_apart(source, target):
    schema = Skeleton.named(source)
    side = np.array([{"left": -1.0, "right": 1.0}.get(_side(name), 0.0) for name in schema.joints])
    converted = skeletons.convert(pose_of(side[None, None, :, None].repeat(3, 3), source), target)
    for name, value in zip(converted.skeleton.joints, converted.joints[0, 0, :, 0], strict=True):
        assert np.isnan(value) or value == {"left": -1, "right": 1}.get(_side(name), 0), name
    assert np.isfinite(converted.joints).all(axis=3).sum() >= 8


def _side(name: str) -> str:
    return next((side for side in ("left", "right") if side in name.split("_")), "")


def test_convert_refuses_a_schema_without_common_joints():
    tail = Skeleton("tail", ("tip", "root"), ((0, 1),), (), (1,), (0,), (0, 1), (0, 1))
    with pytest.raises(ValueError, match="no joint of tail can be had from kinect_v2"):
        skeletons.convert(pose_of(np.zeros((1, 1, 25, 3))), tail)


def test_body_order_goes_from_head_to_right_foot():
    order = skeletons.body_order(KINECT)
    assert [KINECT.joints[index] for index in order] == [
        *("head", "neck", "spine_shoulder", "spine_mid", "spine_base"),
        *(f"{part}_left" for part in ("shoulder", "elbow", "wrist", "hand", "thumb", "hand_tip")),
        *(f"{part}_right" for part in ("shoulder", "elbow", "wrist", "hand", "thumb", "hand_tip")),
        *(f"{part}_left" for part in ("hip", "knee", "ankle", "foot")),
        *(f"{part}_right" for part in ("hip", "knee", "ankle", "foot")),
    ]


@pytest.mark.parametrize("name", Skeleton.names())
def test_every_schema_has_parts_limbs_and_parents(name):
    schema = Skeleton.named(name)
    assert sorted(skeletons.body_order(schema)) == list(range(schema.count))
    parts = skeletons.body_part(schema)
    assert set(skeletons.PARTS) - set(parts) <= {"trunk"}
    fine, coarse = skeletons.bone_limbs(schema)
    assert len(fine) == len(coarse) == len(schema.bones)
    for (child, parent), limb, group in zip(schema.bones, fine, coarse, strict=True):
        sides = {_side(schema.joints[child]), _side(schema.joints[parent])} - {""}
        assert len(sides) != 1 or not _word(skeletons.COARSE[group]) or _word(skeletons.COARSE[group]) in sides
        assert skeletons.COARSE[group].split()[-1] in ("head", "body", "arm", "leg") and 0 <= limb < 13
    parents = skeletons.parents(schema)
    steps = np.arange(schema.count)
    for _ in range(schema.count):
        steps = parents[steps]
    assert (parents[steps] == steps).all()


def _word(limb: str) -> str:
    return limb.split()[0] if limb.split()[0] in ("left", "right") else ""


def test_bone_limbs_of_kinect():
    fine, coarse = skeletons.bone_limbs(KINECT)
    named = {
        (KINECT.joints[a], KINECT.joints[b]): (skeletons.FINE[f], skeletons.COARSE[c])
        for (a, b), f, c in zip(KINECT.bones, fine, coarse, strict=True)
    }
    assert named["elbow_left", "shoulder_left"] == ("left upper arm", "left arm")
    assert named["wrist_left", "elbow_left"] == ("left forearm", "left arm")
    assert named["thumb_right", "hand_right"] == ("right forearm", "right arm")
    assert named["ankle_right", "knee_right"] == ("right shin", "right leg")
    assert named["head", "neck"] == ("head", "head")
    assert named["hip_left", "spine_base"] == ("hips", "body")
    assert set(fine) == set(range(13)) and set(coarse) == set(range(6))


# Projection, selection, streams


def test_project_by_hand():
    joints = body(head=(0.5, 1.0, 2.0), neck=(0.1, 0.1, 0.0), spine_base=(0.1, 0.1, -1.0))
    pixels = poses.project(pose_of(joints), np.array([[100, 0, 80], [0, 200, 60], [0, 0, 1]]))
    assert joint(pixels, "head").tolist() == [105, -40] and pixels.space == "image"
    assert np.isnan(joint(pixels, "neck")).all() and np.isnan(joint(pixels, "spine_base")).all()
    with pytest.raises(ValueError, match="camera space"):
        poses.project(pixels, np.eye(3))


def test_sample_takes_the_middle_of_each_segment():
    pose = pose_of(np.arange(10)[None, :, None, None] * np.ones((1, 10, 25, 3)))
    some = poses.sample(pose, 5)
    assert some.frame_numbers.tolist() == [1, 3, 5, 7, 9] == some.joints[0, :, 0, 0].tolist()


def test_take_goes_by_source_frame_number():
    joints = np.arange(3)[None, :, None, None] * np.ones((1, 3, 25, 3), np.float32)
    pose = Pose(joints.astype(np.float32), KINECT, "camera", np.array([10, 30, 20]))
    assert poses.take(pose, [20, 10, 20]).joints[0, :, 0, 0].tolist() == [2, 0, 2]
    with pytest.raises(ValueError, match="no pose for frame 15"):
        poses.take(pose, [10, 15])


def test_bones_and_motion_by_hand():
    joints = np.concatenate(
        [body(elbow_left=(1, 2, 3), shoulder_left=(1, 1, 1)), body(elbow_left=(2, 2, 5), shoulder_left=(1, 1, 1))],
        axis=1,
    )
    pose = pose_of(joints)
    elbow = KINECT.index("elbow_left")
    assert poses.bones(pose)[0, :, elbow].tolist() == [[0, 1, 2], [1, 1, 4]]
    assert np.isnan(poses.bones(pose)[0, 0, KINECT.index("wrist_left")]).all()
    assert poses.motion(pose)[0, :, elbow].tolist() == [[1, 0, 2], [0, 0, 0]]
    whole = poses.bones(pose_of(np.ones((1, 1, 25, 3))))
    assert not whole[0, 0, KINECT.index("spine_shoulder")].any()


def test_mirror_by_hand():
    pose = pose_of(body(hand_left=(1, 2, 3), head=(0.5, 4, 5)))
    other = poses.mirror(pose)
    assert joint(other, "hand_right").tolist() == [-1, 2, 3] and joint(other, "head").tolist() == [-0.5, 4, 5]
    assert np.isnan(joint(other, "hand_left")).all()
    pixels = pose_of(np.full((1, 1, 25, 2), 10.0), space="image")
    assert poses.mirror(pixels, width=96).joints[0, 0, 0].tolist() == [86, 10]
    for wrong in (lambda: poses.mirror(pixels), lambda: poses.mirror(pose, 96)):
        with pytest.raises(ValueError, match="width"):
            wrong()


def test_fill_interpolates_and_holds_the_ends():
    joints = np.full((1, 5, 25, 3), np.nan)
    joints[0, 1, 0], joints[0, 3, 0] = (1, 10, 0), (3, 20, 0)
    filled = poses.fill(pose_of(joints))
    assert filled.joints[0, :, 0, 0].tolist() == [1, 1, 2, 3, 3]
    assert filled.joints[0, :, 0, 1].tolist() == [10, 10, 15, 20, 20]
    assert np.isnan(filled.joints[0, :, 1]).all()


# Normalisation

UPRIGHT = {
    "spine_base": (1, 1, 3),
    "spine_mid": (1, 1.5, 3),
    "hip_left": (1.2, 1, 3),
    "hip_right": (0.8, 1, 3),
    "shoulder_left": (1.3, 2, 3),
    "shoulder_right": (0.7, 2, 3),
    "hand_left": (1.5, 1.25, 2),
}


def test_thesis_normalisation_by_hand():
    normal = poses.normalize(pose_of(body(**UPRIGHT)))
    assert normal.space == "normalised"
    assert joint(normal, "spine_base").tolist() == [0, 0, 0]
    np.testing.assert_allclose(joint(normal, "spine_mid"), [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(joint(normal, "hip_left"), [0.4, 0, 0], atol=1e-6)
    np.testing.assert_allclose(joint(normal, "hand_left"), [1.0, 0.5, -2.0], atol=1e-6)


def test_thesis_normalisation_of_a_turned_leaning_person():
    # Turned by 90 degrees: right hip -> left hip points along +z; the spine leans 45 degrees in that direction.
    places = {
        "spine_base": (0, 0, 0),
        "spine_mid": (0, 1, 1),
        "hip_left": (0, 0, 1),
        "hip_right": (0, 0, -1),
        "head": (2, 1, 0),
    }
    length = np.sqrt(2)
    exact_x = poses.normalize(pose_of(body(**places)))
    np.testing.assert_allclose(joint(exact_x, "hip_left"), [1 / length, 0, 0], atol=1e-6)
    np.testing.assert_allclose(joint(exact_x, "spine_mid"), [1 / length, 1 / length, 0], atol=1e-6)
    # X = (0,0,1), Y = (0,1,0), Z = X x Y = (-1,0,0)
    np.testing.assert_allclose(joint(exact_x, "head"), [0, 1 / length, -2 / length], atol=1e-6)
    exact_y = poses.normalize(pose_of(body(**places)), exact="y")
    np.testing.assert_allclose(joint(exact_y, "spine_mid"), [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(joint(exact_y, "hip_left"), [0.5, 0.5, 0], atol=1e-6)


def test_reference_first_keeps_the_way_a_person_goes():
    moved = {name: (x + 2, y, z) for name, (x, y, z) in UPRIGHT.items()}
    pose = pose_of(np.concatenate([body(**UPRIGHT), body(**moved)], axis=1))
    each, first = poses.normalize(pose), poses.normalize(pose, reference="first")
    np.testing.assert_allclose(joint(each, "hand_left", 1), joint(each, "hand_left", 0), atol=1e-6)
    np.testing.assert_allclose(joint(first, "spine_base", 1), [4, 0, 0], atol=1e-6)


def test_normalisation_bridges_frames_without_hips():
    without = {name: place for name, place in UPRIGHT.items() if "hip" not in name}
    normal = poses.normalize(pose_of(np.concatenate([body(**without), body(**UPRIGHT)], axis=1)))
    np.testing.assert_allclose(joint(normal, "hand_left", 0), joint(normal, "hand_left", 1), atol=1e-6)
    assert np.isnan(joint(normal, "hip_left", 0)).all()


def test_other_persons_stay_in_place_relative_to_the_first():
    other = {name: (x + 1, y, z) for name, (x, y, z) in UPRIGHT.items()}
    both = poses.normalize(pose_of(np.concatenate([body(**UPRIGHT), body(**other)])))
    np.testing.assert_allclose(joint(both, "spine_base", person=1), [2, 0, 0], atol=1e-6)


def test_agcn_normalisation_by_hand():
    # The spine points along +y, right minus left shoulder along -x. Turning +y to +z (about +x) leaves x alone; turning
    # -x to +x: opposed vectors, which the original leaves alone.
    normal = poses.normalize(pose_of(body(**UPRIGHT)), "agcn")
    np.testing.assert_allclose(joint(normal, "spine_mid"), [0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(joint(normal, "spine_base"), [0, 0, -0.5], atol=1e-6)
    np.testing.assert_allclose(joint(normal, "hand_left"), [0.5, 1.0, -0.25], atol=1e-6)


def test_agcn_turns_right_minus_left_shoulder_to_x():
    # Seen from behind and turned by 90 degrees: right minus left shoulder is +z, which the first rotation makes -y.
    places = {
        "spine_base": (0, 0, 0),
        "spine_mid": (0, 1, 0),
        "shoulder_left": (0, 2, -1),
        "shoulder_right": (0, 2, 1),
        "head": (3, 2, 0),
    }
    normal = poses.normalize(pose_of(body(**places)), "agcn")
    np.testing.assert_allclose(joint(normal, "shoulder_right"), [1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(joint(normal, "shoulder_left"), [-1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(joint(normal, "head"), [0, 3, 1], atol=1e-6)


def test_agcn_is_stable_where_pictures_are_not_mirrored():
    # A person facing the camera, with a little noise: reversed, the right shoulder is at +x and hardly anything turns.
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(0, 0.01, (1, 1, 25, 3))
        normal = poses.normalize(pose_of(body(**UPRIGHT) + noise), "agcn", mirrored=False)
        np.testing.assert_allclose(joint(normal, "shoulder_right"), [0.3, 0, 0.5], atol=0.08)
        np.testing.assert_allclose(joint(normal, "hand_left"), [-0.5, 1.0, -0.25], atol=0.08)


def test_agcn_centres_each_frame_but_turns_as_the_first():
    turned = {name: (z, y, -x) for name, (x, y, z) in UPRIGHT.items()}
    pose = pose_of(np.concatenate([body(**UPRIGHT), body(**turned)], axis=1))
    normal = poses.normalize(pose, "agcn")
    assert not joint(normal, "spine_mid", 0).any() and not joint(normal, "spine_mid", 1).any()
    np.testing.assert_allclose(joint(normal, "shoulder_right", 0), [-0.3, 0, 0.5], atol=1e-6)
    np.testing.assert_allclose(joint(normal, "shoulder_right", 1), [0, -0.3, 0.5], atol=1e-6)


@pytest.mark.parametrize("name", Skeleton.names())
def test_every_schema_can_be_normalised(name):
    schema = Skeleton.named(name)
    rest = dict(zip(("hip", "shoulder", "trunk"), (1.0, 1.5, 1.25), strict=True))
    joints = np.random.default_rng(0).normal(0, 0.2, (1, 2, schema.count, 3))
    for index, joint_name in enumerate(skeletons.common_names(schema)):
        side = {"left": 0.2, "right": -0.2}.get(_side(joint_name), 0.0)
        height = next((rest[part] for part in rest if part in joint_name), 1.3)
        joints[0, :, index] = (side, {"spine_base": 1.0, "spine_shoulder": 1.5}.get(joint_name, height), 0)
    normal = poses.normalize(pose_of(joints, name))
    left, right = (normal.joints[0, 0, hip] for hip in schema.hips)
    assert left[0] - right[0] > 0 and np.abs((left - right)[1:]).max() < 1e-5
    assert normal.joints[0, 0, list(schema.spine)].mean(axis=0)[1] == pytest.approx(1, abs=1e-5)
    assert np.isfinite(poses.normalize(pose_of(joints, name), "agcn").joints).all()


@pytest.mark.parametrize(
    ("pose", "options", "message"),
    [
        (pose_of(np.full((1, 4, 25, 3), np.nan)), {}, "in none of the 4 frames does body 0 show both hips"),
        (
            pose_of(np.full((1, 4, 25, 3), np.nan)),
            {"how": "agcn"},
            "in none of the 4 frames does body 0 show the middle",
        ),
        (pose_of(np.ones((1, 4, 25, 3))), {}, "in none of the 4 frames"),
        (pose_of(np.ones((1, 4, 25, 3)), space="image"), {}, "of pixels 2, got 3 in space 'image'"),
        (pose_of(body(**UPRIGHT)), {"how": "ntu"}, "how must be one of thesis, agcn, got 'ntu'"),
        (pose_of(body(**UPRIGHT)), {"exact": "z"}, "exact must be one of x, y"),
    ],
)
def test_normalisation_says_what_is_wrong(pose, options, message):
    with pytest.raises(ValueError, match=message):
        poses.normalize(pose, **options)


# Measures


def test_energy_and_main_person():
    joints = np.zeros((3, 4, 25, 3))
    joints[1, :, :, 0] = np.array([0, 2, 0, 2])[:, None]
    joints[2] = np.nan
    pose = pose_of(joints)
    assert poses.energy(pose).tolist() == [0, 1, 0]
    np.testing.assert_array_equal(poses.main_person(pose).joints, pose.joints[1:2])
    assert poses.main_person(pose, 2).joints[1].tolist() == pose.joints[0].tolist()
    assert len(poses.main_person(pose, 9).joints) == 3


def test_procrustes_is_scipys():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(5, 25, 3)), rng.normal(size=(5, 25, 3))
    expected = [scipy_procrustes(a, b)[2] for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(poses.procrustes(first, second), expected, rtol=1e-9)


def test_procrustes_leaves_out_missing_joints():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 10, 3))
    first[2], second[7] = np.nan, np.nan
    known = [joint for joint in range(10) if joint not in (2, 7)]
    assert poses.procrustes(first, second) == pytest.approx(scipy_procrustes(first[known], second[known])[2])
    first[:8] = np.nan
    assert np.isnan(poses.procrustes(first, second))


def test_dynamicity_is_the_mean_over_neighbouring_poses():
    joints = np.random.default_rng(2).normal(size=(1, 4, 25, 3)).astype(np.float32)
    pairs = [scipy_procrustes(joints[0, t], joints[0, t + 1])[2] for t in range(3)]
    assert poses.dynamicity(pose_of(joints)) == pytest.approx(np.mean(pairs), rel=1e-6)
    assert poses.dynamicity(pose_of(joints[:, :1].repeat(4, axis=1))) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="two subsequent poses"):
        poses.dynamicity(pose_of(np.full((1, 4, 25, 3), np.nan)))


# Degradation


def still(frames: int = 400) -> Pose:
    rest = np.random.default_rng(0).normal(0, 0.3, (1, 1, 25, 3))
    rest[0, 0, KINECT.index("spine_base")] = 0
    rest[0, 0, list(KINECT.shoulders)] = [[0.3, 0.5, 0], [-0.3, 0.5, 0]]
    return pose_of(rest.repeat(frames, axis=1), confidence=np.ones((1, frames, 25), np.float32))


def test_high_quality_is_as_recorded():
    assert poses.degrade(still(), "high", 0) is not None
    np.testing.assert_array_equal(poses.degrade(still(), "high", 0).joints, still().joints)


def test_levels_are_graded():
    pose = still()
    lost, jitter, swapped = [], [], []
    for level in ("medium", "low"):
        worse = poses.degrade(pose, level, seed=3)
        gone = np.isnan(worse.joints).any(axis=3)
        assert (worse.confidence[gone] == 0).all() and (worse.confidence[~gone] == 1).all()
        hand = KINECT.index("hand_left")
        from_hand = np.linalg.norm(worse.joints[0, :, hand] - pose.joints[0, :, hand], axis=1)
        from_other = np.linalg.norm(worse.joints[0, :, hand] - pose.joints[0, :, hand + 4], axis=1)
        seen = ~gone[0, :, hand]
        swapped.append((from_other < from_hand)[seen].mean())
        lost.append(gone.mean())
        jitter.append(np.nanstd(worse.joints[0, :, KINECT.index("head")] - pose.joints[0, :, KINECT.index("head")]))
    assert 0.05 < lost[0] < 0.15 < lost[1] < 0.45
    np.testing.assert_allclose(jitter, [0.04 * 0.5, 0.10 * 0.5], rtol=0.15)
    assert 0 < swapped[0] < swapped[1] < 0.3


def test_joints_drop_out_for_several_frames():
    gone = np.isnan(poses.degrade(still(), "low", 1).joints[0, :, :, 0])
    runs = gone.sum() / (gone[1:] & ~gone[:-1]).sum()
    assert runs > 3


def test_degrade_is_reproducible_and_leaves_its_input_alone():
    pose = still(50)
    before = pose.joints.copy()
    first, again = poses.degrade(pose, "low", 7), poses.degrade(pose, "low", 7)
    np.testing.assert_array_equal(first.joints, again.joints)
    np.testing.assert_array_equal(pose.joints, before)
    assert not np.array_equal(first.joints, poses.degrade(pose, "low", 8).joints, equal_nan=True)
    with pytest.raises(ValueError, match="high, medium, low, got 'worst'"):
        poses.degrade(pose, "worst", 0)
