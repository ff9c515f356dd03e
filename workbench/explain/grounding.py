"""What does attention lie on: joints, limbs, the object, or the background?

Every pixel of a frame belongs to the first of these that it is part of: the object (the known truth of a synthetic
clip), a joint (a disc), a limb (a bar between joints), the background. An attention map is read as constant inside its
cells, so that its mass on a kind is the sum over cells of its share there times the kind's share of the cell.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch.nn import functional

from workbench.types import Pose, Truth

KINDS = ("object", "joints", "limbs", "background")
#: Radius of a joint, and half the width of a limb, as shares of the body's height.
JOINT, LIMB = 0.05, 0.03


def regions(pixels: Pose | None, truth: Truth | None, size: tuple[int, int, int]) -> np.ndarray:
    """uint8 [T,H,W]: the place in KINDS of every pixel of a clip of ``size``. Joints and limbs of ``pixels`` (clip
    pixels), the object of ``truth.mask``; what is None has no pixel."""
    kinds = np.full(size, KINDS.index("background"), np.uint8)
    if pixels is not None:
        for frame in range(size[0]):
            for body in pixels.joints[:, frame, :, :2]:
                _draw(kinds[frame], body, pixels.skeleton.bones)
    if truth is not None:
        kinds[np.asarray(truth.mask, bool)] = KINDS.index("object")
    return kinds


def grounding(attention: Any, kinds: np.ndarray) -> dict[str, float]:
    """The mass in [0,1] of attention float [T',H',W'] >= 0 on each of KINDS, which sum to 1; NaN for a map of zeros.

    kinds as ``regions`` gives them. ValueError for a map of another rank, or with negative or infinite values.
    """
    attention = np.asarray(attention, np.float64)
    if attention.ndim != 3 or not np.isfinite(attention).all() or attention.min() < 0:
        raise ValueError(f"attention must be finite, >= 0 and [T',H',W'], got shape {list(attention.shape)}")
    total = attention.sum()
    if total == 0:
        return dict.fromkeys(KINDS, float("nan"))
    return {
        name: float((attention * _share(kinds == kind, attention.shape)).sum() / total)
        for kind, name in enumerate(KINDS)
    }


def _draw(frame: np.ndarray, body: np.ndarray, bones: Any) -> None:
    finite = np.isfinite(body).all(1)
    if finite.sum() < 2:
        return
    tall = float(np.ptp(body[finite], axis=0).max())
    points = [tuple(int(round(float(value))) for value in point) if seen else None
              for point, seen in zip(body, finite, strict=True)]  # fmt: skip
    for child, parent in bones:
        if points[child] and points[parent]:
            thick = max(1, round(2 * LIMB * tall))
            cv2.line(frame, points[child], points[parent], KINDS.index("limbs"), thick)
    for point in filter(None, points):
        cv2.circle(frame, point, max(1, round(JOINT * tall)), KINDS.index("joints"), -1)


def _share(inside: np.ndarray, grid: tuple[int, ...]) -> np.ndarray:
    pixels = torch.from_numpy(inside.astype(np.float64))[None, None]
    t, h, w = grid
    return functional.adaptive_avg_pool3d(pixels, (t, h, w))[0, 0].numpy()
