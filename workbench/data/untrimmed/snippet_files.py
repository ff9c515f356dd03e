"""Features of an untrimmed video, snippet by snippet, on disk: what detectors read in place of pictures.

One .npy a video, float16 [T,C], memory-mapped. A file gets its name when it is complete; until then it grows, row by
row, beside that name, so that work that was killed goes on where it stopped: after the last rows whose checksums are
those that a file of lines beside it says.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from safefiles import checksums
from workbench.data.untrimmed.videos import Untrimmed


@dataclass(frozen=True)
class SnippetSpec:
    """A snippet spans ``frames`` of the video, and the next one starts ``stride`` frames later."""

    frames: int = 16
    stride: int = 16

    def __post_init__(self) -> None:
        for name in ("frames", "stride"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"SnippetSpec.{name} must be a whole number of 1 or more, got {value!r}")

    def starts(self, length: int) -> np.ndarray:
        """int64 [T]: the first frames of the snippets of a video of ``length`` frames. A rest that does not fill one is
        left out; a video that is too short for any has one, which repeats the last frame."""
        return np.arange(0, max(length - self.frames, 0) + 1, self.stride, dtype=np.int64)


@dataclass(frozen=True)
class Snippets:
    """The features of all videos of a data set, in its order.

    edges tells when the frames of a video are shown (``Untrimmed.edges``), by position; parts are the files, for each
    of one or more features that are read as one (``join``), [video]; bad says, by position, why a video has none.
    """

    ids: list[str]
    lengths: np.ndarray
    edges: Callable[[int], np.ndarray]
    spec: SnippetSpec
    parts: list[list[Path]]
    bad: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Untrimmed, spec: SnippetSpec, paths: list[Path], bad: dict[int, str] | None = None) -> Snippets:
        """The features in ``paths``, one file a video of ``data``."""
        return cls(data.ids, data.lengths, data.edges, spec, [list(paths)], dict(bad or {}))

    @classmethod
    def join(cls, features: list[Snippets]) -> Snippets:
        """The channels of all of them, one after the other; ValueError unless videos and snippets are the same."""
        first = features[0]
        for snippets in features:
            if (snippets.ids, snippets.spec) != (first.ids, first.spec):
                specs = f"{first.spec} and {snippets.spec}"
                raise ValueError(f"features of other videos or snippets can't be joined: {specs}")
        parts = [paths for snippets in features for paths in snippets.parts]
        bad = {i: reason for snippets in reversed(features) for i, reason in snippets.bad.items()}
        return cls(first.ids, first.lengths, first.edges, first.spec, parts, bad)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def counts(self) -> np.ndarray:
        """int64 [S], snippets of each video."""
        return np.array([len(self.spec.starts(length)) for length in self.lengths], np.int64)

    @cached_property
    def channels(self) -> int:
        """C. RuntimeError where not one video has features."""
        good = next((i for i in range(len(self)) if i not in self.bad), None)
        if good is None:
            raise RuntimeError("not one video has features")
        return sum(self._map(paths[good]).shape[1] for paths in self.parts)

    def features(self, i: int, start: int = 0, end: int | None = None) -> np.ndarray:
        """float32 [T,C]: the snippets of video i, or those from ``start`` to ``end`` (exclusive) only, which is all
        that is read. ValueError with the reason for a bad video, and naming a damaged file."""
        if i in self.bad:
            raise ValueError(self.bad[i])
        rows = [self._rows(paths[i], int(self.counts[i]))[start:end] for paths in self.parts]
        return np.concatenate(rows, axis=1, dtype=np.float32)

    def starts(self, i: int) -> np.ndarray:
        """int64 [T]: the first frame of each snippet of video i."""
        return self.spec.starts(int(self.lengths[i]))

    def times(self, i: int) -> np.ndarray:
        """float64 [T,2]: when each snippet of video i starts and ends, in seconds."""
        starts = self.starts(i)
        return self.edges(i)[np.stack([starts, np.minimum(starts + self.spec.frames, self.lengths[i])], axis=1)]

    def centres(self, i: int) -> np.ndarray:
        """float64 [T]: the middle of each snippet of video i, in seconds: the moment whose labels are its own."""
        return self.times(i).mean(axis=1)

    def _rows(self, path: Path, count: int) -> np.ndarray:
        rows = self._map(path)
        if rows.ndim != 2 or len(rows) != count:
            raise ValueError(f"{path} holds {rows.shape}, expected {count} snippets; delete it and extract again")
        return rows

    @staticmethod
    def _map(path: Path) -> np.ndarray:
        checksums.check(path, "delete it and extract again")
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path} cannot be read as features: {error}; delete it and extract again") from None


class GrowingRows:
    """A .npy file of float16 [count, C] that grows by rows and gets its name ``path`` when it is complete.

    ``done`` rows are there already, from a process that was stopped.
    """

    def __init__(self, path: Path, count: int) -> None:
        self.path, self.count = path, count
        self._part, self._log = (path.with_name(f"{path.name}.{ending}") for ending in ("part", "rows"))
        self._channels, self._offset = self._header()
        self.done = 0
        if self._channels:
            self.done = self._intact_rows()
            os.truncate(self._part, self._offset + 2 * self._channels * self.done)

    def _header(self) -> tuple[int, int]:
        """(C, bytes before the first row) of what an earlier process began; (0, 0) if that is nothing to go on with."""
        try:
            with open(self._part, "rb") as file:
                np.lib.format.read_magic(file)
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
                fits = len(shape) == 2 and shape[0] == self.count and dtype == np.float16 and not fortran
                return (shape[1], file.tell()) if fits else (0, 0)
        except (FileNotFoundError, ValueError):
            return 0, 0

    def _intact_rows(self) -> int:
        """How many rows are as they were written."""
        done, good = 0, []
        with open(self._part, "rb") as file:
            file.seek(self._offset)
            for line in self._log.read_bytes().splitlines(keepends=True) if self._log.is_file() else []:
                try:
                    end, crc = map(int, line.split())
                except ValueError:  # the line that was being written when the process was killed
                    break
                size = 2 * self._channels * (end - done)
                if not done < end <= self.count or zlib.crc32(data := file.read(size)) != crc or len(data) != size:
                    break
                done = end
                good.append(line)
        self._log.write_bytes(b"".join(good))
        return done

    def add(self, rows: np.ndarray) -> None:
        """Append float [n,C]. ValueError if a number is not finite in float16; OSError if the disk is full, and what
        was added before stays."""
        with np.errstate(over="ignore"):
            small = np.ascontiguousarray(rows, np.float16)
        if not np.isfinite(small).all():
            raise ValueError(f"{self.path}: a feature is not finite in float16, the largest is {np.abs(rows).max():g}")
        if not self._channels:
            self._channels = small.shape[1]
            with open(self._part, "wb") as file:
                header = {"descr": small.dtype.str, "fortran_order": False, "shape": (self.count, self._channels)}
                np.lib.format.write_array_header_1_0(file, header)
            self._log.write_bytes(b"")
        with open(self._part, "ab") as file:
            file.write(small.tobytes())
        self.done += len(small)
        with open(self._log, "a") as log:
            log.write(f"{self.done} {zlib.crc32(small.tobytes())}\n")

    def finish(self) -> None:
        """Give the file its name; RuntimeError if rows are missing."""
        if self.done != self.count:
            raise RuntimeError(f"{self.path}: {self.done} of {self.count} snippets were made")
        with open(self._part, "rb+") as file:
            os.fsync(file.fileno())
        checksums.note(self.path.parent, {self.path.name: checksums.state_of(self._part)})
        os.replace(self._part, self.path)
        self._log.unlink(missing_ok=True)


def truth(data: Untrimmed, snippets: Snippets) -> list[np.ndarray]:
    """For each video bool [T,N]: the actions that go on in the middle of each snippet."""
    check_videos(data, [snippets])
    return [data.labels(i, snippets.centres(i)) for i in range(len(data))]


def check_videos(data: Untrimmed, features: Iterable[Snippets]) -> None:
    """ValueError unless all features are of the videos of ``data``, and of the same snippets."""
    spec = None
    for snippets in features:
        spec = spec or snippets.spec
        if snippets.ids != data.ids or not np.array_equal(snippets.lengths, data.lengths):
            raise ValueError(f"the features are not those of the videos of {data.title}")
        if snippets.spec != spec:
            raise ValueError(f"features of different snippets can't be read together: {spec}, {snippets.spec}")
