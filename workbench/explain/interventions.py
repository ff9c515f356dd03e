"""What if: the changes that a question may make to one clip. Each is data, and a function from Subject to Subject;
ValueError where the subject lacks what is changed.

joints are tuples of joint names; frames (start, end) are places on the clip, end exclusive, None the whole of it; boxes
(x0, y0, x1, y1) and places (x, y) are in clip pixels. All bodies are changed unless a person is named. The joints on
the picture and the poses of the network change together (see ``what_if_clip``). ``of`` names what a change is made to,
"pose" or "video": what depends on that should follow (see ``what_if.DERIVED``). ``everywhere`` tells of a change that
asks nothing about moments: what it does to a clip it does to any segment of the video alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from workbench.explain import limbs
from workbench.explain.what_if_clip import Subject, height, root

Span = tuple[int, int] | None
#: Frames that follow a dragged joint by less than this share of its way stay as they are.
STILL = 1e-3
#: The axis of time of what goes by the clip's frames.
TIME = {"video": 2, "flow": 2, "rendered": 2, "parts": 3, "truth": 1, "frame_numbers": 1}


@dataclass(frozen=True)
class Move:
    """Drags a joint to (x, y) in one frame. reach: over how many frames (the standard deviation of a Gaussian) its
    neighbours in time follow; None: the whole clip follows by the same shift. moves: the joint alone, its limb, whose
    bones keep their lengths (see ``limbs``; where a frame lacks a joint of it, it stays), or the whole body."""

    of: ClassVar[tuple[str, ...]] = ("pose",)
    joint: str
    frame: int
    to: tuple[float, float]
    person: int = 0
    reach: float | None = 1.0
    moves: Literal["joint", "limb", "body"] = "joint"

    def __call__(self, subject: Subject) -> Subject:
        """The subject after the change."""
        [joint] = subject.indices((self.joint,))
        frames = np.arange(_inside(subject, self.frame)[1])
        weight = np.ones(len(frames)) if self.reach is None else (frames == self.frame).astype(float)
        if self.reach:
            weight = np.exp(-0.5 * ((frames - self.frame) / self.reach) ** 2)
        if subject.pixels is None:
            raise ValueError("this clip has no joints in pixels: there is nothing to drag")
        if not 0 <= self.person < len(subject.pixels.joints):
            raise ValueError(f"person must be below {len(subject.pixels.joints)}, got {self.person}")
        body = subject.pixels.joints[self.person]
        by = np.asarray(self.to, np.float64) - body[self.frame, joint]
        if not np.isfinite(by).all():
            raise ValueError(f"{self.joint} is missing in frame {self.frame}: it can't be dragged from nowhere")
        limb = limbs.chain(subject.schema, int(joint))
        if self.moves == "limb" and not np.isfinite(body[self.frame, limb]).all():
            gone = next(subject.schema.joints[k] for k in limb if not np.isfinite(body[self.frame, k]).all())
            raise ValueError(f"{gone} is missing in frame {self.frame}: drag {self.joint} alone, not with its limb")
        shift, way = np.zeros((*subject.pixels.joints.shape[:3], 2)), weight[:, None] * by
        if self.moves == "limb":
            near = weight > STILL
            bent = limbs.bend(body[near], subject.schema, int(joint), body[near, joint] + way[near])
            shift[self.person, near] = np.nan_to_num(bent - body[near])
        elif self.moves == "joint":
            shift[self.person, :, joint] = way
        else:
            shift[self.person] = way[:, None]
        changed = subject.shifted(shift)
        if self.moves != "limb" or subject.batch.pose is None:
            return changed
        return changed.with_bodies(limbs.restored(subject.bodies, changed.bodies, subject.schema))


@dataclass(frozen=True)
class Drop:
    """Takes joints away: the network reads zeros, as of a joint that no sensor saw."""

    of: ClassVar[tuple[str, ...]] = ("pose",)
    joints: tuple[str, ...]
    frames: Span = None

    @property
    def everywhere(self) -> bool:
        """Whether all frames are meant."""
        return self.frames is None

    def __call__(self, subject: Subject) -> Subject:
        """The subject after the change."""
        chosen, (start, end) = subject.indices(self.joints), _span(subject, self.frames)

        def edit(joints: np.ndarray, frames: np.ndarray) -> np.ndarray:
            within = (frames >= start) & (frames < end)
            joints[:, within[:, None] & np.isin(np.arange(joints.shape[2]), chosen)] = np.nan
            return joints

        return subject.edited(edit)


@dataclass(frozen=True)
class Freeze:
    """Joints hold the place that they have in one frame, seen from the hips."""

    of: ClassVar[tuple[str, ...]] = ("pose",)
    joints: tuple[str, ...]
    frame: int = 0

    def __call__(self, subject: Subject) -> Subject:
        """The subject after the change."""
        chosen, (frame, _) = subject.indices(self.joints), _inside(subject, self.frame)

        def edit(joints: np.ndarray, frames: np.ndarray) -> np.ndarray:
            still, middle = int(np.abs(frames - frame).argmin()), root(joints, subject.schema)
            frozen = joints[:, still : still + 1] - middle[:, still : still + 1] + middle
            joints[:, :, chosen] = frozen[:, :, chosen]
            return joints

        return subject.edited(edit)


@dataclass(frozen=True)
class Jitter:
    """Shakes joints by Gaussian noise, anew in every frame. sigma: standard deviation as a share of the body's height,
    in each direction of the picture (of space, where the clip has no joints in pixels)."""

    of: ClassVar[tuple[str, ...]] = ("pose",)
    joints: tuple[str, ...]
    sigma: float = 0.02
    seed: int = 0

    def __call__(self, subject: Subject) -> Subject:
        """The subject after the change."""
        chosen, rng = subject.indices(self.joints), np.random.default_rng(self.seed)
        shaken = subject.bodies if subject.pixels is None else subject.pixels.joints
        noise = np.zeros(shaken.shape)
        noise[:, :, chosen] = rng.normal(size=noise[:, :, chosen].shape) * self.sigma * height(shaken)
        return subject.with_bodies(subject.bodies + noise) if subject.pixels is None else subject.shifted(noise)


@dataclass(frozen=True)
class Mirror:
    """Turns the body, not the picture, into its mirror image: left and right change places about the hips."""

    of: ClassVar[tuple[str, ...]] = ("pose",)
    everywhere: ClassVar[bool] = True

    def __call__(self, subject: Subject) -> Subject:
        """The subject after the change."""
        subject.indices(())

        def edit(joints: np.ndarray, frames: np.ndarray) -> np.ndarray:
            middle = root(joints, subject.schema)
            joints = joints[:, :, subject.schema.mirror]
            joints[..., 0] = 2 * middle[..., 0] - joints[..., 0]
            return joints

        return subject.edited(edit)


@dataclass(frozen=True)
class Transplant:
    """Gives joints the movement that they have in another clip of the same skeleton, seen from the hips; both clips
    are brought to one length. On the picture the other body is brought to this one's height."""

    of: ClassVar[tuple[str, ...]] = ("pose",)
    joints: tuple[str, ...]
    donor: Subject

    def __call__(self, subject: Subject) -> Subject:
        """The subject after the change."""
        chosen = subject.indices(self.joints)
        if self.donor.skeleton != subject.skeleton:
            whose = "no skeleton" if self.donor.skeleton is None else self.donor.skeleton.name
            raise ValueError(f"joints of {whose} can't be given to {subject.schema.name}")
        changed = subject
        if subject.pixels is not None and self.donor.pixels is not None:
            mine, theirs = subject.pixels.joints, self.donor.pixels.joints
            grown = height(mine) / (height(theirs) or 1.0)
            moved = _graft(mine, theirs * grown, chosen, subject)
            changed = replace(changed, pixels=subject.pixels.with_joints(moved))
        if subject.batch.pose is None:
            return changed
        return changed.with_bodies(_graft(subject.bodies, self.donor.bodies, chosen, subject))


@dataclass(frozen=True)
class Shuffle:
    """Puts the moments into another order, drawn from ``seed``: of the poses, of the video (and what else goes by its
    frames), or of both alike."""

    what: Literal["both", "pose", "video"] = "both"
    seed: int = 0

    def __call__(self, subject: Subject) -> Subject:
        """The subject after the change."""
        order = self.order(subject.frames)
        batch, pixels, changes = subject.batch, subject.pixels, {}
        if self.what != "video" and batch.pose is not None:
            # The poses of a frame go where the frame goes.
            ranks = np.argsort(np.argsort(order)[subject.steps], kind="stable")
            changes["pose"] = _taken(batch.pose, 2, ranks)
        if self.what != "video" and pixels is not None:
            pixels = pixels.with_joints(pixels.joints[:, order])
        if self.what != "pose":
            present = {name: getattr(batch, name) for name in TIME if name != "frame_numbers"}
            changes |= {
                name: _taken(values, TIME[name], order) for name, values in present.items() if values is not None
            }
        return replace(subject, batch=batch.replace(**changes), pixels=pixels)

    @property
    def of(self) -> tuple[str, ...]:
        """The modalities whose order changes."""
        return ("pose", "video") if self.what == "both" else (self.what,)

    def order(self, frames: int) -> np.ndarray:
        """int64 [T]: which frame of the clip is now at each place."""
        return np.random.default_rng(self.seed).permutation(frames)


@dataclass(frozen=True)
class Cover:
    """Covers a box of the picture: with the clip's mean colour, black, or a blur of what is there. Its motion (optical
    flow) becomes none."""

    of: ClassVar[tuple[str, ...]] = ("video",)
    box: tuple[float, float, float, float]
    frames: Span = None
    fill: Literal["mean", "black", "blur"] = "mean"

    @property
    def everywhere(self) -> bool:
        """Whether all frames are meant."""
        return self.frames is None

    def __call__(self, subject: Subject) -> Subject:
        """The subject after the change."""
        changes = {}
        for name in ("video", "rendered"):
            if (pictures := getattr(subject.batch, name)) is not None:
                region = self._region(subject, pictures)
                covered = pictures.clone()
                covered[region] = self._filling(pictures)[region] if self.fill == "blur" else self._filling(pictures)
                changes[name] = covered
        if (flow := subject.batch.flow) is not None:
            changes["flow"] = flow.clone()
            changes["flow"][self._region(subject, flow)] = 0 if flow.is_floating_point() else 128
        return replace(subject, batch=subject.batch.replace(**changes))

    def _region(self, subject: Subject, pictures: Tensor) -> tuple[Any, ...]:
        start, end = _span(subject, self.frames)
        tall, wide = pictures.shape[-2:]
        left, top, right, bottom = (round(float(value)) for value in self.box)
        if left >= right or top >= bottom or right <= 0 or bottom <= 0 or left >= wide or top >= tall:
            raise ValueError(f"box {self.box} covers nothing of a picture of {wide} x {tall} pixels")
        rows, columns = slice(max(top, 0), bottom), slice(max(left, 0), right)
        return (slice(None), slice(None), slice(start, end), rows, columns)

    def _filling(self, pictures: Tensor) -> Tensor:
        """[1,3,1,1,1], or of the pictures' shape where it is a blur."""
        values = pictures.float()
        if self.fill == "mean":
            return values.mean((2, 3, 4), keepdim=True).to(pictures.dtype)
        if self.fill == "black":
            return torch.full_like(values[:, :, :1, :1, :1], -1 if pictures.is_floating_point() else 0).to(pictures)
        return blurred(values, max(3, min(pictures.shape[-2:]) // 4 | 1)).to(pictures.dtype)


def blurred(video: Tensor, side: int) -> Tensor:
    """float [1,3,T,H,W]: the mean around each pixel of a video, over squares of an odd ``side``."""
    soft = video[0]
    for window in ((side, 1), (1, side)):
        padding = (window[0] // 2, window[1] // 2)
        soft = torch.nn.functional.avg_pool2d(soft, window, 1, padding, count_include_pad=False)
    return soft[None]


def _graft(mine: np.ndarray, theirs: np.ndarray, chosen: np.ndarray, subject: Subject) -> np.ndarray:
    joints, bodies = mine.copy(), min(len(mine), len(theirs))
    moments = ((np.arange(mine.shape[1]) + 0.5) * theirs.shape[1] / mine.shape[1]).astype(int)
    graft = (theirs - root(theirs, subject.schema))[:bodies, moments] + root(mine, subject.schema)[:bodies]
    joints[:bodies, :, chosen] = graft[:, :, chosen]
    return joints.astype(np.float32)


def _taken(values: Tensor, axis: int, order: np.ndarray) -> Tensor:
    return values.index_select(axis, torch.from_numpy(order.astype(np.int64)).to(values.device))


def _span(subject: Subject, frames: Span) -> tuple[int, int]:
    start, end = frames or (0, subject.frames)
    if not 0 <= start < end <= subject.frames:
        raise ValueError(f"frames must lie within 0 and {subject.frames} and start before their end, got {frames}")
    return start, end


def _inside(subject: Subject, frame: int) -> tuple[int, int]:
    """The frame and how many there are; ValueError for one that the clip doesn't have."""
    if not 0 <= frame < subject.frames:
        raise ValueError(f"frame must be from 0 to {subject.frames - 1}, got {frame}")
    return frame, subject.frames
