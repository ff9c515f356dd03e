"""Where a clip takes place: seated or standing, at a table or not, which chair stands near, how the body rests.

Everything that could hint at the label is drawn here, by the same rules for every action, before the action is played.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from workbench.synth import motion
from workbench.synth.actions.props import Still, Thing
from workbench.synth.body import Subject

SEATED = 0.45
FRONT, ASIDE = 0.55, 0.20
CHAIR = 0.6
MAIN_IS_PREFERRED = 0.85


@dataclass(frozen=True)
class Grasp:
    """Where a palm is and how the hand is turned, in coordinates whose x points outward on the hand's own side.

    ``point`` metres in ``frame`` of the rig; ``fingers`` (wrist to finger tips) and ``palm`` (out of the palm)
    directions in that frame; ``elbow`` the direction in the frame of the chest in which the elbow bends.
    """

    frame: str
    point: tuple[float, float, float] | np.ndarray
    fingers: tuple[float, float, float] = (-0.45, 0.0, 0.9)
    palm: tuple[float, float, float] = (-0.9, 0.0, -0.45)
    elbow: tuple[float, float, float] = (0.6, -0.7, -0.4)

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Grasp:
        """The same grasp elsewhere in its frame."""
        point = np.asarray(self.point, dtype=float) + (x, y, z)
        return Grasp(self.frame, point, self.fingers, self.palm, self.elbow)


@dataclass
class Setting:
    """Root frame: the subject faces +z; standing, the feet are at z = 0; seated, the pelvis is a little behind it."""

    seated: bool
    surface: float | None
    edge: float
    pelvis: np.ndarray
    ankles: np.ndarray
    seat: float
    chair_z: float
    furniture: list[Thing] = field(default_factory=list)

    def rest(self, subject: Subject) -> Grasp:
        """Where a hand is while it has nothing to do."""
        if not self.seated:
            down = 0.955 * (subject.arm - 0.01)
            return Grasp("shoulder", (0.07, -down, 0.05), (0.0, -1.0, 0.18), (-1.0, 0.0, -0.1), (0.35, 0.0, -1.0))
        if self.surface is not None:
            point = (0.19, self.surface + 0.035, self.edge + 0.10)
            return Grasp("root", point, (-0.45, -0.05, 0.9), (0.0, -1.0, 0.0), (0.8, -0.5, -0.3))
        thigh = self.pelvis[1] + subject.radii["thigh"] + 0.035
        point = (0.13, thigh, self.pelvis[2] + 0.30)
        return Grasp("root", point, (-0.25, -0.2, 1.0), (0.0, -1.0, -0.2), (0.7, -0.2, -0.7))


def sample(rng: np.random.Generator, subject: Subject, sits: bool, front: str, chair: bool) -> Setting:
    """A setting for an action that may be done seated (``sits``), with ``front`` "free", "any" or "table", with a
    ``chair`` always behind the subject or by chance. The same draws are made in the same order for every action."""
    seated = bool(rng.random() < SEATED) and sits
    where = rng.choice(("front", "aside", "none"), p=(FRONT, ASIDE, 1.0 - FRONT - ASIDE))
    if front == "table":
        where = "front"
    elif front == "free" and where == "front":
        where = "aside"
    has_chair = bool(rng.random() < CHAIR) or chair or seated
    chair_behind = bool(rng.random() < 0.6) or chair or seated
    high = bool(rng.random() < 0.6) and not seated
    seat = float(rng.uniform(0.43, 0.48))
    height = float(rng.uniform(0.86, 0.95) if high else rng.uniform(0.71, 0.77))
    width, depth = float(rng.uniform(1.1, 1.6)), float(rng.uniform(0.55, 0.75))
    shift, side = float(rng.uniform(-0.2, 0.2)), float(rng.choice((-1.0, 1.0)))

    scale = subject.height / 1.72
    stance = subject.lengths["hip"] + float(rng.uniform(0.015, 0.06))
    ankle = subject.lengths["ankle"]
    if seated:
        pelvis = np.array([0.0, seat + 0.75 * subject.radii["pelvis"], -0.2])
        ankle_z = np.array([0.2 * scale, 0.2 * scale]) + rng.uniform(-0.06, 0.04, 2)
        stance += float(rng.uniform(0.02, 0.06))
    else:
        pelvis = np.array([0.0, subject.standing, 0.0])
        ankle_z = rng.uniform(-0.03, 0.03, 2)
    ankles = np.array([[stance, ankle, ankle_z[0]], [stance, ankle, ankle_z[1]]])
    chair_z = pelvis[2] - 0.02 if seated else -0.40 * scale
    edge = pelvis[2] + subject.radii["trunk"] + (0.11 if seated else 0.08)
    setting = Setting(seated, height if where == "front" else None, edge, pelvis, ankles, seat, chair_z)
    if has_chair:
        kind = "stool" if rng.random() < 0.25 else "chair"
        spot = np.array([0.0, 0.0, chair_z]) if chair_behind else np.array([-0.8 * side, 0.0, rng.uniform(-0.5, 0.3)])
        turn = 0.0 if chair_behind else float(rng.uniform(-70.0, 70.0))
        setting.furniture.append(Thing(kind, Still(spot, (0.0, turn, 0.0)), {"seat": seat}))
    if where != "none":
        ahead = np.array([shift, 0.0, edge + 0.5 * depth])
        spot = ahead if where == "front" else np.array([side * (0.55 + 0.5 * depth), 0.0, float(rng.uniform(-0.2, 0.4))])
        look = {"width": width, "height": height, "depth": depth}
        turn = 0.0 if where == "front" else 90.0 * side
        setting.furniture.append(Thing("counter" if high else "table", Still(spot, (0.0, turn, 0.0)), look))
    return setting


def lean(setting: Setting, subject: Subject, reach: float = 0.24) -> float:
    """Degrees by which the trunk must bow so that a palm comes comfortably onto the surface ``reach`` beyond its edge."""
    if setting.surface is None:
        return 0.0
    target = np.array([0.0, setting.surface + 0.08, setting.edge + reach])
    degrees = np.arange(0.0, 50.0, 1.0)
    trunk = np.array([0.0, subject.lengths["spine_low"] + subject.lengths["spine_high"], 0.0])
    shoulders = setting.pelvis + motion.rotation(degrees[:, None] * (1.0, 0.0, 0.0)) @ trunk
    far = np.linalg.norm((shoulders - target)[:, 1:], axis=1) > 0.80 * subject.arm
    return float(degrees[min(int(far.sum()), len(degrees) - 1)])
