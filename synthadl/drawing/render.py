"""Draws a performance: the still room once, then what moves, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from synthadl.drawing import shading
from synthadl.drawing.camera import Camera
from synthadl.drawing.raycast import FAR
from synthadl.drawing.scene import Scene
from synthadl.people.body import JOINTS, Subject
from synthadl.people.figure import dress
from synthadl.people.performance import Performance
from synthadl.things import shapes
from synthadl.things.solids import Table, affines, chain, compose3, table, upright

#: What the bits of a mark mean: the discriminative region, the person, a prop.
TRUTH, PERSON, PROP = 1, 2, 4

#: Sub-pixel offsets of the samples of a pixel (rotated grid) and the moments, in frames, at which each is taken: the
#: shutter is open for half a frame, so that one set of samples smooths edges and blurs motion.
OFFSETS = np.array([[0.625, 0.125], [0.125, 0.375], [0.875, 0.625], [0.375, 0.875]])
SHUTTER = np.array([-0.1875, -0.0625, 0.0625, 0.1875])

SHADOW_SIZE, SHADOW_SPAN = 240, 5.4
NOISE_SIZE = 512


@dataclass(frozen=True)
class Film:
    """How the sensor records: ``noise`` in grey levels (standard deviation), gamma of the curve."""

    noise: float = 1.2
    gamma: float = 2.2


@dataclass(frozen=True)
class Actors:
    """Everything that moves: table; world float64 [T,S,P,3,4] and shapes float64 [T,S,P,3], S samples a frame."""

    table: Table
    world: np.ndarray
    shapes: np.ndarray


def cast_actors(performance: Performance, subject: Subject, rng: np.random.Generator) -> Actors:
    """The dressed subject and the props at every moment the shutter is open; truth is marked in ``table.bits``."""
    return Cast(performance, subject, rng).play(0, len(performance.joints))


class Cast:
    """The subject and the props of a performance, to be played piece by piece where the whole would be too large."""

    def __init__(self, performance: Performance, subject: Subject, rng: np.random.Generator) -> None:
        self.performance, self.subject = performance, subject
        self.solids = [shapes.build(prop.kind, prop.look, rng) for prop in performance.props]

    def play(
        self, start: int, end: int, truth_joints: np.ndarray | None = None, truth_props: tuple[int, ...] | None = None
    ) -> Actors:
        """The actors in the frames from ``start`` to ``end`` (exclusive). What is marked as truth, truth_joints bool
        [25] and indices of props, is the performance's unless it is said. A prop that is out of sight throughout is
        left out."""
        done = self.performance
        joints = _moments(done.joints, start, end)
        frames, samples = joints.shape[:2]
        head = None if done.head is None else _moments(done.head, start, end).reshape(-1, 3, 3)
        socks = frozenset(prop.look["foot"] for prop in done.props if prop.kind == "shoe" and "foot" in prop.look)
        figure = dress(joints.reshape(-1, 25, 3), self.subject, head, socks)
        marked = done.truth_joints if truth_joints is None else truth_joints
        truth = {name for name, here in zip(JOINTS, marked, strict=True) if here}
        bits = [PERSON | (TRUTH if truth & set(names) else 0) for names in figure.joints]
        tables, worlds, forms = [figure.table._replace(bits=np.array(bits, np.uint8))], [figure.world], [figure.shapes]
        things = done.truth_props if truth_props is None else truth_props
        for number, (prop, solids) in enumerate(zip(done.props, self.solids, strict=True)):
            paths = _moments(prop.transform, start, end).reshape(-1, 1, 4, 4)
            if np.isnan(paths[:, 0, 0, 0]).all():
                continue
            own, shape = affines(solids)
            tables.append(table(solids, [PROP | (TRUTH if number in things else 0)] * len(solids)))
            worlds.append(chain(paths, own[None]))
            forms.append(np.broadcast_to(shape, (frames * samples, *shape.shape)))
        merged = Table(*(np.concatenate(columns) for columns in zip(*tables, strict=True)))
        count = len(merged.form)
        return Actors(
            merged,
            np.concatenate(worlds, 1).reshape(frames, samples, count, 3, 4),
            np.concatenate(forms, 1).reshape(frames, samples, count, 3),
        )


def draw(
    scene: Scene, camera: Camera, actors: Actors | Iterable[Actors], film: Film, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames one by one: uint8 [H,W,3] RGB, and marks uint8 [H,W] (TRUTH, PERSON, PROP bits of what moves). Actors may
    come in pieces, which follow each other in time."""
    view, eye = camera.rays(), camera.extrinsics[:3]
    height, width, samples = camera.height, camera.width, len(OFFSETS)
    light = _light(scene, camera)
    lamp_eye, lamp_view = _lamp(scene)
    lamp = chain(lamp_eye, _inverse(eye))
    fixed = np.full((SHADOW_SIZE, SHADOW_SIZE), FAR, np.float32)
    world, shape = affines(scene.solids)
    shading.shadows(table(scene.solids).form, shape, world, lamp_eye, lamp_view, fixed)
    depth = np.empty((samples, height, width), np.float32)
    ambient, direct, below, base = (np.empty((height, width, 3), np.float32) for _ in range(4))
    solids = scene.shell + scene.solids
    world, shape = affines(solids)
    shading.still(
        table(solids), shape, world, eye, view, light, OFFSETS, lamp, lamp_view, fixed,
        depth, ambient, direct, below, base,
    )  # fmt: skip
    curve, grain = _curve(film.gamma), _grain()
    for part in [actors] if isinstance(actors, Actors) else actors:
        for world, shape in zip(part.world, part.shapes, strict=True):
            shadow, picture, marks = fixed.copy(), base.copy(), np.empty((height, width), np.uint8)
            out = np.empty((height, width, 3), np.uint8)
            middle = samples // 2
            changed = shading.shadows(part.table.form, shape[middle], world[middle], lamp_eye, lamp_view, shadow)
            shading.relight(ambient, direct, below, shadow, changed, picture)
            shading.frame(
                part.table, shape, world, eye, view, light, OFFSETS, depth, lamp, lamp_view, shadow, picture, marks
            )  # fmt: skip
            y, x = rng.integers(0, NOISE_SIZE - height), rng.integers(0, NOISE_SIZE - width)
            shading.develop(picture, curve, scene.light.exposure, grain[y : y + height, x : x + width], film.noise, out)
            yield out, marks


@cache
def _grain() -> np.ndarray:
    """Sensor noise float32 [N,N,3] of about unit variance, mostly of lightness."""
    noise = np.random.default_rng(NOISE_SIZE).normal(0, 1, (NOISE_SIZE, NOISE_SIZE, 3))
    return (noise + noise.mean(-1, keepdims=True)).astype(np.float32)


def _moments(path: np.ndarray, start: int, end: int) -> np.ndarray:
    """A path [T,...] at the shutter's moments in the frames start to end, [end-start,S,...]: straight between frames;
    where a neighbour is NaN, still."""
    path = np.asarray(path, np.float64)
    here = path[start:end]
    before = path[np.maximum(np.arange(start, end) - 1, 0)]
    after = path[np.minimum(np.arange(start, end) + 1, len(path) - 1)]
    steps = [here + abs(at) * ((after if at > 0 else before) - here) for at in SHUTTER]
    return np.stack([np.where(np.isnan(step), here, step) for step in steps], 1)


def _inverse(eye: np.ndarray) -> np.ndarray:
    """The inverse float64 [3,4] of a camera's rigid map [3,4]."""
    turn = eye[:, :3].T
    return np.concatenate([turn, -compose3(turn, eye[:, 3:])], 1)


def _light(scene: Scene, camera: Camera) -> np.ndarray:
    light, turn = scene.light, camera.extrinsics[:3, :3]
    toward = compose3(turn, light.direction[:, None])[:, 0]
    return np.array([toward, light.lamp, light.sky, light.floor, turn[:, 1], [light.exposure, light.headlamp, 0.0]])


def _lamp(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """World -> lamp space [3,4] (z along the light's travel, the subject 20 m away) and its picture [8]."""
    turn = upright(-scene.light.direction)
    rows = np.stack([turn[:, 0], turn[:, 2], turn[:, 1]])
    middle = np.array([0.0, 0.5, 0.0])
    eye = np.concatenate([rows, (np.array([0.0, 0.0, 20.0]) - (rows * middle).sum(-1))[:, None]], 1)
    texel = SHADOW_SPAN / SHADOW_SIZE
    half = SHADOW_SPAN / 2
    return eye, np.array([texel, -half, texel, -half, -1.0, SHADOW_SIZE, SHADOW_SIZE, 0.0])


def _curve(gamma: float) -> np.ndarray:
    """Film curve float32 [4096]: linear light in [0,1) to grey levels, highlights rolled off."""
    light = np.linspace(0, 1, 4096)
    return (255 * (light * (1.18 - 0.18 * light)) ** (1 / gamma)).clip(0, 255).astype(np.float32)
