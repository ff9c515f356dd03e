"""``python -m workbench.nets.convert IN OUT.safetensors``: the tensors of a torch file that holds other objects too.

In the places of these it puts empty ones, so that nothing that the file names is imported or called.
"""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workbench.nets.envelopes import mappings


class _Empty:
    """Stands in for an object of any class: it can be made, called, filled and does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.held: dict = {}

    def __call__(self, *_: Any, **__: Any) -> _Empty:
        return _Empty()

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and state and isinstance(state[0], dict):
            state = state[0]
        self.held = dict(state) if isinstance(state, Mapping) else {}

    def __setitem__(self, name: Any, value: Any) -> None:
        self.held[name] = value

    def append(self, value: Any) -> None:
        self.held[len(self.held)] = value

    def extend(self, values: Any) -> None:
        for value in values:
            self.append(value)

    def add(self, value: Any) -> None:
        self.append(value)


_TENSORS = {
    ("torch._utils", name)
    for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_parameter_with_state")
} | {("collections", "OrderedDict"), ("torch", "Size")}


class _Unpickler(pickle.Unpickler):
    """Imports what tensors are made of, and puts an empty object in the place of everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _TENSORS or (module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)):
            return super().find_class(module, name)
        if module == "torch" and name.endswith("Storage"):
            return super().find_class(module, name)
        return type(name, (_Empty,), {})


def salvage(source: Path, target: Path) -> int:
    """Writes the tensors of the torch file ``source``, which may hold any objects, to ``target`` (.safetensors), and
    returns how many. Nothing that the file names is imported or called but what tensors are made of."""
    from safetensors.torch import save_file

    inert = types.SimpleNamespace(
        Unpickler=_Unpickler, load=lambda file, **how: _Unpickler(file, **how).load(), __name__="inert"
    )
    content = torch.load(source, map_location="cpu", weights_only=False, pickle_module=inert)
    tensors: dict[str, Tensor] = {}
    for where, state in mappings(_plain(content, 0)):
        tensors |= {f"{where.replace('/', '.')}.{name}" if where else name: tensor for name, tensor in state.items()}
    if not tensors:
        raise ValueError(f"{source} holds no tensors")
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, target)
    return len(tensors)


def _plain(value: Any, depth: int) -> Any:
    """Mappings of what stands in for modules and other objects: a module's tensors by the names of its state dict."""
    if depth > 40:
        return None
    if isinstance(value, _Empty):
        held = value.held
        inside: dict[str, Tensor] = {}
        for kind in ("_parameters", "_buffers", "_modules"):
            part = _plain(held.get(kind), depth + 1)
            inside |= _flat(part) if isinstance(part, Mapping) else {}
        return inside or {name: _plain(entry, depth + 1) for name, entry in held.items()}
    if isinstance(value, Mapping):
        return {name: _plain(entry, depth + 1) for name, entry in value.items()}
    return value


def _flat(part: Mapping) -> dict[str, Tensor]:
    tensors = {}
    for name, value in part.items():
        if isinstance(value, Tensor):
            tensors[str(name)] = value
        elif isinstance(value, Mapping):
            tensors |= {f"{name}.{inner}": tensor for inner, tensor in _flat(value).items()}
    return tensors


def main(arguments: list[str]) -> int:
    """The command: 0 where the file was written, 1 where it can't be read, 2 for wrong arguments."""
    if len(arguments) != 2 or not arguments[1].endswith(".safetensors"):
        print("python -m workbench.nets.convert IN OUT.safetensors", file=sys.stderr)
        return 2
    try:
        print(f"{salvage(Path(arguments[0]), Path(arguments[1]))} tensors written to {arguments[1]}")
    except Exception as problem:  # whatever the file makes of the reader
        print(f"{arguments[0]} can't be read: {next(iter(str(problem).splitlines()), problem)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
