"""SynthADL-U: timetables that a body can keep, motion that holds together, and files that agree with each other."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synthadl import untrimmed, world
from synthadl.actions.courses.course import course
from synthadl.actions.courses.timetable import BOTH_HANDS, ONE_HAND, TABLE, UNTRIMMED_ACTIONS, Timetable
from synthadl.drawing import render
from synthadl.people.body import JOINT, Subject
from synthadl.plan import plan
from synthadl.settings import SIZES, UNTRIMMED_SIZES, settle
from workbench.data import open_untrimmed

SMALL = {"subjects": 4, "repetitions": 1, "setups": 3, "resolution": (64, 48), "seconds": (20, 22), "fps": 12.5}
MOVES_FEET = ("walk", "sit_down", "stand_up", "jump_up", "kick")


@cache
def played(seed: int):
    subject = Subject.sample(seed)
    return subject, course(subject, (40.0, 45.0), np.random.default_rng(seed))


def tables(count: int = 60) -> list[list]:
    return [Timetable(60.0, bool(seed % 2), np.random.default_rng(seed)).entries for seed in range(count)]


def overlap(one, two) -> float:
    return min(one.end, two.end) - max(one.start, two.start)


def test_no_hand_has_two_things_to_do_and_nobody_sits_and_walks():
    for entries in tables():
        for n, one in enumerate(entries):
            for two in entries[:n]:
                if overlap(one, two) < 1e-6:
                    continue
                kinds = [one.action, two.action]
                hands = [kind for kind in kinds if kind in BOTH_HANDS or kind in ONE_HAND]
                if len(hands) == 2:
                    assert set(hands) <= set(ONE_HAND) and one.hand != two.hand and hands[0] != hands[1]
                else:
                    assert len(hands) == 1 and set(kinds) & {"walk", "sit"}, kinds


def test_sitting_down_sitting_and_standing_up_follow_each_other():
    found = 0
    for entries in tables():
        lower = [entry for entry in entries if entry.action in (*MOVES_FEET, "sit", *TABLE)]
        for before, after in zip(lower[:-1], lower[1:], strict=True):
            assert (before.action == "sit_down") == (after.action == "sit")
            assert (before.action == "sit") == (after.action == "stand_up")
            found += before.action == "sit"
    assert found > 20


def test_timetables_fill_the_video_overlap_and_leave_gaps():
    shared, idle, counts = 0, [], dict.fromkeys(UNTRIMMED_ACTIONS, 0)
    for entries in tables():
        moments = np.arange(0, 60, 0.1)
        going = sum((moments >= entry.start) & (moments < entry.end) for entry in entries)
        shared += (going > 1).any()
        idle.append((going == 0).mean())
        for entry in entries:
            counts[entry.action] += 1
            assert 0 < entry.start < entry.end <= 60
    assert shared > 50 and 0.15 < np.mean(idle) < 0.5 and min(idle) > 0
    assert min(counts.values()) > 15


def test_the_same_seed_gives_the_same_course():
    subject, one = played(0)
    two = course(subject, (40.0, 45.0), np.random.default_rng(0))
    assert np.array_equal(one.performance.joints, two.performance.joints)
    assert [(i.action, i.start, i.end) for i in one.intervals] == [(i.action, i.start, i.end) for i in two.intervals]


@pytest.mark.parametrize("seed", range(6))
def test_bones_keep_their_lengths_and_nothing_jumps(seed):
    subject, done = played(seed)
    joints = done.performance.joints
    assert np.isfinite(joints).all() and 1000 <= len(joints) <= 1125
    for bone, first, second in (("forearm", "elbow", "wrist"), ("thigh", "hip", "knee"), ("shank", "knee", "ankle")):
        for side in ("left", "right"):
            length = np.linalg.norm(joints[:, JOINT[f"{first}_{side}"]] - joints[:, JOINT[f"{second}_{side}"]], axis=1)
            assert length == pytest.approx(subject.lengths[bone], rel=1e-6)
    step = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * 25
    change = np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1) * 625
    assert step.max() < 8 and change.max() < 160


@pytest.mark.parametrize("seed", range(6))
def test_a_foot_stands_still_while_the_other_steps_and_both_do_otherwise(seed):
    _, done = played(seed)
    joints = done.performance.joints
    speed = np.linalg.norm(np.diff(joints[:, [JOINT["ankle_left"], JOINT["ankle_right"]]], axis=0), axis=-1) * 25
    resting = np.ones(len(speed), bool)
    for each in done.intervals:
        span = slice(max(each.start - 40, 0), each.end + 40)
        if each.action == "walk":
            assert np.percentile(speed[each.start : each.end].min(1), 90) < 0.03
            assert np.ptp(joints[each.start : each.end, JOINT["spine_base"], 0]) > 0.4
            resting[span] = False
        elif each.action in ("jump_up", "kick"):
            resting[span] = False
    assert speed[resting].max() < 0.05


def test_sitting_lasts_until_standing_up():
    seen = 0
    for seed in range(6):
        subject, done = played(seed)
        height = done.performance.joints[:, JOINT["spine_base"], 1]
        for each in done.intervals:
            if each.action == "sit":
                seen += 1
                assert height[each.start + 5 : each.end - 5].max() < 0.75 * subject.standing
    assert seen > 1


def test_things_are_in_the_hand_that_uses_them():
    for seed in range(6):
        _, done = played(seed)
        hands = done.performance.joints[:, [JOINT["hand_left"], JOINT["hand_right"]]]
        for each in done.intervals:
            if each.action.startswith(("drink", "phone", "eat")):
                (prop,) = each.props
                path = done.performance.props[prop].transform[each.start : each.end, :3, 3]
                assert np.linalg.norm(hands[each.start : each.end] - path[:, None], axis=-1).min(1).max() < 0.3
                assert np.isnan(done.performance.props[prop].transform[0]).all()


def test_what_happens_knows_nothing_of_camera_room_or_imposters():
    settings = settle(SMALL, "untrimmed")
    row = plan(SMALL, "untrimmed").iloc[0].to_dict()
    other = {**row, "view": 5, "setup": 2, "background": 3, "imposter": "cup+book", "blocked": True}
    one, two = (untrimmed.make_video(settings, "untrimmed", 0, 0, each)[0] for each in (row, other))
    assert np.array_equal(one.performance.joints, two.performance.joints)
    assert [(i.action, i.start) for i in one.intervals] == [(i.action, i.start) for i in two.intervals]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("untrimmed")
    return root, world.generate(root, SMALL, world="untrimmed", seed=3, workers=1)


def prints(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file() and "checksums" not in path.name)
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_lost_video_is_made_again_the_same(made):
    root, table = made
    before = prints(root)
    (root / table["video"][2]).unlink()
    (root / "index.parquet").unlink()
    (root / "intervals.parquet").unlink()
    again = world.generate(root, SMALL, world="untrimmed", seed=3, workers=1)
    pd.testing.assert_frame_equal(table, again)
    assert prints(root) == before


def test_index_intervals_and_arrays_agree(made):
    root, table = made
    assert len(table) == 4 and "label" not in table and table["id"].is_unique
    assert json.loads((root / "world.json").read_text())["settings"]["seconds"] == [20, 22]
    intervals = pd.read_parquet(root / "intervals.parquet")
    for row in table.itertuples():
        with np.load(root / row.arrays, allow_pickle=False) as arrays:
            own = intervals[intervals["id"] == row.id]
            assert own[["start_frame", "end_frame"]].to_numpy().tolist() == arrays["intervals"].tolist()
            assert own["label"].tolist() == arrays["labels"].tolist()
            assert np.allclose(own[["start", "end"]], arrays["intervals"] / row.fps)
            assert len(arrays["joints"]) == row.frames and 250 <= row.frames <= 275
    assert [UNTRIMMED_ACTIONS[label] for label in intervals["label"]] == intervals["action"].tolist()


def test_the_data_set_opens_with_labels_and_truth_in_the_same_frames(made):
    root, _ = made
    data = open_untrimmed("synthadl_u", root, split="all")
    assert len(data) == 4 and set(data.table["split_cs"]) >= {"train", "test"}
    for i in range(4):
        labels, truth = data.labels(i), data.truth(i)
        assert labels.shape == (data.lengths[i], len(data.classes)) and truth.mask.shape == (len(labels), 48, 64)
        assert not truth.mask[~labels.any(1)].any()
        for row in data.annotated(i).itertuples():
            first, last = round(row.start * 12.5), round(row.end * 12.5)
            assert labels[first:last, row.label].all() and truth.mask[first:last].any()
        assert data.pose(i).joints.shape == (1, len(labels), 25, 3) and data.pixels(i).space == "image"


def test_pixels_fall_on_the_drawn_body():
    settings = settle({**SMALL, "resolution": (160, 120), "fps": 5.0}, "untrimmed", {"monitoring": 0.0})
    row = {**plan(SMALL, "untrimmed").iloc[1].to_dict(), "view": 2, "blocked": False}
    done, _, camera, frames = untrimmed.make_video(settings, "untrimmed", 0, 1, row)
    joints = camera.project(camera.see(done.performance.joints))
    names = ["spine_mid", "spine_shoulder", "neck", "head", "shoulder_left", "shoulder_right"]
    on = []
    for (_, mark), points in zip(frames, joints[:, [JOINT[name] for name in names]], strict=True):
        x, y = np.floor(points).astype(int).T
        inside = (x >= 0) & (x < 160) & (y >= 0) & (y < 120)
        on += ((mark[y[inside], x[inside]] & (render.PERSON | render.PROP)) > 0).tolist()
    assert np.mean(on) > 0.85 and len(on) > 400


def test_pieces_cover_the_video_and_change_with_what_goes_on():
    _, done = played(1)
    spans = untrimmed.pieces(done)
    assert spans[0][0] == 0 and spans[-1][1] == len(done.performance.joints)
    assert all(one[1] == two[0] for one, two in zip(spans[:-1], spans[1:], strict=True))
    assert max(end - start for start, end in spans) <= untrimmed.PIECE
    starts = {start for start, _ in spans}
    assert {each.start for each in done.intervals} <= starts


@pytest.mark.parametrize("size", sorted(UNTRIMMED_SIZES))
def test_every_split_of_every_protocol_has_videos(size):
    table = plan(size, "untrimmed")
    for protocol in ("split_cs", "split_cv", "split_setup"):
        assert {"train", "validation", "test"} <= set(table[protocol])
    assert settle(size, "untrimmed").seconds == (60, 180) and set(UNTRIMMED_SIZES) == set(SIZES)
    assert "seconds" not in settle(size, "adl").plain()


@pytest.mark.parametrize(
    ("size", "named", "message"),
    [
        ({**SMALL, "seconds": (30, 20)}, "untrimmed", r"seconds must be \(least, most\) of a video from 20 to 7200"),
        ({**SMALL, "actions": ["walk"]}, "untrimmed", "actions must be left out"),
        ({"seconds": (20, 30)}, "adl", "seconds must be left out"),
    ],
)
def test_bad_settings_are_one_sentence(size, named, message):
    with pytest.raises(ValueError, match=message):
        settle(size, named)
