"""The classes of SynthADL-P that are a verb and a thing.

A class more is a word more in TABLE; a verb more a function and a line in VERBS; a thing more a Grip in handling.py.
"""

from __future__ import annotations

from collections.abc import Callable

from synthadl.actions.playing.score import Moment
from synthadl.actions.pretraining import verbs_in_air as air
from synthadl.actions.pretraining import verbs_on_table as table

TABLE = """
    lift        cup bottle mug jar book tablet phone pan knife box glass kettle
    push        cup bottle can book tablet box bowl glass bread cheese
    pull        cup bottle jar book tablet box bowl glass
    carry       cup bottle can book phone pan knife vase glass
    pick_up     cup bottle can book phone pan hammer box glass
    put_down    cup bottle can book phone pan hammer box glass
    shake       bottle can jar book phone pen teddy box
    tilt        cup bottle can pan bowl book box glass
    turn        mug kettle pan book phone hammer teddy
    turn_over   cup mug book phone bowl
    tap         book tablet box pan hat can bread cheese
    point_at    cup bottle can book phone pan knife box glass kettle bread cheese
    throw       ball apple can book shoe paper teddy
    toss        apple can phone pen sponge
    hold_up     cup bottle book hat pan hammer box glass paper
    show        cup book tablet phone knife teddy torch paper
    smell       cup jar vase apple
    listen_to   can jar remote
    hand_over   cup bottle can book phone pen torch glass
    drop        pen book sponge shoe apple
    knock_over  cup bottle can vase
    set_up      cup bottle can torch
    stack       cup can bowl mug
    unstack     cup can bowl mug
    roll        bottle can apple torch
    wipe_with   cloth sponge paper
    swing       torch hammer brush cloth
    open        jar mug pot pan box
    close       jar mug pot pan box
"""

#: verb -> how it moves, and whether that is played backwards.
VERBS: dict[str, tuple[Callable[..., Moment], bool]] = {
    "lift": (table.lift, False),
    "push": (table.push, False),
    "pull": (table.push, True),
    "carry": (table.carry, False),
    "pick_up": (table.put_down, True),
    "put_down": (table.put_down, False),
    "shake": (air.shake, False),
    "tilt": (air.tilt, False),
    "turn": (table.twist, False),
    "turn_over": (table.turn_over, False),
    "tap": (table.tap, False),
    "point_at": (table.point_at, False),
    "throw": (air.throw, False),
    "toss": (air.toss, False),
    "hold_up": (air.hold_up, False),
    "show": (air.show, False),
    "smell": (air.smell, False),
    "listen_to": (air.listen_to, False),
    "hand_over": (air.hand_over, False),
    "drop": (air.drop, False),
    "knock_over": (table.knock_over, False),
    "set_up": (table.knock_over, True),
    "stack": (table.stack, False),
    "unstack": (table.stack, True),
    "roll": (table.roll, False),
    "wipe_with": (table.wipe_with, False),
    "swing": (air.swing, False),
    "open": (table.open_up, False),
    "close": (table.open_up, True),
}

#: class -> (verb, thing)
PAIRS: dict[str, tuple[str, str]] = {
    f"{verb}_{thing}": (verb, thing) for verb, *things in map(str.split, TABLE.strip().splitlines()) for thing in things
}
