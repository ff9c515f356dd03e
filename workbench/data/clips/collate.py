"""One batch at a time, made from nothing but its task: whichever process makes it, it is the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from workbench.data.clips.augment import Augment, View
from workbench.data.clips.cache import DamagedCache
from workbench.data.clips.clip_spec import Window, evaluation_windows, train_window
from workbench.data.clips.prepared_clips import Clips
from workbench.media import rendering
from workbench.media.trajectories import DIMENSIONS
from workbench.types import Batch

#: What random numbers are for: each use has a stream of its own.
STREAMS = {"order": 0, "clip": 1}
#: What is made of segments too.
SEGMENTED = frozenset({"video", "parts", "pose"})


def generator(seed: int, epoch: int, stream: str, *more: int) -> np.random.Generator:
    """The random numbers of one use in one epoch, for ``more`` (a clip) where it has many."""
    return np.random.default_rng(np.random.SeedSequence([seed, epoch], spawn_key=(STREAMS[stream], *more)))


@dataclass(frozen=True)
class Task:
    """One batch to make: (clip, window) pairs, where window None means that training draws it."""

    epoch: int
    items: list[tuple[int, int | None]]


@dataclass(frozen=True)
class Maker(torch.utils.data.Dataset):
    """``maker[task]`` is its Batch, and (id, reason) of each clip that could not be read and is not in it."""

    clips: Clips
    seed: int
    augment: Augment | None

    def __getitem__(self, task: Task) -> tuple[Batch, list[tuple[str, str]]]:
        clips, data = self.clips, self.clips.dataset
        size = View.plain(clips.spec).size if self.augment is None else clips.spec.size
        room = Room(clips, len(task.items), size)
        filled: list[int] = []
        skipped: list[tuple[str, str]] = []
        for i, window in task.items:
            try:
                room.fill(len(filled), i, *self._look(task, i, window))
                filled.append(i)
            except DamagedCache:
                raise
            except Exception as error:  # whatever is wrong with one file, the others go on; the loader counts
                skipped.append((data.ids[i], str(error) or type(error).__name__))
        label, ids = torch.from_numpy(data.labels[filled]), [data.ids[i] for i in filled]
        return room.batch(len(filled)).replace(label=label, ids=ids), skipped

    def _look(self, task: Task, i: int, number: int | None) -> tuple[Window, View]:
        """When and where the batch looks at clip i."""
        spec, length = self.clips.spec, int(self.clips.dataset.lengths[i])
        if i in self.clips.dataset.problems:
            raise ValueError(self.clips.dataset.problems[i])
        rng = generator(self.seed, task.epoch, "clip", i)
        window = train_window(spec, length, rng) if number is None else evaluation_windows(spec, length)[number]
        return window, View.plain(spec) if self.augment is None else self.augment.draw(spec, rng)


class Room:
    """Room for ``count`` clips of ``size`` (H, W) with all that ``clips`` are needed for."""

    def __init__(self, clips: Clips, count: int, size: tuple[int, int]) -> None:
        self.clips, self.arrays = clips, blank(clips, count, size)
        cut = clips.spec.granularities if "segments" in clips.needs else ()
        self.segments = {g: blank(clips, count * g, size, SEGMENTED) for g in cut}

    def fill(self, slot: int, i: int, window: Window, view: View) -> None:
        """Writes clip i, and its segments, to be the clip at ``slot``."""
        fill({name: array[slot] for name, array in self.arrays.items()}, self.clips, i, window, view)
        for g, arrays in self.segments.items():
            for j, part in enumerate(window.segments[g]):
                fill({name: array[slot * g + j] for name, array in arrays.items()}, self.clips, i, part, view)

    def batch(self, count: int) -> Batch:
        """The first ``count`` clips, without labels."""
        segments = {g: Batch().replace(**_tensors(arrays, count * g)) for g, arrays in self.segments.items()}
        return Batch(segments=segments or None).replace(**_tensors(self.arrays, count))


def _tensors(arrays: dict[str, np.ndarray], count: int) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array[:count]) for name, array in arrays.items()}


def blank(
    clips: Clips, count: int, size: tuple[int, int], names: frozenset[str] | None = None
) -> dict[str, np.ndarray]:
    """Room for what ``clips`` are needed for, by fields of Batch (of ``names`` alone), of ``count`` clips of ``size``
    (H, W)."""
    needs = clips.needs if names is None else clips.needs & names
    spec = clips.spec
    joints = clips.dataset.skeleton.count if clips.dataset.skeleton else 0
    shapes = {
        "video": (np.uint8, (3, spec.frames, *size)),
        "flow": (np.uint8, (2, spec.frames, *size)),
        "parts": (np.uint8, (len(spec.regions), 3, spec.frames, *size)),
        "rendered": (np.uint8, (3, spec.frames, *size)),
        "pose": (np.float32, (spec.persons, spec.poses, joints, 3)),
        "trajectories": (np.float32, (spec.trajectories, DIMENSIONS)),
        "truth": (np.float32, (spec.frames, *size)),
        "part_truth": (np.float32, (len(spec.regions),)),
    }
    arrays = {name: np.empty((count, *shape), dtype) for name, (dtype, shape) in shapes.items() if name in needs}
    return {**arrays, "frame_numbers": np.empty((count, spec.frames), np.int64)}


def fill(arrays: dict[str, np.ndarray], clips: Clips, i: int, window: Window, view: View) -> None:
    """Writes clip i, in place: a batch is too large to be copied without need. Each of ``arrays`` is the clip's own."""
    arrays["frame_numbers"][:] = numbers = window.frames
    if "video" in arrays:
        view.picture(clips.moments("pictures", i, numbers), arrays["video"])
    if "flow" in arrays:
        view.flow(clips.moments("flow", i, numbers), arrays["flow"])
    if "parts" in arrays:
        for region, out in zip(clips.parts(i, numbers, view.mirror), arrays["parts"], strict=True):
            view.picture(region, out)
    if "rendered" in arrays:
        _draw(clips, i, numbers, view, arrays["rendered"])
    if "pose" in arrays:
        arrays["pose"][:] = view.bodies(clips.bodies(i, window.poses)).joints
    if "truth" in arrays:
        arrays["truth"][:] = view.mask(clips.moments("truth", i, numbers))
    if "part_truth" in arrays:
        arrays["part_truth"][:] = clips.part_truth(i, numbers, view.mirror)
    if "trajectories" in arrays:
        arrays["trajectories"][:] = clips.trajectories(i)


def _draw(clips: Clips, i: int, numbers: np.ndarray, view: View, out: np.ndarray) -> None:
    """Poses drawn on what the network would see: ``out`` uint8 [3,T,H,W], overwritten.

    Drawn last of all, so that brightness leaves the colours alone and a left arm has its colour in the mirror too.
    """
    spec = clips.spec
    if spec.background == "frame":
        view.picture(clips.moments("pictures", i, numbers), out)
    # draw makes a canvas of its own: black needs the frames' size only.
    drawn = rendering.draw(
        out.transpose(1, 2, 3, 0),
        view.pose(clips.joints(i, numbers)),
        spec.background,
        spec.marker,
        spec.colors,
        spec.ratio_aware,
    )
    out[:] = drawn.transpose(3, 0, 1, 2)
