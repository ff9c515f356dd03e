"""What a system is asked for, a clip's class or the classes of every moment, and by what number epochs are compared."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from workbench import metrics
from workbench.study.config.train_config import TrainConfig
from workbench.types import Batch

#: Of one step of a pass: the logits, and the batch's label and mask.
Answer = tuple[Tensor, Tensor, Tensor | None]


class Goal(Protocol):
    """score: the number of a validation pass that is compared first, higher being better."""

    score: str

    def hits(self, logits: Tensor, batch: Batch) -> dict[str, float]:
        """Counts that add up over batches; divided by the number of clips they become a number of the pass."""

    def judge(self, answers: list[Answer]) -> dict[str, float]:
        """Numbers that need the whole pass."""


class Recognition:
    """One class a clip."""

    score = "top1"

    def hits(self, logits: Tensor, batch: Batch) -> dict[str, float]:
        """How many clips are named rightly."""
        return {"top1": (logits.argmax(-1) == batch.label).sum().item()}

    def judge(self, answers: list[Answer]) -> dict[str, float]:
        """Nothing: hits say it all."""
        return {}


class Detection:
    """Any number of classes a snippet: mAP over the snippets of all videos."""

    score = "frame_map"

    def hits(self, logits: Tensor, batch: Batch) -> dict[str, float]:
        """Nothing: detection is judged over all videos."""
        return {}

    def judge(self, answers: list[Answer]) -> dict[str, float]:
        """The mean average precision over frames."""
        scores = torch.cat([logits[mask] for logits, _, mask in answers]).float().cpu().numpy()
        labels = torch.cat([label[mask] for _, label, mask in answers]).cpu().numpy()
        return {"frame_map": float(np.nan_to_num(metrics.frame_map(scores, labels).mean))}


def goal_of(config: TrainConfig) -> Goal:
    """What a run is judged by."""
    return Detection() if config.detects else Recognition()
