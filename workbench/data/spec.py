"""Which frames, which part of the picture and which poses make one clip for a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.media import flow, regions, rendering, sampling


@dataclass(frozen=True)
class ClipSpec:
    """How a clip is cut out of a video.

    frames T and size (H, W) are what the network reads. sampling:

    - uniform: the video is divided into T equal segments and one frame is taken from each, at the same place in all of
      them. In training that place is drawn from ``phases`` equally spaced ones (1: always the middle).
    - strided: every ``stride``-th frame from a start that training draws from the first half; a video that is too short
      is continued from its beginning (thesis section 4.6.1, with T = 64 and stride 2).

    Evaluation reads ``windows`` clips a video, evenly spread (1: the middle), so that scores can be pooled over them;
    "all", for strided, is every clip of T frames that follows the one before until the video's end (thesis 4.6.1).

    crop "person" is a box, in the clip's proportions, around the person's joints in all frames, with ``margin`` (a
    share of its longer side) on each side; "frame" is the whole picture, resized. What is read is larger than the clip
    by ``border`` (a share of the clip's size) on each side: the room in which training moves its crop. test_area
    "centre" evaluates on the clip's own size, "whole" on that larger area (fully convolutional inference).

    poses t_p are spread evenly over the time span of the clip's frames; normalize is how (thesis, agcn, none); persons
    M is how many bodies are kept, those that move most; pose_quality below "high" is how much worse than recorded the
    poses are made (media.pose.degrade), also those that are drawn and those that say where regions of the body are.

    flow_method is media.flow's; background, marker, colors and ratio_aware are media.rendering's, how poses are drawn;
    regions are those of media.regions, in the order of Batch.parts; trajectories L is how many dense trajectories
    (media.trajectories) of a video are kept.
    """

    frames: int = 16
    size: tuple[int, int] = (96, 96)
    sampling: str = "uniform"
    stride: int = 2
    phases: int = 1
    windows: int | str = 1
    crop: str = "person"
    margin: float = 0.1
    border: float = 0.0625
    test_area: str = "centre"
    poses: int = 16
    normalize: str = "thesis"
    persons: int = 1
    pose_quality: str = "high"
    flow_method: str = "tvl1"
    background: str = "frame"
    marker: str = "bar"
    colors: str = "fine"
    ratio_aware: bool = True
    regions: tuple[str, ...] = ("left_hand", "right_hand", "full_body")
    trajectories: int = 512

    def __post_init__(self) -> None:
        for name in ("size", "regions"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        choices = {
            "sampling": ("uniform", "strided"),
            "crop": ("person", "frame"),
            "test_area": ("centre", "whole"),
            "normalize": ("thesis", "agcn", "none"),
            "pose_quality": ("high", "medium", "low"),
            "flow_method": flow.METHODS,
            "ratio_aware": (True, False),
            **rendering.OPTIONS,
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                listed = ", ".join(map(str, known))
                raise ValueError(f"ClipSpec.{name} must be one of {listed}, got {getattr(self, name)!r}")
        if isinstance(self.windows, str) and (self.windows, self.sampling) != ("all", "strided"):
            raise ValueError(f"ClipSpec.windows must be a number, or 'all' if strided, got {self.windows!r}")
        if not self.regions or not set(self.regions) <= set(regions.REGIONS):
            known = ", ".join(regions.REGIONS)
            raise ValueError(f"ClipSpec.regions must be one or more of {known}, got {self.regions!r}")
        counts = ("frames", "stride", "phases", "poses", "persons", "trajectories")
        for name in counts if self.windows == "all" else (*counts, "windows"):
            if getattr(self, name) < 1:
                raise ValueError(f"ClipSpec.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("margin", "border"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"ClipSpec.{name} must be in [0, 1), got {getattr(self, name)}")
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f"ClipSpec.size must be (height, width) in pixels, got {self.size}")

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
    """The moments of one clip: frames int64 [T] and poses int64 [t_p], both frame numbers of the source video."""

    frames: np.ndarray
    poses: np.ndarray


def train_window(spec: ClipSpec, length: int, rng: np.random.Generator) -> Window:
    """A clip of a video of ``length`` frames as training draws it."""
    if spec.sampling == "uniform":
        return _uniform(spec, length, (rng.integers(spec.phases) + 0.5) / spec.phases)
    return _strided(spec, length, int(rng.integers(max(length // 2, 1))))


def evaluation_windows(spec: ClipSpec, length: int) -> list[Window]:
    """The ``spec.windows`` clips of a video of ``length`` frames that evaluation reads, in order of time."""
    count = spec.windows
    if spec.sampling == "uniform":
        return [_uniform(spec, length, (window + 0.5) / count) for window in range(count)]
    if count == "all":
        starts = sampling.windows(length, spec.frames, spec.stride)[:, 0]
    else:
        last = max(length - (spec.frames - 1) * spec.stride - 1, 0)
        starts = np.linspace(0, last, 2 * count + 1).astype(int)[1::2]
    return [_strided(spec, length, int(start)) for start in starts]


def candidates(spec: ClipSpec, length: int) -> np.ndarray:
    """int64, ascending: every frame that some window of ``spec`` could ask for; what a cache must hold."""
    if spec.sampling == "strided":
        return np.arange(length)
    phases = [_uniform(spec, length, (phase + 0.5) / spec.phases) for phase in range(spec.phases)]
    return np.unique([window.frames for window in [*phases, *evaluation_windows(spec, length)]])


def _uniform(spec: ClipSpec, length: int, place: float) -> Window:
    """One frame, and one pose, at the same ``place`` in [0,1) of each of equally long segments."""

    def at(count: int) -> np.ndarray:
        return ((np.arange(count) + place) * length / count).astype(np.int64)

    return Window(at(spec.frames), at(spec.poses))


def _strided(spec: ClipSpec, length: int, start: int) -> Window:
    frames = sampling.sample_strided(length, spec.frames, spec.stride, start)
    # The middle of each of t_p equal shares of the clip, in units of its frames: with t_p = T, its frames themselves.
    shares = (np.arange(spec.poses) + 0.5) * spec.frames / spec.poses - 0.5
    steps = np.rint(spec.stride * np.clip(shares, 0, spec.frames - 1)).astype(np.int64)
    return Window(frames, (start + steps) % length)
