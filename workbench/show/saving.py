"""Whatever a notebook shows as a file that stands alone: a page, a picture, a GIF or a film."""

from __future__ import annotations

import html
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image
from plotly.basedatatypes import BaseFigure

from safefiles import drafts
from workbench.media import films
from workbench.show.figures.pictures import WIDE
from workbench.show.player import SUFFIXES, Player

#: Seconds of a film of a figure, which stands still.
LASTS = 4


def save(shown: Any, path: str | Path) -> Path:
    """Writes a player, a figure, or a panel with one of these, atomically and to be opened offline; returns the path.

    .html is a page that moves and answers to the pointer; .png, .gif and .mp4 are pictures. ValueError for another
    suffix or something else to show, RuntimeError where a figure needs Chrome and there is none, OSError where the
    file can't be written.
    """
    path, shown = Path(path), _inside(shown)
    suffix = films.check(path, SUFFIXES)
    if isinstance(shown, Player):
        return shown.save(path)
    if suffix == ".html":
        drafts.write(path, shown.to_html(include_plotlyjs=True).encode())
        return path
    try:
        drawn = shown.to_image("png", width=shown.layout.width or WIDE, scale=2)
    except Exception as problem:  # whatever kaleido or the browser raises
        missing = "a figure is made a picture by Chrome or Chromium, which gave none"
        raise RuntimeError(f"{path}: {missing} ({type(problem).__name__}); as .html it needs no browser") from problem
    picture = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB"))
    return films.write(path, [picture] * LASTS, 1)


def control(shown: Callable[[], Any]) -> ipywidgets.HBox:
    """A file name and a button that saves what ``shown()`` returns; what went wrong is told in one sentence."""
    name = ipywidgets.Text(value="shown.mp4", description="save as", tooltip=f"a file: {', '.join(SUFFIXES)}")
    button, message = ipywidgets.Button(description="Save"), ipywidgets.HTML()

    def pressed(_: Any) -> None:
        button.disabled, message.value = True, "saving …"
        try:
            outcome = f"saved: {save(shown(), name.value).absolute()}"
        except Exception as problem:  # whatever it is must reach the reader, who goes on
            outcome = str(problem) or type(problem).__name__
        button.disabled, message.value = False, html.escape(outcome)

    button.on_click(pressed)
    return ipywidgets.HBox([name, button, message]).add_class("wb-save")


def _inside(shown: Any) -> Any:
    """The player or figure in a panel, or in what else has one."""
    for name in ("drawn", "player"):
        shown = getattr(shown, name, shown)
    if not isinstance(shown, Player | BaseFigure):
        raise ValueError(f"a player or a figure can be saved, got {type(shown).__name__}")
    return shown
