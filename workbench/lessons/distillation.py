"""The tasks of lab 2: the contrast of VPN-F and the attention distillation of VPN-A (VPN++, TPAMI 2021, eq. 1 and 2),
and two experiments with them that take seconds."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench import losses
from workbench.lessons.task import Task

Contrast = Callable[[Tensor, Tensor, Tensor, float], Tensor]


def descend(loss: Contrast, clips: int = 16, size: int = 8, m: float = 0.01, steps: int = 120, seed: int = 0) -> Tensor:
    """Where ``loss`` leads student embeddings that are free to move: float [steps + 1,2], the mean cosine of a student
    with its own teacher and with another clip's, before each step of Adam and at the end.

    The teacher's numbers are 0 or more, as features are that come out of a ReLU. Every clip is in a positive pair with
    its own teacher and in a negative pair with the next clip's. ``loss`` takes teacher [P,F], student [P,F], positive
    bool [P] and m, as ``losses.supervised_contrastive``.
    """
    draw = torch.Generator().manual_seed(seed)
    teacher = torch.rand(clips, size, generator=draw)
    student = torch.randn(clips, size, generator=draw).requires_grad_()
    wrong = teacher.roll(1, 0)
    pairs, positive = torch.cat([teacher, wrong]), torch.arange(2 * clips) < clips
    optimizer = torch.optim.Adam([student], lr=0.1)
    cosines = []
    for step in range(steps + 1):
        with torch.no_grad():
            cosines.append(torch.stack([F.cosine_similarity(side, student, dim=1).mean() for side in (teacher, wrong)]))
        if step < steps:
            optimizer.zero_grad()
            loss(pairs, torch.cat([student, student]), positive, m).backward()
            optimizer.step()
    return torch.stack(cosines)


def learn_projection(
    loss: Contrast, teacher: Tensor, student: Tensor, labels: Tensor, m: float = 0.01, steps: int = 200, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Learns a linear embedding of the student's features on half of the clips of each class. Of the other half, the
    cosines, float [S/2] each, with their own teacher and with the teacher of a clip of another class.

    teacher float [S,F] and student [S,G] are features of the same clips, from networks that stay as they are; labels
    int64 [S]. All features are centred and of unit length. ValueError where one half has a single class.
    """
    teacher, student = (
        F.normalize(features.float() - features.float().mean(0), dim=1) for features in (teacher, student)
    )
    torch.manual_seed(seed)
    embed = nn.Linear(student.shape[1], teacher.shape[1], bias=False)
    optimizer = torch.optim.Adam(embed.parameters(), lr=0.01)
    by_class = labels.argsort(stable=True)
    learnt, rest = by_class[::2], by_class[1::2]
    draw = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        optimizer.zero_grad()
        negatives = _others(labels, learnt, draw)
        embedded = embed(student[learnt])
        positive = torch.arange(2 * len(learnt)) < len(learnt)
        loss(torch.cat([teacher[learnt], teacher[negatives]]), torch.cat([embedded, embedded]), positive, m).backward()
        optimizer.step()
    with torch.no_grad():
        embedded = embed(student[rest])
        to_own = F.cosine_similarity(teacher[rest], embedded, dim=1)
        return to_own, F.cosine_similarity(teacher[_others(labels, rest, draw)], embedded, dim=1)


def class_means(rows: Tensor, labels: Tensor) -> Tensor:
    """float [S,P]: for each clip the mean, of unit length, of the unit rows of its class's other clips; zeros where
    there is none. rows float [S,P], labels int64 [S]."""
    same = (labels[:, None] == labels).to(rows.dtype).fill_diagonal_(0)
    return F.normalize(same @ F.normalize(rows, dim=1), dim=1)


def _others(labels: Tensor, clips: Tensor, draw: torch.Generator) -> Tensor:
    """For each of ``clips`` one of them of another class."""
    different = labels[clips, None] != labels[clips]
    if not different.any(1).all():
        raise ValueError(
            "a contrast needs clips of two classes or more among those that it learns from and is tried on"
        )
    return clips[torch.multinomial(different.float(), 1, generator=draw)[:, 0]]


def _pairs(seed: int) -> dict[str, tuple]:
    draw = torch.Generator().manual_seed(seed)
    teacher, student = torch.randn(6, 4, generator=draw), torch.randn(6, 4, generator=draw)
    positive = torch.tensor([True, False, True, False, False, False])
    return {
        "2 positive and 4 negative pairs": (teacher, student, positive, 0.02),
        "another M": (teacher, student, positive, 0.5),
        "embeddings so long that e^s overflows": (20 * teacher, 20 * student, positive, 0.02),
    }


def _embeddings(seed: int) -> dict[str, tuple]:
    draw = torch.Generator().manual_seed(seed)
    teacher, student = torch.rand(4, 6, generator=draw), torch.randn(4, 6, generator=draw)
    return {
        "4 clips with 6 cells": (teacher, student),
        "a teacher ten times as large": (10 * teacher, student),
        "as many clips as cells": (torch.rand(5, 5, generator=draw), torch.randn(5, 5, generator=draw)),
    }


def _teachers(seed: int) -> dict[str, tuple]:
    draw = torch.Generator().manual_seed(seed)
    teacher = torch.rand(5, 3, generator=draw)
    return {
        "5 clips with 3 cells": (teacher,),
        "a row of another length": (torch.cat([10 * teacher[:1], teacher[1:]]),),
    }


_contrast = losses.supervised_contrastive


def _share(positive: Tensor) -> float:
    return int(positive.sum()) / len(positive)


TASKS = {
    "contrast": Task(
        _contrast,
        "workbench.losses.supervised_contrastive",
        ("teacher", "student", "positive", "m"),
        ("a single number",),
        _pairs,
        {
            "the sign: this is the log-likelihood, which is to be maximised; a loss is its negative": (
                lambda t, s, p, m: -_contrast(t, s, p, m)
            ),
            "this is the mean over all pairs; eq. 1 divides the sum by the number of positive pairs": (
                lambda t, s, p, m: _contrast(t, s, p, m) * _share(p)
            ),
            "this is the sum; divide it by the number of positive pairs": (
                lambda t, s, p, m: _contrast(t, s, p, m) * int(p.sum())
            ),
            "the negative pairs are left out: they add log[1 - e^s / (e^s + M)]": (
                lambda t, s, p, m: _contrast(t[p], s[p], p[p], m)
            ),
            "all pairs are treated as positive; a negative pair adds log[1 - e^s / (e^s + M)]": (
                lambda t, s, p, m: _contrast(t, s, torch.ones_like(p), m) * len(p) / int(p.sum())
            ),
            "positive and negative pairs are exchanged": (
                lambda t, s, p, m: _contrast(t, s, ~p, m) * int((~p).sum()) / int(p.sum())
            ),
            "M is left out: the denominator is e^s + M": lambda t, s, p, m: _contrast(t, s, p, 1.0),
            "M stands where log M belongs: e^s / (e^s + M) is the sigmoid of s - log M": (
                lambda t, s, p, m: _contrast(t, s, p, math.exp(m))
            ),
            "log M is added; e^s / (e^s + M) is the sigmoid of s - log M": lambda t, s, p, m: _contrast(t, s, p, 1 / m),
            "s is the cosine here; the paper multiplies the embeddings as they come": (
                lambda t, s, p, m: _contrast(t, s, p, m, "unit")
            ),
            "s is a cosine over a temperature here; the paper multiplies the embeddings as they come": (
                lambda t, s, p, m: _contrast(t, s, p, m, "temperature")
            ),
            "s is the mean over channels; a dot product is their sum": lambda t, s, p, m: _contrast(
                t / t.shape[1], s, p, m
            ),
        },
        infinite="e^s overflows above s = 88: log[e^s / (e^s + M)] is F.logsigmoid(s - log M), "
        "its complement F.logsigmoid(log M - s)",
        said={"log(): argument 'input'": "m is a plain number: math.log(m)"},
        trains=True,
    ),
    "attention_distillation": Task(
        losses.attention_distillation,
        "workbench.losses.attention_distillation",
        ("teacher", "student"),
        ("a single number",),
        _embeddings,
        {
            "the rows are not yet of unit length: divide each by its L2 norm": (
                lambda t, s: losses.feature_distillation(t, s, "sum")
            ),
            "this is the mean over cells; eq. 2 sums them": lambda t, s: losses.attention_distillation(t, s, "mean"),
            "this is the sum over the batch; it should be the mean": lambda t, s: (
                losses.attention_distillation(t, s) * len(t)
            ),
            "this is the distance; eq. 2 squares it": (
                lambda t, s: (F.normalize(t, dim=1) - F.normalize(s, dim=1)).norm(dim=1).mean()
            ),
            "the columns are of unit length (axis 0); it should be each row (axis 1)": (
                lambda t, s: losses.feature_distillation(F.normalize(t, dim=0), F.normalize(s, dim=0), "sum")
            ),
            "the whole batch is divided by one norm; each row has its own": (
                lambda t, s: losses.feature_distillation(t / t.norm(), s / s.norm(), "sum")
            ),
            "the teacher's rows are not of unit length yet": (
                lambda t, s: losses.feature_distillation(t, F.normalize(s, dim=1), "sum")
            ),
            "the student's rows are not of unit length yet": (
                lambda t, s: losses.feature_distillation(F.normalize(t, dim=1), s, "sum")
            ),
            "the rows are divided by the sum of their sizes (L1); eq. 2 takes the L2 norm": (
                lambda t, s: losses.feature_distillation(F.normalize(t, p=1, dim=1), F.normalize(s, p=1, dim=1), "sum")
            ),
            "this is one number a clip; the loss is their mean": (
                lambda t, s: torch.stack(
                    [losses.attention_distillation(*row) for row in zip(t[:, None], s[:, None], strict=True)]
                )
            ),
            "this is the cosine; the loss is 2 - 2 cosine": lambda t, s: 1 - losses.attention_distillation(t, s) / 2,
        },
    ),
    "best_constant": Task(
        losses.best_constant,
        "workbench.losses.best_constant",
        ("teacher",),
        ("a single number",),
        _teachers,
        {
            "the rows are not of unit length before their mean is taken": lambda t: 2 - 2 * t.mean(0).norm(),
            "this is the loss of the mean itself, whose length is below 1; a constant student has unit length too": (
                lambda t: 1 - F.normalize(t, dim=1).mean(0).square().sum()
            ),
            "the length of the mean is squared; the loss is 2 - 2 |mean|": (
                lambda t: 2 - 2 * F.normalize(t, dim=1).mean(0).square().sum()
            ),
            "this is the length of the mean; the loss is 2 - 2 |mean|": lambda t: F.normalize(t, dim=1).mean(0).norm(),
            "half of it: the squared distance of unit vectors is 2 - 2 cosine": lambda t: losses.best_constant(t) / 2,
            "the mean goes over the cells (axis 1); it should go over the clips (axis 0)": (
                lambda t: 2 - 2 * F.normalize(t, dim=1).mean(1).norm()
            ),
        },
    ),
}
