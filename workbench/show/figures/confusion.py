"""Confusions: the matrix and its worst block (VPN fig. 9), two runs compared (fig. 7, 8), and dynamicity (fig. 6a)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from workbench.explain import confusion as read
from workbench.show.figures import common

#: Actions whose names stand beside their dots.
NAMED = 8


def matrix(confusion: np.ndarray, classes: Sequence[str], run: str, block: Sequence[int] = ()) -> go.Figure:
    """Row-normalised confusion of counts [N,N] (rows true, columns predicted); the names of ``block`` are in orange."""
    share = read.rates(confusion)
    figure = go.Figure(_heat(share, np.asarray(confusion), coloraxis="coloraxis"))
    _class_axes(figure, classes, block)
    accuracy = np.trace(confusion) / max(1, np.sum(confusion))
    below = f"{int(np.sum(confusion))} clips, {accuracy:.1%} right; rows sum to 1"
    below += "; orange names: the block that is confused most" if len(block) else ""
    size = 250 + 21 * len(classes)
    return common.finish(figure, f"Confusion of {run}", below, size, coloraxis=_scale())


def zoom(confusions: Mapping[str, np.ndarray], classes: Sequence[str], block: Sequence[int]) -> go.Figure:
    """The ``block`` of classes that are most confused, a panel a run, with numbers (rows are shares of all N)."""
    figure = common.panels(confusions, shared_yaxes=True)
    index = np.ix_(block, block)
    for column, confusion in enumerate(confusions.values(), 1):
        share = read.rates(confusion)[index]
        figure.add_trace(_heat(share, np.asarray(confusion)[index], coloraxis="coloraxis"), 1, column)
        for row, values in enumerate(share):
            for place, value in enumerate(values):
                if np.isfinite(value) and value > 0:
                    ink = "white" if value < 0.5 else "black"
                    note = {"text": f"{value:.2f}", "showarrow": False, "font": {"color": ink, "size": 13}}
                    figure.add_annotation(x=place, y=row, row=1, col=column, **note)
    _class_axes(figure, [classes[i] for i in block])
    figure.update_yaxes(title_text="").update_yaxes(title_text="true action", col=1)
    below = "the actions that are confused most often"
    return common.finish(figure, "Zoom on the most confused block", below, 300 + 36 * len(block), coloraxis=_scale())


def difference(first: np.ndarray, second: np.ndarray, classes: Sequence[str], runs: tuple[str, str]) -> go.Figure:
    """Rates of the second run minus the first (counts [N,N]): orange is gain on the diagonal, new confusion off it."""
    change = read.rates(second) - read.rates(first)
    peak = float(np.nanmax(np.abs(change), initial=0)) or 1.0
    bar = common.bar("change of share", "-1 to 1")
    scale = {"colorscale": common.DIVERGING, "cmin": -peak, "cmax": peak, "colorbar": bar}
    figure = go.Figure(_heat(change, None, coloraxis="coloraxis"))
    _class_axes(figure, classes)
    below = f"{runs[1]} minus {runs[0]}; on the diagonal orange is better, off it blue is better"
    return common.finish(figure, "What changed between two runs", below, 250 + 21 * len(classes), coloraxis=scale)


def top_gains(
    first: np.ndarray, second: np.ndarray, classes: Sequence[str], runs: tuple[str, str], count: int = 5
) -> go.Figure:
    """Fig. 7 and 8: the ``count`` classes that the second run improves most, and the ``count`` that it loses most."""
    change = read.gains(first, second)
    order = [int(index) for index in np.argsort(-change, kind="stable") if np.isfinite(change[index])]
    best = [index for index in order[:count] if change[index] > 0]
    worst = [index for index in order[-count:] if change[index] < 0]
    actions = best + worst
    heading = "Largest gains and losses"
    if not actions:
        return common.blank(heading, "the two runs have the same accuracy on every action")
    figure = common.gains(
        100 * change[actions],
        [classes[index] for index in actions],
        text=[f"{100 * change[index]:+.0f}" for index in actions],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{x:+.1f} points<extra></extra>",
    )
    figure.update_xaxes(title_text="change of accuracy (percentage points)")
    below = f"{runs[1]} against {runs[0]}; orange better, blue worse"
    return common.finish(figure, heading, below, 180 + 34 * len(actions))


def radar(confusions: Mapping[str, np.ndarray], classes: Sequence[str], pairs: Sequence[tuple[int, int]]) -> go.Figure:
    """Fig. 8c: the mean misclassification score of action pairs, a closed line a run; a smaller area is better."""
    heading = "Confused action pairs"
    if len(pairs) < 3:
        return common.blank(heading, f"a radar needs at least 3 confused pairs; there are {len(pairs)}")
    names = [f"{common.text(classes[a])}<br>{common.text(classes[b])}" for a, b in pairs]
    figure = go.Figure()
    dashes = ("solid", "dash", "dot", "dashdot")
    for index, (run, confusion) in enumerate(confusions.items()):
        scores = np.nan_to_num(read.pair_scores(confusion, pairs))
        figure.add_scatterpolar(
            r=[*scores, scores[0]],
            theta=[*names, names[0]],
            fill="toself",
            opacity=0.75,
            line={"color": common.color(index), "width": 3, "dash": dashes[index % len(dashes)]},
            marker={"size": 8, "symbol": common.SYMBOLS[index % len(common.SYMBOLS)]},
            name=common.text(run),
            hovertemplate="%{theta}: %{r:.2f}<extra></extra>",
        )
    axis = {
        "title": {"text": "score"},
        "angle": 67.5,
        "tickangle": 67.5,
        "rangemode": "tozero",
        "nticks": 5,
        "gridcolor": "#CBD2D9",
    }
    below = "mean of 'a classified as b' and 'b classified as a', 0 to 1; smaller is better"
    polar = {"radialaxis": axis, "bgcolor": "white"}
    return common.finish(figure, heading, below, 600, polar=polar, margin={"t": 140, "b": 70})


def against_dynamicity(
    change: np.ndarray, dynamicity: np.ndarray, classes: Sequence[str], runs: tuple[str, str]
) -> go.Figure:
    """Fig. 6a: gain of accuracy [N] (-1 to 1) against the action's mean Procrustes distance of successive poses [N]."""
    heading = "Gain against the dynamicity of the action"
    measured = np.flatnonzero(np.isfinite(change) & np.isfinite(dynamicity))
    if not len(measured):
        return common.blank(heading, "no action has both a gain and poses to measure its dynamicity on")
    largest = measured[np.argsort(-np.abs(change[measured]), kind="stable")][:NAMED]
    named = {index for index in largest.tolist() if change[index]}
    figure = go.Figure(
        go.Scatter(
            x=dynamicity[measured],
            y=100 * change[measured],
            mode="markers+text",
            marker={"size": 11, "color": np.where(change[measured] >= 0, common.COLORS[1], common.COLORS[0])},
            # Dozens of names would hide each other: those of the largest changes; hovering gives the rest.
            text=[common.text(classes[index]) if index in named else "" for index in measured.tolist()],
            customdata=[common.text(classes[index]) for index in measured.tolist()],
            textposition=[
                "top center" if rank % 2 else "bottom center" for rank in np.argsort(np.argsort(dynamicity[measured]))
            ],
            textfont_size=12,
            cliponaxis=False,
            hovertemplate="%{customdata}<br>dynamicity %{x:.4f}, gain %{y:+.1f}<extra></extra>",
        )
    )
    figure.add_hline(0, line_color=common.SOFT)
    figure.update_xaxes(
        title_text="dynamicity (mean Procrustes distance of successive poses, no unit, logarithmic)",
        type="log",
        tickvals=(steps := [digit * 10.0**power for power in range(-8, 1) for digit in (1, 2, 5)]),
        ticktext=[f"{step:g}" for step in steps],
    )
    figure.update_yaxes(title_text="change of accuracy (percentage points)")
    below = f"{runs[1]} against {runs[0]}; each dot is an action; on the left the body hardly moves"
    return common.finish(figure, heading, below, 520)


def _heat(share: np.ndarray, counts: np.ndarray | None, **scale: object) -> go.Heatmap:
    hover = "true %{y}, predicted %{x}: %{z:.2f}" + ("" if counts is None else " (%{customdata} clips)")
    return go.Heatmap(z=share, customdata=counts, xgap=1, ygap=1, hovertemplate=hover + "<extra></extra>", **scale)


def _scale() -> dict:
    return {
        "colorscale": common.SEQUENTIAL,
        "cmin": 0,
        "cmax": 1,
        "colorbar": common.bar("share of true", "0 to 1"),
    }


def _class_axes(figure: go.Figure, classes: Sequence[str], marked: Sequence[int] = ()) -> None:
    names = [common.text(name) for name in classes]
    for index in marked:
        names[index] = f"<span style='color:{common.COLORS[1]}'><b>{names[index]}</b></span>"
    ticks = {"tickvals": list(range(len(names))), "ticktext": names, "showgrid": False, "tickfont_size": 12}
    figure.update_xaxes(title_text="predicted action", tickangle=-50, **ticks)
    figure.update_yaxes(title_text="true action", autorange="reversed", **ticks)
