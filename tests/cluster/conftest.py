"""A table of two rows on a few clips, swept by the command as people type it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from tests.fixtures import fake_synthadl
from tests.tiny_runs import PRESET
from workbench.study.runs.find_runs import finished
from workbench.study.runs.run_folder import Run

ROOT = Path(__file__).parents[2]
ROWS = {"rgb": {"system": "rgb", "epochs": 1}, "poses": {"system": "pose_lstm", "epochs": 1}}
WORKBENCH = [sys.executable, "-m", "workbench"]


class Place:
    """A folder with a world, a table of two rows, and the run stores of its sweeps."""

    def __init__(self, root: Path) -> None:
        self.root, self.table = root, root / "two_rows.yaml"
        self.world = fake_synthadl(root / "world", actions=4, subjects=4, views=2, frames=16)
        rows = [{"id": name, "label": name, "parameters": parameters} for name, parameters in ROWS.items()]
        base = {"root": str(self.world), "preset": PRESET}
        columns = [{"metric": "top1", "label": "top-1"}]
        self.table.write_text(json.dumps({"title": "Two rows", "base": base, "columns": columns, "rows": rows}))

    def environment(self, **more: str) -> dict[str, str]:
        own = {"PYTHONPATH": str(ROOT), "WORKBENCH_CACHE": str(self.root / "records"), "OMP_NUM_THREADS": "1"}
        return {**os.environ, **own, **more}

    def sweep(self, name: str, *options: str, **environment: str) -> subprocess.CompletedProcess:
        """The command with its output, on a run store called ``name``."""
        command = [*WORKBENCH, "sweep", str(self.table), "--seeds", "1", "--runs", str(self.root / name), *options]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment(**environment), capture_output=True, text=True, timeout=400
        )

    def runs(self, name: str) -> dict[str, Run]:
        return {run.id: run for run in finished(self.root / name)}

    def same_as_local(self, name: str) -> None:
        """Every run has the weights, the history and the numbers that it has when it is trained here."""
        if not (self.root / "local").is_dir():
            assert self.sweep("local", "--workers", "1").returncode == 0
        here, there = self.runs("local"), self.runs(name)
        assert len(here) == len(ROWS) and set(here) == set(there)
        for id, run in there.items():
            expected, found = (load_file(one.folder / "weights.safetensors") for one in (here[id], run))
            assert set(found) == set(expected) and all((found[key] == expected[key]).all() for key in expected)
            histories = [one.history.drop(columns="seconds") for one in (here[id], run)]
            pd.testing.assert_frame_equal(*histories)
            assert run.metrics == here[id].metrics

    def workers(self, name: str) -> set[int]:
        """Processes that executed the cells."""
        return {json.loads(path.read_text())["worker"] for path in (self.root / name / "cells").glob("*-s[0-9]-*.json")}


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))
