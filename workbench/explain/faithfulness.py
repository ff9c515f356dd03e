"""Does an explanation name what the answer rests on? Insertion and deletion curves (Petsiuk et al., RISE, BMVC 2018).

Cells of the video are taken away in the order of a map, the highest first (deletion), or put back onto a blurred
video in that order (insertion), while the class score is watched: a faithful map makes it fall, or rise, early. The
area under the curve over the share of cells, in [0,1], sums that up: low is good for deletion, high for insertion. A
number alone says little, so that three maps that know nothing of the system run beside: a random order, the centre
first, and uniform, under which all cells fade together. A clip that is half faded in is still recognised, so that
uniform is high in both: its curves mirror each other, and insertion minus deletion is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.explain import outputs
from workbench.explain.interventions import blurred
from workbench.explain.methods import repeated
from workbench.plain import array, system_and_batch
from workbench.types import Batch

BASELINES = ("random", "centre", "uniform")
#: Random orders whose curves are averaged.
DRAWS = 3
#: Clips of a curve that go through the system at once.
TOGETHER = 8


@dataclass(frozen=True)
class Curves:
    """shares float64 [K] of the cells; deletion and insertion: name -> float64 [K], the softmax score of class
    ``target`` in [0,1] once that share is gone, or back."""

    shares: np.ndarray
    deletion: dict[str, np.ndarray]
    insertion: dict[str, np.ndarray]
    target: int

    def areas(self) -> pd.DataFrame:
        """A row a map, baselines last: its areas under the ``deletion`` and ``insertion`` curves, their ``difference``
        (insertion minus deletion: 0 for uniform, about 0 for a random order), and by how much each area is better than
        the best of the baselines (``deletion_gain``, ``insertion_gain``; positive is better)."""
        rows = {
            name: [np.trapezoid(self.deletion[name], self.shares), np.trapezoid(self.insertion[name], self.shares)]
            for name in self.deletion
        }
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["deletion", "insertion"])
        table["difference"] = table["insertion"] - table["deletion"]
        baselines = table.loc[list(BASELINES)]
        table["deletion_gain"] = baselines["deletion"].min() - table["deletion"]
        table["insertion_gain"] = table["insertion"] - baselines["insertion"].max()
        return table.rename_axis("map").reset_index()


def curves(
    system: nn.Module,
    batch: Batch | Any,
    maps: Mapping[str, Any] | Any,
    target: int | None = None,
    steps: int = 12,
    seed: int = 0,
) -> Curves:
    """Curves of explanations [T',H',W'] by name, and of BASELINES, for class ``target`` (None: the answer).

    batch: one clip with a video, or the video [1,3,T,H,W] alone, which any module can be asked about (see
    ``outputs.ask``); maps: one map alone is called "map"; steps: K - 1, how often the score is read on the way; ties in
    a map are broken at random, from ``seed``. Maps that are None are left out. ValueError for maps of different grids,
    with values that are not finite, or none at all.
    """
    system, batch = system_and_batch(system, batch)
    maps = maps if isinstance(maps, Mapping) else {"map": maps}
    arrays = {name: array(value) for name, value in maps.items() if value is not None}
    if broken := [name for name, value in arrays.items() if not np.isfinite(value).all()]:
        raise ValueError(f"the map {broken[0]!r} holds NaN or infinity, which says of no cell how much it counts")
    grids = {value.shape for value in arrays.values()}
    if len(grids) != 1 or len(next(iter(grids))) != 3:
        raise ValueError(f"faithfulness compares maps of one grid [T',H',W'], got {sorted(grids) or 'none'}")
    if batch.video is None or len(batch) != 1 or steps < 1:
        raise ValueError("faithfulness needs a batch of one clip with batch.video, and one step or more")
    batch, grid = batch.to(outputs.device(system)), next(iter(grids))
    target = int(outputs.ask(system, batch).logits[0].argmax()) if target is None else target
    shares, rng = np.linspace(0, 1, steps + 1), np.random.default_rng(seed)
    masks: dict[str, list[np.ndarray]] = {name: [_keep(value, shares, rng)] for name, value in arrays.items()}
    masks["random"] = [_keep(np.zeros(grid), shares, rng) for _ in range(DRAWS)]
    axes = np.meshgrid(*[(np.arange(size) + 0.5) / size - 0.5 for size in grid], indexing="ij")
    masks["centre"] = [_keep(-np.sum(np.square(axes), axis=0), shares, rng)]
    masks["uniform"] = [np.broadcast_to((1 - shares)[:, None, None, None], (len(shares), *grid)).copy()]
    video = outputs.video(batch)
    soft = blurred(video, max(3, min(video.shape[-2:]) // 2 | 1))  # nothing can be recognised
    scores: dict[str, dict[str, np.ndarray]] = {"deletion": {}, "insertion": {}}
    for name, orders in masks.items():
        for kind, side in (("deletion", lambda mask: mask), ("insertion", lambda mask: 1 - mask)):
            runs = [_scores(system, batch, soft, side(order), target) for order in orders]
            scores[kind][name] = np.mean(runs, axis=0)
    return Curves(shares, scores["deletion"], scores["insertion"], target)


def _keep(values: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float64 [K,T',H',W']: 1 where a cell is still there once that share of them, the highest first, is gone."""
    flat = values.ravel()
    rank = np.empty(flat.size)
    rank[np.lexsort((rng.random(flat.size), -flat))] = np.arange(flat.size)
    gone = np.rint(shares * flat.size)
    return (rank[None] >= gone[:, None]).astype(np.float64).reshape(len(shares), *values.shape)


def _scores(system: nn.Module, batch: Batch, soft: Tensor, kept: np.ndarray, target: int) -> np.ndarray:
    """float64 [K]: the score of the target, of the video where ``kept`` [K,T',H',W'] is 1 and blurred where it is 0."""
    scores, video = [], outputs.video(batch)
    for part in np.array_split(kept, -(-len(kept) // TOGETHER)):
        weights = torch.as_tensor(part, dtype=video.dtype, device=video.device)[:, None]
        weights = functional.interpolate(weights, video.shape[2:], mode="nearest-exact")
        changed = repeated(batch, len(part)).replace(video=weights * video + (1 - weights) * soft)
        scores.append(outputs.ask(system, changed).logits.softmax(-1)[:, target].double().cpu().numpy())
    return np.concatenate(scores)
