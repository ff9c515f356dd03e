"""Untrimmed videos of a second or two, whose frame n is a grey that tells n, with a body that stands where n says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tests.fixtures import REST, write_mp4
from workbench.data import Untrimmed
from workbench.types import Pose, Skeleton

KINECT = Skeleton.named("kinect_v2")
CLASSES = ["walk", "wave", "sit"]
#: (start, end, label) in seconds, the same in every video.
ACTIONS = ((0.0, 0.8, 0), (0.4, 1.0, 1), (0.6, 0.7, 1))


def grey(number: int) -> int:
    """What frame ``number`` looks like."""
    return 40 + 2 * (number % 80)


@dataclass(frozen=True)
class FakeReader:
    """Bodies that are cut out of the picture's middle; none in the frames of ``unseen``."""

    unseen: tuple[int, int] = (0, 0)

    def pose(self, row: pd.Series) -> Pose:
        shift = np.arange(row["frames"])[:, None, None] * [0.01, 0.0, 0.0]
        return self._pose((REST[None] + [0.0, -1.0, 3.0] + shift)[None], "camera")

    def pixels(self, row: pd.Series) -> Pose:
        joints = np.repeat((REST[:, :2] * [10, -12] + [32, 34])[None], row["frames"], axis=0)
        return self._pose(joints[None], "image")

    def _pose(self, joints: np.ndarray, space: str) -> Pose:
        joints = joints.astype(np.float32)
        joints[:, slice(*self.unseen)] = np.nan
        return Pose(joints, KINECT, space, np.arange(joints.shape[1]))

    def truth(self, row: pd.Series) -> None:
        return None

    def files(self, row: pd.Series) -> list[Path]:
        return [Path(row["video"])]


def fake_untrimmed(root: Path, lengths: tuple[int, ...] = (40, 70, 23), reader: FakeReader | None = None) -> Untrimmed:
    """Videos of ``lengths`` frames, 64 x 48 at 25 fps, under ``root``."""
    root.mkdir(parents=True, exist_ok=True)
    rows = []
    for position, length in enumerate(lengths):
        path = root / f"v{position}.mp4"
        frames = np.stack([np.full((48, 64, 3), grey(number), np.uint8) for number in range(length)])
        write_mp4(path, frames)
        facts = {"subject": position, "camera": 1, "frames": length, "fps": 25.0, "duration": length / 25}
        rows.append({"id": f"v{position}", "video": str(path), **facts})
    intervals = pd.DataFrame(
        [(row["id"], label, start, end, False) for row in rows for start, end, label in ACTIONS],
        columns=["video", "label", "start", "end", "ambiguous"],
    )
    return Untrimmed("fake", CLASSES, KINECT, pd.DataFrame(rows), intervals, reader or FakeReader(), "all", "all")
