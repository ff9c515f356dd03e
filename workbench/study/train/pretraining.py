"""The weights that ship with the workbench, made from SynthADL-P: trained, measured on subjects that no training clip
shows, and written with a card that says how.

A card is the JSON file beside the weights: weights, sha256, bytes; system, module, width, clip; data (world, version,
size, seed, root's clips by split, classes); command, run, epochs, seconds (of all epochs that were finished), machine,
git; held_out (clips, top1 and top5 with 95 % intervals, chance), accuracies in [0, 1].
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthadl.settings import PRETRAIN_SIZES
from synthadl.world import generate
from workbench.nets import weights
from workbench.study import files
from workbench.study.config.train_config import TrainConfig
from workbench.study.runs.find_runs import open_run
from workbench.study.runs.run_folder import Run
from workbench.study.train.fit import fit

#: What a file of a release may be, bytes.
LARGEST = 10_000_000


@dataclass(frozen=True)
class Recipe:
    """What is trained, which module of it is kept, and what differs from the preset study."""

    system: str
    module: str
    epochs: int
    changes: dict[str, Any] = field(default_factory=dict)


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
}


def pretrain(
    root: str | Path,
    size: str | dict[str, Any] = "tiny",
    workers: int | None = None,
    names: list[str] | None = None,
    out: str | Path = weights.PRETRAINED,
    runs: str | Path = "runs",
    command: str = "",
    epochs: int | None = None,
    limit: int | None = None,
) -> dict[str, Path]:
    """Draws SynthADL-P of a ``size`` in ``root`` with so many ``workers`` (None: one a core), makes the weights called
    ``names`` (None: all of RECIPES) from it and writes each to the folder ``out`` with its card; returns the files by
    name. What is drawn stays, a finished run is not repeated, a stopped one goes on.

    ``epochs`` and ``limit`` (clips of each split) are for a try, whose weights don't ship. ValueError, before anything
    is drawn, for an unknown name, a folder that holds another world, or a try that would overwrite what ships.
    """
    chosen = list(RECIPES) if names is None else names
    for name in chosen:
        if name not in RECIPES:
            raise ValueError(f"unknown weights {name!r}; known: {', '.join(RECIPES)}")
    why = _trial(size, epochs, limit)
    if why and Path(out).resolve() == weights.PRETRAINED.resolve():
        raise ValueError(f"weights of a try ({why}) don't take the place of those that ship; say --out FOLDER")
    generate(root, size, "pretrain", workers=workers)
    made = {}
    for name in chosen:
        run = open_run(fit(config(name, root, runs, epochs, limit)), runs)
        made[name] = export(name, run, Path(out), command)
    return made


def config(
    name: str, root: str | Path, runs: str | Path = "runs", epochs: int | None = None, limit: int | None = None
) -> TrainConfig:
    """The run that the weights ``name`` are taken from. Its clips are short: decoding them costs less than a cache."""
    recipe = RECIPES[name]
    where = {"dataset": "synthadl", "root": str(root), "protocol": "cs", "runs": str(runs)}
    where |= {"cache": None, "workers": 2}  # the next batches are read while one is learnt
    numbers = {"preset": "study", "epochs": epochs or recipe.epochs, "limit": limit}
    return TrainConfig(system=recipe.system, **where, **numbers, **recipe.changes)


def export(name: str, run: Run, out: Path, command: str) -> Path:
    """Writes the module of a finished run, and its card after it; ValueError where a release could not carry it."""
    recipe = RECIPES[name]
    module = run.system().get_submodule(recipe.module)
    size = sum(tensor.nbytes for tensor in module.state_dict().values())
    if size > LARGEST:
        raise ValueError(f"{name} has {size / 1e6:.1f} MB, more than the {LARGEST / 1e6:g} that a release carries")
    path = weights.save(module, out / f"{name}.safetensors")
    files.write_json(weights.card_of(path), card(path, recipe, run, command))
    return path


def card(path: Path, recipe: Recipe, run: Run, command: str) -> dict[str, Any]:
    """See the module."""
    sizes, found = run.experiment.setting, files.read_json(run.folder / "environment.json")
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
            [found["processor"], f"{found['threads']} threads", found["precision"], *filter(None, [found["gpu"]])]
        ),
        "git": found["git"],
        "held_out": {"clips": len(parts["test"]), **held_out, "chance": round(1 / len(run.classes), 4)},
    }


def _trial(size: str | dict[str, Any], epochs: int | None, limit: int | None) -> str:
    """Why these weights are none to ship, "" if they are."""
    whole = [name for name in PRETRAIN_SIZES if name != "look"]
    found = {"size": None if size in whole else size, "epochs": epochs, "limit": limit}
    return ", ".join(f"{key}={value}" for key, value in found.items() if value is not None)
