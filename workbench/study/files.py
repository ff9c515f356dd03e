"""JSON and arrays in files that are whole whenever the machine stops."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from workbench.drafts import write


def write_json(path: Path, values: Any) -> None:
    write(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """What the file holds; ValueError naming it where it isn't JSON, FileNotFoundError where it isn't there."""
    try:
        return json.loads(path.read_text())
    except json.JSONDecodeError as problem:
        raise ValueError(f"{path} is not valid JSON: {problem}") from None


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """A compressed npz."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
