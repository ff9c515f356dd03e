"""How many processes and threads there are, and how they wait."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from safefiles import processes
from workbench.study.sweep import executors
from workbench.study.sweep.job import DONE, FAILED, Limits
from workbench.study.tables.plan import Cell


def told(code: str, **environment: str) -> str:
    """What a fresh interpreter prints, on both streams."""
    clean = {name: value for name, value in os.environ.items() if name not in (*processes.WAITING, *processes.COUNTS)}
    done = subprocess.run([sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_torchs_threads_sleep_while_they_wait():
    """GNU's OpenMP, which torch brings on Linux, says what it has read when it is loaded."""
    said = told("import workbench, torch", OMP_DISPLAY_ENV="true")
    if "OMP_WAIT_POLICY" not in said:
        pytest.skip("this torch has no GNU OpenMP")
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in said


def test_what_the_user_has_set_stays():
    code = "import os, workbench; print(os.environ['OMP_WAIT_POLICY'], os.environ['KMP_BLOCKTIME'])"
    assert told(code).split() == ["passive", "0"]
    assert told(code, OMP_WAIT_POLICY="active").split() == ["active", "0"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux says which cores a process may use")
def test_cores_are_those_that_the_process_may_use():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    assert told(code + "from safefiles.processes import cores; print(cores())").strip() == "1"


def test_threads_of_processes_are_set_for_the_time_of_the_context(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with processes.starting(3):
        assert {os.environ[name] for name in processes.COUNTS} == {"3"}
    assert os.environ["OMP_NUM_THREADS"] == "7" and "MKL_NUM_THREADS" not in os.environ


def cells(**needs: tuple[str, ...]) -> list[Cell]:
    shared = {"label": "", "notebook": "", "parameters": {}, "runs": "", "source": "", "trains": False}
    return [Cell(key=key, needs=before, **shared) for key, before in needs.items()]


def test_cells_run_side_by_side_and_after_those_they_need(monkeypatch):
    monkeypatch.setattr(executors, "cores", lambda: 2)
    together, begun, found = threading.Barrier(2, timeout=20), [], []

    def work(cell, limits, *needed):
        begun.append((cell.key, [record["key"] for record in needed], os.environ["OMP_NUM_THREADS"]))
        if cell.key in "ab":
            together.wait()  # breaks where one waits for the other's end
        return {"key": cell.key, "status": FAILED if cell.key == "a" else DONE}

    executors.side_by_side(cells(a=(), b=(), c=("a", "b"), d=("elsewhere",)), Limits(), found.append, work=work)
    assert {key: needed for key, needed, _ in begun} == {"a": [], "b": [], "c": ["a", "b"], "d": []}
    assert {count for *_, count in begun} == {"1"}
    order = [record["key"] for record in found]
    assert sorted(order) == list("abcd") and order.index("c") > max(order.index("a"), order.index("b"))


def test_a_cell_whose_record_can_not_be_written_is_told_and_the_others_go_on():
    records = []

    def work(cell, limits, *needed):
        if cell.key == "a":
            raise OSError("no space left on device")
        return {"key": cell.key, "status": DONE}

    executors.side_by_side(cells(a=(), b=()), Limits(), records.append, work=work, workers=1)
    assert [(record["key"], record["status"]) for record in records] == [("a", FAILED), ("b", DONE)]
    assert records[0]["error"] == "OSError: no space left on device"


@pytest.mark.parametrize(
    ("limits", "workers", "most"), [(Limits(threads=2), None, 1), (Limits(), None, 2), (Limits(), 1, 1)]
)
def test_no_more_cells_at_once_than_cores_or_workers(limits, workers, most, monkeypatch):
    monkeypatch.setattr(executors, "cores", lambda: 2)
    running, counts = [], []

    def work(cell, limits):
        running.append(cell.key)
        counts.append(len(running))
        time.sleep(0.02)
        running.remove(cell.key)
        return {"key": cell.key, "status": DONE}

    six = cells(**dict.fromkeys("abcdef", ()))
    executors.side_by_side(six, limits, lambda record: None, work=work, workers=workers)
    assert len(counts) == 6 and max(counts) == most


def test_an_interruption_starts_nothing_more(monkeypatch):
    monkeypatch.setattr(executors, "cores", lambda: 1)
    begun = []

    def work(cell, limits):
        begun.append(cell.key)
        return {"key": cell.key, "status": DONE}

    def finished(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executors.side_by_side(cells(a=(), b=("a",)), Limits(), finished, work=work)
    assert begun == ["a"]


def test_progress_tells_of_cells_that_run_not_of_those_that_wait(monkeypatch):
    monkeypatch.setattr(executors, "cores", lambda: 1)
    told, running = [], threading.Event()

    def work(cell, limits):
        running.wait(10)
        return {"key": cell.key, "status": DONE}

    def underway(now):
        told.append([cell.key for cell in now])
        if told[-1]:
            running.set()

    executors.side_by_side(cells(a=(), b=()), Limits(), lambda record: None, underway, work)
    assert max(map(len, told)) == 1
