"""S3D-G: Inception-v1 with separated convolutions and feature gating (Xie et al., "Rethinking Spatiotemporal Feature
Learning: Speed-Accuracy Trade-offs in Video Classification", ECCV 2018), the second backbone of PERF-Net.

Module names, padding and batch norm are those of the public PyTorch S3D (kylemin); the gates are where the authors'
code has them: behind the first separated convolution and behind every branch of an inception block.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets.modules import classifier_of
from workbench.nets.video.convolution import SamePool
from workbench.nets.video.i3d import FULL_STRIDE, MIXED, STEM, pool_table
from workbench.nets.video.layers import FeatureGating, MaxPool, VideoBackbone
from workbench.nets.video.sizes import Axes, cells, scaled, total

Layout = Literal["s3dg", "s3d", "howto100m"]


class BasicConv3d(nn.Module):
    """Convolution, batch norm, ReLU: [B,C,T,H,W] -> [B,O,T,H,W]."""

    def __init__(self, inputs: int, outputs: int, kernel: int | Axes = 1) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, kernel, bias=False)
        self.bn = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,T,H,W] -> [B,O,T,H,W], >= 0."""
        return F.relu_(self.bn(self.conv(x)))


class SepConv3d(nn.Module):
    """A convolution in space, then one in time, each with batch norm and ReLU; gated if asked."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, gated: bool = False) -> None:
        super().__init__()
        half = kernel // 2
        self.conv_s = nn.Conv3d(inputs, outputs, (1, kernel, kernel), (1, stride, stride), (0, half, half), bias=False)
        self.bn_s = nn.BatchNorm3d(outputs)
        self.conv_t = nn.Conv3d(outputs, outputs, (kernel, 1, 1), (stride, 1, 1), (half, 0, 0), bias=False)
        self.bn_t = nn.BatchNorm3d(outputs)
        self.gating = FeatureGating(outputs) if gated else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,T,H,W] -> [B,O,T/s,H/s,W/s]."""
        x = F.relu_(self.bn_s(self.conv_s(x)))
        return self.gating(F.relu_(self.bn_t(self.conv_t(x))))


class PatchStem(BasicConv3d):
    """HowTo100M's first layer: 4 x 8 x 8 pixels as 2 x 4 x 4 cells of 2 x 2 x 2 pixels, which are its channels.

    An odd axis is filled up with zeros at its end."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(8 * inputs, outputs, (2, 4, 4))

    def forward(self, video: Tensor) -> Tensor:
        """video [B,C,T,H,W] -> [B,O,ceil(T/2),ceil(H/2),ceil(W/2)], >= 0."""
        video = F.pad(video, [side for size in reversed(video.shape[2:]) for side in (0, size % 2)])
        batch, channels, t, h, w = video.shape
        pixels = video.reshape(batch, channels, t // 2, 2, h // 2, 2, w // 2, 2).permute(0, 3, 5, 7, 1, 2, 4, 6)
        # As much behind as makes the stride of a 7 x 7 window with "same" padding.
        return super().forward(F.pad(pixels.reshape(batch, 8 * channels, t // 2, h // 2, w // 2), (1, 2, 1, 2, 0, 1)))


class SepInception(nn.Module):
    """Four branches side by side: 1x1x1; 1x1x1 then a separated 3x3x3, twice; pool then 1x1x1; each gated if asked."""

    def __init__(self, inputs: int, branches: list[int], gated: bool) -> None:
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = branches
        self.branch0 = nn.Sequential(BasicConv3d(inputs, b0))
        self.branch1 = nn.Sequential(BasicConv3d(inputs, b1a), SepConv3d(b1a, b1b, 3))
        self.branch2 = nn.Sequential(BasicConv3d(inputs, b2a), SepConv3d(b2a, b2b, 3))
        self.branch3 = nn.Sequential(MaxPool((3, 3, 3), (1, 1, 1), padding=(1, 1, 1)), BasicConv3d(inputs, b3b))
        outputs = (b0, b1b, b2b, b3b)
        self.gating = nn.ModuleList(FeatureGating(count) if gated else nn.Identity() for count in outputs)
        self.channels = sum(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,T,H,W] -> [B,channels,T,H,W]."""
        branches = (self.branch0, self.branch1, self.branch2, self.branch3)
        return torch.cat([gate(branch(x)) for gate, branch in zip(self.gating, branches, strict=True)], dim=1)


class S3DG(VideoBackbone):
    """video float [B,C,T,H,W] in [-1,1] -> the feature map Mixed_5c, [B, channels, T', H', W'], of any clip size.

    width scales every layer's channels, rounded to multiples of 8; the feature map has ``channels`` (1024 at width 1).
    output_stride (time, height, width) is input pixels per cell, no coarser than asked: the network's own is
    (8, 32, 32), and a finer one takes the strides out of the last pools. ``grid`` tells T', H', W' in advance. With
    num_classes there is a classifier too, ``fc``, read by ``classify``.

    layout is whose weights fit: "s3dg"; "s3d", the same without gates, for the public weights of S3D on Kinetics (which
    fit "s3dg" too, but for its gates); "howto100m", the S3D-G of the public HowTo100M weights, which has another first
    layer, TensorFlow's padding and an epsilon of 1e-5 in its batch norm.
    Raises ValueError for an output_stride that is no power of two from (2, 2, 2) on.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        in_channels: int = 3,
        width: float = 1.0,
        output_stride: Axes = FULL_STRIDE,
        bn_momentum: float = 0.001,
        layout: Layout = "s3dg",
    ) -> None:
        super().__init__()
        pools, gated, patches = pool_table(output_stride), layout != "s3d", layout == "howto100m"
        self.output_stride = total([STEM, *(stride for _, stride in pools.values())])
        # Without padding the last pool leaves out what fills no window; TensorFlow's fills up.
        self.last_stride = (1, 1, 1) if patches else pools["5a_2x2"][1]

        def pool(name: str) -> nn.Module:
            (t, h, w), stride = pools[name]
            return SamePool((t, h, w), stride) if patches else MaxPool((t, h, w), stride, (t // 3, h // 3, w // 3))

        stem, wide = scaled(64, width), scaled(192, width)
        first = PatchStem(in_channels, stem) if patches else SepConv3d(in_channels, stem, 7, stride=2)
        layers: list[nn.Module] = [first, pool("2a_3x3"), BasicConv3d(stem, stem)]
        layers += [SepConv3d(stem, wide, 3, gated=gated), pool("3a_3x3")]
        channels = wide
        for name, branches in MIXED.items():
            if name in ("4b", "5b"):
                layers.append(pool("4a_3x3" if name == "4b" else "5a_2x2"))
            block = SepInception(channels, [scaled(count, width) for count in branches], gated)
            layers.append(block)
            channels = block.channels
        self.base = nn.Sequential(*layers)
        self.channels = channels
        self.fc = nn.Sequential(nn.Conv3d(channels, num_classes, 1)) if num_classes else None
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eps, module.momentum = 1e-5 if patches else 1e-3, bn_momentum

    def forward(self, video: Tensor) -> Tensor:
        """video [B,C,T,H,W] -> Mixed_5c [B,channels,T',H',W']: 1024 x 8 x 7 x 7 for 64 x 224 x 224 at width 1."""
        return self.base(video)

    def classify(self, feature_map: Tensor) -> Tensor:
        """Class scores [B,N] of a feature map of any size: ``fc`` of its mean over cells and over pairs of time steps,
        as in the public network (the first step and the last are in one pair only)."""
        pairs = feature_map.mean((3, 4), keepdim=True).unfold(2, min(2, feature_map.shape[2]), 1)
        return classifier_of(self, self.fc)(pairs.mean((2, 5)).unsqueeze(2)).flatten(1)

    def grid(self, clip: Axes) -> Axes:
        """Size (T', H', W') of the feature map of a clip of ``clip`` (T, H, W) frames and pixels."""
        a, b, c = (whole // last for whole, last in zip(self.output_stride, self.last_stride, strict=True))
        sizes = zip(cells(clip, (a, b, c)), self.last_stride, strict=True)
        t, h, w = (max(1, size // last) for size, last in sizes)
        return t, h, w
