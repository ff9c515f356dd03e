"""Convolutions and pools with TensorFlow's "same" padding; one is computed faster, with the same sums."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets.video.sizes import Axes


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros (before, after) so that ceil(size / stride) windows fit; the odd one goes after."""
    total = max(kernel - (size % stride or stride), 0)
    return total // 2, total - total // 2


class SamePool(nn.MaxPool3d):
    """Max pooling with "same" padding."""

    kernel_size: Axes
    stride: Axes

    def __init__(self, window: Axes, stride: Axes) -> None:
        super().__init__(window, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,T,H,W] -> [B,C,ceil(T/s),ceil(H/s),ceil(W/s)], of the same type."""
        if max(self.kernel_size) == 1:
            return x
        before = [same_padding(*axis)[0] for axis in zip(x.shape[2:], self.kernel_size, self.stride, strict=True)]
        # ceil_mode is the padding after, without a copy. Autocast would pool in fp32: two copies for the same maxima.
        with torch.autocast(x.device.type, enabled=False):
            return F.max_pool3d(x, self.kernel_size, self.stride, before, ceil_mode=True)


class StemConv(nn.Conv3d):
    """A 7 x 7 x 7 convolution of stride 2 with "same" padding: [B,C,T,H,W] -> [B,O,ceil(T/2),ceil(H/2),ceil(W/2)]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 7, stride=2, bias=False)

    def forward(self, video: Tensor) -> Tensor:
        """video [B,C,T,H,W] -> [B,O,ceil(T/2),ceil(H/2),ceil(W/2)], in autocast's type."""
        kind = video.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else video.dtype
        # Three channels starve a bf16 matrix unit: folded, this layer takes half the time. In fp32 it takes longer.
        return (self.folded if kind == "cpu" and dtype == torch.bfloat16 else self.direct)(video.to(dtype))

    def direct(self, video: Tensor) -> Tensor:
        """The convolution as it is written."""
        pads = [side for size in reversed(video.shape[2:]) for side in same_padding(size, 7, 2)]
        return super().forward(F.pad(video, pads))

    def folded(self, video: Tensor) -> Tensor:
        """The same sums as a 4 x 4 x 4 convolution of stride 1 over cells of 2 x 2 x 2 pixels, which are its
        channels."""
        odd = [side for size in reversed(video.shape[2:]) for side in (size % 2, 0)]
        video = F.pad(video, odd) if any(odd) else video
        batch, channels, *size = video.shape
        t, h, w = (length // 2 for length in size)
        # One cell before and two after: the 7-tap window of an even axis starts two pixels early, and ends in a cell.
        cells = video.new_zeros(batch, t + 3, h + 3, w + 3, 8 * channels)
        pixels = video.permute(0, 2, 3, 4, 1).reshape(batch, t, 2, h, 2, w, 2, channels).permute(0, 1, 3, 5, 2, 4, 6, 7)
        cells[:, 1:-2, 1:-2, 1:-2].view(batch, t, h, w, 2, 2, 2, channels).copy_(pixels)
        taps = F.pad(self.weight.to(video.dtype), (0, 1) * 3).reshape(-1, channels, 4, 2, 4, 2, 4, 2)
        taps = taps.permute(0, 3, 5, 7, 1, 2, 4, 6).reshape(-1, 8 * channels, 4, 4, 4)
        return F.conv3d(cells.permute(0, 4, 1, 2, 3), taps.contiguous(memory_format=torch.channels_last_3d))
