"""Cameras of the synthetic world: where they stand, what they see, and the projection to pixels.

Camera space: metres, x right in the image, y up, z away from the sensor (left-handed, as a Kinect's). Pixels:
u = fx * x / z + cx, v = cy - fy * y / z, pixel i covering [i, i + 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthadl.things.solids import chain, compose3

#: Yaw in degrees of the views on which the protocols rest (1 is on the subject's right, 2 in front, 3 on its left).
YAWS = {1: -40.0, 2: 0.0, 3: 40.0}
MONITORING = (4, 5)
FRAMINGS = {"close": 1.2, "normal": 1.0, "wide": 0.72}

#: Focal length over picture height: 40 degrees from top to bottom, so that 2.2 m are seen at 3 m.
FOCAL = 1.37


@dataclass(frozen=True)
class Camera:
    """intrinsics float64 [3,3] (pixels), extrinsics float64 [4,4] world -> camera space (axis flips included)."""

    intrinsics: np.ndarray
    extrinsics: np.ndarray
    width: int
    height: int

    @property
    def position(self) -> np.ndarray:
        """float64 [3]: where it stands in the world, metres."""
        turn = self.extrinsics[:3, :3]
        return -compose3(turn.T, self.extrinsics[:3, 3:])[:, 0]

    def see(self, points: np.ndarray) -> np.ndarray:
        """World points [...,3] in camera space, metres, float64 [...,3]."""
        points = np.asarray(points, np.float64)
        return (points[..., None, :] * self.extrinsics[:3, :3]).sum(-1) + self.extrinsics[:3, 3]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels float64 [...,2] of points [...,3] in camera space; NaN behind the sensor."""
        points = np.asarray(points, np.float64)
        depth = np.where(points[..., 2] > 1e-6, points[..., 2], np.nan)
        k = self.intrinsics
        u = k[0, 0] * points[..., 0] / depth + k[0, 2]
        v = k[1, 2] - k[1, 1] * points[..., 1] / depth
        return np.stack([u, v], -1)

    def rays(self) -> np.ndarray:
        """float64 [8]: the picture as raycast.py wants it."""
        k = self.intrinsics
        return np.array(
            [1 / k[0, 0], -k[0, 2] / k[0, 0], -1 / k[1, 1], k[1, 2] / k[1, 1], 1.0, self.width, self.height, 0.05]
        )


def look(position: np.ndarray, target: np.ndarray, focal: float, width: int, height: int) -> Camera:
    """A level camera at ``position`` that looks at ``target`` (world metres), ``focal`` in picture heights."""
    ahead = np.asarray(target, np.float64) - np.asarray(position, np.float64)
    ahead = ahead / np.sqrt((ahead**2).sum())
    right = np.cross(ahead, [0.0, 1.0, 0.0])
    right = right / np.sqrt((right**2).sum())
    turn = np.stack([right, np.cross(right, ahead), ahead])
    extrinsics = np.eye(4)
    extrinsics[:3] = chain(np.concatenate([turn, np.zeros((3, 1))], 1), np.eye(3, 4))
    extrinsics[:3, 3] = -(turn * np.asarray(position, np.float64)).sum(-1)
    f = focal * height
    return Camera(np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1.0]]), extrinsics, width, height)


def aim(
    view: int,
    elevation: float,
    distance: float,
    rng: np.random.Generator,
    width: int,
    height: int,
    framing: str = "normal",
) -> Camera:
    """The camera of one clip. ``view`` 1 to 3: around the subject, ``elevation`` and ``distance`` metres as its setup
    says; ``view`` 4 and 5: in a corner under the ceiling, the subject small and off-centre, sometimes cut by the edge.
    ValueError for another view or framing."""
    if framing not in FRAMINGS:
        raise ValueError(f"framing must be one of {', '.join(FRAMINGS)}, got {framing!r}")
    focal = FOCAL * FRAMINGS[framing] * rng.uniform(0.97, 1.04)
    if view in YAWS:
        yaw = np.radians(YAWS[view] + rng.uniform(-5.0, 5.0))
        away = distance * rng.uniform(0.98, 1.04)
        position = np.array([away * np.sin(yaw), elevation + rng.uniform(-0.05, 0.05), away * np.cos(yaw)])
        target = np.array([rng.uniform(-0.1, 0.1), 1.0 + rng.uniform(-0.04, 0.04), 0.1])
        return look(position, target, focal, width, height)
    if view in MONITORING:
        side = -1.0 if view == MONITORING[0] else 1.0
        position = np.array([side * rng.uniform(2.0, 2.35), rng.uniform(2.25, 2.5), rng.uniform(2.4, 2.8)])
        across = np.array([position[2], 0.0, -position[0]]) / np.sqrt(position[0] ** 2 + position[2] ** 2)
        off = rng.choice([-1.0, 1.0]) * rng.uniform(0.7, 2.0) * across
        return look(position, np.array([0.0, rng.uniform(0.65, 1.0), 0.0]) + off, 0.8 * focal, width, height)
    raise ValueError(f"view must be one of {', '.join(map(str, (*YAWS, *MONITORING)))}, got {view}")
