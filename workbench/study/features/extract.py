"""Snippet features: any trained system over untrimmed videos, once, kept on disk."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
import zlib
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from safefiles import checksums
from safefiles.locks import turn
from workbench.data import ClipSpec, Snippets, SnippetSpec, Untrimmed
from workbench.data.untrimmed.snippet_files import GrowingRows
from workbench.data.untrimmed.snippet_reader import SnippetReader, check_needs
from workbench.study.runs import hardware
from workbench.study.runs.run_folder import Run
from workbench.systems.common.base import System
from workbench.types import Batch

#: Where what is made of clips and videos is kept, if nothing else is said.
CACHE = "data/cache"
#: Counts up when the same weights and videos would give other features.
VERSION = 2


def extract(
    data: Untrimmed,
    source: Run | System,
    cache: str | Path = CACHE,
    stride: int = 16,
    frames: int = 16,
    clip: ClipSpec | None = None,
    batch_size: int = 8,
    device: str = "auto",
    progress: bool = True,
) -> Snippets:
    """``Output.features`` of ``source`` for every snippet of every video, in evaluation mode and fp32.

    source is a finished Run, which says how clips are cut, or a System with ``clip`` saying that; which of RGB, flow,
    drawn poses and poses is read is the system's ``needs_test``. A snippet spans ``frames``, the next one starts
    ``stride`` later; the frames of its clip are as far apart as those that the source learnt (data.snippet_reader).

    Each video is one float16 file under ``cache``, named after the system's weights, the snippets and the state of the
    video's files; what is there is not made again, and a video that was interrupted goes on at its next batch. Videos
    are decoded in order, a batch at a time, so that no length is too long. A video that can't be read is left out, with
    a warning (``Snippets.bad``). ValueError for needs that data can't meet and for a source that learnt clips without a
    spacing (uniform sampling), RuntimeError for an unfinished run or where no video can be read.
    """
    spec = SnippetSpec(frames, stride)
    if isinstance(source, Run):
        system, clip = source.system(), clip or source.spec
    elif clip is None:
        raise ValueError("a system does not say how its clips are cut: pass clip=ClipSpec(...), or a Run")
    else:
        system = source
    check_needs(data, clip, system.needs_test)
    folder = Path(cache) / f"{data.name}-snippets-{_digest(system, spec, clip, data)}"
    folder.mkdir(parents=True, exist_ok=True)
    processor = hardware.device(device)
    home, training = next((p.device for p in system.parameters()), torch.device("cpu")), system.training
    paths, bad = [folder] * len(data), {}
    system.to(processor).eval()
    try:
        with tqdm(total=len(data), desc=f"snippets {folder.name}", unit="video", disable=not progress) as bar:
            for i in range(len(data)):
                try:
                    paths[i] = folder / _file(data, i)
                    reader = SnippetReader(data, i, spec, clip, system.needs_test)
                    _make(reader, system, paths[i], batch_size, processor)
                except (ValueError, FileNotFoundError) as problem:
                    bad[i] = str(problem)
                    warnings.warn(f"no features of {data.ids[i]}: {problem}", stacklevel=2)
                bar.update()
    finally:
        system.to(home).train(training)
    if len(bad) == len(data):
        raise RuntimeError(f"not one video of {data.name} gave features; the first: {bad[0] if bad else 'no videos'}")
    return Snippets.of(data, spec, paths, bad)


def _make(reader: SnippetReader, system: System, path: Path, batch_size: int, processor: str) -> None:
    """The features of one video, from where an earlier process stopped."""
    if checksums.intact(path):
        return
    # Two processes that want one video at once make it once.
    with turn(path.with_suffix(".lock"), str(path)):
        if checksums.intact(path):
            return
        rows = GrowingRows(path, len(reader))
        if rows.done < len(reader):
            for batch in reader.batches(batch_size, rows.done):
                rows.add(_features(system, batch.to(processor)).cpu().numpy())
        rows.finish()


@torch.inference_mode()
def _features(system: System, batch: Batch) -> Tensor:
    return system(batch).features.float()


def _digest(system: System, spec: SnippetSpec, clip: ClipSpec, data: Untrimmed) -> str:
    """Sixteen hex digits of everything but the videos that features depend on."""
    weights = hashlib.sha256()
    for name, value in system.state_dict().items():
        weights.update(name.encode() + value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    facts = [VERSION, repr(system), repr(getattr(system, "options", "")), weights.hexdigest()]
    facts += [asdict(spec), asdict(clip), data.name, data.mirrored]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _file(data: Untrimmed, i: int) -> str:
    """A name that no path leaves the folder by, that no two videos share, and that changes with the video's files."""
    name = data.ids[i]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', name)[:80]}-{zlib.crc32(name.encode()):08x}-{data.stamp(i)}.npy"
