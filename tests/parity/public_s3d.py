"""Public S3D and S3D-G networks, written out again from their descriptions: their names, layers and arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MIXED = [
    [192, 64, 96, 128, 16, 32, 32],
    [256, 128, 128, 192, 32, 96, 64],
    [480, 192, 96, 208, 16, 48, 64],
    [512, 160, 112, 224, 24, 64, 64],
    [512, 128, 128, 256, 24, 64, 64],
    [512, 112, 144, 288, 32, 64, 64],
    [528, 256, 160, 320, 32, 128, 128],
    [832, 256, 160, 320, 32, 128, 128],
    [832, 384, 192, 384, 48, 128, 128],
]
NAMES = ["3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c"]


def norm(channels: int) -> nn.BatchNorm3d:
    return nn.BatchNorm3d(channels, eps=1e-3, momentum=1e-3)


class Basic(nn.Module):
    """kylemin's."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv3d(i, o, 1, bias=False), norm(o)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x)).relu()


class Separated(nn.Module):
    """kylemin's."""

    def __init__(self, i: int, o: int, k: int, s: int = 1) -> None:
        super().__init__()
        p = (k - 1) // 2
        self.conv_s = nn.Conv3d(i, o, (1, k, k), stride=(1, s, s), padding=(0, p, p), bias=False)
        self.conv_t = nn.Conv3d(o, o, (k, 1, 1), stride=(s, 1, 1), padding=(p, 0, 0), bias=False)
        self.bn_s, self.bn_t = norm(o), norm(o)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn_t(self.conv_t(self.bn_s(self.conv_s(x)).relu())).relu()


def sequence(i: int, o: int, k=1, s=1, p=0) -> nn.Sequential:
    """torchvision's convolution, norm, ReLU."""
    return nn.Sequential(nn.Conv3d(i, o, k, s, p, bias=False), norm(o), nn.ReLU())


def separated_sequence(i: int, o: int, k: int, s: int = 1) -> nn.Sequential:
    p = (k - 1) // 2
    return nn.Sequential(
        sequence(i, o, (1, k, k), (1, s, s), (0, p, p)), sequence(o, o, (k, 1, 1), (s, 1, 1), (p, 0, 0))
    )


class Mixed(nn.Module):
    def __init__(self, sizes: list[int], basic: Callable, separated: Callable, wrapped: bool) -> None:
        super().__init__()
        i, b0, b1a, b1b, b2a, b2b, b3 = sizes
        self.branch0 = nn.Sequential(basic(i, b0)) if wrapped else basic(i, b0)
        self.branch1 = nn.Sequential(basic(i, b1a), separated(b1a, b1b, 3))
        self.branch2 = nn.Sequential(basic(i, b2a), separated(b2a, b2b, 3))
        self.branch3 = nn.Sequential(nn.MaxPool3d(3, stride=1, padding=1), basic(i, b3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)], 1)


def trunk(basic: Callable, separated: Callable, wrapped: bool) -> nn.Sequential:
    blocks = [Mixed(sizes, basic, separated, wrapped) for sizes in MIXED]
    pools = [nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)) for _ in range(2)]
    early = [separated(3, 64, 7, 2), pools[0], basic(64, 64), separated(64, 192, 3), pools[1]]
    return nn.Sequential(
        *early, *blocks[:2], nn.MaxPool3d(3, 2, 1), *blocks[2:7], nn.MaxPool3d(2, 2), *blocks[7:]
    )  # fmt: skip


class KyleminS3D(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.base = trunk(Basic, Separated, wrapped=True)
        self.fc = nn.Sequential(nn.Conv3d(1024, classes, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f = self.base(x)
        return f, self.fc(F.avg_pool3d(f, (2, f.shape[3], f.shape[4]), stride=1)).mean((2, 3, 4))


class TorchvisionS3D(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = trunk(sequence, separated_sequence, wrapped=False)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Conv3d(1024, classes, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f = self.features(x)
        return f, self.classifier(F.avg_pool3d(f, (2, f.shape[3], f.shape[4]), stride=1)).mean((2, 3, 4))


# HowTo100M


class STConv(nn.Module):
    def __init__(self, i: int, o: int, k, p=0, separable: bool = False) -> None:
        super().__init__()
        first = (1, k, k) if separable else k
        self.conv1 = nn.Conv3d(i, o, first, padding=(0, p, p) if separable else p, bias=False)
        self.bn1 = nn.BatchNorm3d(o)
        if separable:
            self.conv2, self.bn2 = nn.Conv3d(o, o, (k, 1, 1), padding=(p, 0, 0), bias=False), nn.BatchNorm3d(o)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        return self.bn2(self.conv2(x)).relu() if hasattr(self, "conv2") else x


class Gate(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.fc = nn.Linear(c, c)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc(x.mean((2, 3, 4)))).view(*x.shape[:2], 1, 1, 1)


class HowToBlock(nn.Module):
    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        i, b0, b1a, b1b, b2a, b2b, b3 = sizes
        self.conv_b0 = STConv(i, b0, 1)
        self.conv_b1_a, self.conv_b1_b = STConv(i, b1a, 1), STConv(b1a, b1b, 3, 1, separable=True)
        self.conv_b2_a, self.conv_b2_b = STConv(i, b2a, 1), STConv(b2a, b2b, 3, 1, separable=True)
        self.conv_b3_b = STConv(i, b3, 1)
        self.gating_b0, self.gating_b1, self.gating_b2, self.gating_b3 = Gate(b0), Gate(b1b), Gate(b2b), Gate(b3)

    def forward(self, x: Tensor) -> Tensor:
        b1, b2 = self.conv_b1_b(self.conv_b1_a(x)), self.conv_b2_b(self.conv_b2_a(x))
        b3 = self.conv_b3_b(F.max_pool3d(x, 3, 1, 1))
        return torch.cat(
            [self.gating_b0(self.conv_b0(x)), self.gating_b1(b1), self.gating_b2(b2), self.gating_b3(b3)], 1
        )


class HowTo100M(nn.Module):
    """With the first layer of the released weights: cells of 2 x 2 x 2 pixels, a window of 2 x 4 x 4 of them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv_2b = STConv(24, 64, (2, 4, 4), (1, 2, 2)), STConv(64, 64, 1)
        self.conv_2c, self.gating = STConv(64, 192, 3, 1, separable=True), Gate(192)
        for name, sizes in zip(NAMES, MIXED, strict=True):
            self.add_module(f"mixed_{name}", HowToBlock(sizes))
        self.fc = nn.Linear(1024, 512)
        self.text_module = nn.ModuleDict({"fc1": nn.Linear(300, 8)})

    def forward(self, x: Tensor) -> Tensor:
        b, c, t, h, w = x.shape
        x = x.view(b, c, t // 2, 2, h // 2, 2, w // 2, 2).permute(0, 3, 5, 7, 1, 2, 4, 6)
        x = self.conv1(x.reshape(b, 8 * c, t // 2, h // 2, w // 2))[:, :, 1:, 1:, 1:]

        def pool(x: Tensor, kernel: tuple, stride: tuple) -> Tensor:
            after = [k - s for k, s in zip(reversed(kernel), reversed(stride), strict=True)]
            return F.max_pool3d(F.pad(x, [side for size in after for side in (0, size)]), kernel, stride)

        x = self.conv_2b(pool(x, (1, 3, 3), (1, 2, 2)))
        x = pool(self.gating(self.conv_2c(x)), (1, 3, 3), (1, 2, 2))
        for name in NAMES:
            if name == "4b":
                x = pool(x, (3, 3, 3), (2, 2, 2))
            if name == "5b":
                x = pool(x, (2, 2, 2), (2, 2, 2))
            x = getattr(self, f"mixed_{name}")(x)
        return x
