"""Files of weights that other programs wrote: the tensors inside, whatever wraps them. No code of a file runs."""

from __future__ import annotations

import argparse
import collections
import pickle
import shlex
import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

#: What training loops call the weights; others are found by their tensors.
ENVELOPES = ("state_dict", "model_state_dict", "model_state", "model", "weights", "net", "network")
#: How deep they are looked for.
DEEPEST = 5

_CORE = np._core if hasattr(np, "_core") else np.core
#: Objects that hold numbers or settings and whose making does nothing else.
HARMLESS = [
    argparse.Namespace,
    types.SimpleNamespace,
    collections.defaultdict,
    dict,
    list,
    set,
    np.dtype,
    np.ndarray,
    _CORE.multiarray.scalar,
    _CORE.multiarray._reconstruct,
    *(type(np.dtype(code)) for code in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?")),
]

#: How files begin that are none of weights, and what they are.
NO_WEIGHTS = (
    (b"version https://git-lfs", "is a pointer of Git LFS and not the weights: `git lfs pull` there gets them"),
    (b"<!doctype", "is a web page and not the weights: what gave it asks to sign in, or says that there is nothing"),
    (b"<html", "is a web page and not the weights: what gave it asks to sign in, or says that there is nothing"),
    (b"<?xml", "is an XML page and not the weights: what gave it says why"),
    (b"{", "is JSON text and not the weights"),
    (b"\x1f\x8b", "is compressed with gzip: `gunzip` unpacks it"),
)  # fmt: skip


def tensors_of(content: Any, path: Path, own: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The tensors by name of that mapping in ``content`` whose names and shapes fit ``own`` best (None: which has most)
    without a prefix of all of them that nothing in ``own`` is called. A warning names a like mapping that is not read.

    ValueError naming ``path`` where there is none, or a tensor is not finite.
    """
    candidates = list(mappings(content))
    if not candidates:
        raise ValueError(f"{path} holds no tensors by name, expected the state dict of a module")
    wanted = {_tail(name, tensor) for name, tensor in (own or {}).items()}

    def rank(entry: tuple[str, dict[str, Tensor]]) -> tuple:
        where, tensors = entry
        envelope = where.rpartition("/")[2]
        order = ENVELOPES.index(envelope) if envelope in ENVELOPES else len(ENVELOPES)
        return sum(_tail(name, tensor) in wanted for name, tensor in tensors.items()), len(tensors), -order

    where, tensors = max(candidates, key=rank)
    others = [name for name, other in candidates if other is not tensors and other.keys() == tensors.keys()]
    if others:
        warnings.warn(f"{path}: read from {where!r}; {', '.join(map(repr, others))} left unread", stacklevel=4)
    wrong = next((name for name, tensor in tensors.items() if not _finite(tensor)), None)
    if wrong is not None:
        raise ValueError(f"{path}: {wrong} holds numbers that are not finite: the training that wrote it had diverged")
    return tensors if own is None else _stripped(tensors, own)


def mappings(content: Any, where: str = "") -> list[tuple[str, dict[str, Tensor]]]:
    """(where it is, the tensors in it) of every mapping in ``content`` that has some by name."""
    if where.count("/") > DEEPEST or not isinstance(content, Mapping):
        return []
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor) and isinstance(name, str)}
    entries = [(where, tensors)] if tensors else []
    for name, value in content.items():
        entries += mappings(value, f"{where}/{name}" if where else str(name))
    return entries


def _tail(name: str, tensor: Tensor) -> tuple[str, tuple[int, ...]]:
    return ".".join(name.split(".")[-2:]), tuple(tensor.shape)


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _stripped(tensors: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names without the parts in front that all have and that no part of ``own`` is called."""
    roots = {name.partition(".")[0] for name in own}
    while True:
        first = {name.partition(".")[0] for name in tensors}
        if len(first) != 1 or first & roots or not all("." in name for name in tensors):
            return tensors
        tensors = {name.partition(".")[2]: tensor for name, tensor in tensors.items()}


def read_torch(path: Path) -> Any:
    """What a torch file holds; ValueError, one sentence, where it is none or holds objects that are not harmless."""
    try:
        with torch.serialization.safe_globals(HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:  # whatever a damaged file makes of the reader
        reason = None
        if _foreign(problem):
            names = shlex.join([str(path), f"{path.stem}.safetensors"])
            command = f"python -m workbench.nets.convert {names}"
            reason = (
                f"is refused, as reading the objects other than tensors in it{_named(problem)} can run code; "
                f"`{command}` takes the tensors out without running any"
            )
        first = next(iter(str(problem).splitlines()), "")
        said = "" if not first or "weights_only" in first else f" ({first[:200]})"
        raise ValueError(f"{path} {reason or f'is not a readable torch file{said}'}") from None


def _foreign(problem: Exception) -> bool:
    return isinstance(problem, pickle.UnpicklingError) and "GLOBAL " in str(problem)


def _named(problem: Exception) -> str:
    """Which object it is, as torch says it."""
    words = str(problem).split("GLOBAL ")
    return f" ({words[1].split(' ')[0]})" if len(words) > 1 else ""


def check(path: Path) -> None:
    """ValueError where the file is something else than weights: a web page, a pointer of Git LFS, nothing at all."""
    with open(path, "rb") as file:
        start = file.read(512).lstrip().lower()
    if not start:
        raise ValueError(f"{path} is not a readable file of weights: it is empty")
    for mark, words in NO_WEIGHTS:
        if start.startswith(mark):
            raise ValueError(f"{path} {words}")


def read_arrays(path: Path) -> dict[str, Tensor]:
    """The arrays of an .npz as tensors, never unpickled; ValueError where it can't be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(np.array(arrays[name])) for name in arrays.files}
    except Exception as problem:  # whatever a damaged file makes of the reader
        first = next(iter(str(problem).splitlines()), type(problem).__name__)
        raise ValueError(f"{path} is not a readable file of arrays ({first[:200]})") from None
