"""The four solids from which everything in the world is made, and the tables in which the ray caster reads them.

Each solid is a canonical form under an affine map (local -> owner, owner being a prop, a person or the room):
BALL the unit sphere; BOX the cube [-1,1]^3; FRUSTUM the capped cone 0 <= y <= 1 with radius shape[0] at y = 0 and
shape[1] at y = 1; ROUND the hull of a sphere of radius shape[0] at the origin and one of shape[1] at (0, shape[2], 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

BALL, BOX, FRUSTUM, ROUND = range(4)

#: Surface patterns, see drawing/textures.py. Their metric coordinates are the local ones times ``Solid.size``.
TEXTURES = (
    "plain", "planks", "tiles", "stripes", "brick", "lines", "keys", "screen", "face", "picture", "window", "wood",
    "checks", "speckle", "books", "label", "door", "bands", "fabric",
)  # fmt: skip
CODES = {name: code for code, name in enumerate(TEXTURES)}

Triple = Sequence[float] | np.ndarray


class Solid(NamedTuple):
    """affine float64 [3,4] local -> owner; shape see the module; size metres per local unit on each axis; colours are
    linear RGB in [0,1]; gloss the strength of the highlight; glow the share of the colour that shines by itself."""

    form: int
    affine: np.ndarray
    shape: tuple[float, float, float]
    size: np.ndarray
    color: Triple
    second: Triple
    texture: int
    gloss: float
    glow: float


class Table(NamedTuple):
    """Solids as arrays, P of them: what does not change over a clip. ``bits`` uint8 [P] marks what each belongs to."""

    form: np.ndarray
    size: np.ndarray
    color: np.ndarray
    texture: np.ndarray
    gloss: np.ndarray
    glow: np.ndarray
    bits: np.ndarray


def rotation(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """float64 [3,3]: turn about x, then y, then z, in degrees, right-handed."""
    a, b, c = np.radians([x, y, z])
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return compose3(rz, compose3(ry, rx))


def compose3(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[...,3,3] @ [...,3,k] without BLAS, whose rounding differs from processor to processor."""
    return (a[..., :, :, None] * b[..., None, :, :]).sum(-2)


def chain(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Affine maps [...,3+,4] after [...,3+,4] -> [...,3,4], without BLAS."""
    outer = np.asarray(outer, np.float64)[..., :3, :]
    inner = np.asarray(inner, np.float64)[..., :3, :]
    out = compose3(outer[..., :3], inner)
    out[..., 3] += outer[..., 3]
    return out


def place(x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """float64 [3,4]: turned by yaw degrees about the upright, then moved to (x, y, z) metres."""
    return np.concatenate([rotation(y=yaw), np.array([[x], [y], [z]], np.float64)], axis=1)


def _solid(
    form: int,
    linear: np.ndarray,
    origin: Triple,
    shape: tuple[float, float, float],
    color: Triple,
    texture: str,
    second: Triple | None,
    gloss: float,
    glow: float,
) -> Solid:
    affine = np.concatenate([linear, np.asarray(origin, np.float64)[:, None]], axis=1)
    size = np.sqrt((linear**2).sum(0))
    return Solid(form, affine, shape, size, color, color if second is None else second, CODES[texture], gloss, glow)


def box(
    center: Triple,
    half: Triple,
    color: Triple,
    texture: str = "plain",
    second: Triple | None = None,
    turn: np.ndarray | None = None,
    gloss: float = 0.05,
    glow: float = 0.0,
) -> Solid:
    """A box with its centre and half extents in metres; ``turn`` float64 [3,3] rotates it about its centre."""
    linear = (np.eye(3) if turn is None else turn) * np.asarray(half, np.float64)
    return _solid(BOX, linear, center, (0.0, 0.0, 0.0), color, texture, second, gloss, glow)


def ball(
    center: Triple,
    radii: Triple,
    color: Triple,
    texture: str = "plain",
    second: Triple | None = None,
    turn: np.ndarray | None = None,
    gloss: float = 0.1,
    glow: float = 0.0,
) -> Solid:
    """An ellipsoid with its half axes in metres."""
    linear = (np.eye(3) if turn is None else turn) * np.asarray(radii, np.float64)
    return _solid(BALL, linear, center, (0.0, 0.0, 0.0), color, texture, second, gloss, glow)


def frustum(
    base: Triple,
    height: float,
    low: float,
    high: float,
    color: Triple,
    texture: str = "plain",
    second: Triple | None = None,
    turn: np.ndarray | None = None,
    gloss: float = 0.15,
    glow: float = 0.0,
) -> Solid:
    """A capped cone from ``base`` along its own y; radii ``low`` and ``high`` in metres."""
    wide = max(low, high)
    linear = (np.eye(3) if turn is None else turn) * np.array([wide, height, wide])
    return _solid(FRUSTUM, linear, base, (low / wide, high / wide, 0.0), color, texture, second, gloss, glow)


def rod(
    a: Triple,
    b: Triple,
    ra: float,
    rb: float,
    color: Triple,
    texture: str = "plain",
    second: Triple | None = None,
    gloss: float = 0.1,
    glow: float = 0.0,
) -> Solid:
    """A capsule from ``a`` to ``b`` (metres) with radii ``ra`` and ``rb``."""
    start, end = np.asarray(a, np.float64), np.asarray(b, np.float64)
    length = float(np.sqrt(((end - start) ** 2).sum()))
    return _solid(ROUND, upright(end - start), start, (ra, rb, length), color, texture, second, gloss, glow)


def upright(axis: np.ndarray, hint: np.ndarray | None = None) -> np.ndarray:
    """float64 [...,3,3] rotations whose second column runs along ``axis`` [...,3] and whose first is as near ``hint``
    as that allows (without a hint: any)."""
    axis = np.asarray(axis, np.float64)
    y = axis / np.maximum(np.sqrt((axis**2).sum(-1, keepdims=True)), 1e-9)
    if hint is None:
        hint = np.where(np.abs(y[..., :1]) > 0.8, np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]))
    x = hint - (hint * y).sum(-1, keepdims=True) * y
    x = x / np.maximum(np.sqrt((x**2).sum(-1, keepdims=True)), 1e-9)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def moved(solids: Sequence[Solid], transform: np.ndarray) -> list[Solid]:
    """The solids under an affine map [3+,4] of their owner."""
    return [solid._replace(affine=chain(transform, solid.affine)) for solid in solids]


def table(solids: Sequence[Solid], bits: Sequence[int] | None = None) -> Table:
    """The constant part of ``solids``; ``bits`` one mark per solid, 0 if left out."""
    count = len(solids)
    return Table(
        form=np.array([solid.form for solid in solids], np.int64).reshape(count),
        size=np.array([solid.size for solid in solids], np.float64).reshape(count, 3),
        color=np.array([[solid.color, solid.second] for solid in solids], np.float64).reshape(count, 2, 3),
        texture=np.array([solid.texture for solid in solids], np.int64).reshape(count),
        gloss=np.array([solid.gloss for solid in solids], np.float64).reshape(count),
        glow=np.array([solid.glow for solid in solids], np.float64).reshape(count),
        bits=np.zeros(count, np.uint8) if bits is None else np.asarray(bits, np.uint8),
    )


def affines(solids: Sequence[Solid]) -> tuple[np.ndarray, np.ndarray]:
    """float64 [P,3,4] local -> owner and float64 [P,3] shapes."""
    count = len(solids)
    return (
        np.array([solid.affine for solid in solids], np.float64).reshape(count, 3, 4),
        np.array([solid.shape for solid in solids], np.float64).reshape(count, 3),
    )
