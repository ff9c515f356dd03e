"""What the pose backbone listens to: joint activations in body order (VPN fig. 5a) and channels over time (fig. 5b)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.explain import maps
from workbench.explain.joints import JointMatrix, Kernels
from workbench.show.figures import common
from workbench.types import Clip


def matrices(values: Mapping[str, JointMatrix | None], truth: Mapping[str, np.ndarray] | None = None) -> go.Figure:
    """Fig. 5a: a panel a clip, joints in body order from top to bottom, poses from left to right, one colour scale.

    ``truth``: name -> bool [V] in the skeleton's order; those joints are marked. A blank where no panel has values.
    """
    heading = "Which joints the pose backbone answers to"
    shown = {name: matrix for name, matrix in values.items() if matrix is not None}
    if not shown:
        return common.blank(heading, "this run has no pose backbone, so no joint activations")
    figure = make_subplots(1, len(shown), subplot_titles=[common.text(name) for name in shown], horizontal_spacing=0.16)
    for column, (name, matrix) in enumerate(shown.items(), 1):
        true = np.zeros(len(matrix.names), bool) if truth is None else np.asarray(truth[name])[matrix.order]
        figure.add_heatmap(
            z=matrix.values, coloraxis="coloraxis", row=1, col=column, hovertemplate="%{z:.3f}<extra></extra>"
        )
        labels = [_joint(joint, marked) for joint, marked in zip(matrix.names, true, strict=True)]
        ticks = {"tickvals": list(range(len(labels))), "ticktext": labels, "tickfont_size": 12}
        figure.update_yaxes(**ticks, autorange="reversed", showgrid=False, row=1, col=column)
        figure.update_xaxes(title_text="pose (t_p, in order of time)", showgrid=False, row=1, col=column)
    figure.update_yaxes(title_text="joint, in body order", col=1)
    below = "bright: strong activation" + ("; green: the joints that make the label what it is" if truth else "")
    bar = {"colorscale": common.SEQUENTIAL, "colorbar": common.bar("activation", "no unit")}
    return common.finish(figure, heading, below, 640, coloraxis=bar)


def top(values: Mapping[str, Sequence[tuple[str, float]]]) -> go.Figure:
    """The most activated joints of each clip or class: name -> [(joint, mean activation)], best first."""
    heading = "The joints that count most"
    if not any(values.values()):
        return common.blank(heading, "this run has no pose backbone, so no joint activations")
    figure = make_subplots(
        1, len(values), subplot_titles=[common.text(name) for name in values], horizontal_spacing=0.16
    )
    for column, best in enumerate(values.values(), 1):
        figure.add_bar(
            x=[value for _, value in best],
            y=[_joint(joint, False) for joint, _ in best],
            orientation="h",
            marker_color=common.COLORS[0],
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
            row=1,
            col=column,
        )
        figure.update_yaxes(autorange="reversed", row=1, col=column)
    figure.update_xaxes(title_text="mean activation (no unit)").update_yaxes(title_text="joint", col=1)
    return common.finish(figure, heading, "averaged over the poses of the clip", 360, showlegend=False)


def kernels(led: Kernels, clip: Clip) -> go.Figure:
    """Fig. 5b: above, the heat of each step's leading channels over its middle frame; below, which lead, and when."""
    steps = led.activation.shape[1]
    middles = maps.spans(steps, len(clip.frames)).mean(1).astype(np.int64)
    heat = maps.upsample(maps.normalise(led.steps), (steps, *clip.frames.shape[1:3]))
    pictures = maps.overlay(clip.frames[middles], heat)
    figure = make_subplots(2, 1, row_heights=[0.36, 0.64], shared_xaxes=True, vertical_spacing=0.03)
    for index, shown in enumerate(pictures):
        place = {"x": index - 0.49, "y": 1, "sizex": 0.98, "sizey": 1, "xref": "x", "yref": "y"}
        figure.add_layout_image(source=common.picture(shown), sizing="contain", layer="above", **place)
    figure.update_yaxes(visible=False, range=[0, 1], row=1, col=1)
    figure.update_xaxes(visible=False, range=[-0.5, steps - 0.5], row=1, col=1)
    # One unit of x is one step; an invisible trace makes plotly draw the empty upper panel at all.
    figure.add_scatter(x=[0], y=[0], opacity=0, hoverinfo="skip", showlegend=False, row=1, col=1)
    figure.add_heatmap(
        z=led.activation,
        x=list(range(steps)),
        y=list(range(len(led.channels))),
        colorscale=common.SEQUENTIAL,
        colorbar=common.bar("mean activation", "no unit", len=0.62, y=0.31),
        hovertemplate="%{z:.3f}<extra></extra>",
        row=2,
        col=1,
    )
    rows, columns = np.nonzero(led.leads)
    ring = {"symbol": "circle-open", "size": 13, "color": "#D55E00", "line": {"width": 3}}
    figure.add_scatter(x=columns, y=rows, mode="markers", marker=ring, hoverinfo="skip", showlegend=False, row=2, col=1)
    figure.update_yaxes(
        title_text="channel (kernel)",
        tickvals=list(range(len(led.channels))),
        ticktext=[str(channel) for channel in led.channels],
        autorange="reversed",
        showgrid=False,
        row=2,
        col=1,
    )
    figure.update_xaxes(
        title_text="time step of the feature map",
        tickvals=list(range(steps)),
        ticktext=[f"t' = {index}" for index in range(steps)],
        range=[-0.5, steps - 0.5],
        showgrid=False,
        row=2,
        col=1,
    )
    below = "rings: the most activated channels of each step; pictures: where in the frame they fire"
    return common.finish(figure, "Kernels over time", below, 330 + 24 * max(8, len(led.channels)))


def _joint(name: str, marked: bool) -> str:
    shown = common.text(name.replace("_", " "))
    return f"<span style='color:{common.TRUTH}'><b>{shown}</b></span>" if marked else shown
