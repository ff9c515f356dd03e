"""A dragged joint takes its limb along, and no bone becomes longer or shorter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.whatif import SKELETON, sample
from workbench.explain import limbs
from workbench.explain.interventions import Move
from workbench.explain.what_if_clip import Subject
from workbench.types import Skeleton

#: A trunk (hips 0, shoulder 1), an arm (elbow 2, hand 3, finger 4).
ARM = Skeleton("arm", ("hips", "shoulder", "elbow", "hand", "finger"), ((1, 0), (2, 1), (3, 2), (4, 3)), (), (0,), (0,),
               (0, 0), (1, 1))  # fmt: skip
POSE = np.array([[[0.0, 9.0], [0, 0], [3, 0], [3, 4], [3, 5]]])
places = st.tuples(st.floats(-200, 200), st.floats(-200, 200))


def lengths(points: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    tree = limbs.parents(skeleton)
    return np.stack([np.linalg.norm(points[:, a] - points[:, b], axis=1) for a, b in tree.items()], 1)


def test_an_arm_of_two_bones_is_where_the_law_of_cosines_says():
    """Shoulder to hand 5, bones 3 and 4: the elbow is 9/5 along the way, 12/5 beside it, on the side where it was."""
    moved = limbs.bend(POSE, ARM, 3, np.array([[5.0, 0.0]]))[0]
    np.testing.assert_allclose(moved, [[0, 9], [0, 0], [1.8, -2.4], [5, 0], [5.8, 0.6]], atol=1e-4)
    turned = limbs.bend(POSE, ARM, 3, np.array([[-4.0, 3.0]]))[0]  # a quarter turn of (3, 4)
    np.testing.assert_allclose(turned, [[0, 9], [0, 0], [0, 3], [-4, 3], [-5, 3]], atol=1e-4)
    nearer = limbs.bend(POSE, ARM, 3, np.array([[0.0, 3.0]]))[0]  # 9 + 9 - 16 = 2 * 3 * 3 * cos: cos 1/9
    np.testing.assert_allclose(nearer[2:4], [[80**0.5 / 3, 1 / 3], [0, 3]], atol=1e-3)


def test_out_of_reach_the_limb_is_stretched_out():
    far = limbs.bend(POSE, ARM, 3, np.array([[0.0, -70.0]]))[0]
    np.testing.assert_allclose(far[:4], [[0, 9], [0, 0], [0, -3], [0, -7]], atol=1e-9)
    close = limbs.bend(POSE, ARM, 3, np.array([[0.1, 0.0]]))[0]  # no nearer than 4 - 3
    assert 1 <= np.linalg.norm(close[3]) < 1.3


def test_the_joint_that_all_hangs_on_takes_the_body_along_and_missing_joints_stay():
    np.testing.assert_array_equal(limbs.bend(POSE, ARM, 0, np.array([[1.0, 7.0]])), POSE + [1, -2])
    broken = np.concatenate([POSE, POSE])
    broken[1, 2] = np.nan
    moved = limbs.bend(broken, ARM, 3, np.array([[5.0, 0.0]] * 2))
    np.testing.assert_allclose(moved[0, 3], [5, 0], atol=1e-4)
    np.testing.assert_array_equal(moved[1], broken[1])


def test_the_limb_ends_at_a_shoulder_a_hip_or_the_middle():
    def names(joint: str) -> list[str]:
        return [SKELETON.joints[k] for k in limbs.chain(SKELETON, SKELETON.index(joint))]

    assert names("wrist_left") == ["shoulder_left", "elbow_left", "wrist_left"]
    assert names("ankle_right") == ["hip_right", "knee_right", "ankle_right"]
    assert names("head") == ["spine_base", "spine_mid", "spine_shoulder", "neck", "head"]
    assert names("spine_base") == ["spine_base"]
    for name in Skeleton.names():
        skeleton = Skeleton.named(name)
        wrist = next(i for i, joint in enumerate(skeleton.joints) if "wrist" in joint or "hand" in joint)
        assert limbs.chain(skeleton, wrist)[0] in skeleton.shoulders


@pytest.mark.parametrize("name", Skeleton.names())
@settings(max_examples=25, deadline=None)
@given(data=st.data(), to=places)
def test_bones_keep_their_lengths(name, data, to):
    skeleton = Skeleton.named(name)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    points = rng.uniform(0, 100, (3, skeleton.count, 2))
    if data.draw(st.booleans()):
        points[1] = 50  # every bone without length
    joint = data.draw(st.integers(0, skeleton.count - 1))
    moved = limbs.bend(points, skeleton, joint, np.tile(to, (3, 1)))
    np.testing.assert_allclose(lengths(moved, skeleton), lengths(points, skeleton), atol=1e-6)
    if len(path := limbs.chain(skeleton, joint)) > 1:
        np.testing.assert_array_equal(moved[:, path[0]], points[:, path[0]])
    # Bones in space too, wherever their ends were put.
    old, new = rng.normal(size=(2, 3, skeleton.count, 3))
    np.testing.assert_allclose(lengths(limbs.restored(old, new, skeleton), skeleton), lengths(old, skeleton), atol=1e-9)


def test_in_the_network_the_bones_keep_their_lengths_too():
    found = sample()
    subject = Subject(found.batch.to("cpu"), SKELETON, found.pixels, found.pose_numbers)
    hand = SKELETON.index("hand_right")
    start = subject.pixels.joints[0, 4, hand]
    moved = Move("hand_right", 4, tuple(start + [3.0, -4.0]), reach=2.0, moves="limb")(subject)
    for old, new in ((subject.pixels.joints[0], moved.pixels.joints[0]), (subject.bodies[0], moved.bodies[0])):
        np.testing.assert_allclose(lengths(new, SKELETON), lengths(old, SKELETON), rtol=1e-4, atol=1e-4)
    went = np.linalg.norm(moved.pixels.joints[0, :, hand] - subject.pixels.joints[0, :, hand], axis=1)
    assert went.argmax() == 4 and went[4] > 2 and went[0] < went[2] < went[4]
    limb = {*limbs.chain(SKELETON, hand)[1:], SKELETON.index("hand_tip_right"), SKELETON.index("thumb_right")}
    rest = [joint for joint in range(SKELETON.count) if joint not in limb]
    np.testing.assert_allclose(moved.bodies[0][:, rest], subject.bodies[0][:, rest], atol=1e-6)
    whole = Move("hand_right", 4, tuple(start + [3.0, -4.0]), reach=None, moves="body")(subject)
    np.testing.assert_allclose(
        whole.pixels.joints - subject.pixels.joints, np.broadcast_to([3, -4], (1, 8, 25, 2)), atol=1e-4
    )


def test_a_limb_with_a_missing_joint_is_one_sentence():
    found = sample()
    found.pixels.joints[0, 4, SKELETON.index("elbow_right")] = np.nan
    subject = Subject(found.batch.to("cpu"), SKELETON, found.pixels, found.pose_numbers)
    with pytest.raises(ValueError, match="elbow_right is missing in frame 4: drag hand_right alone, not with its limb"):
        Move("hand_right", 4, (3.0, 3.0), moves="limb")(subject)
    Move("hand_right", 4, (3.0, 3.0), moves="joint")(subject)
