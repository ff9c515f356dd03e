"""Skeletons over time: selection, projection, derived streams, repair, measures. Missing joints are NaN and stay so
unless a function says that it fills them. Normalisation, degradation and estimation are in files of their own beside
this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from workbench.media.degradation import LEVELS, degrade
from workbench.media.estimation.pose_estimation import estimate
from workbench.media.normalization import normalize
from workbench.media.sampling import sample_uniform
from workbench.media.skeletons import convert, parents
from workbench.types import Pose

__all__ = [
    "LEVELS",
    "bones",
    "convert",
    "crop",
    "degrade",
    "dynamicity",
    "energy",
    "estimate",
    "fill",
    "main_person",
    "mirror",
    "motion",
    "normalize",
    "order",
    "pick",
    "procrustes",
    "project",
    "sample",
    "take",
]


def project(pose: Pose, intrinsics: np.ndarray) -> Pose:
    """Camera space (metres, y up) -> image space (pixels, y down), D = 2; thesis eq. 4.2.

    u = fx x/z + cx, v = cy - fy y/z with ``intrinsics`` float [3,3]. Joints that are not in front of the camera
    (z <= 0) become NaN. ValueError if ``pose`` is not in camera space.
    """
    if pose.space != "camera" or pose.joints.shape[3] != 3:
        raise ValueError(f"project needs 3D joints in camera space, got {pose.joints.shape[3]}D, space {pose.space!r}")
    x, y, z = np.moveaxis(pose.joints.astype(np.float64), 3, 0)
    z = np.where(z > 0, z, np.nan)
    (fx, _, cx), (_, fy, cy), _ = np.asarray(intrinsics, np.float64)
    pixels = np.stack([fx * x / z + cx, cy - fy * y / z], axis=3)
    return pose.with_joints(pixels.astype(np.float32), "image")


def crop(pixels: Pose, box: np.ndarray | tuple, size: tuple[int, int]) -> Pose:
    """Image space -> pixels of ``video.crop(frames, box, size)``: box (x0, y0, x1, y1) or [T,4], size (H, W)."""
    boxes = np.rint(np.asarray(box, np.float64)).reshape(-1, 4)
    scale = np.array(size[::-1]) / (boxes[:, 2:] - boxes[:, :2])
    joints = (pixels.joints[..., :2] - boxes[:, None, :2]) * scale[:, None]
    return pixels.with_joints(joints.astype(np.float32), "image")


def sample(pose: Pose, count: int, rng: np.random.Generator | None = None) -> Pose:
    """Poses at even distances: one of each equal segment of the time.

    Args:
        pose: T poses.
        count: t_p, how many are taken; poses repeat where there are fewer.
        rng: where it draws a random place in each segment; None: its middle.

    Returns:
        A Pose of ``count`` poses.

    Raises:
        ValueError: a count below 1, or a pose without frames.
    """
    return _frames(pose, sample_uniform(pose.joints.shape[1], count, rng))


def take(pose: Pose, frame_numbers: Sequence[int] | np.ndarray) -> Pose:
    """The poses at these source frame numbers, in that order, repeats allowed; ValueError names one that is missing."""
    numbers = np.asarray(frame_numbers, np.int64)
    order = np.argsort(pose.frame_numbers, kind="stable")
    ranks = np.searchsorted(pose.frame_numbers, numbers, sorter=order).clip(max=len(order) - 1)
    indices = order[ranks]
    missing = numbers[pose.frame_numbers[indices] != numbers]
    if len(missing):
        raise ValueError(
            f"there is no pose for frame {missing[0]}, only for {len(order)} frames up to {pose.frame_numbers.max()}"
        )
    return _frames(pose, indices)


def _frames(pose: Pose, rows: np.ndarray) -> Pose:
    confidence = None if pose.confidence is None else pose.confidence[:, rows]
    return replace(pose, joints=pose.joints[:, rows], confidence=confidence, frame_numbers=pose.frame_numbers[rows])


def bones(pose: Pose) -> np.ndarray:
    """Each joint minus its parent, 2s-AGCN's bones.

    Args:
        pose: in any space.

    Returns:
        float32 [M,T,V,D] in the pose's unit, zero at roots; NaN if either joint is missing.

    Source:
        2s-AGCN (CVPR 2019).
    """
    return pose.joints - pose.joints[:, :, parents(pose.skeleton)]


def motion(pose: Pose) -> np.ndarray:
    """float32 [M,T,V,D]: the next frame minus this one, the last frame zero; NaN if either joint is missing."""
    steps = np.zeros_like(pose.joints)
    steps[:, :-1] = np.diff(pose.joints, axis=1)
    return steps


def mirror(pose: Pose, width: float | None = None) -> Pose:
    """Left and right exchanged: joints swap names and x changes sign; in image space x becomes ``width`` - x.

    ``width`` is the picture's, in pixels. ValueError if it is missing in image space or given elsewhere.
    """
    if (pose.space == "image") != (width is not None):
        raise ValueError(f"mirror needs width in image space and only there, got width {width}, space {pose.space!r}")
    order = pose.skeleton.mirror
    joints = pose.joints[:, :, order].copy()
    joints[..., 0] = (width or 0) - joints[..., 0]
    confidence = None if pose.confidence is None else pose.confidence[:, :, order]
    return replace(pose, joints=joints, confidence=confidence)


def fill(pose: Pose) -> Pose:
    """Gaps in time closed by linear interpolation, ends held: for networks and figures that need a number everywhere.

    A joint that is missing in all frames stays NaN.
    """
    joints = pose.joints.copy()
    times = pose.frame_numbers.astype(np.float64)
    missing = ~np.isfinite(joints).all(axis=3)
    for body, joint in np.argwhere(missing.any(axis=1) & ~missing.all(axis=1)):
        gap = missing[body, :, joint]
        for axis in range(joints.shape[3]):
            values = joints[body, ~gap, joint, axis]
            joints[body, gap, joint, axis] = np.interp(times[gap], times[~gap], values)
    return pose.with_joints(joints)


def energy(pose: Pose) -> np.ndarray:
    """float64 [M]: how much each body moves and extends; 0 if it is absent.

    std(x) + std(y) + std(z) over joints and frames, 2s-AGCN's measure for choosing bodies (data_gen/ntu_gendata.py).
    """
    points = pose.joints.astype(np.float64).reshape(len(pose.joints), -1, pose.joints.shape[3])
    finite = np.all(np.isfinite(points), axis=2)
    return np.array(
        [body[use].std(axis=0).sum() if use.any() else 0.0 for body, use in zip(points, finite, strict=True)]
    )


def order(pose: Pose, flat: Pose | None = None) -> np.ndarray:
    """int64 [M]: the bodies of ``pose``, largest ``energy`` first, as 2s-AGCN sorts them however many there are.

    With ``flat``, the same bodies in image space, it is the order of ``flat`` that is asked for: ``pose`` decides it
    where both have as many bodies, so that one index names the same body in both; else ``flat`` by itself.
    """
    judge = pose if flat is None or len(flat.joints) == len(pose.joints) else flat
    return np.argsort(-energy(judge), kind="stable")


def pick(pose: Pose, bodies: np.ndarray) -> Pose:
    """The bodies with these indices, in that order."""
    confidence = None if pose.confidence is None else pose.confidence[bodies]
    return replace(pose, joints=pose.joints[bodies], confidence=confidence)


def main_person(pose: Pose, count: int = 1) -> Pose:
    """The ``count`` bodies of largest ``energy``, largest first; fewer if there are not as many."""
    return pick(pose, order(pose)[:count])


def dynamicity(pose: Pose) -> float:
    """How much the posture changes: the mean Procrustes distance between subsequent poses.

    Thesis section 4.6.4, VPN fig. 6a.
    Place, size and orientation of the body play no role. Averaged over all pairs of neighbouring frames of all bodies
    that share at least three joints; ValueError if there is no such pair.
    """
    distances = procrustes(pose.joints[:, :-1], pose.joints[:, 1:])
    distances = distances[np.isfinite(distances)]
    if not len(distances):
        raise ValueError(f"dynamicity needs two subsequent poses with three joints in common ({pose.skeleton.name})")
    return float(distances.mean())


def procrustes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64 [...]: scipy.spatial.procrustes' disparity, in [0, 1], of shapes [...,V,D] over the joints known in both.

    NaN where fewer than three joints are, or where all of them coincide.
    """
    finite = (np.isfinite(first) & np.isfinite(second)).all(axis=-1, keepdims=True)
    count = finite.sum(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        shapes = []
        for points in (first, second):
            points = np.where(finite, points, 0).astype(np.float64)
            points = np.where(finite, points - points.sum(axis=-2, keepdims=True) / count, 0)
            shapes.append(points / np.linalg.norm(points, axis=(-2, -1), keepdims=True))
        product = np.swapaxes(shapes[0], -1, -2) @ shapes[1]
    usable = np.isfinite(product).all(axis=(-2, -1)) & (count[..., 0, 0] >= 3)
    overlap = np.linalg.svd(np.where(usable[..., None, None], product, 0), compute_uv=False).sum(axis=-1)
    return np.where(usable, (1 - overlap**2).clip(0, 1), np.nan)
