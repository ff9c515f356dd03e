"""Attention over a feature map: the readings of the product, a point where its weights can be exchanged, and the truth
in its place.

The papers print two forms. VPN adds the weighted map to the map, f' = f + A f (ECCV 2020, eq. 2); Separable STA and
P-I3D multiply, f' = A f (thesis, eq. 4.7 and 4.12). What is pooled then depends on the size of A as much as on its
shape. Two readings keep the shape alone: the mean of f weighted by A, and that mean beside the plain one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Modulation = Literal["residual", "gated", "mean", "both"]
#: What says where to look: poses, through a network that learns; or the truth itself, a ceiling for any attention.
Guide = Literal["pose", "truth"]


def modulate(f: Tensor, weights: Tensor, how: Modulation) -> Tensor:
    """The modulated feature map, whose plain average over cells is what the classifier reads.

    Args:
        f: float [B,C,T',H',W'].
        weights: A >= 0, float, of a shape that broadcasts to [B,T',H',W'].
        how: residual is f + A f; gated is A f; mean is A f / mean(A), whose average is sum(A f) / sum(A); both has the
            channels of mean, then those of f itself.

    Returns:
        float [B,C,T',H',W'], of both [B,2C,T',H',W']. Where all weights of a clip are zero, mean weighs all cells
        equally.

    Raises:
        ValueError: another ``how``.
    """
    if how not in get_args(Modulation):
        raise ValueError(f"modulation must be one of {', '.join(get_args(Modulation))}, got {how!r}")
    a = weights.expand(len(f), *f.shape[2:])[:, None]  # [B,1,T',H',W']
    if how == "residual":
        return f + a * f
    if how == "gated":
        return a * f
    size = a.mean((2, 3, 4), keepdim=True)
    tiny = torch.finfo(size.dtype).tiny
    a = torch.where(size > tiny, a / size.clamp_min(tiny), 1.0)
    return a * f if how == "mean" else torch.cat([a * f, f], dim=1)


def couple(spatial: Tensor, temporal: Tensor) -> Tensor:
    """A_ST = inflate(A_S) o inflate(A_T), VPN's coupler (ECCV 2020, section 3.2): A_S float [B,H',W'] and A_T [B,T'] ->
    [B,T',H',W']."""
    return spatial[:, None] * temporal[:, :, None, None]


def modulated_channels(channels: int, how: Modulation) -> int:
    """Channels of ``modulate``'s result for a feature map of ``channels``."""
    return 2 * channels if how == "both" else channels


def truth_weights(truth: Tensor, grid: tuple[int, int, int] | torch.Size) -> Tensor:
    """The known truth in the place of attention: Batch.truth float [B,T,H,W] averaged onto ``grid`` (T',H',W') and
    divided by each clip's largest value, float [B,T',H',W'] in [0,1]; ones for a clip in which nothing is marked."""
    t, h, w = grid
    cells = F.adaptive_avg_pool3d(truth[:, None].float(), (t, h, w))[:, 0]
    largest = cells.amax((1, 2, 3), keepdim=True)
    return torch.where(largest > 0, cells / largest.clamp_min(1e-12), 1.0)


def truth_apart(weights: Tensor) -> tuple[Tensor, Tensor]:
    """``truth_weights`` float [B,T',H',W'] for attention that keeps space and time apart: where, [B,H',W'], the mean
    over time divided by its largest value, as a sigmoid's weight may reach 1; and when, [B,T'], the mean over space
    divided by its sum, as a softmax's weights sum to 1."""
    where, when = weights.mean(1), weights.mean((2, 3))
    return where / where.amax((1, 2), keepdim=True), when / when.sum(1, keepdim=True)


class AttentionPoint(nn.Module):
    """Where attention weights float [B,...] pass through unchanged on their way to what they weigh.

    Inside ``uniform_attention`` every weight of a clip becomes the mean of that clip's weights: what the prediction is
    when attention says nothing about where or when.
    """

    uniform = False

    def forward(self, weights: Tensor) -> Tensor:
        """float [B,...] -> the same shape."""
        if not self.uniform:
            return weights
        return weights.mean(tuple(range(1, weights.dim())), keepdim=True).expand_as(weights)


@contextmanager
def uniform_attention(system: nn.Module) -> Iterator[int]:
    """Makes the weights at every ``AttentionPoint`` inside ``system`` uniform for the length of the context; gives the
    number of points, 0 for a system without attention."""
    points = [module for module in system.modules() if isinstance(module, AttentionPoint)]
    for point in points:
        point.uniform = True
    try:
        yield len(points)
    finally:
        for point in points:
            point.uniform = False
