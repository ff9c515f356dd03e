"""One's own data: a manifest, its inputs, its faults."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from workbench import boundary
from workbench.commands.parameters import CACHE, File, Flag, Pairs, Text, Whole, Words, Workers


def wizard(
    folder: Path, /, *,
    out: File = None, subject_pattern: Text = None, camera_pattern: Text = None,
    split: str = "auto", seed: Whole = 0, force: Flag = False,
) -> None:  # fmt: skip
    """Write a manifest for a folder with one sub-folder of videos for each class, and list its assumptions.

    Args:
        folder: folder of the videos
        out: the .csv or .parquet file to write (default: FOLDER/manifest.csv)
        subject_pattern: regular expression with a group: the performer in a file name
        camera_pattern: regular expression with a group: the camera in a file name
        split: auto, subject, clip, leave-one-out or leave-out:NAME[,NAME...]
        seed: seed of a split by subject or clip
        force: replace an existing manifest
    """
    from workbench.data.wizard import wizard as maker

    out = out or folder / "manifest.csv"
    proposal = maker.propose(folder, subject_pattern, camera_pattern, split, seed)
    written = maker.write(proposal, out, force)
    print("\n".join(["assumptions", *(f"  {line}" for line in proposal.assumptions)]))
    if proposal.warnings:
        print("\n".join(["please check", *(f"  {line}" for line in proposal.warnings)]))
    print(f"written: {', '.join(map(str, written))}")
    print("\n".join(["next steps", *(f"  {line}" for line in maker.next_steps(proposal, out))]))


def prepare(
    dataset: str, /, *,
    protocol: Text = None, splits: Sequence[str] = ("train", "validation", "test"), system: str = "rgb",
    pairs: Pairs = (), needs: Words = None, cache: str = CACHE, workers: Workers = None,
    poses: File = None, shards: File = None, shard_size: float = 500.0,
) -> int:  # fmt: skip
    """Prepare the inputs of training: verified videos, crops, flow, poses; or shards.

    Args:
        dataset: a manifest, a folder, or NAME:FOLDER such as ntu60:/data/ntu
        protocol: protocol, as for train (default: the data set's first)
        splits: splits of the data set
        system: prepare the inputs of this system
        pairs: fields of TrainConfig, as for train
        needs: inputs to prepare instead of the system's: video, pose, flow, parts, ...
        cache: folder of the caches
        poses: estimate poses, report how good they are, and write a manifest with them to this CSV file
        shards: pack the clips into WebDataset shards in this folder
        shard_size: size of one shard in MB
    """
    from workbench.data import catalog, write_shards
    from workbench.data import prepare as work
    from workbench.data.doctor import pose_quality
    from workbench.study.config.experiment import resolve
    from workbench.study.config.pairs import parse_pairs
    from workbench.study.config.train_config import TrainConfig
    from workbench.study.runs.run_folder import needs_of

    if poses and shards:
        raise boundary.Usage("--poses and --shards exclude each other")
    name, root = catalog.locate(dataset)
    where = {"dataset": name, "root": root, "protocol": protocol}
    config = TrainConfig(**{"system": system, **where, **parse_pairs(pairs)})
    parts = {split: catalog.open_dataset(name, root, protocol, split) for split in splits}
    if poses:
        outcomes = [work.find_poses(catalog.open_dataset(name, root, protocol, "all"), poses)]
        posed = catalog.open_dataset("manifest", str(poses), None, "all")
        quality = pose_quality.measure(posed)
        page = pose_quality.write(posed, quality, poses.with_name(f"{poses.stem}_poses.html"))
        print(
            "\n".join(
                [*pose_quality.sentences(quality), f"open {page} in a browser: every clip, its worst frames first"]
            )
        )
    elif shards:
        outcomes = write_shards.write(parts, shards, int(shard_size * 1e6))
    else:
        read = frozenset(needs or needs_of(config, next(iter(parts.values()))))
        outcomes = list(work.prepare(parts, resolve(config).clip, read, cache, workers))
    print(work.table(outcomes).to_string(index=False))
    failed = [(outcome.title, *case) for outcome in outcomes for case in outcome.failed]
    for title, clip, reason in failed:
        print(f"failed: {title}: {clip}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def doctor(
    dataset: str, /, *,
    root: File = None, protocol: Text = None, sample: Whole = 200, all: Flag = False, seed: Whole = 0,
    skip: Words = None, html: File = None,
) -> int:  # fmt: skip
    """Check a data set for errors that silently ruin results; fails if training would be wrong.

    Args:
        dataset: a manifest file, a folder, or NAME:FOLDER (NAME alone with --root)
        root: folder or manifest of the data set, if DATASET is its name
        protocol: protocol (default: the data set's first)
        sample: number of clips to examine
        all: examine every clip
        seed: seed of the sample
        skip: names of checks to leave out
        html: write a page with pictures of the worst cases to this file
    """
    from workbench.data import doctor as practice
    from workbench.data.catalog import locate

    name, folder = (dataset, str(root)) if root else locate(dataset)
    parts = practice.open_parts(name, folder, protocol)
    report = practice.examine(parts, None if all else sample, seed, skip or ())
    print(report.text())
    if html:
        print(f"open {practice.write(report, html)} in a browser")
    return 1 if report.errors else 0
