"""Poses from RGB where a data set has none: MediaPipe's 33 joints, in 3D and in pixels, once for each video."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from safefiles import checksums
from workbench.media import video
from workbench.media.estimation.pose_process import PoseError, PoseProcess
from workbench.media.files.ingest import default_cache
from workbench.types import Clip, Pose, Skeleton

MEDIAPIPE = Skeleton.named("mediapipe_33")

#: Part of every file's name: a change of what is stored makes old ones invisible.
VERSION = 1

#: Frames that are decoded at once: a whole video in its full size might not fit into memory.
PIECE = 64

#: Of the worker's axes (x right, y down, z away) and the workbench's (x right, y up, z away).
_AXES = np.array([1, -1, 1], np.float32)


def estimate(
    source: str | os.PathLike | Clip,
    space: str = "camera",
    *,
    python: str | os.PathLike | None = None,
    model: str | os.PathLike | None = None,
    timeout: float = 30.0,
    process: PoseProcess | None = None,
) -> Pose:
    """The pose of the one person that MediaPipe finds in a video file or Clip; schema mediapipe_33.

    space "camera": joints float32 [1,T,33,3], metres (x right in the image, y up, z away from the camera) from the
    middle of the hips in each frame, for one camera can't tell where a person stands; "image": [1,T,33,2], source
    pixels. confidence [1,T,33] is MediaPipe's visibility. NaN with confidence 0 where no person is found.

    A video's poses are kept in the folder "pose" of $WORKBENCH_CACHE (default: ~/.cache/workbench) until the file
    or the model changes; a Clip's are not. python, model and timeout as of ``PoseProcess``; ``process`` is one to use
    again, in place of these. Raises what ``video.ingest`` and ``PoseProcess`` raise; PoseError names the video.
    """
    if space not in ("camera", "image"):
        raise ValueError(f"estimate: space must be camera or image, got {space!r}")
    if process is None:
        with PoseProcess(python, model, timeout) as process:
            return estimate(source, space, process=process)
    if isinstance(source, Clip):
        arrays, numbers = _of_clip(source, process), source.frame_numbers
    else:
        arrays = _remembered(source, process)
        numbers = np.arange(len(arrays["joints"]))
    joints = arrays["joints" if space == "camera" else "pixels"]
    return Pose(joints[None], MEDIAPIPE, space, numbers, arrays["confidence"][None])


def estimate_all(
    videos: Sequence[str | os.PathLike],
    targets: Sequence[str | os.PathLike],
    *,
    python: str | os.PathLike | None = None,
) -> dict[str, str]:
    """Writes the pose file of each of ``videos`` to the path at the same place of ``targets``, with a progress bar.

    An npz as manifests read it: joints [T,33,3], pixels [T,33,2], confidence [T,33], skeleton. Atomic; files that are
    newer than their video are left as they are, so that it goes on where it was stopped. Returns {video: reason} for
    those that can't be read or on which the process was lost; no file is written for them.
    """
    pairs = [(Path(source), Path(target)) for source, target in zip(videos, targets, strict=True)]
    todo = [(source, target) for source, target in pairs if not _is_current(source, target)]
    failed: dict[str, str] = {}
    if not todo:
        return failed
    with PoseProcess(python) as process:
        for source, target in tqdm(todo, "finding poses", unit="video", disable=len(todo) < 2):
            try:
                _write(target, _of_video(source, process))
            except (ValueError, FileNotFoundError, PoseError) as problem:
                failed[str(source)] = str(problem)
    return failed


def _is_current(source: Path, target: Path) -> bool:
    try:
        newer = target.stat().st_mtime_ns >= source.stat().st_mtime_ns
    except FileNotFoundError:
        return False
    return newer and checksums.intact(target)


def _remembered(path: str | os.PathLike, process: PoseProcess) -> dict[str, np.ndarray]:
    info = video.ingest(path)
    states = [
        (str(file), os.stat(file).st_size, os.stat(file).st_mtime_ns) for file in (info.path, process.model) if file
    ]
    record = (
        default_cache().with_name("pose")
        / f"{hashlib.sha256(json.dumps([VERSION, *states]).encode()).hexdigest()[:32]}.npz"
    )
    arrays = _read(record)
    if arrays is None:
        arrays = _of_video(path, process)
        _write(record, arrays)
    return arrays


def _read(path: Path) -> dict[str, np.ndarray] | None:
    """What is kept, or None: what can't be read is found out again."""
    if not checksums.intact(path):
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("joints", "pixels", "confidence", "skeleton")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
    checksums.write(path, buffer.getvalue())


def _of_video(path: str | os.PathLike, process: PoseProcess) -> dict[str, np.ndarray]:
    info = video.ingest(path)
    # The estimator knows how bodies are proportioned: it sees them as a player shows them, with square pixels. What it
    # answers are shares of the picture, which become pixels of the file.
    size = info.height, max(1, round(info.width * info.pixel_aspect))

    def frames() -> Iterator[np.ndarray]:
        for start in range(0, info.frames, PIECE):
            numbers = np.arange(start, min(start + PIECE, info.frames))
            yield from video.resize(video.read(info, numbers).frames, size)

    try:
        landmarks = process.landmarks(frames(), info.frames, size, info.fps)
    except PoseError as problem:
        raise PoseError(f"{info.path}: {problem}") from None
    return _arrays(landmarks, (0.0, 0.0, info.width, info.height))


def _of_clip(clip: Clip, process: PoseProcess) -> dict[str, np.ndarray]:
    height, width = clip.frames.shape[1:3]
    landmarks = process.landmarks(clip.frames, len(clip.frames), (height, width), clip.fps)
    return _arrays(landmarks, clip.crop or (0.0, 0.0, width, height))


def _arrays(landmarks: np.ndarray, box: tuple[float, float, float, float]) -> dict[str, np.ndarray]:
    """What a pose file holds, of landmarks [T,33,6] in the part ``box`` of the source's picture."""
    x0, y0, x1, y1 = box
    return {
        "joints": landmarks[..., :3] * _AXES,
        "pixels": (landmarks[..., 3:5] * [x1 - x0, y1 - y0] + [x0, y0]).astype(np.float32),
        "confidence": np.nan_to_num(landmarks[..., 5]).clip(0, 1),
        "skeleton": np.array(MEDIAPIPE.name),
    }
