"""What the player sends to the browser: ranges, codes, sizes, and the sentences for what does not fit."""

from __future__ import annotations

import base64
import json
import re

import cv2
import numpy as np
import pytest

from safefiles import drafts
from workbench.show import player as module
from workbench.show.player import Player, Track
from workbench.show.scene import MISSING, seconds_per_frame
from workbench.types import Clip, Pose, Skeleton, Truth


def clip_of(frames: int = 16, height: int = 96, width: int = 96, numbers: list[int] | None = None) -> Clip:
    pictures = np.random.default_rng(0).integers(0, 255, (frames, height // 8, width // 8, 3), np.uint8)
    pictures = np.stack([cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC) for picture in pictures])
    return Clip(pictures, np.arange(frames) if numbers is None else np.array(numbers), 25.0, source="a/b.mp4")


def coded(player: Player, name: str = "map", track: int = 0) -> tuple[np.ndarray, float, float]:
    found = player._scene["tracks"][track]["maps"][name]
    cells = np.frombuffer(base64.b64decode(found["data"]), np.uint8).reshape(found["shape"])
    return cells, found["low"], found["high"]


def test_a_map_travels_as_bytes_between_zero_and_its_largest_value():
    cells, low, high = coded(Player(clip_of(), maps={"map": np.array([[[0.0, 0.25], [0.5, np.nan]]])}))
    assert (low, high) == (0.0, 0.5)
    assert cells.tolist() == [[[0, 127], [254, MISSING]]]


def test_a_map_with_negative_values_is_symmetric_about_zero():
    cells, low, high = coded(Player(clip_of(), maps={"map": np.array([[-0.5, 1.0]])}))
    assert (low, high) == (-1.0, 1.0)
    assert cells.tolist() == [[[64, 254]]]  # a map without time is one step; -0.5 is a quarter of the way, 63.5


def test_a_map_of_zeros_has_a_range():
    assert coded(Player(clip_of(), maps={"map": np.zeros((2, 2, 2))}))[1:] == (0.0, 1.0)


def test_a_fine_map_is_averaged_down():
    fine = np.zeros((2, 128, 64), np.float32)
    fine[1, :2, :2] = [[0, 1], [2, 1]]
    cells, _, high = coded(Player(clip_of(), maps={"map": fine}))
    assert cells.shape == (2, 64, 32) and high == pytest.approx(1.0)  # the mean of 0, 1, 2, 1
    assert cells[1, 0, 0] == 254 and cells.sum() == 254


def test_missing_joints_boxes_and_weights_are_null():
    clip, skeleton = clip_of(2), Skeleton.named("kinect_v2")
    joints = np.ones((1, 2, 25, 2), np.float32)
    joints[0, 1, 3] = np.nan
    box = np.array([[1, 2, 3, 4.25], [np.nan] * 4], np.float32)
    truth = Truth(np.zeros(25, bool), np.zeros((2, 96, 96), bool), box, (1, 2), clip.frame_numbers)
    pose = Pose(joints, skeleton, "image", clip.frame_numbers)
    scene = Player(clip, pose, temporal={"temporal": [0.5, np.nan]}, truth=truth)._scene
    assert scene["pose"]["joints"][0][1][3] == [None, None] and scene["pose"]["joints"][0][0][3] == [1, 1]
    assert scene["truth"] == {"box": [[1, 2, 3, 4.2], [None] * 4], "moment": [False, True]}
    assert scene["tracks"][0]["temporal"] == {"temporal": [0.5, None]}
    sides = dict(zip(skeleton.joints, scene["pose"]["sides"], strict=True))
    assert (sides["head"], sides["hand_left"], sides["hand_right"]) == (0, 1, 2)


@pytest.mark.parametrize(("numbers", "seconds"), [([0, 4, 8, 12], 0.16), ([40, 42, 0, 2], 0.08), ([7, 7, 7, 7], 0.04)])
def test_real_time_follows_the_frame_numbers(numbers, seconds):
    assert seconds_per_frame(clip_of(4, numbers=numbers)) == pytest.approx(seconds)


def test_the_pictures_are_the_frames():
    clip = clip_of(3)
    decoded = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB) for jpeg in Player(clip)._frames]
    assert np.abs(np.stack(decoded).astype(int) - clip.frames).mean() < 6


def test_a_fragment_is_small_enough_for_a_notebook():
    for frames, height, width in ((16, 96, 96), (32, 120, 160)):
        clip = clip_of(frames, height, width)
        maps = {name: np.random.default_rng(0).random((frames, height, width)) for name in ("attention", "Grad-CAM")}
        assert len(Player(clip, maps=maps).to_html()) < 1_500_000


def test_html_in_data_cannot_leave_its_place():
    hostile = "</script><script>alert(1)</script>\" onload='x'"
    track = Track(hostile, {hostile: np.ones((1, 2, 2))}, {hostile: [1.0]})
    fragment = Player(clip_of(2), title=hostile, caption=hostile, tracks=[track]).to_html(script=False)
    assert fragment.count("<script") == fragment.count("</script") == 1
    assert "alert" in fragment and "<script>alert" not in fragment and "onload='" not in fragment.split("<script")[0]
    data = json.loads(re.search(r'<script type="application/json">(.*)</script>', fragment)[1])
    assert data["scene"]["title"] == hostile and hostile in data["scene"]["tracks"][0]["maps"]


def test_the_module_is_inlined_once_and_can_be_taken_out():
    player = Player(clip_of(2))
    assert player.to_html().count('type="module"') == 1
    assert module.made_again(player.to_html()) == player.to_html(script=False)
    assert "http" not in re.sub("http://www.w3.org/2000/svg", "", module.page_script())


def test_save_writes_a_whole_page_and_leaves_nothing_else(tmp_path):
    path = Player(clip_of(2), title="<b>").save(tmp_path / "new" / "clip.html")
    assert path.read_text().startswith("<!doctype html>") and "<title>&lt;b&gt;</title>" in path.read_text()
    assert [file.name for file in path.parent.iterdir()] == ["clip.html"]


def test_a_failed_write_keeps_the_old_page(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old")
    monkeypatch.setattr(drafts.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        Player(clip_of(2)).save(path)
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_outside_a_front_end_the_notebook_keeps_the_static_page(monkeypatch):
    player = Player(clip_of(2))
    assert set(player._repr_mimebundle_()[0]) == {"text/plain", "text/html", "image/png"} and player.comm is None
    monkeypatch.setattr(module, "attended", lambda: True)
    live = player._repr_mimebundle_()[0]
    assert live["application/vnd.jupyter.widget-view+json"]["model_id"] == player.model_id and "text/html" in live


def test_update_keeps_what_is_not_named():
    player = Player(clip_of(4), maps={"map": np.ones((1, 2, 2))}, temporal={"t": [1, 2]}, title="before")
    frames = player._frames
    player.update(maps={"map": np.full((1, 2, 2), 3.0)}, caption="now")
    assert player._frames is frames and coded(player)[2] == 3.0
    assert (player._scene["title"], player._scene["caption"]) == ("before", "now")
    assert player._scene["tracks"][0]["temporal"] == {"t": [1, 2]}
    player.update(temporal={"t": [3, 4]}, title="after")
    assert player._scene["tracks"][0]["temporal"] == {"t": [3, 4]}
    assert coded(player)[2] == 3.0 and player._scene["title"] == "after"


def unfit_pose(space: str = "image", frames: int = 16) -> Pose:
    return Pose(np.zeros((1, frames, 25, 2), np.float32), Skeleton.named("kinect_v2"), space, np.arange(frames))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"maps": {"m": np.zeros(3)}}, r"map 'm' must be \[T',H',W'\] or \[H',W'\], got shape \(3,\)"),
        ({"maps": {"m": np.full((1, 2, 2), np.inf)}}, "map 'm' holds infinite values"),
        ({"temporal": {"t": [[1.0]]}}, r"temporal weights 't' must be \[T'\], got shape \(1, 1\)"),
        ({"pixels": unfit_pose("camera")}, "space 'image'"),
        ({"pixels": unfit_pose(frames=15)}, "the pose has 15 frames, the clip 16"),
        ({"tracks": [Track()] * 5}, "one to four tracks side by side, got 5"),
        ({"tracks": [Track()], "maps": {}}, "either maps and temporal, or tracks"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Player(clip_of(), **arguments)


def test_update_of_several_runs_needs_tracks():
    player = Player(clip_of(2), tracks=[Track("a"), Track("b")])
    with pytest.raises(ValueError, match="shows 2 tracks; update them with tracks"):
        player.update(maps={})
    player.update(tracks=[Track("c")])
    assert [track["title"] for track in player._scene["tracks"]] == ["c"]


def test_update_names_what_it_can_change():
    with pytest.raises(ValueError, match="cannot update clip; it can: maps, temporal, tracks, pixels, truth"):
        Player(clip_of(2)).update(clip=clip_of(2))
