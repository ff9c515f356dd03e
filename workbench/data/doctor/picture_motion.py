"""Whether what moves in the pictures is what moves in the poses. Pixels are those of small grey pictures."""

from __future__ import annotations

import cv2
import numpy as np

#: Grey levels from which on a pixel counts as changed; noise and compression stay below.
CHANGED = 14

#: Clocks, counters and subtitles stand within this share of the picture's height from its upper or lower edge.
CAPTION = 0.125

#: Poses are tried this many frames earlier and later.
LAGS = 8


def changes(frames: np.ndarray) -> np.ndarray:
    """float32 [T-1,h,w]: by how many grey levels (of frames uint8 [T,h,w]) each place changes, up to noise."""
    smooth = np.stack([cv2.GaussianBlur(frame, (0, 0), 0.8) for frame in frames]).astype(np.float32)
    return np.maximum(np.abs(np.diff(smooth, axis=0)) - CHANGED, 0)


def still_camera(changed: np.ndarray) -> bool:
    """Whether the picture stands still but for what moves in it, and something does."""
    share = (changed > 0).mean(axis=(1, 2))
    return bool(np.median(share) < 0.25 and (changed > 0).sum() >= 4 * len(changed))


def inside(changed: np.ndarray, boxes: np.ndarray) -> tuple[float, float]:
    """(share of the changes that lie in ``boxes`` float [T-1,4], share of the picture that the boxes cover).

    Changes beside the boxes along the upper and lower edge, where captions stand, do not count; NaN where none is left.
    """
    height, width = changed.shape[1:]
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    across = (x >= boxes[:, :1]) & (x < boxes[:, 2:3])
    down = (y >= boxes[:, 1:2]) & (y < boxes[:, 3:])
    covered = down[:, :, None] & across[:, None]
    finite = np.isfinite(boxes).all(axis=1)
    caption = (y < CAPTION * height) | (y >= (1 - CAPTION) * height)
    counted = changed[finite] * (covered[finite] | ~caption[:, None])
    total = counted.sum()
    share = float((counted * covered[finite]).sum() / total) if total else np.nan
    return share, float(covered[finite].mean()) if finite.any() else 0.0


def agreement(changed: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """float64 [2 * LAGS + 1]: how well the changes at the joints follow their speeds if poses came k frames later.

    joints float [M,T,V,2] for the T frames that ``changed`` [T-1,h,w] is of. A correlation over joints and times; entry
    LAGS + k compares the pose of frame t with the picture of frame t + k. NaN where little can be compared.
    """
    near = np.stack([cv2.blur(picture, (5, 5)) for picture in changed])
    middle = (joints[:, 1:] + joints[:, :-1]) / 2
    speed = np.linalg.norm(np.diff(joints, axis=1), axis=3)
    visible = np.isfinite(middle).all(axis=3)
    pixels = np.nan_to_num(middle).round().astype(int)
    height, width = changed.shape[1:]
    visible &= ((pixels >= 0) & (pixels < (width, height))).all(axis=3)
    pixels = np.clip(pixels, 0, (width - 1, height - 1))
    correlations = np.full(2 * LAGS + 1, np.nan)
    steps = len(changed)
    for lag in range(-LAGS, LAGS + 1):
        # All lags compare the same poses, or short clips would favour some.
        poses = np.arange(LAGS, steps - LAGS)
        if len(poses) < LAGS:
            return correlations
        x, y = np.moveaxis(pixels[:, poses], 3, 0)
        changes = near[(poses + lag)[None, :, None], y, x]
        use = visible[:, poses]
        if use.sum() >= 50:
            correlations[LAGS + lag] = _correlation(np.sqrt(speed[:, poses][use]), np.sqrt(changes[use]))
    return correlations


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / size) if size > 0 else np.nan
