"""I3D with self-attention: the student of VPN++ (Das et al., section 4.1), and I3D + NL of the papers' tables.

"An additional Non-Local block placed on top of the I3D (Mixed_5c layer)": one block, whose output is the feature map.
"""

from __future__ import annotations

from typing import Literal, overload

from torch import Tensor

from workbench.nets.video.i3d import FULL_STRIDE, I3D
from workbench.nets.video.nonlocal_block import NonLocal
from workbench.nets.video.sizes import Axes


class I3DNonLocal(I3D):
    """video float [B,C,T,H,W] in [-1,1] -> the modulated feature map f'_S [B, channels, T', H', W'], of any clip size.

    Arguments, sizes and names are I3D's, so that its weights load as they are; the block is ``non_local``.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        in_channels: int = 3,
        width: float = 1.0,
        output_stride: Axes = FULL_STRIDE,
        bn_momentum: float = 0.01,
    ) -> None:
        super().__init__(num_classes, in_channels, width, output_stride, bn_momentum)
        self.non_local = NonLocal(self.channels, bn_momentum=bn_momentum)

    @overload
    def forward(self, video: Tensor, details: Literal[False] = False) -> Tensor: ...
    @overload
    def forward(self, video: Tensor, details: Literal[True]) -> tuple[Tensor, Tensor, Tensor]: ...

    def forward(self, video: Tensor, details: bool = False) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """video [B,C,T,H,W] -> f'_S [B,channels,T',H',W']; with details f_S too, which is Mixed_5c before the block, of
        the same shape, and the affinity A_S [B,P,P'] (see ``NonLocal``)."""
        f = super().forward(video)
        modulated, affinity = self.non_local.attend(f)
        return (modulated, f, affinity) if details else modulated
