"""Dragging joints, covering regions and pointing at places, with a mouse and with keys, in a static page."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import numpy as np
import pytest

from tests.browser.stage import PICTURE, choose, look, pixel, seek, start, state, tell
from workbench.show.player import Edited, Player, Track

pytestmark = pytest.mark.xdist_group("player")
HEAR = "window.edits = []; document.querySelector('.wb-player').addEventListener('edit', e => edits.push(e.detail))"


@pytest.fixture
def player(clip, pose, truth, heat) -> Player:
    scores = [("<b>drink</b>", 0.75, 0.5), ("sit", 0.25, None), ("lie", 0.5, 0.500123), ("eat", 0.0031, 0.0012)]
    track = Track("", {"attention": heat}, {"temporal": [0.1, 0.6, 0.2, 0.1]}, scores=scores, note="in 7 ms")
    return Player(clip, pose, truth=truth, tracks=[track], edited=Edited(("joint", "cover")))


@pytest.fixture
def edited(browser, tmp_path, player):
    """A page whose player may be edited: a page by itself offers no tools, since nobody would answer."""
    start(browser, tmp_path / "page.html", player)
    assert browser.run("document.querySelector('[name=tool]')") is None
    browser.run(f"document.querySelector('.wb-player').player.show({json.dumps(player._scene)})")
    choose(browser, "tool", "joint")
    browser.run(HEAR)
    return browser


def on_page(browser, x: float, y: float) -> tuple[float, float]:
    """Where a place of the clip is on the page."""
    picture = f"document.querySelector('{PICTURE}').getBoundingClientRect()"
    left, top, width = browser.run(f"(r => [r.x, r.y, r.width])({picture})")
    return left + float(x) * width / 96, top + float(y) * width / 96


def answer(browser, player) -> None:
    browser.run(f"document.querySelector('.wb-player').player.show({json.dumps(player._scene)})")


def test_a_joint_follows_the_mouse_and_the_kernel_is_asked_one_thing_at_a_time(edited, player, pose, artifacts):
    seek(edited, 5)
    joint = 11
    x, y = pose.joints[0, 5, joint]
    edited.centre(PICTURE)
    before = look(edited)
    edited.drag(on_page(edited, x, y), on_page(edited, 60, 20), on_page(edited, 70, 30))
    [first] = edited.run("edits")  # the others wait for the answer
    nearest = first["joint"]
    assert np.hypot(*(pose.joints[0, 5, nearest] - pose.joints[0, 5, joint])) < 6
    assert (first["kind"], first["frame"], first["done"]) == ("joint", 5, False)
    assert [first["x"], first["y"]] == pytest.approx([60, 20], abs=0.5)
    assert look(edited) != before
    answer(edited, player)
    last = edited.run("edits.at(-1)")
    assert last["done"] is True and [last["x"], last["y"]] == pytest.approx([70, 30], abs=0.5)
    assert edited.run("edits.length") == 2
    edited.screenshot(artifacts / "player_editing.png")
    assert edited.errors == []


def test_keys_choose_and_move_a_joint(edited, player, pose):
    tell(edited, "root.focus()")
    edited.press("j")
    assert edited.run("document.querySelector('.wb-readout').textContent") == "spine mid chosen"
    edited.press("ArrowRight", modifiers=8)
    x, y = pose.joints[0, 0, 1]
    first = edited.run("edits[0]")
    assert (first["joint"], first["done"], state(edited, "frame")) == (1, True, 0)
    assert [first["x"], first["y"]] == pytest.approx([x + 1, y], abs=0.06)
    answer(edited, player)
    edited.press("J", modifiers=8)
    assert edited.run("document.querySelector('.wb-readout').textContent") == "spine base chosen"


def test_when_nobody_answers_it_is_said_and_the_last_answer_stays(edited, pose):
    tell(edited, "root.focus()")
    edited.press("ArrowRight", modifiers=8)
    maps = look(edited, ".wb-strip")
    edited.wait("document.querySelector('.wb-readout').textContent.startsWith('nobody answers')", 5)
    assert look(edited, ".wb-strip") == maps
    edited.press("ArrowRight")
    assert state(edited, "frame") == 1  # it can still be read


def test_what_waited_is_asked_when_a_late_answer_comes(edited, player, pose):
    seek(edited, 5)
    edited.centre(PICTURE)
    x, y = pose.joints[0, 5, 11]
    edited.drag(on_page(edited, x, y), on_page(edited, 60, 20), on_page(edited, 70, 30))
    edited.wait("document.querySelector('.wb-readout').textContent.startsWith('nobody answers')", 5)
    assert [edit["done"] for edit in edited.run("edits")] == [False]
    answer(edited, player)
    assert [edit["done"] for edit in edited.run("edits")] == [False, True]


def test_a_region_is_covered(edited):
    choose(edited, "tool", "cover")
    edited.centre(PICTURE)
    edited.drag(on_page(edited, 20, 10), on_page(edited, 30, 20), on_page(edited, 50, 40))
    [edit] = edited.run("edits")
    assert edit["kind"] == "cover" and edit["box"] == pytest.approx([20, 10, 50, 40], abs=0.5)
    edited.drag(on_page(edited, 20, 10))
    assert edited.run("edits.length") == 1  # a click covers nothing


def test_covers_and_another_order_are_drawn(edited, player):
    tell(edited, "player.set('map', ''); player.set('skeleton', false); player.set('truth', false)")
    seek(edited, 2)
    assert abs(pixel(edited, 80, 80) - (10 + 2 * 12)).max() <= 3
    order = [15, *range(1, 16)]
    order[2] = 9
    player.update(edited=Edited(("joint", "cover"), order=order, covers=[((70, 70, 90, 90), (2, 3), (200, 0, 0))]))
    answer(edited, player)
    assert abs(pixel(edited, 20, 20) - (10 + 9 * 12)).max() <= 3
    assert abs(pixel(edited, 80, 80) - [200, 0, 0]).max() <= 3
    seek(edited, 3)
    assert abs(pixel(edited, 80, 80) - (10 + 3 * 12)).max() <= 3


def test_panes_as_it_was_and_as_it_is_drawn_stand_beside_the_edit(edited, clip, pose, truth, artifacts):
    """The first pane can't be dragged; the last has pictures, joints and a truth of its own."""
    light = np.full_like(clip.frames, 240)
    aside = pose.with_joints(pose.joints + np.float32([40, 0]))
    moved = replace(truth, box=truth.box - np.float32([50, 0, 50, 0]))
    tracks = [Track("was", before=True), Track("now"), Track("drawn", frames=light, pixels=aside, truth=moved)]
    given = Edited(("joint", "cover"), before=pose, covers=[((0, 70, 8, 90), (0, 16), (200, 0, 0))])
    player = Player(clip, aside, truth=truth, tracks=tracks, edited=given)
    frames = json.dumps([base64.b64encode(frame).decode() for frame in player._frames])
    edited.run(f"document.querySelector('.wb-player').player.show({json.dumps(player._scene)}, {frames})")
    edited.wait("document.querySelector('.wb-player').player.bitmaps.length === 32")
    seek(edited, 5)
    assert (
        abs(pixel(edited, 4, 80) - (10 + 5 * 12)).max() <= 3 and abs(pixel(edited, 4, 80, 1) - [200, 0, 0]).max() <= 3
    )
    assert abs(pixel(edited, 80, 60, 2) - 240).max() <= 3
    x, y = pose.joints[0, 5, 11].tolist()
    for pane, edits in ((0, 0), (2, 1)):
        place = x + (40 if pane else 0), y
        box = f"document.querySelectorAll('{PICTURE}')[{pane}]"
        edited.run(f"{box}.scrollIntoView({{ block: 'center', behavior: 'instant' }})")
        left, top, wide = edited.run(f"(r => [r.x, r.y, r.width])({box}.getBoundingClientRect())")
        start_at, end = ((left + a * wide / 96, top + b * wide / 96) for a, b in (place, (90, 10)))
        edited.drag(start_at, end)
        assert edited.run("edits.length") == edits
    assert edited.run("edits[0].kind") == "joint"
    edited.screenshot(artifacts / "player_three_panes.png")
    assert edited.errors == []


def test_scores_are_text_and_bars(edited):
    cells = "[...row.cells].map(cell => cell.textContent)"
    rows = edited.run(f"[...document.querySelectorAll('.wb-answer tr')].map(row => {cells})")
    small = [["lie", "", "0.50 (−0.00012)"], ["eat", "", "0.0031 (+0.0019)"]]  # readable, however small
    assert rows == [["<b>drink</b>", "", "0.75 (+0.25)"], ["sit", "", "0.25"], *small]
    assert edited.run("document.querySelector('.wb-answer p').textContent") == "in 7 ms"
    widths = "[...document.querySelectorAll('.wb-share')].map(bar => bar.offsetWidth / bar.parentNode.offsetWidth)"
    assert edited.run(widths) == pytest.approx([0.75, 0.25, 0.5, 0.0031], abs=0.02)


def test_a_click_shows_where_a_place_looks(browser, tmp_path, clip, artifacts):
    matrix = np.full((4 * 3 * 3, 4 * 2 * 2), 0.01)
    matrix[np.ravel_multi_index((2, 0, 2), (4, 3, 3)), np.ravel_multi_index((1, 1, 0), (4, 2, 2))] = 1
    track = Track(affinity=(matrix, (4, 3, 3), (4, 2, 2)))
    start(browser, tmp_path / "page.html", Player(clip, tracks=[track]))
    tell(browser, "player.set('smooth', false)")
    seek(browser, 9)  # step 2 of 4
    browser.centre(PICTURE)
    browser.drag(on_page(browser, 80, 16))
    seek(browser, 5)  # step 1, which that place looks at
    bright, dark = np.ptp(pixel(browser, 24, 72)), np.ptp(pixel(browser, 72, 24))
    assert bright > 40 and dark < bright
    browser.screenshot(artifacts / "player_affinity.png")
    seek(browser, 13)
    assert np.ptp(pixel(browser, 24, 72)) < bright
    assert browser.errors == []


def test_six_pinned_panes_move_under_one_scrubber(browser, tmp_path, clip, heat, artifacts):
    tracks = [Track(f"pane {i}", {f"map {i}": heat * (i + 1)}, pin=f"map {i}", note=f"note {i}") for i in range(6)]
    tracks[3] = Track("pane 3", {"map 3": None}, pin="map 3")
    start(browser, tmp_path / "page.html", Player(clip, tracks=tracks))
    assert browser.run("document.querySelector('[name=map]')") is None
    seek(browser, 5)
    tell(browser, "player.set('smooth', false)")
    shown = [look(browser, pane=i) for i in range(6)]
    assert shown[0] == shown[5] and shown[0] != shown[3]  # each on a scale of its own, one of them a blank
    blanks = "[...document.querySelectorAll('.wb-blank')].map(b => b.checkVisibility() ? b.textContent : '')"
    assert browser.run(blanks) == ["", "", "", "This run has no map “map 3”", "", ""]
    browser.screenshot(artifacts / "player_microscope.png", whole=True)
    assert browser.errors == []
