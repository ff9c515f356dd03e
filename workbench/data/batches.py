"""One batch at a time, made from nothing but its task: whichever process makes it, it is the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from workbench.data.augment import Augment, View
from workbench.data.clips import Clips
from workbench.data.spec import evaluation_windows, train_window
from workbench.media import pose
from workbench.types import Batch

#: What random numbers are for: each use has a stream of its own.
STREAMS = {"order": 0, "clip": 1}


def generator(seed: int, epoch: int, stream: str, *more: int) -> np.random.Generator:
    """The random numbers of one use in one epoch, for ``more`` (a clip) where it has many."""
    return np.random.default_rng(np.random.SeedSequence([seed, epoch], spawn_key=(STREAMS[stream], *more)))


@dataclass(frozen=True)
class Task:
    """One batch to make: (clip, window) pairs, where window None means that training draws it."""

    epoch: int
    items: list[tuple[int, int | None]]


@dataclass(frozen=True)
class Maker:
    """``maker[task]`` is its Batch, and (id, reason) of each clip that could not be read and is not in it."""

    clips: Clips
    seed: int
    augment: Augment | None

    def __getitem__(self, task: Task) -> tuple[Batch, list[tuple[str, str]]]:
        data, arrays = self.clips.dataset, self._blank(len(task.items))
        kept, skipped = [], []
        for i, window in task.items:
            try:
                self._fill({name: array[len(kept)] for name, array in arrays.items()}, task.epoch, i, window)
                kept.append(i)
            except Exception as error:  # whatever is wrong with one file, the others go on; the loader counts
                skipped.append((data.ids[i], str(error) or type(error).__name__))
        tensors = {name: torch.from_numpy(array[: len(kept)]) for name, array in arrays.items()}
        label, ids = torch.from_numpy(data.labels[kept]), [data.ids[i] for i in kept]
        return Batch(**tensors, label=label, ids=ids), skipped

    def _blank(self, count: int) -> dict[str, np.ndarray]:
        """Room for ``count`` clips. They are written in place: a batch is too large to be copied without need."""
        spec, needs = self.clips.spec, self.clips.needs
        size = View.plain(spec).size if self.augment is None else spec.size
        arrays = {"frame_numbers": np.empty((count, spec.frames), np.int64)}
        if "video" in needs:
            arrays["video"] = np.empty((count, 3, spec.frames, *size), np.uint8)
        if "pose" in needs:
            joints = self.clips.dataset.skeleton.count
            arrays["pose"] = np.empty((count, spec.persons, spec.poses, joints, 3), np.float32)
        return arrays

    def _fill(self, arrays: dict[str, np.ndarray], epoch: int, i: int, number: int | None) -> None:
        """Writes clip i into its place of each of ``arrays``."""
        clips, spec, length = self.clips, self.clips.spec, int(self.clips.dataset.lengths[i])
        if i in clips.dataset.problems:
            raise ValueError(clips.dataset.problems[i])
        rng = generator(self.seed, epoch, "clip", i)
        window = train_window(spec, length, rng) if number is None else evaluation_windows(spec, length)[number]
        view = View.plain(spec) if self.augment is None else self.augment.draw(spec, rng)
        arrays["frame_numbers"][:] = window.frames
        if "video" in arrays:
            view.picture(clips.frames(i, window.frames), arrays["video"])
        if "pose" in arrays:
            found = clips.bodies(i, window.poses)
            arrays["pose"][:] = (pose.mirror(found) if view.mirror else found).joints
