"""Every table file can be read, names systems and stages that exist, and starts its rows from one another rightly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from torch import nn

from workbench.nets import I3D
from workbench.study.config.experiment import resolve
from workbench.study.config.stages import matches
from workbench.study.config.train_config import TrainConfig
from workbench.study.runs.init_weights import fitted
from workbench.study.tables import table_file

SNIPPETS = {"rgb": 8, "flow": 8, "pose": 8}
ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "notebooks/ablations").glob("*.yaml"))
#: What `make study` runs, with frozen first layers.
(FROZEN,) = re.findall(r"^STUDY +\?= ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_row_can_be_configured(path):
    """The stages that a row gives epochs to are the system's, and the parts that it starts from fit it."""
    table = table_file.read_table(path)
    made: dict[str, nn.Module] = {}
    starts: list[tuple[str, str, str]] = []
    for row in table.rows:
        if row.absent:
            continue
        given = {**table.base, **row.parameters}
        small = {"base": "tiny", "clip": [8, 32, 32], "width": 0.125, "output_stride": [2, 8, 8]}
        config = TrainConfig(**{**given, "init": {}, "preset": small})
        system = made[row.id] = resolve(config, ["a", "b", "c"], "kinect_v2", SNIPPETS).build()
        assert resolve(config.model_copy(update={"init": given.get("init", {})})).stages(system) is not None
        starts += [(row.id, part, source) for part, source in given.get("init", {}).items()]
    for row, part, source in starts:
        mine = made[row].get_submodule(part)
        if source.startswith("row:"):
            _, other, *inside = source.split(":")
            theirs = made[other].get_submodule(inside[0] if inside else part)
            fitted(mine, theirs.state_dict())  # ValueError where the part does not start from it
    if path.stem in FROZEN.split():
        for row, system in made.items():
            parts = [part for other, part, _ in starts if other == row]
            networks = [name for name, module in system.named_modules() if isinstance(module, I3D)]
            assert all(matches(name, parts) for name in networks), f"{row} would freeze random layers"
