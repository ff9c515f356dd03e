"""How much longer the commands take beside other busy processes: `python bench/busy.py --help`.

Aim: with one other busy process a core, at most 2.5 times the seconds alone (a fair share of the processor is 2). Each
command runs once without being measured, which fills caches and compiles, then alone and beside them, in turn,
``--repeats`` times. Ratios are of medians. Seconds of the processor stand beside those of the clock: where they differ
alone, the machine was busy before, and the last column, the ratio of clock to processor beside others against alone,
says more. ``--out`` keeps what is measured, so that the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safefiles.processes import cores
from workbench.study import files
from workbench.study.runs import hardware

#: What makes torch, oneDNN and MKL compute as on a processor with AVX2 and no more.
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
#: Threads that spin while they wait, as OpenMP has it where nothing is said.
SPINNING = {"OMP_WAIT_POLICY": "active", "KMP_BLOCKTIME": "200"}
TABLE = "notebooks/ablations/synthadl_tiny.yaml"
#: Computes all the time, and ends when what started it does.
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100_000))"
DRAW = "from synthadl import world; world.generate({root!r}, {size!r})"


def commands(root: str, folder: Path, clips: int) -> dict[str, list[str]]:
    """The command lines by what they are, each writing to ``folder`` alone."""
    workbench = [sys.executable, "-m", "workbench"]
    where = ["--root", root, "--runs", str(folder / "runs")]
    size = {"subjects": 6, "repetitions": 1, "setups": 3, "actions": ["read_book", "pour_water"]}
    short = ["epochs=1", f"limit={clips}", "evaluate=[]", "progress=false"]
    return {
        "train": [*workbench, "train", "rgb", *where, "--set", *short],
        "sweep of two rows": [*workbench, "sweep", TABLE, *where, "--preset", "tiny", "--seeds", "1"]
        + ["--rows", "pose_lstm", "rgb", "--limit", str(clips // 4)],
        "gallery of one notebook": [*workbench, "gallery", *where, "--out", str(folder / "gallery")]
        + ["--notebooks", "00_data_flow"],
        "synth of a few clips": [sys.executable, "-c", DRAW.format(root=str(folder / "world"), size=size)],
    }


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many other processes that compute all the time."""
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def timed(name: str, root: str, clips: int, environment: dict[str, str]) -> list[float]:
    """Seconds by the clock and of the processor that the command called ``name`` takes in a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        line = commands(root, Path(folder), clips)[name]
        started, before = time.perf_counter(), _processor()
        done = subprocess.run(line, env={**os.environ, **environment}, capture_output=True, text=True)
        seconds = [time.perf_counter() - started, _processor() - before]
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stderr[-600:]}")
    return seconds


def _processor() -> float:
    """Seconds of processor time of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(measured: dict[str, dict[str, list[list[float]]]]) -> str:
    """One line a command: medians alone and beside others, by the clock and of the processor, and their ratio."""
    lines = [f"{'seconds (of the processor)':26s} {'alone':>15s} {'beside others':>15s} {'ratio':>6s} {'by share':>9s}"]
    for name, runs in measured.items():
        if not (runs["alone"] and runs["beside"]):
            continue
        alone, beside = ([statistics.median(column) for column in zip(*runs[how], strict=True)] for how in runs)
        shown = [f"{clock:7.1f} ({used:5.1f})" for clock, used in (alone, beside)]
        ratio, share = beside[0] / alone[0], beside[0] / beside[1] / (alone[0] / alone[1])
        lines.append(f"{name:26s} {shown[0]:>15s} {shown[1]:>15s} {ratio:5.2f}x {share:8.2f}x")
    return "\n".join(lines)


def main() -> None:
    names = list(commands("", Path(), 16))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data/synthadl/tiny", help="a SynthADL world (default: %(default)s)")
    parser.add_argument("--commands", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--clips", type=int, default=96, help="that a training reads of each split (default: 96)")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--cores", type=int, default=cores(), help="use only so many (default: all)")
    parser.add_argument("--avx2", action="store_true", help="compute as a processor without AVX512 and bf16")
    parser.add_argument("--spinning", action="store_true", help="with threads that spin while they wait, to compare")
    parser.add_argument("--out", type=Path, help="a JSON file of what is measured, to go on with")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.cores])
    environment = (AVX2 if args.avx2 else {}) | (SPINNING if args.spinning else {})
    print(f"{hardware.environment()['processor']}, {cores()} used, {environment or 'as it is'}; load {os.getloadavg()}")
    measured = files.read_json(args.out) if args.out and args.out.is_file() else {}
    for name in args.commands:
        if name not in measured:
            timed(name, args.root, args.clips, environment)
    for _ in range(args.repeats):
        for name in args.commands:
            runs = measured.setdefault(name, {"alone": [], "beside": []})
            for how, others in (("alone", 0), ("beside", cores())):
                if len(runs[how]) < args.repeats:
                    with busy(others):
                        runs[how].append(timed(name, args.root, args.clips, environment))
                    if args.out:
                        files.write_json(args.out, measured)
    print(table({name: measured[name] for name in args.commands}))


if __name__ == "__main__":
    main()
