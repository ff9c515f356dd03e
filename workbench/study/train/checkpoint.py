"""Everything a run needs to go on as if it had never stopped."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from safefiles.reading import reading
from workbench.study import files


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes ``state`` (tensors and plain values) and the random states at once, or raises OSError and leaves the old
    checkpoint. Serialised in memory first: torch's own writer hides why a file could not be written."""
    buffer = io.BytesIO()
    torch.save({**state, "random": random_state()}, buffer)
    files.write(path, buffer.getvalue())


def load(path: Path) -> dict[str, Any]:
    """What ``save`` wrote, on the CPU, without unpickling code; ValueError naming the file where it is damaged."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:
        # torch raises whatever the damaged bytes lead it to.
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise ValueError(
            f"{path} can't be read as a checkpoint ({reason}); delete it to train from the start"
        ) from None


@contextmanager
def applying(path: Path) -> Iterator[None]:
    """What goes wrong inside when the state in ``path`` is given to whom it belongs to is said of the file."""
    with reading(path, "a checkpoint of this run", "delete it to train from the start"):
        yield


def random_state() -> dict[str, Any]:
    """The states of Python's, numpy's, torch's and CUDA's generators, as tensors and plain values."""
    version, numbers, gauss = random.getstate()
    state: tuple[Any, ...] = tuple(np.random.get_state())
    name, keys, position, has_gauss, cached = state
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Goes on where ``random_state`` was taken: Python's, NumPy's and torch's generators."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])


def seed_all(*words: int) -> None:
    """Seeds Python, numpy, torch and CUDA with a mixture of ``words``."""
    seed = int(np.random.SeedSequence(words).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def copy_of(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict on the CPU that later training does not change."""
    return {name: value.detach().cpu().clone() for name, value in state.items()}
