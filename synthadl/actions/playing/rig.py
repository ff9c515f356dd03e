"""Plays a score: forward kinematics of the trunk and head, inverse kinematics of arms and legs, idle life on top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from synthadl.actions.playing.score import SIDES, Anchor, Score
from synthadl.actions.playing.setting import Grasp
from synthadl.people import motion
from synthadl.people.body import JOINT, Subject

SHARPEST_ELBOW, SHARPEST_KNEE = 32.0, 30.0
WRIST = 62.0
HEAD = (48.0, 62.0)
LEG_STRAIGHT = 0.9925
FASTEST_HAND, FASTEST_FOOT = 4.2, 5.6
ELBOW_SMOOTH = 0.07
ABOVE_TABLE = 0.03
#: By how much an elbow's pole may be turned outward.
OUTWARD = (0.0, 0.4, 0.8, 1.4, 2.2)
#: What carries things: frame -> the joint at its origin, and where the bone begins that ends there or leads on.
CARRIERS = {
    "pelvis": ("spine_base", "spine_base", "spine_mid"),
    "chest": ("spine_shoulder", "spine_mid", "spine_shoulder"),
    "neck": ("neck", "spine_shoulder", "neck"),
    "head": ("head", "neck", "head"),
    **{f"{side}_foot": (f"ankle_{side}", f"ankle_{side}", f"foot_{side}") for side in SIDES},
    **{f"{side}_hand": (f"hand_{side}", f"wrist_{side}", f"hand_{side}") for side in SIDES},
}


@dataclass
class Rig:
    """A played score in the root frame: times t [T] (seconds), joints [T,25,3] (metres), frames name -> (rotations
    [T,3,3], origins [T,3]) and hands side -> (palm, fingers, palm normal) [T,3] each; travel as the score's."""

    t: np.ndarray
    joints: np.ndarray
    frames: dict[str, tuple[np.ndarray, np.ndarray]]
    hands: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
    travel: np.ndarray | None = None

    @property
    def count(self) -> int:
        """T, the number of moments."""
        return len(self.t)

    def palm(self, side: str, depth: float) -> np.ndarray:
        """float64 [T,3]: ``depth`` metres before the palm."""
        palm, _, normal = self.hands[side]
        return palm + depth * normal


def play(score: Score) -> Rig:
    """The rig of a score. The head is set last: it may look at hands, which may in turn be drawn to the head."""
    t, subject, rng = score.t, score.subject, score.rng
    life = _Life(rng, t, subject)
    rig = Rig(t, np.zeros((len(t), 25, 3)), {}, {}, score.travel)
    turns = np.broadcast_to(np.eye(3), (len(t), 3, 3))
    rig.frames["root"] = (turns, np.zeros((len(t), 3)))
    _trunk(rig, score, life)
    _head(rig, score, np.zeros((len(t), 3)))
    for side in SIDES:
        _leg(rig, score, side)
    for side in SIDES:
        _arm(rig, score, side, life)
    _head(rig, score, _gaze(rig, score) + life.head + score.head.play(t))
    for side in SIDES:
        _arm(rig, score, side, life)
    return rig


def shifted(rig: Rig, shift: np.ndarray) -> Rig:
    """The rig with ``shift`` float64 [T,25,3] (root frame, metres) added to its joints. Frames and hands go with their
    joint and turn with their bone (``CARRIERS``), and what they carry goes with them; the root frame stays."""
    joints, frames, hands = rig.joints + shift, dict(rig.frames), dict(rig.hands)
    for name, (at, start, end) in CARRIERS.items():
        bones = [points[:, JOINT[end]] - points[:, JOINT[start]] for points in (rig.joints, joints)]
        turn, (turns, origin) = motion.turning(*bones), rig.frames[name]
        frames[name] = turn @ turns, origin + shift[:, JOINT[at]]
        if (side := name.removesuffix("_hand")) in SIDES:
            palm, fingers, normal = rig.hands[side]
            hands[side] = palm + shift[:, JOINT[at]], motion.rotate(turn, fingers), motion.rotate(turn, normal)
    return Rig(rig.t, joints, frames, hands, rig.travel)


class _Life:
    """What never rests: sway, breath, the small motions of the head and the trembling of the hands."""

    def __init__(self, rng: np.random.Generator, t: np.ndarray, subject: Subject) -> None:
        breath = motion.noise(rng, t, 0.22, 0.32, 1)[:, 0]
        sway = subject.sway
        self.pelvis = 0.006 * sway * motion.noise(rng, t, 0.12, 0.5, 3) * (1.0, 0.06, 0.7)
        self.chest = 0.9 * sway * motion.noise(rng, t, 0.15, 0.6, 3) + 0.35 * breath[:, None] * (-1.0, 0.0, 0.0)
        self.shrug = 0.0025 * breath
        self.head = 1.8 * sway * motion.noise(rng, t, 0.15, 0.8, 3)
        self.hands = {
            side: 0.005 * sway * motion.noise(rng, t, 0.2, 0.9, 3) + subject.tremor * motion.noise(rng, t, 4.0, 7.0, 3)
            for side in SIDES
        }


def _trunk(rig: Rig, score: Score, life: _Life) -> None:
    size, t = score.subject.lengths, rig.t
    seated = 0.25 if score.setting.seated else 1.0
    base = score.pelvis.play(t) + seated * life.pelvis
    hips = score.hips.play(t)
    chest = score.chest.play(t) + life.chest
    low, high = motion.rotation(hips), motion.rotation(hips) @ motion.rotation(chest)
    middle = motion.rotation(hips) @ motion.rotation(0.5 * chest)
    mid = base + motion.rotate(middle, np.array([0.0, size["spine_low"], 0.0]))
    top = mid + motion.rotate(high, np.array([0.0, size["spine_high"], 0.0]))
    neck = top + motion.rotate(high, np.array([0.0, size["neck"], 0.008]))
    rig.frames |= {"pelvis": (low, base), "chest": (high, top), "neck": (high, neck)}
    for name, where in (("spine_base", base), ("spine_mid", mid), ("spine_shoulder", top), ("neck", neck)):
        rig.joints[:, JOINT[name]] = where
    for side in SIDES:
        sign = score.outward(side)
        hip = base + motion.rotate(low, np.array([sign * size["hip"], -size["hip_drop"], 0.0]))
        shoulder = top + motion.rotate(high, np.array([sign * size["shoulder"], -0.012, 0.0]))
        shoulder = shoulder + life.shrug[:, None] * (0.0, 1.0, 0.0)
        rig.joints[:, JOINT[f"hip_{side}"]] = hip
        rig.joints[:, JOINT[f"shoulder_{side}"]] = shoulder
        rig.frames[f"{side}_shoulder"] = (rig.frames["root"][0], shoulder)
        rig.frames[f"{side}_hip"] = (low, hip)
        # A hand that hangs stays beside the thigh when the trunk bows; it would reach into a table otherwise.
        ahead = np.maximum(shoulder[:, 2] - base[:, 2] - 0.03, 0.0)
        rig.frames[f"{side}_hanging"] = (rig.frames["root"][0], shoulder - 0.85 * ahead[:, None] * (0.0, 0.0, 1.0))


def _head(rig: Rig, score: Score, turn: np.ndarray) -> None:
    high, neck = rig.frames["neck"]
    limits = np.array([HEAD[0], HEAD[1], 40.0])
    rotation = high @ motion.rotation(motion.lean_to(limits, turn))
    # Half of the head's bend happens in the neck, so the head joint moves less far than a stiff neck would carry it.
    half = high @ motion.rotation(0.6 * motion.lean_to(limits, turn))
    head = neck + motion.rotate(half, np.array([0.0, score.subject.lengths["head"], 0.012]))
    rig.frames["head"] = (rotation, head)
    rig.joints[:, JOINT["head"]] = head


def _gaze(rig: Rig, score: Score) -> np.ndarray:
    """float64 [T,3]: pitch and yaw in degrees that turn the head from the chest's front towards what is looked at."""

    def resolve(anchor: Anchor) -> np.ndarray:
        if anchor.frame in SIDES:
            return rig.hands[anchor.frame][0]
        return _point(rig, anchor)

    target = score.gaze.play(rig.t, resolve)
    high, head = rig.frames["chest"][0], rig.frames["head"][1]
    x, y, z = np.einsum("tji,tj->it", high, target - head)
    ahead = np.maximum(np.hypot(x, z), 0.05)
    pitch = -np.degrees(np.arctan2(y, ahead))
    # A head turns less far than the eyes look, and never round to what is behind it.
    yaw = np.degrees(np.arctan2(x, np.maximum(z, 0.15)))
    return np.stack([0.8 * pitch, 0.75 * yaw, np.zeros_like(yaw)], -1)


def _point(rig: Rig, anchor: Anchor) -> np.ndarray:
    turn, origin = rig.frames[anchor.frame]
    return origin + motion.rotate(turn, np.asarray(anchor.point, dtype=float))


def _leg(rig: Rig, score: Score, side: str) -> None:
    size, sign = score.subject.lengths, score.outward(side)

    def resolve(anchor: Anchor) -> np.ndarray:
        return _point(rig, Anchor(anchor.frame, np.asarray(anchor.point) * (sign, 1.0, 1.0)))

    target = score.feet[side].mirrored(np.array([sign, 1.0, 1.0])).play(rig.t, resolve, FASTEST_FOOT)
    hip = rig.joints[:, JOINT[f"hip_{side}"]]
    sole = motion.rotation(score.soles[side].play(rig.t) * (1.0, sign, sign))
    pole = motion.rotate(rig.frames["pelvis"][0], np.array([0.12 * sign, 0.25, 1.0]))
    knee, ankle = motion.two_bone(hip, target, pole, size["thigh"], size["shank"], SHARPEST_KNEE, LEG_STRAIGHT)
    toe = np.array([0.0, 0.6 * (score.subject.radii["foot"] - size["ankle"]), size["foot"]])
    rig.joints[:, JOINT[f"knee_{side}"]] = knee
    rig.joints[:, JOINT[f"ankle_{side}"]] = ankle
    rig.joints[:, JOINT[f"foot_{side}"]] = ankle + motion.rotate(sole, toe)
    rig.frames[f"{side}_foot"] = (sole, ankle)


def _arm(rig: Rig, score: Score, side: str, life: _Life) -> None:
    subject, sign = score.subject, score.outward(side)
    size, flip = subject.lengths, np.array([score.outward(side), 1.0, 1.0])

    def resolve(grasp: Grasp) -> np.ndarray:
        frame = f"{side}_{grasp.frame}" if grasp.frame in ("shoulder", "hip", "hanging") else grasp.frame
        turn, origin = rig.frames[frame]
        vectors = np.stack([grasp.point, grasp.fingers, grasp.palm]) * flip
        point, fingers, palm = np.einsum("tij,vj->vti", turn, vectors)
        elbow = motion.rotate(rig.frames["chest"][0], np.asarray(grasp.elbow) * flip)
        return np.concatenate([origin + point, fingers, palm, elbow], -1)

    track = score.hands[side]
    path = track.mirrored(flip).play(rig.t, resolve, FASTEST_HAND)
    palm, fingers, normal, pole = path[:, :3] + life.hands[side], path[:, 3:6], path[:, 6:9], path[:, 9:]
    base, top = rig.joints[:, JOINT["spine_base"]], rig.joints[:, JOINT["spine_shoulder"]]
    palm = _above(score, motion.push_out(palm, base, top, subject.radii["trunk"] + 0.025))
    shoulder = rig.joints[:, JOINT[f"shoulder_{side}"]]
    fingers, normal = motion.orthonormal(fingers, normal)
    pole = _steady(rig.t, palm - size["palm"] * fingers - shoulder, pole)
    pole = _clear(rig, shoulder, palm - size["palm"] * fingers, pole, side, score)
    for _ in range(2):
        wrist = motion.push_out(palm - size["palm"] * fingers, base, top, subject.radii["trunk"] + 0.02)
        wrist = _above(score, wrist)
        elbow, wrist = motion.two_bone(shoulder, wrist, pole, size["upper_arm"], size["forearm"], SHARPEST_ELBOW)
        fingers, normal = motion.orthonormal(_within(fingers, motion.unit(wrist - elbow)), normal)
    hand = wrist + size["palm"] * fingers
    thumb = sign * np.cross(normal, fingers)
    for name, where in (
        ("elbow", elbow),
        ("wrist", wrist),
        ("hand", hand),
        ("hand_tip", hand + size["fingers"] * fingers),
        ("thumb", hand + size["thumb"] * motion.unit(0.5 * fingers + thumb)),
    ):
        rig.joints[:, JOINT[f"{name}_{side}"]] = where
    rig.hands[side] = (hand, fingers, normal)
    rig.frames[f"{side}_hand"] = (np.stack([np.cross(-normal, fingers), -normal, fingers], -1), hand)


def _above(score: Score, points: np.ndarray) -> np.ndarray:
    """Points [T,3] that would be in the top of the table in front lifted smoothly onto it."""
    if score.setting.surface is None:
        return points
    gap = points[:, 1] - score.setting.surface - ABOVE_TABLE
    ahead = points[:, 2]
    if score.travel is not None:
        ahead = np.einsum("tj,tj->t", score.travel[:, 2, :3], points) + score.travel[:, 2, 3]
    over = motion.minimum_jerk((ahead - score.setting.edge + 0.08) / 0.10)
    near = motion.minimum_jerk((gap + 0.26) / 0.12)
    lift = 0.5 * (np.sqrt(gap**2 + 0.015**2) - gap)
    return points + (over * near * lift)[:, None] * (0.0, 1.0, 0.0)


def _steady(t: np.ndarray, reach: np.ndarray, pole: np.ndarray) -> np.ndarray:
    """The part of the pole [T,3] across the arm, smoothed in time: where the arm passes through its own pole the elbow
    would otherwise swing to the other side from one frame to the next."""
    along = motion.unit(reach)
    across = pole - (pole * along).sum(-1, keepdims=True) * along
    return gaussian_filter1d(across, ELBOW_SMOOTH / (t[1] - t[0]), axis=0, mode="nearest")


def _within(fingers: np.ndarray, forearm: np.ndarray) -> np.ndarray:
    """Finger directions [T,3] kept within the wrist's limit of the forearm's direction."""
    along = (fingers * forearm).sum(-1, keepdims=True)
    _, across = motion.orthonormal(forearm, fingers)
    angle = np.degrees(np.arccos(np.clip(along, -1.0, 1.0)))
    limited = np.radians(motion.saturate(angle, 0.7 * WRIST, WRIST))
    return np.cos(limited) * forearm + np.sin(limited) * across


def _clear(rig: Rig, shoulder: np.ndarray, wrist: np.ndarray, pole: np.ndarray, side: str, score: Score) -> np.ndarray:
    """The pole [T,3] turned outward, by as much as keeps the forearm out of the trunk: for the whole clip, or for the
    score's patience before and after."""
    subject = score.subject
    size = subject.lengths
    base, top = rig.joints[:, JOINT["spine_base"]], rig.joints[:, JOINT["spine_shoulder"]]
    outward = motion.rotate(rig.frames["chest"][0], np.array([1.0 if side == "left" else -1.0, 0.1, 0.35]))
    shares = np.linspace(0.0, 1.0, 5)[1:, None, None]

    def clear(weight: float) -> np.ndarray:
        candidate = motion.unit(pole) + weight * outward
        elbow, end = motion.two_bone(shoulder, wrist, candidate, size["upper_arm"], size["forearm"], SHARPEST_ELBOW)
        distance, _ = motion.capsule_distance(elbow + shares * (end - elbow), base, top)
        return distance.min(0) >= subject.radii["trunk"] + 0.01

    if score.patience is None:
        turned = next((weight for weight in OUTWARD if clear(weight).all()), OUTWARD[-1])
    else:
        frames = score.patience / (rig.t[1] - rig.t[0])
        least = np.select([clear(weight) for weight in OUTWARD], OUTWARD, OUTWARD[-1])
        turned = gaussian_filter1d(maximum_filter1d(least, int(2 * frames) | 1), 0.5 * frames)[:, None]
    return motion.unit(pole) + turned * outward
