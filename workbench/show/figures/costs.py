"""Accuracy against what it costs, as in VPN++ table 11 and figure 2."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.show.figures import common

#: What a system reads when it is used -> colour and symbol.
READS = {"video alone": (0, 0), "poses alone": (1, 2), "video and poses": (2, 1), "flow or drawn poses": (3, 3)}


def against_time(systems: pd.DataFrame, pose: str) -> go.Figure:
    """Accuracy over the milliseconds that a clip takes, a point a system with its spread over seeds.

    systems: columns system, reads (a key of READS), accuracy and accuracy_sd in percent, network_ms, and pose_ms, what
    finding the poses of a clip takes besides (0 where none are read). An open mark stands where the poses are given, a
    full one where they must be found first; the line between them is the cost of finding them, which ``pose`` explains.
    """
    figure = go.Figure()
    for row in systems.to_dict("records"):
        total = row["network_ms"] + row["pose_ms"]
        color = common.COLORS[READS[row["reads"]][0]]
        if row["pose_ms"]:
            figure.add_scatter(
                x=[row["network_ms"], total],
                y=[row["accuracy"]] * 2,
                mode="lines",
                line={"color": color, "width": 1, "dash": "dot"},
                showlegend=False,
                hoverinfo="skip",
            )
    for reads, (tint, symbol) in READS.items():
        readers = systems[systems["reads"] == reads]
        if readers.empty:
            continue
        mark = {"color": common.COLORS[tint], "symbol": common.SYMBOLS[symbol], "size": 11}
        figure.add_scatter(
            x=readers["network_ms"] + readers["pose_ms"],
            y=readers["accuracy"],
            error_y={"array": readers["accuracy_sd"].fillna(0.0), "thickness": 1, "width": 3},
            mode="markers",
            text=readers["system"].map(common.text),
            marker=mark,
            name=reads,
            hovertemplate="%{text}: %{y:.1f} percent, %{x:.0f} ms<extra></extra>",
        )
        posed = readers[readers["pose_ms"] > 0]
        if not posed.empty:
            figure.add_scatter(
                x=posed["network_ms"],
                y=posed["accuracy"],
                mode="markers",
                marker={**mark, "symbol": f"{mark['symbol']}-open"},
                name=f"{reads}, poses given",
                hovertemplate="%{y:.1f} percent, %{x:.0f} ms<extra></extra>",
            )
    for name, x, y in _labels(systems):
        figure.add_annotation(
            x=x, y=y, text=common.text(name), showarrow=False, xanchor="left", xshift=9, font={"size": 11}
        )
    last = np.log10((systems["network_ms"] + systems["pose_ms"]).max())
    first = np.log10(systems["network_ms"].min())
    figure.update_xaxes(
        title_text="milliseconds a clip (logarithmic)", type="log", range=[first - 0.1, last + 0.25 * (last - first)]
    )
    figure.update_yaxes(title_text="top-1 accuracy (percent)")
    below = f"means and standard deviations over seeds; {pose}"
    return common.finish(figure, "Accuracy against time", below, 620)


def _labels(systems: pd.DataFrame) -> list[tuple[str, float, float]]:
    """Name and place (log10 of milliseconds, percent) of each label, to the right of its mark; of those above one
    another each 2.4 above the one below."""
    placed: list[tuple[str, float, float]] = []
    for row in systems.sort_values("accuracy").to_dict("records"):
        x, y = float(np.log10(row["network_ms"] + row["pose_ms"])), row["accuracy"]
        below = [height for _, place, height in placed if abs(place - x) < 0.3]
        placed.append((row["system"], x, max([y, *(height + 2.4 for height in below)])))
    return placed
