"""Dresses a skeleton: solids along the bones of a subject, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from synthadl.people.body import JOINT, Subject
from synthadl.things.solids import BALL, CODES, ROUND, Table, Triple, upright

#: Hands and feet are drawn a little larger than life for the sake of small pictures.
HAND_SCALE, FOOT_SCALE = 1.2, 1.1


@dataclass(frozen=True)
class Figure:
    """The solids of a person: ``table``; world float64 [F,P,3,4] and shapes float64 [F,P,3] as raycast.cast reads them;
    joints: for each solid the joints that mark it as discriminative (an arm never is: what counts is the hand)."""

    table: Table
    world: np.ndarray
    shapes: np.ndarray
    joints: tuple[tuple[str, ...], ...]


class _Cloth(TypedDict):
    texture: str
    second: np.ndarray


class _Tailor:
    """Collects solids; J(name) is a joint's path [F,3]."""

    def __init__(self, joints: np.ndarray, subject: Subject, head: np.ndarray | None) -> None:
        self.joints, self.subject = joints, subject
        self.parts: list[tuple] = []
        self.radii = subject.radii
        self.color = {name: np.asarray(rgb) ** 2.2 for name, rgb in subject.colours.items()}
        # A top of nearly the skin's colour would look like none at all; with red and blue exchanged it is never that.
        if np.abs(np.subtract(subject.colours["top"], subject.colours["skin"])).max() < 0.25:
            self.color["top"] = self.color["top"][::-1]
        self.across = _unit(self["shoulder_left"] - self["shoulder_right"])
        self.across_hips = _unit(self["hip_left"] - self["hip_right"])
        self.head = head if head is not None else upright(self["head"] - self["neck"], self.across)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.joints[:, JOINT[name]]

    def limb(
        self,
        a: np.ndarray,
        b: np.ndarray,
        ra: float,
        rb: float,
        color: np.ndarray,
        marks: tuple[str, ...],
        hint: np.ndarray | None = None,
        wide: float = 1.0,
        deep: float = 1.0,
        texture: str = "plain",
        second: np.ndarray | None = None,
    ) -> None:
        """A tapered capsule from path ``a`` to path ``b``, ``wide`` along the hint and ``deep`` across it."""
        linear = upright(b - a, self.across if hint is None else hint) * np.array([wide, 1.0, deep])
        length = np.sqrt(((b - a) ** 2).sum(-1))
        shape = np.stack([np.full_like(length, ra), np.full_like(length, rb), length], -1)
        self._add(ROUND, linear, a, shape, (1.0, 1.0, 1.0), color, second, texture, marks)

    def ball(
        self,
        center: np.ndarray,
        turn: np.ndarray,
        radii: Triple,
        color: np.ndarray,
        marks: tuple[str, ...],
        texture: str = "plain",
        second: np.ndarray | None = None,
    ) -> None:
        """An ellipsoid whose axes are the columns of ``turn`` [F,3,3]."""
        sizes = np.asarray(radii, np.float64)
        self._add(BALL, turn * sizes, center, np.zeros_like(center), sizes, color, second, texture, marks)

    def _add(
        self,
        form: int,
        linear: np.ndarray,
        origin: np.ndarray,
        shape: np.ndarray,
        size: Triple,
        color: np.ndarray,
        second: np.ndarray | None,
        texture: str,
        marks: tuple[str, ...],
    ) -> None:
        world = np.concatenate([linear, origin[..., None]], -1)
        self.parts.append(
            (form, world, shape, size, (color, color if second is None else second), CODES[texture], marks)
        )

    def figure(self) -> Figure:
        forms, worlds, shapes, sizes, colors, textures, marks = zip(*self.parts, strict=True)
        count = len(forms)
        constant = Table(
            form=np.array(forms, np.int64),
            size=np.array(sizes, np.float64),
            color=np.clip(np.array(colors, np.float64), 0.0, 1.0),
            texture=np.array(textures, np.int64),
            gloss=np.full(count, 0.08),
            glow=np.zeros(count),
            bits=np.zeros(count, np.uint8),
        )
        return Figure(constant, np.stack(worlds, 1), np.stack(shapes, 1), marks)


def dress(
    joints: np.ndarray, subject: Subject, head: np.ndarray | None = None, socks: frozenset[str] = frozenset()
) -> Figure:
    """The clothed body on joints float64 [F,25,3] (world metres); ``head`` float64 [F,3,3] its rotation if known;
    ``socks`` names the sides ("left", "right") whose foot wears no shoe."""
    tailor = _Tailor(np.asarray(joints, np.float64), subject, head)
    _trunk(tailor)
    _head(tailor)
    for side in ("left", "right"):
        _arm(tailor, side)
        _leg(tailor, side, side in socks)
    return tailor.figure()


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.sqrt((vectors**2).sum(-1, keepdims=True)), 1e-9)


def _pattern(subject: Subject) -> str:
    return ("plain", "fabric", "bands", "checks", "plain")[subject.seed % 5]


def _trunk(t: _Tailor) -> None:
    top, trousers, r = t.color["top"], t.color["trousers"], t.radii
    base, mid, shoulder = t["spine_base"], t["spine_mid"], t["spine_shoulder"]
    up = _unit(shoulder - mid)
    span = np.sqrt(((t["shoulder_left"] - t["shoulder_right"]) ** 2).sum(-1)).mean()
    wide = 0.86 * span / (2 * r["trunk"])
    cloth: _Cloth = {"texture": _pattern(t.subject), "second": 0.55 * top + 0.45 * np.array([0.85, 0.85, 0.85])}
    t.limb(
        base - 0.02 * up,
        base + 0.06 * up,
        r["pelvis"],
        r["pelvis"],
        trousers,
        ("spine_base",),
        wide=1.28,
        deep=0.92,
        hint=t.across_hips,
    )
    t.limb(
        base + 0.06 * up,
        mid,
        0.98 * r["pelvis"],
        0.96 * r["trunk"],
        top,
        ("spine_mid",),
        wide=1.28,
        deep=0.9,
        hint=t.across_hips,
        **cloth,
    )
    chest = shoulder - 0.085 * up
    t.limb(
        mid,
        chest,
        0.96 * r["trunk"],
        0.9 * r["trunk"],
        top,
        ("spine_mid", "spine_shoulder"),
        wide=wide,
        deep=0.92,
        **cloth,
    )
    slope = r["upper_arm"] * 1.15
    for side in ("left", "right"):
        t.limb(shoulder, t[f"shoulder_{side}"] - 0.012 * up, 0.062, slope, top, ("spine_shoulder",), **cloth)
    t.limb(shoulder - 0.02 * up, t["neck"] - 0.01 * up, 0.075, 0.05, top, ("spine_shoulder",))
    t.limb(shoulder, t["head"], r["neck"] * 1.02, r["neck"], t.color["skin"], ("neck",))


def _head(t: _Tailor) -> None:
    r, skin, hair = t.radii["head"], t.color["skin"], t.color["hair"]
    aside, up, front = t.head[..., 0], t.head[..., 1], t.head[..., 2]
    center, bald, marks = t["head"], t.subject.hair == "bald", ("head",)
    t.ball(center, t.head, (0.84 * r, 1.2 * r, r), skin, marks, "face", skin if bald else hair)
    nose = center + r * (0.98 * front - 0.12 * up)
    t.ball(nose, t.head, (0.16 * r, 0.24 * r, 0.2 * r), 1.04 * skin, marks)
    for sign in (-1, 1):
        ear = center + r * (0.84 * sign * aside - 0.05 * up - 0.05 * front)
        t.ball(ear, t.head, (0.12 * r, 0.26 * r, 0.18 * r), skin, marks)
    if bald:
        return
    t.ball(center + r * (0.28 * up - 0.2 * front), t.head, (0.94 * r, 1.04 * r, 0.96 * r), hair, marks)
    if t.subject.hair == "long":
        crown, ends = center + r * (0.2 * up - 0.5 * front), center - r * (1.75 * up + 0.65 * front)
        t.limb(crown, ends, 0.8 * r, 0.55 * r, hair, marks, hint=aside, wide=1.15, deep=0.6)


def _arm(t: _Tailor, side: str) -> None:
    skin, top, r = t.color["skin"], t.color["top"], t.radii
    shoulder, elbow, wrist, hand = (t[f"{name}_{side}"] for name in ("shoulder", "elbow", "wrist", "hand"))
    marks: tuple[str, ...] = ()
    long = t.subject.sleeves == "long"
    thick, thin, hem = 1.02 * r["upper_arm"], 0.98 * r["forearm"], 1.2 * r["upper_arm"]
    if long:
        t.limb(shoulder, elbow, 1.12 * hem * 0.95, thick, top, marks)
        t.limb(elbow, elbow + 0.93 * (wrist - elbow), thick, thin, top, marks)
    else:
        t.limb(shoulder, shoulder + 0.5 * (elbow - shoulder), hem, 0.98 * hem, top, marks)
        t.limb(shoulder, elbow, thick, 0.9 * thick, skin, marks)
    t.limb(elbow, wrist, 0.9 * thick, 0.72 * r["forearm"], skin, marks)
    marks = tuple(f"{name}_{side}" for name in ("wrist", "hand", "hand_tip", "thumb"))
    tip, thumb = t[f"hand_tip_{side}"], t[f"thumb_{side}"]
    along, size = _unit(tip - wrist), HAND_SCALE * r["hand"]
    turn = upright(along, thumb - hand)
    t.ball(hand - 0.25 * size * along, turn, (1.12 * size, 1.35 * size, 0.68 * size), skin, marks)
    reach = hand + 1.12 * (tip - hand)
    t.limb(
        hand + 0.3 * size * along, reach, 0.62 * size, 0.5 * size, skin, marks, hint=turn[..., 0], wide=1.55, deep=0.85
    )
    t.limb(hand - 0.4 * size * along, hand + 1.1 * (thumb - hand), 0.4 * size, 0.32 * size, skin, marks)


def _leg(t: _Tailor, side: str, sock: bool) -> None:
    trousers, r = t.color["trousers"], t.radii
    hip, knee, ankle, foot = (t[f"{name}_{side}"] for name in ("hip", "knee", "ankle", "foot"))
    t.limb(hip, knee, 1.12 * r["thigh"], 1.22 * r["shank"], trousers, (f"hip_{side}", f"knee_{side}"))
    t.limb(knee, ankle + 0.1 * (knee - ankle), 1.22 * r["shank"], 1.05 * r["shank"], trousers, (f"knee_{side}",))
    marks = (f"ankle_{side}", f"foot_{side}")
    color = np.array([0.75, 0.74, 0.7]) if sock else t.color["shoes"]
    size = FOOT_SCALE * r["foot"]
    front = _unit(foot - ankle)
    # The joint called foot lies inside the front of the shoe; the heel sticks out behind the ankle.
    down = _unit(np.cross(_across(front, t.across_hips), front))
    heel = ankle + 0.5 * size * down - 0.35 * size * front
    toe = foot + 0.35 * size * front
    scale = 0.85 if sock else 1.0
    t.limb(heel, toe, 0.95 * scale * size, 0.72 * scale * size, color, marks, hint=t.across_hips, wide=1.08, deep=0.9)
    t.limb(ankle + 0.12 * (knee - ankle), heel, 0.82 * size, 0.8 * scale * size, color, marks)


def _across(front: np.ndarray, hint: np.ndarray) -> np.ndarray:
    return _unit(hint - (hint * front).sum(-1, keepdims=True) * front)
