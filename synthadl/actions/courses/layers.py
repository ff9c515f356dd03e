"""Several actions in one body: each writes a score of its own, and where it acts its tracks lie over those below.

The lowest score is the body at rest. A layer's tracks fade in and out at the ends of its window; only the tracks that
its action wrote on are laid over, so that legs may walk while a hand drinks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from synthadl.actions.playing.score import SIDES, Moment, Score, Track
from synthadl.actions.playing.setting import Grasp
from synthadl.people import motion

BODY = ("pelvis", "hips", "chest", "head", "gaze")
PAIRS = ("hands", "feet", "soles")
#: Seconds a layer takes to fade in or out, and a hand to fetch what it carries from behind the hip.
RAMP, FETCH = 0.5, 0.7
BEHIND = Grasp("hip", (0.05, 0.02, -0.19), (-0.5, -0.85, -0.1), (0.3, 0.0, 1.0), (0.7, 0.2, -0.7))


@dataclass(frozen=True)
class Layer:
    """One action: its score, its moment, and the window (seconds) in which it is laid over what is below."""

    action: str
    score: Score
    moment: Moment
    window: tuple[float, float]
    written: tuple[tuple[str, str], ...]


class Stack:
    """Tracks over each other, played as one. ``layers`` are (track, times [T], weight [T]) from bottom to top."""

    def __init__(self, base: Track, layers: list[tuple[Track, np.ndarray, np.ndarray]]) -> None:
        self.base, self.layers = base, layers

    def mirrored(self, flip: np.ndarray) -> Stack:
        """The same motion with left and right exchanged by ``flip`` int64 [V]."""
        return Stack(
            self.base.mirrored(flip), [(track.mirrored(flip), times, weight) for track, times, weight in self.layers]
        )

    def play(
        self, t: np.ndarray, resolve: Callable[[Any], np.ndarray] = np.asarray, fastest: float = np.inf
    ) -> np.ndarray:
        """As ``Track.play``."""
        path = self.base.play(t, resolve, fastest)
        for track, times, weight in self.layers:
            here = np.flatnonzero(weight > 0)
            span = slice(here[0], here[-1] + 1)
            over = track.play(times[span], _cut(resolve, len(t), span), fastest)
            path[span] += weight[span, None] * (over - path[span])
        return path


def _cut(resolve: Callable[[Any], np.ndarray], count: int, span: slice) -> Callable[[Any], np.ndarray]:
    """``resolve`` for a span of the ``count`` frames."""

    def within(value: Any) -> np.ndarray:
        values = resolve(value)
        return values[span] if np.ndim(values) == 2 and len(values) == count else values

    return within


def layer(action: str, score: Score, write: Callable[[Score], Moment], fetches: bool = True) -> Layer:
    """Let an action write on its ``score``, which nothing has written on yet. Where it starts with something in its
    hands, they ``fetch`` it from behind the hips first and take it back there."""
    clean = {key: _track(score, key).first for key in _keys()}
    moment = write(score)
    lead = RAMP
    if fetches:
        carrying = [side for side in SIDES if score.hands[side].first is not clean["hands", side]]
        for side in carrying:
            track = score.hands[side]
            track.moves.insert(0, (score.begin - FETCH, score.begin, track.first, (0.06, 0.0, 0.05)))
            track.first = BEHIND
            clean["hands", side] = None
            track.to(score.end, score.end + FETCH, BEHIND, arc=(0.06, 0.0, 0.05))
        lead += FETCH * bool(carrying)
    written = tuple(
        key for key in _keys() if (track := _track(score, key)).moves or track.waves or track.first is not clean[key]
    )
    return Layer(action, score, moment, (score.begin - lead, score.end + lead), written)


def compose(base: Score, layers: list[Layer], ramp: float = RAMP) -> None:
    """Lay ``layers`` (bottom to top) over the tracks of ``base``, in place."""
    weights = [motion.window(base.t, *each.window, ramp) for each in layers]
    for key in _keys():
        over = [
            (_track(each.score, key), each.score.t, weight)
            for each, weight in zip(layers, weights, strict=True)
            if key in each.written and weight.any()
        ]
        if over:
            _replace(base, key, Stack(_track(base, key), over))


def _keys() -> list[tuple[str, str]]:
    return [(name, "") for name in BODY] + [(name, side) for name in PAIRS for side in SIDES]


def _track(score: Score, key: tuple[str, str]) -> Track:
    name, side = key
    return getattr(score, name)[side] if side else getattr(score, name)


def _replace(score: Score, key: tuple[str, str], track: Stack) -> None:
    name, side = key
    if side:
        getattr(score, name)[side] = track
    else:
        setattr(score, name, track)
