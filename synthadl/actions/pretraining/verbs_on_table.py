"""What is done with a thing on the table in SynthADL-P: one motion a verb, for whatever thing it is done with.

Each takes a Score and the kind of the thing and says what the label rests on. Some are played backwards (see pairs.py).
"""

from __future__ import annotations

import numpy as np

from synthadl.actions.playing.props import Held, Still, size
from synthadl.actions.playing.score import Anchor, Moment, Score, arm
from synthadl.actions.playing.setting import Grasp
from synthadl.actions.pretraining.handling import ABOVE, COLUMN, FAR_ROW, SIDE, Handling
from synthadl.people import motion


def lift(score: Score, kind: str) -> Moment:
    """Take the thing, raise it straight up, set it down where it stood."""
    h = Handling(score, kind)
    a, b, c, d, e, f = h.phases(0.5, 0.6, 0.25, 0.6, 0.4)
    high = h.home + (0.0, score.rng.uniform(0.26, 0.36), -0.04)
    h.reach(a, b)
    h.take(b)
    h.go(b + 0.04, c, high, "root")
    h.put(d, e)
    h.leave(e, f)
    return h.moment(b, e)


def push(score: Score, kind: str) -> Moment:
    """Slide the thing over the table, away from the body (played backwards: pull it nearer)."""
    h = Handling(score, kind, row=float(score.rng.uniform(0.08, 0.12)))
    a, b, c, d = h.phases(0.55, 0.9, 0.5)
    far = h.spot + (0.0, 0.0, score.rng.uniform(0.20, 0.26))
    h.reach(a, b)
    h.go(b, c, h.over(far), "root", h.grip.style, (0.0, 0.0, 0.0))
    h.thing.becomes(h.lying(far), b, c)
    h.leave(c, d)
    return h.moment(b - 0.1, c)


def carry(score: Score, kind: str) -> Moment:
    """Carry the thing in a high bow to another place on the table."""
    h = Handling(score, kind)
    a, b, c, d = h.phases(0.5, 1.1, 0.4)
    column = h.column - np.sign(h.column) if h.column else score.rng.choice((-1.0, 1.0))
    there = h.place(COLUMN * (0.2 * h.column + 0.8 * column), h.row + FAR_ROW)
    middle, half = 0.5 * (h.over(h.spot) + h.over(there)) + (0.0, 0.24, 0.0), 0.5 * (b + c)
    h.reach(a, b)
    h.take(b)
    h.go(b + 0.04, half, middle, "root", arc=(0.0, 0.0, 0.0))
    h.put(half, c, there)
    h.leave(c, d)
    return h.moment(b, c)


def put_down(score: Score, kind: str) -> Moment:
    """Set down what is in the hand and take the hand away (played backwards: pick it up)."""
    h = Handling(score, kind)
    h.begun = True
    a, b, c = h.phases(0.8, 0.7)
    h.fetch(a)
    h.put(a, b)
    h.leave(b, c)
    return h.moment(a + 0.4 * (b - a), b + 0.15)


def twist(score: Score, kind: str) -> Moment:
    """Turn the thing round on the table, about the upright."""
    h = Handling(score, kind, style=ABOVE)
    a, b, c, d = h.phases(0.5, 1.0, 0.45)
    grasped, turned = h.home + (0.0, 0.02, 0.0), h.own((h.grip.lying[0], 150.0, h.grip.lying[2]))
    h.reach(a, b, grasped)
    before = h.thing.stand
    middle = motion.rotation(before.turn) @ (np.array(size(kind)) * (0.0, 0.5, 0.0)) * (1.0, 0.0, 1.0)
    after = Still(before.point + middle - motion.rotation(turned) @ (np.array(size(kind)) * (0.0, 0.5, 0.0)), turned)
    after.point[1] = before.point[1]
    h.thing.becomes(after, b, c)
    fingers = ((0.75, -0.2, 0.55), (-0.1, -0.95, -0.2), (0.8, -0.6, 0.1))
    h.go(b, 0.5 * (b + c), grasped + (0.05, 0.0, 0.03), "root", fingers)
    h.go(0.5 * (b + c), c, grasped + (0.05, 0.0, -0.05), "root", fingers)
    h.leave(c, d)
    return h.moment(b, c)


def turn_over(score: Score, kind: str) -> Moment:
    """Turn the thing upside down and leave it so."""
    h = Handling(score, kind)
    a, b, c, d, e = h.phases(0.45, 0.6, 0.5, 0.4)
    lying = h.grip.lying
    upside = (lying[0], 0.0, lying[2] + 180.0)
    high = h.grip.up if h.grip.up else float(size(kind)[1])
    at = motion.rotation(h.own(upside)) @ np.array(h.grip.at)
    down = np.array([h.sign * h.spot[0], h.spot[1] + high + at[1], h.spot[2]])
    over = ((-0.6, 0.1, 0.8), (-0.3, 0.9, -0.3), (0.8, -0.6, -0.2))
    h.reach(a, b)
    h.take(b, lying)
    h.go(b + 0.05, c, h.home + (0.0, 0.20, 0.0), "root", over)
    h.turn(b + 0.25, c + 0.1, upside)
    h.go(c, d, down, "root", over, (0.0, 0.05, 0.0))
    h.thing.becomes(h.lying(turn=upside, up=high), d, d + 0.12)
    h.leave(d, e)
    return h.moment(b, d)


def tap(score: Score, kind: str) -> Moment:
    """Knock on the thing with the finger tips, several times."""
    h = Handling(score, kind)
    a, b, c, d = h.phases(0.5, 1.2, 0.45)
    top = _top(h) + (0.0, 0.075, -0.05)
    h.reach(a, b, top, ABOVE)
    h.wave(b - 0.05, c, (0.0, 0.05, 0.0), score.hertz(2.2, 2.9))
    h.leave(c, d)
    return h.moment(b - 0.1, c)


def point_at(score: Score, kind: str) -> Moment:
    """Point at the thing with a stretched finger, from near."""
    h = Handling(score, kind)
    a, b, c, d = h.phases(0.6, 0.9, 0.5)
    finger = _top(h) + (0.02, 0.10, -0.13)
    h.reach(a, b, finger, ((-0.1, -0.55, 0.85), (-0.5, -0.75, -0.35), (0.7, -0.6, -0.3)))
    h.leave(c, d)
    return h.moment(b - 0.15, c)


def knock_over(score: Score, kind: str) -> Moment:
    """Push the thing at its top until it falls on its side (played backwards: set it up)."""
    h = Handling(score, kind)
    a, b, c, d = h.phases(0.6, 0.35, 0.6)
    wide, high = 0.5 * size(kind)[0], float(size(kind)[1])
    top = np.array([h.sign * h.spot[0] + wide + 0.03, h.spot[1] + 0.85 * high, h.spot[2] - 0.01])
    h.reach(a, b, top, SIDE)
    h.go(b, c, top + (-0.10, -0.02, 0.0), "root", SIDE, (0.0, 0.0, 0.0))
    tipped = h.own((0.0, h.yaw, -90.0))
    fallen = Still(h.thing.stand.point + (-0.9 * wide * h.sign, wide, 0.0), tipped)
    h.thing.becomes(fallen, b + 0.3 * (c - b), c + 0.12)
    h.leave(c + 0.1, d)
    return h.moment(b - 0.1, c + 0.15)


def stack(score: Score, kind: str) -> Moment:
    """Set the thing on a block (played backwards: take it off)."""
    h = Handling(score, kind)
    a, b, c, d = h.phases(0.45, 0.9, 0.45)
    base = h.place(h.spot[0], h.row + 0.26)
    high, half = float(size("block")[1]), 0.5 * (b + c)
    block = score.thing("block", Still(base))
    h.reach(a, b)
    h.take(b)
    h.go(b + 0.04, half, h.over(0.5 * (h.spot + base), high + 0.16), "root", arc=(0.0, 0.0, 0.0))
    h.put(half, c, base, high)
    h.leave(c, d)
    return h.moment(b, c + 0.1, block)


def roll(score: Score, kind: str) -> Moment:
    """Roll the thing to and fro under the flat hand."""
    radius = 0.5 * float(size(kind)[0])
    middle = 0.0 if kind == "apple" else 0.5 * float(size(kind)[1])
    h = Handling(score, kind, at=(0.0, middle, 0.0), lying=(0.0, 0.0, 90.0), up=radius, style=ABOVE, depth=0.02)
    h.yaw, h.thing.first = 0.0, h.lying(turn=(0.0, 0.0, 90.0))
    a, b, c, d = h.phases(0.5, 1.3, 0.4)
    hertz, wide = score.hertz(0.9, 1.3), 0.075
    h.reach(a, b, h.home + (0.0, radius + 0.01, -0.03))
    h.wave(b, c, (0.0, 0.0, wide), hertz, ramp=0.3)
    shift = motion.window(score.t, b, c, 0.3) * np.sin(2.0 * np.pi * hertz * (score.t - b)) * wide
    first = h.thing.stand
    turns = np.array(first.turn) + np.degrees(shift / radius)[:, None] * (1.0, 0.0, 0.0)
    h.thing.first = Still(first.point + shift[:, None] * (0.0, 0.0, 1.0), turns)
    h.leave(c, d)
    return h.moment(b, c)


def wipe_with(score: Score, kind: str) -> Moment:
    """Rub the thing over the table in loops."""
    h = Handling(score, kind)
    a, b, c, d = h.phases(0.45, 1.4, 0.4)
    h.reach(a, b)
    h.take(b, h.grip.lying)
    wide, beat = 0.085 * score.subject.amplitude, score.hertz(1.2, 1.7)
    h.go(b + 0.05, b + 0.3, h.home + (-0.02, 0.0, 0.06), "root", h.grip.style)
    h.wave(b + 0.1, c, (wide, 0.0, 0.0), beat, ramp=0.3)
    h.wave(b + 0.1, c, (0.0, 0.0, 0.5 * wide), beat, 0.5 * np.pi, ramp=0.3)
    h.leave(c, d)
    h.thing.becomes(h.lying(h.spot + (-0.02 * h.sign, 0.0, 0.06)), c, c + 0.12)
    return h.moment(b, c)


def open_up(score: Score, kind: str) -> Moment:
    """Take the lid off the thing, the other hand steadying it (played backwards: close it)."""
    h = Handling(score, kind)
    h.begun = False
    wide, high = 0.42 * min(size(kind)[0], size(kind)[2], 0.24), float(size(kind)[1])
    shift = np.array([0.0, 0.0, 0.1]) if kind == "pan" else np.zeros(3)
    middle = h.thing.stand.point + (motion.rotation(h.thing.stand.turn) @ shift if shift.any() else 0.0)
    top = middle + (0.0, high if kind != "pan" else 0.046, 0.0)
    lid = score.thing("lid", Still(top))
    lid.look["wide"] = float(wide)
    a, b, c, d, e = h.phases(0.55, 0.6, 0.35, 0.5)
    side, knob = score.main, np.array([h.sign * top[0], top[1] + 0.035, top[2]])
    score.work(a, b)
    score.look(a, b, Anchor("root", top))
    grasp = dict(fingers=(-0.35, -0.5, 0.75), palm=(-0.3, -0.8, -0.5), elbow=(0.7, -0.6, -0.3))
    depth = 0.04
    over = Grasp("root", knob + (0.01, depth, 0.01), **grasp)
    score.hands[side].to(a, b, over, arc=(0.03, 0.07, -0.05))
    away = over.moved(x=0.10, y=0.16, z=-0.03)
    score.hands[side].to(b + 0.05, c, away, arc=(0.0, 0.05, 0.0)).to(d, e, away)
    lid.becomes(Held((side,), (0.0, 0.035, 0.0), (0.0, 0.0, 0.0), "root", depth), b, b + 0.08)
    held = Grasp("root", (-h.sign * middle[0] + 0.6 * wide + 0.06, middle[1] + 0.5 * high, middle[2] - 0.02))
    score.hands[score.off].to(a, b, held, arc=(0.05, 0.05, -0.03))
    score.drop(score.off, d, e)
    return Moment(arm(side, score.off), (h.thing, lid), b, c)


def _top(h: Handling) -> np.ndarray:
    """float64 [3]: the middle of the upper side of the thing where it lies, root frame, x outward."""
    high = float(size(h.kind)[1]) if not h.grip.up else 2.0 * h.grip.up
    return np.array([h.sign * h.spot[0], h.spot[1] + high, h.spot[2]])
