"""What a distilled student took of its teacher: is its embedding nearer to its own teacher's than to that of other
classes, and does it tell clips apart at all?

Two losses can be small without a lesson. A contrast whose optimum lies elsewhere leaves the student as near to any
teacher's embedding as to its own; a squared error is small where both sides give every clip the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench import metrics
from workbench.data import Loader
from workbench.explain import distillation
from workbench.study.config.experiment import Experiment
from workbench.systems.common.base import System
from workbench.types import Batch

#: What Augmented-RGB compares at each of its levels, in order.
LEVELS = {"feature": ("feature",), "logit": ("logit",), "both": ("feature", "logit")}
#: Systems that don't say what they compare: the kind of embedding whose squared error, as it comes, they minimise.
AS_THEY_COME = {"mars": "features", "perf_net": "logits"}


def lesson_of(
    experiment: Experiment, system: System, terms: list[str], load: Callable[[frozenset[str]], Loader]
) -> dict[str, Any]:
    """The ``alignment`` of every level that is distilled; empty for a system, or a run by the ``terms`` of its history,
    that distils nothing, and {"skipped": reason} where ``load(wants)`` can't give what the teacher reads."""
    if not hasattr(system, "teach") or not set(distillation.TERMS) & set(terms):
        return {}
    try:
        clips = load(system.wants(training=True))
    except ValueError as problem:
        return {"skipped": f"the teacher can't be asked: {problem}"}
    lesson = distillation.observe(system, clips, experiment.progress)
    return {
        level: alignment(*pair, lesson.labels, squared_error(experiment, level))
        for level, pair in lesson.embeddings.items()
        if level.endswith(AS_THEY_COME.get(experiment.system, ""))
    }


def of_snippets(system: Any, batches: Iterable[Batch], device: str, error: str | None) -> dict[str, Any]:
    """The ``alignment`` of an AugmentedRGB, by teacher and level ("pose/feature"). ``batches`` hold the features of all
    modalities that student and teachers read. A snippet counts as a clip, and the classes that go on in it together
    as its class; snippets of one video are alike, so that the intervals are those of other snippets, not of other
    videos."""
    pairs: dict[str, list[tuple[Tensor, Tensor]]] = {}
    shown: list[Tensor] = []
    levels = LEVELS[system.options.level]
    with torch.inference_mode():
        for batch in batches:
            batch = batch.to(device)
            mask, student = batch.mask, system.student(batch)
            assert batch.label is not None  # teaching batches carry it
            for name, teacher in system.teach(batch).items():
                for level, (student_side, teacher_side) in zip(levels, system.compared(student, teacher), strict=True):
                    pairs.setdefault(f"{name}/{level}", []).append((teacher_side[mask].cpu(), student_side[mask].cpu()))
            shown.append(batch.label[mask].cpu())
    classes = np.unique(torch.cat(shown).numpy(), axis=0, return_inverse=True)[1].reshape(-1)
    aligned = {}
    for level, rows in pairs.items():
        teacher_side, student_side = (torch.cat(side).float().numpy() for side in zip(*rows, strict=True))
        aligned[level] = alignment(teacher_side, student_side, classes, error)
    return aligned


def squared_error(experiment: Experiment, level: str) -> str | None:
    """Which squared error of a level the run minimises: "unit", of embeddings of unit length, summed over their
    numbers; "raw", of embeddings as they come, their mean; None where it minimises something else."""
    kind = experiment.options.get("distillation", "mse" if level.endswith("attention") else None)
    if experiment.system in AS_THEY_COME:
        # A unified loss is the error to the sum of the teachers, which is none of them.
        return None if experiment.options.get("loss") == "unified" else "raw"
    if kind != "mse":
        return None
    return "unit" if level.endswith("attention") else "raw"


def alignment(teacher: np.ndarray, student: np.ndarray, labels: np.ndarray, error: str | None = None) -> dict[str, Any]:
    """How a student's embeddings [S,P] lie to its teacher's [S,P], labels int64 [S].

    own, the cosine to the teacher's embedding of the same clip; other, to those of all clips of other classes, their
    mean; margin, own - other; each as {"value", "low", "high"}, mean and 95 % interval over clips. other and margin are
    left out where there is one class. teacher_share, in [0,1]: the variance of the teacher's unit embeddings over
    clips, 1 - |mean|^2.

    With ``error`` (see ``squared_error``) also loss, the mean over clips; constant, that of a student which gives every
    clip the one embedding that is best (of unit length: 2 - 2 |mean|; as they come: the variance around the mean); and
    ahead, constant - loss, with its interval.
    """
    t, s = (side.astype(np.float64) for side in (teacher, student))
    unit_t, unit_s = (side / np.linalg.norm(side, axis=1, keepdims=True).clip(1e-12) for side in (t, s))
    cosine, mean = (unit_t * unit_s).sum(1), unit_t.mean(0)
    numbers: dict[str, Any] = {"own": metrics.bootstrap(cosine)._asdict(), "teacher_share": float(1 - mean @ mean)}
    classes, kinds = np.unique(labels, return_inverse=True)
    if len(classes) > 1:
        sums = np.stack([unit_t[kinds == label].sum(0) for label in range(len(classes))])
        other_teachers = (sums.sum(0) - sums[kinds]) / (len(labels) - np.bincount(kinds)[kinds])[:, None]
        cosine_others = (unit_s * other_teachers).sum(1)
        numbers["other"] = metrics.bootstrap(cosine_others)._asdict()
        numbers["margin"] = metrics.paired_difference(cosine_others, cosine)._asdict()
    if error is not None:
        if error == "unit":
            loss, constant = 2 - 2 * cosine, 2 - 2 * unit_t @ (mean / max(np.linalg.norm(mean), 1e-12))
        else:
            loss, constant = ((t - s) ** 2).mean(1), ((t - t.mean(0)) ** 2).mean(1)
        ahead = metrics.paired_difference(loss, constant)._asdict()
        numbers |= {"loss": float(loss.mean()), "constant": float(constant.mean()), "ahead": ahead}
    return numbers
