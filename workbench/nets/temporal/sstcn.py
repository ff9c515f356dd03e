"""One stage of a temporal convolutional network (Abu Farha and Gall, "MS-TCN", CVPR 2019, section 3.1), the temporal
filter of Augmented-RGB (section 4.2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets.temporal.masks import cleared, real


class DilatedResidual(nn.Module):
    """A convolution over three snippets that lie ``dilation`` apart, and a pointwise one, added to what comes in."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.conv_dilated = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.conv_1x1 = nn.Conv1d(channels, channels, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """float [B,C,T] -> the same shape."""
        return x + self.dropout(self.conv_1x1(F.relu(self.conv_dilated(x))))


class SSTCN(nn.Module):
    """Features of snippets -> features that know their surroundings: a pointwise convolution to ``channels``, then
    ``layers`` residual ones with dilations 1, 2, 4, ... Five layers see 63 snippets.

    Modules are named as in the public MS-TCN; the pointwise convolution to classes that ends a stage there is the
    classifier of whoever uses this one. Padding is set to zero before every layer, so that it never changes a real
    snippet's result.
    """

    def __init__(self, in_channels: int, channels: int = 256, layers: int = 5, dropout: float = 0.5) -> None:
        super().__init__()
        self.channels = channels
        self.conv_1x1 = nn.Conv1d(in_channels, channels, 1)
        self.layers = nn.ModuleList(DilatedResidual(channels, 2**i, dropout) for i in range(layers))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """float [B,T,in_channels], mask bool [B,T] (True: a real snippet; None: all are) -> float [B,T,channels], zero
        where padded."""
        mask = real(x, mask)
        x = self._step(self.conv_1x1, cleared(x, mask), mask)
        for layer in self.layers:
            x = self._step(layer, x, mask)
        return x

    def _step(self, layer: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
        return cleared(layer(x.transpose(1, 2)).transpose(1, 2), mask)
