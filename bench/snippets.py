"""Time and memory of snippet features over one very long video: `python bench/snippets.py --help`.

Aim: 3 hours of snippets within 2 GiB, whatever else the process holds (torch alone takes about a quarter of one).
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import numpy as np
import pandas as pd

from workbench.data import ClipSpec, DetectionBatches, Untrimmed
from workbench.media import video
from workbench.study.features.extract import extract
from workbench.systems import build
from workbench.types import Pose, Skeleton

KINECT = Skeleton.named("kinect_v2")
FPS = 25


@dataclass(frozen=True)
class Standing:
    """A body that does not move, in every frame."""

    def pose(self, row: pd.Series) -> Pose:
        return self._pose(row, 3, "camera")

    def pixels(self, row: pd.Series) -> Pose:
        return self._pose(row, 2, "image")

    def truth(self, row: pd.Series) -> None:
        return None

    def files(self, row: pd.Series) -> list[Path]:
        return [Path(row["video"])]

    def _pose(self, row: pd.Series, axes: int, space: str) -> Pose:
        joints = np.random.default_rng(0).uniform(0.2, 0.8, (1, 1, 25, axes)) * row["height"]
        joints = np.repeat(joints.astype(np.float32), row["frames"], axis=1)
        return Pose(joints, KINECT, space, np.arange(row["frames"]))


def long_video(path: Path, minutes: int, size: tuple[int, int]) -> int:
    """One coded minute, its packets repeated; returns the number of frames."""
    width, height = size
    minute = path.with_name("minute.mp4")
    noise = np.random.default_rng(0).integers(0, 255, (height, width * 2, 3), np.uint8)
    pictures = (np.ascontiguousarray(noise[:, n % width : n % width + width]) for n in range(60 * FPS))
    video.write(minute, pictures, FPS, crf=30)
    with av.open(str(minute)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.dts is not None]
        plain = [(bytes(packet), packet.pts, packet.dts, packet.is_keyframe) for packet in packets]
        base = packets[0].time_base
        span = round(60 / base)
        for number in range(minutes):
            for data, pts, dts, key in plain:
                packet = av.Packet(data)
                packet.pts, packet.dts, packet.time_base = pts + number * span, dts + number * span, base
                packet.is_keyframe, packet.stream = key, stream
                target.mux(packet)
    return minutes * 60 * FPS


def peak() -> float:
    """GiB that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--resolution", type=int, nargs=2, default=(160, 120), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--systems", nargs="+", default=["rgb", "agcn"], help="of which features are made")
    parser.add_argument("--clip", type=int, nargs=2, default=(8, 48), metavar=("FRAMES", "SIZE"))
    options = parser.parse_args()
    frames, side = options.clip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mp4"
        count = long_video(path, round(60 * options.hours), tuple(options.resolution))
        facts = {"subject": 1, "camera": 1, "frames": count, "fps": float(FPS), "duration": count / FPS}
        table = pd.DataFrame([{"id": "long", "video": str(path), "height": options.resolution[1], **facts}])
        intervals = pd.DataFrame({"video": ["long"], "label": [0], "start": [1.0], "end": [9.0], "ambiguous": [False]})
        data = Untrimmed("long", ["one"], KINECT, table, intervals, Standing(), "all", "all")
        begun = time.perf_counter()
        video.ingest(path)
        print(f"{count} frames: verified in {time.perf_counter() - begun:.0f} s, peak {peak():.2f} GiB")
        features = {}
        for name in options.systems:
            system = build(name, num_classes=2, skeleton="kinect_v2", clip=(frames, side, side), width=0.125)
            clip = ClipSpec(frames=frames, size=(side, side), poses=16, persons=2)
            begun = time.perf_counter()
            features[name] = extract(data, system, folder, clip=clip, batch_size=16, progress=False)
            took = time.perf_counter() - begun
            print(f"{name}: {features[name].counts[0]} snippets in {took:.0f} s, peak {peak():.2f} GiB")
        (batch,) = DetectionBatches(data, features)
        print(f"one batch of {batch.mask.shape[1]} snippets, peak {peak():.2f} GiB")


if __name__ == "__main__":
    main()
