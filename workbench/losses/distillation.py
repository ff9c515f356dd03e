"""Distillation of features and of attention (VPN++, TPAMI 2021, sections 3.2 and 3.3), and CRD (Tian et al.,
"Contrastive Representation Distillation", ICLR 2020), which VPN++ is compared with. All are to be minimised."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def supervised_contrastive(teacher: Tensor, student: Tensor, positive: Tensor, m: float) -> Tensor:
    """-L_SCD, a scalar >= 0: eq. 1 is a log-likelihood, which eq. 3 subtracts; here its sign is turned already.

    teacher, student: float [B,F], row by row the two sides of a video-pose pair; positive: bool [B], whether the pair
    is of one clip; m > 0, the ratio of the number of negatives to that of the data set's clips. The sum over pairs is
    divided by the number of positives. The embeddings are multiplied as they come, as printed: whoever wants the
    angle between them gives them unit length.
    Raises ValueError for shapes that don't agree, m <= 0, or no positive pair.
    """
    if teacher.shape != student.shape or positive.shape != teacher.shape[:1]:
        shapes = ", ".join(str(list(tensor.shape)) for tensor in (teacher, student, positive))
        raise ValueError(f"supervised_contrastive: expected shapes [B,F], [B,F] and [B], got {shapes}")
    if m <= 0:
        raise ValueError(f"supervised_contrastive: m must be above 0, got {m}")
    if not (count := int(positive.sum())):
        raise ValueError("supervised_contrastive: one or more pairs must be positive, got none")
    s, log_m = (teacher * student).sum(1), math.log(m)
    # log[e^s / (e^s + M)] = logsigmoid(s - log M), and likewise its complement: exp alone would overflow.
    log_likelihood = torch.where(positive, F.logsigmoid(s - log_m), F.logsigmoid(log_m - s))
    return -log_likelihood.sum() / count


def attention_distillation(teacher: Tensor, student: Tensor) -> Tensor:
    """L_D = ||A_T+ - E_A(A_S)||^2 (eq. 2) of two attention embeddings, each divided by its L2 norm; mean over the
    batch, a scalar in [0, 4]. teacher, student: float [B,P]. ValueError where their shapes differ."""
    if teacher.shape != student.shape:
        shapes = f"{list(teacher.shape)} and {list(student.shape)}"
        raise ValueError(f"attention_distillation: teacher and student must have the same shape, got {shapes}")
    return (F.normalize(teacher, dim=1) - F.normalize(student, dim=1)).square().sum(1).mean()


def contrastive_representation(
    anchor: Tensor, positive: Tensor, bank: Tensor, negative: Tensor, normalizer: float | Tensor, temperature: float
) -> Tensor:
    """One direction of CRD, a scalar >= 0: -1/B sum_i [log h(i, its positive) + sum_j log(1 - h(i, negative j))] with
    h(a, b) = e^(a.b/temperature) / (e^(a.b/temperature) + n Z), n being the negatives of a (CRD's eq. 18 and 19).

    anchor, positive: float [B,F] of the same clips, one network's and the other's; bank: float [K,F], the other
    network's memory; negative: bool [B,K], which of it are an anchor's negatives; all of unit length. normalizer is Z,
    the mean of e^(a.b/temperature). An anchor without negatives is held against one that costs nothing.
    """
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
        place = (self.next + torch.arange(len(label), device=label.device)) % rows
        self.banks[:, place] = torch.stack([teacher, student]).to(self.banks.dtype)
        self.label[place] = label
        self.next.copy_((self.next + len(label)) % rows)
        if not self.normalizers.any():
            pairs = self.negatives(label) | (torch.arange(rows, device=label.device) == place[:, None])
            for i, anchor in enumerate((student, teacher)):  # each network's embeddings meet the other's bank
                likeness = (anchor.float() @ self.banks[i].T / self.temperature).exp()
                self.normalizers[i] = likeness[pairs].mean()

    def negatives(self, label: Tensor) -> Tensor:
        """bool [B,rows]: which rows hold a clip of another class than ``label`` int64 [B]."""
        return (self.label != label[:, None]) & (self.label >= 0)

    def forward(self, teacher: Tensor, student: Tensor, label: Tensor) -> Tensor:
        """CRD of a batch, both directions: the student against the teacher's bank, the teacher against the
        student's. Arguments as in ``store``, which comes first."""
        negative, total = self.negatives(label), 0.0
        for i, (anchor, positive) in enumerate([(student, teacher), (teacher, student)]):
            total = total + contrastive_representation(
                anchor, positive.detach(), self.banks[i], negative, self.normalizers[i], self.temperature
            )
        return total
