"""Losses over the snippets of untrimmed videos: the three of Augmented-RGB (Dai et al., "Learning an Augmented RGB
Representation with Cross-Modal Knowledge Distillation for Action Detection", ICCV 2021) and those it is compared with.

student and teacher are float [B,T,C], snippet features or logits, snippet by snippet of the same videos; the teacher
gets no gradient. mask is [B,T], True (or 1) where a snippet is real; None: all are. Padding never counts, whatever it
holds. All are scalars to be minimised. ValueError for shapes that don't agree or where no snippet is real.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def multi_label(
    logits: Tensor, label: Tensor, mask: Tensor | None = None, reduction: Literal["sum", "mean"] = "sum"
) -> Tensor:
    """Binary cross-entropy of each class by itself.

    Args:
        logits: float [B,T,N].
        label: float or bool [B,T,N], 1 where the snippet shows the class.
        mask: bool [B,T], True where a snippet is real; None: all are.
        reduction: "sum" over the N classes is the cross-entropy of a snippet's N independent labels, and what the
            authors' public detection code does (PDAN, train.py); "mean" divides it by N.

    Returns:
        A scalar >= 0, the mean over real snippets.

    Raises:
        ValueError: shapes that don't agree, no real snippet, or another reduction.

    Source:
        Augmented-RGB (ICCV 2021), section 4.2.
    """
    _valid("multi_label", "reduction", reduction, ("sum", "mean"))
    logits, label, mask = _aligned("multi_label", logits, label, mask)
    by_class = F.binary_cross_entropy_with_logits(logits[mask], label[mask].to(logits.dtype), reduction="none")
    return by_class.sum(1).mean() if reduction == "sum" else by_class.mean()


def atomic(
    student: Tensor,
    teacher: Tensor,
    positive: Tensor,
    phi: float,
    mask: Tensor | None = None,
    reading: Literal["printed", "mean"] = "printed",
) -> Tensor:
    """-L_Atomic: eq. 1 is a log-likelihood, whose sign is turned here, so that it can be added (eq. 7).

    Features are multiplied as they come.

    Args:
        student: float [P,T,C], row by row the student's side of a pair of videos.
        teacher: float [P,T,C], the teacher's side; it gets no gradient.
        positive: bool [P], True for pairs of one video, False for those of two with different labels.
        phi: above 0, the ratio of the batch's negative snippets to the snippets of the training set.
        mask: bool [P,T], True where both videos have a snippet; None: everywhere.
        reading: "printed" divides what positive pairs say by the number of their snippets, and what negative pairs
            say by their length T only, each pair by its own, so that it grows with the number of pairs. "mean" divides
            the sum over negative pairs by their number too.

    Returns:
        A scalar >= 0.

    Raises:
        ValueError: shapes that don't agree, no real snippet, phi <= 0, no positive pair, or another reading.

    Source:
        Augmented-RGB (ICCV 2021), eq. 1.
    """
    _valid("atomic", "reading", reading, ("printed", "mean"))
    student, teacher, mask = _aligned("atomic", student, teacher, mask)
    if positive.shape != student.shape[:1]:
        raise ValueError(f"atomic: positive must be [{len(student)}], one entry a pair, got {list(positive.shape)}")
    if phi <= 0:
        raise ValueError(f"atomic: phi must be above 0, got {phi}")
    positive = positive.bool()[:, None]
    near, far = mask & positive, mask & ~positive
    if not (count := near.sum()):
        raise ValueError("atomic: one or more pairs must be positive, got none")
    s, log_phi = (student * teacher).sum(2), math.log(phi)  # [B,T]
    # log[e^s / (e^s + phi)] = logsigmoid(s - log phi), and likewise its complement: exp alone would overflow.
    attracted = F.logsigmoid(s - log_phi).masked_fill(~near, 0).sum() / count
    repelled = (F.logsigmoid(log_phi - s).masked_fill(~far, 0).sum(1) / mask.sum(1).clamp(min=1)).sum()
    if reading == "mean":
        repelled = repelled / (~positive).sum().clamp(min=1)
    return -(attracted + repelled)


def covariance(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """The covariance of every two channels over a video's real snippets, by T - 1.

    Args:
        features: float [B,T,C].
        mask: bool [B,T], True where a snippet is real; None: all are.

    Returns:
        float [B,C,C], zero for a video of one snippet.

    Raises:
        ValueError: shapes that don't agree, or no real snippet.

    Source:
        Augmented-RGB (ICCV 2021), eq. 2.
    """
    features, _, mask = _aligned("covariance", features, features, mask, frozen=False)
    count = mask.sum(1)[:, None, None]
    mean = features.sum(1, keepdim=True) / count.clamp(min=1)
    away = (features - mean).masked_fill(~mask[..., None], 0)
    return away.transpose(1, 2) @ away / (count - 1).clamp(min=1)


def global_contextual(
    student: Tensor, teacher: Tensor, mask: Tensor | None = None, reading: Literal["squared", "mean"] = "squared"
) -> Tensor:
    """L_Global: the squared distance of two videos' channel covariances, on and above the diagonal.

    It does not depend on the order of the snippets.

    Args:
        student: float [B,T,C], of the student's videos.
        teacher: likewise, of the same videos; it gets no gradient.
        mask: bool [B,T], True where a snippet is real; None: all are.
        reading: "squared" is eq. 4's squared norm, a sum over C(C+1)/2 entries; "mean" is the mean square error
            that the text before it names, that sum divided by their number.

    Returns:
        A scalar >= 0, the mean over videos.

    Raises:
        ValueError: shapes that don't agree, no real snippet, or another reading.

    Source:
        Augmented-RGB (ICCV 2021), eq. 3 and 4.
    """
    _valid("global_contextual", "reading", reading, ("squared", "mean"))
    student, teacher, mask = _aligned("global_contextual", student, teacher, mask)
    rows, columns = torch.triu_indices(student.shape[2], student.shape[2], device=student.device)
    away = (covariance(teacher, mask) - covariance(student, mask))[:, rows, columns].square()  # [B,C(C+1)/2]
    return away.sum(1).mean() if reading == "squared" else away.mean()


def boundary_saliency(
    student: Tensor,
    teacher: Tensor,
    reading: Literal["per_step", "printed"] = "per_step",
    mask: Tensor | None = None,
) -> Tensor:
    """L_Boundary: how differently two videos' features change from snippet to snippet.

    Args:
        student: float [B,T,C], of the student's videos.
        teacher: likewise, of the same videos; it gets no gradient.
        reading: "per_step" compares the change of the feature vector at every step: L1 over channels, mean over the
            T - 1 steps. "printed" adds up signed changes over time and channels before they are compared, as eq. 5
            does, so that all but the first and the last snippet cancel out.
        mask: bool [B,T], True where a snippet is real; None: all are.

    Returns:
        A scalar >= 0, the mean over videos; a video of one snippet has no step and adds zero.

    Raises:
        ValueError: shapes that don't agree, no real snippet, or another reading.

    Source:
        Augmented-RGB (ICCV 2021), eq. 5 and 6.
    """
    _valid("boundary_saliency", "reading", reading, ("per_step", "printed"))
    student, teacher, mask = _aligned("boundary_saliency", student, teacher, mask)
    real = mask[:, 1:] & mask[:, :-1]
    steps = real.sum(1).clamp(min=1)
    changes = (teacher - student).diff(dim=1).masked_fill(~real[..., None], 0)  # [B,T-1,C]; differences are linear
    summed = changes.sum((1, 2)).abs() if reading == "printed" else changes.abs().sum((1, 2))
    return (summed / steps).mean()


def hallucination(student: Tensor, teacher: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error of the sigmoids of student and teacher.

    Args:
        student: float [B,T,C], of the student's videos.
        teacher: likewise, of the same videos; it gets no gradient.
        mask: bool [B,T], True where a snippet is real; None: all are.

    Returns:
        A scalar in [0,1], the mean over real snippets and channels; the paper prints a sum.

    Raises:
        ValueError: shapes that don't agree, or no real snippet.

    Source:
        Hoffman et al., "Learning with Side Information through Modality Hallucination" (CVPR 2016), eq. 1.
    """
    student, teacher, mask = _aligned("hallucination", student, teacher, mask)
    return F.mse_loss(student[mask].sigmoid(), teacher[mask].sigmoid())


def graph_distillation(
    student: Tensor, teachers: Sequence[Tensor], edges: Tensor | None = None, mask: Tensor | None = None
) -> Tensor:
    """sum_k e_k (1 - cos(student, teacher_k)): the imitation loss of graph distillation towards one node.

    Args:
        student: float [B,T,C].
        teachers: one or more float [B,T,C], which get no gradient.
        edges: e, float [B,T,K], the weights of the node's edges, of sum 1 over the K teachers; None: all are alike.
        mask: bool [B,T], True where a snippet is real; None: all are.

    Returns:
        A scalar in [0,2], the mean over real snippets.

    Raises:
        ValueError: shapes that don't agree, no real snippet, no teacher, or another number of edges.

    Source:
        Luo et al., "Graph Distillation for Action Detection with Privileged Modalities" (ECCV 2018), section 3.2.
    """
    if not teachers:
        raise ValueError("graph_distillation needs one or more teachers, got none")
    apart = []
    for teacher in teachers:
        student, frozen, mask = _aligned("graph_distillation", student, teacher, mask)
        # A larger eps than usual: at features of zero length the gradient is one over it.
        apart.append(1 - F.cosine_similarity(student, frozen, dim=2, eps=1e-4))
    distances = torch.stack(apart, dim=2)  # [B,T,K]
    if edges is None:
        edges = torch.full_like(distances, 1 / len(apart))
    if edges.shape != distances.shape:
        raise ValueError(f"graph_distillation: edges must be {list(distances.shape)}, got {list(edges.shape)}")
    return (edges * distances).sum(2)[mask].mean()


def _valid(loss: str, name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{loss}: {name} must be {' or '.join(choices)}, got {value!r}")


def _aligned(
    loss: str, student: Tensor, teacher: Tensor, mask: Tensor | None, frozen: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Both with zeros where padded, the teacher detached, and the mask."""
    if student.shape != teacher.shape or student.dim() != 3:
        shapes = f"{list(student.shape)} and {list(teacher.shape)}"
        raise ValueError(f"{loss}: expected two tensors of one shape, snippets in the middle, got {shapes}")
    if mask is None:
        mask = torch.ones(student.shape[:2], dtype=torch.bool, device=student.device)
    if mask.shape != student.shape[:2]:
        raise ValueError(f"{loss}: mask must be {list(student.shape[:2])}, got {list(mask.shape)}")
    mask = mask.bool()
    if not mask.any():
        raise ValueError(f"{loss}: the mask leaves no snippet")
    padded = ~mask[..., None]
    # Padding may hold anything, NaN too, which a product with zero would keep.
    teacher = teacher.detach() if frozen else teacher
    return student.masked_fill(padded, 0), teacher.masked_fill(padded, 0), mask
