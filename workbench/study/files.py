"""JSON and arrays in files that are whole whenever the machine stops, and whose checksums are kept."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from safefiles.checksums import check, write
from safefiles.reading import read_json as _read_json
from safefiles.reading import reading

__all__ = ["code_cells", "read_arrays", "read_json", "read_weights", "write", "write_arrays", "write_json"]

#: What makes a damaged file of a run again.
REMEDY = "start the command that made it again: it sets the file aside and makes another"


def write_json(path: Path, values: Any) -> None:
    """Replaces ``path`` by ``values`` as JSON, whole or not at all."""
    write(path, json_bytes(values))


def json_bytes(values: Any) -> bytes:
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def read_json(path: Path, *keys: str, way_out: str = "") -> Any:
    """``reading.read_json`` of a file of ours: ValueError naming it also where it isn't as it was written."""
    check(path, REMEDY)
    return _read_json(path, *keys, way_out=way_out)


def code_cells(notebook: str | Path) -> list[str]:
    """The code of a notebook, cell by cell; Unreadable where it is none."""
    cells = _read_json(notebook, "cells")["cells"]
    with reading(notebook, "a Jupyter notebook"):
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """A compressed npz."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
    write(path, buffer.getvalue())


def read_arrays(path: Path, *needed: str, way_out: str = "") -> dict[str, np.ndarray]:
    """The arrays of an npz by name, never unpickled; ValueError naming it where it isn't as it was written, is none, or
    lacks one that is ``needed``."""
    check(path, REMEDY)
    with reading(path, "arrays", way_out), np.load(path, allow_pickle=False) as file:
        if missing := set(needed) - set(file.files):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        return {name: file[name] for name in file.files}


def read_weights(path: Path, way_out: str = "") -> dict[str, Tensor]:
    """The tensors of a safetensors file of ours, by name; ValueError as ``read_arrays``."""
    from safetensors.torch import load_file

    check(path, REMEDY)
    with reading(path, "weights", way_out):
        return load_file(path)
