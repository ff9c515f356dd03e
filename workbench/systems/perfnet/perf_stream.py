"""One stream of PERF-Net (Li et al., WACV 2022): RGB, optical flow, or poses drawn as pictures (section 3.1).

All three are the same network; they differ in what it sees. The published backbone is R3D50-G (section 3.2, table 1),
S3D-G the other one that the paper reports (table 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting
from workbench.types import Batch, Output

#: The field of Batch that a stream reads.
READS = {"rgb": "video", "flow": "flow", "pose": "rendered"}

# Section 4. The rate is 1.6 for batches of 2048 clips and falls in proportion for 16; 2k steps of warm-up and 20k of
# cosine are 8 and 82 passes over the "approximately 500k" clips of Kinetics-600.
TRAINING = {
    "epochs": 90,
    "optimizer": {"name": "sgd", "lr": 1.6 * 16 / 2048, "momentum": 0.9, "weight_decay": 1e-4},
    "schedule": {"name": "cosine", "warmup": 8},
}


@dataclass(frozen=True)
class StreamOptions:
    """What the streams of one experiment share.

    How the pictures are made is for the loader: background, marker, colors ("fine": 13, "coarse": 6) and ratio_aware
    say how poses are drawn (table 2; the default is its last row), drawn_persons whose (section 3.1: "the pose of each
    human", not the main ones alone), flow_method how flow is estimated (section 4: TV-L1;
    "dis" is faster). The paper is silent on dropout and on the momentum of batch statistics: as for the other
    backbones here.
    """

    background: Literal["frame", "black"] = "frame"
    marker: Literal["bar", "dot"] = "bar"
    colors: Literal["fine", "coarse"] = "fine"
    ratio_aware: bool = True
    drawn_persons: Literal["all", "main"] = "all"
    flow_method: Literal["tvl1", "dis"] = "tvl1"
    dropout: float = 0.3
    bn_momentum: float = 0.01


@dataclass(frozen=True)
class PerfStreamOptions(StreamOptions):
    """stream: which pictures are read."""

    stream: Literal["rgb", "flow", "pose"] = "pose"


class PerfStream(System):
    """Backbone, global average pooling, dropout, linear classifier, over the pictures of one stream."""

    needs_train = frozenset({*READS.values(), "label"})
    needs_test = frozenset(READS.values())
    Options = PerfStreamOptions
    default_backbone = "r3d50g"

    def __init__(self, setting: Setting, options: PerfStreamOptions) -> None:
        super().__init__()
        self.reads = READS[options.stream]
        self.needs_train, self.needs_test = frozenset({self.reads, "label"}), frozenset({self.reads})
        self.backbone = setting.video_backbone(
            in_channels=2 if options.stream == "flow" else 3, bn_momentum=options.bn_momentum
        )
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(self.backbone.channels, setting.num_classes)

    def forward(self, batch: Batch) -> Output:
        f = self.backbone(self.take(batch, self.reads))  # [B,C,T',H',W']
        features = f.float().mean((2, 3, 4))  # [B,C]
        return Output(self.classifier(self.dropout(features)), features, maps={"feature_map": f})

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        return self.classification_loss(output, batch)

    def classification_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """L^c of eq. 1."""
        total = F.cross_entropy(output.logits, self.take(batch, "label"))
        return {"total": total, "classification": total}

    def stages(self) -> list[Stage]:
        return [Stage("backbone", loss="classification_loss", **TRAINING)]
