"""Weights in and out of modules, by name: public checkpoints, runs of the workbench, other people's files.

Never unpickles code: safetensors, or torch files of plain tensors.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from workbench.nets.envelopes import check, read_arrays, read_torch, tensors_of
from workbench.nets.layouts import LAYOUTS

#: Weights that come with the workbench, by name; `make pretrain` makes them (SynthADL-P, the preset tiny).
SHIPPED = {"i3d_synthadl_p": Path(__file__).parent / "pretrained" / "i3d_synthadl_p.safetensors"}
# What training loops wrap names in.
WRAPPERS = ("", "module.", "model.", "backbone.", "module.backbone.", "module.model.", "pose_backbone.", "non_local.")


@dataclass(frozen=True)
class Report:
    """What ``load`` did, as names of the module's tensors.

    matched were loaded; missing kept their values, as the file has nothing for them; unexpected are the file's names
    that the module has nothing for; reshaped (name: shape in the file, shape in the module) kept their values too, as
    for a classifier of other classes. layout is the public network whose names were translated, "" if none were.
    """

    path: Path
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    layout: str = ""

    def __str__(self) -> str:
        lines = [f"{self.path.name}: {len(self.matched)} tensors loaded"]
        lines[0] += f", by the names of {self.layout}" if self.layout else ""
        lines += [f"  kept its values, the file lacks it: {name}" for name in self.missing]
        lines += [f"  left in the file, the module lacks it: {name}" for name in self.unexpected]
        for name, (there, here) in self.reshaped.items():
            lines.append(f"  kept its values, shape {here} here and {there} in the file: {name}")
        return "\n".join(lines)


def load(module: nn.Module, path: str | Path, prefix: str = "") -> Report:
    """Copies the tensors of a file into ``module``, by name; returns what matched and what did not.

    path: .safetensors, .npz, or a torch file of tensors (.pt, .pth, ...), nested in whatever envelope. prefix:
    read only the file's names below it, e.g. "backbone" to take the backbone out of a whole system. Otherwise names
    are tried as they are, translated from a public network's (``layouts``), and without a wrapper ("module.",
    "backbone.", ...) or with one, and the reading that fits most tensors is taken: so a public I3D checkpoint, plain or
    saved from DataParallel, loads into an I3D and into a system that has one. Tensors are converted to the module's
    type and device. Raises FileNotFoundError; ValueError, before anything has changed, where the file can't be read,
    holds objects other than tensors, a number that is not finite, or no tensor for the module. A warning says aloud
    that the first layer kept its values, as of two channels where it has three.
    """
    path = Path(path)
    tensors = read(path, None if prefix else module.state_dict())
    if prefix:
        stem = prefix.rstrip(".") + "."
        tensors = {name.removeprefix(stem): tensor for name, tensor in tensors.items() if name.startswith(stem)}
        if not tensors:
            raise ValueError(f"{path}: no tensor's name begins with {stem!r}")
    own = module.state_dict()
    layout, names = _best_reading(tensors, own)
    named = {name: tensors[there] for name, there in names.items()}
    matched = [name for name in own if name in named and named[name].shape == own[name].shape]
    if not matched:
        here, there = ", ".join(list(own)[:3]), ", ".join(list(tensors)[:3])
        raise ValueError(
            f"{path} has no tensor for a {type(module).__name__}: it holds {there}, ...; expected {here}, ..."
        )
    with torch.no_grad():
        for name in matched:
            own[name].copy_(named[name])
    # A count that only a momentum of None reads, and that old public files lack.
    missing = tuple(name for name in own if name not in named and not name.endswith("num_batches_tracked"))
    unexpected = tuple(there for name, there in names.items() if name not in own)
    other = [name for name in own if name in named and named[name].shape != own[name].shape]
    reshaped = {name: (tuple(named[name].shape), tuple(own[name].shape)) for name in other}
    first = next((name for name, tensor in own.items() if tensor.ndim > 2), None)
    if first in reshaped:
        there, here = reshaped[first]
        warnings.warn(f"{path}: the first layer is NOT loaded, {first} is {there} there and {here} here", stacklevel=2)
    return Report(path, tuple(matched), missing, unexpected, reshaped, layout)


def save(module: nn.Module, path: str | Path) -> Path:
    """Writes the module's tensors as safetensors, whole or not at all; ValueError for another file name ending."""
    from safetensors.torch import save_file

    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"{path}: weights are saved as safetensors, expected a name that ends in .safetensors")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def read(path: str | Path, own: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The tensors of a file by name, on the CPU: of several state dicts in it the one that fits ``own`` best, without a
    wrapper's name in front of all (see ``envelopes``); raises as ``load`` does."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights file {path}")
    check(path)
    readers = {".safetensors": _read_safetensors, ".npz": read_arrays}
    content = readers.get(path.suffix, read_torch)(path)
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}, expected the state dict of a module")
    return tensors_of(content, path, own)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as problem:
        raise ValueError(f"{path} is not a readable safetensors file: {problem}") from None


def _best_reading(tensors: dict[str, Tensor], own: dict[str, Tensor]) -> tuple[str, dict[str, str]]:
    """The layout and the names (in the module: in the file) of which most fit ``own``, with a layout translated and a
    wrapper taken off or put on."""
    off = [("", {name.removeprefix(wrapper): name for name in tensors}) for wrapper in WRAPPERS]
    off += [(layout, _translate(table, names)) for layout, table in LAYOUTS.items() for _, names in off[:3]]
    bare = off[:3] + off[len(WRAPPERS) :]
    on = [(layout, _below(wrapper, names)) for wrapper in WRAPPERS[1:] for layout, names in bare]

    def fits(reading: tuple[str, dict[str, str]]) -> int:
        return sum(name in own and tensors[there].shape == own[name].shape for name, there in reading[1].items())

    return max(off + on, key=fits)


def _below(wrapper: str, names: dict[str, str]) -> dict[str, str]:
    return {f"{wrapper}{name}": there for name, there in names.items()}


def _translate(table: dict[str, str], names: dict[str, str]) -> dict[str, str]:
    """``names`` with the module of each exchanged for the one that ``table`` has for it."""
    parts = {name: name.rpartition(".") for name in names}
    return {f"{table.get(module, module)}{dot}{tensor}": names[name] for name, (module, dot, tensor) in parts.items()}
