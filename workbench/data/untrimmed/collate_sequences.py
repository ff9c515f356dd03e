"""Batches for detectors: sequences of snippet features, padded to the longest of a batch, with labels and a mask."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from workbench.data.clips.collate import generator
from workbench.data.clips.epochs import Epochs
from workbench.data.untrimmed.snippet_files import Snippets, check_videos, truth
from workbench.data.untrimmed.videos import Untrimmed
from workbench.types import Batch

#: In training, batches are cut out of so many batches' videos sorted by length: little padding, and still a new mixture
#: every epoch.
POOL = 8


@dataclass(frozen=True)
class Piece:
    """Snippets ``start`` to ``end`` (exclusive) of video i."""

    i: int
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


class DetectionBatches(Epochs):
    """The videos of ``data`` as batches of ``batch_size`` sequences of snippets.

    Batch: features {name: float32 [B,T,C]} by the names of ``features``, 0 where padded; label float32 [B,T,N], the
    actions in the middle of each snippet, 0 where padded; mask bool [B,T], True where a snippet is; ids; frame_numbers
    int64 [B,T], each snippet's first frame, -1 where padded. T is the longest sequence of the batch.

    train: a video of more than ``length`` snippets gives as many windows of that length as cover it, at places that are
    drawn anew every epoch (``set_epoch``); length None keeps videos whole. Windows of like length share a batch, in an
    order drawn from (seed, epoch); those left over by full batches are left out of that epoch. Otherwise videos come
    whole and in order. shard (rank, world) gives every process its own batches, in training equally many.

    Videos without features are left out, with a warning, and listed in ``skipped`` as (id, reason). Raises ValueError
    for features that are not of these videos or of different snippets, and for videos too few for the processes.
    """

    def __init__(
        self,
        data: Untrimmed,
        features: dict[str, Snippets],
        batch_size: int = 8,
        seed: int = 0,
        train: bool = False,
        length: int | None = None,
        shard: tuple[int, int] = (0, 1),
    ) -> None:
        if not features:
            raise ValueError("detection needs features of at least one kind, such as {'rgb': snippets}")
        check_videos(data, features.values())
        if batch_size < 1 or not 0 <= shard[0] < shard[1] or (length is not None and length < 1):
            raise ValueError(
                f"batch_size and length must be at least 1 and shard (rank, world), got {batch_size}, {length}, {shard}"
            )
        self.data, self.features, self.seed, self.train, self.length = data, features, seed, train, length
        bad = {i: reason for snippets in features.values() for i, reason in snippets.bad.items()}
        self.skipped = [(data.ids[i], bad[i]) for i in sorted(bad)]
        for name, reason in self.skipped:
            warnings.warn(f"skipped video {name}: {reason}", stacklevel=3)
        self._snippets = next(iter(features.values()))
        self._good = [i for i in range(len(data)) if i not in bad]
        self._rank, self._world = shard
        total = sum(self._windows(i) for i in self._good)
        if total < (self._world if train else 1):
            raise ValueError(f"{data.title} has {total} sequences for {shard[1]} processes")
        self._size = min(batch_size, total // self._world) if train else batch_size
        self._batches = total // (self._size * self._world) * self._world if train else -(-total // self._size)

    def __len__(self) -> int:
        """Batches of a whole epoch in this process."""
        return len(range(self._rank, self._batches, self._world))

    @cached_property
    def labels(self) -> list[np.ndarray]:
        """For each video bool [T,N] at the snippets' rate."""
        return truth(self.data, self._snippets)

    @cached_property
    def positives(self) -> np.ndarray:
        """int64 [N]: snippets of each class, over all videos that have features."""
        none = np.zeros(len(self.data.classes), np.int64)
        return np.sum([none, *(self.labels[i].sum(0) for i in self._good)], axis=0)

    def __iter__(self) -> Iterator[Batch]:
        self._position, self._start = self._start, 0
        for pieces in self._epoch()[self._rank :: self._world][self._position :]:
            self._position += 1
            yield self._batch(pieces)

    def _windows(self, i: int) -> int:
        count = int(self._snippets.counts[i])
        return 1 if not self.train or self.length is None else -(-count // self.length)

    def _epoch(self) -> list[list[Piece]]:
        size = self._size
        if not self.train:
            videos = [Piece(i, 0, int(self._snippets.counts[i])) for i in self._good]
            return [videos[first : first + size] for first in range(0, len(videos), size)]
        rng = generator(self.seed, self.epoch, "order")
        pieces = [piece for i in self._good for piece in self._cut(i)]
        pieces = [pieces[number] for number in rng.permutation(len(pieces))][: self._batches * size]
        batches = []
        for start in range(0, len(pieces), POOL * size):
            pool = sorted(pieces[start : start + POOL * size], key=len)
            batches += [pool[first : first + size] for first in range(0, len(pool), size)]
        return [batches[number] for number in rng.permutation(len(batches))]

    def _cut(self, i: int) -> list[Piece]:
        """The windows of video i in this epoch: one within each of equally long stretches of possible starts."""
        count, windows = int(self._snippets.counts[i]), self._windows(i)
        if windows == 1 or self.length is None:
            return [Piece(i, 0, count)]
        draws = generator(self.seed, self.epoch, "clip", i).random(windows)
        starts = ((np.arange(windows) + draws) * (count - self.length + 1) / windows).astype(int).tolist()
        return [Piece(i, start, start + self.length) for start in starts]

    def _batch(self, pieces: list[Piece]) -> Batch:
        shape = len(pieces), max(len(piece) for piece in pieces)
        features = {name: torch.zeros(*shape, snippets.channels) for name, snippets in self.features.items()}
        label = torch.zeros(*shape, len(self.data.classes))
        mask, numbers = torch.zeros(shape, dtype=torch.bool), torch.full(shape, -1, dtype=torch.int64)
        for row, piece in enumerate(pieces):
            span = slice(piece.start, piece.end)
            for name, snippets in self.features.items():
                features[name][row, : len(piece)] = torch.from_numpy(snippets.features(piece.i, piece.start, piece.end))
            label[row, : len(piece)] = torch.from_numpy(self.labels[piece.i][span])
            numbers[row, : len(piece)] = torch.from_numpy(self._snippets.starts(piece.i)[span])
            mask[row, : len(piece)] = True
        ids = [self.data.ids[piece.i] for piece in pieces]
        return Batch(features=features, label=label, mask=mask, ids=ids, frame_numbers=numbers)
