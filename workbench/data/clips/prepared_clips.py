"""What goes into batches, clip by clip, from the files or from the cache: one code makes both, so the bytes agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from workbench.data.clips.cache import Store, open_store
from workbench.data.clips.clip_spec import ClipSpec, candidates
from workbench.data.clips.read_clip import Cut
from workbench.data.dataset import Dataset
from workbench.media import regions, trajectories
from workbench.types import Pose

#: Fields of ClipSpec: which frames there are, and which part of the picture, how large.
MOMENTS = ("frames", "sampling", "phases", "windows", "granularities", "segments")
AREA = ("size", "crop", "margin", "border", "track_size")
REGIONS = (*AREA, "regions", "body", "pose_quality")

#: Of so many clips what is known stays in memory where there is no cache: about 30 kB each, 1 MB with trajectories.
REMEMBERED = 2048


@dataclass(frozen=True)
class Kind:
    """Rows that a Cut gives under its ``title``, and how a cache holds them.

    per: a row for each of the "candidates" of the spec, for every one of the "frames", or one for the "clip". shape and
    dtype of a row; fields of the ClipSpec that shape its values: a change of any other leaves a cache valid, while
    another version makes old caches invisible.
    """

    per: str
    shape: Callable[[Dataset, ClipSpec], tuple[int, ...]]
    dtype: str
    fields: tuple[str, ...]
    version: int = 1


KINDS = {
    "pictures": Kind("candidates", lambda data, spec: (*spec.area, 3), "uint8", (*MOMENTS, *AREA)),
    "flow": Kind("candidates", lambda data, spec: (*spec.area, 2), "uint8", (*MOMENTS, *AREA, "flow_method")),
    "parts": Kind(
        "candidates",
        lambda data, spec: (len(spec.regions), *spec.area, 3),
        "uint8",
        (*MOMENTS, *REGIONS),
        version=2,
    ),
    "bodies": Kind(
        "frames",
        lambda data, spec: (spec.persons, data.schema.count, 3),
        "float32",
        ("normalize", "persons", "pose_quality"),
        version=3,
    ),
    "joints": Kind(
        "frames",
        lambda data, spec: (spec.drawn, data.schema.count, 2),
        "float32",
        (*AREA, "persons", "drawn_persons", "pose_quality"),
        version=2,
    ),
    "truth": Kind("candidates", lambda data, spec: spec.area, "uint8", (*MOMENTS, *AREA)),
    "part_truth": Kind("candidates", lambda data, spec: (len(spec.regions) + 1,), "float32", (*MOMENTS, *REGIONS)),
    "trajectories": Kind(
        "clip", lambda data, spec: (spec.trajectories, trajectories.DIMENSIONS), "float32", ("trajectories",)
    ),
}


def _kinds(needs: frozenset[str], spec: ClipSpec) -> list[str]:
    """What has to be known of clips for ``needs``, fields of Batch."""
    made_of = {
        "video": {"pictures"},
        "flow": {"flow"},
        "parts": {"parts"},
        "pose": {"bodies"},
        "rendered": {"joints", "pictures"} if spec.background == "frame" else {"joints"},
        "trajectories": {"trajectories"},
        "truth": {"truth"},
        "part_truth": {"part_truth"},
    }
    kinds = set().union(*(made_of.get(need, set()) for need in needs))
    return [title for title in KINDS if title in kinds]


class Clips:
    """Area pictures, flow, regions, bodies, joints, trajectories and truth of the clips of a data set, by position.

    With ``cache``, a folder, they are made once and for all by ``workers`` threads; without, on each request. stores
    are what the cache holds, by title.
    """

    def __init__(
        self, dataset: Dataset, spec: ClipSpec, needs: frozenset[str], cache: str | Path | None, workers: int
    ) -> None:
        self.dataset, self.spec, self.needs = dataset, spec, needs
        # In the mirror a left hand is a right one: both are held, whichever is asked for.
        sides = {side for name in spec.regions for side in (name, regions.MIRRORED.get(name, name))}
        self._both_sides = replace(spec, regions=tuple(name for name in regions.REGIONS if name in sides))
        self._cut = _Remembered(partial(Cut, dataset, self._both_sides))
        self.stores: dict[str, Store] = {}
        if cache is not None:
            self.stores = {title: self._open(Path(cache), title, workers) for title in _kinds(needs, spec)}

    def _open(self, cache: Path, title: str, workers: int) -> Store:
        kind, spec, data = KINDS[title], self._both_sides, self.dataset
        values = asdict(spec)
        key = {"version": kind.version, "data": data.fingerprint(), **{name: values[name] for name in kind.fields}}
        make = partial(_all_rows, data, spec, title)
        counts = [_count(kind, spec, length) for length in data.lengths.tolist()]
        name = f"{data.name}-{data.split}-{title}"
        return open_store(cache, name, key, counts, kind.shape(data, spec), kind.dtype, make, workers)

    @property
    def bad(self) -> dict[int, str]:
        """Why a clip is in no cache, by position."""
        return {i: reason for store in self.stores.values() for i, reason in store.bad.items()}

    def moments(self, title: str, i: int, numbers: np.ndarray) -> np.ndarray:
        """What ``Cut`` gives under this title of the frames ``numbers`` of clip i: "pictures" uint8 [T,h,w,3] and
        "flow" [T,h,w,2], quantised, of the area of ``spec``; "truth" [T,h,w], 255 where and when the label is decided;
        "parts" and "part_truth", of the regions of both sides."""
        if title not in self.stores:
            return getattr(self._cut(i), title)(numbers)
        rows, cached = self.stores[title][i], candidates(self.spec, self.dataset.lengths[i])
        return rows if np.array_equal(cached, numbers) else rows[np.searchsorted(cached, numbers)]

    def parts(self, i: int, numbers: np.ndarray, mirrored: bool) -> np.ndarray:
        """uint8 [K,T,h,w,3], regions in clip i; ``mirrored``: the ones that a mirror turns into those of the spec."""
        return self.moments("parts", i, numbers)[:, self._places(mirrored)].swapaxes(0, 1)

    def part_truth(self, i: int, numbers: np.ndarray, mirrored: bool) -> np.ndarray:
        """float32 [K]: the share of the pixels of clip i that decide the label, in the frames ``numbers``, that each
        region shows; ones where there is no such pixel."""
        counts = self.moments("part_truth", i, numbers).sum(axis=0)
        indices = self._places(mirrored)
        return counts[indices] / counts[-1] if counts[-1] else np.ones(len(indices), np.float32)

    def _places(self, mirrored: bool) -> list[int]:
        """Which of the regions that are held are those of the spec, seen in a mirror or not."""
        names = [regions.MIRRORED.get(name, name) if mirrored else name for name in self.spec.regions]
        return [self._both_sides.regions.index(name) for name in names]

    def bodies(self, i: int, numbers: np.ndarray) -> Pose:
        """float32 [M,t_p,V,3], the persons of clip i in the frames ``numbers``, normalised, 0 where unknown and where
        the number is -1."""
        rows = self._all_frames("bodies", i)[numbers]
        if (numbers < 0).any():
            rows = np.where(numbers[:, None, None, None] < 0, np.float32(0), rows)
        space = "camera" if self.spec.normalize == "none" else "normalised"
        return Pose(rows.swapaxes(0, 1), self.dataset.schema, space, numbers)

    def joints(self, i: int, numbers: np.ndarray) -> Pose:
        """float32 [M,T,V,2], the persons of clip i in the frames ``numbers`` that are drawn, in pixels of the area."""
        rows = self._all_frames("joints", i)[numbers].swapaxes(0, 1)
        return Pose(rows[np.isfinite(rows).any(axis=(1, 2, 3))], self.dataset.schema, "image", numbers)

    def trajectories(self, i: int) -> np.ndarray:
        """float32 [L,D], those of all of clip i, NaN where there are fewer."""
        return self._all_frames("trajectories", i)[0]

    def _all_frames(self, title: str, i: int) -> np.ndarray:
        return self.stores[title][i] if title in self.stores else getattr(self._cut(i), title)


def _all_rows(dataset: Dataset, spec: ClipSpec, title: str, i: int) -> np.ndarray:
    """All rows of clip i that a cache holds."""
    cut = Cut(dataset, spec, i)
    if KINDS[title].per != "candidates":
        return getattr(cut, title)
    return getattr(cut, title)(candidates(spec, cut.info.frames))


def _count(kind: Kind, spec: ClipSpec, length: int) -> int:
    """Rows of a clip of ``length`` frames, 0 where it can't be read."""
    if not length:
        return 0
    return {"candidates": len(candidates(spec, length)), "frames": length, "clip": 1}[kind.per]


class _Remembered:
    """``make(i)``, once for each i as long as there are not too many."""

    def __init__(self, make: Callable[[int], Cut]) -> None:
        self._make = make
        self._cuts: dict[int, Cut] = {}

    def __call__(self, i: int) -> Cut:
        if i not in self._cuts:
            if len(self._cuts) >= REMEMBERED:
                self._cuts.clear()
            self._cuts[i] = self._make(i)
        return self._cuts[i]
