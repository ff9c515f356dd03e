"""Light on what the rays hit (numba): still layers of a room, moving solids over them, and the finished frame.

Light is one parallel lamp with a depth map for its shadows, a sky and a floor that shine softly, and a weak lamp at
the camera. ``light`` float64 [6,3], in camera space: direction to the lamp, its colour, the colour from above, the
colour from below, the upward direction, and (exposure, camera lamp, unused).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from workbench.synth.raycast import FAR, cast, invert, normal
from workbench.synth.textures import paint

BIAS = 0.03
SPREAD = 1.3


@njit(cache=True, nogil=True)
def shade(p, table, shape, inverse, light, px, py, pz):
    """Colour of solid ``p`` at the camera-space point, without the lamp and from the lamp alone: two linear RGB."""
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
    lamp = max((nx * light[0, 0] + ny * light[0, 1] + nz * light[0, 2] + 0.15) / 1.15, 0.0)
    hx, hy, hz = vx + light[0, 0], vy + light[0, 1], vz + light[0, 2]
    shine = max((nx * hx + ny * hy + nz * hz) / (math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-12), 0.0)
    shine = shine * shine * shine * shine
    shine = table.gloss[p] * shine * shine * shine * shine * shine
    glow = table.glow[p]
    soft = light[5, 1] * facing
    a0 = red * (light[2, 0] * above + light[3, 0] * (1 - above) + soft + glow)
    a1 = green * (light[2, 1] * above + light[3, 1] * (1 - above) + soft + glow)
    a2 = blue * (light[2, 2] * above + light[3, 2] * (1 - above) + soft + glow)
    d0, d1, d2 = light[1, 0] * (red * lamp + shine), light[1, 1] * (green * lamp + shine), light[1, 2] * (blue * lamp + shine)
    return a0, a1, a2, d0, d1, d2


@njit(cache=True, nogil=True)
def lit(lamp, view, shadow, px, py, pz):
    """Share of the lamp's light in [0,1] that reaches a camera-space point; lamp [3,4] maps camera to lamp space."""
    a = lamp[0, 0] * px + lamp[0, 1] * py + lamp[0, 2] * pz + lamp[0, 3]
    b = lamp[1, 0] * px + lamp[1, 1] * py + lamp[1, 2] * pz + lamp[1, 3]
    t = lamp[2, 0] * px + lamp[2, 1] * py + lamp[2, 2] * pz + lamp[2, 3] - BIAS
    u, v = (a - view[1]) / view[0] - 0.5, (b - view[3]) / view[2] - 0.5
    if not (SPREAD + 1 < u < shadow.shape[1] - SPREAD - 2 and SPREAD + 1 < v < shadow.shape[0] - SPREAD - 2):
        return 1.0
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
def still(table, shape, world, eye, view, light, offsets, depth, ambient, direct):
    """What does not move: fills depth float32 [S,H,W] (one layer per sub-pixel offset [S,2]) and the mean colours
    ambient and direct float32 [H,W,3] without and from the lamp."""
    samples, height, width = depth.shape
    inverse = np.empty((world.shape[0], 3, 4))
    invert(eye, world, inverse)
    index = np.empty((height, width), np.int16)
    ambient[:] = 0
    direct[:] = 0
    for s in range(samples):
        depth[s] = FAR
        index[:] = -1
        sx, sy = offsets[s, 0], offsets[s, 1]
        cast(table.form, shape, world, inverse, eye, view, sx, sy, depth[s], index)
        for j in range(height):
            for i in range(width):
                if index[j, i] < 0:
                    continue
                z = depth[s, j, i]
                x, y = (view[0] * (i + sx) + view[1]) * z, (view[2] * (j + sy) + view[3]) * z
                a0, a1, a2, d0, d1, d2 = shade(index[j, i], table, shape, inverse, light, x, y, z)
                ambient[j, i, 0] += a0 / samples
                ambient[j, i, 1] += a1 / samples
                ambient[j, i, 2] += a2 / samples
                direct[j, i, 0] += d0 / samples
                direct[j, i, 1] += d1 / samples
                direct[j, i, 2] += d2 / samples


@njit(cache=True, nogil=True)
def shadows(form, shape, world, eye, view, shadow):
    """Draw solids into the lamp's depth map float32 [N,N]."""
    inverse = np.empty((world.shape[0], 3, 4))
    invert(eye, world, inverse)
    cast(form, shape, world, inverse, eye, view, 0.5, 0.5, shadow, np.empty(shadow.shape, np.int16))


@njit(cache=True, nogil=True)
def frame(table, shape, world, eye, view, light, offsets, depth, ambient, direct, lamp, lamp_view, shadow, picture, marks):
    """One frame: picture float32 [H,W,3] linear RGB and marks uint8 [H,W], the bits of what moving solids show there.

    shape [S,P,3] and world [S,P,3,4] hold the solids at the S moments that the shutter is open, each drawn with its own
    sub-pixel offset; depth [S,H,W], ambient and direct come from ``still``; shadow is the lamp's finished map.
    """
    samples, height, width = depth.shape
    for j in range(height):
        b = view[2] * (j + 0.5) + view[3]
        for i in range(width):
            z = depth[0, j, i]
            share = lit(lamp, lamp_view, shadow, (view[0] * (i + 0.5) + view[1]) * z, b * z, z)
            for c in range(3):
                picture[j, i, c] = ambient[j, i, c] + share * direct[j, i, c]
            marks[j, i] = 0
    inverse = np.empty((world.shape[1], 3, 4))
    near = np.empty((height, width), np.float32)
    index = np.full((height, width), -1, np.int16)
    added = np.zeros((height, width, 3), np.float32)
    cover = np.zeros((height, width), np.uint8)
    for s in range(samples):
        sx, sy = offsets[s, 0], offsets[s, 1]
        near[:] = depth[s]
        invert(eye, world[s], inverse)
        i0, i1, j0, j1 = cast(table.form, shape[s], world[s], inverse, eye, view, sx, sy, near, index)
        for j in range(j0, j1):
            b = view[2] * (j + sy) + view[3]
            for i in range(i0, i1):
                p = index[j, i]
                if p < 0:
                    continue
                index[j, i] = -1
                z = near[j, i]
                x, y = (view[0] * (i + sx) + view[1]) * z, b * z
                share = lit(lamp, lamp_view, shadow, x, y, z)
                a0, a1, a2, d0, d1, d2 = shade(p, table, shape[s], inverse, light, x, y, z)
                added[j, i, 0] += a0 + share * d0
                added[j, i, 1] += a1 + share * d1
                added[j, i, 2] += a2 + share * d2
                cover[j, i] += 1
                marks[j, i] |= table.bits[p]
    for j in range(height):
        for i in range(width):
            if cover[j, i]:
                rest = (samples - cover[j, i]) / samples
                for c in range(3):
                    picture[j, i, c] = picture[j, i, c] * rest + added[j, i, c] / samples


@njit(cache=True, nogil=True)
def develop(picture, curve, exposure, noise, sigma, out):
    """Linear picture float32 [H,W,3] to uint8 [H,W,3]: exposure, film curve uint8-valued float32 [N] over [0,1), sensor
    noise float32 [H,W,3] times ``sigma``."""
    top = curve.shape[0] - 1
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            for c in range(3):
                value = picture[j, i, c] * exposure
                level = curve[min(max(int(value * top), 0), top)] + sigma * noise[j, i, c] + 0.5
                out[j, i, c] = np.uint8(min(max(level, 0.0), 255.0))


@njit(cache=True, nogil=True)
def to_yuv(rgb, out):
    """RGB uint8 [H,W,3] to planar YUV 4:2:0 uint8 [H*3/2,W], BT.601 limited range; H and W even."""
    height, width = rgb.shape[0], rgb.shape[1]
    for j in range(height):
        for i in range(width):
            r, g, b = int(rgb[j, i, 0]), int(rgb[j, i, 1]), int(rgb[j, i, 2])
            out[j, i] = np.uint8(16 + ((66 * r + 129 * g + 25 * b + 128) >> 8))
    flat = out[height:].reshape(-1)
    plane = (height // 2) * (width // 2)
    for j in range(height // 2):
        for i in range(width // 2):
            r = g = b = 0
            for k in range(4):
                y, x = 2 * j + (k >> 1), 2 * i + (k & 1)
                r, g, b = r + int(rgb[y, x, 0]), g + int(rgb[y, x, 1]), b + int(rgb[y, x, 2])
            at = j * (width // 2) + i
            flat[at] = np.uint8(128 + ((-38 * r - 74 * g + 112 * b + 512) >> 10))
            flat[plane + at] = np.uint8(128 + ((112 * r - 94 * g - 18 * b + 512) >> 10))
