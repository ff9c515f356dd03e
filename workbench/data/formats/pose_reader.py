"""Reads the pose file that a row of a table names, on the frames of its clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.dataset import Reader, shown
from workbench.types import Pose

#: So many frames may be missing at the end of a pose file, or be there beyond the video's end: the recorders of both
#: were not stopped at once.
TOLERANCE = 5


class FileReader(Reader):
    """Reads what a row names, a video or poses or both, each a file or a folder of files."""

    def edges(self, row: pd.Series) -> np.ndarray:
        """float64 [frames + 1]: when frames begin and the last one ends, in the seconds of the intervals."""
        return shown(row)

    def files(self, row: pd.Series) -> list[Path]:
        """The files of a clip."""
        paths = [Path(row[name]) for name in ("video", "pose") if row[name]]
        inside = [sorted(filter(Path.is_file, path.iterdir())) if path.is_dir() else [path] for path in paths]
        return [file for files in inside for file in files]


@dataclass(frozen=True)
class PoseReader(FileReader):
    """Reads the pose file that a row names; all methods take a row of the table.

    read and read_pixels: path -> Pose in camera space and in image space; None where the files have no such thing.
    rate: frames a second of annotations that count frames; None where they tell seconds of a player's clock.
    """

    read: Callable[[Path], Pose] | None = None
    read_pixels: Callable[[Path], Pose] | None = None
    rate: float | None = None

    def pose(self, row: pd.Series) -> Pose | None:
        """Camera space, on the frames of the clip."""
        return self._fitted(self.read, row)

    def pixels(self, row: pd.Series) -> Pose | None:
        """Image space, on the frames of the clip."""
        return self._fitted(self.read_pixels, row)

    def edges(self, row: pd.Series) -> np.ndarray:
        """float64 [frames + 1]: when frames begin and the last one ends, in the seconds of the intervals."""
        return super().edges(row) if self.rate is None else np.arange(int(row["frames"]) + 1) / self.rate

    def _fitted(self, read: Callable[[Path], Pose] | None, row: pd.Series) -> Pose | None:
        if read is None or not row["pose"]:
            return None
        return fitted(read(Path(row["pose"])), int(row["frames"]), row["pose"])


def fitted(pose: Pose, frames: int, path: str) -> Pose:
    """``pose`` on ``frames`` frames: up to TOLERANCE frames (or 2 %) are cut off, or added as unknown, at the end.

    ValueError naming ``path`` if the lengths differ by more.
    """
    length = pose.joints.shape[1]
    if abs(length - frames) > max(TOLERANCE, 0.02 * frames):
        raise ValueError(f"{path} has poses for {length} frames, its video has {frames}")
    if length == frames:
        return pose
    missing = max(frames - length, 0)
    joints = np.pad(pose.joints[:, :frames], ((0, 0), (0, missing), (0, 0), (0, 0)), constant_values=np.nan)
    confidence = pose.confidence
    if confidence is not None:
        confidence = np.pad(confidence[:, :frames], ((0, 0), (0, missing), (0, 0)))
    return replace(pose, joints=joints, confidence=confidence, frame_numbers=np.arange(frames))
