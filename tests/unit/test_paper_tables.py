"""Every table file can be read, names systems and stages that exist, and starts its rows from one another rightly."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.study import tables
from workbench.study.config import TrainConfig
from workbench.study.optim import adapt
from workbench.study.runs import make_system

FILES = sorted((Path(__file__).parents[2] / "notebooks/ablations").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_row_can_be_configured(path):
    """The stages that a row gives epochs to, and the parts that it starts from, are the system's."""
    table = tables.read_table(path)
    for row in table.rows:
        if row.absent:
            continue
        given = {**table.base, **row.parameters}
        small = {"base": "tiny", "clip": [8, 32, 32], "width": 0.125, "output_stride": [2, 8, 8]}
        config = TrainConfig(**{**given, "init": {}, "preset": small})
        system = make_system(config, ["a", "b", "c"], "kinect_v2")
        assert adapt(system.stages(), config.model_copy(update={"init": given.get("init", {})})) is not None
        parts = dict(system.named_modules())
        assert set(given.get("init", {})) <= set(parts), f"{path.name}, {row.id}"
