"""Batch norm over the batch of all processes, so that what is learnt doesn't depend on how many share it."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def share(system: nn.Module, device: torch.device) -> None:
    """Gives every batch norm inside ``system``, with the same parameters and buffers, the batch of all processes."""
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(system)
        return
    for parent in list(system.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.modules.batchnorm._BatchNorm):
                setattr(parent, name, SharedBatchNorm.of(child))


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """torch's SyncBatchNorm for the CPU, which that refuses. x: float [B,C,...], of any dtype; training normalises by
    the mean and the variance over the rows of all processes, and evaluation by the running ones."""

    @classmethod
    def of(cls, layer: nn.modules.batchnorm._BatchNorm) -> SharedBatchNorm:
        """The same layer with shared statistics; it takes over its tensors."""
        shared = cls(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        shared.weight, shared.bias = layer.weight, layer.bias
        for name, buffer in layer.named_buffers():
            setattr(shared, name, buffer)
        return shared.train(layer.training)

    def _check_input_dim(self, x: Tensor) -> None:
        """Any number of dimensions."""

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,...] -> the same shape, by the statistics of all processes while training."""
        if not self.training:
            return super().forward(x)
        axes, shape = [0, *range(2, x.dim())], [1, -1] + [1] * (x.dim() - 2)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        sums = Sum.apply(torch.cat([wide.sum(axes), wide.new_tensor([x.numel() / x.shape[1]])]))
        count, mean = sums[-1].detach(), sums[:-1] / sums[-1].detach()
        centred = wide - mean.view(shape)
        variance = Sum.apply(centred.square().sum(axes)) / count
        with torch.no_grad():
            assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
            assert self.num_batches_tracked is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)  # unbiased, as torch's
        y = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(x.dtype)


class Sum(torch.autograd.Function):
    """The sum of a tensor over processes. Each process has a loss of its own, and the gradient is that of their sum."""

    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        """The sum over processes."""
        return _summed(tensor)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        """The sum of the gradients over processes."""
        return _summed(gradient)


def _summed(tensor: Tensor) -> Tensor:
    total = tensor.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total
