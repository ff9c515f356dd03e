"""One thing among others on a table: where they lie, how a hand takes the thing, moves it and lets it go.

What lies on the table and where is drawn alike for every verb and every thing of SynthADL-P (see pairs.py); only which
thing it is, and what is done with it, makes the label.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from synthadl.actions.daily.holding import CARRY
from synthadl.actions.playing.props import Held, Still, Stream, Thing
from synthadl.actions.playing.score import SIDES, Anchor, Moment, Score, arm
from synthadl.actions.playing.setting import Grasp
from synthadl.people import motion

#: Metres between the columns in which things lie, before the body and to its left and right, and beyond the near edge.
COLUMN, ROW, FAR_ROW = 0.33, (0.13, 0.19), 0.21
#: What half of the clips of verbs in the air have of the table: nothing, the thing is in the hand from the start.
IN_HAND = 0.5
#: How a hand comes to a thing: from the side, from above, and both hands round it. Fingers, palm, elbow as in Grasp.
SIDE = ((-0.45, 0.0, 0.9), (-0.9, 0.0, -0.45), (0.6, -0.7, -0.4))
ABOVE = ((-0.4, -0.15, 0.9), (-0.2, -0.95, -0.2), (0.55, -0.7, -0.5))
ROUND = ((-0.1, 0.0, 1.0), (-1.0, 0.0, -0.1), (0.7, -0.6, -0.4))


@dataclass(frozen=True)
class Grip:
    """How a thing lies and is held. Own coordinates, metres, x outward from the body on the hand's side; degrees.

    at: the point that is grasped; depth: how far before the palm; style: how the hand comes; lying: how the thing is
    turned on the table, its origin ``up`` metres above it; carried: how it is turned in the hand; half: of a thing for
    two hands, from its middle to either palm (0: one hand); look as in things/shapes.py.
    """

    at: tuple[float, float, float]
    depth: float = 0.045
    style: tuple = SIDE
    lying: tuple[float, float, float] = (0.0, 0.0, 0.0)
    up: float = 0.0
    carried: tuple[float, float, float] = (0.0, 0.0, 0.0)
    half: float = 0.0
    look: tuple = ()


FLAT, LONG = (-60.0, 0.0, 0.0), (90.0, 0.0, 0.0)
GRIPS: dict[str, Grip] = {
    "cup": Grip((0.0, 0.085, 0.0)),
    "bottle": Grip((0.0, 0.13, 0.0)),
    "can": Grip((0.0, 0.08, 0.0)),
    "glass": Grip((0.0, 0.09, 0.0)),
    "mug": Grip((0.0, 0.065, 0.0), 0.052),
    "jar": Grip((0.0, 0.085, 0.0), 0.055),
    "vase": Grip((0.0, 0.10, 0.0), 0.06),
    "torch": Grip((0.0, 0.08, 0.0), 0.03),
    "teddy": Grip((0.0, 0.10, 0.0), 0.07),
    "grain_box": Grip((0.0, 0.15, 0.0), 0.065),
    "kettle": Grip((0.0, 0.235, 0.0), 0.025, ABOVE),
    "bowl": Grip((0.095, 0.06, 0.0), 0.02),
    "bread": Grip((0.0, 0.10, 0.0), 0.03, ABOVE),
    "cheese": Grip((0.0, 0.10, 0.0), 0.03, ABOVE),
    "plate": Grip((0.11, 0.012, 0.0), 0.02, ABOVE),
    "pan": Grip((0.0, 0.045, -0.14), 0.022, ABOVE),
    "book": Grip((0.085, 0.0, -0.03), 0.022, ABOVE, up=0.023, carried=FLAT, look=(("open", False),)),
    "tablet": Grip((0.13, 0.0, -0.03), 0.02, ABOVE, up=0.012, carried=FLAT),
    "phone": Grip((0.0, 0.0, -0.02), 0.02, ABOVE, up=0.01, carried=FLAT),
    "paper": Grip((0.10, 0.0, -0.06), 0.015, ABOVE, up=0.003, carried=FLAT),
    "remote": Grip((0.0, 0.0, -0.03), 0.022, ABOVE, up=0.013, carried=FLAT),
    "pen": Grip((0.0, 0.07, 0.0), 0.022, ABOVE, LONG, 0.01),
    "hammer": Grip((0.0, 0.08, 0.0), 0.025, ABOVE, LONG, 0.03),
    "brush": Grip((0.0, 0.08, 0.0), 0.025, ABOVE, LONG, 0.018),
    "spoon": Grip((0.0, 0.18, 0.0), 0.02, ABOVE, LONG, 0.018, (180.0, 0.0, 0.0)),
    "knife": Grip((0.0, 0.0, 0.0), 0.025, ABOVE, (0.0, 0.0, 90.0), 0.018, (-60.0, 0.0, 0.0)),
    "cloth": Grip((0.0, 0.025, 0.0), 0.02, ABOVE),
    "sponge": Grip((0.0, 0.04, 0.0), 0.03, ABOVE),
    "hat": Grip((0.0, 0.12, 0.0), 0.025, ABOVE),
    "shoe": Grip((0.0, 0.09, -0.01), 0.03, ABOVE),
    "apple": Grip((0.0, 0.0, 0.0), 0.055, up=0.047),
    "ball": Grip((0.0, 0.0, 0.0), up=0.12, half=0.13, style=ROUND),
    "box": Grip((0.0, 0.11, 0.0), half=0.19, style=ROUND),
    "pot": Grip((0.0, 0.11, 0.0), half=0.18, style=ROUND),
}
#: What may lie beside it: whatever fits into a column.
RIVALS = tuple(kind for kind, grip in GRIPS.items() if not grip.half)


class Handling:
    """A thing on the table before the subject, the rival things beside it, and the hands that handle it.

    Moves are written for one hand, x outward on its side; of a thing for two hands either hand makes them at its own
    side of the thing. Times are seconds.
    """

    def __init__(self, score: Score, kind: str, row: float | None = None, **other: Any) -> None:
        """``row``: metres beyond the near edge, by lot if None; ``other``: fields of the thing's Grip for this verb."""
        self.score, rng = score, score.rng
        self.grip = replace(GRIPS[kind], **other)
        _widen(score, rng)
        columns, reaches = rng.permutation((-1, 0, 1)), rng.uniform(*ROW, 3)
        shifts, turns = rng.uniform(-0.025, 0.025, 3), rng.uniform(-25.0, 25.0, 3)
        self.two = self.grip.half > 0
        if self.two:
            columns = np.array([0, *rng.permutation((-1, 1))])
        if columns[0]:
            score.main, score.off = SIDES if columns[0] > 0 else SIDES[::-1]
        self.hands = SIDES if self.two else (score.main,)
        self.column, self.row = float(columns[0]), float(reaches[0]) if row is None else row
        if self.two:
            self.row += 0.05
        self.sign, self.yaw = score.outward(score.main), 0.0 if self.two else float(turns[0])
        self.spot = self.place(COLUMN * columns[0] + shifts[0], self.row)
        self.thing = score.thing(kind, self.lying())
        self.thing.look.update(self.grip.look)
        rivals = zip(score.rivals, columns[1:], reaches[1:], shifts[1:], turns[1:], strict=False)
        for rival, column, reach, shift, turn in rivals:
            _lay(score, rival, self.place(COLUMN * column + shift, reach), float(turn))
        self.begun = bool(rng.random() < IN_HAND)

    @property
    def kind(self) -> str:
        """The name of the thing."""
        return self.thing.kind

    def place(self, x: float, row: float) -> np.ndarray:
        """float64 [3]: a place on the table, ``x`` to the subject's left, ``row`` beyond the near edge."""
        return np.array([x, self.score.setting.surface, self.score.setting.edge + row])

    def cuts(self, start: float, end: float, *shares: float) -> list[float]:
        """Boundaries that cut a time into pieces of about these shares."""
        widths = np.array(shares) * self.score.rng.uniform(0.88, 1.14, len(shares))
        return [float(t) for t in start + (end - start) * np.concatenate([[0.0], np.cumsum(widths) / widths.sum()])]

    def phases(self, *shares: float) -> list[float]:
        """The times of ``shares`` of the handling; see ``cuts``."""
        return self.cuts(self.score.begin, self.score.end, *shares)

    def lying(self, spot: np.ndarray | None = None, turn: tuple | None = None, up: float | None = None) -> Still:
        """The thing where its middle is above ``spot``."""
        turn = self.own(self._lying if turn is None else turn)
        spot = self.spot if spot is None else spot
        offset = motion.rotation(turn) @ self.at
        height = self.grip.up if up is None else up
        return Still(np.array([spot[0] - offset[0], spot[1] + height, spot[2] - offset[2]]), turn)

    def own(self, turn: tuple) -> tuple[float, float, float]:
        """Degrees for the right hand's side mirrored to the hand that acts: yaw and roll change their sign."""
        return (float(turn[0]), self.sign * float(turn[1]), self.sign * float(turn[2]))

    @property
    def _lying(self) -> tuple[float, float, float]:
        return (self.grip.lying[0], self.yaw, self.grip.lying[2])

    @property
    def at(self) -> np.ndarray:
        """float64 [3]: where the thing is grasped, in its own coordinates, for the hand that acts."""
        return np.array(self.grip.at) * (self.sign, 1.0, 1.0)

    @property
    def home(self) -> np.ndarray:
        """float64 [3]: where the thing is grasped while it lies, root frame, x outward."""
        return self.over(self.spot)

    def over(self, spot: np.ndarray, up: float = 0.0) -> np.ndarray:
        """float64 [3]: where the thing is grasped if it lies ``up`` metres above ``spot``, root frame, x outward."""
        high = (motion.rotation(self.own(self._lying)) @ self.at)[1]
        return np.array([self.sign * spot[0], spot[1] + self.grip.up + high + up, spot[2]])

    def held(self, turn: tuple | None = None, frame: str = "root") -> Held:
        """The thing in the hand, or between the hands."""
        turn = self.own(self.grip.carried if turn is None else turn)
        return Held(self.hands, tuple(self.at), turn, frame, 0.0 if self.two else self.grip.depth)

    def grasp(self, point: motion.Vector, frame: str = "chest", style: tuple | None = None) -> Grasp:
        """The grasp that has the thing's grip at ``point`` of a frame; of two hands, x is where the thing's side is."""
        fingers, palm, elbow = (self.grip.style if self.two else SIDE) if style is None else style
        if self.two:
            return Grasp(frame, (self.grip.half, point[1], point[2]), fingers, palm, elbow)
        _, normal = motion.orthonormal(np.array([fingers]), np.array([palm]))
        return Grasp(frame, np.asarray(point, float) - self.grip.depth * normal[0], fingers, palm, elbow)

    def go(
        self,
        start: float,
        end: float,
        point: motion.Vector,
        frame: str = "chest",
        style: tuple | None = None,
        arc: motion.Vector = (0.02, 0.0, 0.03),
    ) -> None:
        """Move the hand, or both, so that the grip comes to ``point``."""
        for hand in self.hands:
            self.score.hands[hand].to(start, end, self.grasp(point, frame, style), arc=arc)

    def wave(self, start: float, end: float, size: tuple, hertz: float, phase: float = 0.0, ramp: float = 0.15) -> None:
        """Swing the hand, or both together, about where they are."""
        for hand in self.hands:
            apart = (self.score.outward(hand) if self.two else 1.0, 1.0, 1.0)
            self.score.hands[hand].wave(start, end, tuple(np.multiply(size, apart)), hertz, phase, ramp)

    def reach(self, start: float, end: float, point: np.ndarray | None = None, style: tuple | None = None) -> None:
        """Bow over the table and bring the hand to the thing, or to another point of the root frame (x outward)."""
        self.score.work(start, end)
        self.score.look(start, end, Anchor("root", self.spot))
        point = self.home if point is None else point
        self.go(start, end, point, "root", style or self.grip.style, (0.03, 0.07, -0.05))

    def take(self, at: float, turn: tuple | None = None) -> None:
        """Close the hand: from now on the thing is in it."""
        self.thing.becomes(self.held(turn), at, at + 0.22)

    def turn(self, start: float, end: float, turn: tuple, frame: str = "root") -> None:
        """Turn the thing in the hand."""
        self.thing.becomes(self.held(turn, frame), start, end)

    def fetch(self, start: float, carried: motion.Vector = CARRY.point) -> float:
        """The thing is before the chest from the returned moment on: taken from the table, or held all along."""
        if self.begun:
            for hand in self.hands:
                self.score.hands[hand].first = self.grasp(carried)
            self.thing.first = self.held()
            return start
        there, up = start + 0.42, start + 0.8
        self.reach(start, there)
        self.take(there)
        self.score.upright(there + 0.05, up + 0.1)
        self.go(there, up, carried)
        self.score.look_ahead(there + 0.1, up + 0.3)
        return up

    def put(self, start: float, end: float, spot: np.ndarray | None = None, up: float = 0.0) -> None:
        """Bring the thing down to ``spot`` (its own if None), ``up`` metres above the table, and let it go there."""
        spot = self.spot if spot is None else spot
        self.score.work(start, end)
        self.go(start, end, self.over(spot, up), "root", self.grip.style, (0.0, 0.06, 0.0))
        if self.grip.carried != self.grip.lying:
            self.thing.becomes(self.held(self.grip.lying), start + 0.5 * (end - start), end)
        self.thing.becomes(self.lying(spot, up=self.grip.up + up), end, end + 0.12)

    def leave(self, start: float, end: float) -> None:
        """Take the hands back to where they rest and straighten up."""
        for hand in self.hands:
            self.score.drop(hand, start + 0.08, end)
        self.score.upright(start + 0.1, end)

    def moment(self, start: float, end: float, *more: Thing | Stream) -> Moment:
        """What the label rests on: the hands, the thing, from ``start`` to ``end``."""
        return Moment(arm(*self.hands), (self.thing, *more), start, end)


def _widen(score: Score, rng: np.random.Generator) -> None:
    """A table on which three columns have room."""
    table = next(thing for thing in score.setting.furniture if thing.kind in ("table", "counter"))
    place = table.stand
    table.look["width"] = float(rng.uniform(1.25, 1.6))
    table.first = Still(np.array([np.clip(place.point[0], -0.1, 0.1), 0.0, place.point[2]]), place.turn)


def _lay(score: Score, kind: str, spot: np.ndarray, yaw: float) -> Thing:
    """A thing that nobody touches, its middle above ``spot``."""
    grip = GRIPS[kind]
    turn = (grip.lying[0], yaw, grip.lying[2])
    offset = motion.rotation(turn) @ np.array(grip.at) * (0.0 if abs(grip.at[0]) > 0.05 else 1.0)
    thing = score.thing(kind, Still(np.array([spot[0] - offset[0], spot[1] + grip.up, spot[2] - offset[2]]), turn))
    thing.look.update(grip.look)
    return thing
