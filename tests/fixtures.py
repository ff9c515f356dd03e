"""A tiny stand-in for SynthADL, written in a second: real H.264 files, real arrays, the same layout on disk."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pandas as pd

from workbench.types import Skeleton

#: Kinect v2 rest pose, metres in the world (x right, y up, z to the front); the subject's left is +x.
REST = np.array([
    [0, 0.95, 0], [0, 1.2, 0], [0, 1.5, 0], [0, 1.65, 0],
    [0.2, 1.42, 0], [0.28, 1.15, 0], [0.3, 0.92, 0], [0.3, 0.85, 0],
    [-0.2, 1.42, 0], [-0.28, 1.15, 0], [-0.3, 0.92, 0], [-0.3, 0.85, 0],
    [0.1, 0.92, 0], [0.1, 0.5, 0], [0.1, 0.1, 0], [0.1, 0.02, 0.12],
    [-0.1, 0.92, 0], [-0.1, 0.5, 0], [-0.1, 0.1, 0], [-0.1, 0.02, 0.12],
    [0, 1.45, 0], [0.3, 0.78, 0], [0.27, 0.82, 0.04], [-0.3, 0.78, 0], [-0.27, 0.82, 0.04],
])  # fmt: skip
RIGHT_ARM = {9: 0.5, 10: 0.9, 11: 1.0, 23: 1.0, 24: 1.0}
COLORS = np.array(
    [[220, 60, 50], [60, 200, 70], [60, 90, 230], [230, 210, 60], [200, 70, 210], [70, 210, 210]], np.uint8
)


def write_mp4(path: Path, frames: np.ndarray, fps: int = 25) -> None:
    """frames uint8 [T,H,W,3] RGB, H and W even, as H.264."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "12", "preset": "ultrafast", "threads": "1"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())


def fake_synthadl(
    root: Path,
    actions: int = 3,
    subjects: int = 4,
    views: int = 3,
    frames: int = 30,
    size: tuple[int, int] = (120, 160),
    seed: int = 0,
) -> Path:
    """A world of actions x subjects x views clips under ``root``, in SynthADL's format; returns ``root``.

    Each action moves the right hand, which holds a square of the action's colour, its own way (direction and rhythm)
    during its middle part. Splits: cross-subject: last subject test, last but one validation; cross-view: last view
    test; cross-setup: setup 2 (even subjects) test. Subjects count from 1, clip lengths are ``frames`` plus 0 to 4.
    """
    root = Path(root)
    for folder in ("videos", "arrays"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rows = [
        _clip(root, action, subject, view, frames + int(rng.integers(0, 5)), size, rng)
        for action in range(actions)
        for subject in range(1, subjects + 1)
        for view in range(1, views + 1)
    ]
    table = pd.DataFrame(rows)
    part = np.where(table.subject == subjects - 1, "validation", "train")
    table["split_cs"] = np.where(table.subject == subjects, "test", part)
    table["split_cv"] = np.where(table["view"] == views, "test", part)
    table["split_setup"] = np.where(table.setup == 2, "test", part)
    table.to_parquet(root / "index.parquet")
    (root / "world.json").write_text(json.dumps({"size": "tiny", "seed": seed, "version": 1, "settings": {}}))
    return root


def _clip(
    root: Path, action: int, subject: int, view: int, count: int, size: tuple[int, int], rng: np.random.Generator
) -> dict:
    height, width = size
    name = f"a{action:02d}_s{subject:02d}_v{view}"
    interval = (count // 4, 3 * count // 4)
    world = _motion(action, subject, count, interval, rng)
    yaw = (0.0, 0.5, -0.5)[(view - 1) % 3]
    extrinsics = np.diag([1.0, 1.0, -1.0, 1.0]) @ _shift(0, -1, -3) @ _turn(yaw)
    intrinsics = np.array([[width * 0.8, 0, width / 2], [0, width * 0.8, height / 2], [0, 0, 1]])
    joints = world @ extrinsics[:3, :3].T + extrinsics[:3, 3]
    pixels = joints[..., :2] / joints[..., 2:] * [intrinsics[0, 0], -intrinsics[1, 1]] + intrinsics[:2, 2]
    box = np.concatenate([pixels[:, 11] - width * 0.04, pixels[:, 11] + width * 0.04], axis=1)
    video, mask = _draw(pixels, box, action, subject, size, rng)
    write_mp4(root / "videos" / f"{name}.mp4", video)
    truth_joints = np.isin(np.arange(25), list(RIGHT_ARM))
    np.savez(
        root / "arrays" / f"{name}.npz",
        joints=joints.astype(np.float32),
        pixels=pixels.astype(np.float32),
        intrinsics=intrinsics,
        extrinsics=extrinsics,
        truth_joints=truth_joints,
        truth_box=box.astype(np.float32),
        truth_mask=np.packbits(mask, axis=-1),
        interval=np.array(interval, np.int64),
    )
    return {
        "id": name,
        "video": f"videos/{name}.mp4",
        "arrays": f"arrays/{name}.npz",
        "action": f"action {action}",
        "label": action,
        "subject": subject,
        "view": view,
        "camera": f"camera {view}",
        "setup": 1 + (subject + 1) % 2,
        "frames": count,
        "fps": 25.0,
        "width": width,
        "height": height,
        "imposter": "cup",
        "background": subject,
        "handedness": "right",
        "seed": 0,
        "interval_start": interval[0],
        "interval_end": interval[1],
    }


def _motion(action: int, subject: int, count: int, interval: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """float64 [T,25,3] world metres: the right arm swings along the action's own direction, at its own rhythm."""
    angle = np.pi * action / 3
    direction = np.array([-np.cos(angle), np.sin(angle), 0.3])
    phase = np.clip((np.arange(count) - interval[0]) / (interval[1] - interval[0]), 0, 1)
    swing = 0.45 * np.sin(np.pi * (1 + action % 2) * phase) * rng.uniform(0.9, 1.1)
    joints = np.repeat(REST[None] * (0.94 + 0.03 * (subject % 4)), count, axis=0)
    for joint, share in RIGHT_ARM.items():
        joints[:, joint] += share * swing[:, None] * direction
    return joints + rng.normal(0, 0.002, joints.shape) + [rng.uniform(-0.2, 0.2), 0, 0]


def _draw(
    pixels: np.ndarray, box: np.ndarray, action: int, subject: int, size: tuple[int, int], rng: np.random.Generator
) -> tuple:
    """uint8 [T,H,W,3] squares on a plain wall, and bool [T,H,W] where the held square is."""
    wall = np.random.default_rng(subject).integers(60, 160, 3)
    picture = np.clip(wall + rng.normal(0, 4, (*size, 3)), 0, 255).astype(np.uint8)
    video = np.repeat(picture[None], len(pixels), axis=0)
    mask = np.zeros((len(pixels), *size), bool)
    for t, points in enumerate(pixels):
        for x, y in points:
            video[t][_square(x - 2, y - 2, x + 2, y + 2)] = 235
        mask[t][_square(*box[t])] = True
    video[mask] = COLORS[action % len(COLORS)]
    return video, mask


def _square(x0: float, y0: float, x1: float, y1: float) -> tuple[slice, slice]:
    return slice(max(int(y0), 0), max(int(y1), 0)), slice(max(int(x0), 0), max(int(x1), 0))


def _shift(x: float, y: float, z: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def _turn(yaw: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[0, 0], matrix[0, 2], matrix[2, 0], matrix[2, 2] = np.cos(yaw), np.sin(yaw), -np.sin(yaw), np.cos(yaw)
    return matrix


def estimated(videos, targets, **_) -> dict[str, str]:
    """In the place of ``pose_estimation.estimate_all``: a body that drifts through 12 frames; in bob_wave's nobody is
    found in the second quarter and the third."""
    mediapipe = Skeleton.named("mediapipe_33")
    for path, target in zip(videos, targets, strict=True):
        target.parent.mkdir(exist_ok=True)
        body = np.random.default_rng(1).normal(size=(33, 3)) * 0.1
        body[list(mediapipe.shoulders), 1] += 0.5
        joints = body + np.arange(12)[:, None, None] * 0.01
        pixels = joints[..., :2] * [20, -20] + [32, 30]
        if "bob_wave" in str(path):
            joints[3:9], pixels[3:9] = np.nan, np.nan
        np.savez(target, joints=joints, pixels=pixels, confidence=np.full((12, 33), 0.8), skeleton=mediapipe.name)
    return {}
