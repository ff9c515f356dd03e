"""PERF-Net: Pose Empowered RGB-Flow Net (Li et al., WACV 2022).

Streams over RGB, optical flow and drawn poses are trained one by one. Then the RGB stream, the student, learns to give
the logits of the others, its frozen teachers, beside the right class: at test time it reads the video alone. Late
fusion of the streams, which needs them all at test time, is what that is compared with (section 4.2.2).

The rows of the paper's tables: 2 and the single streams of 3 and 6 are perf_stream; the fusions of table 3 have
combine="logit_sum" and the streams beside RGB as teachers ("rgb" is the control, a second RGB network); tables 4, 5
and 6 vary teachers, loss and backbone; table 7's fine-tuning elsewhere is loss="none" from a distilled student.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench import losses
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.composite import member_stages
from workbench.systems.perfnet.perf_stream import READS, TRAINING, PerfStream, StreamOptions
from workbench.types import Batch, Output


@dataclass(frozen=True)
class PerfNetOptions(StreamOptions):
    """teachers: the streams beside the RGB student, an RGB network of its own among them. combine "logit_sum" is late
    fusion of student and teachers, and leaves loss out.

    loss: a distillation term for each teacher (eq. 1), one for the sum of their logits, or none: fine-tuning by the
    labels alone, without teachers. reduction of its squares over the classes: the mean, which the paper names ("We use
    mean squared loss"), or the sum, whose weight beside the cross-entropy doesn't fall with the number of classes. The
    paper doesn't say what the student starts from; here it is the trained RGB stream, or with from_scratch (as all
    R3D50-G are trained) nothing.
    """

    teachers: tuple[Literal["flow", "pose", "rgb"], ...] = ("flow", "pose")
    combine: Literal["distillation", "logit_sum"] = "distillation"
    loss: Literal["separate", "unified", "none"] = "separate"
    reduction: Literal["mean", "sum"] = "mean"
    from_scratch: bool = False

    def __post_init__(self) -> None:
        if len(set(self.teachers)) < len(self.teachers):
            raise ValueError(f"perf_net: teachers must differ from each other, got {', '.join(self.teachers)}")


class PerfNet(System):
    """``student`` is the RGB stream, ``teachers`` the others by name."""

    needs_train = frozenset({*READS.values(), "label"})
    needs_test = frozenset(READS.values())
    Options = PerfNetOptions
    default_backbone = "r3d50g"

    def __init__(self, setting: Setting, options: PerfNetOptions) -> None:
        super().__init__()
        self.options, self.fuses = options, options.combine == "logit_sum"
        self.distills = not self.fuses and options.loss != "none"
        shared = {field.name: getattr(options, field.name) for field in fields(StreamOptions)}
        self.student = assemble(PerfStream, setting, stream="rgb", **shared)
        names = options.teachers if self.fuses or self.distills else ()
        self.teachers = nn.ModuleDict({name: assemble(PerfStream, setting, stream=name, **shared) for name in names})
        self.needs_train = self.student.needs_train.union(*(teacher.needs_train for teacher in self.teachers.values()))
        self.needs_test = self.needs_train - {"label"} if self.fuses else self.student.needs_test

    def forward(self, batch: Batch) -> Output:
        student = self.student(batch)
        if self.fuses:
            return self.fuse({"student": student, **self.teach(batch)})
        if not (self.distills and self.training):
            return student
        teachers = self.teach(batch)
        maps = {f"teacher/{name}": teacher.maps["feature_map"] for name, teacher in teachers.items()}
        logits = {name: teacher.logits for name, teacher in teachers.items()}
        return Output(student.logits, student.features, student.maps | maps, aux=logits)

    def teach(self, batch: Batch) -> dict[str, Output]:
        """What each teacher says to ``batch``, by name; reads the modalities of them all."""
        return {name: teacher(batch) for name, teacher in self.teachers.items()}

    def fuse(self, streams: dict[str, Output]) -> Output:
        """Logits are added, features laid side by side; the feature map is the RGB stream's (section 4.2.2)."""
        logits = {name: stream.logits for name, stream in streams.items()}
        features = torch.cat([stream.features for stream in streams.values()], dim=1)
        return Output(torch.stack(list(logits.values())).sum(0), features, streams["student"].maps, aux=logits)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """L = L^c(S) + sum_i MSE(T_i, S) (eq. 1), the sum over teachers, or MSE(sum_i T_i, S) if unified; L^c alone of
        fused logits, and where the teachers weren't asked."""
        l_c = F.cross_entropy(output.logits, self.take(batch, "label"))
        if self.fuses or not output.aux:
            return {"total": l_c, "classification": l_c}
        teachers = [output.aux[name] for name in self.teachers]
        unified, reduction = self.options.loss == "unified", self.options.reduction
        l_d = losses.logit_mse(output.logits, teachers, unified, reduction)
        return {"total": l_c + l_d, "classification": l_c, "distillation": l_d}

    def classification_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """L^c of each stream by itself: how they are trained before anything joins them."""
        logits = {"student": output.logits} | output.aux  # fused logits are nobody's own: there aux has the student's
        terms = {name: F.cross_entropy(value, self.take(batch, "label")) for name, value in logits.items()}
        return terms | {"total": torch.stack(list(terms.values())).sum()}

    def stages(self) -> list[Stage]:
        """Section 3.3: "we have trained 3 models"; then, unless they are fused, the student alone."""
        stages = [] if self.options.from_scratch and not self.fuses else member_stages("student", self.student)
        for name, teacher in self.teachers.items():
            stages += member_stages(f"teachers.{name}", teacher)
        if self.fuses:
            return stages
        frozen = ("teachers",) if self.distills else ()
        name = "distillation" if self.distills else "finetune"
        return [*stages, Stage(name, trains=("student",), freezes=frozen, **TRAINING)]
