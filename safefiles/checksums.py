"""Checksums: what is finished is known by its size and digest, kept in one small file of its folder.

``workbench-checksums.json`` names files of its folder and of folders in it. What a file is going to be is noted just
before it takes its place, beside what it was: whichever of the two is there when the machine stops is whole. Of a file
that isn't named, such as one from before checksums were kept, nothing is said.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from safefiles import drafts
from safefiles.locks import turn

NAME = "workbench-checksums.json"
#: Size in bytes, time of change in nanoseconds, digest.
State = tuple[int, int, str]
Noted = dict[str, list[State]]

#: States of files whose bytes were compared in this process.
_compared: dict[str, tuple[int, ...]] = {}
#: Of each file of checksums: its state and what it says.
_read_before: dict[str, tuple[tuple[int, ...], Noted]] = {}


def digest(path: str | os.PathLike) -> str:
    """Sixteen hex digits of the file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


@contextmanager
def replacing(path: str | os.PathLike, home: str | os.PathLike | None = None) -> Iterator[Path]:
    """``drafts.replacing`` of a file whose checksum is kept in ``home``, its own folder or the one above it."""
    path = Path(path)
    home = Path(home or path.parent)
    with drafts.replacing(path) as draft:
        yield draft
        note(home, {path.relative_to(home).as_posix(): state_of(draft)})


def write(path: str | os.PathLike, data: bytes, home: str | os.PathLike | None = None) -> None:
    """Replaces ``path`` by ``data`` at once, and keeps its checksum."""
    with replacing(path, home) as draft:
        draft.write_bytes(data)


def keep(home: str | os.PathLike, names: Iterable[str]) -> None:
    """Notes files below ``home`` as they are now."""
    note(Path(home), {name: state_of(Path(home, name)) for name in names})


def note(home: Path, states: Mapping[str, State]) -> None:
    """Notes what files below ``home`` are, or will be in a moment; of each, what it is until then stays noted."""
    if not states:
        return
    with turn(home / ".checksums.lock"):
        known = dict(_noted(home))
        for name, state in states.items():
            known[name] = [state, *(one for one in _there(home / name, known.get(name, [])) if one[2] != state[2])]
        files = {name: [list(state) for state in several] for name, several in sorted(known.items())}
        text = json.dumps({"check": _check(files), "files": files}, indent=0)
        drafts.write(home / NAME, text.encode())


def damage(path: str | os.PathLike, read: bool = True) -> str:
    """What is wrong with ``path``, as words that follow its name; "" where it is as it was written, isn't there, or
    nothing is known of it. The size is compared, and the bytes where the time of change isn't that of the writing; with
    ``read`` the bytes are compared in any case, once in a process for each state of the file.

    A file may be written while it is looked at. What it is going to be is noted before it is there, so that only what
    differs from notes that have not changed meanwhile is damaged."""
    path = Path(path)
    states = _states(path)
    while states and (problem := _damage(path, states, read)):
        before, states = states, _states(path)
        if states == before:
            return problem
    return ""


def known(path: str | os.PathLike) -> bool:
    """Whether a checksum of the file is kept."""
    return bool(_states(Path(path)))


def was(path: str | os.PathLike, data: bytes) -> bool:
    """Whether ``data`` is what was written to ``path``."""
    return hashlib.blake2b(data, digest_size=8).hexdigest() in {state[2] for state in _states(Path(path))}


def intact(path: str | os.PathLike) -> bool:
    """Whether ``path`` is there and whole. One that is damaged is named in a warning and set aside, for its maker."""
    if not Path(path).is_file():
        return False
    problem = damage(path)
    if problem:
        warnings.warn(f"{path} {problem}: it is kept as {set_aside(path).name} and made again", stacklevel=2)
    return not problem


def check(path: str | os.PathLike, remedy: str) -> None:
    """ValueError naming a damaged ``path``, and ``remedy``, what makes it again."""
    if problem := damage(path):
        raise ValueError(f"{path} {problem}; {remedy}")


def set_aside(path: str | os.PathLike) -> Path:
    """Renames a file that is no good; returns its new path."""
    path = Path(path)
    aside = path.with_name(f"{path.stem}.damaged-{time.time_ns()}{path.suffix}")
    os.replace(path, aside)
    return aside


def differing(digests: Mapping[str, str]) -> list[str]:
    """Those of the paths of ``digests`` whose digest is none that was noted."""
    folders: dict[str, list[str]] = defaultdict(list)
    for path in digests:
        folders[os.path.dirname(path)].append(path)
    found = []
    for folder, paths in folders.items():
        above, last = os.path.split(folder)
        near, far = _noted(Path(folder)), _noted(Path(above))
        for path in paths if near or far else []:
            name = os.path.basename(path)
            states = near.get(name) or far.get(f"{last}/{name}")
            if states and digests[path] not in {state[2] for state in states}:
                found.append(path)
    return found


def _states(path: Path) -> list[State]:
    return _noted(path.parent).get(path.name) or _noted(path.parent.parent).get(f"{path.parent.name}/{path.name}", [])


def _damage(path: Path, states: list[State], read: bool) -> str:
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return ""
    sizes = {state[0] for state in states}
    if now.st_size not in sizes:
        return f"is damaged ({now.st_size} bytes, {' or '.join(map(str, sorted(sizes)))} were written)"
    key = (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)
    as_written = (now.st_size, now.st_mtime_ns) in {state[:2] for state in states}
    if _compared.get(os.fspath(path)) == key or (as_written and not read):
        return ""
    if (found := digest(path)) not in {state[2] for state in states}:
        return f"is damaged (its bytes have the checksum {found}, not the one that was written)"
    _compared[os.fspath(path)] = key
    return ""


def _there(path: Path, states: list[State]) -> list[State]:
    """The one of ``states`` that the file is in, or all of them where that can't be told at a glance."""
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return []
    return [state for state in states if state[:2] == (now.st_size, now.st_mtime_ns)][:1] or states[:2]


def state_of(path: Path) -> State:
    """Its size, time of change and digest as it is now."""
    now = os.stat(path)
    return now.st_size, now.st_mtime_ns, digest(path)


def _noted(home: Path) -> Noted:
    """What the checksums of a folder say; a damaged file of them is named and set aside, and says nothing."""
    path = home / NAME
    try:
        now = os.stat(path)
    except OSError:
        return {}
    key, before = (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino), _read_before.get(os.fspath(path))
    if before is not None and before[0] == key:
        return before[1]
    noted = _parse(path)
    if noted is None:
        warnings.warn(
            f"{path} is damaged: it is set aside, and the files that it was about can't be checked", stacklevel=4
        )
        noted = {}
        with suppress(OSError):
            set_aside(path)
    _read_before[os.fspath(path)] = key, noted
    return noted


def _parse(path: Path) -> Noted | None:
    try:
        content = json.loads(path.read_bytes())
        files = content["files"]
        if content["check"] != _check(files):
            return None
        return {name: [(int(size), int(changed), str(sum)) for size, changed, sum in files[name]] for name in files}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _check(files: object) -> str:
    return hashlib.blake2b(json.dumps(files, sort_keys=True).encode(), digest_size=8).hexdigest()
