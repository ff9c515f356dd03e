"""A stage's optimiser and schedule, from the data that describe them, by torch's own classes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn, optim
from torch.optim import lr_scheduler

from workbench.study.config.train_config import TrainConfig, amend
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


def adapt(stages: Sequence[Stage], config: TrainConfig) -> list[Stage]:
    """The published stages with the preset's and the configuration's epochs, optimiser, schedule and clip_grad.

    Epochs are the configuration's (0 leaves a stage out), else the published number times the preset's factor
    (at least 1); the schedule's own epochs shrink and grow with them. Every stage may be left out where ``init`` brings
    trained parts, which are then joined as they are. ValueError naming the valid ones for an unknown stage, optimiser,
    schedule or argument.
    """
    numbers = config.numbers
    known = [key for stage in stages for key in _keys(stage.name)[:-1]]
    if isinstance(config.epochs, dict) and (unknown := set(config.epochs) - set(known)):
        raise ValueError(f"{config.system} has no stage {min(unknown)!r}; its stages: {', '.join(known)}")
    adapted = []
    for stage in stages:
        own = _of(stage, config.epochs) if isinstance(config.epochs, dict) else config.epochs
        factor, chosen = (_of(stage, table) for table in (numbers.epochs, numbers.optimizer))
        chosen = _with_roles(stage, chosen, numbers.optimizer)
        epochs = max(1, round(stage.epochs * (1.0 if factor is None else factor))) if own is None else own
        if epochs == 0:
            continue
        schedule = _schedule(amend(stage.schedule, numbers.schedule, config.schedule), epochs / stage.epochs)
        optimizer = _inside(stage.part, amend(stage.optimizer, chosen, config.optimizer))
        _arguments(optimizer)
        clip = stage.clip_grad if numbers.clip_grad is None else numbers.clip_grad
        clip = clip if config.clip_grad == "preset" else config.clip_grad
        adapted.append(replace(stage, epochs=epochs, optimizer=optimizer, schedule=schedule, clip_grad=clip))
    if not adapted and not config.init:
        raise ValueError(f"epochs {config.epochs!r} leaves out every stage of {config.system}")
    return adapted


def _keys(stage: str) -> list[str]:
    """What tables by stage are searched for, in turn: the name, the name within its member, and "" for all others."""
    return list(dict.fromkeys([stage, stage.rpartition("/")[2], ""]))


def _of(stage: Stage, table: dict[str, Any]) -> Any:
    return next((table[key] for key in _keys(stage.name) if key in table), None)


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


def _arguments(described: dict[str, Any]) -> dict[str, Any]:
    """The optimiser's arguments, checked against its signature."""
    name = described.get("name")
    if name not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {name!r}; known: {', '.join(OPTIMIZERS)}")
    arguments = {key: value for key, value in described.items() if key not in ("name", "scale")}
    valid = [key for key in inspect.signature(OPTIMIZERS[name]).parameters if key != "params"]
    if unknown := set(arguments) - set(valid):
        raise ValueError(f"optimizer {name} has no argument {min(unknown)!r}; valid: {', '.join(valid)}, scale")
    return arguments


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


def freeze(system: nn.Module, stage: Stage) -> None:
    """Marks which parameters ``stage`` trains; ValueError for a prefix that names no parameter."""
    names = [name for name, _ in system.named_parameters()]
    for prefix in (*stage.trains, *stage.freezes):
        if not any(matches(name, (prefix,)) for name in names):
            tops = sorted({name.split(".")[0] for name in names})
            raise ValueError(
                f"stage {stage.name!r} names {prefix!r}, which has no parameters; there are: {', '.join(tops)}"
            )
    for name, parameter in system.named_parameters():
        parameter.requires_grad_(matches(name, stage.trains) and not matches(name, stage.freezes))


def train_mode(system: nn.Module) -> None:
    """Training mode, but evaluation mode for frozen modules: no dropout, and batch statistics that stay as they are."""
    system.train()
    for module in system.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def make_optimizer(system: nn.Module, described: dict[str, Any], fused: bool = True) -> optim.Optimizer:
    """The optimiser over what the stage trains. "scale" multiplies the learning rate of modules by prefix, e.g.
    {"backbone": 0.1} for a backbone that was trained before; the longest prefix wins. fused steps all parameters at
    once, seven times as fast for an I3D on a CPU; fp16 can't have it, as its scaler unscales before clipping."""
    arguments, scales = _arguments(described), described.get("scale", {})
    groups: dict[str, list[nn.Parameter]] = {}
    for name, parameter in system.named_parameters():
        if parameter.requires_grad:
            prefix = max((prefix for prefix in scales if matches(name, (prefix,))), key=len, default="")
            groups.setdefault(prefix, []).append(parameter)
    rate = arguments.get("lr", 1e-3)
    lists = [{"params": group, "lr": rate * scales.get(prefix, 1.0)} for prefix, group in groups.items()]
    return OPTIMIZERS[described["name"]](lists, **{"fused": fused, **arguments})


class Schedule:
    """Moves the learning rate: ``step`` after each optimiser step, ``epoch`` after each epoch."""

    def __init__(self, optimizer: optim.Optimizer, described: dict[str, Any], epochs: int, steps: int) -> None:
        self.name = described["name"]
        if self.name == "step":
            self.inner = lr_scheduler.StepLR(optimizer, described["every"], described["factor"])
        elif self.name == "milestones":
            self.inner = lr_scheduler.MultiStepLR(optimizer, described["milestones"], described["factor"])
        elif self.name == "plateau":
            self.inner = lr_scheduler.ReduceLROnPlateau(
                optimizer, patience=described["patience"], factor=described["factor"]
            )
        elif self.name == "cosine":
            self.inner = _cosine(optimizer, described["floor"], described["warmup"] * steps, epochs * steps)
        else:
            self.inner = lr_scheduler.ConstantLR(optimizer, factor=1.0)

    def step(self) -> None:
        """After each step of the optimizer."""
        if self.name == "cosine":
            self.inner.step()

    def epoch(self, score: float) -> None:
        """``score``: what plateau watches, the validation loss (training loss where there is no validation)."""
        if self.name == "plateau":
            self.inner.step(score)
        elif self.name != "cosine":
            self.inner.step()

    def state_dict(self) -> dict[str, Any]:
        """What ``load_state_dict`` goes on from."""
        return self.inner.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken."""
        self.inner.load_state_dict(state)


def _cosine(optimizer: optim.Optimizer, floor: float, warmup: float, total: int) -> lr_scheduler.LRScheduler:
    """Linear warm-up over the first steps, then half a cosine down to ``floor`` times the learning rate."""
    warm = min(round(warmup), total - 1)
    rates = [group["lr"] for group in optimizer.param_groups]
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, total - warm, eta_min=floor * max(rates))
    if warm == 0:
        return cosine
    linear = lr_scheduler.LinearLR(optimizer, start_factor=1 / (warm + 1), total_iters=warm)
    return lr_scheduler.SequentialLR(optimizer, [linear, cosine], milestones=[warm])
