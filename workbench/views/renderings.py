"""05: a clip with its poses drawn in several ways, side by side and in motion: in the player, or as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from workbench import data
from workbench.media import films, rendering, video
from workbench.media import pose as poses
from workbench.show.player import SUFFIXES, Player, Track
from workbench.show.stills import page
from workbench.study.config.notebook_config import PoseRendering
from workbench.types import Clip, Pose
from workbench.views import boards

#: Frames that are decoded at once; and those that a page can hold, as it brings all of its pictures along.
PIECE, MOST = 64, 2000


#: The options of ``rendering.draw`` by the name of a variant; None for the video as it is.
Ways = Mapping[str, dict[str, Any] | None]


def named(variants: Sequence[str], **options: Any) -> Ways:
    """The variants by name, with ``options`` for all that leave them open; ValueError naming the valid words of one."""
    if not variants:
        raise ValueError(f"name at least one variant: {rendering.VIDEO}, or words such as black-dot-coarse")
    return {name: None if name == rendering.VIDEO else {**options, **rendering.read_variant(name)} for name in variants}


def drawn(clip: Clip, pose: Pose, ways: Ways) -> dict[str, np.ndarray]:
    """uint8 [T,H,W,3] by variant: the clip with every person's pose drawn so, or as it is."""
    return {
        name: clip.frames if way is None else rendering.draw(clip.frames, pose, **way) for name, way in ways.items()
    }


def player(clip: Clip, frames: Mapping[str, np.ndarray], title: str, caption: str = "") -> Player:
    """Renderings uint8 [T,H,W,3] of one clip side by side, in step."""
    tracks = [Track(name, frames=pictures) for name, pictures in frames.items()]
    return Player(clip, title=title, caption=caption, tracks=tracks)


def loader(dataset: data.Dataset, spec: data.ClipSpec) -> boards.Load:
    """What loads clip i of ``dataset`` as ``spec`` cuts it; ValueError for one without poses in its picture."""

    def load(i: int) -> data.Sample:
        check(dataset.pixels(i), dataset.ids[i])
        return data.sample(dataset, i, spec)

    return load


def check(pose: Pose | None, clip: str) -> Pose:
    """The pose; ValueError with the way out where the clip has none."""
    if pose is None:
        remedy = "`python -m workbench prepare DATA --poses posed.csv` estimates them (docs/howto/own_videos.md)"
        raise ValueError(f"the clip {clip} has no poses in its picture to draw; {remedy}")
    return pose


def board(config: PoseRendering, dataset: data.Dataset, load: boards.Load) -> Player:
    """The configured variants of the configured clip."""
    sample = load(i := boards.position(dataset, config.clip))
    ways = named(config.variants, thickness=config.thickness, palette=config.palette)
    return player(sample.clip, drawn(sample.clip, check(sample.pixels, dataset.ids[i]), ways), boards.title(dataset, i))


def choices() -> list[str]:
    """The variants that a menu offers: the video, the paper's choices, and bars that don't follow the person's size."""
    ways = ["-".join(chosen) for chosen in product(*rendering.OPTIONS.values())]
    return [rendering.VIDEO, *ways, "frame-bar-uniform", "black-bar-uniform"]


def minutes(facts: Mapping[str, Any]) -> str:
    """How long the runs of a study took, as ``shipped.study`` has it, in a sentence."""
    if not facts:
        return "The project's study has not measured this table."
    effort, machine = facts["effort"], facts["trained_on"][0]
    hours, runs = effort["training_hours"], effort["done"]
    where = f"on {machine['gpu'] or machine['processor']}"
    return f"The study trained {runs} runs in {hours:.1f} hours, {60 * hours / runs:.1f} minutes each, {where}."


class Reel:
    """A whole clip of a data set as it was filmed, or ``seconds`` of it, with its poses drawn in several ways.

    height: of each picture, in pixels. ValueError where the clip has no poses, or no frames in these seconds.
    """

    def __init__(
        self, dataset: data.Dataset, i: int, ways: Ways, height: int = 360, seconds: tuple[float, float] | None = None
    ) -> None:
        if i >= len(dataset):
            raise ValueError(f"there is no clip {i}; there are {len(dataset)}, from 0 to {len(dataset) - 1}, or by id")
        self.ways, self.title = ways, boards.title(dataset, i)
        self.info, pose = video.probe(dataset.video(i)), check(dataset.pixels(i), dataset.ids[i])
        if height < 16:
            raise ValueError(f"the height of a picture must be at least 16 pixels, got {height}")
        times = self.info.seconds(np.arange(self.info.frames))
        low, high = seconds or (0.0, float("inf"))
        self.numbers = np.flatnonzero((times >= low) & (times < high))
        if not len(self.numbers):
            raise ValueError(f"{self.info.path} lasts {times[-1]:.1f} s: it has no frame between {low} and {high} s")
        scale = height / self.info.height
        self.size = max(round(self.info.width * scale), 1), height
        self.pose = pose.with_joints(pose.joints[..., :2] * np.float32(scale))

    def read(self, numbers: np.ndarray) -> tuple[Clip, dict[str, np.ndarray]]:
        """These frames in the reel's size, and what they are by variant."""
        clip = video.read(self.info, numbers)
        how = cv2.INTER_CUBIC if self.size[1] > self.info.height else cv2.INTER_AREA
        frames = np.stack([cv2.resize(frame, self.size, interpolation=how) for frame in clip.frames])
        clip = replace(clip, frames=frames)
        return clip, drawn(clip, poses.take(self.pose, numbers), self.ways)

    def frames(self, numbers: np.ndarray) -> Iterator[np.ndarray]:
        """uint8 [H,W,3], frame by frame: all variants with their names, and the clip's."""
        with tqdm(total=len(numbers), desc=self.title, unit="frame", disable=len(numbers) < 4 * PIECE) as bar:
            for piece in np.array_split(numbers, -(-len(numbers) // PIECE)):
                pictures = self.read(piece)[1]
                for panes in zip(*pictures.values(), strict=True):
                    yield page(panes, list(pictures), self.title)
                    bar.update()

    def save(self, path: Path) -> str:
        """Writes it as the suffix of ``path`` says (see ``Player.save``); returns what was written, in words."""
        suffix, numbers, fps = films.check(path, SUFFIXES), self.numbers, self.info.fps
        if suffix == ".png":
            numbers = numbers[[len(numbers) // 2]]
        if suffix != ".html":
            films.write(path, self.frames(numbers), fps)
        elif (pictures := len(numbers) * len(self.ways)) > MOST:
            problem = f"a page holds at most {MOST} pictures, and these are {pictures}; show less with --seconds"
            raise ValueError(f"{path}: {problem}")
        else:
            player(*self.read(numbers), self.title).save(path)
        moving = "one frame" if suffix == ".png" else f"{len(numbers)} frames, {len(numbers) / fps:.1f} s"
        return f"{path}: {self.title}, {', '.join(self.ways)}: {moving}"
