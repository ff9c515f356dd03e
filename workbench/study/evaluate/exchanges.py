"""A system asked about the same clips as they are, with another clip's poses, with shuffled time and with uniform
attention: each question once, for the grades of its attention and for whether that attention is alive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch

from workbench import metrics
from workbench.data import ClipSpec, Dataset, sample
from workbench.explain.reuse import Reuse
from workbench.nets import uniform_attention
from workbench.study.evaluate.attention_grades import POSE, TIME, Poses, partners, poses_of, shuffle_pose, shuffle_time
from workbench.study.evaluate.inference import Answers, Gathering
from workbench.systems.common.base import System
from workbench.types import Batch, Output

OWN, UNIFORM = "own", "uniform_attention"
#: Maps that weigh a clip's cells, moments, parts or segments; ``joints`` are activations.
WEIGHTS = ("spatial", "temporal", "attention", "parts", "granularities", "affinity")

Change = Callable[[Batch], Batch]


def pose_change(batches: Iterable[Batch], seed: int) -> Change | None:
    """The change of a batch that gives each clip the poses of another clip, of another class; None where there is only
    one clip. ``batches`` carry the poses and labels of all clips, one window each."""
    poses: dict[str, Poses] = {}
    labels: list[int] = []
    for batch in batches:
        poses |= poses_of(batch)
        assert batch.label is not None  # it was asked for
        labels += batch.label.tolist()
    return shuffle_pose(poses, np.array(labels), seed) if len(poses) > 1 else None


def ask_all(
    system: System, batches: Iterable[Batch], ready: Change, others: Change | None = None, seed: int = 0
) -> dict[str, Answers]:
    """What ``system`` says of every clip: OWN, as the clip is; and where the system reads poses or has attention also
    TIME, its moments in another order; POSE, with the poses that ``others`` gives; and UNIFORM, with uniform weights at
    every ``AttentionPoint``, where there are any. ``ready`` makes of a loader's batch what the system reads.

    The questions about a batch follow each other, and modules whose inputs a change leaves alone are not run again
    (``Reuse``): the video backbone of a system that reads poses is run once.
    """
    with uniform_attention(system) as points:
        pass
    reads_poses = "pose" in system.needs_test
    shuffled = shuffle_time(seed)
    reuse = Reuse(system) if points or reads_poses else None
    ask: Callable[[Batch], Output] = system if reuse is None else reuse
    gathered = {OWN: Gathering()}
    with torch.no_grad():  # inference mode doesn't count what is written to a tensor, which Reuse must know
        for batch in batches:
            as_read, batch = batch, ready(batch)
            output = ask(batch)
            gathered[OWN].add(batch, output)
            if points or reads_poses or any(weighs(name) for name in output.maps):
                mixed = shuffled(batch) if reads_poses else ready(shuffled(as_read))
                gathered.setdefault(TIME, Gathering()).add(batch, ask(mixed))
            if reads_poses and others is not None:
                gathered.setdefault(POSE, Gathering()).add(batch, ask(others(batch)))
            if points:
                with uniform_attention(system):
                    gathered.setdefault(UNIFORM, Gathering()).add(batch, ask(batch))
            if reuse is not None:
                reuse.forget()
    return {name: gathering.answers() for name, gathering in gathered.items()}


def of_clip(system: System, dataset: Dataset, i: int, spec: ClipSpec, seed: int = 0) -> dict[str, Answers]:
    """``ask_all`` of one clip alone; the other poses are those of a clip of another class (``partner``), where there is
    one."""
    clips = [i, partner(dataset, i, seed)] if "pose" in system.needs_test and len(dataset) > 1 else [i]
    batches = [sample(dataset, clip, spec, needs=system.needs_test | {"label"}).batch for clip in clips]
    others = pose_change(batches, seed) if len(clips) > 1 else None
    return ask_all(system, batches[:1], partial(Batch.to, device="cpu"), others, seed)


def partner(dataset: Dataset, i: int, seed: int = 0) -> int:
    """The clip whose poses clip ``i`` is given in the questions about all of ``dataset``."""
    return int(partners(dataset.labels, seed)[i])


def weighs(name: str) -> bool:
    """Whether the map called so is attention."""
    return name in WEIGHTS or name.startswith("segments/")


def effects(answers: dict[str, Answers]) -> dict[str, dict[str, dict[str, float]]]:
    """For OWN its "top1"; for every other question "changed", the share of clips that are then taken for another class,
    "top1", and "gain", what the system's own accuracy is ahead by. Each as {"value", "low", "high"}, a 95 % interval
    over clips (bootstrap). Empty where nothing was exchanged."""
    if len(answers) == 1:
        return {}
    plain = answers[OWN]
    predicted, report = plain.logits.argmax(1), {}
    right = (predicted == plain.labels).astype(float)
    for name, exchanged in answers.items():
        prediction = exchanged.logits.argmax(1)
        hits = (prediction == plain.labels).astype(float)
        numbers = {"top1": metrics.bootstrap(hits)}
        if name != OWN:
            numbers["changed"] = metrics.bootstrap((prediction != predicted).astype(float))
            numbers["gain"] = metrics.paired_difference(hits, right)
        report[name] = {key: interval._asdict() for key, interval in numbers.items()}
    return report


def spreads(answers: Answers) -> dict[str, dict[str, float]]:
    """How much each map differs from clip to clip and, within a clip, from cell to cell; of the affinity, how much of
    it each key gets.

    over_clips: the variance over clips, its mean over cells; over_clips_share: that as a share of the mean square,
    which a map times a constant leaves as it is; over_cells: the standard deviation over the cells of a clip divided by
    their mean, the mean over clips (left out where that mean is 0 somewhere).
    """
    maps = answers.maps | ({} if answers.keys is None else {"affinity": answers.keys})
    report = {}
    for name, values in maps.items():
        cells = values.reshape(len(values), -1).astype(np.float64)
        square, mean = float((cells**2).mean()), np.abs(cells.mean(1))
        variance = float(cells.var(0).mean())
        report[name] = {"over_clips": variance, "over_clips_share": variance / square if square else 0.0}
        if (mean > 0).all():
            report[name]["over_cells"] = float((cells.std(1) / mean).mean())
    return report
