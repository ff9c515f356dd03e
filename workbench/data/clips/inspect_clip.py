"""One clip to look at: what a network is given, and where joints and truth lie in it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch

from workbench.data.clips.augment import Augment, View
from workbench.data.clips.clip_spec import ClipSpec, evaluation_windows, train_window
from workbench.data.clips.collate import Room
from workbench.data.clips.loader import USUAL, check_needs
from workbench.data.clips.prepared_clips import Clips
from workbench.data.clips.read_clip import Cut
from workbench.data.dataset import Dataset
from workbench.media import pose, video
from workbench.types import Batch, Clip, Pose, Truth


@dataclass(frozen=True)
class Sample:
    """clip: the frames as bytes; batch: the same clip, alone, as the loader gives it.

    pixels (space "image") and truth are in pixels of the clip, [0,W) x [0,H), on the clip's frames; None where the data
    set has none. pose_numbers int64 [t_p]: the frames of the source that the batch's poses are of,
    -1 for none.
    """

    clip: Clip
    batch: Batch
    pixels: Pose | None
    truth: Truth | None
    pose_numbers: np.ndarray | None = None


def sample(
    dataset: Dataset,
    i: int,
    spec: ClipSpec,
    window: int = 0,
    augment: Augment | None = None,
    seed: int = 0,
    needs: frozenset[str] | None = None,
) -> Sample:
    """Clip ``i`` of ``dataset`` as ``spec`` cuts it: number ``window`` of those that evaluation reads, or, with
    ``augment``, one that training could draw (from ``seed``).

    needs are the fields of the batch, as of ``Loader``; None: video, label and, where the data set has any, pose.
    Raises ValueError where the loader would skip the clip or refuse the needs.
    """
    if needs is None:
        needs = USUAL if dataset.skeleton else USUAL - {"pose"}
    check_needs(dataset, spec, needs)
    cut = Cut(dataset, spec, i)
    if augment is None:
        moment, view = evaluation_windows(spec, cut.info.frames)[window], View.plain(spec)
    else:
        rng = np.random.default_rng(seed)
        moment, view = train_window(spec, cut.info.frames, rng), augment.draw(spec, rng)
    clips = Clips(dataset, spec, needs | {"video"}, cache=None, workers=0)
    room = Room(clips, 1, view.size)
    room.fill(0, i, moment, view)
    placement = _Place(cut.box_at(moment.frames), view, spec.area)
    frames = np.ascontiguousarray(room.arrays["video"][0].transpose(1, 2, 3, 0))
    times = cut.info.seconds(moment.frames)
    clip = Clip(frames, moment.frames, cut.info.fps, placement.source_box(), cut.info.path, times)
    label = torch.from_numpy(dataset.labels[[i]]) if "label" in needs else None
    batch = room.batch(1).replace(label=label, ids=[dataset.ids[i]])
    pixels, truth = dataset.pixels(i), dataset.truth(i)
    return Sample(
        clip,
        batch if "video" in needs else batch.replace(video=None),
        None if pixels is None else placement.pose(pixels, moment.frames),
        None if truth is None else placement.truth(truth, moment.frames, dataset.schema.mirror),
        moment.poses,
    )


def truth_of(dataset: Dataset, i: int, spec: ClipSpec) -> Truth | None:
    """The truth of ``sample`` of clip ``i``, as evaluation first reads it; no frame is decoded. None where the data set
    has none; raises as ``sample``."""
    if (truth := dataset.truth(i)) is None:
        return None
    cut = Cut(dataset, spec, i)
    moment = evaluation_windows(spec, cut.info.frames)[0]
    placement = _Place(cut.box_at(moment.frames), View.plain(spec), spec.area)
    return placement.truth(truth, moment.frames, dataset.schema.mirror)


@dataclass(frozen=True)
class _Place:
    """Source pixels -> pixels of the clip: the box that is read, [4] or of each frame [T,4], its size ``area`` (h, w),
    and the view of that."""

    box: np.ndarray
    view: View
    area: tuple[int, int]

    def points(self, points: np.ndarray) -> np.ndarray:
        """float [T,n,2] in source pixels -> in pixels of the clip."""
        box = self.box.reshape(-1, 1, 4)
        scale = np.array(self.area[::-1]) / (box[..., 2:] - box[..., :2])
        return self.view.points((points - box[..., :2]) * scale)

    def picture(self, frames: np.ndarray) -> np.ndarray:
        """uint8 [T,h,w,3] source frames -> uint8 [3,T,H,W] of the clip."""
        out = np.empty((3, len(frames), *self.view.size), np.uint8)
        self.view.picture(video.crop(frames, self.box, self.area), out)
        return out

    def source_box(self) -> tuple[float, float, float, float] | None:
        """The clip's own part of the source picture; None for a track, whose frames have one each."""
        if self.box.ndim == 2:
            return None
        scale = (self.box[2:] - self.box[:2]) / self.area[::-1]
        corner = self.box[:2] + scale * [self.view.left, self.view.top]
        return (*corner.tolist(), *(corner + scale * [self.view.columns, self.view.rows]).tolist())

    def pose(self, pixels: Pose, numbers: np.ndarray) -> Pose:
        """``pixels``, those of the source, in the frames ``numbers``."""
        return self.view.pose(pose.crop(pose.take(pixels, numbers), self.box, self.area))

    def truth(self, truth: Truth, numbers: np.ndarray, mirror: np.ndarray) -> Truth:
        # The mask goes the way of the pictures, so that it lies where the thing is seen.
        plain = dataclasses.replace(self, view=dataclasses.replace(self.view, gain=1.0, shift=0.0))
        mask = plain.picture(np.repeat(truth.mask[numbers, :, :, None] * np.uint8(255), 3, axis=3))[0] > 127
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
