"""The picture follows the body: what is drawn, what isn't, and what a network then reads."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from synthadl import world
from tests.whatif import SKELETON, Toy
from workbench import data, metrics
from workbench.explain.interventions import Cover, Drop, Freeze, Jitter, Mirror, Move, Shuffle, Transplant
from workbench.explain.what_if import WhatIf
from workbench.show.explorer import FOLLOWS, Explorer
from workbench.views import redrawing

SMALL = {"actions": ["drink_from_cup"], "subjects": 4, "repetitions": 1, "setups": 3, "resolution": (96, 72)}
SMALL |= {"monitoring": 0.0}  # from near
SPEC = data.ClipSpec(frames=8, size=(24, 24), poses=4, border=0.0)
NEEDS = frozenset({"video", "pose", "label", "flow", "truth"})
HAND, FRAME = SKELETON.index("hand_right"), 4
PANES = ("as it was", "poses moved", "poses and picture moved")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    world.generate(root, SMALL, seed=3, workers=1)
    return data.open_dataset("synthadl", root, "cs", "all")


@pytest.fixture(scope="module")
def session(clips) -> WhatIf:
    cut = partial(data.sample, i=0, spec=SPEC, needs=NEEDS)
    return WhatIf(Toy(), cut(clips), SKELETON, ["a", "b", "c"], metrics.attention.grade, cut=cut)


@pytest.fixture(scope="module")
def redrawer(clips, session) -> redrawing.Redrawer:
    return redrawing.of_clip(clips, 0, session.sample)


def lifted(session: WhatIf, moves: str = "limb", reach: float | None = 0.0) -> Move:
    """The right hand, a few clip pixels lower and aside in one frame."""
    x, y = session.sample.pixels.joints[0, FRAME, HAND]
    return Move("hand_right", FRAME, (float(x) - 2, float(y) + 3), 0, reach, moves)


@pytest.mark.parametrize("moves", ["limb", "joint", "body"])
def test_a_dragged_joint_is_drawn_where_it_was_dragged_to(session, redrawer, moves):
    change = lifted(session, moves)
    drawn = session.cut(redrawer([change]).source)
    wanted = change(session.subject).pixels.joints[0]
    np.testing.assert_allclose(drawn.pixels.joints[0], wanted, atol=0.02)
    assert np.abs(wanted - session.sample.pixels.joints[0])[FRAME, HAND].max() > 1
    others = np.arange(8) != FRAME
    np.testing.assert_array_equal(drawn.pixels.joints[0, others], session.sample.pixels.joints[0, others])
    assert drawn.clip.crop == session.sample.clip.crop


def test_bones_keep_their_lengths_in_space(session, redrawer, clips):
    source = redrawer([lifted(session)]).source
    number = session.sample.clip.frame_numbers[FRAME]
    before, after = (one.pose(0).joints[0, number] for one in (clips, source))
    bones = np.array(SKELETON.bones)
    lengths = [np.linalg.norm(body[bones[:, 0]] - body[bones[:, 1]], axis=1) for body in (before, after)]
    np.testing.assert_allclose(lengths[1], lengths[0], rtol=0.01)
    assert np.abs(before - after).max() > 0.05


def test_pixels_that_nothing_touches_are_those_of_the_video(session, redrawer):
    drawn = session.cut(redrawer([lifted(session)]).source)
    same = (drawn.clip.frames == session.sample.clip.frames).all(-1)
    near = np.abs(np.arange(8) - FRAME) < 2  # the shutter, open between frames, sees a little of the way there
    assert same[~near].all() and 0.3 < same[FRAME].mean() < 1
    assert not torch.equal(drawn.batch.flow[0, :, FRAME], session.sample.batch.flow[0, :, FRAME])
    assert torch.equal(drawn.batch.flow[0, :, 0], session.sample.batch.flow[0, :, 0])
    assert not np.array_equal(drawn.truth.mask[FRAME], session.sample.truth.mask[FRAME])


def test_the_network_reads_the_picture_with_the_poses_as_they_were_moved(session, redrawer):
    changes = [lifted(session, reach=None), Cover((0, 0, 6, 6), fill="black")]
    alone = session.ask(changes)
    both = session.ask(changes, session.cut(redrawer(changes).source))
    assert torch.equal(alone.subject.batch.pose, both.subject.batch.pose)
    assert not torch.equal(alone.subject.batch.video, both.subject.batch.video)
    assert (both.subject.batch.video[..., :6, :6] == -1).all()
    assert not np.array_equal(alone.logits, both.logits) and set(alone.grades) == set(both.grades)
    again = session.ask()
    assert np.array_equal(again.logits, session.original.logits)  # the session's own clip is untouched


@pytest.mark.parametrize("change", [Freeze(("hand_right", "wrist_right")), Jitter(("hand_left",), 0.05)])
def test_what_freezes_and_what_shakes_is_drawn(session, redrawer, change):
    made = redrawer([change])
    assert made.words == ""
    drawn = session.cut(made.source)
    wanted = change(session.subject).pixels.joints[0]
    np.testing.assert_allclose(drawn.pixels.joints[0], wanted, atol=1.5)


def test_a_joint_of_another_body_is_drawn(session, redrawer, clips):
    other = data.sample(clips, 1, SPEC)
    donor = replace(session.subject, batch=other.batch, pixels=other.pixels, pose_numbers=other.pose_numbers)
    made = redrawer([Transplant(("hand_right", "wrist_right", "elbow_right"), donor)])
    drawn = session.cut(made.source)
    way = np.abs(drawn.pixels.joints[0] - session.sample.pixels.joints[0]).max((0, 2))
    assert way[HAND] > 1 and way[SKELETON.index("head")] == 0 and made.words == ""


def test_what_is_not_drawn_is_said(session, redrawer):
    move, shake = lifted(session), Jitter(("hand_left",))
    assert redrawer([]).source is None and redrawer([]).words == ""
    assert redrawing.drawable([Drop(("head",)), move, Drop(("neck",))]) == ([move], redrawing.LOST)
    assert redrawing.drawable([move, Mirror(), shake]) == ([move], redrawing.MIRRORED)
    assert redrawing.drawable([Shuffle("video"), move, Shuffle("both"), Cover((0, 0, 1, 1))]) == ([move], "")
    words = f"{redrawing.LOST}; {redrawing.SHUFFLED}"
    assert redrawing.drawable([shake, Drop(("head",)), Shuffle("pose"), move, move]) == ([shake], words)
    made = redrawer([Drop(("head",))])
    assert made.source is None and made.words == redrawing.LOST


def test_a_ray_meets_a_ball_where_the_joint_was_nearer():
    ray, center = np.array([[0.0, 0, 1]] * 3), np.array([[0.0, 3, 5], [0, 3, 5], [0, 6, 5]])
    found = redrawing.meet(ray, center, np.full(3, 5.0), np.array([8.0, 2, 2]))
    np.testing.assert_allclose(found, [[0, 0, 9], [0, 0, 1], [0, 0, 5]])


def test_a_way_is_straight_between_frames_and_held_at_the_ends():
    way = np.array([1.0, 3.0, 0.0])[:, None, None] * np.ones((1, 2, 3))
    found = redrawing.everywhere(way, np.array([1, 3, 4]), 6)
    np.testing.assert_allclose(found[:, 1, 2], [1, 1, 2, 3, 0, 0])
    twice = redrawing.everywhere(way, np.array([3, 1, 3]), 4)
    np.testing.assert_allclose(twice[:, 0, 0], [3, 3, 2, 1])


def test_the_explorer_shows_three_answers_a_run(session, redrawer):
    explorer = redrawing.brought(Explorer({"toy": session}, title="drink", redraw=redrawer), "hand_right")
    assert explorer.error is None and explorer.follow.value == FOLLOWS
    tracks = explorer.player._scene["tracks"]
    assert [track["title"] for track in tracks] == [f"toy: {what}" for what in PANES]
    assert len(explorer.player._frames) == 16 and [track["first"] for track in tracks] == [0, 0, 8]
    assert "the poses change" in tracks[2]["note"] and "the picture changes" in tracks[2]["note"]
    assert tracks[2]["truth"]["box"] != explorer.player._scene["truth"]["box"]


def test_where_nothing_can_be_drawn_a_sentence_says_why(clips, session, tmp_path):
    mine = replace(clips, name="manifest")
    said = redrawing.of_clip(mine, 0, session.sample)
    assert said == "The picture can't follow: only clips of SynthADL can be drawn again, and these data are manifest."
    (tmp_path / "arrays").mkdir()
    told = {"version": 1, "seed": 0, "settings": {}}
    (tmp_path / "world.json").write_text(str(told).replace("'", '"'))
    elsewhere = replace(clips, table=clips.table.assign(arrays=str(tmp_path / "arrays/a.npz")))
    said = redrawing.of_clip(elsewhere, 0, session.sample)
    assert said.startswith("The picture can't follow: ") and "of version 1 of the world" in said
    explorer = redrawing.brought(Explorer({"toy": session}, redraw=said), "hand_right")
    assert len(explorer.player._scene["tracks"]) == 1 and len(explorer.changes) == 1 and explorer.error is None
