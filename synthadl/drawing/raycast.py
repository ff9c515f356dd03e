"""Ray casting of solids inside their screen rectangles (numba).

A picture is a grid of rays given by ``view`` float64 [8] = (ax, a0, by, b0, perspective, width, height, near):
pixel (i, j) with sub-pixel offset (sx, sy) has a = ax * (i + sx) + a0 and b = by * (j + sy) + b0. In perspective the
ray is t * (a, b, 1), so t is the depth along z; otherwise it is (a, b, t), parallel light. All of it in the space in
which ``inverse`` float64 [P,3,4] maps view space -> the solid's own coordinates.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

FAR = 1e9
BALL, BOX, FRUSTUM, ROUND = 0, 1, 2, 3


@njit(cache=True, nogil=True)
def invert(view: np.ndarray, world: np.ndarray, out: np.ndarray) -> None:
    """out[p] = (view after world[p])^-1 for affine maps: view [3,4], world [P,3,4], out [P,3,4]; singular -> NaN."""
    m = np.empty((3, 4))
    for p in range(world.shape[0]):
        for r in range(3):
            for c in range(4):
                m[r, c] = view[r, 0] * world[p, 0, c] + view[r, 1] * world[p, 1, c] + view[r, 2] * world[p, 2, c]
            m[r, 3] += view[r, 3]
        c00 = m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1]
        c10 = m[1, 2] * m[2, 0] - m[1, 0] * m[2, 2]
        c20 = m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0]
        det = m[0, 0] * c00 + m[0, 1] * c10 + m[0, 2] * c20
        scale = 1.0 / det if abs(det) > 1e-18 else math.nan
        out[p, 0, 0], out[p, 1, 0], out[p, 2, 0] = c00 * scale, c10 * scale, c20 * scale
        out[p, 0, 1] = (m[0, 2] * m[2, 1] - m[0, 1] * m[2, 2]) * scale
        out[p, 1, 1] = (m[0, 0] * m[2, 2] - m[0, 2] * m[2, 0]) * scale
        out[p, 2, 1] = (m[0, 1] * m[2, 0] - m[0, 0] * m[2, 1]) * scale
        out[p, 0, 2] = (m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1]) * scale
        out[p, 1, 2] = (m[0, 2] * m[1, 0] - m[0, 0] * m[1, 2]) * scale
        out[p, 2, 2] = (m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]) * scale
        for r in range(3):
            out[p, r, 3] = -(out[p, r, 0] * m[0, 3] + out[p, r, 1] * m[1, 3] + out[p, r, 2] * m[2, 3])


@njit(cache=True, nogil=True, inline="always")
def extent(form: int, shape: np.ndarray) -> tuple[float, float, float]:
    """Half width on x and z, lowest and highest y of a solid's own bounding box."""
    if form == FRUSTUM:
        return max(shape[0], shape[1]), 0.0, 1.0
    if form == ROUND:
        return max(shape[0], shape[1]), min(-shape[0], shape[2] - shape[1]), max(shape[0], shape[2] + shape[1])
    return 1.0, -1.0, 1.0


@njit(cache=True, nogil=True)
def rectangle(
    form: int, shape: np.ndarray, eye: np.ndarray, world: np.ndarray, view: np.ndarray
) -> tuple[int, int, int, int]:
    """First column, end column, first row, end row that the solid can touch; all 0 where it can't be seen."""
    wide, low, high = extent(form, shape)
    i0, i1, j0, j1 = FAR, -FAR, FAR, -FAR
    for corner in range(8):
        x = wide if corner & 1 else -wide
        y = high if corner & 2 else low
        z = wide if corner & 4 else -wide
        wx = world[0, 0] * x + world[0, 1] * y + world[0, 2] * z + world[0, 3]
        wy = world[1, 0] * x + world[1, 1] * y + world[1, 2] * z + world[1, 3]
        wz = world[2, 0] * x + world[2, 1] * y + world[2, 2] * z + world[2, 3]
        a = eye[0, 0] * wx + eye[0, 1] * wy + eye[0, 2] * wz + eye[0, 3]
        b = eye[1, 0] * wx + eye[1, 1] * wy + eye[1, 2] * wz + eye[1, 3]
        if view[4] > 0:
            depth = eye[2, 0] * wx + eye[2, 1] * wy + eye[2, 2] * wz + eye[2, 3]
            if not depth > view[7]:
                if depth != depth:
                    return 0, 0, 0, 0
                return 0, int(view[5]), 0, int(view[6])
            a, b = a / depth, b / depth
        i, j = (a - view[1]) / view[0], (b - view[3]) / view[2]
        if not (i == i and j == j):
            return 0, 0, 0, 0
        i0, i1, j0, j1 = min(i0, i), max(i1, i), min(j0, j), max(j1, j)
    i0, j0 = max(i0 - 1.0, 0.0), max(j0 - 1.0, 0.0)
    i1, j1 = min(i1 + 1.0, view[5]), min(j1 + 1.0, view[6])
    if i0 >= i1 or j0 >= j1:
        return 0, 0, 0, 0
    return int(i0), int(i1), int(j0), int(j1)


@njit(cache=True, nogil=True, inline="always")
def hit_box(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float) -> float:
    """Entry into [-1,1]^3; FAR if missed or behind."""
    ix = 1.0 / dx if dx != 0.0 else 1e30
    iy = 1.0 / dy if dy != 0.0 else 1e30
    iz = 1.0 / dz if dz != 0.0 else 1e30
    mx, my, mz = -ox * ix, -oy * iy, -oz * iz
    hx, hy, hz = abs(ix), abs(iy), abs(iz)
    near = max(mx - hx, my - hy, mz - hz)
    far = min(mx + hx, my + hy, mz + hz)
    return near if near <= far and near > 0.0 else FAR


@njit(cache=True, nogil=True, inline="always")
def hit_ball(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float) -> float:
    """Entry into the unit sphere."""
    a = dx * dx + dy * dy + dz * dz
    b = ox * dx + oy * dy + oz * dz
    h = b * b - a * (ox * ox + oy * oy + oz * oz - 1.0)
    if h < 0.0:
        return FAR
    t = (-b - math.sqrt(h)) / a
    return t if t > 0.0 else FAR


@njit(cache=True, nogil=True, inline="always")
def hit_frustum(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, low: float, high: float) -> float:
    """Entry into the capped cone 0 <= y <= 1."""
    best = FAR
    k = high - low
    r = low + k * oy
    a = dx * dx + dz * dz - k * k * dy * dy
    b = ox * dx + oz * dz - r * k * dy
    c = ox * ox + oz * oz - r * r
    h = b * b - a * c
    if h >= 0.0 and abs(a) > 1e-14:
        root = math.sqrt(h)
        for sign in (-1.0, 1.0):
            t = (-b + sign * root) / a
            y = oy + t * dy
            if 0.0 < t < best and 0.0 <= y <= 1.0 and low + k * y >= 0.0:
                best = t
    if dy != 0.0:
        for cap in (0.0, 1.0):
            t = (cap - oy) / dy
            x, z, radius = ox + t * dx, oz + t * dz, high if cap > 0.5 else low
            if 0.0 < t < best and x * x + z * z <= radius * radius:
                best = t
    return best


@njit(cache=True, nogil=True, inline="always")
def hit_round(
    ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, ra: float, rb: float, length: float
) -> float:
    """Entry into the hull of two spheres on the y axis (after I. Quilez' rounded cone, for rays of any length)."""
    rr = ra - rb
    d2 = length * length - rr * rr
    o2 = ox * ox + oz * oz
    along = ox * dx + oz * dz
    dd = dx * dx + dy * dy + dz * dz
    if d2 > 0.0:
        m1, m2 = length * oy, length * dy
        m3, m5 = along + oy * dy, o2 + oy * oy
        k2 = d2 * dd - m2 * m2
        k1 = d2 * m3 - m1 * m2 + m2 * rr * ra
        h = k1 * k1 - k2 * (d2 * m5 - m1 * m1 + m1 * rr * ra * 2.0 - length * length * ra * ra)
        if h < 0.0:
            return FAR
        if abs(k2) > 1e-14:
            t = (-math.sqrt(h) - k1) / k2
            y = m1 - ra * rr + t * m2
            if 0.0 < y < d2:
                return t if t > 0.0 else FAR
    best = FAR
    for end in (0.0, 1.0):
        radius = rb if end > 0.5 else ra
        y = oy - end * length
        b = along + y * dy
        h = b * b - dd * (o2 + y * y - radius * radius)
        if h > 0.0:
            t = (-b - math.sqrt(h)) / dd
            if 0.0 < t < best:
                best = t
    return best


@njit(cache=True, nogil=True)
def cast(
    form: np.ndarray,
    shape: np.ndarray,
    world: np.ndarray,
    inverse: np.ndarray,
    eye: np.ndarray,
    view: np.ndarray,
    sx: float,
    sy: float,
    depth: np.ndarray,
    index: np.ndarray,
) -> tuple[int, int, int, int]:
    """Paint the nearest solid of each ray: depth float32 [H,W] (smaller wins over what is there) and index int16 [H,W].

    form int64 [P], shape float64 [P,3], world float64 [P,3,4] (NaN: not there), inverse as ``invert`` makes it from
    ``eye``. Returns the rectangle that anything may have touched, as ``rectangle`` does.
    """
    touched = (depth.shape[1], 0, depth.shape[0], 0)
    persp = view[4] > 0
    for p in range(form.shape[0]):
        i0, i1, j0, j1 = rectangle(form[p], shape[p], eye, world[p], view)
        if i0 >= i1:
            continue
        touched = (min(touched[0], i0), max(touched[1], i1), min(touched[2], j0), max(touched[3], j1))
        m = inverse[p]
        s0, s1, s2 = shape[p, 0], shape[p, 1], shape[p, 2]
        kind = form[p]
        for j in range(j0, j1):
            b = view[2] * (j + sy) + view[3]
            for i in range(i0, i1):
                a = view[0] * (i + sx) + view[1]
                x = m[0, 0] * a + m[0, 1] * b
                y = m[1, 0] * a + m[1, 1] * b
                z = m[2, 0] * a + m[2, 1] * b
                if persp:
                    ox, oy, oz = m[0, 3], m[1, 3], m[2, 3]
                    dx, dy, dz = x + m[0, 2], y + m[1, 2], z + m[2, 2]
                else:
                    ox, oy, oz = x + m[0, 3], y + m[1, 3], z + m[2, 3]
                    dx, dy, dz = m[0, 2], m[1, 2], m[2, 2]
                if kind == ROUND:
                    t = hit_round(ox, oy, oz, dx, dy, dz, s0, s1, s2)
                elif kind == BALL:
                    t = hit_ball(ox, oy, oz, dx, dy, dz)
                elif kind == BOX:
                    t = hit_box(ox, oy, oz, dx, dy, dz)
                else:
                    t = hit_frustum(ox, oy, oz, dx, dy, dz, s0, s1)
                if t < depth[j, i]:
                    depth[j, i] = t
                    index[j, i] = p
    return touched


@njit(cache=True, nogil=True)
def normal(form: int, shape: np.ndarray, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Outward normal (not normalised) of a solid at a point of its surface, own coordinates."""
    if form == BALL:
        return x, y, z
    if form == BOX:
        ax, ay, az = abs(x), abs(y), abs(z)
        if ax >= ay and ax >= az:
            return math.copysign(1.0, x), 0.0, 0.0
        if ay >= az:
            return 0.0, math.copysign(1.0, y), 0.0
        return 0.0, 0.0, math.copysign(1.0, z)
    if form == FRUSTUM:
        radius = math.sqrt(x * x + z * z)
        k = shape[1] - shape[0]
        if y > 0.999 and radius < shape[1] * 0.999:
            return 0.0, 1.0, 0.0
        if y < 0.001 and radius < shape[0] * 0.999:
            return 0.0, -1.0, 0.0
        return x, -k * radius, z
    ra, length = shape[0], shape[2]
    rr = ra - shape[1]
    d2 = length * length - rr * rr
    side = length * y - ra * rr
    if d2 <= 0.0:
        return (x, y, z) if rr >= 0.0 else (x, y - length, z)
    if side <= 0.0:
        return x, y, z
    if side >= d2:
        return x, y - length, z
    return d2 * x, d2 * y - length * side, d2 * z
