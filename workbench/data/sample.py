"""One clip to look at: what a network is given, and where joints and truth lie in it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch

from workbench.data.augment import Augment, View
from workbench.data.catalog import Dataset
from workbench.data.clips import all_bodies, area_box, as_pose, verified
from workbench.data.spec import ClipSpec, evaluation_windows, train_window
from workbench.media import pose, video
from workbench.types import Batch, Clip, Pose, Truth


@dataclass(frozen=True)
class Sample:
    """clip: the frames as bytes; batch: the same clip (video uint8 [1,3,T,H,W], pose, label) as the loader gives it.

    pixels (space "image") and truth are in pixels of the clip, [0,W) x [0,H), on the clip's frames; None where the data
    set has none.
    """

    clip: Clip
    batch: Batch
    pixels: Pose | None
    truth: Truth | None


def sample(
    dataset: Dataset, i: int, spec: ClipSpec, window: int = 0, augment: Augment | None = None, seed: int = 0
) -> Sample:
    """Clip ``i`` of ``dataset`` as ``spec`` cuts it: number ``window`` of those that evaluation reads, or, with
    ``augment``, one that training could draw (from ``seed``). Raises ValueError where the loader would skip the clip.
    """
    info = verified(dataset, i)
    box = np.array(area_box(dataset, spec, i))
    if augment is None:
        moment, view = evaluation_windows(spec, info.frames)[window], View.plain(spec)
    else:
        rng = np.random.default_rng(seed)
        moment, view = train_window(spec, info.frames, rng), augment.draw(spec, rng)
    place = _Place(box, view, spec.area)
    frames = place.picture(video.read(info, moment.frames).frames)
    x0, y0, x1, y1 = place.source_box()
    clip = Clip(frames.transpose(1, 2, 3, 0), moment.frames, info.fps, (x0, y0, x1, y1), info.path)
    bodies = None
    if dataset.skeleton is not None:
        found = as_pose(all_bodies(dataset, spec, i), dataset, spec, moment.poses)
        bodies = (pose.mirror(found) if view.mirror else found).joints
    batch = Batch(
        video=torch.from_numpy(frames)[None],
        pose=None if bodies is None else torch.from_numpy(np.ascontiguousarray(bodies))[None],
        label=torch.from_numpy(dataset.labels[[i]]),
        ids=[dataset.ids[i]],
        frame_numbers=torch.from_numpy(moment.frames)[None],
    )
    pixels, truth = dataset.pixels(i), dataset.truth(i)
    return Sample(
        clip,
        batch,
        None if pixels is None else place.pose(pixels, moment.frames),
        None if truth is None else place.truth(truth, moment.frames, dataset.skeleton.mirror),
    )


@dataclass(frozen=True)
class _Place:
    """Source pixels -> pixels of the clip: the box that is read, its size ``area`` (h, w), and the view of that."""

    box: np.ndarray
    view: View
    area: tuple[int, int]

    def points(self, points: np.ndarray) -> np.ndarray:
        """float [...,2] in source pixels -> in pixels of the clip."""
        scale = np.array(self.area[::-1]) / (self.box[2:] - self.box[:2])
        return self.view.points((points - self.box[:2]) * scale)

    def picture(self, frames: np.ndarray) -> np.ndarray:
        """uint8 [T,h,w,3] source frames -> uint8 [3,T,H,W] of the clip."""
        out = np.empty((3, len(frames), *self.view.size), np.uint8)
        self.view.picture(video.crop(frames, self.box, self.area), out)
        return out

    def source_box(self) -> tuple[float, float, float, float]:
        """The clip's own part of the source picture."""
        scale = (self.box[2:] - self.box[:2]) / self.area[::-1]
        corner = self.box[:2] + scale * [self.view.left, self.view.top]
        return (*corner.tolist(), *(corner + scale * [self.view.columns, self.view.rows]).tolist())

    def pose(self, pixels: Pose, numbers: np.ndarray) -> Pose:
        found = pose.take(pixels, numbers)
        order = found.skeleton.mirror if self.view.mirror else np.arange(found.skeleton.count)
        joints = self.points(found.joints[:, :, order]).astype(np.float32)
        confidence = None if found.confidence is None else found.confidence[:, :, order]
        return dataclasses.replace(found, joints=joints, confidence=confidence)

    def truth(self, truth: Truth, numbers: np.ndarray, mirror: np.ndarray) -> Truth:
        # The mask goes the way of the pictures, so that it lies where the thing is seen.
        seen = dataclasses.replace(self, view=dataclasses.replace(self.view, gain=1.0, shift=0.0))
        mask = seen.picture(np.repeat(truth.mask[numbers, :, :, None] * np.uint8(255), 3, axis=3))[0] > 127
        corners = self.points(truth.box[numbers].reshape(-1, 2, 2))
        box = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        joints = truth.joints[mirror] if self.view.mirror else truth.joints
        return Truth(joints, mask, _inside(box, self.view.size), truth.interval, numbers)


def _inside(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """float32 [T,4] cut to the picture of ``size`` (H, W); NaN where nothing of it is inside."""
    height, width = size
    box = np.clip(box, 0, [width, height, width, height])
    box[(box[:, 2] <= box[:, 0]) | (box[:, 3] <= box[:, 1])] = np.nan
    return box.astype(np.float32)
