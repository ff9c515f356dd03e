"""From a configuration to the clips it asks for: splits, degraded poses, loaders."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workbench.data import Augment, Dataset, Loader, open_dataset
from workbench.data.catalog import Reader
from workbench.data.spec import ClipSpec
from workbench.media import pose as poses
from workbench.study.config import TrainConfig
from workbench.types import Pose, Truth


def open_split(config: TrainConfig, split: str, root: str | None = None) -> Dataset:
    """One split of the configuration's data, with its ``limit`` and ``pose_quality``. ``root``, where the data were when
    the run was made, stands in where the configuration's own relative path leads nowhere from here."""
    where = config.root
    if where is not None and root is not None and not Path(where).exists():
        where = root
    dataset = open_dataset(config.dataset, root=where, protocol=config.protocol, split=split)
    if config.limit is not None and len(dataset) > config.limit:
        # Evenly spread, since tables are often sorted by class.
        dataset = dataset.subset([i * len(dataset) // config.limit for i in range(config.limit)])
    if config.pose_quality != "high" and dataset.skeleton is not None:
        dataset = dataclasses.replace(dataset, reader=Degraded(dataset.reader, config.pose_quality))
    return dataset


def loader(config: TrainConfig, dataset: Dataset, needs: frozenset[str], train: bool, shard: tuple[int, int]) -> Loader:
    """The configuration's batches of ``dataset``; its batch_size is shared by all processes."""
    numbers = config.numbers
    return Loader(
        dataset,
        ClipSpec(**{**numbers.cut(), **({} if train else {"windows": 1, "test_area": "centre"})}),
        batch_size=max(1, numbers.batch_size // shard[1]),
        seed=config.seed,
        train=train,
        workers=config.workers,
        needs=needs,
        augment=Augment() if train and config.augment else None,
        cache=config.cache,
        shard=shard,
    )


@dataclass(frozen=True)
class Degraded:
    """A reader whose 3D poses are as bad as ``level`` says (media.pose.degrade), the same way every time."""

    inner: Reader
    level: str

    def pose(self, row: pd.Series) -> Pose | None:
        pose = self.inner.pose(row)
        return None if pose is None else poses.degrade(pose, self.level, seed=zlib.crc32(str(row["id"]).encode()))

    def pixels(self, row: pd.Series) -> Pose | None:
        return self.inner.pixels(row)

    def truth(self, row: pd.Series) -> Truth | None:
        return self.inner.truth(row)

    def files(self, row: pd.Series) -> list[Path]:
        return self.inner.files(row)
