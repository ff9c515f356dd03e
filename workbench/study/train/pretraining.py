"""The weights that ship with the workbench: backbones made from SynthADL-P, and whole networks made from SynthADL that
need no training. They are trained, measured on subjects that no training clip shows, and written with a card that says
how.

A card is the JSON file beside the weights: weights, sha256, bytes; system, module, width, clip; data (world, version,
size, seed, root's clips by split, classes); command, run, epochs, seconds (of all epochs that were finished), machine,
git; held_out (clips, top1 and top5 with 95 % intervals, chance), accuracies in [0, 1].
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from safefiles import drafts
from synthadl.settings import WORLD_SIZES
from synthadl.world import generate
from workbench.nets import weights
from workbench.study import files
from workbench.study.config.train_config import TrainConfig
from workbench.study.runs.find_runs import open_run
from workbench.study.runs.run_folder import Run
from workbench.study.train.fit import fit
from workbench.systems import System

#: What a file of a release may be, bytes.
LARGEST = 10_000_000


@dataclass(frozen=True)
class Recipe:
    """What is trained on which world, which module of it is kept ("" is all), and what differs from the preset study.

    Kept are not the modules ``without``, which only training reads; ``half``: in 16 bits, as released files are small.
    """

    system: str
    module: str
    epochs: int | dict[str, int]
    changes: dict[str, Any] = field(default_factory=dict)
    world: str = "pretrain"
    without: tuple[str, ...] = ()
    half: bool = False


RECIPES: dict[str, Recipe] = {
    "i3d_synthadl_p": Recipe(
        "rgb",
        "backbone",
        8,
        {
            # From random weights nothing was learnt in 1,500 steps; those that know 20 actions learn at once.
            "init": {"backbone": "i3d_synthadl_20"},
            "options": {"dropout": 0.2},
            "optimizer": {"name": "adam", "lr": 5e-4},
            "schedule": {"name": "cosine", "warmup": 0},
        },
    ),
    "agcn_synthadl_p": Recipe("agcn", "pose_backbone", 40),
    "lstm_synthadl_p": Recipe("pose_lstm", "pose_backbone", 40),
    "pose_lstm_synthadl": Recipe("pose_lstm", "", 40, world="adl", half=True),
    # One person, as in the tables of VPN++, whose teacher it is.
    "agcn_synthadl": Recipe("agcn", "", 40, {"options": {"persons": 1}}, world="adl", half=True),
    "rgb_synthadl": Recipe("rgb", "", 10, {"init": {"backbone": "i3d_synthadl_p"}}, world="adl", half=True),
    "vpn_synthadl": Recipe(
        "vpn",
        "",
        {"backbone": 0, "joint": 5},
        # A classifier that starts anew: one that knows the plain average leaves attention less to do.
        {"init": {"backbone": "rgb_synthadl:backbone"}},
        world="adl",
        without=("embedding", "pose_classifier"),
        half=True,
    ),
}


def pretrain(
    root: str | Path,
    size: str | dict[str, Any] = "tiny",
    workers: int | None = None,
    names: Sequence[str] | None = None,
    out: str | Path = weights.PRETRAINED,
    runs: str | Path = "runs",
    command: str = "",
    epochs: int | None = None,
    limit: int | None = None,
    world: str = "pretrain",
) -> dict[str, Path]:
    """Draws a ``world`` (pretrain or adl) of a ``size`` in ``root`` with so many ``workers`` (None: one a core), makes
    the weights called ``names`` (None: all RECIPES of the world) from it and writes each to the folder ``out`` with its
    card; returns the files by name. What is drawn stays, a finished run is not repeated, a stopped one goes on.

    ``epochs`` and ``limit`` (clips of each split) are for a try, whose weights don't ship. ValueError, before anything
    is drawn, for an unknown name, a folder that holds another world, or a try that would overwrite what ships.
    """
    valid = [name for name, recipe in RECIPES.items() if recipe.world == world]
    chosen = valid if names is None else names
    for name in chosen:
        if name not in valid:
            raise ValueError(f"unknown weights {name!r} of the world {world!r}; known: {', '.join(valid) or 'none'}")
    why = _trial(world, size, epochs, limit)
    if why and Path(out).resolve() == weights.PRETRAINED.resolve():
        raise ValueError(f"weights of a try ({why}) don't take the place of those that ship; say --out FOLDER")
    generate(root, size, world, workers=workers)
    paths: dict[str, Path] = {}
    for name in chosen:
        run = open_run(fit(config(name, root, runs, epochs, limit, paths)), runs)
        paths[name] = export(name, run, Path(out), command)
    return paths


def config(
    name: str,
    root: str | Path,
    runs: str | Path = "runs",
    epochs: int | None = None,
    limit: int | None = None,
    paths: Mapping[str, Path] | None = None,
) -> TrainConfig:
    """The run that the weights ``name`` are taken from, which starts from those that the recipe names: of ``paths``, by
    name, or as they ship. SynthADL-P's clips are short: decoding them costs less than a cache."""
    recipe = RECIPES[name]
    where: dict[str, Any] = {"dataset": "synthadl", "root": str(root), "protocol": "cs", "runs": str(runs)}
    if recipe.world == "pretrain":
        where |= {"cache": None, "workers": 2}  # the next batches are read while one is learnt
    numbers: dict[str, Any] = {"preset": "study", "epochs": epochs or recipe.epochs, "limit": limit}
    changes = dict(recipe.changes)
    if "init" in changes:
        sources = {part: source.partition(":") for part, source in changes["init"].items()}
        changes["init"] = {
            part: f"{(paths or {}).get(name, name)}{colon}{module}" for part, (name, colon, module) in sources.items()
        }
    return TrainConfig(system=recipe.system, **where, **numbers, **changes)


def kept(name: str, system: System) -> nn.Module:
    """What a release carries of a ``system`` that the recipe has trained, which it changes."""
    recipe = RECIPES[name]
    module = system.get_submodule(recipe.module)
    for part in recipe.without:
        delattr(module, part)
    return module.half() if recipe.half else module


def export(name: str, run: Run, out: Path, command: str) -> Path:
    """Writes the module of a finished run, and its card after it; ValueError where a release could not carry it."""
    module = kept(name, run.system())
    size = sum(tensor.nbytes for tensor in module.state_dict().values())
    if size > LARGEST:
        raise ValueError(f"{name} has {size / 1e6:.1f} MB, more than the {LARGEST / 1e6:g} that a release carries")
    path = weights.save(module, out / f"{name}.safetensors")
    drafts.write(weights.card_of(path), files.json_bytes(card(path, RECIPES[name], run, command)))
    return path


def card(path: Path, recipe: Recipe, run: Run, command: str) -> dict[str, Any]:
    """See the module."""
    sizes, environment = run.experiment.setting, files.read_json(run.folder / "environment.json")
    assert run.config.root is not None  # a recipe names it
    world = files.read_json(Path(run.config.root) / "world.json")
    parts = {split: run.dataset(split) for split in ("train", "validation", "test")}
    measured = run.metrics["test"]
    held_out = {key: round(value, 4) for key, value in measured.items() if key.startswith(("top1", "top5"))}
    return {
        "weights": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "system": recipe.system,
        "module": recipe.module,
        "width": sizes.width,
        "clip": list(sizes.clip),
        "data": {
            **{key: world[key] for key in ("world", "version", "size", "seed")},
            "clips": {split: len(part) for split, part in parts.items()},
            "classes": run.classes,
        },
        "command": command,
        "run": run.id,
        "epochs": len(run.history),
        "seconds": round(float(run.history["seconds"].sum())),
        "machine": ", ".join(
            [
                environment["processor"],
                f"{environment['threads']} threads",
                environment["precision"],
                *filter(None, [environment["gpu"]]),
            ]
        ),
        "git": environment["git"],
        "held_out": {"clips": len(parts["test"]), **held_out, "chance": round(1 / len(run.classes), 4)},
    }


def _trial(world: str, size: str | dict[str, Any], epochs: int | None, limit: int | None) -> str:
    """Why these weights are none to ship, "" if they are."""
    whole = [name for name in WORLD_SIZES[world] if (world, name) not in {("pretrain", "look"), ("adl", "tiny")}]
    changes = {"size": None if size in whole else size, "epochs": epochs, "limit": limit}
    return ", ".join(f"{key}={value}" for key, value in changes.items() if value is not None)
