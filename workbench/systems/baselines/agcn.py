"""Poses alone: AGCN, the pose stream of VPN++ (AGCN-J), and 2s-AGCN (Shi et al., "Two-Stream Adaptive Graph
Convolutional Networks for Skeleton-Based Action Recognition", CVPR 2019)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.nets import AGCN
from workbench.nets.pose.bones import Bones
from workbench.systems.common.base import Stage, System, Training
from workbench.systems.common.building import Setting
from workbench.systems.common.composite import Combine, combine
from workbench.types import Batch, Output

# The public code's training, with batches of 64 clips of 300 poses.
TRAINING: Training = {
    "epochs": 50,
    "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4},
    "schedule": {"name": "milestones", "milestones": (30, 40), "factor": 0.1},
}


@dataclass(frozen=True)
class AGCNOptions:
    """stream: joints, bones, or two networks, one for each (2s-AGCN). combine, of two streams: the paper adds their
    softmax scores, the public code their logits. normalize and persons say which poses are read: the public recipe
    keeps two bodies, that of VPN++ for Smarthome one. smoothing of the labels: the share of the target that all classes
    have alike."""

    stream: Literal["joint", "bone", "joint+bone"] = "joint"
    combine: Combine = "softmax_mean"
    normalize: Literal["agcn", "thesis", "none"] = "agcn"
    persons: int = 2
    smoothing: float = 0.0


class AGCNClassifier(System):
    """``pose_backbone`` is AGCN with its classifier; of two streams it reads the joints, and ``bone_stream`` is a
    system of its own."""

    needs_train = frozenset({"pose", "label"})
    needs_test = frozenset({"pose"})
    Options = AGCNOptions
    default_backbone = None

    def __init__(self, setting: Setting, options: AGCNOptions) -> None:
        super().__init__()
        self.options = options
        self.bones = Bones(setting.skeleton) if options.stream == "bone" else None
        self.pose_backbone = AGCN(setting.num_classes, setting.skeleton, options.persons, width=setting.width)
        two = options.stream == "joint+bone"
        self.bone_stream = AGCNClassifier(setting, replace(options, stream="bone")) if two else None

    def forward(self, batch: Batch) -> Output:
        """Reads pose; maps: joints."""
        pose = self.take(batch, "pose")  # [B,M,t_p,V,3]
        features, joints = self.pose_backbone(pose if self.bones is None else self.bones(pose))  # [B,C], [B,t_p,V]
        output = Output(self.pose_backbone.classify(features), features, {"joints": joints})
        return output if self.bone_stream is None else self.fuse(output, self.bone_stream(batch))

    def fuse(self, joint: Output, bone: Output) -> Output:
        """One score of two streams; the map of the joints is the joint stream's."""
        logits = combine([joint.logits, bone.logits], self.options.combine)
        features = torch.cat([joint.features, bone.features], dim=1)
        return Output(logits, features, joint.maps, aux={"joint": joint.logits, "bone": bone.logits})

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy, of each of two streams by itself: they share nothing, so that one stage trains them as two
        would."""
        streams = output.aux or {"classification": output.logits}
        label, smoothing = self.take(batch, "label"), self.options.smoothing
        terms = {n: F.cross_entropy(logits, label, label_smoothing=smoothing) for n, logits in streams.items()}
        return terms | {"total": torch.stack(list(terms.values())).sum()}

    def pose_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """``loss``, under a name that a larger system, whose own ``loss`` is another, has too."""
        return self.loss(output, batch)

    def stages(self) -> list[Stage]:
        """The public code's recipe, in one stage."""
        return [Stage("pose", loss="pose_loss", **TRAINING)]
