"""Light on what the rays hit (numba): still layers of a room, moving solids over them, and the finished frame.

Light is one parallel lamp with a depth map for its shadows, a sky and a floor that shine softly, and a weak lamp at
the camera. ``light`` float64 [6,3], in camera space: direction to the lamp, its colour, the colour from above, the
colour from below, the upward direction, and (exposure, camera lamp, unused).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from synthadl.drawing.raycast import FAR, cast, invert, normal
from synthadl.drawing.textures import paint
from synthadl.things.solids import Table

#: Metres by which a point is moved off its surface before its shadow is looked up, so that none shades itself.
BIAS, LIFT = 0.012, 0.045
#: Texels between the four looks into the lamp's depth map, for soft edges.
SPREAD = 1.3


@njit(cache=True, nogil=True)
def shade(
    p: int, table: Table, shape: np.ndarray, inverse: np.ndarray, light: np.ndarray, px: float, py: float, pz: float
) -> tuple[float, ...]:
    """Solid ``p`` at a camera-space point: linear RGB without the lamp, linear RGB from it alone, and the normal."""
    m = inverse[p]
    x = m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz + m[0, 3]
    y = m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz + m[1, 3]
    z = m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz + m[2, 3]
    lx, ly, lz = normal(table.form[p], shape[p], x, y, z)
    size = table.size[p]
    red, green, blue = paint(table.texture[p], x, y, z, lx, ly, lz, size, table.color[p])
    nx = m[0, 0] * lx + m[1, 0] * ly + m[2, 0] * lz
    ny = m[0, 1] * lx + m[1, 1] * ly + m[2, 1] * lz
    nz = m[0, 2] * lx + m[1, 2] * ly + m[2, 2] * lz
    norm = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
    nx, ny, nz = nx / norm, ny / norm, nz / norm
    far = math.sqrt(px * px + py * py + pz * pz)
    vx, vy, vz = -px / far, -py / far, -pz / far
    facing = max(nx * vx + ny * vy + nz * vz, 0.0)
    above = 0.5 + 0.5 * (nx * light[4, 0] + ny * light[4, 1] + nz * light[4, 2])
    lamp = max(nx * light[0, 0] + ny * light[0, 1] + nz * light[0, 2], 0.0)
    hx, hy, hz = vx + light[0, 0], vy + light[0, 1], vz + light[0, 2]
    shine = max((nx * hx + ny * hy + nz * hz) / (math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-12), 0.0)
    shine = shine * shine * shine * shine
    shine = table.gloss[p] * shine * shine * shine * shine * shine
    glow = table.glow[p]
    soft = light[5, 1] * facing
    a0 = red * (light[2, 0] * above + light[3, 0] * (1 - above) + soft + glow)
    a1 = green * (light[2, 1] * above + light[3, 1] * (1 - above) + soft + glow)
    a2 = blue * (light[2, 2] * above + light[3, 2] * (1 - above) + soft + glow)
    d0, d1, d2 = (
        light[1, 0] * (red * lamp + shine),
        light[1, 1] * (green * lamp + shine),
        light[1, 2] * (blue * lamp + shine),
    )
    return a0, a1, a2, d0, d1, d2, nx, ny, nz


@njit(cache=True, nogil=True)
def under(lamp: np.ndarray, view: np.ndarray, px: float, py: float, pz: float) -> tuple[float, float, float]:
    """A camera-space point in the lamp's depth map: column, row, depth; lamp [3,4] maps camera to lamp space."""
    a = lamp[0, 0] * px + lamp[0, 1] * py + lamp[0, 2] * pz + lamp[0, 3]
    b = lamp[1, 0] * px + lamp[1, 1] * py + lamp[1, 2] * pz + lamp[1, 3]
    t = lamp[2, 0] * px + lamp[2, 1] * py + lamp[2, 2] * pz + lamp[2, 3]
    return (a - view[1]) / view[0] - 0.5, (b - view[3]) / view[2] - 0.5, t


@njit(cache=True, nogil=True)
def lit(shadow: np.ndarray, u: float, v: float, t: float) -> float:
    """Share of the lamp's light in [0,1] that reaches a point of the lamp's depth map float32 [N,N]."""
    if not (SPREAD + 1 < u < shadow.shape[1] - SPREAD - 2 and SPREAD + 1 < v < shadow.shape[0] - SPREAD - 2):
        return 1.0
    t -= BIAS
    total = 0.0
    for k in range(4):
        su = u + (SPREAD if k & 1 else -SPREAD)
        sv = v + (SPREAD if k & 2 else -SPREAD)
        i, j = int(su), int(sv)
        x, y = su - i, sv - j
        total += (1 - x) * (1 - y) * (shadow[j, i] >= t) + x * (1 - y) * (shadow[j, i + 1] >= t)
        total += (1 - x) * y * (shadow[j + 1, i] >= t) + x * y * (shadow[j + 1, i + 1] >= t)
    return 0.25 * total


@njit(cache=True, nogil=True)
def shadows(
    form: np.ndarray, shape: np.ndarray, world: np.ndarray, eye: np.ndarray, view: np.ndarray, shadow: np.ndarray
) -> tuple[int, int, int, int]:
    """Draw solids into the lamp's depth map float32 [N,N]; returns the rectangle that changed, as raycast.cast does."""
    inverse = np.empty((world.shape[0], 3, 4))
    invert(eye, world, inverse)
    return cast(form, shape, world, inverse, eye, view, 0.5, 0.5, shadow, np.empty(shadow.shape, np.int16))


@njit(cache=True, nogil=True)
def still(
    table: Table,
    shape: np.ndarray,
    world: np.ndarray,
    eye: np.ndarray,
    view: np.ndarray,
    light: np.ndarray,
    offsets: np.ndarray,
    lamp: np.ndarray,
    lamp_view: np.ndarray,
    shadow: np.ndarray,
    depth: np.ndarray,
    ambient: np.ndarray,
    direct: np.ndarray,
    below: np.ndarray,
    base: np.ndarray,
) -> None:
    """What does not move: fills depth float32 [S,H,W] (one layer per sub-pixel offset [S,2]), the mean colours ambient
    and direct float32 [H,W,3] without and from the lamp, below float32 [H,W,3] (see ``under``) and the lit picture base
    float32 [H,W,3]."""
    samples, height, width = depth.shape
    inverse = np.empty((world.shape[0], 3, 4))
    invert(eye, world, inverse)
    index = np.empty((height, width), np.int16)
    ambient[:] = 0
    direct[:] = 0
    below[:] = -FAR
    for s in range(samples):
        depth[s] = FAR
        index[:] = -1
        sx, sy = offsets[s, 0], offsets[s, 1]
        cast(table.form, shape, world, inverse, eye, view, sx, sy, depth[s], index)
        for j in range(height):
            for i in range(width):
                z = depth[s, j, i]
                x, y = (view[0] * (i + sx) + view[1]) * z, (view[2] * (j + sy) + view[3]) * z
                if index[j, i] < 0:
                    continue
                colors = shade(index[j, i], table, shape, inverse, light, x, y, z)
                if s == 0:
                    nx, ny, nz = colors[6], colors[7], colors[8]
                    below[j, i] = under(lamp, lamp_view, x + LIFT * nx, y + LIFT * ny, z + LIFT * nz)
                for c in range(3):
                    ambient[j, i, c] += colors[c] / samples
                    direct[j, i, c] += colors[3 + c] / samples
    base[:] = ambient + direct
    relight(ambient, direct, below, shadow, (0, shadow.shape[1], 0, shadow.shape[0]), base)


@njit(cache=True, nogil=True)
def relight(
    ambient: np.ndarray,
    direct: np.ndarray,
    below: np.ndarray,
    shadow: np.ndarray,
    changed: tuple[int, int, int, int],
    picture: np.ndarray,
) -> None:
    """Light the still pixels that look up the changed rectangle of the lamp's depth map."""
    i0, i1, j0, j1 = changed[0] - 3, changed[1] + 3, changed[2] - 3, changed[3] + 3
    for j in range(picture.shape[0]):
        for i in range(picture.shape[1]):
            u, v = below[j, i, 0], below[j, i, 1]
            if i0 <= u < i1 and j0 <= v < j1:
                share = lit(shadow, u, v, below[j, i, 2])
                for c in range(3):
                    picture[j, i, c] = ambient[j, i, c] + share * direct[j, i, c]


@njit(cache=True, nogil=True)
def frame(
    table: Table,
    shape: np.ndarray,
    world: np.ndarray,
    eye: np.ndarray,
    view: np.ndarray,
    light: np.ndarray,
    offsets: np.ndarray,
    depth: np.ndarray,
    lamp: np.ndarray,
    lamp_view: np.ndarray,
    shadow: np.ndarray,
    picture: np.ndarray,
    marks: np.ndarray,
) -> None:
    """What moves, over the still picture float32 [H,W,3] linear RGB; marks uint8 [H,W], the bits of what shows there.

    shape [S,P,3] and world [S,P,3,4] hold the solids at the S moments that the shutter is open, each drawn with its own
    sub-pixel offset; depth [S,H,W] comes from ``still``; shadow is the lamp's finished map.
    """
    samples, height, width = depth.shape
    marks[:] = 0
    inverse = np.empty((samples, world.shape[1], 3, 4))
    near = depth.copy()
    index = np.full((samples, height, width), -1, np.int16)
    i0, i1, j0, j1 = width, 0, height, 0
    for s in range(samples):
        invert(eye, world[s], inverse[s])
        sx, sy = offsets[s, 0], offsets[s, 1]
        box = cast(table.form, shape[s], world[s], inverse[s], eye, view, sx, sy, near[s], index[s])
        i0, i1, j0, j1 = min(i0, box[0]), max(i1, box[1]), min(j0, box[2]), max(j1, box[3])
    for j in range(j0, j1):
        for i in range(i0, i1):
            covered = 0
            red = green = blue = 0.0
            for s in range(samples):
                p = index[s, j, i]
                if p < 0:
                    continue
                # Surfaces without a pattern need one look per pixel, however many samples hit them.
                count = 1
                if table.texture[p] == 0:
                    for other in range(s + 1, samples):
                        if index[other, j, i] == p:
                            index[other, j, i] = -1
                            count += 1
                z = near[s, j, i]
                x = (view[0] * (i + offsets[s, 0]) + view[1]) * z
                y = (view[2] * (j + offsets[s, 1]) + view[3]) * z
                a0, a1, a2, d0, d1, d2, nx, ny, nz = shade(p, table, shape[s], inverse[s], light, x, y, z)
                u, v, t = under(lamp, lamp_view, x + LIFT * nx, y + LIFT * ny, z + LIFT * nz)
                share = count * lit(shadow, u, v, t)
                red += count * a0 + share * d0
                green += count * a1 + share * d1
                blue += count * a2 + share * d2
                covered += count
                marks[j, i] |= table.bits[p]
            if covered:
                rest = samples - covered
                picture[j, i, 0] = (picture[j, i, 0] * rest + red) / samples
                picture[j, i, 1] = (picture[j, i, 1] * rest + green) / samples
                picture[j, i, 2] = (picture[j, i, 2] * rest + blue) / samples


@njit(cache=True, nogil=True)
def develop(
    picture: np.ndarray, curve: np.ndarray, exposure: float, noise: np.ndarray, sigma: float, out: np.ndarray
) -> None:
    """Linear picture float32 [H,W,3] to uint8 [H,W,3]: exposure, film curve uint8-valued float32 [N] over [0,1), sensor
    noise float32 [H,W,3] times ``sigma``."""
    top = curve.shape[0] - 1
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            for c in range(3):
                value = picture[j, i, c] * exposure
                level = curve[min(max(int(value * top), 0), top)] + sigma * noise[j, i, c] + 0.5
                out[j, i, c] = np.uint8(min(max(level, 0.0), 255.0))
