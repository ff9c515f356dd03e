"""What the video backbones have in common: their widths, their strides and the size of their feature map."""

from __future__ import annotations

from math import prod

Axes = tuple[int, int, int]


def scaled(channels: int, width: float, multiple: int = 8) -> int:
    """``channels`` at another width, rounded to a multiple of ``multiple``, and at least that."""
    return max(multiple, int(channels * width / multiple + 0.5) * multiple)


def total(strides: list[Axes]) -> Axes:
    """Input pixels a cell (T,H,W) after layers of these strides."""
    t, h, w = (prod(axis) for axis in zip(*strides, strict=True))
    return t, h, w


def thinned(strides: list[Axes], output_stride: Axes) -> list[Axes]:
    """The strides (T,H,W), each 1 or 2, of a network's layers, first to last, for a feature map no coarser than
    ``output_stride``.

    An axis whose total is coarser gives up its strides from the last layer on; one that is finer stays. The first
    layer keeps its stride. Raises ValueError for a value that is no power of two or finer than the first layer's.
    """
    finest, full = strides[0], total(strides)
    if len(output_stride) != 3 or any(
        ask < least or ask & (ask - 1) for ask, least in zip(output_stride, finest, strict=True)
    ):
        ends = zip(finest, full, strict=True)
        powers = [[2**power for power in range(7) if low <= 2**power <= high] for low, high in ends]
        raise ValueError(
            f"output_stride {tuple(output_stride)} is not one of {' x '.join(map(str, powers))}, or coarser"
        )
    kept = [list(stride) for stride in strides]
    for axis in range(3):
        spare = full[axis] // min(full[axis], output_stride[axis])
        for stride in reversed(kept[1:]):
            if stride[axis] == 2 and spare > 1:
                stride[axis], spare = 1, spare // 2
    return [(t, h, w) for t, h, w in kept]


def cells(clip: Axes, stride: Axes) -> Axes:
    """Size (T',H',W') of the feature map of a clip (T,H,W), where every layer rounds up."""
    t, h, w = (-(-size // step) for size, step in zip(clip, stride, strict=True))
    return t, h, w
