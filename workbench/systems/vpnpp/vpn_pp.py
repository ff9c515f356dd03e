"""VPN++: poses distilled into one RGB student as features and as attention (Das et al., TPAMI 2021, section 3.4), and
the other ways of bringing VPN-F and VPN-A together (table 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from workbench.nets.modules import submodule
from workbench.systems.baselines.agcn import AGCNClassifier
from workbench.systems.common.base import Stage
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.composite import Combine, Composite, combine, member_stages, unpack
from workbench.systems.vpnpp.vpn_a import ROLES, VPNA, AttentionOptions, VPNAOptions
from workbench.systems.vpnpp.vpn_f import VPNF, Distilled, FeatureDistillation, Given, f_s, shared
from workbench.types import Batch, Output


@dataclass(frozen=True)
class VPNPPOptions(AttentionOptions):
    """alpha weighs the distillation of features as beta that of attention (eq. 3).

    combination: one student of both teachers at once; of one after the other (each distils into what the one before has
    left); or two students whose scores are joined. with_pose is the tables' VPN++ + 3D Poses: at test time poses are
    read too, and the pose teacher's score joins the student's. combine makes one score of several. given: teacher is
    the ceiling of feature distillation, see ``vpn_f.Given``.
    """

    alpha: float = 50.0
    given: Literal["none", "teacher"] = "none"
    combination: Literal["multi_teacher", "f_then_a", "a_then_f", "late_fusion"] = "multi_teacher"
    with_pose: bool = False
    combine: Combine = "softmax_mean"


@dataclass(frozen=True)
class TwoLevelsOptions(VPNAOptions):
    """See VPNPPOptions."""

    alpha: float = 50.0
    given: Literal["none", "teacher"] = "none"
    combination: Literal["multi_teacher", "f_then_a", "a_then_f"] = "multi_teacher"


class TwoLevels(VPNA):
    """VPN-A, and T_F besides: a ``pose_teacher`` of the same student, trained first. Of maps that both teachers have,
    VPN*'s are shown."""

    Options = TwoLevelsOptions

    options: TwoLevelsOptions
    feature_distillation: FeatureDistillation

    def __init__(self, setting: Setting, options: TwoLevelsOptions) -> None:
        super().__init__(setting, options)
        self.pose_teacher = assemble(AGCNClassifier, setting, **shared(AGCNClassifier, options))  # T_F
        self.name, features = "pose", self.pose_teacher.pose_backbone.channels
        if options.given == "teacher":
            self.given = Given(features, setting.num_classes, options.dropout)
            self.needs_test |= self.pose_teacher.needs_test
        else:
            self.feature_distillation = FeatureDistillation(features, self.student.backbone.channels, "scd", options)

    def feature(self, batch: Batch) -> Tensor:
        """T_F's features [B,F]."""
        return self.pose_teacher(batch).features

    def teach(self, batch: Batch) -> dict[str, Output]:
        """The outputs of T_F, pose, and of VPN*, vpn."""
        return {"pose": self.pose_teacher(batch)} | super().teach(batch)

    def compare(self, student: Output, taught: dict[str, Output]) -> dict[str, Tensor]:
        """See ``Distilled``: features, if they aren't given, and attention."""
        if self.given is not None:
            return super().compare(student, taught)
        # Figure 7: f_S is what self-attention reads.
        pair = self.feature_distillation(taught["pose"].features.detach(), f_s(student))  # T_F(P_i), E_F(V_i) [B,F]
        return super().compare(student, taught) | dict(zip(("features/teacher", "features/student"), pair, strict=True))

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """L = L_C^S + L_C^T - alpha L_SCD + beta L_D (eq. 3); L_C^S alone where the teachers weren't asked; without
        L_SCD where the feature is given."""
        terms = self.attention_loss(output, batch)
        if not output.aux or self.given is not None:
            return terms
        l_f = self.contrast(output, batch)
        return terms | {"features": l_f, "total": terms["total"] + self.options.alpha * l_f}

    def attention_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """VPN-A's step of two: eq. 3 without features."""
        return super().loss(output, batch)

    def feature_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """VPN-F's step of two: eq. 3 without attention."""
        l_s = F.cross_entropy(output.logits, self.take(batch, "label"))
        if not output.aux or self.given is not None:
            return {"total": l_s, "classification": l_s}
        l_f = self.contrast(output, batch)
        return {"total": l_s + self.options.alpha * l_f, "classification": l_s, "features": l_f}

    def contrast(self, output: Output, batch: Batch) -> Tensor:
        """-L_SCD."""
        teacher, student = output.aux["features/teacher"], output.aux["features/student"]
        return self.feature_distillation.loss(teacher, student, self.take(batch, "label"))

    def pose_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The pose teacher's own."""
        return self.pose_teacher.pose_loss(unpack("teacher/pose", output.aux), batch)

    def stages(self) -> list[Stage]:
        """T_F, then the student by the chosen ``combination``."""
        own = ("student", "feature_distillation" if self.given is None else "given")
        features = Stage("features", own, loss="feature_loss")
        attended = ("student", "teacher", "distillation", *(() if self.given is None else ("given",)))
        attention = Stage("collaboration", attended, loss="attention_loss", roles=ROLES)
        steps = {
            "multi_teacher": [Stage("collaboration", freezes=("pose_teacher",), roles=ROLES)],
            "f_then_a": [features, attention],
            "a_then_f": [attention, features],
        }
        return [*member_stages("pose_teacher", self.pose_teacher), *steps[self.options.combination]]


class Students(Composite):
    """Distilled students, joined by their scores where there are several, each trained by itself. ``streams`` are
    teachers, by their module paths, whose scores join them in evaluation mode, and what they read is read then too."""

    def __init__(self, members: Mapping[str, Distilled], streams: dict[str, str], how: Combine) -> None:
        super().__init__()
        for path, member in members.items():
            self.add_module(path, member)
        self.paths, self.streams, self.how = list(members), streams, how
        systems = [self.member(path) for path in streams.values()]
        self.needs_train = frozenset().union(*(member.needs_train for member in members.values()))
        self.needs_test = frozenset().union(*(system.needs_test for system in (*members.values(), *systems)))
        for name in {stage.loss for stage in self.stages()} - {"loss"}:
            setattr(self, name, partial(self.member_losses, name=name))

    def forward(self, batch: Batch) -> Output:
        """Reads what the students read, in evaluation what ``streams`` read too; one score of them all."""
        outputs = self.run_members(batch)
        if not self.training:
            outputs |= {name: self.member(path)(batch) for name, path in self.streams.items()}
        logits = [output.logits for output in outputs.values()]
        return self.join(outputs, combine(logits, self.how) if len(logits) > 1 else logits[0])

    def student(self, path: str) -> Distilled:
        """The student whose module name is ``path``."""
        return submodule(self, path, Distilled)

    def teach(self, batch: Batch) -> dict[str, Output]:
        """What each teacher says to ``batch``, by its name; reads what they read."""
        return {name: said for path in self.paths for name, said in self.student(path).teach(batch).items()}

    def compare(self, student: Output, taught: dict[str, Output]) -> dict[str, Tensor]:
        """See ``Distilled``; of several students as "<student>/features/teacher" and so on."""
        pairs: dict[str, Tensor] = {}
        for path in self.paths:
            own = self.student(path).compare(unpack(path, student.aux), taught)
            pairs |= own if len(self.paths) == 1 else {f"{path}/{name}": value for name, value in own.items()}
        return pairs

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Of one student its own terms; of several the sum of theirs: they share nothing."""
        if len(self.paths) > 1:
            return self.member_losses(output, batch)
        path = self.paths[0]
        return self.member(path).loss(unpack(path, output.aux), batch)

    def stages(self) -> list[Stage]:
        """Every student's own procedure, one after the other."""
        return [stage for path in self.paths for stage in member_stages(path, self.member(path))]


class VPNPP(Students):
    """One student, ``vpn_pp``, or two, ``vpn_f`` and ``vpn_a``."""

    needs_train = frozenset({"video", "pose", "label"})
    needs_test = frozenset({"video", "pose"})
    Options = VPNPPOptions

    def __init__(self, setting: Setting, options: VPNPPOptions) -> None:
        kinds: dict[str, type[Distilled]] = (
            {"vpn_f": VPNF, "vpn_a": VPNA} if options.combination == "late_fusion" else {"vpn_pp": TwoLevels}
        )
        members = {path: assemble(kind, setting, **shared(kind, options)) for path, kind in kinds.items()}
        stream = "vpn_f.teacher" if options.combination == "late_fusion" else "vpn_pp.pose_teacher"
        super().__init__(members, {"pose": stream} if options.with_pose else {}, options.combine)
        self.options = options
