"""Arrays that are dear to make, made once: one memory-mapped file of rows, some rows for each clip.

A cache is a folder named after its contents: the clips, the state of their files and everything that shapes the rows. It
holds ``rows.npy`` and ``index.json``; the rows get that name last of all, so a build that was killed is never trusted, and
the next one goes on where it stopped.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import multiprocessing
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm



class Store:
    """``store[i]`` is the array of clip i, read-only, [rows of the clip, ...]; RuntimeError with the reason if it is bad."""

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text())
        self.folder = folder
        self.bad: dict[int, str] = {int(i): reason for i, reason in index["bad"].items()}
        self._offsets = np.concatenate([[0], np.cumsum(index["counts"])])
        self._rows = np.load(folder / "rows.npy", mmap_mode="r", allow_pickle=False)
        if len(self._rows) != self._offsets[-1]:
            raise RuntimeError(f"{folder} is damaged: {len(self._rows)} rows, its index says {self._offsets[-1]}; delete it")

    def __getitem__(self, i: int) -> np.ndarray:
        if i in self.bad:
            raise RuntimeError(self.bad[i])
        return self._rows[self._offsets[i] : self._offsets[i + 1]]

    def __reduce__(self) -> tuple:
        # A pickled memory map would carry all its bytes to every loader process; the path is enough.
        return Store, (self.folder,)


def open_store(
    root: Path,
    title: str,
    key: dict,
    counts: Sequence[int],
    shape: tuple[int, ...],
    dtype: str,
    make: Callable[[int], np.ndarray],
    workers: int = 2,
) -> Store:
    """The store of ``make(i)`` (``dtype`` [counts[i], *shape]) for every i, built under ``root`` first where needed.

    key is everything that the rows depend on, as JSON; title is what the progress bar and the folder's name say. make is
    called in ``workers`` processes; a clip whose ``make`` raises becomes bad, with the reason.
    Two processes that ask for one store at once build it once. Raises RuntimeError when the disk is full.
    """
    digest = hashlib.sha256(json.dumps([key, shape, dtype], sort_keys=True).encode()).hexdigest()[:16]
    folder = Path(root) / f"{title}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if not (folder / "rows.npy").is_file():
            _Build(folder, title, key, counts, shape, np.dtype(dtype)).run(make, workers)
    return Store(folder)


class _Build:
    """Fills rows.partial clip by clip in any order; every finished clip is one line of done.jsonl."""

    def __init__(
        self, folder: Path, title: str, key: dict, counts: Sequence[int], shape: tuple, dtype: np.dtype
    ) -> None:
        self.folder, self.title, self.key, self.shape, self.dtype = folder, title, key, shape, dtype
        self.counts = [int(count) for count in counts]
        self.row = dtype.itemsize * int(np.prod(shape))
        self.offsets = np.concatenate([[0], np.cumsum(self.counts)])
        self.partial, self.done = folder / "rows.partial", folder / "done.jsonl"

    def run(self, make: Callable[[int], np.ndarray], workers: int) -> None:
        try:
            self._run(make, workers)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            needed = self.row * self.offsets[-1] / 1e6
            raise RuntimeError(
                f"the disk is full: the cache {self.folder} needs {needed:.0f} MB; what is built is kept, free space and start again"
            ) from error

    def _run(self, make: Callable[[int], np.ndarray], workers: int) -> None:
        start = self._prepare()
        file = os.open(self.partial, os.O_RDWR)
        try:
            finished = self._finished(file, start)
            todo = [i for i in range(len(self.counts)) if i not in finished]
            with (
                open(self.done, "a") as log,
                tqdm(total=len(self.counts), initial=len(finished), desc=f"caching {self.title}", unit="clip") as bar,
            ):
                for i, result in _map(make, todo, workers):
                    finished[i] = line = self._store(file, start, i, result)
                    log.write(json.dumps({"i": i, **line}) + "\n")
                    log.flush()
                    bar.update()
            os.fsync(file)
        finally:
            os.close(file)
        self._publish({i: line["bad"] for i, line in sorted(finished.items()) if "bad" in line})

    def _prepare(self) -> int:
        """Makes the empty file of rows if there is none; returns where its first row begins."""
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": (int(self.offsets[-1]), *self.shape)}
        if not self.partial.exists():
            fresh = self.partial.with_suffix(".new")
            with open(fresh, "wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
                file.truncate(file.tell() + self.row * int(self.offsets[-1]))
            self.done.unlink(missing_ok=True)
            os.replace(fresh, self.partial)
        return self.partial.stat().st_size - self.row * int(self.offsets[-1])

    def _finished(self, file: int, start: int) -> dict[int, dict]:
        """The clips that an interrupted build has finished and whose bytes are still what it wrote."""
        finished = {}
        for text in self.done.read_text().splitlines() if self.done.exists() else []:
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue  # the line that was being written when the build was killed
            i = line.pop("i")
            if "bad" in line or zlib.crc32(os.pread(file, *self._place(start, i))) == line["crc"]:
                finished[i] = line
        return finished

    def _store(self, file: int, start: int, i: int, result: np.ndarray | str) -> dict:
        if isinstance(result, str):
            return {"bad": result}
        expected = (self.counts[i], *self.shape)
        if result.shape != expected or result.dtype != self.dtype:
            return {"bad": f"gave {result.dtype} {result.shape}, expected {self.dtype} {expected}"}
        data = np.ascontiguousarray(result).tobytes()
        _write(file, data, self._place(start, i)[1])
        return {"crc": zlib.crc32(data)}

    def _place(self, start: int, i: int) -> tuple[int, int]:
        """(bytes, offset) of clip i."""
        return self.row * self.counts[i], start + self.row * int(self.offsets[i])

    def _publish(self, bad: dict[int, str]) -> None:
        fresh = self.folder / "index.json.new"
        fresh.write_text(json.dumps({"key": self.key, "counts": self.counts, "bad": bad}))
        os.replace(fresh, self.folder / "index.json")
        os.replace(self.partial, self.folder / "rows.npy")
        self.done.unlink(missing_ok=True)


def _map(make: Callable[[int], np.ndarray], todo: list[int], workers: int) -> Iterator[tuple[int, np.ndarray | str]]:
    """(i, its array or what is wrong with it), as they get ready."""
    if workers < 2 or len(todo) < 2:
        yield from ((i, _attempt(make, i)) for i in todo)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("forkserver"), _receive, (make,)) as pool:
        waiting, rest = {}, iter(todo)
        # A few in flight, not all: results wait in memory until they are written.
        for i in islice(rest, 4 * workers):
            waiting[pool.submit(_serve, i)] = i
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
                for i in islice(rest, 1):
                    waiting[pool.submit(_serve, i)] = i


def _receive(make: Callable[[int], np.ndarray]) -> None:
    global _make
    _make = make


def _serve(i: int) -> np.ndarray | str:
    return _attempt(_make, i)


def _attempt(make: Callable[[int], np.ndarray], i: int) -> np.ndarray | str:
    try:
        return make(i)
    except Exception as error:  # whatever is wrong with one file, the others go on
        return str(error) or type(error).__name__


def _write(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


@contextmanager
def _locked(path: Path):
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
