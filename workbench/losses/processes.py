"""The batch of all processes, for losses that compare or count its rows. In one process everything stays as it is.

Data-parallel training averages the gradients of its processes. So rows that a process gathers have, besides the value,
world times the gradient of its own rows and none of the others': a loss of all rows, computed in every process, then
has the gradient that it would have in one.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor


def world() -> int:
    """How many processes train together; 1 where no gradients are taken, since processes evaluate without waiting for
    one another."""
    together = torch.is_grad_enabled() and dist.is_available() and dist.is_initialized()
    return dist.get_world_size() if together else 1


def gather_rows(tensor: Tensor) -> Tensor:
    """[B,...] -> the rows of all processes, in the order of their ranks. Sizes after the first may differ: they become
    the largest, filled with zeros."""
    if world() == 1:
        return tensor
    shapes = _all(torch.tensor(tensor.shape, device=tensor.device))
    largest = torch.stack(shapes).amax(0).tolist()
    missing = [most - size for size, most in zip(tensor.shape, largest, strict=True)]
    own = F.pad(tensor, [side for count in reversed(missing) for side in (0, count)])  # from the last dimension on
    plain = own.detach()
    parts = _all(plain.to(torch.uint8) if own.dtype == torch.bool else plain)
    parts = [part.to(own.dtype) for part in parts]
    if own.requires_grad:
        parts[dist.get_rank()] = plain + world() * (own - plain)  # the value of one, the gradient of world
    return torch.cat([part[: int(shape[0])] for part, shape in zip(parts, shapes, strict=True)])


def share(count: Tensor) -> Tensor | float:
    """What the mean over ``count`` (a scalar) rows of this process weighs, so that the mean over processes is the mean
    over all rows: world count / counts of all."""
    if world() == 1:
        return 1.0
    return world() * count / torch.stack(_all(count)).sum()


def same(tensor: Tensor) -> Tensor:
    """What the first process drew, in all of them; shapes must agree."""
    if world() > 1:
        tensor = tensor.contiguous()
        dist.broadcast(tensor, src=0)
    return tensor


def draw_seed(device: torch.device) -> int:
    """A random seed, the same in every process: the first one's draw."""
    return int(same(torch.randint(2**62, (1,)).to(device)))


def average(tensor: Tensor) -> Tensor:
    """The mean of a tensor of one shape over processes; it gets no gradient in several."""
    if world() == 1:
        return tensor
    total = tensor.detach().clone()
    dist.all_reduce(total)
    return total / world()


def _all(tensor: Tensor) -> list[Tensor]:
    parts = [torch.empty_like(tensor) for _ in range(world())]
    dist.all_gather(parts, tensor.contiguous())
    return parts
