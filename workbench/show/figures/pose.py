"""Pose rendering: variants side by side, and any joint schema as a figure (PERF-Net section 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.media.skeletons import SIDE_COLORS, SIDES, joint_sides
from workbench.show.figures import common, training
from workbench.types import Clip, Pose


def variants(clip: Clip, drawn: Mapping[str, np.ndarray], heading: str) -> go.Figure:
    """Rows of renderings uint8 [T,H,W,3] of one clip by name, on the clip's frames."""
    return common.sheet(drawn, common.frame_labels(clip), heading, columns=6)


def schema(pose: Pose) -> go.Figure:
    """The joint schema of ``pose``, drawn on its first person in the frame that has most of their joints: each joint's
    index, its name on hovering.

    Joints have the colours of the body's sides, as in every drawing.
    """
    skeleton, flat = pose.skeleton, pose.space == "image"
    joints = max(pose.joints[0, ..., :2], key=lambda places: np.isfinite(places).sum())
    x, y = common.skeleton_lines(joints, skeleton.bones)
    figure = go.Figure(go.Scatter(x=x, y=y, mode="lines", line={"color": "#9AA5B1", "width": 4}, showlegend=False))
    for place, name in enumerate(("left", "right", "middle")):
        side = SIDES.index(name)
        indices = np.flatnonzero(joint_sides(skeleton) == side)
        names = [common.text(skeleton.joints[index].replace("_", " ")) for index in indices]
        listed = "".join(f"<br>{index}  {name}" for index, name in zip(indices, names, strict=True))
        figure.add_scatter(
            x=joints[indices, 0],
            y=joints[indices, 1],
            mode="markers+text",
            marker=common.side_markers(side, 21),
            text=[str(index) for index in indices],
            textfont={"size": 11, "color": common.INK},
            customdata=names,
            hovertemplate="%{text} %{customdata}<extra></extra>",
            showlegend=False,
        )
        figure.add_annotation(
            text=f"<b>{name}</b>{listed}", xref="paper", yref="paper", x=0.54 + 0.16 * place, y=0.98, xanchor="left",
            yanchor="top", align="left", showarrow=False, font={"size": 13}, xshift=18,
        )  # fmt: skip
        figure.add_shape(
            type="circle", xref="paper", yref="paper", xanchor=0.54 + 0.16 * place, yanchor=0.98, xsizemode="pixel",
            ysizemode="pixel", x0=0, x1=14, y0=-18, y1=-4, fillcolor=f"rgb{SIDE_COLORS[side]}", line_width=1,
        )  # fmt: skip
    figure.update_xaxes(domain=[0, 0.5])
    unit, down = ("pixels", "down") if flat else ("metres", "up")
    figure.update_xaxes(title_text=f"x ({unit})").update_yaxes(title_text=f"y ({unit}, {down})", scaleanchor="x")
    figure.update_yaxes(autorange="reversed" if flat else True)
    below = f"{skeleton.count} joints, {len(skeleton.bones)} bones; numbers are positions in every pose array"
    return common.finish(figure, f"The schema {skeleton.name}", below, 640)


def speeds(rates: Mapping[str, float], size: tuple[int, int], aim: float = 500.0) -> go.Figure:
    """Frames of ``size`` (H, W) drawn a second by one core, a bar a way to draw; a line at ``aim``."""
    bars = common.bars(list(rates.values()), rates, "{:.0f}", "%{x:.0f} frames a second")
    figure = go.Figure(bars.update(marker_color=common.COLORS[0], insidetextanchor="end"))
    figure.add_vline(aim, line_dash="dot", annotation_text=f"{aim:.0f}", annotation_position="top")
    figure.update_xaxes(title_text="frames a second on one core", rangemode="tozero")
    figure.update_yaxes(title_text="rendering", autorange="reversed")
    below = f"{size[0]} x {size[1]} pixels, best of several rounds, on this machine"
    return common.finish(figure, "Drawing speed", below, 170 + 34 * len(rates))


def beside_paper(
    printed: Mapping[str, float],
    paper: str,
    measured: pd.DataFrame,
    here: str,
    chance: float,
    metric: str = "top-1",
    studied: pd.DataFrame | None = None,
) -> go.Figure:
    """What a paper prints, what the project's study measured, and what was trained here, in percent, a row a variant.

    printed: label -> number. studied: one line a variant and metric, with the columns label, title (the metric), value,
    low and high; its whiskers are intervals. measured: one line a variant and seed, with the columns ``system`` (the
    label) and ``metric``; bars are means over seeds, dots the seeds. ``paper`` and ``here`` say where the numbers are
    from; chance is drawn where our data are. A part stays empty, and says so, where nothing was measured.
    """
    style = {"number": "{:.1f}", "hover": "%{x:.1f} %"}
    titles = ["<br>".join(common.text(part) for part in name.split(", ", 1)) for name in (paper, STUDY, here)]
    figure = make_subplots(1, 3, shared_yaxes=True, subplot_titles=titles)
    figure.add_trace(common.bars(list(printed.values()), printed, **style, marker_color=common.GREY), 1, 1)
    ours = _intervals(studied, printed, metric)
    if ours.isna().all(axis=None):
        _empty(figure, 2, "not measured")
    else:
        ends = common.whiskers(ours["value"], ours["low"], ours["high"])
        bars = common.bars(ours["value"].tolist(), printed, **style, marker_color=common.COLORS[2], error_x=ends)
        figure.add_trace(bars, 1, 2)
    if measured.empty:
        _empty(figure, 3, "not trained here")
    else:
        means = measured.groupby("system")[metric].mean().reindex(list(printed))
        figure.add_trace(common.bars(means.tolist(), printed, **style, marker_color=common.COLORS[0]), 1, 3)
        figure.add_scatter(
            x=measured[metric], y=[common.text(label) for label in measured["system"]], mode="markers",
            marker={"color": common.INK, "size": 7}, hovertemplate="one seed: %{x:.1f} %<extra></extra>", row=1, col=3,
        )  # fmt: skip
    for col in (2, 3):
        figure.add_vline(100 * chance, line_dash="dot", layer="below", row=1, col=col)
    figure.update_xaxes(title_text=f"{metric} (percent)", range=[0, 100])
    figure.update_xaxes(title_text=f"{metric} (percent; dotted: chance)", col=2)
    figure.update_yaxes(autorange="reversed").update_yaxes(title_text="rendering", col=1)
    below = "other data, other size of network and training: compare the order on each side, not across sides"
    return common.finish(
        figure, "The accuracy of each rendering", below, 190 + 40 * len(printed), showlegend=False, bargap=0.3
    )


#: What the study's numbers are called.
STUDY = "the study, 95 % interval"


def numbers_beside(
    printed: Mapping[str, Mapping[str, float]],
    paper: str,
    measured: pd.DataFrame,
    here: str,
    studied: pd.DataFrame | None = None,
) -> go.Figure:
    """The table: every metric that a paper prints for each variant, and what was measured, in percent.

    printed: label -> metric -> number; studied and measured as for ``beside_paper``: mean with the interval, or over
    seeds with the standard deviation where there are several; a dash where there is nothing.
    """
    metrics = list(next(iter(printed.values())))
    columns = {"rendering": list(printed)}
    columns |= {f"{metric}, paper": [f"{row[metric]:.1f}" for row in printed.values()] for metric in metrics}
    for metric in metrics:
        columns[f"{metric}, study"] = [
            "–" if np.isnan(line.value) else f"{line.value:.1f} [{line.low:.1f}, {line.high:.1f}]"
            for line in _intervals(studied, printed, metric).itertuples()
        ]
    columns |= {f"{metric}, here": [_mean(measured, label, metric) for label in printed] for metric in metrics}
    below = f"accuracy in percent; {paper}; {STUDY}; {here}"
    figure = training.table(columns, "The table, beside the paper's", below)
    return figure.update_traces(columnwidth=[3, *[1] * (len(columns) - 1)])


def _intervals(studied: pd.DataFrame | None, labels: Iterable[str], metric: str) -> pd.DataFrame:
    """value, low and high of each label, NaN where the study has none."""
    names = ["value", "low", "high"]
    if studied is None or studied.empty:
        return pd.DataFrame(np.nan, index=list(labels), columns=names)
    lines = studied[studied["title"] == metric].set_index("label")
    return lines.reindex(list(labels))[names].astype(float)


def _empty(figure: go.Figure, col: int, reason: str) -> None:
    # An axis without bars knows none of the rows' names.
    where = {"x": 50, "xref": f"x{col}", "y": 0.5, "yref": f"y{col} domain"}
    figure.add_annotation(text=reason, showarrow=False, font_color=common.SOFT, **where)


def _mean(measured: pd.DataFrame, label: str, metric: str) -> str:
    values = measured.loc[measured["system"] == label, metric].dropna() if len(measured) else measured
    if len(values) == 0:
        return "–"
    return f"{values.mean():.1f}" if len(values) == 1 else f"{values.mean():.1f} ± {values.std():.1f}"
