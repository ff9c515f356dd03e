"""Where a clip takes place: seated or standing, at a table or not, which chair stands near, how the body rests.

Everything that could hint at the label is drawn here, by the same rules for every action, before the action is played.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from synthadl.actions.playing.props import Still, Thing
from synthadl.people import motion
from synthadl.people.body import Subject

SEATED = 0.45
FRONT, ASIDE = 0.55, 0.20
CHAIR, BEHIND = 0.6, 0.6
HIGH = 0.75


@dataclass(frozen=True)
class Grasp:
    """Where a palm is and how the hand is turned, in coordinates whose x points outward on the hand's own side.

    ``point`` metres in ``frame`` of the rig; ``fingers`` (wrist to finger tips) and ``palm`` (out of the palm)
    directions in that frame; ``elbow`` the direction in the frame of the chest in which the elbow bends.
    """

    frame: str
    point: motion.Vector
    fingers: motion.Vector = (-0.45, 0.0, 0.9)
    palm: motion.Vector = (-0.9, 0.0, -0.45)
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
            return Grasp("hanging", (0.07, -down, 0.05), (0.0, -1.0, 0.18), (-1.0, 0.0, -0.1), (0.35, 0.0, -1.0))
        if self.surface is not None:
            point = (0.17, self.surface + 0.035, self.edge + 0.15)
            return Grasp("root", point, (-0.45, -0.05, 0.9), (0.0, -1.0, 0.0), (0.5, -0.7, -0.6))
        thigh = self.pelvis[1] + subject.radii["thigh"] + 0.035
        point = (0.13, thigh, self.pelvis[2] + 0.30)
        return Grasp("root", point, (-0.25, -0.2, 1.0), (0.0, -1.0, -0.2), (0.7, -0.2, -0.7))


def sample(rng: np.random.Generator, subject: Subject, sits: bool, front: str, chair: bool) -> Setting:
    """A setting for an action that may be done seated (``sits``), with ``front`` "free", "any" or "table", with a
    ``chair`` always behind the subject or by chance. The same draws are made in the same order for every action."""
    seated = bool(rng.random() < SEATED) and sits
    where = str(rng.choice(("front", "aside", "none"), p=(FRONT, ASIDE, 1.0 - FRONT - ASIDE)))
    if front == "table":
        where = "front"
    elif front == "free" and where == "front":
        where = "aside"
    high = bool(rng.random() < HIGH) and not seated
    low, top = (0.87, 0.96) if high else (0.70, 0.75) if seated else (0.76, 0.82)
    height, seat = float(rng.uniform(low, top)), float(rng.uniform(0.43, 0.48))
    stance = subject.lengths["hip"] + float(rng.uniform(0.015, 0.06))
    feet = rng.uniform(-0.03, 0.03, 2)
    scale, belly = subject.height / 1.72, subject.radii["trunk"] + 0.08
    if seated:
        pelvis = np.array([0.0, seat + 0.75 * subject.radii["pelvis"], -0.2])
        ankle_z, stance, chair_z = 0.19 * scale + 1.5 * feet, stance + 0.04, pelvis[2] - 0.02
        edge = pelvis[2] + belly + 0.03
    else:
        pelvis = np.array([0.0, subject.standing, 0.0])
        ankle_z, chair_z = feet, -0.40 * scale
        edge = max(belly, subject.lengths["foot"] + 0.07)
    ankles = np.array([[stance, subject.lengths["ankle"], z] for z in ankle_z])
    setting = Setting(seated, height if where == "front" else None, edge, pelvis, ankles, seat, chair_z)
    side = float(rng.choice((-1.0, 1.0)))
    _place_chair(rng, setting, chair or seated, -side)
    _place_table(rng, setting, where, "counter" if high else "table", height, side)
    return setting


def _place_chair(rng: np.random.Generator, setting: Setting, needed: bool, side: float) -> None:
    """A chair or a stool behind the subject, where it is needed, or by chance there or somewhere near."""
    there, behind = bool(rng.random() < CHAIR) or needed, bool(rng.random() < BEHIND) or needed
    kind = "stool" if rng.random() < 0.25 else "chair"
    z, turn = rng.uniform(-0.5, 0.3), float(rng.uniform(-70.0, 70.0))
    if there:
        spot = np.array([0.0, 0.0, setting.chair_z]) if behind else np.array([0.85 * side, 0.0, z])
        setting.furniture.append(Thing(kind, Still(spot, (0.0, 0.0 if behind else turn, 0.0)), {"seat": setting.seat}))


def _place_table(rng: np.random.Generator, setting: Setting, where: str, kind: str, height: float, side: float) -> None:
    """A table in front of the subject ("front"), on its left (``side`` 1) or right ("aside"), or none ("none")."""
    width, depth = float(rng.uniform(1.1, 1.6)), float(rng.uniform(0.55, 0.75))
    shift, z = rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.4)
    if where == "none":
        return
    spot = np.array([shift, 0.0, setting.edge + 0.5 * depth])
    if where == "aside":
        spot = np.array([side * (0.75 + 0.5 * depth), 0.0, z])
    turn = (0.0, 0.0 if where == "front" else 90.0 * side, 0.0)
    setting.furniture.append(Thing(kind, Still(spot, turn), {"width": width, "height": height, "depth": depth}))


def lean(setting: Setting, subject: Subject, reach: float = 0.24) -> float:
    """Degrees by which the trunk must bow for a palm to come easily onto the surface ``reach`` beyond its edge."""
    if setting.surface is None:
        return 0.0
    target = np.array([0.0, setting.surface + 0.08, setting.edge + reach])
    degrees = np.arange(0.0, 50.0, 1.0)
    trunk = np.array([0.0, subject.lengths["spine_low"] + subject.lengths["spine_high"], 0.0])
    shoulders = setting.pelvis + motion.rotation(degrees[:, None] * (1.0, 0.0, 0.0)) @ trunk
    far = np.linalg.norm((shoulders - target)[:, 1:], axis=1) > 0.86 * subject.arm
    return float(degrees[min(int(far.sum()), len(degrees) - 1)])
