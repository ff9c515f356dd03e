"""The video backbone alone: I3D fine-tuned on crops of the person, the papers' baseline (VPN table 1, l1; thesis
4.6.1). With the backbone i3d_nonlocal it is their I3D + NL, attention that the video itself drives (VPN++ table 2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench import losses
from workbench.nets import I3DNonLocal
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting
from workbench.types import Batch, Output


@dataclass(frozen=True)
class RGBOptions:
    """dropout before the classifier; bn_momentum of the backbone's batch statistics. regularizer: factor of the squares
    of the classifier's weights, 0.001 in the thesis (4.6.1) and in the preset paper."""

    dropout: float = 0.3
    bn_momentum: float = 0.01
    regularizer: float = 0.0


class RGB(System):
    """Backbone, global average pooling, dropout, linear classifier."""

    needs_train = frozenset({"video", "label"})
    needs_test = frozenset({"video"})
    Options = RGBOptions

    def __init__(self, setting: Setting, options: RGBOptions) -> None:
        super().__init__()
        self.backbone = setting.video_backbone(bn_momentum=options.bn_momentum)
        self.regularizer = options.regularizer
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(self.backbone.channels, setting.num_classes)

    def forward(self, batch: Batch) -> Output:
        video = self.take(batch, "video")
        if isinstance(self.backbone, I3DNonLocal):
            seen, f, affinity = self.backbone(video, details=True)  # twice [B,C,T',H',W'], then [B,P,P']
            grid = torch.tensor(f.shape[2:])
            maps = {"feature_map": f, "modulated": seen, "affinity": affinity, "affinity_grid": grid}
        else:
            seen = f = self.backbone(video)  # [B,C,T',H',W']
            maps = {"feature_map": f}
        features = seen.float().mean((2, 3, 4))  # [B,C]
        return Output(self.classifier(self.dropout(features)), features, maps)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        return losses.fine_tuning(output.logits, self.take(batch, "label"), self.classifier.weight, self.regularizer)

    def stages(self) -> list[Stage]:
        return [Stage("backbone")]
