"""From the clips of a video to the video's scores (VPN 4.1, thesis 4.6.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def max_pool_clips(logits: Tensor, ids: Sequence[str]) -> tuple[list[str], Tensor]:
    """The largest softmax score that any of a video's clips gives to a class.

    logits: float [S,N], one row a clip; ids: S names of videos, equal where clips come from one video. Returns the
    names in the order in which they first appear and float [videos,N] scores in [0,1], which need not sum to 1.
    Raises ValueError where logits and ids differ in number.
    """
    if len(logits) != len(ids):
        raise ValueError(f"{len(logits)} rows of logits but {len(ids)} ids")
    order = {name: row for row, name in enumerate(dict.fromkeys(ids))}
    rows = torch.tensor([order[name] for name in ids], device=logits.device)
    clips = logits.float().softmax(1)
    scores = clips.new_zeros(len(order), clips.shape[1])
    return list(order), scores.scatter_reduce(0, rows[:, None].expand_as(clips), clips, "amax")
