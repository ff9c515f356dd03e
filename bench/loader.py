"""Clips per second of the loader against bare decord on the same frames: `python bench/loader.py --help`.

Aims: 0.9 times bare decoding without a cache (which adds crop, resize, pose and batching), 10 times with one. The rates
are taken in turn, several times in one process, and compared as medians, so that a busy machine slows all of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import torch
from decord import VideoReader

from workbench.data import Augment, ClipSpec, Dataset, Loader, open_dataset
from workbench.data.clips.clip_spec import evaluation_windows

SPECS = {
    "tiny": ClipSpec(frames=16, size=(96, 96), poses=16),
    "paper": ClipSpec(frames=64, size=(224, 224), poses=20, sampling="strided", stride=2),
}
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def decord_alone(data: Dataset, spec: ClipSpec) -> None:
    for path, length in zip(data.videos, data.lengths.tolist(), strict=True):
        frames = sorted(set(evaluation_windows(spec, length)[0].frames.tolist()))
        VideoReader(path, num_threads=1).get_batch(frames).asnumpy()


def rate(work: Callable[[], None], clips: int, clock: Callable[[], float]) -> float:
    start = clock()
    work()
    return clips / (clock() - start)


def run(loader: Loader) -> Callable[[], None]:
    def epoch() -> None:
        for _ in loader:
            pass

    return epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--root", default="data/synthadl/tiny", help="a SynthADL world (default: %(default)s)")
    parser.add_argument("--preset", choices=SPECS, default="tiny")
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: seconds of this process, on a busy machine"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)

    spec, data = SPECS[options.preset], open_dataset("synthadl", options.root, split="all")
    data = data.subset(range(0, len(data), max(len(data) // options.clips, 1))[: options.clips])
    with tempfile.TemporaryDirectory() as cache:
        pictures = frozenset({"video", "label"})
        contenders = {
            "decord alone": lambda: decord_alone(data, spec),
            "loader, pictures": run(Loader(data, spec, 16, needs=pictures)),
            "loader, pictures and poses": run(Loader(data, spec, 16)),
            "cached loader": run(Loader(data, spec, 16, cache=cache)),
            "cached loader, augmented": run(Loader(data, spec, 16, cache=cache, train=True, augment=Augment())),
        }
        for work in contenders.values():
            work()  # verifies the files, and has every page in memory
        rates = {name: [] for name in contenders}
        for _ in range(options.repeats):
            for name, work in contenders.items():
                rates[name].append(rate(work, len(data), CLOCKS[options.clock]))
    print(f"{len(data)} clips of {spec.frames} x {spec.size[0]} x {spec.size[1]}, {options.clock} clock, one thread")
    for name, values in rates.items():
        ratio = statistics.median(v / bare for v, bare in zip(values, rates["decord alone"], strict=True))
        print(f"{name:28} {statistics.median(values):7.0f} clips/s   {ratio:6.2f} x decord")


if __name__ == "__main__":
    main()
