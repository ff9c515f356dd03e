"""VPN-A: VPN++ with attention-level distillation alone (Das et al., TPAMI 2021, section 3.3).

The RGB student has a self-attention block behind its backbone. Its teacher VPN* reads video and poses, and weighs the
feature map by attention A_T from the poses. The student's attention A_S is drawn to A_T while both learn the classes.
At test time the student reads the video alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench import losses
from workbench.nets import AGCN, Modulation, NonLocal
from workbench.systems.baselines.rgb import RGB, RGBOptions
from workbench.systems.common.base import Stage
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.composite import member_stages, unpack
from workbench.systems.vpn.vpn import VPN, VPNOptions
from workbench.systems.vpnpp.vpn_f import Distilled, FeatureDistillation, StudentOptions, contrast, shared
from workbench.types import Batch, Output


@dataclass(frozen=True)
class AttentionOptions(StudentOptions):
    """beta weighs the distillation (eq. 3); the public code sums the squares of 392 numbers that it doesn't scale to
    unit length, and weighs that 0.001, beside 0.9 and 0.1 of the cross-entropies.

    reduction: L_D is the sum over the cells, as eq. 2 prints it and the public code has it, or their mean, "a classical
    Mean Squared Error" of the text. detach_teacher: eq. 3 is one loss, whose L_D moves the teacher's attention too;
    true leaves the teacher to its own entropy loss, which L_D otherwise outweighs, until both attend to the same places
    in every clip. projection: what is mapped linearly to the common size, which is that of A_T: in eq. 2 and the public
    code A_S, by E_A. Section 3.3 names both; but a teacher's projection that learns soon maps every clip to the same
    direction, where the student finds it without attention.

    block_gamma: the student's non-local block starts from 0, as the identity (Wang et al., CVPR 2018, section 4.1), or
    from another weight of the batch norm behind it. modulation: how VPN* weighs its feature map; normalize_pose as in
    VPNOptions. embedding: VPN* keeps VPN's spatial embedding (table 4). normalize and persons: see AGCNOptions.
    """

    beta: float = 50.0
    reduction: Literal["sum", "mean"] = "sum"
    detach_teacher: bool = False
    projection: Literal["student", "both"] = "student"
    block_gamma: float = 0.0
    modulation: Modulation = "residual"
    normalize_pose: bool = False
    embedding: bool = False
    normalize: Literal["agcn", "thesis", "none"] = "agcn"
    persons: int = 2


@dataclass(frozen=True)
class VPNAOptions(AttentionOptions):
    """Table 3: level, the attention weights or the modulated features; distillation, by squared error or by
    supervised contrast; collaborative, a teacher that learns with the student or, if not, before it."""

    level: Literal["attention", "feature"] = "attention"
    distillation: Literal["mse", "scd"] = "mse"
    collaborative: bool = True


@dataclass(frozen=True)
class VPNStarOptions(VPNOptions):
    """VPN's, with other defaults: no embedding (section 4.3), and of the loss the entropy alone (eq. 3)."""

    embedding: Literal["none", "normalized_euclidean"] = "none"
    modulation: Modulation = "residual"
    lambda2: float = 0.0
    persons: int = 2


class VPNStar(VPN):
    """T_A: VPN whose poses are read by the first two layers of AGCN."""

    Options = VPNStarOptions

    def make_pose_backbone(self, setting: Setting) -> int:
        persons = self.options.persons
        self.pose_backbone = AGCN(None, setting.skeleton, persons, layers=2, width=setting.width)
        return self.pose_backbone.channels

    def read_pose(self, pose: Tensor) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        h, joints = self.pose_backbone(pose)
        return h, {"joints": joints}, {}

    #: The name of it that a larger system, whose ``loss`` is another, has too.
    joint_loss = VPN.loss

    def stages(self) -> list[Stage]:
        return [replace(stage, loss=f"{stage.name}_loss") for stage in super().stages()]


@dataclass(frozen=True)
class SelfAttentiveOptions(RGBOptions):
    """See AttentionOptions."""

    block_gamma: float = 0.0


class SelfAttentive(RGB):
    """S: an RGB network with a non-local block between its backbone and its classifier (figure 7)."""

    Options = SelfAttentiveOptions

    def __init__(self, setting: Setting, options: SelfAttentiveOptions) -> None:
        super().__init__(setting, options)
        self.block = NonLocal(self.backbone.channels, bn_momentum=options.bn_momentum, gamma=options.block_gamma)

    def forward(self, batch: Batch) -> Output:
        f = self.backbone(self.take(batch, "video"))  # f_S [B,C,T',H',W']
        modulated, affinity = self.block.attend(f)  # f'_S as f_S; A_S [B,P,P']
        features = modulated.float().mean((2, 3, 4))  # [B,C]
        maps = {"feature_map": f, "modulated": modulated, "affinity": affinity}
        maps["affinity_grid"] = torch.tensor(f.shape[2:])
        return Output(self.classifier(self.dropout(features)), features, maps)


class AttentionDistillation(nn.Module):
    """A_T+ and E_A(A_S) of eq. 2: A_S [B,P,P'] is mapped linearly to the size of A_T [B,T',H',W'], P = T'H'W' numbers.

    A bias would let it give every clip the same; a projection of the teacher's begins as the identity.
    """

    def __init__(self, grid: tuple[int, int, int], keys: int, options: VPNAOptions) -> None:
        super().__init__()
        cells = prod(grid)
        self.options = options
        self.student = nn.Linear(cells * keys, cells, bias=False)  # E_A
        self.teacher = nn.Identity()
        if options.projection == "both":
            self.teacher = nn.Linear(cells, cells, bias=False)
            nn.init.eye_(self.teacher.weight)

    def forward(self, teacher: Tensor, student: Tensor) -> tuple[Tensor, Tensor]:
        """The two embeddings, float [B,P], not yet of unit length."""
        numbers, expected = student[0].numel(), self.student.in_features
        if numbers != expected:
            raise ValueError(
                f"the student's attention has {numbers} weights a clip, this system was built for {expected}"
            )
        with torch.autocast(student.device.type, enabled=False):
            return self.teacher(teacher.float().flatten(1)), self.student(student.float().flatten(1))

    def loss(self, teacher: Tensor, student: Tensor, label: Tensor) -> Tensor:
        if self.options.distillation == "scd":
            return contrast(teacher, student, label, self.options)
        return losses.attention_distillation(teacher, student, self.options.reduction)  # L_D, eq. 2


#: VPN*'s attention and pose backbone start from nothing beside a trained backbone, here as where VPN is trained alone.
ROLES = {"teacher": "joint"}


class VPNA(Distilled):
    """``student`` is S, ``teacher`` VPN*, a network with a video backbone of its own."""

    needs_train = frozenset({"video", "pose", "label"})
    needs_test = frozenset({"video"})
    Options = VPNAOptions

    def __init__(self, setting: Setting, options: VPNAOptions) -> None:
        super().__init__()
        self.options = options
        # "i3d_nonlocal" is I3D with the block that the student has anyway.
        setting = replace(setting, backbone=setting.backbone.removesuffix("_nonlocal"))
        self.student = assemble(SelfAttentive, setting, **shared(SelfAttentive, options))
        same = ("persons", "dropout", "bn_momentum", "modulation", "normalize_pose")
        own = {name: getattr(options, name) for name in same}
        embedding = "normalized_euclidean" if options.embedding else "none"
        self.teacher = assemble(VPNStar, setting, embedding=embedding, **own)
        grid, channels = self.student.backbone.grid(setting.clip), self.student.backbone.channels
        self.level = {"attention": "attention", "feature": "features"}[options.level]
        if options.level == "attention":
            keys = prod(self.student.block.keys(grid))
            self.distillation = AttentionDistillation(grid, keys, options)
        else:
            modulated = self.teacher.classifier.in_features
            kind, reduction = options.distillation, options.reduction
            self.distillation = FeatureDistillation(modulated, channels, kind, options, reduction)

    def teach(self, batch: Batch) -> dict[str, Output]:
        return {"vpn": self.teacher(batch)}  # T_A(V_i, P_i), A_T [B,T',H',W'] among its maps

    def compare(self, student: Output, taught: dict[str, Output]) -> dict[str, Tensor]:
        teacher = taught["vpn"]
        if self.level == "attention":
            target, own = teacher.maps["attention"], student.maps["affinity"]  # A_T, A_S
        else:
            target, own = teacher.features, student.features  # of the modulated maps f' and f'_S
        # Eq. 3 is one loss: a teacher that learns along learns from the distillation too.
        if self.options.detach_teacher or not self.options.collaborative:
            target = target.detach()
        target, own = self.distillation(target, own)  # A_T+ and E_A(A_S), [B,P]
        return {f"{self.level}/teacher": target, f"{self.level}/student": own}

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """L_C^S + L_C^T + beta L_D (eq. 3 without features), without L_C^T if the teacher is frozen; L_C^S alone where
        it wasn't asked."""
        l_s = F.cross_entropy(output.logits, self.take(batch, "label"))
        if not output.aux:
            return {"total": l_s, "classification": l_s}
        target, own = output.aux[f"{self.level}/teacher"], output.aux[f"{self.level}/student"]
        l_d = self.distillation.loss(target, own, batch.label)
        terms = {"total": l_s + self.options.beta * l_d, "classification": l_s, "distillation": l_d}
        if self.options.collaborative:
            l_t = self.joint_loss(output, batch)["total"]
            terms |= {"total": terms["total"] + l_t, "teacher": l_t}
        return terms

    def joint_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The teacher's own: L_C^T."""
        return self.teacher.joint_loss(unpack("teacher/vpn", output.aux), batch)

    def backbone_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The teacher's own, of its backbone, which is trained first where the teacher is."""
        return self.teacher.backbone_loss(unpack("teacher/vpn", output.aux), batch)

    def stages(self) -> list[Stage]:
        """Section 3.3: "trained in a single step". A frozen teacher is trained as VPN is."""
        if self.options.collaborative:
            return [Stage("collaboration", roles=ROLES)]
        return [*member_stages("teacher", self.teacher), Stage("distillation", ("student", "distillation"))]
