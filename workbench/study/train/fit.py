"""``fit``: one configuration -> one finished run, from wherever the last attempt stopped."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

from safefiles import checksums, drafts
from safefiles.locks import turn
from workbench.data.clips.loader import check_needs
from workbench.study import files
from workbench.study.config.data_of import clip_spec, open_split
from workbench.study.config.train_config import TrainConfig, parse
from workbench.study.evaluate.evaluate import evaluate
from workbench.study.features import encoders
from workbench.study.runs import code_fingerprint, hardware
from workbench.study.runs.init_weights import initialise
from workbench.study.runs.run_folder import Data, Run, make_system
from workbench.study.runs.run_identity import create, outdated, run_of
from workbench.study.runs.store import row_of
from workbench.study.train import checkpoint, optim
from workbench.study.train.loop import Training
from workbench.systems.common.base import System

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def fit(config: TrainConfig | dict[str, Any]) -> str:
    """Trains and evaluates what ``config`` describes and returns the run's id.

    A finished run of the same configuration on the same data is not repeated; one that was killed goes on from its last
    checkpoint and, on the CPU, ends with the very weights it would have had. Where another process trains it, that one
    is waited for. What is damaged is set aside and made again (see ``mend``). Raises ValueError for a bad
    configuration, RuntimeError where training diverges or where too many clips are bad, OSError where a file can't be
    written.
    """
    config = parse(config)
    dataset, validation = open_split(config, "train"), open_split(config, "validation")
    config, skeleton = encoders.settled(config, dataset), dataset.skeleton.name if dataset.skeleton else None
    run = run_of(config, dataset, validation)
    if run.folder.is_dir() and os.environ.get("LOCAL_RANK", "0") == "0":
        with _alone(run):
            mend(run)
    if not _complete(run):
        features = encoders.channels(config, dataset) if config.detects else None
        checkpoint.seed_all(config.seed)
        system = make_system(config, dataset.classes, skeleton, features)
        _check(config, (dataset, validation), system)
        facts = hardware.suits(config, system) | {"init": initialise(system, config)}
        for name, account in facts["init"].items():
            tqdm.write(f"init of {name or 'the system'}: {account}", file=sys.stderr)
        fabric = hardware.make_fabric(config, facts)
        fabric.launch(_train, config, run, (dataset, validation), system, facts)
        if not fabric.is_global_zero:
            return run.id
    if hardware.process():
        return run.id
    if not (run.folder / "config.json").is_file():
        with _alone(run):
            create(run, config, dataset, validation, encoders.channels(config, dataset) if config.detects else None)
    for split in config.evaluate:
        if not run.measured_on(split, run.dataset(split).contents):
            with _alone(run):
                _evaluate(run, split, config)
    return run.id


def mend(run: Run) -> None:
    """Sets aside what is damaged of a run's files, each named in a warning, so that it is made again: weights, history
    and what is known of the training from the checkpoint, results from the weights. Drafts of dead processes go."""
    for folder in (run.folder, run.folder / "features"):
        drafts.discard(folder)
    for path in run.made():
        checksums.intact(path)


def _complete(run: Run) -> bool:
    """Whether there is nothing to train, nor to write again from the last checkpoint."""
    told = all((run.folder / name).is_file() for name in ("config.json", "environment.json", "history.csv"))
    return run.finished and (told or not (run.folder / "checkpoint.pt").is_file())


def _evaluate(run: Run, split: str, config: TrainConfig) -> None:
    """Unless another process did meanwhile."""
    contents = run.dataset(split).contents
    if run.measured_on(split, contents):
        return
    if run.metrics.get(split, {}).get("data", contents) != contents:
        warnings.warn(f"the {split} clips have changed since {run.id} was evaluated: evaluated anew", stacklevel=3)
    evaluate(run, split, device=config.device, cache=config.cache, workers=config.workers, progress=config.progress)


def _check(config: TrainConfig, data: tuple[Data, Data], system: System) -> None:
    """ValueError for what can't be trained, before anything is written: stages that the system lacks, or what its data
    can't give."""
    optim.adapt(system.stages(), config)
    if not config.detects:
        for part in data:
            check_needs(part, clip_spec(config), system.needs_train | {"label"})


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
        if _complete(run):  # by the process that was waited for
            return
        create(run, config, *data, getattr(system, "feature_channels", None))
        for sentence in outdated(run):
            warnings.warn(sentence, stacklevel=2)
        torch.set_num_threads(hardware.threads(_threads_of(run)))
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


def _threads_of(run: Run) -> int | None:
    """With how many threads the run was begun; None where it was not, or by a version that didn't say."""
    path = run.folder / "environment.json"
    return files.read_json(path).get("threads") if path.is_file() else None


def _alone(run: Run) -> AbstractContextManager[bool]:
    """A context in which no other process trains or evaluates this run."""
    return turn(run.folder / ".lock", f"run {run.id}")
