"""Kitchen moves that are actions of their own and parts of longer ones: pouring, cutting, stirring."""

from __future__ import annotations

import numpy as np

from synthadl.actions.daily.holding import pick_up, put_down
from synthadl.actions.playing.props import Held, Still, Stream, Thing, size
from synthadl.actions.playing.score import Anchor, Moment, Score, arm
from synthadl.actions.playing.setting import Grasp
from synthadl.people import motion

#: source -> what runs out, where it runs out (own coordinates), grip height, pitch while pouring.
#: Grips and pitches are such that all sources pour below the same place of the hand.
SOURCES = {
    "kettle": ("water_stream", (0.0, 0.165, 0.155), 0.225, 46.0),
    "grain_box": ("grain_stream", (0.0, 0.25, 0.035), 0.19, 128.0),
    "bottle": ("water_stream", (0.0, 0.275, 0.0), 0.20, 125.0),
}
OVER = dict(fingers=(-0.6, -0.1, 0.8), palm=(-0.6, -0.75, -0.4), elbow=(0.6, -0.7, -0.3))
POURING = dict(fingers=(-0.75, -0.25, 0.6), palm=(-0.3, -0.95, -0.2), elbow=(0.85, -0.5, -0.1))


def pour(score: Score, kind: str) -> Moment:
    """Pour out of a kettle, a box or a bottle into a mug or a bowl, on the table or in the other hand: one motion for
    all."""
    side, off, rng = score.main, score.off, score.rng
    vessel = str(rng.choice(("mug", "bowl")))
    a, b, c, d, e, f = score.phases(0.7, 0.9, rng.uniform(1.0, 1.8), 0.8, 0.7)
    if score.setting.surface is None:
        hold = Grasp("chest", (0.06, -0.36, 0.35), (-0.5, 0.05, 0.85), (-0.85, 0.2, -0.5), (0.7, -0.7, -0.5))
        target = _in_hand(score, vessel, off, hold)
        over = Grasp("chest", (0.035, -0.06, 0.29), **POURING)
    else:
        spot = score.spot(side, rng.uniform(-0.05, 0.05), rng.uniform(0.16, 0.22))
        target = score.thing(vessel, Still(spot))
        over = above(score, side, spot, vessel)
    carried = Grasp("chest", (0.13, -0.28, 0.31), **OVER)
    source, back = pick_up(score, kind, side, carried, source_held(score, kind, side), (a, b), rng.uniform(0.24, 0.30))
    score.look(b, c, Anchor("right" if side == "left" else "left") if score.setting.surface is None else Anchor(side))
    if back:
        score.hands[side].to(b + 0.15, b + 0.15 + 0.3 * (c - b), back.moved(y=0.13))
    pour_out(score, side, source, over, target, (b + 0.2, c, d))
    score.hands[side].to(d, e, back or carried, arc=(0.02, 0.08, 0.0))
    source.becomes(source_held(score, kind, side), d, d + 0.6 * (e - d))
    if back:
        put_down(score, source, side, e, f)
    score.look_ahead(d, e)
    return Moment(arm(side), (source, target, score.things[-1]), b + 0.5 * (c - b), d + 0.1)


def _in_hand(score: Score, vessel: str, side: str, hold: Grasp) -> Thing:
    score.hands[side].first = hold
    return score.thing(vessel, Held((side,), (0.0, 0.5 * size(vessel)[1], 0.0), depth=0.06))


def above(score: Score, side: str, spot: np.ndarray, vessel: str) -> Grasp:
    """The grasp from which a tilted source pours into a vessel that stands at ``spot``."""
    x = spot[0] * score.outward(side) + 0.05
    return Grasp("root", (x, spot[1] + size(vessel)[1] + 0.25, spot[2] - 0.02), **POURING)


def source_held(score: Score, kind: str, side: str, tipped: bool = False) -> Held:
    """How a source sits in the hand: its spout points inward and a little to the front."""
    _, _, grip, pitch = SOURCES[kind]
    inward = -58.0 * score.outward(side)
    return Held((side,), (0.0, grip, 0.0), (pitch if tipped else 0.0, inward, 0.0), "root", 0.02)


def pour_out(
    score: Score, side: str, source: Thing, over: Grasp, target: Thing, when: tuple[float, float, float]
) -> Stream:
    """Bring a held source over its target in when[0:2], let it run until when[2]."""
    start, there, stop = when
    stream, spout, _, _ = SOURCES[source.kind]
    score.hands[side].to(start, there, over, arc=(0.02, 0.05, 0.0))
    score.hands[side].wave(there, stop, (0.012, 0.008, 0.008), 0.9, ramp=0.3)
    source.becomes(source_held(score, source.kind, side, tipped=True), start + 0.5 * (there - start), there)
    return score.stream(stream, source, spout, target, there - 0.05, stop + 0.08)


def cut(score: Score, kind: str = "bread") -> Moment:
    """Cut bread or cheese on the table: one motion for both."""
    side, off, rng = score.main, score.off, score.rng
    spot = score.spot(side, rng.uniform(-0.02, 0.06), rng.uniform(0.22, 0.28))
    food = score.thing(kind, Still(spot, (0.0, score.outward(side) * rng.uniform(-12.0, 12.0), 0.0)))
    a, b, c, d = score.phases(0.7, 2.0, 0.7)
    knife = lay_knife(score, side, spot)
    score.work(a, b)
    score.look(a, b, Anchor("root", spot))
    saw(score, side, knife, spot, (a, b, c))
    laid = c + 0.35 * (d - c)
    lay_down(score, side, knife, spot, (c, laid))
    steady(score, off, spot, 0.11, (a, b, c, d))
    score.drop(side, laid + 0.05, d)
    finish(score, c, d)
    return Moment(arm(side), (knife, food), b, c)


def lay_knife(score: Score, side: str, spot: np.ndarray) -> Thing:
    """A knife that lies beside what it will cut."""
    where = spot + (score.outward(side) * 0.19, 0.02, -0.12)
    return score.thing("knife", Still(where, (0.0, -score.outward(side) * 8.0, 0.0)))


def saw(score: Score, side: str, knife: Thing, spot: np.ndarray, when: tuple[float, float, float]) -> None:
    """Take the knife while reaching (when[0:2]) and cut slices at ``spot`` until when[2]."""
    a, b, c = when
    sign, beat = score.outward(side), score.hertz(1.8, 2.6)
    held = Held((side,), (0.0, 0.0, 0.0), (9.0, -10.0 * sign, 0.0), "root", 0.02)
    grasp = dict(fingers=(-0.35, -0.25, 0.9), palm=(-0.75, -0.6, -0.3), elbow=(0.55, -0.75, -0.45))
    take = score.over(knife.stand.point, side, 0.03, **grasp)
    high = score.over(spot, side, 0.145, **grasp).moved(x=0.045, z=-0.17)
    reach = a + 0.55 * (b - a)
    score.hands[side].to(a, reach, take, arc=(0.03, 0.07, -0.05)).to(reach, b, high, arc=(0.0, 0.05, 0.0))
    knife.becomes(held, reach, reach + 0.5 * (b - reach))
    slices = max(1, int((c - b) * 0.9))
    edges = np.linspace(b, c, slices + 1)
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        score.hands[side].to(start, start + 0.75 * (end - start), high.moved(y=-0.06))
        score.hands[side].to(start + 0.75 * (end - start), end, high)
    score.hands[side].wave(b, c, (0.0, 0.0, 0.045 * score.subject.amplitude), beat)


def lay_down(score: Score, side: str, knife: Thing, spot: np.ndarray, when: tuple[float, float]) -> None:
    """Put the knife on the table beside what was cut."""
    place = spot + (score.outward(side) * 0.16, 0.02, -0.13)
    grasp = dict(fingers=(-0.35, -0.25, 0.9), palm=(-0.75, -0.6, -0.3), elbow=(0.55, -0.75, -0.45))
    score.hands[side].to(*when, score.over(place, side, 0.035, **grasp), arc=(0.0, 0.03, 0.0))
    knife.becomes(Still(place, knife.stand.turn), when[1] - 0.03, when[1] + 0.1)


def steady(score: Score, side: str, spot: np.ndarray, up: float, when: tuple[float, float, float, float]) -> None:
    """The other hand holds what stands at ``spot`` during when[1:3] and rests after when[3]."""
    a, b, c, d = when
    grasp = dict(fingers=(-0.6, -0.35, 0.7), palm=(-0.6, -0.75, 0.0), elbow=(0.55, -0.7, -0.5))
    hold = score.over(spot, side, up + 0.03, **grasp).moved(x=0.10, z=-0.04)
    score.hands[side].to(a, b, hold, arc=(0.03, 0.07, -0.05))
    score.drop(side, c, d)


def finish(score: Score, start: float, end: float) -> None:
    """Straighten up and look ahead again."""
    score.upright(start, end)
    score.look_ahead(start, end)


def stir(score: Score, kind: str = "bowl") -> Moment:
    """Stir in a bowl or a pot on the table: one motion for both."""
    side, off, rng = score.main, score.off, score.rng
    spot = score.spot(side, rng.uniform(0.0, 0.08), rng.uniform(0.18, 0.24))
    vessel = score.thing(kind, Still(spot))
    a, b, c, d = score.phases(0.7, 2.0, 0.7)
    score.work(a, b)
    score.look(a, b, Anchor("root", spot))
    spoon = swirl(score, side, spot, (a, b, c))
    spoon.becomes(spoon.first, c, c + 0.12)
    steady(score, off, spot, size("bowl")[1], (a, b, c, d))
    score.drop(side, c + 0.1, d)
    finish(score, c, d)
    return Moment(arm(side), (spoon, vessel), b, c)


def swirl(score: Score, side: str, spot: np.ndarray, when: tuple[float, float, float]) -> Thing:
    """Take the spoon that stands in the vessel at ``spot`` while reaching (when[0:2]) and stir until when[2]."""
    a, b, c = when
    sign, beat, wide = score.outward(side), score.hertz(1.1, 1.8), 0.04 * score.subject.amplitude
    turn = (-16.0, 0.0, -16.0 * sign)
    inside = spot + (0.0, 0.025, 0.0)
    spoon = score.thing("spoon", Still(inside, turn))
    grip = inside + motion.rotation(turn) @ np.array([0.0, 0.21, 0.0])
    grasp = dict(fingers=(-0.6, -0.3, 0.7), palm=(-0.6, -0.6, -0.4), elbow=(0.7, -0.65, -0.3))
    hold = score.over(grip, side, 0.015, **grasp).moved(x=0.015, z=0.01)
    score.hands[side].to(a, b, hold, arc=(0.03, 0.07, -0.05))
    score.hands[side].wave(b, c, (wide, 0.0, 0.0), beat, ramp=0.3)
    score.hands[side].wave(b, c, (0.0, 0.0, wide), beat, 0.5 * np.pi, ramp=0.3)
    spoon.becomes(Held((side,), (0.0, 0.21, 0.0), turn, "root", 0.025), b, b + 0.15)
    return spoon
