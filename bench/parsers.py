"""Pose files: files per second and core of each reader, by processor time: `python bench/parsers.py --help`.

The files are written for the purpose, in the official formats and in their usual length.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import official
from workbench.data.formats import lcrnet
from workbench.data.sources import cad, msrdaily, ntu, nw_ucla, pku_mmd


def files(frames: int) -> dict[str, tuple[Callable, str]]:
    """Reader and content of a file by format; PKU-MMD's recordings are long."""
    rng = np.random.default_rng(0)

    def joints(*shape: int) -> np.ndarray:
        return rng.normal(size=shape)

    one, two = (
        official.ntu_text([[(str(body), official.ntu_rows(body)) for body in range(n)]] * frames) for n in (1, 2)
    )
    planar = official.smarthome_json(joints(1, frames, 13, 2), joints(1, frames, 13, 3))
    world, screen = joints(frames, 1, 20, 3), joints(frames, 1, 20, 2)
    return {
        "NTU, one body": (ntu.read_skeleton, one),
        "NTU, two bodies, followed": (lambda path: ntu.read_skeleton(path, "identity"), two),
        "Smarthome": (lcrnet.read_camera, json.dumps(planar)),
        "NW-UCLA": (nw_ucla.read_skeleton, json.dumps({"skeletons": joints(frames, 20, 3).tolist()})),
        "CAD-60 / CAD-120": (cad.read_skeleton, official.cad_text(joints(frames, 15, 3), np.ones((frames, 15)))),
        "MSRDailyActivity3D": (msrdaily.read_skeleton, official.msr_text(list(world), list(screen))),
        "PKU-MMD, 4,000 frames": (pku_mmd.read_skeleton, official.pku_text(joints(4000, 2, 25, 3))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.split(":")[0], epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=80, help="frames a file (80)")
    parser.add_argument("--seconds", type=float, default=2.0, help="processor time for each format (2)")
    given = parser.parse_args()
    print(f"{'format':28}{'kB a file':>12}{'files/s':>10}{'10,000 files, two cores':>26}")
    with tempfile.TemporaryDirectory() as folder:
        for name, (read, text) in files(given.frames).items():
            path = Path(folder, "file")
            path.write_text(text, newline="")
            began, count = time.process_time(), 0
            while time.process_time() - began < given.seconds:
                read(path)
                count += 1
            rate = count / (time.process_time() - began)
            print(f"{name:28}{len(text) / 1000:12.0f}{rate:10.0f}{10_000 / rate / 2:24.0f} s", flush=True)


if __name__ == "__main__":
    main()
