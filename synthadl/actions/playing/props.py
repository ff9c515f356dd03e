"""The things of the world: how large they are, where their origin lies, and how they travel through a clip.

Own coordinates of every kind: metres, y up. With the identity as orientation a thing stands or lies ready for a person
who faces +z (so the person's left is at +x, the far side at +z).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from synthadl.people import motion
from synthadl.things.wares import WARES

#: kind -> (size x, y, z in metres, where the origin lies and what points where). The picture side draws to these.
KINDS: dict[str, tuple[tuple[float, float, float], str]] = {
    "cup": ((0.135, 0.15, 0.135), "centre of the base, opening up"),
    "bottle": ((0.115, 0.23, 0.115), "centre of the base, opening up"),
    "can": ((0.115, 0.165, 0.115), "centre of the base, opening up"),
    "glass": ((0.115, 0.18, 0.115), "centre of the base, opening up"),
    "mug": ((0.10, 0.112, 0.10), "centre of the base, opening up"),
    "bowl": ((0.21, 0.087, 0.21), "centre of the base, opening up"),
    "pot": ((0.28, 0.152, 0.28), "centre of the base, opening up"),
    "plate": ((0.27, 0.022, 0.27), "centre of the base"),
    "kettle": ((0.19, 0.248, 0.26), "centre of the base, handle on top at y 0.235, spout ends at (0, 0.165, 0.155)"),
    "grain_box": ((0.13, 0.25, 0.08), "centre of the base, opening at the upper +z edge"),
    "water_stream": ((0.012, 1.0, 0.012), "top end, falls along -y; one metre long before the transform scales y"),
    "grain_stream": ((0.018, 1.0, 0.018), "top end, falls along -y; one metre long before the transform scales y"),
    "book": ((0.37, 0.025, 0.27), "centre, open: pages face +y, spine along z, lower edge at -z"),
    "tablet": ((0.30, 0.020, 0.21), "centre, screen faces +y, lower edge at -z"),
    "phone": ((0.086, 0.016, 0.17), "centre, screen faces +y, lower edge at -z"),
    "keyboard": ((0.46, 0.028, 0.17), "centre of the base, space bar at -z"),
    "paper": ((0.25, 0.006, 0.34), "centre of the base, lower edge at -z"),
    "pen": ((0.018, 0.18, 0.018), "the point, shaft along +y"),
    "spoon": ((0.056, 0.27, 0.028), "end of the bowl, handle along +y"),
    "toothbrush": ((0.012, 0.18, 0.018), "middle of the bristles, which face +z; handle along +y"),
    "comb": ((0.012, 0.16, 0.035), "middle, teeth face +z, back along y"),
    "knife": ((0.018, 0.035, 0.30), "middle of the handle, blade along +z, edge at -y"),
    "bread": ((0.27, 0.12, 0.12), "centre of the base, loaf along x"),
    "cheese": ((0.26, 0.12, 0.12), "centre of the base, block along x"),
    "tea_bag": ((0.054, 0.187, 0.016), "upper end of the string, bag hangs at -y"),
    "sponge": ((0.14, 0.06, 0.09), "centre of the base"),
    "cloth": ((0.23, 0.042, 0.19), "centre of the base"),
    "glasses": ((0.16, 0.056, 0.14), "bridge; lenses face +z, temples run back along -z"),
    "hat": ((0.32, 0.14, 0.34), "centre of the base (the rim), brim towards +z"),
    "shoe": (
        (0.10, 0.10, 0.27),
        "the sole below the ankle, 0.07 m from the heel; toe at +z; look: foot, the side it belongs to",
    ),
    "apple": ((0.10, 0.092, 0.10), "centre"),
    "ball": ((0.24, 0.24, 0.24), "centre"),
    "dumbbell": ((0.22, 0.08, 0.08), "middle of the grip, bar along x"),
    "broom": ((0.30, 1.25, 0.06), "middle of the bristles, stick along +y"),
    "box": ((0.36, 0.24, 0.28), "centre of the base"),
    "chair": ((0.44, 0.90, 0.44), "floor below the middle of the seat, back rest at -z; look: seat"),
    "stool": ((0.36, 0.45, 0.36), "floor below the middle of the seat; look: seat"),
    "table": ((1.30, 0.75, 0.70), "floor below the middle of the top; look: width, height, depth"),
    "counter": (
        (1.50, 0.90, 0.60),
        "floor below the middle of the top, closed to the floor; look: width, height, depth",
    ),
    **{kind: (ware.size, ware.origin) for kind, ware in WARES.items()},
}


def size(kind: str) -> np.ndarray:
    """float64 [3]: extent along x, y, z in metres; ValueError naming the known kinds otherwise."""
    if kind not in KINDS:
        raise ValueError(f"unknown prop {kind!r}; known: {', '.join(KINDS)}")
    return np.array(KINDS[kind][0])


class Rig(Protocol):
    """What carries things: a body as it plays its score (``rig.py``)."""

    t: np.ndarray
    frames: dict[str, tuple[np.ndarray, np.ndarray]]
    travel: np.ndarray | None

    @property
    def count(self) -> int:
        """T, the number of moments."""

    def palm(self, side: str, depth: float) -> np.ndarray:
        """float64 [T,3]: the point ``depth`` metres below the wrist of ``side``."""


@dataclass(frozen=True)
class Still:
    """Stands at ``point`` (root frame as it was before any walk, metres; [3], or [T,3] for what flies), turned by
    (pitch, yaw, roll) degrees."""

    point: np.ndarray
    turn: motion.Vector = (0.0, 0.0, 0.0)

    def place(self, rig: Rig) -> np.ndarray:
        """float64 [T,4,4]: where it stands."""
        turn = np.broadcast_to(motion.rotation(self.turn), (rig.count, 3, 3))
        path = motion.matrix(turn, np.broadcast_to(self.point, (rig.count, 3)))
        return path if rig.travel is None else np.linalg.inv(rig.travel) @ path


@dataclass(frozen=True)
class Held:
    """In a hand: ``grip`` (own coordinates) lies ``depth`` metres before the palm, turned with ``frame`` of the rig.

    ``hands`` is one side, or both, and then the thing lies midway between them.
    """

    hands: tuple[str, ...]
    grip: motion.Vector = (0.0, 0.0, 0.0)
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    frame: str = "root"
    depth: float = 0.03

    def place(self, rig: Rig) -> np.ndarray:
        """float64 [T,4,4]: in the hand, or between both."""
        turn = rig.frames[self.frame][0] @ motion.rotation(self.turn)
        where = np.mean([rig.palm(side, self.depth) for side in self.hands], axis=0)
        return motion.matrix(turn, where - motion.rotate(turn, np.array(self.grip)))


@dataclass(frozen=True)
class Worn:
    """Fixed to ``frame`` of the rig at ``point``, turned by (pitch, yaw, roll) degrees in it."""

    frame: str
    point: np.ndarray
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def place(self, rig: Rig) -> np.ndarray:
        """float64 [T,4,4]: on the body."""
        turn, origin = rig.frames[self.frame]
        return motion.matrix(turn @ motion.rotation(self.turn), origin + motion.rotate(turn, self.point))


@dataclass(eq=False)
class Thing:
    """A prop of one clip: a first state and the moments (seconds) at which it passes into another one."""

    kind: str
    first: Still | Held | Worn | None
    look: dict = field(default_factory=dict)
    changes: list = field(default_factory=list)

    @property
    def stand(self) -> Still:
        """Where it stands at first, a thing that nobody carries or wears then."""
        assert isinstance(self.first, Still)
        return self.first

    def becomes(self, state: Still | Held | Worn | None, start: float, end: float | None = None) -> Thing:
        """Pass into ``state`` between ``start`` and ``end`` (a moment later if None); None as state is out of sight."""
        self.changes.append((start, start + 0.12 if end is None else end, state))
        return self

    def place(self, rig: Rig) -> np.ndarray:
        """float64 [T,4,4] in the root frame; NaN while the thing is out of sight."""
        if self.first is None:
            path, hidden = np.tile(np.eye(4), (rig.count, 1, 1)), np.ones(rig.count, dtype=bool)
        else:
            path, hidden = self.first.place(rig), np.zeros(rig.count, dtype=bool)
        for start, end, state in self.changes:
            if state is None:
                hidden = np.where(rig.t >= start, True, hidden)
                continue
            weight = np.where(hidden, rig.t >= start, motion.ease(rig.t, start, end))
            hidden = np.where(rig.t >= start, False, hidden)
            path = _blend(path, state.place(rig), weight)
        return np.where(hidden[:, None, None], np.nan, path)


@dataclass(eq=False)
class Stream:
    """What is poured: falls from ``spout`` of ``source`` (its coordinates) to the base of ``target`` for a while."""

    kind: str
    source: Thing
    spout: tuple[float, float, float]
    target: Thing
    start: float
    end: float
    look: dict = field(default_factory=dict)

    def place(self, rig: Rig) -> np.ndarray:
        """float64 [T,4,4]: from the spout down to the target; NaN while nothing runs."""
        source, target = self.source.place(rig), self.target.place(rig)
        top = source[:, :3, 3] + motion.rotate(source[:, :3, :3], np.array(self.spout))
        length = np.maximum(top[:, 1] - target[:, 1, 3] - 0.02, 0.02)
        path = np.tile(np.eye(4), (rig.count, 1, 1))
        path[:, 1, 1], path[:, :3, 3] = length, top
        running = (rig.t >= self.start) & (rig.t < self.end)
        return np.where(running[:, None, None], path, np.nan)


def _blend(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Poses [T,4,4] between two, weight [T] of the second: positions on the line, rotations on the shortest turn."""
    start = Rotation.from_matrix(first[:, :3, :3])
    turn = (start.inv() * Rotation.from_matrix(second[:, :3, :3])).as_rotvec()
    place = first[:, :3, 3] + weight[:, None] * (second[:, :3, 3] - first[:, :3, 3])
    return motion.matrix((start * Rotation.from_rotvec(weight[:, None] * turn)).as_matrix(), place)
