"""A plain bidirectional GRU on poses as a classifier: the baseline that the papers' pose networks have to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets import PoseGRU
from workbench.systems.baselines.pose_lstm import POSE_OPTIMIZER
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting
from workbench.types import Batch, Output


@dataclass(frozen=True)
class PoseGRUOptions:
    """hidden: numbers a layer and direction; dropout between the layers and before the classifier. normalize and
    persons say which poses are read, as in AGCNOptions. smoothing of the labels: the share of the target that all
    classes have alike."""

    hidden: int = 128
    layers: int = 2
    dropout: float = 0.3
    normalize: Literal["thesis", "agcn", "none"] = "thesis"
    persons: int = 1
    smoothing: float = 0.0


class PoseGRUClassifier(System):
    """Two GRU layers in both directions; the classifier reads the mean over the poses."""

    needs_train = frozenset({"pose", "label"})
    needs_test = frozenset({"pose"})
    Options = PoseGRUOptions
    default_backbone = None

    def __init__(self, setting: Setting, options: PoseGRUOptions) -> None:
        super().__init__()
        self.options = options
        self.pose_backbone = PoseGRU(setting.skeleton.count, options.hidden, options.layers, options.dropout)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(2 * options.hidden, setting.num_classes)

    def forward(self, batch: Batch) -> Output:
        """Reads pose."""
        features = self.pose_backbone(self.take(batch, "pose")).mean(1)  # [B,2 hidden]
        return Output(self.classifier(self.dropout(features)), features)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy."""
        total = F.cross_entropy(output.logits, self.take(batch, "label"), label_smoothing=self.options.smoothing)
        return {"total": total, "classification": total}

    def stages(self) -> list[Stage]:
        """As the pose LSTM's."""
        return [Stage("pose", optimizer=POSE_OPTIMIZER, clip_grad=1.0)]
