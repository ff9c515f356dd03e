"""Features in the plane: one run, or two runs aligned (VPN fig. 6b)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.explain.embeddings import Comparison, Embedding
from workbench.show.figures import common

METHODS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}
#: Two dozen classes fit beside the clouds without scrolling.
LEGEND = {"font": {"size": 12}, "tracegroupgap": 0}


def aligned(
    comparisons: Mapping[str, Comparison],
    labels: np.ndarray,
    classes: Sequence[str],
    runs: tuple[str, str],
    shown: Sequence[str] | None = None,
) -> go.Figure:
    """Two runs on the same clips, side by side, a row a method (method -> Comparison); hovering names the clip.

    labels [S] are those of the first run; ``shown`` names the classes in colour, the rest is grey (none: all).
    """
    panels = [
        (method, run, embedding)
        for method, comparison in comparisons.items()
        for run, embedding in zip(runs, (comparison.first, comparison.second), strict=True)
    ]
    titles = [
        f"{METHODS[method]} of {common.text(run)}, trustworthiness {embedding.trustworthiness:.3f}"
        for method, run, embedding in panels
    ]
    rows = len(comparisons)
    figure = make_subplots(rows, 2, subplot_titles=titles, horizontal_spacing=0.05, vertical_spacing=0.2 / rows)
    for index, (method, _, embedding) in enumerate(panels):
        where = {"row": index // 2 + 1, "col": index % 2 + 1}
        comparison = comparisons[method]
        _clouds(figure, embedding, labels[comparison.rows], classes, comparison.ids, shown, where, legend=index == 0)
        figure.update_yaxes(title_text=f"{METHODS[method]} 2 (no unit)" if index % 2 == 0 else "", **where)
        figure.update_xaxes(title_text=f"{METHODS[method]} 1 (no unit)", **where)
    # One frame a method: what lies at one place left and right is the same place.
    for row, comparison in enumerate(comparisons.values(), 1):
        reach = 1.1 * float(np.abs([comparison.first.points, comparison.second.points]).max())
        figure.update_xaxes(range=[-reach, reach], row=row).update_yaxes(range=[-reach, reach], row=row)
    clips = len(next(iter(comparisons.values())).ids)
    below = f"{clips} common clips; the right cloud is rotated onto the left (orthogonal Procrustes)"
    return common.finish(figure, "The features of two runs, aligned", below, 130 + 430 * rows, legend=LEGEND)


def movement(
    comparison: Comparison,
    labels: np.ndarray,
    classes: Sequence[str],
    runs: tuple[str, str],
) -> go.Figure:
    """How far each class's clips moved from the first run to the second: a dot a clip, a bar at the class's median.

    Classes that moved most come first. Unit: the spread of the embedding.
    """
    labels = labels[comparison.rows]
    present = sorted(set(labels.tolist()), key=lambda index: -float(np.median(comparison.movement[labels == index])))
    figure = go.Figure()
    for row, index in enumerate(present):
        clips = np.flatnonzero(labels == index)
        figure.add_scatter(
            x=comparison.movement[clips],
            y=np.full(len(clips), row),
            mode="markers",
            marker={"color": common.COLORS[0], "size": 8, "opacity": 0.55},
            text=[common.text(comparison.ids[clip]) for clip in clips],
            hovertemplate="%{text}: %{x:.2f}<extra></extra>",
        )
        middle = float(np.median(comparison.movement[clips]))
        figure.add_scatter(
            x=[middle], y=[row], mode="markers", hoverinfo="skip",
            marker={"symbol": "line-ns-open", "size": 20, "color": common.COLORS[1], "line": {"width": 4}},
        )  # fmt: skip
    common.rows(figure, [classes[index] for index in present])
    figure.update_xaxes(title_text="distance moved (spreads of the embedding)", rangemode="tozero")
    below = f"from {runs[0]} to {runs[1]}; orange: the action's median"
    return common.finish(figure, "What moved", below, 150 + 26 * max(6, len(present)), showlegend=False)


def _clouds(
    figure: go.Figure,
    embedding: Embedding,
    labels: np.ndarray,
    classes: Sequence[str],
    ids: Sequence[str],
    shown: Sequence[str] | None,
    where: dict,
    legend: bool,
) -> None:
    unknown = set(shown or ()) - set(classes)
    if unknown:
        raise ValueError(f"unknown classes {sorted(unknown)}; this data set has: {', '.join(classes)}")
    order = [index for index, name in enumerate(classes) if not shown or name in shown]
    rest = np.flatnonzero(~np.isin(labels, order))
    if len(rest):
        grey = {"color": "#CBD2D9", "size": 6}
        points = embedding.points[rest]
        figure.add_scatter(
            x=points[:, 0], y=points[:, 1], mode="markers", marker=grey, name="other", hoverinfo="skip",
            showlegend=legend, legendgroup="other", **where,
        )  # fmt: skip
    for rank, index in enumerate(order):
        clips = np.flatnonzero(labels == index)
        if not len(clips):
            continue
        figure.add_scatter(
            x=embedding.points[clips, 0],
            y=embedding.points[clips, 1],
            mode="markers",
            marker={**common.marker(rank), "size": 9, "opacity": 0.85, "line": {"width": 0.5, "color": "white"}},
            name=common.text(classes[index]),
            legendgroup=str(index),
            showlegend=legend,
            text=[common.text(ids[int(clip)]) for clip in clips],
            hovertemplate="%{text}<extra>" + common.text(classes[index]) + "</extra>",
            **where,
        )
