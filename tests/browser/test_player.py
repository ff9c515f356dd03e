"""The static player in Chromium: what time, keys and controls do to the pixels."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.browser.stage import PICTURE, choose, look, pixel, seek, start, state, tell
from workbench.media.skeletons import SIDE_COLORS
from workbench.show.player import Player, Track
from workbench.types import Pose, Skeleton

pytestmark = pytest.mark.xdist_group("player")


def test_a_page_is_quiet_and_asks_for_nothing(shown, artifacts):
    seek(shown, 5)
    shown.screenshot(artifacts / "player.png", whole=True)
    assert shown.errors == []
    assert len(shown.requests) == 1 and shown.requests[0].startswith("file://")


def test_it_opens_at_the_peak_of_what_it_shows(browser, tmp_path, clip, pose, truth, heat):
    start(browser, tmp_path / "page.html", Player(clip, pose, {"attention": heat}, truth=truth), frame=None)
    assert state(browser, "frame") == 6 and np.ptp(pixel(browser, 72, 40)) > 60  # the hot step is of frames 4 to 7


def test_panes_have_pictures_of_their_own_and_move_in_step(browser, tmp_path, clip):
    tracks = [Track("as it is", frames=clip.frames), Track("inverted", frames=255 - clip.frames)]
    start(browser, tmp_path / "page.html", Player(clip, tracks=tracks))
    for frame in (0, 9, 15):
        seek(browser, frame)
        for pane, grey in enumerate((10 + 12 * frame, 245 - 12 * frame)):
            assert abs(pixel(browser, 48, 48, pane) - grey).max() <= 2, (frame, pane)
    assert browser.errors == []


def test_every_frame_is_shown_exactly_in_any_order(browser, tmp_path, clip):
    start(browser, tmp_path / "page.html", Player(clip))
    for frame in np.random.default_rng(1).permutation(16):
        seek(browser, frame)
        assert abs(pixel(browser, 48, 48) - (10 + 12 * frame)).max() <= 2, frame
        assert f"frame {frame + 1} of 16" in browser.run("document.querySelector('.wb-clock').textContent")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("map", "Grad-CAM"),
        ("map", ""),
        ("colours", "viridis"),
        ("colours", "cividis"),
        ("opacity", 0.1),
        ("opacity", 0),
    ],
)
def test_a_menu_or_slider_changes_the_picture(shown, name, value):
    seek(shown, 6)
    before = look(shown)
    choose(shown, name, value)
    assert look(shown) != before


@pytest.mark.parametrize("name", ["smooth", "skeleton", "truth"])
def test_a_checkbox_changes_the_picture_and_back(shown, name):
    seek(shown, 6)
    before = look(shown)
    shown.drag(shown.centre(f"[name={name}]"))
    assert state(shown, name) is False and look(shown) != before
    shown.drag(shown.centre(f"[name={name}]"))
    assert look(shown) == before


def test_the_strip_shows_the_chosen_weights(shown):
    before = look(shown, ".wb-strip")
    choose(shown, "strip", "Grad-CAM over time")
    assert look(shown, ".wb-strip") != before


def test_a_cell_lights_up_where_and_when_it_is(shown):
    """T' = 4 steps of 4 frames; the hot cell of step 1 covers x 64..80, y 32..48 of the clip."""
    tell(shown, "player.set('smooth', false)")
    for frame in range(16):
        seek(shown, frame)
        hot, cold = pixel(shown, 72, 40), pixel(shown, 24, 24)
        assert (np.ptp(hot) > 60) == (4 <= frame < 8), frame
        assert np.ptp(cold) < 25
    seek(shown, 5)
    inside, outside = [pixel(shown, x, 40) for x in (64.5, 79.5)], [pixel(shown, x, 40) for x in (63, 81)]
    assert min(map(np.ptp, inside)) > 60 and max(map(np.ptp, outside)) < 25


def test_smooth_interpolates_in_time(shown):
    """Between the middles of step 1 (frame 5.5) and step 2 (frame 9.5) the heat fades linearly."""
    strengths = []
    for frame in (5, 6, 7, 8, 9):
        seek(shown, frame)
        on = pixel(shown, 72, 40)
        strengths.append(np.ptp(on))
    assert strengths == sorted(strengths, reverse=True) and strengths[0] > strengths[2] + 10 > strengths[4]


def test_a_signed_map_is_blue_below_zero_and_orange_above(shown):
    tell(shown, "player.set('smooth', false)")
    choose(shown, "map", "difference")
    seek(shown, 5)
    above, below = pixel(shown, 72, 40), pixel(shown, 24, 24)
    assert above[0] > above[2] + 20 and below[2] > below[0] + 5
    assert shown.run("[...document.querySelectorAll('.wb-legend span')].map(s => s.textContent)") == [
        "difference",
        "-0.8",
        "0.8",
    ]


def test_the_pointer_reads_the_value_of_a_cell(shown):
    seek(shown, 5)
    x, y, width, height = shown.run(
        f"(r => [r.x, r.y, r.width, r.height])(document.querySelector('{PICTURE}').getBoundingClientRect())"
    )
    shown.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + width * 4.5 / 6, y=y + height * 2.5 / 6)
    assert shown.run("document.querySelector('.wb-readout').textContent") == "attention 1 at step 1, row 2, column 4"


def test_a_missing_body_is_not_drawn(shown):
    for frame, differs in ((3, False), (4, True)):
        seek(shown, frame)
        with_skeleton = look(shown)
        tell(shown, "player.set('skeleton', false)")
        assert (look(shown) != with_skeleton) == differs
        tell(shown, "player.set('skeleton', true)")


def test_keys_move_the_player(shown):
    tell(shown, "root.focus()")
    for key, frame in (
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", 15),
        ("ArrowRight", 15),
        ("Home", 0),
    ):
        shown.press(key)
        assert state(shown, "frame") == frame, key
    for name in ("Grad-CAM", "difference", "", "attention"):
        shown.press("m")
        assert state(shown, "map") == name and shown.run("document.querySelector('[name=map]').value") == name
    for key, name in (("s", "skeleton"), ("t", "truth")):
        shown.press(key)
        assert state(shown, name) is False and shown.run(f"document.querySelector('[name={name}]').checked") is False
    shown.press(" ")
    assert state(shown, "playing") is True
    shown.press(" ")
    assert state(shown, "playing") is False


def test_a_focused_control_keeps_its_keys(shown):
    shown.run("document.querySelector('[name=opacity]').focus()")
    shown.press("ArrowLeft")
    assert state(shown, "frame") == 0 and state(shown, "opacity") == 0.75
    shown.run("document.querySelector('[name=smooth]').focus()")
    shown.press(" ")
    assert state(shown, "smooth") is False and state(shown, "playing") is False


def test_it_plays_in_real_time_and_loops(shown):
    tell(shown, "window.seen = []; root.addEventListener('frame', e => seen.push([e.detail, performance.now()]))")
    seek(shown, 12)
    shown.drag(shown.centre("[aria-label=Play]"))
    shown.wait("seen.length > 2 && performance.now() - seen[1][1] > 1500")
    shown.drag(shown.centre("[aria-label=Pause]"))
    frames, times = np.array(shown.run("seen")[1:]).T
    due = frames[0] + (times - times[0]) / 125  # 24 fps, every third frame; a busy machine may skip some
    late = (frames - due + 8) % 16 - 8
    assert np.abs(late).max() <= 2 and (np.diff(frames) < 0).any()


def test_a_listener_can_stop_it(shown):
    tell(shown, "root.addEventListener('frame', () => player.pause()); player.set('speed', '4'); player.play()")
    shown.wait("!document.querySelector('.wb-player').player.state.playing")
    time.sleep(0.2)
    assert state(shown, "frame") in (1, 2, 3)


def test_dragging_the_strip_scrubs(shown):
    x, y = shown.centre(".wb-strip")
    left, width = shown.run("(r => [r.x, r.width])(document.querySelector('.wb-strip').getBoundingClientRect())")
    shown.drag((left + width * 2.5 / 16, y))
    assert state(shown, "frame") == 2
    shown.drag((x, y), (left + width * 0.9, y), (left + width + 50, y))
    assert state(shown, "frame") == 15


def test_runs_side_by_side_move_in_lock_step_and_a_lacking_map_is_a_labelled_blank(
    browser, tmp_path, artifacts, clip, pose, truth, heat
):
    tracks = [
        Track("vpn", {"attention": heat, "Grad-CAM": heat}, {"temporal": [0.1, 0.6, 0.2, 0.1]}),
        Track("rgb", {"attention": None, "Grad-CAM": heat * 0.5}),
    ]
    start(browser, tmp_path / "page.html", Player(clip, pose, truth=truth, title="Two", tracks=tracks))
    seek(browser, 5)
    blanks = "[...document.querySelectorAll('.wb-blank')].map(b => b.checkVisibility() ? b.textContent : '')"
    assert browser.run(blanks) == ["", "rgb has no map “attention”"]
    browser.screenshot(artifacts / "player_two.png", whole=True)
    choose(browser, "map", "Grad-CAM")
    assert browser.run(blanks) == ["", ""]
    tell(browser, "player.set('smooth', false)")
    shared = [np.ptp(pixel(browser, 72, 40, pane)) for pane in (0, 1)]
    choose(browser, "scale", "own")
    own = [np.ptp(pixel(browser, 72, 40, pane)) for pane in (0, 1)]
    assert (
        abs(pixel(browser, 72, 40, 0) - pixel(browser, 72, 40, 1)).max() <= 1
    )  # one scale each: both show their highest
    assert shared[0] == own[0] and shared[1] != own[1]
    for frame in (0, 9, 15):
        seek(browser, frame)
        assert abs(pixel(browser, 5, 5, 0) - pixel(browser, 5, 5, 1)).max() <= 1
    assert browser.errors == []


def test_the_skeleton_and_its_legend_have_the_colours_of_the_sides(browser, tmp_path, clip):
    skeleton = Skeleton.named("kinect_v2")
    joints = np.full((1, len(clip.frames), skeleton.count, 2), np.nan, np.float32)
    joints[:, :, skeleton.index("spine_shoulder")] = 40, 20
    for side, x in (("left", 60), ("right", 20)):
        joints[:, :, skeleton.index(f"shoulder_{side}")] = x, 20
        joints[:, :, skeleton.index(f"elbow_{side}")] = x, 60
    start(browser, tmp_path / "page.html", Player(clip, Pose(joints, skeleton, "image", clip.frame_numbers)))
    shown = [tuple(map(int, pixel(browser, x, y))) for x, y in ((50, 20), (60, 40), (20, 40))]
    assert shown == list(SIDE_COLORS)
    swatches = "[...document.querySelectorAll('[name=skeleton] ~ i')].map(dot => getComputedStyle(dot).backgroundColor)"
    assert browser.run(swatches) == [f"rgb{color}" for color in SIDE_COLORS[1:]]
