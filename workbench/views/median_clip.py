"""The clip that pages and notebooks open on: classified correctly, and neither the best nor the worst."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench import data
from workbench.metrics.attention import grade
from workbench.study.runs.run_folder import Run
from workbench.views import boards


@dataclass(frozen=True)
class Choice:
    """Clip ``i`` of the data set ``clips``: the median of ``count`` clips by ``measure``, at which it has ``value``."""

    clips: data.Dataset
    i: int
    count: int
    measure: str
    value: float


def median_clip(run: Run, split: str = "test") -> Choice | None:
    """Of the clips that ``run`` classifies correctly, the one at the median of the grade *where* (``ranking``), or,
    where no truth is known, of the score of its class; of two in the middle the lower. None where there is none."""
    predictions, clips, seen = run.predictions(split), run.clips(split), run.maps(split).get("attention")
    right = np.flatnonzero(predictions.logits.argmax(1) == predictions.labels)
    indices = [clips.index(predictions.ids[n]) for n in right]
    truths = [None if seen is None else data.truth_of(clips, i, run.spec) for i in indices]
    measure, values = "the score of the right class", predictions.scores[right, predictions.labels[right]]
    if seen is not None and any(truth is not None for truth in truths):
        measure = "the grade where (the chance that a point of the true region has more attention than another point)"
        pairs = zip(right, truths, strict=True)
        values = np.array([np.nan if truth is None else grade(seen[n], None, truth)["ranking"] for n, truth in pairs])
    graded = np.flatnonzero(~np.isnan(values))
    if not len(graded):
        return None
    middle = graded[np.argsort(values[graded], kind="stable")[(len(graded) - 1) // 2]]
    return Choice(clips, indices[middle], len(graded), measure, float(values[middle]))


def position(run: Run, clips: data.Dataset, clip: int | str | None, split: str = "test") -> int:
    """Where a clip stands in ``clips``, the data of ``split`` (see ``boards.position``); None stands for the median
    clip, or for the first one where ``run`` classifies none correctly or was not evaluated on the split."""
    if clip is not None:
        return boards.position(clips, clip)
    chosen = median_clip(run, split) if "top1" in run.metrics.get(split, {}) else None
    return 0 if chosen is None else clips.index(chosen.clips.ids[chosen.i])


def answered(clips: data.Dataset, i: int, label: int) -> str:
    """That a network takes clip ``i`` for class ``label``, and whether that is right, in words."""
    answer = f"classified as {clips.classes[label]}"
    if label == clips.labels[i]:
        return f"{answer}, which is right"
    return f"{answer}, which is WRONG (it is {clips.classes[clips.labels[i]]}): what follows explains a mistake"
