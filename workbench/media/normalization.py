"""Body-centred coordinates, two ways: the thesis' and 2s-AGCN's. Missing joints are NaN throughout."""

from __future__ import annotations

import cv2
import numpy as np

from workbench.types import Pose

OPTIONS = {"how": ("thesis", "agcn"), "reference": ("frame", "first"), "exact": ("x", "y")}


def normalize(
    pose: Pose, how: str = "thesis", reference: str = "frame", exact: str = "x", mirrored: bool = True
) -> Pose:
    """A pose in body-centred coordinates.

    "thesis" (section 3.3.1, following the NTU paper): origin at the hip centre, X parallel to right hip -> left hip,
    Y towards hip centre -> spine, all divided by the distance of those two. The two directions are not quite
    orthogonal: X is kept and Y made orthogonal to it, as "parallel" against "towards" reads. Z = X x Y: to the back of
    the body in plain camera space, to its front on Kinect's mirrored axes. The text speaks of the skeleton at each time
    step, so origin, axes and scale are those of each frame.

    "agcn" (2s-AGCN, data_gen/preprocess.py): origin at the middle of the spine in each frame; in the first frame the
    spine is turned parallel to +z and then right minus left shoulder (not hip) parallel to +x, and these two rotations
    hold for all frames. No scaling. (The second rotation can tilt the spine slightly away from z again, as in the
    original.) The recipe counts on Kinect's mirrored pictures, in which a person who faces the sensor has the right
    shoulder at +x. In other pictures that direction is -x and the rotation would be by half a turn about an axis that
    noise decides.

    2D joints (space "image", pixels, y down) are not turned, since a picture does not tell how a body is turned: y is
    turned up, z is 0, origins are as above in each frame, and all is divided by the length of body 0's trunk, hips to
    shoulders, in the picture (the median over time), in both ways. Coordinates are then of the same size in all videos.

    In both, body 0 sets the frame of reference for all bodies (``main_person`` brings the main actor to the front);
    where it lacks a joint that is needed, the nearest frame in time that has all of them stands in.

    Args:
        pose: D = 3 in space "camera" (metres), or D = 2 in space "image" (pixels).
        how: "thesis" or "agcn".
        reference: of "thesis" alone. "first" takes origin, axes and scale from the first frame that shows them, and so
            keeps where the person walks and turns; "frame" from each.
        exact: of "thesis" alone, which axis is kept: "x", or "y", to which X is then made orthogonal.
        mirrored: of "agcn" alone. False for pictures that are not mirrored: x is reversed first.

    Returns:
        float32 [M,T,V,3] in space "normalised".

    Raises:
        ValueError: no frame has the joints that are needed, ``pose`` is normalised already or 3D in image space, or an
            unknown option.

    Source:
        Thesis, section 3.3.1; 2s-AGCN (CVPR 2019), data_gen/preprocess.py.
    """
    for name, value in (("how", how), ("reference", reference), ("exact", exact)):
        if value not in OPTIONS[name]:
            raise ValueError(f"normalize: {name} must be one of {', '.join(OPTIONS[name])}, got {value!r}")
    flat = pose.space == "image"
    if pose.joints.shape[3] != (2 if flat else 3):
        axes = pose.joints.shape[3]
        raise ValueError(f"normalize needs 3 coordinates a joint, of pixels 2, got {axes} in space {pose.space!r}")
    if flat:
        return pose.with_joints(_flat(pose, how).astype(np.float32), "normalised")
    body = pose.joints[0].astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        joints = _thesis(pose, body, reference, exact) if how == "thesis" else _agcn(pose, body, mirrored)
    return pose.with_joints(joints.astype(np.float32), "normalised")


def _thesis(pose: Pose, body: np.ndarray, reference: str, exact: str) -> np.ndarray:
    skeleton = pose.skeleton
    origin = body[:, skeleton.root].mean(axis=1)
    spine = body[:, skeleton.spine].mean(axis=1) - origin
    hips = body[:, skeleton.hips[0]] - body[:, skeleton.hips[1]]
    length = np.linalg.norm(spine, axis=1)
    first, second = (hips, spine) if exact == "x" else (spine, hips)
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
    second = second - (second * first).sum(axis=1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=1, keepdims=True)
    x, y = (first, second) if exact == "x" else (second, first)
    axes = np.stack([x, y, np.cross(x, y)], axis=1)  # [T,3,3], one axis a row
    complete = np.isfinite(axes).all(axis=(1, 2)) & np.isfinite(origin).all(axis=1) & (length > 1e-6)
    use = _nearest(complete, pose, "both hips, the hip centre and the spine")
    if reference == "first":
        use = np.full_like(use, np.flatnonzero(complete)[0])
    centred = pose.joints - origin[use, None]
    return np.einsum("tij,mtvj->mtvi", axes[use], centred) / length[use, None, None]


def _flat(pose: Pose, how: str) -> np.ndarray:
    """float64 [M,T,V,3] of 2D joints."""
    skeleton = pose.skeleton
    joints = np.concatenate([pose.joints * np.array([1.0, -1.0]), np.zeros((*pose.joints.shape[:3], 1))], axis=3)
    body = joints[0]
    origin = body[:, skeleton.root if how == "thesis" else skeleton.spine].mean(axis=1)
    trunk = body[:, skeleton.shoulders].mean(axis=1) - body[:, skeleton.hips].mean(axis=1)
    length = np.linalg.norm(trunk, axis=1)
    valid = np.isfinite(length) & (length > 1e-6)
    _nearest(valid, pose, "both hips and both shoulders")
    use = _nearest(np.isfinite(origin).all(axis=1), pose, "the hip centre" if how == "thesis" else "the spine")
    return (joints - origin[use, None]) / np.median(length[valid])


def _agcn(pose: Pose, body: np.ndarray, mirrored: bool) -> np.ndarray:
    skeleton = pose.skeleton
    axes = np.array([1.0 if mirrored else -1.0, 1, 1])
    joints, body = pose.joints * axes, body * axes
    origin = body[:, skeleton.spine].mean(axis=1)
    spine = origin - body[:, skeleton.root].mean(axis=1)
    shoulders = body[:, skeleton.shoulders[1]] - body[:, skeleton.shoulders[0]]
    use = _nearest(np.isfinite(origin).all(axis=1), pose, "the middle of the spine")
    complete = np.isfinite(np.concatenate([origin, spine, shoulders], axis=1)).all(axis=1)
    _nearest(complete, pose, "both shoulders, the hip centre and the middle of the spine")
    first = int(np.flatnonzero(complete)[0])
    upright = _turn(spine[first], np.array([0.0, 0, 1]))
    sideways = _turn(upright @ shoulders[first], np.array([1.0, 0, 0]))
    return (joints - origin[use, None]) @ (sideways @ upright).T


def _turn(vector: np.ndarray, target: np.ndarray) -> np.ndarray:
    """[3,3]: the rotation about their common normal that makes ``vector`` parallel to the unit vector ``target``.

    The identity if they are parallel already, and, as in the original, also if they are opposed.
    """
    normal = np.cross(vector, target)
    sine, cosine = np.linalg.norm(normal), vector @ target
    angle = np.arctan2(sine, cosine)
    if np.abs(normal).sum() < 1e-6 or abs(angle) < 1e-6:
        return np.eye(3)
    return cv2.Rodrigues(normal / sine * angle)[0]


def _nearest(complete: np.ndarray, pose: Pose, needed: str) -> np.ndarray:
    """int64 [T]: for each frame itself if it is complete, else the nearest complete one, the earlier of two."""
    valid = np.flatnonzero(complete)
    if not len(valid):
        raise ValueError(
            f"normalize: in none of the {len(complete)} frames does body 0 show {needed} ({pose.skeleton.name})"
        )
    times = np.arange(len(complete))
    after = valid[np.searchsorted(valid, times).clip(max=len(valid) - 1)]
    before = valid[(np.searchsorted(valid, times, side="right") - 1).clip(min=0)]
    return np.where(np.abs(times - before) <= np.abs(after - times), before, after)
