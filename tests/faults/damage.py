"""A campaign: one file of what a command reads is damaged, the command runs, and has to say so in a sentence.

``python -m tests.faults.damage --count 500 --seed 3`` prints what went wrong; the test runs a small slice. With
``--first 200`` the same campaign goes on from its two-hundredth file. The commands run in this process, on a place that
is made once (see ``damage_site``); a damaged file is put back after its case.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from tests.faults.damage_site import Case, Site

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 10)}]\n" for i in range(9)
)


class TooLong(BaseException):
    """A case that hangs."""


@contextlib.contextmanager
def damaged(site: Site, path: Path, damage: str, rng: np.random.Generator) -> Iterator[None]:
    """``path`` while it is damaged; everything is as it was afterwards."""
    data, state = path.read_bytes(), path.stat()
    before = {folder: set(folder.iterdir()) for folder in (path.parent, site.runs, site.run)}
    saved = {file: file.read_bytes() for file in site.run.iterdir() if file.is_file() and file != path}
    path.unlink()
    try:
        DAMAGES[damage](path, data, rng)
        yield
    finally:
        _remove(path)
        for folder, names in before.items():
            for name in set(folder.iterdir()) - names:
                _remove(name)
        for file, content in saved.items():
            file.write_bytes(content)
        path.write_bytes(data)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        _remove(site.out)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flipped(path: Path, data: bytes, rng: np.random.Generator) -> None:
    spoilt = bytearray(data)
    for at in rng.integers(0, len(data), max(1, len(data) // 200)):
        spoilt[at] ^= int(rng.integers(1, 256))
    path.write_bytes(bytes(spoilt))


def _array_of_objects(path: Path, data: bytes, rng: np.random.Generator) -> None:
    with open(path, "wb") as file:
        np.savez(file, joints=np.array([{"a": 1}], object), skeleton=np.array(["kinect_v2"]))


def _json_of(value: object) -> Callable[[Path, bytes, np.random.Generator], None]:
    return lambda path, data, rng: path.write_text(value if isinstance(value, str) else json.dumps(value))


def _other_type(path: Path, data: bytes, rng: np.random.Generator) -> None:
    """JSON and tables with one value of another type; other files as something else."""
    if path.suffix == ".parquet":
        table = pd.read_parquet(io.BytesIO(data))
        name = table.columns[int(rng.integers(len(table.columns)))]
        table[name] = [["x"]] * len(table)
        table.to_parquet(path)
    elif path.suffix in (".json", ".ipynb"):
        value = json.loads(data)
        key = sorted(value)[int(rng.integers(len(value)))]
        value[key] = 7 if not isinstance(value[key], int) else ["x"]
        path.write_text(json.dumps(value))
    elif path.suffix == ".csv":
        path.write_bytes(data.replace(b",", b";;", 3))
    else:
        path.write_text("[1, 2")


#: How a file is damaged: (path, what it held, random numbers).
DAMAGES: dict[str, Callable] = {
    "empty": lambda path, data, rng: path.write_bytes(b""),
    "cut": lambda path, data, rng: path.write_bytes(data[: int(len(data) * rng.uniform(0.05, 0.9))]),
    "zeroed": lambda path, data, rng: path.write_bytes(bytes(len(data))),
    "half zeroed": lambda path, data, rng: path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2)),
    "noise": lambda path, data, rng: path.write_bytes(rng.bytes(max(16, len(data)))),
    "flipped": _flipped,
    "picture": lambda path, data, rng: path.write_bytes(b"\x89PNG\r\n\x1a\n" + rng.bytes(500)),
    "zip": lambda path, data, rng: path.write_bytes(b"PK\x03\x04" + rng.bytes(300)),
    "objects": _array_of_objects,
    "list": _json_of([1, 2, 3]),
    "number": _json_of(3),
    "text": _json_of("just words"),
    "deep": _json_of("[" * 50_000),
    "bomb": _json_of(BOMB),
    "latin": lambda path, data, rng: path.write_bytes(b"\xe9\xe8,\xff\xfe\x00\n" * 9),
    "other type": _other_type,
    "playlist": _json_of("ffconcat version 1.0\nfile film_3.mp4\n"),
    "folder": lambda path, data, rng: path.mkdir(),
    "loop": lambda path, data, rng: path.symlink_to(path),
    "dangling": lambda path, data, rng: path.symlink_to(path.parent / "gone"),
    "pipe": lambda path, data, rng: os.mkfifo(path),
}
#: After these a file may still say something that is right, or all that is read of it.
MILD = {"flipped", "cut", "half zeroed", "other type", "text", "latin"}


def attempt(case: Case, path: Path, damage: str, site: Site, seed: int) -> list[str]:
    """What is wrong with how the command took it."""
    said, rng = io.StringIO(), np.random.default_rng(seed)

    def too_long(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(90)
    code, raised = None, ""
    try:
        with (
            damaged(site, path, damage, rng),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            warnings.catch_warnings(record=True) as warned,
        ):
            warnings.simplefilter("always")
            try:
                code = case.run()
            except TooLong:
                raised = "it hangs"
            except BaseException:
                raised = traceback.format_exc()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    text = said.getvalue() + "\n".join(str(warning.message) for warning in warned)
    return judged(case, path, damage, code, raised, text)


def judged(case: Case, path: Path, damage: str, code: int | None, raised: str, text: str) -> list[str]:
    if raised:
        return [raised]
    named = path.name in text or path.stem in text
    problems = []
    if code not in (0, 1, 2):
        problems.append(f"exit code {code}")
    if code and not named:
        problems.append(f"it does not name {path.name}: {text[-400:]}")
    if "Traceback" in text:
        problems.append(f"a traceback: {text[-1500:]}")
    if code == 0 and damage not in MILD and damage not in case.harmless and not (case.reports and named):
        problems.append(f"nothing said: {text[-300:]}")
    return problems


def undamaged(site: Site, cases: list[Case]) -> list[str]:
    """The cases that fail with nothing damaged, so that they would show nothing."""
    failures = []
    for case in cases:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = case.run()
        _remove(site.out)
        failures += [f"{case.name}: fails with nothing damaged: {said.getvalue()[-600:]}"] if code else []
    return failures


def campaign(site: Site, cases: list[Case], numbers: range, seed: int, minutes: float = 1e6) -> list[str]:
    """The damaged files of these ``numbers``, and what went wrong with them, a line each; none is begun after so many
    minutes."""
    failures, end = [], time.monotonic() + 60 * minutes
    for number in numbers:
        if time.monotonic() > end:
            print(f"stopped before #{number}", flush=True)
            break
        rng, case = np.random.default_rng([seed, number]), cases[number % len(cases)]
        path = case.files[int(rng.integers(len(case.files)))]
        damage = list(DAMAGES)[int(rng.integers(len(DAMAGES)))]
        started = time.monotonic()
        for problem in attempt(case, path, damage, site, seed * 100_003 + number):
            failures.append(f"{case.name}: {path.name} {damage}: {problem}")
            print(f"#{number} {failures[-1]}\n", flush=True)
        if time.monotonic() - started > 20:
            print(f"#{number} {case.name}: {path.name} {damage} took {time.monotonic() - started:.0f} s", flush=True)
    return failures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first file of this piece")
    parser.add_argument("--minutes", type=float, default=1e6, help="no other file is damaged after so many")
    parser.add_argument("--only", default="", help="cases whose names hold this")
    arguments = parser.parse_args()
    sys.modules["mlflow"] = None
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder) / "site")
        cases = [case for case in site.cases() if arguments.only in case.name]
        failed = undamaged(site, cases)
        print("\n".join(failed), flush=True)
        numbers = range(arguments.first, arguments.first + arguments.count)
        failed += campaign(site, cases, numbers, arguments.seed, arguments.minutes)
    print(f"{arguments.count} damaged files, {len(failed)} failures")
    sys.exit(bool(failed))
