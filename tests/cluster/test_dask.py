"""``sweep --scheduler`` on workers in processes of their own, and what is said where there is none."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

from tests.cluster.conftest import ROOT
from tests.cluster.slurm import free_ports

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def address(place):
    (port,) = free_ports(1)
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    worker = ["dask_worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(place.root)]
    quiet = {"cwd": ROOT, "env": place.environment(), "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = []
    try:
        for module, *options in (scheduler, worker, worker):
            started.append(subprocess.Popen([sys.executable, "-m", f"distributed.cli.{module}", *options], **quiet))
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def test_two_workers_have_the_results_of_this_machine_alone(place, address):
    swept = place.sweep("dask", "--scheduler", address)
    assert swept.returncode == 0, swept.stderr
    place.same_as_local("dask")
    assert len(place.workers("dask")) == 2


def test_an_address_that_does_not_answer_is_said_in_time(place):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes calls and never says a word
        for port in (free_ports(1)[0], silent.getsockname()[1]):
            start = time.monotonic()
            swept = place.sweep("nobody", "--scheduler", f"tcp://127.0.0.1:{port}")
            assert swept.returncode == 1 and "Traceback" not in swept.stderr
            last = swept.stderr.strip().splitlines()[-1]
            assert last.startswith(f"workbench: no Dask scheduler answers at tcp://127.0.0.1:{port} within 10 s"), last
            assert time.monotonic() - start < 90
