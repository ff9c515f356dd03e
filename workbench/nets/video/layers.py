"""Layers that several video backbones share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets.modules import classifier_of
from workbench.nets.video.sizes import Axes, cells


class VideoBackbone(nn.Module):
    """A network that maps video float [B,C,T,H,W] to a feature map float [B,channels,T',H',W'].

    channels at its width; output_stride (time, height, width), input pixels a cell of the feature map.
    """

    channels: int
    output_stride: Axes

    def grid(self, clip: Axes) -> Axes:
        """Size (T', H', W') of the feature map of a clip of ``clip`` (T, H, W) frames and pixels."""
        return cells(clip, self.output_stride)


class ResidualBackbone(VideoBackbone):
    """A backbone of residual stages with a linear classifier, ``fc``, where it has classes to tell."""

    fc: nn.Linear | None

    def finish(self, channels: int, num_classes: int | None) -> None:
        """After the last stage, of ``channels``: the classifier, and He's weights for all convolutions."""
        self.channels = channels
        self.fc = nn.Linear(channels, num_classes) if num_classes else None
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def classify(self, feature_map: Tensor) -> Tensor:
        """Class scores [B,N] of a feature map of any size: mean over its cells, then ``fc``."""
        return classifier_of(self, self.fc)(feature_map.mean((2, 3, 4)))


class FeatureGating(nn.Module):
    """y = sigmoid(W avg(x) + b) x: [B,C,T',H',W'] -> the same, each channel weighed by what the whole clip shows.

    S3D-G's (Xie et al., "Rethinking Spatiotemporal Feature Learning", ECCV 2018, section 5) and R3D50-G's; avg is the
    mean over time and space. The authors start from small Gaussian weights: from gates that are half open.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, channels)
        nn.init.normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,T',H',W'] -> the same shape."""
        gates = self.fc(x.mean((2, 3, 4))).sigmoid()  # [B,C]
        return x * gates[:, :, None, None, None]


class MaxPool(nn.MaxPool3d):
    """Max pooling that keeps the type of its input, and takes an axis smaller than the window for one window."""

    kernel_size: Axes
    stride: Axes
    padding: Axes

    def __init__(self, window: Axes, stride: Axes, padding: Axes) -> None:
        super().__init__(window, stride, padding)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,T,H,W] -> the largest value in each window, of the same type."""
        sizes = zip(self.kernel_size, x.shape[2:], self.padding, strict=True)
        window = [min(kernel, size + 2 * padding) for kernel, size, padding in sizes]
        # Autocast would pool in fp32: two copies for the same maxima.
        with torch.autocast(x.device.type, enabled=False):
            return F.max_pool3d(x, window, self.stride, self.padding)
