"""What each kind of prop looks like, built from solids.

Own coordinates and sizes are those of actions/props.py (KINDS): metres, y up, small things about 1.3 times life size,
so that they can be seen at 160 x 120. ``SHAPES[kind](look)`` returns the solids; ``look`` may hold ``color`` and
``second`` (linear RGB) and what the single shapes name.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workbench.synth.solids import Solid, ball, box, frustum, rod, rotation

Look = dict
Shape = Callable[[Look], list[Solid]]

WHITE, INK, STEEL = (0.82, 0.82, 0.8), (0.03, 0.03, 0.035), (0.5, 0.52, 0.55)
PAPER, SOLE, GRAIN = (0.86, 0.85, 0.8), (0.5, 0.5, 0.48), (0.62, 0.4, 0.14)
PLANK = (0.42, 0.25, 0.12)

#: Colours a thing may have when its look names none (first, second).
PALETTES = {
    "cup": [((0.75, 0.1, 0.08), WHITE), ((0.08, 0.25, 0.7), WHITE), ((0.85, 0.6, 0.1), WHITE), (WHITE, (0.1, 0.3, 0.6))],
    "mug": [(WHITE, INK), ((0.1, 0.45, 0.4), INK), ((0.7, 0.2, 0.15), INK)],
    "bottle": [((0.12, 0.5, 0.2), WHITE), ((0.2, 0.5, 0.8), WHITE), ((0.55, 0.25, 0.08), (0.8, 0.7, 0.4))],
    "can": [((0.8, 0.05, 0.05), STEEL), ((0.05, 0.2, 0.65), STEEL), ((0.1, 0.5, 0.15), STEEL)],
    "book": [((0.55, 0.08, 0.08), PAPER), ((0.08, 0.25, 0.5), PAPER), ((0.1, 0.35, 0.15), PAPER)],
    "kettle": [(STEEL, INK), ((0.75, 0.1, 0.08), INK), ((0.85, 0.83, 0.75), INK)],
    "grain_box": [((0.85, 0.55, 0.08), (0.7, 0.1, 0.06)), ((0.1, 0.35, 0.65), PAPER), ((0.75, 0.2, 0.1), PAPER)],
    "bowl": [((0.8, 0.78, 0.7), INK), ((0.2, 0.45, 0.6), INK), ((0.75, 0.35, 0.15), INK)],
    "shoe": [((0.75, 0.75, 0.75), SOLE), ((0.5, 0.06, 0.05), WHITE), ((0.06, 0.06, 0.07), WHITE), ((0.3, 0.15, 0.06), SOLE)],
    "ball": [((0.85, 0.3, 0.05), INK), ((0.1, 0.35, 0.8), WHITE), ((0.8, 0.75, 0.1), INK)],
    "hat": [((0.1, 0.15, 0.45), INK), ((0.6, 0.1, 0.08), INK), ((0.65, 0.5, 0.25), INK)],
    "cloth": [((0.75, 0.2, 0.25), WHITE), ((0.2, 0.5, 0.75), WHITE), ((0.8, 0.7, 0.2), WHITE)],
    "box": [((0.5, 0.33, 0.16), (0.4, 0.26, 0.12)), ((0.35, 0.36, 0.4), (0.2, 0.2, 0.25))],
}


def _colors(look: Look, first, second=INK):
    return look.get("color", first), look.get("second", second)


def cup(look: Look) -> list[Solid]:
    color, band = _colors(look, (0.75, 0.1, 0.08), WHITE)
    return [
        frustum((0, 0, 0), 0.125, 0.038, 0.05, color, "label", band),
        frustum((0, 0.12, 0), 0.007, 0.042, 0.043, look.get("fill", (0.06, 0.03, 0.02))),
    ]


def mug(look: Look) -> list[Solid]:
    color, _ = _colors(look, WHITE)
    return [
        frustum((0, 0, 0), 0.11, 0.05, 0.05, color),
        frustum((0, 0.105, 0), 0.007, 0.043, 0.043, look.get("fill", (0.08, 0.04, 0.02))),
        rod((0.05, 0.085, 0), (0.085, 0.07, 0), 0.011, 0.011, color),
        rod((0.085, 0.07, 0), (0.085, 0.045, 0), 0.011, 0.011, color),
        rod((0.085, 0.045, 0), (0.05, 0.025, 0), 0.011, 0.011, color),
    ]


def bottle(look: Look) -> list[Solid]:
    color, label = _colors(look, (0.12, 0.5, 0.2), WHITE)
    return [
        frustum((0, 0, 0), 0.18, 0.0425, 0.0425, color, "label", label, gloss=0.5),
        frustum((0, 0.18, 0), 0.05, 0.0425, 0.018, color, gloss=0.5),
        frustum((0, 0.23, 0), 0.05, 0.018, 0.018, color, gloss=0.5),
    ]


def can(look: Look) -> list[Solid]:
    color, metal = _colors(look, (0.8, 0.05, 0.05), STEEL)
    return [
        frustum((0, 0.008, 0), 0.124, 0.0425, 0.0425, color, "label", WHITE, gloss=0.5),
        frustum((0, 0, 0), 0.01, 0.035, 0.041, metal, gloss=0.6),
        frustum((0, 0.13, 0), 0.01, 0.041, 0.035, metal, gloss=0.6),
    ]


def book(look: Look) -> list[Solid]:
    cover, page = _colors(look, (0.55, 0.08, 0.08), PAPER)
    if not look.get("open", True):
        return [box((0, 0, 0), (0.1, 0.022, 0.13), cover), box((0.004, 0, 0), (0.1, 0.014, 0.126), page)]
    solids = []
    for side in (-1, 1):
        turn = rotation(z=side * 9)
        solids.append(box((side * 0.094, 0.004, 0), (0.094, 0.006, 0.135), cover, turn=turn))
        solids.append(box((side * 0.09, 0.016, 0), (0.088, 0.009, 0.125), page, "lines", (0.25, 0.25, 0.27), turn=turn))
    return solids


def tablet(look: Look) -> list[Solid]:
    return [box((0, 0, 0), (0.15, 0.01, 0.105), (0.85, 0.92, 1.0), "screen", (0.1, 0.35, 0.95), gloss=0.4, glow=0.55)]


def paper(look: Look) -> list[Solid]:
    return [box((0, 0.003, 0), (0.125, 0.003, 0.17), PAPER, "lines", (0.4, 0.4, 0.45))]


def phone(look: Look) -> list[Solid]:
    case, _ = _colors(look, (0.02, 0.02, 0.03))
    return [
        box((0, -0.002, 0), (0.043, 0.007, 0.085), case, gloss=0.4),
        box((0, 0.005, 0), (0.037, 0.003, 0.074), (0.35, 0.6, 0.95), glow=0.7),
    ]


def keyboard(look: Look) -> list[Solid]:
    return [box((0, 0.014, 0), (0.23, 0.014, 0.085), (0.04, 0.04, 0.045), "keys", (0.42, 0.42, 0.45))]


def glasses(look: Look) -> list[Solid]:
    frame, lens = _colors(look, (0.015, 0.015, 0.02), (0.03, 0.04, 0.06))
    solids = [rod((-0.015, 0.008, 0.004), (0.015, 0.008, 0.004), 0.006, 0.006, frame)]
    for side in (-1, 1):
        solids.append(ball((side * 0.043, 0, 0), (0.036, 0.028, 0.009), lens, gloss=0.9))
        solids.append(rod((side * 0.074, 0.012, 0), (side * 0.08, 0.012, -0.13), 0.007, 0.006, frame))
    return solids


def shoe(look: Look) -> list[Solid]:
    color, sole = _colors(look, (0.75, 0.75, 0.75), SOLE)
    return [
        rod((0, 0.05, -0.022), (0, 0.045, 0.175), 0.05, 0.04, color),
        rod((0, 0.05, -0.02), (0, 0.085, -0.015), 0.046, 0.042, color),
        frustum((0, 0.1, -0.012), 0.03, 0.034, 0.034, INK),
        box((0, 0.012, 0.075), (0.046, 0.012, 0.145), sole),
    ]


def pen(look: Look) -> list[Solid]:
    color, tip = _colors(look, (0.05, 0.1, 0.6))
    return [rod((0, 0.03, 0), (0, 0.171, 0), 0.009, 0.009, color), frustum((0, 0, 0), 0.03, 0.002, 0.008, tip)]


def knife(look: Look) -> list[Solid]:
    return [
        rod((0, 0, -0.05), (0, 0, 0.05), 0.017, 0.015, INK),
        box((0, -0.005, 0.19), (0.004, 0.026, 0.14), (0.72, 0.74, 0.78), gloss=0.9),
    ]


def spoon(look: Look) -> list[Solid]:
    color, _ = _colors(look, (0.5, 0.3, 0.12))
    return [
        rod((0, 0.05, 0), (0, 0.26, 0), 0.008, 0.01, color),
        ball((0, 0.04, 0), (0.028, 0.04, 0.014), color),
    ]


def bread(look: Look) -> list[Solid]:
    crust, crumb = (0.52, 0.27, 0.08), (0.85, 0.68, 0.4)
    return [
        rod((-0.085, 0.06, 0), (0.085, 0.06, 0), 0.06, 0.06, crust),
        box((0, 0.03, 0), (0.135, 0.03, 0.06), crust),
        frustum((0.137, 0.058, 0), 0.012, 0.056, 0.056, crumb, turn=rotation(z=-90)),
    ]


def tea_bag(look: Look) -> list[Solid]:
    return [
        rod((0, 0, 0), (0, -0.1, 0), 0.004, 0.004, WHITE),
        box((0, -0.13, 0), (0.027, 0.034, 0.008), (0.55, 0.38, 0.18)),
        box((0, 0.005, 0), (0.016, 0.018, 0.003), (0.8, 0.15, 0.1)),
    ]


def kettle(look: Look) -> list[Solid]:
    color, grip = _colors(look, STEEL)
    arch = [(0, 0.17, 0.075), (0, 0.235, 0.05), (0, 0.235, -0.05), (0, 0.17, -0.075)]
    return [
        frustum((0, 0, 0), 0.17, 0.095, 0.075, color, gloss=0.7),
        ball((0, 0.17, 0), (0.075, 0.024, 0.075), grip),
        frustum((0, 0.08, 0.07), 0.125, 0.03, 0.015, color, turn=rotation(x=45), gloss=0.7),
        *[rod(a, b, 0.013, 0.013, grip) for a, b in zip(arch, arch[1:], strict=False)],
    ]


def grain_box(look: Look) -> list[Solid]:
    color, label = _colors(look, (0.85, 0.55, 0.08), (0.7, 0.1, 0.06))
    return [
        box((0, 0.125, 0), (0.065, 0.125, 0.04), color, "label", label),
        box((0, 0.247, 0), (0.057, 0.005, 0.032), (0.1, 0.06, 0.03)),
    ]


def bowl(look: Look) -> list[Solid]:
    color, _ = _colors(look, (0.8, 0.78, 0.7))
    return [
        frustum((0, 0, 0), 0.085, 0.05, 0.105, color),
        frustum((0, 0.08, 0), 0.007, 0.09, 0.095, look.get("fill", (0.35, 0.3, 0.25))),
    ]


def pot(look: Look) -> list[Solid]:
    color, grip = _colors(look, (0.3, 0.32, 0.36))
    return [
        frustum((0, 0, 0), 0.15, 0.13, 0.14, color, gloss=0.6),
        frustum((0, 0.145, 0), 0.007, 0.125, 0.127, look.get("fill", (0.5, 0.22, 0.06))),
        rod((-0.14, 0.115, 0), (-0.18, 0.115, 0), 0.015, 0.015, grip),
        rod((0.14, 0.115, 0), (0.18, 0.115, 0), 0.015, 0.015, grip),
    ]


def plate(look: Look) -> list[Solid]:
    color, _ = _colors(look, WHITE)
    return [frustum((0, 0, 0), 0.02, 0.08, 0.135, color), frustum((0, 0.019, 0), 0.003, 0.09, 0.09, (0.6, 0.62, 0.66))]


def sponge(look: Look) -> list[Solid]:
    return [
        box((0, 0.022, 0), (0.07, 0.022, 0.045), (0.85, 0.7, 0.08), "speckle", (0.7, 0.5, 0.05)),
        box((0, 0.051, 0), (0.07, 0.009, 0.045), (0.08, 0.4, 0.15)),
    ]


def cloth(look: Look) -> list[Solid]:
    color, second = _colors(look, (0.75, 0.2, 0.25), WHITE)
    return [
        box((0, 0.008, 0), (0.115, 0.01, 0.095), color, "checks", second, turn=rotation(y=8)),
        ball((0.02, 0.018, 0.01), (0.08, 0.024, 0.065), color, "fabric"),
    ]


def water_stream(look: Look) -> list[Solid]:
    return [frustum((0, -1, 0), 1.0, 0.013, 0.009, (0.45, 0.68, 0.95), gloss=0.8, glow=0.35)]


def grain_stream(look: Look) -> list[Solid]:
    return [frustum((0, -1, 0), 1.0, 0.026, 0.014, GRAIN, "speckle", (0.8, 0.62, 0.3))]


def toothbrush(look: Look) -> list[Solid]:
    color, _ = _colors(look, (0.1, 0.5, 0.85))
    return [rod((0, -0.015, -0.015), (0, 0.19, -0.015), 0.009, 0.011, color), box((0, 0.0, 0.002), (0.012, 0.024, 0.012), WHITE)]


def comb(look: Look) -> list[Solid]:
    color, _ = _colors(look, (0.35, 0.1, 0.03))
    return [box((0, 0, -0.014), (0.008, 0.1, 0.012), color), box((0, 0.015, 0.012), (0.005, 0.075, 0.016), color, "bands", INK)]


def apple(look: Look) -> list[Solid]:
    color, _ = _colors(look, (0.7, 0.05, 0.04))
    return [ball((0, 0, 0), (0.05, 0.046, 0.05), color, gloss=0.4), rod((0, 0.04, 0), (0.01, 0.062, 0), 0.006, 0.006, PLANK)]


def broom(look: Look) -> list[Solid]:
    color, head = _colors(look, (0.6, 0.4, 0.15), (0.75, 0.15, 0.1))
    return [
        rod((0, 0.06, 0), (0, 1.22, 0), 0.016, 0.016, color),
        box((0, 0.055, 0), (0.16, 0.025, 0.035), head),
        box((0, -0.005, 0), (0.17, 0.045, 0.035), (0.5, 0.4, 0.12), "stripes", (0.6, 0.5, 0.2)),
    ]


def carton(look: Look) -> list[Solid]:
    color, tape = _colors(look, (0.5, 0.33, 0.16), (0.4, 0.26, 0.12))
    return [
        box((0, 0.12, 0), (0.18, 0.12, 0.14), color, "fabric"),
        box((0, 0.12, 0), (0.182, 0.122, 0.025), tape),
    ]


def dumbbell(look: Look) -> list[Solid]:
    color, _ = _colors(look, (0.06, 0.06, 0.07))
    plates = [frustum((x, 0, 0), 0.055, 0.06, 0.06, color, turn=rotation(z=-90)) for x in (-0.15, 0.095)]
    return [rod((-0.1, 0, 0), (0.1, 0, 0), 0.016, 0.016, STEEL), *plates]


def hat(look: Look) -> list[Solid]:
    color, band = _colors(look, (0.1, 0.15, 0.45))
    return [
        frustum((0, 0, 0), 0.016, 0.16, 0.155, color),
        frustum((0, 0.01, 0), 0.13, 0.118, 0.095, color),
        frustum((0, 0.015, 0), 0.03, 0.121, 0.117, band),
        ball((0, 0.005, 0.09), (0.11, 0.01, 0.09), color),
    ]


def sphere(look: Look) -> list[Solid]:
    color, second = _colors(look, (0.85, 0.3, 0.05))
    return [ball((0, 0, 0), (0.12, 0.12, 0.12), color, "bands", second)]


SHAPES: dict[str, Shape] = {
    "cup": cup, "mug": mug, "bottle": bottle, "can": can, "book": book, "tablet": tablet, "paper": paper, "phone": phone,
    "keyboard": keyboard, "glasses": glasses, "shoe": shoe, "pen": pen, "knife": knife, "spoon": spoon, "bread": bread,
    "tea_bag": tea_bag, "kettle": kettle, "grain_box": grain_box, "bowl": bowl, "pot": pot, "plate": plate, "sponge": sponge,
    "cloth": cloth, "water_stream": water_stream, "grain_stream": grain_stream, "toothbrush": toothbrush, "comb": comb,
    "apple": apple, "broom": broom, "box": carton, "dumbbell": dumbbell, "hat": hat, "ball": sphere,
}  # fmt: skip


def build(kind: str, look: Look, rng: np.random.Generator | None = None) -> list[Solid]:
    """The solids of one prop or piece of furniture; colours that ``look`` leaves open come from PALETTES by ``rng``.
    ValueError naming the known kinds otherwise."""
    from workbench.synth.furniture import FURNITURE

    shape = SHAPES.get(kind) or FURNITURE.get(kind)
    if shape is None:
        raise ValueError(f"unknown kind of prop {kind!r}; known: {', '.join(sorted({**SHAPES, **FURNITURE}))}")
    if rng is not None and kind in PALETTES:
        first, second = PALETTES[kind][int(rng.integers(len(PALETTES[kind])))]
        look = {"color": first, "second": second, **look}
    return shape(look)
