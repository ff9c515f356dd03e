"""What the panels of the notebooks draw: ``draw(config)``, once functools.partial has given the rest.

Data sets, systems and the function ``load(i)`` that loads a clip come as objects: nothing here knows where they are
from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from torch import nn

from workbench.data import ClipSpec, Dataset, Sample
from workbench.data.dataset import Rows
from workbench.explain import affinity, distillation, outputs
from workbench.explain import confusion as read
from workbench.explain.embeddings import Comparison
from workbench.explain.gradcam import gradcam
from workbench.explain.what_if import WhatIf
from workbench.media import pose as poses
from workbench.show.figures import attention, common, confusion, embeddings, flow, joints, training
from workbench.show.figures import gradcam as cams
from workbench.show.player import Player, Track
from workbench.study.config.notebook_config import (
    AttentionMaps,
    Confusion,
    DataFlow,
    Distillation,
    Embeddings,
    GradCam,
    OfData,
    OfRun,
    Train,
)
from workbench.study.runs.run_folder import Run

#: Loads clip i, as ``data.sample`` does.
Load = Callable[[int], Sample]


def position(dataset: Rows, clip: int | str) -> int:
    """Where a clip stands in ``dataset``, given by its id or, where no clip is called so, by its position; ValueError
    where there is no such clip."""
    if str(clip) in dataset.ids:
        return dataset.ids.index(str(clip))
    if isinstance(clip, str):
        try:
            return dataset.index(clip)
        except ValueError as problem:
            raise ValueError(f"{problem}{_as_number('clip', clip)}") from None
    if not 0 <= clip < len(dataset):
        sentence = f"clip must be an id or a position from 0 to {len(dataset) - 1}, got {clip}"
        raise ValueError(f"{sentence}; {AS_TEXT.format(name='clip')}")
    return clip


#: How a parameter that looks like a number stays text.
AS_TEXT = (
    "an id or name that looks like a number is given by papermill's -r {name} 007, which keeps it as it is written"
)


def _as_number(name: str, value: str) -> str:
    return f"; a position is given by -p {name} {value}" if value.isascii() and value.isdigit() else ""


def title(dataset: Dataset, clip: int | str) -> str:
    """Action and id of a clip."""
    i = position(dataset, clip)
    return f"{dataset.classes[dataset.labels[i]]} ({dataset.ids[i]})"


def menu(dataset: Dataset) -> list[tuple[str, str]]:
    """Every clip for a menu, sorted by action: (action, person and view where they are known, and id; id)."""
    parts = [part for part in ("subject", "view") if part in dataset.table.columns]
    rows = []
    for name, label, row in zip(dataset.ids, dataset.labels, dataset.table.to_dict("records"), strict=True):
        details = [f"{PARTS[part]} {row[part]}" for part in parts]
        rows.append((" · ".join([dataset.classes[label].replace("_", " "), *details, name]), name))
    return sorted(rows)


PARTS = {"subject": "person", "view": "view"}
#: Actions that exercises compare: one motion with different things, or one motion in two directions.
COMPARED = (
    ("put_on_glasses", "take_off_glasses"),
    ("sit_down", "stand_up"),
    ("drink_from_cup", "drink_from_bottle"),
    ("read_book", "use_tablet"),
    ("clap", "rub_hands"),
)


def shortcuts(dataset: Dataset, i: int) -> dict[str, tuple[str, str]]:
    """Buttons for the actions that exercises compare, as far as ``dataset`` has both: of each the clip that shares most
    of person, view and setup with clip ``i``."""
    like = dataset.table.columns.intersection(["subject", "view", "setup"])
    alike = (dataset.table[like] == dataset.table[like].iloc[i]).sum(axis=1).to_numpy()
    buttons = {}
    for pair in COMPARED:
        if set(pair) <= {dataset.classes[label] for label in dataset.labels}:
            for name in pair:
                best = np.where(dataset.labels == dataset.classes.index(name), alike, -1).argmax()
                buttons[name.replace("_", " ")] = ("clip", dataset.ids[best])
    return buttons


NO_POSES = "these data have no poses"


def pose_spaces(dataset: Dataset, i: int, sample: Sample, how: str) -> go.Figure:
    """The pose in the middle of a clip in camera space, in the clip's pixels and normalised; a labelled blank where the
    data have none."""
    body = dataset.body(i)
    if body is None:
        return common.blank("One pose, three spaces", NO_POSES)
    pose = poses.take(body, sample.clip.frame_numbers)
    normalised = poses.normalize(pose, how=how, mirrored=dataset.mirrored)
    spaces = {
        "camera space": pose if pose.space == "camera" else None,
        "pixels of the clip": sample.pixels,
        "normalised": normalised,
    }
    present = {name: pose for name, pose in spaces.items() if pose is not None}
    return flow.pose_spaces(present, frame=len(sample.clip.frames) // 2)


def pose_samples(dataset: Dataset, i: int, spec: ClipSpec) -> go.Figure:
    """The poses of a clip that ``spec`` has a system read; a labelled blank where the data have none."""
    body = dataset.body(i)
    if body is None:
        return common.blank("The poses that are read", NO_POSES)
    normalised = poses.normalize(body, how=spec.normalize, mirrored=dataset.mirrored)
    return flow.pose_samples(poses.sample(normalised, spec.poses))


def label(classes: Sequence[str], target: int | str | None) -> int | None:
    """A class given by its name or label, as a label; None stays None. ValueError naming the classes."""
    if target is None:
        return None
    if str(target) in classes:
        return list(classes).index(str(target))
    if isinstance(target, str):
        raise ValueError(
            f"there is no action {target!r}; there are: {', '.join(classes)}{_as_number('target', target)}"
        )
    if not 0 <= target < len(classes):
        sentence = f"target must be a class or its label from 0 to {len(classes) - 1}, got {target}"
        raise ValueError(f"{sentence}; {AS_TEXT.format(name='target')}")
    return target


def pair(first: Run, second: Run) -> tuple[str, str]:
    """What two runs are called in figures: their systems, or ids where those are equal; ValueError for one run."""
    if first.id == second.id:
        raise ValueError(f"first and second are the same run, {first.id}; choose another to compare it with")
    systems = first.config.title, second.config.title
    return systems if systems[0] != systems[1] else (first.id, second.id)


def _clip(config: OfData | OfRun) -> int | str:
    """The configured clip, which a notebook settles before it draws."""
    assert config.clip is not None
    return config.clip


def frames(config: DataFlow, dataset: Dataset, load: Load) -> go.Figure:
    """00: the clip as the network gets it."""
    return flow.frames(load(position(dataset, _clip(config))).clip, f"The clip: {title(dataset, _clip(config))}")


def learning(config: Train, latest: Callable[..., Run]) -> go.Figure:
    """01: the learning curves of the newest run of ``config.system``; ``latest(system=...)`` finds it."""
    run = latest(system=config.system)
    return training.curves(run.history, f"Learning curves of {run.id}")


def measured(numbers: Mapping[str, Any]) -> pd.DataFrame:
    """01: what ``evaluate`` measured on a split, in percent, with its 95 % interval where there is one."""
    names = [
        name for name, value in numbers.items() if isinstance(value, float) and not name.endswith(("_low", "_high"))
    ]
    rows = {name: [numbers.get(f"{name}{end}") for end in ("", "_low", "_high")] for name in names}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["percent", "low", "high"], dtype=float)
    return table.mul(100).round(1).dropna(axis=1, how="all")


def inner(layers: Sequence[str]) -> str | None:
    """02: the layer three quarters of the way through a network, where Grad-CAM's conventions differ and actions are
    already told apart; None of a network that makes no feature map."""
    return layers[3 * len(layers) // 4] if layers else None


def grad_cam(config: GradCam, dataset: Dataset, load: Load, system: nn.Module) -> go.Figure:
    """02: both conventions of Grad-CAM for the configured clip, class and layer."""
    sample = load(position(dataset, _clip(config)))
    result = gradcam(system, sample.batch, label(dataset.classes, config.target), config.layer)
    return cams.side_by_side(sample.clip, result.of(0), dataset.classes[result.target[0]], result.scores[0])


def embedding(
    config: Embeddings,
    comparisons: Mapping[str, Comparison],
    labels: np.ndarray,
    classes: Sequence[str],
    runs: tuple[str, str],
) -> go.Figure:
    """03: two runs aligned, with the configured classes in colour."""
    return embeddings.aligned(comparisons, labels, classes, runs, config.classes)


def coupled(config: AttentionMaps, dataset: Dataset, load: Load, system: nn.Module) -> go.Figure:
    """04: one map of the configured clip over its frames."""
    sample = load(position(dataset, _clip(config)))
    maps = outputs.arrays(outputs.ask(system, sample.batch))
    return attention.coupled(sample.clip, {config.source: maps.get(config.source)}, sample.truth, config.opacity)


def kernels(config: AttentionMaps, dataset: Dataset, load: Load, system: nn.Module) -> go.Figure:
    """04: the channels that lead over time in the configured clip."""
    sample = load(position(dataset, _clip(config)))
    maps = outputs.arrays(outputs.ask(system, sample.batch))
    return joints.kernels(maps.get("feature_map"), sample.clip, config.kernels)


def opened(clip: int | str, dataset: Dataset, load: Load) -> Player:
    """06, 10: a clip with its joints and its truth, alone in the player."""
    sample = load(position(dataset, clip))
    return Player(sample.clip, sample.pixels, truth=sample.truth, title=title(dataset, clip))


def of_one_clip(sessions: Mapping[str, WhatIf]) -> dict[str, WhatIf]:
    """10: those of the ``sessions`` (explain.what_if) that show the same pictures as the last one."""
    frames = list(sessions.values())[-1].sample.clip.frames
    return {name: session for name, session in sessions.items() if np.array_equal(session.sample.clip.frames, frames)}


def looking(sample: Sample, maps: Mapping[str, np.ndarray], heading: str) -> Player | go.Figure:
    """10: a clip on which a click shows where that place and moment look; a blank for a system without a non-local
    block."""
    lookup = affinity.of(maps)
    if lookup is None:
        return common.blank(heading, "this run has no non-local block, so no place looks at others")
    track = Track(affinity=lookup)
    caption = "Click on the picture: the ring is the place that you selected, the colours are where it attends."
    return Player(sample.clip, sample.pixels, truth=sample.truth, title=heading, caption=caption, tracks=[track])


def zoom(config: Confusion, confusions: Mapping[str, np.ndarray], classes: Sequence[str]) -> go.Figure:
    """06: the most confused block of the first run, in all runs."""
    block = read.worst_block(next(iter(confusions.values())), min(config.block, len(classes)))
    return confusion.zoom(confusions, classes, block)


def radar(config: Confusion, confusions: Mapping[str, np.ndarray], classes: Sequence[str]) -> go.Figure:
    """06: the action pairs that the first run confuses most, in all runs."""
    pairs = read.confused_pairs(next(iter(confusions.values())), config.pairs)
    return confusion.radar(confusions, classes, pairs)


def gains(config: Confusion, confusions: Mapping[str, np.ndarray], classes: Sequence[str]) -> go.Figure:
    """06: the largest gains and losses of the second run over the first."""
    (first, before), (second, after) = confusions.items()
    return confusion.top_gains(before, after, classes, (first, second), config.top)


def lesson(config: Distillation, dataset: Dataset, load: Load, system: nn.Module) -> Player:
    """08: the attention of teacher and student over the configured clip, in step; the samples that ``load`` gives carry
    what ``system.needs_train`` names."""
    i = position(dataset, _clip(config))
    sample = load(i)
    seen = distillation.observe(system, [sample.batch], progress=False)
    networks = {"student": seen.student} | {f"teacher {name}": network for name, network in seen.teachers.items()}
    answers = [f"{name} predicts {dataset.classes[network.logits[0].argmax()]}" for name, network in networks.items()]
    attended = distillation.attention(system, sample.batch)
    known = {name for maps in attended.values() for name, value in maps.items() if value is not None}
    tracks = [_track(name, {kind: maps[kind] for kind in maps if kind in known}) for name, maps in attended.items()]
    tracks = tracks if known else [Track("the clip: neither student nor teacher has attention")]
    heading, caption = title(dataset, i), "; ".join(answers)
    return Player(sample.clip, sample.pixels, truth=sample.truth, title=heading, caption=caption, tracks=tracks)


def _track(name: str, maps: dict[str, np.ndarray | None]) -> Track:
    """One network's maps, and the share of its attention that each step gets."""
    attended = maps.get("attention")
    return Track(name, maps, {} if attended is None else {"attention": attended.sum((1, 2)) / attended.sum()})
