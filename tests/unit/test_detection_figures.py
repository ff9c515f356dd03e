"""Figures of detection: titled, labelled, escaped, and showing the numbers they were given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.show.figures import detection

NASTY = "<b>cook</b>"
ESCAPED = "&lt;b&gt;cook&lt;/b&gt;"
TRUTH = pd.DataFrame({"video": "v", "label": [0, 2], "start": [0.0, 4.0], "end": [2.0, 9.0]})
FOUND = TRUTH.assign(score=[0.2, 0.9], end=[3.0, 8.0])
PROFILE = pd.DataFrame([[0.4, 0.1, 0.1, 0.2, 0.2]], [1], list(detection.KINDS))
MISSED = pd.DataFrame({"group": ["up to 10", NASTY], "count": [4, 0], "missed": [0.25, np.nan]})
GAINS = pd.DataFrame(
    {"label": [0, 1, 2, "mean"], "first": [0.1, 0.5, np.nan, 0.3], "second": [0.4, 0.3, np.nan, 0.35]}
).assign(gain=[0.3, -0.2, np.nan, 0.05], low=-0.3, high=0.4)
NAMES = [NASTY, "read", "wave"]
FIGURES = {
    "timeline": lambda: detection.timeline(TRUTH, {NASTY: FOUND}, 10, NAMES, {NASTY: np.full((5, 3), 0.5)}),
    "false positives": lambda: detection.false_positives({NASTY: PROFILE}),
    "missed": lambda: detection.missed({NASTY: MISSED}),
    "gains": lambda: detection.gains(GAINS, (NASTY, "b"), NAMES),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_titled_labelled_and_escaped(name):
    figure = FIGURES[name]()
    assert figure.layout.title.text and figure.layout.xaxis.title.text or figure.layout.xaxis2.title.text
    assert figure.layout.yaxis.title.text
    written = figure.to_plotly_json()
    assert ESCAPED in str(written) and NASTY not in str(written).replace(ESCAPED, "")


def test_the_timeline_shows_where_each_event_lies_and_what_a_click_seeks_to():
    heat, truth, run = FIGURES["timeline"]().data
    assert heat.x.tolist() == [1, 3, 5, 7, 9] and heat.customdata[0].tolist() == heat.x.tolist()
    assert truth.base.tolist() == [0, 4] and truth.x.tolist() == [2, 5]
    assert run.customdata[:, :3].tolist() == [[0, 1.5, 3], [4, 6, 8]]
    # Lanes of classes 0 and 2 alone, the truth above the run, the surer detection the more solid.
    assert np.round(truth.y).tolist() == np.round(run.y).tolist() == [0, 1] and (truth.y < run.y).all()
    assert run.marker.opacity.tolist() == [0.35, 1.0]
    assert len(detection.timeline(TRUTH, {"a": FOUND}, 10, least=0.5).data[1].x) == 1


def test_gains_are_sorted_below_the_mean_and_leave_out_what_is_unknown():
    bars = FIGURES["gains"]().data[0]
    assert bars.x == pytest.approx([5, 30, -20])
    assert FIGURES["gains"]().layout.yaxis.ticktext == ("all actions", ESCAPED, "read")


def test_shares_add_up_and_kinds_differ_in_more_than_colour():
    bars = FIGURES["false positives"]().data
    assert sum(bar.y[0] for bar in bars) == pytest.approx(100)
    assert len({bar.marker.pattern.shape for bar in bars}) == len({bar.marker.color for bar in bars}) == len(bars)


@pytest.mark.parametrize(
    "figure",
    [
        lambda: detection.timeline(TRUTH.iloc[:0], {"a": FOUND.iloc[:0]}, 10),
        lambda: detection.false_positives({}),
        lambda: detection.missed({}),
        lambda: detection.gains(GAINS.iloc[:0], ("a", "b")),
    ],
)
def test_what_is_missing_is_a_labelled_blank(figure):
    assert figure().layout.annotations[0].text and not figure().data
