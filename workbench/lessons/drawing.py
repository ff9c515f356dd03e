"""The tasks of lab 3: the width of a bar, the side of a bone, a skeleton as a picture (PERF-Net, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from workbench.lessons.task import Answers, Task
from workbench.media import rendering, skeletons
from workbench.types import Pose, Skeleton

KINECT = "kinect_v2"
#: A person who stands, raises the right arm, and looks at us: the body's left is at the right of the picture.
STANDING = np.array([
    [0, 0.95], [0, 1.2], [0, 1.5], [0, 1.65], [0.2, 1.42], [0.28, 1.15], [0.3, 0.92], [0.3, 0.85], [-0.2, 1.42],
    [-0.4, 1.6], [-0.45, 1.8], [-0.45, 1.87], [0.1, 0.92], [0.1, 0.5], [0.1, 0.1], [0.14, 0.02], [-0.1, 0.92],
    [-0.1, 0.5], [-0.1, 0.1], [-0.14, 0.02], [0, 1.45], [0.3, 0.78], [0.26, 0.83], [-0.45, 1.94], [-0.41, 1.89],
])  # fmt: skip


def bar_width(points: np.ndarray, size: tuple[int, int]) -> float:
    """points float [V,2], size (H, W): pixels."""
    return float(rendering.widths(points[None, None], size)[0, 0])


def bone_sides(joints: Sequence[str], bones: Sequence[tuple[int, int]]) -> list[str]:
    """The names of joints, (child, parent) pairs of a Kinect's schema -> left, right or middle for each bone."""
    skeleton = next(known for known in map(Skeleton.named, Skeleton.names()) if known.joints == tuple(joints))
    return [skeletons.SIDES[side] for side in skeletons.bone_sides(skeleton)]


def draw_skeleton(
    frame: np.ndarray, points: np.ndarray, bones: Sequence, colors: Sequence, width: float, **options: Any
) -> np.ndarray:
    """frame uint8 [H,W,3], points float [V,2] (NaN: missing) -> uint8 [H,W,3], in the library's colours and width."""
    skeleton = next(known for known in map(Skeleton.named, Skeleton.names()) if known.bones == tuple(map(tuple, bones)))
    joints = np.asarray(points, np.float32)[None, None]
    pose = Pose(joints, skeleton, "image", np.zeros(1, np.int64))
    return rendering.draw(frame[None], pose, **({"background": "frame", "colors": "coarse"} | options))[0]


def _boxes(seed: int) -> dict[str, tuple]:
    rng = np.random.default_rng(seed)
    tall, wide = rng.uniform((40, 10), (60, 190), (25, 2)), rng.uniform((20, 90), (200, 120), (25, 2))
    missing = tall.copy()
    missing[[3, 9]] = np.nan
    outside = tall + (0, 60)
    return {
        "a tall person": (tall, (200, 240)),
        "a person who lies": (wide, (200, 240)),
        "missing joints (NaN)": (missing, (200, 240)),
        "a person who is partly outside of the picture": (outside, (200, 240)),
    }


def _schemas(seed: int) -> dict[str, tuple]:
    named = {"Kinect v2": KINECT, "Kinect v1": "kinect_v1"}
    return {
        f"the joints of {name}": (Skeleton.named(key).joints, Skeleton.named(key).bones) for name, key in named.items()
    }


def _scenes(seed: int) -> dict[str, tuple]:
    rng = np.random.default_rng(seed)
    points = (STANDING * (100, -100) + (118, 208) + rng.uniform(-2, 2, (25, 2))).astype(np.float32)
    skeleton = Skeleton.named(KINECT)
    black = np.zeros((224, 224, 3), np.uint8)
    picture = np.broadcast_to(np.linspace(60, 150, 224, dtype=np.uint8)[:, None, None], (224, 224, 3)).copy()
    missing = points.copy()
    missing[[6, 14]] = np.nan

    colors = [rendering.COARSE_COLORS[part] for part in skeletons.bone_limbs(skeleton)[1]]

    def scene(frame: np.ndarray, joints: np.ndarray) -> tuple:
        return frame, joints, skeleton.bones, colors, bar_width(joints, (224, 224))

    return {
        "a black picture": scene(black, points),
        "a grey picture": scene(picture, points),
        "missing joints (NaN)": scene(black, missing),
    }


def _apart(answers: Answers, wanted: Answers, arguments: tuple) -> float:
    """How much two pictures differ, blurred by a pixel or two, as a share of what was drawn on the frame: rough edges
    and the shape of the ends don't count."""
    pictures = answers[0], wanted[0], arguments[0]
    answer, right, frame = (cv2.GaussianBlur(picture.astype(np.float32), (5, 5), 0) for picture in pictures)
    return float(np.abs(answer - right).sum() / max(np.abs(right - frame).sum(), 1.0))


def _cv2_lines(scale: float) -> Callable[..., np.ndarray]:
    """Lines of another width than asked for."""

    def lines(frame: np.ndarray, points: np.ndarray, bones: Sequence, colors: Sequence, width: float) -> np.ndarray:
        canvas = frame.copy()
        for (child, parent), color in zip(bones, colors, strict=True):
            ends = points[[child, parent]]
            if np.isfinite(ends).all():
                first, second = (tuple(int(v) for v in end) for end in np.rint(ends))
                cv2.line(canvas, first, second, color, max(1, round(width * scale)), cv2.LINE_AA)
        return canvas

    return lines


def _box(points: np.ndarray) -> np.ndarray:
    return np.nanmax(points, axis=0) - np.nanmin(points, axis=0)


_NAN = "a missing joint is NaN: leave out every bone with such an end (np.isfinite)"

TASKS = {
    "bar_width": Task(
        bar_width,
        "workbench.media.rendering.widths",
        ("points", "size"),
        ("a single number, in pixels",),
        _boxes,
        {
            "this is the shorter side of the box, here its width; take the longer one": lambda p, size: (
                _box(p).min() * rendering.PERSON_SHARE
            ),
            "this is the box's diagonal; take its longer side": (
                lambda p, size: np.linalg.norm(_box(p)) * rendering.PERSON_SHARE
            ),
            "this is the whole side; a bar is 1/20 of it wide": lambda p, size: (
                bar_width(p, size) / rendering.PERSON_SHARE
            ),
            "this is the uniform width, a share of the picture; take a share of the person's box": (
                lambda p, size: rendering.widths(p[None, None], size, False)[0, 0]
            ),
            "this is 1/20 of the picture; take 1/20 of the person's box": lambda p, size: (
                max(size) * rendering.PERSON_SHARE
            ),
            "this is the height of the box even where its width is longer": lambda p, size: (
                _box(p)[1] * rendering.PERSON_SHARE
            ),
            "of the box counts what lies within the picture: clip x to W and y to H first": (
                lambda p, size: _box(p).max() * rendering.PERSON_SHARE
            ),
            "x is clipped to H and y to W; size is (H, W), and points are (x, y)": (
                lambda p, size: _box(np.clip(p, 0, size)).max() * rendering.PERSON_SHARE
            ),
            "this is the largest coordinate, not the side of a box: subtract the smallest": (
                lambda p, size: np.nanmax(p) * rendering.PERSON_SHARE
            ),
        },
        infinite="a missing joint is NaN: np.nanmax and np.nanmin leave it out",
        plain=True,
    ),
    "bone_sides": Task(
        bone_sides,
        "workbench.media.skeletons.bone_sides",
        ("joints", "bones"),
        ("a word for each bone: left, right or middle",),
        _schemas,
        {
            "left and right are exchanged; the body's own left counts, as the joints are called": (
                lambda joints, bones: [{"left": "right", "right": "left"}.get(w, w) for w in bone_sides(joints, bones)]
            ),
            "one end is enough here; a bone is left or right where both its ends are, such as shoulder and elbow": (
                lambda joints, bones: [
                    next((side for side in ("left", "right") if side in joints[a] + joints[b]), "middle")
                    for a, b in bones
                ]
            ),
            "every bone is in the middle: look for left or right in the names of both ends": (
                lambda joints, bones: ["middle"] * len(bones)
            ),
        },
        plain=True,
        tolerance=0.0,
    ),
    "draw_skeleton": Task(
        draw_skeleton,
        "workbench.media.rendering.draw",
        ("frame", "points", "bones", "colors", "width"),
        ("a picture uint8 [H,W,3]",),
        _scenes,
        {
            "joints are drawn as dots; draw each bone as a line from joint to joint": (
                lambda *scene: draw_skeleton(*scene, marker="dot")
            ),
            "left and right are exchanged: colours go with the bones in their order": (
                lambda f, p, *rest: draw_skeleton(f, p[Skeleton.named(KINECT).mirror], *rest)
            ),
            "red and blue are exchanged: colours are RGB here, and cv2 takes the three numbers as they are": (
                lambda f, p, b, colors, w: _cv2_lines(1)(f, p, b, [color[::-1] for color in colors], w)
            ),
            "x and y are exchanged: a point is (x, y), a picture is [row, column]": (
                lambda f, p, *rest: draw_skeleton(f, p[:, ::-1], *rest)
            ),
            "up and down are exchanged: rows count from the top": (
                lambda f, p, *rest: draw_skeleton(f, p * (1, -1) + (0, len(f) - 1), *rest)
            ),
            "the background is lost: draw on a copy of the frame": lambda *scene: draw_skeleton(
                *scene, background="black"
            ),
            "the lines are too thin: width is the whole width of a line": _cv2_lines(0.3),
            "the lines are half as wide as asked for": _cv2_lines(0.5),
            "the lines are twice as wide as asked for: width is no radius": _cv2_lines(2),
            "all lines have one colour: colors holds one for each bone": (
                lambda f, p, b, colors, w: _cv2_lines(1)(f, p, b, [colors[0]] * len(colors), w)
            ),
            "nothing is drawn: the picture is the frame": lambda f, *rest: f,
            "a missing joint is drawn at (0, 0): leave out every bone with such an end": (
                lambda f, p, *rest: draw_skeleton(f, np.nan_to_num(p), *rest)
            ),
        },
        said={
            "NaN": _NAN,
            "nan": _NAN,
            "Can't parse 'pt": "cv2 takes a point as two whole numbers: (int(x), int(y))",
            "Layout of the output array": "cv2 draws on arrays in memory order: start with frame.copy()",
        },
        picture=True,
        plain=True,
        tolerance=0.3,
        distance=_apart,
    ),
}
