"""Procedural surfaces (numba): the colour of a solid at a point of it.

``paint`` takes the point in the solid's own coordinates, its metric ``size`` and normal, and two linear RGB colours.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from synthadl.things.solids import CODES

PLANKS, TILES, STRIPES, BRICK, LINES, KEYS, SCREEN, FACE, PICTURE, WINDOW = (
    CODES[name]
    for name in ("planks", "tiles", "stripes", "brick", "lines", "keys", "screen", "face", "picture", "window")
)
WOOD, CHECKS, SPECKLE, BOOKS, LABEL, DOOR, BANDS, FABRIC = (
    CODES[name] for name in ("wood", "checks", "speckle", "books", "label", "door", "bands", "fabric")
)


@njit(cache=True, nogil=True)
def lottery(a: int, b: int) -> float:
    """A number in [0,1) that looks random but depends on the two integers alone."""
    n = (a * 374761393 + b * 668265263) & 0x7FFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0x7FFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFF) / 65536.0


@njit(cache=True, nogil=True)
def grain(u: float, v: float) -> float:
    """Smooth noise in [0,1) over the plane, one feature a unit."""
    i, j = math.floor(u), math.floor(v)
    x, y = u - i, v - j
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    i, j = int(i), int(j)
    top = lottery(i, j) * (1 - x) + lottery(i + 1, j) * x
    low = lottery(i, j + 1) * (1 - x) + lottery(i + 1, j + 1) * x
    return top * (1 - y) + low * y


@njit(cache=True, nogil=True)
def mix(color: np.ndarray, share: float, gain: float) -> tuple[float, float, float]:
    """gain * (first * (1 - share) + second * share)."""
    rest = 1.0 - share
    return (
        gain * (color[0, 0] * rest + color[1, 0] * share),
        gain * (color[0, 1] * rest + color[1, 1] * share),
        gain * (color[0, 2] * rest + color[1, 2] * share),
    )


@njit(cache=True, nogil=True)
def planks(u: float, v: float, color: np.ndarray) -> tuple[float, float, float]:
    """Floor boards along v."""
    row = int(math.floor(u / 0.13))
    end = v / 0.9 + lottery(row, 7) * 3
    board = int(math.floor(end))
    seam = 0.55 if u / 0.13 - row < 0.05 or end - board < 0.012 else 1.0
    return mix(color, 0.25 * grain(u * 40, v * 3), seam * (0.78 + 0.4 * lottery(row, board)))


@njit(cache=True, nogil=True)
def tiles(u: float, v: float, color: np.ndarray) -> tuple[float, float, float]:
    """Square tiles, every other one in the second colour."""
    i, j = math.floor(u / 0.33), math.floor(v / 0.33)
    seam = u / 0.33 - i < 0.045 or v / 0.33 - j < 0.045
    share = 1.0 if (int(i) + int(j)) % 2 else 0.0
    return mix(color, share, 0.6 if seam else 0.93 + 0.14 * lottery(int(i), int(j)))


@njit(cache=True, nogil=True)
def brick(u: float, v: float, color: np.ndarray) -> tuple[float, float, float]:
    """Bricks in the first colour, mortar in the second."""
    row = math.floor(v / 0.09)
    shift = u / 0.24 + 0.5 * (int(row) % 2)
    column = math.floor(shift)
    if v / 0.09 - row < 0.14 or shift - column < 0.05:
        return mix(color, 1.0, 1.0)
    return mix(color, 0.0, 0.75 + 0.45 * lottery(int(row), int(column)))


@njit(cache=True, nogil=True)
def face(x: float, y: float, z: float, color: np.ndarray) -> tuple[float, float, float]:
    """A head: skin in the first colour, hair in the second; eyes, brows and mouth."""
    hairline = 0.42 + 0.25 * x * x
    if y > hairline or z < 0.05 - 0.1 * y:
        return mix(color, 1.0, 1.0)
    side = abs(abs(x) - 0.36)
    if z > 0.3:
        if side < 0.13 and abs(y - 0.08) < 0.075:
            return 0.02, 0.02, 0.025
        if side < 0.2 and abs(y - 0.26) < 0.04:
            return mix(color, 0.8, 0.8)
        if abs(x) < 0.26 and abs(y + 0.46) < 0.055:
            return 0.36 * color[0, 0] + 0.16, 0.3 * color[0, 1], 0.3 * color[0, 2]
    flush = 1.06 if side < 0.2 and y < -0.1 else 1.0
    return mix(color, 0.0, flush)


@njit(cache=True, nogil=True)
def picture(u: float, v: float, color: np.ndarray) -> tuple[float, float, float]:
    """A framed picture, u and v in [-1,1]: a landscape, an abstract or a still life, as the first colour decides."""
    if abs(u) > 0.86 or abs(v) > 0.86:
        return 0.12, 0.08, 0.05
    motif = int(color[0, 0] * 1000) % 3
    if motif == 1:
        patch = lottery(int(math.floor(1.7 * u + 9)), int(math.floor(1.4 * v + 9 + color[0, 1] * 50)))
        return (0.7, 0.12, 0.08) if patch < 0.25 else mix(color, patch, 1.1 - 0.5 * patch)
    if motif == 2:
        radius = math.sqrt(u * u + (v + 0.2) ** 2)
        if radius < 0.42:
            return mix(color, 0.15, 1.3)
        return (0.3, 0.22, 0.16) if v < -0.35 else mix(color, 1.0, 0.8)
    hills = 0.25 * math.sin(3.1 * u + 40 * color[0, 1]) + 0.12 * math.sin(7.3 * u) - 0.1
    if v < hills:
        return mix(color, 0.0, 0.7 + 0.4 * v)
    if (u - 0.4) ** 2 + (v - 0.5) ** 2 < 0.04:
        return 0.9, 0.75, 0.3
    return mix(color, 1.0, 1.0)


@njit(cache=True, nogil=True)
def window(u: float, v: float, color: np.ndarray) -> tuple[float, float, float]:
    """Panes with sky in the second colour, bars in the first; u and v in [-1,1]."""
    if abs(u) > 0.9 or abs(v) > 0.92 or abs(u) < 0.06 or abs(v - 0.15) < 0.05:
        return mix(color, 0.0, 1.0)
    if v < -0.45 + 0.15 * math.sin(4 * u + 1):
        return 0.12, 0.25, 0.08
    return mix(color, 1.0, 0.75 + 0.25 * v)


@njit(cache=True, nogil=True)
def books(u: float, v: float, color: np.ndarray) -> tuple[float, float, float]:
    """Spines side by side."""
    n = int(math.floor(u / 0.045))
    if v > 0.08 * lottery(n, 3) + 0.03:
        return mix(color, 0.0, 0.35)
    if u / 0.045 - n < 0.1:
        return mix(color, 0.0, 0.3)
    return 0.1 + 0.6 * lottery(n, 11), 0.08 + 0.45 * lottery(n, 12), 0.08 + 0.45 * lottery(n, 13)


@njit(cache=True, nogil=True)
def door(u: float, v: float, color: np.ndarray) -> tuple[float, float, float]:
    """Panels; u and v in [-1,1]."""
    au, av = abs(u), abs(abs(v) - 0.48)
    edge = (0.5 < au < 0.58 and av < 0.36) or (0.32 < av < 0.36 and au < 0.58)
    return mix(color, 0.0, 0.7 if edge else 1.0)


@njit(cache=True, nogil=True)
def screen(u: float, v: float, color: np.ndarray) -> tuple[float, float, float]:
    """A lit display with a frame, a banner and two columns; u and v in [-1,1]."""
    if abs(u) > 0.88 or abs(v) > 0.86:
        return 0.015, 0.015, 0.02
    if v < -0.45:
        return mix(color, 1.0, 1.0)
    if abs(u + 0.45) < 0.3 and abs(v - 0.15) < 0.4:
        return 0.9, 0.55, 0.2
    if u > 0.05 and u < 0.7 and int(math.floor(v * 6 + 20)) % 2:
        return mix(color, 0.0, 0.35)
    return mix(color, 0.0, 1.0)


@njit(cache=True, nogil=True)
def paint(
    texture: int, x: float, y: float, z: float, nx: float, ny: float, nz: float, size: np.ndarray, color: np.ndarray
) -> tuple[float, float, float]:
    """Linear RGB at a point (x, y, z) of a solid with normal (nx, ny, nz), all in its own coordinates."""
    if texture == 0:
        return color[0, 0], color[0, 1], color[0, 2]
    if texture == FACE:
        return face(x, y, z, color)
    if abs(ny) > 0.7 * math.sqrt(nx * nx + ny * ny + nz * nz):
        u, v, su, sv = x, z, size[0], size[2]
    elif abs(nx) > abs(nz):
        u, v, su, sv = z, y, size[2], size[1]
    else:
        u, v, su, sv = x, y, size[0], size[1]
    mu, mv = u * su, v * sv
    if texture == PLANKS:
        return planks(mu, mv, color)
    if texture == TILES:
        return tiles(mu, mv, color)
    if texture == STRIPES:
        return mix(color, 1.0 if int(math.floor(mu / 0.11)) % 2 else 0.0, 1.0)
    if texture == BRICK:
        return brick(mu, mv, color)
    if texture == WOOD:
        return mix(color, 0.35 * grain(mu * 6, mv * 60), 0.85 + 0.3 * grain(mu * 3, mv * 14))
    if texture == SPECKLE:
        return mix(color, grain(mu * 90, mv * 90), 0.8 + 0.3 * lottery(int(mu * 400), int(mv * 400)))
    if texture == FABRIC:
        return mix(color, 0.0, 0.85 + 0.3 * grain(mu * 45, mv * 45))
    if texture == CHECKS:
        share = 0.5 * (int(math.floor(x * size[0] / 0.05)) % 2) + 0.5 * (int(math.floor(y * size[1] / 0.05)) % 2)
        return mix(color, share, 1.0)
    if texture == BANDS:
        return mix(color, 1.0 if int(math.floor(y * size[1] / 0.045)) % 2 else 0.0, 1.0)
    if texture == LABEL:
        return mix(color, 1.0 if 0.25 < (y if size[1] > 0 else 0.0) < 0.7 else 0.0, 1.0)
    if texture == PICTURE:
        return picture(u, v, color) if abs(nz) > 0.5 else mix(color, 0.0, 0.3)
    if texture == WINDOW:
        return window(u, v, color)
    if texture == DOOR:
        return door(u, v, color)
    if texture == BOOKS:
        return books(mu, mv, color) if abs(nz) > 0.5 else mix(color, 0.0, 0.6)
    return printed(texture, u, v, mu, mv, ny, color)


@njit(cache=True, nogil=True)
def printed(
    texture: int, u: float, v: float, mu: float, mv: float, ny: float, color: np.ndarray
) -> tuple[float, float, float]:
    """Surfaces with something on their upper side only: lines of text, keys, a display."""
    if ny < 0.5:
        return mix(color, 0.0, 0.8) if texture == LINES else mix(color, 0.0, 0.3)
    if texture == SCREEN:
        return screen(u, v, color)
    if texture == KEYS:
        i, j = math.floor(mu / 0.034), math.floor(mv / 0.034)
        gap = mu / 0.034 - i < 0.22 or mv / 0.034 - j < 0.22
        return mix(color, 0.0 if gap else 1.0, 1.0)
    text = abs(u) < 0.88 and abs(v) < 0.85 and abs(u) > 0.06 and int(math.floor(mv / 0.016)) % 2 == 0
    return mix(color, 0.75 if text else 0.0, 1.0)
