"""Things held in the hands: drinking, reading and tapping, the pocket."""

from __future__ import annotations

import numpy as np

from synthadl.actions.playing.props import Held, Still, Thing, size
from synthadl.actions.playing.score import Anchor, Moment, Score, arm
from synthadl.actions.playing.setting import Grasp

#: Where a hand carries something in front of the belly, forearm level.
CARRY = Grasp("chest", (0.10, -0.30, 0.30), (-0.5, 0.05, 0.85), (-0.85, 0.0, -0.5), (0.5, -0.8, -0.5))


def drink(score: Score, kind: str) -> Moment:
    """Raise a vessel to the mouth, sip once or twice, lower it: one motion for all vessels."""
    side, rng, subject = score.main, score.rng, score.subject
    height = size(kind)[1]
    rim = float(rng.uniform(0.045, 0.07))
    grip = (0.0, height - rim, 0.0)
    tilt = float(rng.uniform(50.0, 72.0))
    lips = subject.mouth * (1.0, 1.0, 1.06)
    axis = np.array([0.0, np.cos(np.radians(tilt)), -np.sin(np.radians(tilt))])
    across = np.array([0.0, np.sin(np.radians(tilt)), np.cos(np.radians(tilt))])
    fingers = 0.75 * np.array([-1.0, 0.0, 0.0]) + 0.66 * across
    normal = np.cross(fingers, axis)
    sip = Grasp("head", lips - rim * axis - 0.045 * normal, fingers, normal, (0.75, -0.7, 0.1))
    carried = CARRY.moved(x=rng.uniform(-0.03, 0.05), y=rng.uniform(-0.05, 0.05))
    level = Held((side,), grip, (0.0, 0.0, 0.0), "root", 0.045)
    tipped = Held((side,), grip, (-tilt, 0.0, 0.0), "head", 0.045)

    a, b, c, d, e, f, g = score.phases(0.7, 0.25, 0.9, rng.uniform(0.8, 1.6), 0.9, 0.6)
    vessel, back = pick_up(score, kind, side, carried, level, (a, b), rng.uniform(0.06, 0.18))
    score.hands[side].to(c, d, sip, arc=(0.02, 0.0, 0.06))
    vessel.becomes(tipped, c + 0.35 * (d - c), d)
    score.head.to(c + 0.5 * (d - c), d + 0.1, (-rng.uniform(8.0, 16.0), 0.0, 0.0))
    score.head.to(e, f, (0.0, 0.0, 0.0))
    score.hands[side].to(e, f, back or carried, arc=(0.02, 0.0, 0.06))
    vessel.becomes(level, e, e + 0.65 * (f - e))
    if back:
        put_down(score, vessel, side, f, g)
    return Moment((*arm(side), "head"), (vessel,), c, f)


def pick_up(
    score: Score, kind: str, side: str, carried: Grasp, held: Held, when: tuple[float, float], outward: float
) -> tuple[Thing, Grasp | None]:
    """A thing that stands on the table and is grasped, or that the hand already carries. Returns it with the grasp
    that puts it back, None where it was in the hand from the start. The coin is the same for every action."""
    if score.setting.surface is None or score.rng.random() < 0.35:
        score.hands[side].first = carried
        return score.thing(kind, held), None
    spot = score.spot(side, outward, float(score.rng.uniform(0.12, 0.2)))
    thing = score.thing(kind, Still(spot))
    grasp = score.over(spot, side, held.grip[1]).moved(x=0.9 * held.depth, z=-0.4 * held.depth)
    score.work(*when)
    score.look(*when, Anchor("root", spot))
    score.hands[side].to(*when, grasp, arc=(0.03, 0.07, -0.05))
    thing.becomes(held, when[1], when[1] + 0.15)
    score.upright(when[1] + 0.1, when[1] + 0.1 + (when[1] - when[0]))
    score.look_ahead(when[1] + 0.2, when[1] + 0.8)
    return thing, grasp


def put_down(score: Score, thing: Thing, side: str, start: float, end: float) -> None:
    """Let go of a thing that the hand has brought back to where it stood, and rest."""
    thing.becomes(thing.first, start, start + 0.15)
    score.drop(side, start + 0.1, end)


def read(score: Score, kind: str) -> Moment:
    """Hold a book, a tablet or a letter before the chest, look at it and swipe over it now and then."""
    side, off, rng = score.main, score.off, score.rng
    pitch = -float(rng.uniform(35.0, 60.0))
    lift = float(rng.uniform(-0.06, 0.06))
    # As wide for the one as for the other, or the elbows would tell which it is.
    wide = 0.165
    hold = Grasp(
        "chest", (wide - 0.02, -0.20 + lift, 0.34), (-0.35, 0.35, 0.85), (-0.5, 0.75, -0.35), (0.45, -0.85, -0.4)
    )
    for hand in (side, off):
        score.hands[hand].first = hold
    edge = (score.outward(off) * (wide - 0.02), -0.01, -0.05)
    thing = score.thing(kind, Held((off,), edge, (pitch, 0.0, 0.0), "chest", 0.02))
    score.gaze.first = Anchor("chest", (0.0, -0.2 + lift, 0.36))
    swipes = int(rng.integers(1, 3))
    cuts = score.phases(*([0.6, 0.3, 0.35, 0.4] * swipes))
    start = Grasp("chest", (0.07, -0.13 + lift, 0.37), (-0.5, 0.55, 0.6), (-0.2, -0.5, 0.8), (0.8, -0.6, -0.3))
    for index in range(swipes):
        a, b, c, d = cuts[4 * index : 4 * index + 4]
        score.hands[side].to(a, b, start, arc=(0.0, 0.03, -0.03)).to(b, c, start.moved(x=-0.14))
        score.hands[side].to(c + 0.1, d + 0.1, hold, arc=(0.0, 0.02, -0.03))
    return Moment((*arm(side, off), "head"), (thing,), score.begin, score.end)


def pocket(score: Score) -> Moment:
    """Put a phone from before the chest into the trouser pocket (played backwards: take it out)."""
    side, rng = score.main, score.rng
    shown = Grasp(
        "chest",
        (0.08, -0.22 + rng.uniform(-0.05, 0.05), 0.30),
        (-0.35, 0.5, 0.8),
        (-0.4, 0.75, -0.5),
        (0.7, -0.7, -0.4),
    )
    over = Grasp("hip", (0.13, 0.12, 0.07), (-0.1, -0.9, 0.3), (-0.95, 0.0, -0.3), (0.6, 0.0, -0.8))
    inside = Grasp("hip", (0.105, 0.0, 0.06), (-0.15, -0.95, 0.15), (-0.95, 0.1, -0.25), (0.6, 0.0, -0.8))
    in_hand = Held((side,), (0.0, 0.0, -0.02), (-50.0, 0.0, 0.0), "chest", 0.015)
    upright = Held((side,), (0.0, 0.0, -0.02), (80.0, 0.0, 0.0), "pelvis", 0.015)
    a, b, c, d, e = score.phases(0.9, 0.5, rng.uniform(0.3, 0.6), 0.8)
    score.hands[side].first = shown
    phone = score.thing("phone", in_hand)
    phone.becomes(upright, a + 0.3 * (b - a), b).becomes(None, c)
    ahead, score.gaze.first = score.gaze.first, Anchor(side)
    score.hands[side].to(a, b, over, arc=(0.06, 0.0, 0.05)).to(b, c, inside)
    score.look(a, b, ahead)
    score.drop(side, d, e)
    return Moment(arm(side), (phone,), a + 0.4 * (b - a), c + 0.1)
