"""From a clip and its maps to the numbers that the player draws: one JSON-able dict and a list of JPEG pictures."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from workbench.media.skeletons import joint_sides
from workbench.plain import array
from workbench.types import Clip, Pose, Truth

#: A map is drawn a few hundred pixels wide: cells finer than this many on a side only cost bytes.
FINEST = 64
#: Maps travel as bytes: 0..254 between ``low`` and ``high``, this one for "not a number".
MISSING = 255


@dataclass(frozen=True)
class Track:
    """One run's view of the clip. maps: name -> float [T',H',W'], [T,H,W] or [H',W']; temporal: name -> float [T'].

    A value may be None: the system has no such map, and the player shows a labelled blank. affinity: a non-local
    block's float [P,P'] with the grids (T',H',W') of its P queries and its P' keys; a click on the picture then shows
    where that place looks. pin: the map that this pane shows whatever the others do ("" none). scores: (class name,
    score in [0,1], score before or None), drawn as bars; note: a sentence below them. frames: uint8 [T,H,W,3], the
    pane's own pictures in place of the clip's, and pixels and truth the joints and the truth in them, in clip pixels.
    before: the pane shows the clip as it was before it was edited.
    """

    title: str = ""
    maps: Mapping[str, Any] = field(default_factory=dict)
    temporal: Mapping[str, Any] = field(default_factory=dict)
    affinity: tuple[Any, tuple[int, int, int], tuple[int, int, int]] | None = None
    pin: str | None = None
    scores: Sequence[tuple[str, float, float | None]] = ()
    note: str = ""
    frames: Any = None
    pixels: Pose | None = None
    truth: Truth | None = None
    before: bool = False


@dataclass(frozen=True)
class Edited:
    """What was done to the clip. tools: what the viewer may do, "joint" (drag it) and "cover" (a region); before: the
    pose as it was, drawn faintly; order int64 [T]: the frame that stands at each place; covers: (box in clip pixels,
    (start, end) frames, RGB)."""

    tools: tuple[str, ...] = ()
    before: Pose | None = None
    order: Any = None
    covers: Sequence[tuple[Sequence[float], tuple[int, int], Sequence[float]]] = ()


def describe(
    clip: Clip,
    pixels: Pose | None,
    truth: Truth | None,
    tracks: list[Track],
    title: str,
    caption: str,
    edited: Edited,
) -> dict:
    """The scene: everything but the pictures, in clip pixels and clip frames, ready for ``json.dumps``."""
    count, height, width = clip.frames.shape[:3]
    return {
        "title": str(title),
        "caption": str(caption),
        "source": PurePath(clip.source).name,
        "size": [width, height],
        "interval": seconds_per_frame(clip),
        "numbers": [int(number) for number in clip.frame_numbers],
        "seconds": [round(float(second), 3) for second in clip.seconds],
        "pose": None if pixels is None else _pose(pixels, count),
        "truth": None if truth is None else _truth(truth, count),
        "tracks": [
            {**_track(track, count), "first": first} for track, first in zip(tracks, starts(tracks, count), strict=True)
        ],
        "tools": list(edited.tools),
        "ghost": None if edited.before is None else _pose(edited.before, count)["joints"],
        "order": None if edited.order is None else [int(frame) for frame in edited.order],
        "covers": [
            {"box": list(map(float, box)), "span": list(map(int, span)), "color": f"rgb({int(r)} {int(g)} {int(b)})"}
            for box, span, (r, g, b) in edited.covers
        ],
    }


def pictures(clip: Clip, tracks: Sequence[Track], quality: int) -> list[bytes]:
    """One JPEG per frame, of the clip and then of each track that has its own (see ``starts``): decoded once, a short
    clip can then be shown frame by frame, exactly and in any order."""
    brought = _track_frames(tracks)
    if wrong := [np.shape(frames) for frames in brought if np.shape(frames) != clip.frames.shape]:
        raise ValueError(f"a track's own frames must be those of the clip, {clip.frames.shape}, got {wrong[0]}")
    shown = [*([] if _all_bring_frames(tracks) else [clip.frames]), *brought]
    return [jpeg(frame, quality) for frames in shown for frame in frames]


def starts(tracks: Sequence[Track], count: int) -> list[int]:
    """Where the pictures of each track begin among ``pictures``; the clip's are there where a track shows them."""
    places = {id(frames): place for place, frames in enumerate(_track_frames(tracks), not _all_bring_frames(tracks))}
    return [places.get(id(track.frames), 0) * count for track in tracks]


def _track_frames(tracks: Sequence[Track]) -> list[Any]:
    """The pictures that tracks bring, those that several share once."""
    return list({id(track.frames): track.frames for track in tracks if track.frames is not None}.values())


def _all_bring_frames(tracks: Sequence[Track]) -> bool:
    return all(track.frames is not None for track in tracks)


def jpeg(frame: np.ndarray, quality: int = 85) -> bytes:
    """uint8 [H,W,3] RGB as JPEG bytes."""
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError(f"a frame of size {frame.shape} could not be written as JPEG")
    return encoded.tobytes()


def seconds_per_frame(clip: Clip) -> float:
    """Real time between two sampled frames; a clip that wraps round counts only its forward steps."""
    steps = np.diff(clip.seconds)
    forward = steps[steps > 0]
    return float(np.median(forward)) if len(forward) else 1.0 / float(clip.fps)


def _pose(pixels: Pose, count: int) -> dict:
    if pixels.space != "image":
        raise ValueError(f"the player draws poses in clip pixels (space 'image'), got space {pixels.space!r}")
    if pixels.joints.shape[1] != count:
        raise ValueError(f"the pose has {pixels.joints.shape[1]} frames, the clip {count}")
    skeleton = pixels.skeleton
    return {
        "joints": _numbers(pixels.joints[..., :2], 1),
        "bones": [list(bone) for bone in skeleton.bones],
        "names": list(skeleton.joints),
        "sides": joint_sides(skeleton).tolist(),
    }


def _truth(truth: Truth, count: int) -> dict:
    if len(truth.frame_numbers) != count:
        raise ValueError(f"the truth has {len(truth.frame_numbers)} frames, the clip {count}")
    return {"box": _numbers(truth.box, 1), "moment": [bool(inside) for inside in truth.moment]}


def as_clip(frames: Any) -> Clip:
    """Frames uint8 [T,H,W,3] RGB, an array or tensor, as a Clip of 25 frames a second; a Clip as it is. ValueError, one
    sentence, for anything else."""
    if isinstance(frames, Clip):
        return frames
    pictures = frames.detach().cpu().numpy() if isinstance(frames, Tensor) else np.asarray(frames)
    shape = list(pictures.shape)
    if pictures.ndim == 4 and shape[3] == 3 and pictures.dtype == np.uint8:
        return Clip(pictures, np.arange(shape[0]), 25.0)
    hint = ""
    if pictures.ndim == 5 and shape[1] == 3:
        hint = ": the frames of a video [B,3,T,H,W] are video[0].permute(1, 2, 3, 0)"
    elif pictures.ndim == 4 and shape[3] != 3 and 3 in shape[:2]:
        order = "permute(1, 2, 3, 0)" if shape[0] == 3 else "permute(0, 2, 3, 1)"
        hint = f": the colours come last, as {order} puts them"
    numbers = np.issubdtype(pictures.dtype, np.number)
    if numbers and pictures.dtype != np.uint8 and pictures.size:
        low, high = pictures.min(), pictures.max()
        scale = "((x + 1) * 127.5)" if -1 <= low < 0 and high <= 1 else "(x * 255)" if low >= 0 and high <= 1 else "x"
        hint += f"{';' if hint else ':'} values from {low:.3g} to {high:.3g} become bytes with {scale}.astype('uint8')"
    problem = f"{pictures.dtype} {shape}" if numbers else f"a {type(frames).__name__}"
    raise ValueError(f"a player shows a Clip, or frames uint8 [T,H,W,3], got {problem}{hint}")


def _track(track: Track, count: int) -> dict:
    return {
        "title": str(track.title),
        "maps": {str(name): _map(name, value, count) for name, value in track.maps.items() if value is not None},
        "temporal": {str(name): _weights(name, value) for name, value in track.temporal.items() if value is not None},
        "lacks": [str(name) for name, value in track.maps.items() if value is None],
        "affinity": None if track.affinity is None else _affinity(*track.affinity),
        "pin": track.pin,
        "scores": [
            {"name": str(name), "value": round(float(value), 7), "before": None if before is None else float(before)}
            for name, value, before in track.scores
        ],
        "note": str(track.note),
        "joints": None if track.pixels is None else _pose(track.pixels, count)["joints"],
        "truth": None if track.truth is None else _truth(track.truth, count),
        "before": track.before,
    }


def _affinity(matrix: Any, grid: Sequence[int], keys: Sequence[int]) -> dict:
    """Bytes [P,P'], each row on a scale of its own from 0 to its highest value (``tops``)."""
    rows = np.asarray(matrix, np.float32)
    if rows.shape != (np.prod(grid), np.prod(keys)) or not np.isfinite(rows).all() or rows.min() < 0:
        cells = f"{tuple(grid)} to {tuple(keys)} cells"
        raise ValueError(f"an affinity of {cells} must be finite and >= 0, of shape [P,P']")
    tops = rows.max(1)
    coded = np.rint(rows / np.maximum(tops, 1e-12)[:, None] * (MISSING - 1)).astype(np.uint8)
    data = base64.b64encode(coded.tobytes()).decode()
    return {"grid": [*map(int, grid)], "keys": [*map(int, keys)], "tops": _numbers(tops, 6), "data": data}


def _map(name: str, value: Any, count: int) -> dict:
    """Bytes [T',H',W'] with their range, over ``count`` frames; a map with negative values gets a range symmetric about
    zero."""
    cells = array(value)
    cells = cells[None] if cells.ndim == 2 else cells
    if cells.ndim != 3 or 0 in cells.shape:
        raise ValueError(f"map {name!r} must be [T',H',W'] or [H',W'], got shape {np.shape(value)}")
    if len(cells) > count:
        raise ValueError(f"map {name!r} has {len(cells)} time steps [T',H',W'], the clip has {count} frames")
    if np.isinf(cells).any():
        raise ValueError(f"map {name!r} holds infinite values; a map is finite, or NaN where it is missing")
    if max(cells.shape[1:]) > FINEST:
        scale = FINEST / max(cells.shape[1:])
        size = [max(1, round(side * scale)) for side in reversed(cells.shape[1:])]
        cells = np.stack([cv2.resize(step, size, interpolation=cv2.INTER_AREA) for step in cells])
    low, high = span(cells)
    coded = np.where(np.isnan(cells), MISSING, np.rint((cells - low) / (high - low) * (MISSING - 1)))
    data = base64.b64encode(coded.astype(np.uint8).tobytes()).decode()
    return {"shape": list(cells.shape), "low": low, "high": high, "data": data}


def span(cells: np.ndarray) -> tuple[float, float]:
    """The range of a colour scale: from zero to the largest value, symmetric about zero where values are negative."""
    finite = cells[~np.isnan(cells)]
    high = float(np.abs(finite).max(initial=0.0)) or 1.0
    return (-high, high) if finite.min(initial=0.0) < 0 else (0.0, high)


def _weights(name: str, value: Any) -> list:
    weights = array(value)
    if weights.ndim != 1 or not len(weights):
        raise ValueError(f"temporal weights {name!r} must be [T'], got shape {np.shape(value)}")
    if np.isinf(weights).any():
        raise ValueError(f"temporal weights {name!r} hold infinite values")
    return _numbers(weights, 6)


def _numbers(array: np.ndarray, digits: int) -> list:
    """Nested lists with None for NaN: JSON has no NaN."""
    rounded = np.round(np.asarray(array, np.float64), digits).astype(object)
    rounded[~np.isfinite(np.asarray(array, np.float64))] = None
    return rounded.tolist()
