"""Things that are worn, read, thrown or worked with; see shapes.py for coordinates and ``look``."""

from __future__ import annotations

from synthadl.things.kitchenware import INK, STEEL, WHITE, Look, colors_of
from synthadl.things.solids import Solid, ball, box, frustum, rod, rotation

PAPER, SOLE, STALK = (0.86, 0.85, 0.8), (0.5, 0.5, 0.48), (0.42, 0.25, 0.12)


def book(look: Look) -> list[Solid]:
    cover, page = colors_of(look, (0.55, 0.08, 0.08), PAPER)
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
    case, _ = colors_of(look, (0.02, 0.02, 0.03))
    return [
        box((0, -0.002, 0), (0.043, 0.007, 0.085), case, gloss=0.4),
        box((0, 0.005, 0), (0.037, 0.003, 0.074), (0.35, 0.6, 0.95), glow=0.7),
    ]


def keyboard(look: Look) -> list[Solid]:
    return [box((0, 0.014, 0), (0.23, 0.014, 0.085), (0.04, 0.04, 0.045), "keys", (0.42, 0.42, 0.45))]


def glasses(look: Look) -> list[Solid]:
    frame, lens = colors_of(look, (0.015, 0.015, 0.02), (0.03, 0.04, 0.06))
    solids = [rod((-0.015, 0.008, 0.004), (0.015, 0.008, 0.004), 0.006, 0.006, frame)]
    for side in (-1, 1):
        solids.append(ball((side * 0.043, 0, 0), (0.036, 0.028, 0.009), lens, gloss=0.9))
        solids.append(rod((side * 0.074, 0.012, 0), (side * 0.08, 0.012, -0.13), 0.007, 0.006, frame))
    return solids


def shoe(look: Look) -> list[Solid]:
    color, sole = colors_of(look, (0.75, 0.75, 0.75), SOLE)
    return [
        rod((0, 0.05, -0.022), (0, 0.045, 0.175), 0.05, 0.04, color),
        rod((0, 0.05, -0.02), (0, 0.085, -0.015), 0.046, 0.042, color),
        frustum((0, 0.1, -0.012), 0.03, 0.034, 0.034, INK),
        box((0, 0.012, 0.075), (0.046, 0.012, 0.145), sole),
    ]


def pen(look: Look) -> list[Solid]:
    color, tip = colors_of(look, (0.05, 0.1, 0.6))
    return [rod((0, 0.03, 0), (0, 0.171, 0), 0.009, 0.009, color), frustum((0, 0, 0), 0.03, 0.002, 0.008, tip)]


def toothbrush(look: Look) -> list[Solid]:
    color, _ = colors_of(look, (0.1, 0.5, 0.85))
    return [
        rod((0, -0.015, -0.015), (0, 0.19, -0.015), 0.009, 0.011, color),
        box((0, 0.0, 0.002), (0.012, 0.024, 0.012), WHITE),
    ]


def comb(look: Look) -> list[Solid]:
    color, _ = colors_of(look, (0.35, 0.1, 0.03))
    return [
        box((0, 0, -0.014), (0.008, 0.1, 0.012), color),
        box((0, 0.015, 0.012), (0.005, 0.075, 0.016), color, "bands", INK),
    ]


def apple(look: Look) -> list[Solid]:
    color, _ = colors_of(look, (0.7, 0.05, 0.04))
    return [
        ball((0, 0, 0), (0.05, 0.046, 0.05), color, gloss=0.4),
        rod((0, 0.04, 0), (0.01, 0.062, 0), 0.006, 0.006, STALK),
    ]


def broom(look: Look) -> list[Solid]:
    color, head = colors_of(look, (0.6, 0.4, 0.15), (0.75, 0.15, 0.1))
    return [
        rod((0, 0.06, 0), (0, 1.22, 0), 0.016, 0.016, color),
        box((0, 0.055, 0), (0.16, 0.025, 0.035), head),
        box((0, -0.005, 0), (0.17, 0.045, 0.035), (0.5, 0.4, 0.12), "stripes", (0.6, 0.5, 0.2)),
    ]


def carton(look: Look) -> list[Solid]:
    color, tape = colors_of(look, (0.5, 0.33, 0.16), (0.4, 0.26, 0.12))
    return [
        box((0, 0.12, 0), (0.18, 0.12, 0.14), color, "fabric"),
        box((0, 0.12, 0), (0.182, 0.122, 0.025), tape),
    ]


def dumbbell(look: Look) -> list[Solid]:
    color, _ = colors_of(look, (0.06, 0.06, 0.07))
    discs = [frustum((x, 0, 0), 0.055, 0.055, 0.055, color, turn=rotation(z=-90)) for x in (-0.13, 0.075)]
    return [rod((-0.1, 0, 0), (0.1, 0, 0), 0.016, 0.016, STEEL), *discs]


def hat(look: Look) -> list[Solid]:
    color, band = colors_of(look, (0.1, 0.15, 0.45))
    return [
        frustum((0, 0, 0), 0.016, 0.16, 0.155, color),
        frustum((0, 0.01, 0), 0.13, 0.118, 0.095, color),
        frustum((0, 0.015, 0), 0.03, 0.121, 0.117, band),
        ball((0, 0.005, 0.09), (0.11, 0.01, 0.09), color),
    ]


def sphere(look: Look) -> list[Solid]:
    color, second = colors_of(look, (0.85, 0.3, 0.05))
    return [ball((0, 0, 0), (0.12, 0.12, 0.12), color, "bands", second)]
