"""`make clean` takes away what the commands made, and no file of the user's."""

from __future__ import annotations

import json

import numpy as np

from safefiles import checksums, drafts
from tests.faults.campaign import MINE
from workbench import cleaning
from workbench.data.clips.cache import open_store
from workbench.study import files


def test_only_what_was_made_goes(tmp_path):
    run, world, gallery = (tmp_path / name for name in ("runs/vpn-cs-s0-1", "world", "gallery/notebooks"))
    files.write_json(run / "config.json", {"a": 1})
    files.write_arrays(run / "predictions_test.npz", {"a": np.ones(2)})
    for name in ("videos/a.mp4", "arrays/a.npz", "index.parquet"):
        drafts.write(world / name, b"x")
    checksums.keep(world, ["videos/a.mp4", "arrays/a.npz", "index.parquet"])
    checksums.write(gallery / "01_train.ipynb", json.dumps({"cells": []}).encode())
    checksums.write(gallery / "02_gradcam.ipynb", b"executed")
    (gallery / "02_gradcam.ipynb").write_text("executed, and then worked on")
    (tmp_path / "runs/mlflow.db").write_bytes(b"store")
    open_store(tmp_path / "cache", "numbers", {}, [1], (2,), "int16", lambda i: np.ones((1, 2), np.int16))
    made = {path for path in tmp_path.rglob("*") if path.is_file()}
    folders = {path.parent for path in made}
    mine = {folder / name: f"{folder}" for folder in folders for name in MINE if not name.startswith(".weights.draft")}
    mine |= {world / "videos" / "b.mp4": "my film", tmp_path / "runs" / "notes.db": "my notes"}
    for path, words in mine.items():
        path.write_text(words)
    (run / "link.npz").symlink_to(run / "predictions_test.npz")
    gone, kept = cleaning.clean([tmp_path / name for name in ("runs", "world", "gallery", "cache", "nowhere")])
    changed = gallery / "02_gradcam.ipynb"
    assert gone == len(made) - 1 and changed.read_text() == "executed, and then worked on"
    assert set(kept) == {*mine, changed, run / "link.npz"}
    assert all(path.read_text() == words for path, words in mine.items())


def test_empty_folders_go(tmp_path):
    files.write_json(tmp_path / "runs" / "a" / "config.json", {})
    assert cleaning.clean([tmp_path / "runs"]) == (3, []) and not (tmp_path / "runs").exists()
