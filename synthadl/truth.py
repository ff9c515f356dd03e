"""What makes the label of a clip what it is, as it is stored: joints, region, moment."""

from __future__ import annotations

import numpy as np

from synthadl.drawing.camera import Camera
from synthadl.drawing.render import TRUTH
from synthadl.people.performance import Performance


def boxes(mask: np.ndarray) -> np.ndarray:
    """float32 [T,4]: (x0, y0, x1, y1) in pixels around mask bool [T,H,W], ends exclusive; NaN where it is empty."""
    out = np.full((len(mask), 4), np.nan, np.float32)
    for row, frame in zip(out, mask, strict=True):
        columns, rows = np.flatnonzero(frame.any(0)), np.flatnonzero(frame.any(1))
        if len(columns):
            row[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return out


def arrays(performance: Performance, camera: Camera, marks: np.ndarray) -> dict[str, np.ndarray]:
    """What the npz of a clip holds.

    marks uint8 [T,H,W] as render.draw makes them. joints float32 [T,25,3] camera space in metres, pixels float32
    [T,25,2], intrinsics float64 [3,3], extrinsics float64 [4,4], truth_joints bool [25], truth_box float32 [T,4],
    truth_mask uint8 [T,H,ceil(W/8)] (numpy.packbits), interval int64 [2] (frame numbers, end exclusive).
    """
    joints = camera.see(performance.joints)
    mask = (marks & TRUTH) > 0
    return {
        "joints": joints.astype(np.float32),
        "pixels": camera.project(joints).astype(np.float32),
        "intrinsics": camera.intrinsics,
        "extrinsics": camera.extrinsics,
        "truth_joints": np.asarray(performance.truth_joints, bool),
        "truth_box": boxes(mask),
        "truth_mask": np.packbits(mask, axis=-1),
        "interval": np.array(performance.interval, np.int64),
    }
