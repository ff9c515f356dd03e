"""The actions of SynthADL and how one is performed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypedDict

import numpy as np

from synthadl.actions.daily import chores, desk, gestures, holding, idle, kitchen, wearing, whole_body
from synthadl.actions.playing import setting
from synthadl.actions.playing.rig import Rig, play, shifted
from synthadl.actions.playing.score import Moment, Score
from synthadl.actions.pretraining import moves, moves_with_things, postures
from synthadl.actions.pretraining.pairs import PAIRS, VERBS
from synthadl.people import motion
from synthadl.people.body import JOINT, Subject
from synthadl.people.performance import Performance, Prop

#: How long a clip lasts: of SynthADL, and of SynthADL-P, where many short ones teach more than few long ones.
SECONDS, SHORT_SECONDS = (2.4, 6.0), (2.0, 3.2)
#: How much of a long action may lie before the first or after the last frame of a clip that is too short for it.
OVERHANG = 0.09


@dataclass(frozen=True)
class Action:
    """How an action is played.

    ``seconds``: how long it takes where the clip leaves room; ``sits``: may be done seated; ``front``: "any", "table"
    (needs one) or "free" (nothing may stand in front); ``chair``: one always stands behind; ``backwards``: played in
    reverse; ``long``: may begin before the clip does and end after it.
    """

    write: Callable[[Score], Moment]
    seconds: tuple[float, float] = (1.8, 4.0)
    sits: bool = True
    front: str = "any"
    chair: bool = False
    backwards: bool = False
    long: bool = False

    @property
    def order(self) -> slice:
        """From the moments of the score to the frames of the clip, and back."""
        return slice(None, None, -1 if self.backwards else None)


class Standing(TypedDict):
    """Fields of Action."""

    sits: bool
    front: str


DRINK, POUR, SHORT, DESK, LONG = (2.2, 4.2), (2.4, 4.4), (1.5, 3.0), (2.0, 5.4), (4.2, 5.8)
QUICK = (1.8, 3.0)
FLOOR: Standing = {"sits": False, "front": "free"}

ADL: dict[str, Action] = {
    "drink_from_cup": Action(partial(holding.drink, kind="cup"), DRINK),
    "drink_from_bottle": Action(partial(holding.drink, kind="bottle"), DRINK),
    "drink_from_can": Action(partial(holding.drink, kind="can"), DRINK),
    "drink_from_glass": Action(partial(holding.drink, kind="glass"), DRINK),
    "read_book": Action(partial(holding.read, kind="book"), DESK),
    "use_tablet": Action(partial(holding.read, kind="tablet"), DESK),
    "read_letter": Action(partial(holding.read, kind="paper"), DESK),
    "pour_water": Action(partial(kitchen.pour, kind="kettle"), POUR),
    "pour_grains": Action(partial(kitchen.pour, kind="grain_box"), POUR),
    "pour_from_bottle": Action(partial(kitchen.pour, kind="bottle"), POUR),
    "put_on_glasses": Action(wearing.glasses, (1.7, 3.2)),
    "take_off_glasses": Action(wearing.glasses, (1.7, 3.2), backwards=True),
    "put_on_shoe": Action(wearing.shoe, (1.9, 3.4), front="free"),
    "take_off_shoe": Action(wearing.shoe, (1.9, 3.4), front="free", backwards=True),
    "put_into_pocket": Action(holding.pocket, SHORT),
    "take_out_of_pocket": Action(holding.pocket, SHORT, backwards=True),
    "sit_down": Action(whole_body.sit, (1.3, 2.4), chair=True, **FLOOR),
    "stand_up": Action(whole_body.sit, (1.3, 2.4), chair=True, backwards=True, **FLOOR),
    "clap": Action(partial(gestures.palms, rhythm="clap"), (1.6, 4.5)),
    "rub_hands": Action(partial(gestures.palms, rhythm="rub"), (1.6, 4.5)),
    "type_on_keyboard": Action(desk.type_on_keyboard, DESK, front="table"),
    "write": Action(desk.write, DESK, front="table"),
    "cut_bread": Action(kitchen.cut, DESK, front="table"),
    "cut_cheese": Action(partial(kitchen.cut, kind="cheese"), DESK, front="table"),
    "stir": Action(kitchen.stir, DESK, front="table"),
    "stir_pot": Action(partial(kitchen.stir, kind="pot"), DESK, front="table"),
    "jump_up": Action(whole_body.jump_up, (1.6, 4.0), **FLOOR),
    "hop_on_one_foot": Action(whole_body.hop_on_one_foot, (1.8, 4.5), **FLOOR),
    "kick": Action(whole_body.kick, (1.4, 3.4), **FLOOR),
    "wave": Action(gestures.wave, (1.6, 4.0)),
    "flick_hair": Action(gestures.flick_hair, (1.4, 2.6)),
    "cook": Action(chores.cook, LONG, front="table", long=True),
    "make_coffee": Action(chores.make_coffee, LONG, front="table", long=True),
    "clean_up": Action(chores.clean_up, LONG, front="table", long=True),
}
#: Actions of the whole body, and those whose thing has a motion of its own.
MOVES: dict[str, Action] = {
    "point": Action(moves.point, QUICK),
    "bow": Action(moves.bow, QUICK, **FLOOR),
    "squat": Action(moves.squat, QUICK, **FLOOR),
    "march_in_place": Action(moves.march_in_place, QUICK, **FLOOR),
    "raise_both_arms": Action(moves.raise_both_arms, QUICK),
    "salute": Action(moves.salute, QUICK),
    "punch": Action(moves.punch, QUICK, front="free"),
    "side_step": Action(moves.side_step, QUICK, **FLOOR),
    "arm_circles": Action(moves.arm_circles, QUICK),
    "check_watch": Action(moves.check_watch, QUICK),
    "phone_call": Action(moves_with_things.phone_call, QUICK),
    "brush_teeth": Action(moves_with_things.brush_teeth, QUICK),
    "comb_hair": Action(moves_with_things.comb_hair, QUICK),
    "eat_apple": Action(moves_with_things.eat_apple, QUICK),
    "sweep_floor": Action(moves_with_things.sweep_floor, QUICK, **FLOOR),
    "lift_dumbbell": Action(moves_with_things.lift_dumbbell, QUICK, front="free"),
    "put_on_hat": Action(wearing.hat, QUICK),
    **{name: Action(partial(postures.strike, posture=each), QUICK) for name, each in postures.POSTURES.items()},
}
PRETRAIN: dict[str, Action] = {
    name: Action(partial(VERBS[verb][0], kind=kind), QUICK, front="table", backwards=VERBS[verb][1])
    for name, (verb, kind) in PAIRS.items()
} | MOVES

ACTIONS: tuple[str, ...] = tuple(ADL)
PRETRAIN_ACTIONS: tuple[str, ...] = tuple(PRETRAIN)


def perform(
    action: str, subject: Subject, rng: np.random.Generator, fps: float = 25.0, rivals: tuple[str, ...] = (),
    shift: np.ndarray | None = None,
) -> Performance:  # fmt: skip
    """One performance of ``action`` (a name of ACTIONS or PRETRAIN_ACTIONS) at ``fps`` frames a second, 2.4 to 6 s long
    (those of PRETRAIN_ACTIONS 2 to 3.2 s). ``rivals`` are kinds of things: in ACTIONS the first is offered to the hand
    that has nothing to do, which takes it or not; in actions of PAIRS (handling.RIVALS, two at most) they lie beside
    the one that is handled. ``shift`` float [T,25,3], world metres, is added to the joints of the performance; things
    follow the hand, the head or the foot that holds them, and turn as that turns.

    The number of frames is drawn before anything that knows the action, so no label can be read from it. Raises
    ValueError naming the known actions if ``action`` is none of them, and for a ``shift`` that is not [T,25,3].
    """
    recipe = ADL.get(action) or PRETRAIN.get(action)
    if recipe is None:
        raise ValueError(f"unknown action {action!r}; known: {', '.join(ACTIONS + PRETRAIN_ACTIONS)}")
    shortest, longest = SECONDS if action in ADL else SHORT_SECONDS
    frames = int(rng.integers(round(shortest * fps), round(longest * fps) + 1))
    t = np.arange(frames) / fps
    offer = idle.sample(rng) if action in ADL else None
    place = setting.sample(rng, subject, recipe.sits, recipe.front, recipe.chair)
    score = Score(place, subject, rng, t, _active(rng, recipe, subject, frames / fps))
    score.rivals = tuple(rivals)
    moment = recipe.write(score)
    carries = offer is not None and len(rivals) > 0 and idle.carry(score, rivals[0], offer)
    rig, world = play(score), _world(rng)
    if shift is not None:
        if np.shape(shift) != rig.joints.shape:
            raise ValueError(f"shift must be {list(rig.joints.shape)}, as the joints are, got {list(np.shape(shift))}")
        rig = shifted(rig, (shift @ world[:3, :3])[recipe.order])
    return replace(_performance(action, recipe, score, moment, rig, world, fps), carries=carries)


def _active(rng: np.random.Generator, recipe: Action, subject: Subject, seconds: float) -> tuple[float, float]:
    """(start, end) of the action in seconds. A long one may begin before the clip does, with its hand on the way."""
    wanted = rng.uniform(*recipe.seconds) / subject.speed
    share = rng.uniform(0.02, 0.98)
    over = OVERHANG if recipe.long else 0.0
    length = min(wanted, 0.94 * seconds / (1.0 - 2.0 * over))
    lead = -over * length + share * (seconds - (1.0 - 2.0 * over) * length)
    return float(lead), float(lead + length)


def _world(rng: np.random.Generator) -> np.ndarray:
    root = np.eye(4)
    root[:3, :3] = motion.rotation(np.array([0.0, rng.uniform(-25.0, 25.0), 0.0]))
    root[:3, 3] = rng.uniform(-0.2, 0.2), 0.0, rng.uniform(-0.2, 0.2)
    return root


def _performance(
    action: str, recipe: Action, score: Score, moment: Moment, rig: Rig, world: np.ndarray, fps: float
) -> Performance:
    """From the root frame and seconds to the world and frame numbers, turned round in time where the action is."""
    order, frames = recipe.order, rig.count
    joints = rig.joints[order] @ world[:3, :3].T + world[:3, 3]
    props = tuple(Prop(thing.kind, world @ thing.place(rig)[order], dict(thing.look)) for thing in score.things)
    furniture = tuple(Prop(thing.kind, world @ thing.place(rig), dict(thing.look)) for thing in score.setting.furniture)
    first = int(np.clip(round(moment.start * fps), 0, frames - 2))
    last = int(np.clip(round(moment.end * fps), first + 1, frames))
    if recipe.backwards:
        first, last = frames - last, frames - first
    truth = np.zeros(25, dtype=bool)
    truth[[JOINT[name] for name in moment.joints]] = True
    return Performance(
        action=action,
        joints=joints,
        props=props,
        furniture=furniture,
        truth_joints=truth,
        truth_props=tuple(score.things.index(thing) for thing in moment.things),
        interval=(first, last),
        head=world[:3, :3] @ rig.frames["head"][0][order],
    )
