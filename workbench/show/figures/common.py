"""What all figures share: the theme, the colours, escaped text, labelled blanks, and sheets of frames."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.media.skeletons import SIDE_COLORS
from workbench.show.scene import jpeg
from workbench.types import Clip

#: Okabe and Ito's eight colours, told apart with every common kind of colour blindness; the faint yellow is last.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up")
SEQUENTIAL = "Cividis"
#: Blue for less, orange for more: the two that red-green blindness keeps apart.
DIVERGING = ((0.0, "#0072B2"), (0.5, "#F7F7F7"), (1.0, "#D55E00"))
INK, SOFT, GREY, TRUTH = "#1F2933", "#7B8794", "#9AA5B1", "#009E73"

_AXIS = {
    "gridcolor": "#E4E7EB",
    "linecolor": SOFT,
    "zeroline": False,
    "ticks": "outside",
    "tickcolor": SOFT,
    "automargin": True,
    "title": {"standoff": 10, "font": {"size": 15}},
}
THEME = go.layout.Template(
    layout={
        "font": {"family": "Liberation Sans, Arial, Helvetica, sans-serif", "size": 14, "color": INK},
        "title": {"font": {"size": 20}, "x": 0.0, "xref": "container", "xanchor": "left", "pad": {"l": 16}},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "colorway": COLORS,
        "colorscale": {"sequential": SEQUENTIAL, "diverging": DIVERGING},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "hoverlabel": {"font": {"size": 14}},
        "legend": {"font": {"size": 14}},
        "margin": {"l": 70, "r": 30, "t": 84, "b": 64},
    }
)


def text(value: object) -> str:
    """``value`` as text that plotly shows letter by letter: a name that holds HTML stays a name."""
    return html.escape(str(value), quote=False)


def title(heading: str, below: str = "") -> str:
    """A figure's title with a smaller second line; both are escaped."""
    return text(heading) + (f"<br><span style='font-size:14px;color:{SOFT}'>{text(below)}</span>" if below else "")


def finish(figure: go.Figure, heading: str, below: str = "", height: int = 420, **layout: object) -> go.Figure:
    """``figure`` with the theme, a title and a height in pixels; the width follows the page.

    Titles of panels get room of their own above the panels, so that they do not run into the figure's title.
    """
    panels = [note.text for note in figure.layout.annotations if note.yref == "paper" and (note.y or 0) >= 1]
    room = 36 + 20 * max(text.count("<br>") for text in panels) if panels else 0
    figure.update_layout(template=THEME, title_text=title(heading, below), height=height + room, **layout)
    # The title's place is counted from the top in pixels, whatever the height.
    figure.update_layout(title={"y": 1 - 30 / (height + room), "yanchor": "top", "yref": "container"})
    return figure if "margin" in layout else figure.update_layout(margin_t=84 + room)


def blank(heading: str, reason: str, height: int = 220) -> go.Figure:
    """What stands where a figure would be: an empty, dashed frame that says what is missing and why."""
    figure = go.Figure()
    figure.add_shape(
        type="rect", xref="paper", yref="paper", x0=0, y0=0, x1=1, y1=1, line={"dash": "dash", "color": SOFT}
    )
    figure.add_annotation(
        text=text(reason), xref="paper", yref="paper", x=0.5, y=0.5, showarrow=False, font={"size": 17, "color": SOFT}
    )
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    return finish(figure, heading, height=height, meta="blank")


def panels(names: Iterable[object], **layout: Any) -> go.Figure:
    """Empty panels side by side, each below its name."""
    titles = [text(name) for name in names]
    return make_subplots(1, len(titles), subplot_titles=titles, **layout)


def bars(values: Any, names: Iterable[object], number: str = "", hover: str = "%{x:.3f}", **style: Any) -> go.Bar:
    """Bars to the right, one a name; ``number`` is the format of what stands in each, "" nothing."""
    if number:
        style |= {"text": ["" if np.isnan(value) else number.format(value) for value in values]}
        style |= {"textposition": "inside", "insidetextanchor": "start"}
    rows = [text(name) for name in names]
    return go.Bar(x=values, y=rows, orientation="h", hovertemplate=f"{hover}<extra></extra>", **style)


def gains(value: np.ndarray, names: Sequence[object], title: str = "action", **style: Any) -> go.Figure:
    """Changes in percentage points, one a name from top to bottom: orange is better, blue worse."""
    colors = np.where(value >= 0, COLORS[1], COLORS[0])
    style = {"marker_color": colors, "orientation": "h", **style}
    figure = go.Figure(go.Bar(x=value, y=list(range(len(names))), **style))
    rows(figure, names, title)
    return figure.add_vline(0, line_color=SOFT)


def rows(figure: go.Figure, names: Sequence[object], title: str = "action", **panel: int) -> None:
    """Names the rows 0, 1, ... of a figure, from top to bottom."""
    ticks = {"tickvals": list(range(len(names))), "ticktext": [text(name) for name in names]}
    figure.update_yaxes(title_text=title, autorange="reversed", **ticks, **panel)


def whiskers(value: Any, low: Any, high: Any, **style: Any) -> dict[str, Any]:
    """Error bars from ``low`` to ``high``."""
    return {"array": high - value, "arrayminus": value - low, "thickness": 2, **style}


def bar(heading: str, unit: str, **layout: object) -> dict:
    """A colour bar with its title above, quantity and unit on a line each."""
    label = {"text": f"{text(heading)}<br>({text(unit)})<br> ", "side": "top", "font": {"size": 13}}
    return {"title": label, "thickness": 20, **layout}


def color(index: int) -> str:
    """The colour of series ``index``; the eight repeat."""
    return COLORS[index % len(COLORS)]


def marker(index: int) -> dict[str, str]:
    """Colour and symbol of class ``index``: 42 pairs before one repeats (colour alone cannot name so many)."""
    return {"color": COLORS[index % 7], "symbol": SYMBOLS[index // 7 % len(SYMBOLS)]}


def picture(pixels: np.ndarray, quality: int = 90) -> str:
    """A data address (JPEG) of ``pixels`` uint8 [H,W,3] RGB, so that figures stay small and work offline."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(pixels, quality)).decode()


def image(pixels: np.ndarray) -> go.Image:
    """A trace that shows ``pixels`` uint8 [H,W,3] in pixel coordinates, smooth when enlarged."""
    return go.Image(source=picture(pixels), zsmooth="fast", hoverinfo="skip")


def pick(count: int, columns: int) -> np.ndarray:
    """int64: at most ``columns`` evenly spread indices out of ``count``, the middles of equal parts."""
    columns = min(count, columns)
    return ((np.arange(columns) + 0.5) * count / columns).astype(np.int64)


def tile(rows: Sequence[np.ndarray], gap: int = 3) -> np.ndarray:
    """uint8: rows of frames [T,H,W,3] (one size) as one picture with white gaps."""
    height, width = rows[0].shape[1:3]
    columns = max(len(row) for row in rows)
    canvas = np.full((len(rows) * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, frame in enumerate(row):
            canvas[i * (height + gap) :, j * (width + gap) :][:height, :width] = frame
    return canvas


def sheet(
    rows: Mapping[str, np.ndarray],
    labels: Sequence[str],
    heading: str,
    below: str = "",
    columns: int = 8,
    axis: str = "frame of the source video (seconds)",
) -> go.Figure:
    """A contact sheet: one row a name, frames uint8 [T,H,W,3] from left to right, ``labels`` [T] under them.

    At most ``columns`` of the T frames are shown, evenly spread. All rows have one T, H, W.
    """
    shapes = {np.shape(row) for row in rows.values()}
    if len(shapes) != 1 or len(labels) != next(iter(shapes))[0]:
        raise ValueError(
            f"a sheet needs rows of one shape [T,H,W,3] and T labels, got {shapes} and {len(labels)} labels"
        )
    gap, chosen = 3, pick(len(labels), columns)
    height, width = next(iter(shapes))[1:3]
    pixels = tile([row[chosen] for row in rows.values()], gap)
    figure = go.Figure(image(pixels))
    figure.update_xaxes(
        title_text=text(axis),
        tickvals=[j * (width + gap) + width / 2 for j in range(len(chosen))],
        ticktext=[text(labels[index]) for index in chosen],
        showgrid=False,
    )
    figure.update_yaxes(
        title_text="what is shown",
        tickvals=[i * (height + gap) + height / 2 for i in range(len(rows))],
        ticktext=["<br>".join(map(text, name.split("\n"))) for name in rows],
        showgrid=False,
    )
    shown = min(900 * pixels.shape[0] / pixels.shape[1], 160 * len(rows))
    return finish(figure, heading, below, height=int(shown) + 170)


def frame_labels(clip: Clip) -> list[str]:
    """Labels of the clip's frames: number and time in seconds, as in "12 (0.48 s)"."""
    return [f"{number} ({second:.2f} s)" for number, second in zip(clip.frame_numbers, clip.seconds, strict=True)]


def side_markers(side: int, size: float) -> dict:
    """Markers of joints on a side of the body (an index in ``skeletons.SIDES``), rimmed to read on white."""
    return {"color": f"rgb{SIDE_COLORS[side]}", "size": size, "line": {"color": INK, "width": 1}}


def skeleton_lines(joints: np.ndarray, bones: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the bones of ``joints`` [V,2+] as one line, broken by NaN between bones: a skeleton in one trace."""
    pairs = np.asarray(bones, np.int64).reshape(-1, 2)
    ends = np.asarray(joints, np.float64)[pairs, :2]
    broken = np.concatenate([ends, np.full((len(pairs), 1, 2), np.nan)], axis=1).reshape(-1, 2)
    return broken[:, 0], broken[:, 1]
