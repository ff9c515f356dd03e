"""Moves of SynthADL-P without objects: the actions a network is pretrained on."""

from __future__ import annotations

import numpy as np

from synthadl.actions.playing.score import SIDES, Anchor, Moment, Score, arm, leg
from synthadl.actions.playing.setting import Grasp

TRUNK = ("spine_base", "spine_mid", "spine_shoulder", "neck", "head")


def point(score: Score) -> Moment:
    """Point at something to the front or the side with a straight arm."""
    side, rng = score.main, score.rng
    a, b, c, d = score.phases(0.6, 1.2, 0.6)
    aim = np.array([rng.uniform(-0.1, 0.7), rng.uniform(-0.2, 0.35), 1.0])
    aim /= np.linalg.norm(aim)
    reach = 0.97 * score.subject.arm
    there = Grasp("shoulder", reach * aim, tuple(aim), (-0.6, -0.8, 0.0), (0.6, -0.8, 0.0))
    score.hands[side].to(a, b, there, arc=(0.0, 0.0, 0.10))
    score.look(a, b, Anchor("root", 3.0 * aim * (score.outward(side), 1.0, 1.0) + (0.0, 1.4, 0.0)))
    score.drop(side, c, d)
    score.look_ahead(c, d)
    return Moment(arm(side), (), b - 0.2, c)


def bow(score: Score) -> Moment:
    """Bow from the hips and come up again."""
    a, b, c, d = score.phases(1.0, 0.6, 1.0)
    depth = float(score.rng.uniform(35.0, 60.0)) * score.subject.amplitude
    score.hips.to(a, b, (0.6 * depth, 0.0, 0.0)).to(c, d, (0.0, 0.0, 0.0))
    score.chest.to(a, b, (0.4 * depth, 0.0, 0.0)).to(c, d, (score.subject.hunch, 0.0, 0.0))
    score.head.to(a, b, (25.0, 0.0, 0.0)).to(c, d, (0.0, 0.0, 0.0))
    return Moment(TRUNK, (), a, d)


def squat(score: Score) -> Moment:
    """Bend the knees with the arms held out to the front, several times."""
    times = 1 + int(score.end - score.begin > 2.4)
    cuts = score.phases(*([0.9, 0.25, 0.9] * times))
    rng, subject = score.rng, score.subject
    depth = float(rng.uniform(0.28, 0.40)) * subject.height / 1.72
    out = Grasp("shoulder", (0.0, -0.02, 0.93 * subject.arm), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (0.7, -0.7, 0.0))
    for index in range(times):
        a, b, c, d = cuts[3 * index : 3 * index + 4]
        score.pelvis.to(a, b, score.setting.pelvis - (0.0, depth, 0.20)).to(c, d, score.setting.pelvis)
        score.hips.to(a, b, (28.0, 0.0, 0.0)).to(c, d, (0.0, 0.0, 0.0))
        for side in SIDES:
            score.hands[side].to(a, b, out)
            score.drop(side, c, d)
    return Moment((*leg("left", "right"), "spine_base", "hip_left", "hip_right"), (), cuts[0], cuts[-1])


def march_in_place(score: Score) -> Moment:
    """Lift the knees in turn, the arms swinging against them."""
    rng, subject = score.rng, score.subject
    steps = max(2, round((score.end - score.begin) * score.hertz(1.3, 1.8)))
    cuts = np.linspace(score.begin, score.end, steps + 1)
    high = float(rng.uniform(0.24, 0.36)) * subject.amplitude
    front = Grasp(
        "shoulder",
        (0.10, -0.72 * subject.arm, 0.42 * subject.arm),
        (0.0, 0.0, 1.0),
        (-1.0, 0.0, 0.0),
        (0.4, -0.4, -0.9),
    )
    back = Grasp(
        "shoulder",
        (0.12, -0.85 * subject.arm, -0.28 * subject.arm),
        (0.0, -0.9, -0.3),
        (-1.0, 0.0, 0.0),
        (0.4, 0.0, -1.0),
    )
    for index, (start, end) in enumerate(zip(cuts[:-1], cuts[1:], strict=True)):
        side, other = SIDES[index % 2], SIDES[(index + 1) % 2]
        foot, middle = score.feet[side], 0.5 * (start + end)
        lifted = Anchor("root", np.asarray(foot.first.point) + (0.0, high, 0.12))
        sign = score.outward(other)
        foot.to(start, middle, lifted).to(middle, end, foot.first)
        over = score.setting.pelvis + np.array([0.5 * sign * foot.first.point[0], -0.015, 0.0])
        score.pelvis.to(start, middle, over)
        score.hands[other].to(start, end, front)
        score.hands[side].to(start, end, back)
    score.pelvis.to(cuts[-1] - 0.1, cuts[-1] + 0.3, score.setting.pelvis)
    for side in SIDES:
        score.drop(side, cuts[-1], cuts[-1] + 0.5)
    return Moment((*leg("left", "right"),), (), score.begin, score.end)


def raise_both_arms(score: Score) -> Moment:
    """Raise both arms overhead and lower them, to the front or to the sides."""
    subject, sideways = score.subject, score.rng.random() < 0.5
    a, b, c, d = score.phases(1.0, 0.7, 1.0)
    up = Grasp("shoulder", (0.12, 0.95 * subject.arm, 0.06), (0.05, 1.0, 0.0), (-0.9, 0.0, 0.3), (0.9, 0.0, 0.3))
    arc = (0.42, 0.0, 0.05) if sideways else (0.05, 0.0, 0.45)
    for side in SIDES:
        score.hands[side].to(a, b, up, arc=arc).to(c, d, score.setting.rest(subject), arc=arc)
    return Moment(arm("left", "right"), (), a, d)


def salute(score: Score) -> Moment:
    """Bring the flat hand to the brow."""
    side, r = score.main, score.subject.radii["head"]
    a, b, c, d = score.phases(0.6, 0.9, 0.6)
    brow = Grasp("head", (1.35 * r, 0.45 * r, 0.95 * r), (-0.8, 0.5, 0.1), (-0.1, -0.8, 0.3), (1.0, -0.1, 0.2))
    score.hands[side].to(a, b, brow, arc=(0.06, 0.0, 0.12))
    score.drop(side, c, d)
    return Moment((*arm(side), "head"), (), b - 0.2, c)


def punch(score: Score) -> Moment:
    """Punch to the front with both fists in turn."""
    subject = score.subject
    guard = Grasp("chest", (0.11, -0.06, 0.27), (-0.2, 0.75, 0.65), (-0.9, 0.0, -0.4), (0.5, -0.9, 0.0))
    a, b, c, d = score.phases(0.5, 1.6, 0.5)
    blows = max(2, int((c - b) / 0.42))
    cuts = np.linspace(b, c, blows + 1)
    out = Grasp("shoulder", (-0.10, 0.03, 0.96 * subject.arm), (-0.1, 0.0, 1.0), (0.0, -1.0, 0.0), (0.7, -0.7, 0.0))
    for side in SIDES:
        score.hands[side].to(a, b, guard)
    order = (score.main, score.off)
    for index, (start, end) in enumerate(zip(cuts[:-1], cuts[1:], strict=True)):
        side = order[index % 2]
        middle = start + 0.5 * (end - start)
        score.hands[side].to(start, middle, out).to(middle, end, guard)
        score.chest.to(start, middle, (subject.hunch, -14.0 * score.outward(side), 0.0))
    for side in SIDES:
        score.drop(side, c, d)
    score.chest.to(c, d, (subject.hunch, 0.0, 0.0))
    return Moment(arm("left", "right"), (), b, c)


def side_step(score: Score) -> Moment:
    """Step to one side and back again."""
    side, off, rng = score.main, score.off, score.rng
    wide = float(rng.uniform(0.28, 0.42)) * score.subject.height / 1.72
    sign = score.outward(side)
    cuts = score.phases(0.5, 0.5, 0.15, 0.5, 0.5)
    away, home = np.array([sign * wide, 0.0, 0.0]), np.zeros(3)
    for first, second, start, middle, end, shift in (
        (side, off, cuts[0], cuts[1], cuts[2], away),
        (off, side, cuts[3], cuts[4], cuts[5], home),
    ):
        half = 0.5 * (away + home) + (0.0, -0.04, 0.0)
        score.pelvis.to(start, middle, score.setting.pelvis + half).to(middle, end, score.setting.pelvis + shift)
        for foot, (begin, stop) in ((first, (start, middle)), (second, (middle, end))):
            ground = np.asarray(score.feet[foot].first.point) + shift * score.outward(foot)
            score.feet[foot].to(begin, stop, Anchor("root", ground), arc=(0.0, 0.07, 0.0))
    return Moment((*leg("left", "right"), "spine_base"), (), cuts[0], cuts[-1])


def arm_circles(score: Score) -> Moment:
    """Circle both straight arms at the sides."""
    subject, beat = score.subject, score.hertz(0.8, 1.3)
    a, b, c, d = score.phases(0.5, 1.8, 0.5)
    wide = 0.16 * subject.amplitude
    out = Grasp("shoulder", (0.92 * subject.arm, 0.0, 0.10), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, -0.5, -0.9))
    for side in SIDES:
        track = score.hands[side].to(a, b, out, arc=(0.10, 0.0, 0.10))
        track.wave(b, c, (0.0, wide, 0.0), beat, ramp=0.35).wave(b, c, (0.0, 0.0, wide), beat, 0.5 * np.pi, ramp=0.35)
        score.drop(side, c, d)
    return Moment(arm("left", "right"), (), b, c)


def check_watch(score: Score) -> Moment:
    """Raise the forearm before the chest and look at the wrist."""
    side = score.off
    a, b, c, d = score.phases(0.6, 1.0, 0.6)
    shown = Grasp("chest", (-0.02, -0.10, 0.30), (-0.95, 0.1, 0.1), (0.1, -0.7, -0.7), (0.85, -0.5, 0.1))
    score.hands[side].to(a, b, shown, arc=(0.03, 0.0, 0.08))
    score.look(a, b, Anchor(side))
    score.drop(side, c, d)
    score.look_ahead(c, d)
    return Moment((*arm(side), "head"), (), b - 0.2, c)
