"""``sweep --slurm`` on a real SLURM: what it makes, what it says where it can't, and that nothing stays behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.cluster.slurm import PROGRAMS, Slurm

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

#: One job a row. interface lo: everything is on loopback here.
JOB = {"cores": 1, "memory": "1GB", "queue": "main", "walltime": "00:20:00", "interface": "lo", "death_timeout": 60}


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    if missing := [name for name in PROGRAMS if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]:
        pytest.fail(f"{missing[0]} is not installed; `make test-cluster` installs it (Debian: slurm-wlm, munge)")
    with Slurm(tmp_path_factory.mktemp("slurm")) as running:
        yield running
    assert running.leftovers() == []


def options(place, name: str, **changes: object) -> str:
    path = place.root / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**JOB, "log_directory": str(place.root / "logs"), **changes}))
    return str(path)


def test_a_sweep_under_slurm_has_the_results_of_one_on_this_machine(place, slurm):
    swept = place.sweep(
        "slurm", "--slurm", options(place, "two_jobs"), "--workers", "2", SLURM_CONF=slurm.environment["SLURM_CONF"]
    )
    assert swept.returncode == 0, swept.stderr + slurm.said()
    place.same_as_local("slurm")
    assert len(list((place.root / "logs").glob("*.err"))) == 2  # two jobs had output
    # Jobs that are ending (CG) may still be listed.
    assert slurm.run("squeue", "-h", "--states=PENDING,RUNNING") == ""


def test_what_slurm_refuses_is_said_in_its_words(place, slurm):
    swept = place.sweep(
        "refused", "--slurm", options(place, "refused", queue="nowhere"), SLURM_CONF=slurm.environment["SLURM_CONF"]
    )
    assert swept.returncode == 1 and "Traceback" not in swept.stderr
    assert "SLURM refused a job" in swept.stderr and "Invalid partition name specified" in swept.stderr


def test_jobs_that_end_before_they_work_are_said(place, slurm):
    changes = {"job_script_prologue": ["echo no such module >&2", "exit 3"]}
    swept = place.sweep(
        "ended", "--slurm", options(place, "ended", **changes), SLURM_CONF=slurm.environment["SLURM_CONF"]
    )
    assert swept.returncode == 1 and "ended before they could work" in swept.stderr, swept.stderr
    (log,) = [word for word in swept.stderr.split() if word.startswith(str(place.root / "logs"))]
    assert "no such module" in Path(log).read_text()
