"""Classification losses. Means over the batch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def every_step(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of every time step against the clip's label, averaged over steps, a scalar: how the papers train
    their pose LSTMs. logits: float [B,t_p,N]; label: int64 [B]."""
    steps = logits.shape[1]
    return F.cross_entropy(logits.flatten(0, 1), label.repeat_interleave(steps))
