"""The gallery of notebooks of which one was really executed, opened from a file in Chromium."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbconvert
import nbformat
import pandas as pd
import plotly.graph_objects as go
import pytest

from tests.browser.cdp import Browser
from workbench.show import gallery
from workbench.show.widgets import bundle

pytestmark = pytest.mark.xdist_group("gallery")
V4 = nbformat.v4
SETUP = """
import numpy as np
from typing import Literal
from pydantic import BaseModel
from workbench.show.player import Player
from workbench.show.widgets import panel
from workbench.types import Clip
frames = np.random.default_rng(0).integers(0, 255, (8, 48, 48, 3), np.uint8)
clip = Clip(frames, np.arange(8), 8.0, source="clip.mp4")
maps, temporal = {"attention": np.random.rand(4, 6, 6)}, {"temporal": [1, 2, 3, 4]}
player = Player(clip, maps=maps, temporal=temporal, title="<b>drink</b>")
"""
PANEL = """
class Config(BaseModel):
    mode: Literal["a", "b"] = "a"
panel(Config(), lambda config: player)
"""


def plot(i: int) -> go.Figure:
    return go.Figure(
        go.Bar(x=["<script>hacked = 1</script>", "<img src=x onerror='hacked = 1'>"], y=[1, i]),
        {"title": {"text": f"Plot {i}"}},
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Two sections: players and a panel of a headless run, then plots, most of them far below the fold."""
    folder = tmp_path_factory.mktemp("gallery")
    players = [V4.new_markdown_cell("# Players\n\nThey play."), *map(V4.new_code_cell, (SETUP, "player", PANEL))]
    executed = V4.new_notebook(cells=players)
    nbclient.NotebookClient(executed, kernel_name="python3", timeout=60).execute()
    plots = [V4.new_markdown_cell("# Plots\n\nThey are plotted.")]
    for i in range(6):
        outputs = [V4.new_output("display_data", data=bundle(plot(i))[0])]
        plots.append(V4.new_markdown_cell(f"## Plot {i}\n\nCaption {i}."))
        plots.append(V4.new_code_cell("plot", outputs=outputs, execution_count=1))
    for body in ("<table><tr><td>x{}</td></tr></table>", "<div data-player>{}</div>"):
        html = body.format("<img src=x onerror='hacked = 1'><script>hacked = 1</script>")
        foreign = V4.new_output("display_data", data={"text/html": html})
        plots.append(V4.new_code_cell("foreign", outputs=[foreign], execution_count=2))
    paths = [folder / "players.ipynb", folder / "plots.ipynb"]
    for path, notebook in zip(paths, (executed, V4.new_notebook(cells=plots)), strict=True):
        nbformat.write(notebook, path)
    results = pd.DataFrame({"network": ["vpn (embedding=none)", "<i>vpn</i>"], "top-1_mean": [62.1, 77.9]})
    results = results.assign(**{"top-1_std": [1.1, 0.6], "reads": "video and poses", "95 % interval": "69 to 84"})
    results["learnt from"] = "2,380 clips, ready-made"
    return gallery.build(paths, results, folder / "index.html", note="Three seeds each.")


@pytest.fixture
def players(browser: Browser, page: Path) -> Browser:
    browser.open(page.parent / "1-players.html")
    browser.wait("!document.querySelector('[data-player]')")
    return browser


@pytest.fixture
def shown(browser: Browser, page: Path) -> Browser:
    """The page of plots."""
    browser.open(page.parent / "2-plots.html")
    browser.wait("document.readyState === 'complete'")
    return browser


def test_the_first_page_leads_to_the_others(browser, page, artifacts):
    browser.open(page)
    browser.wait("document.readyState === 'complete'")
    assert browser.run("[...document.querySelectorAll('nav a')].map(link => link.textContent)") == [
        "Measured",
        "Players",
        "Plots",
    ]
    assert browser.run("document.querySelector('tbody tr:last-child td').textContent") == "<i>vpn</i>"
    browser.resize(1300, 800)
    assert browser.run("(box => box.scrollWidth <= box.clientWidth)(document.querySelector('#results .scroll'))")
    browser.screenshot(artifacts / "gallery.png", whole=True)
    assert browser.errors == [] and len(browser.requests) == 1
    browser.drag(browser.centre("nav li:last-child a"))
    browser.wait("document.querySelector('h1')?.textContent === 'Plots'")
    browser.drag(browser.centre(".up a"))
    browser.wait("document.querySelector('#results')")


def test_it_is_quiet_offline_and_whole(players, artifacts):
    assert players.run("[...document.querySelectorAll('.wb-player')].map(root => root.player.count)") == [8, 8]
    players.screenshot(artifacts / "gallery_players.png", whole=True)
    assert players.run("document.querySelector('.wb-player h3').textContent") == "<b>drink</b>"
    assert players.errors == []
    assert len(players.requests) == 1 and players.requests[0].startswith("file://")


def test_plots_are_drawn_when_they_come_near(shown):
    drawn = "[...document.querySelectorAll('.plot')].map(plot => !!plot.querySelector('.main-svg'))"
    shown.wait(f"{drawn}[0]")
    assert shown.run(drawn)[-1] is False
    shown.run("document.querySelectorAll('.plot')[5].scrollIntoView({ behavior: 'instant' })")
    shown.wait(f"{drawn}[5]")


def test_text_stays_text(shown):
    shown.run("document.querySelectorAll('.plot').forEach(draw)")
    shown.wait("document.querySelector('.plot .xtick')")
    assert shown.run("typeof hacked") == "undefined"


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_it_fits_every_screen(shown, width):
    shown.resize(width, 800)
    shown.run("document.querySelectorAll('.plot').forEach(draw)")
    shown.wait("document.querySelector('.plot .main-svg')")
    assert shown.run("document.documentElement.scrollWidth") <= width
    # On a phone a figure is scrolled, not squeezed; elsewhere it follows the page, a moment later.
    narrow = str(width < 760).lower()
    fits = f"box => box.scrollWidth >= 760 && (box.scrollWidth > box.clientWidth) === {narrow}"
    shown.wait(f"({fits})(document.querySelector('.plot'))")


def test_a_dark_page_has_light_figures(shown):
    color = "getComputedStyle(document.querySelector({!r})).backgroundColor"
    assert shown.run(color.format("body")) == "rgb(255, 255, 255)"
    shown.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert shown.run(color.format("body")) == "rgb(17, 23, 29)"
    assert shown.run(color.format(".plot")) == "rgb(255, 255, 255)"


def test_nbconvert_shows_the_same_players(browser, page, tmp_path):
    """Players of an executed notebook play without a kernel; what nbconvert itself asks the web for is not needed."""
    exported, _ = nbconvert.HTMLExporter().from_filename(page.parent / "players.ipynb")
    (tmp_path / "players.html").write_text(exported)
    browser.call("Network.setBlockedURLs", urls=["http://*", "https://*"])
    browser.open(tmp_path / "players.html")
    browser.wait("[...document.querySelectorAll('.wb-player')].filter(root => root.player?.count === 8).length === 2")
    browser.call("Network.setBlockedURLs", urls=[])


def test_it_opens_fast(shown):
    assert shown.run("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd") < 3000


def test_it_prints_every_plot(shown):
    size = len(shown.call("Page.printToPDF")["data"])
    assert shown.run("[...document.querySelectorAll('.plot')].every(plot => plot.querySelector('.main-svg'))")
    assert size > 40_000 and shown.errors == []
