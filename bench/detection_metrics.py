"""Event mAP against loops as the official scripts have them: `python bench/detection_metrics.py --help`. Aim: 10 times.

ActivityNet's script walks a pandas table row by row, and so does what is timed for it; the THUMOS kit is MATLAB,
PKU-MMD's and TSU's scripts are plain Python: they are timed as loops over tuples.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd

from tests import official_evaluators as official
from workbench import metrics


def tables(detections: int, truths: int, videos: int, classes: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events of 5 to 40 s in videos of 200 s, and detections of which three in four lie near one of them."""
    rng = np.random.default_rng(seed)
    start, long = rng.uniform(0, 160, truths), rng.uniform(5, 40, truths)
    truth = pd.DataFrame(
        {
            "video": [f"video_{number:04d}" for number in rng.integers(0, videos, truths)],
            "label": rng.integers(0, classes, truths),
            "start": start,
            "end": start + long,
        }
    )
    near = truth.iloc[rng.integers(0, truths, detections)].reset_index(drop=True)
    strays = rng.random(detections) < 0.25
    near.loc[strays, "label"] = rng.integers(0, classes, int(strays.sum()))
    near["start"] += rng.normal(0, 3, detections)
    near["end"] += rng.normal(0, 3, detections)
    return near.assign(score=rng.random(detections)), truth


def walk(predictions: pd.DataFrame, truth: pd.DataFrame, thresholds: np.ndarray) -> np.ndarray:
    """float [I]: AP of one class by ActivityNet's rule, the tables gone through row by row."""
    order = predictions["score"].to_numpy().argsort()[::-1]
    predictions = predictions.iloc[order].reset_index(drop=True)
    by_video = truth.reset_index().groupby("video")
    taken = np.zeros((len(thresholds), len(truth)), bool)
    hits = np.zeros((len(thresholds), len(predictions)), bool)
    for place, row in predictions.iterrows():
        if row["video"] not in by_video.groups:
            continue
        events = by_video.get_group(row["video"]).reset_index(drop=True)
        inside = np.minimum(row["end"], events["end"]) - np.maximum(row["start"], events["start"])
        inside = inside.clip(lower=0).to_numpy()
        overlap = inside / ((events["end"] - events["start"]).to_numpy() + row["end"] - row["start"] - inside)
        for index, threshold in enumerate(thresholds):
            for other in overlap.argsort()[::-1]:
                if overlap[other] < threshold:
                    break
                if not taken[index, events.loc[other, "index"]]:
                    taken[index, events.loc[other, "index"]] = hits[index, place] = True
                    break
    found = hits.cumsum(1)
    precision = np.maximum.accumulate((found / np.arange(1, hits.shape[1] + 1))[:, ::-1], axis=1)[:, ::-1]
    return (precision * hits).sum(1) / len(truth)


def loops(rule: str, predictions: pd.DataFrame, truth: pd.DataFrame, iou: np.ndarray) -> np.ndarray:
    """float [I]: the mean over classes of the truth, by loops."""
    labels = sorted(set(truth["label"]))
    if rule == "activitynet":
        parts = [(predictions[predictions["label"] == one], truth[truth["label"] == one]) for one in labels]
        return np.mean(
            [walk(own.reset_index(drop=True), events.reset_index(drop=True), iou) for own, events in parts], 0
        )
    found, events = (list(table.itertuples(index=False, name=None)) for table in (predictions, truth))
    if rule == "thumos":
        return np.mean([[official.thumos(found, events, [], one, value) for one in labels] for value in iou], 1)
    split = [[[row for row in rows if row[1] == one] for rows in (found, events)] for one in labels]
    return np.mean([[official.pku(*rows, value) for rows in split] for value in iou], 1)


def seconds(work: Callable, rounds: int) -> tuple[float, object]:
    """Best of ``rounds``, and what it gave."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - began)
    return min(times), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=3000)
    parser.add_argument("--truths", type=int, default=3000)
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    predictions, truth = tables(given.detections, given.truths, given.videos, given.classes)
    print(f"{given.detections} detections, {given.truths} events, {given.videos} videos, {given.classes} classes:")
    for rule, iou in metrics.IOU.items():
        fast, result = seconds(lambda rule=rule, iou=iou: metrics.event_map(
            predictions, truth, iou, rule, range(given.classes)), given.rounds)  # fmt: skip
        slow, expected = seconds(lambda rule=rule, iou=iou: loops(rule, predictions, truth, np.array(iou)), 1)
        np.testing.assert_allclose(result.mean, expected, atol=1e-9)
        ratio = f"{1e3 * fast:7.1f} ms, loops {1e3 * slow:8.0f} ms, {slow / fast:6.0f} times faster"
        print(f"  {rule:11} {len(iou):2} thresholds {ratio}")


if __name__ == "__main__":
    main()
