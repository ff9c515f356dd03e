"""What stands in the rooms: furniture to use and furniture to look at, in the coordinates of shapes.py.

The origin is the floor point under the middle of the piece; pictures, windows and doors hang with their back at z = 0.
"""

from __future__ import annotations

from synthadl.things.solids import Solid, Triple, ball, box, frustum, rod, rotation

Look = dict
WOOD, DARK, WHITE, STEEL = (0.45, 0.27, 0.12), (0.2, 0.11, 0.05), (0.8, 0.79, 0.75), (0.45, 0.46, 0.48)


def _legs(width: float, depth: float, height: float, thick: float, color: Triple) -> list[Solid]:
    return [
        box((x * (width / 2 - thick), height / 2, z * (depth / 2 - thick)), (thick / 2, height / 2, thick / 2), color)
        for x in (-1, 1)
        for z in (-1, 1)
    ]


def table(look: Look) -> list[Solid]:
    """look: height, width, depth in metres."""
    height, width, depth = look.get("height", 0.75), look.get("width", 1.3), look.get("depth", 0.7)
    color = look.get("color", WOOD)
    second = look.get("second", tuple(0.7 * c for c in color))
    top = box((0, height - 0.018, 0), (width / 2, 0.018, depth / 2), color, "wood", second)
    return [top, *_legs(width, depth, height - 0.03, 0.05, second)]


def counter(look: Look) -> list[Solid]:
    """look: height, width, depth in metres; closed to the floor."""
    height, width, depth = look.get("height", 0.9), look.get("width", 1.5), look.get("depth", 0.6)
    color = look.get("color", (0.6, 0.6, 0.58))
    front = look.get("second", (0.36, 0.4, 0.42))
    return [
        box((0, height - 0.02, 0), (width / 2, 0.02, depth / 2), color, "speckle", tuple(0.75 * c for c in color)),
        box((0, height / 2 - 0.02, 0), (width / 2 - 0.02, height / 2 - 0.02, depth / 2 - 0.03), front),
    ]


def chair(look: Look) -> list[Solid]:
    """look: seat, its height in metres."""
    height, color = look.get("seat", 0.46), look.get("color", (0.35, 0.18, 0.08))
    seat = look.get("second", color)
    solids = [
        box((0, height - 0.02, 0), (0.22, 0.022, 0.21), seat, gloss=0.1),
        *_legs(0.44, 0.42, height - 0.02, 0.04, color),
    ]
    solids += [box((x, height + 0.23, -0.2), (0.02, 0.24, 0.018), color) for x in (-0.19, 0.19)]
    return [*solids, box((0, height + 0.36, -0.2), (0.2, 0.11, 0.014), seat)]


def stool(look: Look) -> list[Solid]:
    """look: seat, its height in metres."""
    height, color = look.get("seat", 0.46), look.get("color", (0.4, 0.24, 0.1))
    feet = [
        rod((x * 0.11, height - 0.03, z * 0.11), (x * 0.16, 0.02, z * 0.16), 0.018, 0.016, color)
        for x in (-1, 1)
        for z in (-1, 1)
    ]
    return [frustum((0, height - 0.045, 0), 0.045, 0.18, 0.185, look.get("second", color)), *feet]


def shelf(look: Look) -> list[Solid]:
    """Three boards, two of them full of books: 0.8 wide, 1.5 high."""
    color = look.get("color", WOOD)
    boards = [box((0, y, 0), (0.4, 0.015, 0.14), color, "wood", DARK) for y in (0.06, 0.54, 1.02, 1.5)]
    sides = [box((x, 0.76, 0), (0.015, 0.76, 0.14), color, "wood", DARK) for x in (-0.4, 0.4)]
    rows = [box((0, y, -0.01), (0.375, 0.13, 0.1), color, "books") for y in (0.21, 0.69)]
    return [*boards, *sides, *rows, box((0, 0.76, -0.135), (0.4, 0.76, 0.008), tuple(0.6 * c for c in color))]


def side_table(look: Look) -> list[Solid]:
    """look: height in metres; a round top, 0.4 across."""
    height, color = look.get("height", 0.72), look.get("color", DARK)
    return [
        frustum((0, height - 0.025, 0), 0.025, 0.21, 0.21, color, "wood", tuple(0.6 * c for c in color)),
        frustum((0, 0.02, 0), height - 0.04, 0.025, 0.025, STEEL),
        frustum((0, 0, 0), 0.025, 0.15, 0.13, STEEL),
    ]


def sofa(look: Look) -> list[Solid]:
    """1.5 wide, seat 0.42 high, open towards +z."""
    color = look.get("color", (0.25, 0.3, 0.4))
    solids = [
        box((0, 0.22, 0.03), (0.72, 0.2, 0.36), color, "fabric"),
        box((0, 0.5, -0.3), (0.75, 0.34, 0.1), color, "fabric"),
    ]
    solids += [box((x, 0.32, 0), (0.09, 0.3, 0.4), color, "fabric") for x in (-0.72, 0.72)]
    return [
        *solids,
        box((-0.4, 0.55, -0.14), (0.17, 0.14, 0.06), look.get("second", (0.7, 0.45, 0.1)), turn=rotation(x=-18)),
    ]


def lamp(look: Look) -> list[Solid]:
    """A floor lamp, 1.6 high."""
    return [
        frustum((0, 0, 0), 0.025, 0.14, 0.13, DARK),
        rod((0, 0.02, 0), (0, 1.35, 0), 0.014, 0.014, DARK),
        frustum((0, 1.3, 0), 0.28, 0.2, 0.12, look.get("color", (0.95, 0.8, 0.5)), glow=0.5),
    ]


def plant(look: Look) -> list[Solid]:
    """A pot with leaves, 1.1 high."""
    leaf = look.get("color", (0.07, 0.28, 0.06))
    leaves = [
        ball(
            (0.17 * x, 0.55 + 0.14 * (k % 3), 0.17 * z),
            (0.05, 0.24, 0.1),
            tuple(c * (0.8 + 0.15 * (k % 4)) for c in leaf),
            turn=rotation(x=32 * z, z=-32 * x),
        )
        for k, (x, z) in enumerate(
            [(1, 0), (-1, 0.2), (0, 1), (0.2, -1), (0.7, 0.7), (-0.7, -0.7), (-0.6, 0.8), (0, 0)]
        )
    ]
    return [frustum((0, 0, 0), 0.32, 0.12, 0.16, look.get("second", (0.5, 0.22, 0.12))), *leaves]


def rug(look: Look) -> list[Solid]:
    """2.2 x 1.5, flat on the floor."""
    color, second = look.get("color", (0.45, 0.12, 0.1)), look.get("second", (0.6, 0.5, 0.35))
    return [
        box((0, 0.003, 0), (1.1, 0.004, 0.75), second, "fabric"),
        box((0, 0.006, 0), (0.98, 0.004, 0.63), color, "checks", second),
    ]


def painting(look: Look) -> list[Solid]:
    """look: width and height in metres; the middle hangs at the origin."""
    half = (look.get("width", 0.6) / 2, look.get("height", 0.45) / 2, 0.015)
    return [
        box(
            (0, 0, 0.015), half, look.get("color", (0.12, 0.3, 0.12)), "picture", look.get("second", (0.45, 0.65, 0.85))
        )
    ]


def window(look: Look) -> list[Solid]:
    """1.1 x 1.2, its middle at the origin, with a sill and curtains."""
    curtain = look.get("second", (0.6, 0.5, 0.35))
    solids = [box((0, 0, 0.01), (0.55, 0.6, 0.02), WHITE, "window", (0.55, 0.75, 1.0), glow=0.6)]
    solids += [
        box((x, -0.03, 0.06), (0.13, 0.7, 0.03), curtain, "stripes", tuple(0.85 * c for c in curtain))
        for x in (-0.66, 0.66)
    ]
    return [
        *solids,
        box((0, -0.64, 0.06), (0.6, 0.02, 0.07), WHITE),
        rod((-0.85, 0.7, 0.07), (0.85, 0.7, 0.07), 0.015, 0.015, DARK),
    ]


def door(look: Look) -> list[Solid]:
    """0.85 x 2.0, standing on the floor."""
    color = look.get("color", (0.6, 0.55, 0.45))
    return [
        box((0, 1.0, 0.01), (0.49, 1.05, 0.02), tuple(0.7 * c for c in color)),
        box((0, 0.99, 0.03), (0.425, 0.99, 0.015), color, "door"),
        ball((0.34, 0.98, 0.07), (0.03, 0.03, 0.03), (0.6, 0.5, 0.2), gloss=0.8),
    ]


FURNITURE = {
    "table": table, "counter": counter, "chair": chair, "stool": stool, "shelf": shelf, "side_table": side_table,
    "sofa": sofa, "lamp": lamp, "plant": plant, "rug": rug, "picture": painting, "window": window, "door": door,
}  # fmt: skip
