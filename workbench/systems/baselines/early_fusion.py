"""Early fusion: the features of RGB and poses are laid side by side before one classifier.

"Concatenation of features at the last layer before prediction" (VPN++, figure 2, where it does worse than late fusion).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets.modules import submodule
from workbench.systems.common.base import Stage
from workbench.systems.common.building import Setting
from workbench.systems.common.composite import Composite, MemberOptions, member_stages
from workbench.types import Batch, Output

# Where each member's own classifier is: what reads its features.
HEADS = {"rgb": "classifier", "agcn": "pose_backbone.fc", "pose_lstm": "classifier"}


@dataclass(frozen=True)
class EarlyFusionOptions(MemberOptions):
    """members: two or more networks; dropout before their common classifier."""

    members: tuple[Literal["rgb", "agcn", "pose_lstm"], ...] = ("rgb", "agcn")
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise ValueError(f"early_fusion: members must be two or more networks, got {', '.join(self.members)}")


class EarlyFusion(Composite):
    """One classifier, ``classifier``, of the features of all members."""

    needs_train = frozenset({"video", "pose", "label"})
    needs_test = frozenset({"video", "pose"})
    Options = EarlyFusionOptions

    def __init__(self, setting: Setting, options: EarlyFusionOptions) -> None:
        super().__init__()
        self.add_members(setting, options.members, options)
        self.heads = [f"{path}.{HEADS[name]}" for path, name in zip(self.paths, options.members, strict=True)]
        self.dropout = nn.Dropout(options.dropout)
        features = sum(submodule(self, head, nn.Linear).in_features for head in self.heads)
        self.classifier = nn.Linear(features, setting.num_classes)

    def forward(self, batch: Batch) -> Output:
        """Reads what the members read; maps of equal names are the first member's."""
        outputs = self.run_members(batch)
        features = torch.cat([output.features for output in outputs.values()], dim=1)  # [B,F], F of all members
        return self.join(outputs, self.classifier(self.dropout(features)))

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the common classifier."""
        total = F.cross_entropy(output.logits, self.take(batch, "label"))
        return {"total": total, "classification": total}

    def backbone_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Each member's own loss, by its own classifier: the training before they are joined."""
        return self.member_losses(output, batch)

    pose_loss = backbone_loss

    def stages(self) -> list[Stage]:
        """The figure doesn't say how it is trained. Here every member goes through its own procedure, then all are
        trained together, without the classifiers that only that procedure needs."""
        stages = [stage for path in self.paths for stage in member_stages(path, self.member(path))]
        # A member that has no second name for its loss is run with the whole, whose ``loss`` is another.
        alone = [replace(s, part="", loss="backbone_loss") if s.loss == "loss" else s for s in stages]
        return [*alone, Stage("joint", freezes=tuple(self.heads))]
