"""What the frozen layers of an experiment make of clips: computed once, for all runs that freeze the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from workbench.nets import I3D
from workbench.study.config.experiment import Experiment
from workbench.study.features.extract import CACHE


@contextmanager
def remembered(system: nn.Module, experiment: Experiment) -> Iterator[None]:
    """A block in which each I3D of ``system`` computes once what its frozen first layers make of a clip, or reads what
    other runs made of it from the cache. For clips that come again as they are, on a processor.

    What was computed is written to the cache at the end.
    """
    frozen = experiment.procedure.frozen
    networks = [module for module in system.modules() if isinstance(module, I3D)] if frozen else []
    networks = [network for network in networks if next(network.parameters()).device.type == "cpu"]
    cache = CACHE if experiment.cache == "auto" else experiment.cache
    for network in networks:
        network.remember(frozen, None if cache is None else Path(cache, "layers"))
    try:
        yield
    finally:
        for network in networks:
            if network.memory is not None:
                network.memory.share()
            network.remember(())
