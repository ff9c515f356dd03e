"""The motion side of the synthetic world: mathematics of moving, subjects, and what single actions must show."""

from __future__ import annotations

import numpy as np
import pytest

from synthadl.actions import ACTIONS, PRETRAIN_ACTIONS, perform
from synthadl.actions.playing.props import KINDS, Held, Still, Thing
from synthadl.actions.playing.score import Track
from synthadl.people import motion
from synthadl.people.body import JOINT, JOINTS, Subject


def play(action: str, seed: int):
    subject = Subject.sample(seed)
    return subject, perform(action, subject, np.random.default_rng([seed, 5]))


def prop(performance, *kinds):
    return next(item for item in performance.props if item.kind in kinds)


def test_minimum_jerk_is_the_published_polynomial():
    share = np.array([-1.0, 0.0, 0.25, 0.5, 1.0, 2.0])
    # 10 s^3 - 15 s^4 + 6 s^5 at s = 1/4: 0.15625 - 0.05859375 + 0.005859375
    assert motion.minimum_jerk(share) == pytest.approx([0.0, 0.0, 0.103515625, 0.5, 1.0, 1.0])
    fine = motion.ease(np.linspace(0.0, 2.0, 20001), 0.5, 1.5)
    speed = np.gradient(fine, 1e-4)
    assert speed.max() == pytest.approx(1.875, rel=1e-4)
    assert abs(speed[5001]) < 1e-4 and abs(speed[14999]) < 1e-4


def test_rotation_turns_the_way_the_words_say():
    x, y, z = np.eye(3)
    assert motion.rotation((90.0, 0.0, 0.0)) @ y == pytest.approx(z), "pitch bows to the front"
    assert motion.rotation((0.0, 90.0, 0.0)) @ z == pytest.approx(x), "yaw turns to the left"
    assert motion.rotation((0.0, 0.0, 90.0)) @ y == pytest.approx(-x), "roll leans to the right"
    mixed = motion.rotation((20.0, -35.0, 50.0))
    product = motion.rotation((0.0, -35.0, 0.0)) @ motion.rotation((20.0, 0.0, 0.0)) @ motion.rotation((0.0, 0.0, 50.0))
    assert mixed == pytest.approx(product)


def test_two_bone_solves_a_right_triangle():
    root, target, pole = np.zeros((1, 3)), np.array([[0.0, 0.0, 0.5]]), np.array([[0.0, -1.0, 0.3]])
    elbow, end = motion.two_bone(root, target, pole, 0.3, 0.4, 5.0)
    assert end == pytest.approx(target, abs=1e-3)
    assert elbow == pytest.approx(np.array([[0.0, -0.24, 0.18]]), abs=2e-3)


def test_two_bone_never_stretches_or_folds_a_limb():
    rng = np.random.default_rng(0)
    target = rng.normal(size=(200, 3)) * np.linspace(0.01, 2.0, 200)[:, None]
    elbow, end = motion.two_bone(np.zeros((200, 3)), target, rng.normal(size=(200, 3)), 0.3, 0.25, 30.0)
    assert np.linalg.norm(elbow, axis=1) == pytest.approx(0.3)
    assert np.linalg.norm(end - elbow, axis=1) == pytest.approx(0.25)
    assert np.linalg.norm(end, axis=1).max() < 0.55
    assert angle(np.zeros((200, 3)), elbow, end).min() >= 30.0


def test_capsule_distance_and_push_out():
    start, end = np.array([[0.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])
    distance, nearest = motion.capsule_distance(np.array([[0.3, 1.4, 0.0]]), start, end)
    assert distance == pytest.approx([0.5]) and nearest == pytest.approx(end)
    pushed = motion.push_out(np.array([[0.05, 0.5, 0.0]]), start, end, 0.2)
    assert pushed[0, 0] >= 0.2 and pushed[0, 1:] == pytest.approx([0.5, 0.0])
    far = np.array([[0.9, 0.5, 0.0]])
    assert motion.push_out(far, start, end, 0.2) == pytest.approx(far, abs=1e-3)


def test_noise_is_steady_and_seeded():
    t = np.arange(4000) / 25.0
    values = motion.noise(np.random.default_rng(3), t, 0.3, 2.0, 5)
    assert values.shape == (4000, 5)
    assert values.std(0) == pytest.approx(np.ones(5), rel=0.1)
    assert np.array_equal(values, motion.noise(np.random.default_rng(3), t, 0.3, 2.0, 5))


def test_a_track_takes_longer_rather_than_moving_too_fast():
    t = np.arange(0.0, 3.0, 0.01)
    track = Track((0.0, 0.0, 0.0)).to(0.5, 0.6, (1.0, 0.0, 0.0))
    free, bound = track.play(t)[:, 0], track.play(t, fastest=2.0)[:, 0]
    assert np.diff(free).max() * 100 > 15.0
    assert np.diff(bound).max() * 100 == pytest.approx(2.0, rel=0.02)
    assert bound[-1] == pytest.approx(1.0)


def test_a_thing_passes_from_the_table_into_the_hand_and_out_of_sight():
    class Rig:
        travel = None
        t = np.arange(0.0, 2.0, 0.1)
        count = 20
        frames = {"root": (np.tile(np.eye(3), (20, 1, 1)), np.zeros((20, 3)))}

        @staticmethod
        def palm(side, depth):
            return np.tile([1.0, 1.0, depth], (20, 1))

    thing = Thing("cup", Still(np.array([0.0, 0.5, 0.0])))
    thing.becomes(Held(("left",), grip=(0.0, 0.25, 0.0), depth=0.1), 0.5, 0.7).becomes(None, 1.5)
    path = thing.place(Rig)
    assert path[5, :3, 3] == pytest.approx([0.0, 0.5, 0.0])
    assert path[8, :3, 3] == pytest.approx([1.0, 0.75, 0.1])
    assert np.isfinite(path[:15]).all() and np.isnan(path[15:]).all()


def test_subjects_are_people():
    people = [Subject.sample(seed) for seed in range(200)]
    heights = np.array([person.height for person in people])
    assert heights.min() >= 1.5 and heights.max() <= 1.95 and heights.std() > 0.05
    assert 0.15 < np.mean([person.left_handed for person in people]) < 0.45
    for person in people[:50]:
        assert 0.32 * person.height < person.arm < 0.42 * person.height
        assert person.radii["trunk"] < person.lengths["shoulder"], "the shoulders stick out of the trunk"
        assert all(0.0 <= value <= 1.0 for colour in person.colours.values() for value in colour)
    assert Subject.sample(7) == Subject.sample(7) != Subject.sample(8)


def test_the_lists_of_actions():
    assert len(ACTIONS) >= 27 and len(PRETRAIN_ACTIONS) >= 150
    assert len(set(ACTIONS + PRETRAIN_ACTIONS)) == len(ACTIONS) + len(PRETRAIN_ACTIONS)
    assert ACTIONS[:3] == ("drink_from_cup", "drink_from_bottle", "drink_from_can")


def test_an_unknown_action_names_the_known_ones():
    with pytest.raises(ValueError, match="unknown action 'fly'; known: drink_from_cup"):
        perform("fly", Subject.sample(0), np.random.default_rng(0))


@pytest.mark.parametrize("action", ACTIONS + PRETRAIN_ACTIONS)
def test_a_performance_is_whole(action):
    _, done = play(action, 4)
    frames = len(done.joints)
    assert done.joints.shape == (frames, 25, 3) and done.joints.dtype == np.float64
    assert np.isfinite(done.joints).all() and 50 <= frames <= 150
    assert done.truth_joints.shape == (25,) and 1 <= done.truth_joints.sum() < 25
    start, end = done.interval
    assert 0 <= start < end <= frames and end - start >= 4
    assert done.head.shape == (frames, 3, 3)
    assert done.head @ done.head.transpose(0, 2, 1) == pytest.approx(np.tile(np.eye(3), (frames, 1, 1)))
    for item in done.props + done.furniture:
        assert item.kind in KINDS and item.transform.shape == (frames, 4, 4)
        seen = ~np.isnan(item.transform[:, 0, 0])
        assert seen.any() and np.isfinite(item.transform[seen]).all()
    assert all(0 <= index < len(done.props) for index in done.truth_props)


@pytest.mark.parametrize("kind", ["cup", "bottle", "can", "glass"])
@pytest.mark.parametrize("seed", range(4))
def test_drinking_brings_the_rim_to_the_lips_within_the_interval(kind, seed):
    subject, done = play(f"drink_from_{kind}", seed)
    vessel = prop(done, kind).transform
    rim = vessel[:, :3, 3] + vessel[:, :3, 1] * KINDS[kind][0][1]
    lips = done.joints[:, JOINT["head"]] + done.head @ subject.mouth
    gap = np.linalg.norm(rim - lips, axis=1)
    assert gap.min() < 0.03
    assert done.interval[0] <= gap.argmin() < done.interval[1]
    assert vessel[gap.argmin(), 1, 1] < 0.75, "the vessel is tipped"


def test_glasses_end_on_the_eyes_or_begin_there():
    for action, frame in (("put_on_glasses", -1), ("take_off_glasses", 0)):
        subject, done = play(action, 3)
        eyes = done.joints[:, JOINT["head"]] + done.head @ subject.eyes
        gap = np.linalg.norm(prop(done, "glasses").transform[:, :3, 3] - eyes, axis=1)
        assert gap[frame] < 0.005
        assert gap[-1 - frame] > 0.2


def test_a_shoe_ends_on_the_foot_it_names():
    subject, done = play("put_on_shoe", 2)
    shoe = prop(done, "shoe")
    ankle = done.joints[:, JOINT[f"ankle_{shoe.look['foot']}"]]
    assert np.linalg.norm(shoe.transform[-1, :3, 3] - ankle[-1]) == pytest.approx(subject.lengths["ankle"], abs=0.01)
    assert np.linalg.norm(shoe.transform[0, :3, 3] - ankle[0]) > 0.3


def test_the_phone_vanishes_into_the_pocket():
    _, done = play("put_into_pocket", 1)
    seen = ~np.isnan(prop(done, "phone").transform[:, 0, 0])
    assert seen[0] and not seen[-1] and np.diff(seen.astype(int)).tolist().count(-1) == 1


@pytest.mark.parametrize("action", ["pour_water", "pour_grains", "pour_from_bottle", "cook", "make_coffee"])
def test_what_is_poured_falls_into_the_vessel_while_pouring(action):
    _, done = play(action, 6)
    vessel = prop(done, "mug", "bowl", "pot").transform
    for item in done.props:
        if not item.kind.endswith("_stream"):
            continue
        running = ~np.isnan(item.transform[:, 0, 0])
        assert 4 <= running.sum() < 0.8 * len(running)
        stream = item.transform[running]
        aside = np.linalg.norm((stream - vessel[running])[:, [0, 2], 3], axis=1)
        assert np.median(aside) < 0.05
        bottom = stream[:, 1, 3] - stream[:, 1, 1]
        assert bottom == pytest.approx(vessel[running][:, 1, 3] + 0.02, abs=1e-6)


def test_an_idle_hand_may_hold_a_rival_that_decides_nothing():
    carried = 0
    for seed in range(12):
        subject = Subject.sample(seed)
        done = perform("wave", subject, np.random.default_rng([seed, 5]), rivals=("book", "cup"))
        assert [item.kind for item in done.props] == ["book"] * done.carries and done.truth_props == ()
        idle = "left" if done.truth_joints[JOINT["hand_right"]] else "right"
        if done.carries:
            gap = np.linalg.norm(done.props[0].transform[:, :3, 3] - done.joints[:, JOINT[f"hand_{idle}"]], axis=1)
            assert gap.max() < 0.25
        carried += done.carries
        assert not perform("clap", subject, np.random.default_rng([seed, 5]), rivals=("book", "cup")).carries
    assert 4 < carried < 12


def test_sitting_down_ends_on_the_chair():
    _, done = play("sit_down", 5)
    chair = prop_of(done.furniture, "chair", "stool")
    base = done.joints[:, JOINT["spine_base"]]
    assert np.linalg.norm((base[-1] - chair.transform[0, :3, 3])[[0, 2]]) < 0.08
    assert chair.look["seat"] < base[-1, 1] < chair.look["seat"] + 0.15
    assert base[0, 1] - base[-1, 1] > 0.2


def prop_of(props, *kinds):
    return next(item for item in props if item.kind in kinds)


def test_jumping_leaves_the_floor_with_both_feet_and_hopping_with_one():
    subject, done = play("jump_up", 2)
    lift = done.joints[:, [JOINT["ankle_left"], JOINT["ankle_right"]], 1] - subject.lengths["ankle"]
    assert lift.min(1).max() > 0.08
    subject, done = play("hop_on_one_foot", 2)
    lift = done.joints[:, [JOINT["ankle_left"], JOINT["ankle_right"]], 1] - subject.lengths["ankle"]
    assert lift.min(1).max() > 0.02 and lift.max() > 0.15


def test_clapping_and_rubbing_differ_in_how_the_palms_part():
    def swing(action):
        _, done = play(action, 8)
        hands = done.joints[slice(*done.interval)][:, [JOINT["hand_left"], JOINT["hand_right"]]]
        return np.ptp(np.linalg.norm(hands[:, 0] - hands[:, 1], axis=1))

    assert swing("clap") > 1.5 * swing("rub_hands")


def angle(first, middle, last):
    one, two = motion.unit(first - middle), motion.unit(last - middle)
    return np.degrees(np.arccos(np.clip((one * two).sum(-1), -1.0, 1.0)))


def test_the_preferred_hand_acts_most_of_the_time():
    for seed in (s for s in range(20) if Subject.sample(s).left_handed):
        subject = Subject.sample(seed)
        truth = [perform("wave", subject, np.random.default_rng(k)).truth_joints[JOINT["hand_left"]] for k in range(12)]
        assert np.mean(truth) > 0.5


def test_the_skeleton_is_kinect_v2():
    assert len(JOINTS) == 25 and JOINT["thumb_right"] == 24
