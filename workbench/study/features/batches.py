"""Where batches come from, for each kind of data: clips are read and cut, of videos there are features of snippets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from workbench.data import ClipSpec, Dataset, DetectionBatches, Loader, Untrimmed
from workbench.data.clips.loader import check_needs
from workbench.study.config.experiment import Experiment
from workbench.study.config.kinds import CLIPS
from workbench.study.features import encoders
from workbench.study.features.extract import CACHE
from workbench.systems.common.base import System


class Batches(Protocol):
    """What both have. ``data`` are of the experiment's kind."""

    def check(self, data: Any, system: System) -> None:
        """See ``ClipBatches``."""

    def channels(self, data: Any) -> dict[str, int] | None:
        """See ``ClipBatches``."""

    def load(
        self, data: Any, wants: frozenset[str], train: bool = False, shard: tuple[int, int] = (0, 1)
    ) -> Loader | DetectionBatches:
        """See ``ClipBatches``."""


@dataclass(frozen=True)
class ClipBatches:
    """Clips that are read, or taken from the cache, and cut as the experiment says."""

    experiment: Experiment

    def check(self, data: Dataset, system: System) -> None:
        """ValueError where ``data`` can't give what ``system`` trains on."""
        check_needs(data, self.experiment.clip, system.wants(training=True))

    def channels(self, data: Dataset) -> dict[str, int] | None:
        """How many channels the features of each modality have that is read in training."""
        return None

    def load(
        self,
        data: Dataset,
        wants: frozenset[str],
        train: bool = False,
        shard: tuple[int, int] = (0, 1),
        spec: ClipSpec | None = None,
    ) -> Loader:
        """Batches of ``data`` with what a system ``wants``: for training, or in order, of one window a clip or as
        ``spec`` says. batch_size is shared by all processes."""
        experiment = self.experiment
        spec = spec or (experiment.clip if train else experiment.one_window)
        return Loader(
            data,
            spec,
            batch_size=max(1, experiment.batch_size // shard[1]),
            seed=experiment.seed,
            train=train,
            workers=experiment.workers,
            needs=wants,
            augment=experiment.augmentation if train else None,
            cache=cache_folder(experiment.cache, spec, wants),
            shard=shard,
        )


@dataclass(frozen=True)
class SnippetBatches:
    """See ``ClipBatches``; wanted are modalities, whose features are made where they are not kept yet."""

    experiment: Experiment

    def check(self, data: Untrimmed, system: System) -> None:
        """``encoders.settled`` did."""

    def channels(self, data: Untrimmed) -> dict[str, int] | None:
        """The size of each modality's features."""
        features = encoders.features(self.experiment, data, frozenset(self.experiment.snippets))
        return {name: feature.channels for name, feature in features.items()}

    def load(
        self, data: Untrimmed, wants: frozenset[str], train: bool = False, shard: tuple[int, int] = (0, 1)
    ) -> DetectionBatches:
        """mAP needs all of a pass: but for training every process reads all videos."""
        experiment = self.experiment
        features, size = encoders.features(experiment, data, wants), max(1, experiment.batch_size // shard[1])
        length, shard = (experiment.window, shard) if train else (None, (0, 1))
        return DetectionBatches(data, features, size, experiment.seed, train, length, shard)


def batches_of(experiment: Experiment) -> Batches:
    """Those of the experiment's kind of data."""
    return ClipBatches(experiment) if experiment.kind is CLIPS else SnippetBatches(experiment)


def cache_folder(cache: str | None, spec: ClipSpec, needs: frozenset[str]) -> str | None:
    """Where decoded clips are kept: "auto" is ``CACHE`` where a clip is a few frames of its video (uniform sampling) or
    what is ``needs``-ed takes longer to compute than to read, and None where it would be every frame."""
    if cache != "auto":
        return cache
    return CACHE if spec.sampling == "uniform" or needs & {"flow", "trajectories"} else None
