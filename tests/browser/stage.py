"""A static page with players, and hands and eyes for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.browser.cdp import Browser
from workbench.show.player import Player, page, page_script

PICTURE = ".wb-picture canvas"


def start(browser: Browser, path: Path, *players: Player, frame: int | None = 0) -> None:
    """Opens a page with these players, waits for their pictures, and goes to a frame (None: where they open)."""
    path.write_text(page("".join(player.to_html(script=False) for player in players) + page_script(), "test"))
    browser.open(path)
    browser.wait("document.querySelectorAll('.wb-player').length && !document.querySelector('[data-player]')")
    browser.wait("document.querySelector('.wb-player').player.bitmaps.length")
    if frame is not None:
        seek(browser, frame)


def pixel(browser: Browser, x: float, y: float, pane: int = 0) -> np.ndarray:
    """RGB at a place of the clip (clip pixels) as drawn."""
    read = f"pen.getImageData({x} * zoom, {y} * zoom, 1, 1).data"
    return np.array(tell(browser, f"const {{ pen, zoom }} = player.panes[{pane}]; return [...{read}]")[:3], float)


def tell(browser: Browser, script: str) -> object:
    """Runs JavaScript with ``root`` the first player's element and ``player`` its controller."""
    return browser.run(f"(root => {{ const player = root.player; {script} }})(document.querySelector('.wb-player'))")


def look(browser: Browser, selector: str = PICTURE, pane: int = 0) -> str:
    return browser.run(f"document.querySelectorAll('{selector}')[{pane}].toDataURL()")


def seek(browser: Browser, frame: int) -> None:
    tell(browser, f"player.seek({frame})")


def state(browser: Browser, key: str) -> object:
    return tell(browser, f"return player.state.{key}")


def choose(browser: Browser, name: str, value: str | float) -> None:
    """Sets a menu or a slider by name, as a hand would."""
    browser.run(f"""(() => {{
        const node = document.querySelector('.wb-options [name="{name}"]');
        node.value = {value!r};
        node.dispatchEvent(new Event(node.tagName === 'SELECT' ? 'change' : 'input'));
    }})()""")
