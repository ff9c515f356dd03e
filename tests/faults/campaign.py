"""A campaign of faults: commands are killed, their files damaged, their disks full or read-only; then they run again.

    python tests/faults/campaign.py --seed 0 --count 400

Whatever happened, the same command ends well at last, with the numbers of a run that nobody disturbed; each failure on
the way is a sentence that names a file, no traceback; what is damaged is named; and no file of the user's is touched.
Commands run in forks of this process, which has imported what they need.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from safefiles import checksums, drafts
from synthadl import world
from tests.fixtures import fake_synthadl
from workbench import __main__ as commands

SMALL = {"actions": ["wave"], "subjects": 4, "repetitions": 1, "setups": 3, "resolution": (64, 48)}
CUT = ("preset.base=tiny", "preset.batch_size=3", "preset.clip=[8,32,32]", "preset.output_stride=[4,16,16]",
       "preset.width=0.125", "preset.poses=8")  # fmt: skip
#: What people have in folders, and what looks like files of ours.
MINE = (".env", ".gitignore", ".weights.draft-00000000-1-00000000.npz", ".rows.draft-notes.npy", "index.json.bak",
        "x.damaged-1.txt", "a.failed.ipynb", ".note.part", "checksums.json")  # fmt: skip
#: Longer than any command takes.
LONG = 300.0
TRACEBACK = "Traceback (most recent call last)"
#: Memories: what is in them is found out again without a word.
QUIET = ("mlflow.db",)


@dataclass
class Command:
    """``run`` in a folder of its own, whose results are told by ``results``: name -> digest."""

    name: str
    run: Callable[[Path], int]
    results: Callable[[Path], dict[str, str]]
    folders: tuple[str, ...]


def train(place: Path, data: Path, system: str) -> int:
    more = ["init={}", "epochs=2", "checkpoint_steps=1", *CUT]
    return commands.main(["train", system, "--root", str(data), "--runs", str(place / "runs"), "--set", *more])


def prepare(place: Path, data: Path, *more: str) -> int:
    return commands.main(
        ["prepare", str(data), "--system", "vpn", "--cache", str(place / "cache"), *more, "--set", *CUT]
    )


def synth(place: Path, workers: int = 1) -> int:
    try:
        world.generate(place / "world", SMALL, seed=3, workers=workers)
    except (ValueError, RuntimeError, OSError) as problem:  # as the commands do
        print(f"workbench: {problem}", file=sys.stderr)
        return 1
    return 0


def trained(place: Path) -> dict[str, str]:
    (folder,) = [path.parent for path in (place / "runs").glob("*/config.json")]
    found = {name: sha((folder / name).read_bytes()) for name in ("weights.safetensors", "metrics.json", "config.json")}
    history = pd.read_csv(folder / "history.csv")
    found["history"] = sha(history.drop(columns="seconds").to_csv().encode())
    for path in sorted(folder.glob("*_test.npz")):
        with np.load(path) as arrays:
            found[path.name] = sha(b"".join(arrays[name].tobytes() for name in sorted(arrays.files)))
    return found


def cached(place: Path) -> dict[str, str]:
    found = {path.parent.name: sha(path.read_bytes()) for path in (place / "cache").glob("*/rows.npy")}
    for path in (place / "cache").glob("*/index.json"):
        index = json.loads(path.read_text())
        found[f"{path.parent.name}/index"] = sha(json.dumps([index["counts"], index["bad"], index["sums"]]).encode())
    return found


def packed(place: Path) -> dict[str, str]:
    return {
        path.name: sha(path.read_bytes()) for path in (place / "shards").glob("shard*") if ".damaged-" not in path.name
    }


def drawn(place: Path) -> dict[str, str]:
    files = [path for path in (place / "world").rglob("*") if path.is_file() and ours(path)]
    return {path.name: sha(path.read_bytes()) for path in files if path.name != checksums.NAME}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def ours(path: Path) -> bool:
    """Whether a command made the file, and would make it again."""
    return (
        path.name not in MINE and ".damaged-" not in path.name and not path.name.startswith(".") and path.name != "lock"
    )


@dataclass
class Campaign:
    """Faults in ``place``, of commands on the small world ``data``; ``found`` is what went wrong."""

    place: Path
    data: Path
    dice: random.Random
    found: list[str] = field(default_factory=list)
    done: Counter = field(default_factory=Counter)
    _whole: dict[str, tuple[dict[str, str], float]] = field(default_factory=dict)

    def commands(self) -> list[Command]:
        data = self.data
        return [
            Command("train", lambda place: train(place, data, "pose_lstm"), trained, ("runs",)),
            Command("prepare", lambda place: prepare(place, data), cached, ("cache",)),
            Command(
                "shards", lambda place: prepare(place, data, "--shards", str(place / "shards")), packed, ("shards",)
            ),
            Command("synth", synth, drawn, ("world",)),
        ]

    def once(self, command: Command) -> tuple[dict[str, str], float]:
        """Results and seconds of an undisturbed run, whose files are kept."""
        if command.name not in self._whole:
            self._clear()
            start = time.monotonic()
            code, text = self.run(command)
            assert code == 0, f"{command.name}: {text}"
            seconds = time.monotonic() - start
            self._whole[command.name] = command.results(self.place), seconds
            shutil.rmtree(self._kept(command), ignore_errors=True)
            shutil.copytree(self.place, self._kept(command))
        return self._whole[command.name]

    def _kept(self, command: Command) -> Path:
        return self.place.with_name(f"{self.place.name}-{command.name}")

    def _clear(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)

    def finish(self, command: Command) -> None:
        """Puts the files of the undisturbed run there."""
        self.once(command)
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self._kept(command), self.place)

    def run(
        self, command: Command, kill: float | None = None, group: bool = True, largest: int | None = None
    ) -> tuple[int, str]:
        """Exit code and output; killed after so many seconds, with its children or alone; files may be ``largest``."""
        self.place.mkdir(parents=True, exist_ok=True)
        told = self.place.with_name(f"{self.place.name}.out")
        child = os.fork()
        if not child:
            self._become(command, told, largest)
        end, signalled = time.monotonic() + (kill if kill is not None else LONG), False
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                break
            if not signalled and time.monotonic() > end:
                signalled = True
                (os.killpg if group else os.kill)(child, signal.SIGKILL)
                if kill is None:
                    self.found.append(f"{command.name}: hangs, {told.read_text()[-300:]}")
            time.sleep(0.002)
        if self._left(child):
            self.found.append(f"{command.name}: processes outlive their parent")
        return os.waitstatus_to_exitcode(status), told.read_text(errors="replace")

    def _become(self, command: Command, told: Path, largest: int | None) -> None:
        code = 99
        try:
            os.setsid()
            out = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(out, stream)
            os.chdir(self.place)
            warnings.simplefilter("default")
            os.environ["WORKBENCH_CACHE"] = str(self.place / "records")
            if largest is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
            code = command.run(self.place)
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    @staticmethod
    def _left(group: int, seconds: float = 15.0) -> bool:
        """Whether processes of the group still run after so long; they are ended then."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return False
            time.sleep(0.02)
        os.killpg(group, signal.SIGKILL)
        return True

    def settle(self, command: Command, what: str, named: str = "", text: str = "") -> None:
        """Runs the command until it ends well, and compares everything."""
        expected, _ = self.once_known(command)
        for _ in range(4):
            code, more = self.run(command)
            text += more
            if TRACEBACK in more:
                self.found.append(f"{what}: traceback: {more.strip().splitlines()[-1]}")
            if code == 0:
                break
            if str(self.place.name) not in more and self.data.name not in more:
                self.found.append(f"{what}: fails without naming a file: {more[-300:]}")
        else:
            self.found.append(f"{what}: never ends well: {more[-400:]}")
            return
        try:
            results = command.results(self.place)
        except Exception as problem:
            self.found.append(f"{what}: results can't be read: {type(problem).__name__}: {problem}")
            return
        if results != expected:
            wrong = sorted(name for name in {*results, *expected} if results.get(name) != expected.get(name))
            self.found.append(f"{what}: other results: {', '.join(wrong[:5])}; said: {text[-300:]}")
        if named and named not in text:
            self.found.append(f"{what}: {named} is not named; said: {text[-300:]!r}")
        left = [path.name for path in self.place.rglob(".*") if drafts.PATTERN.fullmatch(path.name)]
        if stale := [name for name in left if name not in MINE]:
            self.found.append(f"{what}: left over: {stale}")

    def once_known(self, command: Command) -> tuple[dict[str, str], float]:
        return self._whole[command.name]

    @contextmanager
    def mine(self, command: Command):
        """Files of the user's in every folder of the command, which must be there afterwards as they were."""
        folders = [self.place / name for name in command.folders]
        folders += [path for folder in folders for path in folder.rglob("*") if path.is_dir()]
        planted = {folder / name: f"{name} of {folder}" for folder in folders for name in MINE}
        for path, words in planted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(words)
        yield
        lost = [path for path, words in planted.items() if not path.is_file() or path.read_text() != words]
        if lost:
            self.found.append(f"{command.name}: files of the user's are gone: {lost[:3]}")

    def kill(self, command: Command) -> None:
        """SIGKILL at random moments, several times in a row."""
        _, seconds = self.once(command)
        self._clear()
        with self.mine(command):
            text, what = "", f"{command.name} killed"
            for _ in range(self.dice.choice((1, 1, 2, 3))):
                after, group = self.dice.uniform(0, 1.1 * seconds), self.dice.random() < 0.6
                what += f" after {after:.2f} s" + ("" if group else " (parent only)")
                _, more = self.run(command, after, group)
                text += more
                self.done["kills"] += 1
            self.settle(command, what)

    def damage(self, command: Command) -> None:
        """One file of a finished command is cut, emptied, flipped or zeroed, its time of change kept or not."""
        self.finish(command)
        with self.mine(command):
            files = sorted(
                path for path in self.place.rglob("*") if path.is_file() and ours(path) and path.stat().st_size
            )
            path = self.dice.choice(files)
            how, data = self.spoil(path)
            what = f"{command.name}: {path.relative_to(self.place)} {how}"
            self.done["damaged files"] += 1
            inside = path.relative_to(self.place)
            # What a finished command doesn't read again is not looked at.
            quiet = inside.parts[0] not in command.folders or inside.name in QUIET
            self.settle(command, what, "" if quiet else path.name)
            kept = any(data == aside.read_bytes() for aside in path.parent.glob(f"{path.stem}*"))
            if not quiet and not kept and path.name != "rows.npy":  # which is repaired in place
                self.found.append(f"{what}: what was damaged is gone")

    def spoil(self, path: Path) -> tuple[str, bytes]:
        state, data = path.stat(), bytearray(path.read_bytes())
        how = self.dice.choice(("emptied", "cut", "flipped", "zeroed", "longer"))
        at = self.dice.randrange(len(data))
        if how == "emptied":
            data = bytearray()
        elif how == "cut":
            del data[at:]
        elif how == "flipped":
            data[at] ^= 1 << self.dice.randrange(8)
        elif how == "zeroed":
            end = min(len(data), at + self.dice.choice((1, 16, 4096)))
            data[at:end] = bytes(end - at)
            if data == path.read_bytes():
                data[at] ^= 255
        else:
            data += bytes(self.dice.choice((1, 100)))
        path.write_bytes(data)
        if self.dice.random() < 0.5:
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
            how += ", its time kept"
        return f"{how} at {at}", bytes(data)

    def full(self, command: Command) -> None:
        """Files can't grow beyond a random size, or the disk is full after a random number of bytes."""
        self.once(command)
        self._clear()
        with self.mine(command):
            sizes = [path.stat().st_size for path in self._kept(command).rglob("*") if path.is_file()]
            if self.dice.random() < 0.5 or not can_mount():
                largest = int(self.dice.uniform(0.02, 1.0) * max(sizes))
                what = f"{command.name} with files up to {largest} bytes"
                code, text = self.run(command, largest=largest)
            else:
                room = int(self.dice.uniform(0.05, 0.9) * sum(sizes)) // 4096 * 4 + 40
                what = f"{command.name} on a disk of {room} kB"
                with small_disk(self.place / command.folders[0], room):
                    code, text = self.run(command)
                    shutil.copytree(self.place / command.folders[0], self.place / "kept", dirs_exist_ok=True)
                shutil.copytree(self.place / "kept", self.place / command.folders[0], dirs_exist_ok=True)
                shutil.rmtree(self.place / "kept")
            self.done["full disks"] += 1
            if TRACEBACK in text:
                self.found.append(f"{what}: traceback: {text.strip().splitlines()[-1]}")
            if code not in (0, 1):
                self.found.append(f"{what}: exit code {code}: {text[-300:]}")
            if code and self.place.name not in text:
                self.found.append(f"{what}: fails without naming a file: {text[-300:]}")
            self.settle(command, what)

    def sealed(self, command: Command) -> None:
        """The finished folder may only be read."""
        if not can_mount():
            return
        self.finish(command)
        with self.mine(command):
            folder = self.place / command.folders[0]
            with read_only(folder):
                code, text = self.run(command)
            self.done["read-only folders"] += 1
            what = f"{command.name} on a read-only folder"
            if TRACEBACK in text:
                self.found.append(f"{what}: traceback: {text.strip().splitlines()[-1]}")
            if code and str(self.place.name) not in text:
                self.found.append(f"{what}: fails without naming a file: {text[-300:]}")
            self.settle(command, what)


def can_mount() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0 and not os.environ.get("NO_MOUNT")


@contextmanager
def small_disk(folder: Path, kilobytes: int):
    """A disk of that size at ``folder``, with the files that are there."""
    aside = folder.with_name(f"{folder.name}-before")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, aside)
    mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder)
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield
    finally:
        shutil.rmtree(aside)
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def read_only(folder: Path):
    mount("--bind", folder, folder)
    try:
        mount("-o", "remount,bind,ro", folder)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True)


KINDS = {"kill": 0.25, "damage": 0.6, "full": 0.1, "sealed": 0.05}


def campaign(
    folder: Path, seed: int, count: int, only: str = "", minutes: float = 1e6, progress: bool = False
) -> Campaign:
    """``count`` faults, drawn with ``seed``."""
    import torch

    torch.set_num_threads(1)
    dice = random.Random(seed)
    data = fake_synthadl(folder / "input", actions=2, subjects=4, views=1, frames=10, size=(48, 64))
    for path in data.rglob("*"):
        os.utime(path, (1e9, 1e9))
    run = Campaign(folder / "place", data, dice)
    kinds = [command for command in run.commands() if not only or command.name in only.split(",")]
    end = time.monotonic() + 60 * minutes
    for number in range(count):
        if time.monotonic() > end:
            break
        kind = dice.choices(list(KINDS), list(KINDS.values()))[0]
        command, before = dice.choice(kinds), len(run.found)
        getattr(run, kind)(command)
        if progress:
            for line in run.found[before:]:
                print(f"{number}: {line}", flush=True)
            if number % 20 == 19:
                print(f"{number + 1} of {count}: {dict(run.done)}, {len(run.found)} found", flush=True)
    return run


def main() -> int:
    import tempfile

    import lightning.fabric  # noqa: F401
    import safetensors.torch  # noqa: F401

    import workbench.study.train  # noqa: F401

    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--count", type=int, default=100)
    options.add_argument("--only", default="", help="commands, with commas: train, prepare, shards, synth")
    options.add_argument("--minutes", type=float, default=1e6, help="no new fault is begun after so many")
    options.add_argument("--store", action="store_true", help="with MLflow's store")
    given = options.parse_args()
    if not given.store:
        sys.modules["mlflow"] = None
    with tempfile.TemporaryDirectory() as folder:
        run = campaign(Path(folder), given.seed, given.count, given.only, given.minutes, progress=True)
    print(f"{dict(run.done)}; {len(run.found)} found")
    return bool(run.found)


if __name__ == "__main__":
    sys.exit(main())
