"""``evaluate``: a finished run on one split -> predictions, maps and metrics in its folder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from workbench import metrics
from workbench.data import Loader
from workbench.study import files
from workbench.study.config.experiment import Experiment
from workbench.study.config.kinds import VIDEOS
from workbench.study.evaluate import detection
from workbench.study.evaluate.alignment import lesson_of
from workbench.study.evaluate.attention_grades import grade_run
from workbench.study.evaluate.exchanges import OWN, ask_all, effects, pose_change, spreads
from workbench.study.evaluate.gradient_shares import by_stage
from workbench.study.evaluate.inference import Answers, gather, predict
from workbench.study.features.batches import ClipBatches
from workbench.study.features.frozen_layers import FrozenLayers
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
    experiment = replace(run.experiment, device=device, progress=progress)
    if batch_size is not None:
        experiment = replace(experiment, batch_size=batch_size)
    if experiment.kind is VIDEOS:
        return detection.evaluate(run, experiment, split)
    return _evaluate(run, replace(experiment, cache=cache, workers=workers), split)


def _evaluate(run: Run, experiment: Experiment, split: str) -> dict[str, Any]:
    device = hardware.device(experiment.device)
    system, dataset = run.system().to(device), run.clips(split)
    if device == "cpu":
        hardware.channels_last(system)  # pools in half the time
    load = partial(ClipBatches(experiment).load, dataset)

    def bar(batches: Loader, words: str) -> Any:
        return tqdm(batches, desc=f"{run.id} {words} {split}", unit="batch", disable=not experiment.progress)

    wants, exchange = system.wants(training=False), None
    if "pose" in wants:
        exchange = pose_change(bar(load(wants & {"pose", "segments", "label"}), "poses of"), experiment.seed)
    frozen = FrozenLayers(system, experiment.procedure.frozen, experiment.cache, device)
    answers = ask_all(system, bar(load(wants), "predicting"), frozen, exchange, experiment.seed)
    frozen.share()
    plain = answers[OWN]
    # Maps are kept and graded, and attention is exchanged, for one window a clip, at the clip's own size.
    if experiment.clip != experiment.one_window:
        windows = bar(load(wants, spec=experiment.clip), "all windows of")
        plain = replace(gather(predict(system, windows, device)), maps=plain.maps)
    measured = {"data": dataset.contents, **measure(plain, len(dataset.classes))}
    if graded := grade_run(answers, dataset, experiment.one_window):
        measured["attention"] = graded
    lesson = lesson_of(experiment, system, list(run.history), load)
    if mechanism := alive(run, answers, lesson):
        measured["alive"] = mechanism
    _write(run, split, plain, measured)
    row_of(run).finish(flat({split: measured}))
    return measured


def measure(answers: Answers, classes: int) -> dict[str, Any]:
    """Classification metrics with their bootstrap intervals."""
    intervals = {"top1": metrics.bootstrap(metrics.hits(answers.scores, answers.labels, 1))}
    if classes > 5:
        intervals["top5"] = metrics.bootstrap(metrics.hits(answers.scores, answers.labels, 5))
    intervals["mean_class"] = metrics.bootstrap(answers.scores, answers.labels, statistic=metrics.mean_class_accuracy)
    measured: dict[str, Any] = {"clips": len(answers.ids)}
    for name, interval in intervals.items():
        measured |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return measured


def alive(run: Run, answers: dict[str, Answers], lesson: dict[str, Any]) -> dict[str, Any]:
    """What tells whether the run's mechanism acts, as far as it has one: exchanges (``exchanges.effects``), maps
    (``exchanges.spreads``), distillation (``alignment.lesson_of``), gradients (``gradient_shares.by_stage``), and
    ceiling, True where the known truth or the teacher's own feature stands in for what is learnt."""
    report = {"exchanges": effects(answers), "maps": spreads(answers[OWN]), "distillation": lesson}
    report = {name: value for name, value in {**report, "gradients": by_stage(run.history)}.items() if value}
    return report | ({"ceiling": True} if report and is_ceiling(run.experiment.options) else {})


def is_ceiling(options: dict[str, Any]) -> bool:
    """Whether a system of these options is given what it should learn: the known region as its attention, or its
    teacher's own feature."""
    return options.get("guide") == "truth" or options.get("given") == "teacher"


def _write(run: Run, split: str, answers: Answers, measured: dict[str, Any]) -> None:
    arrays = {name: getattr(answers, name) for name in ("labels", "logits", "features", "scores")}
    files.write_arrays(run.folder / f"predictions_{split}.npz", {"ids": np.array(answers.ids), **arrays})
    files.write_arrays(run.folder / f"maps_{split}.npz", answers.maps)
    files.write_json(run.folder / "metrics.json", {**run.metrics, split: measured})
