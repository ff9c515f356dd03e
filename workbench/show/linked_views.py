"""From a confusion to its clips: a click on a cell, or a lasso around dots, lists the clips and opens one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets
import numpy as np
import plotly.graph_objects as go

from workbench.explain.embeddings import Comparison, Embedding
from workbench.show.figures import common, confusion
from workbench.show.session import attended
from workbench.show.widgets import STYLE, bundle

#: Pixels: a figure that listens is drawn before it is in the page, and cannot know how wide that is.
WIDE = 1000


class Linked(ipywidgets.VBox):
    """Confusion matrix, embeddings and clips of one run, linked.

    labels and predictions int64 [S] and ids [S] are of the same clips in one order; comparison: two runs' embeddings on
    clips that both know, turned onto each other (embeddings.compare), or an Embedding of these clips alone; open:
    ``id -> widget``, such as a Player, what a chosen clip is shown in. ``chosen`` are the ids in view, ``opened`` the
    one that plays. ValueError where lengths differ.
    """

    def __init__(
        self,
        ids: Sequence[str],
        labels: np.ndarray,
        predictions: np.ndarray,
        classes: Sequence[str],
        comparison: Comparison | Embedding,
        open: Callable[[str], ipywidgets.Widget],
        runs: tuple[str, str] = ("this run", "the other run"),
    ) -> None:
        self.ids, self.classes, self._open = list(ids), list(classes), open
        self.labels, self.predictions = np.asarray(labels), np.asarray(predictions)
        if not len(self.ids) == len(self.labels) == len(self.predictions):
            got = f"{len(self.ids)} clips, {len(self.labels)} labels and {len(self.predictions)} predictions"
            raise ValueError(f"ids, labels and predictions must be of the same clips, got {got}")
        self.chosen: list[str] = []
        self.opened: str | None = None
        counts = np.zeros((len(self.classes), len(self.classes)), np.int64)
        np.add.at(counts, (self.labels, self.predictions), 1)
        # A figure that listens brings all of plotly along: pointless where nobody is there to click.
        self._kind = go.FigureWidget if attended() else go.Figure
        self.matrix = self._kind(confusion.matrix(counts, self.classes, runs[0]))
        self.plane, self._shown = self._planes(comparison, runs)
        if attended():
            self.matrix.layout.width = self.plane.layout.width = WIDE
        self.list = ipywidgets.Select(description="clips", rows=8, style=STYLE, layout={"width": "620px"})
        self._words, self._view = ipywidgets.HTML(), ipywidgets.VBox()
        self.matrix.data[0].on_click(self._clicked)
        for trace in self.plane.data:
            trace.on_selection(self._circled)
            trace.on_click(self._circled)
        self.list.observe(lambda change: self.show(change["new"]), "value")
        parts = [self.matrix, self.plane, self._words, self.list, self._view]
        super().__init__([part for part in parts if isinstance(part, ipywidgets.Widget)])
        self.add_class("wb-linked")
        self.choose([], "click on a cell of the matrix, or draw a lasso around dots")

    def cell(self, label: int, prediction: int) -> list[str]:
        """Chooses the clips of class ``label`` that were taken for ``prediction``."""
        ids = [self.ids[i] for i in np.flatnonzero((self.labels == label) & (self.predictions == prediction))]
        return self.choose(ids, f"{self.classes[label]} classified as {self.classes[prediction]}")

    def choose(self, ids: Iterable[str], words: str) -> list[str]:
        """Chooses clips by id: they are listed, stand out among the embeddings, and the first of them opens."""
        self.chosen = list(ids)
        index_of = {name: i for i, name in enumerate(self.ids)}
        lines = [f"{name}: {self.classes[self.labels[index_of[name]]]}; predicted "
                f"{self.classes[self.predictions[index_of[name]]]}" for name in self.chosen]  # fmt: skip
        among = [i for i, name in enumerate(self._shown) if name in set(self.chosen)]
        with self.plane.batch_update():
            for trace in self.plane.data:
                trace.selectedpoints = among if self.chosen else None
        self._words.value = common.text(f"{words}: {len(self.chosen)} clips" if self.chosen else words)
        self.list.options = list(zip(lines, self.chosen, strict=True))
        self.list.value = self.chosen[0] if self.chosen else None
        return self.chosen

    def show(self, name: str | None) -> None:
        """Opens a clip, and closes the one that was open."""
        if name == self.opened:
            return
        last, self.opened = self._view.children, name
        self._view.children = () if name is None else (self._open(name),)
        for widget in last:
            widget.close()

    def _clicked(self, trace: Any, points: Any, state: Any) -> None:
        if points.point_inds:
            label, prediction = points.point_inds[0]
            self.cell(int(label), int(prediction))

    def _circled(self, trace: Any, points: Any, state: Any) -> None:
        if points.point_inds:
            self.choose([self._shown[i] for i in points.point_inds], "selected in the embeddings")

    def _planes(self, embedded: Comparison | Embedding, runs: tuple[str, str]) -> tuple[go.Figure, list[str]]:
        """A panel a run, a dot a clip; and the ids of the dots."""
        pair = [embedded] if isinstance(embedded, Embedding) else [embedded.first, embedded.second]
        ids = self.ids if isinstance(embedded, Embedding) else embedded.ids
        if len(ids) != len(pair[0].points):
            raise ValueError(f"{len(ids)} clips but {len(pair[0].points)} embedded points")
        label_of = dict(zip(self.ids, self.labels.tolist(), strict=True))
        texts = [common.text(f"{name}: {self.classes[label_of[name]]}") for name in ids]
        figure = self._kind(
            go.Figure().set_subplots(1, len(pair), subplot_titles=[common.text(run) for run in runs[: len(pair)]])
        )
        for column, embedding in enumerate(pair, 1):
            figure.add_scatter(
                x=embedding.points[:, 0], y=embedding.points[:, 1], mode="markers", text=texts, showlegend=False,
                marker={"size": 9, "color": [common.color(label_of[name]) for name in ids]},
                selected={"marker": {"size": 15, "opacity": 1}}, unselected={"marker": {"opacity": 0.2}},
                hovertemplate="%{text}<extra></extra>", row=1, col=column,
            )  # fmt: skip
        figure.update_xaxes(matches="x", title_text="no unit").update_yaxes(matches="y", title_text="no unit")
        below = "the second run is rotated onto the first; what moves, moved in the features" if len(pair) == 2 else ""
        common.finish(figure, "The clips among the embeddings", below, 480, dragmode="lasso")
        return figure, list(ids)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The linked views where somebody can use them; the matrix alone in a notebook that runs headless."""
        return super()._repr_mimebundle_(**kwargs) if attended() else bundle(go.Figure(self.matrix))
