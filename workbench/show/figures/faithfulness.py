"""Explanations judged: insertion and deletion curves, and what attention lies on."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from workbench.explain.faithfulness import BASELINES, Curves
from workbench.explain.grounding import KINDS
from workbench.show.figures import common


def curves(measured: Curves, classes: list[str]) -> go.Figure:
    """Deletion (left) and insertion (right): the class score against the share of cells; baselines are dashed grey."""
    figure = common.panels(["deletion: low is faithful", "insertion: high is faithful"])
    mine = [name for name in measured.deletion if name not in BASELINES]
    for column, lines in enumerate((measured.deletion, measured.insertion), 1):
        for name, values in lines.items():
            hover = f"{common.text(name)}: %{{y:.3f}}<extra></extra>"
            rival = name in BASELINES
            index = BASELINES.index(name) if rival else mine.index(name)
            style = {"color": common.SOFT, "width": 2, "dash": ("dash", "dot", "dashdot")[index]} if rival else {
                "color": common.color(index), "width": 3}  # fmt: skip
            figure.add_scatter(
                x=100 * measured.shares, y=values, mode="lines", line=style, name=common.text(name), legendgroup=name,
                showlegend=column == 1, hovertemplate=hover, row=1, col=column,
            )  # fmt: skip
    figure.update_xaxes(title_text="removed cells (percent)", row=1, col=1)
    figure.update_xaxes(title_text="restored cells (percent)", row=1, col=2)
    figure.update_yaxes(title_text="softmax score (0 to 1)", rangemode="tozero", col=1).update_yaxes(matches="y")
    below = f"the score of {classes[measured.target]}; grey lines know nothing about the network"
    return common.finish(figure, "Does the answer depend on the cells that the map names?", below, 460)


def areas(measured: Curves) -> go.Figure:
    """The areas under the curves of every map and their difference, the largest first; lines at the best baseline."""
    table = measured.areas()
    explanations = table[~table["map"].isin(BASELINES)].sort_values("difference", ascending=False)
    baselines = table[table["map"].isin(BASELINES)]
    rows = pd.concat([explanations, baselines])
    colors = [common.SOFT if name in BASELINES else common.COLORS[0] for name in rows["map"]]
    titles = ["deletion (low is better)", "insertion (high)", "insertion − deletion (high)"]
    figure = common.panels(titles, shared_yaxes=True)
    for column, (kind, best) in enumerate((("deletion", "min"), ("insertion", "max"), ("difference", "max")), 1):
        style = {"marker_color": colors, "text": rows[kind].map("{:z.3f}".format), "textposition": "outside"}
        low, high = min(0.0, rows[kind].min()), max(0.0, rows[kind].max())
        room = 0.3 * (high - low or 1.0)  # for the numbers beside the bars
        figure.update_xaxes(range=[low - room * (low < 0), high + room], row=1, col=column)
        figure.add_trace(common.bars(rows[kind], rows["map"], **style), 1, column)
        figure.add_vline(getattr(baselines[kind], best)(), line_dash="dot", row=1, col=column)
    figure.update_xaxes(title_text="area under the curve (0 to 1)").update_yaxes(autorange="reversed")
    figure.update_xaxes(title_text="difference (−1 to 1)", col=3)
    below = "dotted: the best of the grey maps, which know nothing about the network; uniform is high in both areas"
    return common.finish(figure, "Areas under the curves", below, 200 + 30 * len(table), showlegend=False)


def grounded(table: pd.DataFrame, run: str) -> go.Figure:
    """The mass of attention on each kind (columns of study.grounding.ground) for the 12 classes with most on the
    object, and for all; a diamond where uniform attention would be."""
    heading = "Where the attention lies"
    if table.empty:
        return common.blank(heading, "the regions of this run's attention were not measured")
    wide = table.pivot(index="class", columns="kind", values="mass")
    order = [name for name in wide["object"].sort_values(ascending=False).index if name != "all classes"]
    names = ["all classes", *order[:12]]
    figure = common.panels(KINDS, shared_yaxes=True)
    for column, kind in enumerate(KINDS, 1):
        rows = table[table["kind"] == kind].set_index("class").loc[names]
        value, low, high = (100 * rows[name] for name in ("mass", "mass_low", "mass_high"))
        ends = common.whiskers(value, low, high, thickness=None)
        colors = [common.COLORS[int(name == "all classes")] for name in names]
        bars = common.bars(value, names, hover="%{x:.1f} %", error_x=ends, marker_color=colors)
        figure.add_trace(bars, 1, column)
        figure.add_scatter(
            x=100 * rows["uniform"], y=bars.y, mode="markers", marker={"symbol": "diamond", "color": common.INK},
            hovertemplate="uniform: %{x:.1f} %<extra></extra>", row=1, col=column,
        )  # fmt: skip
    figure.update_xaxes(title_text="percent", rangemode="tozero").update_yaxes(autorange="reversed")
    below = f"{run}; share of its attention in space and time; diamonds: uniform attention; whiskers: 95 % over clips"
    return common.finish(figure, heading, below, 200 + 28 * len(names), showlegend=False)


def sensitivities(table: pd.DataFrame, run: str) -> go.Figure:
    """What a class score loses without each joint (the table of study.sensitivity), dearest first, its interval over
    clips; the joints' colours are their body parts'."""
    heading = "The importance of each joint"
    if table.empty:
        return common.blank(heading, "this run reads no poses, so no joint has an influence")
    parts = list(dict.fromkeys(table["part"]))
    loss, low, high = (100 * table[name] for name in ("score_loss", "score_loss_low", "score_loss_high"))
    bars = common.bars(
        loss,
        [str(name).replace("_", " ") for name in table["joint"]],
        hover="%{x:.1f} points, another answer for %{customdata}",
        marker_color=[common.INK if not part else common.color(parts.index(part)) for part in table["part"]],
        error_x=common.whiskers(loss, low, high, thickness=None),
        customdata=[f"{100 * flips:.0f} % of clips" for flips in table["flips"]],
    )
    figure = go.Figure(bars)
    figure.update_xaxes(title_text="loss of the true class's score (percentage points)")
    figure.update_yaxes(autorange="reversed")
    below = f"{run}, {int(table['clips'].max())} clips; whiskers: 95 % over clips"
    return common.finish(figure, heading, below, 190 + 21 * len(table))
