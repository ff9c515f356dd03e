"""3D ResNeXt-101 of cardinality 32 (Hara et al., "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and
ImageNet?", CVPR 2018).

Module names, strides, padding and batch norm are those of the public 3D-ResNets-PyTorch (``resnext``, depth 101,
shortcut B), so that its checkpoints load as they are.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets.video.layers import MaxPool, ResidualBackbone
from workbench.nets.video.sizes import Axes, scaled, thinned, total

CARDINALITY = 32
# Blocks of each stage, and channels in each group of its grouped convolutions (twice as many leave a block).
STAGES = {"layer1": (3, 4), "layer2": (4, 8), "layer3": (23, 16), "layer4": (3, 32)}
# Of conv1, maxpool and the four stages.
STRIDES = [(1, 2, 2), (2, 2, 2), (1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2)]
FULL_STRIDE = total(STRIDES)
EXPANSION = 2


class Bottleneck(nn.Module):
    """1x1x1, grouped 3x3x3 and 1x1x1 convolutions around a shortcut: [B,C,T,H,W] -> [B,2 inner,T/s,H/s,W/s]."""

    def __init__(self, inputs: int, inner: int, groups: int, stride: Axes, momentum: float) -> None:
        super().__init__()
        outputs = EXPANSION * inner
        self.conv1 = nn.Conv3d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(inner, momentum=momentum)
        self.conv2 = nn.Conv3d(inner, inner, 3, stride=stride, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm3d(inner, momentum=momentum)
        self.conv3 = nn.Conv3d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(outputs, momentum=momentum)
        self.downsample = None
        if inputs != outputs or max(stride) > 1:
            projection = nn.Conv3d(inputs, outputs, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm3d(outputs, momentum=momentum))

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,T,H,W] -> [B,2 inner,T/s,H/s,W/s], >= 0."""
        y = F.relu_(self.bn1(self.conv1(x)))
        y = F.relu_(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu_(y.add_(x if self.downsample is None else self.downsample(x)))


class ResNeXt3D(ResidualBackbone):
    """video float [B,C,T,H,W] -> the feature map of layer4 [B, channels, T', H', W'], of any clip size.

    Videos of this workbench are in [-1,1]; the public weights were trained on pixels less their mean, in [0,255].
    width scales the channels, which stay multiples of 8: a narrow network has fewer than 32 groups, as wide as the
    published ones. The feature map has ``channels`` (2048 at width 1). output_stride (time, height, width) is input
    pixels per cell, no coarser than asked: the network's own is (16, 32, 32), and a finer one takes the strides out of
    the last stages. ``grid`` tells T', H', W' in advance. With num_classes there is a classifier too, ``fc``, read by
    ``classify``.
    Raises ValueError for an output_stride that is no power of two from (1, 2, 2) on.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

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
        channels, groups = scaled(64, width), scaled(CARDINALITY, width, 2)
        self.conv1 = nn.Conv3d(in_channels, channels, 7, stride=strides[0], padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(channels, momentum=bn_momentum)
        self.maxpool = MaxPool((3, 3, 3), strides[1], padding=(1, 1, 1))
        for (name, (count, size)), stride in zip(STAGES.items(), strides[2:], strict=True):
            stage = []
            for i in range(count):
                stage.append(Bottleneck(channels, groups * size, groups, (1, 1, 1) if i else stride, bn_momentum))
                channels = EXPANSION * groups * size
            self.add_module(name, nn.Sequential(*stage))
        self.finish(channels, num_classes)

    def forward(self, video: Tensor) -> Tensor:
        """video [B,C,T,H,W] -> layer4 [B,channels,T',H',W']; the shapes beside are for 16 x 112 x 112 at width 1."""
        x = F.relu_(self.bn1(self.conv1(video)))  # 64 channels, 16 x 56 x 56
        x = self.maxpool(x)  # 64, 8 x 28 x 28
        x = self.layer1(x)  # 256, 8 x 28 x 28
        x = self.layer2(x)  # 512, 4 x 14 x 14
        x = self.layer3(x)  # 1024, 2 x 7 x 7
        return self.layer4(x)  # 2048, 1 x 4 x 4
