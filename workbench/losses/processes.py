"""A loss over pairs of clips reads the whole batch, of which each process of a training run holds a part.

Without it M, the negatives and the memory of a contrastive loss would follow the number of processes."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def gather(rows: Tensor) -> Tensor:
    """``rows`` [B,...] of every process, one process after the other, [B_all,...]; processes may differ in B.

    Every process then takes the same loss of the same rows. Gradients reach a process's own rows, times the number of
    processes, so that their mean over processes, which data-parallel training takes, is the gradient of that loss. One
    process, or no gradients (evaluation, in which processes don't wait for one another): the rows themselves.
    """
    return _Rows.apply(rows) if _together() else rows


def draw_seed(device: torch.device) -> int:
    """A random seed, the same in every process: the first one's draw."""
    seed = torch.randint(2**62, (1,))
    if _together():
        seed = seed.to(device)
        dist.broadcast(seed, src=0)
    return int(seed)


def _together() -> bool:
    several = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
    return several and torch.is_grad_enabled()


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: Tensor) -> Tensor:
        world, rank = dist.get_world_size(), dist.get_rank()
        count = torch.tensor([len(rows)], device=rows.device)
        counts = [torch.empty_like(count) for _ in range(world)]
        dist.all_gather(counts, count)
        counts = [int(count) for count in counts]
        # A clip that can't be read leaves a process with a row less.
        padded = torch.cat([rows, rows.new_zeros(max(counts) - len(rows), *rows.shape[1:])]).contiguous()
        parts = [torch.empty_like(padded) for _ in range(world)]
        dist.all_gather(parts, padded)
        ctx.start, ctx.count, ctx.world = sum(counts[:rank]), len(rows), world
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient[ctx.start : ctx.start + ctx.count] * ctx.world
