"""Sweeps that are killed, limited, distributed by hand or too large: the table is the same, nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from workbench.study.notebooks import warm_kernels
from workbench.study.sweep import sweep as sweeping
from workbench.study.sweep.job import DONE, FAILED, SKIPPED, Limits, run_cell
from workbench.study.tables.plan import Cell

pytestmark = [pytest.mark.xdist_group("sweep"), pytest.mark.timeout(240)]
pytest.importorskip("distributed")

#: Writes down that it ran, waits, and shows a number.
BODY = """
import os, time
from IPython.display import display
with open(log, "a") as file:
    file.write(f"{name} {seed} {os.getppid()}\\n")
told = "/proc/self/environ"  # what the process began with
if os.path.exists(told) and b"MALLOC_TRIM" in open(told, "rb").read():
    raise ValueError("Dask's setting makes freed memory go back at once, which slows training")
if name == "fails":
    raise ValueError("a row that fails")
if name == "eats":
    block = bytearray(b"x") * (1 << 30); time.sleep(30)
time.sleep(wait)
display({"application/vnd.workbench.numbers+json": {"number": value + seed}}, raw=True)
"""


@pytest.fixture
def place(tmp_path):
    book = nbformat.v4.new_notebook()
    defaults = 'log = ""\nname = ""\nvalue = 0.0\nwait = 0.0\nseed = 0'
    book.cells = [
        nbformat.v4.new_code_cell(defaults, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(BODY),
    ]
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "light.ipynb")
    return tmp_path


def _table(place: Path, *rows: str, **more: object) -> Path:
    path = place / "table.yaml"
    lines = [
        {"id": row, "label": row, "notebook": str(place / "light.ipynb"),
         "parameters": {"log": str(place / "log"), "name": row, "value": float(i), **more}}
        for i, row in enumerate(rows)
    ]  # fmt: skip
    columns = [{"metric": "number", "label": "number", "unit": "words"}]
    base = {"runs": str(place / "runs")}
    path.write_text(json.dumps({"title": "Light rows", "base": base, "columns": columns, "rows": lines}))
    return path


def _log(place: Path) -> list[str]:
    path = place / "log"
    return [line.rpartition(" ")[0] for line in path.read_text().splitlines()] if path.is_file() else []


def test_rows_that_fail_or_take_too_much_are_told_and_the_others_done(place):
    path = _table(place, "good", "fails", "eats")
    swept = sweeping.sweep_files([path], 1, limits=Limits(memory=0.8, retries=1), workers=1, progress=False)
    found = {record["label"].split(",")[0]: record for record in swept.records}
    assert {name: record["status"] for name, record in found.items()} == {"good": DONE, "fails": FAILED, "eats": FAILED}
    assert found["fails"]["attempts"] == 2 and "a row that fails" in found["fails"]["error"]
    assert (place / "runs/cells" / found["fails"]["failed_notebook"]).is_file()
    # Again would take as much.
    assert found["eats"]["attempts"] == 1 and "more than the limit of 0.8" in found["eats"]["error"]
    assert found["good"]["numbers"] == {"number": 0.0}
    frame = swept.results[0].frame()
    assert frame["number"].tolist()[0] == 0.0 and frame["number"].isna().tolist() == [False, True, True]
    assert "failed" in swept.results[0].reason("fails", swept.results[0].table.columns[0])


def test_a_row_that_takes_too_long_is_ended(place):
    (cell,) = sweeping.read([_table(place, "slow", wait=60.0)], 1)[0].plan.cells.values()
    record = run_cell(cell, Limits(minutes=0.05))
    assert record["status"] == FAILED and record["attempts"] == 1
    assert "slow, seed 0 took more than the limit of 0.05 minutes" in record["error"]


def test_killed_in_the_middle_it_goes_on_where_it_was(place):
    path = _table(place, "a", "b", "c", wait=1.0)
    code = (
        f"from workbench.study.sweep import sweep as sweeping\nif __name__ == '__main__':\n"
        f"    sweeping.sweep_files([{str(path)!r}], 2, workers=1, progress=False)\n"
    )
    script = place / "script.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    cells = place / "runs/cells"
    _until(lambda: len(list(cells.glob("*-s[0-9]-*.json"))) >= 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {file.name: file.stat().st_mtime_ns for file in cells.glob("*-s[0-9]-*.json")}
    swept = sweeping.sweep_files([path], 2, workers=1, progress=False)
    assert len(swept.records) == 6 - len(done)
    assert all((cells / name).stat().st_mtime_ns == when for name, when in done.items())
    assert sorted(swept.results[0].frame()["number"]) == [0, 1, 1, 2, 2, 3]
    assert sweeping.sweep_files([path], 2, workers=1, progress=False).records == []


def test_side_by_side_without_dask_is_interrupted_at_once_and_goes_on(place):
    path = _table(place, "a", "b", wait=0.5)
    long = _table(place, "a", "long", wait=0.5)
    rows = json.loads(long.read_text())
    rows["rows"][1]["parameters"]["wait"] = 100.0
    long.write_text(json.dumps(rows))
    code = (
        f"from workbench.study.sweep import sweep as sweeping\nif __name__ == '__main__':\n"
        f"    sweeping.sweep({str(long)!r}, 1, engine='processes')\n"
    )
    (place / "script.py").write_text(code)
    quiet = {"stderr": subprocess.DEVNULL, "start_new_session": True}
    process = subprocess.Popen([sys.executable, str(place / "script.py")], **quiet)
    _until(lambda: list((place / "runs/cells").glob("a*.json")) or len(_log(place)) == 2)
    _until(lambda: len(_log(place)) == 2)
    parent = int((place / "log").read_text().split()[-1])
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    _until(lambda: not Path(f"/proc/{parent}").exists(), 20)  # the process that kernels are forked from
    _table(place, "a", "b", wait=0.5)
    swept = sweeping.sweep_files([path], 1, progress=False)
    assert swept.results[0].frame()["number"].tolist() == [0, 1] and not swept.failed


@pytest.mark.cluster
def test_workers_started_by_hand_give_the_same_and_one_that_is_killed_costs_a_retry(place):
    path = _table(place, "a", "b", "c", "d", wait=2.0)
    address = "tcp://127.0.0.1:18786"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    started = [subprocess.Popen([*command, "--host", "127.0.0.1", "--port", "18786", "--no-dashboard"])]
    try:
        time.sleep(2)
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
        quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "cwd": place}
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        started += [subprocess.Popen([*worker, "--no-dashboard"], env=env, **quiet) for _ in range(2)]
        code = (
            f"from workbench.study.sweep import sweep as sweeping\nif __name__ == '__main__':\n"
            f"    swept = sweeping.sweep_files([{str(path)!r}], 1, scheduler={address!r}, progress=False)\n"
            f"    assert not swept.failed, swept.failed\n"
        )
        (place / "script.py").write_text(code)
        sweep = subprocess.Popen([sys.executable, str(place / "script.py")])
        _until(lambda: len(_log(place)) >= 2)
        started[1].kill()
        assert sweep.wait(120) == 0
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
    swept = sweeping.read([path], 1)[0]
    assert swept.frame()["number"].tolist() == [0, 1, 2, 3]
    records = [swept.cell_record(key) for key in swept.plan.cells]
    assert sorted(record["attempts"] for record in records) == [1, 1, 1, 2]
    # Four rows and the one that the killed worker had begun.
    assert len(_log(place)) == 5


def nothing(cell: Cell, limits: Limits, *needed: dict) -> dict:
    return {"key": cell.key, "label": cell.label, "status": DONE}


def test_a_thousand_rows_are_scheduled_in_seconds(place):
    path = _table(place, *[f"row{i}" for i in range(1000)])
    start = time.monotonic()
    swept = sweeping.sweep_files([path], 1, workers=1, progress=False, work=nothing)
    assert len(swept.records) == 1000 and time.monotonic() - start < 60


def test_rows_that_start_from_one_that_failed_are_skipped():
    from workbench.study.sweep.executors import serial

    def work(cell, limits, *needed):
        broken = any(record["status"] != DONE for record in needed)
        return {"key": cell.key, "status": SKIPPED if broken else FAILED if cell.key == "a" else DONE}

    shared = {"label": "", "notebook": "", "parameters": {}, "runs": "", "source": "", "trains": False}
    cells = [Cell(key="a", **shared), Cell(key="b", needs=("a",), **shared), Cell(key="c", **shared)]
    found = []
    serial(cells, Limits(), found.append, work)
    assert [record["status"] for record in found] == [FAILED, SKIPPED, DONE]


def test_a_kernel_that_has_just_begun_ends_with_the_process_that_it_was_forked_from(place):
    source = warm_kernels.Warm((), 1)
    kernel = source.ask(what="start", command=["-f", str(place / "none.json")], env=dict(os.environ), folder=str(place))
    source._process.kill()  # it has not imported what it is to become
    source._process.wait()
    _until(lambda: not Path(f"/proc/{kernel}").exists(), 10)


def _until(true, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
