"""A clip drawn again: as it was to the byte, or with the body moved and nothing else."""

from __future__ import annotations

import json
import re

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn_arrays

from safefiles import checksums
from synthadl import world
from synthadl.people import motion
from synthadl.people.body import JOINT
from synthadl.plan import plan
from synthadl.redraw import obstacle, redraw
from synthadl.settings import settle

SMALL = {"actions": ["drink_from_cup"], "subjects": 4, "repetitions": 1, "setups": 3, "resolution": (96, 72)}
SMALL |= {"monitoring": 0.0}  # from near
ARMS = {
    side: [JOINT[f"{name}_{side}"] for name in ("elbow", "wrist", "hand", "hand_tip", "thumb")]
    for side in ("left", "right")
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    return root, world.generate(root, SMALL, seed=3, workers=1)


@pytest.fixture(scope="module")
def clip(made):
    """The first clip of the world: its folder, its name, its performance, its camera, and what was drawn of it."""
    root, table = made
    settings, row = settle(SMALL, "adl"), plan(SMALL, "adl", 3).iloc[0].to_dict()
    performance, _, camera, frames = world.make_clip(settings, "adl", 3, 0, row)
    return root, table["id"][0], performance, camera, np.stack([picture for picture, _ in frames])


def drinking(performance) -> str:
    """The side whose hand holds the cup."""
    cup = performance.props[performance.truth_props[0]].transform[:, :3, 3]
    far = {side: np.linalg.norm(cup - performance.joints[:, JOINT[f"hand_{side}"]], axis=1).min() for side in ARMS}
    return min(far, key=far.get)


def arm_shift(performance, frames, by) -> np.ndarray:
    """The arm that drinks, moved as it is in some frames (camera space)."""
    shift = np.zeros_like(performance.joints)
    shift[np.ix_(np.arange(len(shift))[frames], ARMS[drinking(performance)])] = by
    return shift


def test_without_a_change_it_is_the_drawing_and_up_to_the_codec_the_video(clip, made):
    root, name, _, _, drawn = clip
    again = redraw(root, name)
    assert np.array_equal(again.pictures, drawn)
    assert np.array_equal(redraw(root, name, np.zeros_like(again.arrays["joints"])).pictures, drawn)
    with av.open(str(root / made[1]["video"][0])) as container:
        video = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert np.abs(video.astype(int) - drawn).mean() < 4
    with np.load(root / made[1]["arrays"][0]) as stored:
        assert set(again.arrays) == set(stored) - {"video_check"}
        for key, value in again.arrays.items():
            np.testing.assert_array_equal(value, stored[key], err_msg=key)


def test_a_moved_arm_changes_the_picture_there_and_then(clip):
    root, name, performance, camera, drawn = clip
    held = performance.interval[0] + np.arange(6)
    shift = arm_shift(performance, held, (0.0, 0.25, 0.0))
    moved = redraw(root, name, shift)
    changed = (moved.pictures != drawn).any(-1)
    near = np.isin(np.arange(len(drawn)), [*held, held[0] - 1, held[-1] + 1])  # the shutter sees the neighbours
    assert changed[held].any((1, 2)).all() and not changed[~near].any()
    plain = redraw(root, name)
    joints = ARMS[drinking(performance)]
    rows, columns = np.mgrid[:72, :96] + 0.5
    where = []
    for t in held:
        points = np.concatenate([one.arrays["pixels"][t, joints] for one in (plain, moved)])
        boxes = [one.arrays["truth_box"][t] for one in (plain, moved)]
        close = np.hypot(columns[..., None] - points[:, 0], rows[..., None] - points[:, 1]).min(-1) < 8
        for x0, y0, x1, y1 in boxes:
            close |= (columns > x0 - 4) & (columns < x1 + 4) & (rows > y0 - 4) & (rows < y1 + 4)
        size = np.abs(moved.pictures[t].astype(int) - drawn[t]).sum(-1)
        where.append(size[close].sum() / size.sum())
    assert np.mean(where) > 0.9  # the rest is shadow


def test_the_truth_moves_along(clip, made):
    root, name, performance, *_ = clip
    middle = (performance.interval[0] + performance.interval[1]) // 2
    plain, moved = redraw(root, name), redraw(root, name, arm_shift(performance, slice(None), (0.0, 0.35, 0.0)))
    hand = JOINT[f"hand_{drinking(performance)}"]
    way = moved.arrays["joints"][:, hand] - plain.arrays["joints"][:, hand]
    np.testing.assert_allclose(way, [[0, 0.35, 0]] * len(way), atol=1e-6)
    x, y = moved.arrays["pixels"][middle, hand].astype(int)
    masks = [np.unpackbits(one.arrays["truth_mask"][middle], axis=-1, count=96) for one in (plain, moved)]
    assert [mask[y, x] for mask in masks] == [0, 1]
    assert moved.arrays["truth_box"][middle, 1] < plain.arrays["truth_box"][middle, 1] - 3
    assert moved.arrays["interval"].tolist() == plain.arrays["interval"].tolist()


def test_a_thing_follows_the_hand_only_while_it_is_held(clip):
    root, name, performance, camera, _ = clip
    settings, row = settle(SMALL, "adl"), plan(SMALL, "adl", 3).iloc[0].to_dict()
    shift = arm_shift(performance, slice(None), (0.1, 0.2, -0.05))
    moved = world.make_clip(settings, "adl", 3, 0, row, shift)[0]
    [cup] = performance.truth_props
    way = moved.props[cup].transform - performance.props[cup].transform
    share = way[:, :3, 3] @ camera.extrinsics[:3, :3].T / (0.1, 0.2, -0.05)
    np.testing.assert_allclose(share, share[:, :1].repeat(3, 1), atol=1e-9)  # of the hand's way, in its direction
    assert share.min() > -1e-9 and share.max() == pytest.approx(1) and (np.abs(share) < 1e-9).any()
    assert np.abs(way[:, :3, :3]).max() < 1e-9  # an arm that is moved as it is doesn't turn
    for one, other in zip(performance.furniture, moved.furniture, strict=True):
        assert np.array_equal(one.transform, other.transform)


BONES = drawn_arrays(float, (2, 3), elements=st.floats(-1, 1, width=16)).filter(lambda v: v.any(1).all())


@given(BONES, BONES)
def test_the_smallest_turn_leads_from_one_direction_to_another(before, after):
    turn = motion.turning(before, after)
    np.testing.assert_allclose(turn @ turn.swapaxes(1, 2), np.tile(np.eye(3), (2, 1, 1)), atol=1e-6)
    first, second = motion.unit(before), motion.unit(after)
    known = np.linalg.norm(np.cross(first, second), axis=1) + np.abs((first + second).sum(1)) > 1e-12
    np.testing.assert_allclose((turn @ first[..., None])[known, :, 0], second[known], atol=1e-6)
    np.testing.assert_array_equal(motion.turning(before, before), np.tile(np.eye(3), (2, 1, 1)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": 1}, "world.json: these clips are of version 1 of the world, and version 2 is drawn now"),
        ({"world": "untrimmed"}, "world 'untrimmed' has no clips that are drawn again; known: adl, pretrain"),
        ({"settings": {"people": 3}}, "world.json can't be read as the settings of a world (unknown field of a size"),
        ({"settings": 3}, "world.json can't be read as the settings of a world"),
    ],
)
def test_a_folder_whose_clips_cannot_be_drawn_says_why(made, tmp_path, change, sentence):
    told = json.loads((made[0] / "world.json").read_text())
    (tmp_path / "world.json").write_text(json.dumps(told | change))
    assert sentence in obstacle(tmp_path) and "\n" not in obstacle(tmp_path)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        redraw(tmp_path, made[1]["id"][0])
    assert obstacle(made[0]) == "" and "world.json is missing" in obstacle(tmp_path / "nowhere")


def test_what_does_not_fit_is_one_sentence(made, tmp_path):
    root, table = made
    name, count = table["id"][0], int(table["frames"][0])
    with pytest.raises(ValueError, match="has no clip 'S1'"):
        redraw(root, "S1")
    with pytest.raises(ValueError, match=r"shift must be finite numbers \[T,25,3\], got \[5, 3\]"):
        redraw(root, name, np.zeros((5, 3)))
    with pytest.raises(ValueError, match="shift must be finite"):
        redraw(root, name, np.full((count, 25, 3), np.nan))
    with pytest.raises(ValueError, match=rf"shift must be \[{count}, 25, 3\], as the joints are, got \[7, 25, 3\]"):
        redraw(root, name, np.zeros((7, 25, 3)))
    (tmp_path / "arrays").mkdir()
    checksums.write(tmp_path / "world.json", (root / "world.json").read_bytes())
    with pytest.raises(FileNotFoundError, match=f"{name}.npz is missing"):
        redraw(tmp_path, name)
    with np.load(root / table["arrays"][0]) as stored:
        np.savez(tmp_path / table["arrays"][0], joints=stored["joints"] + 0.01)
    with pytest.raises(ValueError, match="holds another motion than is drawn now"):
        redraw(tmp_path, name)
