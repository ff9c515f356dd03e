"""VPN-F: VPN++ with feature-level distillation alone (Das et al., TPAMI 2021, section 3.2).

A pose network T_F learns the classes and is frozen. The RGB student S then learns the classes too and, at the same
time, an embedding E_F of its features that lies along T_F's features of the same clip, and away from those of a clip of
another class. At test time the student reads the video alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench import losses
from workbench.systems.agcn import AGCNClassifier
from workbench.systems.base import Stage, System
from workbench.systems.building import Setting, assemble
from workbench.systems.composite import member_stages, pack, unpack
from workbench.systems.rgb import RGB
from workbench.types import Batch, Output

# CRD's published numbers: length of an embedding, and negatives that a bank holds for each clip.
CRD_SIZE, CRD_ROWS = 128, 16384


@dataclass(frozen=True)
class StudentOptions:
    """What the students of VPN++ have in common (section 4.1).

    Eq. 1 multiplies two embeddings whose length the paper leaves open. Here it is 1, as in CRD, whose loss this is: at
    alpha = 50 SGD doesn't survive features as they come. temperature divides the product; the paper prints none, which
    is 1. With CRD's 0.07 positive pairs teach more: a product of 1 at most is far above log M anyway, whether the pair
    is alike or not. M = N / dataset_size, with N = B negatives for a batch of B clips and dataset_size clips to train
    on (the default: NTU-60, cross-subject; a training run counts its own).
    """

    temperature: float = 1.0
    dataset_size: int = 40320
    dropout: float = 0.3
    bn_momentum: float = 0.01

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")


@dataclass(frozen=True)
class FeatureOptions(StudentOptions):
    """distillation: the supervised contrastive loss, CRD or MSE (table 1). alpha weighs it; the public code weighs
    another form of it 0.001, beside 0.9 of cross-entropy."""

    distillation: Literal["scd", "crd", "mse"] = "scd"
    alpha: float = 50.0


@dataclass(frozen=True)
class VPNFOptions(FeatureOptions):
    """normalize and persons: the poses that the teacher reads, see AGCNOptions."""

    normalize: Literal["agcn", "thesis", "none"] = "agcn"
    persons: int = 2


def shared(kind: type[System], options: Any) -> dict[str, Any]:
    """The options that a system and a part of it, of class ``kind``, both have."""
    own = {field.name for field in fields(kind.Options)}
    return {field.name: getattr(options, field.name) for field in fields(options) if field.name in own}


def pairs(label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The pairs (V_i, P_j) of a batch (figure 6A), as indices of videos and of poses, int64 [P] each, and whether they
    are positive, bool [P]: each video with its own poses, and with those of a random clip of another class. A clip has
    no negative pair where the batch has no other class. label: int64 [B]."""
    clips, other = torch.arange(len(label), device=label.device), label[:, None] != label
    video = other.any(1).nonzero()[:, 0]
    pose = torch.multinomial(other[video].float(), 1)[:, 0] if len(video) else video
    positive = torch.arange(len(clips) + len(video), device=label.device) < len(clips)
    return torch.cat([clips, video]), torch.cat([clips, pose]), positive


def contrast(teacher: Tensor, student: Tensor, label: Tensor, options: StudentOptions) -> Tensor:
    """-L_SCD (eq. 1) of a batch, to be minimised: T_F(P) and E_F(V) float [B,F], label int64 [B]."""
    video, pose, positive = pairs(label)
    teacher, student = F.normalize(teacher, dim=1) / options.temperature, F.normalize(student, dim=1)
    return losses.supervised_contrastive(teacher[pose], student[video], positive, len(label) / options.dataset_size)


class FeatureDistillation(nn.Module):
    """What of teacher and student is compared, and how: E_F projects the student's features [B,C] linearly to the
    teacher's [B,F]; CRD projects both."""

    def __init__(self, teacher: int, student: int, kind: Literal["scd", "crd", "mse"], options: StudentOptions) -> None:
        super().__init__()
        self.kind, self.options = kind, options
        self.student = nn.Linear(student, CRD_SIZE if kind == "crd" else teacher)  # E_F
        if kind == "crd":
            self.teacher = nn.Linear(teacher, CRD_SIZE)
            self.memory = losses.ContrastiveMemory(min(CRD_ROWS, options.dataset_size), CRD_SIZE)

    def forward(self, teacher: Tensor, student: Tensor) -> tuple[Tensor, Tensor]:
        """The embeddings of teacher and student, in fp32: they are small, and products of them go through exp."""
        with torch.autocast(student.device.type, enabled=False):
            teacher, student = teacher.float(), self.student(student.float())
            if self.kind == "crd":
                return F.normalize(self.teacher(teacher), dim=1), F.normalize(student, dim=1)
            return teacher, student

    def loss(self, teacher: Tensor, student: Tensor, label: Tensor) -> Tensor:
        """How far the embeddings are from what they should be, to be minimised."""
        if self.kind == "crd":
            return self.memory(teacher, student, label)
        return F.mse_loss(student, teacher) if self.kind == "mse" else contrast(teacher, student, label, self.options)


def f_s(student: Output) -> Tensor:
    """f_S [B,C]: the mean over the cells of the student's feature map. The mean of a linear projection of the map would
    be the projection of this."""
    return student.maps["feature_map"].float().mean((2, 3, 4))


class Distilled(System):
    """A ``student`` that reads the video and, while training, has teachers. They are asked, and their maps shown, in
    training mode alone; ``teach`` and ``compare`` ask them at any time."""

    def forward(self, batch: Batch) -> Output:
        student = self.student(batch)  # S(V_i)
        if not self.training:
            return student
        taught = self.teach(batch)
        maps, aux = student.maps, self.compare(student, taught)
        for name, teacher in taught.items():
            maps = maps | {f"teacher/{key}": value for key, value in teacher.maps.items()}
            aux = aux | pack(f"teacher/{name}", teacher)
        return Output(student.logits, student.features, maps, aux)

    def teach(self, batch: Batch) -> dict[str, Output]:
        """What each teacher says to ``batch``, by its name; reads what they read."""
        raise NotImplementedError

    def compare(self, student: Output, taught: dict[str, Output]) -> dict[str, Tensor]:
        """The embeddings that distillation draws together, float [B,P] each, of an output of this system and what
        ``teach`` gave for the same batch: "features/teacher" and "features/student", and likewise "attention/"."""
        raise NotImplementedError


class FeatureDistilled(Distilled):
    """An RGB student with one ``teacher``, called ``name``, which is trained first."""

    def __init__(self, setting: Setting, options: FeatureOptions, name: str, teacher: System, features: int) -> None:
        super().__init__()
        self.options, self.name = options, name
        self.student = assemble(RGB, setting, **shared(RGB, options))  # S
        self.teacher = teacher  # T_F, of which ``features`` [B,features] are distilled
        channels = self.student.backbone.channels
        self.distillation = FeatureDistillation(features, channels, options.distillation, options)

    def forward(self, batch: Batch) -> Output:
        output = super().forward(batch)
        if self.training and self.options.distillation == "crd":
            embeddings = output.aux["features/teacher"], output.aux["features/student"]
            self.distillation.memory.store(*embeddings, self.take(batch, "label"))
        return output

    def teach(self, batch: Batch) -> dict[str, Output]:
        return {self.name: self.teacher(batch)}  # T_F(P_i) [B,F]

    def compare(self, student: Output, taught: dict[str, Output]) -> dict[str, Tensor]:
        pair = self.distillation(taught[self.name].features.detach(), f_s(student))  # T_F(P_i), E_F(V_i) [B,F]
        return dict(zip(("features/teacher", "features/student"), pair, strict=True))

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """L_C^S - alpha L_SCD (eq. 3 without attention), or another loss in its place. Cross-entropy alone where the
        teacher wasn't asked, and for CRD, which is done by then."""
        l_c = F.cross_entropy(output.logits, self.take(batch, "label"))
        if self.options.distillation == "crd" or not output.aux:
            return {"total": l_c, "classification": l_c}
        l_d = self.distillation.loss(output.aux["features/teacher"], output.aux["features/student"], batch.label)
        return {"total": l_c + self.options.alpha * l_d, "classification": l_c, "distillation": l_d}

    def crd_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """CRD by itself. The classifier learns along from features that it doesn't move, so that validation can tell
        one epoch from another."""
        l_c = F.cross_entropy(self.student.classifier(output.features.detach()), self.take(batch, "label"))
        if not output.aux:
            return {"total": l_c, "classification": l_c}
        l_d = self.distillation.loss(output.aux["features/teacher"], output.aux["features/student"], batch.label)
        return {"total": l_c + l_d, "classification": l_c, "distillation": l_d}

    def student_stages(self) -> list[Stage]:
        """Section 3.2: class and distillation at once; CRD is "unsupervised ... followed by a downstream training". The
        paper gives no number of epochs: VPN's stands."""
        trains = ("student", "distillation")
        if self.options.distillation == "crd":
            return [Stage("distillation", trains, loss="crd_loss"), *member_stages("student", self.student)]
        return [Stage("distillation", trains)]


class VPNF(FeatureDistilled):
    """The teacher is AGCN on the joints of the poses."""

    needs_train = frozenset({"video", "pose", "label"})
    needs_test = frozenset({"video"})
    Options = VPNFOptions

    def __init__(self, setting: Setting, options: VPNFOptions) -> None:
        teacher = assemble(AGCNClassifier, setting, **shared(AGCNClassifier, options))
        super().__init__(setting, options, "pose", teacher, teacher.pose_backbone.channels)

    def pose_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The teacher's own."""
        return self.teacher.pose_loss(unpack("teacher/pose", output.aux), batch)

    def stages(self) -> list[Stage]:
        return [*member_stages("teacher", self.teacher), *self.student_stages()]
