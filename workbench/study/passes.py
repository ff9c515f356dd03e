"""One pass of a system over a split, and what it gives clip by clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from workbench.systems.base import System
from workbench.types import Batch, Output

#: Maps that are small enough to keep for every clip.
SMALL = ("spatial", "temporal", "attention", "joints", "parts", "granularities")


@dataclass
class Found:
    """What a pass gave, one entry a clip, in the order of the pass.

    ids S clip names; labels int64 [S]; logits float32 [S,N], of the window that is surest of its class; scores
    float32 [S,N], the softmax, maximum over the clip's windows; features float32 [S,F], mean over windows; poses
    float32 [S,M,t_p,V,3] or None, maps by name, float32 [S,...], and segment_poses by granularity, float32
    [S,G,M,t_p,V,3], of the clip's first window.
    """

    ids: list[str]
    labels: np.ndarray
    logits: np.ndarray
    scores: np.ndarray
    features: np.ndarray
    poses: np.ndarray | None
    maps: dict[str, np.ndarray]
    segment_poses: dict[int, np.ndarray] = field(default_factory=dict)


def predict(
    system: System, batches: Iterable[Batch], device: str, change: Callable[[Batch], Batch] | None = None
) -> Iterator[tuple[Batch, Output]]:
    """(batch, output) on ``device`` without gradients; ``change`` exchanges a part of each batch first."""
    with torch.inference_mode():
        for batch in batches:
            batch = batch.to(device)
            batch = batch if change is None else change(batch)
            yield batch, system(batch)


def gather(pairs: Iterable[tuple[Batch, Output]]) -> Found:
    """Collects a pass; the windows of a clip, which follow each other, become one. RuntimeError if there is no clip."""
    ids: list[str] = []
    columns: dict[str, list[Tensor]] = {}
    for batch, output in pairs:
        ids += batch.ids
        row = {"/labels": batch.label, "/logits": output.logits, "/features": output.features, "/poses": batch.pose}
        for g, part in (batch.segments or {}).items():
            row[f"/poses/{g}"] = None if part.pose is None else part.pose.unflatten(0, (-1, g))
        for name, value in (row | small_maps(output)).items():
            if value is not None:
                columns.setdefault(name, []).append(value.cpu())
    if not ids:
        raise RuntimeError("not one clip of the split could be read, so that there is nothing to evaluate")
    arrays = {name: torch.cat(values).numpy() for name, values in columns.items()}
    return _pool(ids, arrays)


def small_maps(output: Output) -> dict[str, Tensor]:
    """The maps that are kept for every clip, float32 on the CPU."""
    kept = (name for name in output.maps if name in SMALL or name.startswith("segments/"))
    return {name: output.maps[name].float().cpu() for name in kept}


def _pool(ids: list[str], arrays: dict[str, np.ndarray]) -> Found:
    starts = np.flatnonzero([i == 0 or ids[i] != ids[i - 1] for i in range(len(ids))])
    ends = np.append(starts[1:], len(ids))
    logits = arrays["/logits"].astype(np.float32)
    scores = torch.from_numpy(logits).softmax(-1).numpy()
    # One row of logits has to speak for the clip: that of the window with the highest score.
    surest = np.array([start + scores[start:end].max(-1).argmax() for start, end in zip(starts, ends, strict=True)])
    return Found(
        ids=[ids[i] for i in starts],
        labels=arrays["/labels"][starts],
        logits=logits[surest],
        scores=np.maximum.reduceat(scores, starts),
        features=(np.add.reduceat(arrays["/features"], starts) / (ends - starts)[:, None]).astype(np.float32),
        poses=arrays["/poses"][starts] if "/poses" in arrays else None,
        maps={name: values[starts] for name, values in arrays.items() if not name.startswith("/")},
        segment_poses={
            int(name.removeprefix("/poses/")): values[starts]
            for name, values in arrays.items()
            if name.startswith("/poses/")
        },
    )
