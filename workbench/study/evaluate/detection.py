"""``evaluate`` for detectors: every snippet of a split -> scores, intervals and both kinds of mAP."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from safefiles.reading import reading
from workbench import metrics
from workbench.data import Untrimmed
from workbench.media.files import clock
from workbench.metrics import postprocess
from workbench.study import files
from workbench.study.config.experiment import Experiment
from workbench.study.config.kinds import VIDEOS
from workbench.study.evaluate.alignment import of_snippets
from workbench.study.evaluate.gradient_shares import by_stage
from workbench.study.evaluate.inference import predict
from workbench.study.features.batches import SnippetBatches
from workbench.study.runs import hardware
from workbench.study.runs.run_folder import AGAIN, Run
from workbench.study.runs.run_table import flat
from workbench.study.runs.store import row_of

#: Overlaps at which events are counted.
IOU = (0.1, 0.3, 0.5, 0.7)
#: How intervals are made of scores: where a class stays above one of these, of what overlaps by more than ``NMS`` the
#: surest. Seconds for ``merge`` and ``shortest``.
THRESHOLDS = tuple(np.arange(1, 20) / 20)
NMS, MERGE, SHORTEST = 0.4, 0.0, 0.5


@dataclass(frozen=True)
class Detected:
    """What a detector says about each video of a split, in the data set's order, [T,N] of T snippets and N classes.

    ids S video names; logits float32, labels bool [T,N], the truth in the middle of each snippet, and times float64
    [T,2], its start and end in seconds, one array a video each.
    """

    ids: list[str]
    logits: list[np.ndarray]
    labels: list[np.ndarray]
    times: list[np.ndarray]

    def index(self, id: str) -> int:
        """Position of the video called ``id``; ValueError naming those there are."""
        if id not in self.ids:
            raise ValueError(f"no scores of a video {id!r}; there are: {', '.join(self.ids)}")
        return self.ids.index(id)

    def scores(self, i: int) -> np.ndarray:
        """float32 [T,N] in [0,1]: the scores of video i, one a snippet."""
        return _sigmoid(self.logits[i])

    def frame_logits(self, i: int, data: Untrimmed) -> np.ndarray:
        """float32 [frames,N] of video i: the logits up-sampled (section 3.4) to the frames that the snippets span; the
        last one holds for the rest."""
        video = data.index(self.ids[i])
        frames = int(data.lengths[video])
        covered = int(clock.frame_at(data.edges(video), self.times[i][-1, 1] - 2 * clock.SAME)) + 1
        logits = postprocess.upsample(self.logits[i], covered)
        return np.concatenate([logits, np.repeat(logits[-1:], frames - len(logits), axis=0)])

    def frame_scores(self, i: int, data: Untrimmed) -> np.ndarray:
        """float32 [frames,N] in [0,1]: the same as scores."""
        return _sigmoid(self.frame_logits(i, data))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def evaluate(run: Run, experiment: Experiment, split: str) -> dict[str, Any]:
    """Scores every snippet of ``split`` in fp32, writes predictions and metrics, and returns the metrics.

    frame_map: mean average precision over the videos' frames, logits up-sampled to their rate; event_map_<percent>:
    of the intervals (``events``) at that overlap, THUMOS' rule. By class under "per_class". alive has the terms' shares
    of the gradient, of a loss of several terms, and what a student took of its teachers (see ``alignment``).
    """
    device = hardware.device(experiment.device)
    system, data = run.system().to(device), run.videos(split)
    batches = SnippetBatches(experiment).load(data, system.wants(training=False))
    bar = tqdm(batches, desc=f"{run.id} detecting {split}", unit="batch", disable=not experiment.progress)
    detections = gather(predict(system, bar, device), data, next(iter(batches.features.values())))
    measured = {"data": data.contents, **measure(detections, data)}
    if shares := by_stage(run.history):
        measured["alive"] = {"gradients": shares}
    if hasattr(system, "teach"):
        measured["alive"] = {**measured.get("alive", {}), "distillation": _lesson(system, experiment, data, device)}
    write(run, split, detections)
    files.write_json(run.folder / "metrics.json", {**run.metrics, split: measured})
    row_of(run).finish(flat({split: measured}))
    return measured


def _lesson(system: Any, experiment: Experiment, data: Untrimmed, device: str) -> dict[str, Any]:
    """What the student took of its teachers; {"skipped": reason} where the features that they read can't be had."""
    try:
        batches = SnippetBatches(experiment).load(data, system.wants(training=True))
    except (ValueError, FileNotFoundError) as problem:
        return {"skipped": f"the teacher can't be asked: {problem}"}
    return of_snippets(system, batches, device, "raw" if system.options.baseline else None)


def gather(pairs: Iterable[tuple[Any, Any]], data: Untrimmed, snippets: Any) -> Detected:
    """The logits and labels of a pass, without its padding."""
    ids, logits, labels = [], [], []
    for batch, output in pairs:
        for name, mask, scores, label in zip(batch.ids, batch.mask, output.logits, batch.label, strict=True):
            ids.append(name)
            logits.append(scores[mask].float().cpu().numpy())
            labels.append(label[mask].cpu().numpy() > 0)
    return Detected(ids, logits, labels, [snippets.times(data.index(name)) for name in ids])


def measure(detections: Detected, data: Untrimmed) -> dict[str, Any]:
    """Both kinds of mAP over all videos of ``data``; see ``evaluate``. In a video that is not in ``detections``, as it
    gave no features, nothing is detected and everything is missed."""
    # Ranked by logits: sigmoids of float32 tie where they are nearly 1.
    logits = [detections.frame_logits(i, data) for i in range(len(detections.ids))]
    missing, least = sorted(set(data.ids) - set(detections.ids)), min(float(scores.min()) for scores in logits) - 1
    logits += [np.full((data.lengths[data.index(name)], len(data.classes)), least, np.float32) for name in missing]
    labels = [data.labels(data.index(name)) for name in (*detections.ids, *missing)]
    by_frame = metrics.frame_map(np.concatenate(logits), np.concatenate(labels))
    measured: dict[str, Any] = {"clips": len(detections.ids), "frame_map": by_frame.mean}
    per_class = {"frame_map": dict(zip(data.classes, by_frame.per_class.tolist(), strict=True))}
    by_event = metrics.event_map(events(detections, data), data.intervals, IOU, rule="thumos")
    for overlap in IOU:
        name = f"event_map_{round(100 * overlap)}"
        measured[name] = float(by_event.mean[overlap])
        per_class[name] = {data.classes[label]: float(ap) for label, ap in by_event.per_class[overlap].items()}
    # JSON has no NaN: a class that no video shows is left out.
    shown = {name: {label: ap for label, ap in row.items() if not np.isnan(ap)} for name, row in per_class.items()}
    return measured | {"per_class": shown}


def events(detections: Detected, data: Untrimmed) -> pd.DataFrame:
    """Class-wise actionness as detections: columns video, label, start, end (seconds), score; see ``THRESHOLDS``."""
    tables = [
        postprocess.intervals(
            detections.frame_scores(i, data),
            name,
            data.edges(data.index(name)),
            thresholds=THRESHOLDS,
            merge=MERGE,
            shortest=SHORTEST,
        )
        for i, name in enumerate(detections.ids)
    ]
    return postprocess.suppress(pd.concat(tables, ignore_index=True), NMS)


def write(run: Run, split: str, detections: Detected) -> None:
    """predictions_<split>.npz: ids, the number of snippets of each, and their logits, labels and times in one row."""
    arrays = {name: np.concatenate(getattr(detections, name)) for name in ("logits", "labels", "times")}
    counts = np.array([len(logits) for logits in detections.logits])
    arrays |= {"ids": np.array(detections.ids), "counts": counts}
    files.write_arrays(run.folder / f"predictions_{split}.npz", arrays)


def read(run: Run, split: str = "test") -> Detected:
    """What ``evaluate`` wrote; FileNotFoundError where it didn't yet, ValueError for a run that labels clips."""
    if run.experiment.kind is not VIDEOS:
        raise ValueError(f"run {run.id} labels clips; read them with run.predictions({split!r})")
    path = run.results("predictions", split)
    arrays = files.read_arrays(path, "ids", "counts", "logits", "labels", "times", way_out=AGAIN)
    with reading(path, "detections", AGAIN):
        ends = np.cumsum(arrays["counts"])
        if {len(arrays[name]) for name in ("logits", "labels", "times")} != {int(ends[-1])}:
            raise ValueError("its arrays differ in length")
        parts = {name: np.split(arrays[name], ends[:-1]) for name in ("logits", "labels", "times")}
        return Detected(arrays["ids"].tolist(), **parts)
