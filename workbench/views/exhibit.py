"""The first thing to see: one clip that a network classifies correctly, where it attends, what it answers, and what the
same network answers when the same video comes with another clip's poses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from workbench import data
from workbench.explain.what_if import WhatIf
from workbench.show.gallery import Exhibit
from workbench.show.player import Player, Track
from workbench.study.analysis import joint_sensitivity
from workbench.study.evaluate import exchanges
from workbench.study.evaluate.alive import CHANGED
from workbench.study.evaluate.attention_grades import POSE
from workbench.study.evaluate.exchanges import OWN, UNIFORM
from workbench.study.evaluate.inference import Answers
from workbench.study.runs import find_runs
from workbench.study.runs.run_folder import Run
from workbench.types import Pose
from workbench.views.median_clip import median_clip

#: Frames that are shown: enough for a movement to be smooth.
FRAMES = 48
#: Answers that are shown as bars, and clips whose poses are tried.
BARS, OTHERS = 3, 9
#: What short names stand for.
SPELLED = {"VPN": "a video-pose network"}


def of_best(runs: str | Path, root: str | Path | None = None) -> Exhibit | None:
    """The exhibit of ``best_run``; None where there is none."""
    run = best_run(runs, root)
    return None if run is None else of_run(run)


def best_run(runs: str | Path, root: str | Path | None = None, split: str = "test") -> Run | None:
    """The run on the data ``root`` that has attention and whose predictions depend on the poses (they change in CHANGED
    of the clips or more when the poses do); of several, that of the highest accuracy on validation clips."""
    seen: dict = {}
    for run in sorted(find_runs.newest(runs), key=_validated, reverse=True):
        effects = run.metrics.get(split, {}).get("alive", {}).get("exchanges", {})
        alive = effects.get(POSE, {}).get("changed", {}).get("value", 0.0) >= CHANGED
        if alive and "attention" in run.maps(split) and (root is None or run.learnt_from(root, seen)):
            return run
    return None


def _validated(run: Run) -> float:
    """Its accuracy on validation clips; 0 where it is not known."""
    measured = run.metrics.get("validation", {}).get("top1")
    return float(run.history.get("validation_top1", pd.Series([0.0])).max()) if measured is None else measured


def of_run(run: Run, split: str = "test") -> Exhibit | None:
    """The exhibit of one run; None if it classifies no clip correctly."""
    chosen = median_clip(run, split)
    if chosen is None:
        return None
    clips, i = chosen.clips, chosen.i
    answers, donor = _answers(run, clips, i)
    seen = sample_of_source(clips, i, run.spec)
    name, classes, label = run.config.system.upper(), clips.classes, clips.labels[i]
    tracks = [_track(answers[OWN], f"{name}, with the clip's own poses", classes)]
    if POSE in answers:
        exchanged = _track(answers[POSE], f"the same video, poses of {_name(classes[clips.labels[donor]])}", classes)
        tracks.append(replace(exchanged, pixels=_in_pixels(clips, donor, run.spec, seen.clip.frames.shape)))
    action = _name(classes[label])
    title = f"{action}: where {name} attends"
    player = Player(seen.clip, seen.pixels, truth=seen.truth, title=action, tracks=tracks)
    sentences = _sentences(answers, classes, label, name, seen.truth is not None)
    origin = f" This {name} comes with the workbench and was not trained here." if run.ready_made else ""
    choice = (
        f"Of the {chosen.count} clips that {name} classifies correctly, this one is at the median of {chosen.measure}: "
        f"{chosen.value:.2f}. It is neither the best nor the worst.{origin}"
    )
    return Exhibit(player, title, (*sentences, *_of_all(run, split, name), choice))


def posed_first(sessions: dict[str, WhatIf], shown: tuple[Run, ...], split: str, i: int) -> dict[str, WhatIf]:
    """``sessions`` (explain.what_if) about clip ``i`` of the runs that are shown, with the run before them that depends
    most on poses (``find_runs.by_pose``), where it is none of them."""
    posed = find_runs.by_pose(shown[0].folder.parent, shown[0])
    if posed.id in [run.id for run in shown]:
        return sessions
    session = joint_sensitivity.session(posed, posed.system(), posed.clips(split), i)
    return {posed.config.title: session} | sessions


def _answers(run: Run, clips: data.Dataset, i: int) -> tuple[dict[str, Answers], int]:
    """What the run answers about clip ``i``, and the clip that the other poses are of: of OTHERS draws the one at the
    median of the score that is left to the right class."""
    system, label = run.system(), clips.labels[i]
    drawn = [exchanges.of_clip(system, clips, i, run.spec, seed) for seed in range(OTHERS)]
    if POSE not in drawn[0]:
        return drawn[0], i
    left = [answers[POSE].scores[0, label] for answers in drawn]
    seed = int(np.argsort(left, kind="stable")[OTHERS // 2])
    return drawn[seed], exchanges.partner(clips, i, seed)


def sample_of_source(clips: data.Dataset, i: int, spec: data.ClipSpec) -> data.Sample:
    """The moments and the crop that ``spec`` reads, in more frames and in the source's own pixels."""
    crop = data.sample(clips, i, spec).clip.crop
    assert crop is not None  # a sample says where it was cut out
    x0, y0, x1, y1 = crop
    height, width = (max(have, 2 * round(side / 2)) for have, side in zip(spec.size, (y1 - y0, x1 - x0), strict=True))
    return data.sample(clips, i, replace(spec, frames=max(FRAMES, spec.frames), size=(height, width)))


def _in_pixels(clips: data.Dataset, donor: int, spec: data.ClipSpec, shape: tuple[int, ...]) -> Pose | None:
    """The donor's poses where they were in its own picture, in pixels of frames [T,H,W,3]; None where its poses have no
    place in a picture."""
    other = sample_of_source(clips, donor, spec)
    if other.pixels is None:
        return None
    joints = other.pixels.joints.copy()
    joints[..., :2] *= np.array(shape[2:0:-1]) / np.array(other.clip.frames.shape[2:0:-1])
    return replace(other.pixels, joints=joints)


def _track(answers: Answers, title: str, classes: list[str]) -> Track:
    maps = {"attention": answers.maps["attention"][0]}
    temporal = {"temporal": answers.maps["temporal"][0]} if "temporal" in answers.maps else {}
    best = np.argsort(-answers.scores[0])[:BARS]
    return Track(title, maps, temporal, scores=[(_name(classes[n]), float(answers.scores[0, n]), None) for n in best])


def _sentences(answers: dict[str, Answers], classes: list[str], label: int, name: str, true: bool) -> list[str]:
    scores, action = answers[OWN].scores[0], _name(classes[label])
    outlines = " The clip is drawn by a program, which knows what decides the label: the outlines." if true else ""
    full = f"{name}, {SPELLED[name]}," if name in SPELLED else name
    sentences = [f"The colours are where and when {full} attends while somebody does “{action}”.{outlines}"]
    answer = f"{name} answers “{_name(classes[scores.argmax()])}” (score {scores.max():.2f})"
    if POSE in answers:
        posed = answers[POSE].scores[0]
        same = "still answers" if posed.argmax() == scores.argmax() else "answers"
        answer += f"; given another clip's poses (of {OTHERS}, those of median effect) it {same} "
        answer += f"“{_name(classes[posed.argmax()])}” ({posed.max():.2f})"
    sentences.append(f"{answer}.")
    if UNIFORM in answers:
        without = answers[UNIFORM].scores[0, label]
        weights = f"With equal weights everywhere the score of the right answer is {without:.2f}"
        sentences.append(f"{weights}; with its own attention it is {scores[label]:.2f}.")
    return sentences


def _of_all(run: Run, split: str, name: str) -> list[str]:
    """How often the network is right on all clips, as they are and under each exchange."""
    measured = run.metrics.get(split, {})
    effects = measured.get("alive", {}).get("exchanges", {})
    words = {OWN: "as they are", POSE: "with another clip's poses", UNIFORM: "with equal weights everywhere"}
    right = [
        f"{100 * effects[key]['top1']['value']:.1f} % {how}"
        for key, how in words.items()
        if "top1" in effects.get(key, {})
    ]
    if len(right) < 2:
        return []
    return [f"Of all {measured['clips']:,} {split} clips, {name} classifies correctly {', '.join(right)}."]


def _name(action: str) -> str:
    return action.replace("_", " ")
