"""Training: learning curves, the stages of the procedure, and accuracies with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.show.figures import common


def curves(
    losses: Mapping[str, Sequence[float]],
    scores: Mapping[str, Sequence[float]],
    starts: Mapping[str, int] | None = None,
    heading: str = "Learning curves",
) -> go.Figure:
    """Loss (left) and accuracy in [0,1] (right) by epoch, from 1: name -> one value an epoch, NaN where not measured.

    ``starts``: stage -> its first epoch, drawn as a line with the stage's name.
    """
    if not losses and not scores:
        return common.blank(heading, "this run has no history")
    figure = make_subplots(1, 2, subplot_titles=["loss", "accuracy"], horizontal_spacing=0.11)
    order = {name: index for index, name in enumerate(dict.fromkeys([*losses, *scores]))}
    for column, lines in enumerate((losses, scores), 1):
        for name, values in lines.items():
            index = order[name]
            figure.add_scatter(
                x=np.arange(1, len(values) + 1),
                y=np.asarray(values, np.float64),
                mode="lines+markers",
                line={"color": common.color(index), "width": 3, "dash": "solid" if index % 2 == 0 else "dash"},
                marker={"symbol": common.SYMBOLS[index % len(common.SYMBOLS)], "size": 7},
                connectgaps=True,
                name=common.text(name),
                legendgroup=name,
                showlegend=column == 1 or name not in losses,
                row=1,
                col=column,
            )
    for stage, epoch in (starts or {}).items():
        line = {"line_dash": "dot", "line_color": common.SOFT, "annotation_text": common.text(stage)}
        figure.add_vline(epoch - 0.5, annotation_position="top left", row=1, col="all", **line)
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="loss (nats)", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="accuracy (share right)", range=[0, 1.02], row=1, col=2)
    below = "the gap between training and validation is what the network learned by heart"
    return common.finish(figure, heading, below, 430, legend={"orientation": "v", "x": 1.02, "y": 1})


def table(columns: Mapping[str, Sequence[object]], heading: str, below: str = "") -> go.Figure:
    """A table: column name -> cells, all shown as text."""
    rows = max(len(cells) for cells in columns.values())
    figure = go.Figure(
        go.Table(
            header={
                "values": [f"<b>{common.text(name)}</b>" for name in columns],
                "align": "left",
                "fill_color": "#E4E7EB",
                "font": {"size": 15},
                "height": 32,
            },
            cells={
                "values": [[common.text(cell) for cell in cells] for cells in columns.values()],
                "align": "left",
                "fill_color": "white",
                "line_color": "#E4E7EB",
                "font": {"size": 14},
                "height": 30,
            },
        )
    )
    return common.finish(figure, heading, below, 150 + 48 * rows, margin={"l": 16, "r": 16, "t": 84, "b": 16})


def accuracies(values: Mapping[str, tuple[float, float, float]], chance: float) -> go.Figure:
    """Accuracy of runs with its interval: name -> (value, low, high), all in [0,1]; ``chance`` is drawn as a line."""
    names = list(values)
    value, low, high = (np.array(part) for part in zip(*values.values(), strict=True))
    figure = go.Figure(
        go.Bar(
            x=value,
            y=list(range(len(names))),
            orientation="h",
            marker_color=[common.color(index) for index in range(len(names))],
            error_x={"array": high - value, "arrayminus": value - low, "thickness": 2},
            width=0.6,
            hovertemplate="%{x:.3f}<extra></extra>",
        )
    )
    figure.add_vline(chance, line_dash="dot", annotation_text="chance", annotation_position="bottom right")
    written = [f"{common.text(name)}<br><b>{one:.1%}</b>" for name, one in zip(names, value, strict=True)]
    ticks = {"tickvals": list(range(len(names))), "ticktext": written}
    figure.update_yaxes(title_text="run", autorange="reversed", **ticks)
    figure.update_xaxes(title_text="accuracy (share right)", range=[0, 1])
    below = "whiskers: 95 % interval over clips (bootstrap)"
    return common.finish(figure, "Result on clips of unseen subjects", below, 180 + 56 * len(names))
