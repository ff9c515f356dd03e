"""A place with one of everything that commands read, as small as it can be, and the commands that read it."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import nbformat
import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from synthadl import world
from synthadl.settings import settle
from tests.detection_fixtures import fake_synthadl_u
from tests.fixtures import fake_synthadl
from workbench import boundary
from workbench.commands import main
from workbench.data import open_untrimmed
from workbench.metrics import formats
from workbench.show import gallery
from workbench.study import notebooks
from workbench.study.runs import run_folder, run_table
from workbench.study.sweep import clusters
from workbench.study.tables import table_file

PRESET = "preset={base: tiny, clip: [8, 32, 32], width: 0.125, poses: 4, output_stride: [4, 16, 16], batch_size: 4}"
SHORT = [PRESET, "epochs=1", "progress=false", "options.hidden=8", "device=cpu"]
TABLE = """\
title: One row
base: {preset: {base: tiny, clip: [8, 32, 32], poses: 4, batch_size: 4}}
columns: [{metric: top1, label: Top-1}]
rows:
  - {id: one, label: One, parameters: {system: pose_lstm, epochs: 1, options: {hidden: 8}}}
"""
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "00_data_flow.ipynb"


@dataclass(frozen=True)
class Case:
    """A command and the files that it reads. reports: it goes on, and names what it left out. harmless: damages after
    which there is nothing to say, as of a folder among films."""

    name: str
    files: tuple[Path, ...]
    run: Callable[[], int]
    reports: bool = False
    harmless: tuple[str, ...] = ()


def command(*words: object) -> Callable[[], int]:
    return lambda: main([str(word) for word in words])


def call(function: Callable, *arguments: object) -> Callable[[], int]:
    """The part of a command that reads; the whole would take minutes."""

    def done() -> None:
        function(*arguments)

    return lambda: boundary.run(done)


class Site:
    """The place, under ``root``; ``cases`` are what is done there, ``out`` is where they write."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        os.environ["WORKBENCH_CACHE"] = str(root / "records")
        self.root, self.out, self.runs, self.shards = root, root / "new", root / "runs", root / "shards"
        self.world = fake_synthadl(root / "world", actions=2, subjects=3, views=1, frames=12, size=(32, 48))
        self.untrimmed = fake_synthadl_u(root / "untrimmed", actions=2, subjects=3, views=1, frames=30)
        self.footage, self.classes = root / "footage", root / "classes"
        self._film()
        self.weights = root / "weights"
        self._train()
        self.scores = root / "scores"
        self._score()
        self._write()
        with contextlib.redirect_stdout(io.StringIO()):
            self._must("prepare", self.footage / "clips.csv", "--shards", self.shards)

    def _must(self, *words: object) -> None:
        if command(*words)():
            raise RuntimeError(f"the undamaged place fails: {words}")

    def _film(self) -> None:
        """Footage with a manifest, and in folders by class."""
        self.footage.mkdir()
        rows = []
        for i, row in enumerate(pd.read_parquet(self.world / "index.parquet").itertuples()):
            place = self.classes / ("wave", "sit")[row.label]
            place.mkdir(parents=True, exist_ok=True)
            with np.load(self.world / row.arrays) as held:
                arrays = {"joints": held["joints"], "pixels": held["pixels"], "skeleton": "kinect_v2"}
            np.savez(self.footage / f"pose_{i}.npz", **arrays)
            np.savez(place / f"film_{i}.npz", **arrays)
            shutil.copy(self.world / row.video, self.footage / f"film_{i}.mp4")
            shutil.copy(self.world / row.video, place / f"film_{i}.mp4")
            rows.append((f"film_{i}.mp4", row.action, row.split_cs, f"pose_{i}.npz", f"person {row.subject}"))
        table = pd.DataFrame(rows, columns=["video", "label", "split", "pose", "subject"])
        table.to_csv(self.footage / "clips.csv", index=False)
        table.to_parquet(self.footage / "clips.parquet")
        (self.footage / "clips.yaml").write_text("classes: [action 0, action 1]\nmirrored: false\n")

    def _train(self) -> None:
        self._must("train", "pose_lstm", "--root", self.world, "--runs", self.runs, "--set", *SHORT)
        (self.run,) = [path.parent for path in self.runs.glob("*/weights.safetensors")]
        self.weights.mkdir()
        tensors = load_file(self.run / "weights.safetensors")
        shutil.copy(self.run / "weights.safetensors", self.weights / "start.safetensors")
        torch.save(tensors, self.weights / "start.pth")
        np.savez(self.weights / "start.npz", **{name: tensor.numpy() for name, tensor in tensors.items()})

    def _score(self) -> None:
        truth = pd.DataFrame({"video": ["v1", "v2"], "label": [3, 4], "start": [1.0, 2.0], "end": [4.0, 6.0]})
        found = truth.assign(score=[0.5, 0.4])
        named = {"label": [f"c{i}" for i in truth["label"]]}
        self.scores.mkdir()
        formats.write_activitynet_truth(self.scores / "truth.json", truth.assign(**named), {"v1": 9, "v2": 9})
        formats.write_activitynet_detections(self.scores / "found.json", found.assign(**named))
        formats.write_pku_truth(self.scores / "pku_truth", truth)
        formats.write_pku_detections(self.scores / "pku_found", found)

    def _write(self) -> None:
        """Tables, notebooks, a pickle of poses, a world that is begun."""
        self.table, self.slurm = self.root / "table.yaml", self.root / "slurm.yaml"
        self.table.write_text(TABLE)
        self.slurm.write_text("cores: 1\nmemory: 1GB\n")
        self.notebook, self.executed = self.root / "notebooks" / NOTEBOOK.name, self.root / "notebooks" / "done.ipynb"
        self.notebook.parent.mkdir()
        shutil.copy(NOTEBOOK, self.notebook)
        cell = nbformat.v4.new_code_cell("1", execution_count=1)
        html = "<table><tr><td>1</td></tr></table>"
        cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": html})]
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), self.executed)
        self.pickle = self.root / "set.pkl"
        rng, notes = np.random.default_rng(1), []
        for i in range(6):
            about = {"frame_dir": f"S001C001P00{i}R001A00{1 + i % 2}", "label": i % 2, "total_frames": 8}
            notes.append({**about, "keypoint": rng.normal(size=(1, 8, 25, 3)).astype(np.float16)})
        names = [note["frame_dir"] for note in notes]
        split = {"xsub_train": names[:4], "xsub_val": names[4:]}
        self.pickle.write_bytes(pickle.dumps({"split": split, "annotations": notes}))
        self.claimed = self.root / "claimed"
        recipe = {"version": world.VERSIONS["adl"], "world": "adl", "size": "tiny", "seed": 0}
        world._claim(self.claimed, {**recipe, "settings": settle("tiny", "adl", None).plain()})

    def cases(self) -> list[Case]:
        return [*self._of_data(), *self._of_runs(), *self._of_texts()]

    def _of_data(self) -> list[Case]:
        films, poses = sorted(self.footage.glob("*.mp4")), sorted(self.footage.glob("*.npz"))
        listed, parquet, beside = (self.footage / f"clips.{kind}" for kind in ("csv", "parquet", "yaml"))
        arrays, videos = sorted((self.world / "arrays").glob("*.npz")), sorted((self.world / "videos").glob("*.mp4"))
        index, told = self.world / "index.parquet", self.world / "world.json"
        train, small = ("train", "pose_lstm", "--runs", self.out), ("--set", *SHORT, "cache=null")
        prepare = command("prepare", listed, "--system", "rgb", "--cache", self.out / "cache", "--set", PRESET)
        untrimmed = tuple(self.untrimmed / name for name in ("index.parquet", "intervals.parquet", "world.json"))
        shards = tuple(path for path in self.shards.iterdir() if path.name in ("dataset.json", "shard-000000.tar"))
        wizard = command("wizard", self.classes, "--out", self.classes / "made.csv", "--force")
        return [
            Case("doctor", (listed, beside, poses[0], films[0]), command("doctor", listed, "--all")),
            Case("doctor parquet", (parquet,), command("doctor", parquet, "--all")),
            Case("doctor world", (index, told, arrays[0], videos[0]), command("doctor", self.world, "--all")),
            Case("doctor shards", shards, command("doctor", f"shards:{self.shards}", "--all")),
            Case("doctor pickle", (self.pickle,), command("doctor", self.pickle, "--all", "--skip", *NOISE)),
            Case("prepare", (listed, beside, films[1]), prepare),
            Case("shard", (listed, films[1], poses[1]), command("prepare", listed, "--shards", self.out / "shards")),
            Case("train", (listed, beside, poses[0]), command(*train, "--root", listed, *small), reports=True),
            Case("train world", (index, told, arrays[0]), command(*train, "--root", self.world, *small), reports=True),
            Case("untrimmed", untrimmed, call(self._open_untrimmed)),
            Case("wizard", (next(self.classes.glob("wave/*.mp4")),), wizard, True, ("folder",)),
        ]

    def _of_runs(self) -> list[Case]:
        train, small = ("train", "pose_lstm", "--runs"), ("--set", *SHORT, "cache=null")
        again = command(*train, self.runs, "--root", self.world, "--set", *SHORT)
        start = (*train, self.out, "--root", self.world, *small)
        weights = sorted(self.weights.iterdir())
        run, first = self.run, next((self.world / "arrays").glob("a00_s03*"))
        asked = command("sensitivity", run.name, "--runs", self.runs, "--limit", 1)
        opened, predictions = run_folder.Run(run.name, run), run / "predictions_test.npz"
        return [
            *(Case(f"init {path.suffix}", (path,), command(*start, f"init={{'': {path}}}")) for path in weights),
            Case("train again", (run / "metrics.json",), again, reports=True),
            Case("resume", (run / "checkpoint.pt", run / "config.json"), lambda: self._resume(again), reports=True),
            Case("sensitivity", (run / "weights.safetensors", run / "config.json", first), asked),
            Case("predictions", (predictions, run / "config.json"), call(lambda: _fresh(opened).predictions())),
            Case("history", (run / "history.csv",), call(lambda: _fresh(opened).history)),
            Case(
                "table of runs",
                (run / "metrics.json", run / "config.json"),
                call(lambda: run_table.summary(self.runs)),
                reports=True,
            ),
        ]

    def _of_texts(self) -> list[Case]:
        truth, found = self.scores / "truth.json", self.scores / "found.json"
        pku = self.scores / "pku_truth", self.scores / "pku_found"
        events = tuple(path for folder in pku for path in folder.iterdir())
        page = self.out / "page.html"
        return [
            Case("sweep", (self.table,), call(table_file.read_table, self.table)),
            Case("profile", (self.table,), command("profile", self.table, "--repeats", 1, "--runs", self.out)),
            Case("slurm", (self.slurm,), call(clusters.read, self.slurm)),
            Case("score", (truth, found), command("score", truth, found, "--rule", "activitynet")),
            Case("score pku", events, command("score", *pku, "--rule", "pku"), reports=True),
            Case("gallery", (self.executed,), call(gallery.build, [self.executed], None, page)),
            Case("notebook", (self.notebook,), call(self._execute)),
            Case("synth", (self.claimed / "world.json",), call(self._generate), reports=True),
        ]

    def _open_untrimmed(self) -> None:
        data = open_untrimmed("synthadl_u", self.untrimmed, None, "test")
        for i in range(len(data)):
            data.labels(i)

    def _execute(self) -> None:
        with patch.object(notebooks, "run_copy"):
            notebooks.execute(self.notebook, self.out / "done.ipynb", {"root": str(self.world)})

    def _generate(self) -> None:
        with patch.object(world, "_finish"):
            world.generate(self.claimed)

    def _resume(self, again: Callable[[], int]) -> int:
        """The run as it was before its end."""
        weights = self.run / "weights.safetensors"
        kept = weights.read_bytes()
        weights.unlink()
        try:
            return again()
        finally:
            weights.write_bytes(kept)


#: What random joints do not pass.
NOISE = ("order of joints", "both sides alike", "left and right", "axes", "units")


def _fresh(run: run_folder.Run) -> run_folder.Run:
    """The same, of which nothing is remembered."""
    return run_folder.Run(run.id, run.folder)
