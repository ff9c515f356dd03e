"""The things that only SynthADL-P has, each with its size, where its origin lies and what it looks like.

Own coordinates as in actions/playing/props.py, ``look`` as in shapes.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from synthadl.things.kitchenware import INK, STEEL, WHITE, Look, colors_of
from synthadl.things.solids import Solid, ball, box, frustum, rod, rotation

WOOD, FUR, LEAF = (0.45, 0.27, 0.12), (0.42, 0.24, 0.1), (0.06, 0.3, 0.05)


class Ware(NamedTuple):
    """size x, y, z in metres and what the origin is, as in KINDS; solids of a look; palette as in PALETTES."""

    size: tuple[float, float, float]
    origin: str
    solids: Callable[[Look], list[Solid]]
    palette: list[tuple]


def pan(look: Look) -> list[Solid]:
    color, grip = colors_of(look, (0.08, 0.08, 0.09))
    return [
        frustum((0, 0, 0.1), 0.045, 0.1, 0.125, color, gloss=0.5),
        frustum((0, 0.041, 0.1), 0.005, 0.11, 0.115, (0.2, 0.2, 0.21), gloss=0.6),
        rod((0, 0.035, -0.02), (0, 0.05, -0.2), 0.014, 0.017, grip),
    ]


def hammer(look: Look) -> list[Solid]:
    color, _ = colors_of(look, WOOD)
    return [
        rod((0, 0.015, 0), (0, 0.26, 0), 0.015, 0.013, color),
        frustum((0, 0.26, -0.07), 0.15, 0.028, 0.028, STEEL, turn=rotation(x=90), gloss=0.7),
    ]


def jar(look: Look) -> list[Solid]:
    color, cap = colors_of(look, (0.7, 0.3, 0.05), WHITE)
    return [
        frustum((0, 0, 0), 0.13, 0.055, 0.055, color, "label", WHITE, gloss=0.6),
        frustum((0, 0.13, 0), 0.03, 0.05, 0.05, cap, gloss=0.4),
    ]


def remote(look: Look) -> list[Solid]:
    color, keys = colors_of(look, INK, (0.7, 0.7, 0.7))
    return [
        box((0, 0, 0), (0.028, 0.012, 0.1), color),
        box((0, 0.011, -0.015), (0.022, 0.004, 0.075), color, "keys", keys),
        box((0, 0.012, 0.078), (0.01, 0.004, 0.01), (0.8, 0.05, 0.05)),
    ]


def teddy(look: Look) -> list[Solid]:
    color, paw = colors_of(look, FUR, (0.65, 0.45, 0.25))
    limbs = [ball((x * 0.07, y, 0.02), (0.028, 0.05, 0.03), paw) for x in (-1, 1) for y in (0.045, 0.12)]
    ears = [ball((x * 0.045, 0.245, 0), (0.022, 0.022, 0.012), color) for x in (-1, 1)]
    body = [ball((0, 0.085, 0), (0.065, 0.085, 0.055), color), ball((0, 0.2, 0), (0.058, 0.052, 0.052), color)]
    return [*body, ball((0, 0.19, 0.045), (0.025, 0.02, 0.02), paw), *limbs, *ears]


def vase(look: Look) -> list[Solid]:
    color, bloom = colors_of(look, (0.15, 0.3, 0.6), (0.85, 0.1, 0.2))
    stems = [rod((0, 0.14, 0), (x, 0.26, z), 0.006, 0.006, LEAF) for x, z in ((-0.05, 0), (0.05, 0.01), (0, -0.03))]
    blooms = [ball((x, 0.27, z), (0.03, 0.026, 0.03), bloom) for x, z in ((-0.05, 0), (0.05, 0.01), (0, -0.03))]
    return [frustum((0, 0, 0), 0.1, 0.04, 0.06, color), frustum((0, 0.1, 0), 0.06, 0.06, 0.035, color), *stems, *blooms]


def torch(look: Look) -> list[Solid]:
    color, _ = colors_of(look, (0.75, 0.6, 0.05))
    return [
        frustum((0, 0, 0), 0.14, 0.022, 0.022, color),
        frustum((0, 0.14, 0), 0.05, 0.022, 0.042, INK),
        frustum((0, 0.188, 0), 0.006, 0.038, 0.038, (1.0, 0.95, 0.7), glow=0.9),
    ]


def brush(look: Look) -> list[Solid]:
    color, hair = colors_of(look, (0.7, 0.12, 0.08), (0.75, 0.65, 0.45))
    return [
        rod((0, 0.02, 0), (0, 0.15, 0), 0.016, 0.012, color),
        box((0, 0.175, 0), (0.045, 0.025, 0.014), STEEL, gloss=0.5),
        box((0, 0.225, 0), (0.043, 0.03, 0.012), hair, "stripes", (0.6, 0.5, 0.3)),
    ]


def block(look: Look) -> list[Solid]:
    color, _ = colors_of(look, WOOD)
    return [box((0, 0.06, 0), (0.1, 0.06, 0.09), color, "wood", tuple(0.6 * c for c in color))]


def lid(look: Look) -> list[Solid]:
    wide = look.get("wide", 0.05)
    color, knob = colors_of(look, STEEL)
    return [
        frustum((0, 0, 0), 0.016, 1.06 * wide, wide, color, gloss=0.4),
        ball((0, 0.026, 0), (0.02, 0.016, 0.02), knob),
    ]


WARES: dict[str, Ware] = {
    "pan": Ware(
        (0.25, 0.067, 0.45), "middle of the base between handle (towards -z) and bowl", pan,
        [((0.08, 0.08, 0.09), INK), ((0.6, 0.1, 0.06), INK), ((0.1, 0.3, 0.35), WOOD)],
    ),
    "hammer": Ware(
        (0.056, 0.29, 0.15), "lower end of the handle, handle along +y, head along z", hammer,
        [(WOOD, INK), ((0.7, 0.1, 0.06), INK), ((0.8, 0.55, 0.05), INK)],
    ),
    "jar": Ware(
        (0.11, 0.16, 0.11), "centre of the base, cap up", jar,
        [((0.7, 0.3, 0.05), WHITE), ((0.45, 0.04, 0.08), (0.75, 0.6, 0.1)), ((0.3, 0.45, 0.08), (0.1, 0.35, 0.1))],
    ),
    "remote": Ware((0.056, 0.028, 0.20), "centre, keys face +y, front at +z", remote, [(INK, (0.7, 0.7, 0.7))]),
    "teddy": Ware(
        (0.20, 0.27, 0.11), "centre of the base, face towards +z", teddy,
        [(FUR, (0.65, 0.45, 0.25)), ((0.75, 0.7, 0.62), (0.5, 0.3, 0.3)), ((0.12, 0.09, 0.08), (0.4, 0.3, 0.25))],
    ),
    "vase": Ware(
        (0.16, 0.296, 0.12), "centre of the base, flowers up", vase,
        [((0.15, 0.3, 0.6), (0.85, 0.1, 0.2)), (WHITE, (0.85, 0.6, 0.05)), ((0.3, 0.12, 0.3), (0.85, 0.45, 0.6))],
    ),
    "torch": Ware(
        (0.084, 0.194, 0.084), "lower end, lamp up", torch,
        [((0.75, 0.6, 0.05), INK), ((0.6, 0.05, 0.05), INK), ((0.1, 0.2, 0.5), INK)],
    ),
    "brush": Ware(
        (0.09, 0.255, 0.032), "lower end of the handle, hair up", brush,
        [((0.7, 0.12, 0.08), (0.75, 0.65, 0.45)), ((0.05, 0.3, 0.55), (0.2, 0.18, 0.16))],
    ),
    "block": Ware(
        (0.20, 0.12, 0.18), "centre of the base", block, [(WOOD, INK), ((0.6, 0.12, 0.1), INK), ((0.1, 0.3, 0.5), INK)]
    ),
    "lid": Ware((0.106, 0.042, 0.106), "centre of the base; look: wide, its radius", lid, [(STEEL, INK)]),
}  # fmt: skip
