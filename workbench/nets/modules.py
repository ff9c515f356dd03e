"""What torch leaves open about modules: what a container holds (``ModuleDict[Stream]``), and a classifier that may lack."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, ValuesView
from typing import TYPE_CHECKING, Generic, TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)


class ModuleDict(nn.ModuleDict, Generic[M]):
    """``nn.ModuleDict`` of modules of one class."""

    if TYPE_CHECKING:

        def __getitem__(self, key: str) -> M: ...
        def items(self) -> ItemsView[str, M]: ...
        def values(self) -> ValuesView[M]: ...


class ModuleList(nn.ModuleList, Generic[M]):
    """``nn.ModuleList`` of modules of one class."""

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[M]: ...


def classifier_of(network: nn.Module, layer: M | None) -> M:
    """``layer``, the classifier of ``network``; ValueError where that was built without one."""
    if layer is None:
        raise ValueError(f"this {type(network).__name__} has no classifier: build it with num_classes=...")
    return layer
