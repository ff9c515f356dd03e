"""The non-local block (Wang et al., "Non-local Neural Networks", CVPR 2018), embedded Gaussian with sub-sampled keys.

Module names and layers are those of the public PyTorch block (AlexHex7), so that its weights load as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.nets.attention import AttentionPoint
from workbench.nets.video.layers import MaxPool
from workbench.nets.video.sizes import Axes


class NonLocal(nn.Module):
    """z = W y + x (eq. 6) with y_i = sum_j softmax_j(theta(x_i) . phi(x_j)) g(x_j) (eq. 1 and 4), for every cell i.

    x float [B,C,T',H',W'] -> z of the same shape. inter_channels are those of theta, phi and g (half of in_channels if
    None). sub_sample takes the keys j from maps that are max-pooled 2 x 2 in space (section 3.3), an odd row or column
    left out. The batch norm behind W
    starts from gamma, with 0 the block begins as the identity (section 4.1).
    """

    def __init__(
        self,
        in_channels: int,
        inter_channels: int | None = None,
        sub_sample: bool = True,
        bn_momentum: float = 0.1,
        gamma: float = 0.0,
    ) -> None:
        super().__init__()
        inner = inter_channels or max(1, in_channels // 2)
        self.g: nn.Module = nn.Conv3d(in_channels, inner, 1)
        self.theta = nn.Conv3d(in_channels, inner, 1)
        self.phi: nn.Module = nn.Conv3d(in_channels, inner, 1)
        self.sub_sample = sub_sample
        if sub_sample:
            pool = MaxPool((1, 2, 2), (1, 2, 2), padding=(0, 0, 0))
            self.g, self.phi = nn.Sequential(self.g, pool), nn.Sequential(self.phi, pool)
        outward, norm = nn.Conv3d(inner, in_channels, 1), nn.BatchNorm3d(in_channels, momentum=bn_momentum)
        self.W = nn.Sequential(outward, norm)
        nn.init.constant_(norm.weight, gamma)
        self.point = AttentionPoint()

    def forward(self, x: Tensor) -> Tensor:
        """x [B,C,T',H',W'] -> z of the same shape."""
        return self.attend(x)[0]

    def attend(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [B,C,T',H',W'] -> z of the same shape, and the affinity [B,P,P'] between its P = T'H'W' cells (time before
        height before width) and the P' keys, float32 weights that sum to 1 over the keys."""
        query = self.theta(x).flatten(2)  # [B,inner,P]
        key, value = self.phi(x).flatten(2), self.g(x).flatten(2)  # [B,inner,P']
        # A softmax over sums of hundreds of products needs more digits than bf16 has.
        with torch.autocast(x.device.type, enabled=False):
            affinity = (query.float().transpose(1, 2) @ key.float()).softmax(dim=2)  # [B,P,P']
            y = value.float() @ self.point(affinity).transpose(1, 2)  # [B,inner,P]
        return x + self.W(y.unflatten(2, x.shape[2:])), affinity

    def keys(self, grid: Axes) -> Axes:
        """The grid of the P' keys of a feature map of ``grid`` (T', H', W') cells."""
        t, h, w = grid
        return (t, max(1, h // 2), max(1, w // 2)) if self.sub_sample else (t, h, w)
