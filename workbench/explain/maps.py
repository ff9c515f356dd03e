"""From the feature grid to the picture: which frames a time step stands for, and a map laid over the frames.

Cell t' of a grid with T' steps over T frames covers frames [t' T/T', (t'+1) T/T'), and likewise in space, so that a map
is resized with the centres of its cells in place (``align_corners=False``), never with its corners.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

SCALES = ("clip", "frame", "sum", "none")
COLORMAPS = ("inferno", "viridis", "cividis", "magma")


def spans(steps: int, frames: int) -> np.ndarray:
    """int64 [T',2]: first frame and end (exclusive) of each time step on a clip of ``frames`` frames."""
    edges = np.round(np.linspace(0, frames, steps + 1)).astype(np.int64)
    return np.stack([edges[:-1], edges[1:]], axis=1)


def upsample(values: np.ndarray, size: tuple[int, int, int], smooth: bool = True) -> np.ndarray:
    """float32 [T,H,W]: a map [T',H',W'] at ``size``, trilinear, or each cell as a block where not ``smooth``.

    A map [H',W'] is the same in every frame. Values keep their unit and range (no normalisation).
    """
    grid = torch.as_tensor(np.asarray(values, np.float32))
    if grid.ndim == 2:
        grid = grid[None]
    if grid.ndim != 3:
        raise ValueError(f"a map must be [T',H',W'] or [H',W'], got {list(grid.shape)}")
    how = {"mode": "trilinear", "align_corners": False} if smooth else {"mode": "nearest-exact"}
    return functional.interpolate(grid[None, None], size=tuple(size), **how)[0, 0].numpy()


def normalise(values: np.ndarray, scale: str = "clip") -> np.ndarray:
    """``values`` float [T,H,W] as float32 of the same shape.

    Scaled to [0,1] over the whole clip ("clip": steps stay comparable) or over each frame ("frame": where within it),
    to sum 1 ("sum": shares of the attention), or left as it is ("none").
    A constant map becomes zeros under "clip" and "frame". Raises ValueError for another scale or non-finite values.
    """
    values = np.asarray(values, np.float32)
    if scale not in SCALES:
        raise ValueError(f"unknown scale {scale!r}; known: {', '.join(SCALES)}")
    if not np.isfinite(values).all():
        raise ValueError("a map to normalise must be finite; it holds NaN or infinity")
    if scale == "none":
        return values
    if scale == "sum":
        total = values.sum()
        if values.min() < 0 or total <= 0:
            raise ValueError("only a non-negative map with some positive value can be scaled to sum 1")
        return values / total
    axes = tuple(range(values.ndim)) if scale == "clip" else (-2, -1)
    low, high = values.min(axes, keepdims=True), values.max(axes, keepdims=True)
    span = high - low
    return np.divide(values - low, span, out=np.zeros_like(values), where=span > 0)


def colorize(values: np.ndarray, colormap: str = "inferno") -> np.ndarray:
    """uint8 RGB [...,3] of values in [0,1] (clipped). Every colour map rises in lightness, for the colour-blind too."""
    import cv2

    if colormap not in COLORMAPS:
        raise ValueError(f"unknown colour map {colormap!r}; known: {', '.join(COLORMAPS)}")
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], getattr(cv2, f"COLORMAP_{colormap.upper()}"))
    steps = (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
    return table[:, 0, ::-1][steps]


def overlay(frames: np.ndarray, values: np.ndarray, opacity: float = 0.8) -> np.ndarray:
    """uint8 [T,H,W,3]: ``values`` [T,H,W] in [0,1] laid over ``frames`` uint8 [T,H,W,3].

    The frame is greyed so that colour belongs to the map alone. opacity in [0,1] is how much the map covers the frame
    where it is 1; where it is 0 it covers a third of that, so that the person stays visible.
    """
    frames = np.asarray(frames)
    if frames.shape[:-1] != np.shape(values):
        raise ValueError(f"frames {list(frames.shape)} and map {list(np.shape(values))} differ; upsample the map first")
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must lie in [0,1], got {opacity}")
    grey = (frames @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    cover = np.float32(opacity) * (1 + 2 * np.clip(np.asarray(values, np.float32), 0, 1)[..., None]) / 3
    mixed = grey * (1 - cover) + colorize(values) * cover
    return (mixed + 0.5).astype(np.uint8)
