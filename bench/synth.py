"""Frames per second of the synthetic world, drawn, encoded and stored: `python bench/synth.py --help`.

Aim: SynthADL tiny (about 74,000 frames) in under two minutes on two cores, so 310 frames a second on each. The start of
worker processes counts; compiling does not (it happens once per machine).
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from synthadl import world


def cpu() -> float:
    """Seconds of processor time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(size: dict, workers: int) -> tuple[int, float, float]:
    """Frames, seconds and processor seconds of one generation into a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        before, busy = time.perf_counter(), cpu()
        table = world.generate(folder, size, workers=workers)
        return int(table["frames"].sum()), time.perf_counter() - before, cpu() - busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--subjects", type=int, default=4, help="subjects, one clip per action each (default: %(default)s)"
    )
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    size = {"subjects": options.subjects, "repetitions": 1, "setups": 3}
    measure({**size, "subjects": 4, "actions": world.ACTIONS[:1]}, 1)
    lines = [f"{'resolution':>12}  {'processes':>9}  {'frames':>7}  {'frames/s':>8}  {'frames per CPU second':>21}"]
    for resolution, step in (((160, 120), 1), ((320, 256), 5)):
        for workers in options.processes:
            some = {**size, "resolution": resolution, "actions": world.ACTIONS[::step]}
            frames, wall, busy = measure(some, workers)
            shape = f"{resolution[0]} x {resolution[1]}"
            lines.append(f"{shape:>12}  {workers:>9}  {frames:>7}  {frames / wall:>8.0f}  {frames / busy:>21.0f}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
