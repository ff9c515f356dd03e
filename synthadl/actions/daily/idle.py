"""The idle hand: a rival, a thing of another action, in it. Which hand's thing is used decides the label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthadl.actions.daily.holding import CARRY
from synthadl.actions.playing.props import Held, size
from synthadl.actions.playing.score import Score
from synthadl.actions.playing.setting import Grasp

#: How often an idle hand takes what it is offered.
TAKEN = 0.75
FLAT = ("book", "tablet", "paper", "phone")


@dataclass(frozen=True)
class Offer:
    """Whether an idle hand takes a rival, and where it holds it."""

    taken: bool
    hold: Grasp


def sample(rng: np.random.Generator) -> Offer:
    """The same draws for every action and every rival."""
    return Offer(
        bool(rng.random() < TAKEN),
        CARRY.moved(x=rng.uniform(0.04, 0.12), y=rng.uniform(0.06, 0.16), z=rng.uniform(-0.02, 0.04)),
    )


def carry(score: Score, kind: str, offer: Offer) -> bool:
    """Let the hand that does not act hold a rival throughout, if it rests throughout. Returns whether it does."""
    side = score.off
    hand = score.hands[side]
    if not offer.taken or hand.moves or hand.waves or hand.first is not score.resting:
        return False
    hand.first = offer.hold
    wide, high, deep = size(kind)
    if kind in FLAT:
        grip = (-score.outward(side) * max(0.5 * wide - 0.03, 0.0), -0.01, -0.25 * deep)
        held = Held((side,), grip, (-50.0, 0.0, 0.0), "chest", 0.02)
    else:
        held = Held((side,), (0.0, 0.55 * high, 0.0), (0.0, 0.0, 0.0), "root", 0.5 * min(wide, deep))
    score.thing(kind, held)
    return True
