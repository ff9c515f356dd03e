"""Regression onto frozen teachers: logits (PERF-Net, section 3.3) and pooled features (MARS, CVPR 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.losses.shapes import agree

REDUCTIONS = ("mean", "sum")


def logit_mse(student: Tensor, teachers: Sequence[Tensor], unified: bool = False, reduction: str = "mean") -> Tensor:
    """sum_i MSE(T_i, S), the distillation term of PERF-Net.

    Args:
        student: the logits S, float [B,N].
        teachers: one or more of the logits T_i, float [B,N]; they get no gradient.
        unified: MSE(sum_i T_i, S) instead, the paper's "unified loss": the student mimics the late fusion of its
            teachers.
        reduction: "mean" is over clips and classes, as the name says and the paper ("mean squared loss"); a class then
            counts 1/N, so that the term is weaker beside the cross-entropy the more classes there are. "sum" is over
            classes, N times as much, with the mean over clips.

    Returns:
        A scalar >= 0.

    Raises:
        ValueError: no teacher, one whose logits have another shape, or another reduction.

    Source:
        PERF-Net (WACV 2022), eq. 1 and section 3.3.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"logit_mse: reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")
    if not teachers:
        raise ValueError("logit_mse needs the logits of one or more teachers, got none")
    for teacher in teachers:
        agree("logit_mse", teacher=(teacher, "B N"), student=(student, "B N"))
    targets = torch.stack(list(teachers)).detach()
    targets = targets.sum(0, keepdim=True) if unified else targets
    squares = (student - targets).square().mean(1)  # of each teacher [N]
    return (squares.mean(1) if reduction == "mean" else squares.sum(1)).sum()


def mars(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared error of the student's pooled features to the flow stream's.

    MARS adds 50 of it to the cross-entropy.

    Args:
        student: float [B,F].
        teacher: float [B,F]; it gets no gradient.

    Returns:
        A scalar >= 0.

    Raises:
        ValueError: shapes that differ.

    Source:
        MARS (CVPR 2019).
    """
    agree("mars", teacher=(teacher, "B F"), student=(student, "B F"))
    return F.mse_loss(student, teacher.detach())
