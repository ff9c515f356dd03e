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
from workbench.study import files
from workbench.study.config.data_of import open_split
from workbench.study.config.experiment import Experiment
from workbench.study.config.kinds import Data
from workbench.study.config.train_config import TrainConfig, parse
from workbench.study.evaluate.evaluate import evaluate
from workbench.study.features import encoders
from workbench.study.features.batches import batches_of
from workbench.study.runs import code_fingerprint, hardware
from workbench.study.runs.init_weights import begin
from workbench.study.runs.run_folder import Run
from workbench.study.runs.run_identity import create, outdated, run_of
from workbench.study.runs.store import row_of
from workbench.study.train import checkpoint
from workbench.study.train.loop import Training
from workbench.systems import Stage, System

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def fit(config: TrainConfig | dict[str, Any]) -> str:
    """Trains and evaluates a system.

    A finished run of the same configuration on the same data is not repeated; one that was killed goes on from its last
    checkpoint and, on the CPU, ends with the very weights it would have had. Where another process trains it, that one
    is waited for. What is damaged is set aside and made again (see ``mend``).

    Args:
        config: what is trained, on what, and how; a dict of TrainConfig's fields will do.

    Returns:
        The run's id, its folder's name.

    Raises:
        ValueError: a bad configuration.
        RuntimeError: training diverges, or too many clips are bad.
        OSError: a file can't be written.
    """
    config = parse(config)
    data = train, validation = open_split(config, "train"), open_split(config, "validation")
    experiment = encoders.settled(config, train)
    run = run_of(experiment, *data)
    if run.folder.is_dir() and os.environ.get("LOCAL_RANK", "0") == "0":
        with _alone(run):
            mend(run)
    if not _complete(run):
        batches = batches_of(experiment)
        experiment = experiment.reading(batches.channels(train))
        checkpoint.seed_all(experiment.seed)
        system = experiment.build()
        stages = experiment.stages(system)
        for part in data:
            batches.check(part, system)
        facts = hardware.suits(experiment, system) | {"init": begin(system, experiment)}
        for name, account in facts["init"].items():
            tqdm.write(f"init of {name or 'the system'}: {account}", file=sys.stderr)
        fabric = hardware.make_fabric(experiment, facts)
        fabric.launch(_train, experiment, run, data, system, stages, facts)
        if not fabric.is_global_zero:
            return run.id
    if hardware.process():
        return run.id
    # A network of one's own may lie elsewhere now: its bytes say which run it is.
    if not (run.folder / "config.json").is_file() or run.config.system != experiment.system:
        with _alone(run):
            create(run, experiment, *data, batches_of(experiment).channels(train))
        run = Run(run.id, run.folder)
    for split in experiment.evaluate:
        if not run.measured_on(split, run.dataset(split).contents):
            with _alone(run):
                _evaluate(run, split, experiment)
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
    recorded = all((run.folder / name).is_file() for name in ("config.json", "environment.json", "history.csv"))
    return run.finished and (recorded or not (run.folder / "checkpoint.pt").is_file())


def _evaluate(run: Run, split: str, experiment: Experiment) -> None:
    """Unless another process did meanwhile."""
    contents = run.dataset(split).contents
    if run.measured_on(split, contents):
        return
    if run.metrics.get(split, {}).get("data", contents) != contents:
        warnings.warn(f"the {split} clips have changed since {run.id} was evaluated: evaluated anew", stacklevel=3)
    options = {name: getattr(experiment, name) for name in ("device", "cache", "workers", "progress")}
    evaluate(run, split, **options)


def _train(
    fabric: Fabric,
    experiment: Experiment,
    run: Run,
    data: tuple[Data, Data],
    system: System,
    stages: list[Stage],
    facts: dict[str, Any],
) -> None:
    parts = fabric, experiment, run, data, system, stages, facts["channels_last"]
    if not fabric.is_global_zero:
        Training(*parts, store=None).run_all()
        return
    with _alone(run):
        if _complete(run):  # by the process that was waited for
            return
        create(run, experiment, *data, experiment.setting.features)
        for sentence in outdated(run):
            warnings.warn(sentence, stacklevel=2)
        earlier = run.folder / "environment.json"  # older versions didn't say with how many threads
        torch.set_num_threads(hardware.threads(files.read_json(earlier).get("threads") if earlier.is_file() else None))
        code = code_fingerprint.fingerprint(experiment.system, experiment.dataset)
        facts = {**hardware.environment(), "code": code, **facts}
        store = row_of(run, tags={"git": facts["git"], "precision": facts["precision"], "device": facts["device"]})
        facts["store"] = store.where
        files.write_json(run.folder / "environment.json", facts)
        try:
            training = Training(*parts, store)
            training.run_all()
        except BaseException:
            store.finish({}, "FAILED")
            raise
        facts["skipped"] = [list(pair) for pair in training.skipped]
        files.write_json(run.folder / "environment.json", facts)
        store.finish({})


def _alone(run: Run) -> AbstractContextManager[bool]:
    """A context in which no other process trains or evaluates this run."""
    return turn(run.folder / ".lock", f"run {run.id}")
