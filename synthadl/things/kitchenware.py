"""What the kitchen holds: vessels, food, tools, what runs out of them; see shapes.py for coordinates and ``look``."""

from __future__ import annotations

from synthadl.things.solids import Solid, Triple, ball, box, frustum, rod, rotation

Look = dict
WHITE, INK, STEEL = (0.82, 0.82, 0.8), (0.03, 0.03, 0.035), (0.5, 0.52, 0.55)
GRAIN = (0.62, 0.4, 0.14)
#: What lets the hue of a vessel be seen in the shade of a hand, too.
GLOW = 0.25


def colors_of(look: Look, first: Triple, second: Triple = INK) -> tuple[Triple, Triple]:
    """First and second colour of a look, or these."""
    return look.get("color", first), look.get("second", second)


def cup(look: Look) -> list[Solid]:
    """A paper cup with a band, full."""
    color, band = colors_of(look, (0.75, 0.1, 0.08), WHITE)
    return [
        frustum((0, 0, 0), 0.148, 0.052, 0.067, color, "label", band, glow=GLOW),
        frustum((0, 0.143, 0), 0.007, 0.058, 0.059, look.get("fill", (0.06, 0.03, 0.02))),
    ]


def glass(look: Look) -> list[Solid]:
    """A glass of juice."""
    juice, clear = colors_of(look, (0.85, 0.35, 0.03), (0.6, 0.72, 0.75))
    return [
        frustum((0, 0, 0), 0.13, 0.045, 0.054, juice, gloss=0.6, glow=GLOW),
        frustum((0, 0.13, 0), 0.05, 0.054, 0.057, clear, gloss=0.9, glow=0.12),
    ]


def mug(look: Look) -> list[Solid]:
    """A mug with a handle, full."""
    color, _ = colors_of(look, WHITE)
    return [
        frustum((0, 0, 0), 0.11, 0.05, 0.05, color),
        frustum((0, 0.105, 0), 0.007, 0.043, 0.043, look.get("fill", (0.08, 0.04, 0.02))),
        rod((0.05, 0.085, 0), (0.085, 0.07, 0), 0.011, 0.011, color),
        rod((0.085, 0.07, 0), (0.085, 0.045, 0), 0.011, 0.011, color),
        rod((0.085, 0.045, 0), (0.05, 0.025, 0), 0.011, 0.011, color),
    ]


def bottle(look: Look) -> list[Solid]:
    """A bottle with a label and a narrow neck."""
    color, label = colors_of(look, (0.12, 0.5, 0.2), WHITE)
    return [
        frustum((0, 0, 0), 0.18, 0.057, 0.057, color, "label", label, gloss=0.5, glow=GLOW),
        frustum((0, 0.18, 0), 0.05, 0.057, 0.022, color, gloss=0.5, glow=GLOW),
        frustum((0, 0.23, 0), 0.05, 0.022, 0.022, color, gloss=0.5, glow=GLOW),
    ]


def can(look: Look) -> list[Solid]:
    """A drink can."""
    color, metal = colors_of(look, (0.8, 0.05, 0.05), STEEL)
    return [
        frustum((0, 0.008, 0), 0.147, 0.057, 0.057, color, "label", metal, gloss=0.5, glow=GLOW),
        frustum((0, 0, 0), 0.01, 0.048, 0.055, metal, gloss=0.6),
        frustum((0, 0.153, 0), 0.01, 0.055, 0.048, metal, gloss=0.6),
    ]


def kettle(look: Look) -> list[Solid]:
    """A kettle with spout and arched handle."""
    color, grip = colors_of(look, STEEL)
    arch = [(0, 0.17, 0.075), (0, 0.235, 0.05), (0, 0.235, -0.05), (0, 0.17, -0.075)]
    return [
        frustum((0, 0, 0), 0.17, 0.095, 0.075, color, gloss=0.7),
        ball((0, 0.17, 0), (0.075, 0.024, 0.075), grip),
        frustum((0, 0.08, 0.07), 0.125, 0.03, 0.015, color, turn=rotation(x=45), gloss=0.7),
        *[rod(a, b, 0.013, 0.013, grip) for a, b in zip(arch, arch[1:], strict=False)],
    ]


def grain_box(look: Look) -> list[Solid]:
    """An open box of cereal."""
    color, label = colors_of(look, (0.85, 0.55, 0.08), (0.7, 0.1, 0.06))
    return [
        box((0, 0.125, 0), (0.065, 0.125, 0.04), color, "label", label),
        box((0, 0.247, 0), (0.057, 0.005, 0.032), (0.1, 0.06, 0.03)),
    ]


def bowl(look: Look) -> list[Solid]:
    """A bowl, full."""
    color, _ = colors_of(look, (0.8, 0.78, 0.7))
    return [
        frustum((0, 0, 0), 0.085, 0.05, 0.105, color),
        frustum((0, 0.08, 0), 0.007, 0.09, 0.095, look.get("fill", (0.35, 0.3, 0.25))),
    ]


def pot(look: Look) -> list[Solid]:
    """A pot with two handles, full."""
    color, grip = colors_of(look, (0.07, 0.07, 0.08))
    return [
        frustum((0, 0, 0), 0.15, 0.13, 0.14, color, gloss=0.6),
        frustum((0, 0.145, 0), 0.007, 0.125, 0.127, look.get("fill", (0.5, 0.22, 0.06))),
        rod((-0.14, 0.115, 0), (-0.17, 0.115, 0), 0.015, 0.015, grip),
        rod((0.14, 0.115, 0), (0.17, 0.115, 0), 0.015, 0.015, grip),
    ]


def plate(look: Look) -> list[Solid]:
    """A flat plate."""
    color, _ = colors_of(look, WHITE)
    return [frustum((0, 0, 0), 0.02, 0.08, 0.135, color), frustum((0, 0.019, 0), 0.003, 0.09, 0.09, (0.6, 0.62, 0.66))]


def knife(look: Look) -> list[Solid]:
    """A knife that points along z."""
    return [
        rod((0, 0, -0.05), (0, 0, 0.05), 0.017, 0.015, INK),
        box((0, -0.005, 0.165), (0.004, 0.026, 0.12), (0.72, 0.74, 0.78), gloss=0.9),
    ]


def spoon(look: Look) -> list[Solid]:
    """A spoon, its bowl down."""
    color, _ = colors_of(look, (0.5, 0.3, 0.12))
    return [
        rod((0, 0.05, 0), (0, 0.26, 0), 0.008, 0.01, color),
        ball((0, 0.04, 0), (0.028, 0.04, 0.014), color),
    ]


def bread(look: Look) -> list[Solid]:
    """A loaf with one end cut."""
    crust, crumb = (0.36, 0.15, 0.04), (0.75, 0.5, 0.25)
    return [
        rod((-0.085, 0.06, 0), (0.085, 0.06, 0), 0.06, 0.06, crust),
        box((0, 0.03, 0), (0.135, 0.03, 0.06), crust),
        frustum((0.137, 0.058, 0), 0.012, 0.056, 0.056, crumb, turn=rotation(z=-90)),
    ]


def cheese(look: Look) -> list[Solid]:
    """A block of cheese with a rind."""
    rind, dough = (0.9, 0.5, 0.05), (0.95, 0.8, 0.1)
    return [
        box((0, 0.06, 0), (0.125, 0.06, 0.06), dough, "speckle", (0.85, 0.62, 0.05), glow=GLOW),
        box((-0.127, 0.06, 0), (0.006, 0.061, 0.061), rind),
    ]


def tea_bag(look: Look) -> list[Solid]:
    """A tea bag that hangs from its tag."""
    return [
        rod((0, 0, 0), (0, -0.1, 0), 0.004, 0.004, WHITE),
        box((0, -0.13, 0), (0.027, 0.034, 0.008), (0.55, 0.38, 0.18)),
        box((0, 0.005, 0), (0.016, 0.018, 0.003), (0.8, 0.15, 0.1)),
    ]


def sponge(look: Look) -> list[Solid]:
    """A sponge with a rough side."""
    return [
        box((0, 0.022, 0), (0.07, 0.022, 0.045), (0.85, 0.7, 0.08), "speckle", (0.7, 0.5, 0.05)),
        box((0, 0.051, 0), (0.07, 0.009, 0.045), (0.08, 0.4, 0.15)),
    ]


def cloth(look: Look) -> list[Solid]:
    """A crumpled cloth."""
    color, second = colors_of(look, (0.75, 0.2, 0.25), WHITE)
    return [
        box((0, 0.008, 0), (0.115, 0.01, 0.095), color, "checks", second, turn=rotation(y=8)),
        ball((0.02, 0.018, 0.01), (0.08, 0.024, 0.065), color, "fabric"),
    ]


def water_stream(look: Look) -> list[Solid]:
    """A stream of length 1, downwards; ``Stream`` stretches it."""
    return [frustum((0, -1, 0), 1.0, 0.013, 0.009, (0.45, 0.68, 0.95), gloss=0.8, glow=0.35)]


def grain_stream(look: Look) -> list[Solid]:
    """A stream of grain of length 1, downwards; ``Stream`` stretches it."""
    return [frustum((0, -1, 0), 1.0, 0.026, 0.014, GRAIN, "speckle", (0.8, 0.62, 0.3))]
