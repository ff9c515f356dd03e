"""Clips packed into WebDataset shards: tar files that a bucket or a network disk serves well, each written once.

A shard holds, for each clip, <key>.<the video's suffix> (the file as it is), <key>.npz (poses: joints, pixels and
their confidence [M,T,V,...], where there are any) and <key>.json (the clip's row of the table). Beside the shards,
shards.json says what data set they are; it is written last, so that a folder that has it is complete. Beside each
shard, a .json of its name says where in it the files of each clip are; without it, the shard is read through once.
"""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from safefiles import checksums
from safefiles.locks import turn
from workbench.data.clips.read_clip import verified
from workbench.data.dataset import Dataset
from workbench.data.files import tar_members
from workbench.data.prepare import Outcome
from workbench.types import Pose

#: Bytes that a tar may have after its last file.
END = 10240

#: Changes when what a shard holds does.
VERSION = 1


def write(datasets: dict[str, Dataset], folder: str | Path, size: int = 500_000_000) -> list[Outcome]:
    """Packs the clips of ``datasets`` (by split) into shards of about ``size`` bytes each at most (or of one clip).

    A shard that is there already, with the same clips from the same files, is kept, so that it goes on where it was
    interrupted. A clip that can't be read is left out and listed in the Outcome. ImportError, one sentence, without
    webdataset; ValueError where no clip is left or ``folder`` holds other shards.
    """
    writer = _writer()
    folder = Path(folder)
    with turn(folder / ".lock", str(folder)):
        return _write(datasets, folder, size, writer)


def _write(datasets: dict[str, Dataset], folder: Path, size: int, writer: Any) -> list[Outcome]:
    facts = _facts(datasets)
    _check(folder, facts)
    failed = [(data.ids[i], why) for data in datasets.values() for i, why in data.problems.items()]
    bad = {name for name, _ in failed}
    clips = [(split, i) for split, data in datasets.items() for i, name in enumerate(data.ids) if name not in bad]
    if not clips:
        raise ValueError(f"there is no clip to write to {folder}")
    plan = _plan(datasets, clips, size)
    names, done, skipped = [], 0, 0
    for number, group in enumerate(tqdm(plan, "writing shards", unit="shard")):
        path = folder / f"shard-{number:06d}.tar"
        index, state = folder / f"shard-{number:06d}.json", _state(datasets, group)
        complete = all([checksums.intact(path), checksums.intact(index)])
        if complete and tar_members.read_json(index).get("state") == state:
            skipped += len(group) - len(tar_members.read_json(index)["failed"])
        else:
            wrong = _fill(path, datasets, group, writer)
            _write_json(index, {"state": state, "failed": wrong, **tar_members.index(path)})
            done += len(group) - len(wrong)
        failed += [tuple(case) for case in tar_members.read_json(index)["failed"]]
        names.append(path.name)
    _write_json(folder / "shards.json", {**facts, "shards": names})
    return [Outcome("clips in shards", done, skipped, failed)]


def _writer() -> Any:
    try:
        from webdataset import TarWriter
    except ImportError:
        raise ImportError(
            "shards are written with webdataset, which is not installed: pip install 'video-pose-workbench[shards]'"
        ) from None
    return TarWriter


def _facts(datasets: dict[str, Dataset]) -> dict[str, Any]:
    """What the clips of all shards have in common."""
    first = next(iter(datasets.values()))
    if first.instances is not None:
        raise ValueError(f"{first.name} has intervals, not one label a clip: shards are for clips")
    return {
        "version": VERSION,
        "name": first.name,
        "classes": first.classes,
        "skeleton": first.skeleton.name if first.skeleton else None,
        "protocol": first.protocol,
        "mirrored": first.mirrored,
        "metric": first.metric,
    }


def _check(folder: Path, facts: dict[str, Any]) -> None:
    """ValueError where the shards in ``folder`` are of another data set or protocol."""
    path = folder / "shards.json"
    if checksums.intact(path):
        facts_before = {name: value for name, value in tar_members.read_json(path).items() if name != "shards"}
        if facts_before != facts:
            raise ValueError(f"{folder} holds shards of another data set or protocol; choose another folder")
        # Until all shards are there again, the folder is not complete.
        path.unlink()


def _plan(datasets: dict[str, Dataset], clips: list[tuple[str, int]], size: int) -> list[list[tuple[str, int]]]:
    """The clips of each shard, in order."""
    plan: list[list[tuple[str, int]]] = [[]]
    filled = END
    for split, i in clips:
        # A tar pads each of its three members to blocks of 512 bytes, after a header of as many.
        needed = sum(path.stat().st_size + 1024 for path in datasets[split].files(i)) + 2048
        if plan[-1] and filled + needed > size:
            plan.append([])
            filled = END
        plan[-1].append((split, i))
        filled += needed
    return plan


def _state(datasets: dict[str, Dataset], group: list[tuple[str, int]]) -> str:
    """Changes with the clips of a shard, what is said of them, and the files they come from."""
    digest = hashlib.sha256(repr(VERSION).encode())
    for split, i in group:
        states = [(path.stat().st_size, path.stat().st_mtime_ns) for path in datasets[split].files(i)]
        digest.update(repr([split, _row(datasets[split], split, i), states]).encode())
    return digest.hexdigest()


def _fill(path: Path, datasets: dict[str, Dataset], group: list[tuple[str, int]], writer: Any) -> list[tuple[str, str]]:
    """Writes one shard; returns (id, reason) of the clips that are not in it."""
    failed = []
    with checksums.replacing(path) as draft, open(draft, "wb") as file:
        tar = writer(file, mtime=0, user="", group="", encoder=False)
        try:
            for split, i in group:
                try:
                    tar.write(_sample(datasets[split], split, i))
                except (ValueError, FileNotFoundError) as error:
                    failed.append((datasets[split].ids[i], str(error)))
        except OSError:
            with suppress(OSError):  # it would close itself later, after its file
                tar.close()
            raise
        tar.close()
    return failed


def _sample(dataset: Dataset, split: str, i: int) -> dict[str, Any]:
    source = Path(verified(dataset, i).path)
    row = _row(dataset, split, i)
    # The key must not hold a dot, which is where WebDataset cuts; ids may hold anything.
    sample = {"__key__": hashlib.sha256(row["id"].encode()).hexdigest()[:20], "json": json.dumps(row).encode()}
    poses = {"joints": dataset.pose(i), "pixels": dataset.pixels(i)}
    if any(pose is not None for pose in poses.values()):
        sample["npz"] = _packed(poses)
    return {**sample, source.suffix.lower().lstrip("."): source.read_bytes()}


def _row(dataset: Dataset, split: str, i: int) -> dict[str, Any]:
    row, plain = dataset.table.iloc[i], (str, int, float, bool)
    values = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    values = {name: value for name, value in values.items() if isinstance(value, plain) and not pd.isna(value)}
    facts = {"label": int(row["label"]), "frames": int(dataset.lengths[i]), "fps": float(dataset.rates[i])}
    paths = {"video", "pose", "arrays"}
    return {**{name: value for name, value in values.items() if name not in paths}, **facts, "split": split}


def _packed(poses: dict[str, Pose | None]) -> bytes:
    arrays: dict[str, np.ndarray] = {}
    for name, pose in poses.items():
        if pose is not None:
            arrays |= {name: pose.joints, "skeleton": np.array(pose.skeleton.name)}
            if pose.confidence is not None:
                arrays["confidence"] = pose.confidence
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
    return buffer.getvalue()


def _write_json(path: Path, values: dict[str, Any]) -> None:
    checksums.write(path, json.dumps(values, ensure_ascii=False).encode())
