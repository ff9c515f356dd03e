"""VPN-F: VPN++ with feature-level distillation alone (Das et al., TPAMI 2021, section 3.2).

A pose network T_F learns the classes and is frozen. The RGB student S then learns the classes too and, at the same
time, an embedding E_F of its features that lies along T_F's features of the same clip, and away from those of a clip of
another class. At test time the student reads the video alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench import losses
from workbench.systems.baselines.agcn import AGCNClassifier
from workbench.systems.baselines.rgb import RGB
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.composite import member_stages, pack, unpack
from workbench.types import Batch, Output

# CRD's published numbers: length of an embedding, and negatives that a bank holds for each clip.
CRD_SIZE, CRD_ROWS = 128, 16384


@dataclass(frozen=True)
class StudentOptions:
    """What the students of VPN++ have in common (section 4.1).

    similarity of the two sides of a video-pose pair (eq. 1): raw multiplies them as they come, as printed; temperature
    is CRD's, the cosine divided by ``temperature``; unit the cosine itself, see ``losses.supervised_contrastive``.

    negatives: half fills a mini-batch as the paper does, where "a video sample ... is repeated twice" and one of 16
    clips "consists of 8 positives and 8 negatives": half of the batch's clips, each with its own poses and with those
    of another. all does so with every clip, 16 and 16. M = N / dataset_size, N being the negatives of the batch, over
    all processes, and dataset_size the clips to train on (the default: NTU-60, cross-subject; a training run counts its
    own).
    """

    similarity: losses.Similarity = "raw"
    temperature: float = 0.07
    negatives: Literal["half", "all"] = "half"
    dataset_size: int = 40320
    dropout: float = 0.3
    bn_momentum: float = 0.01

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")


@dataclass(frozen=True)
class FeatureOptions(StudentOptions):
    """distillation: the supervised contrastive loss, CRD or MSE (table 1), of which reduction is the mean over channels
    or the sum. alpha weighs it (eq. 3); the public code weighs its SCD, a binary cross-entropy of e^(t.s), 0.001,
    beside 0.9 of cross-entropy. given: teacher is the ceiling, see ``Given``."""

    distillation: Literal["scd", "crd", "mse"] = "scd"
    reduction: Literal["mean", "sum"] = "mean"
    alpha: float = 50.0
    given: Literal["none", "teacher"] = "none"


@dataclass(frozen=True)
class VPNFOptions(FeatureOptions):
    """normalize and persons: the poses that the teacher reads, see AGCNOptions."""

    normalize: Literal["agcn", "thesis", "none"] = "agcn"
    persons: int = 2


def shared(kind: type[System], options: Any) -> dict[str, Any]:
    """The options that a system and a part of it, of class ``kind``, both have."""
    own = {field.name for field in fields(kind.Options)}
    return {field.name: getattr(options, field.name) for field in fields(options) if field.name in own}


def pairs(label: Tensor, negatives: Literal["half", "all"], seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """The pairs (V_i, P_j) of a batch (figure 6A), as indices of videos and of poses, int64 [P] each, and whether they
    are positive, bool [P]: each video with its own poses, and with those of a random clip of another class. A clip has
    no negative pair where the batch has no other class. negatives half: of every other video, of all poses. label:
    int64 [B]."""
    clips = torch.arange(0, len(label), 2 if negatives == "half" else 1)
    label = label.cpu()  # where numbers drawn from a seed are the same for every process
    other = label[clips, None] != label  # [clips,B]
    drawable = other.any(1)
    draw = torch.Generator().manual_seed(seed)
    pose = torch.multinomial(other[drawable].float(), 1, generator=draw)[:, 0] if drawable.any() else clips[:0]
    positive = torch.arange(len(clips) + len(pose)) < len(clips)
    return torch.cat([clips, clips[drawable]]), torch.cat([clips, pose]), positive


def contrast(teacher: Tensor, student: Tensor, label: Tensor, options: StudentOptions) -> Tensor:
    """-L_SCD (eq. 1) of a batch, over all processes, to be minimised: T_F(P) and E_F(V) float [B,F], label int64
    [B]."""
    teacher, student, label = losses.gather_rows(teacher), losses.gather_rows(student), losses.gather_rows(label)
    drawn = pairs(label, options.negatives, losses.draw_seed(label.device))
    video, pose, positive = (indices.to(label.device) for indices in drawn)
    m = int(positive.sum()) / options.dataset_size
    return losses.supervised_contrastive(
        teacher[pose], student[video], positive, m, options.similarity, options.temperature
    )


class FeatureDistillation(nn.Module):
    """What of teacher and student is compared, and how: E_F projects the student's features [B,C] linearly to the
    teacher's [B,F]; CRD projects both."""

    def __init__(
        self,
        teacher: int,
        student: int,
        kind: Literal["scd", "crd", "mse"],
        options: StudentOptions,
        reduction: losses.Reduction = "mean",
    ) -> None:
        super().__init__()
        self.kind, self.options, self.reduction = kind, options, reduction
        self.student = nn.Linear(student, CRD_SIZE if kind == "crd" else teacher)  # E_F
        if kind == "crd":
            self.teacher = nn.Linear(teacher, CRD_SIZE)
            rows = min(CRD_ROWS, options.dataset_size)
            self.memory = losses.ContrastiveMemory(rows, CRD_SIZE, options.temperature)

    def forward(self, teacher: Tensor, student: Tensor) -> tuple[Tensor, Tensor]:
        """The embeddings of teacher and student, in fp32: they are small, and products of them go through exp."""
        with torch.autocast(student.device.type, enabled=False):
            teacher, student = teacher.float(), self.student(student.float())
            if self.kind == "crd":
                return F.normalize(self.teacher(teacher), dim=1), F.normalize(student, dim=1)
            return teacher, student

    def remember(self, teacher: Tensor, student: Tensor, label: Tensor) -> None:
        """Puts a batch's embeddings, of all processes, into CRD's banks."""
        self.memory.store(*(losses.gather_rows(rows) for rows in (teacher.detach(), student.detach(), label)))

    def loss(self, teacher: Tensor, student: Tensor, label: Tensor) -> Tensor:
        """How far the embeddings are from what they should be, to be minimised."""
        if self.kind == "crd":
            return self.memory(*(losses.gather_rows(rows) for rows in (teacher, student, label)))
        if self.kind == "mse":
            return losses.feature_distillation(teacher, student, self.reduction)
        return contrast(teacher, student, label, self.options)


class Given(nn.Module):
    """The ceiling of feature distillation: the classifier reads T_F(P) [B,F] itself, as a student does whose E_F(V) is
    its teacher's feature exactly, beside its own.

    A linear layer whose scores are added to the student's: both are one classifier of both features. It starts from
    zero, so that the student starts as any other.
    """

    def __init__(self, features: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout, self.classifier = nn.Dropout(dropout), nn.Linear(features, classes)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, student: Output, feature: Tensor) -> Output:
        logits = student.logits + self.classifier(self.dropout(feature))
        return replace(student, logits=logits, features=torch.cat([student.features, feature], dim=1))


def f_s(student: Output) -> Tensor:
    """f_S [B,C]: the mean over the cells of the student's feature map. The mean of a linear projection of the map would
    be the projection of this."""
    return student.maps["feature_map"].float().mean((2, 3, 4))


class Distilled(System):
    """A ``student`` that reads the video and, while training, has teachers. They are asked, and their maps shown, in
    training mode alone, but for the one whose feature the student is ``given``; ``teach`` and ``compare`` ask them at
    any time."""

    def __init__(self) -> None:
        super().__init__()
        self.given: Given | None = None

    def forward(self, batch: Batch) -> Output:
        student = self.student(batch)  # S(V_i)
        if not self.training:
            return student if self.given is None else self.given(student, self.feature(batch))
        taught = self.teach(batch)
        maps, aux = student.maps, self.compare(student, taught)
        for name, teacher in taught.items():
            maps = maps | {f"teacher/{key}": value for key, value in teacher.maps.items()}
            aux = aux | pack(f"teacher/{name}", teacher)
        if self.given is not None:
            student = self.given(student, taught[self.name].features.detach())
        return Output(student.logits, student.features, maps, aux)

    def feature(self, batch: Batch) -> Tensor:
        """T_F(P_i) [B,F], of the teacher called ``name``."""
        raise NotImplementedError

    def teach(self, batch: Batch) -> dict[str, Output]:
        """What each teacher says to ``batch``, by its name; reads what they read."""
        raise NotImplementedError

    def compare(self, student: Output, taught: dict[str, Output]) -> dict[str, Tensor]:
        """The embeddings that distillation draws together, float [B,P] each, of an output of this system and what
        ``teach`` gave for the same batch: "features/teacher" and "features/student", and likewise "attention/". None of
        a feature that is ``given``."""
        raise NotImplementedError


class FeatureDistilled(Distilled):
    """An RGB student with one ``teacher``, called ``name``, which is trained first."""

    def __init__(self, setting: Setting, options: FeatureOptions, name: str, teacher: System, features: int) -> None:
        super().__init__()
        self.options, self.name = options, name
        self.student = assemble(RGB, setting, **shared(RGB, options))  # S
        self.teacher = teacher  # T_F, of which ``features`` [B,features] are distilled
        self.needs_test = self.student.needs_test
        if options.given == "teacher":
            self.given = Given(features, setting.num_classes, options.dropout)
            self.needs_test |= teacher.needs_test
            return
        channels = self.student.backbone.channels
        self.distillation = FeatureDistillation(features, channels, options.distillation, options, options.reduction)

    def forward(self, batch: Batch) -> Output:
        output = super().forward(batch)
        if self.training and self.given is None and self.options.distillation == "crd":
            embeddings = output.aux["features/teacher"], output.aux["features/student"]
            self.distillation.remember(*embeddings, self.take(batch, "label"))
        return output

    def feature(self, batch: Batch) -> Tensor:
        return self.teacher(batch).features

    def teach(self, batch: Batch) -> dict[str, Output]:
        return {self.name: self.teacher(batch)}  # T_F(P_i) [B,F]

    def compare(self, student: Output, taught: dict[str, Output]) -> dict[str, Tensor]:
        if self.given is not None:
            return {}
        pair = self.distillation(taught[self.name].features.detach(), f_s(student))  # T_F(P_i), E_F(V_i) [B,F]
        return dict(zip(("features/teacher", "features/student"), pair, strict=True))

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """L_C^S - alpha L_SCD (eq. 3 without attention), or another loss in its place. Cross-entropy alone where the
        teacher wasn't asked or its feature is given, and for CRD, which is done by then."""
        l_c = F.cross_entropy(output.logits, self.take(batch, "label"))
        if self.given is not None or self.options.distillation == "crd" or not output.aux:
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
        if self.given is not None:
            return [Stage("distillation", ("student", "given"))]
        trains = ("student", "distillation")
        if self.options.distillation == "crd":
            return [Stage("distillation", trains, loss="crd_loss"), *member_stages("student", self.student)]
        return [Stage("distillation", trains)]


class VPNF(FeatureDistilled):
    """The teacher is AGCN on the joints of the poses."""

    needs_train = frozenset({"video", "pose", "label"})
    needs_test = frozenset({"video", "pose"})
    Options = VPNFOptions

    def __init__(self, setting: Setting, options: VPNFOptions) -> None:
        teacher = assemble(AGCNClassifier, setting, **shared(AGCNClassifier, options))
        super().__init__(setting, options, "pose", teacher, teacher.pose_backbone.channels)

    def pose_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The teacher's own."""
        return self.teacher.pose_loss(unpack("teacher/pose", output.aux), batch)

    def stages(self) -> list[Stage]:
        return [*member_stages("teacher", self.teacher), *self.student_stages()]
