"""Max-min and difference pooling over time (P-CNN, Cheron et al., ICCV 2015; thesis eq. 3.2 to 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor


def max_min(frames: Tensor, step: int) -> Tensor:
    """[...,T,C] -> [...,4C]: minimum and maximum over time of each channel (eq. 3.3), then those of the differences
    between times ``step`` apart (eq. 3.4). ValueError unless 0 < step < T."""
    length = frames.shape[-2]
    if not 0 < step < length:
        raise ValueError(f"differences over {step} time steps need more steps than the {length} there are")
    changes = frames[..., step:, :] - frames[..., :-step, :]
    return torch.cat([frames.amin(-2), frames.amax(-2), changes.amin(-2), changes.amax(-2)], dim=-1)
