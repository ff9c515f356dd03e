"""Which tensors of a file belong to which parts of a module: by their names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from workbench.nets.layouts import LAYOUTS
from workbench.nets.pose import AGCN, PoseGCN, PoseLSTM
from workbench.nets.temporal import SSTCN, TGM, BiLSTM
from workbench.nets.video import I3D, R3D50G, S3DG, NonLocal, ResNeXt3D
from workbench.nets.video.i3d import Half

#: What a checkpoint can be of.
NETWORKS = (I3D, R3D50G, S3DG, ResNeXt3D, NonLocal, AGCN, PoseGCN, PoseLSTM, SSTCN, TGM, BiLSTM)
WRAPPERS = ("", "module.", "model.", "backbone.", "module.backbone.", "module.model.", "pose_backbone.", "non_local.")
#: A count that only a momentum of None reads; it fits any network, and old public files lack it.
COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Fit:
    """How a file is read: ``names`` (as a part has them: in the file), by the names of the public network ``layout``
    ("": as they are); ``parts`` are the paths of the submodules that they are of ("": the module itself), ``similar``
    those of other networks that have most of these names, but not all of these shapes or layers."""

    layout: str
    names: dict[str, str]
    parts: tuple[str, ...]
    similar: tuple[str, ...]

    def tensors(self) -> dict[str, str]:
        """The names of the module's tensors, as far as the file has them: their names in the file."""
        return {_join(part, name): there for part in self.parts for name, there in self.names.items()}


def fit(tensors: Mapping[str, Tensor], module: nn.Module) -> Fit:
    """The reading of a file and the parts of ``module`` that fit best, by the number of tensors of equal name and
    shape.

    A file is read with its names as they are, translated from a public network's, and without a wrapper. A part is the
    module, one of its NETWORKS, what holds one of them (a system inside a system), or what a wrapper's name says.
    Several parts that fit equally well, such as a student and its teacher or the networks of parts of the body, are all
    meant; so is the half of an I3D that stands alone, where the file has all of it.
    """
    own = module.state_dict()
    networks = {path: part for path, part in module.named_modules() if isinstance(part, NETWORKS)}
    readings, candidates = _readings(tensors), _candidates(networks)
    scores = [[_score(tensors, names, own, part) for part in candidates] for _, names in readings]
    number = max(range(len(readings)), key=lambda number: max(scores[number]))
    (layout, names), best = readings[number], max(scores[number])
    parts = [part for part, score in zip(candidates, scores[number], strict=True) if score == best]
    parts = parts if best[0] else parts[:1]
    whole = [part for part in parts if part in networks and _complete(tensors, names, own, part)]
    if whole:  # and not also a network that has more layers than the file
        parts = [part for part in parts if part in whole or part not in networks]
    halves = [path for path, half in module.named_modules() if isinstance(half, Half)]
    parts += [path for path in halves if _complete(tensors, names, own, path)]
    similar = [
        path
        for path in networks
        if not any(path == part or path.startswith(f"{part}.") or not part for part in parts)
        and 2 * _score(tensors, names, own, path)[1] > len(networks[path].state_dict())
    ]
    return Fit(layout, names, tuple(parts), tuple(similar))


def networks_of(module: nn.Module) -> list[str]:
    """The parts of ``module`` that a checkpoint can be of, each with the name of its class."""
    networks = {path: part for path, part in module.named_modules() if path and isinstance(part, NETWORKS)}
    inner = [path for path in networks if any(path.startswith(f"{other}.") for other in networks)]
    return [f"{path} ({type(part).__name__})" for path, part in networks.items() if path not in inner]


def _candidates(networks: Mapping[str, nn.Module]) -> list[str]:
    paths = ["", *(wrapper.rstrip(".") for wrapper in WRAPPERS[1:])]
    for path in networks:
        steps = path.split(".")
        paths += [".".join(steps[:count]) for count in range(1, len(steps) + 1)]
    return list(dict.fromkeys(paths))


def _score(
    tensors: Mapping[str, Tensor], names: dict[str, str], own: Mapping[str, Tensor], part: str
) -> tuple[int, int]:
    """How many tensors of ``part`` have the name and the shape of one in the file, and how many the name."""
    pairs = [(own.get(_join(part, name)), tensors[there]) for name, there in names.items() if COUNTER not in name]
    named = [(here, there) for here, there in pairs if here is not None]
    return sum(here.shape == there.shape for here, there in named), len(named)


def _complete(tensors: Mapping[str, Tensor], names: dict[str, str], own: Mapping[str, Tensor], part: str) -> bool:
    inside = [name.removeprefix(f"{part}.") for name in own if name.startswith(f"{part}.") and COUNTER not in name]
    return all(name in names and tensors[names[name]].shape == own[_join(part, name)].shape for name in inside)


def _readings(tensors: Mapping[str, Tensor]) -> list[tuple[str, dict[str, str]]]:
    """(layout, names in a module: in the file)."""
    off = [("", {name.removeprefix(wrapper): name for name in tensors}) for wrapper in WRAPPERS]
    return off + [(layout, _translate(table, names)) for layout, table in LAYOUTS.items() for _, names in off[:3]]


def _translate(table: dict[str, str], names: dict[str, str]) -> dict[str, str]:
    """``names`` with the module of each exchanged for the one that ``table`` has for it."""
    parts = {name: name.rpartition(".") for name in names}
    return {f"{table.get(module, module)}{dot}{tensor}": names[name] for name, (module, dot, tensor) in parts.items()}


def _join(part: str, name: str) -> str:
    return f"{part}.{name}" if part else name
