"""R3D50-G: a 3D ResNet-50 that keeps every time step, with feature gating (Li et al., PERF-Net, section 3.2, table 1).

A ResNet-50 inflated as in "Non-local Neural Networks" (Wang et al., CVPR 2018), from where what table 1 leaves out is
taken too: the stride of a stage is in its first cell's 1 x 3 x 3 convolution, and a 1 x 1 x 1 convolution with batch
norm is the shortcut where the shape changes.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets.video.layers import FeatureGating, MaxPool, ResidualBackbone
from workbench.nets.video.sizes import Axes, scaled, thinned, total

# Channels inside a cell (four times as many leave it), and the temporal kernels of table 1: t_i = 3 for odd i.
STAGES = {"res2": (64, (3, 3, 3)), "res3": (128, (3, 1, 3, 1)), "res4": (256, (3, 1) * 3), "res5": (512, (3, 1, 3))}
# Of conv1, pool1, res2 to res5: never in time.
STRIDES = [(1, 2, 2), (1, 2, 2), (1, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2)]
FULL_STRIDE = total(STRIDES)
EXPANSION = 4


class Cell(nn.Module):
    """t x 1 x 1, 1 x 3 x 3 and 1 x 1 x 1 convolutions around a shortcut: [B,C,T,H,W] -> [B,4 inner,T,H/s,W/s]."""

    def __init__(self, inputs: int, inner: int, kernel: int, stride: Axes, momentum: float) -> None:
        super().__init__()
        outputs = EXPANSION * inner
        self.conv1 = nn.Conv3d(inputs, inner, (kernel, 1, 1), padding=(kernel // 2, 0, 0), bias=False)
        self.bn1 = nn.BatchNorm3d(inner, momentum=momentum)
        self.conv2 = nn.Conv3d(inner, inner, (1, 3, 3), stride=stride, padding=(0, 1, 1), bias=False)
        self.bn2 = nn.BatchNorm3d(inner, momentum=momentum)
        self.conv3 = nn.Conv3d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(outputs, momentum=momentum)
        self.downsample = None
        if inputs != outputs or max(stride) > 1:
            projection = nn.Conv3d(inputs, outputs, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm3d(outputs, momentum=momentum))

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,T,H,W] -> [B,4 inner,T,H/s,W/s], >= 0."""
        y = F.relu_(self.bn1(self.conv1(x)))
        y = F.relu_(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu_(y.add_(x if self.downsample is None else self.downsample(x)))


class R3D50G(ResidualBackbone):
    """video float [B,C,T,H,W] in [-1,1] -> the feature map [B, channels, T, H', W'], of any clip size.

    There is a cell of the feature map for every frame. width scales the channels, rounded to multiples of 8; the
    feature map has ``channels`` (2048 at width 1). output_stride (time, height, width) is input pixels per cell, no
    coarser than asked: the network's own is (1, 32, 32), and a finer one takes the strides out of the last stages.
    ``grid`` tells T', H', W' in advance. With num_classes there is a classifier too, ``fc``, read by ``classify``.
    Raises ValueError for an output_stride that is no power of two from (1, 2, 2) on.
    """

    res2: nn.Sequential
    res3: nn.Sequential
    res4: nn.Sequential
    res5: nn.Sequential

    def __init__(
        self,
        num_classes: int | None = None,
        in_channels: int = 3,
        width: float = 1.0,
        output_stride: Axes = FULL_STRIDE,
        bn_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        strides = thinned(STRIDES, output_stride)
        self.output_stride = total(strides)
        channels = scaled(64, width)
        self.conv1 = nn.Conv3d(in_channels, channels, (5, 7, 7), stride=strides[0], padding=(2, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(channels, momentum=bn_momentum)
        self.pool1 = MaxPool((1, 3, 3), strides[1], padding=(0, 1, 1))
        for (name, (inner, kernels)), stride in zip(STAGES.items(), strides[2:], strict=True):
            inner, stage = scaled(inner, width), []
            for i, kernel in enumerate(kernels):
                stage.append(Cell(channels, inner, kernel, (1, 1, 1) if i else stride, bn_momentum))
                channels = EXPANSION * inner
            self.add_module(name, nn.Sequential(*stage, FeatureGating(channels)))
        self.finish(channels, num_classes)

    def forward(self, video: Tensor) -> Tensor:
        """video [B,C,T,H,W] -> res5 [B,channels,T,H',W']; the shapes beside are table 1's, at width 1."""
        x = F.relu_(self.bn1(self.conv1(video)))  # 64 channels, 64 x 112 x 112
        x = self.pool1(x)  # 64, 64 x 56 x 56
        x = self.res2(x)  # 256, 64 x 56 x 56
        x = self.res3(x)  # 512, 64 x 28 x 28
        x = self.res4(x)  # 1024, 64 x 14 x 14
        return self.res5(x)  # 2048, 64 x 7 x 7
