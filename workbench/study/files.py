"""JSON and arrays in files that are whole whenever the machine stops."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from workbench.drafts import write
from workbench.reading import read_json, reading

__all__ = ["code_cells", "read_arrays", "read_json", "read_weights", "write", "write_arrays", "write_json"]


def write_json(path: Path, values: Any) -> None:
    write(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())


def code_cells(notebook: str | Path) -> list[str]:
    """The code of a notebook, cell by cell; Unreadable where it is none."""
    cells = read_json(notebook, "cells")["cells"]
    with reading(notebook, "a Jupyter notebook"):
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """A compressed npz."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write(path, buffer.getvalue())


def read_arrays(path: Path, *needed: str, way_out: str = "") -> dict[str, np.ndarray]:
    """The arrays of an npz by name, never unpickled; Unreadable where it is none, or lacks one that is ``needed``."""
    with reading(path, "arrays", way_out), np.load(path, allow_pickle=False) as file:
        if missing := set(needed) - set(file.files):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        return {name: file[name] for name in file.files}


def read_weights(path: Path, way_out: str = "") -> dict[str, Tensor]:
    """The tensors of a safetensors file of ours, by name; Unreadable where it is none."""
    from safetensors.torch import load_file

    with reading(path, "weights", way_out):
        return load_file(path)
