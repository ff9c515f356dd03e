"""Poses as worse sensors see them: jitter, dropped joints, left-right swaps, occlusion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from workbench.media.skeletons import body_part
from workbench.types import Pose


@dataclass(frozen=True)
class Quality:
    """jitter: standard deviation of each coordinate's noise, as a share of the trunk's length (about half a metre);
    dropped, swapped, occluded: share of the joint-frames, frames and frames concerned; the latter three come in runs of
    ``run`` frames on average, as real failures do."""

    jitter: float
    dropped: float
    swapped: float
    occluded: float
    run: float = 6.0


#: Graded like table 6 of VPN++: Kinect v2, poses from RGB refined over several estimators, poses from small or
#: partly hidden persons in RGB.
LEVELS = {
    "high": Quality(jitter=0.0, dropped=0.0, swapped=0.0, occluded=0.0),
    "medium": Quality(jitter=0.04, dropped=0.05, swapped=0.03, occluded=0.08),
    "low": Quality(jitter=0.10, dropped=0.15, swapped=0.12, occluded=0.30),
}

#: What disappears together: behind a table, at the picture's border, behind the body itself.
_HIDDEN = (
    ("left leg", "right leg"),
    ("left arm", "left leg"),
    ("right arm", "right leg"),
    ("left arm",),
    ("right arm",),
    ("head", "trunk", "left arm", "right arm", "left leg", "right leg"),
)


def degrade(pose: Pose, level: str, seed: int | np.random.Generator) -> Pose:
    """``pose`` at quality ``level``: "high" (as recorded), "medium" or "low"; any space and schema.

    Same pose, level and seed, same result. Joints are disturbed, exchanged between left and right, and removed (NaN,
    confidence 0), never added. The same seed disturbs, exchanges and removes the same joints of a person in the same
    frames, whether they are given in camera space or as pixels. ValueError for an unknown level.
    """
    if level not in LEVELS:
        raise ValueError(f"pose quality must be one of {', '.join(LEVELS)}, got {level!r}")
    quality = LEVELS[level]
    if quality == LEVELS["high"]:
        return pose
    rng = np.random.default_rng(seed)
    joints, confidence = pose.joints.copy(), None if pose.confidence is None else pose.confidence.copy()
    for body in range(len(joints)):
        noise = rng.normal(size=(*joints.shape[1:3], 3))[..., : joints.shape[3]]
        joints[body] += noise * quality.jitter * _trunk(pose, body)
        exchanged = _runs(rng, quality.swapped, quality.run, (joints.shape[1], 1))[:, 0]
        for values in (joints, confidence):
            if values is not None:
                values[body, exchanged] = values[body, exchanged][:, pose.skeleton.mirror]
        lost = _runs(rng, quality.dropped, quality.run, joints.shape[1:3]) | _occluded(rng, quality, pose)
        joints[body, lost] = np.nan
        if confidence is not None:
            confidence[body, lost] = 0
    return replace(pose, joints=joints, confidence=confidence)


def _occluded(rng: np.random.Generator, quality: Quality, pose: Pose) -> np.ndarray:
    """bool [T,V]: parts of the body that are hidden together."""
    parts = np.array(body_part(pose.skeleton))
    frames = pose.joints.shape[1]
    hidden = _runs(rng, quality.occluded, 2 * quality.run, (frames, 1))[:, 0]
    lost = np.zeros((frames, pose.skeleton.count), bool)
    begins = np.flatnonzero(hidden & ~np.append(False, hidden[:-1]))
    for begin in begins:
        end = begin + int(np.append(hidden[begin:], False).argmin())
        lost[begin:end] = np.isin(parts, _HIDDEN[rng.integers(len(_HIDDEN))])
    return lost


def _runs(rng: np.random.Generator, share: float, length: float, shape: tuple[int, int]) -> np.ndarray:
    """bool [T,n]: true for ``share`` of the time, in runs of ``length`` frames on average: a two-state Markov chain."""
    draws = rng.random(shape)
    begin = share / ((1 - share) * length)
    state = np.zeros(shape, bool)
    state[0] = draws[0] < share
    for t in range(1, len(state)):
        state[t] = np.where(state[t - 1], draws[t] >= 1 / length, draws[t] < begin)
    return state


def _trunk(pose: Pose, body: int) -> float:
    """The median distance from hip centre to the middle of the shoulders; 0 if it is never seen."""
    joints = pose.joints[body].astype(np.float64)
    hips, shoulders = joints[:, pose.skeleton.root].mean(axis=1), joints[:, pose.skeleton.shoulders].mean(axis=1)
    lengths = np.linalg.norm(shoulders - hips, axis=1)
    finite = lengths[np.isfinite(lengths)]
    return float(np.median(finite)) if len(finite) else 0.0
