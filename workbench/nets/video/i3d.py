"""I3D: Inception-v1 inflated to three dimensions (Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017).

Module names, padding and batch norm are those of the public PyTorch I3D, so that its checkpoints load as they are.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets.modules import classifier_of
from workbench.nets.video.convolution import SamePool, StemConv
from workbench.nets.video.layers import VideoBackbone
from workbench.nets.video.sizes import Axes, scaled, thinned, total

# Channels of the branches b0, b1a, b1b, b2a, b2b, b3b at width 1.
MIXED = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
# Stride of the stem, window and stride of the pools; the last pools give up their strides for a finer grid.
STEM = (2, 2, 2)
POOLS = {
    "2a_3x3": ((1, 3, 3), (1, 2, 2)),
    "3a_3x3": ((1, 3, 3), (1, 2, 2)),
    "4a_3x3": ((3, 3, 3), (2, 2, 2)),
    "5a_2x2": ((2, 2, 2), (2, 2, 2)),
}
#: The layers before Mixed_4b that learn.
FIRST = ("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3", "Mixed_3b", "Mixed_3c")
#: Cells (time, height, width) over which the public classifier averages.
HEAD = (2, 7, 7)
FULL_STRIDE = total([STEM, *(stride for _, stride in POOLS.values())])  # (8, 32, 32)


class Unit3D(nn.Module):
    """3D convolution with "same" padding, batch norm, ReLU: [B,C,T,H,W] -> [B,O,T/s,H/s,W/s], >= 0."""

    def __init__(self, inputs: int, outputs: int, kernel: int, momentum: float) -> None:
        super().__init__()
        stem, pad = kernel == 7, kernel // 2
        self.conv3d = StemConv(inputs, outputs) if stem else nn.Conv3d(inputs, outputs, kernel, padding=pad, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=0.001, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,T,H,W] -> [B,O,T/s,H/s,W/s], >= 0; the stride s is 2 in the stem and 1 elsewhere."""
        return F.relu_(self.bn(self.conv3d(x)))


class Inception(nn.Module):
    """Four branches side by side: 1x1x1; 1x1x1 then 3x3x3, twice; pool then 1x1x1."""

    def __init__(self, inputs: int, branches: list[int], momentum: float) -> None:
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = branches
        self.b0 = Unit3D(inputs, b0, 1, momentum)
        self.b1a, self.b1b = Unit3D(inputs, b1a, 1, momentum), Unit3D(b1a, b1b, 3, momentum)
        self.b2a, self.b2b = Unit3D(inputs, b2a, 1, momentum), Unit3D(b2a, b2b, 3, momentum)
        self.b3a, self.b3b = SamePool((3, 3, 3), (1, 1, 1)), Unit3D(inputs, b3b, 1, momentum)
        self.channels = b0 + b1b + b2b + b3b

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,T,H,W] -> [B,channels,T,H,W]."""
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))], dim=1)


class Half(nn.Sequential):
    """Layers of an I3D by their names there (see ``I3D.halves``)."""


class I3D(VideoBackbone):
    """video float [B,C,T,H,W] in [-1,1] -> the feature map Mixed_5c, [B, channels, T', H', W'], of any clip size.

    width scales every layer's channels, rounded to multiples of 8; the feature map has ``channels`` (1024 at width 1).
    output_stride (time, height, width) is input pixels per cell of the feature map: a stride finer than (8, 32, 32)
    takes the strides out of the last pools, e.g. (4, 16, 16) out of MaxPool3d_5a_2x2; a coarser one changes nothing. A
    window of two without its stride would shift the grid by half a cell, so it becomes a window of one. ``grid`` tells
    T', H', W' in advance.
    With num_classes there is a classifier too, ``logits``, read by ``classify``.
    bn_momentum is the public network's; a short training from scratch may want its batch statistics to move faster.
    Raises ValueError for an output_stride that is no power of two from (2, 2, 2) on.
    """

    Mixed_3b: Inception
    Mixed_3c: Inception
    Mixed_4b: Inception
    Mixed_4c: Inception
    Mixed_4d: Inception
    Mixed_4e: Inception
    Mixed_4f: Inception
    Mixed_5b: Inception
    Mixed_5c: Inception

    def __init__(
        self,
        num_classes: int | None = None,
        in_channels: int = 3,
        width: float = 1.0,
        output_stride: Axes = FULL_STRIDE,
        bn_momentum: float = 0.01,
    ) -> None:
        super().__init__()
        pools = pool_table(output_stride)
        self.output_stride = total([STEM, *(stride for _, stride in pools.values())])
        stem, wide = scaled(64, width), scaled(192, width)
        self.Conv3d_1a_7x7 = Unit3D(in_channels, stem, 7, bn_momentum)
        self.MaxPool3d_2a_3x3 = SamePool(*pools["2a_3x3"])
        self.Conv3d_2b_1x1 = Unit3D(stem, stem, 1, bn_momentum)
        self.Conv3d_2c_3x3 = Unit3D(stem, wide, 3, bn_momentum)
        self.MaxPool3d_3a_3x3 = SamePool(*pools["3a_3x3"])
        channels = wide
        for name, branches in MIXED.items():
            if name == "4b":
                self.MaxPool3d_4a_3x3 = SamePool(*pools["4a_3x3"])
            if name == "5b":
                self.MaxPool3d_5a_2x2 = SamePool(*pools["5a_2x2"])
            module = Inception(channels, [scaled(count, width) for count in branches], bn_momentum)
            self.add_module(f"Mixed_{name}", module)
            channels = module.channels
        self.channels = channels
        self.logits = nn.ModuleDict({"conv3d": nn.Conv3d(channels, num_classes, 1)}) if num_classes else None

    def forward(self, video: Tensor) -> Tensor:
        """video [B,C,T,H,W] -> Mixed_5c [B,channels,T',H',W']; the shapes beside are for 64 x 224 x 224 at width 1."""
        # What frozen first layers make of a clip may have been computed before (see Batch.encoded).
        encoded = video.shape[1] == self.Mixed_4b.b0.conv3d.in_channels
        x = video if encoded else self.first_layers(video)
        x = self.Mixed_4d(self.Mixed_4c(self.Mixed_4b(x)))  # 512
        x = self.Mixed_4f(self.Mixed_4e(x))  # 832
        x = self.MaxPool3d_5a_2x2(x)  # 832, 8 x 7 x 7
        return self.Mixed_5c(self.Mixed_5b(x))  # 1024

    def first_layers(self, video: Tensor) -> Tensor:
        """FIRST and the pools between them, after which a cell of the grid is half as wide as one of Mixed_5c."""
        x = self.Conv3d_1a_7x7(video)  # 64 channels, 32 x 112 x 112
        x = self.MaxPool3d_2a_3x3(x)  # 64, 32 x 56 x 56
        x = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x))  # 192
        x = self.MaxPool3d_3a_3x3(x)  # 192, 32 x 28 x 28
        x = self.Mixed_3c(self.Mixed_3b(x))  # 480
        return self.MaxPool3d_4a_3x3(x)  # 480, 16 x 14 x 14

    def classify(self, feature_map: Tensor) -> Tensor:
        """Class scores [B,N] of a feature map of any size, by the public head: means over windows of HEAD cells that
        move by one (smaller where the map is), ``logits`` of each, and the mean over all windows.

        In time that is no plain mean: the first and the last of more than two steps are in one window, the others in
        two. A head of its own that pools the map, as the systems' classifiers do, weighs all steps alike.
        """
        window = [min(size, length) for size, length in zip(HEAD, feature_map.shape[2:], strict=True)]
        return classifier_of(self, self.logits)["conv3d"](F.avg_pool3d(feature_map, window, stride=1)).mean((2, 3, 4))

    def halves(self, blocks: int) -> tuple[Half, Half]:
        """This network as two, one behind the other, which share its layers: the second holds the last ``blocks``
        inception blocks, 0 to 9, and the pools between them. ValueError for another number."""
        layers = [(name, layer) for name, layer in self.named_children() if name != "logits"]
        starts = [index for index, (name, _) in enumerate(layers) if name.startswith("Mixed")] + [len(layers)]
        if not 0 <= blocks < len(starts):
            raise ValueError(f"an I3D has 0 to {len(starts) - 1} inception blocks behind a cut, not {blocks}")
        cut = starts[len(starts) - 1 - blocks]
        return Half(OrderedDict(layers[:cut])), Half(OrderedDict(layers[cut:]))


def pool_table(output_stride: Axes) -> dict[str, tuple[Axes, Axes]]:
    """Window and stride of every pool for a total stride no coarser than asked; raises as ``thinned``."""
    strides = thinned([STEM, *(stride for _, stride in POOLS.values())], output_stride)[1:]
    table = {}
    for (name, (window, full)), stride in zip(POOLS.items(), strides, strict=True):
        lost = [now < before for now, before in zip(stride, full, strict=True)]
        t, h, w = (1 if gone and size == 2 else size for gone, size in zip(lost, window, strict=True))
        table[name] = ((t, h, w), stride)
    return table
