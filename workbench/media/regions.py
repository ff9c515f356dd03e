"""Regions of the body that part-based systems look at, as boxes that follow them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d

from workbench.media.framing import person_track
from workbench.media.pose import main_person
from workbench.media.skeletons import common_names
from workbench.types import Pose

#: P-I3D crops the first three (thesis section 4.3.1), two-level fusion all five (section 3.3.1).
REGIONS = ("left_hand", "right_hand", "full_body", "upper_body", "full_frame")

#: What a region becomes when left and right are exchanged; the others stay what they are.
MIRRORED = {"left_hand": "right_hand", "right_hand": "left_hand"}

#: A hand's square is this share of the longer side of the person's box: the hand and what it holds.
HAND_SHARE = 0.3

#: Around all joints of a body, a share of the box's longer side (lambda of thesis eq. 4.3).
BODY_MARGIN = 0.1

#: Frames over which a box's place is averaged, so that a trembling joint does not shake the picture.
SMOOTHING = 5

#: Where a hand is, best first, by the names schemas share.
_HAND = ("hand", "index", "wrist")

#: What lies below the upper body.
_LOWER = ("knee", "ankle", "heel", "foot")


class Unseen(ValueError):
    """A region's joints are missing in all frames."""


def person(pixels: Pose, margin: float = BODY_MARGIN, fixed: bool = True) -> np.ndarray:
    """float32 [T,4]: (x0, y0, x1, y1), source pixels, of the box that follows all persons of ``pixels`` (image space),
    as ``framing.person_track`` makes it, averaged over SMOOTHING frames."""
    return _smooth(person_track(pixels, margin, fixed=fixed))


def boxes(pixels: Pose, region: str, fixed: bool = True) -> np.ndarray:
    """float32 [T,4]: (x0, y0, x1, y1), source pixels, of ``region`` of the person who moves most, in every frame.

    left_hand, right_hand: a square about the hand, or the wrist where the hand is missing or the schema has none.
    full_body, upper_body: around all joints, or those from the hips upwards, of one size throughout if ``fixed``, else
    of each frame's own. Boxes are averaged over SMOOTHING frames; where its joints are missing a box lies between where
    it was and where it will be. It may reach beyond the picture. ``pixels`` in image space. Raises Unseen (a
    ValueError) if the joints are missing in all frames, ValueError for another region: full_frame depends on no pose.
    """
    if region not in REGIONS[:-1]:
        raise ValueError(f"boxes of a body: region must be one of {', '.join(REGIONS[:-1])}, got {region!r}")
    body = main_person(pixels)
    if region in MIRRORED:
        return _smooth(_hand(body, region.removesuffix("_hand")))
    if region == "upper_body":
        lower = [name.rsplit("_", 1)[0] in _LOWER for name in common_names(body.skeleton)]
        joints = body.joints.copy()
        joints[:, :, lower] = np.nan
        body = body.with_joints(joints)
    return person(body, fixed=fixed)


def _hand(body: Pose, side: str) -> np.ndarray:
    """float64 [T,4]: one person's hand, squares."""
    names = common_names(body.skeleton)
    joints = [names.index(f"{part}_{side}") for part in _HAND if f"{part}_{side}" in names]
    if not np.isfinite(body.joints[:, :, joints]).all(axis=3).any():
        unseen = " nor ".join(body.skeleton.joints[joint] for joint in joints)
        raise Unseen(f"the {side} hand is never seen: no {unseen} in any of the {body.joints.shape[1]} frames")
    track = person_track(body, margin=0, fixed=False)
    half = HAND_SHARE * np.median(np.maximum(*(track[:, 2:] - track[:, :2]).T)) / 2
    middle = _filled(body.joints[0][:, joints, :2].astype(np.float64))
    return np.concatenate([middle - half, middle + half], axis=1)


def _filled(candidates: np.ndarray) -> np.ndarray:
    """float64 [T,n,2] -> [T,2]: the first of the n places that is known, gaps in time closed, ends held."""
    finite = np.isfinite(candidates).all(axis=2)
    best = np.take_along_axis(candidates, finite.argmax(axis=1)[:, None, None], axis=1)[:, 0]
    times, seen = np.arange(len(best)), finite.any(axis=1)
    return np.stack([np.interp(times, times[seen], axis[seen]) for axis in best.T], axis=1)


def _smooth(boxes: np.ndarray) -> np.ndarray:
    return uniform_filter1d(boxes.astype(np.float64), SMOOTHING, axis=0, mode="nearest").astype(np.float32)
