"""One pass of a system over a split, and what it gives clip by clip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workbench.systems.common.base import System
from workbench.types import Batch, Output

#: Maps that are small enough to keep for every clip.
SMALL = ("spatial", "temporal", "attention", "joints", "parts", "granularities")


@dataclass
class Answers:
    """What a pass gave, one entry a clip, in the order of the pass.

    ids S clip names; labels int64 [S]; logits float32 [S,N], of the window that is surest of its class; scores
    float32 [S,N], the softmax, maximum over the clip's windows; features float32 [S,F], mean over windows; maps by
    name, float32 [S,...], of the clip's first window, and keys float32 [S,P'], how much of that window's affinity each
    key gets, the mean over the cells that look (None without affinity).
    """

    ids: list[str]
    labels: np.ndarray
    logits: np.ndarray
    scores: np.ndarray
    features: np.ndarray
    maps: dict[str, np.ndarray]
    keys: np.ndarray | None = None


def predict(system: System, batches: Iterable[Batch], device: str) -> Iterator[tuple[Batch, Output]]:
    """(batch, output) on ``device`` without gradients."""
    with torch.inference_mode():
        for batch in batches:
            batch = batch.to(device)
            yield batch, system(batch)


class Gathering:
    """A pass that is being collected, batch by batch."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._columns: dict[str, list[Tensor]] = {}

    def add(self, batch: Batch, output: Output) -> None:
        """Keeps what is small of a batch's output."""
        self._ids += batch.ids
        assert batch.label is not None  # evaluation asks for it
        row = {"/labels": batch.label, "/logits": output.logits, "/features": output.features}
        small = (name for name in output.maps if name in SMALL or name.startswith("segments/"))
        row |= {name: output.maps[name].float() for name in small}
        if "affinity" in output.maps:
            row["/keys"] = output.maps["affinity"].float().mean(1)
        for name, value in row.items():
            self._columns.setdefault(name, []).append(value.cpu())

    def answers(self) -> Answers:
        """The windows of a clip, which follow each other, become one. RuntimeError if there is no clip."""
        if not self._ids:
            raise RuntimeError("not one clip of the split could be read, so that there is nothing to evaluate")
        return _pool(self._ids, {name: torch.cat(values).numpy() for name, values in self._columns.items()})


def gather(pairs: Iterable[tuple[Batch, Output]]) -> Answers:
    """Collects a pass; see ``Gathering``."""
    gathering = Gathering()
    for batch, output in pairs:
        gathering.add(batch, output)
    return gathering.answers()


def _pool(ids: list[str], arrays: dict[str, np.ndarray]) -> Answers:
    starts = np.flatnonzero([i == 0 or ids[i] != ids[i - 1] for i in range(len(ids))])
    ends = np.append(starts[1:], len(ids))
    logits = arrays["/logits"].astype(np.float32)
    scores = torch.from_numpy(logits).softmax(-1).numpy()
    # One row of logits has to speak for the clip: that of the window with the highest score.
    surest = np.array([start + scores[start:end].max(-1).argmax() for start, end in zip(starts, ends, strict=True)])
    return Answers(
        ids=[ids[i] for i in starts],
        labels=arrays["/labels"][starts],
        logits=logits[surest],
        scores=np.maximum.reduceat(scores, starts),
        features=(np.add.reduceat(arrays["/features"], starts) / (ends - starts)[:, None]).astype(np.float32),
        maps={name: values[starts] for name, values in arrays.items() if not name.startswith("/")},
        keys=arrays["/keys"][starts] if "/keys" in arrays else None,
    )
