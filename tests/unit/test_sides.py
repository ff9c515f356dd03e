"""Left and right of the body have the same colours wherever a skeleton is drawn, and a legend that says which."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from workbench.media import rendering, skeletons
from workbench.media.skeletons import SIDE_COLORS, SIDES
from workbench.show import player, stills
from workbench.show.figures import flow
from workbench.show.figures import pose as figures
from workbench.types import Clip, Pose, Skeleton

KINECT = Skeleton.named("kinect_v2")
#: Where the upper arms hang, and what joins the shoulders.
PLACES = {"left": (60, 40), "right": (20, 40), "middle": (50, 20)}


@pytest.fixture
def pose() -> Pose:
    """Upper arms that hang down, 40 pixels apart, and the shoulders, in two frames of 80 x 80; nothing else."""
    joints = np.full((1, 2, KINECT.count, 2), np.nan, np.float32)
    joints[:, :, KINECT.index("spine_shoulder")] = 40, 20
    for side, x in (("left", 60), ("right", 20)):
        joints[:, :, KINECT.index(f"shoulder_{side}")] = x, 20
        joints[:, :, KINECT.index(f"elbow_{side}")] = x, 60
    return Pose(joints, KINECT, "image", np.arange(2))


def frames() -> np.ndarray:
    return np.zeros((2, 80, 80, 3), np.uint8)


def test_bones_have_the_side_that_both_ends_have():
    sides = zip(KINECT.bones, skeletons.bone_sides(KINECT), strict=True)
    of = {frozenset((KINECT.joints[a], KINECT.joints[b])): SIDES[side] for (a, b), side in sides}
    assert of[frozenset(("shoulder_left", "elbow_left"))] == "left"
    assert of[frozenset(("hip_right", "knee_right"))] == "right"
    assert of[frozenset(("spine_shoulder", "shoulder_left"))] == of[frozenset(("neck", "head"))] == "middle"
    for name in Skeleton.names():
        skeleton = Skeleton.named(name)
        mirrored = skeletons.joint_sides(skeleton)[skeleton.mirror]
        assert mirrored.tolist() == [[0, 2, 1][side] for side in skeletons.joint_sides(skeleton)]


@pytest.mark.parametrize("colors", ["fine", "coarse"])
def test_drawings_have_them(pose, colors):
    drawn = rendering.draw(frames(), pose, colors=colors, thickness=3)[0]
    assert {side: tuple(drawn[y, x]) for side, (x, y) in PLACES.items()} == dict(zip(SIDES, SIDE_COLORS, strict=True))


def test_stills_have_them_and_say_which(pose):
    shown = player.Player(Clip(frames(), np.arange(2), 25.0), pose)
    still, zoom = shown.still(), -(-stills.WIDEST // 80)
    at = {side: tuple(still[stills.GAP + y * zoom, stills.GAP + x * zoom]) for side, (x, y) in PLACES.items()}
    assert at == dict(zip(SIDES, SIDE_COLORS, strict=True))
    key = still[stills.GAP + 80 * zoom :]
    for color in SIDE_COLORS[1:]:
        assert (key == np.array(color)).all(2).sum() > 50
    alone = player.Player(Clip(frames(), np.arange(2), 25.0)).still()
    assert not (alone == np.array(SIDE_COLORS[1])).all(2).any()


def test_the_players_script_has_them():
    told = json.loads(re.match(r"const SIDES = (.*?);", player.module())[1])
    assert told == [f"rgb({r}, {g}, {b})" for r, g, b in SIDE_COLORS]
    assert player.module() in player.page_script() and player.Player._esm == player.module()


def test_figures_have_them():
    joints = np.random.default_rng(0).uniform(size=(KINECT.count, 3)).astype(np.float32)
    spaces = {"a": Pose(joints[None, None], KINECT, "camera", np.arange(1))}
    for figure in (figures.schema(spaces["a"]), flow.pose_spaces(spaces, 0)):
        colors = {trace.marker.color for trace in figure.data if trace.mode and "markers" in trace.mode}
        assert colors == {f"rgb{color}" for color in SIDE_COLORS}


def test_a_schema_stands_upright_in_any_space():
    """In space y points up, in a picture down; the head is above the feet in both."""
    joints = np.full((1, 3, KINECT.count, 3), np.nan, np.float32)
    joints[0, 1] = np.random.default_rng(0).uniform(size=(KINECT.count, 3))
    joints[0, 1, KINECT.index("head"), 1], joints[0, 1, KINECT.index("foot_left"), 1] = 2, -2
    stands = figures.schema(Pose(joints, KINECT, "camera", np.arange(3)))
    assert stands.layout.yaxis.autorange is True and stands.layout.yaxis.title.text == "y (metres, up)"
    assert max(y for trace in stands.data[1:] for y in trace.y) == 2
    flat = figures.schema(Pose(joints[..., :2] * [1, -1], KINECT, "image", np.arange(3)))
    assert flat.layout.yaxis.autorange == "reversed" and flat.layout.yaxis.title.text == "y (pixels, down)"
