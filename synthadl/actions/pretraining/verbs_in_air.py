"""What is done with a thing in the air in SynthADL-P: one motion a verb, for whatever thing it is done with.

Each takes a Score and the kind of the thing and says what the label rests on. Some are played backwards (see pairs.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synthadl.actions.playing.props import Held, Still, Worn
from synthadl.actions.playing.score import Moment, Score, arm
from synthadl.actions.playing.setting import Grasp
from synthadl.actions.pretraining.handling import ABOVE, SIDE, Handling
from synthadl.people import motion

#: Before the chest, where it is seen, and where a palm meets from above.
CHEST, DOWN = (0.09, -0.17, 0.34), ((-0.35, -0.35, 0.85), (-0.1, -0.95, -0.3), (0.6, -0.7, -0.4))


def shake(score: Score, kind: str) -> Moment:
    """Shake the thing up and down, fast."""
    h = Handling(score, kind)
    start = h.fetch(score.begin)
    h.go(start, start + 0.25, CHEST)
    h.wave(start + 0.15, score.end, (0.0, 0.055 * score.subject.amplitude, 0.02), score.hertz(2.6, 3.6))
    return h.moment(start, score.end)


def swing(score: Score, kind: str) -> Moment:
    """Swing the thing from side to side in front, wide and slow."""
    h = Handling(score, kind)
    start = h.fetch(score.begin)
    h.go(start, start + 0.3, (0.12, 0.02, 0.36))
    h.wave(start + 0.2, score.end, (0.19 * score.subject.amplitude, 0.0, 0.0), score.hertz(1.0, 1.4), ramp=0.3)
    return h.moment(start, score.end)


def tilt(score: Score, kind: str) -> Moment:
    """Tip the thing over to the side in the air, and back."""
    h = Handling(score, kind)
    start = h.fetch(score.begin)
    a, b, c, d = h.cuts(start, score.end, 0.8, 0.3, 0.8)
    over = ((-0.75, -0.1, 0.6), (-0.4, -0.9, -0.3), (0.9, -0.4, -0.2))
    h.go(a, b, (0.12, -0.10, 0.34), style=None if h.two else over)
    h.turn(a, b, (h.grip.carried[0], 0.0, -score.rng.uniform(85.0, 115.0)))
    h.go(c, d, CHEST)
    h.turn(c, d, h.grip.carried)
    return h.moment(a, d)


def throw(score: Score, kind: str) -> Moment:
    """Draw back with the thing and throw it to the front."""
    other: dict[str, Any] = {"half": 0.0, "depth": 0.11, "style": SIDE} if kind == "ball" else {}
    h = Handling(score, kind, None, **other)
    subject, sign, start = score.subject, h.sign, h.fetch(score.begin)
    a, b, c, d, e = h.cuts(start, score.end, 0.5, 0.32, 0.12, 0.4)
    back = Grasp("shoulder", (0.18, 0.18, -0.16), (0.0, 0.9, -0.3), (0.0, 0.1, 1.0), (0.9, -0.3, 0.3))
    out = Grasp("shoulder", (0.0, 0.14, 0.90 * subject.arm), (0.0, 0.5, 0.9), (0.0, -0.5, 0.9), (0.8, -0.5, 0.0))
    hand = score.hands[score.main]
    hand.to(a, b, back, arc=(0.08, 0.18, 0.12)).to(b, c, out, arc=(0.0, 0.16, 0.0))
    score.chest.to(a, b, (-6.0, -20.0 * sign, 0.0)).to(b, c, (12.0, 14.0 * sign, 0.0))
    score.chest.to(d, e, (subject.hunch, 0.0, 0.0))
    score.drop(score.main, d, e + 0.2)
    release = b + 0.72 * (c - b)
    flight = np.clip(score.t - release, 0.0, 0.75)
    shoulder = score.setting.pelvis[1] + subject.lengths["spine_low"] + subject.lengths["spine_high"]
    height = shoulder + 0.2 + 1.2 * flight - 4.905 * flight**2
    ahead = score.setting.pelvis[2] + 0.35 + score.rng.uniform(3.5, 5.0) * flight
    path = np.stack([np.full_like(flight, 0.16 * sign), np.maximum(height, 0.12), ahead], -1)
    h.thing.becomes(Still(path, h.own(h.grip.carried)), release, release + 0.16).becomes(None, release + 0.7)
    return h.moment(a + 0.5 * (b - a), d)


def toss(score: Score, kind: str) -> Moment:
    """Throw the thing up a little and catch it, twice or more."""
    h = Handling(score, kind)
    start = h.fetch(score.begin)
    point = np.array((0.12, -0.18, 0.36))
    palm_up = ((-0.3, 0.1, 0.95), (0.0, 1.0, -0.1), (0.6, -0.8, -0.2))
    a, b = start, start + 0.3
    h.go(a, b, point, style=palm_up)
    held = h.held(frame="chest")
    for _ in range(max(1, int((score.end - b) / 0.62))):
        h.go(b, b + 0.12, point + (0.0, 0.10, 0.0), style=palm_up, arc=(0.0, 0.0, 0.0))
        h.go(b + 0.14, b + 0.4, point, style=palm_up, arc=(0.0, 0.0, 0.0))
        up = b + 0.10
        fly = np.clip((score.t - up) / 0.44, 0.0, 1.0)
        rise = 0.26 * 4.0 * fly * (1.0 - fly)
        turn = h.own(h.grip.carried)
        where = np.array((h.sign * (point[0] - 0.01), point[1] + 0.07, point[2])) + rise[:, None] * (0.0, 1.0, 0.0)
        flying = Worn("chest", where - motion.rotation(turn) @ h.at, turn)
        h.thing.becomes(flying, up, up + 0.06).becomes(held, up + 0.38, up + 0.46)
        b += 0.62
    return h.moment(a, score.end)


def hold_up(score: Score, kind: str) -> Moment:
    """Raise the thing over the head and lower it again."""
    h = Handling(score, kind)
    start = h.fetch(score.begin)
    a, b, c, d = h.cuts(start, score.end, 0.8, 0.5, 0.7)
    h.go(a, b, (0.06, 0.42, 0.20), style=None if h.two else ((-0.1, 0.95, 0.2), (-0.6, -0.1, 0.8), (0.9, -0.2, 0.3)),
         arc=(0.06, 0.0, 0.14))  # fmt: skip
    h.go(c, d, CHEST, arc=(0.06, 0.0, 0.14))
    return h.moment(a + 0.3 * (b - a), d)


def show(score: Score, kind: str) -> Moment:
    """Hold the thing out to the front with a stretched arm, its face forward."""
    h = Handling(score, kind)
    start = h.fetch(score.begin)
    a, b, c, d = h.cuts(start, score.end, 0.6, 0.8, 0.4)
    flat = h.grip.carried[0] and h.grip.carried != (180.0, 0.0, 0.0)
    h.go(a, b, (-0.02, 0.06, 0.86 * score.subject.arm), arc=(0.0, 0.0, 0.05))
    if flat and kind != "knife":
        h.turn(a, b, (75.0, 0.0, 0.0))
    h.go(c, d, CHEST)
    return h.moment(b - 0.2, c)


def smell(score: Score, kind: str) -> Moment:
    """Bring the thing to the nose and bend over it."""
    return _to_head(score, kind, (0.045, -0.06, 0.13), (14.0, 0.0, 0.0))


def listen_to(score: Score, kind: str) -> Moment:
    """Hold the thing to the ear and lean the head to it."""
    return _to_head(score, kind, (0.125, 0.0, 0.04), (0.0, 0.0, 12.0))


def _to_head(score: Score, kind: str, point: tuple, nod: tuple) -> Moment:
    h = Handling(score, kind)
    start = h.fetch(score.begin)
    a, b, c, d = h.cuts(start, score.end, 0.7, 0.7, 0.5)
    style = ((-0.35, 0.85, -0.2), (-0.75, -0.1, -0.6), (0.75, -0.65, 0.1))
    h.go(a, b, point, "head", style, (0.03, 0.0, 0.07))
    score.head.to(a, b, (nod[0], 0.0, -h.sign * nod[2])).to(c, d, (0.0, 0.0, 0.0))
    h.go(c, d, CHEST, arc=(0.03, 0.0, 0.07))
    return Moment((*arm(*h.hands), "head"), (h.thing,), b - 0.2, c)


def hand_over(score: Score, kind: str) -> Moment:
    """Pass the thing from one hand to the other before the chest."""
    h = Handling(score, kind)
    start, off, out = h.fetch(score.begin), score.off, (0.27, -0.14, 0.30)
    a, b, c, d = h.cuts(start, score.end, 0.6, 0.2, 0.6)
    middle = (0.0, -0.14, 0.34)
    h.go(a, b, middle)
    other = np.array(middle) + (0.045, 0.03, 0.0)
    score.hands[off].to(max(a - 0.2, 0.0), b, h.grasp(tuple(other)), arc=(0.04, 0.0, 0.04))
    side = score.outward(off)
    turn = (h.grip.carried[0], side * h.grip.carried[1], side * h.grip.carried[2])
    grip = tuple(np.array(h.grip.at) * (side, 1.0, 1.0))
    h.thing.becomes(Held((off,), grip, turn, "root", h.grip.depth), b, c)
    score.hands[off].to(c, d, h.grasp(out))
    score.drop(score.main, c, d)
    return Moment(arm(score.main, off), (h.thing,), b - 0.25, c + 0.3)


def drop(score: Score, kind: str) -> Moment:
    """Hold the thing over the table and let it fall."""
    h = Handling(score, kind)
    start = h.fetch(score.begin)
    a, b, c, d = h.cuts(start, score.end, 0.6, 0.35, 0.6)
    high = 0.36
    h.go(a, b, h.over(h.spot, high), "root", DOWN)
    h.turn(a, b, h.grip.lying)
    down = h.lying()
    fall = np.maximum(high - 4.905 * np.maximum(score.t - c, 0.0) ** 2, 0.0)
    h.thing.becomes(Still(down.point + fall[:, None] * (0.0, 1.0, 0.0), down.turn), c, c + 0.08)
    score.hands[score.main].to(c, c + 0.2, h.grasp(h.over(h.spot, high + 0.03), "root", ABOVE))
    h.leave(c + 0.35 * (d - c), d)
    return h.moment(b, c + 0.4)
