"""Training: one system, the shipped weights, every row of table files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from workbench import boundary
from workbench.commands.parameters import (
    CACHE,
    RUNS,
    TYPED,
    File,
    Flag,
    Number,
    Pairs,
    Runs,
    Text,
    Whole,
    Words,
    Workers,
)


def train(
    system: str, /, *,
    data: str = "auto", root: Text = None, seed: Whole = 0, pairs: Pairs = (), each_person: Flag = False,
    export: File = None, runs: Runs = RUNS,
) -> None:  # fmt: skip
    """Train and evaluate one system; a finished run is not repeated.

    Args:
        system: a name of workbench.systems.names(), such as rgb or vpn
        data: name of the data set, such as ntu60; auto detects it from --root
        root: folder or manifest file of the data set (default: data/synthadl/tiny, for detectors .../untrimmed)
        seed: seed of weights, order and augmentation
        pairs: any other field of TrainConfig
        each_person: one run for each person, tested on that person, and the accuracy on all of them
        export: write the trained backbone to this safetensors file
    """
    from workbench.nets import weights
    from workbench.study import fit
    from workbench.study.config.pairs import parse_pairs
    from workbench.study.report import outcome
    from workbench.study.runs.find_runs import open_run

    where = {"dataset": data, "root": root, "runs": str(runs), "cache": CACHE}
    config = {"system": system, "seed": seed, **where, **parse_pairs(pairs)}
    if each_person and export:
        raise boundary.Usage("--each-person and --export exclude each other")
    if each_person:
        print("\n".join(outcome.in_turn(list(outcome.each_person(config)))))
        return
    run = open_run(fit(config), config["runs"])
    print("\n".join([run.id, *outcome.sentences(run, TYPED)]))
    if export:
        weights.save(run.system().get_submodule("backbone"), export)


def pretrain(
    root: File = None, /, *,
    world: Literal["pretrain", "adl"] = "pretrain", size: Text = None, workers: Workers = None, only: Words = None,
    out: File = None, epochs: Number = None, limit: Number = None, runs: Runs = RUNS,
) -> None:  # fmt: skip
    """Draw a world and train the weights that ship with the library from it; resumes after an interruption.

    Args:
        root: folder of the world (default: data/synthadl/pretrain or, of adl, data/synthadl/small)
        world: pretrain (SynthADL-P) for backbones, adl (SynthADL) for whole networks that need no training
        size: size of the world: tiny, look (a quick trial), small or paper (default: tiny or, of adl, small)
        only: only these weights, such as i3d_synthadl_p (default: all)
        out: folder to write to (default: the folder of the shipped weights)
        epochs: for a trial: number of epochs (default: the recipe's)
        limit: for a trial: maximum number of clips in each split
    """
    from workbench.nets import weights
    from workbench.study import files
    from workbench.study.train import pretraining

    out = out or weights.PRETRAINED
    root = root or Path("data/synthadl/pretrain" if world == "pretrain" else "data/synthadl/small")
    size = size or ("tiny" if world == "pretrain" else "small")
    paths = pretraining.pretrain(root, size, workers, only, out, runs, TYPED, epochs, limit, world)
    for path in paths.values():
        held_out = files.read_json(weights.card_of(path))["held_out"]
        print(f"{path}: {100 * held_out['top1']:.1f} % of {held_out['clips']} held-out clips")


def sweep(
    files: Sequence[Path], /, *,
    seeds: Number = None, rows: Words = None, preset: Text = None, protocols: Words = None,
    dataset: Text = None, root: Text = None, limit: Number = None,
    workers: Workers = None, threads: Whole = 1, gpus: Number = None, scheduler: Text = None, slurm: File = None,
    limit_minutes: float | None = None, limit_memory: float | None = None, retries: Whole = 1,
    report: File = None, runs: Runs = RUNS,
) -> None:  # fmt: skip
    """Run every row of table files with several seeds, and report which claims hold.

    Args:
        files: table files, such as those in notebooks/ablations
        seeds: number of seeds for each row (default: the file's, or 3)
        rows: only these rows, and the rows that they start from
        preset: tiny, study, frozen or paper (default: the files')
        protocols: protocols, such as cs cv setup (default: the files')
        dataset: name of the data set (default: the files')
        root: folder or manifest file of the data set (default: the files')
        limit: maximum number of clips in each split, for a quick trial
        threads: number of cores for each row
        gpus: number of rows at once that use a GPU (resource GPU=1)
        scheduler: address of a running Dask scheduler, such as tcp://host:8786
        slurm: start workers with SLURM; the YAML file has the arguments of SLURMCluster
        limit_minutes: time limit of a row in minutes
        limit_memory: memory limit of a row in GiB
        retries: number of retries of a failed row
        report: Markdown file of tables and verdicts; their numbers and configurations into the folder study/ beside it
    """
    from workbench.study.report import export, markdown
    from workbench.study.sweep import sweep as sweeping
    from workbench.study.sweep import worlds
    from workbench.study.sweep.job import Limits

    fields = {"preset": preset, "dataset": dataset, "root": root, "limit": limit}
    where = {"runs": str(runs), "cache": CACHE} | {name: value for name, value in fields.items() if value is not None}
    if dataset is None and root is None:
        worlds.draw_missing(files)
    limits = Limits(limit_minutes, limit_memory, retries, threads)
    swept = sweeping.sweep_files(
        files, seeds, rows, protocols, where, limits, scheduler=scheduler, slurm=slurm, workers=workers, gpus=gpus
    )
    for results in swept.results:
        print(f"\n{results.table.title}\n{markdown.overview(results).to_string(index=False)}")
    if report:
        export.write(report, swept.results, TYPED, runs, where)
        print(f"\nreport: {report}")
    if swept.failed:
        for record in swept.failed:
            print(f"{record['status']}: {record['label']}: {record['error']}", file=sys.stderr)
        counts = f"{len(swept.failed)} of {len(swept.records)} cells failed"
        raise RuntimeError(f"{counts}; the same command runs them again")
