"""The splits of the data that a configuration asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.study.config.experiment import Experiment
from workbench.study.config.kinds import Data, kind_of
from workbench.study.config.train_config import TrainConfig


def open_split(config: TrainConfig | Experiment, split: str, root: str | None = None) -> Data:
    """One split of the data that are asked for, with their ``limit``. ``root``, where the data were when the run was
    made, stands in where a relative path leads nowhere from here."""
    kind: Any = kind_of(config.system)  # and data of that kind
    where = config.root
    if where is not None and root is not None and not Path(where).exists():
        where = root
    data = kind.open(config.dataset, root=where, protocol=config.protocol, split=split)
    limits = config.limit
    limit = next((n for name, n in limits.items() if name == split), None) if isinstance(limits, dict) else limits
    return data if limit is None or len(data) <= limit else data.subset(kind.some(data, limit))
