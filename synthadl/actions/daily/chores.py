"""Long actions made of several moves: cooking, making coffee, cleaning up."""

from __future__ import annotations

import numpy as np

from synthadl.actions.daily import kitchen
from synthadl.actions.playing.props import Held, Still, Stream, Thing, size
from synthadl.actions.playing.score import Anchor, Moment, Score, arm
from synthadl.actions.playing.setting import Grasp

FLAT = dict(fingers=(-0.4, -0.15, 0.9), palm=(-0.2, -0.95, -0.2), elbow=(0.55, -0.7, -0.5))


def cook(score: Score) -> Moment:
    """Cut bread, stir the pot, pour water into it. What no single move shows is the passage from one to the next."""
    side, off, rng = score.main, score.off, score.rng
    board, stove = score.spot(side, -0.06, rng.uniform(0.20, 0.25)), score.spot(side, 0.24, rng.uniform(0.20, 0.25))
    bread = score.thing("bread", Still(board))
    pot = score.thing("pot", Still(stove))
    knife = kitchen.lay_knife(score, side, board)
    kettle_spot = score.spot(side, 0.47, rng.uniform(0.16, 0.22))
    kettle = score.thing("kettle", Still(kettle_spot))
    a, b, c, d, e, f, g, h = score.phases(0.5, 1.0, 0.6, 0.95, 0.75, 0.75, 0.5)
    begin_work(score, a, b, board)
    kitchen.saw(score, side, knife, board, (a, b, c))
    kitchen.steady(score, off, board, 0.11, (a, b, c, c + 0.7 * (d - c)))
    laid = c + 0.35 * (d - c)
    kitchen.lay_down(score, side, knife, board, (c, laid))
    spoon = kitchen.swirl(score, side, stove, (laid + 0.03, d, e))
    spoon.becomes(spoon.first, e, e + 0.1)
    score.look(c, d, Anchor("root", stove))
    stream = take_and_pour(score, side, kettle, stove, pot, (e, f, g))
    put_back(score, side, kettle, (g, h))
    kitchen.finish(score, g + 0.3 * (h - g), h)
    return Moment(arm(side), (knife, bread, spoon, pot, kettle, stream), c - 0.3 * (c - b), g)


def begin_work(score: Score, start: float, end: float, spot: np.ndarray) -> None:
    """Bow over the table and look at a place on it."""
    score.work(start, end)
    score.look(start, end, Anchor("root", spot))


def take_and_pour(score: Score, side: str, source: Thing, spot: np.ndarray, target: Thing, when: tuple) -> Stream:
    """Reach for a source, lift it (when[0:2]), pour into the target at ``spot`` until when[2]."""
    start, there, stop = when
    taken = start + 0.42 * (there - start)
    held = kitchen.source_held(score, source.kind, side)
    score.hands[side].to(start, taken, handle(score, side, source), arc=(0.0, 0.07, 0.0))
    source.becomes(held, taken, taken + 0.1)
    over = kitchen.above(score, side, spot, target.kind)
    return kitchen.pour_out(score, side, source, over, target, (taken, there, stop))


def handle(score: Score, side: str, thing: Thing) -> Grasp:
    """The grasp that takes a source where it stands."""
    held = kitchen.source_held(score, thing.kind, side)
    return score.over(thing.stand.point, side, held.grip[1], **kitchen.OVER).moved(x=0.01, y=0.015)


def put_back(score: Score, side: str, source: Thing, when: tuple[float, float], rest: bool = True) -> None:
    """Set a source down where it stood, in the first half of ``when``, and let the hand rest in the second."""
    start, end = when
    down = start + (0.55 if rest else 0.9) * (end - start)
    upright = kitchen.source_held(score, source.kind, side)
    score.hands[side].to(start, down, handle(score, side, source), arc=(0.0, 0.06, 0.0))
    source.becomes(upright, start, start + 0.6 * (down - start)).becomes(source.first, down, down + 0.1)
    if rest:
        score.drop(side, down + 0.05, end)


def make_coffee(score: Score) -> Moment:
    """Pour grains into the mug, pour water on them, dip a tea bag: pouring alone is another action."""
    side, rng = score.main, score.rng
    spot = score.spot(side, rng.uniform(-0.06, 0.0), rng.uniform(0.18, 0.22))
    mug = score.thing("mug", Still(spot))
    grains = score.thing("grain_box", Still(score.spot(side, 0.22, rng.uniform(0.20, 0.26)), (0.0, 0.0, 0.0)))
    kettle = score.thing("kettle", Still(score.spot(side, 0.42, rng.uniform(0.16, 0.22))))
    bag_spot = score.spot(side, 0.13, 0.06) + (0.0, 0.17, 0.0)
    bag = score.thing("tea_bag", Still(bag_spot))
    a, b, c, d, e, f, g, h, i = score.phases(0.75, 0.7, 0.45, 0.75, 0.7, 0.5, 0.9, 0.5)
    begin_work(score, a, b, spot)
    grain_stream = take_and_pour(score, side, grains, spot, mug, (a, b, c))
    put_back(score, side, grains, (c, d), rest=False)
    water_stream = take_and_pour(score, side, kettle, spot, mug, (d, e, f))
    put_back(score, side, kettle, (f, g), rest=False)
    dip(score, side, bag, spot, (g, h, i))
    kitchen.finish(score, h, i)
    return Moment(arm(side), (mug, grains, grain_stream, kettle, water_stream, bag), d, h)


def dip(score: Score, side: str, bag: Thing, spot: np.ndarray, when: tuple[float, float, float]) -> None:
    """Take a tea bag by its string and dip it into the mug at ``spot`` within when[0:2], let go and rest by when[2]."""
    start, stop, end = when
    taken, there = start + 0.3 * (stop - start), start + 0.6 * (stop - start)
    grasp = dict(fingers=(-0.55, -0.5, 0.65), palm=(-0.7, -0.6, 0.0), elbow=(0.55, -0.7, -0.5))
    score.hands[side].to(start, taken, score.over(bag.stand.point, side, 0.02, **grasp), arc=(0.0, 0.05, -0.03))
    above = score.over(spot, side, size("mug")[1] + 0.12, **grasp)
    score.hands[side].to(taken, there, above, arc=(0.0, 0.06, 0.0))
    score.hands[side].wave(there, stop, (0.0, -0.03, 0.0), score.hertz(1.6, 2.4), ramp=0.15)
    bag.becomes(Held((side,), frame="root", depth=0.03), taken, taken + 0.1)
    score.drop(side, stop + 0.02, end)
    bag.becomes(Still(spot + (0.0, size("mug")[1] + 0.05, 0.0)), stop, stop + 0.12)


def clean_up(score: Score) -> Moment:
    """Stack a plate on another one, then wipe the place with the sponge."""
    side, off, rng = score.main, score.off, score.rng
    pile = score.spot(side, rng.uniform(-0.32, -0.24), rng.uniform(0.18, 0.24))
    spot = score.spot(side, rng.uniform(0.08, 0.16), rng.uniform(0.16, 0.22))
    sponge_spot = score.spot(side, 0.36, rng.uniform(0.12, 0.18))
    score.thing("plate", Still(pile))
    plate = score.thing("plate", Still(spot))
    sponge = score.thing("sponge", Still(sponge_spot))
    a, b, c, d, e, f = score.phases(0.7, 0.8, 0.6, 1.7, 0.6)
    begin_work(score, a, b, spot)
    rim = 0.11
    take = score.over(spot, side, 0.05, **FLAT).moved(x=rim, z=-0.02)
    score.hands[side].to(a, b, take, arc=(0.03, 0.07, -0.05))
    plate.becomes(Held((side,), (score.outward(side) * rim, 0.03, -0.02), depth=0.02), b, b + 0.1)
    stacked = pile + (0.0, 0.022, 0.0)
    score.hands[side].to(
        b + 0.05, c, score.over(stacked, side, 0.05, **FLAT).moved(x=rim, z=-0.02), arc=(0.0, 0.09, 0.0)
    )
    plate.becomes(Still(stacked), c, c + 0.12)
    score.hands[side].to(c + 0.08, d, score.over(sponge_spot, side, 0.075, **FLAT), arc=(0.0, 0.09, -0.03))
    sponge.becomes(Held((side,), (0.0, 0.05, 0.0), depth=0.025), d, d + 0.1)
    wipe(score, side, spot, 0.075, (d, e))
    sponge.becomes(Still(spot), e, e + 0.15)
    score.drop(side, e + 0.05, f)
    lean_on = score.over(score.spot(off, 0.22, 0.06), off, 0.04, **FLAT)
    score.hands[off].to(a, b, lean_on, arc=(0.03, 0.07, -0.05))
    score.drop(off, e, f)
    kitchen.finish(score, e, f)
    return Moment(arm(side), (plate, sponge), b, e)


def wipe(score: Score, side: str, spot: np.ndarray, up: float, when: tuple[float, float]) -> None:
    """Wipe in loops round ``spot`` between two moments, the palm ``up`` above the surface."""
    start, end = when
    wide, beat = 0.09 * score.subject.amplitude, score.hertz(0.9, 1.5)
    score.hands[side].to(start + 0.05, start + 0.25 * (end - start), score.over(spot, side, up, **FLAT))
    score.hands[side].wave(start + 0.1, end, (wide, 0.0, 0.0), beat, ramp=0.35)
    score.hands[side].wave(start + 0.1, end, (0.0, 0.0, 0.45 * wide), beat, 0.5 * np.pi, ramp=0.35)
