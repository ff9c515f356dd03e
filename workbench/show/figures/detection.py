"""Detection in untrimmed videos: the timeline of a video, what goes wrong, what is missed, and where a run gains.

Times are in the tables' unit, which ``unit`` names. Tables hold video, label, start, end (and score), as in the
metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.show.figures import common

#: Kinds of predictions, the right ones first, each with a colour and a hatching, so that neither is needed alone.
KINDS = {
    "right": (common.COLORS[2], ""),
    "double": (common.COLORS[5], "x"),
    "wrong label": (common.COLORS[4], "/"),
    "localisation": (common.COLORS[0], "\\"),
    "background": (common.SOFT, "."),
}
HATCH = {"fillmode": "overlay", "fgcolor": "white", "size": 7, "solidity": 0.2}
#: How high the bars of one class's lane are together, of the distance between lanes.
LANE = 0.8


def timeline(
    truth: pd.DataFrame,
    runs: Mapping[str, pd.DataFrame],
    duration: float,
    names: Mapping | Sequence[str] | None = None,
    actionness: Mapping[str, np.ndarray] | None = None,
    unit: str = "s",
    heading: str = "The actions over time",
    least: float = 0.0,
    moments: np.ndarray | None = None,
) -> go.Figure:
    """One video from 0 to ``duration``: a lane a class, in it a bar a row for the truth (green) and each run's
    detections.

    truth: rows label, start, end; runs: name -> rows label, start, end, score, those below ``least`` left out; the
    surer, the more solid. names: label -> text (or texts by number). actionness: run -> float [T,N], at ``moments``
    [T] or, where None, in T equal parts of the duration; drawn as one heat map a run above the lanes, for the classes
    of the lanes, which must then be numbers. ``customdata`` of every bar is its start, middle and end, and of a heat
    map's cell the time of its middle: what a click seeks to.
    """
    detections = {run: table[table["score"] >= least] if len(table) else table for run, table in runs.items()}
    labels = list(
        dict.fromkeys([*truth["label"], *(label for table in detections.values() for label in table["label"])])
    )
    if not labels:
        return common.blank(heading, "this video has no action and no detection")
    labels.sort(key=lambda label: (isinstance(label, str), label))
    maps = dict(actionness or {})
    heights = [float(len(labels))] * len(maps) + [max(1.0, 0.45 * (1 + len(runs))) * len(labels)]
    titles = [f"actionness of {common.text(run)}" for run in maps] + ["truth and detections"] * bool(maps)
    area = max(30 * sum(heights), 100 * len(heights))  # pixels
    figure = make_subplots(
        len(heights), 1, shared_xaxes=True, row_heights=heights, vertical_spacing=46 / area if maps else 0,
        subplot_titles=titles or None,
    )  # fmt: skip
    texts = [_name(label, names) for label in labels]
    for row, values in enumerate(maps.values(), 1):
        _heat(figure, np.asarray(values), labels, duration if moments is None else moments, unit, row)
    parts = {"truth": truth, **detections}
    for index, (name, table) in enumerate(parts.items()):
        _bars(figure, name, table, labels, index, len(parts), unit, len(heights))
    for row in range(1, len(heights) + 1):
        common.rows(figure, texts, row=row, col=1)
        figure.update_yaxes(autorange=None, range=[len(labels) - 0.5, -0.5], showgrid=False, row=row, col=1)
    figure.update_xaxes(range=[0, duration])
    figure.update_xaxes(title_text=f"time ({common.text(unit)})", row=len(heights), col=1)
    floor = f"; detections with a score of {least:g} or more" if least else ""
    below = f"{len(truth)} actions; paler detections have a lower score{floor}"
    legend = {"orientation": "h", "y": -60 / area, "x": 0, "yanchor": "top", "traceorder": "normal"}
    return common.finish(
        figure, heading, below, int(194 + area), barmode="overlay", legend=legend, margin_b=110,
        coloraxis={"colorscale": common.SEQUENTIAL, "cmin": 0, "cmax": 1,
                   "colorbar": common.bar("actionness", "0 to 1", lenmode="pixels", len=150, y=1, yanchor="top")},
    )  # fmt: skip


def false_positives(profiles: Mapping[str, pd.DataFrame]) -> go.Figure:
    """The surest predictions by kind, a panel a run. profiles: run -> rows a band g (1, 2, ...), columns the kinds of
    ``KINDS``, shares in [0,1] among the g * (number of events) surest predictions."""
    heading = "Errors among the detections with the highest scores"
    if not profiles:
        return common.blank(heading, "there is no run to show")
    figure = common.panels(profiles, shared_yaxes=True)
    for column, profile in enumerate(profiles.values(), 1):
        for kind, (color, hatch) in KINDS.items():
            figure.add_bar(
                x=list(profile.index),
                y=100 * profile[kind],
                name=kind,
                legendgroup=kind,
                showlegend=column == 1,
                marker={"color": color, "pattern": HATCH | {"shape": hatch}},
                hovertemplate=f"{kind}: %{{y:.1f}} %<extra></extra>",
                row=1,
                col=column,
            )
    figure.update_xaxes(title_text="detections (times the number of events)", dtick=1)
    figure.update_yaxes(title_text="share of the detections (percent)", range=[0, 100], col=1)
    below = "from left to right, detections with lower scores are added"
    return common.finish(figure, heading, below, 440, barmode="stack", legend={"traceorder": "reversed"})


def missed(groups: Mapping[str, pd.DataFrame], axis: str = "length (s)") -> go.Figure:
    """Share of the events that a run misses by group. groups: run -> rows group (text), count, missed in [0,1] or NaN;
    ``axis`` says what groups are: a length, or how many other actions go on."""
    heading = "Missed events"
    if not groups:
        return common.blank(heading, "there is no run to show")
    figure = go.Figure()
    for index, (run, table) in enumerate(groups.items()):
        figure.add_bar(
            x=list(range(len(table))),
            y=100 * table["missed"],
            name=common.text(run),
            marker={
                "color": common.color(index),
                "pattern": {"shape": ("", "/", "x", ".")[index % 4], "solidity": 0.2},
            },
            text=["" if np.isnan(share) else f"{100 * share:.0f}" for share in table["missed"]],
            textposition="outside",
            cliponaxis=False,
            customdata=table["count"],
            hovertemplate="%{y:.1f} % of %{customdata} events<extra></extra>",
        )
    first = next(iter(groups.values()))
    ticks = [
        f"{common.text(group)}<br>{count} events" for group, count in zip(first["group"], first["count"], strict=True)
    ]
    figure.update_xaxes(title_text=common.text(axis), tickvals=list(range(len(first))), ticktext=ticks)
    figure.update_yaxes(title_text="missed events (percent)", range=[0, 105])
    return common.finish(figure, heading, "the share of each group's events that no detection matches", 420)


def gains(table: pd.DataFrame, runs: tuple[str, str], names: Mapping | Sequence[str] | None = None) -> go.Figure:
    """Augmented-RGB figure 6: change of AP by class, in percentage points, largest gain first, the mean above.

    table: rows label, first, second, gain, low, high in [-1,1] (low and high may be NaN), "mean" the label of the mean.
    """
    heading = "Gain in average precision for each action"
    mean, classes = table[table["label"] == "mean"], table[(table["label"] != "mean") & table["gain"].notna()]
    rows = pd.concat([mean, classes.sort_values("gain", ascending=False, kind="stable")])
    if rows.empty:
        return common.blank(heading, "no class has an event in both runs' truth")
    value, low, high = (100 * rows[name].to_numpy(np.float64) for name in ("gain", "low", "high"))
    colors = np.where(value >= 0, common.COLORS[1], common.COLORS[0])
    figure = common.gains(
        value,
        ["all actions" if label == "mean" else _name(label, names) for label in rows["label"]],
        marker_color=np.where(rows["label"] == "mean", common.INK, colors),
        error_x=common.whiskers(value, low, high, color=common.SOFT),
        customdata=100 * rows[["first", "second"]].to_numpy(np.float64),
        hovertemplate="%{customdata[0]:.1f} to %{customdata[1]:.1f}: %{x:+.1f} points<extra></extra>",
    )
    figure.update_xaxes(title_text="change of average precision (percentage points)")
    below = f"{runs[1]} against {runs[0]}"
    below += "; whiskers: 95 % interval over videos" if np.isfinite(low).any() else ""
    return common.finish(figure, heading, below, 180 + 24 * max(6, len(rows)))


def _heat(
    figure: go.Figure, values: np.ndarray, labels: Sequence, times: float | np.ndarray, unit: str, row: int
) -> None:
    """times: the middle of each value, or how long all together last."""
    times = np.asarray(times)
    times = (np.arange(len(values)) + 0.5) * (times / len(values)) if times.ndim == 0 else times
    figure.add_heatmap(
        z=values[:, labels].T,
        x=times,
        y=list(range(len(labels))),
        customdata=np.repeat(times[None], len(labels), 0),
        coloraxis="coloraxis",
        hovertemplate=f"%{{x:.1f}} {common.text(unit)}: %{{z:.2f}}<extra></extra>",
        row=row,
        col=1,
    )


def _bars(
    figure: go.Figure, name: str, table: pd.DataFrame, labels: list, index: int, count: int, unit: str, row: int
) -> None:
    start, end = table["start"].to_numpy(np.float64), table["end"].to_numpy(np.float64)
    scores = table["score"].to_numpy(np.float64) if "score" in table else np.ones(len(table))
    lane_of = {label: lane for lane, label in enumerate(labels)}
    lanes = np.array([lane_of[label] for label in table["label"]], np.float64)
    color = common.TRUTH if index == 0 else [common.COLORS[1], common.COLORS[0], common.COLORS[3]][(index - 1) % 3]
    spread = float(np.ptp(scores)) if len(scores) else 0.0
    # The run's own range of scores; one without a range is solid.
    solid = np.ones(len(scores)) if spread == 0 else 0.35 + 0.65 * (scores - scores.min()) / spread
    hover = f"{common.text(name)}, %{{customdata[0]:.1f}} to %{{customdata[2]:.1f}} {common.text(unit)}"
    figure.add_bar(
        base=start,
        x=end - start,
        y=lanes + LANE * ((index + 0.5) / count - 0.5),
        width=LANE / count * 0.9,
        orientation="h",
        name=common.text(name),
        marker={"color": color, "opacity": solid, "line": {"width": 0}},
        customdata=np.stack([start, (start + end) / 2, end, scores], 1),
        hovertemplate=hover + ("" if index == 0 else ", score %{customdata[3]:.2f}") + "<extra></extra>",
        row=row,
        col=1,
    )


def _name(label: Any, names: Mapping | Sequence[str] | None) -> str:
    if names is not None and (label in names if isinstance(names, Mapping) else not isinstance(label, str)):
        return str(names[label])
    return str(label)
