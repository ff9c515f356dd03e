"""Who does what where: the clips of a world, their factors and the three protocols, before anything is drawn.

Factors that must not give the label away are dealt out anew for each action from the same pack, so that every action
has the same share of every view, setup, room and imposter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from synthadl.actions.pretraining.handling import RIVALS
from synthadl.drawing.camera import MONITORING, YAWS
from synthadl.drawing.scene import IMPOSTERS
from synthadl.settings import WORLDS, Settings, settle

#: What a seed is for; part of every seed sequence, so that no two things share one.
CLIP, SUBJECT, SETUP, ROOM, DEAL = range(5)
ROOMS_PER_SETUP = 2
SPLITS = ("train", "validation", "test")


def sequence(seed: int, world: str, purpose: int, number: int) -> np.random.SeedSequence:
    """The seed sequence of one thing of a world."""
    return np.random.SeedSequence([seed, list(WORLDS).index(world), purpose, number])


def subject_seed(seed: int, world: str, subject: int) -> int:
    """The number by which Subject.sample knows a subject of this world."""
    return int(sequence(seed, world, SUBJECT, subject).generate_state(1)[0])


def setup_camera(seed: int, world: str, setup: int) -> tuple[float, float]:
    """Height and distance of a setup's cameras in metres: odd setups look from the chest, even ones from above."""
    rng = np.random.default_rng(sequence(seed, world, SETUP, setup))
    height = rng.uniform(1.05, 1.4) if setup % 2 else rng.uniform(1.8, 2.25)
    return float(height), float(rng.uniform(2.75, 3.1))


def role_of_subject(subject: int) -> str:
    """Cross-subject: 4, 8, 12 ... test; 3, 9, 15 ... validate; the others train."""
    return "test" if subject % 4 == 0 else "validation" if subject % 6 == 3 else "train"


def split_cs(subject: int, view: int, setup: int) -> str:
    """Cross-subject."""
    return role_of_subject(subject)


def split_cv(subject: int, view: int, setup: int) -> str:
    """Cross-view: view 3 tests, views 1 and 2 train; the validation subjects' clips of those validate."""
    if view not in YAWS:
        return "unused"
    return "test" if view == 3 else _training(subject)


def split_setup(subject: int, view: int, setup: int) -> str:
    """Cross-setup: setups 3, 6, 9 ... test, with rooms and cameras of their own."""
    return "test" if setup % 3 == 0 else _training(subject)


def _training(subject: int) -> str:
    return "validation" if role_of_subject(subject) == "validation" else "train"


def split_held_out(subject: int, view: int, setup: int) -> str:
    """Of SynthADL-P: subjects 6, 18, 30 ... test, 12, 24, 36 ... validate; the others train."""
    return {6: "test", 0: "validation"}.get(subject % 12, "train")


PROTOCOLS = {"split_cs": split_cs, "split_cv": split_cv, "split_setup": split_setup}


def protocols(world: str) -> dict:
    """The split columns of a world and the rule of each. SynthADL-P is there to be learnt from: it has one."""
    return {"split_cs": split_held_out} if world == "pretrain" else PROTOCOLS


def plan(size: str | dict = "tiny", world: str = "adl", seed: int = 0, knobs: dict | None = None) -> pd.DataFrame:
    """One row a clip, in the order of their numbers: all of the index but what takes a performance to know.

    Columns: id, video, arrays, action, label, subject, view, camera, setup, fps, width, height, imposter, background,
    blocked (furniture in front), seed, split_cs, split_cv, split_setup (SynthADL-P: split_cs alone); untrimmed videos
    have no action nor label.
    Raises ValueError as ``settle`` does, and where a world is too small for every action to be in every split.
    """
    settings = settle(size, world, knobs)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be a whole number of 0 or more, got {seed!r}")
    if world == "untrimmed":
        table = _deal(settings, world, seed, 0).drop(columns=["action", "label"])
    else:
        parts = [_deal(settings, world, seed, label) for label in range(len(settings.actions))]
        table = pd.concat(parts, ignore_index=True)
    width, height = settings.resolution
    table["fps"], table["width"], table["height"] = float(settings.fps), width, height
    table["seed"] = [int(sequence(seed, world, CLIP, n).generate_state(1)[0]) for n in range(len(table))]
    for name, rule in protocols(world).items():
        rows = zip(table["subject"], table["view"], table["setup"], strict=True)
        table[name] = [rule(*row) for row in rows]
    table.insert(0, "id", [_name(row) for row in table.itertuples()])
    table.insert(1, "video", "videos/" + table["id"] + ".mp4")
    table.insert(2, "arrays", "arrays/" + table["id"] + ".npz")
    return table


def _name(row: Any) -> str:
    action = f"A{row.label + 1:03d}" if hasattr(row, "label") else ""
    return f"S{row.setup:03d}V{row.view}P{row.subject:03d}R{row.repetition:03d}{action}"


def _deal(s: Settings, world: str, seed: int, label: int) -> pd.DataFrame:
    """The clips of one action. Deals again until every split of every protocol holds one of them."""
    rng = np.random.default_rng(sequence(seed, world, DEAL, label))
    people = [
        (subject, repetition) for subject in range(1, s.subjects + 1) for repetition in range(1, s.repetitions + 1)
    ]
    for _ in range(2000):
        views, setups = _views(s, len(people), rng), _pack(range(1, s.setups + 1), len(people), rng)
        where = [(person[0], view, setup) for person, view, setup in zip(people, views, setups, strict=True)]
        if all({rule(*each) for each in where} >= set(SPLITS) for rule in protocols(world).values()):
            break
    else:
        raise ValueError(
            f"{s.subjects} subjects x {s.repetitions} repetitions in {s.setups} setups are too few "
            f"for {s.actions[label]!r} to be in every split of every protocol"
        )
    rooms = _pack(range(ROOMS_PER_SETUP), len(people), rng)
    foreign = RIVALS if world == "pretrain" else IMPOSTERS
    first = _pack(range(len(foreign)), len(people), rng)
    others = [rng.permutation(np.delete(np.arange(len(foreign)), one))[: max(s.imposters - 1, 0)] for one in first]
    kinds = [[foreign[k] for k in (one, *more)][: s.imposters] for one, more in zip(first, others, strict=True)]
    blocked = [rng.random() < (max(s.occlusion, 0.5) if view in MONITORING else s.occlusion) for view in views]
    return pd.DataFrame(
        {
            "action": s.actions[label],
            "label": label,
            "subject": [subject for subject, _ in people],
            "repetition": [repetition for _, repetition in people],
            "view": views,
            "camera": [
                (setup - 1) * (len(YAWS) + len(MONITORING)) + view for view, setup in zip(views, setups, strict=True)
            ],
            "setup": setups,
            "imposter": ["+".join(row) for row in kinds],
            "background": [ROOMS_PER_SETUP * (setup - 1) + room for setup, room in zip(setups, rooms, strict=True)],
            "blocked": blocked,
        }
    )


def _views(s: Settings, count: int, rng: np.random.Generator) -> list[int]:
    """Views dealt to ``count`` clips, the share ``monitoring`` of them from corners."""
    corners = int(np.floor(s.monitoring * count + rng.random()))
    dealt = _pack(MONITORING, corners, rng) + _pack(YAWS, count - corners, rng)
    return [int(view) for view in rng.permutation(dealt)]


def _pack(values: Iterable[int], count: int, rng: np.random.Generator) -> list[int]:
    """``count`` values in random order, each as often as any other (the remainder by lot)."""
    values = list(values)
    whole = values * (count // len(values)) + list(rng.permutation(values)[: count % len(values)])
    return [int(value) for value in rng.permutation(np.array(whole, np.int64))]
