"""07: the actions of one video over time, annotated and as two detectors see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.data import Untrimmed
from workbench.media import video
from workbench.media.files import clock
from workbench.show import seek
from workbench.show.figures import common, detection
from workbench.show.player import Player
from workbench.show.session import attended
from workbench.study.config.notebook_config import Detection
from workbench.views.detectors import Shown


def timeline(config: Detection, shown: Shown, index: int, names: Sequence[str] | None = None) -> go.Figure:
    """Truth, detections of the runs called ``names`` (None: the two that are compared), and their actionness in video
    ``index``."""
    names = names or shown.names
    data, name = shown.data, shown.data.ids[index]
    every = slice(None, None, max(1, int(data.lengths[index]) // 1000))  # a screen has no more columns
    edges = data.edges(index)
    middles = ((edges[:-1] + edges[1:]) / 2)[every]
    scores = {run: shown.detections[run].frame_scores(shown.detections[run].index(name), data)[every] for run in names}
    events = {run: shown.events[run][shown.events[run]["video"] == name] for run in names}
    heading = f"The actions over time: {name}"
    truth, seconds = happening(data, index), data.durations[index]
    options = {"heading": heading, "least": config.least, "moments": middles}
    return detection.timeline(truth, events, seconds, data.classes, scores, **options)


def happening(data: Untrimmed, index: int) -> pd.DataFrame:
    """The annotated intervals of a video, without the ambiguous ones, which are of no class."""
    rows = data.annotated(index)
    return rows[~rows["ambiguous"]]


def clickable(config: Detection, shown: Shown, index: int) -> Any:
    """The timeline of the second run above the video, one picture a snippet (at most 240); a click shows the
    moment."""
    run, name = shown.names[1], shown.data.ids[index]
    results = shown.detections[run]
    scores, times = results.scores(results.index(name)).max(1), results.times[results.index(name)].mean(1)
    steps = np.unique(np.linspace(0, len(times) - 1, min(240, len(times))).round().astype(int))
    numbers = clock.frame_at(shown.data.edges(index), times[steps])
    clip, caption = video.read(shown.data.videos[index], numbers), "the score of the most probable action"
    player = Player(clip, temporal={run: scores[steps]}, title=name, caption=caption)
    # Without a reader there is nobody to click, and a page keeps the player alone.
    return seek.follow(timeline(config, shown, index, [run]), player, times[steps]) if attended() else player


def longest(shown: Shown, index: int) -> go.Figure:
    """The video's longest action alone, and those detections of it by the first run and by the one that learnt
    boundaries that are at least half as sure as the surest."""
    rows, name = happening(shown.data, index), shown.data.ids[index]
    if rows.empty:
        return common.blank("The longest action", "this video has no action")
    action = rows["label"].iloc[int((rows["end"] - rows["start"]).to_numpy().argmax())]
    events = {run: shown.events[run] for run in shown.bounded}
    tables = {run: table[(table["video"] == name) & (table["label"] == action)] for run, table in events.items()}
    sure = {run: table[table["score"] >= table["score"].max() / 2] for run, table in tables.items()}
    classes, heading = shown.data.classes, f"The longest action: {shown.data.classes[action]}"
    return detection.timeline(
        rows[rows["label"] == action], sure, shown.data.durations[index], classes, heading=heading
    )


def mistakes(config: Detection, shown: Shown) -> go.Figure:
    """The surest detections of both runs by kind, at the configured overlap."""
    return detection.false_positives({name: shown.profile(name, config.iou) for name in shown.names})
