"""A real JupyterLab, a real kernel: a player and a panel are run, moved and watched."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from tests.browser.cdp import Browser
from tests.browser.lab import NOTEBOOK, kernel, open_notebook, server
from tests.whatif import FRAMES
from workbench.media import video

pytestmark = pytest.mark.xdist_group("jupyterlab")  # one server serves all of them
V4 = nbformat.v4
CELLS = [
    """
import numpy as np, plotly.graph_objects as go
from typing import Literal
from pydantic import BaseModel, Field
from workbench.show.player import Player
from workbench.show.widgets import panel
from workbench.types import Clip
frames = np.broadcast_to(np.arange(16, dtype=np.uint8)[:, None, None, None] * 12, (16, 64, 64, 3)).copy()
heat = np.zeros((4, 6, 6)); heat[1, 2, 4] = 1
player = Player(Clip(frames, np.arange(16), 16.0), maps={"attention": heat, "flipped": heat[::-1]},
                temporal={"temporal": [1, 2, 3, 4]}, title="<b>live</b>")
player""",
    """
class Config(BaseModel):
    bars: int = Field(3, ge=1, le=8)
    kind: Literal["plot", "player"] = "plot"
def draw(config):
    if config.bars == 8:
        raise ValueError("eight <i>bars</i> are too many")
    if config.kind == "player":
        return Player(Clip(frames[:config.bars], np.arange(config.bars), 16.0), title="from the panel")
    return go.Figure(go.Bar(y=list(range(1, config.bars + 1))))
panel(Config(), draw)""",
    """
from tests.whatif import SKELETON, Toy, sample
from workbench.explain.what_if import WhatIf
from workbench.show.explorer import Explorer
explorer = Explorer({"toy": WhatIf(Toy(), sample(), SKELETON, ["a", "b", "c"])}, title="explored")
explorer""",
]
PLAYER = "document.querySelector('.wb-player').player"
EXPLORED = "document.querySelector('.wb-explorer .wb-player')"
BARS = ".wb-panel .js-plotly-plot .barlayer .point"


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """One small notebook in a JupyterLab."""
    root = tmp_path_factory.mktemp("lab")
    work = root / "work"
    work.mkdir()
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = V4.new_notebook(cells=list(map(V4.new_code_cell, CELLS)), metadata=metadata)
    nbformat.write(notebook, work / "small.ipynb")
    with server(root, work) as address:
        yield address + "small.ipynb"


@pytest.fixture(scope="module")
def lab(chromium: Browser, address: str) -> Browser:
    """The notebook, opened and run to its end."""
    chromium.resize(1400, 2000)
    open_notebook(chromium, address)
    chromium.run("jupyterapp.commands.execute('notebook:run-all-cells').then(() => true)")
    chromium.wait("document.querySelector('.wb-player')?.player?.bitmaps.length === 16", 90)
    chromium.wait("document.querySelector('.wb-panel .js-plotly-plot .main-svg')", 90)
    chromium.wait("document.querySelector('.wb-explorer .wb-player')?.player?.bitmaps.length", 90)
    return chromium


@pytest.fixture
def browser_of_files() -> Iterator[Browser]:
    """A second browser, so that the notebook stays open."""
    with Browser() as browser:
        yield browser


def bars(lab: Browser) -> int:
    return lab.run(f"document.querySelectorAll('{BARS}').length")


def focus_player(lab: Browser) -> None:
    lab.run("document.querySelector('.wb-player').focus()")


def test_the_live_view_is_shown_and_its_keys_stay_with_it(lab):
    assert lab.run("document.querySelectorAll('.jp-Notebook .wb-player').length") == 2
    assert lab.run("document.querySelector('.wb-player h3').textContent") == "<b>live</b>"
    before = lab.run(f"{PLAYER}.panes[0].canvas.toDataURL()")
    focus_player(lab)
    for key in ("m", "Home", "ArrowRight", "ArrowRight"):
        lab.press(key)
    assert lab.run(f"[{PLAYER}.state.map, {PLAYER}.state.frame]") == ["flipped", 2]
    assert lab.run(f"{PLAYER}.panes[0].canvas.toDataURL()") != before
    assert lab.run(f"{NOTEBOOK}.content.widgets.map(cell => cell.model.type)")[:2] == ["code", "code"]


def test_the_kernel_hears_of_the_frame_when_the_player_rests(lab):
    focus_player(lab)
    lab.press("End")
    lab.wait(f"{PLAYER}.state.frame === 15")
    time.sleep(0.5)
    assert kernel(lab, "print(player.frame)") == "15"
    kernel(lab, "player.frame = 4")
    lab.wait(f"{PLAYER}.state.frame === 4")


def test_playing_needs_no_kernel(lab):
    lab.run(f"window.count = 0; {NOTEBOOK}.sessionContext.session.kernel.anyMessage.connect(() => count++)")
    lab.run(f"{PLAYER}.set('speed', '4'); {PLAYER}.play()")
    # What the kernel still had to say of earlier cells may arrive first; traffic caused by playing would never cease.
    for _ in range(10):
        lab.run("window.count = 0")
        time.sleep(0.7)
        count, playing = lab.run(f"[count, {PLAYER}.state.playing]")
        if count == 0:
            break
    lab.run(f"{PLAYER}.pause()")
    assert (count, playing) == (0, True)


def test_new_maps_arrive_from_the_kernel(lab):
    lab.run(f"{PLAYER}.set('map', 'attention'); {PLAYER}.seek(5)")
    before = lab.run(f"{PLAYER}.panes[0].canvas.toDataURL()")
    assert kernel(lab, "player.update(maps={'attention': heat[:, ::-1], 'flipped': heat})") == ""
    lab.wait(f"{PLAYER}.panes[0].canvas.toDataURL() !== {json.dumps(before)}")
    assert lab.run(f"[{PLAYER}.state.map, {PLAYER}.state.frame]") == ["attention", 5]


def test_a_slider_redraws_the_figure(lab, artifacts):
    before = bars(lab)
    lab.run("document.querySelector('.wb-panel .noUi-handle').focus()")
    for _ in range(2):
        lab.press("ArrowRight")
    lab.wait(f"document.querySelectorAll('{BARS}').length === {before + 2}")
    lab.screenshot(artifacts / "jupyterlab.png")


def test_an_error_is_told_and_the_picture_stays(lab):
    before = bars(lab)
    lab.run("document.querySelector('.wb-panel .noUi-handle').focus()")
    lab.press("End")
    lab.wait("document.querySelector('.wb-panel [role=alert]')")
    assert lab.run("document.querySelector('.wb-panel [role=alert]').textContent") == "eight <i>bars</i> are too many"
    assert bars(lab) == before
    for _ in range(4):
        lab.press("ArrowLeft")
    lab.wait("!document.querySelector('.wb-panel [role=alert]')")


def test_a_menu_shows_a_player_and_closing_it_frees_its_pictures(lab):
    menu = "document.querySelector('.wb-panel select')"
    choose = f"{menu}.selectedIndex = {{}}; {menu}.dispatchEvent(new Event('change', {{{{ bubbles: true }}}}))"
    drawn = "document.querySelector('.wb-panel .wb-player')?.player.bitmaps.length"
    lab.run(choose.format(1))
    try:
        lab.wait(drawn)
    except TimeoutError:
        # anywidget gives a model two seconds to load, which a busy machine may miss: choose again, as a reader would.
        lab.run(choose.format(0))
        lab.wait("document.querySelector('.wb-panel .js-plotly-plot .main-svg')")
        lab.run(choose.format(1))
        lab.wait(drawn)
    lab.run("window.held = document.querySelector('.wb-panel .wb-player').player.bitmaps")
    lab.run(choose.format(0))
    lab.wait("held.every(bitmap => bitmap.width === 0) && !document.querySelector('.wb-panel .wb-player')")
    lab.wait("document.querySelector('.wb-panel .js-plotly-plot .main-svg')")


def explored(lab: Browser, what: str) -> object:
    return lab.run(f"(player => {what})({EXPLORED}.player)")


def test_dragging_a_joint_is_answered_by_the_kernel(lab, artifacts):
    """Attention, scores and skeleton follow the hand."""
    maps = explored(lab, "player.scene.tracks[0].maps.attention.data")
    lab.run(f"{EXPLORED}.player.seek(0)")
    [x, y] = explored(lab, "player.scene.pose.joints[0][0][11]")
    lab.run(f"window.waits = []; {EXPLORED}.addEventListener('answer', event => waits.push(event.detail))")
    left, top, width = lab.run(f"""(canvas => {{
        canvas.scrollIntoView({{ block: 'center', behavior: 'instant' }});
        const box = canvas.getBoundingClientRect();
        return [box.x, box.y, box.width];
    }})({EXPLORED}.querySelector('.wb-picture canvas'))""")
    zoom = width / 24
    lab.drag((left + x * zoom, top + y * zoom), (left + 3 * zoom, top + 4 * zoom), (left + 2 * zoom, top + 3 * zoom))
    lab.wait(f"{EXPLORED}.player.scene.ghost && !{EXPLORED}.player.asked && waits.length")
    assert explored(lab, "player.scene.tracks[0].maps.attention.data") != maps
    assert "kept backbone" in lab.run(f"{EXPLORED}.querySelector('.wb-answer').textContent")
    assert kernel(lab, "print(len(explorer.changes), explorer.changes[0].frame, explorer.error)") == "1 0 None"
    lab.screenshot(artifacts / "jupyterlab_explorer.png")


def press_button(lab: Browser, label: str) -> None:
    buttons = "[...document.querySelectorAll('.wb-explorer button')]"
    lab.run(f"{buttons}.find(button => button.textContent.trim() === {json.dumps(label)}).click()")


@pytest.mark.parametrize(
    "label, told",
    [("drop joints", "drop"), ("jitter joints", "jitter"), ("mirror body", "mirror"), ("shuffle time", "shuffle")],
)
def test_each_button_changes_what_is_shown(lab, label, told):
    before = explored(lab, "player.scene.update ?? 0")
    picture = explored(lab, "player.panes[0].canvas.toDataURL()")
    press_button(lab, label)
    lab.wait(f"{EXPLORED}.player.scene.update > {before}")
    assert told in kernel(lab, "print(explorer._list.value)").split("; ")[-1]
    assert explored(lab, "player.panes[0].canvas.toDataURL()") != picture
    press_button(lab, "undo")
    lab.wait(f"{EXPLORED}.player.panes[0].canvas.toDataURL() === {json.dumps(picture)}")


def save_as(lab: Browser, name: str) -> str:
    """Types a file's name below the explorer, presses Save, and returns what is said."""
    row = "document.querySelector('.wb-explorer .wb-save')"
    lab.drag(lab.centre(".wb-explorer .wb-save input"))
    lab.press("a", modifiers=2)
    lab.call("Input.insertText", text=name)
    lab.drag(lab.centre(".wb-explorer .wb-save button"))
    lab.wait(f"{row}.textContent.includes({json.dumps(name)}) && !{row}.querySelector('button').disabled", 60)
    return lab.run(f"{row}.querySelector('.widget-html').textContent.trim()")


@pytest.mark.slow
def test_what_the_explorer_shows_is_saved(lab, browser_of_files, artifacts):
    """As a film, a GIF, a picture and a page, with what was done to the clip, beside the notebook."""
    kernel(lab, "explorer.reset()")
    explored(lab, "player.seek(3)")
    told = explored(lab, "player.scene.update")
    press_button(lab, "mirror body")
    lab.wait(f"{EXPLORED}.player.scene.update > {told}")
    lab.wait(f"{EXPLORED}.player.state.frame === 3")
    time.sleep(0.5)  # the kernel hears of the frame when the player rests
    work = Path(kernel(lab, "import os; print(os.getcwd())"))
    there = set(work.iterdir())
    said = save_as(lab, "shown.txt")
    assert said == "shown.txt must end in one of .html, .mp4, .gif, .png"
    for name in ("film.mp4", "film.gif", "picture.png", "new/page.html"):
        assert save_as(lab, name) == f"saved: {work / name}"
    lab.screenshot(artifacts / "jupyterlab_saved.png")
    names = {path.name for path in set(work.iterdir()) - there}
    assert names == {"film.mp4", "film.gif", "picture.png", "new"}
    film = video.read(work / "film.mp4")
    animation, picture = Image.open(work / "film.gif"), np.array(Image.open(work / "picture.png"))
    assert len(film.frames) == animation.n_frames == FRAMES
    height, width = picture.shape[:2]
    assert animation.size == (width, height) and film.frames.shape[1:3] == (height + height % 2, width + width % 2)
    assert np.abs(film.frames[3][:height, :width].astype(int) - picture).mean() < 6  # the frame in view
    assert np.abs(film.frames[3].astype(int) - film.frames[0]).mean() > 1  # it moves
    browser_of_files.open(work / "new/page.html")
    browser_of_files.wait("document.querySelector('.wb-player')?.player?.bitmaps.length")
    played = "document.querySelector('.wb-player').player"
    assert browser_of_files.run(f"[{played}.state.frame, {played}.count]") == [3, FRAMES]
    same = "JSON.stringify([player.scene.pose.joints, player.scene.ghost, player.scene.tracks])"
    mine = explored(lab, same)
    assert browser_of_files.run(f"(player => {same})({played})") == mine
    browser_of_files.screenshot(artifacts / "explorer_saved.png")
    assert browser_of_files.errors == []
    kernel(lab, "explorer.reset()")


def test_a_dead_kernel_leaves_the_last_answer_readable(lab):
    told = int(kernel(lab, "explorer.reset(); print(explorer.player._updates)"))
    press_button(lab, "mirror body")
    lab.wait(f"{EXPLORED}.player.scene.update > {told}")
    rows = lab.run(f"{EXPLORED}.querySelector('.wb-answer').textContent")
    lab.run(f"{NOTEBOOK}.sessionContext.session.kernel.interrupt().then(() => true)")
    lab.run(f"{NOTEBOOK}.sessionContext.shutdown().then(() => true)")
    assert lab.run(f"{EXPLORED}.querySelector('.wb-answer').textContent") == rows
    frame = explored(lab, "(player.nudge(1), player.state.frame)")
    explored(lab, "(player.nudge(1), player.state.frame)")
    assert explored(lab, "player.state.frame") != frame or frame == 7
    lab.run(f"{EXPLORED}.focus()")
    lab.press("j")
    lab.press("ArrowRight", modifiers=8)
    lab.wait(f"{EXPLORED}.querySelector('.wb-readout').textContent.startsWith('nobody answers')", 10)


def test_the_console_stayed_clean_and_nothing_left_the_machine(lab):
    assert lab.errors == []
    assert [request for request in lab.requests if "//127.0.0.1:" not in request] == []
