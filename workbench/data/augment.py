"""What training changes about a clip, the same way in its pictures, its poses and its truth."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from workbench.data.spec import ClipSpec
from workbench.types import Pose, Truth


@dataclass(frozen=True)
class Augment:
    """What is drawn for each training clip.

    scale: the side of the crop varies by up to this share (its place is anywhere within the clip's border); mirror: the
    probability that left and right are exchanged; brightness: the largest shift, as a share of the full range; contrast:
    the largest relative change around mid grey. All zero, and a spec with border 0, is no augmentation.
    """

    scale: float = 0.08
    mirror: float = 0.5
    brightness: float = 0.15
    contrast: float = 0.2

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if not 0 <= getattr(self, field.name) <= 1:
                raise ValueError(f"Augment.{field.name} must be in [0, 1], got {getattr(self, field.name)}")

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
        )


@dataclass(frozen=True)
class View:
    """One way to look at the area that was read: crop, mirror, then value -> gain (value - 127.5) + 127.5 + shift.

    top, left, rows, columns in pixels of the area; size (H, W) of the result.
    """

    top: int
    left: int
    rows: int
    columns: int
    size: tuple[int, int]
    mirror: bool = False
    gain: float = 1.0
    shift: float = 0.0

    @classmethod
    def plain(cls, spec: ClipSpec) -> View:
        """What evaluation sees: the clip without its border, or, with test_area "whole", all of the area."""
        if spec.test_area == "whole":
            return cls(0, 0, *spec.area, size=spec.area)
        return cls(*spec.pad, *spec.size, size=spec.size)

    def picture(self, frames: np.ndarray, out: np.ndarray) -> None:
        """frames uint8 [T,h,w,3], the area -> ``out`` uint8 [3,T,H,W], contiguous, overwritten."""
        cut = frames[:, self.top : self.top + self.rows, self.left : self.left + self.columns]
        if (self.rows, self.columns) == self.size:
            out[:] = cut.transpose(3, 0, 1, 2)
        else:
            for t, frame in enumerate(cut):
                cv2.split(cv2.resize(frame, self.size[::-1], interpolation=cv2.INTER_LINEAR), list(out[:, t]))
        rows = out.reshape(-1, out.shape[-1])
        if self.mirror:
            cv2.flip(rows, 1, dst=rows)
        if self.gain != 1 or self.shift != 0:
            cv2.LUT(rows, self._levels(), dst=rows)

    def _levels(self) -> np.ndarray:
        values = self.gain * (np.arange(256) - 127.5) + 127.5 + self.shift
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)

    def points(self, pose: Pose) -> Pose:
        """A pose in pixels of the area -> pixels of the clip, [0,W) x [0,H)."""
        joints = (pose.joints - [self.left, self.top]) * self._zoom()
        if self.mirror:
            joints = (joints * [-1, 1] + [self.size[1], 0])[:, :, pose.skeleton.mirror]
        confidence = pose.confidence
        if self.mirror and confidence is not None:
            confidence = confidence[:, :, pose.skeleton.mirror]
        return dataclasses.replace(pose, joints=joints.astype(np.float32), confidence=confidence)

    def truth(self, truth: Truth, pose: Pose) -> Truth:
        """A truth in pixels of the area -> pixels of the clip; ``pose`` tells which joints change places."""
        cut = truth.mask[:, self.top : self.top + self.rows, self.left : self.left + self.columns]
        mask = resize_mask(cut, self.size)
        box = (truth.box - [self.left, self.top] * 2) * np.tile(self._zoom(), 2)
        joints = truth.joints
        if self.mirror:
            mask = mask[:, :, ::-1].copy()
            box = (self.size[1] * np.array([1, 0, 1, 0]) + box * [-1, 1, -1, 1])[:, [2, 1, 0, 3]]
            joints = joints[pose.skeleton.mirror]
        return dataclasses.replace(truth, mask=mask, box=clip_box(box, self.size), joints=joints)

    def _zoom(self) -> np.ndarray:
        return np.array([self.size[1] / self.columns, self.size[0] / self.rows])


def mirror_body(joints: np.ndarray, order: np.ndarray) -> np.ndarray:
    """float [M,T,V,3] in camera or normalised space with left and right exchanged: x -> -x, joints in ``order``."""
    return joints[:, :, order] * np.array([-1, 1, 1], joints.dtype)


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """bool [T,h,w] -> bool [T,H,W]: a pixel is in where at least half of it is."""
    if mask.shape[1:] == tuple(size):
        return mask
    resized = [cv2.resize(frame.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR) for frame in mask]
    return np.stack(resized) >= 0.5


def clip_box(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """float32 [T,4] cut to the picture of ``size`` (H, W); NaN where nothing of it is inside."""
    height, width = size
    box = np.clip(box, 0, [width, height, width, height])
    empty = (box[:, 2] <= box[:, 0]) | (box[:, 3] <= box[:, 1])
    box[empty] = np.nan
    return box.astype(np.float32)
