"""Things put on the body: glasses, a hat, a shoe. Played backwards they are taken off."""

from __future__ import annotations

import numpy as np

from synthadl.actions.daily.holding import CARRY, pick_up
from synthadl.actions.playing.props import Held, Worn
from synthadl.actions.playing.score import Anchor, Moment, Score, arm, leg
from synthadl.actions.playing.setting import Grasp


def glasses(score: Score) -> Moment:
    """Put glasses on, with one hand or both (played backwards: take them off)."""
    side, off, rng, subject = score.main, score.off, score.rng, score.subject
    both = bool(rng.random() < 0.5)
    sign = score.outward(side)
    temple = (0.078, 0.006, -0.05)
    point = subject.eyes + (temple[0] + 0.03, temple[1], temple[2])
    worn = Grasp("head", point, (-0.15, 0.8, -0.55), (-1.0, 0.0, 0.0), (0.8, -0.6, 0.2))
    before = worn.moved(y=-0.03, z=0.14)
    carried = CARRY.moved(x=rng.uniform(-0.03, 0.03), y=rng.uniform(-0.02, 0.08))
    grip = (sign * temple[0], temple[1], temple[2])
    low, high = Held((side,), grip, (15.0, 0.0, 0.0), "chest"), Held((side,), grip, (0.0, 0.0, 0.0), "head")
    a, b, c, d, e, f = score.phases(0.5, 0.8, 0.45, 0.4, 0.8)
    thing, _ = pick_up(score, "glasses", side, carried, low, (a, b), rng.uniform(0.06, 0.18))
    score.hands[side].to(b + 0.15, c, before, arc=(0.0, 0.0, 0.05)).to(c, d, worn)
    thing.becomes(high, b + 0.15 + 0.3 * (c - b), c).becomes(Worn("head", subject.eyes), d, d + 0.1)
    hands = (side, off) if both else (side,)
    if both:
        score.hands[off].to(b, c, before, arc=(0.02, 0.0, 0.05)).to(c, d, worn)
    for hand in hands:
        score.hands[hand].to(d + 0.08, e, worn.moved(x=0.03, z=0.10))
        score.drop(hand, e - 0.05, f)
    score.head.to(b, c, (rng.uniform(5.0, 12.0), 0.0, 0.0)).to(d, e, (0.0, 0.0, 0.0))
    return Moment((*arm(*hands), "head"), (thing,), b + 0.15, e)


def hat(score: Score) -> Moment:
    """Put a hat on with both hands."""
    rng, subject = score.rng, score.subject
    top = subject.radii["head"] * np.array([0.0, 0.55, 0.0])
    carried = Grasp("chest", (0.13, -0.28, 0.30), (-0.3, 0.1, 0.9), (-0.9, 0.4, -0.2), (0.8, -0.6, -0.3))
    on = Grasp("head", top + (0.15, 0.03, 0.03), (-0.25, 0.7, -0.5), (-0.95, 0.0, -0.2), (0.9, -0.4, 0.2))
    held = Held(("left", "right"), (0.0, 0.02, 0.02), (0.0, 0.0, 0.0), "chest", 0.0)
    a, b, c, d = score.phases(1.0, 0.3, 0.9)
    thing = score.thing("hat", held)
    for side in ("left", "right"):
        score.hands[side].first = carried
        score.hands[side].to(a, b, on, arc=(0.04, 0.12, 0.10)).to(c, c + 0.3 * (d - c), on.moved(x=0.06, y=0.04))
        score.drop(side, c + 0.25 * (d - c), d)
    thing.becomes(Worn("head", top, (-6.0, 0.0, 0.0)), b - 0.05, b + 0.15)
    score.head.to(a, b, (rng.uniform(3.0, 9.0), 0.0, 0.0)).to(c, d, (0.0, 0.0, 0.0))
    return Moment((*arm("left", "right"), "head"), (thing,), a, c)


def shoe(score: Score) -> Moment:
    """Put a shoe on a lifted foot, with one hand or both (played backwards: take it off)."""
    side, off, rng, subject, setting = score.main, score.off, score.rng, score.subject, score.setting
    scale, sign = subject.height / 1.72, score.outward(side)
    both = bool(rng.random() < 0.5)
    foot = f"{side}_foot"
    sole = -subject.lengths["ankle"]
    grip = (sign * 0.045, 0.075, -0.01)
    at_foot = Grasp(foot, (0.075, sole + 0.075, -0.01), (-0.1, -0.8, 0.55), (-1.0, 0.0, 0.0), (0.8, 0.3, -0.4))
    ahead = at_foot.moved(y=-0.01, z=0.17)
    carried = Grasp("chest", (0.10, -0.36, 0.30), (-0.2, -0.35, 0.9), (-0.95, 0.0, -0.2), (0.7, -0.6, -0.5))
    in_hand = Held((side,), grip, (20.0, 0.0, 0.0), "chest", 0.03)
    near_foot = Held((side,), grip, (0.0, 0.0, 0.0), foot, 0.03)
    a, b, c, d, e = score.phases(1.0, 0.5, 0.35, 1.0)

    score.hands[side].first = carried
    thing = score.thing("shoe", in_hand)
    thing.look["foot"] = side
    lifted = setting.ankles[0].copy()
    if setting.seated:
        lifted[1:] = 0.27 * scale, setting.pelvis[2] + 0.48 * scale
        bow, sink = rng.uniform(50.0, 58.0), np.zeros(3)
    else:
        lifted[1:] = 0.56 * scale, 0.26 * scale
        bow, sink = rng.uniform(52.0, 60.0), np.array([-0.05 * sign, -0.10 * scale, -0.10 * scale])
    lifted[0] = 0.6 * lifted[0] + 0.02
    score.pelvis.to(a, b, setting.pelvis + sink).to(d, e, setting.pelvis)
    score.hips.to(a, b, (0.55 * bow, 0.0, 0.0)).to(d, e, (0.0, 0.0, 0.0))
    score.chest.to(a, b, (0.45 * bow, 8.0 * sign, 0.0)).to(d, e, (subject.hunch, 0.0, 0.0))
    grounded = score.feet[side].first
    score.feet[side].to(a + 0.1 * (b - a), b, Anchor("root", lifted)).to(d + 0.1 * (e - d), e - 0.05, grounded)
    turned = score.soles[side].first
    score.soles[side].to(a, b, (-18.0, 0.5 * turned[1], 0.0)).to(d, e, turned)
    score.look(a, b, Anchor(foot))
    score.look_ahead(d, e)
    score.hands[side].to(a, b, ahead, arc=(0.02, 0.0, 0.05)).to(b, c, at_foot)
    thing.becomes(near_foot, a + 0.4 * (b - a), b).becomes(Worn(foot, np.array([0.0, sole, 0.0])), c, c + 0.1)
    hands = (side, off) if both else (side,)
    if both:
        score.hands[off].to(a, b, ahead).to(b, c, at_foot)
    for hand in hands:
        score.drop(hand, d, e)
    return Moment((*arm(*hands), *leg(side)), (thing,), b - 0.3 * (b - a), d)
