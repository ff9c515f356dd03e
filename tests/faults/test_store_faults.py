"""The run store's first creation is killed, or meets what an older version left: training goes on all the same."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from workbench.study.runs import store

ROOT = Path(__file__).parents[2]
MAKE = """
import sys
from pathlib import Path
from workbench.study.runs import store
print(store._client(Path(sys.argv[1]))[1])
"""
#: Dies while MLflow sets up its tables.
DIE = """
import os, signal, sys
from pathlib import Path
import alembic.command
alembic.command.upgrade = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
import mlflow.store.db.utils as utils
inner = utils._initialize_tables
utils._initialize_tables = lambda engine: (inner(engine), os.kill(os.getpid(), signal.SIGKILL))
from workbench.study.runs import store
store._client(Path(sys.argv[1]))
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess:
    command, environment = [sys.executable, "-c", code, str(folder)], {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder.parent, env=environment)


@pytest.mark.timeout(240)
def test_a_kill_during_the_first_creation_leaves_no_store(tmp_path):
    folder = tmp_path / "runs"
    assert run(DIE, folder).returncode == -signal.SIGKILL
    assert not (folder / "mlflow.db").exists()
    done = run(MAKE, folder)
    assert done.returncode == 0 and "mlflow.db" in done.stdout, done.stderr


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["empty", "half-made", "no database"])
def test_what_is_no_store_is_set_aside_and_said(tmp_path, kind, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    file = tmp_path / "mlflow.db"
    if kind == "half-made":
        with closing(sqlite3.connect(file)) as base, base:
            base.execute("CREATE TABLE experiments (experiment_id INT)")
    else:
        file.write_bytes(b"" if kind == "empty" else b"something else" * 100)
    before = file.read_bytes()
    words = "can't be read as a run store" if kind == "no database" else "is half-made"
    with pytest.warns(UserWarning, match=rf"mlflow\.db .*{words}.*it is kept as mlflow\.unusable-.* new store is made"):
        client, _ = store._client(tmp_path)
    assert client.get_experiment_by_name(store.EXPERIMENT) is not None
    (aside,) = tmp_path.glob("mlflow.unusable-*.db")
    assert aside.read_bytes() == before
    assert not store._unusable(file) and os.path.getsize(file)
