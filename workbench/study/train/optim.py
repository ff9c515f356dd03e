"""A stage's optimiser and schedule, from the data that describe them, by torch's own classes."""

from __future__ import annotations

from typing import Any

from torch import nn, optim
from torch.optim import lr_scheduler

from workbench.study.config.stages import OPTIMIZERS, arguments, matches
from workbench.systems.common.base import Stage


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
        frozen = matches(name, stage.freezes) or not set(stage.fixed).isdisjoint(name.split("."))
        parameter.requires_grad_(matches(name, stage.trains) and not frozen)


def train_mode(system: nn.Module) -> None:
    """Training mode, but evaluation mode for frozen modules: no dropout, and batch statistics that stay as they are."""
    system.train()
    learns: dict[str, bool] = {}  # by the name of a module that holds parameters: whether one of them is trained
    for name, parameter in system.named_parameters(remove_duplicate=False):
        parts = name.split(".")
        for above in (".".join(parts[:depth]) for depth in range(len(parts))):
            learns[above] = learns.get(above, False) or parameter.requires_grad
    for name, module in system.named_modules(remove_duplicate=False):
        if not learns.get(name, True):
            module.eval()


def make_optimizer(system: nn.Module, described: dict[str, Any], fused: bool = True) -> optim.Optimizer:
    """The optimiser over what the stage trains. "scale" multiplies the learning rate of modules by prefix, e.g.
    {"backbone": 0.1} for a backbone that was trained before; the longest prefix wins. fused steps all parameters at
    once, seven times as fast for an I3D on a CPU; fp16 can't have it, as its scaler unscales before clipping."""
    options, scales = arguments(described), described.get("scale", {})
    groups: dict[str, list[nn.Parameter]] = {}
    for name, parameter in system.named_parameters():
        if parameter.requires_grad:
            prefix = max((prefix for prefix in scales if matches(name, (prefix,))), key=len, default="")
            groups.setdefault(prefix, []).append(parameter)
    rate = options.get("lr", 1e-3)
    lists = [{"params": group, "lr": rate * scales.get(prefix, 1.0)} for prefix, group in groups.items()]
    return OPTIMIZERS[described["name"]](lists, **{"fused": fused, **options})


class Schedule:
    """Moves the learning rate: ``step`` after each optimiser step, ``epoch`` after each epoch."""

    def __init__(self, optimizer: optim.Optimizer, described: dict[str, Any], epochs: int, steps: int) -> None:
        self.name = described["name"]
        self.inner: lr_scheduler.LRScheduler
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
        if isinstance(self.inner, lr_scheduler.ReduceLROnPlateau):
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
