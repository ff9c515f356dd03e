"""The static player in Chromium: hostile text, people who see or move differently, memory, new maps, no scripts."""

from __future__ import annotations

import json
import time

import pytest

from tests.browser.stage import choose, look, seek, start, state, tell
from workbench.show.player import Player, Track

pytestmark = pytest.mark.xdist_group("player")
HOSTILE = "<script>window.hacked = 1</script><b>bold</b> & \"quoted\" </script><img src=x onerror='window.hacked = 1'>"


def test_text_from_data_is_never_markup(browser, tmp_path, clip, heat):
    tracks = [Track(HOSTILE, {HOSTILE: heat}, {HOSTILE: [1, 2]}), Track("plain")]
    start(browser, tmp_path / "page.html", Player(clip, title=HOSTILE, caption=HOSTILE, tracks=tracks))
    places = ["h3", ".wb-caption", "figcaption", "option", ".wb-legend span"]
    texts = browser.run(f"{places}.map(place => document.querySelector(place).textContent)")
    assert texts == [HOSTILE] * 5
    assert HOSTILE in browser.run("[...document.querySelectorAll('.wb-blank')].at(-1).textContent")
    assert "clip <1>.mp4" in browser.run("document.querySelector('.wb-facts').textContent")
    assert browser.run("[typeof hacked, document.querySelectorAll('.wb-player :is(b, img, script)').length]") == [
        "undefined",
        0,
    ]
    assert browser.errors == []


def test_every_control_has_a_name_and_visible_focus(shown):
    nodes = shown.call("Accessibility.getFullAXTree")["nodes"]
    controls = [
        node for node in nodes if node.get("role", {}).get("value") in ("button", "slider", "combobox", "checkbox")
    ]
    assert len(controls) >= 12
    assert all(node["name"]["value"].strip() for node in controls)
    for _ in range(12):
        shown.press("Tab")
        style, width = shown.run("(e => [e.outlineStyle, e.outlineWidth])(getComputedStyle(document.activeElement))")
        assert style == "solid" and float(width.removesuffix("px")) >= 2


def test_reduced_motion_plays_once(shown):
    shown.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    choose(shown, "speed", "4")
    seek(shown, 10)
    tell(shown, "root.focus()")
    shown.press(" ")
    shown.wait("!document.querySelector('.wb-player').player.state.playing")
    assert state(shown, "frame") == 15


def test_pictures_live_only_near_the_screen(browser, tmp_path, clip, heat):
    start(browser, tmp_path / "page.html", *[Player(clip, maps={"attention": heat}) for _ in range(6)])
    alive = "[...document.querySelectorAll('.wb-player')].map(root => root.player.bitmaps.length)"
    assert browser.run(alive)[0] == 16 and browser.run(alive)[-1] == 0
    browser.run("window.first = document.querySelector('.wb-player').player.bitmaps[0]; scrollTo(0, 1e6)")
    browser.wait(f"{alive}.at(-1) === 16 && {alive}[0] === 0")
    assert browser.run("first.width") == 0  # a closed bitmap has no size


def test_closing_frees_the_pictures(shown):
    tell(shown, "window.held = player.bitmaps; window.gone = player; player.play(); player.destroy()")
    assert shown.run("[held.length, held.every(bitmap => bitmap.width === 0)]") == [16, True]
    assert shown.run("[gone.bitmaps.length, gone.jpegs.length, gone.root.childElementCount]") == [0, 0, 0]
    time.sleep(0.2)  # an animation frame that still drew would fail by now
    assert shown.errors == []


def test_new_maps_replace_the_old_and_keep_what_was_chosen(shown, clip, pose, truth, heat):
    """What an explorer does: the same pictures, another answer."""
    player = Player(
        clip,
        pose,
        {"attention": heat, "Grad-CAM": heat[::-1], "difference": heat},
        {"temporal": [1] * 4, "Grad-CAM over time": [1] * 4},
        truth,
        "drink",
        "A caption.",
    )
    choose(shown, "map", "Grad-CAM")
    shown.run("document.querySelector('[name=map]').focus()")
    seek(shown, 5)
    before, strip = look(shown), look(shown, ".wb-strip")
    player.update(
        maps={"attention": heat, "Grad-CAM": heat * 2, "difference": heat},
        temporal={"temporal": [4, 3, 2, 1], "Grad-CAM over time": [1] * 4},
    )
    shown.run(f"document.querySelector('.wb-player').player.show({json.dumps(player._scene)})")
    assert look(shown) != before and look(shown, ".wb-strip") != strip
    assert (state(shown, "map"), state(shown, "frame"), shown.run("document.activeElement.name")) == (
        "Grad-CAM",
        5,
        "map",
    )


def test_without_scripts_some_frames_and_the_words_remain(browser, tmp_path, clip):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        path = Player(clip, title="drink <up>", caption="Words.").save(tmp_path / "still.html")
        browser.call("Page.navigate", url=path.as_uri())
        time.sleep(0.5)
        tree = browser.call("Accessibility.getFullAXTree")["nodes"]
        words = " ".join(node.get("name", {}).get("value", "") for node in tree)
        assert (
            "drink <up>" in words
            and "Words." in words
            and "A still of a player: it plays where scripts may run" in words
        )
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
