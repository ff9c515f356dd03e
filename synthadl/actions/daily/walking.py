"""Walking to and fro: a path over the floor, the steps that carry the body along it, and the arms that swing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthadl.actions.playing.score import SIDES, Anchor, Moment, Score, leg
from synthadl.actions.playing.setting import Grasp
from synthadl.people import motion

#: Metres a second, seconds a step, and seconds to turn to the side and right round.
PACE, STEP, TURN, ABOUT = (0.55, 0.95), 0.52, 0.8, 1.1
LIFT, SINK = 0.085, 0.035
#: How far the walker gets from home to each side, metres.
REACH = 0.65


@dataclass(frozen=True)
class Path:
    """Where the root frame is: place float64 [T,3] metres and heading [T] degrees, in the frame that it leaves and, at
    the end, comes back to."""

    place: np.ndarray
    heading: np.ndarray

    @property
    def travel(self) -> np.ndarray:
        """float64 [T,4,4]: the moving root frame's coordinates -> those of home."""
        return motion.matrix(motion.rotation(_yaw(self.heading)), self.place)

    def carry(self, point: np.ndarray, at: int) -> np.ndarray:
        """float64 [3]: where ``point`` of the root frame is in the frame of home at frame ``at``."""
        return self.place[at] + motion.rotation(_yaw(self.heading[at])) @ point


def walk(score: Score) -> tuple[Moment, Path]:
    """Turn to a side, walk to and fro, come back and face the front again."""
    path = _path(score)
    steps = max(4, round((score.end - score.begin) / (STEP / np.clip(score.subject.speed, 0.85, 1.15))))
    cuts = np.linspace(score.begin, score.end, steps + 1)
    for number, side in enumerate(SIDES):
        _tread(score, path, side, cuts, number)
    beat = np.pi / (cuts[1] - cuts[0])
    ramp = motion.window(score.t, score.begin, score.end, 0.5)
    bob = 0.5 * SINK * (1.0 - np.cos(2.0 * beat * (score.t - score.begin)))
    sway = 0.02 * np.sin(beat * (score.t - score.begin))
    shift = ramp[:, None] * np.stack([-sway, bob - SINK, np.zeros_like(bob)], -1)
    score.pelvis.first = score.setting.pelvis + shift
    _swing(score, float(beat / (2.0 * np.pi)))
    return Moment((*leg("left", "right"), "hip_left", "hip_right"), (), score.begin, score.end), path


def _path(score: Score) -> Path:
    """Legs between the two ends of a short track, at a pace that suits the time there is."""
    rng, t, length = score.rng, score.t, score.end - score.begin
    side = float(rng.choice((-1.0, 1.0)))
    turns = 2 * TURN
    wanted = float(rng.uniform(*PACE)) * score.subject.speed
    # One leg out and one back make a walk; every further one crosses the whole track.
    full = 2 * REACH / wanted + ABOUT
    legs = max(0, int((length - turns - full) / full))
    moving = length - turns - ABOUT * (legs + 1)
    reach = float(np.clip(wanted * moving / (2 + 2 * legs), 0.25, REACH))
    ends = [side * reach * (-1.0) ** n for n in range(legs + 1)]
    share = moving / (2 + 2 * legs)
    ahead = float(rng.uniform(0.05, 0.15)) * (1.0 if score.setting.surface is None else -1.0)
    x, z, yaw = np.zeros_like(t), np.zeros_like(t), np.zeros_like(t)
    now, here, facing = score.begin, 0.0, 0.0
    for number, there in enumerate([*ends, 0.0]):
        wide = TURN if number == 0 else ABOUT
        toward = 90.0 * np.sign(there - here)
        yaw += motion.ease(t, now, now + wide) * (toward - facing)
        now, facing = now + wide, toward
        took = share * (1 if number in (0, len(ends)) else 2)
        x += motion.ease(t, now - 0.2, now + took + 0.2) * (there - here)
        now, here = now + took, there
    yaw += motion.ease(t, score.end - TURN, score.end) * (0.0 - facing)
    z += ahead * motion.window(t, score.begin, score.end, 1.5)
    return Path(np.stack([x, np.zeros_like(t), z], -1), yaw)


def _tread(score: Score, path: Path, side: str, cuts: np.ndarray, parity: int) -> None:
    """Every other step belongs to this foot: on the floor it stays where it is while the root frame moves on."""
    t, sign = score.t, score.outward(side)
    ankle = np.asarray(score.feet[side].first.point) * (sign, 1.0, 1.0)
    last = int(np.abs(t - score.end).argmin())
    spots, yaws = np.zeros((len(t), 3)) + ankle, np.zeros(len(t))
    spot, yaw = ankle, 0.0
    for start, end in zip(cuts[parity:-1:2], cuts[parity + 1 :: 2], strict=False):
        # The foot comes down where the body will be in the middle of the time it then stands.
        at = last if end + 2 * (end - start) > score.end else int(np.abs(t - (1.5 * end - 0.5 * start)).argmin())
        there, facing = path.carry(ankle, at), path.heading[at]
        spots += motion.ease(t, start, end)[:, None] * (there - spot)
        spots += LIFT * motion.bump(t, start, end)[:, None] * (0.0, 1.0, 0.0)
        yaws += motion.ease(t, start, end) * (facing - yaw)
        spot, yaw = there, facing
    own = np.einsum("tji,tj->ti", path.travel[:, :3, :3], spots - path.place)
    score.feet[side].first = Anchor("root", own * (sign, 1.0, 1.0))
    turned = np.array(score.soles[side].first)
    soles = turned + (sign * (yaws - path.heading))[:, None] * (0.0, 1.0, 0.0)
    score.soles[side].first = soles


def _swing(score: Score, hertz: float) -> None:
    """Arms against the legs."""
    subject = score.subject
    down = Grasp("shoulder", (0.09, -0.86 * subject.arm, 0.06), (0.0, -0.95, 0.3), (-1.0, 0.0, 0.0), (0.35, 0.0, -1.0))
    wide = 0.15 * subject.amplitude
    a, b = score.begin, score.end
    for side, phase in zip(SIDES, (0.5, -0.5), strict=True):
        score.hands[side].to(a, a + 0.5, down).wave(a, b, (0.0, 0.0, wide), hertz, phase * np.pi, ramp=0.6)
        score.drop(side, b - 0.5, b)


def _yaw(degrees: np.ndarray) -> np.ndarray:
    degrees = np.asarray(degrees, float)
    return np.stack([np.zeros_like(degrees), degrees, np.zeros_like(degrees)], -1)
