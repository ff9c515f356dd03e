"""The mathematics of moving: time profiles, smooth noise, rotations, two-bone inverse kinematics, clearance.

Arrays run over time in their first axis. Angles are degrees in the body's terms: pitch bows forward, yaw turns to the
body's left, roll leans to its right; rotations are Ry(yaw) Rx(pitch) Rz(roll).
"""

from __future__ import annotations

import numpy as np

#: A point, a direction or angles: [3], or one for each moment [T,3].
Vector = tuple[float, float, float] | np.ndarray


def minimum_jerk(share: np.ndarray) -> np.ndarray:
    """The minimum-jerk profile (Flash and Hogan 1985): 0 to 1 with zero velocity and acceleration at both ends."""
    s = np.clip(share, 0.0, 1.0)
    return s**3 * (10.0 - 15.0 * s + 6.0 * s * s)


def ease(t: np.ndarray, start: float, end: float) -> np.ndarray:
    """float64 [T] from 0 before ``start`` to 1 after ``end`` (seconds), along the minimum-jerk profile."""
    return minimum_jerk((t - start) / max(end - start, 1e-6))


def bump(t: np.ndarray, start: float, end: float) -> np.ndarray:
    """float64 [T]: 0 outside (start, end), 1 in its middle, smooth to the second derivative."""
    s = np.clip((t - start) / max(end - start, 1e-6), 0.0, 1.0)
    return 64.0 * (s * (1.0 - s)) ** 3


def window(t: np.ndarray, start: float, end: float, ramp: float) -> np.ndarray:
    """float64 [T]: 1 inside (start, end), 0 outside, with ramps of ``ramp`` seconds inside the interval."""
    ramp = min(ramp, 0.5 * (end - start))
    return ease(t, start, start + ramp) * (1.0 - ease(t, end - ramp, end))


def noise(rng: np.random.Generator, t: np.ndarray, low: float, high: float, size: int) -> np.ndarray:
    """float64 [T, size] of unit variance: sines of random phase between ``low`` and ``high`` hertz.

    Sines, not filtered draws, so that it looks the same played backwards and at any frame rate.
    """
    hertz = rng.uniform(low, high, (4, 1, size))
    phase = rng.uniform(0.0, 2.0 * np.pi, (4, 1, size))
    return np.sin(2.0 * np.pi * hertz * t[None, :, None] + phase).sum(0) / np.sqrt(2.0)


def rotation(angles: Vector) -> np.ndarray:
    """float64 [..., 3, 3] from (pitch, yaw, roll) in degrees [..., 3]."""
    pitch, yaw, roll = np.moveaxis(np.radians(np.asarray(angles, dtype=float)), -1, 0)
    cp, sp, cy, sy, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw), np.cos(roll), np.sin(roll)
    rows = [
        [cy * cr + sy * sp * sr, sy * sp * cr - cy * sr, sy * cp],
        [cp * sr, cp * cr, -sp],
        [cy * sp * sr - sy * cr, sy * sr + cy * sp * cr, cy * cp],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def unit(vectors: np.ndarray) -> np.ndarray:
    """The same directions with length 1, along the last axis."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def rotate(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """float64 [T,3]: every vector [T,3] or [3] under its matrix [T,3,3]."""
    return np.einsum("tij,tj->ti", matrices, np.broadcast_to(vectors, (len(matrices), 3)))


def turning(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """float64 [T,3,3]: the smallest rotations that turn directions [T,3] into others; exactly none where they are the
    same."""
    first, second = unit(before), unit(after)
    x, y, z = across = np.cross(first, second).T
    zero, cosine = np.zeros_like(x), (first * second).sum(-1)
    cross = np.stack([np.stack(row, -1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))], -2)
    # 1 / (1 + cosine), also near half a turn; from exactly there nothing says about which axis, and nothing turns.
    weight = np.where(cosine > 0, 1.0 / (1.0 + np.abs(cosine)), (1.0 - cosine) / np.maximum((across**2).sum(0), 1e-300))
    turned = np.eye(3) + cross + cross @ cross * weight[:, None, None]
    return np.where((before == after).all(-1)[:, None, None], np.eye(3), turned)


def orthonormal(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``first`` [T,3] normalised, and the part of ``second`` at right angles to it, normalised."""
    first = unit(first)
    return first, unit(second - (second * first).sum(-1, keepdims=True) * first)


def matrix(turn: np.ndarray, place: np.ndarray) -> np.ndarray:
    """float64 [T,4,4] from rotations [T,3,3] and positions [T,3]."""
    out = np.zeros((len(place), 4, 4))
    out[:, :3, :3], out[:, :3, 3], out[:, 3, 3] = turn, place, 1.0
    return out


def saturate(value: np.ndarray, start: float, limit: float) -> np.ndarray:
    """``value`` up to ``start``, beyond it bent smoothly towards ``limit``, which it never passes."""
    span = limit - start
    return np.where(value > start, start + span * np.tanh((value - start) / span), value)


def two_bone(
    root: np.ndarray,
    target: np.ndarray,
    pole: np.ndarray,
    upper: float,
    lower: float,
    sharpest: float,
    straight: float = 0.955,
) -> tuple[np.ndarray, np.ndarray]:
    """Middle and end joint [T,3] of a limb from ``root`` that reaches for ``target``, bent towards ``pole``.

    ``sharpest`` is the smallest inner angle of the middle joint in degrees. From the share ``straight`` of full stretch
    on the reach saturates smoothly, where the exact solution would snap straight with unbounded speed.
    """
    whole = upper + lower
    offset = target - root
    distance = np.linalg.norm(offset, axis=-1, keepdims=True)
    along = offset / np.maximum(distance, 1e-9)
    longest = (0.1 * straight + 0.9) * whole
    reach = saturate(distance, straight * whole, longest)
    nearest = np.sqrt(upper**2 + lower**2 - 2.0 * upper * lower * np.cos(np.radians(sharpest)))
    reach = 0.5 * (reach + nearest + np.sqrt((reach - nearest) ** 2 + 1e-4))
    reach = np.minimum(reach, longest)
    inner = (upper**2 - lower**2 + reach**2) / (2.0 * reach)
    height = np.sqrt(np.maximum(upper**2 - inner**2, 0.0))
    _, side = orthonormal(along, pole)
    return root + inner * along + height * side, root + reach * along


def capsule_distance(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance [..., T] of points [..., T, 3] to the segment start-end [T,3], and the nearest point on it."""
    axis = end - start
    share = ((points - start) * axis).sum(-1) / np.maximum((axis * axis).sum(-1), 1e-9)
    nearest = start + np.clip(share, 0.0, 1.0)[..., None] * axis
    return np.linalg.norm(points - nearest, axis=-1), nearest


def push_out(points: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float) -> np.ndarray:
    """Points [T,3] moved smoothly out of the capsule start-end [T,3]; those well outside stay where they are."""
    distance, nearest = capsule_distance(points, start, end)
    gap = distance - radius
    outside = radius + 0.5 * (gap + np.sqrt(gap**2 + 0.02**2))
    away = (points - nearest) / np.maximum(distance, 1e-6)[:, None]
    return nearest + away * outside[:, None]


def lean_to(limit: float | np.ndarray, value: np.ndarray) -> np.ndarray:
    """``value`` kept inside (-limit, limit) without a corner."""
    return limit * np.tanh(value / limit)
