"""Where in the picture a clip looks: boxes around persons, crops, sizes. Sizes are (height, width)."""

from __future__ import annotations

import cv2
import numpy as np

from workbench.types import Pose


def resize(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 [T,h,w,3] -> uint8 [T,H,W,3] with ``size`` = (H, W): area mean where that shrinks, else bilinear."""
    height, width = size
    if frames.shape[1:3] == (height, width):
        return frames
    shrinks = height <= frames.shape[1] and width <= frames.shape[2]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = np.empty((len(frames), height, width, frames.shape[3]), np.uint8)
    for frame, out in zip(frames, resized, strict=True):
        cv2.resize(frame, (width, height), dst=out, interpolation=how)
    return resized


def crop(frames: np.ndarray, box: np.ndarray | tuple, size: tuple[int, int]) -> np.ndarray:
    """uint8 [T,h,w,3] -> uint8 [T,H,W,3]: what lies in ``box``, resized to ``size`` = (H, W); black beyond the picture.

    box (x0, y0, x1, y1) in pixels of ``frames``, or [T,4], one for each frame; rounded to whole pixels. ValueError if a
    box is empty, not finite or of another length than ``frames``.
    """
    boxes = np.asarray(box, np.float64)
    if boxes.shape not in ((4,), (len(frames), 4)) or not np.isfinite(boxes).all():
        raise ValueError(f"box must be 4 finite numbers or [{len(frames)},4], got {boxes.shape} {boxes.ravel()[:4]}")
    boxes = np.rint(boxes).astype(int)
    if boxes.ndim == 1:
        return resize(_cut(frames, boxes), size)
    return np.concatenate([resize(_cut(frames[t : t + 1], row), size) for t, row in enumerate(boxes)])


def _cut(frames: np.ndarray, box: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = (int(side) for side in box)
    if x1 <= x0 or y1 <= y0:
        raise ValueError(f"box must have x0 < x1 and y0 < y1, got ({x0}, {y0}, {x1}, {y1})")
    height, width = frames.shape[1:3]
    inside = frames[:, max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    if inside.shape[1:3] == (y1 - y0, x1 - x0):
        return inside
    cut = np.zeros((len(frames), y1 - y0, x1 - x0, frames.shape[3]), frames.dtype)
    cut[:, max(-y0, 0) : min(height, y1) - y0, max(-x0, 0) : min(width, x1) - x0] = inside
    return cut


def person_box(pixels: Pose, margin: float = 0.1, square: bool = False) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1), whole pixels, around all joints of all persons in all frames: one crop for the clip.

    Thesis eq. 4.3, with the excess lambda as ``margin``, a share of the box's longer side added on each side, so that
    crops look alike at all resolutions. ``square`` widens the shorter side about its middle. The box may reach beyond
    the picture. ``pixels`` in image space; missing joints are left out; ValueError if all are missing.
    """
    corners = _corners(pixels)[None]
    lowest, highest = np.nanmin(corners[..., :2], axis=1), np.nanmax(corners[..., 2:], axis=1)
    return tuple(_boxes(lowest, highest, margin, square)[0].tolist())


def person_track(pixels: Pose, margin: float = 0.1, fixed: bool = True) -> np.ndarray:
    """int64 [T,4]: a box as of ``person_box`` for each frame, following the persons.

    ``fixed`` gives all boxes the largest one's size, so that the person does not seem to grow and shrink; False is
    eq. 4.3 frame by frame. Frames without any joint take their place between the neighbours'.
    """
    corners = _corners(pixels)
    visible = np.isfinite(corners[:, 0])
    times = np.arange(len(corners))
    corners = np.stack([np.interp(times, times[visible], side[visible]) for side in corners.T], axis=1)
    lowest, highest = corners[:, :2], corners[:, 2:]
    if fixed:
        middle, half = (lowest + highest) / 2, (highest - lowest).max(axis=0) / 2
        lowest, highest = middle - half, middle + half
    return _boxes(lowest, highest, margin)


def _corners(pixels: Pose) -> np.ndarray:
    """float [T,4]: the extreme joints of each frame, NaN where there is none."""
    if pixels.space != "image":
        raise ValueError(f"a person's box needs joints in image space (pixels), got space {pixels.space!r}")
    points = pixels.joints[..., :2].astype(np.float64).transpose(1, 0, 2, 3).reshape(pixels.joints.shape[1], -1, 2)
    finite = np.isfinite(points).all(axis=2, keepdims=True)
    if not finite.any():
        raise ValueError(f"no joint of any person is known in any of the {len(points)} frames")
    lowest = np.where(finite, points, np.inf).min(axis=1)
    highest = np.where(finite, points, -np.inf).max(axis=1)
    corners = np.concatenate([lowest, highest], axis=1)
    return np.where(np.isfinite(corners), corners, np.nan)


def _boxes(lowest: np.ndarray, highest: np.ndarray, margin: float, square: bool = False) -> np.ndarray:
    """int64 [n,4] from corners [n,2]."""
    if margin < 0:
        raise ValueError(f"margin must not be negative, got {margin}")
    middle, half = (lowest + highest) / 2, (highest - lowest) / 2
    longer = half.max(axis=1, keepdims=True)
    if square:
        half = np.broadcast_to(longer, half.shape)
    half = half + 2 * margin * longer
    lower = np.floor(middle - half).astype(np.int64)
    # At least one pixel, also around a single joint.
    upper = np.maximum(np.ceil(middle + half).astype(np.int64), lower + 1)
    return np.concatenate([lower, upper], axis=1)
