"""Regression onto frozen teachers: logits (PERF-Net, section 3.3) and pooled features (MARS, CVPR 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def logit_mse(student: Tensor, teachers: Sequence[Tensor], unified: bool = False) -> Tensor:
    """sum_i MSE(T_i, S), the distillation term of PERF-Net's eq. 1, a scalar >= 0.

    student: float [B,N], the logits S; teachers: one or more float [B,N], the logits T_i, which get no gradient.
    unified: MSE(sum_i T_i, S) instead, the paper's "unified loss": the student mimics the late fusion of its teachers.
    MSE is the mean over clips and classes. ValueError for no teacher, or one whose logits have another shape.
    """
    if not teachers:
        raise ValueError("logit_mse needs the logits of one or more teachers, got none")
    for teacher in teachers:
        _same_shape("logit_mse", student, teacher)
    targets = torch.stack(list(teachers)).detach()
    if unified:
        return F.mse_loss(student, targets.sum(0))
    return torch.stack([F.mse_loss(student, target) for target in targets]).sum()


def mars(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared error of the student's pooled features to the flow stream's, a scalar >= 0; MARS adds 50 of it to
    the cross-entropy. student, teacher: float [B,F]; the teacher gets no gradient. ValueError where their shapes
    differ."""
    _same_shape("mars", student, teacher)
    return F.mse_loss(student, teacher.detach())


def _same_shape(loss: str, student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        shapes = f"{list(teacher.shape)} and {list(student.shape)}"
        raise ValueError(f"{loss}: teacher and student must have the same shape, got {shapes}")
