"""What opening a manifest costs as it grows: seconds of the processor and memory, by rows.

    python bench/manifest_growth.py [--rows 1000000]

The rows name a thousand links to one small file: looking files up counts, reading them hardly does. ``fingerprint`` is
what a run's name needs: the bytes of every file, here those of one.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILES = 1000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--of", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.of:
        measure(given.of)
        return
    print(f"{'rows':>9} {'open s':>8} {'names s':>8} {'bytes s':>8} {'memory MB':>10}")
    for rows in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            path = make(Path(folder), rows)
            command, own = [sys.executable, __file__, "--of", str(path)], {"WORKBENCH_CACHE": f"{folder}/records"}
            told = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=True).stdout
        print(f"{rows:9} {told.strip()}", flush=True)


def make(folder: Path, rows: int) -> Path:
    """A manifest of so many rows, and the files that it names."""
    (folder / "videos").mkdir()
    (folder / "videos" / "000.mp4").write_bytes(b"a film")
    for i in range(1, FILES):
        os.link(folder / "videos" / "000.mp4", folder / "videos" / f"{i:03d}.mp4")
    parts = ["train"] * 7 + ["validation"] + ["test"] * 2
    with open(folder / "manifest.csv", "w") as file:
        file.write("id,video,label,subject,camera,split,frames,fps\n")
        for i in range(rows):
            about = f"class {i % 400},p{i % 97},c{i % 3},{parts[i % 10]},{30 + i % 50},25"
            file.write(f"clip{i:07d},videos/{i % FILES:03d}.mp4,{about}\n")
    return folder / "manifest.csv"


def measure(path: Path) -> None:
    from workbench.data.catalog import open_parts

    times = [time.process_time()]
    parts = open_parts("manifest", path)
    times.append(time.process_time())
    for part in parts.values():
        part.fingerprint()
    times.append(time.process_time())
    for part in parts.values():
        assert part.contents
    times.append(time.process_time())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(*(f"{after - before:8.1f}" for before, after in zip(times, times[1:], strict=False)), f"{memory:10.0f}")


if __name__ == "__main__":
    main()
