"""One video of SynthADL-U: a course seen by one camera, drawn piece by piece, with what is true in each frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from synthadl import truth
from synthadl.actions.courses.course import Course, course
from synthadl.actions.courses.timetable import UNTRIMMED_ACTIONS
from synthadl.drawing import render
from synthadl.drawing.camera import Camera, aim
from synthadl.drawing.scene import Scene, stage
from synthadl.people.body import Subject
from synthadl.people.performance import Prop
from synthadl.plan import CLIP, ROOM, sequence, setup_camera, subject_seed
from synthadl.settings import Settings

#: Frames that are drawn with one set of marks at most; bounds the memory.
PIECE = 100
#: The floor on which a subject walks, metres.
FLOOR = Prop("", np.eye(4)[None], {"width": 1.8, "depth": 0.9})


def make_video(
    settings: Settings, world: str, seed: int, number: int, row: dict
) -> tuple[Course, Scene, Camera, Iterator[tuple[np.ndarray, np.ndarray]]]:
    """Video ``number`` of a world, of which ``row`` is the plan, as world.make_clip makes clips."""
    motion, picture, grain = (np.random.default_rng(child) for child in sequence(seed, world, CLIP, number).spawn(3))
    subject = Subject.sample(subject_seed(seed, world, row["subject"]))
    assert settings.seconds is not None  # settings of such a world say how long
    played = course(subject, settings.seconds, motion, settings.fps)
    elevation, distance = setup_camera(seed, world, row["setup"])
    camera = aim(row["view"], elevation, distance, picture, *settings.resolution, settings.framing)
    room = np.random.default_rng(sequence(seed, world, ROOM, row["background"]))
    kinds = row["imposter"].split("+") if row["imposter"] else []
    blocked = camera.position if row["blocked"] else None
    scene = stage(room, picture, played.performance, kinds, blocked, floor=(FLOOR,))
    cast = render.Cast(played.performance, subject, picture)
    film = render.Film(noise=float(picture.uniform(0.7, 1.6)), gamma=float(picture.uniform(2.1, 2.35)))
    return played, scene, camera, render.draw(scene, camera, _pieces(played, cast), film, grain)


def pieces(played: Course) -> list[tuple[int, int]]:
    """(start, end) of spans of at most PIECE frames in which the same actions go on throughout."""
    count = len(played.performance.joints)
    inner = {edge for each in played.intervals for edge in (each.start, each.end)}
    edges = sorted({0, count, *range(0, count, PIECE)} | inner)
    return list(zip(edges[:-1], edges[1:], strict=True))


def _pieces(played: Course, cast: render.Cast) -> Iterator[render.Actors]:
    for start, end in pieces(played):
        going = [each for each in played.intervals if each.start <= start and end <= each.end]
        joints = np.any([np.zeros(25, bool), *(each.joints for each in going)], axis=0)
        yield cast.play(start, end, joints, tuple(prop for each in going for prop in each.props))


class Marks:
    """Gathers the truth of a video frame by frame, as bits: a long video's masks are large."""

    def __init__(self) -> None:
        self.masks: list[np.ndarray] = []
        self.boxes: list[np.ndarray] = []

    def add(self, mark: np.ndarray) -> None:
        """mark uint8 [H,W] as render.draw gives it."""
        mask = (mark & render.TRUTH) > 0
        self.masks.append(np.packbits(mask, axis=-1))
        self.boxes.append(truth.boxes(mask[None])[0])


def arrays(played: Course, camera: Camera, marks: Marks) -> dict[str, np.ndarray]:
    """What the npz of a video holds: joints, pixels, intrinsics, extrinsics, truth_box and truth_mask as truth.arrays
    has them, where the truth of a frame is that of the actions that go on in it; labels int64 [K] (position in
    UNTRIMMED_ACTIONS), intervals int64 [K,2] (frame numbers, end exclusive) and interval_joints bool [K,25], in order
    of start."""
    joints = camera.see(played.performance.joints)
    intervals = played.intervals
    return {
        "joints": joints.astype(np.float32),
        "pixels": camera.project(joints).astype(np.float32),
        "intrinsics": camera.intrinsics,
        "extrinsics": camera.extrinsics,
        "truth_box": np.stack(marks.boxes),
        "truth_mask": np.stack(marks.masks),
        "labels": np.array([UNTRIMMED_ACTIONS.index(each.action) for each in intervals], np.int64),
        "intervals": np.array([(each.start, each.end) for each in intervals], np.int64),
        "interval_joints": np.stack([each.joints for each in intervals]),
    }
