"""Teacher and student side by side (VPN++, TPAMI 2021): features, video-pose pairs, attention, answers.

A distilled system has ``teach(batch) -> dict of Outputs``, what its teachers say, and may have ``compare(output,
taught)``, the embeddings that its loss draws together, by level: "features/teacher", "features/student", and so on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from workbench.types import Batch, Output


@dataclass(frozen=True)
class Answers:
    """logits float32 [S,N] and features float32 [S,F] of one network for S clips."""

    logits: np.ndarray
    features: np.ndarray


@dataclass(frozen=True)
class Lesson:
    """What student and teachers say about the same S clips.

    ids S clip names; labels int64 [S]; teachers by name; embeddings: level -> (teacher's, student's) float32 [S,P], of
    what distillation compares, and pairs the same of unit length. Where a system doesn't say what that is, they are
    logits, and features of equal size.
    """

    ids: list[str]
    labels: np.ndarray
    student: Answers
    teachers: dict[str, Answers]
    embeddings: dict[str, tuple[np.ndarray, np.ndarray]]

    @cached_property
    def pairs(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By level, teacher's and student's embeddings float [S,F], each row of length 1."""
        return {level: (_unit(teacher), _unit(student)) for level, (teacher, student) in self.embeddings.items()}

    def teacher(self, name: str | None = None) -> str:
        """The teacher called ``name``, the first for None; ValueError naming those there are."""
        name = next(iter(self.teachers)) if name is None else name
        if name not in self.teachers:
            raise ValueError(f"there is no teacher {name!r}; there are: {', '.join(self.teachers)}")
        return name


#: Loss terms that come from a teacher.
TERMS = ("train_distillation", "train_features")


def distilling(history: pd.DataFrame) -> pd.DataFrame:
    """The epochs of those stages in which something is distilled; all of them where none says so."""
    terms = [name for name in TERMS if name in history]
    if not terms:
        return history
    taught = history["stage"][history[terms].notna().any(axis=1)]
    return history[history["stage"].isin(taught)].reset_index(drop=True)


def observe(system: torch.nn.Module, batches: Iterable[Batch], progress: bool = True) -> Lesson:
    """Asks student and teachers about every clip, one window each, without gradients.

    The batches carry all that ``system.needs_train`` names. Raises ValueError for a system without a teacher, or one
    in training mode, which changes while it is asked.
    """
    ids: list[str] = []
    columns: dict[str, list[Tensor]] = {}
    for batch in tqdm(batches, desc="asking teacher and student", unit="batch", disable=not progress):
        student, taught, compared = _ask(system, batch)
        ids += batch.ids
        row = {"labels": batch.label, "logits": student.logits, "features": student.features}
        for name, teacher in taught.items():
            row |= {f"{name} logits": teacher.logits, f"{name} features": teacher.features}
        for level, sides in compared.items():
            row |= {f"{level} teacher": sides[0], f"{level} student": sides[1]}
        for name, value in row.items():
            columns.setdefault(name, []).append(value.cpu())
    arrays = {name: torch.cat(values).numpy() for name, values in columns.items()}
    return Lesson(
        ids,
        arrays["labels"],
        Answers(arrays["logits"], arrays["features"]),
        {name: Answers(arrays[f"{name} logits"], arrays[f"{name} features"]) for name in taught},
        {level: (arrays[f"{level} teacher"], arrays[f"{level} student"]) for level in compared},
    )


def attention(system: torch.nn.Module, batch: Batch) -> dict[str, dict[str, np.ndarray | None]]:
    """The attention of each teacher ("teacher <name>") and of the "student" for the batch's first clip, as maps by
    name.

    "attention", float32 [T',H',W']: how often a cell gets its even share of it; of self-attention, what a cell gets
    from all others on average. "as distilled", float32 [T',H',W']: the two sides of eq. 2, of unit length; the
    student's may be negative. None where a network has no such map. Raises as ``observe``.
    """
    student, taught, embeddings = _ask(system, batch)
    views = {"student": _attended(student)} | {f"teacher {name}": _attended(output) for name, output in taught.items()}
    maps: dict[str, dict[str, np.ndarray | None]]
    maps = {
        # As multiples of what each cell would get if all got the same.
        title: {"attention": None if a is None else (a * (a.size / a.sum())).astype(np.float32), "as distilled": None}
        for title, a in views.items()
    }
    compared = next((pair for level, pair in embeddings.items() if level.endswith("attention")), None)
    shown = [(title, seen.shape) for title, seen in views.items() if title != "student" and seen is not None]
    if compared is not None and shown:
        target, shape = shown[-1]
        for title, side in zip((target, "student"), compared, strict=True):
            maps[title]["as distilled"] = _unit(side[:1].cpu().numpy())[0].reshape(shape)
    return maps


def received(affinity: np.ndarray, grid: tuple[int, int, int]) -> np.ndarray | None:
    """float32 [T',H',W'], sums to 1: what each cell gets of an affinity [P,P'] between P = T'H'W' cells and P' keys,
    the mean over those who look.

    Keys are the cells, or, max-pooled, blocks of 2 x 2 of them, which share a block's weight; an odd row or column that
    pooling leaves out gets nothing. None where the keys are anything else.
    """
    block = [1, 1, 1] if affinity.shape[1] == prod(grid) else [1, *(min(2, side) for side in grid[1:])]
    keys = [side // size for side, size in zip(grid, block, strict=True)]
    if affinity.shape[1] != prod(keys):
        return None
    weights = np.zeros(grid, np.float32)
    spread = np.kron(affinity.mean(0).reshape(keys), np.ones(block)) / prod(block)
    weights[tuple(slice(side) for side in spread.shape)] = spread
    return weights


@dataclass(frozen=True)
class Contrast:
    """How alike the two sides of video-pose pairs are, in [-1,1]: positive float64 [S], of one clip, and negative, of
    two clips of different classes (figure 6A), as many as there are clips that have one."""

    positive: np.ndarray
    negative: np.ndarray

    @property
    def ranking(self) -> float:
        """The chance that a positive pair is more alike than a negative one; 0.5 is blind, NaN without either."""
        if not len(self.positive) or not len(self.negative):
            return float("nan")
        difference = self.positive[:, None] - self.negative
        return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def contrasts(lesson: Lesson, seed: int = 0) -> dict[str, Contrast]:
    """Pairs before and after projection. "before, <teacher>": features as they are, which may differ in size, so that a
    clip is known by its likeness to all others (``relations``); "after, <level>": the cosine that the loss reads."""
    video, pose, positive = pairs(lesson.labels, seed)
    splits = {}
    for name, teacher in lesson.teachers.items():
        likeness = relations(teacher.features, lesson.student.features, video, pose)
        splits[f"before, {name}"] = _split(likeness, positive)
    for level, (target, student) in lesson.pairs.items():
        splits[f"after, {level}"] = _split((student[video] * target[pose]).sum(1), positive)
    return splits


def pairs(labels: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of videos and of poses, int64 [Q] each, and whether they are of one clip, bool [Q]: each clip with itself
    and with one of another class, drawn at random, if there is one."""
    draw, clips = np.random.default_rng(seed), np.arange(len(labels))
    others = [np.flatnonzero(labels != label) for label in labels]
    video = np.array([i for i in clips if len(others[i])], np.int64)
    pose = np.array([draw.choice(others[i]) for i in video], np.int64)
    positive = np.arange(len(clips) + len(video)) < len(clips)
    return np.concatenate([clips, video]), np.concatenate([clips, pose]), positive


def relations(teacher: np.ndarray, student: np.ndarray, video: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """float64 [Q] in [-1,1]: for each pair the correlation, over all clips but these two, of the student's cosine of
    ``video`` to a clip and the teacher's cosine of ``pose`` to it; features [S,F] and [S,G], centred first. NaN for
    fewer than two other clips, or where one side doesn't vary."""
    seen, target = _cosines(student), _cosines(teacher)
    correlations = np.full(len(video), np.nan)
    for q, (i, j) in enumerate(zip(video, pose, strict=True)):
        rest = np.setdiff1d(np.arange(len(seen)), [i, j])
        a, b = seen[i, rest], target[j, rest]
        if len(rest) > 1 and a.std() > 0 and b.std() > 0:
            correlations[q] = np.corrcoef(a, b)[0, 1]
    return correlations


@dataclass(frozen=True)
class Departures:
    """Where the student departs from its teacher, as positions of clips: lost, the teacher is right and the student
    wrong; won, the reverse. alike is the clips on which both answer the same, right or wrong, bool [S]."""

    lost: np.ndarray
    won: np.ndarray
    alike: np.ndarray

    def by_class(self, labels: np.ndarray, classes: int) -> np.ndarray:
        """int64 [N,2]: clips of each class that are lost, and won."""
        counts = [np.bincount(labels[where], minlength=classes) for where in (self.lost, self.won)]
        return np.stack(counts, axis=1)


def departures(labels: np.ndarray, teacher: np.ndarray, student: np.ndarray) -> Departures:
    """Compares two logits [S,N] with labels [S]."""
    answers = teacher.argmax(1), student.argmax(1)
    right = [answer == labels for answer in answers]
    lost, won = np.flatnonzero(right[0] & ~right[1]), np.flatnonzero(right[1] & ~right[0])
    return Departures(lost, won, answers[0] == answers[1])


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64 [S] in [-1,1]: Spearman's correlation of two logits [S,N] of a clip over the classes (ties share their
    mean rank); NaN where one side is constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(logits, axis=1) for logits in (first, second)]
    a, b = (rank - rank.mean(1, keepdims=True) for rank in ranks)
    scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.divide((a * b).sum(1), scale, out=np.full(len(a), np.nan), where=scale > 0)


def rows(ids: list[str], others: list[str]) -> np.ndarray:
    """int64 [S]: where the clips ``ids`` stand among ``others``; ValueError naming the first that doesn't."""
    where = {clip: row for row, clip in enumerate(others)}
    if missing := [clip for clip in ids if clip not in where]:
        raise ValueError(f"the baseline has no prediction for clip {missing[0]!r}; compare runs on the same clips")
    return np.array([where[clip] for clip in ids], np.int64)


def _ask(system: torch.nn.Module, batch: Batch) -> tuple[Output, dict[str, Output], dict[str, tuple[Tensor, Tensor]]]:
    """The student's output, the teachers', and the embeddings of ``Lesson``, float32 [B,P]."""
    if system.training:
        raise ValueError(f"{type(system).__name__} must be in evaluation mode to be asked; call eval() first")
    with torch.inference_mode():
        batch = batch.to(next(system.parameters()).device)
        teach, compare = getattr(system, "teach", None), getattr(system, "compare", _as_they_come)
        taught = {} if teach is None else teach(batch)
        if not taught:
            raise ValueError(f"{type(system).__name__} has no teacher; choose a run of a distilled system, like vpn_f")
        student = system(batch)
        compared = compare(student, taught)
    levels = [name.removesuffix("/teacher") for name in compared if name.endswith("/teacher")]
    sides = {level: (compared[f"{level}/teacher"], compared[f"{level}/student"]) for level in levels}
    return student, taught, {level: (a.float().flatten(1), b.float().flatten(1)) for level, (a, b) in sides.items()}


def _as_they_come(student: Output, taught: dict[str, Output]) -> dict[str, Tensor]:
    embeddings: dict[str, Tensor] = {}
    for name, teacher in taught.items():
        for level in ("features", "logits"):
            sides = getattr(teacher, level), getattr(student, level)
            if sides[0].shape == sides[1].shape:
                embeddings |= {f"{name} {level}/teacher": sides[0], f"{name} {level}/student": sides[1]}
    return embeddings


def _unit(embedding: np.ndarray) -> np.ndarray:
    """Rows of length 1, but for one of zeros."""
    return embedding / np.linalg.norm(embedding, axis=1, keepdims=True).clip(1e-12)


def _attended(output: Output) -> np.ndarray | None:
    """Attention of the first clip, float32 [T',H',W'] >= 0, or None."""
    maps = output.maps
    if "attention" in maps:
        return maps["attention"][0].float().cpu().numpy()
    if "affinity" in maps:
        return received(maps["affinity"][0].float().cpu().numpy(), tuple(maps["affinity_grid"].tolist()))
    return None


def _split(values: np.ndarray, positive: np.ndarray) -> Contrast:
    finite = np.isfinite(values)
    return Contrast(values[finite & positive], values[finite & ~positive])


def _cosines(features: np.ndarray) -> np.ndarray:
    """float64 [S,S]; a clip at the centre is like none."""
    centred = features.astype(np.float64) - features.mean(0, dtype=np.float64)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    centred = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    return centred @ centred.T
