"""Teacher and student side by side (VPN++): what is distilled, features, video-pose pairs, gains, departures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.explain.distillation import Contrast, Departures, Lesson
from workbench.explain.embeddings import Comparison
from workbench.show.figures import common, training
from workbench.show.figures.embeddings import METHODS

GREEK = {"alpha": "α", "beta": "β"}


def pull(history: pd.DataFrame) -> go.Figure:
    """What is minimised, and the student's part of it that is about the classes, by epoch, logarithmic: the gap is what
    the teacher adds. history: one row an epoch, with stage, train_total and train_classification."""
    heading = "The pull of the classes and of the teacher"
    parts = [name for name in ("train_total", "train_classification") if name in history]
    if len(parts) < 2:
        return common.blank(heading, "this run's loss does not separate the classes from the teacher")
    figure = go.Figure()
    for index, (name, label) in enumerate(zip(parts, ("the total loss", "classes alone"), strict=True)):
        # Another stage trains another network: no line leads there.
        for stage, (_, rows) in enumerate(history.groupby("stage", sort=False)):
            figure.add_scatter(
                x=rows["epoch"],
                y=rows[name],
                mode="lines+markers",
                line={"color": common.color(index), "width": 3, "dash": ("solid", "dash")[index]},
                marker={"symbol": common.SYMBOLS[index], "size": 8},
                name=label,
                legendgroup=label,
                showlegend=stage == 0,
                hovertemplate="%{y:.3g}<extra></extra>",
            )
    for stage, epoch in history.groupby("stage", sort=False)["epoch"].min().items():
        figure.add_vline(
            epoch - 0.5, line_dash="dot", line_color=common.SOFT,
            annotation_text=common.text(stage), annotation_y=1, annotation_yanchor="bottom", annotation_xanchor="left",
        )  # fmt: skip
    figure.update_xaxes(title_text="epoch", dtick=max(1, len(history) // 10))
    figure.update_yaxes(title_text="loss (nats, logarithmic)", type="log")
    return common.finish(figure, heading, "means over the training clips of an epoch; the gap is the teachers'", 400)


def planes(
    comparisons: Mapping[str, Comparison], labels: np.ndarray, classes: Sequence[str], shown: Sequence[str]
) -> go.Figure:
    """Embeddings of teacher (circle) and student (cross) in one plane, a panel a level of distillation; a line joins
    the two of a clip. labels [S]; ``shown`` names the classes in colour, the rest is grey."""
    heading = "Teacher and student in one plane"
    if not comparisons:
        return common.blank(heading, "teacher and student have no embeddings to compare")
    titles = [
        f"{common.text(level)}: {METHODS[comparison.first.method]}<br>trustworthiness "
        f"{comparison.first.trustworthiness:.2f} (teacher), {comparison.second.trustworthiness:.2f} (student)"
        for level, comparison in comparisons.items()
    ]
    figure = make_subplots(1, len(titles), subplot_titles=titles, horizontal_spacing=0.08)
    colored = [label for label, name in enumerate(classes) if name in shown]
    for column, comparison in enumerate(comparisons.values(), 1):
        clip_labels = labels[comparison.rows]
        groups = [(-1, np.flatnonzero(~np.isin(clip_labels, colored)))]
        groups += [(label, np.flatnonzero(clip_labels == label)) for label in colored]
        for index, (label, clips) in enumerate(groups):
            color = "#CBD2D9" if label < 0 else common.color(index - 1)
            name = "other" if label < 0 else common.text(classes[label])
            _joined(figure, comparison, clips, color, name, column)
    for name, symbol in (("teacher", "circle"), ("student", "x")):
        key = {"symbol": symbol, "size": 10, "color": common.INK}
        figure.add_scatter(x=[None], y=[None], mode="markers", marker=key, name=name, row=1, col=1)
    figure.update_xaxes(title_text="no unit", showticklabels=False).update_yaxes(showticklabels=False)
    below = (
        "test clips; the student's cloud is rotated onto the teacher's (orthogonal Procrustes); short lines: similar"
    )
    return common.finish(figure, heading, below, 560, legend={"font": {"size": 12}, "tracegroupgap": 0})


def _joined(figure: go.Figure, comparison: Comparison, clips: np.ndarray, color: str, name: str, column: int) -> None:
    if not len(clips):
        return
    ends = [comparison.first.points[clips], comparison.second.points[clips]]
    broken = np.stack([*ends, np.full_like(ends[0], np.nan)], axis=1).reshape(-1, 2)
    where = {"row": 1, "col": column, "legendgroup": name, "hoverinfo": "skip"}
    line = {"color": color, "width": 1}
    figure.add_scatter(x=broken[:, 0], y=broken[:, 1], mode="lines", opacity=0.5, line=line, showlegend=False, **where)
    for index, (points, symbol) in enumerate(zip(ends, ("circle", "x"), strict=True)):
        figure.add_scatter(
            x=points[:, 0],
            y=points[:, 1],
            mode="markers",
            marker={"color": color, "symbol": symbol, "size": 8, "opacity": 0.85},
            name=name,
            showlegend=index == 0 and column == 1,
            text=[f"{common.text(comparison.ids[clip])}, {('teacher', 'student')[index]}" for clip in clips],
            **{**where, "hoverinfo": "text"},
        )


def pairs(contrasts: Mapping[str, Contrast]) -> go.Figure:
    """Likeness of positive and negative video-pose pairs as histograms, a panel a contrast, in [-1,1]."""
    heading = "A video, its own poses, and another action's"
    titles = [f"{common.text(name)}<br>separation: {contrast.ranking:.2f}" for name, contrast in contrasts.items()]
    figure = make_subplots(1, len(titles), subplot_titles=titles, horizontal_spacing=0.08)
    for column, contrast in enumerate(contrasts.values(), 1):
        every = np.concatenate([contrast.positive, contrast.negative])
        low, high = (every.min(), every.max()) if len(every) else (-1.0, 1.0)
        low, high = low - 0.02, high + 0.02  # finer differences are none
        size = float(high - low) / 30
        sides = {"positive: of one clip": contrast.positive, "negative: of different actions": contrast.negative}
        for index, (name, values) in enumerate(sides.items()):
            figure.add_histogram(
                x=values,
                histnorm="probability",
                xbins={"start": low, "end": high, "size": size},
                marker_color=common.COLORS[1 - index],
                opacity=0.6,
                name=name,
                legendgroup=name,
                showlegend=column == 1,
                hovertemplate="%{x}: %{y:.2f}<extra></extra>",
                row=1,
                col=column,
            )
    figure.update_xaxes(title_text="similarity (at most 1)")
    figure.update_yaxes(title_text="share of the pairs", col=1)
    below = "separation: the probability that a positive pair is more similar than a negative one (0.5: chance)"
    legend = {"orientation": "h", "y": -0.22, "x": 0, "xanchor": "left"}
    return common.finish(figure, heading, below, 440, barmode="overlay", legend=legend, margin_b=110)


def class_gains(gains: pd.DataFrame, overall: Sequence[float], runs: tuple[str, str]) -> go.Figure:
    """Gain of each action with its interval, in percentage points. gains: rows with action, clips, value, low, high in
    [-1,1], in the order shown; overall: value, low, high of all clips, above them."""
    first = {"action": "all actions", "clips": int(gains["clips"].sum())}
    rows = pd.concat([pd.DataFrame([first | dict(zip(("value", "low", "high"), overall, strict=True))]), gains])
    value, low, high = (100 * rows[name].to_numpy() for name in ("value", "low", "high"))
    figure = common.gains(
        value,
        [f"{name} ({count})" for name, count in zip(rows["action"], rows["clips"], strict=True)],
        "action (clips)",
        marker_color=[common.INK, *np.where(value[1:] >= 0, common.COLORS[1], common.COLORS[0])],
        error_x=common.whiskers(value, low, high, color=common.SOFT),
        customdata=rows["clips"],
        hovertemplate="%{x:+.1f} points on %{customdata} clips<extra></extra>",
    )
    figure.update_xaxes(title_text="change of accuracy (percentage points)")
    below = f"{runs[1]} against {runs[0]}; whiskers: 95 % interval over clips; one that contains 0 may be chance"
    return common.finish(figure, "The student's gain on each action", below, 180 + 24 * max(6, len(rows)))


def departures(departed: Departures, labels: np.ndarray, classes: Sequence[str], teacher: str) -> go.Figure:
    """Clips of each action on which student and teacher part: to the right those that the student alone gets right, to
    the left those that the teacher alone does. Actions without any are left out."""
    heading = "Where the student departs from its teacher"
    counts = departed.by_class(labels, len(classes))
    actions = np.flatnonzero(counts.sum(1))
    if not len(actions):
        return common.blank(heading, "on every clip both are correct or both are wrong")
    actions = actions[np.argsort(counts[actions] @ [1, -1], kind="stable")]
    figure = go.Figure()
    sides = [
        ("only student correct", counts[actions, 1], 1),
        (f"only teacher {teacher} correct", -counts[actions, 0], 0),
    ]
    for name, clips, color in sides:
        figure.add_bar(
            x=clips,
            y=list(range(len(actions))),
            orientation="h",
            marker_color=common.COLORS[color],
            name=common.text(name),
            customdata=np.abs(clips),
            hovertemplate="%{customdata} clips<extra></extra>",
        )
    common.rows(figure, [classes[int(label)] for label in actions])
    step = max(1, (reach := int(counts.max())) // 4)
    ticks = list(range(-(reach // step) * step, reach + 1, step))
    figure.update_xaxes(title_text="clips", tickvals=ticks, ticktext=[str(abs(tick)) for tick in ticks])
    figure.add_vline(0, line_color=common.SOFT)
    below = f"teacher alone right on {len(departed.lost)} clips, student alone on {len(departed.won)}, of {len(labels)}"
    legend = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1, "xanchor": "right"}
    return common.finish(figure, heading, below, 210 + 26 * max(4, len(actions)), barmode="relative", legend=legend)


def departed(lesson: Lesson, departures: Departures, classes: Sequence[str], teacher: str, most: int = 40) -> go.Figure:
    """The clips of ``departures`` as a table, at most ``most`` of each kind: what it is, and what either takes it
    for."""
    heading = "The clips with different answers"
    lost, won = departures.lost[:most], departures.won[:most]
    clips = [*lost, *won]
    if not clips:
        return common.blank(heading, "on every clip both are correct or both are wrong")
    answers = [network.logits.argmax(1) for network in (lesson.teachers[teacher], lesson.student)]
    columns: dict[str, list[str]] = {
        "clip": [lesson.ids[clip] for clip in clips],
        "action": [classes[lesson.labels[clip]] for clip in clips],
        f"teacher {teacher} predicts": [classes[answers[0][clip]] for clip in clips],
        "student says": [classes[answers[1][clip]] for clip in clips],
        "right": ["teacher"] * len(lost) + ["student"] * len(won),
    }
    more = len(departures.lost) + len(departures.won) - len(clips)
    below = "select one as clip below to see it" + (f"; {more} more are not shown" if more else "")
    figure = training.table(columns, heading, below)
    return common.finish(figure, heading, below, 150 + 33 * len(clips), margin=figure.layout.margin)


def agreement(measured: Mapping[str, Mapping[str, Sequence[float]]], teacher: str) -> go.Figure:
    """How far networks answer as the teacher does: measure -> network -> (value, low, high), a panel a measure."""
    figure = common.panels(measured, shared_yaxes=True)
    for column, networks in enumerate(measured.values(), 1):
        value, low, high = np.array([list(numbers) for numbers in networks.values()]).T
        colors, ends = [common.COLORS[0], *[common.GREY] * (len(networks) - 1)], common.whiskers(value, low, high)
        figure.add_trace(common.bars(value, networks, "{:.2f}", marker_color=colors, error_x=ends), 1, column)
        figure.update_xaxes(range=[min(0.0, float(np.nanmin(low, initial=0)) - 0.05), 1.02], row=1, col=column)
    figure.update_yaxes(autorange="reversed").update_xaxes(title_text="1: always the same")
    rows = max(len(networks) for networks in measured.values())
    below = "with 95 % intervals over clips; the baseline has no teacher"
    return common.finish(
        figure, f"Does the student answer as teacher {teacher}?", below, 190 + 50 * rows, showlegend=False
    )


def sensitivity(measured: pd.DataFrame, paper: Mapping[str, Any] | None, run: str) -> go.Figure:
    """Figure 8: accuracy in percent against the weight of distillation, a panel a weight.

    measured: rows with option, value, seed, top1, low, high in [0,1]; a dot a run, the line their mean. paper: what is
    printed for this system, {"option", "curves": {data set: {weight: percent}}}, or None.
    """
    heading = "Accuracy against the weight of the teacher"
    printed = {paper["option"]: paper["curves"]} if paper else {}
    options = sorted({*measured["option"], *printed})
    if not options:
        return common.blank(heading, f"{run} has no distillation weight, and the paper prints none")
    figure = make_subplots(1, len(options), shared_yaxes=True)
    for column, option in enumerate(options, 1):
        runs, curves = measured[measured["option"] == option], printed.get(option, {})
        scale = sorted({*runs["value"].tolist(), *(float(key) for curve in curves.values() for key in curve)})
        where = {"row": 1, "col": column, "showlegend": column == 1}
        if len(runs):
            _measured(figure, runs, scale, common.text(run), where)
        for index, (name, curve) in enumerate(curves.items(), 1):
            figure.add_scatter(
                x=[scale.index(float(key)) for key in curve],
                y=list(curve.values()),
                mode="lines+markers",
                line={"color": common.color(index), "dash": "dot", "width": 2},
                marker={"symbol": common.SYMBOLS[index], "size": 9},
                name=f"paper, {common.text(name)}",
                hovertemplate="%{y:.1f} %<extra></extra>",
                **where,
            )
        ticks = {"tickvals": list(range(len(scale))), "ticktext": [f"{value:g}" for value in scale]}
        figure.update_xaxes(
            title_text=f"{GREEK.get(option, option)} (no unit, not to scale)", row=1, col=column, **ticks
        )
    figure.update_yaxes(title_text="accuracy (percent)", row=1, col=1)
    below = "dots: runs with their 95 % interval over clips; the paper's numbers are for other data"
    return common.finish(figure, heading, below, 440)


def _measured(figure: go.Figure, runs: pd.DataFrame, scale: list[float], name: str, where: dict) -> None:
    mean = 100 * runs.groupby("value")["top1"].mean()
    line = {"color": common.COLORS[0], "width": 3}
    figure.add_scatter(
        x=[scale.index(value) for value in mean.index], y=mean, mode="lines", line=line, name=name, **where
    )
    value, low, high = (100 * runs[column] for column in ("top1", "low", "high"))
    figure.add_scatter(
        x=[scale.index(weight) for weight in runs["value"]],
        y=value,
        mode="markers",
        marker={"color": common.COLORS[0], "size": 9},
        error_y=common.whiskers(value, low, high, thickness=1.5),
        text=[f"seed {seed}" for seed in runs["seed"]],
        hovertemplate="%{text}: %{y:.1f} %<extra></extra>",
        **{**where, "showlegend": False},
    )
