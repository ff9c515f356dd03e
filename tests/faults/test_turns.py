"""Two processes that want one thing at once: one makes it, the other waits, and then has it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from safefiles import locks
from workbench.study.sweep import job
from workbench.study.sweep.plan import Cell

ROOT = Path(__file__).parents[2]
TRAIN = """
import json, sys
sys.modules["mlflow"] = None
import torch
torch.set_num_threads(1)
from workbench.study import fit
from workbench.study.train import fit as fitting, loop

made = open(sys.argv[2], "a")
finish, evaluate = loop.Training._finish, fitting.evaluate
loop.Training._finish = lambda self: (made.write("trained\\n"), made.flush(), finish(self))
fitting.evaluate = lambda *own, **more: (made.write("evaluated\\n"), made.flush(), evaluate(*own, **more))
print(fit(json.loads(sys.argv[1])))
"""
PREPARE = """
import sys, time
from pathlib import Path
import numpy as np
from workbench.data.clips.cache import open_store

made = open(sys.argv[2], "a")

def make(i):
    made.write(f"{i}\\n"), made.flush(), time.sleep(0.2)
    return np.full((2, 2), i, np.int16)

print(int(open_store(Path(sys.argv[1]), "numbers", {"of": "test"}, [2] * 8, (2,), "int16", make, workers=1)[3][0, 0]))
"""
HOLD = """
import sys, time
from safefiles.locks import turn
with turn(sys.argv[1], "it"):
    print("held", flush=True)
    time.sleep(60)
"""


def start(code: str, *words: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, *words], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def both(code: str, *words: str) -> list[tuple[int, str, str]]:
    processes = [start(code, *words) for _ in range(2)]
    told = [process.communicate(timeout=240) for process in processes]
    return [(process.returncode, *words) for process, words in zip(processes, told, strict=True)]


def test_a_lock_dies_with_its_owner(tmp_path, capsys):
    holder = start(HOLD, str(tmp_path / "lock"))
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with locks.turn(tmp_path / "lock", "it") as waited:
        assert not waited
    assert not capsys.readouterr().err


def test_who_waits_says_for_what(tmp_path, capsys):
    holder = start(HOLD, str(tmp_path / "lock"))
    holder.stdout.readline()
    code = "import sys; from safefiles.locks import turn\nwith turn(sys.argv[1], 'the cell') as waited: print(waited)"
    second = start(code, str(tmp_path / "lock"))
    assert second.stderr.readline() == "the cell is being made by another process: waiting for it\n"
    holder.kill()
    assert second.communicate(timeout=60)[0] == "True\n"


@pytest.mark.timeout(280)
def test_two_trainings_of_one_run_train_and_evaluate_once(world, tmp_path):
    import json

    preset = {"base": "tiny", "batch_size": 3, "clip": [8, 32, 32], "output_stride": [4, 16, 16], "poses": 8}
    config = {"system": "pose_lstm", "root": str(world), "runs": str(tmp_path / "runs"), "cache": None}
    config |= {"progress": False, "preset": preset, "epochs": 2}
    first, second = both(TRAIN, json.dumps(config), str(tmp_path / "made"))
    assert first[0] == second[0] == 0, first[2] + second[2]
    assert first[1] == second[1] != ""
    assert sorted((tmp_path / "made").read_text().split()) == ["evaluated", "trained"]


def test_two_that_prepare_one_cache_make_each_clip_once(tmp_path):
    first, second = both(PREPARE, str(tmp_path / "cache"), str(tmp_path / "made"))
    assert [first[:2], second[:2]] == [(0, "3\n")] * 2, first[2] + second[2]
    assert sorted(map(int, (tmp_path / "made").read_text().split())) == list(range(8))


CELL = """
import json, sys
from workbench.study.sweep.job import Limits, run_cell
from workbench.study.sweep.plan import Cell
print(run_cell(Cell(**json.loads(sys.argv[1])), Limits())["numbers"])
"""


@pytest.mark.timeout(280)
def test_two_sweeps_execute_a_cell_once(tmp_path):
    import json

    book = nbformat.v4.new_notebook()
    body = (
        "import time\nfrom IPython.display import display\nopen(log, 'a').write('ran\\n')\ntime.sleep(1)\n"
        "display({'application/vnd.workbench.numbers+json': {'number': 7.0}}, raw=True)"
    )
    book.cells = [
        nbformat.v4.new_code_cell('log = ""', metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(body),
    ]
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "light.ipynb")
    about = {"key": "light-s0", "label": "light", "notebook": str(tmp_path / "light.ipynb"), "runs": str(tmp_path)}
    about |= {"parameters": {"log": str(tmp_path / "log")}, "source": "x", "trains": False}
    first, second = both(CELL, json.dumps(about))
    assert [first[:2], second[:2]] == [(0, "{'number': 7.0}\n")] * 2, first[2] + second[2]
    assert (tmp_path / "log").read_text() == "ran\n"
    # What is damaged is executed again.
    record = job.folder(Cell(**about)) / "light-s0.json"
    record.write_bytes(record.read_bytes().replace(b"7.0", b"8.0"))
    with pytest.warns(UserWarning, match="light-s0.json is damaged .*: it is kept as light-s0.damaged-.* made again"):
        assert job.done(Cell(**about)) is None
