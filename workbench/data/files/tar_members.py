"""Files inside of tar files, found by offset and never unpacked under the names that the tar gives them."""

from __future__ import annotations

import json
import os
import tarfile
import threading
from pathlib import Path
from typing import Any

from safefiles import checksums
from safefiles.drafts import replacing
from workbench.media.files.ingest import default_cache

#: Videos taken out of shards are kept on the local disk up to so many bytes; then the oldest make room.
LIMIT = int(float(os.environ.get("WORKBENCH_SPOOL_GB", "20")) * 1e9)
#: The newest are never removed, since they may be about to be read.
NEWEST = 64

_lock = threading.Lock()


def index(path: Path) -> dict[str, Any]:
    """{"bytes": size of the tar, "clips": {key: {suffix: [offset, size]}}} of a WebDataset shard.

    ValueError naming ``path`` where it is no tar or is cut off. What is no plain file is passed over.
    """
    total = path.stat().st_size
    clips: dict[str, dict[str, list[int]]] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if not member.isreg():
                    continue
                if member.offset_data + member.size > total:
                    raise tarfile.ReadError("it is cut off")
                key, _, suffix = Path(member.name).name.partition(".")
                clips.setdefault(key, {})[suffix] = [member.offset_data, member.size]
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} cannot be read as a shard: {error}") from None
    return {"bytes": total, "clips": clips}


def find(path: Path) -> dict[str, dict[str, list[int]]]:
    """The clips of the shard ``path``, as ``index`` has them, from the .json beside it where that still fits."""
    if not path.is_file():
        raise FileNotFoundError(f"the shard {path} is missing")
    path_of_index = path.with_suffix(".json")
    if path_of_index.is_file():
        content = read_json(path_of_index)
        if content.get("bytes") == path.stat().st_size and _fits(content.get("clips"), path.stat().st_size):
            return content["clips"]
    return index(path)["clips"]


def _fits(clips: Any, total: int) -> bool:
    if not isinstance(clips, dict) or not all(isinstance(files, dict) for files in clips.values()):
        return False
    ranges = [span for files in clips.values() for span in files.values()]
    return all(
        isinstance(span, list)
        and len(span) == 2
        and all(type(number) is int and number >= 0 for number in span)
        and sum(span) <= total
        for span in ranges
    )


def read(path: str | Path, offset: int, size: int) -> bytes:
    """``size`` bytes of ``path`` from ``offset`` on; ValueError if they are not there."""
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) != size:
        raise ValueError(f"the shard {path} is cut off: {len(data)} of {size} bytes at {offset}")
    return data


def take_out(path: str | Path, offset: int, size: int, name: str) -> str:
    """A copy of these bytes as a file called ``name`` in the cache folder, which is made if it isn't there."""
    folder = default_cache().with_name("spool")
    target = folder / name
    changed = os.stat(path).st_mtime_ns
    if not (target.is_file() and (target.stat().st_size, target.stat().st_mtime_ns) == (size, changed)):
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(target) as draft:
            draft.write_bytes(read(path, offset, size))
            # What is remembered of a video holds for its time of change, which must not be that of the copying.
            os.utime(draft, ns=(0, changed))
        _make_room(folder)
    return str(target)


def _make_room(folder: Path) -> None:
    with _lock:
        states = [(entry.stat(), entry.path) for entry in os.scandir(folder) if not entry.name.startswith(".")]
        states.sort(key=lambda pair: pair[0].st_ctime_ns)
        total = sum(state.st_size for state, _ in states)
        for state, path in states[:-NEWEST]:
            if total <= LIMIT:
                break
            Path(path).unlink(missing_ok=True)
            total -= state.st_size


def read_json(path: Path) -> dict[str, Any]:
    """The object in ``path``; ValueError naming it where there is none, or where it is damaged."""
    checksums.check(path, "`python -m workbench prepare --shards` writes it again")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} should hold a JSON object")
    return values
