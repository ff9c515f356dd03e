"""A small, seeded slice of the fault campaign; ``python tests/faults/campaign.py --count 400`` is the whole of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(240)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="commands run in forks")
def test_nothing_is_lost_and_nothing_is_silently_wrong():
    commands = "prepare,shards,synth,train,gallery,new"
    command = [sys.executable, "-W", "ignore", str(ROOT / "tests/faults/campaign.py"), "--only", commands]
    command += ["--count", "12", "--seed", "5", "--minutes", "0.3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NO_MOUNT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=230)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 found" in done.stdout
