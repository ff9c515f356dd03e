"""Optical flow between neighbouring frames, and its storage as bytes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from workbench.types import Clip

#: "tvl1" is what two-stream papers feed (Zach, Pock and Bischof's TV-L1); "dis" (Dense Inverse Search) is about 40
#: times as fast, right to 0.05 to 0.1 pixels instead of 0.03, with blurrier borders (`bench/flow.py` measures both).
METHODS = ("tvl1", "dis")

#: Pixels a frame beyond which motion is cut off, as usual since two-stream networks: what -1 and 1 stand for.
LIMIT = 20.0

#: OpenCV's own settings of TV-L1 (5 scales, 5 warps, at most 10 x 30 iterations, lambda 0.15) but for these two. Its
#: scales shrink to a 2.4th in all, and shifts of 8 pixels begin to be lost; halving ones shrink to a 16th (not below 16
#: pixels) and find 8 pixels at 108 x 108 and 12 at 224 x 224, at half the cost. The looser stop makes it twice as fast
#: again; known shifts under noise are then found to 0.03 pixels instead of 0.02, where bytes resolve 0.08.
SCALE_STEP, EPSILON = 0.5, 0.02


def compute(clip: Clip, method: str = "tvl1") -> np.ndarray:
    """Optical flow: how far each pixel moves from each frame to the next.

    Args:
        clip: two frames or more.
        method: "tvl1" (the papers') or "dis" (faster).

    Returns:
        float32 [T-1,H,W,2], x right and y down, in pixels, not clipped.

    Raises:
        ValueError: an unknown method, or fewer than two frames.
        ImportError: "tvl1" is asked of an OpenCV without its contrib modules.
    """
    if len(clip.frames) < 2:
        raise ValueError(f"flow needs two frames or more, {clip.source or 'the clip'} has {len(clip.frames)}")
    return between(clip.frames[:-1], clip.frames[1:], method)


def between(first: np.ndarray, second: np.ndarray, method: str = "tvl1") -> np.ndarray:
    """float32 [T,H,W,2]: as ``compute``, from each of ``first`` to its partner in ``second``, uint8 [T,H,W,3] RGB."""
    flows = np.empty((*first.shape[:3], 2), np.float32)
    for before, after, out in zip(first, second, flows, strict=True):
        pair = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after)]
        # A solver for each pair: OpenCV's DIS changes its own settings for small pictures and keeps them.
        out[:] = make_solver(method).calc(*pair, None)
    return flows


def make_solver(method: str) -> Any:
    """OpenCV's solver for ``method``: ``calc(before, after, None)`` of uint8 [H,W]; raises as ``compute`` does."""
    if method not in METHODS:
        raise ValueError(f"flow: method must be one of {', '.join(METHODS)}, got {method!r}")
    if method == "dis":
        return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if not hasattr(cv2, "optflow"):
        raise ImportError(
            "flow 'tvl1' needs OpenCV's contrib modules: install opencv-contrib-python-headless in place of "
            "opencv-python, or choose method 'dis'"
        )
    solver = cv2.optflow.DualTVL1OpticalFlow.create()
    solver.setScaleStep(SCALE_STEP)
    solver.setEpsilon(EPSILON)
    return solver


def quantize(flow: np.ndarray) -> np.ndarray:
    """Pixels -> uint8: cut to -LIMIT..LIMIT and spread over 0..255, so that 127.5 is rest and 255 - q is q reversed."""
    return np.rint(np.clip(flow, -LIMIT, LIMIT) * (127.5 / LIMIT) + 127.5).astype(np.uint8)
