"""A notebook that papermill has executed, read by others: as nbconvert's page without a network, and in JupyterLab
without running a cell, untrusted and trusted; players play there, and figures and formulas are seen."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import bleach
import nbformat
import numpy as np
import papermill
import pytest
from PIL import Image

from tests.browser.cdp import Browser
from tests.browser.lab import open_notebook, server
from workbench.show.figures.pictures import PLOTLY, WIDE
from workbench.show.offline_page import OfflinePage
from workbench.show.player import STILL

pytestmark = pytest.mark.xdist_group("jupyterlab")
TEXT = "# Seen\n\nThe weights $A_{st} < 1$ of `$HOME`, and\n\n$$f' = f + A f$$"
CELLS = [
    """
import numpy as np
from pydantic import BaseModel
from workbench.show.player import Player, Track
from workbench.show.widgets import panel
from workbench.types import Clip
frames = np.broadcast_to(np.arange(16, dtype=np.uint8)[:, None, None, None] * 12 + 10, (16, 96, 96, 3)).copy()
heat = np.zeros((4, 6, 6)); heat[2, 2, 4] = 1
clip = Clip(frames, np.arange(16), 16.0)
Player(clip, maps={"attention": heat}, temporal={"temporal": [1, 2, 4, 3]}, title="<b>alone</b>", caption="at its peak")
""",
    """
class Config(BaseModel):
    dark: bool = False
def draw(config):
    tracks = [Track("as it is", frames=frames), Track("darker", frames=frames // (4 if config.dark else 2))]
    return Player(clip, title="in a panel", tracks=tracks)
shown = panel(Config(), draw)
shown.exercise()
shown
""",
    """
import plotly.graph_objects as go
from workbench.show.figures import common
common.finish(go.Figure(go.Bar(y=[1, 2])), "A figure", height=300)
""",
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Path:
    """Two players, one of them in a panel whose controls were all tried, and a figure."""
    folder = tmp_path_factory.mktemp("executed")
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_markdown_cell(TEXT), *map(nbformat.v4.new_code_cell, CELLS)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / "in.ipynb")
    (folder / "work").mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WORKBENCH_PICTURES", "1")
        papermill.execute_notebook(folder / "in.ipynb", folder / "work/out.ipynb", progress_bar=False, log_output=False)
    return folder / "work/out.ipynb"


def outputs(path: Path) -> list[dict]:
    cells = nbformat.read(path, 4).cells
    return [output["data"] for cell in cells for output in cell.get("outputs", []) if "data" in output]


def test_every_player_is_a_page_and_a_still_at_its_peak_and_asks_the_network_for_nothing(executed, artifacts):
    *shown, figure = outputs(executed)
    assert [set(data) for data in shown] == [{"text/plain", "text/html", "image/png"}] * 2
    assert set(figure) == {PLOTLY, "image/png"}
    assert "stream" not in {
        output.output_type for cell in nbformat.read(executed, 4).cells for output in cell.get("outputs", [])
    }  # nothing is said beside them
    assert Image.open(io.BytesIO(base64.b64decode(figure["image/png"]))).size == (WIDE, 300)
    for data in shown:
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", data["text/html"])
        assert STILL in data["text/html"] and STILL in data["text/plain"]
    picture = Image.open(io.BytesIO(base64.b64decode(shown[0]["image/png"])))
    picture.save(artifacts / "still.png")
    pixels = np.array(picture).astype(int)
    zoom = 4  # 360 pixels or more
    x, y = 12 + round(4.5 / 6 * 96 * zoom), picture.height - 24 - 24 - 56 - round(3.5 / 6 * 96 * zoom)
    assert np.ptp(pixels[y, x]) > 60  # the hot cell of the third step, in row 2 of 6


def test_the_notebook_keeps_no_second_copy_of_its_players(executed):
    assert "_frames" not in json.dumps(nbformat.read(executed, 4).metadata)


def test_where_scripts_are_taken_out_a_line_and_the_still_remain(executed):
    """What stays of it under rules such as GitHub's: no script, no style; pictures and words."""
    for data in outputs(executed)[:2]:
        kept = bleach.clean(
            re.sub(r"<(script|style)\b.*?</\1>", "", data["text/html"], flags=re.DOTALL),
            tags={"div", "figure", "figcaption", "img"}, attributes={"img": ["src", "alt"]},
            protocols={"data"}, strip=True,
        )  # fmt: skip
        assert STILL in kept and len(kept) < 200_000
        source = re.search(r'src="data:image/jpeg;base64,([^"]+)"', kept)[1]
        width, height = Image.open(io.BytesIO(base64.b64decode(source))).size
        assert width >= 384 and height >= 384


def test_nbconverts_page_plays_and_has_its_formulas_without_a_network(browser: Browser, executed, tmp_path, artifacts):
    text, _ = OfflinePage().from_filename(str(executed))
    page = tmp_path / "out.html"
    page.write_text(text)
    browser.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    try:
        browser.open(page)
        browser.wait(
            "[...document.querySelectorAll('.wb-player')].filter(root => root.player?.bitmaps.length).length == 2"
        )
        assert browser.run("document.querySelector('.wb-player').player.state.frame") == 10
        browser.run("document.querySelector('.wb-player').player.play()")
        browser.wait("document.querySelector('.wb-player').player.state.frame < 5")
        browser.run("document.querySelector('.wb-player').player.pause()")
        assert browser.run("document.querySelectorAll('.wb-player figcaption').length") == 2  # the panes' names
        widths = "[...document.querySelectorAll('.jp-OutputArea-output > img')].map(picture => picture.naturalWidth)"
        assert browser.run(widths) == [WIDE]
        formulas = "[...document.querySelectorAll('math')].map(formula => formula.getBoundingClientRect().height > 9)"
        assert browser.run(formulas) == [True, True]
        assert browser.run("document.querySelector('.jp-MarkdownCell code').textContent") == "$HOME"
        loaded = "[...document.querySelectorAll('[src], link')].map(node => node.src ?? node.href)"
        assert [one for one in browser.run(loaded) if not one.startswith(("data:", "blob:"))] == []
        assert browser.requests == [page.as_uri()] and browser.errors == []
        browser.screenshot(artifacts / "nbconvert.png", whole=True)
    finally:
        browser.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1,
                     uploadThroughput=-1)  # fmt: skip


@pytest.fixture(scope="module")
def address(tmp_path_factory, executed: Path) -> Iterator[str]:
    with server(tmp_path_factory.mktemp("reading"), executed.parent) as address:
        yield address + executed.name


def test_jupyterlab_shows_the_still_until_the_notebook_is_trusted_and_then_plays(
    chromium: Browser, address: str, artifacts
):
    chromium.resize(1400, 2400)
    open_notebook(chromium, address)
    stills = "[...document.querySelectorAll('.jp-RenderedHTML figure img')]"
    chromium.wait(f"{stills}.filter(still => still.naturalWidth > 300).length == 2", 60)
    assert chromium.run("document.querySelectorAll('.wb-player canvas').length") == 0
    assert chromium.run("document.querySelectorAll('.jp-RenderedHTML figcaption')[0].textContent") == STILL
    chromium.screenshot(artifacts / "untrusted.png")
    chromium.run("jupyterapp.commands.execute('notebook:trust').then(() => true), true")
    chromium.wait("document.querySelector('.jp-Dialog .jp-mod-accept')", 60)
    chromium.run("document.querySelector('.jp-Dialog .jp-mod-accept').click()")
    chromium.wait(
        "[...document.querySelectorAll('.wb-player')].filter(root => root.player?.bitmaps.length).length == 2", 60
    )
    chromium.screenshot(artifacts / "trusted.png")
