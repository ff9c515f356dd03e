"""Gestures with empty hands: clapping, rubbing, waving, flicking the hair."""

from __future__ import annotations

from synthadl.actions.playing.score import Moment, Score, arm
from synthadl.actions.playing.setting import Grasp


def palms(score: Score, rhythm: str) -> Moment:
    """Hands together before the chest: they part and meet ("clap") or slide along each other ("rub")."""
    rng = score.rng
    lift, ahead = float(rng.uniform(-0.06, 0.08)), float(rng.uniform(0.27, 0.33))
    gap, offset, amplitude = rng.uniform(0.0, 0.035), rng.uniform(-0.04, 0.04), score.subject.amplitude
    a, b, c, d = score.phases(0.45, 2.0, 0.45)
    meet = Grasp("chest", (0.035, -0.18 + lift, ahead), (-0.35, 0.5, 0.8), (-0.95, 0.0, -0.3), (0.65, -0.75, -0.2))
    clap, rub = score.hertz(2.2, 3.2), score.hertz(1.8, 3.0)
    for hand, sign in (("left", 1.0), ("right", -1.0)):
        track = score.hands[hand]
        if rhythm == "clap":
            wide = 0.045 * amplitude
            apart = meet.moved(x=wide, y=0.4 * sign * offset, z=0.8 * sign * offset)
            track.to(a, b, apart, arc=(0.03, 0.0, 0.06)).wave(b, c, (wide, 0.0, 0.0), clap)
        else:
            slide = 0.045 * amplitude * sign
            track.to(a, b, meet.moved(x=gap), arc=(0.03, 0.0, 0.06)).wave(b, c, (0.0, 0.4 * slide, 0.8 * slide), rub)
        score.drop(hand, c, d)
    return Moment(arm("left", "right"), (), b, c)


def wave(score: Score) -> Moment:
    """Wave with a raised hand."""
    side, rng, subject = score.main, score.rng, score.subject
    a, b, c, d = score.phases(0.5, 1.6, 0.5)
    up = Grasp("chest", (0.33, rng.uniform(0.12, 0.30), 0.18), (0.05, 1.0, 0.1), (0.0, -0.1, 1.0), (0.8, -0.7, -0.2))
    score.hands[side].to(a, b, up, arc=(0.08, 0.0, 0.06))
    score.hands[side].wave(b - 0.1, c, (0.10 * subject.amplitude, 0.0, 0.0), score.hertz(1.5, 2.3))
    score.drop(side, c, d)
    return Moment(arm(side), (), b - 0.1, c)


def flick_hair(score: Score) -> Moment:
    """Sweep the hair back beside the head with the hand, the head swinging along."""
    side, rng, subject = score.main, score.rng, score.subject
    sign, r = score.outward(side), subject.radii["head"]
    a, b, c, d = score.phases(0.8, 0.55, 0.8)
    brow = Grasp("head", (0.95 * r, 0.55 * r, 0.75 * r), (-0.45, 0.7, -0.5), (-0.8, -0.2, -0.5), (0.95, -0.3, 0.1))
    behind = Grasp("head", (1.55 * r, 0.35 * r, -0.75 * r), (0.1, 0.6, -0.8), (-0.9, 0.1, 0.1), (0.95, -0.1, 0.0))
    score.hands[side].to(a, b, brow, arc=(0.06, 0.0, 0.10)).to(b, c, behind, arc=(0.05, 0.04, 0.0))
    score.drop(side, c, d)
    score.head.to(a, b, (6.0, 8.0 * sign, -6.0 * sign)).to(b, c, (-8.0, -14.0 * sign, 8.0 * sign))
    score.head.to(c, d, (0.0, 0.0, 0.0))
    repeat = rng.random() < 0.3
    if repeat:
        score.head.wave(b, d, (0.0, 5.0, 0.0), 1.0)
    return Moment((*arm(side), "head", "neck"), (), b - 0.2, c + 0.1)
