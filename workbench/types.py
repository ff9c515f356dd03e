"""The objects that cross module borders: Skeleton, Clip, Pose, Truth, Batch, Output.

Shapes use one set of letters everywhere: B batch, C channels, T frames, H W pixels; T' H' W' the feature grid;
M persons, t_p poses, V joints, D coordinates; K body parts; N classes. Nothing here imports torch, so that media
workers start quickly; annotations name tensors all the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.nearest import hint

if TYPE_CHECKING:
    from torch import Tensor

#: The fixed vocabulary of ``Output.maps`` and the axes of each map (``segments/<G>`` and ``teacher/<name>`` besides).
MAPS = {
    "feature_map": "B C T' H' W'",
    "modulated": "B C T' H' W'",
    "spatial": "B H' W'",
    "temporal": "B T'",
    "attention": "B T' H' W'",
    "affinity": "B P P'",
    "affinity_grid": "3",
    "joints": "B t_p V",
    "parts": "B K",
    "granularities": "B n",
    "covariance": "B C C",
}


@dataclass(frozen=True)
class Skeleton:
    """A joint schema. Indices count from 0 in the order of ``joints``.

    ``bones`` are (child, parent) pairs. ``root`` and ``spine`` list the joints whose mean is the hip centre and the
    middle of the trunk (one joint where the schema stores it). ``hips`` and ``shoulders`` are (left, right).
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    pairs: tuple[tuple[int, int], ...]
    root: tuple[int, ...]
    spine: tuple[int, ...]
    hips: tuple[int, int]
    shoulders: tuple[int, int]

    @classmethod
    def named(cls, name: str) -> Skeleton:
        """The schema called ``name``; ValueError listing the known names otherwise."""
        table = _skeleton_table()
        if name not in table:
            raise ValueError(f"unknown skeleton {name!r}; known: {', '.join(sorted(table))}{hint(name, table)}")
        return table[name]

    @staticmethod
    def names() -> list[str]:
        """All known schemas."""
        return sorted(_skeleton_table())

    @property
    def count(self) -> int:
        """V, the number of joints."""
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of the joint called ``joint``; ValueError naming the schema otherwise."""
        if joint not in self.joints:
            raise ValueError(f"skeleton {self.name} has no joint {joint!r}; it has: {', '.join(self.joints)}")
        return self.joints.index(joint)

    @cached_property
    def mirror(self) -> np.ndarray:
        """int64 [V]: the permutation that swaps left with right."""
        order = np.arange(self.count)
        for left, right in self.pairs:
            order[[left, right]] = right, left
        return order


@cache
def _skeleton_table() -> dict[str, Skeleton]:
    raw = json.loads(files("workbench").joinpath("skeletons.json").read_text())

    def freeze(value: Any) -> Any:
        return tuple(freeze(item) for item in value) if isinstance(value, list) else value

    return {
        name: Skeleton(name=name, **{key: freeze(value) for key, value in row.items()}) for name, row in raw.items()
    }


@dataclass(frozen=True)
class Clip:
    """Some frames of one video.

    frames uint8 [T,H,W,3] RGB; frame_numbers int64 [T], counted from 0 in the source; fps of the source;
    crop (x0, y0, x1, y1) in source pixels if the frames are cut out of a larger picture; source names the file; times
    float64 [T], when each frame is shown in seconds on a player's clock, None where frames are made at a steady rate.
    """

    frames: np.ndarray
    frame_numbers: np.ndarray
    fps: float
    crop: tuple[float, float, float, float] | None = None
    source: str = ""
    times: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3 or self.frames.dtype != np.uint8:
            raise ValueError(f"Clip.frames must be uint8 [T,H,W,3], got {self.frames.dtype} {self.frames.shape}")
        if len(self.frame_numbers) != len(self.frames):
            raise ValueError(f"Clip has {len(self.frames)} frames but {len(self.frame_numbers)} frame numbers")

    @property
    def seconds(self) -> np.ndarray:
        """float64 [T]: when each frame is shown."""
        return self.frame_numbers / self.fps if self.times is None else self.times


@dataclass(frozen=True)
class Pose:
    """Skeletons over time.

    joints float32 [M,T,V,D], a missing body or joint is NaN; confidence float32 [M,T,V] in [0,1] or None;
    space is "camera" (metres; x right in the image, y up, z away from the sensor), "image" (source pixels, y down)
    or "normalised" (body-centred, see media.pose); frame_numbers int64 [T] in the source video.
    """

    joints: np.ndarray
    skeleton: Skeleton
    space: str
    frame_numbers: np.ndarray
    confidence: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.joints.ndim != 4 or self.joints.shape[2] != self.skeleton.count:
            raise ValueError(
                f"Pose.joints must be [M,T,V,D] with V={self.skeleton.count} ({self.skeleton.name}), "
                f"got {self.joints.shape}"
            )
        if self.space not in ("camera", "image", "normalised"):
            raise ValueError(f"Pose.space must be camera, image or normalised, got {self.space!r}")
        if len(self.frame_numbers) != self.joints.shape[1]:
            raise ValueError(f"Pose has {self.joints.shape[1]} frames but {len(self.frame_numbers)} frame numbers")
        if self.confidence is not None and self.confidence.shape != self.joints.shape[:3]:
            raise ValueError(f"Pose.confidence must be {self.joints.shape[:3]}, got {self.confidence.shape}")

    def with_joints(self, joints: np.ndarray, space: str | None = None) -> Pose:
        """The same pose with other coordinates, and another ``space`` if one is named."""
        return replace(self, joints=joints, space=space or self.space)


@dataclass(frozen=True)
class Truth:
    """What makes the label of a synthetic clip what it is, on the frames of ``frame_numbers``.

    joints bool [V] the discriminative joints; mask bool [T,H,W] the discriminative region (object and hand pixels);
    box float32 [T,4] (x0, y0, x1, y1) around it in pixels of the mask, NaN where nothing is visible;
    interval (start, end) the discriminative moment as source frame numbers, end exclusive.
    """

    joints: np.ndarray
    mask: np.ndarray
    box: np.ndarray
    interval: tuple[int, int]
    frame_numbers: np.ndarray

    @property
    def moment(self) -> np.ndarray:
        """bool [T]: which of the frames lie inside the discriminative interval."""
        return (self.frame_numbers >= self.interval[0]) & (self.frame_numbers < self.interval[1])


#: A tensor of Batch.
Field = Literal[
    "video",
    "pose",
    "flow",
    "parts",
    "rendered",
    "trajectories",
    "truth",
    "part_truth",
    "label",
    "frame_numbers",
    "mask",
]
#: The fields of Batch that systems read, and those of them that may still be bytes.
TENSORS = ("video", "pose", "flow", "parts", "rendered", "trajectories", "truth", "part_truth")
PICTURES = ("video", "flow", "parts", "rendered")


@dataclass
class Batch:
    """What a system reads. Absent modalities are None.

    video float [B,3,T,H,W] in [-1,1], or uint8 in [0,255] until ``to`` has moved it; pose float [B,M,t_p,V,3], zero
    where a joint is missing; flow float [B,2,T,H,W] in [-1,1], one unit being 20 pixels; parts float [B,K,3,T,H,W] and
    rendered (drawn poses) float [B,3,T,H,W] as video; trajectories float [B,L,D], NaN where there are fewer than L;
    truth float [B,T,H,W] in [0,1], 1 on the pixels of video that make the label what it is, in the frames that do
    (synthetic worlds alone know it; only ceilings read it); part_truth float [B,K] in [0,1], the share of those pixels
    that the crop of each body part shows; segments, for each granularity G a Batch of B G clips, those of the G
    segments of each video in turn, whose pictures stay bytes until ``segment`` picks some; features, what frozen parts
    of a system made of the clips, by name [B,...], in place of the clips; label int64 [B] (detection: float [B,T,N]);
    ids the B clip names; frame_numbers int64 [B,T] in the source (-1 where padded); mask bool [B,T], True where a
    snippet is real, of videos that are padded to one length. encoded says that video is
    what frozen first layers made of it, [B,C,T',H',W'].
    """

    video: Tensor | None = None
    pose: Tensor | None = None
    flow: Tensor | None = None
    parts: Tensor | None = None
    rendered: Tensor | None = None
    trajectories: Tensor | None = None
    truth: Tensor | None = None
    part_truth: Tensor | None = None
    segments: dict[int, Batch] | None = None
    features: dict[str, Tensor] | None = None
    label: Tensor | None = None
    ids: list[str] = field(default_factory=list)
    frame_numbers: Tensor | None = None
    mask: Tensor | None = None
    encoded: bool = False

    def __len__(self) -> int:
        for name in (*TENSORS, "label"):
            if (value := getattr(self, name)) is not None:
                return len(value)
        for value in (self.features or {}).values():
            return len(value)
        return len(self.ids)

    def to(self, device: Any) -> Batch:
        """A copy on ``device``; uint8 pictures become float in [-1,1] there, so that only bytes cross the bus. Those of
        segments, many times as many, stay bytes."""
        moved = self._each(lambda value: value.to(device, non_blocking=True))
        for name in PICTURES:
            value = getattr(moved, name)
            if value is not None and not value.is_floating_point():
                setattr(moved, name, value.float().div_(127.5).sub_(1))
        if self.segments is not None:
            there = {
                g: part._each(lambda value: value.to(device, non_blocking=True)) for g, part in self.segments.items()
            }
            moved.segments = there
        if self.features is not None:
            moved.features = {name: value.to(device) for name, value in self.features.items()}
        return moved

    def segment(self, granularity: int, i: int) -> Batch:
        """The clips [B] of segment ``i`` of ``granularity``, pictures as float; ValueError where there are none."""
        segments = self.segments or {}
        if granularity not in segments:
            there = ", ".join(map(str, segments)) or "none"
            raise ValueError(f"this batch has no segments of granularity {granularity}; it has: {there}")
        part = segments[granularity]._each(lambda value: value[i::granularity])
        devices = [value.device for name in TENSORS if (value := getattr(part, name)) is not None]
        return part.to(devices[0]) if devices else part

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """A copy with ``change`` of every tensor but features and those of segments."""
        values = {name: getattr(self, name) for name in (*TENSORS, "label", "frame_numbers", "mask")}
        changed: dict[str, Any] = {name: change(value) for name, value in values.items() if value is not None}
        return replace(self, **changed)

    def replace(self, **changes: Any) -> Batch:
        """A copy with some fields exchanged: ``batch.replace(pose=other)`` asks a counterfactual."""
        return replace(self, **changes)


@dataclass
class Output:
    """What every system returns, in training and in evaluation alike.

    logits [B,N] (detection [B,T,N]); features [B,F], what the classifier reads; maps: named tensors, see ``MAPS``;
    aux: intermediates that only the system's own loss reads.
    """

    logits: Tensor
    features: Tensor
    maps: dict[str, Tensor] = field(default_factory=dict)
    aux: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.maps:
            if name not in MAPS and not name.startswith(("segments/", "teacher/")):
                raise ValueError(
                    f"unknown map {name!r}; the vocabulary is {', '.join(MAPS)}, segments/<G>, teacher/<name>"
                )
