"""Moves of SynthADL-P that are a posture: the body takes it, keeps it for a while, and comes back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthadl.actions.playing.score import Moment, Score, arm
from synthadl.actions.playing.setting import Grasp

TRUNK = ("spine_mid", "spine_shoulder", "neck", "head")


@dataclass(frozen=True)
class Posture:
    """Grasps of the main hand and of the other one (None: it rests); degrees (pitch, yaw, roll) of chest and head, yaw
    and roll towards the main hand; a wave of the main hand or of both: metres (outward, up, front) and hertz; a wave
    of the head in degrees."""

    main: Grasp | None = None
    off: Grasp | None = None
    chest: tuple[float, float, float] = (0.0, 0.0, 0.0)
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    wave: tuple[float, float, float] = (0.0, 0.0, 0.0)
    nod: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hertz: float = 1.0


UP, IN = (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)
HIP = Grasp("hip", (0.13, 0.10, 0.04), (-0.6, -0.3, 0.7), (-0.8, -0.4, -0.4), (1.0, -0.2, -0.5))
FACE = Grasp("head", (0.05, -0.01, 0.14), (-0.15, 0.95, -0.1), (-0.1, 0.0, -1.0), (0.6, -0.8, 0.2))
EAR = Grasp("head", (0.125, -0.01, 0.02), (0.1, 0.9, -0.35), IN, (1.0, 0.1, 0.0))
CROSSED = Grasp("chest", (-0.10, -0.17, 0.20), (-0.95, 0.2, 0.0), (0.0, -0.2, -1.0), (0.7, -0.6, 0.1))
PRAY = Grasp("chest", (0.016, -0.14, 0.26), (-0.1, 0.95, 0.25), IN, (0.8, -0.6, 0.0))
BELLY = Grasp("chest", (0.02, -0.27, 0.22), (-0.9, 0.1, 0.1), (0.0, 0.0, -1.0), (0.7, -0.6, -0.2))
CROWN = Grasp("head", (0.06, 0.16, 0.02), (-0.6, 0.3, -0.4), (-0.2, -0.9, 0.1), (1.0, 0.1, 0.2))
CHIN = Grasp("head", (0.02, -0.13, 0.12), (-0.5, 0.8, -0.1), (-0.4, 0.1, -0.9), (0.6, -0.8, 0.1))
STOP = Grasp("shoulder", (0.0, 0.02, 0.52), (0.0, 0.9, 0.3), (0.0, -0.3, 0.95), (0.7, -0.7, 0.0))
WIDE = Grasp("shoulder", (0.58, 0.02, 0.10), (1.0, 0.0, 0.1), (0.0, -1.0, 0.0), (0.0, -0.8, -0.6))
SHRUG = Grasp("chest", (0.33, -0.20, 0.22), (0.7, 0.1, 0.6), (0.1, 0.9, 0.3), (0.4, -0.9, -0.2))
BECKON = Grasp("chest", (0.12, -0.02, 0.40), (-0.1, 0.6, 0.7), (0.0, 0.5, -0.8), (0.6, -0.8, 0.0))
SHOULDER = Grasp("chest", (-0.15, 0.02, 0.17), (-0.7, 0.3, -0.5), (0.1, -0.8, -0.6), (0.5, -0.5, 0.6))
SKY = Grasp("shoulder", (0.02, 0.55, 0.20), UP, (-0.5, 0.0, 0.8), (0.9, 0.0, 0.3))

POSTURES: dict[str, Posture] = {
    "put_hands_on_hips": Posture(HIP, HIP),
    "cover_face": Posture(FACE, FACE, head=(14.0, 0.0, 0.0)),
    "cover_ears": Posture(EAR, EAR, head=(10.0, 0.0, 0.0)),
    "cross_arms": Posture(CROSSED, CROSSED.moved(y=0.06, z=0.04)),
    "pray": Posture(PRAY, PRAY, head=(22.0, 0.0, 0.0)),
    "rub_belly": Posture(BELLY, wave=(0.07, 0.05, 0.0), hertz=1.3),
    "scratch_head": Posture(CROWN, wave=(0.02, 0.02, 0.02), hertz=3.0, head=(6.0, 0.0, -6.0)),
    "stroke_chin": Posture(CHIN, wave=(0.0, 0.025, 0.015), hertz=1.6, head=(6.0, 0.0, 0.0)),
    "signal_stop": Posture(STOP),
    "spread_arms": Posture(WIDE, WIDE),
    "shrug": Posture(SHRUG, SHRUG, head=(0.0, 0.0, 10.0)),
    "beckon": Posture(BECKON, wave=(0.0, 0.06, -0.08), hertz=1.8),
    "pat_shoulder": Posture(SHOULDER, wave=(0.0, 0.05, 0.0), hertz=2.0, head=(4.0, -20.0, 0.0)),
    "twist_trunk": Posture(HIP, HIP, chest=(0.0, 42.0, 0.0), head=(0.0, 25.0, 0.0)),
    "lean_sideways": Posture(HIP, SKY, chest=(0.0, 0.0, -26.0), head=(0.0, 0.0, -8.0)),
    "nod": Posture(nod=(17.0, 0.0, 0.0), hertz=1.6),
    "shake_head": Posture(nod=(0.0, 30.0, 0.0), hertz=1.4),
    "point_up": Posture(SKY, head=(-26.0, 0.0, 0.0)),
}


def strike(score: Score, posture: Posture) -> Moment:
    """Take a posture, keep it or move in it, come back."""
    a, b, c, d = score.phases(0.6, 0.9, 0.6)
    sign, hands = score.outward(score.main), []
    for side, grasp in ((score.main, posture.main), (score.off, posture.off)):
        if grasp is None:
            continue
        hands.append(side)
        score.hands[side].to(a, b, grasp, arc=(0.06, 0.0, 0.06))
        if any(posture.wave):
            score.hands[side].wave(b - 0.1, c, posture.wave, posture.hertz * score.hertz(0.9, 1.1))
        score.drop(side, c, d)
    turn = np.array([1.0, sign, -sign])
    score.chest.to(a, b, tuple(turn * posture.chest + (score.subject.hunch, 0.0, 0.0)))
    score.chest.to(c, d, (score.subject.hunch, 0.0, 0.0))
    score.head.to(a, b, tuple(turn * posture.head)).to(c, d, (0.0, 0.0, 0.0))
    if any(posture.nod):
        score.head.wave(a, d, posture.nod, posture.hertz * score.hertz(0.9, 1.1), ramp=0.3)
    bent = any(posture.chest) or any(posture.nod)
    return Moment((*arm(*hands), *(TRUNK if bent else ())), (), b - 0.2 if hands else a, c if hands else d)
