"""Improved dense trajectories (Wang and Schmid, "Action recognition with improved trajectories", ICCV 2013).

Points on a dense grid are followed along optical flow for 15 frames, at several scales; each track is described by its
shape and by histograms of gradients (HOG), of flow (HOF) and of the flow's own gradients (MBH) around it. The numbers
are the paper's and, where it is silent, its public program's. What differs: flow is OpenCV's DIS, found once and
resized to each scale; the camera's motion is a homography fitted to that flow at corners, without SURF matches and
without a detector of persons; and lengths are in pixels of a picture whose shorter side is SIDE, as in the published
videos: a larger one is shrunk to that, and for a smaller one the lengths shrink instead.
"""

from __future__ import annotations

from math import ceil

import cv2
import numpy as np

from workbench.media.flow import make_solver
from workbench.types import Clip

SIDE = 240
LENGTH = 15
#: First frames of the tracks that are found at once: a long video's flow would not fit into memory.
PIECE = 128
SPACING, QUALITY = 5, 0.001
SCALES, SCALE_STEP = 8, 2**0.5
#: A track's neighbourhood: PATCH pixels wide and high, in GRID x GRID cells and PERIODS spans of time.
PATCH, GRID, PERIODS = 32, 2, 3
BINS = {"hog": 8, "hof": 9, "mbhx": 8, "mbhy": 8}
#: Tracks are dropped that spread less or more than SPREAD pixels, that have a step longer than LEAP pixels which is
#: most of their way, or of whose steps none is longer than STEADY pixels without the camera's.
SPREAD, LEAP, LEAP_SHARE, STEADY = (3**0.5, 50.0), 20.0, 0.7, 1.0
#: Flow below NO_FLOW pixels a frame counts into HOF's ninth bin; EPSILON is added to every bin of every frame.
NO_FLOW, EPSILON = 0.4, 0.05
#: Corners that a homography needs, and how many of them it must explain to within a pixel.
CORNERS, INLIERS = 50, 25


#: How many numbers of a track each descriptor has, and which.
SIZES = {"shape": 2 * LENGTH} | {name: GRID * GRID * PERIODS * bins for name, bins in BINS.items()}
SLICES = {
    name: slice(end - size, end)
    for (name, size), end in zip(SIZES.items(), np.cumsum(list(SIZES.values())).tolist(), strict=True)
}
DIMENSIONS = SLICES["mbhy"].stop


def extract(clip: Clip, count: int, seed: int = 0, flow: np.ndarray | None = None) -> np.ndarray:
    """float32 [count, DIMENSIONS]: the descriptors of ``count`` tracks of a clip of consecutive frames.

    shape (30): the 15 steps (x, y) without the camera's motion, divided by the sum of their lengths. HOG, MBHx and
    MBHy (96 each) and HOF (108): 3 spans of time x 2 x 2 cells (rows, columns) x bins; the histogram of each frame has
    L1 norm 1 and is then square-rooted, and the frames of a span are averaged. Bins are directions in steps of 45
    degrees, from x (right) to y (down); HOF's last is no flow.

    Of more tracks, ``seed`` draws ``count`` without replacement. With fewer, the last rows are NaN, and a clip of less
    than 16 frames has none. flow: float32 [T-1,H,W,2], pixels (x, y) from each frame to the next, in place of DIS.
    ValueError if ``count`` is below 1, if frames are smaller than 32 x 32 or ``flow`` has another shape.
    """
    frames, height, width, _ = clip.frames.shape
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    if min(height, width) < 32:
        raise ValueError(f"tracks need frames of at least 32 x 32 pixels, got {height} x {width}")
    if flow is not None and flow.shape != (frames - 1, height, width, 2):
        raise ValueError(f"flow must be [{frames - 1},{height},{width},2], got [{','.join(map(str, flow.shape))}]")
    pieces = [slice(first, first + PIECE + LENGTH) for first in range(0, frames - LENGTH, PIECE)]
    parts = [
        _piece(clip.frames[piece], None if flow is None else flow[piece][: PIECE + LENGTH - 1]) for piece in pieces
    ]
    rows = np.concatenate([np.empty((0, DIMENSIONS), np.float32), *parts])
    if len(rows) > count:
        rows = rows[np.sort(np.random.default_rng(seed).choice(len(rows), count, replace=False))]
    return np.pad(rows, ((0, count - len(rows)), (0, 0)), constant_values=np.nan)


def _piece(frames: np.ndarray, flow: np.ndarray | None) -> np.ndarray:
    """float32 [n, DIMENSIONS]: all tracks of frames [T,H,W,3], and their flow if it is known."""
    unit = min(frames.shape[1:3]) / SIDE
    grey, flow = _working_size(frames, flow, max(unit, 1.0))
    unit = min(unit, 1.0)
    if flow is None:
        # A solver for each pair: OpenCV's DIS changes its own settings for small pictures and keeps them.
        flow = np.stack([make_solver("dis").calc(*pair, None) for pair in zip(grey, grey[1:], strict=False)])
    camera = np.stack([_camera(*pair, unit) for pair in zip(grey, flow, strict=False)])
    fields = np.concatenate([flow, flow - camera], axis=3)
    levels = [Level(grey, fields, SCALE_STEP**scale, unit) for scale in range(SCALES)]
    return np.concatenate([level.describe(*level.tracks()) for level in levels if level.fits])


class Level:
    """One spatial scale of a clip, of grey frames uint8 [T,H,W], and of flow and flow without the camera's, side by
    side in float32 [T-1,H,W,4]. factor: how many pixels of the clip one of this scale is; unit: how many pixels of the
    clip one of a picture of SIDE pixels is. What it keeps has its own size and pixels."""

    def __init__(self, grey: np.ndarray, fields: np.ndarray, factor: float, unit: float) -> None:
        self.factor, self.unit = factor, unit
        self.patch, self.spacing = GRID * max(2, round(PATCH / GRID * unit)), ceil(SPACING * unit)
        size = tuple(round(side / factor) for side in grey.shape[:0:-1])
        self.grey = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in grey])
        self.fits = min(size) >= self.patch
        self.flow, self.motion = np.split(np.stack([_shrink(field, size, factor) for field in fields]), 2, axis=3)

    def tracks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The tracks that move, and steadily: their first frame int64 [n]; points (x, y) float32 [n,15+1,2] and steps
        without the camera's motion [n,15,2], both in pixels of this scale."""
        steps, height, width = self.flow.shape[:3]
        path, shift, age = _blank(0)
        done = [(np.empty(0, np.int64), path, shift)]
        for t in range(steps):
            if t <= steps - LENGTH:  # a later one would not be finished
                new = self._sample(t, path[np.arange(len(age)), age])
                path, shift, age = (
                    np.concatenate(pair) for pair in zip((path, shift, age), _blank(len(new)), strict=True)
                )
                path[len(path) - len(new) :, 0] = new
            tracks = np.arange(len(age))
            points = path[tracks, age]
            x, y = np.rint(points).astype(np.int64).T
            path[tracks, age + 1] = next_points = points + self.flow[t, y, x]
            shift[tracks, age] = self.motion[t, y, x]
            age = age + 1
            inside = ((next_points >= 0) & (next_points <= (width - 1, height - 1))).all(axis=1)
            ready = inside & (age == LENGTH)
            done.append((np.full(ready.sum(), t + 1 - LENGTH), path[ready], shift[ready]))
            path, shift, age = (array[inside & ~ready] for array in (path, shift, age))
        start, path, shift = (np.concatenate(parts) for parts in zip(*done, strict=True))
        moving = _moves(path * (self.factor / self.unit), shift * (self.factor / self.unit))
        return start[moving], path[moving], shift[moving]

    def _sample(self, t: int, taken: np.ndarray) -> np.ndarray:
        """float32 [n,2]: the middles (x, y) of grid cells that have texture, and no track among ``taken`` [m,2]."""
        height, width = self.grey.shape[1:]
        texture = cv2.cornerMinEigenVal(self.grey[t], 3, ksize=3)
        ys, xs = (np.arange(self.spacing // 2, side, self.spacing) for side in (height, width))
        free = texture[np.ix_(ys, xs)] > QUALITY * texture.max()
        cells = (taken // self.spacing).astype(np.int64)
        cells = cells[(cells < (len(xs), len(ys))).all(axis=1)]
        free[cells[:, 1], cells[:, 0]] = False
        rows, columns = np.nonzero(free)
        return np.stack([xs[columns], ys[rows]], axis=1).astype(np.float32)

    def describe(self, start: np.ndarray, path: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """float32 [n, DIMENSIONS] of tracks as ``tracks`` returns them."""
        sums = np.zeros((len(start), LENGTH, GRID * GRID, sum(BINS.values())), np.float32)
        for t in range(len(self.flow)):
            rows = np.nonzero((start <= t) & (t < start + LENGTH))[0]
            if len(rows):
                age = t - start[rows]
                sums[rows, age] = self._cells(t, path[rows, age])
        descriptors = np.empty((len(start), DIMENSIONS), np.float32)
        length = np.linalg.norm(shift, axis=2).sum(axis=1)
        descriptors[:, SLICES["shape"]] = shift.reshape(-1, 2 * LENGTH) / length[:, None]
        parts = np.split(sums, np.cumsum(list(BINS.values()))[:-1], axis=3)
        for name, part in zip(BINS, parts, strict=True):
            histogram = EPSILON + part.reshape(-1, PERIODS, LENGTH // PERIODS, GRID * GRID * BINS[name])
            histogram = np.sqrt(histogram / histogram.sum(axis=3, keepdims=True))
            descriptors[:, SLICES[name]] = histogram.mean(axis=2).reshape(-1, PERIODS * GRID * GRID * BINS[name])
        return descriptors

    def _cells(self, t: int, points: np.ndarray) -> np.ndarray:
        """float32 [n,4,33]: the votes in the cells around ``points`` (x, y) [n,2], by rows. A neighbourhood that
        reaches over the border is moved inside."""
        height, width = self.grey.shape[1:]
        corner = np.rint(points).astype(np.int64) - self.patch // 2
        corner = np.clip(corner, 0, (width - self.patch, height - self.patch))
        (left, top), (right, bottom) = corner.min(axis=0), corner.max(axis=0) + self.patch
        total = cv2.integral(self._votes(t, np.s_[top:bottom, left:right]))
        lines = np.arange(GRID + 1) * (self.patch // GRID)
        x, y = corner[:, :1] - left + lines, corner[:, 1:] - top + lines  # [n,3]
        area = total[y[:, :, None], x[:, None, :]]  # [n,3,3,33]
        cells = np.diff(np.diff(area, axis=1), axis=2)
        return np.maximum(cells, 0).reshape(len(points), GRID * GRID, -1)

    def _votes(self, t: int, window: tuple[slice, slice]) -> np.ndarray:
        """float32 [h,w,33]: what each pixel of ``window`` adds to the bins of HOG, HOF, MBHx and MBHy, in this
        order."""
        u, v = cv2.split(self.motion[t])
        fields = (_gradient(self.grey[t]), (u / self.unit, v / self.unit), _gradient(u), _gradient(v))
        x, y = (np.stack([part[window] for part in parts]) for parts in zip(*fields, strict=True))  # [4,h,w]
        length, angle = (part.reshape(x.shape) for part in cv2.cartToPolar(x.ravel(), y.ravel()))
        angle = angle * np.float32(8 / (2 * np.pi))
        low = np.floor(angle)
        upper = (angle - low) * length  # a vote is shared by the two nearest of eight directions
        lower, first = length - upper, low.astype(np.int64) % 8
        second = (first + 1) % 8
        still = length[1] <= NO_FLOW
        first[1][still], lower[1][still], upper[1][still] = 8, 1.0, 0.0
        votes = np.zeros((*x.shape[1:], sum(BINS.values())), np.float32)
        offset = np.arange(x[0].size).reshape(x.shape[1:]) * votes.shape[2]
        offset = offset + np.cumsum([0, *BINS.values()])[:-1, None, None]
        votes.ravel()[offset + first] = lower
        votes.ravel()[offset + second] = upper
        return votes


def _blank(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, steps and ages of ``count`` tracks that begin."""
    points, steps = np.zeros((count, LENGTH + 1, 2), np.float32), np.zeros((count, LENGTH, 2), np.float32)
    return points, steps, np.zeros(count, np.int64)


def _moves(path: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """bool [n]: tracks that are neither static nor erratic nor the camera's; in pixels of a picture of SIDE."""
    spread = path.std(axis=1)
    steps = np.linalg.norm(np.diff(path, axis=1), axis=2)
    leap = steps.max(axis=1, initial=0)
    erratic = (leap > LEAP) & (leap > LEAP_SHARE * steps.sum(axis=1))
    motion = np.linalg.norm(shift, axis=2).max(axis=1, initial=0)
    return (spread >= SPREAD[0]).any(axis=1) & (spread <= SPREAD[1]).all(axis=1) & ~erratic & (motion > STEADY)


def _gradient(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences of a pixel's neighbours along x and along y, float32 [h,w] each."""
    return cv2.Sobel(picture, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=1)


def _working_size(frames: np.ndarray, flow: np.ndarray | None, factor: float) -> tuple[np.ndarray, np.ndarray | None]:
    """Grey frames uint8 [T,h,w] and the flow, if there is one, shrunk by ``factor``."""
    size = tuple(round(side / factor) for side in frames.shape[2:0:-1])
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    grey = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in greys])
    if flow is None:
        return grey, None
    fields = [cv2.resize(field, size, interpolation=cv2.INTER_AREA) for field in flow.astype(np.float32)]
    return grey, np.stack(fields) / np.float32(factor)


def _shrink(field: np.ndarray, size: tuple[int, int], factor: float) -> np.ndarray:
    """Components of flow [H,W,4] in pixels of a picture of ``size`` (width, height), median-filtered over 3 x 3."""
    parts = cv2.split(cv2.resize(field, size, interpolation=cv2.INTER_AREA))
    return cv2.merge([cv2.medianBlur(part, 3) for part in parts]) / np.float32(factor)


def _camera(grey: np.ndarray, flow: np.ndarray, unit: float) -> np.ndarray:
    """float32 [H,W,2]: the flow that the camera's motion alone makes; 0 where too few corners agree on one."""
    corners = cv2.goodFeaturesToTrack(grey, 1000, QUALITY, 3)
    if corners is None or len(corners) < CORNERS:
        return np.zeros_like(flow)
    corners = corners[:, 0]
    x, y = np.rint(corners).astype(np.int64).T
    homography, inliers = cv2.findHomography(corners, corners + flow[y, x], cv2.RANSAC, unit)
    if homography is None or inliers.sum() < INLIERS:
        return np.zeros_like(flow)
    height, width = grey.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2).astype(np.float32)
    return cv2.perspectiveTransform(grid, homography) - grid
