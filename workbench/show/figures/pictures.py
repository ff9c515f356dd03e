"""A figure in a notebook: plotly's own form, and beside it a picture where the notebook runs headless, since viewers
such as GitHub's and nbconvert's pages draw no plotly."""

from __future__ import annotations

import atexit
import base64
import json
import warnings
from functools import cache
from typing import Any

import plotly.io as pio
from plotly.basedatatypes import BaseFigure
from plotly.io.base_renderers import PlotlyRenderer

from workbench.show.session import pictured

PLOTLY = "application/vnd.plotly.v1+json"
#: Pixels of a figure whose width follows the page.
WIDE = 1100


class Pictured(PlotlyRenderer):
    """Plotly's own form and a picture."""

    def to_mimebundle(self, fig_dict: dict) -> dict[str, Any]:
        """The MIME bundle of a figure."""
        return super().to_mimebundle(fig_dict) | picture(fig_dict)


def bundle(figure: BaseFigure) -> dict[str, Any]:
    """The MIME bundle of ``figure``, of JSON and text alone."""
    return {PLOTLY: json.loads(figure.to_json()), "text/plain": "plotly figure", **picture(figure.to_dict())}


def picture(figure: dict) -> dict[str, str]:
    """The "image/png" of a figure, where the notebook keeps pictures; nothing elsewhere, and a sentence where Chrome is
    missing."""
    if not pictured():
        return {}
    try:
        _browser()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The kopts argument")  # plotly's way to start a browser
            drawn = pio.to_image(figure, "png", width=figure["layout"].get("width") or WIDE, validate=False)
    except Exception as problem:  # whatever kaleido or the browser raises
        lacks = f"a picture of it needs Chrome or Chromium, which gave none ({type(problem).__name__})"
        return {"text/plain": f"plotly figure: JupyterLab and VS Code draw it; {lacks}"}
    return {"image/png": base64.b64encode(drawn).decode()}


@cache
def _browser() -> None:
    """One browser for all figures of this process."""
    import kaleido

    kaleido.start_sync_server(silence_warnings=True)
    atexit.register(kaleido.stop_sync_server, silence_warnings=True)


def register() -> None:
    """Makes ``Pictured`` what this process shows figures by."""
    pio.renderers["workbench"] = Pictured()
    pio.renderers.default = "workbench"
