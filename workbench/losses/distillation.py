"""Distillation of features and of attention (VPN++, TPAMI 2021, sections 3.2 and 3.3), and CRD (Tian et al.,
"Contrastive Representation Distillation", ICLR 2020), which VPN++ is compared with. All are to be minimised."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.losses.shapes import agree

Similarity = Literal["raw", "unit", "temperature"]
Reduction = Literal["sum", "mean"]


def supervised_contrastive(
    teacher: Tensor,
    student: Tensor,
    positive: Tensor,
    m: float,
    similarity: Similarity = "raw",
    temperature: float = 0.07,
) -> Tensor:
    """-L_SCD: eq. 1 is a log-likelihood, which eq. 3 subtracts; here its sign is turned already.

    The sum over pairs is divided by the number of positives. s of a pair is as likely as not where s = log m.

    Args:
        teacher: float [B,F], row by row one side of a video-pose pair.
        student: float [B,F], the other side.
        positive: bool [B], whether the pair is of one clip.
        m: above 0, the ratio of the number of negatives to that of the data set's clips.
        similarity: what s is. raw is the product of the embeddings as they come, as printed (the public code too).
            temperature is their cosine divided by ``temperature``. unit is the cosine itself: s is then above
            log m = log(N/|D|), -3 to -8, whatever the student does, negative pairs push all the time, positive ones
            hardly pull, and the student ends anti-parallel to its own teacher.
        temperature: above 0; 0.07 is CRD's.

    Returns:
        A scalar >= 0.

    Raises:
        ValueError: shapes that don't agree, m <= 0, temperature <= 0, no positive pair, or another similarity.

    Source:
        VPN++ (TPAMI 2021), eq. 1.
    """
    agree("supervised_contrastive", teacher=(teacher, "B F"), student=(student, "B F"), positive=(positive, "B"))
    if m <= 0 or temperature <= 0:
        name, value = ("m", m) if m <= 0 else ("temperature", temperature)
        raise ValueError(f"supervised_contrastive: {name} must be above 0, got {value}")
    if similarity not in get_args(Similarity):
        valid = ", ".join(get_args(Similarity))
        raise ValueError(f"supervised_contrastive: similarity must be one of {valid}, got {similarity!r}")
    if not (count := int(positive.sum())):
        raise ValueError("supervised_contrastive: one or more pairs must be positive, got none")
    if similarity != "raw":
        teacher, student = F.normalize(teacher, dim=1), F.normalize(student, dim=1)
    s, log_m = (teacher * student).sum(1), math.log(m)
    if similarity == "temperature":
        s = s / temperature
    # log[e^s / (e^s + M)] = logsigmoid(s - log M), and likewise its complement: exp alone would overflow.
    log_likelihood = torch.where(positive, F.logsigmoid(s - log_m), F.logsigmoid(log_m - s))
    return -log_likelihood.sum() / count


def attention_distillation(teacher: Tensor, student: Tensor, reduction: Reduction = "sum") -> Tensor:
    """L_D = ||A_T+ - E_A(A_S)||^2 of two attention embeddings, each divided by its L2 norm.

    Args:
        teacher: A_T+, float [B,P].
        student: E_A(A_S), float [B,P].
        reduction: the sum over the P cells, as printed and in the public code, or their mean, "a classical Mean Squared
            Error" of the text. Weights for one are not those for the other.

    Returns:
        A scalar, the mean over the batch: of the sum in [0,4], of the mean in [0,4/P].

    Raises:
        ValueError: shapes that differ, or another reduction.

    Source:
        VPN++ (TPAMI 2021), eq. 2.
    """
    agree("attention_distillation", teacher=(teacher, "B P"), student=(student, "B P"))
    return _squares(F.normalize(teacher, dim=1) - F.normalize(student, dim=1), reduction)


def feature_distillation(teacher: Tensor, student: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Squared distance of two embeddings as they come, the "MSE" of table 1.

    Args:
        teacher: float [B,F].
        student: float [B,F].
        reduction: the mean over the F channels, or their sum.

    Returns:
        A scalar >= 0, the mean over the batch.

    Raises:
        ValueError: shapes that differ, or another reduction.

    Source:
        VPN++ (TPAMI 2021), table 1.
    """
    agree("feature_distillation", teacher=(teacher, "B F"), student=(student, "B F"))
    return _squares(teacher - student, reduction)


def best_constant(teacher: Tensor, reduction: Reduction = "sum") -> Tensor:
    """``attention_distillation`` of the best student that gives every clip the same embedding.

    A student must stay below it to have learnt anything of a clip's own attention. With t_i of unit length and their
    mean m, the loss 2 - 2 m.c is least for c = m/|m|, where it is 2 - 2|m|.

    Args:
        teacher: float [S,P], of all clips that the loss is a mean over.
        reduction: as in ``attention_distillation``.

    Returns:
        A scalar >= 0.

    Raises:
        ValueError: another reduction.
    """
    least = 2 - 2 * F.normalize(teacher, dim=1).mean(0).norm()
    return least / (teacher.shape[1] if _means(reduction) else 1)


def _squares(difference: Tensor, reduction: Reduction) -> Tensor:
    squares = difference.square()
    return squares.mean() if _means(reduction) else squares.sum(1).mean()


def _means(reduction: Reduction) -> bool:
    if reduction not in get_args(Reduction):
        raise ValueError(f"reduction must be one of {', '.join(get_args(Reduction))}, got {reduction!r}")
    return reduction == "mean"


def contrastive_representation(
    anchor: Tensor, positive: Tensor, bank: Tensor, negative: Tensor, normalizer: float | Tensor, temperature: float
) -> Tensor:
    """One direction of CRD: -1/B sum_i [log h(i, its positive) + sum_j log(1 - h(i, negative j))].

    h(a, b) = e^(a.b/temperature) / (e^(a.b/temperature) + n Z), n being the negatives of a. All rows are of unit
    length. An anchor without negatives is held against one that costs nothing.

    Args:
        anchor: float [B,F], one network's embeddings.
        positive: float [B,F], the other network's of the same clips.
        bank: float [K,F], the other network's memory.
        negative: bool [B,K], which of it are an anchor's negatives.
        normalizer: Z, the mean of e^(a.b/temperature).
        temperature: above 0.

    Returns:
        A scalar >= 0.

    Raises:
        ValueError: shapes that don't agree.

    Source:
        CRD (ICLR 2020), eq. 18 and 19.
    """
    rows = {"anchor": (anchor, "B F"), "positive": (positive, "B F"), "bank": (bank, "K F")}
    agree("contrastive_representation", **rows, negative=(negative, "B K"))
    log_n_z = (negative.sum(1).clamp(min=1) * normalizer).log()  # [B]
    near, far = (anchor * positive).sum(1) / temperature, anchor @ bank.T / temperature  # [B], [B,K]
    repelled = F.logsigmoid(log_n_z[:, None] - far).masked_fill(~negative, 0).sum(1)
    return -(F.logsigmoid(near - log_n_z) + repelled).mean()


class ContrastiveMemory(nn.Module):
    """CRD's two memory banks, of the teacher's and of the student's embeddings, with a normaliser each (Z above) that
    the first batch fixes. All are buffers, so that a checkpoint goes on with them.

    A bank holds the latest ``rows`` embeddings, and negatives are those of another class, as in the public CRD; its
    banks have a row for every clip and move it by half towards the clip's new embedding, which takes the clip's place
    in the data set to be known.
    """

    banks: Tensor
    label: Tensor
    next: Tensor
    normalizers: Tensor

    def __init__(self, rows: int, size: int, temperature: float = 0.07) -> None:
        super().__init__()
        self.temperature = temperature
        self.register_buffer("banks", torch.zeros(2, rows, size))
        self.register_buffer("label", torch.full((rows,), -1))  # -1: nothing there yet
        self.register_buffer("next", torch.zeros((), dtype=torch.int64))
        self.register_buffer("normalizers", torch.zeros(2))

    @torch.no_grad()
    def store(self, teacher: Tensor, student: Tensor, label: Tensor) -> None:
        """Puts a batch (float [B,F] each, of unit length; label int64 [B]) in the place of the oldest rows."""
        rows = len(self.label)
        teacher, student, label = teacher[-rows:], student[-rows:], label[-rows:]
        slots = (self.next + torch.arange(len(label), device=label.device)) % rows
        self.banks[:, slots] = torch.stack([teacher, student]).to(self.banks.dtype)
        self.label[slots] = label
        self.next.copy_((self.next + len(label)) % rows)
        if not self.normalizers.any():
            pairs = self.negatives(label) | (torch.arange(rows, device=label.device) == slots[:, None])
            for i, anchor in enumerate((student, teacher)):  # each network's embeddings meet the other's bank
                likeness = (anchor.float() @ self.banks[i].T / self.temperature).exp()
                self.normalizers[i] = likeness[pairs].mean()

    def negatives(self, label: Tensor) -> Tensor:
        """bool [B,rows]: which rows hold a clip of another class than ``label`` int64 [B]."""
        return (self.label != label[:, None]) & (self.label >= 0)

    def forward(self, teacher: Tensor, student: Tensor, label: Tensor) -> Tensor:
        """CRD of a batch, both directions: the student against the teacher's bank, the teacher against the
        student's. Arguments as in ``store``, which comes first."""
        negative = self.negatives(label)
        one_way, other_way = (
            contrastive_representation(
                anchor, positive.detach(), self.banks[i], negative, self.normalizers[i], self.temperature
            )
            for i, (anchor, positive) in enumerate([(student, teacher), (teacher, student)])
        )
        return one_way + other_way
