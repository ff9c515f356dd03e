"""The stacked pose LSTM as a classifier of its own: what pre-trains the LSTM pose backbones (thesis 4.3.3, 4.4.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from workbench import losses
from workbench.nets import PoseLSTM
from workbench.nets.pose.bones import Bones
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting
from workbench.systems.common.composite import combine
from workbench.types import Batch, Output

# The papers give no optimiser for this stage.
POSE_OPTIMIZER = {"name": "adam", "lr": 1e-3}


@dataclass(frozen=True)
class PoseLSTMOptions:
    """stream: joints as in the thesis, bones, or two networks, one for each, whose softmax scores are averaged.
    hidden: numbers a layer (thesis 4.6.1: 512 for NTU, 128 for Smarthome); dropout before the classifier. pose_padding
    is the loader's: zeros behind the poses of a video that is shorter than t_p (thesis 3.3.1), or its poses again.
    smoothing of the labels: the share of the target that all classes have alike."""

    stream: Literal["joint", "bone", "joint+bone"] = "joint"
    hidden: int = 512
    dropout: float = 0.3
    pose_padding: Literal["zeros", "repeat"] = "zeros"
    smoothing: float = 0.0


class PoseLSTMClassifier(System):
    """Three LSTM layers; one classifier reads every step. The last step, which has seen all poses, gives the logits.
    Of two streams ``pose_backbone`` reads the joints, and ``bone_stream`` is a system of its own."""

    needs_train = frozenset({"pose", "label"})
    needs_test = frozenset({"pose"})
    Options = PoseLSTMOptions
    default_backbone = None

    def __init__(self, setting: Setting, options: PoseLSTMOptions) -> None:
        super().__init__()
        self.options = options
        self.bones = Bones(setting.skeleton) if options.stream == "bone" else None
        self.pose_backbone = PoseLSTM(setting.skeleton.count, options.hidden)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(options.hidden, setting.num_classes)
        two = options.stream == "joint+bone"
        self.bone_stream = PoseLSTMClassifier(setting, replace(options, stream="bone")) if two else None

    def forward(self, batch: Batch) -> Output:
        """Reads pose; aux: steps, the logits [B,t_p,N] at every step."""
        pose = self.take(batch, "pose")  # [B,M,t_p,V,3]
        h = self.pose_backbone(pose if self.bones is None else self.bones(pose))  # [B,t_p,hidden]
        steps = self.classifier(self.dropout(h))  # [B,t_p,N]
        output = Output(steps[:, -1], h[:, -1], aux={"steps": steps})
        return output if self.bone_stream is None else self.fuse(output, self.bone_stream(batch))

    def fuse(self, joint: Output, bone: Output) -> Output:
        """One score of two streams: the mean of their softmax scores."""
        logits = combine([joint.logits, bone.logits], "softmax_mean")
        features = torch.cat([joint.features, bone.features], dim=1)
        return Output(logits, features, aux={"steps": joint.aux["steps"], "bone_steps": bone.aux["steps"]})

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy at every step, of each of two streams by itself."""
        label, smoothing = self.take(batch, "label"), self.options.smoothing
        total = torch.stack([losses.every_step(steps, label, smoothing) for steps in output.aux.values()]).sum()
        return {"total": total, "classification": total}

    def pose_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """``loss``, under a name that a larger system, whose own ``loss`` is another, has too."""
        return self.loss(output, batch)

    def stages(self) -> list[Stage]:
        """The norm of the gradient doesn't exceed 1 (thesis 3.4.1 and, for LSTM, table 6.7)."""
        return [Stage("pose", loss="pose_loss", optimizer=POSE_OPTIMIZER, clip_grad=1.0)]
