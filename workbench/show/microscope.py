"""The pipeline microscope: the stations of a clip's way through a system side by side, under one scrubber."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from workbench.explain.contributions import contributions
from workbench.explain.what_if import where_and_when
from workbench.show.player import Player
from workbench.show.scene import Track, span


def stations(
    system: nn.Module,
    maps: Mapping[str, np.ndarray],
    logits: np.ndarray,
    classes: Sequence[str],
    label: int | None = None,
) -> list[Track]:
    """Six panes: the clip; the feature map and the modulated map as the root mean square over their channels, and their
    difference; the weights in space and time; and what each cell adds to the logit of ``label`` (None: the answer).
    What a system lacks is a labelled blank.

    maps (outputs.arrays) and logits [N] are those of one clip.
    """
    strength = {name: rms(maps[name]) if name in maps else None for name in ("feature_map", "modulated")}
    plain, weighed = strength.values()
    change = None if plain is None or weighed is None or plain.shape != weighed.shape else weighed - plain
    try:
        shares = contributions(system, maps, logits, label)
        heading, cells = f"adds to {classes[shares.label]}", shares.cells
        total = f"sums to {cells.sum():+.3f}, with the bias {shares.bias:+.3f} the logit {shares.logit:+.3f}"
    except ValueError as problem:
        heading, cells, total = "adds to the logit", None, str(problem)
    panes = {
        "clip": ("the clip and its joints", None, ""),
        "feature map": ("f: the feature map of the backbone", plain, "root mean square over channels"),
        "weights": ("A: the attention, where and when", where_and_when(maps), "weights in space times weights in time"),
        "modulated": ("f′: the map after the weights", weighed, "root mean square over channels"),
        "difference": ("f′ − f: the change by the weights", change, "difference of the two root mean squares"),
        "contributions": (heading, cells, total),
    }
    temporal = {"temporal": maps.get("temporal")}
    return [
        Track(title, {} if name == "clip" else {name: values}, temporal, pin="" if name == "clip" else name, note=note)
        for name, (title, values, quantity) in panes.items()
        for note in [_note(values, quantity)]
    ]


def microscope(sample: Any, tracks: list[Track], title: str = "") -> Player:
    """A player of the ``stations`` of a data.Sample; its strip shows the temporal weights."""
    return Player(sample.clip, sample.pixels, truth=sample.truth, title=title, tracks=tracks)


def rms(values: np.ndarray) -> np.ndarray:
    """float32 [T',H',W']: the root mean square of a map [C,T',H',W'] over its channels."""
    return np.sqrt(np.square(np.asarray(values, np.float32)).mean(0))


def _note(values: np.ndarray | None, quantity: str) -> str:
    if values is None:
        return quantity
    low, high = span(np.asarray(values, np.float32))
    colors = ("dark", "bright") if low == 0 else ("blue", "orange")
    return f"{colors[0]} {low:.3g}, {colors[1]} {high:.3g}: {quantity}"
