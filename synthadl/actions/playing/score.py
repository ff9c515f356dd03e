"""The score of a clip: which part of the body goes where and when. Actions write it, the rig plays it.

Times are seconds from the start of the clip. A track starts at a first value and passes along minimum-jerk profiles to
each later one; waves are added on top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from synthadl.actions.playing.props import KINDS, Held, Still, Stream, Thing, Worn
from synthadl.actions.playing.setting import Grasp, Setting, lean
from synthadl.people import motion
from synthadl.people.body import Subject

V = TypeVar("V")
SIDES = ("left", "right")
#: Peak over mean speed of a minimum-jerk move, and about the length of a hand in metres.
PEAK, HAND = 1.875, 0.17
#: How often the preferred hand acts.
PREFERRED = 0.85


@dataclass(frozen=True)
class Anchor:
    """A point, metres, in a frame of the rig."""

    frame: str
    point: motion.Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Moment:
    """What the label rests on: joints by name, things of the score, and (start, end) in seconds."""

    joints: tuple[str, ...]
    things: tuple[Thing | Stream, ...]
    start: float
    end: float


@dataclass
class Track(Generic[V]):
    """A value over time: ``first``, moves (start, end, value, arc), waves (start, end, size, hertz, phase, ramp)."""

    first: V
    moves: list[tuple[float, float, V, motion.Vector]] = field(default_factory=list)
    waves: list = field(default_factory=list)

    def to(self, start: float, end: float, value: V, arc: motion.Vector = (0.0, 0.0, 0.0)) -> Track[V]:
        """Move to ``value`` between two moments, on the way bowed out by ``arc`` metres (hands: outward, up, front)."""
        self.moves.append((start, end, value, arc))
        return self

    def wave(
        self, start: float, end: float, size: tuple, hertz: float, phase: float = 0.0, ramp: float = 0.2
    ) -> Track[V]:
        """Add ``size`` x sin(2 pi hertz (t - start) + phase), faded in and out over ``ramp`` seconds."""
        self.waves.append((start, end, size, hertz, phase, ramp))
        return self

    def mirrored(self, flip: np.ndarray) -> Track[V]:
        """The track of the other side: arcs and waves times ``flip`` [3]; its values are for ``resolve`` to mirror."""
        moves = [(start, end, value, np.asarray(arc) * flip) for start, end, value, arc in self.moves]
        waves = [(start, end, np.asarray(size) * flip, *rest) for start, end, size, *rest in self.waves]
        return Track(self.first, moves, waves)

    def play(
        self, t: np.ndarray, resolve: Callable[[V], np.ndarray] = np.asarray, fastest: float = np.inf
    ) -> np.ndarray:
        """float64 [T,D]: ``resolve`` turns a value of the track into [D] or [T,D]. A move that would exceed ``fastest``
        (metres a second; turning the fingers counts as far as their tips travel) takes longer than was asked for."""
        first = resolve(self.first)
        path = np.array(np.broadcast_to(first, (len(t), np.shape(first)[-1])), dtype=float)
        for start, end, value, arc in self.moves:
            way = resolve(value) - path
            here = np.abs(t - start).argmin()
            far = np.linalg.norm(np.broadcast_to(way, path.shape)[here, :3]) + np.linalg.norm(arc)
            far += HAND * np.linalg.norm(np.broadcast_to(way, path.shape)[here, 3:6])
            end = max(end, float(start + PEAK * far / fastest))
            path = path + motion.ease(t, start, end)[:, None] * way
            path[:, :3] += motion.bump(t, start, end)[:, None] * np.asarray(arc)
        for start, end, size, hertz, phase, ramp in self.waves:
            swing = motion.window(t, start, end, ramp) * np.sin(2.0 * np.pi * hertz * (t - start) + phase)
            path[:, :3] += swing[:, None] * np.asarray(size)
        return path


class Score:
    """Everything an action may write. ``begin`` and ``end`` bound the active part of the clip (seconds); ``main`` is
    the hand that acts and ``off`` the other one.

    travel float64 [T,4,4], or None, takes the root frame to where it was at first while the subject walks; patience is
    for how many seconds an elbow keeps the turn that clears the trunk (None: the whole clip); resting is the grasp in
    which hands begin; rivals are kinds of things that lie beside the one that is handled, where an action handles one
    (see pretraining/handling.py)."""

    travel: np.ndarray | None = None
    patience: float | None = None
    rivals: tuple[str, ...] = ()

    def __init__(
        self, setting: Setting, subject: Subject, rng: np.random.Generator, t: np.ndarray, active: tuple
    ) -> None:
        self.setting, self.subject, self.rng, self.t = setting, subject, rng, t
        self.begin, self.end = active
        self.main, self.off = SIDES if (rng.random() < PREFERRED) == subject.left_handed else SIDES[::-1]
        self.working_lean = lean(setting, subject)
        rest = self.resting = setting.rest(subject)
        self.pelvis: Track[motion.Vector] = Track(setting.pelvis)
        self.hips: Track[motion.Vector] = Track((0.0, 0.0, 0.0))
        self.chest: Track[motion.Vector] = Track((subject.hunch, 0.0, 0.0))
        self.head: Track[motion.Vector] = Track((0.0, 0.0, 0.0))
        self.gaze = Track(Anchor("root", (rng.uniform(-0.9, 0.9), subject.height + rng.uniform(-0.5, 0.1), 4.0)))
        self.hands = {side: Track(rest) for side in SIDES}
        self.feet = {side: Track(Anchor("root", ankle)) for side, ankle in zip(SIDES, setting.ankles, strict=True)}
        self.soles: dict[str, Track[motion.Vector]] = {
            side: Track((0.0, float(rng.uniform(4.0, 14.0)), 0.0)) for side in SIDES
        }
        self.things: list[Thing | Stream] = []

    def phases(self, *shares: float) -> list[float]:
        """Boundaries (seconds) that cut the active part into pieces of about these shares."""
        widths = np.array(shares) * self.rng.uniform(0.85, 1.18, len(shares))
        cuts = self.begin + (self.end - self.begin) * np.concatenate([[0.0], np.cumsum(widths) / widths.sum()])
        return [float(cut) for cut in cuts]

    def hertz(self, low: float, high: float) -> float:
        """A rhythm between two frequencies at the subject's speed."""
        return float(self.rng.uniform(low, high) * np.clip(self.subject.speed, 0.85, 1.15))

    def outward(self, side: str) -> float:
        """+1 on the left, where the root's x points outward, -1 on the right."""
        return 1.0 if side == "left" else -1.0

    def thing(self, kind: str, first: Still | Held | Worn | None) -> Thing:
        """A new prop of the clip in its first state."""
        if kind not in KINDS:
            raise ValueError(f"unknown prop {kind!r}; known: {', '.join(KINDS)}")
        thing = Thing(kind, first)
        self.things.append(thing)
        return thing

    def stream(self, kind: str, source: Thing, spout: tuple, target: Thing, start: float, end: float) -> Stream:
        """What runs out of ``source`` down to the base of ``target`` between two moments."""
        stream = Stream(kind, source, spout, target, start, end)
        self.things.append(stream)
        return stream

    def spot(self, side: str, outward: float, reach: float) -> np.ndarray:
        """float64 [3]: a place on the surface, ``outward`` from the body's middle, ``reach`` beyond the near edge."""
        return np.array([self.outward(side) * outward, self.setting.surface, self.setting.edge + reach])

    def over(self, spot: np.ndarray, side: str, up: float, **turned: tuple) -> Grasp:
        """The grasp whose palm is ``up`` metres above a place of the root frame."""
        return Grasp("root", (spot[0] * self.outward(side), spot[1] + up, spot[2]), **turned)

    def work(self, start: float, end: float) -> None:
        """Bow over the surface until further notice, as far as the arms need it."""
        self.hips.to(start, end, (0.6 * self.working_lean, 0.0, 0.0))
        self.chest.to(start, end, (self.subject.hunch + 0.4 * self.working_lean, 0.0, 0.0))

    def upright(self, start: float, end: float) -> None:
        """Straighten up again."""
        self.hips.to(start, end, (0.0, 0.0, 0.0))
        self.chest.to(start, end, (self.subject.hunch, 0.0, 0.0))

    def look(self, start: float, end: float, anchor: Anchor) -> None:
        """Turn the head towards a point or a hand (frames "left" and "right")."""
        self.gaze.to(start, end, anchor)

    def look_ahead(self, start: float, end: float) -> None:
        """Turn the head back to the front."""
        self.gaze.to(start, end, self.gaze.first)

    def drop(self, side: str, start: float, end: float) -> None:
        """Bring a hand back to where it rests."""
        self.hands[side].to(start, end, self.setting.rest(self.subject), arc=(0.05, 0.04, 0.0))


def arm(*sides: str) -> tuple[str, ...]:
    """Names of the joints from the elbow to the finger tips."""
    parts = ("elbow", "wrist", "hand", "hand_tip", "thumb")
    return tuple(f"{part}_{side}" for side in sides for part in parts)


def leg(*sides: str) -> tuple[str, ...]:
    """Names of the joints from the knee to the foot."""
    return tuple(f"{part}_{side}" for side in sides for part in ("knee", "ankle", "foot"))
