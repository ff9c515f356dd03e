"""Performs a timetable: one long performance of many actions, with the intervals in which they happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from synthadl.actions.courses.layers import Layer, compose, layer
from synthadl.actions.courses.timetable import TABLE, Entry, Timetable
from synthadl.actions.daily import desk, gestures, holding, kitchen, whole_body
from synthadl.actions.daily.walking import walk
from synthadl.actions.playing import setting
from synthadl.actions.playing.props import Stream, Thing
from synthadl.actions.playing.rig import Rig, play
from synthadl.actions.playing.score import Moment, Score
from synthadl.actions.pretraining import moves_with_things
from synthadl.people import motion
from synthadl.people.body import JOINT, Subject
from synthadl.people.performance import Performance, Prop

WRITERS: dict[str, Callable[[Score], Moment]] = {
    "drink_from_cup": partial(holding.drink, kind="cup"),
    "drink_from_bottle": partial(holding.drink, kind="bottle"),
    "phone_call": moves_with_things.phone_call,
    "eat_apple": moves_with_things.eat_apple,
    "wave": gestures.wave,
    "flick_hair": gestures.flick_hair,
    "read_book": partial(holding.read, kind="book"),
    "use_tablet": partial(holding.read, kind="tablet"),
    "clap": partial(gestures.palms, rhythm="clap"),
    "rub_hands": partial(gestures.palms, rhythm="rub"),
    "sit_down": whole_body.sit,
    "stand_up": whole_body.sit,
    "jump_up": whole_body.jump_up,
    "kick": whole_body.kick,
    "type_on_keyboard": desk.type_on_keyboard,
    "write": desk.write,
    "cut_bread": kitchen.cut,
    "stir": kitchen.stir,
}
#: What lies under the others: the hands act while the legs walk or sit.
BELOW = ("walk", "sit_down", "stand_up", "jump_up", "kick")
AT_TABLE = 0.5
PATIENCE = 1.0


@dataclass(frozen=True)
class Interval:
    """One action of a course: frame numbers, end exclusive; what makes it what it is, as in Performance."""

    action: str
    start: int
    end: int
    joints: np.ndarray
    props: tuple[int, ...]


@dataclass(frozen=True)
class Course:
    """A long performance (its own truth is that of all intervals together) and its intervals in order of start."""

    performance: Performance
    intervals: tuple[Interval, ...]


def course(subject: Subject, seconds: tuple[float, float], rng: np.random.Generator, fps: float = 25.0) -> Course:
    """One untrimmed performance, between ``seconds`` long, at ``fps`` frames a second."""
    frames = int(rng.integers(round(seconds[0] * fps), round(seconds[1] * fps) + 1))
    t = np.arange(frames) / fps
    at_table = bool(rng.random() < AT_TABLE)
    place = _setting(rng, subject, at_table)
    entries = Timetable(frames / fps, at_table, rng).entries
    base = Score(place, subject, rng, t, (0.0, frames / fps))
    base.patience = PATIENCE
    layers, travels = [], []
    for entry in entries:
        if entry.action == "walk":
            walked, path = _walk(base, entry)
            layers.append(walked)
            travels.append(path)
        elif entry.action != "sit":
            layers.append(_layer(base, entry))
    layers = _held_seats(layers)
    compose(base, [each for each in layers if each.action in BELOW] + [e for e in layers if e.action not in BELOW])
    base.travel = _travel(travels, frames)
    rig = play(base)
    return _finish(base, entries, layers, rig, rng, fps)


def _setting(rng: np.random.Generator, subject: Subject, at_table: bool) -> setting.Setting:
    """At a table, or with a chair behind; nothing else that a walker could run into."""
    while (place := setting.sample(rng, subject, False, "table" if at_table else "free", not at_table)).seated:
        pass
    kinds = ("table", "counter") if at_table else ("chair", "stool")
    return replace(place, furniture=[thing for thing in place.furniture if thing.kind in kinds])


def _own_score(base: Score, entry: Entry, t: np.ndarray, active: tuple[float, float]) -> Score:
    """A score for one action: in the free air unless it needs the table, with the hand that the timetable says."""
    place = base.setting if entry.action in TABLE else replace(base.setting, surface=None)
    score = Score(place, base.subject, base.rng, t, active)
    sides = (base.main, base.off)
    score.main, score.off = sides if entry.hand == "main" else sides[::-1]
    return score


def _layer(base: Score, entry: Entry) -> Layer:
    if entry.action != "stand_up":
        score = _own_score(base, entry, base.t, (entry.start, entry.end))
        return layer(entry.action, score, WRITERS[entry.action])
    # Played backwards in time.
    whole = base.t[-1]
    score = _own_score(base, entry, whole - base.t, (whole - entry.end, whole - entry.start))
    made = layer(entry.action, score, WRITERS[entry.action])
    moment = replace(made.moment, start=whole - made.moment.end, end=whole - made.moment.start)
    return replace(made, moment=moment, window=(whole - made.window[1], whole - made.window[0]))


def _walk(base: Score, entry: Entry) -> tuple[Layer, np.ndarray]:
    score = _own_score(base, entry, base.t, (entry.start, entry.end))
    found: list = []

    def write(score: Score) -> Moment:
        moment, path = walk(score)
        found.append(path.travel)
        return moment

    return layer("walk", score, write), found[0]


def _held_seats(layers: list[Layer]) -> list[Layer]:
    """Sitting down lasts until standing up has taken over."""
    held, down = list(layers), 0
    for number, each in enumerate(layers):
        if each.action == "sit_down":
            down = number
        elif each.action == "stand_up":
            held[down] = replace(layers[down], window=(layers[down].window[0], each.window[0] + 1.2))
    return held


def _travel(travels: list[np.ndarray], frames: int) -> np.ndarray:
    """One walk at a time: the travels [T,4,4], each the identity outside of its walk, put together."""
    whole = np.tile(np.eye(4), (frames, 1, 1))
    for travel in travels:
        whole = whole @ travel
    return whole


def _finish(
    base: Score, entries: list[Entry], layers: list[Layer], rig: Rig, rng: np.random.Generator, fps: float
) -> Course:
    """From the root frame and seconds to the world and frame numbers."""
    home = np.eye(4)
    home[:3, :3] = motion.rotation(np.array([0.0, rng.uniform(-15.0, 15.0), 0.0]))
    assert base.travel is not None  # a course has walks
    world = home @ base.travel
    joints = np.einsum("tij,tvj->tvi", world[:, :3, :3], rig.joints) + world[:, None, :3, 3]
    props: list[Prop] = []
    intervals = []
    for each in layers:
        first = len(props)
        window = [round(edge * fps) for edge in _visible(each)]
        props += [_prop(thing, rig, world, window) for thing in each.score.things]
        own = tuple(first + each.score.things.index(thing) for thing in each.moment.things)
        intervals.append(_interval(each.action, each.moment, own, fps, rig.count))
    seated = Moment(("spine_base", "hip_left", "hip_right", "knee_left", "knee_right"), (), 0.0, 0.0)
    for entry in entries:
        if entry.action == "sit":
            moment = replace(seated, start=entry.start, end=entry.end)
            intervals.append(_interval("sit", moment, (), fps, rig.count))
    intervals.sort(key=lambda each: (each.start, each.end))
    performance = Performance(
        action="",
        joints=joints,
        props=tuple(props),
        furniture=tuple(
            Prop(thing.kind, np.broadcast_to(home, (1, 4, 4)) @ _still(thing), dict(thing.look))
            for thing in base.setting.furniture
        ),
        truth_joints=np.any([each.joints for each in intervals], axis=0),
        truth_props=tuple(sorted({prop for each in intervals for prop in each.props})),
        interval=(intervals[0].start, max(each.end for each in intervals)),
        head=world[:, :3, :3] @ rig.frames["head"][0],
    )
    return Course(performance, tuple(intervals))


def _visible(each: Layer) -> tuple[float, float]:
    """When the things of an action are there: from when a hand has gone behind the hip for them, or for its window."""
    low, high = each.window
    return low + 0.5, high - 0.5


def _prop(thing: Thing | Stream, rig: Rig, world: np.ndarray, window: list[int]) -> Prop:
    path = world @ thing.place(rig)
    path[: max(window[0], 0)] = np.nan
    path[max(window[1], 0) :] = np.nan
    return Prop(thing.kind, path, dict(thing.look))


def _still(thing: Thing) -> np.ndarray:
    state = thing.stand
    return motion.matrix(motion.rotation(np.array([state.turn])), np.array([state.point]))


def _interval(action: str, moment: Moment, props: tuple[int, ...], fps: float, frames: int) -> Interval:
    joints = np.zeros(25, bool)
    joints[[JOINT[name] for name in moment.joints]] = True
    start = int(np.clip(round(moment.start * fps), 0, frames - 2))
    return Interval(action, start, int(np.clip(round(moment.end * fps), start + 1, frames)), joints, props)
