"""A run's attention, graded clip by clip against the truth and against attention that can't know it.

Four baselines, graded on the same clips by the same formulas (metrics.attention):

- uniform, centre: maps that know nothing of the clip;
- shuffled_pose: the system's own maps when each clip comes with the poses of another clip of another class; a map
  that beats it uses *this* clip's poses;
- shuffled_time: the system's own maps when the moments of each clip are permuted (of the poses where the system reads
  poses, of the frames otherwise); a map that beats it in time knows *when*. In space a map that does not change over
  time can't be told from this one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from workbench import metrics
from workbench.data import ClipSpec, Dataset, truth_of
from workbench.metrics import attention as graded
from workbench.study.evaluate.inference import Answers
from workbench.types import Batch, Truth

Maps = dict[str, np.ndarray]
#: Poses of a clip: float32 [M,t_p,V,3] of the whole clip, and [G,M,t_p,V,3] of its G segments, by granularity.
Poses = dict[int, np.ndarray]
WHOLE = 1


#: Changes of a batch under which the maps are graded too.
POSE, TIME = "shuffled_pose", "shuffled_time"


def grade_run(answers: dict[str, Answers], dataset: Dataset, spec: ClipSpec) -> dict[str, dict[str, Any]]:
    """By grade (metrics.attention.GRADES): "system" and each baseline, and "minus_<baseline>", the mean difference
    over clips; each as {"value", "low", "high"} with its 95 % bootstrap interval. A grade that no clip has is left out.

    answers: what the system said of the clips as they are, "own", and under each change (see ``exchanges.ask_all``).
    Empty where the system has no attention, or the data no truth.
    """
    clips = answers["own"]
    positions = [dataset.index(name) for name in clips.ids]
    system_maps = gradable(clips.maps)
    if not system_maps or dataset.truth(positions[0]) is None:
        return {}
    truths = [truth_of(dataset, i, spec) for i in positions]
    baselines = {name: constant(name, system_maps) for name in graded.BASELINES}
    baselines |= {name: gradable(answers[name].maps) for name in (TIME, POSE) if name in answers}
    return summary({name: grade_maps(maps, truths) for name, maps in {"system": system_maps, **baselines}.items()})


def gradable(maps: Maps) -> Maps:
    """ "attention" [S,T',H',W'] and "temporal" [S,T'] as far as there are any. Spatial weights [S,H',W'] of a system
    that keeps space and time apart are attention that does not change over time."""
    grades: Maps = {name: maps[name] for name in ("attention", "temporal") if name in maps}
    if "attention" not in grades and "spatial" in maps:
        steps = grades["temporal"].shape[1] if "temporal" in grades else 1
        grades["attention"] = np.repeat(maps["spatial"][:, None], steps, axis=1)
    return grades


def grade_maps(maps: Maps, truths: list[Truth | None]) -> dict[str, np.ndarray]:
    """float64 [S] by grade. maps as ``gradable`` gives them: either may be missing."""
    rows = []
    for i, truth in enumerate(truths):
        pair = {name: maps[name][i] if name in maps else None for name in ("attention", "temporal")}
        grades = {} if truth is None else graded.grade(**pair, truth=truth)
        rows.append([grades.get(name, np.nan) for name in graded.GRADES])
    return dict(zip(graded.GRADES, np.array(rows, np.float64).T, strict=True))


def constant(name: str, maps: Maps) -> Maps:
    """Maps of a baseline that knows nothing, of the shapes that the system's own have."""
    return {key: np.repeat(graded.baseline(name, maps[key].shape[1:])[None], len(maps[key]), axis=0) for key in maps}


def summary(grades: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, Any]]:
    """Means and paired differences to "system", with intervals; ``grades`` float64 [S] by method and grade."""
    report: dict[str, dict[str, Any]] = {}
    for grade, system_grades in grades["system"].items():
        if np.isnan(system_grades).all():
            continue
        intervals = {name: metrics.bootstrap(values[grade]) for name, values in grades.items()}
        for name, values in grades.items():
            if name != "system":
                intervals[f"minus_{name}"] = metrics.paired_difference(values[grade], system_grades)
        report[grade] = {name: interval._asdict() for name, interval in intervals.items()}
    return report


def poses_of(batch: Batch) -> dict[str, Poses]:
    """The poses of each clip, by its id."""
    assert batch.pose is not None  # it was asked for
    rows = {WHOLE: batch.pose.numpy()}
    for g, part in (batch.segments or {}).items():
        assert part.pose is not None  # as the whole clip's is
        rows[g] = part.pose.unflatten(0, (-1, g)).numpy()
    return {name: {key: row[i] for key, row in rows.items()} for i, name in enumerate(batch.ids)}


def shuffle_pose(poses: dict[str, Poses], labels: np.ndarray, seed: int) -> Callable[[Batch], Batch]:
    """A change of a batch: each clip gets the poses of another clip, of another class (see ``partners``). poses by
    clip, with their ``labels`` int64 [S] in the same order."""
    ids = list(poses)
    partner = {name: ids[other] for name, other in zip(ids, partners(labels, seed), strict=True)}

    def change(batch: Batch) -> Batch:
        assert batch.pose is not None  # the system reads it
        others, device = [poses[partner[name]] for name in batch.ids], batch.pose.device

        def exchanged(key: int) -> torch.Tensor:
            return torch.from_numpy(np.stack([other[key] for other in others])).to(device)

        cut = {g: part.replace(pose=exchanged(g).flatten(0, 1)) for g, part in (batch.segments or {}).items()}
        return batch.replace(pose=exchanged(WHOLE), segments=cut or None)

    return change


def partners(labels: np.ndarray, seed: int) -> np.ndarray:
    """int64 [S]: another clip for each clip, of another class where there is one.

    Sorted by class and turned by the size of the largest class, no clip meets its own class unless that class holds
    more than half of the clips. ValueError for a single clip.
    """
    if len(labels) < 2:
        raise ValueError("poses can only be exchanged among two clips or more")
    drawn = np.random.default_rng(seed).permutation(len(labels))
    order = drawn[np.argsort(labels[drawn], kind="stable")]
    turn = min(np.bincount(labels).max(), len(labels) - 1)
    partner = np.empty_like(order)
    partner[order] = np.roll(order, -turn)
    return partner


def shuffle_time(seed: int) -> Callable[[Batch], Batch]:
    """A change of a batch: the moments of each clip in an order of its own, drawn from (seed, the clip's id); those of
    its segments among all segments of a granularity."""

    def mixed(values: torch.Tensor, axis: int, ids: list[str]) -> torch.Tensor:
        count = values.shape[axis]
        rows = []
        for name, row in zip(ids, values, strict=True):
            letters = np.frombuffer(name.encode(), np.uint8)
            order = np.random.default_rng([seed, *letters.tolist()]).permutation(count)
            rows.append(row.index_select(axis - 1, torch.from_numpy(order).to(row.device)))
        return torch.stack(rows)

    def change(batch: Batch) -> Batch:
        name = "pose" if batch.pose is not None else "video"
        axis = 2  # of time, in both
        cut = {}
        for g, part in (batch.segments or {}).items():
            steps = getattr(part, name).unflatten(0, (-1, g)).movedim(axis + 1, 2)  # [B,G,time,...]
            steps = mixed(steps.flatten(1, 2), 1, batch.ids).unflatten(1, (g, -1))
            cut[g] = part.replace(**{name: steps.movedim(2, axis + 1).flatten(0, 1)})
        return batch.replace(**{name: mixed(getattr(batch, name), axis, batch.ids)}, segments=cut or None)

    return change
