"""Where cells are executed: one after the other, side by side on this machine, or by Dask on a cluster.

Every engine is a function ``(cells, limits, finished) -> None`` that calls ``finished(record)`` once a cell, in the
order in which they end. ``cells`` come in an order in which each stands after those it needs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safefiles.processes import cores, starting
from workbench.study.sweep import clusters
from workbench.study.sweep.job import FAILED, SKIPPED, Limits, Record, run_cell
from workbench.study.tables.plan import Cell

if TYPE_CHECKING:
    from distributed import Client

Work = Callable[..., Record]
Finished = Callable[[Record], None]


def serial(cells: Iterable[Cell], limits: Limits, finished: Finished, work: Work = run_cell) -> None:
    """One after the other, each notebook in a kernel of its own."""
    records: dict[str, Record] = {}
    for cell in cells:
        records[cell.key] = work(cell, limits, *[records[need] for need in cell.needs if need in records])
        finished(records[cell.key])


def side_by_side(
    cells: Iterable[Cell],
    limits: Limits,
    finished: Finished,
    underway: Callable[[list[Cell]], None] = lambda cells: None,
    work: Work = run_cell,
    workers: int | None = None,
) -> None:
    """So many ``workers`` at once on this machine, None as many as its cores have ``limits.threads`` for; the kernels
    are forked from one process, and end where this one is interrupted. A cell starts when those that it needs are done.
    ``underway`` is told every second which cells are being executed."""
    from workbench.study.notebooks import warm_kernels

    waiting = list(cells)
    records: dict[str, Record] = {}
    running: dict[Future[Record], Cell] = {}
    keys = {cell.key for cell in waiting}
    with starting(limits.threads), warm_kernels.pool(workers or max(1, cores() // limits.threads)) as pool:
        while waiting or running:
            for cell in [cell for cell in waiting if set(cell.needs) & keys <= records.keys()]:
                waiting.remove(cell)
                needed = [records[need] for need in cell.needs if need in records]
                running[pool.submit(work, cell, limits, *needed)] = cell
            underway([cell for future, cell in running.items() if future.running()])
            for future in wait(running, timeout=1, return_when=FIRST_COMPLETED).done:
                cell = running.pop(future)
                problem = future.exception()
                records[cell.key] = future.result() if problem is None else _died(cell, problem)
                finished(records[cell.key])


def distribute(
    cells: Iterable[Cell], limits: Limits, finished: Finished, client: Client, gpu: bool, work: Work = run_cell
) -> None:
    """On the workers of a running Dask cluster; a cell starts when those that it needs are done. gpu: each takes one of
    the workers' resources "GPU". A worker that dies costs one retry."""
    from distributed import as_completed

    futures: dict[str, Any] = {}
    for cell in cells:
        needed = [futures[need] for need in cell.needs if need in futures]
        futures[cell.key] = client.submit(
            work, cell, limits, *needed, key=f"{cell.key}-{limits.sweep}", resources={"GPU": 1} if gpu else None
        )
    by_future = {futures[cell.key].key: cell for cell in cells}
    for future in as_completed(futures.values()):
        problem = future.exception() if future.status == "error" else None
        finished(future.result() if problem is None else _died(by_future[future.key], problem))


def _died(cell: Cell, problem: BaseException) -> Record:
    """The record of a cell whose worker died too often or could not write, or which waited for such a one."""
    killed = type(problem).__name__ == "KilledWorker"
    failed = cell.key in str(problem) or not cell.needs
    reason = f"its worker died again and again ({problem})" if killed else f"{type(problem).__name__}: {problem}"
    error = reason if failed else f"what it starts from failed: {reason}"
    return {
        "key": cell.key,
        "label": cell.label,
        "status": FAILED if failed else SKIPPED,
        "error": error,
        "attempts": 0,
    }


@contextmanager
def cluster(
    scheduler: str | None = None,
    slurm: str | Path | None = None,
    workers: int | None = None,
    threads: int = 1,
    gpus: int | None = None,
    retries: int = 1,
) -> Iterator[Client]:
    """A client of the cluster at the address ``scheduler``, or of a new one under SLURM (``slurm`` is a YAML file, see
    ``clusters.slurm``), which ends with the context.

    workers are SLURM jobs, None one; threads what each row may use; gpus how many rows of a job may use its GPUs at
    once. ImportError in one sentence where Dask is missing, OSError where no scheduler answers or SLURM's commands are
    missing, RuntimeError where its jobs end before they work.
    """
    try:
        import dask
        from distributed import Client
    except ImportError:
        raise ImportError(clusters.MISSING) from None
    logging.getLogger("distributed").setLevel(logging.ERROR)
    settings = {"distributed.scheduler.allowed-failures": retries, "distributed.comm.timeouts.connect": "10s"}
    with dask.config.set(settings):
        if scheduler:
            with clusters.client(scheduler) as client:
                clusters.first_worker(client, f"the scheduler {scheduler} has no workers: `dask worker {scheduler}`")
                yield client
            return
        assert slurm is not None
        with clusters.slurm(slurm, workers or 1, threads, gpus) as jobs, Client(jobs) as client:
            clusters.first_worker(client, "SLURM's jobs wait for a free node: see squeue", jobs)
            # Again as many jobs where some end, at their time limit for instance.
            jobs.adapt(minimum_jobs=workers or 1, maximum_jobs=workers or 1)
            yield client
