"""``fit``: one configuration -> one finished run, from wherever the last attempt stopped."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from workbench import drafts
from workbench.study import files
from workbench.study.config.data_of import open_split
from workbench.study.config.train_config import TrainConfig, parse
from workbench.study.evaluate.evaluate import evaluate
from workbench.study.features import encoders
from workbench.study.runs import code_fingerprint, hardware
from workbench.study.runs.run_folder import Data, Run, create, make_system, outdated, run_of
from workbench.study.runs.store import row_of
from workbench.study.train import checkpoint
from workbench.study.train.init_weights import initialise
from workbench.study.train.loop import Training
from workbench.systems.common.base import System

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def fit(config: TrainConfig | dict[str, Any]) -> str:
    """Trains and evaluates what ``config`` describes and returns the run's id.

    A finished run of the same configuration on the same data is not repeated; one that was killed goes on from its last
    checkpoint and, on the CPU, ends with the very weights it would have had. Raises ValueError for a bad configuration,
    RuntimeError where training diverges, where another process trains this run or where too many clips are bad, OSError
    where a file can't be written.
    """
    config = parse(config)
    dataset, validation = open_split(config, "train"), open_split(config, "validation")
    config, skeleton = encoders.settled(config, dataset), dataset.skeleton.name if dataset.skeleton else None
    run = run_of(config, dataset, validation)
    if not run.finished:
        features = encoders.channels(config, dataset) if config.detects else None
        checkpoint.seed_all(config.seed)
        system = make_system(config, dataset.classes, skeleton, features)
        facts = hardware.suits(config, system) | {"init": initialise(system, config)}
        for name, account in facts["init"].items():
            tqdm.write(f"init of {name or 'the system'}: {account}", file=sys.stderr)
        fabric = hardware.make_fabric(config, facts)
        fabric.launch(_train, config, run, (dataset, validation), system, facts)
        if not fabric.is_global_zero:
            return run.id
    for split in config.evaluate:
        if not run.measured_on(split, run.dataset(split).contents):
            if split in run.metrics:
                warnings.warn(
                    f"the {split} clips have changed since {run.id} was evaluated: evaluated anew", stacklevel=2
                )
            evaluate(
                run, split, device=config.device, cache=config.cache, workers=config.workers, progress=config.progress
            )
    return run.id


def _train(
    fabric: Fabric,
    config: TrainConfig,
    run: Run,
    data: tuple[Data, Data],
    system: System,
    facts: dict[str, Any],
) -> None:
    if not fabric.is_global_zero:
        Training(fabric, config, run, data, system, facts["channels_last"], store=None).run_all()
        return
    with _alone(run):
        drafts.discard(run.folder)
        create(run, config, *data, getattr(system, "feature_channels", None))
        for sentence in outdated(run):
            warnings.warn(sentence, stacklevel=2)
        facts = {**hardware.environment(), "code": code_fingerprint.fingerprint(config.system, config.dataset), **facts}
        store = row_of(run, tags={"git": facts["git"], "precision": facts["precision"], "device": facts["device"]})
        facts["store"] = store.where
        files.write_json(run.folder / "environment.json", facts)
        try:
            training = Training(fabric, config, run, data, system, facts["channels_last"], store)
            training.run_all()
        except BaseException:
            store.finish({}, "FAILED")
            raise
        files.write_json(
            run.folder / "environment.json", {**facts, "skipped": [list(pair) for pair in training.skipped]}
        )
        store.finish({})


def _alone(run: Run) -> Any:
    """A context in which no other process trains this run; the system ends it when this process dies."""
    run.folder.mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(run.folder / ".lock").acquire(timeout=0)
    except Timeout:
        raise RuntimeError(
            f"run {run.id} is being trained by another process; wait for it or choose another seed"
        ) from None
