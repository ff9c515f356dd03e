"""From a configuration to the clips it asks for: spec, splits, loaders."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data import Augment, ClipSpec, Dataset, Loader, Untrimmed, open_dataset, open_untrimmed
from workbench.study.config.train_config import TrainConfig
from workbench.systems import variants

CACHE = "data/cache"


def clip_spec(config: TrainConfig) -> ClipSpec:
    """How clips are cut, and how good their poses are. A system's option that has the name of a field of ClipSpec, such
    as how poses are drawn, says that too."""
    known = {field.name for field in fields(ClipSpec)}
    options = {name: option.default for name, option in variants(config.system).items()} | config.variant()
    own = {name: value for name, value in options.items() if name in known}
    return ClipSpec(**{**config.numbers.cut(), **own}, pose_quality=config.pose_quality)


def open_split(config: TrainConfig, split: str, root: str | None = None) -> Dataset | Untrimmed:
    """One split of the configuration's data, with its ``limit``. ``root``, where the data were when the run was made,
    stands in where the configuration's own relative path leads nowhere from here."""
    where = config.root
    if where is not None and root is not None and not Path(where).exists():
        where = root
    opened = open_untrimmed if config.detects else open_dataset
    dataset = opened(config.dataset, root=where, protocol=config.protocol, split=split)
    limits = config.limit
    limit = next((n for name, n in limits.items() if name == split), None) if isinstance(limits, dict) else limits
    if limit is None or len(dataset) <= limit:
        return dataset
    return dataset.subset(_some(dataset, limit))


def _some(dataset: Dataset | Untrimmed, count: int) -> list[int]:
    """Positions of ``count`` clips, drawn with a fixed seed and as many of each class as of any other; of videos
    without one class, evenly spread."""
    if isinstance(dataset, Untrimmed):
        return [i * len(dataset) // count for i in range(count)]
    drawn = np.random.default_rng(0).permutation(len(dataset))
    turn = pd.Series(dataset.labels[drawn]).groupby(dataset.labels[drawn]).cumcount()
    return sorted(drawn[np.argsort(turn, kind="stable")[:count]].tolist())


def cache_folder(cache: str | None, spec: ClipSpec, needs: frozenset[str]) -> str | None:
    """Where decoded clips are kept: "auto" is ``CACHE`` where a clip is a few frames of its video (uniform sampling) or
    what is ``needs``-ed takes longer to compute than to read, and None where it would be every frame."""
    if cache != "auto":
        return cache
    return CACHE if spec.sampling == "uniform" or needs & {"flow", "trajectories"} else None


def loader(config: TrainConfig, dataset: Dataset, needs: frozenset[str], train: bool, shard: tuple[int, int]) -> Loader:
    """The configuration's batches of ``dataset``, for training or, one window a clip, for validation; batch_size is
    shared by all processes."""
    spec = clip_spec(config)
    return Loader(
        dataset,
        spec if train else replace(spec, windows=1, test_area="centre"),
        batch_size=max(1, config.numbers.batch_size // shard[1]),
        seed=config.seed,
        train=train,
        workers=config.workers,
        needs=needs,
        augment=Augment() if train and config.augment else None,
        cache=cache_folder(config.cache, spec, needs),
        shard=shard,
    )
