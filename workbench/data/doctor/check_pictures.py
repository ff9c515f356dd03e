"""Checks of poses against pictures: is the skeleton on the person, at the right time?"""

from __future__ import annotations

import numpy as np

from workbench.data.clips.clip_spec import ClipSpec
from workbench.data.clips.read_clip import Cut
from workbench.data.doctor import picture_motion
from workbench.data.doctor.case import Case
from workbench.data.doctor.checks import FINE, Finding, above, check
from workbench.media.framing import person_box

#: By this share of its longer side a person's box grows before it is asked whether what moves lies inside.
MARGIN = 0.15


@check(
    "joints in the picture",
    "Joints in pixels lie within the picture. If they do not, they belong to another resolution, or are not pixels.",
    tolerance=0.05,
)
def within(case: Case) -> Finding | None:
    if case.pixels is None or case.info is None:
        return None
    points = case.pixels.joints[..., :2]
    points = points[np.isfinite(points).all(axis=-1)]
    if not len(points):
        return None
    size = np.array([case.info.width, case.info.height])
    if np.abs(points).max() <= 2 and size.min() > 16:
        return Finding("coordinates are all between -2 and 2: shares of the picture and not pixels?", 2)
    outside = float(((points < 0) | (points >= size)).any(axis=1).mean())
    if outside <= 0.35:
        return FINE
    reach = np.percentile(points, 98, axis=0)
    text = f"{outside:.0%} of the joints lie outside of {size[0]} x {size[1]} pixels"
    text += f", they reach to {reach[0]:.0f}, {reach[1]:.0f}"
    return Finding(text, outside)


@check(
    "3D against pixels",
    "A point farther right in 3D is farther right in the picture, and a higher point is higher.",
    tolerance=0.05,
)
def projection(case: Case) -> Finding | None:
    if case.pose is None or case.pixels is None or case.pose.joints.shape[:3] != case.pixels.joints.shape[:3]:
        return None
    solid, flat = case.pose.joints.astype(np.float64), case.pixels.joints[..., :2].astype(np.float64)
    finite = np.all(np.isfinite(solid), axis=3) & np.all(np.isfinite(flat), axis=3)
    use = finite.sum(axis=2) >= 5
    if not use.any():
        return None
    finite = finite[use][..., None]
    solid, flat = (_centred(values[use], finite) for values in (solid, flat))
    # A person who turns the side to the camera says little about x; the whole clip is taken together.
    correlations = _correlations(solid, flat)
    if correlations[0, 0] > 0.4 and correlations[1, 1] < -0.6:
        return FINE
    names = [
        f"{'-' if correlations[axis, k] < 0 else ''}{'xyz'[axis]}"
        for k in (0, 1)
        for axis in [np.abs(correlations[:, k]).argmax()]
    ]
    text = f"pixels to the right follow {names[0]} (expected x), pixels downwards follow {names[1]} (expected -y)"
    if names == ["x", "-y"]:
        text = f"pixels follow 3D poorly (correlations {correlations[0, 0]:.2f} and {-correlations[1, 1]:.2f})"
    return Finding(text, 2 - correlations[0, 0] + correlations[1, 1])


def _centred(values: np.ndarray, finite: np.ndarray) -> np.ndarray:
    """[n,V,D] about the mean of the known joints of each body, 0 where unknown."""
    values = np.where(finite, values, 0)
    return np.where(finite, values - values.sum(axis=1, keepdims=True) / finite.sum(axis=1, keepdims=True), 0)


def _correlations(solid: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """float64 [3,2] of x, y, z with u, v."""
    a, b = solid.reshape(-1, 3), flat.reshape(-1, 2)
    size = np.sqrt((a**2).sum(axis=0))[:, None] * np.sqrt((b**2).sum(axis=0))[None]
    return a.T @ b / np.maximum(size, 1e-12)


@check(
    "skeleton on the person",
    "If the camera does not move, the moving pixels lie in the person's box. If they do not, a crop to the person "
    "misses the person.",
    tolerance=0.1,
    reads="moving",
)
def on_person(moving: tuple[np.ndarray, np.ndarray]) -> Finding | None:
    changed, joints = moving
    share, area = picture_motion.inside(changed, _boxes(joints))
    if not np.isfinite(share):
        return None
    if area == 0 or not share < max(0.35, 1.2 * area):
        return FINE
    return Finding(f"{share:.0%} of what moves lies in the person's box ({area:.0%} of the picture)", 1 - share)


@check(
    "crops",
    "A crop to the person, made as in training, shows the person: at least half of the box lies within the picture. "
    "If the truth is known, the region that decides the label lies in the crop.",
    tolerance=0.05,
)
def crops(case: Case) -> Finding | None:
    if case.pixels is None or not np.isfinite(case.pixels.joints).any():
        return None
    if case.info is None or int(case.dataset.row(case.i)["frames"]) != case.info.frames:
        return None
    left, top, right, bottom = person_box(case.pixels, margin=0.0)
    wide = max(0, min(right, case.info.width) - max(left, 0))
    high = max(0, min(bottom, case.info.height) - max(top, 0))
    share = wide * high / max((right - left) * (bottom - top), 1)
    if share < 0.5:
        return Finding(f"only {share:.0%} of the person's box lies within the picture", 1 - share)
    try:
        # Of this clip alone: the lengths of the others are not needed.
        truth, box = case.dataset.truth(case.i), Cut(case.dataset.subset([case.i]), ClipSpec(), 0).box
    except ValueError as problem:
        return Finding(str(problem), 1)
    if truth is None:
        return FINE
    middle = (truth.box[truth.moment, :2] + truth.box[truth.moment, 2:]) / 2
    middle = middle[np.isfinite(middle).all(axis=1)]
    missed = float(((middle < box[:2]) | (middle > box[2:])).any(axis=1).mean()) if len(middle) else 0.0
    return above(0.5, missed, f"the crop misses what makes the label in {missed:.0%} of its moment")


#: Slow beginnings, which pictures show later than poses, gain up to 0.11; poses 3 frames off nearly always more.
LAG_GAIN = 0.13


@check(
    "poses in time",
    "Joints move when and where the picture moves. If they do so some frames earlier or later, the pose files begin "
    "at another frame than the videos, or frames were dropped.",
    tolerance=0.3,
    reads="moving",
)
def in_time(moving: tuple[np.ndarray, np.ndarray]) -> Finding | None:
    correlations = picture_motion.agreement(*moving)
    if not np.isfinite(correlations).all():
        return None
    lag = int(correlations.argmax()) - picture_motion.LAGS
    gain = correlations.max() - correlations[picture_motion.LAGS]
    if correlations.max() < 0.35:
        return None
    if abs(lag) < 2 or gain < LAG_GAIN:
        return FINE
    text = f"poses fit the pictures {abs(lag)} frames {'later' if lag > 0 else 'earlier'} best"
    return Finding(
        f"{text} (correlation {correlations.max():.2f}, as they are {correlations[picture_motion.LAGS]:.2f})", gain
    )


def _boxes(joints: np.ndarray) -> np.ndarray:
    """float64 [T-1,4]: around all persons, from each frame to the next; NaN where nobody is known."""
    low, high = np.where(np.isnan(joints), np.inf, joints), np.where(np.isnan(joints), -np.inf, joints)
    low, high = low.min(axis=(0, 2)), high.max(axis=(0, 2))
    low, high = np.minimum(low[1:], low[:-1]), np.maximum(high[1:], high[:-1])
    with np.errstate(invalid="ignore"):
        grown = MARGIN * (high - low).max(axis=1, keepdims=True)
    boxes = np.concatenate([low - grown, high + grown], axis=1)
    return np.where(np.isfinite(boxes), boxes, np.nan)
