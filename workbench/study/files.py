"""Files that are either the old one or the new one, whole, whenever the machine stops."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

#: How files end that are being written.
PART = ".part"


def write(path: Path, data: bytes) -> None:
    """Replaces ``path`` by ``data`` at once; its folder is made where needed.

    OSError in one sentence that names the file and what the system said (a full disk, say); the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as problem:
        old = "the previous one is kept" if path.exists() else "nothing was left half-written"
        raise OSError(
            problem.errno, f"{path} ({len(data) / 1e6:.1f} MB) can't be written: {problem.strerror}; {old}"
        ) from None
    finally:
        Path(temporary).unlink(missing_ok=True)


def discard_parts(folder: Path) -> None:
    """Removes what a process that was killed had begun to write there."""
    for path in folder.glob(f".*{PART}"):
        path.unlink(missing_ok=True)


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
