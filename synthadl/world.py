"""Generates a world on disk: index.parquet, world.json, videos/<id>.mp4 and arrays/<id>.npz under one folder, and for
untrimmed videos intervals.parquet.

Every clip depends on (seed, world, its number) alone, so the result does not depend on how many processes made it or on
how often it was interrupted.
"""

from __future__ import annotations

import json
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from safefiles import checksums, drafts
from safefiles.locks import turn
from safefiles.processes import cores, starting
from safefiles.reading import present, read_json, read_parquet
from safefiles.video import write
from safefiles.workers import pool
from synthadl import truth, untrimmed
from synthadl.actions import ACTIONS, PAIRS, PRETRAIN_ACTIONS, perform
from synthadl.drawing import render
from synthadl.drawing.camera import Camera, aim
from synthadl.drawing.scene import Scene, stage
from synthadl.people.body import Subject
from synthadl.people.performance import Performance
from synthadl.plan import CLIP, ROOM, plan, sequence, setup_camera, subject_seed
from synthadl.settings import KNOBS, SIZES, Settings, settle

__all__ = ["ACTIONS", "KNOBS", "PRETRAIN_ACTIONS", "SIZES", "generate", "plan"]

#: Counts up, for each world, when the same seed would give another one.
VERSIONS = {"adl": 2, "pretrain": 3, "untrimmed": 2}


def generate(
    root: str | os.PathLike, size: str | dict = "tiny", world: str = "adl", seed: int = 0, workers: int | None = None,
    knobs: dict | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Make a world in the folder ``root``, or finish one that was begun there, and return its index.

    size "tiny" (about 700 clips), "small" (4,000, for studies), "paper" (20,000, 320 x 256) or a dict with fields of
    settings.Settings; world "adl", "pretrain" (SynthADL-P, other actions, subjects and rooms; sizes of its own: "look",
    420 short clips, "tiny", 18,000, "small" and "paper") or "untrimmed"
    (SynthADL-U: 60, 240 or 1,000 videos of 60 to 180 s and their intervals); ``knobs`` a dict with names in KNOBS;
    ``workers`` processes (1: this one, None: one a core). Clips that are there stay; files appear whole or not at all.

    ValueError for a bad setting, or if ``root`` holds another world; OSError if a file can't be written (what is
    finished stays); RuntimeError if a worker process dies.
    """
    root, settings = Path(root), settle(size, world, knobs)
    table = plan(size, world, seed, knobs)
    workers = cores() if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers must be 1 or more, got {workers}")
    rows = table.to_dict("records")
    with turn(root / ".world.lock", str(root)):
        _claim(
            root, {"version": VERSIONS[world], "world": world, "size": size, "seed": seed, "settings": settings.plain()}
        )
        return _finish(root, settings, world, seed, workers, table, rows)


def _finish(
    root: Path, settings: Settings, world: str, seed: int, workers: int, table: pd.DataFrame, rows: list[dict]
) -> pd.DataFrame:
    """Draws what is missing or damaged, then writes the tables."""
    for folder in (root, root / "videos", root / "arrays"):
        drafts.discard(folder)
    missing = [n for n, row in enumerate(rows) if not _whole(root, row)]
    index = root / "index.parquet"
    tables = [index, root / "intervals.parquet"] if world == "untrimmed" else [index]
    if all([checksums.intact(path) for path in tables]) and not missing:
        if not checksums.known(index):  # drawn before they were kept
            _keep_checksums(root, rows, tables)
        return read_parquet(index)
    known = {n: _recall(root, row) for n, row in enumerate(rows) if n not in set(missing)}
    jobs = [(str(root), settings, world, seed, n, rows[n]) for n in missing]
    with tqdm(total=len(rows), initial=len(known), desc=f"SynthADL {world}", unit="clip") as bar:
        for number, facts in _run(jobs, workers):
            known[number] = facts
            bar.update()
    facts = pd.DataFrame([known[n] for n in range(len(rows))])
    if world == "untrimmed":
        intervals = _intervals(table["id"], facts.pop("intervals"), settings)
        with _writing(tables[1]) as draft:
            intervals.to_parquet(draft, index=False)
    table = pd.concat([table.drop(columns=["repetition", "blocked"]), facts], axis=1)
    table["handedness"] = [_handedness(seed, world, subject) for subject in table["subject"]]
    with _writing(index) as draft:
        table.to_parquet(draft, index=False)
    _keep_checksums(root, rows, tables)
    return table


def _keep_checksums(root: Path, rows: list[dict], tables: list[Path]) -> None:
    files = [row[kind] for row in rows for kind in ("video", "arrays")]
    checksums.keep(root, ["world.json", *(path.name for path in tables), *files])


def make_clip(
    settings: Settings, world: str, seed: int, number: int, row: dict, shift: np.ndarray | None = None
) -> tuple[Performance, Scene, Camera, Iterator]:
    """Clip ``number`` of a world, of which ``row`` is the plan: its performance, scene and camera, and an iterator over
    frames and marks as render.draw gives them. ``shift`` float [T,25,3], metres in the camera's space, is added to the
    joints: things follow what holds them, and all else stays. ValueError for one of another shape."""
    motion, *others = sequence(seed, world, CLIP, number).spawn(3)
    picture, grain = map(np.random.default_rng, others)
    subject = Subject.sample(subject_seed(seed, world, row["subject"]))
    kinds = row["imposter"].split("+") if row["imposter"] else []
    laid = world == "pretrain" and row["action"] in PAIRS  # beside the thing that is handled, not on a table aside
    rivals = tuple(kinds) if laid or world == "adl" else ()
    play = partial(perform, row["action"], subject, fps=settings.fps, rivals=rivals)
    performance = play(np.random.default_rng(motion))
    elevation, distance = setup_camera(seed, world, row["setup"])
    camera = aim(row["view"], elevation, distance, picture, *settings.resolution, settings.framing)
    room = np.random.default_rng(sequence(seed, world, ROOM, row["background"]))
    aside = [] if laid else kinds[performance.carries :]
    scene = stage(room, picture, performance, aside, camera.position if row["blocked"] else None)
    if shift is not None:  # the room was furnished around what happens without it
        performance = play(np.random.default_rng(motion), shift=shift @ camera.extrinsics[:3, :3])
    actors = render.cast_actors(performance, subject, picture)
    film = render.Film(noise=float(picture.uniform(0.7, 1.6)), gamma=float(picture.uniform(2.1, 2.35)))
    return performance, scene, camera, render.draw(scene, camera, actors, film, grain)


def _write(job: tuple) -> tuple[int, dict]:
    """Render and store one clip; returns its number and what the index wants to know of it."""
    root, settings, world, seed, number, row = job
    root = Path(root)
    film = _untrimmed if world == "untrimmed" else _clip
    arrays = film(root / row["video"], settings, world, seed, number, row)
    arrays["video_check"] = _check(root / row["video"])
    with _writing(root / row["arrays"]) as draft, open(draft, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
    return number, _facts(arrays)


def _clip(path: Path, settings: Settings, *which: Any) -> dict[str, np.ndarray]:
    """Writes the video of a clip and returns its arrays."""
    performance, _, camera, frames = make_clip(settings, *which)
    marks: list[np.ndarray] = []
    write(path, _pictures(frames, marks.append), settings.fps)
    return truth.arrays(performance, camera, np.stack(marks))


def _untrimmed(path: Path, settings: Settings, *which: Any) -> dict[str, np.ndarray]:
    """Writes an untrimmed video and returns its arrays."""
    course, _, camera, frames = untrimmed.make_video(settings, *which)
    marks = untrimmed.Marks()
    write(path, _pictures(frames, marks.add), settings.fps)
    return untrimmed.arrays(course, camera, marks)


def _pictures(frames: Iterator, keep: Callable[[np.ndarray], None]) -> Iterator[np.ndarray]:
    for picture, mark in frames:
        keep(mark)
        yield picture


def _facts(arrays: dict[str, np.ndarray]) -> dict:
    frames = len(arrays["truth_box"])
    if "intervals" in arrays:
        return {"frames": frames, "intervals": list(zip(arrays["labels"], arrays["intervals"], strict=True))}
    start, end = (int(at) for at in arrays["interval"])
    return {"frames": frames, "interval_start": start, "interval_end": end}


def _intervals(ids: pd.Series, found: pd.Series, settings: Settings) -> pd.DataFrame:
    """One row an interval: id of the video, action, label, start and end in seconds, start_frame, end_frame
    (exclusive)."""
    rows = [
        (id, settings.actions[label], int(label), start / settings.fps, end / settings.fps, int(start), int(end))
        for id, video in zip(ids, found, strict=True)
        for label, (start, end) in video
    ]
    return pd.DataFrame(rows, columns=["id", "action", "label", "start", "end", "start_frame", "end_frame"])


def _run(jobs: list[tuple], workers: int) -> Iterator[tuple[int, dict]]:
    # The first clip is made here: it compiles what is not compiled yet, once, where workers then find it.
    for job in jobs if workers == 1 else jobs[:1]:
        yield _write(job)
    if workers == 1 or len(jobs) < 2:
        return
    with starting(1), pool(workers) as processes:
        try:
            yield from processes.map(_write, jobs[1:], chunksize=2)
        except BrokenProcessPool:
            raise RuntimeError(
                f"{jobs[0][0]}: a worker process died; generate again to go on where it stopped"
            ) from None
        except BaseException:
            processes.shutdown(wait=True, cancel_futures=True)
            raise


def _check(video: Path) -> np.ndarray:
    """uint64 [2]: bytes and CRC-32 of a video."""
    data = video.read_bytes()
    return np.array([len(data), zlib.crc32(data)], np.uint64)


def _whole(root: Path, row: dict) -> bool:
    """Whether both files of a clip are there as they were written. One that is damaged is said, set aside, and drawn
    again."""
    video, arrays = root / row["video"], root / row["arrays"]
    if checksums.known(video) and checksums.known(arrays):
        return all([checksums.intact(video), checksums.intact(arrays)])
    if not (video.exists() and arrays.exists()):
        return False
    try:
        with zipfile.ZipFile(arrays) as file:
            damaged = file.testzip()
        with np.load(arrays, allow_pickle=False) as stored:
            same = "video_check" not in stored or (stored["video_check"] == _check(video)).all()
    except (OSError, ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        damaged, same = arrays.name, True
    if damaged or not same or not video.stat().st_size:
        spoilt = arrays if damaged else video
        aside = checksums.set_aside(spoilt).name
        warnings.warn(f"{spoilt} is damaged: it is kept as {aside}, and {row['id']} is drawn again", stacklevel=4)
        return False
    return True


def _recall(root: Path, row: dict) -> dict:
    with np.load(root / row["arrays"], allow_pickle=False) as arrays:
        return _facts(arrays)


def _handedness(seed: int, world: str, subject: int) -> str:
    return "left" if Subject.sample(subject_seed(seed, world, subject)).left_handed else "right"


def _claim(root: Path, recipe: dict) -> None:
    """Make the folder a world of this recipe; ValueError if it is one of another."""
    path, text = root / "world.json", json.dumps(recipe, indent=1).encode()
    if problem := checksums.damage(path):
        if not checksums.was(path, text):
            raise ValueError(f"{path} {problem}, and the world that it told of is another one; choose another folder")
        checksums.intact(path)
    if present(path):
        asked = json.loads(text)
        for key, value in read_json(path, "settings", way_out="choose another folder").items():
            if asked.get(key) != value:
                if key == "version":
                    drawn = f"version {value} of the world, which can still be read; version {asked[key]} is drawn now"
                    raise ValueError(f"{path}: this folder holds {drawn}: rename the folder, or choose another one")
                other = f"a world with {key} = {value!r}, not {asked.get(key)!r}"
                raise ValueError(f"{path}: this folder holds {other}; choose another folder")
        return
    for folder in (root / "videos", root / "arrays"):
        folder.mkdir(parents=True, exist_ok=True)
    checksums.write(path, text)


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """``replacing``, whose error says how to go on."""
    try:
        with drafts.replacing(path) as draft:
            yield draft
    except OSError as problem:
        raise OSError(f"{problem.strerror or problem}; what is finished stays, generate again to go on") from None
