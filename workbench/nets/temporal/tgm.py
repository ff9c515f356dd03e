"""Temporal Gaussian mixtures (Piergiovanni and Ryoo, "Temporal Gaussian Mixture Layer for Videos", ICML 2019)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets.temporal.masks import cleared, real


class GaussianMixtures(nn.Module):
    """A convolution over time whose kernels are mixtures of ``mixtures`` Gaussians that all its kernels share: it
    learns their centres and widths, and which of them a kernel attends to (section 3.1).

    x [B,c_in,D,T] -> [B,c_out,D,T]: each output channel filters every input channel with a kernel of its own, adds them
    up with weights and rectifies (section 3.2); with one input channel there is nothing to add up.
    """

    def __init__(self, c_in: int, c_out: int, length: int = 5, mixtures: int = 16) -> None:
        super().__init__()
        if length % 2 == 0:
            raise ValueError(f"GaussianMixtures: length must be odd, so that a kernel has a middle, got {length}")
        self.c_in, self.c_out, self.length = c_in, c_out, length
        self.centre = nn.Parameter(torch.randn(mixtures) * 0.5)
        self.width = nn.Parameter(torch.randn(mixtures) * 0.01)
        self.attention = nn.Parameter(torch.randn(c_out, c_in, mixtures))
        self.combine = nn.Parameter(torch.full((c_out, c_in), 1 / c_in)) if c_in > 1 else None

    def gaussians(self) -> Tensor:
        """float [mixtures,length], each summing to 1. Centre mu = (L - 1)(tanh(mu') + 1)/2 lies within the kernel, the
        variance is exp(sigma')^2 (eq. 1 to 3); the public code's curve is a Cauchy density instead."""
        at = torch.arange(self.length, dtype=self.centre.dtype, device=self.centre.device)
        centre = (self.length - 1) * (self.centre.tanh() + 1) / 2
        away = (at - centre[:, None]) / self.width.exp()[:, None]
        return (-away.square() / 2).softmax(1)  # exp(..)/Z

    def kernels(self) -> Tensor:
        """float [c_out,c_in,length]: the Gaussians, weighed by a softmax over them."""
        return self.attention.softmax(-1) @ self.gaussians()

    def forward(self, x: Tensor) -> Tensor:
        """float [B,c_in,D,T] -> [B,c_out,D,T]."""
        batch, c_in, size, steps = x.shape
        apart = x.transpose(1, 2).reshape(batch * size, c_in, steps)  # every feature by itself
        filters = self.kernels().transpose(0, 1).reshape(c_in * self.c_out, 1, self.length)
        y = F.conv1d(apart, filters, padding=self.length // 2, groups=c_in)  # [B*D,c_in*c_out,T]
        y = y.view(batch, size, c_in, self.c_out, steps)
        y = y[:, :, 0] if self.combine is None else F.relu(torch.einsum("bdiot,oi->bdot", y, self.combine))
        return y.transpose(1, 2)  # [B,c_out,D,T]


class TGM(nn.Module):
    """Features of snippets -> features that know their surroundings: a pointwise layer to ``channels``, ``layers``
    mixtures of ``c_out`` channels on top of each other, and a pointwise layer that joins the largest of the channels
    with what came in (section 4, after the public network)."""

    def __init__(
        self,
        in_channels: int,
        channels: int = 256,
        layers: int = 3,
        c_out: int = 8,
        length: int = 5,
        mixtures: int = 16,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.project = nn.Linear(in_channels, channels)
        self.layers = nn.ModuleList(GaussianMixtures(c_out if i else 1, c_out, length, mixtures) for i in range(layers))
        self.join = nn.Linear(2 * channels, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """float [B,T,in_channels], mask bool [B,T] (True: a real snippet; None: all are) -> float [B,T,channels], zero
        where padded."""
        mask = real(x, mask)
        x = cleared(self.project(cleared(x, mask)), mask)
        y = x.transpose(1, 2)[:, None]  # [B,1,D,T]
        for layer in self.layers:
            y = layer(y).masked_fill(~mask[:, None, None], 0)  # [B,c_out,D,T]
        context = y.amax(1).transpose(1, 2)  # [B,T,D]
        return cleared(self.dropout(F.relu(self.join(torch.cat([x, context], dim=2)))), mask)
