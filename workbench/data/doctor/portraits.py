"""Pictures of the clips that are worst: three frames with the skeleton drawn, and the 3D skeleton from two sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import cv2
import numpy as np

from workbench.data.clips.clip_spec import ClipSpec
from workbench.data.clips.read_clip import Cut
from workbench.data.dataset import Dataset
from workbench.media import rendering, video
from workbench.types import Pose

#: Height of every picture in pixels, and how many frames are shown.
HEIGHT, FRAMES = 180, 3

GREY = 245

T = TypeVar("T")


def portrait(dataset: Dataset, i: int, numbers: Sequence[int] | None = None) -> np.ndarray | None:
    """uint8 [HEIGHT,W,3] RGB of clip ``i``; None where nothing of it can be read.

    From left to right: three frames, or those with these ``numbers``, with the joints in pixels and, outlined, the crop
    to the person; then the joints of the frame in the middle as 3D has them, from the front (x to the right, y up) and
    from the side (z to the right).
    """
    try:
        info = video.ingest(dataset.video(i))
        spread = np.linspace(0, info.frames - 1, FRAMES + 2).round().astype(int)[1:-1]
        shown = spread if numbers is None else np.array(numbers)
        frames = video.read(info, shown).frames
    except (ValueError, OSError):
        return None
    solid, flat = _readable(lambda: (dataset.pose(i), dataset.pixels(i))) or (None, None)
    box = _readable(lambda: Cut(dataset.subset([i]), ClipSpec(), 0).box)
    scale = HEIGHT / info.height
    frames = video.resize(frames, (HEIGHT, max(2, round(info.width * scale))))
    if flat is not None:
        posed = np.minimum(shown, flat.joints.shape[1] - 1)
        joints = flat.joints[:, posed, :, :2] * scale
        frames = rendering.draw(frames, Pose(joints.astype(np.float32), flat.skeleton, "image", posed))
    for frame in frames:
        if box is not None:
            _outline(frame, [round(side * scale) for side in box])
    panels = list(frames)
    if solid is not None and solid.joints.shape[3] == 3:
        middle = solid.joints[:, min(shown[len(shown) // 2], solid.joints.shape[1] - 1)]
        panels += [_panel(middle[..., axes], solid) for axes in ([0, 1], [2, 1])]
    gap = np.full((HEIGHT, 6, 3), 255, np.uint8)
    return np.concatenate([part for panel in panels for part in (panel, gap)][:-1], axis=1)


def _readable(read: Callable[[], T]) -> T | None:
    """What ``read`` returns; None where a file can't be read."""
    try:
        return read()
    except (ValueError, OSError):
        return None


def _outline(frame: np.ndarray, corners: list[int]) -> None:
    # White within black shows on any picture.
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.rectangle(frame, corners[:2], corners[2:], colour, width)


def _panel(points: np.ndarray, pose: Pose) -> np.ndarray:
    """uint8 [HEIGHT,HEIGHT,3]: points [M,V,2] (right, up), all of them in the middle of a grey square."""
    canvas = np.full((1, HEIGHT, HEIGHT, 3), GREY, np.uint8)
    finite = points[np.isfinite(points).all(axis=-1)]
    if not len(finite):
        return canvas[0]
    low, high = finite.min(axis=0), finite.max(axis=0)
    scale = 0.84 * HEIGHT / max((high - low).max(), 1e-9)
    placed = (points - (low + high) / 2) * scale * [1, -1] + HEIGHT / 2
    drawn = Pose(placed[:, None].astype(np.float32), pose.skeleton, "image", np.zeros(1, np.int64))
    return rendering.draw(canvas, drawn)[0]
