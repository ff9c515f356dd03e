"""Poses as pictures, the ways PERF-Net compares (section 3.1, fig. 2, table 2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from workbench.media.skeletons import SIDE_COLORS, bone_limbs, joint_limbs
from workbench.types import Pose

OPTIONS = {"background": ("frame", "black"), "marker": ("bar", "dot"), "colors": ("fine", "coarse")}

#: The words of ``read_variant``: each chooses one option of ``draw``.
WORDS: dict[str, dict[str, Any]] = {word: {name: word} for name, words in OPTIONS.items() for word in words}
WORDS |= {"ratio": {"ratio_aware": True}, "uniform": {"ratio_aware": False}}
#: The variant that is the video itself, without a skeleton.
VIDEO = "video"

_MIDDLE, _LEFT, _RIGHT = SIDE_COLORS

#: RGB of skeletons.COARSE: head, body, left arm, right arm, left leg, right leg.
COARSE_COLORS = ((255, 225, 60), _MIDDLE, _LEFT, _RIGHT, (255, 150, 30), (50, 220, 200))

#: RGB of skeletons.FINE: warm hues on the body's left, cool ones on its right.
FINE_COLORS = (
    (255, 225, 60),
    _MIDDLE,
    (150, 150, 150),
    (205, 170, 120),
    (125, 175, 125),
    _LEFT,
    (255, 150, 190),
    _RIGHT,
    (150, 195, 255),
    (255, 150, 30),
    (190, 100, 20),
    (50, 220, 200),
    (20, 140, 90),
)

#: Bars are this share of the longer side of the person's box wide (ratio-aware), or of the picture's (uniform).
PERSON_SHARE, PICTURE_SHARE = 1 / 20, 1 / 56

#: cv2's bits of a pixel, and how much wider than asked its smooth shapes come out.
_FRACTION, _BORDER = 4, 1.4


def draw(
    frames: np.ndarray,
    pose: Pose,
    background: str = "frame",
    marker: str = "bar",
    colors: str = "fine",
    ratio_aware: bool = True,
    thickness: float = 1.0,
    palette: Sequence[str] = (),
) -> np.ndarray:
    """Skeletons drawn on frames, or on black.

    Args:
        frames: uint8 [T,H,W,3] RGB; they are left as they are.
        pose: in image space, pixels of ``frames``, any schema and number of persons, one pose a frame; what is missing
            is left out.
        background: "frame" or "black".
        marker: "bar" draws bones as lines, "dot" joints as discs.
        colors: "fine" gives each of 13 limbs its own, "coarse" the six of head, body, arms and legs.
        ratio_aware: widths are proportional to the person's box in that frame, else all are equal.
        thickness: above 0; how many times as wide as the paper's.
        palette: "#rrggbb", the colours of ``skeletons.FINE`` or ``COARSE`` in their order, in turn where they are
            fewer; none: the library's.

    Returns:
        uint8 [T,H,W,3] RGB.

    Raises:
        ValueError: an unknown option, another space, or another number of poses than frames.

    Source:
        PERF-Net (WACV 2022), section 3.1.
    """
    for name, value in (("background", background), ("marker", marker), ("colors", colors)):
        if value not in OPTIONS[name]:
            raise ValueError(f"draw: {name} must be one of {', '.join(OPTIONS[name])}, got {value!r}")
    if not 0 < thickness < np.inf:
        raise ValueError(f"draw: thickness must be above 0, got {thickness!r}")
    if pose.space != "image":
        raise ValueError(f"draw needs joints in image space (pixels), got space {pose.space!r}")
    if pose.joints.shape[1] != len(frames):
        raise ValueError(f"draw needs one pose a frame, got {pose.joints.shape[1]} poses and {len(frames)} frames")
    canvas = frames.copy() if background == "frame" else np.zeros(frames.shape, np.uint8)
    colours = _palette(pose, marker, colors, [_color(text) for text in palette])
    points = pose.joints[..., :2].astype(np.float64)
    # At least a hair.
    pixels = np.maximum(thickness * widths(points, canvas.shape[1:3], ratio_aware) - _BORDER, 0.1)
    paint = _bars if marker == "bar" else _dots
    for body in range(len(points)):
        paint(canvas, points[body], pixels[body], pose.skeleton.bones, colours)
    return canvas


def read_variant(name: str) -> dict[str, Any]:
    """The options of ``draw`` that the words of ``name`` choose, with hyphens between them; the rest keep their
    defaults.

    "black-dot-coarse-uniform" chooses four options; "x2.5" is the thickness, every "#rrggbb" one colour of the palette.
    ValueError naming the valid words.
    """
    options: dict[str, Any] = {}
    for word in name.lower().split("-"):
        if word.startswith("#"):
            _color(word)
            chosen: dict[str, Any] = {"palette": [*options.pop("palette", []), word]}
        elif re.fullmatch(r"x\d+(\.\d+)?", word) and float(word[1:]) > 0:
            chosen = {"thickness": float(word[1:])}
        elif word in WORDS:
            chosen = WORDS[word]
        else:
            valid = f"{', '.join(WORDS)}, a thickness such as x2, colours such as #ff8800"
            raise ValueError(f"unknown variant {name!r}: it is {VIDEO}, or words joined by hyphens of {valid}")
        if clash := set(options) & set(chosen):
            raise ValueError(f"variant {name!r} chooses {clash.pop()} twice")
        options |= chosen
    return options


def _color(text: str) -> tuple[int, int, int]:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError(f"draw: a colour of the palette is written #rrggbb, such as #ff8800, got {text!r}")
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _bars(canvas: np.ndarray, points: np.ndarray, widths: np.ndarray, bones: tuple, palette: list) -> None:
    ends = points[:, np.array(bones)]  # [T,bones,2,2]
    finite = np.isfinite(ends).all(axis=(2, 3))
    along = ends[:, :, 1] - ends[:, :, 0]
    across = along[..., ::-1] * [-1, 1] / np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-9)
    across = across[:, :, None] * (widths / 2)[:, None, None, None]
    corners = _fixed_point(np.concatenate([ends - across, (ends + across)[:, :, ::-1]], axis=2))
    caps, radii = _fixed_point(ends).tolist(), _fixed_point(widths / 2).tolist()
    for t, bone in np.argwhere(finite).tolist():
        cv2.fillConvexPoly(canvas[t], corners[t, bone], palette[bone], cv2.LINE_AA, _FRACTION)
        for cap in caps[t][bone]:
            cv2.circle(canvas[t], cap, radii[t], palette[bone], -1, cv2.LINE_AA, _FRACTION)


def _dots(canvas: np.ndarray, points: np.ndarray, widths: np.ndarray, bones: tuple, palette: list) -> None:
    centres, radii = _fixed_point(points).tolist(), _fixed_point(0.75 * widths + _BORDER / 4).tolist()
    for t, joint in np.argwhere(np.isfinite(points).all(axis=2)).tolist():
        cv2.circle(canvas[t], centres[t][joint], radii[t], palette[joint], -1, cv2.LINE_AA, _FRACTION)


def _palette(
    pose: Pose, marker: str, colors: str, chosen: Sequence[tuple[int, int, int]]
) -> list[tuple[int, int, int]]:
    """The colour of each bone, or for dots of each joint."""
    fine, coarse = (bone_limbs if marker == "bar" else joint_limbs)(pose.skeleton)
    limbs, usual = (fine, FINE_COLORS) if colors == "fine" else (coarse, COARSE_COLORS)
    palette = chosen or usual
    return [palette[limb % len(palette)] for limb in limbs]


def widths(points: np.ndarray, size: tuple[int, int], ratio_aware: bool = True) -> np.ndarray:
    """How wide bars are: a share of the person's box (of it counts what lies within the picture) or of the picture.

    Args:
        points: float [M,T,V,2], pixels; NaN for a missing joint.
        size: (H, W) of the picture.
        ratio_aware: PERSON_SHARE of the longer side of the person's box in that frame, else PICTURE_SHARE of the
            longer side of the picture.

    Returns:
        float [M,T], pixels; 0 where nobody is.
    """
    if not ratio_aware:
        return np.full(points.shape[:2], max(size) * PICTURE_SHARE)
    inside = np.clip(points, 0, size[::-1])
    low = np.where(np.isnan(inside), np.inf, inside).min(axis=2)
    high = np.where(np.isnan(inside), -np.inf, inside).max(axis=2)
    return np.maximum(high - low, 0).max(axis=2) * PERSON_SHARE


def _fixed_point(values: np.ndarray) -> np.ndarray:
    """cv2's int32 coordinates; what is missing is anywhere, what lies far outside the picture is brought nearer."""
    scaled = np.nan_to_num(values) * (1 << _FRACTION)
    return np.rint(scaled).clip(-(1 << 18), 1 << 18).astype(np.int32, order="C")
