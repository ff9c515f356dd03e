"""An ablation beside the paper's: numbers, differences with their intervals, and what holds."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from workbench.show.figures import common

#: From what holds to what doesn't, with a symbol each, so that colour is not needed.
VERDICTS = {
    "holds": ("#009E73", "circle"),
    "holds weakly": ("#56B4E9", "circle-open"),
    "the same within x": ("#F0E442", "diamond-wide"),
    "not resolved": ("#7B8794", "square-open"),
    "contradicted weakly": ("#E69F00", "x-open"),
    "contradicted": ("#D55E00", "x"),
    "not run": ("#CBD2D9", "line-ns-open"),
}


def against_paper(numbers: pd.DataFrame, heading: str) -> go.Figure:
    """One panel a column: the paper's number (diamond) and ours (dot, with its interval) for each row.

    numbers: one line a row and column with label, title, published, value, low, high (see ``reports.numbers``).
    """
    measured = numbers[numbers["published"].notna() | numbers["value"].notna()]
    if measured.empty:
        return common.blank(heading, "no number is published and no row was run")
    titles = list(dict.fromkeys(measured["title"]))
    figure = common.panels(titles, shared_yaxes=True)
    for column, name in enumerate(titles, 1):
        lines = measured[measured["title"] == name]
        labels = [common.text(label) for label in lines["label"]]
        paper = {"symbol": "diamond-open", "size": 11, "color": common.COLORS[1], "line": {"width": 2}}
        shared = {"y": labels, "mode": "markers", "showlegend": column == 1, "row": 1, "col": column}
        figure.add_scatter(x=lines["published"], marker=paper, name="paper", **shared)
        figure.add_scatter(
            x=lines["value"],
            marker={"symbol": "circle", "size": 10, "color": common.COLORS[0]},
            error_x=common.whiskers(lines["value"], lines["low"], lines["high"], type="data", symmetric=False),
            name="here",
            **shared,
        )
    figure.update_yaxes(autorange="reversed").update_yaxes(matches="y")
    below = "diamonds: the paper's data; dots: here, with 95 % intervals; compare orders, not levels"
    rows = measured["label"].nunique()
    return common.finish(figure, heading, below, 220 + 44 * rows, legend={"orientation": "h", "y": -0.25})


def effects(claims: pd.DataFrame) -> go.Figure:
    """One line a comparison: the difference here with its interval, and the paper's as a diamond.

    claims: claim, columns, difference, low, high, verdict, published (see ``reports.claims``); lines without a
    difference are left out.
    """
    heading = "Differences for each claim"
    compared = claims[claims["difference"].notna()]
    if compared.empty:
        return common.blank(heading, "no claim has been tested yet")
    figure = go.Figure()
    names = [common.text(f"{line.claim} · {line.columns}") for line in compared.itertuples()]
    compared = compared.assign(name=names)
    for verdict, (color, symbol) in VERDICTS.items():
        lines = compared[compared["verdict"] == verdict]
        if len(lines):
            figure.add_scatter(
                x=lines["difference"],
                y=lines["name"],
                mode="markers",
                marker={"symbol": symbol, "size": 11, "color": color, "line": {"width": 2}},
                error_x=common.whiskers(lines["difference"], lines["low"], lines["high"], thickness=None, color=color),
                text=lines["text"].map(common.text),
                hovertemplate="%{text}<br>%{x:+.1f}<extra></extra>",
                name=verdict,
            )
    paper = {"symbol": "diamond-open", "size": 10, "color": common.COLORS[1]}
    figure.add_scatter(x=compared["published"], y=compared["name"], mode="markers", marker=paper, name="paper")
    figure.add_vline(x=0, line={"color": common.INK, "width": 1})
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1])
    figure.update_xaxes(title_text="difference (the column's unit; for shares, points)")
    below = "right of 0 agrees with the claim; an interval that contains 0 leaves it open"
    return common.finish(figure, heading, below, 240 + 34 * len(names))


def shares(counts: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """One bar a table, in parts by verdict. counts: by table, how many claims have each verdict."""
    heading = "How many claims hold"
    if not any(sum(verdicts.values()) for verdicts in counts.values()):
        return common.blank(heading, "these tables make no claims")
    figure = go.Figure()
    for verdict, (color, _) in VERDICTS.items():
        values = [verdicts.get(verdict, 0) for verdicts in counts.values()]
        written = [str(value) if value else "" for value in values]
        names = [common.text(name) for name in counts]
        figure.add_bar(x=values, y=names, orientation="h", name=verdict, marker={"color": color}, text=written)
    figure.update_layout(barmode="stack").update_yaxes(autorange="reversed")
    figure.update_xaxes(title_text="claims", tickformat="d")
    return common.finish(figure, heading, "not run is not a verdict on the claim", 240 + 36 * len(counts))
