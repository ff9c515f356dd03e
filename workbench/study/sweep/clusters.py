"""Workers on other machines: those of a Dask scheduler that runs already, and those that SLURM starts."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safefiles.reading import read_yaml

if TYPE_CHECKING:
    from distributed import Client

MISSING = "sweeps on a cluster need Dask: pip install 'video-pose-workbench[batch]'"
#: Seconds that a scheduler has to answer, that pass before people are told that no worker is there yet, and between two
#: looks at SLURM's queue.
ANSWER, PATIENCE, LOOK = 10, 30, 3
COMMANDS = ("sbatch", "squeue", "scancel")


def client(address: str) -> Client:
    """Of the scheduler at ``address``; OSError, one sentence, where none answers in time, ValueError for no address."""
    from distributed import Client

    start = f"start one with `dask scheduler`, whose first lines tell its address, and give that: --scheduler {address}"
    try:
        with ThreadPoolExecutor(1) as pool:  # a notebook's own thread has a loop that runs
            kind = pool.submit(lambda: asyncio.run(asyncio.wait_for(_who(address), ANSWER))).result()
        if kind == "Scheduler":
            return Client(address, timeout=ANSWER)
    except OSError:  # a TimeoutError is one
        raise OSError(f"no Dask scheduler answers at {address} within {ANSWER} s; {start}") from None
    except (ValueError, TypeError) as problem:
        raise ValueError(f"{address!r} is no scheduler's address, such as tcp://host:8786 ({problem})") from None
    raise ValueError(f"{address} is a {kind}'s address, no scheduler's; {start}")


async def _who(address: str) -> str:
    """What answers: Scheduler or Worker. Dask's own client waits for ever for one that takes calls and says nothing."""
    from distributed.core import connect

    comm = await connect(address, timeout=ANSWER)
    try:
        await comm.write({"op": "identity", "reply": True})
        return (await comm.read())["type"]
    finally:
        comm.abort()


def first_worker(client: Client, waiting: str, jobs: Any = None) -> None:
    """Returns when the cluster has a worker. It may take as long as a queue is; after a while people are told what is
    ``waiting``. RuntimeError where all ``jobs`` (a SLURMCluster) ended and none became a worker."""
    start, announced = time.monotonic(), False
    while not client.scheduler_info()["workers"]:
        outputs = {} if jobs is None else _outputs(jobs)
        if outputs and not _queued(outputs) and not client.scheduler_info()["workers"]:
            ids, where = ", ".join(outputs), next(iter(outputs.values()))
            raise RuntimeError(f"SLURM's jobs ({ids}) ended before they could work; see their output, {where}")
        if not announced and time.monotonic() - start > PATIENCE:
            print(f"no worker after {PATIENCE} s, waiting for the first: {waiting}", file=sys.stderr, flush=True)
            announced = True
        time.sleep(LOOK)


@contextmanager
def slurm(path: str | Path, jobs: int, threads: int, gpus: int | None) -> Iterator[Any]:
    """A dask_jobqueue.SLURMCluster of so many jobs, which are submitted and end with the context.

    ``path`` is a YAML file of its arguments, such as cores, memory, queue and walltime, all of one job. A job runs as
    many rows at once as its cores have ``threads`` for, or as it has slots for ``gpus``. OSError where a command of
    SLURM is missing, ValueError for the file's faults, RuntimeError with SLURM's words where it refuses a job.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise ImportError(MISSING) from None
    options = read(path)
    if missing := [command for command in COMMANDS if shutil.which(command) is None]:
        raise OSError(
            f"--slurm needs SLURM, whose command {missing[0]} is not on this machine; start the sweep on a login node "
            "of the cluster, or leave --slurm out to use this machine alone"
        )
    rows = gpus or max(1, int(options["cores"]) // threads)
    # Each process has one row. What a row may take is SLURM's and the sweep's own business, not the worker's.
    extra = [*_lines(path, options, "worker_extra_args"), "--nthreads", "1", "--memory-limit", "0"]
    extra += ["--resources", "GPU=1"] if gpus else []
    prologue = [f"export OMP_NUM_THREADS={threads}", *_lines(path, options, "job_script_prologue")]
    fixed = {"processes": rows, "worker_extra_args": extra, "job_script_prologue": prologue}
    options.setdefault("scheduler_options", {"dashboard_address": None})  # a port that somebody else may have
    try:
        cluster = SLURMCluster(**{**options, **fixed})
    except (TypeError, ValueError, OSError) as problem:
        raise ValueError(f"{path}: {str(problem).splitlines()[0]}") from None
    with cluster:
        _accepted(path, cluster.job_script())
        cluster.scale(jobs=jobs)
        yield cluster


def _accepted(path: str | Path, script: str) -> None:
    """RuntimeError where SLURM would not take such a job; Dask would wait for it."""
    test = subprocess.run(["sbatch", "--test-only"], input=script, capture_output=True, text=True)
    if test.returncode:
        raise RuntimeError(f"SLURM refused a job made from {path}: {' '.join(test.stderr.split())}")


def read(path: str | Path) -> dict[str, Any]:
    """The arguments in ``path``; ValueError naming the file and what is wrong."""
    options = read_yaml(path)
    if not isinstance(options, dict):
        raise ValueError(f"{path} should hold the arguments of dask_jobqueue.SLURMCluster, such as cores and memory")
    for name, example in (("cores", 8), ("memory", "32GB")):
        if name not in options:
            raise ValueError(f"{path} doesn't say the {name} of a job, such as {name}: {example}")
    if type(options["cores"]) is not int or options["cores"] < 1:
        raise ValueError(f"{path}: cores should be a whole number above 0, got {options['cores']!r}")
    if not isinstance(options["memory"], str):
        raise ValueError(f"{path}: memory should have a unit, such as 32GB, got {options['memory']!r}")
    return options


def _lines(path: str | Path, options: dict[str, Any], name: str) -> list[str]:
    lines = options.pop(name, None) or []
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ValueError(f"{path}: {name} should be a list of lines, got {lines!r}")
    return lines


def _queued(ids: Iterable[str]) -> bool:
    """Whether one of the jobs waits or runs, as far as squeue knows."""
    queue = subprocess.run(["squeue", "--noheader", "--jobs", ",".join(ids)], capture_output=True, text=True)
    # squeue refuses ids that it has forgotten; another fault of its own says nothing about jobs.
    return bool(queue.stdout.strip()) if queue.returncode == 0 else "Invalid job id" not in queue.stderr


def _outputs(jobs: Any) -> dict[str, str]:
    """By its id, where SLURM puts what a job says; of those that are submitted. (A job itself, held by an exception,
    would keep the cluster from closing.)"""
    submitted = [job for job in jobs.workers.values() if job.job_id]
    return {
        str(job.job_id): f"{job.log_directory}/{job.job_name}-{job.job_id}.err"
        if job.log_directory
        else f"slurm-{job.job_id}.out"
        for job in submitted
    }
