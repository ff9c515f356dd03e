"""One video through one or more detectors: what notebooks and figures look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from workbench import losses, metrics
from workbench.data import Untrimmed
from workbench.study.analysis import profiling
from workbench.study.config.kinds import VIDEOS
from workbench.study.config.notebook_config import Detection
from workbench.study.evaluate import detection
from workbench.study.evaluate.detection import Detected
from workbench.study.evaluate.evaluate import evaluate
from workbench.study.features import encoders
from workbench.study.features.batches import SnippetBatches
from workbench.study.runs.find_runs import open_together
from workbench.study.runs.run_folder import Run
from workbench.systems.common.base import Teacher
from workbench.types import Batch, Output

#: The snippets of a minute of video at 25 frames a second.
MINUTE = 60 * 25 / 16
#: Measurements, of which the median counts.
REPEATS = 5
#: What the runs of notebook 07 are called in figures.
SHOWN = {"first": "{system}", "second": "{system}", "two_stream": "two-stream", "boundaries": "with boundaries"}


@dataclass(frozen=True)
class Shown:
    """What notebook 07 is about: runs by the name they are shown under, the first two of them those that are compared;
    the videos of the split, what each run detects, and what happens (labels are numbers)."""

    runs: dict[str, Run]
    data: Untrimmed
    detections: dict[str, Detected]

    @property
    def names(self) -> list[str]:
        """Of the two runs that are compared."""
        return list(self.detections)[:2]

    @property
    def bounded(self) -> list[str]:
        """Of the first run, and of the one that learnt boundaries."""
        return [self.names[0], SHOWN["boundaries"] if SHOWN["boundaries"] in self.runs else self.names[1]]

    @cached_property
    def events(self) -> dict[str, pd.DataFrame]:
        """Detections of the runs by name: video, label, start, end, score."""
        return {name: detection.events(detections, self.data) for name, detections in self.detections.items()}

    @property
    def truth(self) -> pd.DataFrame:
        """The events of the videos, by interval."""
        return self.data.intervals

    def profile(self, name: str, iou: float) -> pd.DataFrame:
        """The surest detections of a run by kind (``metrics.false_positive_profile``)."""
        kinds = metrics.prediction_kinds(self.events[name], self.truth, iou, "thumos", near=min(0.1, iou))
        return metrics.false_positive_profile(kinds, int((~self.truth["ambiguous"]).sum()))

    def found_by(self, iou: float, least: float) -> dict[str, pd.DataFrame]:
        """Which events the two runs find with detections of a score of ``least`` or more, by name
        (``metrics.truths_found``)."""
        sure = {name: self.events[name][self.events[name]["score"] >= least] for name in self.names}
        return {name: metrics.truths_found(table, self.truth, iou, "thumos") for name, table in sure.items()}


def open_all(config: Detection) -> Shown:
    """The runs of notebook 07's configuration, evaluated on its split where they were not. ValueError where the first
    two are one, or label other videos."""
    chosen = {name: getattr(config, name) for name in ("first", "second", "two_stream", "boundaries")}
    roles = [name for name, run in chosen.items() if run is not None]
    runs = dict(zip(roles, open_together(config.needed(), config.runs, config.root), strict=True))
    first, second = runs["first"], runs["second"]
    if first.id == second.id:
        raise ValueError(f"first and second are the same run, {first.id}; choose another to compare it with")
    for run in runs.values():
        if run.experiment.kind is not VIDEOS:
            raise ValueError(f"run {run.id} classifies clips; this notebook is for detectors")
        if not run.measured_on(config.split, run.dataset(config.split).contents):
            evaluate(run, config.split, progress=False)
    same = first.config.system == second.config.system
    named = {}
    for role, run in runs.items():
        named[SHOWN[role].format(system=run.id if same else run.config.system)] = run
    data = first.videos(config.split)
    for run in runs.values():
        if run.dataset(config.split).ids != data.ids:
            raise ValueError(f"runs {first.id} and {run.id} were evaluated on different videos")
    return Shown(named, data, {name: detection.read(run, config.split) for name, run in named.items()})


class Look(NamedTuple):
    """One video, and what a detector and, by name, its teachers say about it."""

    batch: Batch
    output: Output
    teachers: dict[str, Output]


def look(run: Run, data: Untrimmed, i: int) -> Look:
    """Video i of ``data`` through the detector of ``run`` and its teachers; makes the features that are missing."""
    system = run.system()
    batches = SnippetBatches(replace(run.experiment, progress=False))
    batch = next(iter(batches.load(data.subset([i]), system.wants(training=True))))
    with torch.inference_mode():
        return Look(batch, system(batch), system.teach(batch) if isinstance(system, Teacher) else {})


def look_all(shown: Shown, i: int) -> dict[str, Look]:
    """``look`` of video i by every run that is shown, by name."""
    return {name: look(run, shown.data, i) for name, run in shown.runs.items()}


def covariances(shown: Shown, looks: Mapping[str, Look]) -> dict[str, np.ndarray | None]:
    """Figure 4: the covariance [C,C] of each run, and before it of each teacher; None for a two-stream network where
    none is shown."""
    matrices: dict[str, np.ndarray | None] = {}
    for name, view in looks.items():
        for teacher, output in view.teachers.items():
            matrices.setdefault(f"teacher {teacher}", output.maps["covariance"][0].numpy())
        matrices[name] = view.output.maps["covariance"][0].numpy()
    return matrices if SHOWN["two_stream"] in matrices else {**matrices, SHOWN["two_stream"]: None}


def changes(shown: Shown, looks: Mapping[str, Look], i: int) -> tuple[dict[str, np.ndarray], np.ndarray, list[float]]:
    """Figure 5: how much features change [T-1] by run and teacher, when, and where actions start or end (seconds)."""
    curves = {name: change(view.output) for name, view in looks.items()}
    for view in looks.values():
        for name, output in view.teachers.items():
            curves.setdefault(f"teacher {name}", change(output))
    detections = next(iter(shown.detections.values()))
    centres = detections.times[detections.index(shown.data.ids[i])].mean(1)
    rows = shown.data.annotated(i)
    return curves, (centres[1:] + centres[:-1]) / 2, sorted({*rows["start"], *rows["end"]})


def readings(looks: Mapping[str, Look]) -> pd.DataFrame:
    """The boundary loss of every student against each of its teachers, in both readings."""
    rows = []
    for name, view in looks.items():
        for teacher, output in view.teachers.items():
            pair = view.output.aux["sequence"], output.aux["sequence"]
            per_step, printed = losses.boundary_saliency(*pair, "per_step"), losses.boundary_saliency(*pair, "printed")
            rows.append((name, teacher, float(per_step), float(printed)))
    return pd.DataFrame(rows, columns=["run", "teacher", "per_step", "printed"])


def gains(shown: Shown, repeats: int = 200) -> pd.DataFrame:
    """Figure 6: ``metrics.frame_gain`` of the second run over the first, at the snippets."""
    first, second = (shown.detections[name] for name in shown.names)
    shared = [(i, second.ids.index(name)) for i, name in enumerate(first.ids) if name in second.ids]
    videos = np.repeat(np.arange(len(shared)), [len(first.logits[i]) for i, _ in shared])
    before = np.concatenate([first.logits[i] for i, _ in shared])
    after = np.concatenate([second.logits[j] for _, j in shared])
    labels = np.concatenate([first.labels[i] for i, _ in shared])
    return metrics.frame_gain(before, after, labels, videos, repeats=repeats)


def change(output: Output) -> np.ndarray:
    """float32 [T-1]: the length of the change of the filter's features from each snippet of one video to the next."""
    return output.aux["sequence"][0].diff(dim=0).norm(dim=1).numpy()


def seconds_a_minute(run: Run, pose_seconds: float | None = None) -> float:
    """What a minute of video takes this processor from pictures to scores: for every 16-frame snippet the inputs (flow
    and the like) and encoders of all modalities that are read at test, then the filter over all of them. pose_seconds:
    what another program takes to find the poses of one frame; NaN where they are read and it isn't given."""
    system = run.system()
    filters = profiling.random_batch(system, run.experiment, 1)
    total = profiling.timed("ms", lambda: system(filters), REPEATS, "cpu")["ms"] / 1000
    for modality in system.wants(training=False):
        experiment = encoders.of_modality(run.experiment, modality)
        encoder = experiment.build().eval()
        clip = profiling.random_batch(encoder, experiment, 1)
        once = profiling.timed("ms", partial(encoder, clip), REPEATS, "cpu")["ms"]
        once += sum(profiling.inputs_ms(experiment.clip, needed, REPEATS) for needed in encoder.needs_test)
        total += MINUTE * once / 1000
        if "pose" in encoder.needs_test:
            total += float("nan") if pose_seconds is None else MINUTE * 16 * pose_seconds
    return total


def costs(runs: Mapping[str, Run], split: str = "test", pose_seconds: float | None = None) -> pd.DataFrame:
    """Rows name, seconds (``seconds_a_minute``) and frame_map in [0,1], one a run."""
    with torch.inference_mode():
        rows = [
            (name, seconds_a_minute(run, pose_seconds), run.metrics[split]["frame_map"]) for name, run in runs.items()
        ]
    return pd.DataFrame(rows, columns=["name", "seconds", "frame_map"])
