"""What a question is about: one clip as the network reads it, and the same joints where the picture shows them.

Networks read 3D poses, normalised so that a body stands upright in the middle; a hand on the picture moves in pixels.
At each pose the two belong together by an affine map, x = P X + p, found by least squares over the body's joints. A
shift d in pixels is then the smallest shift D = P^+ d of the body that shows as d: one in the plane of the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from workbench.types import Batch, Pose, Skeleton

#: Directions in which the body is thinner than this share of its longest say nothing about the affine map.
THIN = 0.05

Edit = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Subject:
    """One clip. batch holds it alone (B = 1). pixels: its joints in clip pixels on the clip's frames, or None.
    pose_numbers int64 [t_p]: the source frames of the poses of the batch; None: evenly spread over the clip.

    Raises ValueError where the batch holds another number of clips, or poses of another skeleton.
    """

    batch: Batch
    skeleton: Skeleton | None = None
    pixels: Pose | None = None
    pose_numbers: np.ndarray | None = None

    def __post_init__(self) -> None:
        if len(self.batch) != 1:
            raise ValueError(f"what if is asked of one clip at a time, got a batch of {len(self.batch)}")
        pose = self.batch.pose
        if pose is not None and self.skeleton is not None and pose.shape[3] != self.skeleton.count:
            raise ValueError(f"the batch's poses have {pose.shape[3]} joints, {self.skeleton.name} has other ones")

    @property
    def frames(self) -> int:
        """T, the number of frames of the clip."""
        for value in (self.batch.frame_numbers, *(getattr(self.batch, name) for name in ("video", "flow", "rendered"))):
            if value is not None:
                return value.shape[1 if value.ndim == 2 else 2]
        if self.pixels is not None:
            return self.pixels.joints.shape[1]
        return self.bodies.shape[1]

    @property
    def steps(self) -> np.ndarray:
        """int64 [t_p]: the clip's frame that is nearest to each pose of the batch."""
        if self.pose_numbers is None or self.batch.frame_numbers is None:
            count = self.bodies.shape[1]
            return ((np.arange(count) + 0.5) * self.frames / count).astype(np.int64)
        numbers = self.batch.frame_numbers[0].cpu().numpy()
        return np.abs(np.asarray(self.pose_numbers)[:, None] - numbers).argmin(1)

    @property
    def schema(self) -> Skeleton:
        """The skeleton; ValueError where there is none."""
        if self.skeleton is None:
            raise ValueError("this clip comes without a skeleton: there are no joints to change")
        return self.skeleton

    def indices(self, joints: tuple[str, ...]) -> np.ndarray:
        """int64: where the named joints stand; ValueError for an unknown one, or without a skeleton."""
        schema = self.schema
        return np.array([schema.index(joint) for joint in joints], np.int64)

    @property
    def bodies(self) -> np.ndarray:
        """float32 [M,t_p,V,3]: the poses that the network reads, NaN where a joint is missing."""
        if self.batch.pose is None:
            raise ValueError("this system reads no poses: no change of a joint can reach it")
        joints = self.batch.pose[0].float().cpu().numpy().copy()
        missing = (joints == 0).all(-1)
        if self.skeleton is not None:  # a body's own centre is at the origin once it is normalised, not missing
            centre = np.isin(np.arange(self.skeleton.count), [*self.skeleton.root, *self.skeleton.spine])
            missing &= missing.all(-1, keepdims=True) | ~centre
        joints[missing] = np.nan
        return joints

    def with_bodies(self, bodies: np.ndarray) -> Subject:
        """With other poses, in the form of ``bodies``."""
        pose = torch.from_numpy(np.nan_to_num(bodies, nan=0.0).astype(np.float32))[None]
        return replace(self, batch=self.batch.replace(pose=pose.to(self.batch.pose)))

    def edited(self, edit: Edit) -> Subject:
        """``edit(joints [M,n,V,D], frames [n]) -> joints``, NaN missing, applied to the joints on the picture and to
        the poses of the network alike; ``frames`` says of which frame of the clip each is."""
        changed = self
        if self.pixels is not None:
            moved = edit(self.pixels.joints.copy(), np.arange(self.pixels.joints.shape[1]))
            changed = replace(changed, pixels=self.pixels.with_joints(moved))
        return changed if self.batch.pose is None else changed.with_bodies(edit(self.bodies, self.steps))

    def shifted(self, shift: np.ndarray) -> Subject:
        """Every joint shifted by ``shift`` float [M,T,V,2] clip pixels; ValueError without joints in pixels."""
        if self.pixels is None:
            raise ValueError("this clip has no joints in pixels: there is nothing to drag")
        changed = replace(self, pixels=self.pixels.with_joints((self.pixels.joints + shift).astype(np.float32)))
        if self.batch.pose is None:
            return changed
        bodies = self.bodies
        for body in range(len(bodies)):
            person = self.person(body)
            for step, frame in enumerate(self.steps):
                lift = np.linalg.pinv(affine(bodies[body, step], self.pixels.joints[person, frame])[:3].T, rcond=THIN)
                bodies[body, step] += shift[person, frame] @ lift.T
        return changed.with_bodies(bodies)

    def person(self, body: int) -> int:
        """Which person on the picture is body number ``body`` of the network: the one that it fits best."""
        if self.pixels is None:
            raise ValueError("this clip has no joints in pixels: nobody is seen in its picture")
        people, poses = self.pixels.joints[:, self.steps], self.bodies[body]
        if len(people) == 1:
            return 0
        return int(
            np.argmin([np.mean([_misfit(*pair) for pair in zip(poses, joints, strict=True)]) for joints in people])
        )


def affine(body: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """float64 [4,2]: the map (X, 1) -> x that fits joints ``body`` [V,3] and ``pixels`` [V,2] best; NaN joints are left
    out, and zeros come back where fewer than four are left."""
    finite = np.isfinite(body).all(1) & np.isfinite(pixels).all(1)
    if finite.sum() < 4:
        return np.zeros((4, 2))
    middle = body[finite].mean(0).astype(np.float64)
    turned = np.linalg.pinv(body[finite] - middle, rcond=THIN) @ (pixels[finite] - pixels[finite].mean(0))
    return np.vstack([turned, pixels[finite].mean(0) - middle @ turned])


def root(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """[M,n,1,D]: the middle of the hips."""
    return joints[:, :, list(skeleton.root)].mean(2, keepdims=True)


def height(joints: np.ndarray) -> float:
    """How tall the bodies [M,n,V,D] are: the median over the poses of their longest side, in the joints' unit."""
    with np.errstate(invalid="ignore"):
        bodies = joints[np.isfinite(joints).all((2, 3))]
    return float(np.median(np.ptp(bodies, axis=1).max(1))) if len(bodies) else 0.0


def _misfit(body: np.ndarray, pixels: np.ndarray) -> float:
    finite = np.isfinite(body).all(1) & np.isfinite(pixels).all(1)
    if not finite.any():
        return np.inf
    fitted = np.hstack([body[finite], np.ones((finite.sum(), 1))]) @ affine(body, pixels)
    return float(np.abs(fitted - pixels[finite]).mean())
