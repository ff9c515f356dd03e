"""Pose-driven attention, looked at and graded: where (A_S), when (A_T), and both coupled (A_ST = A_S o A_T)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.explain import maps
from workbench.show.figures import common
from workbench.show.scene import seconds_per_frame
from workbench.types import Clip, Pose, Truth

#: What each graded metric says; metrics of other names are shown under their own.
METRICS = {
    "inside_share": "share inside<br>the true region",
    "pointing_game": "pointing game<br>(share of hits)",
    "ranking": "ranking of places<br>(chance: 0.5)",
    "temporal_overlap": "share within<br>the true moment",
    "temporal_gain": "gain over uniform<br>weights in time",
}


def spatial(clip: Clip, values: np.ndarray | None, pixels: Pose | None) -> go.Figure:
    """A_S [H',W'] over the person: the clip's middle frame with its skeleton, and the weights as cells over that frame.

    pixels: the pose in clip pixels, or None. A blank where ``values`` is None.
    """
    heading = "Where: spatial attention over the person"
    if values is None:
        return common.blank(heading, "this run has no spatial attention")
    middle = len(clip.frames) // 2
    frame = clip.frames[middle]
    height, width = frame.shape[:2]
    rows, columns = values.shape
    figure = common.panels(["frame and skeleton", "weights of the grid's cells"])
    figure.add_trace(common.image(frame), 1, 1)
    figure.add_trace(common.image(frame), 1, 2)
    if pixels is not None:
        x, y = common.skeleton_lines(pixels.joints[0, middle], pixels.skeleton.bones)
        figure.add_scatter(
            x=x, y=y, mode="lines", line={"color": "#F0E442", "width": 3}, row=1, col=1, hoverinfo="skip"
        )
    figure.add_heatmap(
        z=values,
        x=(np.arange(columns) + 0.5) * width / columns,
        y=(np.arange(rows) + 0.5) * height / rows,
        opacity=0.65,
        colorscale="Inferno",
        colorbar=common.bar("weight", "0 to 1"),
        hovertemplate="weight %{z:.3f}<extra></extra>",
        row=1,
        col=2,
    )
    figure.update_xaxes(title_text="u (clip pixels)", range=[0, width], showgrid=False)
    figure.update_yaxes(title_text="v (clip pixels, down)", range=[height, 0], showgrid=False)
    below = f"frame {clip.frame_numbers[middle]}; one weight a cell, between {values.min():.3f} and {values.max():.3f}"
    return common.finish(figure, heading, below, 470, showlegend=False)


def temporal(clip: Clip, values: Mapping[str, np.ndarray | None], truth: Truth | None) -> go.Figure:
    """A_T [T'] of one or more runs as steps over the clip's seconds, with the uniform weight and the truth interval.

    A blank where no run has any.
    """
    heading = "When: temporal attention"
    present = {name: weights for name, weights in values.items() if weights is not None}
    if not present:
        return common.blank(heading, "this run has no temporal attention")
    seconds = np.append(clip.seconds, clip.seconds[-1] + seconds_per_frame(clip))
    figure = go.Figure()
    if truth is not None:
        first, last = (_second(clip, number) for number in truth.interval)
        figure.add_vrect(
            x0=first, x1=last, fillcolor=common.TRUTH, opacity=0.15, line_width=0, layer="below",
            annotation_text="true moment", annotation_position="outside top", annotation_font_color=common.TRUTH,
        )  # fmt: skip
    for index, (name, weights) in enumerate(present.items()):
        edges = np.append(maps.spans(len(weights), len(clip.frames))[:, 0], len(clip.frames))
        figure.add_scatter(
            x=seconds[edges],
            y=np.append(weights, weights[-1]),
            mode="lines",
            line={"shape": "hv", "width": 4, "color": common.color(index)},
            fill="tozeroy" if len(present) == 1 else None,
            name=common.text(name),
            hovertemplate="%{y:.3f}<extra></extra>",
        )
    steps = len(next(iter(present.values())))
    even = {"dash": "dot", "color": common.SOFT}
    figure.add_hline(1 / steps, line=even, annotation_text=f"even: 1/{steps}", annotation_position="bottom right")
    figure.update_xaxes(title_text="time (seconds)", range=[seconds[0], seconds[-1]])
    figure.update_yaxes(title_text="weight of a time step (sums to 1)", rangemode="tozero")
    below = "above the dotted line a step has more than a uniform share"
    return common.finish(
        figure, heading, below, 380, legend={"orientation": "h", "y": 1.08, "x": 1, "xanchor": "right"}
    )


def coupled(
    clip: Clip,
    values: Mapping[str, np.ndarray | None],
    truth: Truth | None = None,
    opacity: float = 0.8,
    columns: int = 8,
) -> go.Figure:
    """A_ST [T',H',W'] over the video: the frames (the truth region outlined), then a row a map, on one scale a row.

    A map that is None is a labelled blank row.
    """
    rows = {"frames": _outlined(clip.frames, truth)}
    for name, value in values.items():
        if value is None:
            rows[f"{name}\n(this run has no such map)"] = np.full_like(clip.frames, 235)
            continue
        frames = maps.upsample(maps.normalise(value), clip.frames.shape[:3])
        rows[name] = maps.overlay(clip.frames, frames, opacity)
    labels = common.frame_labels(clip)
    below = "bright: much attention (each row on its own scale over the whole clip)"
    below += "; green outline: the region that decides the label, in its moment" if truth is not None else ""
    heading = "Where and when: the maps over the video"
    return common.sheet(rows, labels, heading, below, columns)


def graded(grades: Mapping[str, Mapping[str, Mapping[str, float]]], run: str) -> go.Figure:
    """Attention against what is known to be true, and against attention that cannot know it.

    grades: grade -> source -> {"value", "low", "high"} (an interval; without it a bare value), as in a run's metrics;
    the source "system" is called ``run``, differences ("minus_...") are left out. A blank where there is nothing.
    """
    heading = f"The attention of {run}, graded in space and time"
    if not grades:
        return common.blank(heading, "nothing to grade: this run has no attention, or its data have no known truth")
    names = [METRICS.get(grade, common.text(grade)) for grade in grades]
    figure = make_subplots(1, len(grades), subplot_titles=names, horizontal_spacing=0.03, shared_yaxes=True)
    for column, sources in enumerate(grades.values(), 1):
        intervals = {source: interval for source, interval in sources.items() if not source.startswith("minus_")}
        value = np.array([interval["value"] for interval in intervals.values()])
        high = np.array([interval.get("high", interval["value"]) for interval in intervals.values()])
        low = np.array([interval.get("low", interval["value"]) for interval in intervals.values()])
        bars = common.bars(
            value,
            [run if source == "system" else source.replace("_", " ") for source in intervals],
            "{:.2f}",
            error_x=common.whiskers(value, low, high),
            marker_color=[common.COLORS[0] if source == "system" else common.GREY for source in intervals],
        )
        figure.add_trace(bars, 1, column)
    figure.update_yaxes(autorange="reversed").update_yaxes(title_text="source of the attention", col=1)
    figure.update_xaxes(title_text="score (1: perfect)", rangemode="tozero", nticks=4)
    below = "means over clips with 95 % intervals; attention that beats no baseline explains nothing"
    rows = max(len(sources) for sources in grades.values())
    return common.finish(figure, heading, below, 180 + 30 * rows, showlegend=False)


def _outlined(frames: np.ndarray, truth: Truth | None) -> np.ndarray:
    import cv2

    if truth is None:
        return frames
    drawn = frames.copy()
    for index in np.flatnonzero(truth.moment):
        mask = truth.mask[index].astype(np.uint8)
        outline, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        # Bright on dark, so that it is seen on any clothes and any wall.
        cv2.drawContours(drawn[index], outline, -1, (0, 40, 30), 3)
        cv2.drawContours(drawn[index], outline, -1, (0, 255, 150), 1)
    return drawn


def _second(clip: Clip, number: int) -> float:
    """When frame ``number`` of the source is shown: between the clip's frames by their times, beyond as its rate
    goes on."""
    if clip.frame_numbers.min() <= number <= clip.frame_numbers.max():
        order = np.argsort(clip.frame_numbers)
        return float(np.interp(number, clip.frame_numbers[order], clip.seconds[order]))
    nearest = int(np.abs(clip.frame_numbers - number).argmin())
    return float(clip.seconds[nearest] + (number - clip.frame_numbers[nearest]) / clip.fps)
