"""The video backbone alone: I3D fine-tuned on crops of the person, the papers' baseline (VPN table 1, l1; thesis
4.6.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.systems.base import Stage, System
from workbench.systems.building import Setting
from workbench.types import Batch, Output


@dataclass(frozen=True)
class RGBOptions:
    """dropout before the classifier; bn_momentum of the backbone's batch statistics."""

    dropout: float = 0.3
    bn_momentum: float = 0.01


class RGB(System):
    """Backbone, global average pooling, dropout, linear classifier."""

    needs_train = frozenset({"video", "label"})
    needs_test = frozenset({"video"})
    Options = RGBOptions

    def __init__(self, setting: Setting, options: RGBOptions) -> None:
        super().__init__()
        self.backbone = setting.video_backbone(bn_momentum=options.bn_momentum)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(self.backbone.channels, setting.num_classes)

    def forward(self, batch: Batch) -> Output:
        f = self.backbone(self.take(batch, "video"))  # [B,C,T',H',W']
        features = f.float().mean((2, 3, 4))  # [B,C]
        return Output(self.classifier(self.dropout(features)), features, maps={"feature_map": f})

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        total = F.cross_entropy(output.logits, self.take(batch, "label"))
        return {"total": total, "classification": total}

    def stages(self) -> list[Stage]:
        return [Stage("backbone")]
