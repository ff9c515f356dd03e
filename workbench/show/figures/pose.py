"""Pose rendering: variants side by side, and any joint schema as a figure (PERF-Net section 3)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from workbench.show.figures import common
from workbench.types import Clip, Skeleton


def variants(clip: Clip, drawn: Mapping[str, np.ndarray], heading: str, below: str = "", columns: int = 6) -> go.Figure:
    """Rows of renderings uint8 [T,H,W,3] of one clip by name, on the clip's frames."""
    labels = common.frame_labels(clip.frame_numbers, clip.fps)
    return common.sheet(dict(drawn), labels, heading, below, columns, "frame of the source video (seconds)")


def schema(skeleton: Skeleton, joints: np.ndarray) -> go.Figure:
    """A joint schema drawn on a body: ``joints`` [V,2+] with y up, each joint's index beside it, its name on hovering.

    Joints on the body's left are blue, on its right orange, in the middle green.
    """
    sides = np.full(skeleton.count, 2)
    for left, right in skeleton.pairs:
        sides[left], sides[right] = 0, 1
    x, y = common.skeleton_lines(joints, skeleton.bones)
    figure = go.Figure(go.Scatter(x=x, y=y, mode="lines", line={"color": "#9AA5B1", "width": 4}, showlegend=False))
    for side, name in enumerate(("left", "right", "middle")):
        mine = np.flatnonzero(sides == side)
        names = [common.text(skeleton.joints[index].replace("_", " ")) for index in mine]
        listed = "".join(f"<br>{index}  {name}" for index, name in zip(mine, names, strict=True))
        figure.add_scatter(
            x=np.asarray(joints)[mine, 0],
            y=np.asarray(joints)[mine, 1],
            mode="markers+text",
            marker={"size": 21, "color": common.COLORS[side]},
            text=[str(index) for index in mine],
            textfont={"size": 11, "color": "white"},
            customdata=names,
            hovertemplate="%{text} %{customdata}<extra></extra>",
            showlegend=False,
        )
        figure.add_annotation(
            text=f"<b>{name}</b>{listed}", xref="paper", yref="paper", x=0.62 + 0.14 * side, y=0.98, xanchor="left",
            yanchor="top", align="left", showarrow=False, font={"size": 13, "color": common.COLORS[side]},
        )  # fmt: skip
    figure.update_xaxes(domain=[0, 0.58])
    figure.update_xaxes(title_text="x (metres)").update_yaxes(title_text="y (metres, up)", scaleanchor="x")
    below = f"{skeleton.count} joints, {len(skeleton.bones)} bones; numbers are positions in every pose array"
    return common.finish(figure, f"The schema {skeleton.name}", below, 640)
