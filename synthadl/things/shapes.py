"""What each kind of prop looks like: all kinds by name, and the colours they may have.

Own coordinates and sizes are those of actions/playing/props.py (KINDS): metres, y up, small things about 1.3 times life
size, so that they can be seen at 160 x 120. ``look`` may hold ``color`` and ``second`` (linear RGB), ``fill`` (the
content of an open vessel) and what the single shapes name.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synthadl.things import belongings, kitchenware
from synthadl.things.belongings import PAPER, SOLE
from synthadl.things.furniture import FURNITURE
from synthadl.things.kitchenware import INK, STEEL, WHITE, Look
from synthadl.things.solids import Solid
from synthadl.things.wares import WARES

Shape = Callable[[Look], list[Solid]]

#: Colours a thing may have when its look names none (first, second). Things of which one tells actions apart keep to a
#: hue of their own, so that a few pixels say what is held to whoever knows which pixels to look at.
PALETTES = {
    "cup": [((0.75, 0.06, 0.05), (0.5, 0.03, 0.03)), ((0.85, 0.08, 0.2), WHITE), ((0.6, 0.03, 0.05), (0.8, 0.1, 0.1))],
    "mug": [(WHITE, INK), ((0.1, 0.45, 0.4), INK), ((0.7, 0.2, 0.15), INK)],
    "bottle": [
        ((0.05, 0.5, 0.12), (0.03, 0.3, 0.06)),
        ((0.04, 0.35, 0.08), WHITE),
        ((0.15, 0.6, 0.1), (0.05, 0.4, 0.05)),
    ],
    "can": [((0.04, 0.15, 0.7), STEEL), ((0.06, 0.3, 0.85), (0.03, 0.12, 0.5)), ((0.12, 0.1, 0.6), (0.2, 0.3, 0.8))],
    "glass": [((0.95, 0.4, 0.02), (0.6, 0.72, 0.75)), ((0.95, 0.55, 0.03), (0.6, 0.72, 0.75))],
    "book": [((0.55, 0.08, 0.08), PAPER), ((0.4, 0.08, 0.35), PAPER), ((0.35, 0.12, 0.05), PAPER)],
    "kettle": [(STEEL, INK), ((0.75, 0.75, 0.72), INK), ((0.25, 0.26, 0.28), INK)],
    "grain_box": [((0.85, 0.55, 0.08), (0.7, 0.1, 0.06)), ((0.9, 0.7, 0.2), PAPER), ((0.8, 0.4, 0.08), PAPER)],
    "bowl": [((0.2, 0.45, 0.6), INK), ((0.15, 0.3, 0.7), INK), ((0.25, 0.6, 0.65), INK)],
    "shoe": [
        ((0.75, 0.75, 0.75), SOLE),
        ((0.5, 0.06, 0.05), WHITE),
        ((0.06, 0.06, 0.07), WHITE),
        ((0.3, 0.15, 0.06), SOLE),
    ],
    "ball": [((0.85, 0.3, 0.05), INK), ((0.1, 0.35, 0.8), WHITE), ((0.8, 0.75, 0.1), INK)],
    "hat": [((0.1, 0.15, 0.45), INK), ((0.6, 0.1, 0.08), INK), ((0.65, 0.5, 0.25), INK)],
    "cloth": [((0.75, 0.2, 0.25), WHITE), ((0.2, 0.5, 0.75), WHITE), ((0.8, 0.7, 0.2), WHITE)],
    "box": [((0.5, 0.33, 0.16), (0.4, 0.26, 0.12)), ((0.35, 0.36, 0.4), (0.2, 0.2, 0.25))],
    **{kind: ware.palette for kind, ware in WARES.items()},
}

KITCHEN = (
    "cup", "mug", "bottle", "can", "glass", "kettle", "grain_box", "bowl", "pot", "plate", "knife", "spoon", "bread",
    "cheese", "tea_bag", "sponge", "cloth", "water_stream", "grain_stream",
)  # fmt: skip
THINGS = (
    "book", "tablet", "paper", "phone", "keyboard", "glasses", "shoe", "pen", "toothbrush", "comb", "apple", "broom",
    "dumbbell", "hat",
)  # fmt: skip
SHAPES: dict[str, Shape] = {
    **{kind: getattr(kitchenware, kind) for kind in KITCHEN},
    **{kind: getattr(belongings, kind) for kind in THINGS},
    "box": belongings.carton,
    "ball": belongings.sphere,
    **{kind: ware.solids for kind, ware in WARES.items()},
    **FURNITURE,
}


def build(kind: str, look: Look, rng: np.random.Generator | None = None) -> list[Solid]:
    """The solids of one prop or piece of furniture; colours that ``look`` leaves open come from PALETTES by ``rng``.
    ValueError naming the known kinds otherwise."""
    if kind not in SHAPES:
        raise ValueError(f"unknown kind of prop {kind!r}; known: {', '.join(sorted(SHAPES))}")
    if rng is not None and kind in PALETTES:
        first, second = PALETTES[kind][int(rng.integers(len(PALETTES[kind])))]
        look = {"color": first, "second": second, **look}
    return SHAPES[kind](look)
