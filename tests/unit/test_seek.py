"""A click on the timeline shows the pictures of that moment."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.show import seek
from workbench.show.figures import detection, snippets
from workbench.show.player import Player
from workbench.types import Clip

TIMES = np.array([0.3, 1.0, 1.6, 2.2])


def player() -> Player:
    return Player(Clip(np.zeros((4, 8, 8, 3), np.uint8), np.arange(4), 25.0))


def test_a_bar_and_a_cell_lead_to_their_moments():
    truth = pd.DataFrame({"label": [0, 1], "start": [0.9, 2.0], "end": [1.5, 3.0]})
    scores = {"run": np.array([[0.1, 0.2], [0.9, 0.1], [0.8, 0.3], [0.1, 0.9]])}
    box = seek.follow(detection.timeline(truth, {}, 3.0, ["a", "b"], scores), player(), TIMES)
    figure, shown = box.children
    heat = next(trace for trace in figure.data if isinstance(trace, go.Heatmap))
    bars = next(trace for trace in figure.data if isinstance(trace, go.Bar) and trace.customdata is not None)
    for trace, clicked, frame in ((bars, [1], 3), (bars, [0], 1), (heat, [[1, 2]], 2), (heat, [[0, 0]], 0)):
        seek.seek(shown, TIMES, seek.moment(trace, clicked))
        assert shown.frame == frame
    seek.seek(shown, TIMES, seek.moment(heat, []))
    assert shown.frame == 0
    assert seek.moment(SimpleNamespace(customdata=None), [0]) is None


def test_covariances_are_scaled_and_cut():
    matrix = np.array([[4.0, 0.0], [0.0, 2.0]])
    figure = snippets.covariances({"a <b>": matrix, "none": None})
    heat = figure.data[0]
    assert np.array_equal(heat.customdata, matrix / 4) and np.array_equal(heat.z, [[1, 0], [0, 1]])
    titles = [note.text for note in figure.layout.annotations]
    assert titles[0] == "a &lt;b&gt;" and titles[1] == "none: not given"
    assert not snippets.unit(np.full((2, 2), 3.0)).any()
    assert "no run has a covariance" in snippets.covariances({"x": None}).to_json()


def test_changes_stand_between_boundaries():
    figure = snippets.saliency({"run": np.array([1.0, 4.0])}, np.array([0.5, 1.5]), [1.0])
    assert figure.data[0].y.tolist() == [0.25, 1.0] and figure.layout.shapes[0].x0 == 1.0


def test_a_run_whose_time_is_unknown_is_named():
    table = pd.DataFrame({"name": ["rgb", "pose"], "seconds": [2.0, np.nan], "frame_map": [0.5, 0.7]})
    figure = snippets.against_time(table)
    assert len(figure.data) == 1 and figure.data[0].y == (50.0,)
    assert "unknown: pose" in figure.layout.title.text
    assert "no run has a measured time" in snippets.against_time(table.iloc[1:]).to_json()
