"""Frames per second of drawing poses, on one core: `python bench/rendering.py --help`. Aim: 500 at 224 x 224."""

from __future__ import annotations

import argparse
import itertools
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from workbench.media import rendering
from workbench.types import Pose, Skeleton


def rate(frames: np.ndarray, pose: Pose, rounds: int, **options: str | bool) -> float:
    """Best of ``rounds``."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        rendering.draw(frames, pose, **options)
        times.append(time.process_time() - began)
    return len(frames) / min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--persons", type=int, default=1)
    parser.add_argument("--skeleton", default="kinect_v2", choices=Skeleton.names())
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    skeleton = Skeleton.named(given.skeleton)
    rng = np.random.default_rng(0)
    shape = (given.persons, given.frames, skeleton.count, 2)
    joints = rng.uniform(0.2 * given.size, 0.8 * given.size, shape).astype(np.float32)
    pose = Pose(joints, skeleton, "image", np.arange(given.frames))
    frames = rng.integers(0, 256, (given.frames, given.size, given.size, 3), np.uint8)
    print(f"{given.size} x {given.size}, {given.persons} person(s), {given.skeleton}, frames per second:")
    for background, marker, aware in itertools.product(("frame", "black"), ("bar", "dot"), (True, False)):
        speed = rate(frames, pose, given.rounds, background=background, marker=marker, ratio_aware=aware)
        print(f"  {background:5} {marker:3} {'ratio-aware' if aware else 'uniform':11} {speed:8.0f}")


if __name__ == "__main__":
    main()
