"""Whether the tensors that a loss is given go together."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def agree(loss: str, **tensors: tuple[Any, str]) -> None:
    """ValueError naming the ``loss`` unless each of ``tensors`` (name: (tensor, "B E")) is a tensor of these axes, of
    which those with one letter are equally long. Broadcasting would make a number of anything else."""
    sizes: dict[str, int] = {}
    for tensor, axes in tensors.values():
        letters = axes.split()
        fits = isinstance(tensor, Tensor) and tensor.dim() == len(letters)
        if not fits or any(sizes.setdefault(a, n) != n for a, n in zip(letters, tensor.shape, strict=True)):
            wanted = " and ".join(f"{name} [{axes.replace(' ', ',')}]" for name, (_, axes) in tensors.items())
            got = " and ".join(_shape(tensor) for tensor, _ in tensors.values())
            raise ValueError(f"{loss}: {wanted} should agree, got {got}")


def _shape(value: Any) -> str:
    return str(list(value.shape)) if isinstance(value, Tensor) else f"a {type(value).__name__}"
