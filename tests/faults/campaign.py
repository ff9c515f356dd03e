"""A campaign of faults: commands are killed, their files damaged, their disks full or read-only, or they are started
twice at once; then they run again.

    python tests/faults/campaign.py --seed 0 --count 400

Whatever happened, the same command ends well at last, with the numbers of a run that nobody disturbed; each failure on
the way is a sentence that names a file, no traceback; what is damaged is named; and no file of the user's is touched.
Commands run in forks of this process, which has imported what they need; those that take less time are tried more
often.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from safefiles import drafts
from tests.faults.campaign_commands import MINE, Command, Results, all_commands, inputs, ours
from tests.faults.campaign_place import LONG, Fork, adopt, can_mount, left, pages, read_only, small_disk

TRACEBACK = "Traceback (most recent call last)"
#: Memories: what is in them is found out again without a word.
QUIET = ("mlflow.db",)


@dataclass
class Campaign:
    """Faults of ``commands`` in ``place``; ``found`` is what went wrong, ``done`` is counted by fault and command."""

    place: Path
    commands: list[Command]
    dice: random.Random
    found: list[str] = field(default_factory=list)
    done: Counter = field(default_factory=Counter)
    _whole: dict[str, tuple[Results, float]] = field(default_factory=dict)

    def once(self, command: Command) -> tuple[Results, float]:
        """Results and seconds of an undisturbed run, whose files are kept."""
        told = self._kept(command).with_suffix(".json")
        if command.name not in self._whole and told.is_file():
            self._whole[command.name] = tuple(json.loads(told.read_text()))
        if command.name not in self._whole:
            self.begin(command)
            start = time.monotonic()
            code, text = self.run(command)
            assert code == 0, f"{command.name}: {text}"
            seconds = time.monotonic() - start
            self._whole[command.name] = command.results(self.place), seconds
            shutil.rmtree(self._kept(command), ignore_errors=True)
            shutil.copytree(self.place, self._kept(command), symlinks=True)
            told.write_text(json.dumps(self._whole[command.name]))
        return self._whole[command.name]

    def _kept(self, command: Command) -> Path:
        return self.place.with_name(f"{self.place.name}-{command.name}")

    def begin(self, command: Command) -> None:
        """An empty place, or what the command begins with."""
        before = [one for one in self.commands if one.name == command.start]
        if before:
            self.finish(before[0])
        else:
            shutil.rmtree(self.place, ignore_errors=True)
            self.place.mkdir(parents=True)

    def finish(self, command: Command) -> None:
        """Puts the files of the undisturbed run there."""
        self.once(command)
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self._kept(command), self.place, symlinks=True)

    def pick(self, commands: list[Command]) -> Command:
        """One of them, more often one that takes little time."""
        return self.dice.choices(commands, [1 / (1 + self.once(command)[1]) for command in commands])[0]

    def start(self, command: Command, number: int = 0, largest: int | None = None) -> Fork:
        return Fork(command, self.place, self.place.with_name(f"{self.place.name}.out{number}"), largest)

    def end(self, command: Command, fork: Fork) -> tuple[int, str]:
        """Its exit code and what it said."""
        if not fork.wait(LONG):
            self.found.append(f"{command.name}: hangs: {fork.text[-300:]}")
            fork.kill(group=True)
            fork.wait(LONG)
        return fork.code, fork.text

    def run(self, command: Command, largest: int | None = None) -> tuple[int, str]:
        code, text = self.end(command, self.start(command, largest=largest))
        self.nothing_left(command)
        return code, text

    def nothing_left(self, command: Command) -> None:
        if words := left():
            self.found.append(f"{command.name}: processes outlive their parent: {words}")

    def count(self, fault: str, command: Command) -> None:
        self.done[fault] += 1
        self.done[f"{fault} of {command.name}"] += 1

    def told(self, what: str, code: int, text: str) -> None:
        """Looks at how a command ended."""
        if TRACEBACK in text:
            self.found.append(f"{what}: traceback: {text.strip().splitlines()[-1]}: {text[-1500:]}")
        if code not in (0, 1):
            self.found.append(f"{what}: exit code {code}: {text[-300:]}")
        if code and str(self.place) not in text and str(self.place.with_name("input")) not in text:
            self.found.append(f"{what}: fails without naming a file: {text[-300:]}")

    def settle(self, command: Command, what: str, named: str = "", text: str = "") -> None:
        """Runs the command until it ends well, and compares everything."""
        for _ in range(4):
            code, more = self.run(command)
            text += more
            self.told(what, code, more)
            if code == 0:
                break
        else:
            self.found.append(f"{what}: never ends well: {more[-400:]}")
            return
        try:
            results = command.results(self.place)
        except Exception as problem:
            self.found.append(f"{what}: results can't be read: {type(problem).__name__}: {problem}")
            return
        expected, _ = self._whole[command.name]
        if results != expected:
            wrong = sorted(name for name in {*results, *expected} if results.get(name) != expected.get(name))
            self.found.append(f"{what}: other results: {', '.join(wrong[:5])}; said: {text[-300:]}")
        if named and named not in text:
            self.found.append(f"{what}: {named} is not named; said: {text[-300:]!r}")
        drafted = [path.name for path in self.place.rglob(".*") if drafts.PATTERN.fullmatch(path.name)]
        if stale := [name for name in drafted if name not in MINE]:
            self.found.append(f"{what}: left over: {stale}")

    @contextmanager
    def mine(self, command: Command) -> Iterator[None]:
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
        self.begin(command)
        with self.mine(command):
            text, what = "", f"{command.name} killed"
            for _ in range(self.dice.choice((1, 1, 2, 3))):
                after, group = self.dice.uniform(0, 1.1 * seconds), self.dice.random() < 0.6
                what += f" after {after:.2f} s" + ("" if group else " (parent only)")
                fork = self.start(command)
                if not fork.wait(after):
                    fork.kill(group)
                    fork.wait(LONG)
                text += fork.text
                self.nothing_left(command)
                self.count("kills", command)
            self.settle(command, what, text=text)

    def twice(self, command: Command) -> None:
        """The same command, started a second time while the first runs."""
        _, seconds = self.once(command)
        self.begin(command)
        with self.mine(command):
            later = self.dice.choice((0.0, self.dice.uniform(0, 0.3), self.dice.uniform(0, seconds)))
            first = self.start(command)
            first.wait(later)
            what, forks = f"{command.name} twice, {later:.2f} s apart", (first, self.start(command, 1))
            ends = [self.end(command, fork) for fork in forks]
            self.nothing_left(command)
            self.count("two at once", command)
            for code, text in ends:
                self.told(what, code, text)
            self.settle(command, what, text="".join(text for _, text in ends))

    def damage(self, command: Command) -> None:
        """One file of a finished command is cut, emptied, flipped or zeroed, its time of change kept or not."""
        self.finish(command)
        if command.keeps:
            return
        with self.mine(command):
            files = [path for path in self.place.rglob("*") if path.is_file() and ours(path) and path.stat().st_size]
            path = self.dice.choice(sorted(files))
            how, data = self.spoil(path)
            inside = path.relative_to(self.place)
            what = f"{command.name}: {inside} {how}"
            self.count("damaged files", command)
            # What a finished command doesn't read again is not looked at.
            quiet = inside.parts[0] not in command.folders or inside.name in QUIET
            quiet = quiet or inside.as_posix().startswith(command.unread or "?")
            self.settle(command, what, "" if quiet else path.name)
            kept = any(data == aside.read_bytes() for aside in path.parent.glob(f"{path.stem}*") if aside.is_file())
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
        # A row of a cache is compared when it is read; a command that only fills the cache goes by the file's time.
        if self.dice.random() < 0.5 and path.name != "rows.npy":
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
            how += ", its time kept"
        return f"{how} at {at}", bytes(data)

    def full(self, command: Command) -> None:
        """Files can't grow beyond a random size, or the disk is full after a random number of bytes."""
        self.once(command)
        self.begin(command)
        with self.mine(command):
            disk, largest, share = nullcontext(), None, self.dice.uniform(0.02, 1.0)
            folder, kept = self.place / command.folders[0], self._kept(command) / command.folders[0]
            if self.dice.random() < 0.5 or not can_mount():
                largest = int(share * max(path.stat().st_size for path in kept.rglob("*")))
                what = f"{command.name} with files up to {largest} bytes"
            else:
                room = pages(folder) + int(share * max(pages(kept) - pages(folder), 10))
                what = f"{command.name} on a disk with {4 * room} kB"
                disk = small_disk(folder, room)
            with disk:
                code, text = self.run(command, largest=largest)
            self.count("full disks", command)
            self.told(what, code, text)
            self.settle(command, what)

    def sealed(self, command: Command) -> None:
        """The finished folder, or the one that a command begins with, may only be read."""
        if not can_mount():
            return
        begun = self.dice.random() < 0.5
        self.once(command)
        (self.begin if begun else self.finish)(command)
        with self.mine(command):
            with read_only(self.place / command.folders[0]):
                code, text = self.run(command)
            self.count("read-only folders", command)
            what = f"{command.name} {'begun' if begun else 'finished'} on a read-only folder"
            self.told(what, code, text)
            self.settle(command, what)


#: Faults, and how often they are done.
KINDS = {"kill": 0.32, "damage": 0.45, "full": 0.09, "sealed": 0.05, "twice": 0.09}


def campaign(folder: Path, seed: int, count: int, only: str = "", minutes: float = 1e6, kinds: str = "") -> Campaign:
    """``count`` faults, drawn with ``seed``; none is begun after so many minutes."""
    dice = random.Random(seed)
    commands = all_commands(*inputs(folder))
    run = Campaign(folder / "place", commands, dice)
    chosen = [command for command in commands if not only or command.name in only.split(",")]
    faults = {name: often for name, often in KINDS.items() if not kinds or name in kinds.split(",")}
    took = {command.name: run.once(command)[1] for command in chosen}
    print("seconds:", {name: round(seconds, 1) for name, seconds in took.items()}, flush=True)
    end = time.monotonic() + 60 * minutes
    for number in range(count):
        if time.monotonic() > end:
            break
        fault = dice.choices(list(faults), list(faults.values()))[0]
        command, before = run.pick(chosen), len(run.found)
        getattr(run, fault)(command)
        for line in run.found[before:]:
            print(f"{number}: {line}", flush=True)
        if number % 20 == 19:
            print(f"{number + 1} of {count}: {totals(run)}, {len(run.found)} found", flush=True)
    return run


def totals(run: Campaign) -> dict[str, int]:
    return {name: number for name, number in run.done.items() if " of " not in name}


def ready() -> None:
    """Imports what commands need, once for all forks."""
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", OMP_NUM_THREADS="1")  # one thread: the same numbers
    import distributed  # noqa: F401
    import lightning.fabric  # noqa: F401
    import mlflow
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    import papermill  # noqa: F401
    import safetensors.torch  # noqa: F401
    import torch
    from ipykernel import kernelapp  # noqa: F401

    import workbench.show.gallery
    import workbench.study.report.export
    import workbench.study.sweep.sweep
    import workbench.study.train  # noqa: F401

    torch.set_num_threads(1)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--count", type=int, default=100)
    options.add_argument("--only", default="", help="commands, with commas (see campaign_commands)")
    options.add_argument("--kinds", default="", help=f"faults, with commas: {', '.join(KINDS)}")
    options.add_argument("--folder", type=Path, help="where undisturbed runs are kept for the next campaign")
    options.add_argument("--minutes", type=float, default=1e6, help="no new fault is begun after so many")
    given = options.parse_args()
    ready()
    adopt()
    with nullcontext(given.folder) if given.folder else tempfile.TemporaryDirectory() as folder:
        run = campaign(Path(folder), given.seed, given.count, given.only, given.minutes, given.kinds)
    for name, number in sorted(run.done.items()):
        print(f"{number:6} {name}")
    print(f"{totals(run)}; {len(run.found)} found")
    return bool(run.found)


if __name__ == "__main__":
    sys.exit(main())
