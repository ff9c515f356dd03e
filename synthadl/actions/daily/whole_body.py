"""Actions of the whole body: sitting down, jumping, hopping, kicking."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from synthadl.actions.playing.score import Anchor, Moment, Score, leg
from synthadl.actions.playing.setting import Grasp

GRAVITY = 9.81


def sit(score: Score) -> Moment:
    """Sit down on the chair behind (played backwards: stand up)."""
    subject, setting, rng = score.subject, score.setting, score.rng
    a, b = score.begin, score.end
    bow = float(rng.uniform(30.0, 42.0))
    down = np.array([0.0, setting.seat + 0.75 * subject.radii["pelvis"], setting.chair_z + 0.02])
    hover = 0.55 * setting.pelvis + 0.45 * down + (0.0, 0.03, -0.03)
    middle = a + 0.5 * (b - a)
    score.pelvis.to(a, middle + 0.25 * (b - a), hover).to(middle - 0.15 * (b - a), b - 0.05 * (b - a), down)
    score.hips.to(a, middle + 0.1 * (b - a), (0.6 * bow, 0.0, 0.0)).to(middle + 0.1 * (b - a), b, (-4.0, 0.0, 0.0))
    score.chest.to(a, middle, (subject.hunch + 0.4 * bow, 0.0, 0.0)).to(middle, b, (subject.hunch, 0.0, 0.0))
    thigh = Grasp(
        "root",
        (0.13, down[1] + subject.radii["thigh"] + 0.04, down[2] + 0.28),
        (-0.25, -0.2, 1.0),
        (0.0, -1.0, -0.2),
        (0.7, -0.2, -0.7),
    )
    for side in ("left", "right"):
        score.hands[side].to(a + 0.1 * (b - a), b, thigh, arc=(0.04, 0.0, 0.10))
    return Moment(("spine_base", "spine_mid", "hip_left", "hip_right", "knee_left", "knee_right"), (), a, b)


def jump_up(score: Score) -> Moment:
    """Crouch, jump with both feet, land softly; once, or twice where there is time."""
    rng, subject = score.rng, score.subject
    times = 2 if score.end - score.begin > 3.0 else 1
    speed = float(rng.uniform(1.7, 2.2)) * np.sqrt(subject.amplitude)
    depth = float(rng.uniform(0.13, 0.2))
    knots, flights = leaps(score.begin, score.end, times, speed, depth, 0.24)
    rise = leap_curve(score.t, knots)
    score.pelvis.first = score.setting.pelvis + rise[:, None] * (0.0, 1.0, 0.0)
    fly(score, rise, ("left", "right"))
    low = Grasp("shoulder", (0.14, -0.80 * subject.arm, -0.16), (0.0, -0.8, -0.6), (-1.0, 0.0, 0.0), (0.5, 0.0, -0.9))
    high = Grasp(
        "shoulder",
        (0.10, rng.uniform(0.05, 0.6) * subject.arm, 0.62 * subject.arm),
        (-0.1, 0.5, 0.85),
        (-0.9, -0.2, 0.0),
        (0.8, -0.5, 0.0),
    )
    for takeoff, landing in flights:
        score.hips.to(takeoff - 0.62, takeoff - 0.24, (26.0, 0.0, 0.0)).to(
            takeoff - 0.24, takeoff + 0.08, (0.0, 0.0, 0.0)
        )
        score.hips.to(landing - 0.05, landing + 0.2, (22.0, 0.0, 0.0)).to(landing + 0.2, landing + 0.5, (0.0, 0.0, 0.0))
        for side in ("left", "right"):
            score.hands[side].to(takeoff - 0.6, takeoff - 0.25, low).to(
                takeoff - 0.25, takeoff + 0.12, high, arc=(0.06, 0.0, 0.1)
            )
            score.drop(side, landing - 0.08, landing + 0.45)
    return Moment(
        (*leg("left", "right"), "hip_left", "hip_right", "spine_base"), (), flights[0][0] - 0.25, flights[-1][1] + 0.1
    )


def hop_on_one_foot(score: Score) -> Moment:
    """Hop on one foot several times, the other one lifted behind."""
    rng, subject, setting = score.rng, score.subject, score.setting
    side, off = score.main, score.off
    a, b, c, d = score.phases(0.5, 2.0, 0.45)
    times = max(2, int((c - b) / rng.uniform(0.42, 0.52)))
    speed = float(rng.uniform(0.95, 1.3))
    knots, _ = leaps(b, c, times, speed, 0.06, 0.14)
    rise = leap_curve(score.t, knots)
    fly(score, rise, (side,))
    sign = score.outward(side)
    over = setting.pelvis + (0.75 * sign * setting.ankles[0][0], -0.02, 0.0)
    score.pelvis.to(a, b, over + rise[:, None] * (0.0, 1.0, 0.0)).to(c, d, setting.pelvis)
    lifted = np.asarray(setting.ankles[0]) + (0.0, rng.uniform(0.22, 0.36), rng.uniform(-0.28, -0.12))
    raised = np.broadcast_to(lifted, (len(rise), 3)) + 0.9 * rise[:, None] * (0.0, 1.0, 0.0)
    grounded = score.feet[off].first
    score.feet[off].to(a, b, Anchor("root", raised)).to(c, d, grounded)
    turned = score.soles[off].first
    score.soles[off].to(a, b, (50.0, turned[1], 0.0)).to(c, d, turned)
    out = Grasp("shoulder", (0.26, -0.62 * subject.arm, 0.18), (0.2, -0.5, 0.8), (-0.4, -0.9, 0.0), (0.7, -0.4, -0.7))
    for hand in ("left", "right"):
        score.hands[hand].to(a, b, out).wave(b, c, (0.02, 0.05, 0.0), times / (c - b))
        score.drop(hand, c, d)
    return Moment((*leg("left", "right"), "spine_base"), (), b, c)


def leaps(
    start: float, end: float, times: int, speed: float, depth: float, push: float
) -> tuple[list[tuple[float, float, float]], list[tuple[float, float]]]:
    """Knots (seconds, metres, metres a second) of the spine's rise in ``times`` jumps, and their flights (seconds).

    The push takes ``push`` seconds, the flight follows gravity, what time is left goes to crouching and landing.
    """
    flight = 2.0 * speed / GRAVITY
    period = (end - start) / times
    dip = max(0.5 * (period - push - flight), 0.12)
    knots, flights = [(start, 0.0, 0.0)], []
    for index in range(times):
        first = start + index * period
        takeoff = first + dip + push
        knots += [(first + dip, -depth, 0.0), (takeoff, 0.01, speed), (takeoff + flight, 0.01, -speed)]
        soft = takeoff + flight + 0.4 * dip
        knots += [(soft, -0.8 * depth, 0.0)] if times == 1 or index == times - 1 else []
        flights.append((takeoff, takeoff + flight))
    knots.append((max(end, knots[-1][0] + 0.2), 0.0, 0.0))
    return knots, flights


def leap_curve(t: np.ndarray, knots: list[tuple[float, float, float]]) -> np.ndarray:
    """float64 [T]: the rise of the spine base above standing height along the knots, 0 before and after."""
    when, height, speed = (np.array(column) for column in zip(*knots, strict=True))
    inside = np.clip(t, when[0], when[-1])
    return CubicHermiteSpline(when, height, speed)(inside)


def fly(score: Score, rise: np.ndarray, sides: tuple[str, ...]) -> None:
    """Let the feet leave the floor with ``rise`` (metres), toes hanging."""
    up = np.array([0.0, 1.0, 0.0])
    lift = 0.5 * (rise - 0.01 + np.sqrt((rise - 0.01) ** 2 + 1e-5)) * (rise > -0.05)
    for side in sides:
        ankle = np.asarray(score.feet[side].first.point)
        score.feet[side].first = Anchor("root", ankle + lift[:, None] * up)
        hang = 35.0 * np.clip(lift / 0.12, 0.0, 1.0)
        score.soles[side].first = np.array(score.soles[side].first) + hang[:, None] * (1.0, 0.0, 0.0)


def kick(score: Score) -> Moment:
    """Swing one foot back and kick to the front, once or twice."""
    rng, subject, setting = score.rng, score.subject, score.setting
    side, off = score.main, score.off
    scale, sign = subject.height / 1.72, score.outward(side)
    times = 2 if score.end - score.begin > 2.6 else 1
    cuts = score.phases(*([0.5, 0.33, 0.15, 0.6] * times))
    ankle = np.asarray(setting.ankles[0])
    back = Anchor("root", ankle + np.array([0.02, 0.20, -0.34]) * scale)
    front = Anchor("root", ankle + np.array([-0.03, rng.uniform(0.30, 0.55) * subject.amplitude, 0.66]) * scale)
    grounded, turned = score.feet[side].first, score.soles[side].first
    shift = setting.pelvis + np.array([-0.8 * sign * ankle[0], -0.025, 0.0])
    forward = Grasp(
        "shoulder",
        (0.20, -0.70 * subject.arm, 0.42 * subject.arm),
        (0.0, -0.4, 0.9),
        (-1.0, 0.0, 0.0),
        (0.6, -0.4, -0.7),
    )
    behind = Grasp(
        "shoulder",
        (0.22, -0.80 * subject.arm, -0.28 * subject.arm),
        (0.1, -0.9, -0.3),
        (-1.0, 0.0, 0.0),
        (0.5, 0.0, -0.9),
    )
    moments = []
    for index in range(times):
        a, b, c, d, e = cuts[4 * index : 4 * index + 5]
        score.pelvis.to(a, b, shift)
        score.hips.to(a, b, (8.0, -6.0 * sign, 0.0)).to(b, c, (-10.0, 8.0 * sign, 0.0)).to(d, e, (0.0, 0.0, 0.0))
        score.feet[side].to(a, b, back).to(b, c, front, arc=(0.0, -0.12, 0.0)).to(d, e, grounded, arc=(0.0, 0.05, 0.0))
        score.soles[side].to(a, b, (40.0, turned[1], 0.0)).to(b, c, (-12.0, turned[1], 0.0)).to(d, e, turned)
        score.hands[side].to(a, b, forward).to(b, c, behind)
        score.hands[off].to(a, b, behind).to(b, c, forward)
        moments += [b, d]
        score.pelvis.to(d + 0.4 * (e - d), e, setting.pelvis)
    for hand in (side, off):
        score.drop(hand, cuts[-2], cuts[-1])
    return Moment((*leg(side), f"hip_{side}"), (), moments[0] - 0.1, moments[-1])
