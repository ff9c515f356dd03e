"""Is it alive? What a prediction does when the attention is exchanged, what a form could gain at best, and what a
student took of its teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.show.figures import common

Numbers = Mapping[str, Mapping[str, Any]]

#: The questions that a system is asked, as figures call them.
QUESTIONS = {
    "own": "as it is",
    "shuffled_pose": "another clip's poses",
    "uniform_attention": "uniform attention",
    "shuffled_time": "time shuffled",
}
KINDS = {"plain": common.GREY, "learnt": common.COLORS[0], "known truth": common.TRUTH}


def answers(scores: Mapping[str, np.ndarray], classes: Sequence[str], clip: str) -> go.Figure:
    """What one clip is taken for under each exchange: scores [N] in [0,1] by question, a group of bars a class, of the
    four classes that score highest anywhere."""
    heading = "Predictions after an exchange of the attention"
    if len(scores) < 2:
        return common.blank(heading, "this run has no attention to exchange, and reads no poses")
    best = np.argsort(-np.max(list(scores.values()), axis=0), kind="stable")[:4]
    figure = go.Figure()
    for index, (question, values) in enumerate(scores.items()):
        style = {"marker_color": common.color(index), "marker_pattern_shape": ("", "/", ".", "x")[index % 4]}
        name = common.text(QUESTIONS.get(question, question))
        figure.add_trace(common.bars(values[best], [classes[label] for label in best], name=name, **style))
    figure.update_yaxes(autorange="reversed", title_text="class")
    figure.update_xaxes(title_text="score (softmax)", range=[0, 1])
    below = f"{clip}: bars of equal length mean that the prediction does not depend on the attention"
    return common.finish(figure, heading, below, 190 + 30 * len(scores) * len(best), barmode="group")


def exchanged(effects: Numbers, run: str, floor: float) -> go.Figure:
    """All clips: accuracy as they are and under each exchange, and the share of predictions that each changes, beside
    the ``floor`` in [0,1] below which a mechanism is called idle. effects: question -> "top1" and, but for "own",
    "changed", each {"value", "low", "high"}."""
    heading = f"Is the attention of {run} alive?"
    if not effects:
        return common.blank(heading, "nothing was exchanged: this run has no attention, or was evaluated before that")
    figure = common.panels(["predictions that change", "accuracy"], shared_yaxes=True)
    order = [name for name in QUESTIONS if name in effects]
    for column, key in enumerate(("changed", "top1"), 1):
        questions = [name for name in order if key in effects[name]]
        value, low, high = (
            100 * np.array([effects[name][key][end] for name in questions]) for end in ("value", "low", "high")
        )
        bars = common.bars(
            value,
            [QUESTIONS[name] for name in questions],
            hover="%{x:.1f} %",
            error_x=common.whiskers(value, low, high),
            marker_color=[common.COLORS[0] if name == "own" else common.GREY for name in questions],
        )
        figure.add_trace(bars, 1, column)
        figure.add_scatter(
            x=high, y=bars.y, mode="text", text=[f"  {number:.1f} %" for number in value], textposition="middle right",
            cliponaxis=False, hoverinfo="skip", row=1, col=column,
        )  # fmt: skip
    figure.add_vline(100 * floor, line_dash="dot", annotation_text="floor", line_color=common.INK, row=1, col=1)
    figure.update_yaxes(categoryorder="array", categoryarray=[common.text(QUESTIONS[name]) for name in order[::-1]])
    figure.update_yaxes(title_text="the clips", col=1)
    figure.update_xaxes(title_text="share of clips (%)", range=[0, 100], col=1)
    figure.update_xaxes(title_text="right (%)", range=[0, 110], col=2)
    below = "with 95 % intervals over clips; left of the floor the mechanism is idle, however good its maps are"
    return common.finish(figure, heading, below, 190 + 44 * len(order), showlegend=False)


def ceilings(rows: pd.DataFrame, command: str) -> go.Figure:
    """What each form of attention gains, and what it gains with the known truth in its place: a bar a row with label,
    value, low, high (percent) and kind, a key of KINDS. ``command`` makes the rows that a blank stands for."""
    heading = "The gain of each form at best"
    if rows.empty:
        return common.blank(heading, f"not run here: {command}")
    figure = go.Figure()
    for kind, color in KINDS.items():
        lines = rows[rows["kind"] == kind]
        ends = common.whiskers(lines["value"], lines["low"], lines["high"])
        style = {"error_x": ends, "marker_color": color, "name": kind}
        figure.add_trace(common.bars(lines["value"], lines["label"], "{:.1f}", "%{x:.1f} %", **style))
    for value in rows.loc[rows["kind"] == "plain", "value"]:
        figure.add_vline(value, line_dash="dot", line_color=common.SOFT)
    labels = [common.text(label) for label in rows["label"]]
    figure.update_yaxes(categoryorder="array", categoryarray=labels[::-1], title_text="attention")
    figure.update_xaxes(title_text="accuracy (percent)", rangemode="tozero")
    below = "dotted: without attention; a form whose green bar ends there cannot gain, whatever its attention is"
    return common.finish(figure, heading, below, 210 + 40 * len(rows))


def taught(levels: Numbers, run: str) -> go.Figure:
    """Left, the cosine of the student's embedding to its own teacher's and to other classes'; right, of squared errors,
    the loss as a share of the best constant's. levels: as a run's metrics have them under alive, distillation."""
    heading = f"Did {run} learn from its own teacher?"
    measured = {name: numbers for name, numbers in levels.items() if name != "skipped"}
    if not measured:
        return common.blank(heading, str(levels.get("skipped", "no distillation was measured")))
    figure = common.panels(["cosine to the teacher's embedding", "loss / the best constant's"])
    names = [common.text(name) for name in measured]
    for index, (key, label) in enumerate((("own", "of the same clip"), ("other", "of other classes"))):
        cosines = {name: numbers[key] for name, numbers in measured.items() if key in numbers}
        value, low, high = (
            np.array([numbers[end] for numbers in cosines.values()]) for end in ("value", "low", "high")
        )
        figure.add_bar(
            x=[common.text(name) for name in cosines],
            y=value,
            error_y=common.whiskers(value, low, high),
            marker_color=(common.COLORS[0], common.GREY)[index],
            name=label,
            hovertemplate="%{y:.3f}<extra></extra>",
            row=1,
            col=1,
        )
    ratios = [
        numbers["loss"] / numbers["constant"] if numbers.get("constant") else np.nan for numbers in measured.values()
    ]
    written = [
        f"{ratio:.3g}" if "loss" in numbers else "no squared error"
        for ratio, numbers in zip(ratios, measured.values(), strict=True)
    ]
    bars = {"x": names, "y": np.nan_to_num(ratios).clip(0, 2), "text": written, "textposition": "outside", "width": 0.4}
    figure.add_bar(**bars, marker_color=common.COLORS[2], showlegend=False, row=1, col=2)
    figure.add_hline(1, line_dash="dot", annotation_text="gives every clip the same", row=1, col=2)
    figure.add_hline(0, line_color=common.SOFT, row=1, col=1)
    figure.update_yaxes(title_text="cosine", row=1, col=1)
    figure.update_yaxes(title_text="ratio (bars end at 2)", range=[0, 2.3], row=1, col=2)
    margins = [
        f"{name}: {numbers['margin']['value']:+.3f}" for name, numbers in measured.items() if "margin" in numbers
    ]
    below = "own minus other, " + ", ".join(margins) if margins else "only one class: there is no other to compare with"
    return common.finish(figure, heading, below, 420, barmode="group")


def gradients(stages: Mapping[str, Mapping[str, Mapping[str, float]]]) -> go.Figure:
    """Each term's share of the gradient in the first and the last epoch of every stage with more than one term, a bar
    in parts each; above them what moves a teacher that learns along."""
    heading = "Which term moves the weights?"
    parts = {"teacher_gradient_": "the teacher, ", "gradient_": ""}
    bars: dict[str, dict[str, float]] = {}
    for stage, ends in stages.items():
        for end, shares in ends.items():
            for prefix, title in parts.items():
                mine = {name.removeprefix(prefix): share for name, share in shares.items() if name.startswith(prefix)}
                if mine:
                    bars[f"{stage}: {title}{end} epoch"] = mine
    if not bars:
        return common.blank(heading, "each stage of this run has one term, or it was trained before this was measured")
    figure = go.Figure()
    terms = list(dict.fromkeys(term for shares in bars.values() for term in shares))
    for index, term in enumerate(terms):
        values = [shares.get(term, 0.0) for shares in bars.values()]
        written = [f"{share:.0%}" if share >= 0.04 else "" for share in values]
        style = {"name": common.text(term), "marker_color": common.color(index), "insidetextanchor": "middle"}
        figure.add_trace(common.bars(values, bars, hover="%{x:.2%}", text=written, **style))
    figure.update_yaxes(autorange="reversed", title_text="stage")
    figure.update_xaxes(title_text="share of the weighted gradient of each term", range=[0, 1], tickformat=".0%")
    below = "norms at the epoch's first batch, on the weights that the classification also reaches"
    return common.finish(figure, heading, below, 200 + 40 * len(bars), barmode="stack")
