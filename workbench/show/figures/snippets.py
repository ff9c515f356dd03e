"""What detectors make of a video's snippets: covariances of channels (Augmented-RGB figure 4), how sharply features
change at boundaries (figure 5), and precision against time (figure 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.show.figures import common


def covariances(matrices: Mapping[str, np.ndarray | None], threshold: float = 0.5) -> go.Figure:
    """Channel covariances [C,C] by name, None where there is none, each scaled to [0,1] and shown in two tones: at or
    above ``threshold``, and below. Their order of channels is each network's own."""
    heading = "Channels that rise and fall together"
    present = {name: np.asarray(matrix, np.float64) for name, matrix in matrices.items() if matrix is not None}
    if not present:
        return common.blank(heading, "no run has a covariance")
    titles = [common.text(name if name in present else f"{name}: not given") for name in matrices]
    figure = make_subplots(1, len(matrices), subplot_titles=titles, horizontal_spacing=0.04)
    for column, name in enumerate(matrices, 1):
        if name not in present:
            figure.update_xaxes(visible=False, row=1, col=column)
            figure.update_yaxes(visible=False, row=1, col=column)
            continue
        scaled = unit(present[name])
        colors = [[0, "white"], [0.5, "white"], [0.5, common.COLORS[0]], [1, common.COLORS[0]]]
        figure.add_heatmap(
            z=(scaled >= threshold).astype(float), zmin=0, zmax=1, colorscale=colors, showscale=False,
            customdata=scaled, row=1, col=column,
            hovertemplate="channels %{x} and %{y}: %{customdata:.2f}<extra></extra>",
        )  # fmt: skip
        figure.update_xaxes(title_text="channel", constrain="domain", row=1, col=column)
        figure.update_yaxes(autorange="reversed", scaleanchor=f"x{column if column > 1 else ''}", row=1, col=column)
    below = f"covariance over the video, scaled to 0 to 1; coloured from {threshold:g}"
    return common.finish(figure, heading, below, 380)


def unit(matrix: np.ndarray) -> np.ndarray:
    """The same scaled so that its smallest entry is 0 and its largest 1; zeros if they are one."""
    spread = matrix.max() - matrix.min()
    return (matrix - matrix.min()) / spread if spread else np.zeros_like(matrix)


def saliency(curves: Mapping[str, np.ndarray], times: np.ndarray, edges: Sequence[float]) -> go.Figure:
    """How much features change from each snippet to the next: name -> float [T-1], each scaled to its largest; times
    float [T-1], the moments between snippets, in seconds; edges: starts and ends of actions, as dashed lines."""
    figure = go.Figure()
    for index, (name, curve) in enumerate(curves.items()):
        curve = np.asarray(curve, np.float64)
        line = {"color": common.color(index), "dash": ("solid", "dot", "dash", "dashdot")[index % 4]}
        figure.add_scatter(x=times, y=curve / max(curve.max(initial=0), 1e-12), name=common.text(name), line=line)
    for edge in edges:
        figure.add_vline(float(edge), line_color=common.SOFT, line_dash="dash", line_width=1)
    figure.update_xaxes(title_text="time (s)")
    figure.update_yaxes(title_text="change (share of the largest)", range=[0, 1.05])
    below = "length of the change of the feature vector; dashed: an action starts or ends"
    return common.finish(figure, "The change of features at the boundaries of actions", below, 360)


def against_time(table: pd.DataFrame) -> go.Figure:
    """Per-frame mAP against seconds of work for a minute of video. table: rows name, seconds (NaN: not known, left out
    and named below), frame_map in [0,1]."""
    heading = "The cost of the extra modality"
    timed = table[table["seconds"].notna()]
    if timed.empty:
        return common.blank(heading, "no run has a measured time")
    figure = go.Figure()
    for index, row in enumerate(timed.itertuples()):
        figure.add_scatter(
            x=[row.seconds], y=[100 * row.frame_map], mode="markers+text", text=[common.text(row.name)],
            textposition="top center", marker={**common.marker(index), "size": 12}, showlegend=False,
            hovertemplate="%{x:.2f} s, %{y:.1f} %<extra></extra>",
        )  # fmt: skip
    unknown = ", ".join(table.loc[table["seconds"].isna(), "name"])
    below = "time from pictures to scores: inputs, encoders and temporal filter"
    below += f"; unknown: {common.text(unknown)}" if unknown else ""
    figure.update_xaxes(title_text="seconds for a minute of video", type="log")
    # Room for the name above the highest dot.
    figure.update_yaxes(title_text="per-frame mAP (percent)", range=[0, max(10.0, 115 * timed["frame_map"].max())])
    return common.finish(figure, heading, below, 420)
