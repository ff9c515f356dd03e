"""``evaluate``: a finished run on one split -> predictions, maps and metrics in its folder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from tqdm import tqdm

from workbench import metrics
from workbench.data import Loader
from workbench.study import detection, files, hardware
from workbench.study.grading import grade_run
from workbench.study.inputs import cache_folder, clip_spec
from workbench.study.passes import Found, gather, predict
from workbench.study.runs import Run, flat
from workbench.study.store import row_of


def evaluate(
    run: Run,
    split: str = "test",
    device: str = "auto",
    batch_size: int | None = None,
    cache: str | None = "auto",
    workers: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Predicts every clip of ``split`` in fp32, writes predictions, maps and metrics, and returns the metrics.

    Of several windows a clip the class scores are the maximum of their softmax scores (VPN section 4.2, thesis section
    4.6.1). Metrics: top1, top5 (where there are more than five classes) and mean_class with 95 % bootstrap intervals
    over clips (``_low``, ``_high``); attention graded against known truth where the data have it and the system has
    an attention map (see ``grading``). Detectors have metrics of their own, see ``detection``. RuntimeError for a run
    that isn't finished.
    """
    if run.config.detects:
        return detection.evaluate(run, split, device, batch_size, progress)
    place = hardware.device(run.config.model_copy(update={"device": device}))
    system, dataset = run.system().to(place), run.dataset(split)
    if place == "cpu":
        hardware.channels_last(system)  # pools in half the time
    size, needs = batch_size or run.config.numbers.batch_size, system.needs_test | {"label"}
    folder = cache_folder(cache, clip_spec(run.config), needs)

    def outputs(spec: Any, words: str = "predicting", change: Any = None) -> Any:
        batches = Loader(dataset, spec, size, needs=needs, cache=folder, workers=workers)
        bar = tqdm(batches, desc=f"{run.id} {words} {split}", unit="batch", disable=not progress)
        return predict(system, bar, place, change)

    full, single = clip_spec(run.config), run.spec
    found = gather(outputs(full))
    # Maps are kept, and graded, for one window a clip, at the clip's own size.
    if single != full:
        middle = gather(outputs(single, "mapping"))
        found = replace(found, maps=middle.maps, poses=middle.poses)
    measured = {"data": dataset.contents, **measure(found, len(dataset.classes))}
    graded = grade_run(
        found, dataset, single, lambda change, words: outputs(single, words, change), seed=run.config.seed
    )
    if graded:
        measured["attention"] = graded
    _write(run, split, found, measured)
    row_of(run).finish(flat({split: measured}))
    return measured


def measure(found: Found, classes: int) -> dict[str, Any]:
    """Classification metrics with their bootstrap intervals."""
    intervals = {"top1": metrics.bootstrap(metrics.hits(found.scores, found.labels, 1))}
    if classes > 5:
        intervals["top5"] = metrics.bootstrap(metrics.hits(found.scores, found.labels, 5))
    intervals["mean_class"] = metrics.bootstrap(found.scores, found.labels, statistic=metrics.mean_class_accuracy)
    measured: dict[str, Any] = {"clips": len(found.ids)}
    for name, interval in intervals.items():
        measured |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return measured


def _write(run: Run, split: str, found: Found, measured: dict[str, Any]) -> None:
    arrays = {name: getattr(found, name) for name in ("labels", "logits", "features", "scores")}
    files.write_arrays(run.folder / f"predictions_{split}.npz", {"ids": np.array(found.ids), **arrays})
    files.write_arrays(run.folder / f"maps_{split}.npz", found.maps)
    files.write_json(run.folder / "metrics.json", {**run.metrics, split: measured})
