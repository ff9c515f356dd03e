"""Generating worlds: the same on every run, resumable, and clear about what is wrong."""

from __future__ import annotations

import errno
import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from safefiles import checksums, workers
from synthadl import world
from synthadl.actions import ACTIONS
from synthadl.plan import plan
from synthadl.settings import SIZES, settle

SMALL = {"actions": ["wave", "drink_from_cup"], "subjects": 4, "repetitions": 1, "setups": 3, "resolution": (64, 48)}

LOCKS = {".world.lock", ".checksums.lock"}


def prints(root: Path) -> dict[str, str]:
    # Checksums hold times of change too.
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != checksums.NAME)
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("one")
    return root, world.generate(root, SMALL, seed=3, workers=1)


def test_two_processes_make_the_same_bytes(made, tmp_path):
    root, table = made
    again = world.generate(tmp_path, SMALL, seed=3, workers=2)
    pd.testing.assert_frame_equal(table, again)
    assert prints(root) == prints(tmp_path)


def test_another_seed_makes_another_world(made):
    other = plan(SMALL, seed=4)
    assert (other["seed"] != made[1]["seed"]).all()


def test_index_and_files_agree(made):
    root, table = made
    assert set(table.columns) == {
        "id", "video", "arrays", "action", "label", "subject", "view", "camera", "setup", "frames", "fps", "width",
        "height", "imposter", "background", "handedness", "seed", "interval_start", "interval_end", "split_cs",
        "split_cv", "split_setup",
    }  # fmt: skip
    pd.testing.assert_frame_equal(table, pd.read_parquet(root / "index.parquet"))
    assert table["id"].is_unique and len(table) == 8
    for row in table.itertuples():
        pictures = decoded(root / row.video)
        assert pictures.shape == (row.frames, row.height, row.width, 3)
        assert pictures.std() > 20
        with np.load(root / row.arrays, allow_pickle=False) as arrays:
            assert len(arrays["joints"]) == row.frames and np.isfinite(arrays["joints"]).all()
            assert arrays["interval"].tolist() == [row.interval_start, row.interval_end]
            assert 0 <= row.interval_start < row.interval_end <= row.frames
            assert arrays["truth_mask"].any()
    assert json.loads((root / "world.json").read_text())["seed"] == 3


def test_a_lost_clip_is_made_again_and_only_that(made, tmp_path):
    root, table = made
    world.generate(tmp_path, SMALL, seed=3, workers=1)
    kept, lost = tmp_path / table["video"][0], tmp_path / table["arrays"][1]
    before = kept.stat().st_mtime_ns
    lost.unlink()
    (tmp_path / "index.parquet").unlink()
    world.generate(tmp_path, SMALL, seed=3, workers=1)
    assert prints(root) == prints(tmp_path)
    assert kept.stat().st_mtime_ns == before


def test_a_finished_world_is_left_alone(made):
    root, table = made
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    pd.testing.assert_frame_equal(table, world.generate(root, SMALL, seed=3, workers=1))
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*")}


@pytest.mark.parametrize(
    ("change", "named"),
    [({"seed": 5}, "seed"), ({"knobs": {"framing": "wide"}}, "settings"), ({"size": "tiny"}, "size")],
)
def test_a_folder_with_another_world_is_refused(made, change, named):
    root, _ = made
    with pytest.raises(ValueError, match=f"world.json: this folder holds a world with {named} = "):
        world.generate(root, **{"size": SMALL, "seed": 3, "workers": 1, **change})


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path, monkeypatch):
    real, calls = np.savez_compressed, []

    def full(file, **arrays):
        calls.append(1)
        if len(calls) == 3:
            file.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file, **arrays)

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match=r"arrays/\S+.npz can't be written: No space left on device") as caught:
        world.generate(tmp_path, SMALL, seed=3, workers=1)
    assert "\n" not in str(caught.value)
    assert len(list((tmp_path / "arrays").iterdir())) == 2
    assert {path.name for path in tmp_path.rglob(".*")} == LOCKS and not (tmp_path / "index.parquet").exists()
    assert len(world.generate(tmp_path, SMALL, seed=3, workers=1)) == 8


def test_a_dead_worker_is_one_sentence(tmp_path, monkeypatch):
    class Pool(ProcessPoolExecutor):
        def map(self, *jobs, **options):
            raise BrokenProcessPool("gone")

    monkeypatch.setattr(workers, "ProcessPoolExecutor", Pool)
    with pytest.raises(RuntimeError, match="a worker process died; generate again to go on where it stopped"):
        world.generate(tmp_path, {**SMALL, "actions": ["wave"]}, seed=3, workers=2)
    assert len(list((tmp_path / "arrays").iterdir())) == 1


def test_hidden_files_of_the_user_stay(tmp_path):
    (tmp_path / "videos").mkdir()
    mine = [tmp_path / ".env", tmp_path / "videos" / ".S001.99.mp4"]
    for path in mine:
        path.write_bytes(b"mine")
    world.generate(tmp_path, {**SMALL, "actions": ["wave"]}, seed=3, workers=1)
    assert sorted(tmp_path.rglob(".*")) == sorted([*mine, *(tmp_path / lock for lock in LOCKS)])


@pytest.mark.parametrize(
    ("size", "named", "knobs", "message"),
    [
        ("huge", "adl", None, "unknown size 'huge'; known: tiny, small, paper"),
        ("tiny", "kinetics", None, "unknown world 'kinetics'; known: adl, pretrain"),
        ("tiny", "adl", {"weather": 1}, "unknown knob 'weather'; known: pose_quality, resolution"),
        ({"people": 3}, "adl", None, "unknown field of a size 'people'; known: actions, subjects"),
        ("tiny", "adl", {"subjects": 2}, "subjects must be a whole number of 4 or more"),
        ("tiny", "adl", {"resolution": (161, 120)}, r"resolution must be \(width, height\) in even numbers"),
        ("tiny", "adl", {"occlusion": 1.5}, "occlusion must be a share between 0 and 1, got 1.5"),
        ("tiny", "adl", {"framing": "fish"}, "framing must be one of close, normal, wide, got 'fish'"),
        ("tiny", "adl", {"pose_quality": "bad"}, "pose_quality must be one of high, medium, low"),
        ("tiny", "adl", {"imposters": -1}, "imposters must be a whole number from 0 to 4"),
        ({"actions": ["swim"]}, "adl", None, "actions must be among drink_from_cup"),
    ],
)
def test_bad_settings_are_one_sentence(size, named, knobs, message):
    with pytest.raises(ValueError, match=message) as caught:
        settle(size, named, knobs)
    assert "\n" not in str(caught.value)


def test_bad_seed_and_workers(tmp_path):
    with pytest.raises(ValueError, match="seed must be a whole number of 0 or more, got -1"):
        plan(SMALL, seed=-1)
    with pytest.raises(ValueError, match="workers must be 1 or more, got 0"):
        world.generate(tmp_path, SMALL, workers=0)
    assert not list(tmp_path.iterdir())


def test_knobs_reach_the_picture():
    base = plan(SMALL, seed=1, knobs={"occlusion": 0.0, "monitoring": 0.0})
    turned = plan(SMALL, seed=1, knobs={"occlusion": 1.0, "monitoring": 0.0, "imposters": 2, "resolution": [96, 72]})
    assert not base["blocked"].any() and turned["blocked"].all()
    assert (turned["imposter"].str.count(r"\+") == 1).all() and (base["imposter"].str.count(r"\+") == 3).all()
    assert set(plan(SMALL, knobs={"imposters": 0})["imposter"]) == {""}
    settings = settle(SMALL, "adl", {"resolution": [96, 72], "fps": 12.5})
    performance, _, camera, frames = world.make_clip(settings, "adl", 1, 0, turned.iloc[0].to_dict())
    assert next(frames)[0].shape == (72, 96, 3) and (camera.width, camera.height) == (96, 72)
    assert 25 <= len(performance.joints) <= 75


@pytest.mark.parametrize("size", sorted(SIZES))
def test_every_action_is_in_each_split_of_each_protocol(size):
    table = plan(size)
    assert set(table["action"]) == set(ACTIONS) and len(ACTIONS) >= 24
    for protocol in ("split_cs", "split_cv", "split_setup"):
        for split in ("train", "validation", "test"):
            assert set(table.loc[table[protocol] == split, "action"]) == set(ACTIONS), (protocol, split)


def test_protocols_keep_apart_what_they_promise():
    table = plan("tiny")
    by = {name: {s: rows for s, rows in table.groupby(name)} for name in ("split_cs", "split_cv", "split_setup")}
    subjects = [set(rows["subject"]) for rows in by["split_cs"].values()]
    assert sum(map(len, subjects)) == len(set.union(*subjects)) == 10
    assert set(by["split_cv"]["test"]["view"]) == {3} and set(by["split_cv"]["train"]["view"]) == {1, 2}
    assert set(by["split_cv"]["unused"]["view"]) == {4, 5}
    assert not set(by["split_setup"]["test"]["setup"]) & set(by["split_setup"]["train"]["setup"])
    assert not set(by["split_setup"]["test"]["background"]) & set(by["split_setup"]["train"]["background"])
    for protocol in ("split_cv", "split_setup"):
        assert not set(by[protocol]["validation"]["subject"]) & set(by[protocol]["train"]["subject"])
        assert not set(by[protocol]["validation"]["subject"]) & set(by["split_cs"]["test"]["subject"])
    assert 0.12 < (table["view"] > 3).mean() < 0.18


def test_an_earlier_version_of_the_world_is_said_and_stays(tmp_path):
    world.generate(tmp_path, SMALL, workers=1)
    told = json.loads((tmp_path / "world.json").read_text())
    checksums.write(tmp_path / "world.json", json.dumps(told | {"version": 1}).encode())
    before = (tmp_path / "index.parquet").read_bytes()
    with pytest.raises(ValueError, match=r"holds version 1 of the world, .* version 2 is drawn now: rename the folder"):
        world.generate(tmp_path, SMALL, workers=1)
    assert (tmp_path / "index.parquet").read_bytes() == before
