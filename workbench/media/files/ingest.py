"""Files from outside become verified files, once.

A decoder can hang on a damaged file, abort the process, or quietly return other frames. So each file is decoded
completely, in order, by PyAV in a child process that can be given up on (``sandbox``). That gives the true frame
count and a reader that was seen to return the right frames at random access: decord, or PyAV where decord would be
wrong (open GOP, AV1, some AVI and MPEG files) or is not there. What was found is remembered in a small record, by
path, size and time of change, so that every later use costs one ``stat``. After that, frames are read in the caller's
own process at full speed: what could have gone wrong has gone wrong before. ``video.Decoder`` reads in a process
apart even then. A damaged file is an error; its good part, if asked for, is copied as H.264 that any reader is safe on.

What can't be seen: damage that a codec does not notice. H.264 and MPEG-4 notice nearly all, HEVC and VP9 much less.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import warnings
import zlib
from dataclasses import asdict, replace
from pathlib import Path

from safefiles.drafts import write
from safefiles.processes import cores
from workbench.media.files.decoding import VideoError, VideoInfo, VideoNote, has_decord, plays_others
from workbench.media.files.sandbox import SandboxError, Sandboxes

#: The tasks that run in the sandbox.
INSPECT, SALVAGE = "workbench.media.files.inspection:inspect", "workbench.media.files.inspection:salvage"

#: Part of every record's name: a change of what a record means makes old ones invisible.
VERSION = 3


class PartialVideo(UserWarning):
    """Only the good beginning of a damaged file is used."""


_memory: dict[str, VideoInfo | VideoError] = {}
_sandbox = Sandboxes(cores())


def _after_fork() -> None:
    global _sandbox
    _sandbox = Sandboxes(cores())


os.register_at_fork(after_in_child=_after_fork)


def ingest(
    path: str | os.PathLike,
    cache_dir: str | os.PathLike | None = None,
    *,
    timeout: float = 30.0,
    allow_partial: bool = False,
) -> VideoInfo:
    """What ``path`` holds, verified by decoding all of it, or remembered from when that was done.

    cache_dir keeps the records (default: $WORKBENCH_CACHE or ~/.cache/workbench, then "video"). ``timeout`` is how many
    seconds may pass without a further decoded frame. FileNotFoundError if there is no such file; VideoError, one
    sentence with path and reason, if it is empty, holds no video, is cut off or damaged (the number of good frames is
    named), or if a decoder hangs or dies on it. With ``allow_partial`` the good beginning of a damaged file is copied
    to the cache as H.264 and used, with a ``PartialVideo`` warning; other notes on a file are a ``VideoNote``.
    """
    file, record, key = _locate(path, cache_dir, allow_partial)
    info = _memory.get(key) or _read_record(record) or _verify(file, record, timeout, allow_partial)
    if len(_memory) >= 10_000:
        _memory.clear()
    _memory[key] = info
    if isinstance(info, VideoError):
        raise VideoError(*info.args)
    if info.note:
        warnings.warn(info.note, VideoNote if info.file == info.path else PartialVideo, stacklevel=2)
    return info


def is_known(path: str | os.PathLike) -> bool:
    """Whether ``ingest`` remembers ``path`` as it is now; False also where there is no such file."""
    try:
        _, record, key = _locate(path, None, allow_partial=False)
    except (ValueError, FileNotFoundError):
        return False
    return key in _memory or record.is_file()


def default_cache() -> Path:
    """Where records and copies go unless a folder is named."""
    return Path(os.environ.get("WORKBENCH_CACHE", Path.home() / ".cache" / "workbench")) / "video"


def _locate(
    path: str | os.PathLike, cache_dir: str | os.PathLike | None, allow_partial: bool
) -> tuple[Path, Path, str]:
    """(the file, its record, and what is known by: its path, its state, and how it is read)."""
    file, folder = Path(os.path.abspath(path)), Path(cache_dir) if cache_dir is not None else default_cache()
    try:
        state = file.stat()
    except FileNotFoundError:
        raise FileNotFoundError(f"{file}: there is no such video file") from None
    if not stat.S_ISREG(state.st_mode):
        raise VideoError(f"{file}: it is not a regular file")
    if state.st_size == 0:
        raise VideoError(f"{file}: it is empty (0 bytes)")
    if not os.access(file, os.R_OK):
        raise VideoError(f"{file}: it may not be read (permissions)")
    if kind := plays_others(str(file)):
        raise VideoError(f"{file}: it is {kind}, which plays other files; name the video files themselves")
    facts = (VERSION, str(file), state.st_size, state.st_mtime_ns, has_decord(), allow_partial, str(folder))
    key = hashlib.sha256(repr(facts).encode()).hexdigest()
    return file, folder / f"{key[:32]}.json", key


def _verify(file: Path, record: Path, timeout: float, allow_partial: bool) -> VideoInfo | VideoError:
    try:
        inspected = _inspect(str(file), timeout)
        info = VideoInfo.from_fields(inspected["info"]) if inspected["info"] else None
        result: VideoInfo | VideoError
        if info is None:
            result = VideoError(f"{file}: {inspected['damage']}")
        elif inspected["damage"] and allow_partial:
            result = _salvage(info, record.with_suffix(".mp4"), inspected["damage"], timeout)
        elif inspected["damage"]:
            hint = f"its first {info.frames} frames are good (allow_partial=True)"
            result = VideoError(f"{file}: {inspected['damage']}; {hint}")
        else:
            result = info
    except SandboxError as error:
        # Not recorded: a machine that was too busy is no fault of the file.
        return VideoError(f"{file}: {error}")
    _write_record(record, result)
    return result


def _inspect(file: str, timeout: float) -> dict:
    if has_decord():
        try:
            return _sandbox.call(INSPECT, file, True, timeout=timeout)
        except SandboxError as error:
            if not error.lost:
                raise
    return _sandbox.call(INSPECT, file, False, timeout=timeout)


def _salvage(info: VideoInfo, copy: Path, damage: str, timeout: float) -> VideoInfo:
    copy.parent.mkdir(parents=True, exist_ok=True)
    _sandbox.call(SALVAGE, info.path, str(copy), asdict(info), timeout=timeout + info.frames)
    good = VideoInfo.from_fields(_inspect(str(copy), timeout)["info"])
    note = f"{info.path}: only the first {good.frames} frames are used, {damage} after them"
    # The copy has frames at an even rate: when they were shown is what the damaged file says.
    return replace(
        good,
        path=info.path,
        note=note,
        codec=info.codec,
        rotation=info.rotation,
        pixel_aspect=info.pixel_aspect,
        stream=info.stream,
        fps=info.fps,
        start=info.start,
        moments=info.moments[: good.frames],
    )


def _read_record(record: Path) -> VideoInfo | VideoError | None:
    try:
        content = json.loads(record.read_text())
        if content.pop("check", None) != _sum(content):
            return None
        if "error" in content:
            return VideoError(content["error"])
        info = VideoInfo.from_fields(content)
    except (OSError, ValueError, KeyError, TypeError):
        # A record is only a memory: what can't be read is found out again.
        return None
    return info if info.file == info.path or Path(info.file).exists() else None


def _sum(content: dict) -> int:
    """A checksum of what a record says."""
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())


def _write_record(record: Path, result: VideoInfo | VideoError) -> None:
    content = {"error": str(result)} if isinstance(result, VideoError) else asdict(result)
    try:
        write(record, json.dumps({**content, "check": _sum(content)}).encode())
    except OSError as error:
        warnings.warn(f"{record.parent}: can't remember verified videos here ({error.strerror})", stacklevel=2)
