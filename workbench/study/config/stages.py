"""The published stages of training, as a preset and a configuration change them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import optim

from workbench.study.config.preset_fields import Preset
from workbench.systems.common.base import Stage

OPTIMIZERS = {"sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW}
#: Arguments of each schedule with their defaults. every, warmup and milestones count epochs of the published number.
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {},
    "step": {"every": 10, "factor": 0.1},
    "milestones": {"milestones": (30, 40), "factor": 0.1},
    "cosine": {"warmup": 0, "floor": 0.0},
    "plateau": {"patience": 3, "factor": 0.1},
}


@dataclass(frozen=True)
class Procedure:
    """What a configuration says of the stages of ``system``: the preset's numbers, and its own ``epochs``,
    ``optimizer``, ``schedule``, ``clip_grad`` and ``freeze`` (see TrainConfig); ``begun``: it starts from trained
    parts."""

    system: str
    preset: Preset
    epochs: int | dict[str, int] | None
    optimizer: dict[str, Any] | None
    schedule: dict[str, Any] | None
    clip_grad: float | str | None
    freeze: tuple[str, ...]
    begun: bool

    @property
    def frozen(self) -> tuple[str, ...]:
        """Names of layers that keep the values they start with, in the systems that have them."""
        return (*self.freeze, *self.preset.freeze)

    def of(self, stages: Sequence[Stage]) -> list[Stage]:
        """The published ``stages`` with these epochs, optimiser, schedule and clip_grad.

        Epochs are the configuration's (0 leaves a stage out), else the published number times the preset's factor
        (at least 1); the schedule's own epochs shrink and grow with them. Every stage may be left out where trained
        parts are begun with, which are then joined as they are. ValueError naming the valid ones for an unknown stage,
        optimiser, schedule or argument.
        """
        names = [key for stage in stages for key in _keys(stage.name)[:-1]]
        if isinstance(self.epochs, dict) and (unknown := set(self.epochs) - set(names)):
            raise ValueError(f"{self.system} has no stage {min(unknown)!r}; its stages: {', '.join(names)}")
        adapted = [changed for stage in stages if (changed := self._changed(stage)).epochs]
        if not adapted and not self.begun:
            raise ValueError(f"epochs {self.epochs!r} leaves out every stage of {self.system}")
        return adapted

    def _changed(self, stage: Stage) -> Stage:
        epochs = of_stage(stage.name, self.epochs) if isinstance(self.epochs, dict) else self.epochs
        if epochs is None:
            epochs = max(1, round(stage.epochs * of_stage(stage.name, self.preset.epochs, 1.0)))
        if epochs == 0:
            return replace(stage, epochs=0)
        chosen = _with_roles(stage, of_stage(stage.name, self.preset.optimizer), self.preset.optimizer)
        schedule = _schedule(amend(stage.schedule, self.preset.schedule, self.schedule), epochs / stage.epochs)
        optimizer = _inside(stage.part, amend(stage.optimizer, chosen, self.optimizer))
        arguments(optimizer)
        published = stage.clip_grad if self.preset.clip_grad is None else self.preset.clip_grad
        clip = published if isinstance(self.clip_grad, str) else self.clip_grad
        stage = replace(stage, epochs=epochs, optimizer=optimizer, schedule=schedule, clip_grad=clip)
        return replace(stage, fixed=self.frozen)


def amend(published: dict[str, Any], *changes: dict[str, Any] | None) -> dict[str, Any]:
    """``published`` with each change in turn: one that has a "name" replaces it, another only changes its values."""
    for change in changes:
        if change is not None:
            published = dict(change) if "name" in change else {**published, **change}
    return published


def _keys(stage: str) -> list[str]:
    """What tables by stage are searched for, in turn: the name, the name within its member, and "" for all others."""
    return list(dict.fromkeys([stage, stage.rpartition("/")[2], ""]))


def of_stage(stage: str, table: dict[str, Any], otherwise: Any = None) -> Any:
    """What ``table`` has for the stage of this name."""
    return next((table[key] for key in _keys(stage) if key in table), otherwise)


def _with_roles(stage: Stage, chosen: dict[str, Any] | None, table: dict[str, Any]) -> dict[str, Any] | None:
    """``chosen`` with the "scale" that ``table`` has for the stages whose roles modules of this one play."""
    scale = {
        f"{module}.{name}" if name else module: by
        for module, role in stage.roles.items()
        for name, by in table.get(role, {}).get("scale", {}).items()
    }
    if not scale:
        return chosen
    return {**(chosen or {}), "scale": {**scale, **(chosen or {}).get("scale", {})}}


def _inside(part: str, described: dict[str, Any]) -> dict[str, Any]:
    """The optimiser with the modules of its "scale" as the whole system names those of ``part``."""
    if not part or "scale" not in described:
        return described
    scale = described["scale"].items()
    return {**described, "scale": {name if matches(name, (part,)) else f"{part}.{name}": by for name, by in scale}}


def arguments(described: dict[str, Any]) -> dict[str, Any]:
    """The optimiser's arguments, checked against its signature."""
    name = described.get("name")
    if name not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {name!r}; known: {', '.join(OPTIMIZERS)}")
    options = {key: value for key, value in described.items() if key not in ("name", "scale")}
    valid = [key for key in inspect.signature(OPTIMIZERS[name]).parameters if key != "params"]
    if unknown := set(options) - set(valid):
        raise ValueError(f"optimizer {name} has no argument {min(unknown)!r}; valid: {', '.join(valid)}, scale")
    return options


def _schedule(described: dict[str, Any], stretch: float) -> dict[str, Any]:
    name = described.get("name")
    if name not in SCHEDULES:
        raise ValueError(f"unknown schedule {name!r}; known: {', '.join(SCHEDULES)}")
    defaults = SCHEDULES[name]
    if unknown := set(described) - {"name", *defaults}:
        valid = ", ".join(defaults) or "none"
        raise ValueError(f"schedule {name} has no argument {min(unknown)!r}; valid: {valid}")
    schedule = {**defaults, **described}
    if "every" in schedule:
        schedule["every"] = max(1, round(schedule["every"] * stretch))
    if "milestones" in schedule:
        schedule["milestones"] = [max(1, round(epoch * stretch)) for epoch in schedule["milestones"]]
    if "warmup" in schedule:
        schedule["warmup"] = schedule["warmup"] * stretch
    return schedule


def matches(name: str, prefixes: Sequence[str]) -> bool:
    """Whether the parameter or module called ``name`` is one of, or inside one of, ``prefixes`` ("" is everything)."""
    return any(not prefix or name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
