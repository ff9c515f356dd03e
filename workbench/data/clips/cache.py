"""Arrays that are dear to make, made once: one memory-mapped file of rows, some rows for each clip.

A cache is a folder named after its contents: the clips, the state of their files and everything that shapes the rows.
It holds ``rows.npy`` and ``index.json``; the rows get that name last of all, so a build that was killed is never
trusted, and the next one goes on where it stopped. Clips that could not be made are tried again at each opening.

The index has the checksum of each clip's rows. They are compared when a clip is first read, and all at once where the
file is not the one that was written; clips that are damaged are made again.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from safefiles import checksums
from safefiles.drafts import replacing
from safefiles.locks import turn


class DamagedCache(RuntimeError):
    """Rows are not those that were written: no fault of one clip, of which the others could do without."""


class Store:
    """``store[i]`` is clip i, read-only [rows of the clip, ...]; ValueError with the reason if the clip is bad,
    DamagedCache if its rows are not those that were written.

    made is how many clips were made when it was opened, the others but the bad ones being there already.
    """

    def __init__(self, folder: Path, made: int = 0) -> None:
        index = json.loads((folder / "index.json").read_text())
        self._sums: list[int | None] = list(index.get("sums", []))
        self.folder, self.made = folder, made
        self.bad: dict[int, str] = {int(i): reason for i, reason in index["bad"].items()}
        self._offsets = np.concatenate([[0], np.cumsum(index["counts"])])
        self._rows = np.load(folder / "rows.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray)
        if len(self._rows) != self._offsets[-1]:
            raise DamagedCache(
                f"{folder} is damaged: {len(self._rows)} rows, its index says {self._offsets[-1]}; delete it"
            )

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, i: int) -> np.ndarray:
        if i in self.bad:
            raise ValueError(self.bad[i])
        rows = self._rows[self._offsets[i] : self._offsets[i + 1]]
        if self._sums and self._sums[i] is not None:
            if zlib.crc32(rows) != self._sums[i]:
                path = self.folder / "rows.npy"
                os.utime(path)  # so that the next opening compares every clip
                raise DamagedCache(
                    f"{path} is damaged (clip {i}): start the same command again, which makes the clip again"
                )
            self._sums[i] = None
        return rows

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

    key is everything that the rows depend on, as JSON; title is what the progress bar and the folder's name say. make
    is called in ``workers`` threads; a clip whose ``make`` raises becomes bad, with the reason. Two processes that
    ask for one store at once build it once; one that is finished may be read where nothing may be written. Raises
    RuntimeError when the disk is full.
    """
    digest = hashlib.sha256(json.dumps([key, shape, dtype], sort_keys=True).encode()).hexdigest()[:16]
    folder = Path(root) / f"{title}-{digest}"
    if (folder / "rows.npy").exists() and not os.access(folder, os.W_OK):
        return Store(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with turn(folder / "lock", f"the cache {folder}"), _one_thread_each():
        count = _Build(folder, title, key, counts, shape, np.dtype(dtype)).run(make, workers)
    return Store(folder, count)


class _Build:
    """Fills the file of rows clip by clip in any order; every finished clip is one line of done.jsonl."""

    def __init__(
        self, folder: Path, title: str, key: dict, counts: Sequence[int], shape: tuple, dtype: np.dtype
    ) -> None:
        self.folder, self.title, self.key, self.shape, self.dtype = folder, title, key, shape, dtype
        self.counts = [int(count) for count in counts]
        self.row = dtype.itemsize * math.prod(shape)
        self.offsets = np.concatenate([[0], np.cumsum(self.counts)])
        self.rows, self.partial, self.done = folder / "rows.npy", folder / "rows.partial", folder / "done.jsonl"
        self.index = folder / "index.json"
        self.header = _header(dtype, (int(self.offsets[-1]), *shape))
        self.sums: list[int | None] = [None] * len(counts)

    def run(self, make: Callable[[int], np.ndarray], workers: int) -> int:
        """How many clips were made."""
        try:
            return self._fill(make, workers)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            needed = self.row * self.offsets[-1] / 1e6
            raise RuntimeError(
                f"the disk is full: the cache {self.folder} needs {needed:.0f} MB; what is built is kept, so free some "
                "space and start again"
            ) from error

    def _fill(self, make: Callable[[int], np.ndarray], workers: int) -> int:
        if self.rows.exists() and not checksums.intact(self.index):
            os.replace(self.rows, self.partial)  # nobody knows what is in them
            self.done.unlink(missing_ok=True)
        if not self.rows.exists() and not self.partial.exists():
            self.done.unlink(missing_ok=True)
            with replacing(self.partial) as draft, open(draft, "wb") as empty:
                empty.write(self.header)
                empty.truncate(self.size)
        path = self.rows if self.rows.exists() else self.partial
        file = os.open(path, os.O_RDWR)
        try:
            finished = self._finished(file)
            todo = [i for i in range(len(self.counts)) if i not in finished]
            bad = self._make(file, make, todo, workers) if todo else {}
            os.fsync(file)
            state = os.fstat(file)
        finally:
            os.close(file)
        index = {"key": self.key, "counts": self.counts, "bad": {str(i): reason for i, reason in bad.items()}}
        index |= {"sums": self.sums, "state": [state.st_size, state.st_mtime_ns]}
        if path == self.partial or json.loads(self.index.read_text()) != json.loads(json.dumps(index)):
            checksums.write(self.index, json.dumps(index).encode())
            if not self.rows.exists():
                os.replace(self.partial, self.rows)
            self.done.unlink(missing_ok=True)
        return len(todo) - len(bad)

    @property
    def size(self) -> int:
        """Bytes of the file of rows."""
        return len(self.header) + self.row * int(self.offsets[-1])

    def _finished(self, file: int) -> set[int]:
        """The clips that are there: all but the bad ones of a complete build that nobody has touched since, and
        otherwise those whose bytes are still what was written."""
        state, clips = os.fstat(file), range(len(self.counts))
        if os.pread(file, len(self.header), 0) != self.header or state.st_size != self.size:
            if self.rows.exists():
                warnings.warn(f"{self.rows} is damaged: clips that are not whole are made again", stacklevel=2)
            _write(file, self.header, 0)
            os.ftruncate(file, self.size)
        if not self.rows.exists():
            self._read_log()
            return {i for i in clips if self.sums[i] is not None and self._intact(file, i)}
        index = json.loads(self.index.read_text())
        good = set(clips) - {int(i) for i in index["bad"]}
        if "sums" not in index:  # made before they were kept
            return good if state.st_size == self.size else set()
        self.sums = list(index["sums"])
        if index["state"] == [state.st_size, state.st_mtime_ns]:
            return good
        intact = {i for i in good if self._intact(file, i)}
        if intact != good:
            share = f"{len(good - intact)} of {len(good)} clips"
            warnings.warn(f"{self.rows} is damaged: {share} are made again", stacklevel=2)
        return intact

    def _read_log(self) -> None:
        """The checksums that an interrupted build wrote down."""
        for line in self.done.read_bytes().splitlines() if self.done.exists() else []:
            with suppress(ValueError, TypeError):  # the line that was being written when the build was killed
                i, crc = json.loads(line)
                if 0 <= i < len(self.sums):
                    self.sums[i] = crc

    def _intact(self, file: int, i: int) -> bool:
        """Whether the rows of clip i are what was written; of those that nobody knows the checksum of, they are."""
        size = self.row * self.counts[i]
        return self.sums[i] is None or zlib.crc32(os.pread(file, size, self._offset(i))) == self.sums[i]

    def _make(self, file: int, make: Callable[[int], np.ndarray], todo: list[int], workers: int) -> dict[int, str]:
        """Writes the rows of the clips ``todo``; returns what is wrong with those that have none."""
        bad = {}
        total = len(self.counts)
        with (
            open(self.done, "a") as log,
            tqdm(total=total, initial=total - len(todo), desc=f"caching {self.title}", unit="clip") as bar,
        ):
            for i, result in _map(make, todo, workers):
                reason = result if isinstance(result, str) else self._mismatch(i, result)
                if reason:
                    bad[i], self.sums[i] = reason, None
                else:
                    data = np.ascontiguousarray(result).tobytes()
                    _write(file, data, self._offset(i))
                    self.sums[i] = zlib.crc32(data)
                    log.write(f"[{i}, {self.sums[i]}]\n")
                    log.flush()
                bar.update()
        return bad

    def _mismatch(self, i: int, rows: np.ndarray) -> str:
        expected = (self.counts[i], *self.shape)
        if rows.shape == expected and rows.dtype == self.dtype:
            return ""
        return f"gave {rows.dtype} {rows.shape}, expected {self.dtype} {expected}"

    def _offset(self, i: int) -> int:
        return len(self.header) + self.row * int(self.offsets[i])


def _header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """What an .npy file begins with."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype.str, "fortran_order": False, "shape": shape})
    return header.getvalue()


def _map(make: Callable[[int], np.ndarray], todo: list[int], workers: int) -> Iterator[tuple[int, np.ndarray | str]]:
    """(i, its array or what is wrong with it), as they get ready."""
    # Threads are enough: files are verified in processes of media's own, decoders and OpenCV release the interpreter.
    with ThreadPoolExecutor(workers) as pool:
        pending = iter(todo)
        # A few in flight, not all: results wait in memory until they are written.
        waiting = {pool.submit(_attempt, make, i): i for i in islice(pending, 2 * workers)}
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
                waiting.update({pool.submit(_attempt, make, i): i for i in islice(pending, 1)})


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
def _one_thread_each() -> Iterator[None]:
    """OpenCV's own threads would only take turns with those that make the clips."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
