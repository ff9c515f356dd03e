"""One clip of a data set as a ClipSpec cuts it, read from its files."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from workbench.data.clips.clip_spec import ClipSpec
from workbench.data.dataset import Dataset, Rows
from workbench.media import flow, pose, regions, trajectories, video
from workbench.media.video import VideoInfo
from workbench.types import Clip, Pose

#: Frames that are decoded at once: a whole video in its full size might not fit into memory.
PIECE = 64

#: Dense trajectories are found in pictures whose longer side is at most this, as in their paper's data.
TRAJECTORY_SIDE = 320


class Cut:
    """Clip ``i`` of ``dataset`` as ``spec`` cuts it. What is costly is found out when first asked for, and kept.

    Everything raises ValueError naming the file or clip where that can't be read, or lacks what is asked for.
    """

    def __init__(self, dataset: Dataset, spec: ClipSpec, i: int) -> None:
        self.dataset, self.spec, self.i = dataset, spec, i

    @cached_property
    def info(self) -> VideoInfo:
        """What the video file says of itself."""
        return verified(self.dataset, self.i)

    @cached_property
    def box(self) -> np.ndarray:
        """int64 [4], (x0, y0, x1, y1), whole source pixels: the clip's part of the picture and its border around it; of
        a track [n,4], one for each frame of the video.

        Any other is the same for all frames, so that what stands still does so in the clip. It looks for a person
        within the picture only, so that one who is half outside fills the clip all the same.
        """
        info, spec, name = self.info, self.spec, self.dataset.ids[self.i]
        if spec.crop in ("frame", "centre"):
            return np.array(picture_box(info, spec))
        pixels = self.dataset.framing(self.i)
        if pixels is None:
            hint = "use crop='frame' (--set preset.crop=frame)"
            raise ValueError(f"{name} has no joints in pixels to crop by; {hint}")
        if spec.crop == "track":
            return track_around(pixels, spec)
        box = box_around(pixels, info, spec)
        if box is None:
            raise ValueError(f"the person of {name} is outside of the picture in all frames")
        return np.array(box)

    def box_at(self, numbers: np.ndarray) -> np.ndarray:
        """int64 [4], of a track [T,4]: the area in the frames ``numbers``."""
        return self.box if self.box.ndim == 1 else self.box[numbers]

    def pictures(self, numbers: np.ndarray) -> np.ndarray:
        """uint8 [T,h,w,3]: the area in the frames ``numbers``; black beyond the picture."""
        return self._area(numbers, self.box_at(numbers))

    def _area(self, numbers: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """uint8 [T,h,w,3]: ``boxes``, [4] or [T,4], in the frames ``numbers``."""
        crops = [
            video.crop(frames, boxes if boxes.ndim == 1 else boxes[positions], self.spec.area)
            for positions, frames in self._read(numbers)
        ]
        return np.concatenate(crops)

    def flow(self, numbers: np.ndarray) -> np.ndarray:
        """uint8 [T,h,w,2], quantised: the area's motion from the frames ``numbers`` to those that follow them.

        In pixels of the area; the last frame of a video has the motion of the one before.
        """
        if self.info.frames < 2:
            raise ValueError(f"{self.info.path} has one frame, flow needs two")
        first, pair_of = np.unique(np.minimum(numbers, self.info.frames - 2), return_inverse=True)
        if self.box.ndim == 1:
            needed = np.union1d(first, first + 1)
            pictures, positions = self.pictures(needed), np.searchsorted(needed, first)
            before, after = pictures[positions], pictures[positions + 1]
        else:  # both frames of a pair in the first one's box: what stands still doesn't move with the track
            before, after = (self._area(numbers, self.box[first]) for numbers in (first, first + 1))
        return flow.quantize(flow.between(before, after, self.spec.flow_method))[pair_of]

    def parts(self, numbers: np.ndarray) -> np.ndarray:
        """uint8 [T,K,h,w,3]: the regions of ``spec``, each as large as the area, borders included; black if unseen."""
        crops = np.zeros((len(numbers), len(self.boxes), *self.spec.area, 3), np.uint8)
        for positions, frames in self._read(numbers):
            for k, boxes in enumerate(self.boxes):
                if boxes is not None:
                    crops[positions, k] = video.crop(frames, boxes[numbers[positions]], self.spec.area)
        return crops

    def truth(self, numbers: np.ndarray) -> np.ndarray:
        """uint8 [T,h,w]: 255 on the discriminative region in those of the frames ``numbers`` that lie in the
        discriminative moment, 0 elsewhere."""
        pictures = np.repeat(self._marked(numbers)[..., None] * np.uint8(255), 3, axis=3)
        return video.crop(pictures, self.box_at(numbers), self.spec.area)[..., 0]

    def part_truth(self, numbers: np.ndarray) -> np.ndarray:
        """float32 [T,K+1]: in each of the frames ``numbers``, how many pixels of the discriminative region in its
        moment each region shows, borders excluded, and how many there are."""
        marked = self._marked(numbers)
        counts = np.zeros((len(numbers), len(self.boxes) + 1), np.float32)
        counts[:, -1] = marked.sum((1, 2))
        for k, boxes in enumerate(self.boxes):
            if boxes is None:
                continue
            inner = _without_border(boxes[numbers], self.spec)
            for t, (left, top, right, bottom) in enumerate(inner.clip(0).tolist()):
                counts[t, k] = marked[t, top:bottom, left:right].sum()
        return counts

    def _marked(self, numbers: np.ndarray) -> np.ndarray:
        """bool [T,H,W], source pixels: the discriminative region in its moment."""
        truth = self.dataset.truth(self.i)
        if truth is None:
            raise ValueError(f"{self.dataset.ids[self.i]} has no known truth: only synthetic worlds have")
        return truth.mask[numbers] & truth.moment[numbers][:, None, None]

    def _read(self, numbers: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(positions in ``numbers``, their frames uint8 [n,H,W,3]), piece by piece."""
        film = getattr(self.dataset.reader, "film", None)
        for positions in np.array_split(np.arange(len(numbers)), math.ceil(len(numbers) / PIECE)):
            chosen = numbers[positions]
            yield positions, video.read(self.info, chosen).frames if film is None else film[chosen]

    @cached_property
    def boxes(self) -> list[np.ndarray | None]:
        """For each region int64 [n,4], source pixels, in all n frames; None if it is never seen."""
        return [self._region(name) for name in self.spec.regions]

    def _region(self, name: str) -> np.ndarray | None:
        if name == "full_frame":
            picture = np.array([0.0, 0.0, self.info.width, self.info.height])
            return _with_border(np.repeat(picture[None], self.info.frames, axis=0), self.spec)
        if name == "full_body" and self.spec.body == "crop":
            return np.broadcast_to(self.box, (self.info.frames, 4))
        try:
            main = pose.pick(self._pixels, self.order[:1])
            boxes = regions.boxes(main, name, self.spec.track_size == "clip").astype(np.float64)
            return _with_border(_widen(boxes, self.spec.size), self.spec)
        except regions.Unseen:
            return None

    @cached_property
    def bodies(self) -> np.ndarray:
        """float32 [n,M,V,3]: the M bodies that move most in all n frames, gaps filled, normalised, 0 where unknown."""
        if self.i in self.dataset.problems:
            raise ValueError(self.dataset.problems[self.i])
        body = self.dataset.body(self.i)
        if body is None or not np.isfinite(body.joints).any():
            raise ValueError(f"{self.dataset.ids[self.i]} has no pose: no joint of any person is known in any frame")
        return network_bodies(as_seen(body, self.dataset, self.spec, self.i), self.spec, self.dataset.mirrored)

    @cached_property
    def joints(self) -> np.ndarray:
        """float32 [n,M,V,2]: the ``spec.drawn`` persons that move most in all n frames, in the order of ``bodies``, in
        pixels of the area; NaN where unknown."""
        people = pose.pick(self._pixels, self.order[: self.spec.drawn])
        moved = pose.crop(people, self.box, self.spec.area).joints
        rows = np.full((moved.shape[1], self.spec.drawn, *moved.shape[2:]), np.nan, np.float32)
        rows[:, : len(moved)] = moved.swapaxes(0, 1)
        return rows

    @cached_property
    def order(self) -> np.ndarray:
        """int64: the persons in pixels, the one that moves most first; in space where the clip has the same there."""
        if len(self._pixels.joints) == 1:
            return np.zeros(1, np.int64)
        solid = self.dataset.pose(self.i)
        persons = self._pixels if solid is None else as_seen(solid, self.dataset, self.spec, self.i)
        return pose.order(persons, self._pixels)

    @cached_property
    def _pixels(self) -> Pose:
        pixels = self.dataset.pixels(self.i)
        if pixels is None:
            raise ValueError(f"{self.dataset.ids[self.i]} has no joints in pixels")
        return as_seen(pixels, self.dataset, self.spec, self.i)

    @cached_property
    def trajectories(self) -> np.ndarray:
        """float32 [1,L,D]: dense trajectories of the whole video, whole pictures; NaN where there are fewer than L."""
        info, numbers = self.info, np.arange(self.info.frames)
        shrink = min(1.0, TRAJECTORY_SIDE / max(info.width, info.height))
        size = round(info.height * shrink), round(info.width * shrink)
        frames = np.concatenate([video.resize(frames, size) for _, frames in self._read(numbers)])
        return trajectories.extract(Clip(frames, numbers, info.fps, source=info.path), self.spec.trajectories)[None]


def verified(dataset: Dataset, i: int) -> VideoInfo:
    """The facts about the video of clip i; ValueError naming the file if it is no good or not what the table says."""
    if i in dataset.problems:
        raise ValueError(dataset.problems[i])
    if not dataset.videos[i]:
        raise ValueError(f"{dataset.ids[i]} has poses and no video, and pictures are needed")
    info = video.ingest(dataset.video(i))
    if info.frames != dataset.lengths[i]:
        raise ValueError(f"{info.path} has {info.frames} frames, the table of {dataset.name} says {dataset.lengths[i]}")
    return info


def picture_box(info: VideoInfo, spec: ClipSpec) -> tuple[int, int, int, int]:
    """Without a person to follow: for the crop "centre" the largest box in the middle of the picture that has the
    area's proportions, else the whole picture and the border around it."""
    if spec.crop == "centre":
        half = np.array(spec.area[::-1]) * min(info.height / spec.area[0], info.width / spec.area[1]) / 2
        middle = np.array([info.width, info.height]) / 2
        return tuple(np.rint(np.concatenate([middle - half, middle + half])).astype(int).tolist())
    return tuple(_with_border(np.array([0.0, 0.0, info.width, info.height]), spec).tolist())


def box_around(pixels: Pose, info: VideoInfo, spec: ClipSpec) -> tuple[int, int, int, int] | None:
    """The part of the picture around the joints of all persons and frames of ``pixels``, in the clip's proportions, and
    the border around it; None if it lies outside of the picture. ValueError if no joint is known."""
    left, top, right, bottom = video.person_box(pixels, spec.margin)
    box = np.array([max(left, 0), max(top, 0), min(right, info.width), min(bottom, info.height)], float)
    return None if (box[2:] <= box[:2]).any() else tuple(_with_border(_widen(box, spec.size), spec).tolist())


def track_around(pixels: Pose, spec: ClipSpec) -> np.ndarray:
    """int64 [n,4]: the part of the picture around the joints of all persons in each frame of ``pixels``, in the clip's
    proportions, and the border around it. ValueError if no joint is known."""
    boxes = regions.person(pixels, spec.margin, spec.track_size == "clip").astype(np.float64)
    return _with_border(_widen(boxes, spec.size), spec)


def _widen(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """float [...,4] with their shorter sides (measured in sides of ``size``) widened about their middles: nothing is
    distorted."""
    shape, sides = np.array(size[::-1]), boxes[..., 2:] - boxes[..., :2]
    middle, half = (boxes[..., :2] + boxes[..., 2:]) / 2, (sides / shape).max(axis=-1, keepdims=True) * shape / 2
    return np.concatenate([middle - half, middle + half], axis=-1)


def _with_border(boxes: np.ndarray, spec: ClipSpec) -> np.ndarray:
    """float [...,4] -> int64 [...,4], grown as the clip grows to its area."""
    border = np.array(spec.pad[::-1]) / spec.size[::-1] * (boxes[..., 2:] - boxes[..., :2])
    return np.rint(np.concatenate([boxes[..., :2] - border, boxes[..., 2:] + border], axis=-1)).astype(np.int64)


def _without_border(boxes: np.ndarray, spec: ClipSpec) -> np.ndarray:
    """int64 [...,4], the clip within its area."""
    share = np.array(spec.pad[::-1]) / spec.area[::-1]
    border = share * (boxes[..., 2:] - boxes[..., :2])
    return np.rint(np.concatenate([boxes[..., :2] + border, boxes[..., 2:] - border], axis=-1)).astype(np.int64)


def network_bodies(poses: Pose, spec: ClipSpec, mirrored: bool) -> np.ndarray:
    """float32 [T,M,V,3]: the M bodies that move most in all frames of ``poses``, the most mobile first (2s-AGCN sorts
    them whether or not there are more than M), gaps filled, normalised, 0 where unknown, as the third coordinate of 2D
    joints is; ``mirrored`` as in Dataset."""
    poses = pose.fill(pose.main_person(poses, spec.persons))
    if spec.normalize != "none":
        poses = pose.normalize(poses, spec.normalize, mirrored=mirrored)
    bodies = np.zeros((poses.joints.shape[1], spec.persons, poses.skeleton.count, 3), np.float32)
    bodies[:, : len(poses.joints), :, : poses.joints.shape[3]] = poses.joints.swapaxes(0, 1)
    return np.nan_to_num(bodies, copy=False, nan=0.0)


def as_seen(poses: Pose, dataset: Rows, spec: ClipSpec, i: int) -> Pose:
    """``poses`` at the quality of ``spec``: in camera space and in pixels the same joints fail in the same frames."""
    return pose.degrade(poses, spec.pose_quality, zlib.crc32(dataset.ids[i].encode()))
