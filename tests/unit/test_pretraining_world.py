"""SynthADL-P: a verb and a thing make a class, rival things lie beside it, and nothing else tells which it is."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from synthadl import world
from synthadl.actions import ACTIONS, ADL, MOVES, PAIRS, PRETRAIN, PRETRAIN_ACTIONS, perform
from synthadl.actions.playing.props import KINDS
from synthadl.actions.pretraining.handling import COLUMN, GRIPS, RIVALS
from synthadl.actions.pretraining.pairs import VERBS
from synthadl.people import motion
from synthadl.people.body import JOINT, Subject
from synthadl.plan import ROOM, plan, protocols, sequence, subject_seed
from synthadl.settings import settle

FEW = {"actions": ["lift_cup", "throw_ball", "nod"], "subjects": 12, "repetitions": 1, "setups": 3}
RIVAL_PAIR = ("shoe", "vase")
#: Verbs of which the thing stays where it is.
POINTING = {"tap", "point_at"}


@cache
def table_of(size: str) -> pd.DataFrame:
    return plan(size, "pretrain")


@cache
def play(action: str, seed: int = 1):
    return perform(action, Subject.sample(seed), np.random.default_rng([seed, 5]), rivals=RIVAL_PAIR)


def handled(done) -> np.ndarray:
    """float64 [T,4,4]: the path of the thing that the class names."""
    return next(prop.transform for prop in done.props if prop.kind == PAIRS[done.action][1])


def way(path: np.ndarray) -> float:
    """Metres between the places of a path that are farthest apart along one axis."""
    return float(np.nanmax(np.ptp(path[~np.isnan(path[:, 0, 0]), :3, 3], axis=0)))


def test_it_is_large_and_has_no_action_of_synthadl():
    assert len(PRETRAIN_ACTIONS) >= 150 and not set(PRETRAIN_ACTIONS) & set(ACTIONS)
    written = {str((recipe.write, recipe.backwards)) for recipe in ADL.values()}
    assert not written & {str((recipe.write, recipe.backwards)) for recipe in PRETRAIN.values()}
    known = {name.split("_")[0] for name in ("drink", "read", "use", "pour", "type", "write", "cut", "stir", "cook")}
    assert not known & {verb for verb, _ in PAIRS.values()}
    assert len(table_of("tiny")) >= 15_000


def test_the_table_is_whole():
    assert {verb for verb, _ in PAIRS.values()} == set(VERBS)
    assert {thing for _, thing in PAIRS.values()} <= set(GRIPS) <= set(KINDS)
    things = pd.Series([thing for _, thing in PAIRS.values()]).value_counts()
    assert len(things) >= 20 and things[["cup", "bottle", "can", "book", "phone", "pan", "knife", "box"]].min() >= 4
    assert all(len({thing for v, thing in PAIRS.values() if v == verb}) >= 3 for verb in VERBS), "a verb is no thing"


@pytest.mark.parametrize("action", [name for name in PAIRS if PAIRS[name][1] in ("cup", "can", "book", "box", "cloth")])
def test_the_named_thing_is_what_moves_and_the_rivals_lie_within_reach(action):
    done = play(action)
    verb, thing = PAIRS[action]
    moved = way(handled(done)) if verb != "open" and verb != "close" else 1.0
    assert (moved < 1e-9) == (verb in POINTING) or verb == "turn"
    named = [done.props[number].kind for number in done.truth_props]
    assert thing in named and not set(RIVAL_PAIR) & set(named)
    shoulders = done.joints[:, [JOINT["shoulder_left"], JOINT["shoulder_right"]]]
    for prop in done.props:
        if prop.kind in RIVAL_PAIR:
            assert np.ptp(prop.transform, axis=0).max() == 0.0
            gap = np.linalg.norm(shoulders - prop.transform[0, :3, 3], axis=-1).min()
            assert gap < 1.35 * Subject.sample(1).arm, "within reach of a trunk that bows"
    assert sum(prop.kind in RIVAL_PAIR for prop in done.props) == 2


@pytest.mark.parametrize("seed", range(4))
def test_motions_do_what_their_verb_says(seed):
    rise = handled(play("lift_cup", seed))[:, 1, 3]
    assert rise.max() - rise[0] > 0.2 and abs(rise[-1] - rise[0]) < 0.01
    away, nearer = (handled(play(f"{verb}_bottle", seed))[:, :3, 3] for verb in ("push", "pull"))
    for path, sign in ((away, 1.0), (nearer, -1.0)):
        ahead = path[-1] - path[0]
        assert 0.18 < np.hypot(ahead[0], ahead[2]) < 0.3 and sign * ahead[2] > 0.1
        assert np.ptp(path[:, 1]) < 0.001, "it slides"
    assert handled(play("turn_over_cup", seed))[-1, 1, 1] == pytest.approx(-1.0)
    assert handled(play("knock_over_can", seed))[-1, 1, 1] == pytest.approx(0.0, abs=0.01)
    assert handled(play("set_up_can", seed))[-1, 1, 1] == pytest.approx(1.0)
    assert np.isnan(handled(play("throw_apple", seed))[-1, 0, 0]), "it has left the picture"
    stacked = play("stack_can", seed)
    block = next(prop.transform for prop in stacked.props if prop.kind == "block")
    assert handled(stacked)[-1, :3, 3] - block[-1, :3, 3] == pytest.approx([0.0, KINDS["block"][0][1], 0.0], abs=1e-6)
    start, end = handled(play("turn_book", seed))[[0, -1], :3, 0]
    assert np.degrees(np.arccos(start @ end)) > 100.0


@pytest.mark.parametrize(("there", "back"), [("put_down_cup", "pick_up_cup"), ("open_jar", "close_jar")])
def test_verbs_played_backwards(there, back):
    one, two = play(there), play(back)
    np.testing.assert_allclose(one.joints, two.joints[::-1])
    assert one.interval == tuple(len(one.joints) - frame for frame in reversed(two.interval))


def test_hands_are_at_what_they_hold():
    for action in ("lift_cup", "shake_book", "hold_up_pan", "show_phone", "lift_box"):
        done = play(action)
        middle = sum(done.interval) // 2
        hands = done.joints[middle, [JOINT["hand_left"], JOINT["hand_right"]]]
        gap = np.linalg.norm(hands - handled(done)[middle, :3, 3], axis=1).min()
        assert gap < 0.27, action


def test_what_lies_where_is_drawn_alike_for_every_class():
    """The same seed lays the table alike whatever is done, but for what takes two hands, which is in the middle."""
    places = {}
    for action in ("lift_cup", "tap_can", "carry_bottle", "shake_can", "point_at_knife", "throw_apple"):
        done = play(action, 3)
        on = np.linalg.inv(next(item.transform[0] for item in done.furniture if item.kind in ("table", "counter")))
        rivals = [(on @ prop.transform[0])[:3, 3] for prop in done.props if prop.kind in RIVAL_PAIR]
        places[action] = np.stack(rivals)
        assert 0.9 * COLUMN - 0.05 < np.linalg.norm(rivals[0] - rivals[1]) < 2.2 * COLUMN
    first = places.pop("lift_cup")
    assert all(np.abs(each - first).max() < 1e-9 for each in places.values())


def test_subjects_and_rooms_are_its_own():
    table = table_of("tiny")
    assert not {subject_seed(0, "adl", n) for n in range(1, 41)} & {
        subject_seed(0, "pretrain", n) for n in range(1, 97)
    }
    rooms = [{int(sequence(0, name, ROOM, n).generate_state(1)[0]) for n in range(64)} for name in ("adl", "pretrain")]
    assert not rooms[0] & rooms[1]
    assert not set(plan("tiny")["seed"]) & set(table["seed"])


def test_the_held_out_part_has_subjects_of_its_own():
    table = table_of("tiny")
    subjects = {split: set(rows["subject"]) for split, rows in table.groupby("split_cs")}
    assert subjects["test"] == {6, 18, 30} and subjects["validation"] == {12, 24, 36}
    assert sum(map(len, subjects.values())) == 40 and "split_cv" not in table
    assert all(set(rows["action"]) == set(PRETRAIN_ACTIONS) for _, rows in table.groupby("split_cs"))
    assert (table["split_cs"] == "test").sum() > 1_000
    assert list(protocols("adl")) == ["split_cs", "split_cv", "split_setup"]


def test_rivals_are_dealt_alike_to_every_class():
    table = table_of("tiny")
    first = table["imposter"].str.split("+").str[0]
    counts = pd.crosstab(table["action"], first)
    assert set(counts.columns) == set(RIVALS) and np.ptp(counts.to_numpy()) <= 1
    assert (table["imposter"].str.count(r"\+") == 1).all()
    kinds = table["action"].map(lambda name: PAIRS[name][1] if name in PAIRS else "")
    same = (first == kinds)[kinds.isin(RIVALS)].mean()
    assert same == pytest.approx(1 / len(RIVALS), rel=0.25), "the thing itself is a rival as often as any other"


def test_rivals_room_view_and_length_leave_the_label_at_chance():
    """On the verbs, of which there are few enough for chance to be seen, and a leak of 3 in 10 clips would be."""
    table = table_of("tiny").sample(4_000, random_state=0)
    labels = table["action"].map(lambda name: PAIRS[name][0] if name in PAIRS else "move").to_numpy()
    seconds = [np.random.default_rng(sequence(0, "pretrain", 0, n).spawn(3)[0]).integers(25, 41) for n in table.index]
    features = pd.get_dummies(table[["view", "setup", "background", "camera"]].astype(str)).assign(length=seconds)
    features = pd.concat([features, table["imposter"].str.get_dummies("+")], axis=1).to_numpy(float)
    half = len(labels) // 2
    rng = np.random.default_rng(0)
    whisper = np.where(rng.random(len(labels)) < 0.3, labels, rng.permutation(labels))
    leaked = np.concatenate([features, pd.get_dummies(whisper).to_numpy(float)], axis=1)
    right = []
    for columns in (features, leaked):
        forest = RandomForestClassifier(40, min_samples_leaf=3, random_state=0).fit(columns[:half], labels[:half])
        right.append((forest.predict(columns[half:]) == labels[half:]).mean())
    most = pd.Series(labels).value_counts(normalize=True).iloc[0]
    assert right[0] < most + 0.02 < right[1]


def test_a_clip_is_short_and_small_and_its_rivals_are_in_the_picture():
    settings, table = settle("look", "pretrain"), table_of("look")
    row = table[table["action"] == "lift_cup"].iloc[0]
    done, scene, camera, frames = world.make_clip(settings, "pretrain", 0, int(row.name), row.to_dict())
    picture, _ = next(frames)
    assert picture.shape == (108, 144, 3) and 25 <= len(done.joints) <= 40 and settings.fps == 12.5
    laid = sorted(prop.kind for number, prop in enumerate(done.props) if number not in done.truth_props)
    assert laid == sorted(row["imposter"].split("+"))
    for prop in done.props:
        x, y = camera.project(camera.see(prop.transform[0, :3, 3]))
        assert -10 < x < 154 and -10 < y < 118


def test_worlds_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="subjects must be a whole number of 12 or more, so that each split has one"):
        settle({**FEW, "subjects": 6}, "pretrain")
    with pytest.raises(ValueError, match="imposters must be a whole number from 0 to 2, got 3"):
        settle(FEW, "pretrain", {"imposters": 3})
    with pytest.raises(ValueError, match="unknown size 'huge'; known: look, tiny, small, paper"):
        settle("huge", "pretrain")


def test_moves_are_played_without_a_thing_of_their_own():
    assert len(MOVES) >= 30
    for name in ("nod", "cross_arms", "rub_belly", "twist_trunk"):
        assert not play(name).props
    turned = play("twist_trunk").joints
    across = motion.unit(turned[:, JOINT["shoulder_left"]] - turned[:, JOINT["shoulder_right"]])
    assert np.degrees(np.arccos((across @ across[0]).min())) > 25.0
