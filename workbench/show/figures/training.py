"""Training: learning curves, the stages of the procedure, and accuracies with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from workbench.show.figures import common

#: The number by which epochs and runs are compared: its name, and what its axis says.
SCORES = {
    "top1": ("accuracy", "accuracy (0 to 1)"),
    "frame_map": ("average precision", "mean average precision over frames"),
}


def curves(history: pd.DataFrame, heading: str = "Learning curves") -> go.Figure:
    """Loss (left) and accuracy in [0,1] (right) by epoch, in training and on the validation subjects.

    history: one row an epoch with ``epoch``, ``stage``, and columns train_total, validation_total, train_top1,
    validation_top1, of detectors validation_frame_map (those that are there are drawn). A blank where it is empty.
    """
    if history.empty:
        return common.blank(heading, "this run has no history")
    score = "frame_map" if "validation_frame_map" in history else "top1"
    panels = {"loss": "total", SCORES[score][0]: score}
    figure = common.panels(panels, horizontal_spacing=0.11)
    for column, ending in enumerate(panels.values(), 1):
        for index, part in enumerate(("train", "validation")):
            if f"{part}_{ending}" in history:
                _line(figure, history, f"{part}_{ending}", part, index, column, legend=column == 1)
    starts = history.groupby("stage", sort=False)["epoch"].min()
    for stage, epoch in list(starts.items())[1:]:
        line = {"line_dash": "dot", "line_color": common.SOFT, "annotation_text": common.text(stage)}
        figure.add_vline(epoch - 0.5, annotation_position="top right", row=1, col="all", **line)
    _epochs(figure, history)
    figure.update_yaxes(title_text="loss (nats)", row=1, col=1)
    figure.update_yaxes(title_text=SCORES[score][1], range=[0, 1.02], row=1, col=2)
    below = "training clips are augmented anew in every epoch (crop, mirror, light); validation subjects are unseen"
    return common.finish(figure, heading, below, 430, legend={"orientation": "v", "x": 1.02, "y": 1})


def terms(history: pd.DataFrame) -> go.Figure:
    """Every training term by epoch, unweighted, one panel a term: columns train_<term> but total and top1."""
    heading = "The terms of the loss"
    names = [name for name in history if name.startswith("train_") and name not in ("train_total", "train_top1")]
    if not names:
        return common.blank(heading, "this run's loss has a single term")
    titles = [name.removeprefix("train_").replace("_", " ") for name in names]
    figure = common.panels(titles, horizontal_spacing=0.3 / len(names))
    for column, name in enumerate(names, 1):
        _line(figure, history, name, name, column - 1, column, legend=False)
    _epochs(figure, history)
    figure.update_yaxes(title_text="value (no unit)", col=1)
    return common.finish(figure, heading, "means over the training clips of an epoch", 360)


def _line(
    figure: go.Figure, history: pd.DataFrame, name: str, label: str, index: int, column: int, legend: bool
) -> None:
    figure.add_scatter(
        x=history["epoch"],
        y=history[name],
        mode="lines+markers",
        line={"color": common.color(index), "width": 3, "dash": "solid" if index % 2 == 0 else "dash"},
        marker={"symbol": common.SYMBOLS[index % len(common.SYMBOLS)], "size": 7},
        connectgaps=True,
        name=common.text(label),
        legendgroup=label,
        showlegend=legend,
        row=1,
        col=column,
    )


def _epochs(figure: go.Figure, history: pd.DataFrame) -> None:
    """An axis of whole epochs: of a few, plotly would mark the halves."""
    figure.update_xaxes(title_text="epoch", tickformat="d", dtick=1 if history["epoch"].max() <= 10 else None)


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


def stages(procedure: Sequence[Any]) -> go.Figure:
    """The stages of a training procedure (systems.base.Stage) as a table."""
    columns = {
        "stage": [stage.name for stage in procedure],
        "trains": [", ".join(stage.trains) or "everything" for stage in procedure],
        "frozen": [", ".join(stage.freezes) or "nothing" for stage in procedure],
        "loss": [stage.loss for stage in procedure],
        "epochs": [stage.epochs for stage in procedure],
        "optimiser": [_settings(stage.optimizer) for stage in procedure],
        "schedule": [_settings(stage.schedule) for stage in procedure],
    }
    below = "as published; a preset scales epochs and may replace the optimiser"
    return table(columns, "The stages of training", below)


def _settings(settings: Mapping[str, Any]) -> str:
    rest = ", ".join(f"{name} {value}" for name, value in settings.items() if name != "name")
    return f"{settings['name']}: {rest}" if rest else str(settings["name"])


def results(runs: pd.DataFrame, score: str = "top1", chance: float | None = None) -> go.Figure:
    """The ``score`` (a key of SCORES) of runs, a bar a row: columns id, test_<score> in [0,1], and with whiskers where
    its interval is there, test_<score>_low and _high; rows without are left out. ``chance`` is drawn as a line. A blank
    where nothing was measured."""
    name, heading = f"test_{score}", "Result on clips of unseen subjects"
    measured = runs.dropna(subset=name) if name in runs else runs.iloc[:0]
    if measured.empty:
        return common.blank(heading, "no run has been evaluated on test")
    whiskers = {}
    if f"{name}_low" in measured:
        whiskers = common.whiskers(*(measured[column] for column in (name, f"{name}_low", f"{name}_high")))
    value = measured[name].to_numpy()
    figure = go.Figure(
        go.Bar(
            x=value,
            y=list(range(len(value))),
            orientation="h",
            marker_color=common.COLORS[0],
            width=0.6,
            hovertemplate="%{x:.3f}<extra></extra>",
            error_x=whiskers,
        )
    )
    if chance is not None:
        figure.add_vline(chance, line_dash="dot", annotation_text="chance", annotation_position="bottom right")
    written = [f"{common.text(run)}<br><b>{share:.1%}</b>" for run, share in zip(measured["id"], value, strict=True)]
    figure.update_yaxes(title_text="run", autorange="reversed", tickvals=list(range(len(value))), ticktext=written)
    figure.update_xaxes(title_text=SCORES[score][1], range=[0, 1])
    below = "whiskers: 95 % interval over clips (bootstrap)" if whiskers else "all videos of the split"
    return common.finish(figure, heading, below, 190 + 56 * len(value))
