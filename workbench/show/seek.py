"""A timeline and a player that follow each other: a click on a bar or a cell shows the pictures of that moment."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np
import plotly.graph_objects as go

from workbench.show.player import Player


def follow(figure: go.Figure, player: Player, times: np.ndarray) -> ipywidgets.VBox:
    """``figure`` above ``player``. times float [T], the second of each of the player's frames; ``customdata`` of what
    is clicked is a moment in seconds, or several of which the first counts, as in ``figures.detection.timeline``."""
    # It is drawn before it is in the page, and cannot know how wide that is.
    live = go.FigureWidget(figure).update_layout(width=1000)
    for trace in live.data:
        trace.on_click(lambda trace, points, _: seek(player, times, moment(trace, points.point_inds)))
    return ipywidgets.VBox([live, player])


def moment(trace: Any, clicked: list) -> float | None:
    """The moment that the first of the clicked points stands for; None where nothing was hit."""
    if not clicked or trace.customdata is None:
        return None
    index = tuple(clicked[0]) if isinstance(clicked[0], list | tuple) else clicked[0]
    return float(np.ravel(np.asarray(trace.customdata)[index])[0])


def seek(player: Player, times: np.ndarray, second: float | None) -> None:
    """Shows the frame that is nearest to the ``second``."""
    if second is not None:
        player.frame = int(np.abs(times - second).argmin())
