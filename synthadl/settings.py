"""How large a world is and which of its knobs are turned."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from synthadl.actions import ACTIONS, PRETRAIN_ACTIONS
from synthadl.actions.courses.timetable import UNTRIMMED_ACTIONS
from synthadl.drawing.camera import FRAMINGS

WORLDS = {"adl": ACTIONS, "pretrain": PRETRAIN_ACTIONS, "untrimmed": UNTRIMMED_ACTIONS}
QUALITIES = ("high", "medium", "low")


@dataclass(frozen=True)
class Settings:
    """Everything a world depends on but its name and seed.

    subjects x actions x repetitions clips (untrimmed: subjects x repetitions videos), in ``setups`` setups (a camera
    height and distance with rooms of its own);
    resolution (width, height) pixels, fps frames a second; ``monitoring`` the share of clips seen from a corner under
    the ceiling; framing "close", "normal" or "wide"; occlusion the share of clips with furniture in front (monitoring
    clips: at least half); imposters the number of rivals within reach (of SynthADL-P two at most); pose_quality the
    level at which media.pose.degrade is meant to be applied to the poses, which are stored clean; seconds (least, most)
    an untrimmed video lasts, None in the other worlds.
    """

    actions: tuple[str, ...]
    subjects: int = 12
    repetitions: int = 2
    setups: int = 8
    resolution: tuple[int, int] = (160, 120)
    fps: float = 25.0
    monitoring: float = 0.15
    framing: str = "normal"
    occlusion: float = 0.0
    imposters: int = 4
    pose_quality: str = "high"
    seconds: tuple[float, float] | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON knows it, without what a world has not."""
        known = {key: value for key, value in asdict(self).items() if value is not None}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in known.items()}


#: The sizes of SynthADL by name; numbers only.
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"subjects": 10, "repetitions": 2, "setups": 8, "resolution": (160, 120)},
    "small": {"subjects": 24, "repetitions": 5, "setups": 16, "resolution": (160, 120)},
    "paper": {"subjects": 40, "repetitions": 15, "setups": 32, "resolution": (320, 256)},
}
#: What SynthADL-P always has: short clips, seen from near, in as many frames and pixels as a small network reads.
SHORT: dict[str, Any] = {"resolution": (144, 108), "fps": 12.5, "monitoring": 0.05, "framing": "close", "imposters": 2}
#: Its sizes. It is larger than what is learnt with it, as Kinetics is; "look" has every sixth action and is for tries.
PRETRAIN_SIZES: dict[str, dict[str, Any]] = {
    "look": {"actions": PRETRAIN_ACTIONS[::6], "subjects": 12, "repetitions": 1, "setups": 6, **SHORT},
    "tiny": {"subjects": 40, "repetitions": 2, "setups": 32, **SHORT},
    "small": {"subjects": 96, "repetitions": 3, "setups": 64, **SHORT},
    "paper": {"subjects": 96, "repetitions": 10, "setups": 64, **SHORT, "resolution": (320, 256), "fps": 25.0},
}
#: Those of SynthADL-U.
UNTRIMMED_SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"subjects": 12, "repetitions": 3, "setups": 8, "resolution": (160, 120), "seconds": (60.0, 180.0)},
    "small": {"subjects": 24, "repetitions": 10, "setups": 16, "resolution": (160, 120), "seconds": (60.0, 180.0)},
    "paper": {"subjects": 40, "repetitions": 25, "setups": 32, "resolution": (320, 256), "seconds": (60.0, 180.0)},
}
WORLD_SIZES = {"adl": SIZES, "pretrain": PRETRAIN_SIZES, "untrimmed": UNTRIMMED_SIZES}
KNOBS = ("pose_quality", "resolution", "framing", "occlusion", "imposters", "subjects", "fps", "monitoring")


def settle(size: str | dict, world: str, knobs: dict | None = None) -> Settings:
    """The settings of a named size, or of a dict with fields of Settings, with ``knobs`` (names in KNOBS) turned.

    ValueError in one sentence for an unknown world, size, field or knob (listing the valid ones) or a bad value.
    """
    if world not in WORLDS:
        raise ValueError(f"unknown world {world!r}; known: {', '.join(WORLDS)}")
    sizes = WORLD_SIZES[world]
    if isinstance(size, str) and size not in sizes:
        raise ValueError(f"unknown size {size!r}; known: {', '.join(sizes)}, or a dict of Settings fields")
    chosen = dict(sizes[size]) if isinstance(size, str) else dict(size)
    _known(chosen, [field.name for field in fields(Settings)], "field of a size")
    _known(knobs or {}, KNOBS, "knob")
    start = Settings(
        actions=WORLDS[world],
        imposters=2 if world == "pretrain" else 4,
        seconds=(60.0, 180.0) if world == "untrimmed" else None,
    )
    settings = replace(start, **{**chosen, **(knobs or {})})
    pairs: dict[str, Any] = {"resolution": tuple(settings.resolution)}  # as they were typed: ``_check`` follows
    pairs["seconds"] = settings.seconds and tuple(settings.seconds)
    settings = replace(settings, actions=tuple(settings.actions), **pairs)
    _check(settings, world)
    return settings


def _known(given: dict, valid: list[str] | tuple[str, ...], what: str) -> None:
    for name in given:
        if name not in valid:
            raise ValueError(f"unknown {what} {name!r}; known: {', '.join(valid)}")


def _check(s: Settings, world: str) -> None:
    def whole(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def demand(holds: bool, name: str, expected: str) -> None:
        if not holds:
            raise ValueError(f"{name} must be {expected}, got {getattr(s, name)!r}")

    known = WORLDS[world]
    demand(len(s.actions) > 0 and set(s.actions) <= set(known), "actions", f"among {', '.join(known)}")
    if world == "untrimmed":
        demand(s.actions == known, "actions", "left out: an untrimmed world has all of its own")
        lasting = s.seconds is not None and len(s.seconds) == 2 and 20 <= s.seconds[0] <= s.seconds[1] <= 7200
        demand(lasting, "seconds", "(least, most) of a video from 20 to 7200")
    else:
        demand(s.seconds is None, "seconds", "left out: clips have lengths of their own")
    least = 12 if world == "pretrain" else 4
    splits = f"a whole number of {least} or more, so that each split has one"
    demand(whole(s.subjects) and s.subjects >= least, "subjects", splits)
    demand(whole(s.repetitions) and s.repetitions >= 1, "repetitions", "a whole number of 1 or more")
    demand(whole(s.setups) and s.setups >= 3, "setups", "a whole number of 3 or more, so that each split has one")
    sides = len(s.resolution) == 2 and all(whole(side) and 32 <= side <= 500 and side % 2 == 0 for side in s.resolution)
    demand(sides, "resolution", "(width, height) in even numbers from 32 to 500")
    demand(1 <= s.fps <= 120, "fps", "between 1 and 120")
    demand(0 <= s.monitoring <= 0.5, "monitoring", "a share between 0 and 0.5")
    demand(0 <= s.occlusion <= 1, "occlusion", "a share between 0 and 1")
    most = 2 if world == "pretrain" else 4
    demand(whole(s.imposters) and 0 <= s.imposters <= most, "imposters", f"a whole number from 0 to {most}")
    demand(s.framing in FRAMINGS, "framing", f"one of {', '.join(FRAMINGS)}")
    demand(s.pose_quality in QUALITIES, "pose_quality", f"one of {', '.join(QUALITIES)}")
