"""Where one run detects better than another: AP class by class, with an interval over videos (Augmented-RGB, figure
6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.metrics.average_precision import Ranks, average_precision
from workbench.metrics.classification import as_array
from workbench.metrics.event_detection import Scored, match_events
from workbench.metrics.event_matching import RULES
from workbench.metrics.frame_detection import checked_frames


def event_gain(
    first: Any,
    second: Any,
    ground_truth: Any,
    iou: float = 0.5,
    rule: str = "thumos",
    classes: Sequence | None = None,
    repeats: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """AP of the ``second`` predictions minus the ``first``: rows label, first, second, gain, low, high, one a class,
    and a last row "mean" with the mean over classes.

    low and high are the 95 % interval of a paired bootstrap: videos are drawn with replacement, and both runs are
    scored on the same draws (NaN with ``repeats`` 0). Arguments and errors as ``event_map``.
    """
    runs = [match_events(table, ground_truth, iou, rule, classes) for table in (first, second)]
    # A run may know videos that the other does not: both count over all of them.
    videos = sorted({video for run in runs for table in (run.predictions, run.truth) for video in table["video"]})
    ranks = [_over(run, videos) for run in runs]
    fill = 0.0 if RULES[rule].classes is not None else np.nan

    def scores(ranking: Ranks, weights: np.ndarray | None) -> np.ndarray:
        precision = average_precision(ranking, RULES[rule].interpolation, weights)[0]
        return _with_mean(np.nan_to_num(precision, nan=fill))

    scored = [lambda weights, ranking=ranking: scores(ranking, weights) for ranking in ranks]
    return _table([*runs[0].labels], scored, len(videos), repeats, seed)


def frame_gain(
    first: Any, second: Any, labels: Any, videos: Any, names: Sequence | None = None, repeats: int = 200, seed: int = 0
) -> pd.DataFrame:
    """As ``event_gain`` for per-frame AP: scores ``first`` and ``second`` float [S,N], labels bool [S,N], and
    ``videos`` [S], what is equal for steps of one video. names: of the N classes, their numbers where None."""
    kinds, rows = np.unique(as_array(videos), return_inverse=True)
    runs = []
    for scores in (first, second):
        scores, positive = checked_frames(scores, labels)
        if len(rows) != len(scores):
            raise ValueError(f"{len(rows)} videos do not go with {len(scores)} steps")
        order = np.argsort(-scores, axis=0, kind="stable")
        runs.append((rows[order], np.take_along_axis(positive, order, 0)))

    def scored(run: tuple[np.ndarray, np.ndarray], weights: np.ndarray | None) -> np.ndarray:
        video, positive = run
        return _with_mean(np.array([_column(video[:, n], positive[:, n], weights) for n in range(video.shape[1])]))

    classes = list(range(runs[0][0].shape[1])) if names is None else list(names)
    return _table(classes, [lambda weights, run=run: scored(run, weights) for run in runs], len(kinds), repeats, seed)


def _table(labels: list, runs: list[Callable], videos: int, repeats: int, seed: int) -> pd.DataFrame:
    """runs: two functions from weights of videos [V] (or None) to AP of every class, and the mean."""
    base = [run(None) for run in runs]
    rng = np.random.default_rng(seed)
    drawn = np.full((max(1, repeats), len(labels) + 1), np.nan)
    for row in drawn[:repeats]:
        weights = np.bincount(rng.integers(0, videos, videos), minlength=videos).astype(np.float64)
        row[:] = runs[1](weights) - runs[0](weights)
    bounds = np.full((2, len(labels) + 1), np.nan)
    finite = np.isfinite(drawn).any(0)
    bounds[:, finite] = np.nanquantile(drawn[:, finite], [0.025, 0.975], axis=0)
    columns = {"first": base[0], "second": base[1], "gain": base[1] - base[0], "low": bounds[0], "high": bounds[1]}
    return pd.DataFrame({"label": pd.Series([*labels, "mean"], dtype=object), **columns})


def _with_mean(precision: np.ndarray) -> np.ndarray:
    finite = precision[np.isfinite(precision)]
    return np.append(precision, finite.mean() if len(finite) else np.nan)


def _over(run: Scored, videos: list) -> Ranks:
    index_of = {video: index for index, video in enumerate(videos)}
    tables = run.predictions, run.truth
    predicted, truth = (np.array([index_of[video] for video in table["video"]], np.int64) for table in tables)
    matched = run.matched
    return replace(matched.ranks, video=predicted[matched.row], positive_video=truth, videos=len(videos))


def _column(video: np.ndarray, positive: np.ndarray, weights: np.ndarray | None) -> float:
    """AP of one class, its steps by descending score."""
    weight = np.ones(len(video)) if weights is None else weights[video]
    seen = np.cumsum(weight)[positive]
    gain = weight[positive]
    total = gain.sum()
    return float((np.cumsum(gain) / np.maximum(seen, 1e-12) * gain).sum() / total) if total else float("nan")
