"""How much a body moves in an action: the mean Procrustes distance of successive poses (VPN section 4.3, fig. 6a)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.types import Pose


def procrustes_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64 [...]: disparity in [0,1] of shapes [...,V,D] after the best shift, scale, turn and mirror.

    With both shapes centred and of unit norm it is 1 - (sum of singular values of A^T B)^2, which is what
    ``scipy.spatial.procrustes`` returns for one pair. NaN where a shape holds NaN or is a single point.
    """
    a, b = _unit(first), _unit(second)
    product = np.swapaxes(a, -1, -2) @ b
    bad = ~np.isfinite(product).all((-1, -2))
    product[bad] = 0
    overlap = np.linalg.svd(product, compute_uv=False).sum(-1)
    return np.where(bad, np.nan, np.clip(1 - overlap**2, 0, 1))


def dynamicity(pose: Pose) -> float:
    """The mean Procrustes distance between subsequent poses of the first person, in [0,1].

    Read on the joints that are known wherever the body is, over pairs of neighbouring frames that both have the body.
    Comparable between clips of one frame rate. Raises ValueError where fewer than 3 joints or no such pair remain.
    """
    joints = np.asarray(pose.joints[0], np.float64)
    finite = np.isfinite(joints).all(-1)
    body = finite.any(1)
    known = finite[body].all(0)
    pairs = body[1:] & body[:-1]
    if known.sum() < 3 or not pairs.any():
        raise ValueError("dynamicity needs two successive poses with at least 3 joints that are never missing")
    return float(np.nanmean(procrustes_distance(joints[1:, known][pairs], joints[:-1, known][pairs])))


def per_class(values: Sequence[float], labels: Sequence[int], classes: int) -> np.ndarray:
    """float64 [N]: the mean of ``values`` [S] over the clips of each class, NaN where a class has none."""
    values, labels = np.asarray(values, np.float64), np.asarray(labels, np.int64)
    known = np.isfinite(values)
    total = np.bincount(labels[known], values[known], minlength=classes)
    count = np.bincount(labels[known], minlength=classes)
    return np.divide(total, count, out=np.full(classes, np.nan), where=count > 0)


def _unit(shape: np.ndarray) -> np.ndarray:
    centred = shape - shape.mean(-2, keepdims=True)
    norm = np.sqrt((centred**2).sum((-1, -2), keepdims=True))
    return np.divide(centred, norm, out=np.full_like(centred, np.nan), where=norm > 0)
