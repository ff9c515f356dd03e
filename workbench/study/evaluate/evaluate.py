"""``evaluate``: a finished run on one split -> predictions, maps and metrics in its folder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from workbench import metrics
from workbench.data import ClipSpec, Loader
from workbench.study import files
from workbench.study.config.data_of import cache_folder, clip_spec
from workbench.study.evaluate import detection
from workbench.study.evaluate.alignment import lesson_of
from workbench.study.evaluate.attention_grades import grade_run
from workbench.study.evaluate.exchanges import OWN, ask_all, effects, pose_change, spreads
from workbench.study.evaluate.gradient_shares import by_stage
from workbench.study.evaluate.inference import Found, gather, predict
from workbench.study.runs import hardware
from workbench.study.runs.run_folder import Run
from workbench.study.runs.run_table import flat
from workbench.study.runs.store import row_of


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
    an attention map (see ``grading``); alive, whether a mechanism acts at all (see ``alive`` below). Detectors have
    metrics of their own, see ``detection``. RuntimeError for a run that isn't finished.
    """
    if run.config.detects:
        return detection.evaluate(run, split, device, batch_size, progress)
    place = hardware.device(run.config.model_copy(update={"device": device}))
    system, dataset = run.system().to(place), run.dataset(split)
    if place == "cpu":
        hardware.channels_last(system)  # pools in half the time
    size, full, single = batch_size or run.config.numbers.batch_size, clip_spec(run.config), run.spec

    def batches(spec: ClipSpec, needs: frozenset[str]) -> Loader:
        folder = cache_folder(cache, spec, needs)
        return Loader(dataset, spec, size, needs=needs | {"label"}, cache=folder, workers=workers)

    def bar(batches: Loader, words: str) -> Any:
        return tqdm(batches, desc=f"{run.id} {words} {split}", unit="batch", disable=not progress)

    needs, seed, others = system.needs_test, run.config.seed, None
    if "pose" in needs:
        others = pose_change(bar(batches(single, needs & {"pose", "segments"}), "poses of"), seed)
    asked = ask_all(system, bar(batches(single, needs), "predicting"), place, others, seed)
    found = asked[OWN]
    # Maps are kept and graded, and attention is exchanged, for one window a clip, at the clip's own size.
    if single != full:
        found = replace(gather(predict(system, bar(batches(full, needs), "all windows of"), place)), maps=found.maps)
    measured = {"data": dataset.contents, **measure(found, len(dataset.classes))}
    if graded := grade_run(asked, dataset, single):
        measured["attention"] = graded
    lesson = lesson_of(run.config, system, list(run.history), partial(batches, single), progress)
    if mechanism := alive(run, asked, lesson):
        measured["alive"] = mechanism
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


def alive(run: Run, asked: dict[str, Found], lesson: dict[str, Any]) -> dict[str, Any]:
    """What tells whether the run's mechanism acts, as far as it has one: exchanges (``exchanges.effects``), maps
    (``exchanges.spreads``), distillation (``alignment.lesson_of``), gradients (``gradient_shares.by_stage``), and
    ceiling, True where the known truth or the teacher's own feature stands in for what is learnt."""
    told = {"exchanges": effects(asked), "maps": spreads(asked[OWN]), "distillation": lesson}
    told = {name: value for name, value in {**told, "gradients": by_stage(run.history)}.items() if value}
    return told | ({"ceiling": True} if told and is_ceiling(run.config.variant()) else {})


def is_ceiling(options: dict[str, Any]) -> bool:
    """Whether a system of these options is given what it should learn: the known region as its attention, or its
    teacher's own feature."""
    return options.get("guide") == "truth" or options.get("given") == "teacher"


def _write(run: Run, split: str, found: Found, measured: dict[str, Any]) -> None:
    arrays = {name: getattr(found, name) for name in ("labels", "logits", "features", "scores")}
    files.write_arrays(run.folder / f"predictions_{split}.npz", {"ids": np.array(found.ids), **arrays})
    files.write_arrays(run.folder / f"maps_{split}.npz", found.maps)
    files.write_json(run.folder / "metrics.json", {**run.metrics, split: measured})
