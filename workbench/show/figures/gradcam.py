"""Grad-CAM's two conventions side by side: the maps over the frames, and the channel weights behind them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from workbench.explain import maps
from workbench.show.figures import common
from workbench.types import Clip

NAMES = {"per_step": "weights pooled\nper time step", "over_time": "weights pooled\nover time"}


def side_by_side(
    clip: Clip,
    values: Mapping[str, np.ndarray],
    target: str,
    probability: float,
    scale: str = "clip",
) -> go.Figure:
    """The frames and, row by row, each convention's map [T',H',W'] over them, for the class called ``target``.

    ``probability`` is the softmax score of that class; ``scale`` as in explain.maps.
    """
    rows = {"frames": clip.frames}
    for name, value in values.items():
        frames = maps.upsample(maps.normalise(value, scale), clip.frames.shape[:3])
        rows[NAMES.get(name, name)] = maps.overlay(clip.frames, frames, 0.8)
    labels = common.frame_labels(clip)
    below = f"explains {target!r} (score {probability:.2f}); bright cells support the class"
    return common.sheet(rows, labels, "Grad-CAM in two conventions", below)


def weights(per_step: np.ndarray, over_time: np.ndarray, count: int = 16) -> go.Figure:
    """The channel weights: [C,T'] beside their mean over time [C], the ``count`` channels that vary the most.

    A row whose colours change sign is a channel that the one convention uses and the other averages away.
    """
    channels = np.argsort(-np.ptp(per_step, axis=1), kind="stable")[:count]
    channels = channels[np.argsort(-over_time[channels], kind="stable")]
    steps = per_step.shape[1]
    columns = [f"t' = {index}" for index in range(steps)] + ["pooled<br>over time"]
    values = np.concatenate(
        [per_step[channels], np.full((len(channels), 1), np.nan), over_time[channels, None]], axis=1
    )
    peak = float(np.abs(values[np.isfinite(values)]).max()) or 1.0
    ticks = [*range(steps), steps + 1]
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=list(range(steps + 2)),
            y=list(range(len(channels))),
            zmin=-peak,
            zmax=peak,
            colorscale=common.DIVERGING,
            xgap=2,
            ygap=2,
            colorbar=common.bar("weight", "logit per feature", exponentformat="power"),
            hovertemplate="weight %{z:.2e}<extra></extra>",
        )
    )
    figure.update_xaxes(title_text="time step of the feature map", tickvals=ticks, ticktext=columns, showgrid=False)
    common.rows(figure, channels.tolist(), "channel")
    figure.update_yaxes(showgrid=False)
    below = f"the {len(channels)} of {len(over_time)} channels that change most over time; orange supports the class"
    return common.finish(figure, "The weights behind the maps", below, 130 + 26 * max(8, len(channels)))
