"""What every system is: a network, its loss and the stages of its training, seen through Batch and Output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, overload, runtime_checkable

from torch import Tensor, nn

from workbench.systems.common.border import check_batch
from workbench.types import PICTURES, Batch, Field, Output

if TYPE_CHECKING:
    from workbench.systems.common.building import Setting


@dataclass(frozen=True)
class Stage:
    """One step of a published training procedure, as data.

    trains / freezes are prefixes of parameter names ("" is everything; freezes wins); loss names a method of the
    system ``(output, batch) -> dict`` whose "total" is minimised; epochs is the paper's number. optimizer has a
    "name" (sgd, adam) and its arguments; schedule has a "name" (constant, step, cosine, plateau) and its arguments.
    clip_grad is the largest norm of the gradient that the paper prints, None where it prints none.

    fixed: names of layers, wherever they are in the system, that keep their values too.
    part: the path of a system inside this one that is trained alone: only its own forward pass and ``loss`` are run.
    cached: a method ``(batch) -> dict of tensors [B,...]`` of what is frozen; it is run once a clip, the stage reads
    its results as ``batch.features``. solve: a method ``(train, validation) -> dict of numbers`` that fits in closed
    form, from batches, what the stage trains. All three only save time: ``loss`` of the whole system's output gives
    the same stage its gradient. needs: fields of the batch that suffice for the stage, None for all that the system
    needs; the others are not made.
    roles: by module of ``part``, the name of a stage in which that module is trained alone; where a preset scales the
    learning rates of that stage's modules, it does so here.
    """

    name: str
    trains: tuple[str, ...] = ("",)
    freezes: tuple[str, ...] = ()
    loss: str = "loss"
    epochs: int = 30
    optimizer: dict = field(default_factory=lambda: {"name": "sgd", "lr": 0.01, "momentum": 0.9})
    schedule: dict = field(default_factory=lambda: {"name": "step", "every": 10, "factor": 0.1})
    clip_grad: float | None = None
    part: str = ""
    cached: str = ""
    solve: str = ""
    fixed: tuple[str, ...] = ()
    roles: dict[str, str] = field(default_factory=dict)
    needs: frozenset[str] | None = None


class Training(TypedDict):
    """How long and by what stages are trained that share a recipe: fields of Stage."""

    epochs: int
    optimizer: dict[str, Any]
    schedule: dict[str, Any]


@runtime_checkable
class Teacher(Protocol):
    """A system that is distilled, and says what its teachers do."""

    def teach(self, batch: Batch) -> dict[str, Output]:
        """The teachers' outputs, by name."""


class System(nn.Module):
    """Base of all systems: ``output = system(batch)``, ``system.loss(output, batch)``, ``system.stages()``.

    needs_train and needs_test name the fields of Batch that are read in training and in evaluation: of the class, all
    that any variant may read; of an instance, those of its own variant. Options is the dataclass of the variants that
    ``systems.build`` accepts for it; default_backbone is the published one,
    None where there is no video.
    """

    Options: type
    default_backbone: str | None = "i3d"

    needs_train: frozenset[str] = frozenset({"video", "label"})
    needs_test: frozenset[str] = frozenset({"video"})
    #: What it was built for; None of a system that was made by hand.
    setting: Setting | None = None

    def __call__(self, batch: Batch) -> Output:
        """``forward`` of what is a batch for this system; ValueError, one sentence, of anything else."""
        reads = self.needs_train if self.training else self.needs_test
        check_batch(type(self).__name__, batch, reads, self.setting.skeleton if self.setting else None)
        return super().__call__(batch)

    def wants(self, training: bool, stage: Stage | None = None) -> frozenset[str]:
        """What a loader is to give: the fields of Batch that are read in ``training``, all or those that suffice for
        ``stage``, or in evaluation, and the label. Of systems that read features: their modalities."""
        if stage is not None and stage.needs is not None:
            return stage.needs
        return (self.needs_train if training else self.needs_test) | {"label"}

    @overload
    def take(self, batch: Batch, name: Field) -> Tensor: ...
    @overload
    def take(self, batch: Batch, name: Literal["features"]) -> dict[str, Tensor]: ...
    @overload
    def take(self, batch: Batch, name: Literal["segments"]) -> dict[int, Batch]: ...

    def take(self, batch: Batch, name: str) -> Any:
        """The field of ``batch`` called ``name``; ValueError where it is absent, or is pictures that are still
        bytes."""
        value = getattr(batch, name)
        if value is None:
            raise ValueError(f"{type(self).__name__} reads batch.{name}, which this batch doesn't have")
        if name in PICTURES and not value.is_floating_point():
            raise ValueError(f"batch.{name} is {value.dtype}, expected floats in [-1,1]: call batch.to(device) first")
        return value

    def forward(self, batch: Batch) -> Output:
        """The output of a batch that ``__call__`` has checked; ValueError where it doesn't fit."""
        raise NotImplementedError

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Scalar terms by name; "total" is what is minimised."""
        raise NotImplementedError

    def loss_named(self, name: str) -> Callable[[Output, Batch], dict[str, Tensor]]:
        """The loss of a stage: the method that ``Stage.loss`` names."""
        return getattr(self, name)

    def stages(self) -> list[Stage]:
        """The paper's training procedure."""
        raise NotImplementedError
