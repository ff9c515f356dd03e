"""Pictures and poses of single clips, decoded or from the cache: the same functions make both, so the bytes agree."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.cache import Store, open_store
from workbench.data.catalog import Dataset
from workbench.data.spec import ClipSpec, candidates
from workbench.media import pose, video
from workbench.media.video import VideoInfo
from workbench.types import Pose

#: What of a ClipSpec shapes the rows of the two caches; a change of anything else leaves them valid.
PICTURES = ("frames", "size", "sampling", "phases", "windows", "crop", "margin", "border")
BODIES = ("normalize", "persons", "pose_quality")


#: Part of every cache's name: a change of what the functions below give makes old caches invisible.
VERSION = 1

#: Of so many clips boxes and bodies stay in memory where there is no cache (about 30 kB each).
REMEMBERED = 2048


class Clips:
    """Area pictures and bodies of the clips of a data set, by position.

    With ``cache``, a folder, both are made once and for all by ``workers`` threads; without, pictures are decoded on
    each request.
    """

    def __init__(
        self, dataset: Dataset, spec: ClipSpec, needs: frozenset[str], cache: str | Path | None, workers: int
    ) -> None:
        self.dataset, self.spec, self.needs = dataset, spec, needs
        self._source = _Remembered(partial(_source, dataset, spec))
        self._made = _Remembered(partial(all_bodies, dataset, spec))
        self._frames = self._bodies = None
        if cache is not None and "video" in needs:
            counts = [len(candidates(spec, length)) if length else 0 for length in dataset.lengths]
            make = partial(all_frames, dataset, spec)
            self._frames = self._open(cache, "pictures", PICTURES, counts, (*spec.area, 3), "uint8", make, workers)
        if cache is not None and "pose" in needs:
            shape = (spec.persons, dataset.skeleton.count, 3)
            make = partial(all_bodies, dataset, spec)
            self._bodies = self._open(cache, "bodies", BODIES, dataset.lengths, shape, "float32", make, workers)

    def _open(
        self,
        cache: str | Path,
        title: str,
        fields: tuple[str, ...],
        counts: Sequence[int],
        shape: tuple[int, ...],
        dtype: str,
        make: Callable[[int], np.ndarray],
        workers: int,
    ) -> Store:
        values = asdict(self.spec)
        key = {"version": VERSION, "data": self.dataset.fingerprint(), **{name: values[name] for name in fields}}
        title = f"{self.dataset.name}-{self.dataset.split}-{title}"
        return open_store(Path(cache), title, key, counts, shape, dtype, make, workers)

    @property
    def bad(self) -> dict[int, str]:
        """Why a clip is in no cache, by position."""
        stores = [store for store in (self._frames, self._bodies) if store is not None]
        return {i: reason for store in stores for i, reason in store.bad.items()}

    def frames(self, i: int, numbers: np.ndarray) -> np.ndarray:
        """uint8 [T,h,w,3], the area of ``spec`` in the frames ``numbers`` of clip i."""
        if self._frames is None:
            return area_frames(self.spec, *self._source(i), numbers)
        rows, held = self._frames[i], candidates(self.spec, self.dataset.lengths[i])
        return rows if np.array_equal(held, numbers) else rows[np.searchsorted(held, numbers)]

    def bodies(self, i: int, numbers: np.ndarray) -> Pose:
        """float32 [M,t_p,V,3], the persons of clip i in the frames ``numbers``, normalised, 0 where unknown."""
        rows = self._made(i) if self._bodies is None else self._bodies[i]
        return as_pose(rows, self.dataset, self.spec, numbers)


class _Remembered:
    """``make(i)``, once for each i as long as there are not too many."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self._make, self._kept = make, {}

    def __call__(self, i: int) -> Any:
        if i not in self._kept:
            if len(self._kept) >= REMEMBERED:
                self._kept.clear()
            self._kept[i] = self._make(i)
        return self._kept[i]


def verified(dataset: Dataset, i: int) -> VideoInfo:
    """The facts about the video of clip i; ValueError naming the file if it is no good or not what the table says."""
    if i in dataset.problems:
        raise ValueError(dataset.problems[i])
    info = video.ingest(dataset.videos[i])
    if info.frames != dataset.lengths[i]:
        raise ValueError(f"{info.path} has {info.frames} frames, the table of {dataset.name} says {dataset.lengths[i]}")
    return info


def all_frames(dataset: Dataset, spec: ClipSpec, i: int) -> np.ndarray:
    """uint8 [n,h,w,3]: the area in every frame that a window can ask for."""
    info = verified(dataset, i)
    return area_frames(spec, info, area_box(dataset, spec, i), candidates(spec, info.frames))


def _source(dataset: Dataset, spec: ClipSpec, i: int) -> tuple[VideoInfo, tuple[int, int, int, int]]:
    return verified(dataset, i), area_box(dataset, spec, i)


def area_frames(spec: ClipSpec, info: VideoInfo, box: tuple[int, int, int, int], numbers: np.ndarray) -> np.ndarray:
    """uint8 [T,h,w,3]: the part ``box`` of the frames ``numbers``, at the area's size; black beyond the picture."""
    return video.crop(video.read(info, numbers).frames, box, spec.area)


def area_box(dataset: Dataset, spec: ClipSpec, i: int) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1), whole source pixels: the clip's part of the picture and its border around it.

    The same for all frames, so that what stands still does so in the clip. A person is looked for within the picture
    only, so that one who is half outside fills the clip all the same.
    """
    info = verified(dataset, i)
    x0, y0, x1, y1 = 0.0, 0.0, float(info.width), float(info.height)
    if spec.crop == "person":
        pixels = dataset.pixels(i)
        if pixels is None:
            raise ValueError(f"{dataset.ids[i]} has no joints in pixels to crop by; use crop='frame'")
        left, top, right, bottom = video.person_box(pixels, spec.margin)
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, x1), min(bottom, y1)
        if x1 <= x0 or y1 <= y0:
            raise ValueError(f"the person of {dataset.ids[i]} is outside of the picture in all frames")
        x0, y0, x1, y1 = _widen(x0, y0, x1, y1, spec.size)
    right, down = (pad / side for pad, side in zip(spec.pad[::-1], spec.size[::-1], strict=True))
    across, along = right * (x1 - x0), down * (y1 - y0)
    return round(x0 - across), round(y0 - along), round(x1 + across), round(y1 + along)


def _widen(x0: float, y0: float, x1: float, y1: float, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box with its shorter side (measured in sides of ``size``) widened about its middle: nothing is distorted."""
    unit = max((x1 - x0) / size[1], (y1 - y0) / size[0])
    x, y, half_width, half_height = (x0 + x1) / 2, (y0 + y1) / 2, unit * size[1] / 2, unit * size[0] / 2
    return x - half_width, y - half_height, x + half_width, y + half_height


def all_bodies(dataset: Dataset, spec: ClipSpec, i: int) -> np.ndarray:
    """float32 [n,M,V,3]: the M bodies that move most in all n frames, gaps filled, normalised, 0 where unknown.

    ValueError if the clip has no pose at all.
    """
    if i in dataset.problems:
        raise ValueError(dataset.problems[i])
    found = dataset.pose(i)
    if found is None or not np.isfinite(found.joints).any():
        raise ValueError(f"{dataset.ids[i]} has no pose: no joint of any person is known in any frame")
    if spec.pose_quality != "high":
        found = pose.degrade(found, spec.pose_quality, zlib.crc32(dataset.ids[i].encode()))
    if len(found.joints) > spec.persons:
        found = pose.main_person(found, spec.persons)
    found = pose.fill(found)
    joints = found.joints if spec.normalize == "none" else pose.normalize(found, spec.normalize).joints
    bodies = np.zeros((joints.shape[1], spec.persons, *joints.shape[2:]), np.float32)
    bodies[:, : len(joints)] = joints.swapaxes(0, 1)
    return np.nan_to_num(bodies, copy=False, nan=0.0)


def as_pose(rows: np.ndarray, dataset: Dataset, spec: ClipSpec, numbers: np.ndarray) -> Pose:
    """The frames ``numbers`` of what ``all_bodies`` gave."""
    space = "camera" if spec.normalize == "none" else "normalised"
    return Pose(rows[numbers].swapaxes(0, 1), dataset.skeleton, space, numbers)
