"""The snippets of one long video as batches: decoded once, in order, with a few snippets in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from workbench.data.clips.augment import View
from workbench.data.clips.clip_spec import ClipSpec, Window, evaluation_windows
from workbench.data.clips.read_clip import as_seen, box_around, network_bodies, picture_box, track_around
from workbench.data.untrimmed.snippet_files import SnippetSpec
from workbench.data.untrimmed.videos import Untrimmed
from workbench.media import flow, pose, rendering, video
from workbench.media.files import decoding
from workbench.types import Batch, Pose

#: What a snippet can be read as.
NEEDS = frozenset({"video", "flow", "pose", "rendered"})


class SnippetReader:
    """Video ``i`` of ``data``, snippet by snippet, each a clip as ``clip`` cuts it.

    A clip's T frames are ``clip.stride`` apart, as its encoder learnt them, around the middle of its snippet, so that
    a clip may span more, or less, than its snippet; beyond the video's ends its first or last frame is repeated. t_p
    poses are spread evenly over the same span. Crop "person" is a box around the person's joints within that span,
    "track" one in each of its frames, and the whole picture where none of them is in it; poses are normalised within
    it. Batch as of ``Loader`` without labels: ids name the video, frame_numbers int64 [B,T]; a clip without any pose is
    zeros.

    Raises ValueError for needs that can't be met, and naming the file or video where it can't be read.
    """

    def __init__(self, data: Untrimmed, i: int, snippets: SnippetSpec, clip: ClipSpec, needs: frozenset[str]) -> None:
        check_needs(data, clip, needs)
        self.data, self.i, self.snippets, self.clip, self.needs = data, i, snippets, clip, needs
        self.starts = snippets.starts(int(data.lengths[i]))
        self._span = (clip.frames - 1) * clip.stride + 1  # from a clip's first frame to its last
        self._last = int(data.lengths[i]) - 1
        self._even = evaluation_windows(replace(clip, windows=1, pose_padding="repeat"), self._span)[0]
        self._view = View.plain(clip)

    def __len__(self) -> int:
        return len(self.starts)

    def batches(self, size: int, first: int = 0) -> Iterator[Batch]:
        """Batches of ``size`` snippets from number ``first`` to the last."""
        film = _Film(self._info, self._reach(int(self.starts[first]))[0]) if self.needs - {"pose"} else None
        for number in range(first, len(self.starts), size):
            snippets = [self._snippet(int(start), film) for start in self.starts[number : number + size]]
            tensors = {name: torch.from_numpy(np.stack([arrays[name] for arrays in snippets])) for name in snippets[0]}
            yield Batch(ids=[self.data.ids[self.i]] * len(snippets)).replace(**tensors)

    @cached_property
    def _info(self) -> video.VideoInfo:
        info = video.ingest(self.data.videos[self.i])
        if info.frames != self.data.lengths[self.i]:
            listed = f"the table of {self.data.name} says {self.data.lengths[self.i]}"
            raise ValueError(f"{info.path} has {info.frames} frames, {listed}")
        return info

    @cached_property
    def _pixels(self) -> Pose:
        pixels = self.data.pixels(self.i)
        if pixels is None:
            raise ValueError(
                f"{self.data.ids[self.i]} has no joints in pixels; a crop to the whole picture needs none "
                "(--set preset.crop=frame)"
            )
        return self._seen(pixels)

    @cached_property
    def _pose(self) -> Pose:
        body = self.data.body(self.i)
        if body is None:
            raise ValueError(f"{self.data.ids[self.i]} has no pose")
        return self._seen(body)

    @cached_property
    def _judge(self) -> Pose:
        """The poses that say which person moves most: those in space, where there are any."""
        solid = self.data.pose(self.i) if len(self._pixels.joints) > 1 else None
        return self._pixels if solid is None else self._seen(solid)

    def _seen(self, poses: Pose) -> Pose:
        if not np.array_equal(poses.frame_numbers, np.arange(self.data.lengths[self.i])):
            count = poses.joints.shape[1]
            raise ValueError(f"{self.data.ids[self.i]} has {self.data.lengths[self.i]} frames but poses for {count}")
        return as_seen(poses, self.data, self.clip, self.i)

    def _first(self, start: int) -> int:
        """The first frame of the clip around the middle of the snippet from ``start`` on, before 0 at the beginning."""
        return start + (self.snippets.frames - self._span) // 2

    def _reach(self, start: int) -> tuple[int, int]:
        """The first and the last frame of the video that the clip of the snippet from ``start`` on spans."""
        first = self._first(start)
        return min(max(first, 0), self._last), min(max(first + self._span - 1, 0), self._last)

    def _snippet(self, start: int, film: _Film | None) -> dict[str, np.ndarray]:
        clip, view, first = self.clip, self._view, self._first(start)
        window = Window(*(np.clip(first + n, 0, self._last) for n in (self._even.frames, self._even.poses)))
        arrays = {"frame_numbers": window.frames}
        if "pose" in self.needs:
            arrays["pose"] = self._bodies(start, window.poses)
        if film is None:
            return arrays
        box = self._box(start, window.frames)
        first, last = self._reach(start)
        film.hold(first, min(last + 1, self._info.frames - 1))  # flow reads one more
        area = video.crop(film.frames(window.frames), box, clip.area)
        if "video" in self.needs:
            arrays["video"] = _blank(3, clip.frames, view)
            view.picture(area, arrays["video"])
        if "flow" in self.needs:
            if self._info.frames < 2:
                raise ValueError(f"{self._info.path} has one frame, flow needs two")
            numbers = np.minimum(window.frames, self._info.frames - 2)
            flow_box = self._box(start, numbers)
            before, after = (video.crop(film.frames(n), flow_box, clip.area) for n in (numbers, numbers + 1))
            arrays["flow"] = _blank(2, clip.frames, view)
            view.flow(flow.quantize(flow.between(before, after, clip.flow_method)), arrays["flow"])
        if "rendered" in self.needs:
            arrays["rendered"] = self._drawn(start, window.frames, box, area)
        return arrays

    def _box(self, start: int, numbers: np.ndarray) -> tuple[int, int, int, int] | np.ndarray:
        """(x0, y0, x1, y1), of a track int64 [T,4] in the frames ``numbers``."""
        picture = picture_box(self._info, self.clip)
        if self.clip.crop not in ("person", "track"):
            return picture
        pixels = self._within(self._pixels, start)
        if not np.isfinite(pixels.joints).any():
            return picture
        if self.clip.crop == "track":
            return track_around(pixels, self.clip)[numbers - self._reach(start)[0]]
        return box_around(pixels, self._info, self.clip) or picture

    def _within(self, poses: Pose, start: int) -> Pose:
        """The part of a whole video's poses that the clip of the snippet from ``start`` on spans."""
        first, last = self._reach(start)
        return pose.take(poses, np.arange(first, last + 1))

    def _bodies(self, start: int, numbers: np.ndarray) -> np.ndarray:
        """float32 [M,t_p,V,3]."""
        poses = self._within(self._pose, start)
        if not np.isfinite(poses.joints).any():
            return np.zeros((self.clip.persons, len(numbers), self.data.schema.count, 3), np.float32)
        return network_bodies(poses, self.clip, self.data.mirrored)[numbers - self._reach(start)[0]].swapaxes(0, 1)

    def _drawn(self, start: int, numbers: np.ndarray, box: tuple | np.ndarray, area: np.ndarray) -> np.ndarray:
        """uint8 [3,T,H,W]: poses drawn on what the network would see."""
        clip, view, canvas = self.clip, self._view, _blank(3, len(numbers), self._view)
        view.picture(area, canvas)
        people = self._within(self._pixels, start)
        people = pose.pick(people, pose.order(self._within(self._judge, start), people)[: clip.drawn])
        people_seen = view.pose(pose.crop(pose.take(people, numbers), box, clip.area))
        frames = canvas.transpose(1, 2, 3, 0)
        drawn = rendering.draw(frames, people_seen, clip.background, clip.marker, clip.colors, clip.ratio_aware)
        return np.ascontiguousarray(drawn.transpose(3, 0, 1, 2))


class _Film:
    """The frames of a video as a window that moves on: what it has passed is gone."""

    def __init__(self, info: video.VideoInfo, first: int) -> None:
        self._frames, self._next = decoding.stream(info, first), first
        self._window: dict[int, np.ndarray] = {}

    def hold(self, first: int, last: int) -> None:
        """Have the frames from ``first`` to ``last`` (inclusive) and no earlier ones."""
        for number in [number for number in self._window if number < first]:
            del self._window[number]
        while self._next <= last:
            frame = next(self._frames)
            if self._next >= first:
                self._window[self._next] = frame
            self._next += 1

    def frames(self, numbers: np.ndarray) -> np.ndarray:
        """uint8 [T,H,W,3]."""
        return np.stack([self._window[number] for number in numbers.tolist()])


def check_needs(data: Untrimmed, clip: ClipSpec, needs: frozenset[str]) -> None:
    """ValueError, one sentence, if ``data`` or the reader cannot give ``needs``; ImportError if OpenCV can't."""
    blind = data.skeleton is None
    if clip.sampling != "strided":
        raise ValueError(
            "snippets are read with the spacing of frames that their encoder learnt, and one that learnt clips of "
            f"sampling={clip.sampling!r}, {clip.frames} frames spread over a whole clip, has none: train it with "
            "sampling: strided and a stride in its preset, as in preset={'base': 'tiny', 'sampling': 'strided', "
            "'stride': 3}"
        )
    if unknown := sorted(set(needs) - NEEDS):
        raise ValueError(f"snippets cannot be read as {unknown[0]!r}; they can as: {', '.join(sorted(NEEDS))}")
    if blind and needs & {"pose", "rendered"}:
        raise ValueError(f"{data.title} has no poses, and poses are needed")
    if blind and clip.crop in ("person", "track") and needs & {"video", "flow"}:
        raise ValueError(
            f"{data.title} has no joints in pixels to crop the person by; use crop='frame' (--set preset.crop=frame)"
        )
    if "flow" in needs:
        flow.make_solver(clip.flow_method)


def _blank(channels: int, frames: int, view: View) -> np.ndarray:
    return np.empty((channels, frames, *view.size), np.uint8)
