"""Files in the formats of the public data sets, written from arrays: what the parsers are tried on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def ntu_text(bodies: list[list[tuple[str, np.ndarray]]], newline: str = "\r\n") -> str:
    """A .skeleton file: for each frame its bodies (id, float [25,12] rows as in the file)."""
    lines = [str(len(bodies))]
    for frame in bodies:
        lines.append(str(len(frame)))
        for name, rows in frame:
            lines += [f"{name} 0 1 1 0 0 0 0.02 -0.1 2", "25"]
            lines += [" ".join([*(f"{v:.7g}" for v in row[:11]), str(int(row[11]))]) for row in rows]
    return newline.join(lines) + newline


def ntu_rows(seed: int) -> np.ndarray:
    """float [25,12]: a body's rows with made-up numbers, all joints tracked."""
    rows = np.random.default_rng(seed).normal(size=(25, 12)).round(5)
    rows[:, 5:7] = np.abs(rows[:, 5:7]) * 400
    rows[:, 11] = 2
    return rows


def write_ntu(path: Path, frames: int = 3, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ntu_text([[("72057594037944738", ntu_rows(seed + t))] for t in range(frames)]), newline="")
    return path


def smarthome_json(pose2d: np.ndarray, pose3d: np.ndarray) -> dict:
    """The JSON of Smarthome and TSU: [M,T,13,2] and [M,T,13,3] in planar order; a body that is NaN is left out."""
    frames = [
        [
            {"pose2d": flat.T.ravel().tolist(), "pose3d": deep.T.ravel().tolist()}
            for flat, deep in zip(pose2d[:, t], pose3d[:, t], strict=True)
            if np.isfinite(deep).all()
        ]
        for t in range(pose3d.shape[1])
    ]
    return {"K": len(pose3d), "njts": 13, "frames": frames}


def write_json(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def cad_text(joints: np.ndarray, confidence: np.ndarray) -> str:
    """A skeleton file of CAD-60 / CAD-120: float [T,15,3] in millimetres, confidence [T,15]."""
    lines = []
    for frame, (points, certain) in enumerate(zip(joints, confidence, strict=True), 1):
        fields = [str(frame)]
        for joint in range(15):
            if joint < 11:
                fields += ["1", "0", "0", "0", "1", "0", "0", "0", "1", "1"]
            fields += [f"{v:.6f}" for v in points[joint]] + [str(int(certain[joint]))]
        lines.append(",".join(fields) + ",")
    return "\r\n".join([*lines, "END"]) + "\r\n"


def msr_text(world: list[np.ndarray], screen: list[np.ndarray]) -> str:
    """A skeleton.txt of MSRDailyActivity3D: per frame float [M,20,3] metres and [M,20,2] in [0,1]."""
    lines = [f"{len(world)} 20"]
    for points, places in zip(world, screen, strict=True):
        lines.append(str(40 * len(points)))
        for body, seen in zip(points, places, strict=True):
            for (x, y, z), (u, v) in zip(body, seen, strict=True):
                lines += [f"{x:.6f} {y:.6f} {z:.6f} 1", f"{u:.6f} {v:.6f} {z * 1000:.0f} 1"]
    return "\n".join(lines) + "\n"


def pku_text(bodies: np.ndarray, blank: str = "") -> str:
    """A skeleton file of PKU-MMD: float [T,2,25,3] metres; ``blank`` begins each line after the first (phase 2)."""
    lines = [" ".join(f"{v:.6f}" for v in frame.ravel()) for frame in bodies]
    return ("\r\n" + blank).join(lines) + "\r\n"


def ucla_frame(bodies: list[np.ndarray]) -> str:
    """One raw skeleton file of NW-UCLA: bodies float [20,3] metres, all joints tracked."""
    return "".join("60\n" + "".join(f"{x:.6f},{y:.6f},{z:.6f},2\n" for x, y, z in body) for body in bodies)


def openpose_frame(people: list[np.ndarray]) -> dict:
    """OpenPose's --write_json of one frame: people float [V,3] of x, y, confidence."""
    return {"version": 1.3, "people": [{"pose_keypoints_2d": person.ravel().tolist()} for person in people]}


def bodies(persons, frames, joints, axes, seed=0):
    """float [persons,frames,joints,axes], made-up numbers."""
    return np.random.default_rng(seed).normal(size=(persons, frames, joints, axes)).round(4)


def person(seed, joints):
    """float [V,3]: x, y in pixels, confidence 0.8."""
    values = np.random.default_rng(seed).uniform(1, 300, (joints, 3)).round(2)
    values[:, 2] = 0.8
    return values


def annotation(frames=4, joints=17, axes=2, name="clip", label=1):
    """An annotation of a pickle: two persons, the second not there in frame 1."""
    keypoint = np.random.default_rng(0).uniform(1, 200, (2, frames, joints, axes)).astype(np.float16)
    keypoint[1, 1] = 0
    entry = {"frame_dir": name, "label": label, "keypoint": keypoint, "total_frames": frames, "img_shape": (1080, 1920)}
    return entry if axes == 3 else {**entry, "keypoint_score": np.full(keypoint.shape[:3], 0.5, np.float16)}
