"""What the pose backbone listens to: joint activations in body order (VPN fig. 5a) and channels over time (fig. 5b)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.explain import joints as read
from workbench.explain import maps
from workbench.show.figures import common
from workbench.types import Clip, Skeleton, Truth


def matrices(
    values: Mapping[str, np.ndarray | None], skeleton: Skeleton, truth: Mapping[str, Truth | None] | None = None
) -> go.Figure:
    """Fig. 5a: a panel a clip, joints in body order from top to bottom, poses from left to right, one colour scale.

    values: name -> the map ``joints`` [t_p,V] or None; truth: name -> Truth or None; its joints are marked. A blank
    where no panel has values.
    """
    heading = "The joints to which the pose backbone responds"
    ordered = {name: read.in_body_order(value, skeleton) for name, value in values.items() if value is not None}
    if not ordered:
        return common.blank(heading, "this run has no pose backbone, so no joint activations")
    figure = common.panels(ordered, horizontal_spacing=0.16)
    for column, (name, matrix) in enumerate(ordered.items(), 1):
        known = (truth or {}).get(name)
        true = np.zeros(len(matrix.names), bool) if known is None else known.joints[matrix.order]
        figure.add_heatmap(
            z=matrix.values, coloraxis="coloraxis", row=1, col=column, hovertemplate="%{z:.3f}<extra></extra>"
        )
        labels = [common.text(joint.replace("_", " ")) for joint in matrix.names]
        for index in np.flatnonzero(true):
            labels[index] = f"<span style='color:{common.TRUTH}'><b>{labels[index]}</b></span>"
        ticks = {"tickvals": list(range(len(labels))), "ticktext": labels, "tickfont_size": 12}
        figure.update_yaxes(**ticks, autorange="reversed", showgrid=False, row=1, col=column)
        figure.update_xaxes(title_text="pose (t_p, in order of time)", showgrid=False, row=1, col=column)
    figure.update_yaxes(title_text="joint, in body order", col=1)
    below = "bright: strong activation"
    below += "; green: the joints that decide the label" if any((truth or {}).values()) else ""
    bar = {"colorscale": common.SEQUENTIAL, "colorbar": common.bar("activation", "no unit")}
    return common.finish(figure, heading, below, 640, coloraxis=bar)


def top(
    values: Mapping[str, np.ndarray | None], skeleton: Skeleton, everyone: np.ndarray | None = None, count: int = 6
) -> go.Figure:
    """The ``count`` joints that stand out in each clip, averaged over its poses.

    values: name -> the map ``joints`` [t_p,V] or None; everyone: the same map of many clips [S,t_p,V], against which a
    clip's joints stand out (explain.joints.standing_out). A blank where no clip has values.
    """
    heading = "The joints that stand out"
    present = {name: value for name, value in values.items() if value is not None}
    if not present:
        return common.blank(heading, "this run has no pose backbone, so no joint activations")
    figure = common.panels(present, horizontal_spacing=0.16)
    for column, value in enumerate(present.values(), 1):
        activation = value if everyone is None else read.standing_out(value, everyone)
        best = read.top_joints(activation, skeleton, count)
        names = [joint.replace("_", " ") for joint, _ in best]
        style = {"hover": "%{y}: %{x:.4f}", "marker_color": common.COLORS[0]}
        figure.add_trace(common.bars([height for _, height in best], names, **style), 1, column)
        figure.update_yaxes(autorange="reversed", row=1, col=column)
    unit = "activation (no unit)" if everyone is None else "activation above the mean (no unit)"
    figure.update_xaxes(title_text=unit).update_yaxes(title_text="joint", col=1)
    return common.finish(figure, heading, "averaged over the poses of the clip", 380, showlegend=False)


def kernels(feature_map: np.ndarray | None, clip: Clip, count: int = 5) -> go.Figure:
    """Fig. 5b: above, the heat of each step's leading channels over its middle frame; below, which lead, and when.

    feature_map [C,T',H',W']; ``count`` channels lead at a step. A blank where it is None.
    """
    if feature_map is None:
        return common.blank("Kernels over time", "this run has no feature map")
    led = read.kernels_over_time(feature_map, count)
    steps = led.activation.shape[1]
    middles = maps.spans(steps, len(clip.frames)).mean(1).astype(np.int64)
    heat = maps.upsample(maps.normalise(led.steps), (steps, *clip.frames.shape[1:3]))
    pictures = maps.overlay(clip.frames[middles], heat)
    figure = make_subplots(2, 1, row_heights=[0.36, 0.64], shared_xaxes=True, vertical_spacing=0.03)
    for index, picture in enumerate(pictures):
        corner = {"x": index - 0.49, "y": 1, "sizex": 0.98, "sizey": 1, "xref": "x", "yref": "y"}
        figure.add_layout_image(source=common.picture(picture), sizing="contain", layer="above", **corner)
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
    common.rows(figure, led.channels.tolist(), "channel (kernel)", row=2, col=1)
    figure.update_yaxes(showgrid=False, row=2, col=1)
    figure.update_xaxes(
        title_text="time step of the feature map",
        tickvals=list(range(steps)),
        ticktext=[f"t' = {index}" for index in range(steps)],
        range=[-0.5, steps - 0.5],
        showgrid=False,
        row=2,
        col=1,
    )
    below = "rings: the strongest channels of each step; pictures: where in the frame they are active"
    return common.finish(figure, "Kernels over time", below, 330 + 24 * max(8, len(led.channels)))
