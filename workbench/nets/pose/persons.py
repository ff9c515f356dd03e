"""Several bodies in one clip: each is encoded alone, and the clip gets the mean of those that are there."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def mean_over_persons(encode: Callable[[Tensor], tuple[Tensor, ...]], pose: Tensor) -> tuple[Tensor, ...]:
    """Applies ``encode`` ([R,t_p,V,3] -> tensors [R,...]) to every body of ``pose`` [B,M,t_p,V,3]; returns them
    [B,...].

    A body whose coordinates are all zero or NaN is not there and weighs nothing (single NaN joints count as zero). A
    clip without any body is encoded as one body of zeros, so that its features are those of "nobody", never NaN.
    """
    pose = torch.nan_to_num(pose)
    if pose.shape[1] == 1:
        return encode(pose[:, 0])
    present = (pose != 0).flatten(2).any(2)
    present[:, 0] |= ~present.any(1)
    clip = present.nonzero()[:, 0]
    count = present.sum(1)

    def mean(rows: Tensor) -> Tensor:
        total = rows.new_zeros(len(pose), *rows.shape[1:]).index_add(0, clip, rows)
        return total / count.view(-1, *[1] * (rows.dim() - 1)).to(rows.dtype)

    return tuple(mean(rows) for rows in encode(pose[present]))
