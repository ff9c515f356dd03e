"""The stacked pose LSTM as a classifier of its own: what pre-trains the LSTM pose backbones (thesis 4.3.3, 4.4.3)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from workbench import losses
from workbench.nets import PoseLSTM
from workbench.systems.base import Stage, System
from workbench.systems.building import Setting
from workbench.types import Batch, Output

# The papers give no optimiser for this stage.
POSE_OPTIMIZER = {"name": "adam", "lr": 1e-3}


@dataclass(frozen=True)
class PoseLSTMOptions:
    """hidden: numbers a layer (thesis 4.6.1: 512 for NTU, 128 for Smarthome); dropout before the classifier."""

    hidden: int = 512
    dropout: float = 0.3


class PoseLSTMClassifier(System):
    """Three LSTM layers; one classifier reads every step. The last step, which has seen all poses, gives the logits."""

    needs_train = frozenset({"pose", "label"})
    needs_test = frozenset({"pose"})
    Options = PoseLSTMOptions

    def __init__(self, setting: Setting, options: PoseLSTMOptions) -> None:
        super().__init__()
        self.pose_backbone = PoseLSTM(setting.skeleton.count, options.hidden)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(options.hidden, setting.num_classes)

    def forward(self, batch: Batch) -> Output:
        h = self.pose_backbone(self.take(batch, "pose"))  # [B,t_p,hidden]
        steps = self.classifier(self.dropout(h))  # [B,t_p,N]
        return Output(steps[:, -1], h[:, -1], aux={"steps": steps})

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        total = losses.every_step(output.aux["steps"], self.take(batch, "label"))
        return {"total": total, "classification": total}

    def stages(self) -> list[Stage]:
        return [Stage("pose", optimizer=POSE_OPTIMIZER)]
