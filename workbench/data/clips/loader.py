"""Batches for a network: for one seed the same, whatever the number of processes, from any position of an epoch."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from safefiles.processes import cores
from safefiles.workers import follow
from workbench.data.clips.augment import Augment
from workbench.data.clips.clip_spec import ClipSpec, evaluation_windows
from workbench.data.clips.collate import Maker, Task, generator
from workbench.data.clips.epochs import Epochs
from workbench.data.clips.prepared_clips import Clips
from workbench.data.dataset import Dataset
from workbench.media.flow import make_solver
from workbench.types import TENSORS, Batch

#: What a batch can hold, and what it does where nothing is said.
NEEDS = frozenset({*TENSORS, "label", "segments"})
USUAL = frozenset({"video", "pose", "label"})


class Loader(Epochs):
    """The clips of ``dataset`` as batches of ``batch_size`` (of one process), cut as ``spec`` says.

    Batch: video uint8 [B,3,T,H,W]; pose float32 [B,M,t_p,V,3] in the space that spec.normalize names, 0 where a joint
    is missing; flow uint8 [B,2,T,H,W], media.flow.quantize of the motion from each frame to the next in the video;
    parts uint8 [B,K,3,T,H,W], the spec's regions of the person, black where one is never seen; rendered uint8
    [B,3,T,H,W], drawn poses; trajectories float32 [B,L,D] of the whole video, NaN where there are fewer; truth float32
    [B,T,H,W], 1 where and when the label is decided; part_truth float32 [B,K], the share of that which each region
    shows; segments, by granularity, the video, parts and pose, as far as they are needed, of the B G segments that the
    spec cuts, clip by clip; label int64 [B], ids, frame_numbers int64 [B,T]. ``Batch.to`` makes floats of bytes. What
    is not in ``needs`` is None.

    In a mirrored clip, left and right have changed names: pose, the colours of drawn limbs and the order of parts say
    left to what looks like a left hand, and flow points the other way. Trajectories are those of the file. Brightness
    and contrast change video, parts and the background of drawn poses.

    train: every epoch (``set_epoch``) has its own order, windows and augmentation, all drawn from (seed, epoch, clip);
    the clips left over by full batches are left out of that epoch. Otherwise the clips come in order, each with
    spec.windows windows, one item each: a clip's id then occurs that often, and scores are pooled over equal ids.
    shard (rank, world) gives every process its own batches, in training equally many.

    cache is a folder for decoded clips and poses, built on first use; batches with and without are the same. A clip
    that cannot be read is left out of its batch and listed in ``skipped`` as (id, reason); RuntimeError once they are
    more than one and more than ``skip_limit`` of the data set. Raises ValueError for needs that data set or loader
    cannot meet.
    """

    def __init__(
        self,
        dataset: Dataset,
        spec: ClipSpec,
        batch_size: int,
        seed: int = 0,
        train: bool = False,
        workers: int = 0,
        needs: frozenset[str] = USUAL,
        augment: Augment | None = None,
        cache: str | Path | None = None,
        skip_limit: float = 0.02,
        shard: tuple[int, int] = (0, 1),
    ) -> None:
        check_needs(dataset, spec, needs)
        _check(dataset, batch_size, train, augment, shard)
        self.dataset, self.spec, self.train, self.skip_limit = dataset, spec, train, skip_limit
        self.seed = seed
        self.skipped: list[tuple[str, str]] = []
        self._rank, self._world = shard
        self._size = min(batch_size, len(dataset) // self._world) if train else batch_size
        self._report([(dataset.ids[i], reason) for i, reason in dataset.problems.items()])
        clips = Clips(dataset, spec, needs, cache, max(workers, cores()))
        self._report([(dataset.ids[i], reason) for i, reason in clips.bad.items()])
        self._maker = Maker(clips, seed, augment)
        self._tasks: list[Task] = []
        self._pool = self._open_pool(workers) if workers else None

    def __len__(self) -> int:
        """Batches of a whole epoch in this process."""
        if self.train:
            return len(self.dataset) // (self._size * self._world)
        batches = math.ceil(len(self._windows) / self._size)
        return len(range(self._rank, batches, self._world))

    @cached_property
    def _windows(self) -> list[tuple[int, int]]:
        """(clip, number of its window), as evaluation goes through them."""
        counts = [len(evaluation_windows(self.spec, max(length, 1))) for length in self.dataset.lengths.tolist()]
        return [(i, number) for i, count in enumerate(counts) for number in range(count)]

    def __iter__(self) -> Iterator[Batch]:
        self._position, self._start = self._start, 0
        self._tasks[:] = self._epoch_tasks()[self._position :]
        batches = self._pool if self._pool is not None else map(self._maker.__getitem__, self._tasks)
        for batch, skipped in batches:
            self._position += 1
            self._report(skipped)
            if len(batch):
                yield batch

    def _epoch_tasks(self) -> list[Task]:
        items: list[tuple[int, int | None]] = [*self._windows]
        if self.train:
            order = generator(self.seed, self.epoch, "order").permutation(len(self.dataset))
            items = [(int(i), None) for i in order[: len(self) * self._size * self._world]]
        batches = [items[first : first + self._size] for first in range(0, len(items), self._size)]
        return [Task(self.epoch, batch) for batch in batches[self._rank :: self._world]]

    def _open_pool(self, workers: int) -> DataLoader:
        # A generator of its own, because a DataLoader would else draw from torch's global one and change the dropout
        # of a run that is resumed in the middle of an epoch.
        return DataLoader(
            self._maker,
            batch_size=None,
            sampler=self._tasks,
            num_workers=workers,
            persistent_workers=True,
            multiprocessing_context="forkserver",
            worker_init_fn=partial(_begin, os.getpid()),
            collate_fn=_as_is,
            generator=torch.Generator(),
        )

    def _report(self, skipped: list[tuple[str, str]]) -> None:
        reported = {name for name, _ in self.skipped}
        for name, reason in skipped:
            if name in reported:
                continue
            self.skipped.append((name, reason))
            warnings.warn(f"skipped clip {name}: {reason}", stacklevel=3)
        if len(self.skipped) > max(1, self.skip_limit * len(self.dataset)):
            name, reason = self.skipped[0]
            raise RuntimeError(
                f"{len(self.skipped)} of {len(self.dataset)} clips of {self.dataset.name} cannot be read, more than "
                f"the {self.skip_limit:.1%} that skip_limit allows; the first is {name}: {reason}"
            )


def check_needs(dataset: Dataset, spec: ClipSpec, needs: frozenset[str]) -> None:
    """ValueError, one sentence, if ``dataset`` or the loader cannot give ``needs``; ImportError if OpenCV can't."""
    title, blind = dataset.title, dataset.skeleton is None
    if unknown := sorted(set(needs) - NEEDS):
        raise ValueError(f"the loader cannot give {unknown[0]!r}; it gives: {', '.join(sorted(NEEDS))}")
    if "label" in needs and dataset.instances is not None:
        raise ValueError(f"{title} has intervals, not one label a clip: that is for detection, not for classification")
    if "pose" in needs and blind:
        raise ValueError(f"{title} has no poses, and poses are needed")
    if needs - {"pose", "label"} and len(dataset) and not any(dataset.videos):
        raise ValueError(
            f"{title} has poses and no videos, and videos are needed; agcn, pose_gru and pose_lstm read poses"
        )
    if needs & {"video", "flow", "rendered"} and spec.crop in ("person", "track") and blind:
        raise ValueError(
            f"{title} has no joints in pixels to crop the person by; use crop='frame' (--set preset.crop=frame)"
        )
    if "rendered" in needs and blind:
        raise ValueError(f"{title} has no joints in pixels to draw")
    if "parts" in needs and blind and set(spec.regions) != {"full_frame"}:
        way = "use regions=('full_frame',) (--set options.regions=[full_frame])"
        raise ValueError(f"{title} has no joints in pixels to find regions by; {way}")
    if "segments" in needs and not spec.granularities:
        raise ValueError(f"{title} is to be cut into segments: ClipSpec.granularities must say how many, got ()")
    if needs & {"truth", "part_truth"} and (not len(dataset) or dataset.truth(0) is None):
        raise ValueError(f"{title} has no known truth: only the synthetic world's clips can stand in for attention")
    if "flow" in needs:
        make_solver(spec.flow_method)


def _check(dataset: Dataset, batch_size: int, train: bool, augment: Augment | None, shard: tuple[int, int]) -> None:
    if augment is not None and not train:
        raise ValueError("augment is for training: with train=False it must be None")
    if batch_size < 1 or not 0 <= shard[0] < shard[1]:
        raise ValueError(f"batch_size must be at least 1 and shard (rank, world), got {batch_size} and {shard}")
    if len(dataset) < (shard[1] if train else 1):
        raise ValueError(f"{dataset.title} has {len(dataset)} clips, too few for {shard[1]} process(es)")


def _begin(parent: int, worker: int) -> None:
    """A worker has one thread, and ends with the process that it reads for: the server that forks it would not."""
    cv2.setNumThreads(0)
    follow(parent)


def _as_is(batch: Any) -> Any:
    return batch
