"""Which frames, which part of the picture and which poses make one clip for a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from workbench.media import flow, regions, rendering, sampling

#: Room for the persons of a clip that are drawn: a cache has rows of one size.
MOST_DRAWN = 16


@dataclass(frozen=True)
class ClipSpec:
    """How a clip is cut out of a video.

    frames T and size (H, W) are what the network reads. sampling:

    - uniform: the video is divided into T equal segments and one frame is taken from each, at the same place in all of
      them. In training that place is drawn from ``phases`` equally spaced ones (1: always the middle).
    - consecutive: T frames one after another from a start that training draws from all. A video that is too short is
      continued by its first and last frame (PERF-Net section 4: "we pad by duplicating the first or the last frame"):
      training draws how often by which, evaluation by both alike.
    - strided: every ``stride``-th frame from a start that training draws from the first half; a video that is too short
      is continued from its beginning (thesis section 4.6.1, with T = 64 and stride 2).

    Evaluation reads ``windows`` clips a video, evenly spread (1: the middle), so that scores can be pooled over them;
    "all", for strided, is every clip of T frames that follows the one before until the video's end (thesis 4.6.1).

    crop "person" is a box, in the clip's proportions, around the persons' joints in all frames, with ``margin`` (a
    share of its longer side) on each side; "track" is such a box around the joints of each frame, "successive crops of
    human body along the video" (thesis section 4.2; eq. 4.3 has an index t); "frame" is the whole picture, resized;
    "centre" the largest part in the middle of the picture that has the clip's proportions, nothing distorted. What is
    read is larger than the clip by ``border`` (a share of the clip's size) on each side, with "centre" still within the
    picture: the room in which training moves its crop. test_area "centre" evaluates on the clip's own size, "whole" on
    that larger area (fully convolutional inference). track_size of what follows the body, the clip's track and the
    regions full_body and upper_body: "frame" is the size of each frame's own joints, as in eq. 4.3; "clip" is the
    largest one throughout, so that the person does not seem to grow and shrink.

    poses t_p are spread evenly over the time span of the clip's frames; where the video is too short for that,
    pose_padding "repeat" continues it as the frames are continued, "zeros" gives its poses in order, then zeros (thesis
    3.3.1: "We normalize the time steps in videos by padding with zeros"). normalize is how (thesis, agcn, none);
    persons M is how many bodies are kept, those that move most, first of all the one that moves most; pose_quality
    below "high" is how much worse than recorded the poses are made (media.pose.degrade), also those that are drawn and
    those that say where regions of the body are.

    flow_method is media.flow's; background, marker, colors and ratio_aware are media.rendering's, how poses are drawn;
    drawn_persons: "all" of a clip (PERF-Net section 3.1: "the pose of each human"; of a crowd the MOST_DRAWN that move
    most), or the M "main" ones; regions are those of media.regions, in the order of Batch.parts; body is what full_body
    shows of the person: a "track" of its own (thesis section 4.3.1), or the "crop" of the clip itself, for networks
    that were trained on it. trajectories L is how many dense trajectories (media.trajectories) of a video are kept.

    granularities: for each G, the video is cut into G equal segments, of which each makes a clip (Batch.segments),
    seen as the video's own clip is. segments says how (thesis section 5.2.1 divides the video, and 4.6.1 loops what is
    too short):

    - resampled: T frames of the segment, as ``sampling`` takes them of a video.
    - looped: those of the video's T frames that lie in the segment, again from their beginning until T are there.
    - repeated: the same frames, each repeated until T are there.

    The t_p poses of a segment are spread evenly over it; "repeated", they are the clip's own, repeated like frames.
    """

    frames: int = 16
    size: tuple[int, int] = (96, 96)
    sampling: str = "uniform"
    stride: int = 2
    phases: int = 1
    windows: int | str = 1
    crop: str = "person"
    track_size: str = "frame"
    margin: float = 0.1
    border: float = 0.0625
    test_area: str = "centre"
    poses: int = 16
    normalize: str = "thesis"
    persons: int = 1
    pose_padding: str = "repeat"
    pose_quality: str = "high"
    flow_method: str = "tvl1"
    background: str = "frame"
    marker: str = "bar"
    colors: str = "fine"
    ratio_aware: bool = True
    drawn_persons: str = "all"
    regions: tuple[str, ...] = ("left_hand", "right_hand", "full_body")
    body: str = "track"
    trajectories: int = 512
    granularities: tuple[int, ...] = ()
    segments: str = "resampled"

    def __post_init__(self) -> None:
        for name in ("size", "regions", "granularities"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        choices = {
            "sampling": ("uniform", "strided", "consecutive"),
            "crop": ("person", "track", "frame", "centre"),
            "track_size": ("frame", "clip"),
            "body": ("track", "crop"),
            "segments": ("resampled", "looped", "repeated"),
            "test_area": ("centre", "whole"),
            "normalize": ("thesis", "agcn", "none"),
            "pose_padding": ("repeat", "zeros"),
            "drawn_persons": ("all", "main"),
            "pose_quality": ("high", "medium", "low"),
            "flow_method": flow.METHODS,
            "ratio_aware": (True, False),
            **rendering.OPTIONS,
        }
        for name, values in choices.items():
            if getattr(self, name) not in values:
                listed = ", ".join(map(str, values))
                raise ValueError(f"ClipSpec.{name} must be one of {listed}, got {getattr(self, name)!r}")
        if isinstance(self.windows, str) and (self.windows, self.sampling) != ("all", "strided"):
            raise ValueError(f"ClipSpec.windows must be a number, or 'all' if strided, got {self.windows!r}")
        if not self.regions or not set(self.regions) <= set(regions.REGIONS):
            listed = ", ".join(regions.REGIONS)
            raise ValueError(f"ClipSpec.regions must be one or more of {listed}, got {self.regions!r}")
        counts = ("frames", "stride", "phases", "poses", "persons", "trajectories")
        for name in counts if self.windows == "all" else (*counts, "windows"):
            if getattr(self, name) < 1:
                raise ValueError(f"ClipSpec.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("margin", "border"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"ClipSpec.{name} must be in [0, 1), got {getattr(self, name)}")
        if min(self.granularities, default=2) < 2:
            raise ValueError(f"ClipSpec.granularities must be numbers of segments from 2 on, got {self.granularities}")
        most, fewest = max(self.granularities, default=0), min(self.frames, self.poses)
        if self.segments != "resampled" and most > fewest:
            request = f"{self.frames} frames and {self.poses} poses can't be cut into {most} segments"
            raise ValueError(f"ClipSpec: {request}, expected {fewest} or fewer segments, or segments='resampled'")
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f"ClipSpec.size must be (height, width) in pixels, got {self.size}")

    @property
    def drawn(self) -> int:
        """The most persons that are drawn."""
        return MOST_DRAWN if self.drawn_persons == "all" else self.persons

    @property
    def pad(self) -> tuple[int, int]:
        """Pixels (vertical, horizontal) that are read beyond the clip on each side."""
        return round(self.border * self.size[0]), round(self.border * self.size[1])

    @property
    def area(self) -> tuple[int, int]:
        """(height, width) of what is read: the clip and its border."""
        return self.size[0] + 2 * self.pad[0], self.size[1] + 2 * self.pad[1]


@dataclass(frozen=True)
class Window:
    """The moments of one clip: frames int64 [T] and poses int64 [t_p], both frame numbers of the source video, -1 where
    there is no pose; and for every granularity G of the spec, those of the G segments in turn."""

    frames: np.ndarray
    poses: np.ndarray
    segments: dict[int, list[Window]] = field(default_factory=dict)


def train_window(spec: ClipSpec, length: int, rng: np.random.Generator) -> Window:
    """A clip of a video of ``length`` frames as training draws it."""
    if spec.sampling == "uniform":
        return _uniform(spec, length, (rng.integers(spec.phases) + 0.5) / spec.phases)
    if spec.sampling == "consecutive":
        spare = length - spec.frames
        return _consecutive(spec, length, int(rng.integers(min(spare, 0), max(spare, 0) + 1)))
    return _strided(spec, length, int(rng.integers(max(length // 2, 1))))


def evaluation_windows(spec: ClipSpec, length: int) -> list[Window]:
    """The ``spec.windows`` clips of a video of ``length`` frames that evaluation reads, in order of time."""
    if isinstance(spec.windows, str):  # all of a strided clip
        return [
            _strided(spec, length, int(start)) for start in sampling.windows(length, spec.frames, spec.stride)[:, 0]
        ]
    count = spec.windows
    if spec.sampling == "uniform":
        return [_uniform(spec, length, (window + 0.5) / count) for window in range(count)]
    if spec.sampling == "consecutive":
        starts = np.floor(np.linspace(0, length - spec.frames, 2 * count + 1)).astype(int)[1::2]
        return [_consecutive(spec, length, int(start)) for start in starts]
    last = max(length - (spec.frames - 1) * spec.stride - 1, 0)
    starts = np.linspace(0, last, 2 * count + 1).astype(int)[1::2]
    return [_strided(spec, length, int(start)) for start in starts]


def candidates(spec: ClipSpec, length: int) -> np.ndarray:
    """int64, ascending: every frame that some window of ``spec`` could ask for; what a cache must hold."""
    if spec.sampling != "uniform":
        return np.arange(length)
    phases = [_uniform(spec, length, (phase + 0.5) / spec.phases) for phase in range(spec.phases)]
    windows = [*phases, *evaluation_windows(spec, length)]
    parts = [part for window in windows for cut in window.segments.values() for part in cut]
    return np.unique([window.frames for window in [*windows, *parts]])


def _uniform(spec: ClipSpec, length: int, share: float) -> Window:
    """One frame, and one pose, at the same ``share`` in [0,1) of each of equally long shares."""
    window = Window(_even(length, spec.frames, share), _even(length, spec.poses, share))

    def segment(count: int) -> Window:
        return Window(_even(count, spec.frames, share), _even(count, spec.poses, share))

    if spec.pose_padding == "zeros" and length < spec.poses:
        window = replace(window, poses=_within_video(np.arange(spec.poses), length))
    return _with_segments(spec, length, window, segment)


def _consecutive(spec: ClipSpec, length: int, start: int) -> Window:
    """From ``start`` on, which may lie before the video."""
    moments, poses = start + np.arange(spec.frames), start + _steps(spec, 1)
    padded = _within_video(poses, length) if spec.pose_padding == "zeros" else poses.clip(0, length - 1)
    window = Window(moments.clip(0, length - 1), padded)

    def segment(count: int) -> Window:
        # Which lies at the same share of the room that its length leaves.
        first = (
            start * (count - spec.frames) // (length - spec.frames) if length != spec.frames else (count - length) // 2
        )
        frames = (first + np.arange(spec.frames)).clip(0, count - 1)
        return Window(frames, (first + _steps(spec, 1)).clip(0, count - 1))

    return _with_segments(spec, length, window, segment)


def _strided(spec: ClipSpec, length: int, start: int) -> Window:
    frames = sampling.sample_strided(length, spec.frames, spec.stride, start)
    poses = start + _steps(spec, spec.stride)
    poses = _within_video(poses, length) if spec.pose_padding == "zeros" else poses % length

    def segment(count: int) -> Window:
        # Which starts at the same share of its length. Poses would lose their order where frames wrap round.
        first = start * count // length
        return Window(sampling.sample_strided(count, spec.frames, spec.stride, first), _even(count, spec.poses, 0.5))

    return _with_segments(spec, length, Window(frames, poses), segment)


def _steps(spec: ClipSpec, stride: int) -> np.ndarray:
    """int64 [t_p], from the clip's start on: the middle of each of t_p equal shares of the clip, in units of its
    frames: with t_p = T, its frames themselves."""
    shares = (np.arange(spec.poses) + 0.5) * spec.frames / spec.poses - 0.5
    return np.rint(stride * np.clip(shares, 0, spec.frames - 1)).astype(np.int64)


def _within_video(poses: np.ndarray, length: int) -> np.ndarray:
    """-1 where a video of ``length`` frames has no such one."""
    return np.where((poses >= 0) & (poses < length), poses, -1)


def _even(length: int, count: int, share: float) -> np.ndarray:
    """int64 [count]: the moment at ``share`` of each of ``count`` equal shares of ``length`` moments."""
    return ((np.arange(count) + share) * length / count).astype(np.int64)


def _with_segments(spec: ClipSpec, length: int, window: Window, segment: Callable[[int], Window]) -> Window:
    """``window`` and its segments; ``segment`` makes a clip of a video of so many frames."""
    cut = {g: [_segment(spec, length, window, g, i, segment) for i in range(g)] for g in spec.granularities}
    return Window(window.frames, window.poses, cut)


def _segment(
    spec: ClipSpec, length: int, window: Window, granularity: int, i: int, segment: Callable[[int], Window]
) -> Window:
    # A video of fewer frames than segments has some of them twice.
    first = i * length // granularity
    clip = segment(max((i + 1) * length // granularity - first, 1))
    if spec.segments == "resampled":
        return Window(first + clip.frames, first + clip.poses)
    frames, poses = (np.array_split(moments, granularity)[i] for moments in (window.frames, window.poses))
    if spec.segments == "looped":
        return Window(frames[np.arange(spec.frames) % len(frames)], first + clip.poses)
    return Window(
        *(moments[_even(len(moments), count, 0.5)] for moments, count in ((frames, spec.frames), (poses, spec.poses)))
    )
