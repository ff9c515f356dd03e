"""Which snippets of a padded batch are real."""

from __future__ import annotations

import torch
from torch import Tensor


def real(x: Tensor, mask: Tensor | None) -> Tensor:
    """bool [B,T]: ``mask``, or that every snippet of x [B,T,C] is real where there is none. ValueError for another
    shape or type."""
    if mask is None:
        return torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    if mask.shape != x.shape[:2] or mask.dtype != torch.bool:
        raise ValueError(f"the mask must be bool {list(x.shape[:2])}, got {mask.dtype} {list(mask.shape)}")
    return mask


def cleared(x: Tensor, mask: Tensor) -> Tensor:
    """x [B,T,C] with zeros, whatever was there, where ``mask`` [B,T] is False."""
    return x.masked_fill(~mask[..., None], 0)
