"""A subject of the synthetic world: how long and thick its limbs are, what it wears and how it moves.

Everything is drawn from one integer, so a subject looks and moves alike in every clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: The joints of a Kinect v2, in its order.
JOINTS = (
    "spine_base",
    "spine_mid",
    "neck",
    "head",
    "shoulder_left",
    "elbow_left",
    "wrist_left",
    "hand_left",
    "shoulder_right",
    "elbow_right",
    "wrist_right",
    "hand_right",
    "hip_left",
    "knee_left",
    "ankle_left",
    "foot_left",
    "hip_right",
    "knee_right",
    "ankle_right",
    "foot_right",
    "spine_shoulder",
    "hand_tip_left",
    "thumb_left",
    "hand_tip_right",
    "thumb_right",
)
JOINT = {name: index for index, name in enumerate(JOINTS)}

#: Segment lengths as shares of body height, after Drillis and Contini's table, moved to where a Kinect sees the joints.
LENGTHS = {
    "spine_low": 0.140,
    "spine_high": 0.135,
    "neck": 0.042,
    "head": 0.083,
    "shoulder": 0.110,
    "upper_arm": 0.174,
    "forearm": 0.148,
    "palm": 0.046,
    "fingers": 0.048,
    "thumb": 0.036,
    "hip": 0.050,
    "hip_drop": 0.020,
    "thigh": 0.245,
    "shank": 0.240,
    "ankle": 0.042,
    "foot": 0.088,
}

#: Limb radii as shares of body height for a subject of build 1; True where they grow with build.
RADII = {
    "trunk": (0.068, True),
    "pelvis": (0.070, True),
    "neck": (0.030, False),
    "head": (0.056, False),
    "upper_arm": (0.027, True),
    "forearm": (0.022, True),
    "hand": (0.021, False),
    "thigh": (0.043, True),
    "shank": (0.031, True),
    "foot": (0.024, False),
}

SKINS = ((0.96, 0.80, 0.69), (0.90, 0.70, 0.56), (0.78, 0.57, 0.42), (0.60, 0.41, 0.29), (0.43, 0.29, 0.20))
HAIRS = (
    (0.09, 0.07, 0.06),
    (0.24, 0.15, 0.09),
    (0.42, 0.27, 0.14),
    (0.76, 0.60, 0.33),
    (0.62, 0.62, 0.62),
    (0.50, 0.20, 0.10),
)


@dataclass(frozen=True)
class Subject:
    """One person. Lengths and radii in metres, colours as RGB in [0, 1], angles in degrees.

    ``lengths`` has the keys of LENGTHS, ``radii`` those of RADII; ``colours`` has skin, hair, top, trousers and shoes;
    ``hair`` is "short", "long" or "bald", ``sleeves`` "long" or "short". Style: ``speed`` and ``amplitude`` around 1,
    ``tremor`` in metres, ``hunch`` the resting bend of the chest, ``sway`` the size of the idle motion around 1.
    """

    seed: int
    height: float
    build: float
    lengths: dict[str, float]
    radii: dict[str, float]
    colours: dict[str, tuple[float, float, float]]
    hair: str
    sleeves: str
    left_handed: bool
    speed: float
    amplitude: float
    tremor: float
    hunch: float
    sway: float

    @classmethod
    def sample(cls, seed: int) -> Subject:
        """The subject with this number; the same number always gives the same subject."""
        rng = np.random.default_rng([seed, 20_011])
        height = float(np.clip(rng.normal(1.72, 0.10), 1.50, 1.95))
        build = float(np.clip(rng.normal(1.0, 0.11), 0.80, 1.25))
        lengths = {name: share * height * rng.uniform(0.97, 1.03) for name, share in LENGTHS.items()}
        lengths["shoulder"] *= build**0.6
        lengths["hip"] *= build**0.4
        radii = {name: share * height * (build if grows else 1.0) for name, (share, grows) in RADII.items()}
        return cls(
            seed=seed,
            height=height,
            build=build,
            lengths={name: float(value) for name, value in lengths.items()},
            radii=radii,
            colours={
                "skin": _shaded(rng, SKINS),
                "hair": _shaded(rng, HAIRS),
                "top": _cloth(rng, 0.35, 0.95),
                "trousers": _cloth(rng, 0.15, 0.55),
                "shoes": _cloth(rng, 0.10, 0.80),
            },
            hair=str(rng.choice(("short", "short", "long", "bald"), p=(0.30, 0.25, 0.37, 0.08))),
            sleeves=str(rng.choice(("long", "short"))),
            left_handed=bool(rng.random() < 0.3),
            speed=float(rng.uniform(0.8, 1.25)),
            amplitude=float(rng.uniform(0.8, 1.2)),
            tremor=float(rng.uniform(0.0004, 0.0025)),
            hunch=float(rng.uniform(0.0, 9.0)),
            sway=float(rng.uniform(0.6, 1.5)),
        )

    @property
    def arm(self) -> float:
        """Shoulder to palm with the arm straight, in metres."""
        return self.lengths["upper_arm"] + self.lengths["forearm"] + self.lengths["palm"]

    @property
    def standing(self) -> float:
        """Height of the spine base above the floor when standing, knees not quite straight, in metres."""
        legs = self.lengths["thigh"] + self.lengths["shank"]
        return self.lengths["ankle"] + 0.990 * legs + self.lengths["hip_drop"]

    @property
    def mouth(self) -> np.ndarray:
        """float64 [3]: the lips in the frame of the head (origin at the head joint, z forward), metres."""
        return self.radii["head"] * np.array([0.0, -0.52, 0.98])

    @property
    def eyes(self) -> np.ndarray:
        """float64 [3]: the bridge of the nose in the frame of the head, metres."""
        return self.radii["head"] * np.array([0.0, 0.16, 1.06])


def _shaded(rng: np.random.Generator, palette: tuple) -> tuple[float, float, float]:
    colour = np.array(palette[rng.integers(len(palette))]) * rng.uniform(0.92, 1.06)
    red, green, blue = (float(value) for value in np.clip(colour, 0.0, 1.0))
    return red, green, blue


def _cloth(rng: np.random.Generator, darkest: float, lightest: float) -> tuple[float, float, float]:
    grey = rng.uniform(darkest, lightest)
    colour = grey + rng.uniform(-0.28, 0.28, 3)
    red, green, blue = (float(value) for value in np.clip(colour, 0.03, 0.97))
    return red, green, blue
