"""Subtle work at a table: typing and writing."""

from __future__ import annotations

from synthadl.actions.daily.kitchen import finish
from synthadl.actions.playing.props import Held, Still
from synthadl.actions.playing.score import Anchor, Moment, Score, arm

OVER_KEYS = dict(fingers=(-0.2, -0.3, 0.95), palm=(0.0, -0.95, -0.3), elbow=(0.5, -0.75, -0.5))
WITH_PEN = dict(fingers=(-0.45, -0.45, 0.75), palm=(-0.75, -0.6, 0.0), elbow=(0.55, -0.75, -0.45))


def type_on_keyboard(score: Score) -> Moment:
    """Both hands over a keyboard, fingers falling in turn."""
    rng = score.rng
    spot = score.spot("left", rng.uniform(-0.06, 0.06), rng.uniform(0.12, 0.18))
    keyboard = score.thing("keyboard", Still(spot))
    a, b, c, d = score.phases(0.6, 2.2, 0.6)
    score.work(a, b)
    score.look(a, b, Anchor("root", (spot[0], spot[1] + 0.08, spot[2] + 0.1)))
    for side in ("left", "right"):
        keys = score.over(spot, side, 0.075, **OVER_KEYS).moved(x=0.10, z=-0.07)
        track = score.hands[side].to(a, b, keys, arc=(0.03, 0.07, -0.05))
        track.wave(b, c, (0.0, 0.012, 0.0), score.hertz(3.0, 4.6), rng.uniform(0.0, 6.0))
        track.wave(b, c, (0.022, 0.0, 0.008), score.hertz(0.5, 1.2), rng.uniform(0.0, 6.0))
        score.drop(side, c, d)
    finish(score, c, d)
    return Moment(arm("left", "right"), (keyboard,), b, c)


def write(score: Score) -> Moment:
    """Write a line or two on paper."""
    side, off, rng = score.main, score.off, score.rng
    sign = score.outward(side)
    spot = score.spot(side, rng.uniform(0.0, 0.1), rng.uniform(0.16, 0.22))
    paper = score.thing("paper", Still(spot, (0.0, -sign * rng.uniform(0.0, 18.0), 0.0)))
    pen = score.thing("pen", Still(spot + (sign * 0.09, 0.012, -0.06), (62.0, 0.0, -62.0 * sign)))
    a, b, c, d = score.phases(0.7, 2.0, 0.7)
    score.work(a, b)
    score.look(a, b, Anchor("root", spot))
    begin = score.over(spot, side, 0.075, **WITH_PEN).moved(x=0.04 + 0.05 * sign, z=-0.03)
    along = 0.09 * score.subject.amplitude
    # A line runs to the writer's right: outward under a right hand, inward under a left one.
    line = begin.moved(x=-along * sign, z=-0.01)
    middle = b + rng.uniform(0.42, 0.58) * (c - b)
    track = score.hands[side].to(a, b, begin, arc=(0.03, 0.07, -0.05))
    track.to(b, middle, line).to(middle, middle + 0.25, begin.moved(z=-0.025)).to(
        middle + 0.25, c, line.moved(z=-0.025)
    )
    track.wave(b, c, (0.009, 0.0, 0.0), score.hertz(2.2, 3.2)).wave(
        b, c, (0.0, 0.004, 0.013), score.hertz(2.6, 3.6), 1.0
    )
    pen.becomes(Held((side,), (0.0, 0.075, 0.0), (-30.0, 0.0, -30.0 * sign), "root", 0.03), b - 0.1, b)
    pen.becomes(pen.first, c, c + 0.15)
    flat = score.over(spot, off, 0.04, **OVER_KEYS).moved(x=0.14, z=-0.06)
    score.hands[off].to(a, b, flat, arc=(0.03, 0.07, -0.05))
    score.drop(off, c, d)
    score.drop(side, c + 0.12, d)
    finish(score, c, d)
    return Moment(arm(side), (pen, paper), b, c)
