"""A furnished room: floor and walls, what stands in it, the light, and the imposters.

Nothing here knows the action. The room itself belongs to the setup (its own seed); light, colours of small things and
the place of the imposters belong to the clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synthadl.people.body import JOINT
from synthadl.people.performance import Performance, Prop
from synthadl.things import shapes
from synthadl.things.solids import Solid, box, moved, place, rotation

#: Things of which one tells an action from its neighbours: rivals within reach, and in the idle hand.
IMPOSTERS = (
    "cup", "bottle", "can", "glass", "book", "tablet", "paper", "kettle", "grain_box", "bread", "cheese", "pot", "bowl",
    "phone",
)  # fmt: skip
#: What lies although its own y runs along it.
SHAFTS = ("pen", "hammer", "brush", "spoon")
#: How often a rival stands on a table that is there anyway, and how near what moves comes to one, metres.
ON_TABLE, CLEAR = 0.75, 0.2
WALLS = ("plain", "stripes", "brick", "fabric", "planks")
FLOORS = ("planks", "tiles", "speckle", "planks")
CEILING = 2.75


@dataclass(frozen=True)
class Light:
    """direction float64 [3] from the scene to the lamp (world); linear RGB of lamp, sky and floor; exposure; strength
    of the lamp at the camera."""

    direction: np.ndarray
    lamp: np.ndarray
    sky: np.ndarray
    floor: np.ndarray
    exposure: float
    headlamp: float


@dataclass(frozen=True)
class Scene:
    """Everything that does not move. ``shell`` (walls, floor, what hangs on them) throws no shadow, ``solids`` do."""

    shell: list[Solid]
    solids: list[Solid]
    light: Light


def tint(rng: np.random.Generator, low: float, high: float, colour: float) -> tuple[float, float, float]:
    """A linear RGB colour of brightness in [low, high], at most ``colour`` away from grey."""
    value = rng.uniform(low, high) * (1 + rng.uniform(-colour, colour, 3))
    red, green, blue = (float(channel) for channel in np.clip(value, 0.01, 0.95))
    return red, green, blue


def sample_light(rng: np.random.Generator) -> Light:
    """Warm to cool, from one side or the other, bright to dim."""
    around, up = np.radians(rng.uniform(-75, 75)), np.radians(rng.uniform(42, 66))
    warm = rng.uniform(-1, 1)
    color = np.array([1 + 0.1 * warm, 1.0, 1 - 0.16 * warm])
    power = rng.uniform(0.62, 0.95)
    soft = rng.uniform(0.24, 0.4)
    return Light(
        direction=np.array([np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)]),
        lamp=power * color,
        sky=soft * (1.3 - 0.3 * color),
        floor=0.5 * soft * np.array([1.0, 0.95, 0.88]),
        exposure=float(rng.uniform(1.0, 1.3)),
        headlamp=float(rng.uniform(0.04, 0.1)),
    )


def room(rng: np.random.Generator) -> tuple[list[Solid], list[Solid]]:
    """Shell and furniture of one room (a setup's own)."""
    left, right, back = -rng.uniform(2.5, 3.0), rng.uniform(2.5, 3.0), -rng.uniform(1.75, 2.2)
    shell = _shell(rng, left, right, back)
    spots = [((x, back), 0.0) for x in np.linspace(left + 0.75, right - 0.75, 4)]
    spots += [((left, z), 90.0) for z in (back + 1.0, 0.55)] + [((right, z), -90.0) for z in (back + 1.0, 0.55)]
    standing = ["shelf", "sofa", "plant", "lamp", "shelf", "plant", "door"]
    hanging = ["picture", "window", "picture", "window"]
    solids: list[Solid] = []
    for (x, z), yaw in spots:
        x = x + rng.uniform(-0.15, 0.15) * (yaw == 0)
        if rng.random() < 0.5:
            kind = str(rng.choice(standing))
            deep = {"sofa": 0.42, "shelf": 0.16, "door": 0.0, "plant": 0.3, "lamp": 0.25}[kind]
            look: dict[str, Any] = {} if kind in ("lamp",) else {"color": _furniture_color(rng, kind)}
            there = place(x + deep * np.sin(np.radians(yaw)), 0, z + deep * np.cos(np.radians(yaw)), yaw)
            (shell if kind == "door" else solids).extend(moved(shapes.build(kind, look), there))
        elif rng.random() < 0.85:
            kind = str(rng.choice(hanging))
            look = {
                "width": rng.uniform(0.5, 0.85),
                "height": rng.uniform(0.4, 0.65),
                "color": tint(rng, 0.1, 0.4, 0.7),
                "second": tint(rng, 0.3, 0.7, 0.4),
            }
            shell += moved(shapes.build(kind, look), place(x, rng.uniform(1.5, 1.65), z, yaw))
    if rng.random() < 0.6:
        look = {"color": tint(rng, 0.15, 0.45, 0.6), "second": tint(rng, 0.4, 0.7, 0.2)}
        shell += moved(
            shapes.build("rug", look), place(rng.uniform(-0.3, 0.3), 0, rng.uniform(-0.2, 0.3), rng.uniform(-20, 20))
        )
    return shell, solids


def _furniture_color(rng: np.random.Generator, kind: str) -> tuple[float, float, float]:
    if kind == "plant":
        return (0.05 + 0.05 * rng.random(), 0.2 + 0.15 * rng.random(), 0.04)
    if kind == "sofa":
        return tint(rng, 0.15, 0.5, 0.5)
    wood = rng.uniform(0.5, 1.5)
    return (0.42 * wood, 0.26 * wood, 0.13 * wood)


def _shell(rng: np.random.Generator, left: float, right: float, back: float) -> list[Solid]:
    wall = str(rng.choice(WALLS))
    paint = tint(rng, 0.25, 0.65, 0.4)
    second = tuple(min(c * rng.uniform(0.72, 0.9), 0.9) for c in paint)
    if wall == "brick":
        paint, second = (0.45 * rng.uniform(0.7, 1.1), 0.2, 0.14), (0.5, 0.48, 0.44)
    elif wall == "planks":
        paint = tuple(np.array([0.6, 0.42, 0.25]) * rng.uniform(0.7, 1.2))
        second = tuple(0.7 * np.array(paint))
    floor = str(rng.choice(FLOORS))
    ground = (
        tuple(np.array([0.5, 0.32, 0.18]) * rng.uniform(0.6, 1.5)) if floor == "planks" else tint(rng, 0.25, 0.6, 0.25)
    )
    other = tuple(c * rng.uniform(0.55, 0.95) for c in ground)
    feature = paint if rng.random() < 0.3 else tint(rng, 0.4, 0.75, 0.15)
    width, depth = right - left, 6.5
    base = tint(rng, 0.5, 0.8, 0.05)
    middle, front = (left + right) / 2, back + depth / 2
    return [
        box((middle, -0.05, front), (width / 2 + 0.2, 0.05, depth / 2), ground, floor, other),
        box((middle, CEILING / 2, back - 0.05), (width / 2 + 0.2, CEILING / 2, 0.05), paint, wall, second),
        box((left - 0.05, CEILING / 2, front), (0.05, CEILING / 2, depth / 2), feature, "plain"),
        box((right + 0.05, CEILING / 2, front), (0.05, CEILING / 2, depth / 2), feature, "plain"),
        box((middle, CEILING + 0.05, front), (width / 2 + 0.2, 0.05, depth / 2), (0.8, 0.8, 0.78)),
        box((middle, 0.05, back + 0.01), (width / 2, 0.05, 0.012), base),
        box((left + 0.01, 0.05, front), (0.012, 0.05, depth / 2), base),
        box((right - 0.01, 0.05, front), (0.012, 0.05, depth / 2), base),
    ]


def furnish(performance: Performance, rng: np.random.Generator) -> list[Solid]:
    """The solids of the performance's own furniture, in colours of the clip."""
    wood = rng.uniform(0.45, 1.6)
    solids = []
    for prop in performance.furniture:
        look = {"color": tuple(wood * c for c in (0.42, 0.26, 0.13)), **prop.look}
        if prop.kind in ("chair", "stool"):
            look.setdefault("second", tint(rng, 0.15, 0.6, 0.5))
        elif prop.kind == "counter":
            look["color"], look["second"] = tint(rng, 0.4, 0.75, 0.1), tint(rng, 0.2, 0.55, 0.3)
        solids += moved(shapes.build(prop.kind, look), prop.transform[0])
    return solids


def imposters(
    kinds: list[str], performance: Performance, rng: np.random.Generator, floor: tuple[Prop, ...] = ()
) -> list[Solid]:
    """Side table and rivals within reach: each on a free spot of a table that stands there anyway or on the side one.
    ``floor`` is where nothing may stand besides, as if it were furniture."""
    spot = _free_spot((*performance.furniture, *floor), rng)
    height = rng.uniform(0.68, 0.92)
    solids = moved(shapes.build("side_table", {"height": height, "color": tint(rng, 0.1, 0.5, 0.3)}), place(*spot))
    angle = rng.uniform(0, 360)
    surfaces = [prop for prop in performance.furniture if prop.kind in ("table", "counter")]
    hands = [performance.joints[:, JOINT[f"hand_{side}"]] for side in ("left", "right")]
    paths = [*hands, *(prop.transform[:, :3, 3] for prop in performance.props)]
    for n, kind in enumerate(kinds):
        built = shapes.build(kind, {"open": bool(rng.random() < 0.5)}, rng)
        if kind in SHAFTS:
            built = moved(built, np.concatenate([rotation(x=90), [[0.0], [0.02], [0.0]]], 1))
        turn = np.radians(angle + 360 * n / max(len(kinds), 2))
        where = (spot[0] + 0.13 * np.cos(turn), height, spot[2] + 0.13 * np.sin(turn))
        if surfaces and rng.random() < ON_TABLE:
            where = _on_top(surfaces[0], paths, rng) or where
        paths.append(np.array([where]))
        lift = 0.03 if kind in ("book", "tablet", "phone") else 0.0
        solids += moved(built, place(where[0], where[1] + lift, where[2], rng.uniform(0, 360)))
    return solids


def _free_spot(furniture: tuple[Prop, ...], rng: np.random.Generator) -> tuple[float, float, float]:
    """Floor point for a side table, as far as it goes from the furniture, beside the subject."""
    best, gap = (0.9, 0.0, 0.0), -1.0
    for _ in range(8):
        spot = np.array([rng.choice([-1, 1]) * rng.uniform(0.65, 0.95), 0.0, rng.uniform(-0.5, 0.35)])
        nearest = min((_distance(prop, spot) for prop in furniture), default=9.0)
        if nearest > gap:
            best, gap = (float(spot[0]), float(spot[1]), float(spot[2])), nearest
        if gap > 0.25:
            break
    return best


def _distance(prop: Prop, spot: np.ndarray) -> float:
    """Metres on the floor from a spot to the rectangle that a piece of furniture covers."""
    frame = prop.transform[0]
    own = ((spot - frame[:3, 3])[:, None] * frame[:3, :3]).sum(0)
    wide, deep = prop.look.get("width", 0.45), prop.look.get("depth", 0.45)
    return float(np.hypot(max(abs(own[0]) - wide / 2, 0), max(abs(own[2]) - deep / 2, 0)))


def _on_top(surface: Prop, paths: list[np.ndarray], rng: np.random.Generator) -> tuple[float, float, float] | None:
    """A spot on a table to which nothing that moves along ``paths`` ever comes near; None if none is found."""
    frame, look = surface.transform[0], surface.look
    for _ in range(12):
        x = rng.uniform(-0.44, 0.44) * look["width"]
        z = rng.uniform(-0.34, 0.34) * look["depth"]
        spot = frame[:3, 3] + x * frame[:3, 0] + z * frame[:3, 2]
        spot[1] = look["height"]
        if all(not (np.sqrt(((path - spot) ** 2).sum(-1)) < CLEAR).any() for path in paths):
            return float(spot[0]), float(spot[1]), float(spot[2])
    return None


def occluder(camera_position: np.ndarray, rng: np.random.Generator) -> list[Solid]:
    """A piece of furniture between the camera and the subject that hides a leg, the legs or a side."""
    kind = str(rng.choice(["sofa", "plant", "chair", "table", "lamp"]))
    away = float(np.sqrt(camera_position[0] ** 2 + camera_position[2] ** 2))
    toward = np.array([camera_position[0], 0.0, camera_position[2]]) / away
    side = np.array([toward[2], 0.0, -toward[0]]) * rng.uniform(-0.3, 0.3)
    # From above one sees over what stands far from the subject.
    share = rng.uniform(0.42, 0.5) if camera_position[1] < 1.7 else rng.uniform(0.27, 0.33)
    where = toward * share * away + side
    yaw = np.degrees(np.arctan2(toward[0], toward[2])) + 180 + rng.uniform(-30, 30)
    look = {"width": 0.9, "depth": 0.45} if kind == "table" else {}
    return moved(shapes.build(kind, look), place(where[0], 0, where[2], yaw))


def stage(
    room_rng: np.random.Generator, rng: np.random.Generator, performance: Performance, kinds: list[str],
    blocked_from: np.ndarray | None = None, floor: tuple[Prop, ...] = (),
) -> Scene:  # fmt: skip
    """The still part of a clip. ``kinds`` are the imposters; ``blocked_from`` a camera position (world metres) before
    which furniture stands in the way, or None; ``floor`` is to be kept free of the imposters' table."""
    shell, solids = room(room_rng)
    light = sample_light(rng)
    solids = solids + furnish(performance, rng) + imposters(kinds, performance, rng, floor)
    if blocked_from is not None:
        solids += occluder(blocked_from, rng)
    return Scene(shell, solids, light)
