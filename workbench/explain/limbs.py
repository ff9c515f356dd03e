"""Moving a joint as a body does: the bones keep their lengths.

The bones between the dragged joint and what holds its limb (a shoulder, a hip, else the middle of the hips) turn until
the joint is where it should be (FABRIK: Aristidou and Lasenby, Graphical Models 2011); what hangs on them turns with
them. A place out of reach is come as near to as the limb can.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from workbench.types import Skeleton

#: Passes between hand and shoulder: an arm then ends at the place, near its full stretch within a pixel or two.
PASSES = 40
#: A straight limb is bent by this share of a bone, since it would else never find a side to bend to.
NUDGE = 1e-3
#: What is shorter has no direction.
TINY = 1e-12


@cache
def parents(skeleton: Skeleton) -> dict[int, int]:
    """What each joint hangs on, nearest to the middle of the hips first; joints of that middle hang on nothing, nor do
    shoulders or others to which no bone leads from there."""
    parent_of: dict[int, int] = {}
    waiting, seen = list(skeleton.root), set(skeleton.root)
    for start in (*skeleton.hips, *skeleton.shoulders, *range(skeleton.count)):
        while waiting:
            joint = waiting.pop(0)
            for a, b in [*skeleton.bones, *((b, a) for a, b in skeleton.bones)]:
                if a == joint and b not in seen:
                    parent_of[b] = joint
                    seen.add(b)
                    waiting.append(b)
        if start not in seen:
            seen.add(start)
            waiting.append(start)
    return parent_of


def chain(skeleton: Skeleton, joint: int) -> list[int]:
    """The joints from the one that holds the limb of ``joint`` to ``joint`` itself, which stands alone where it is
    what the body hangs on."""
    path, holders = [joint], {*skeleton.hips, *skeleton.shoulders}
    while path[-1] in parents(skeleton) and (len(path) == 1 or path[-1] not in holders):
        path.append(parents(skeleton)[path[-1]])
    return path[::-1]


def bend(points: np.ndarray, skeleton: Skeleton, joint: int, target: np.ndarray) -> np.ndarray:
    """float64 [T,V,2]: ``points`` [T,V,2] with ``joint`` dragged to ``target`` [T,2], or as near as the limb reaches,
    and every bone of ``parents`` as long as it was. A joint on which the body hangs takes all others along. Frames in
    which a joint of the limb is missing (NaN) stay as they were."""
    old, path = np.asarray(points, np.float64), chain(skeleton, joint)
    moved, known = old.copy(), np.isfinite(old[:, path]).all((1, 2))
    old, target = old[known], np.asarray(target, np.float64)[known]
    if len(path) == 1:
        moved[known] = old + (target - old[:, joint])[:, None]
        return moved
    new = old.copy()
    new[:, path] = _reach(old[:, path], target)
    carriers: dict[int, tuple[int, int]] = dict(zip(path[1:], zip(path, path[1:], strict=False), strict=True))
    for child, parent in parents(skeleton).items():  # parents come before their children
        if child not in carriers and parent in carriers:
            bone = carriers[child] = carriers[parent]
            was, now = (each[:, bone[1]] - each[:, bone[0]] for each in (old, new))
            arm = (old[:, child] - old[:, bone[1]])[:, None]
            new[:, child] = new[:, bone[1]] + _turned(arm, was, now)[:, 0]
    moved[known] = new
    return moved


def restored(old: np.ndarray, new: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """``new`` [...,V,D] with the bones of ``parents`` as long as in ``old``, each in its new direction."""
    joints = new.astype(np.float64).copy()
    for child, parent in parents(skeleton).items():
        was, now = old[..., child, :] - old[..., parent, :], new[..., child, :] - new[..., parent, :]
        length, far = (np.linalg.norm(bone, axis=-1, keepdims=True) for bone in (was, now))
        bone = np.divide(now * length, far, out=np.array(now, np.float64), where=far > 0)
        placed = joints[..., parent, :] + bone
        joints[..., child, :] = np.where(np.isfinite(placed), placed, joints[..., child, :])
    return joints


def _reach(limb: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The joints [T,n,2] of a limb whose first stays and whose last goes to ``target`` [T,2]."""
    lengths = np.linalg.norm(np.diff(limb, axis=1), axis=2)
    total, longest = lengths.sum(1), lengths.max(1)
    away = target - limb[:, 0]
    far = np.linalg.norm(away, axis=1)
    ahead = _unit(away, _unit(limb[:, -1] - limb[:, 0], np.array([1.0, 0.0])))
    near = np.clip(far, np.maximum(0, 2 * longest - total), total)
    target = limb[:, 0] + ahead * near[:, None]
    # As a whole it turns to the place first, so that an elbow stays on its side.
    joints = limb[:, :1] + _turned(limb - limb[:, :1], limb[:, -1] - limb[:, 0], away)
    joints[:, 1:-1] += NUDGE * lengths[:, :-1, None] * np.stack([-ahead[:, 1], ahead[:, 0]], 1)[:, None]
    for _ in range(PASSES):
        joints[:, -1] = target
        for k in range(joints.shape[1] - 2, -1, -1):
            joints[:, k] = joints[:, k + 1] + lengths[:, k, None] * _unit(joints[:, k] - joints[:, k + 1], -ahead)
        joints[:, 0] = limb[:, 0]
        for k in range(joints.shape[1] - 1):
            joints[:, k + 1] = joints[:, k] + lengths[:, k, None] * _unit(joints[:, k + 1] - joints[:, k], ahead)
    straight = limb[:, :1] + ahead[:, None] * np.concatenate([0 * total[:, None], lengths.cumsum(1)], 1)[..., None]
    return np.where((far >= total)[:, None, None], straight, joints)


def _unit(vectors: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Directions [T,2]; ``otherwise`` of vectors without one."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > TINY, vectors / np.maximum(length, TINY), otherwise)


def _turned(points: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """``points`` [T,n,2] turned by the angle from one bone [T,2] to another; as they are where a bone has no length."""
    axis = np.array([1.0, 0.0])
    (a, b), (c, d) = (_unit(bone, axis).T[..., None] for bone in (before, after))
    cosine, sine = a * c + b * d, a * d - b * c
    valid = (np.linalg.norm(before, axis=1) > TINY) & (np.linalg.norm(after, axis=1) > TINY)
    x, y = points[..., 0], points[..., 1]
    turned = np.stack([cosine * x - sine * y, sine * x + cosine * y], -1)
    return np.where(valid[:, None, None], turned, points)
