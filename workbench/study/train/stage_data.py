"""What a stage learns from: batches of clips, or of what its frozen parts made of each clip once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor
from tqdm import tqdm

from safefiles import checksums
from safefiles.reading import reading
from workbench.data import DetectionBatches, Loader
from workbench.data.clips.collate import generator
from workbench.data.clips.epochs import Epochs
from workbench.study import files
from workbench.study.config.experiment import Experiment
from workbench.study.config.kinds import Data
from workbench.study.features.batches import batches_of
from workbench.systems.common.base import Stage, System
from workbench.types import Batch


class Kept(Epochs):
    """``Loader``'s interface over features that are in memory: batches with ``features``, label and ids.

    In training every epoch has its own order and leaves out what is left over by full batches; otherwise the clips
    come in order. Each of the ``shard`` (rank, world) processes gets equally many batches in training.
    """

    def __init__(
        self, path: Path, batch_size: int, seed: int = 0, train: bool = False, shard: tuple[int, int] = (0, 1)
    ) -> None:
        with reading(path, "features", "delete it, and they are made again"), safe_open(path, "pt") as file:
            self._tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
            facts = file.metadata()
            self._ids, self.skipped = json.loads(facts["ids"]), [tuple(pair) for pair in json.loads(facts["skipped"])]
            self._label = self._tensors.pop("label")
        self.seed, self.train, self._rank, self._world = seed, train, *shard
        self._size = min(batch_size, len(self._ids) // self._world) if train else batch_size

    def __len__(self) -> int:
        batches = len(self._ids) // (self._size * self._world) if self.train else -(-len(self._ids) // self._size)
        return batches if self.train else len(range(self._rank, batches, self._world))

    def __iter__(self) -> Iterator[Batch]:
        order = torch.arange(len(self._ids))
        if self.train:
            order = torch.from_numpy(generator(self.seed, self.epoch, "order").permutation(len(self._ids)))
            order = order[: len(self) * self._size * self._world]
        batches = order.split(self._size)[self._rank :: self._world]
        self._given, self._start = self._start, 0
        for rows in batches[self._given :]:
            self._given += 1
            features = {name: tensor[rows] for name, tensor in self._tensors.items()}
            yield Batch(features=features, label=self._label[rows], ids=[self._ids[i] for i in rows])


@dataclass(frozen=True)
class Feed:
    """The batches of a stage; validation is None without validation clips."""

    train: Loader | Kept | DetectionBatches
    validation: Loader | Kept | DetectionBatches | None

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """The clips that couldn't be read, each with the reason."""
        return self.train.skipped + (self.validation.skipped if self.validation else [])


def feed(
    experiment: Experiment,
    datasets: dict[str, Data],
    module: System,
    stage: Stage,
    shard: tuple[int, int],
    folder: Path,
    device: torch.device,
) -> Feed:
    """What ``stage`` trains ``module`` on, of the splits "train" and "validation" that have clips. A stage that is
    solved gets its training clips in order, once, and all of them in every process. Features are kept in ``folder``."""
    shard = (0, 1) if stage.solve else shard
    batches, size = batches_of(experiment), max(1, experiment.batch_size // shard[1])
    feeds: dict[str, Loader | Kept | DetectionBatches] = {}
    for split, data in datasets.items():
        train = split == "train" and not stage.solve
        if not stage.cached:
            feeds[split] = batches.load(data, module.wants(split == "train", stage), train, shard)
            continue
        path = folder / f"{stage.name.replace('/', '-')}_{split}.safetensors"
        if not checksums.intact(path):
            clips = batches.load(data, module.wants(training=False))
            encode(module, getattr(module, stage.cached), clips, device, path, not experiment.progress)
        feeds[split] = Kept(path, size, experiment.seed, train, shard)
    return Feed(feeds["train"], feeds.get("validation"))


def encode(
    module: System,
    method: Callable[[Batch], dict[str, Tensor]],
    clips: Loader | DetectionBatches,
    device: torch.device,
    path: Path,
    quiet: bool,
) -> None:
    """Writes ``method`` of every batch of ``clips`` to ``path``, in evaluation mode and fp32, as evaluation reads
    clips."""
    module.eval()
    rows: dict[str, list[Tensor]] = {}
    ids: list[str] = []
    with torch.no_grad():
        for batch in tqdm(clips, desc=f"features {path.stem}", unit="batch", disable=quiet):
            ids += batch.ids
            for name, value in {**method(batch.to(device)), "label": batch.label}.items():
                rows.setdefault(name, []).append(value.cpu())
    if not ids:
        raise RuntimeError(f"not one clip could be read for the features {path.name}")
    tensors = {name: torch.cat(values).contiguous() for name, values in rows.items()}
    files.write(path, save(tensors, {"ids": json.dumps(ids), "skipped": json.dumps(clips.skipped)}))
