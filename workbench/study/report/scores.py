"""What a column's metric says of each test clip, so that rows can be compared clip by clip."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workbench import metrics
from workbench.study.runs.run_folder import Predictions
from workbench.study.sweep.results import Results
from workbench.study.tables.table_file import Column

#: Metrics that are a mean over clips, and how many of the highest scores count as right.
BY_CLIP = {"top1": 1, "top5": 5, "mean_class": 1}


class Scores(NamedTuple):
    """seeds R; ids S clip names; values float64 [R,S] in the column's unit, whose mean over clips is the metric;
    right bool [R,S]."""

    seeds: list[int]
    ids: list[str]
    values: np.ndarray
    right: np.ndarray


def of(results: Results, row: str, column: Column) -> Scores | None:
    """The scores of a row under a column; None for a metric that isn't a mean over clips, and where nothing is run."""
    if column.metric not in BY_CLIP:
        return None
    predictions = results.predictions(row, column)
    if not predictions:
        return None
    ids = next(iter(predictions.values())).ids
    runs = predictions.values()
    if any(run.ids != ids for run in runs):
        raise ValueError(f"the seeds of row {row!r} were tested on different clips; remove the older runs")
    right = np.array([metrics.hits(run.scores, run.labels, BY_CLIP[column.metric]) for run in runs])
    weights = np.array([_weights(run, column.metric) for run in runs])
    return Scores(list(predictions), ids, column.scale * right * weights, right)


def _weights(predictions: Predictions, metric: str) -> np.ndarray:
    """[S], 1 on average; for a mean over classes what makes each class count the same."""
    if metric != "mean_class":
        return np.ones(len(predictions.labels))
    clips = np.bincount(predictions.labels)
    return len(predictions.labels) / (np.count_nonzero(clips) * clips[predictions.labels])


def interval(results: Results, row: str, column: Column) -> metrics.Interval | None:
    """The mean over seeds with its 95 % interval for other seeds and other clips (other clips alone for a single seed,
    other seeds alone for metrics that are no mean over clips); None where nothing is run."""
    numbers = list(results.values(row, column).values())
    if not numbers:
        return None
    scores = of(results, row, column)
    if scores is None:
        effect = metrics.paired_t(numbers)
    elif len(scores.seeds) == 1:
        return metrics.bootstrap(scores.values[0])
    else:
        effect = metrics.crossed(scores.values)
    if column.metric not in BY_CLIP:  # a difference, for example, may well be negative
        return metrics.Interval(effect.value, effect.low, effect.high)
    return metrics.Interval(effect.value, max(effect.low, 0.0), min(effect.high, column.scale))
