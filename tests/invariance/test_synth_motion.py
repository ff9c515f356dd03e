"""What must hold for every motion of the synthetic world, and what no motion may give away."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from synthadl.actions import ACTIONS, MOVES, PAIRS, perform
from synthadl.people import motion
from synthadl.people.body import JOINT, JOINTS, Subject
from workbench.types import Skeleton

#: Of the pairs of a verb and a thing one a verb: the verb is what moves.
VERBS = {verb: name for name, (verb, _) in PAIRS.items()}
ALL = (*ACTIONS, *MOVES, *VERBS.values())
SEEDS = range(6)
SIDES = ("left", "right")
FEET_MOVE = {
    "put_on_shoe", "take_off_shoe", "jump_up", "hop_on_one_foot", "kick", "march_in_place", "side_step",
}  # fmt: skip
DESK = {"type_on_keyboard", "write", "cut_bread", "cut_cheese", "stir", "stir_pot", "cook", "make_coffee", "clean_up"}
TABLE_NEEDED = DESK | set(VERBS.values())


@cache
def play(action: str, seed: int):
    subject = Subject.sample(seed)
    return subject, perform(action, subject, np.random.default_rng([seed, 77]))


def joint(done, name):
    return done.joints[:, JOINT[name]]


def angle(first, middle, last):
    one, two = motion.unit(first - middle), motion.unit(last - middle)
    return np.degrees(np.arccos(np.clip((one * two).sum(-1), -1.0, 1.0)))


def test_the_same_seed_gives_the_same_performance():
    for action in ALL[::5]:
        subject = Subject.sample(3)
        first, second = (perform(action, subject, np.random.default_rng(9)) for _ in range(2))
        assert np.array_equal(first.joints, second.joints) and first.interval == second.interval
        for one, two in zip(first.props + first.furniture, second.props + second.furniture, strict=True):
            assert one.kind == two.kind and one.look == two.look
            assert np.array_equal(one.transform, two.transform, equal_nan=True)


@pytest.mark.parametrize("seed", range(5))
def test_no_label_in_the_number_of_frames(seed):
    subject = Subject.sample(seed)
    for actions in (ACTIONS, ALL[len(ACTIONS) :: 3]):
        lengths = {len(perform(action, subject, np.random.default_rng(seed)).joints) for action in actions}
        assert len(lengths) == 1


@pytest.mark.parametrize("seed", range(5))
def test_neighbouring_actions_share_posture_and_furniture(seed):
    subject = Subject.sample(seed)
    free = [a for a in ACTIONS[:16] + ("clap", "rub_hands", "wave", "flick_hair") if not a.endswith("_shoe")]
    desk = ["type_on_keyboard", "write", "cut_bread", "cut_cheese", "stir", "stir_pot", "cook", "make_coffee"]
    floor = ["jump_up", "hop_on_one_foot", "kick"]
    for group in (free, desk, floor, ["sit_down", "stand_up"], ["put_on_shoe", "take_off_shoe"]):
        seen = {
            tuple((item.kind, *sorted(item.look.items())) for item in done.furniture)
            for done in (perform(action, subject, np.random.default_rng(seed)) for action in group)
        }
        assert len(seen) == 1


@pytest.mark.parametrize(
    ("there", "back"),
    [
        ("put_on_glasses", "take_off_glasses"),
        ("put_on_shoe", "take_off_shoe"),
        ("put_into_pocket", "take_out_of_pocket"),
        ("sit_down", "stand_up"),
    ],
)
def test_order_pairs_are_one_motion_played_both_ways(there, back):
    for seed in SEEDS:
        (_, one), (_, two) = play(there, seed), play(back, seed)
        assert np.array_equal(one.joints, two.joints[::-1])
        assert one.interval == tuple(len(one.joints) - frame for frame in reversed(two.interval))
        for first, second in zip(one.props, two.props, strict=True):
            assert np.array_equal(first.transform, second.transform[::-1], equal_nan=True)


@pytest.mark.parametrize(
    ("actions", "tolerance"),
    [
        (("read_book", "use_tablet"), 1e-9),
        (("read_book", "read_letter"), 1e-9),
        (("cut_bread", "cut_cheese"), 1e-9),
        (("stir", "stir_pot"), 1e-9),
        (("pour_water", "pour_grains"), 0.06),
        (("pour_water", "pour_from_bottle"), 0.06),
        (("drink_from_cup", "drink_from_can"), 0.06),
        (("drink_from_cup", "drink_from_glass"), 0.06),
        (("drink_from_cup", "drink_from_bottle"), 0.16),
    ],
)
def test_the_object_hardly_changes_the_motion(actions, tolerance):
    for seed in SEEDS:
        one, two = (play(action, seed)[1].joints for action in actions)
        gap = np.linalg.norm(one - two, axis=-1)
        assert gap.max() < tolerance
        assert gap.mean() < 0.1 * tolerance


@pytest.mark.parametrize("action", ALL)
def test_bones_keep_their_lengths(action):
    for seed in SEEDS:
        subject, done = play(action, seed)
        for bone, first, second in (
            ("upper_arm", "shoulder", "elbow"),
            ("forearm", "elbow", "wrist"),
            ("palm", "wrist", "hand"),
            ("fingers", "hand", "hand_tip"),
            ("thigh", "hip", "knee"),
            ("shank", "knee", "ankle"),
        ):
            for side in SIDES:
                length = np.linalg.norm(joint(done, f"{first}_{side}") - joint(done, f"{second}_{side}"), axis=1)
                assert length == pytest.approx(subject.lengths[bone], rel=1e-6)


@pytest.mark.parametrize("action", ALL)
def test_joints_move_smoothly(action):
    for seed in SEEDS:
        _, done = play(action, seed)
        velocity = np.diff(done.joints, axis=0) * 25.0
        assert np.linalg.norm(velocity, axis=-1).max() < 8.0, "metres a second"
        assert np.linalg.norm(np.diff(velocity, axis=0), axis=-1).max() * 25.0 < 220.0, "metres a second squared"


@pytest.mark.parametrize("action", ALL)
def test_arms_stay_out_of_the_trunk(action):
    for seed in SEEDS:
        subject, done = play(action, seed)
        trunk = joint(done, "spine_base"), joint(done, "spine_shoulder")
        for side in SIDES:
            elbow, wrist = joint(done, f"elbow_{side}"), joint(done, f"wrist_{side}")
            forearm = [elbow + share * (wrist - elbow) for share in np.linspace(0.0, 1.0, 7)]
            points = np.stack([*forearm, joint(done, f"hand_{side}"), joint(done, f"hand_tip_{side}")])
            distance, _ = motion.capsule_distance(points, *trunk)
            assert distance.min() > subject.radii["trunk"] - 0.01


@pytest.mark.parametrize("action", ALL)
def test_joints_keep_their_limits(action):
    for seed in SEEDS:
        _, done = play(action, seed)
        for side in SIDES:
            shoulder, elbow, wrist, hand = (joint(done, f"{n}_{side}") for n in ("shoulder", "elbow", "wrist", "hand"))
            hip, knee, ankle = (joint(done, f"{name}_{side}") for name in ("hip", "knee", "ankle"))
            assert angle(shoulder, elbow, wrist).min() >= 30.0 and angle(shoulder, elbow, wrist).max() < 178.0
            assert angle(elbow, wrist, hand).min() > 110.0, "the wrist bends no further than 70 degrees"
            assert angle(hip, knee, ankle).min() >= 30.0
            bent = (knee - 0.5 * (hip + ankle)) @ front(done)
            assert bent.min() > -0.03, "knees bend forward"


def front(done):
    across = (joint(done, "hip_left") - joint(done, "hip_right"))[0] * (1.0, 0.0, 1.0)
    return np.cross(across / np.linalg.norm(across), [0.0, 1.0, 0.0])


@pytest.mark.parametrize("action", ALL)
def test_feet_are_planted_and_never_below_the_floor(action):
    for seed in SEEDS:
        subject, done = play(action, seed)
        for side in SIDES:
            ankle = joint(done, f"ankle_{side}")
            assert ankle[:, 1].min() > subject.lengths["ankle"] - 0.01
            assert joint(done, f"foot_{side}")[:, 1].min() > 0.0
            if action not in FEET_MOVE:
                assert np.linalg.norm(ankle - ankle[0], axis=1).max() < 0.01


def test_subjects_face_the_front_near_the_origin():
    for action in ALL[::3]:
        for seed in SEEDS:
            _, done = play(action, seed)
            assert np.abs(done.joints[:, 0, [0, 2]]).max() < 0.9
            assert front(done)[2] > 0.85


def test_the_moment_may_lie_anywhere():
    middles = []
    for seed in range(60):
        done = perform("wave", Subject.sample(seed), np.random.default_rng([seed, 1]))
        middles.append(np.mean(done.interval) / len(done.joints))
    assert min(middles) < 0.35 and max(middles) > 0.65


def test_tables_and_seats_are_drawn_alike_for_all_actions():
    for action in ("clap", "drink_from_can", "put_on_glasses"):
        performances = [perform(action, Subject.sample(k % 9), np.random.default_rng([k, 2])) for k in range(80)]
        tables = np.mean([any(item.kind in ("table", "counter") for item in done.furniture) for done in performances])
        seated = np.mean(
            [angle(*(joint(done, f"{n}_left") for n in ("hip", "knee", "ankle")))[0] < 130 for done in performances]
        )
        assert 0.55 < tables < 0.92 and 0.28 < seated < 0.62
    for action in TABLE_NEEDED:
        assert any(item.kind in ("table", "counter") for item in play(action, 0)[1].furniture)


def test_another_frame_rate_changes_the_number_of_frames_only():
    done = perform("wave", Subject.sample(1), np.random.default_rng(0), fps=50.0)
    assert 120 <= len(done.joints) <= 300
    assert np.linalg.norm(np.diff(done.joints, axis=0), axis=-1).max() * 50.0 < 8.0
    assert Skeleton.named("kinect_v2").joints == JOINTS and done.joints.shape[1] == len(JOINTS)
