"""The picture follows the body: a clip of SynthADL drawn again with what was done to its joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from synthadl import redraw as world
from workbench import data
from workbench.data.sources import synthadl
from workbench.explain import limbs
from workbench.explain.interventions import Drop, Freeze, Jitter, Mirror, Move, Shuffle, Transplant
from workbench.explain.what_if import Change, Redrawn
from workbench.explain.what_if_clip import Subject
from workbench.media import pose, video
from workbench.show.explorer import FOLLOWS, Explorer
from workbench.types import Batch, Pose, Skeleton

#: Changes that say where joints are.
PLACED = (Move, Freeze, Jitter, Transplant)
#: What is not drawn, and why.
LOST = "a dropped joint is not drawn: a sensor that loses it changes nothing in the room"
MIRRORED = "a mirrored body is not drawn, nor what was done after it: table and things would have to change sides too"
SHUFFLED = "what was moved after time was shuffled is not drawn: poses and picture show different moments there"
#: In lengths of the spine: joints that moved by less stay where they were.
STILL = 1e-6


def of_clip(clips: data.Dataset, i: int, sample: data.Sample) -> Redrawer | str:
    """What draws clip ``i`` of ``clips`` again, of which ``sample`` is any cut; where that can't be done, why, in one
    sentence."""
    if clips.name != "synthadl":
        return f"The picture can't follow: only clips of SynthADL can be drawn again, and these data are {clips.name}."
    problem = world.obstacle(_root(clips, i))
    return f"The picture can't follow: {problem}." if problem else Redrawer(clips, i, sample)


class Redrawer:
    """``redrawer(changes)`` draws a clip with those of the changes that say where joints are (``PLACED``).

    They move the body in the frames of the sample, and in the frames between in proportion. Pixels that this does not
    touch are those of the video, byte for byte, and the crop stays. ValueError as ``synthadl.redraw`` has it, and where
    a change does not fit.
    """

    def __init__(self, clips: data.Dataset, i: int, sample: data.Sample) -> None:
        self.clips, self.i, self.sample = clips, i, sample

    def __call__(self, changes: Sequence[Change]) -> Redrawn:
        """See above; no ``source`` where no joint is placed anew."""
        placed, undrawn = drawable(changes)
        if not placed:
            return Redrawn(None, undrawn)
        moved = world.redraw(_root(self.clips, self.i), self.clips.ids[self.i], self._shift(placed))
        touched = (moved.pictures != self._plain.pictures).any(-1, keepdims=True)
        film = np.where(touched, moved.pictures, self._recorded)
        return Redrawn(synthadl.drawn_again(self.clips, self.i, film, moved.arrays), undrawn)

    @cached_property
    def _plain(self) -> world.Redrawn:
        """The clip drawn without a change."""
        return world.redraw(_root(self.clips, self.i), self.clips.ids[self.i])

    @cached_property
    def _recorded(self) -> np.ndarray:
        """uint8 [n,H,W,3]: the clip as its file has it, which lost a little as it was encoded."""
        return video.read(self.clips.video(self.i)).frames

    def _shift(self, changes: Sequence[Change]) -> np.ndarray:
        """float64 [n,25,3]: by how much the joints move in all frames of the clip, metres in the camera's space."""
        subject = self._body.subject
        for change in changes:
            subject = self._body.after(self._by_camera(change) if isinstance(change, Transplant) else change, subject)
        return everywhere(self._body.way(subject), self.sample.clip.frame_numbers, len(self._recorded))

    @cached_property
    def _body(self) -> Body:
        assert self.clips.skeleton is not None and self.sample.pixels is not None  # SynthADL has poses
        return Body(self._plain.arrays, self.clips.skeleton, self.sample.pixels)

    def _by_camera(self, change: Transplant) -> Transplant:
        """With the donor's body as this one is: in all frames of its clip, whatever its network reads."""
        donor = change.donor
        body, numbers = self.clips.pose(self.clips.index(donor.batch.ids[0])), donor.batch.frame_numbers
        assert body is not None and numbers is not None and donor.pixels is not None  # SynthADL has poses
        seen = pose.take(pose.fill(body), numbers[0].cpu().numpy())
        return replace(change, donor=subject_of(seen, donor.pixels))


class Body:
    """The body of a clip in the frames of ``pixels``, in space and as its picture shows it: ``subject`` is what changes
    are made to. arrays: what the clip's npz holds."""

    def __init__(self, arrays: Mapping[str, np.ndarray], skeleton: Skeleton, pixels: Pose) -> None:
        numbers = pixels.frame_numbers
        seen = Pose(arrays["joints"][None, numbers], skeleton, "camera", numbers)
        self.joints, self.pixels = seen.joints[0].astype(np.float64), pixels
        self.subject = subject_of(seen, pixels)
        self._before = self.subject.bodies[0].astype(np.float64)
        homogeneous = np.concatenate([self._before, np.ones((*self._before.shape[:2], 1))], axis=2)
        fits = [np.linalg.lstsq(*pair, rcond=None)[0] for pair in zip(homogeneous, self.joints, strict=True)]
        #: float64 [T,3,3]: the axes of the body in the camera's space.
        self.axes = np.stack(fits)[:, :3]
        self._focal = arrays["intrinsics"][[0, 1], [0, 1]] * (1, -1)
        seen_from = self._project(self.joints), pixels.joints[0].astype(np.float64)
        #: float64 [T,1,2]: clip pixels a pixel of the source.
        self._zoom = np.divide(*(np.ptp(places, axis=1, keepdims=True) for places in seen_from[::-1]))

    def after(self, change: Change, subject: Subject) -> Subject:
        """``subject`` after ``change``, its joints in the picture where its body is seen."""
        changed = change(subject)
        if isinstance(change, Move | Jitter):  # which are made in the picture
            return self._on_rays(subject, changed, isinstance(change, Move) and change.moves == "limb")
        moved = self._project(self.joints + self.way(changed)) - self._project(self.joints)
        joints = (self.pixels.joints[0] + moved * self._zoom).astype(np.float32)
        return replace(changed, pixels=self.pixels.with_joints(joints[None]))

    def _on_rays(self, before: Subject, after: Subject, limb: bool) -> Subject:
        """``after`` with the joints that moved on the rays on which its picture shows them: at their distance from the
        camera, or, of a ``limb``, where bones keep their lengths (as nearly as can be, where one is too short)."""
        assert before.pixels is not None and after.pixels is not None  # moves are made in the picture
        old = self.joints + self.way(before)
        shift = (after.pixels.joints[0] - before.pixels.joints[0]).astype(np.float64)
        rays = (self._project(old) + shift / self._zoom) / self._focal
        rays = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=2)
        moved = shift.any(-1)
        new = np.where(moved[..., None], rays * old[..., 2:], old)
        for child, parent in limbs.parents(after.schema).items() if limb else ():  # parents come before their children
            moved[:, child] |= moved[:, parent]
            bone = np.linalg.norm(old[:, child] - old[:, parent], axis=1)
            placed = meet(rays[:, child], new[:, parent], bone, old[:, child, 2])
            new[:, child] = np.where(moved[:, child, None], placed, old[:, child])
        return after.with_bodies((self._before + (new - self.joints) @ np.linalg.inv(self.axes))[None])

    def way(self, subject: Subject) -> np.ndarray:
        """float64 [T,V,3]: how far the joints have moved, metres in the camera's space; exactly 0 where they rest."""
        way = subject.bodies[0] - self._before
        way[np.abs(way).max(-1) < STILL] = 0
        return way @ self.axes

    def _project(self, joints: np.ndarray) -> np.ndarray:
        """float64 [T,V,2]: pixels of the source, from the middle of the picture."""
        return joints[..., :2] / joints[..., 2:] * self._focal


def meet(ray: np.ndarray, center: np.ndarray, radius: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """float64 [T,3]: where rays [T,3] from the camera, 1 long in z, are ``radius`` [T] from ``center`` [T,3], of two
    places the one whose z is nearer to ``depth`` [T]; where they pass farther off, their nearest place."""
    square, along = (ray**2).sum(-1), (ray * center).sum(-1)
    root = np.sqrt(np.maximum(along**2 - square * ((center**2).sum(-1) - radius**2), 0))
    near, far = (along - root) / square, (along + root) / square
    return np.where(np.abs(near - depth) <= np.abs(far - depth), near, far)[:, None] * ray


def subject_of(seen: Pose, pixels: Pose) -> Subject:
    """The first body of ``seen`` (camera space), as the thesis turns and scales it, to be asked what if."""
    body = pose.normalize(seen, "thesis").joints[:1]
    return Subject(Batch(pose=torch.from_numpy(body)[None]), seen.skeleton, pixels)


def brought(explorer: Explorer, joint: str, to: str = "head") -> Explorer:
    """``explorer`` with a limb moved in all frames, so that ``joint`` is where joint ``to`` is in the middle of the
    moment that decides the label (of the clip, where nobody knows), and the picture drawn again where it can be. As it
    is, where its clip has no such joints in the picture."""
    session = next(iter(explorer.sessions.values()))
    pixels, truth, skeleton = session.sample.pixels, session.truth, session.skeleton
    if pixels is None or skeleton is None or not {joint, to} <= set(skeleton.joints):
        return explorer
    moment = np.arange(len(pixels.frame_numbers)) if truth is None else np.flatnonzero(truth.moment)
    frame = int(moment[len(moment) // 2]) if len(moment) else len(pixels.frame_numbers) // 2
    x, y = pixels.joints[0, frame, skeleton.index(to)].tolist()
    explorer.follow.value = FOLLOWS
    explorer.apply(Move(joint, frame, (x, y), reach=None, moves="limb"))
    explorer.player.frame = frame
    return explorer


def drawable(changes: Sequence[Change]) -> tuple[list[Change], str]:
    """Those of ``changes`` that are drawn, and which are not, with the reason, in words."""
    placed: list[Change] = []
    reasons: dict[str, None] = {}
    shuffled = False
    for change in changes:
        if isinstance(change, Mirror):
            return placed, "; ".join([*reasons, MIRRORED])
        if isinstance(change, Drop):
            reasons[LOST] = None
        elif isinstance(change, PLACED) and shuffled:
            reasons[SHUFFLED] = None
        elif isinstance(change, PLACED):
            placed.append(change)
        shuffled |= isinstance(change, Shuffle) and change.what != "video"
    return placed, "; ".join(reasons)


def everywhere(way: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    """float64 [count,V,3]: ``way`` [T,V,3] in the frames ``numbers``, straight between them, and held before the first
    and after the last. Of a frame that stands there more than once, the longest way counts."""
    order = np.argsort(np.abs(way).max((1, 2)), kind="stable")
    moments = np.unique(numbers)
    flat = np.empty((len(moments), way[0].size))
    flat[np.searchsorted(moments, numbers[order])] = way[order].reshape(len(way), -1)  # the last one stays
    steps = [np.interp(np.arange(count), moments, column) for column in flat.T]
    return np.stack(steps, axis=1).reshape(count, *way.shape[1:])


def _root(clips: data.Dataset, i: int) -> Path:
    """The folder of the world that clip ``i`` is of."""
    return Path(clips.row(i)["arrays"]).parents[1]
