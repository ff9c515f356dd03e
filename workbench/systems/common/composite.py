"""Systems made of systems: the members' stages, outputs and losses, and one score out of several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from math import log
from typing import Literal

import torch
from torch import Tensor

from workbench.nets.modules import submodule
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.registry import SYSTEMS
from workbench.types import Batch, Output

Combine = Literal["softmax_mean", "logit_sum"]


def prefixed(path: str, stage: Stage) -> Stage:
    """``stage`` of the system at ``path`` (its module name inside a larger one), as a stage of the larger one.

    It is called "<path>/<name>", trains and freezes parameters by their names in the whole, and is run by the member
    alone. ``loss`` keeps its name: the whole offers a method of that name too, or ``dataclasses.replace`` changes it.
    """

    def inside(prefixes: Iterable[str]) -> tuple[str, ...]:
        return tuple(_join(path, prefix) for prefix in prefixes)

    optimizer = stage.optimizer
    if "scale" in optimizer:
        scale = {_join(path, prefix): factor for prefix, factor in optimizer["scale"].items()}
        optimizer = {**optimizer, "scale": scale}
    return replace(
        stage,
        name=f"{path}/{stage.name}",
        trains=inside(stage.trains),
        freezes=inside(stage.freezes),
        optimizer=optimizer,
        part=_join(path, stage.part),
    )


def member_stages(path: str, system: System) -> list[Stage]:
    """The training procedure of the member ``system``, whose module name in the whole is ``path``."""
    return [prefixed(path, stage) for stage in system.stages()]


def unique(names: Iterable[str]) -> list[str]:
    """The same names with the second and later of a kind numbered: rgb, rgb -> rgb, rgb_2."""
    names, paths = list(names), []
    for i, name in enumerate(names):
        earlier = names[:i].count(name)
        paths.append(f"{name}_{earlier + 1}" if earlier else name)
    return paths


def combine(logits: Sequence[Tensor], how: Combine) -> Tensor:
    """One score [B,N] out of the members' logits [B,N]: their sum, or the logarithm of the mean of their softmax
    scores, which a softmax turns back into that mean."""
    stacked = torch.stack(list(logits)).float()
    if how == "logit_sum":
        return stacked.sum(0)
    return stacked.log_softmax(-1).logsumexp(0) - log(len(stacked))


def pack(path: str, output: Output) -> dict[str, Tensor]:
    """A member's whole output as entries of ``Output.aux``, so that its own loss can be taken later."""
    parts = {"logits": output.logits, "features": output.features}
    parts |= {f"maps/{name}": value for name, value in output.maps.items()}
    parts |= {f"aux/{name}": value for name, value in output.aux.items()}
    return {f"{path}/{name}": value for name, value in parts.items()}


def unpack(path: str, aux: dict[str, Tensor]) -> Output:
    """The output that ``pack`` has put away under ``path``."""

    def below(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in aux.items() if name.startswith(prefix)}

    logits, features = aux[f"{path}/logits"], aux[f"{path}/features"]
    return Output(logits, features, below(f"{path}/maps/"), below(f"{path}/aux/"))


def _join(path: str, prefix: str) -> str:
    return f"{path}.{prefix}" if prefix else path


@dataclass(frozen=True)
class MemberOptions:
    """What is handed on to members that have such an option; their other options are their own defaults. All members
    read the same poses: normalize="agcn" is AGCN's, "thesis" the other pose networks'."""

    normalize: Literal["agcn", "thesis", "none"] = "agcn"
    persons: int = 2
    hidden: int = 512
    bn_momentum: float = 0.01


class Composite(System):
    """A system of members, each a system of its own under the module name ``paths`` lists."""

    paths: list[str]

    def add_members(self, setting: Setting, names: Sequence[str], options: MemberOptions) -> None:
        """Builds the systems called ``names``."""
        shared = {field.name for field in fields(MemberOptions)}
        self.paths = unique(names)
        for path, name in zip(self.paths, names, strict=True):
            own = shared & {field.name for field in fields(SYSTEMS[name].Options)}
            self.add_module(
                path, assemble(SYSTEMS[name], setting, **{option: getattr(options, option) for option in own})
            )
        members = [self.member(path) for path in self.paths]
        self.needs_train = frozenset().union(*(member.needs_train for member in members))
        self.needs_test = frozenset().union(*(member.needs_test for member in members))

    def member(self, path: str) -> System:
        """The system whose module name is ``path``."""
        return submodule(self, path, System)

    def run_members(self, batch: Batch) -> dict[str, Output]:
        """Every member's output, by its module name."""
        return {path: self.member(path)(batch) for path in self.paths}

    def join(self, outputs: dict[str, Output], logits: Tensor) -> Output:
        """One output: the members' features side by side; their maps, of equal names the first member's; and in aux
        their whole outputs, for ``member_losses``."""
        features = torch.cat([output.features for output in outputs.values()], dim=1)
        maps: dict[str, Tensor] = {}
        aux: dict[str, Tensor] = {}
        for path, output in outputs.items():
            maps, aux = output.maps | maps, aux | pack(path, output)
        return Output(logits, features, maps, aux)

    def member_losses(self, output: Output, batch: Batch, name: str = "loss") -> dict[str, Tensor]:
        """The losses of that name, by member, and their sum: of members that have one and, while training, aren't
        frozen (then they are in evaluation mode)."""
        terms = {}
        for path in self.paths:
            member = self.member(path)
            losses = {"loss", *(stage.loss for stage in member.stages())}
            if name in losses and member.training == self.training:
                terms[path] = member.loss_named(name)(unpack(path, output.aux), batch)["total"]
        return terms | {"total": torch.stack(list(terms.values())).sum()}
