"""What training changes about a clip, the same way in its pictures, its poses and its truth."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from workbench.data.clips.clip_spec import ClipSpec
from workbench.media import pose
from workbench.types import Pose

#: The axis that points up a standing body, by how poses are normalised.
UP = {"thesis": 1, "agcn": 2, "none": 1}


@dataclass(frozen=True)
class Augment:
    """What is drawn for each training clip.

    scale: the side of the crop varies by up to this share (its place is anywhere within the clip's border);
    mirror: the probability that left and right are exchanged; brightness: the largest shift, as a share of the full
    range; contrast: the largest relative change around mid grey. All zero, and a spec with border 0: no augmentation.

    Of the poses that a network reads: turn is the largest angle, in degrees, by which bodies are turned about the
    vertical, and tilt about the horizontal axis through the shoulders; stretch the largest relative change of their
    size, along each axis by itself.
    """

    scale: float = 0.08
    mirror: float = 0.5
    brightness: float = 0.15
    contrast: float = 0.2
    turn: float = 0.0
    tilt: float = 0.0
    stretch: float = 0.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            most = 180 if field.name in ("turn", "tilt") else 1
            if not 0 <= getattr(self, field.name) <= most:
                raise ValueError(f"Augment.{field.name} must be in [0, {most}], got {getattr(self, field.name)}")

    def draw(self, spec: ClipSpec, rng: np.random.Generator) -> View:
        """One way to look at a clip of ``spec``."""
        (height, width), (tall, wide) = spec.size, spec.area
        factor = 1 + rng.uniform(-self.scale, self.scale)
        rows, columns = min(round(height * factor), tall), min(round(width * factor), wide)
        return View(
            top=int(rng.integers(tall - rows + 1)),
            left=int(rng.integers(wide - columns + 1)),
            rows=rows,
            columns=columns,
            size=spec.size,
            mirror=bool(rng.random() < self.mirror),
            gain=1 + rng.uniform(-self.contrast, self.contrast),
            shift=255 * rng.uniform(-self.brightness, self.brightness),
            space=self._space(UP[spec.normalize], rng) if self.turn or self.tilt or self.stretch else None,
        )

    def _space(self, up: int, rng: np.random.Generator) -> np.ndarray:
        """float64 [3,3]: how the space of the bodies is turned and stretched."""
        turn, tilt = np.radians(rng.uniform(-1, 1, 2) * [self.turn, self.tilt])
        turned = cv2.Rodrigues(np.eye(3)[0] * tilt)[0] @ cv2.Rodrigues(np.eye(3)[up] * turn)[0]
        return np.diag(1 + rng.uniform(-self.stretch, self.stretch, 3)) @ turned


@dataclass(frozen=True)
class View:
    """One way to look at the area that was read: crop, mirror, and of pictures gain (value - 127.5) + 127.5 + shift.

    top, left, rows, columns in pixels of the area; size (H, W) of the result; space [3,3] turns and stretches bodies.
    """

    top: int
    left: int
    rows: int
    columns: int
    size: tuple[int, int]
    mirror: bool = False
    gain: float = 1.0
    shift: float = 0.0
    space: np.ndarray | None = None

    @classmethod
    def plain(cls, spec: ClipSpec) -> View:
        """What evaluation sees: the clip without its border, or, with test_area "whole", all of the area."""
        if spec.test_area == "whole":
            return cls(0, 0, *spec.area, size=spec.area)
        return cls(*spec.pad, *spec.size, size=spec.size)

    def picture(self, frames: np.ndarray, out: np.ndarray) -> None:
        """frames uint8 [T,h,w,3], the area -> ``out`` uint8 [3,T,H,W], contiguous, overwritten."""
        self._place(frames, out)
        _adjust(out, self.gain, self.shift)

    def flow(self, flows: np.ndarray, out: np.ndarray) -> None:
        """flows uint8 [T,h,w,2] (media.flow.quantize), of the area -> ``out`` uint8 [2,T,H,W], contiguous, overwritten.

        In pixels of the result: what is enlarged moves further, and in the mirror x changes sign.
        """
        self._place(flows, out)
        across, down = self.size[1] / self.columns, self.size[0] / self.rows
        _adjust(out[0], -across if self.mirror else across)
        _adjust(out[1], down)

    def mask(self, masks: np.ndarray) -> np.ndarray:
        """masks uint8 [T,h,w] in [0,255], of the area -> float32 [T,H,W] in [0,1]."""
        out = np.empty((3, len(masks), *self.size), np.uint8)
        self._place(np.repeat(masks[..., None], 3, axis=3), out)
        return out[0].astype(np.float32) / 255

    def _place(self, frames: np.ndarray, out: np.ndarray) -> None:
        """Crops, resizes and mirrors [T,h,w,C] into ``out`` [C,T,H,W]."""
        cut = frames[:, self.top : self.top + self.rows, self.left : self.left + self.columns]
        if (self.rows, self.columns) == self.size:
            out[:] = cut.transpose(3, 0, 1, 2)
        else:
            for t, frame in enumerate(cut):
                cv2.split(cv2.resize(frame, self.size[::-1], interpolation=cv2.INTER_LINEAR), list(out[:, t]))
        if self.mirror:
            rows = out.reshape(-1, out.shape[-1])
            cv2.flip(rows, 1, dst=rows)

    def bodies(self, bodies: Pose) -> Pose:
        """What a network reads of ``bodies`` [M,t_p,V,3], normalised or in metres; what is missing stays 0."""
        seen = pose.mirror(bodies) if self.mirror else bodies
        return seen if self.space is None else seen.with_joints((seen.joints @ self.space.T).astype(np.float32))

    def points(self, points: np.ndarray) -> np.ndarray:
        """float [...,2] (x, y) in pixels of the area -> pixels of the result, [0,W) x [0,H) inside."""
        height, width = self.size
        moved = (points - [self.left, self.top]) * [width / self.columns, height / self.rows]
        return [width, 0] + moved * [-1, 1] if self.mirror else moved

    def pose(self, pixels: Pose) -> Pose:
        """``pixels`` (space "image") of the area -> of the result; in the mirror, left and right have changed names."""
        order = pixels.skeleton.mirror if self.mirror else slice(None)
        joints = self.points(pixels.joints[:, :, order]).astype(np.float32)
        confidence = None if pixels.confidence is None else pixels.confidence[:, :, order]
        return dataclasses.replace(pixels, joints=joints, confidence=confidence)


def _adjust(out: np.ndarray, gain: float, shift: float = 0.0) -> None:
    """value -> gain (value - 127.5) + 127.5 + shift, rounded and within bytes, in place; ``out`` contiguous."""
    if gain != 1 or shift != 0:
        levels = np.rint(gain * (np.arange(256) - 127.5) + 127.5 + shift).clip(0, 255).astype(np.uint8)
        rows = out.reshape(-1, out.shape[-1])
        cv2.LUT(rows, levels, dst=rows)
