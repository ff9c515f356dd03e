"""Weights in and out of modules, by name: public checkpoints, runs of the workbench, other people's files.

Never unpickles code: safetensors, or torch files of plain tensors.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from safefiles.drafts import replacing
from workbench.nets.envelopes import check, read_arrays, read_torch, tensors_of
from workbench.nets.fitting import COUNTER, fit, networks_of

#: Weights that come with the workbench, by name. `make pretrain` makes them from SynthADL-P, with a card beside each.
PRETRAINED = Path(__file__).parent / "pretrained"
SHIPPED = {path.stem: path for path in sorted(PRETRAINED.glob("*.safetensors"))}


def file_of(source: str) -> tuple[Path, str] | None:
    """The file that ``source`` names, a path or a name of SHIPPED, and the module of it that is meant: "FILE:MODULE",
    "" for all. None where it names no file."""
    for name, module in ((source, ""), source.rpartition(":")[::2]):
        file = SHIPPED.get(name, Path(name))
        if name and file.is_file():
            return file, module
    return None


@dataclass(frozen=True)
class Report:
    """What ``load`` did, as names of the module's tensors.

    matched were loaded; missing kept their values, as the file has nothing for them; unexpected are the file's names
    that the module has nothing for; reshaped (name: shape in the file, shape in the module) kept their values too, as
    for a classifier of other classes. layout is the public network whose names were translated, "" if none were. parts
    are the paths of the submodules that the tensors went to, each of them all ("": the module itself); similar those of
    networks that were left as they are, though most of their names are the file's: other channels, fewer layers.
    """

    path: Path
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    layout: str = ""
    parts: tuple[str, ...] = ("",)
    similar: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.path.name}: {len(self.matched)} tensors loaded"]
        lines[0] += f", by the names of {self.layout}" if self.layout else ""
        lines[0] += "" if self.parts == ("",) else f", into {' and '.join(part or 'the whole' for part in self.parts)}"
        lines += [f"  kept its values, the file lacks it: {name}" for name in self.missing]
        lines += [f"  left as it is, fits the file in part (load it by its name): {part}" for part in self.similar]
        lines += [f"  left in the file, the module lacks it: {name}" for name in self.unexpected]
        for name, (there, here) in self.reshaped.items():
            lines.append(f"  kept its values, shape {here} here and {there} in the file: {name}")
        return "\n".join(lines)


def load(module: nn.Module, path: str | Path, prefix: str = "") -> Report:
    """Copies the tensors of a file into a module, by name, as the module's type and on its device.

    Names are tried as they are, translated from a public network's (``layouts``), and without a wrapper ("module.",
    "backbone.", ...), in the module and in each network inside it, and the reading that fits most tensors is taken: so
    a public I3D checkpoint, plain or saved from DataParallel, loads into an I3D, into a system that has one, and into
    each of the I3Ds of a system that has several alike (see ``fitting``). A warning says aloud that the first layer
    kept its values, as of two channels where it has three. Nothing is unpickled but tensors.

    Args:
        module: a network, or a system.
        path: .safetensors, .npz, or a torch file of tensors (.pt, .pth, ...), nested in whatever envelope.
        prefix: read only the file's names below it, as they are, e.g. "backbone" to take the backbone out of a whole
            system.

    Returns:
        What matched and what did not.

    Raises:
        FileNotFoundError: no such file.
        ValueError: before anything has changed, where the file can't be read, holds objects other than tensors, a
            number that is not finite, or has no tensor for the module or most of them in other shapes.
    """
    path = Path(path)
    tensors = read(path, None if prefix else module.state_dict())
    if prefix:
        stem = prefix.rstrip(".") + "."
        tensors = {name.removeprefix(stem): tensor for name, tensor in tensors.items() if name.startswith(stem)}
        if not tensors:
            raise ValueError(f"{path}: no tensor's name begins with {stem!r}")
    own = module.state_dict()
    fitted = fit(tensors, module)
    named = fitted.tensors()
    common = [name for name in own if name in named]
    matched = [name for name in common if tensors[named[name]].shape == own[name].shape]
    reshaped = {name: (tuple(tensors[named[name]].shape), tuple(own[name].shape)) for name in common}
    reshaped = {name: shapes for name, shapes in reshaped.items() if name not in matched}
    if sum(COUNTER not in name for name in matched) <= len(reshaped):  # chance, as in a network of another width
        count = sum(COUNTER not in name for name in common)
        raise ValueError(_refusal(path, tensors, module, reshaped, count))
    with torch.no_grad():
        for name in matched:
            own[name].copy_(tensors[named[name]])
    missing = tuple(name for name in own if name not in named and not name.endswith(COUNTER))
    used = {named[name] for name in common}
    unexpected = tuple(there for there in fitted.names.values() if there not in used)
    first = next((name for name, tensor in own.items() if tensor.ndim > 2), None)
    if first in reshaped:
        there, here = reshaped[first]
        warnings.warn(f"{path}: the first layer is NOT loaded, {first} is {there} there and {here} here", stacklevel=2)
    return Report(path, tuple(matched), missing, unexpected, reshaped, fitted.layout, fitted.parts, fitted.similar)


def _refusal(path: Path, tensors: dict[str, Tensor], module: nn.Module, reshaped: dict[str, tuple], count: int) -> str:
    """Why nothing is loaded: of ``count`` tensors with a name of the module's, ``reshaped`` have another shape."""
    here, there = ", ".join(list(module.state_dict())[:3]), ", ".join(list(tensors)[:3])
    lack = "has no tensor"
    reason = f"it holds {there}, ...; expected {here}, ..."
    if reshaped:
        name, (theirs, ours) = next(iter(reshaped.items()))
        lack = "has no weights"
        reason = f"{len(reshaped)} of {count} shapes differ, e.g. {name} is {theirs} there and {ours} here"
    parts = networks_of(module)
    ways = f"; a checkpoint could be of its {', '.join(parts)}" if parts else ""
    return f"{path} {lack} for a {type(module).__name__}: {reason}{ways}"


def card_of(path: Path) -> Path:
    """The card of a file of weights: how they were made (see ``study.train.pretraining``)."""
    return path.with_suffix(".json")


def save(module: nn.Module, path: str | Path) -> Path:
    """Writes a module's tensors as safetensors, whole or not at all.

    Args:
        module: a network, or a system.
        path: a name that ends in .safetensors.

    Returns:
        The path.

    Raises:
        ValueError: another file name ending.
        OSError: the file can't be written.
    """
    from safetensors.torch import save_file

    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"{path}: weights are saved as safetensors, expected a name that ends in .safetensors")
    with replacing(path) as draft:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}, draft)
    return path


def read(path: str | Path, own: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The tensors of a file, on the CPU, without a wrapper's name in front of all.

    Args:
        path: as in ``load``.
        own: the tensors to be filled: of several state dicts in the file the one that fits them best is read.

    Returns:
        Tensors by name.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file can't be read, or holds objects other than tensors or a number that is not finite.
    """
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
