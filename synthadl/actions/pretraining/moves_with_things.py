"""Moves of SynthADL-P with objects: the actions a network is pretrained on."""

from __future__ import annotations

import numpy as np

from synthadl.actions.daily.holding import CARRY
from synthadl.actions.playing.props import Held
from synthadl.actions.playing.score import Anchor, Moment, Score, arm
from synthadl.actions.playing.setting import Grasp
from synthadl.people import motion


def phone_call(score: Score) -> Moment:
    """Raise the phone to the ear, talk, lower it."""
    side, rng, r = score.main, score.rng, score.subject.radii["head"]
    a, b, c, d = score.phases(0.7, 1.8, 0.7)
    ear = Grasp("head", (1.42 * r, -0.25 * r, 0.28 * r), (-0.1, 0.85, -0.45), (-1.0, 0.0, 0.0), (0.75, -0.65, 0.1))
    score.hands[side].first = CARRY
    score.hands[side].to(a, b, ear, arc=(0.05, 0.0, 0.08)).to(c, d, CARRY, arc=(0.05, 0.0, 0.08))
    phone = score.thing("phone", Held((side,), (0.0, 0.0, -0.02), (-40.0, 0.0, 0.0), "chest", 0.015))
    upright = Held((side,), (0.0, 0.0, -0.02), (-60.0, 0.0, 90.0 * score.outward(side)), "head", 0.015)
    phone.becomes(upright, a + 0.2 * (b - a), b).becomes(phone.first, c, c + 0.8 * (d - c))
    score.head.wave(b, c, (4.0, 6.0, 0.0), rng.uniform(0.5, 0.9), ramp=0.3)
    return Moment((*arm(side), "head"), (phone,), b - 0.2, c)


def brush_teeth(score: Score) -> Moment:
    """Brush the teeth with small strokes before the mouth."""
    side, subject = score.main, score.subject
    sign = score.outward(side)
    a, b, c, d = score.phases(0.7, 2.0, 0.7)
    mouth = Grasp(
        "head", subject.mouth + (0.14, -0.01, 0.055), (-0.55, 0.7, -0.1), (-0.3, -0.3, -0.9), (0.9, -0.5, 0.1)
    )
    held = Held((side,), (0.0, 0.14, 0.0), (0.0, 180.0, 0.0), "chest", 0.02)
    across = Held((side,), (0.0, 0.14, 0.0), (0.0, 180.0, 82.0 * sign), "head", 0.02)
    score.hands[side].first = CARRY
    score.hands[side].to(a, b, mouth, arc=(0.04, 0.0, 0.08)).to(c, d, CARRY, arc=(0.04, 0.0, 0.08))
    score.hands[side].wave(b, c, (0.03 * subject.amplitude, 0.006, 0.0), score.hertz(2.5, 3.6))
    brush = score.thing("toothbrush", held)
    brush.becomes(across, a + 0.3 * (b - a), b).becomes(held, c, c + 0.7 * (d - c))
    return Moment((*arm(side), "head"), (brush,), b, c)


def comb_hair(score: Score) -> Moment:
    """Draw a comb over the head from the brow to the back, several times."""
    side, subject = score.main, score.subject
    r = subject.radii["head"]
    a, b, c, d = score.phases(0.6, 2.0, 0.6)
    brow = Grasp("head", (0.75 * r, 1.25 * r, 0.65 * r), (-0.5, 0.5, -0.6), (-0.3, -0.9, -0.2), (0.95, -0.2, 0.2))
    back = Grasp("head", (1.15 * r, 0.95 * r, -0.75 * r), (-0.3, 0.5, -0.8), (-0.7, -0.6, 0.2), (1.0, 0.0, 0.0))
    score.hands[side].first = CARRY
    score.hands[side].to(a, b, brow, arc=(0.08, 0.0, 0.12))
    strokes = max(1, round((c - b) / 0.75))
    cuts = np.linspace(b, c, strokes + 1)
    for start, end in zip(cuts[:-1], cuts[1:], strict=True):
        score.hands[side].to(start, start + 0.6 * (end - start), back, arc=(0.0, 0.05, 0.0))
        score.hands[side].to(start + 0.6 * (end - start), end, brow, arc=(0.06, 0.10, 0.0))
    score.hands[side].to(c, d, CARRY, arc=(0.08, 0.0, 0.12))
    comb = score.thing("comb", Held((side,), (0.0, -0.02, 0.0), (0.0, 0.0, 0.0), "chest", 0.03))
    over = Held((side,), (0.0, -0.02, 0.0), (0.0, 0.0, 70.0 * score.outward(side)), "head", 0.03)
    comb.becomes(over, a, b).becomes(comb.first, c, d)
    return Moment((*arm(side), "head"), (comb,), b, c)


def eat_apple(score: Score) -> Moment:
    """Bring an apple to the mouth and bite, once or twice."""
    side, subject = score.main, score.subject
    bites = 2 if score.end - score.begin > 2.8 else 1
    cuts = score.phases(*([0.7, 0.4, 0.7] * bites))
    mouth = Grasp(
        "head", subject.mouth + (0.045, -0.01, 0.075), (-0.6, 0.75, -0.1), (-0.55, 0.0, -0.85), (0.75, -0.7, 0.1)
    )
    score.hands[side].first = CARRY
    apple = score.thing("apple", Held((side,), depth=0.055))
    for index in range(bites):
        a, b, c, d = cuts[3 * index : 3 * index + 4]
        score.hands[side].to(a, b, mouth, arc=(0.02, 0.0, 0.06)).to(c, d, CARRY, arc=(0.02, 0.0, 0.06))
        score.head.to(a, b, (6.0, 0.0, 0.0)).to(c, d, (0.0, 0.0, 0.0))
    return Moment((*arm(side), "head"), (apple,), cuts[0], cuts[-1])


def sweep_floor(score: Score) -> Moment:
    """Sweep the floor with a broom held in both hands."""
    side, off, rng = score.main, score.off, score.rng
    sign, beat = score.outward(side), score.hertz(0.7, 1.1)
    a, b, c, d = score.phases(0.4, 2.2, 0.4)
    tilt = np.array([14.0, 0.0, 16.0 * sign])
    stick = motion.rotation(tilt)[:, 1] * (sign, 1.0, 1.0)
    low = np.array([0.10, 0.86 * score.subject.height / 1.72, 0.30])
    lower = Grasp("root", low, (-0.5, -0.2, 0.8), (-0.8, 0.0, -0.5), (0.7, -0.6, -0.4))
    high = low + 0.30 * stick
    upper = Grasp("root", high * (-1.0, 1.0, 1.0), (-0.7, -0.1, 0.7), (-0.6, -0.2, -0.8), (0.8, -0.5, -0.3))
    score.hands[side].first, score.hands[off].first = lower, upper
    wide, deep = 0.16 * score.subject.amplitude, rng.uniform(-0.05, 0.05)
    score.hands[side].wave(b, c, (wide, 0.0, deep), beat, ramp=0.4)
    score.hands[off].wave(b, c, (-0.55 * wide, 0.0, 0.5 * deep), beat, ramp=0.4)
    reach = low[1] / stick[1]
    broom = score.thing("broom", Held((side,), (0.0, float(reach) - 0.03, 0.0), tuple(tilt), "root", 0.03))
    score.chest.to(-2.0, -1.0, (score.subject.hunch + 10.0, 0.0, 0.0)).wave(
        b, c, (0.0, 6.0 * sign, 0.0), beat, ramp=0.4
    )
    score.gaze.first = Anchor("root", (0.0, 0.0, 0.8))
    return Moment(arm(side, off), (broom,), b, c)


def lift_dumbbell(score: Score) -> Moment:
    """Curl a dumbbell from beside the thigh to the shoulder, several times."""
    side, subject, setting = score.main, score.subject, score.setting
    times = max(1, round((score.end - score.begin) / 1.5))
    cuts = score.phases(*([0.8, 0.7] * times))
    low = Grasp("shoulder", (0.10, -0.86 * subject.arm, 0.20), (0.0, -0.9, 0.5), (0.0, 0.5, 0.9), (0.3, -0.2, -1.0))
    high = Grasp("shoulder", (0.06, -0.06, 0.27), (-0.1, 0.85, -0.3), (0.0, -0.3, -0.9), (0.3, -1.0, -0.2))
    if setting.seated:
        low = Grasp("shoulder", (0.12, -0.66 * subject.arm, 0.34), (0.0, -0.5, 0.9), (0.0, 0.9, 0.5), (0.5, -0.4, -0.8))
    score.hands[side].first = low
    for index in range(times):
        a, b, c = cuts[2 * index : 2 * index + 3]
        score.hands[side].to(a, b, high, arc=(0.0, 0.0, 0.12)).to(b, c, low, arc=(0.0, 0.0, 0.12))
    weight = score.thing("dumbbell", Held((side,), frame=f"{side}_hand", depth=0.035))
    return Moment(arm(side), (weight,), cuts[0], cuts[-1])
