"""Weights in and out of modules, by name: public checkpoints, runs of the workbench, other people's files.

Never unpickles code: safetensors, or torch files of plain tensors.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from workbench.drafts import replacing
from workbench.nets.layouts import LAYOUTS

#: Weights that come with the workbench, by name; `make pretrain` makes them (SynthADL-P, the preset tiny).
SHIPPED = {"i3d_synthadl_p": Path(__file__).parent / "pretrained" / "i3d_synthadl_p.safetensors"}
# What training loops wrap a state dict, or its names, in.
ENVELOPES = ("state_dict", "model_state_dict", "model", "weights")
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

    path: .safetensors, or a torch file of tensors (.pt, .pth), also nested under "state_dict" or the like. prefix:
    read only the file's names below it, e.g. "backbone" to take the backbone out of a whole system. Otherwise names
    are tried as they are, translated from a public network's (``layouts``), and without a wrapper ("module.",
    "backbone.", ...) or with one, and the reading that fits most tensors is taken: so a public I3D checkpoint, plain or
    saved from DataParallel, loads into an I3D and into a system that has one. Tensors are converted to the module's
    type and device. Raises FileNotFoundError; ValueError, before anything has changed, where the file can't be read,
    holds objects other than tensors, or has no tensor for the module.
    """
    path = Path(path)
    tensors = read(path)
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
    return Report(path, tuple(matched), missing, unexpected, reshaped, layout)


def save(module: nn.Module, path: str | Path) -> Path:
    """Writes the module's tensors as safetensors, whole or not at all; ValueError for another file name ending."""
    from safetensors.torch import save_file

    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"{path}: weights are saved as safetensors, expected a name that ends in .safetensors")
    with replacing(path) as draft:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}, draft)
    return path


def read(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file by name, on the CPU; raises as ``load`` does."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights file {path}")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    for _ in ENVELOPES:
        inner = next((content[key] for key in ENVELOPES if isinstance(content.get(key), Mapping)), None)
        content = content if inner is None else inner
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError(f"{path} holds no tensors by name, expected the state dict of a module")
    return tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as problem:
        raise ValueError(f"{path} is not a readable safetensors file: {problem}") from None


def _read_torch(path: Path) -> Mapping:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:  # whatever a damaged file makes of the reader
        if isinstance(problem, pickle.UnpicklingError) and "global" in str(problem).lower():
            reason = (
                "is refused, as reading the objects other than tensors in it can run code: save its state_dict instead"
            )
        else:
            reason = f"is not a readable torch file ({next(iter(str(problem).splitlines()), type(problem).__name__)})"
        raise ValueError(f"{path} {reason}") from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}, expected the state dict of a module")
    return content


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
