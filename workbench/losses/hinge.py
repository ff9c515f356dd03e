"""The loss of linear support vector machines."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from workbench.losses.shapes import agree


def squared_hinge(scores: Tensor, label: Tensor) -> Tensor:
    """sum_c max(0, 1 - y_c s_c)^2 with y_c = 1 for the clip's class and -1 for the others.

    One classifier against the rest for every class, as LinearSVC trains them.

    Args:
        scores: s, float [B,N].
        label: int64 [B].

    Returns:
        A scalar >= 0, the mean over the batch.

    Raises:
        ValueError: shapes that don't agree.
    """
    agree("squared_hinge", scores=(scores, "B N"), label=(label, "B"))
    signs = 2 * F.one_hot(label, scores.shape[1]).to(scores.dtype) - 1
    return (1 - signs * scores).clamp_min(0).square().sum(1).mean()
