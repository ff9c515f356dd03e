"""A clip of a finished world drawn again, as it was or with the body moved.

    plain = redraw("worlds/tiny", "S001V1P001R001A003")           # the pictures as they were before they became a video
    shift = np.zeros_like(plain.arrays["joints"])                 # [T,25,3], metres in the camera's space
    shift[:, JOINT["hand_right"]] += (0.0, 0.3, 0.0)              # higher by 30 cm
    moved = redraw("worlds/tiny", "S001V1P001R001A003", shift)

Things follow the hand, the head or the foot that holds them. The room, the rivals, the light, the camera, the clothes
and the grain of the film are the same: a pixel that neither the body, nor a thing that it moves, nor their shadows
touch is the same byte.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from safefiles.reading import present, read_json, reading
from synthadl import truth
from synthadl.people.body import JOINTS
from synthadl.plan import plan
from synthadl.settings import settle
from synthadl.world import VERSIONS, make_clip

#: Worlds of clips, and by how many metres joints may differ from those in the files, which are rounded.
CLIPS, ROUNDED = ("adl", "pretrain"), 1e-3


@dataclass(frozen=True)
class Redrawn:
    """One clip. pictures uint8 [T,H,W,3] RGB; arrays, what its npz holds (see ``truth.arrays``), as it is now."""

    pictures: np.ndarray
    arrays: dict[str, np.ndarray]


def obstacle(root: str | os.PathLike) -> str:
    """Why the clips of the folder ``root`` can't be drawn again, in one sentence; "" where they can."""
    try:
        _recipe(Path(root))
    except (ValueError, OSError) as problem:
        return str(problem)
    return ""


def redraw(root: str | os.PathLike, id: str, shift: np.ndarray | None = None) -> Redrawn:
    """Draw clip ``id`` of the world in the folder ``root`` again.

    shift: float [T,25,3], what is added to its joints, metres in the camera's space (x right in the picture, y up, z
    away); None: nothing. Nothing is written. ValueError, one sentence, for a folder whose clips can't be drawn again
    (see ``obstacle``), an unknown clip, a shift that is not finite or of another shape, or files that hold another
    motion than is drawn now; FileNotFoundError where a file is missing.
    """
    root = Path(root)
    recipe = _recipe(root)
    rows = _rows(json.dumps([recipe["settings"], recipe["world"], recipe["seed"]]))
    if id not in rows:
        raise ValueError(f"{root} has no clip {id!r}")
    number, row = rows[id]
    if shift is not None:
        shift = np.asarray(shift, np.float64)
        if shift.shape[1:] != (len(JOINTS), 3) or not np.isfinite(shift).all():
            raise ValueError(f"shift must be finite numbers [T,{len(JOINTS)},3], got {list(shift.shape)}")
    settings = settle(recipe["settings"], recipe["world"])
    performance, _, camera, frames = make_clip(settings, recipe["world"], recipe["seed"], number, row, shift)
    _compare(root / row["arrays"], camera.see(performance.joints) - (0.0 if shift is None else shift))
    pictures, marks = map(np.stack, zip(*frames, strict=True))
    return Redrawn(pictures, truth.arrays(performance, camera, marks))


def _recipe(root: Path) -> dict[str, Any]:
    """What world.json says; ValueError where it is none from which clips are drawn now."""
    path = root / "world.json"
    if not present(path):
        raise FileNotFoundError(f"{path} is missing; it says what world this is")
    recipe = read_json(path, "version", "seed", "settings")
    world = recipe.get("world", "adl")
    if world not in CLIPS:
        raise ValueError(f"{path}: a world {world!r} has no clips that are drawn again; known: {', '.join(CLIPS)}")
    if recipe["version"] != VERSIONS[world]:
        drawn = f"version {VERSIONS[world]} is drawn now"
        raise ValueError(f"{path}: these clips are of version {recipe['version']} of the world, and {drawn}")
    with reading(path, "the settings of a world"):
        settle(recipe["settings"], world)
    return {**recipe, "world": world}


@lru_cache(maxsize=2)
def _rows(recipe: str) -> dict[str, tuple[int, dict]]:
    """By name, the number and the plan of each clip; ``recipe`` is the JSON of settings, world and seed."""
    table = plan(*json.loads(recipe))
    return {row["id"]: (number, row) for number, row in enumerate(table.to_dict("records"))}


def _compare(path: Path, joints: np.ndarray) -> None:
    """ValueError where the file of a clip holds another motion than ``joints`` [T,25,3]."""
    if not present(path):
        raise FileNotFoundError(f"{path} is missing")
    with reading(path, "the arrays of a clip"), np.load(path, allow_pickle=False) as stored:
        there = stored["joints"]
    if there.shape != joints.shape or not np.abs(there - joints).max() < ROUNDED:
        raise ValueError(f"{path} holds another motion than is drawn now: draw the world anew to draw its clips again")
