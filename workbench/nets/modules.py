"""What torch leaves open about modules: of which class a container's and a path's are; a classifier or none."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, ValuesView
from typing import TYPE_CHECKING, Generic, TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)


class ModuleDict(nn.ModuleDict, Generic[M]):
    """``nn.ModuleDict`` of modules of one class."""

    if TYPE_CHECKING:

        def __getitem__(self, key: str) -> M: ...
        def items(self) -> ItemsView[str, M]:
            """Names and modules."""

        def values(self) -> ValuesView[M]:
            """The modules."""


class ModuleList(nn.ModuleList, Generic[M]):
    """``nn.ModuleList`` of modules of one class."""

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[M]: ...


def classifier_of(network: nn.Module, layer: M | None) -> M:
    """``layer``, the classifier of ``network``; ValueError where that was built without one."""
    if layer is None:
        raise ValueError(f"this {type(network).__name__} has no classifier: build it with num_classes=...")
    return layer


def submodule(network: nn.Module, path: str, kind: type[M]) -> M:
    """The module of class ``kind`` at ``path`` in ``network``; TypeError where another stands there."""
    module = network.get_submodule(path)
    if not isinstance(module, kind):
        raise TypeError(f"{path} of {type(network).__name__} is a {type(module).__name__}, expected {kind.__name__}")
    return module
