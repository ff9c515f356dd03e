"""The run store: one MLflow row a run, in an SQLite file beside the run folders or on a server.

MLFLOW_TRACKING_URI points it elsewhere. The folder of a run is complete without its row.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sqlite3
import time
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

from filelock import FileLock

from safefiles.drafts import replacing
from workbench.study.runs.run_folder import Run

EXPERIMENT = "workbench"
KEY = "workbench.run"
MISSING = (
    "mlflow is not installed: runs are kept as folders only (pip install 'video-pose-workbench[store]' adds the store)"
)

log = logging.getLogger(__name__)


def row_of(run: Run, tags: dict[str, Any] | None = None) -> Store:
    """The row of ``run`` in the store that belongs to its folder."""
    experiment = run.experiment
    params = experiment.identity | {"init": experiment.init}
    return Store(run.folder.parent, run.id, params, {**experiment.tags, **(tags or {})})


class Store:
    """The row of one run, made or found again. ``where`` says in words where it is."""

    def __init__(self, root: str | Path, run: str, params: dict[str, Any], tags: dict[str, Any]) -> None:
        self._client, self.where = _client(Path(root))
        if self._client is None:
            return
        experiment = self._client.get_experiment_by_name(EXPERIMENT).experiment_id
        rows = self._client.search_runs([experiment], f"tags.`{KEY}` = '{run}'", max_results=1)
        if rows:
            self._row = rows[0].info.run_id
            history = self._client.get_metric_history(self._row, "train_total")
            self._epochs = max((metric.step for metric in history), default=0)
            self._client.update_run(self._row, status="RUNNING")
            return
        row = self._client.create_run(experiment, run_name=run, tags={KEY: run, **_texts(tags)})
        self._row, self._epochs = row.info.run_id, 0
        self._log(params=_texts(params))

    def epochs(self, history: list[dict[str, Any]]) -> None:
        """Logs the epochs that are not in the store yet; call it after the checkpoint that holds them."""
        if self._client is None:
            return
        for epoch in range(self._epochs, len(history)):
            self._log(metrics=history[epoch], step=epoch + 1)
        self._epochs = max(self._epochs, len(history))

    def finish(self, metrics: dict[str, Any], status: str = "FINISHED") -> None:
        """The run's final numbers, and how it ended: FINISHED or FAILED."""
        if self._client is None:
            return
        self._log(metrics=metrics)
        self._client.set_terminated(self._row, status)

    def _log(self, params: dict[str, str] | None = None, metrics: dict[str, Any] | None = None, step: int = 0) -> None:
        from mlflow.entities import Metric, Param
        from mlflow.utils.time import get_current_time_millis

        numbers = [
            Metric(name, float(value), get_current_time_millis(), step)
            for name, value in (metrics or {}).items()
            if isinstance(value, int | float) and math.isfinite(value)
        ]
        self._client.log_batch(self._row, metrics=numbers, params=[Param(*pair) for pair in (params or {}).items()])


def _client(root: Path) -> tuple[Any, str]:
    """The MLflow client and where it writes; (None, why) where MLflow is not installed."""
    # Set before the import: MLflow else reports its use to its makers.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow import MlflowClient
    except ImportError:
        log.warning(MISSING)
        return None, MISSING
    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    root.mkdir(parents=True, exist_ok=True)
    elsewhere = os.environ.get("MLFLOW_TRACKING_URI")
    # Two processes that create one database at once break each other.
    with FileLock(root / ".mlflow.lock"):
        uri = elsewhere or _database(root)
        client = MlflowClient(tracking_uri=uri)
        if client.get_experiment_by_name(EXPERIMENT) is None:
            artifacts = None if elsewhere else root.resolve().as_uri()
            client.create_experiment(EXPERIMENT, artifact_location=artifacts)
    return client, uri


def _database(root: Path) -> str:
    """The address of the SQLite file of ``root``, which is created under another name first: a process that is killed
    while MLflow sets up its tables leaves no half-made store. One that an older version left is set aside."""
    from mlflow import MlflowClient

    file = (root / "mlflow.db").resolve()
    if file.exists() and (problem := _unusable(file)):
        aside = file.with_name(f"mlflow.unusable-{time.time_ns()}.db")
        os.replace(file, aside)
        warnings.warn(
            f"{file} {problem}: it is kept as {aside.name}, and a new store is made; runs are read from their folders, "
            "which are complete",
            stacklevel=2,
        )
    if not file.exists():
        with replacing(file) as draft:
            client = MlflowClient(tracking_uri=f"sqlite:///{draft}")
            client.create_experiment(EXPERIMENT, artifact_location=root.resolve().as_uri())
    return f"sqlite:///{file}"


def _unusable(file: Path) -> str:
    """Why a database is no run store; nothing where it is one."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as base:
            tables = {name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            complete = {"experiments", "runs", "metrics", "alembic_version"} <= tables
            complete = complete and bool(base.execute("SELECT version_num FROM alembic_version").fetchall())
            ((state, *_), *_) = base.execute("PRAGMA quick_check(1)")
    except sqlite3.Error as problem:
        return f"can't be read as a run store ({problem})"
    if complete and state != "ok":
        return f"is damaged ({state})"
    return "" if complete else "is half-made"


def _texts(values: dict[str, Any]) -> dict[str, str]:
    """Values as MLflow stores them: short texts."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    return {name: text[:5000] for name, text in texts.items()}
