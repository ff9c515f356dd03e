"""One clip under examination: everything about it is read once, when a check first asks for it."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
import pandas as pd

from workbench.data.dataset import Dataset
from workbench.data.doctor import picture_motion
from workbench.media import video
from workbench.media.video import VideoInfo
from workbench.types import Pose

#: Successive frames that are looked at, from the middle of the clip, as grey pictures of at most this many pixels.
WINDOW, SIDE = 64, 160

#: A clip is told from others by so many grey pictures of this (height, width), spread over its time.
GLIMPSES, GLIMPSE = 6, (24, 32)


class Case:
    """Clip ``i`` of ``dataset``."""

    def __init__(self, dataset: Dataset, i: int) -> None:
        self.dataset, self.i = dataset, i
        self.id = dataset.ids[i]

    @cached_property
    def row(self) -> pd.Series:
        """The clip's row of the table."""
        return self.dataset.table.iloc[self.i]

    @property
    def filmed(self) -> bool:
        """Whether there is a video; a clip without one is judged by its poses."""
        return bool(self.row["video"])

    @cached_property
    def frames(self) -> int:
        """How many there are: of the video, else what the table says."""
        return int(self.row["frames"]) if self.info is None else self.info.frames

    @cached_property
    def _video(self) -> tuple[VideoInfo | None, str]:
        if not self.filmed:
            return None, ""
        try:
            return video.ingest(self.dataset.video(self.i)), ""
        except (ValueError, OSError) as problem:
            return None, str(problem)

    @property
    def info(self) -> VideoInfo | None:
        """What decoding all of the video found; None where that fails, or there is none."""
        return self._video[0]

    @property
    def video_problem(self) -> str:
        """Why the video can't be read, "" where it can."""
        return self._video[1]

    @cached_property
    def _poses(self) -> tuple[Pose | None, Pose | None, str]:
        if self.info is None and self.filmed:
            return None, None, ""
        try:
            return self.dataset.pose(self.i), self.dataset.pixels(self.i), ""
        except (ValueError, OSError) as problem:
            return None, None, str(problem)

    @property
    def pose(self) -> Pose | None:
        """In camera space; None where there is none or it can't be read."""
        return self._poses[0]

    @property
    def pixels(self) -> Pose | None:
        """In image space, source pixels; None where there is none or it can't be read."""
        return self._poses[1]

    @property
    def body(self) -> Pose | None:
        """The poses in camera space, or where there are none those in image space."""
        return self.pixels if self.pose is None else self.pose

    @property
    def pose_problem(self) -> str:
        """Why the poses can't be read, "" where they can, or where the video can't."""
        return self._poses[2]

    @cached_property
    def doubt(self) -> str:
        """What can't be told of how its poses are meant; "" where all can, or where they can't be read."""
        doubt = getattr(self.dataset.reader, "doubt", None)
        if doubt is None or self.pose_problem or self.body is None:
            return ""
        return doubt(self.dataset.row(self.i))

    @cached_property
    def _frames(self) -> tuple[int, np.ndarray, np.ndarray]:
        """(first frame of the window, uint8 [n,h,w] the window, uint8 [GLIMPSES,24,32])."""
        assert self.info is not None  # pictures are asked for of what is a video
        total = self.info.frames
        count = min(WINDOW, total)
        first = (total - count) // 2
        window = np.arange(first, first + count)
        spread = np.linspace(0, total - 1, GLIMPSES).round().astype(int)
        numbers = np.union1d(window, spread)
        small = np.stack([_grey(frame) for frame in video.read(self.info, numbers).frames])
        glimpses = small[np.searchsorted(numbers, spread)]
        tiny = [cv2.resize(picture, GLIMPSE[::-1], interpolation=cv2.INTER_AREA) for picture in glimpses]
        return first, small[np.searchsorted(numbers, window)], np.stack(tiny)

    @property
    def window(self) -> np.ndarray:
        """uint8 [n,h,w]: successive frames from the middle, small and grey."""
        return self._frames[1]

    @property
    def glimpses(self) -> np.ndarray:
        """uint8 [GLIMPSES,24,32]: frames from first to last."""
        return self._frames[2]

    @cached_property
    def changed(self) -> np.ndarray:
        """float32 [n-1,h,w]: where and by how much each picture of ``window`` differs from the one before."""
        return picture_motion.changes(self.window)

    @cached_property
    def moving(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(``changed``, float64 [M,n,V,2] the joints in the pixels of ``window``) where something moves before a camera
        that stands still, and joints are known."""
        if self.pixels is None or self.info is None or len(self.window) < 4:
            return None
        first, window, _ = self._frames
        scale = np.array(window.shape[:0:-1]) / (self.info.width, self.info.height)
        joints = self.pixels.joints[:, first : first + len(window), :, :2].astype(np.float64) * scale
        if joints.shape[1] != len(window) or not np.isfinite(joints).any():
            return None
        return (self.changed, joints) if picture_motion.still_camera(self.changed) else None


def _grey(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
