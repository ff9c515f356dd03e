"""How data flows: size and look of what passes from the file to the feature map, and from the camera to t_p poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from torch import Tensor

from workbench.explain import joints as kernels
from workbench.explain import maps
from workbench.media.skeletons import SIDES, joint_sides
from workbench.show.figures import common
from workbench.types import Clip, Pose

BRANCHES = {"video": common.COLORS[0], "pose": common.COLORS[1], "both": common.COLORS[2]}


@dataclass(frozen=True)
class Step:
    """One station of the flow: its name, axes ("B C T H W"), shape, element type, unit and space, and branch."""

    name: str
    axes: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    branch: str


def step(name: str, values: np.ndarray | Tensor | None, axes: str, unit: str, branch: str = "video") -> Step | None:
    """The station ``name`` that holds ``values`` (array or tensor); ``axes`` names each of its dimensions. None where
    there are no values: ``shapes`` leaves it out."""
    if values is None:
        return None
    shape = tuple(int(size) for size in values.shape)
    if len(axes.split()) != len(shape):
        raise ValueError(f"step {name!r} has shape {list(shape)} but axes {axes!r}")
    if branch not in BRANCHES:
        raise ValueError(f"unknown branch {branch!r}; known: {', '.join(BRANCHES)}")
    return Step(name, axes, shape, str(values.dtype).removeprefix("torch."), unit, branch)


def shapes(steps: Sequence[Step | None]) -> go.Figure:
    """The steps from top to bottom: a bar as long as the number of values held there, with its axes and unit."""
    shown = [step for step in steps if step is not None]
    count = [max(1, int(np.prod(step.shape))) for step in shown]
    labels = [
        "  ".join(
            f"{common.text(axis)} <b>{size}</b>" for axis, size in zip(step.axes.split(), step.shape, strict=True)
        )
        + f"<br><span style='font-size:13px'>{common.text(step.dtype)}, {common.text(step.unit)}</span>"
        for step in shown
    ]
    figure = go.Figure()
    for branch, colour in BRANCHES.items():
        rows = [index for index, step in enumerate(shown) if step.branch == branch]
        figure.add_bar(
            x=[count[index] for index in rows],
            y=rows,
            orientation="h",
            marker_color=colour,
            marker_opacity=0.85,
            name=branch,
            width=0.5,
            hovertemplate="%{x:,} values<extra></extra>",
            visible=bool(rows),
        )
    for row, (label, total) in enumerate(zip(labels, count, strict=True)):
        place = {"x": np.log10(total) + 0.08, "y": row, "xref": "x", "xanchor": "left", "yshift": 0}
        figure.add_annotation(text=label, showarrow=False, align="left", **place)
    common.rows(figure, [step.name for step in shown], "station, in the order of the data flow")
    figure.update_xaxes(type="log", title_text="number of values (logarithmic)", range=[0, np.log10(max(count)) * 1.75])
    below = "blue: the video branch; orange: the pose branch; green: where both meet"
    return common.finish(figure, "The size of the data at each station", below, 120 + 58 * len(shown), showlegend=False)


def frames(clip: Clip, heading: str = "Frames of the clip", columns: int = 8) -> go.Figure:
    """A contact sheet of ``clip``, labelled with source frame numbers and seconds."""
    height, width = clip.frames.shape[1:3]
    below = f"{len(clip.frames)} frames of {width} x {height} pixels at {clip.fps:g} frames per second"
    below += f"; {columns} of them are shown" if len(clip.frames) > columns else ""
    labels = common.frame_labels(clip)
    return common.sheet({"frame": clip.frames}, labels, heading, below, columns)


def crop(source: Clip, clip: Clip, pixels: Pose | None = None) -> go.Figure:
    """The cut around the person: the middle frame of ``source`` with the box, and that frame of ``clip``.

    source and clip show the same moments, clip.crop is the box; pixels is the pose in clip pixels, drawn on both.
    """
    middle = len(clip.frames) // 2
    height, width = clip.frames.shape[1:3]
    source_height, source_width = source.frames.shape[1:3]
    x0, y0, x1, y1 = clip.crop or (0, 0, source_width, source_height)
    names = [f"source frame, {source_width} x {source_height}", f"frame of the clip, {width} x {height}"]
    figure = common.panels(names, horizontal_spacing=0.12)
    figure.add_trace(common.image(source.frames[middle]), 1, 1)
    figure.add_trace(common.image(clip.frames[middle]), 1, 2)
    outline = {"color": "#D55E00", "width": 4}
    figure.add_scatter(x=[x0, x1, x1, x0, x0], y=[y0, y0, y1, y1, y0], mode="lines", line=outline, row=1, col=1)
    if pixels is not None:
        x, y = common.skeleton_lines(pixels.joints[0, middle], pixels.skeleton.bones)
        yellow = {"color": "#F0E442", "width": 3}
        back = {"x": x * (x1 - x0) / width + x0, "y": y * (y1 - y0) / height + y0}
        figure.add_scatter(**back, mode="lines", line=yellow, row=1, col=1)
        figure.add_scatter(x=x, y=y, mode="lines", line=yellow, row=1, col=2)
    figure.update_xaxes(title_text="u (pixels)", showgrid=False)
    figure.update_yaxes(title_text="v (pixels, down)", showgrid=False)
    figure.update_xaxes(range=[min(0, x0), max(source_width, x1)], col=1).update_xaxes(range=[0, width], col=2)
    figure.update_yaxes(range=[max(source_height, y1), min(0, y0)], col=1).update_yaxes(range=[height, 0], col=2)
    below = "orange: the box around every joint of the clip; yellow: the pose, projected into the picture"
    return common.finish(figure, "The crop follows the person", below, 460, showlegend=False)


def feature_map(values: np.ndarray | None) -> go.Figure:
    """The four strongest channels of a feature map [C,T',H',W'], a column a time step; without one a blank."""
    heading = "The output of the backbone: the feature map"
    if values is None:
        return common.blank(heading, "this network makes no feature map")
    led = kernels.kernels_over_time(values, 4)
    rows = {}
    for channel in led.channels[:4]:
        scaled = maps.normalise(values[channel])
        big = maps.upsample(scaled, (len(scaled), 96, 96 * scaled.shape[2] // scaled.shape[1]), smooth=False)
        rows[f"channel {channel}"] = maps.colorize(big, "cividis")
    labels = [f"t' = {index}" for index in range(values.shape[1])]
    below = f"{len(values)} channels in all; each square is one cell of the {values.shape[2]} x {values.shape[3]} grid"
    return common.sheet(rows, labels, heading, below, axis="time step of the grid")


def pose_spaces(spaces: Mapping[str, Pose], frame: int) -> go.Figure:
    """One pose in several spaces side by side: name -> Pose, drawn at clip frame ``frame``."""
    units = {"camera": "metres", "image": "pixels", "normalised": "spine lengths"}
    figure = common.panels(spaces, horizontal_spacing=0.09)
    for column, pose in enumerate(spaces.values(), 1):
        joints = pose.joints[0, min(frame, pose.joints.shape[1] - 1)]
        x, y = common.skeleton_lines(joints, pose.skeleton.bones)
        bones = {"color": common.SOFT, "width": 3}
        figure.add_scatter(x=x, y=y, mode="lines", line=bones, row=1, col=column, showlegend=False)
        for side, name in enumerate(SIDES):
            indices = np.flatnonzero(joint_sides(pose.skeleton) == side)
            figure.add_scatter(
                x=joints[indices, 0],
                y=joints[indices, 1],
                mode="markers",
                marker=common.side_markers(side, 9),
                name=f"the body's {name}",
                showlegend=column == 1,
                text=[common.text(pose.skeleton.joints[index]) for index in indices],
                hovertemplate="%{text}<br>%{x:.2f}, %{y:.2f}<extra></extra>",
                row=1,
                col=column,
            )
        unit = units[pose.space]
        figure.update_xaxes(title_text=f"x ({unit})", row=1, col=column)
        figure.update_yaxes(
            title_text=f"y ({unit}, {'down' if pose.space == 'image' else 'up'})",
            autorange="reversed" if pose.space == "image" else True,
            scaleanchor=f"x{column if column > 1 else ''}",
            row=1,
            col=column,
        )
    below = "the same body in the same frame: in metres of the sensor, in pixels, and centred on the hip"
    return common.finish(figure, "One pose, three spaces", below, 500, legend={"orientation": "h", "y": -0.2})


def pose_samples(pose: Pose, spread: float = 1.1) -> go.Figure:
    """The t_p poses that a pose backbone reads, from left to right, early ones dark (``spread`` body widths apart)."""
    joints = pose.joints[0].astype(np.float64)
    width = np.nanmax(np.ptp(joints[..., 0], axis=1)) * spread
    colours = maps.colorize(np.linspace(0, 0.85, len(joints)), "viridis")
    figure = go.Figure()
    for index, (body, colour) in enumerate(zip(joints, colours, strict=True)):
        x, y = common.skeleton_lines(body, pose.skeleton.bones)
        rgb = f"rgb({colour[0]},{colour[1]},{colour[2]})"
        figure.add_scatter(x=x + index * width, y=y, mode="lines", line={"color": rgb, "width": 2.5}, hoverinfo="skip")
    ticks = common.pick(len(joints), 10)
    figure.update_xaxes(range=[-0.7 * width, (len(joints) - 0.3) * width])
    figure.update_xaxes(
        title_text="frame of the source video",
        tickvals=ticks * width,
        ticktext=[str(pose.frame_numbers[index]) for index in ticks],
        showgrid=False,
    )
    figure.update_yaxes(title_text="height (spine lengths)", scaleanchor="x")
    below = f"{len(joints)} poses, evenly spread over the clip"
    return common.finish(figure, "The poses that the network reads", below, 320, showlegend=False)
