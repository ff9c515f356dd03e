"""What files hold decides what a run is: copies are the same, corrections in place are not."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures import fake_synthadl
from workbench.data import contents, open_dataset
from workbench.study import fit
from workbench.study.config.data_of import open_split
from workbench.study.config.train_config import parse
from workbench.study.runs import find_runs


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))
    return tmp_path / "records" / "contents.sqlite"


def write(path: Path, data: bytes, seconds_ago: float = 60) -> Path:
    path.write_bytes(data)
    changed = path.stat().st_mtime - seconds_ago
    os.utime(path, (changed, changed))
    return path


def only(path: Path) -> str:
    return contents.digests([path])[str(path)]


def test_bytes_count_and_nothing_else(tmp_path):
    first, copy = write(tmp_path / "a", b"pose"), write(tmp_path / "b", b"pose", seconds_ago=500)
    assert only(first) == only(copy) != only(write(tmp_path / "c", b"pos!"))
    assert only(tmp_path / "nowhere") == contents.ABSENT


def test_a_file_is_read_once_for_each_state(tmp_path, monkeypatch):
    path, read = write(tmp_path / "a", b"first"), []
    digest = contents._digest
    monkeypatch.setattr(contents, "_digest", lambda name: read.append(name) or digest(name))
    before = only(path)
    assert only(path) == before and read == [str(path)]
    write(path, b"other", seconds_ago=30)  # as many bytes, at another time
    assert only(path) != before and len(read) == 2


def test_a_file_that_changed_just_now_is_read_again(tmp_path):
    path = write(tmp_path / "a", b"first", seconds_ago=0)
    before, state = only(path), path.stat()
    path.write_bytes(b"other")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # a clock too coarse to tell the two apart
    assert only(path) != before


def test_a_damaged_memory_costs_time_only(tmp_path, memory):
    path = write(tmp_path / "a", b"first")
    before = only(path)
    memory.write_bytes(b"no database at all" * 100)
    with pytest.warns(UserWarning, match="contents.sqlite: digests of files can't be remembered"):
        assert only(path) == before


def test_names_need_not_be_text(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")
    write(Path(name), b"film")
    assert contents.digests([name])[name] == contents.digests([name])[name] != contents.ABSENT


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    root = fake_synthadl(tmp_path_factory.mktemp("world"), actions=2, subjects=4, views=1, frames=8, size=(48, 64))
    for path in root.rglob("*"):
        os.utime(path, (1e9, 1e9))
    return root


def relabel(root: Path, index: pd.DataFrame, row: int) -> None:
    """The clip of ``row`` shows the other of the two actions."""
    label = 1 - index.loc[row, "label"]
    index.loc[row, ["label", "action"]] = [label, f"action {label}"]
    index.to_parquet(root / "index.parquet")


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(clip=st.integers(0, 7), kind=st.sampled_from(["video", "arrays", "label"]))
def test_a_change_of_any_clip_changes_its_splits_and_no_other(world, tmp_path_factory, clip, kind):
    root = tmp_path_factory.mktemp("copy") / "world"
    shutil.copytree(world, root)
    before = {split: open_dataset("synthadl", world, "cs", split) for split in ("train", "validation", "test")}
    index = pd.read_parquet(root / "index.parquet")
    if kind == "label":
        relabel(root, index, clip)
    else:
        path = root / index.loc[clip, kind] if kind in index else next(root.rglob(f"{index.loc[clip, 'id']}*.npz"))
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    after = {split: open_dataset("synthadl", root, "cs", split) for split in before}
    changed = {split for split in before if before[split].contents != after[split].contents}
    assert changed == {index.loc[clip, "split_cs"]}


PRESET = {"base": "tiny", "batch_size": 4, "clip": [8, 32, 32], "output_stride": [4, 16, 16], "poses": 8}


def quick(root: Path, folder: Path) -> dict:
    return {
        "system": "agcn", "root": str(root), "runs": str(folder), "cache": None, "progress": False, "preset": PRESET,
        "epochs": 1,
    }  # fmt: skip


def spoil(path: Path) -> None:
    """Other poses in the file of a clip."""
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["joints"] = arrays["joints"] * np.float32(1.5)
    np.savez(path, **arrays)


def test_a_repaired_pose_file_trains_anew_and_a_copy_does_not(world, tmp_path):
    root, folder = tmp_path / "world", tmp_path / "runs"
    shutil.copytree(world, root)
    asked = quick(root, folder)
    first = fit(asked)
    shutil.copytree(root, tmp_path / "moved")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit({**asked, "root": str(tmp_path / "moved")}) == first
    for split in ("train", "validation"):
        data = open_split(parse(asked), split)
        spoil(Path(data.table["arrays"].iloc[0]))
        word = {"train": "training", "validation": "validation"}[split]
        with pytest.warns(
            UserWarning, match=f"its (training and )?{word} clips .* have changed since: it is trained anew"
        ):
            second = fit(asked)
        assert second != first and find_runs.open_run(first, folder).finished


def test_other_data_in_another_place_are_not_called_changed(world, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(world, here)
    shutil.copytree(world, there)
    first = fit(quick(here, tmp_path / "runs"))
    asked = quick(there, tmp_path / "runs")
    spoil(Path(open_split(parse(asked), "train").table["arrays"].iloc[0]))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert fit(asked) != first
    assert not [str(warning.message) for warning in said if "changed since" in str(warning.message)]


def test_a_corrected_test_clip_is_evaluated_anew(world, tmp_path):
    root, folder = tmp_path / "world", tmp_path / "runs"
    shutil.copytree(world, root)
    asked = quick(root, folder)
    run = find_runs.open_run(fit(asked), folder)
    before = run.predictions("test")
    index = pd.read_parquet(root / "index.parquet")
    row = index.index[index["split_cs"] == "test"][0]
    relabel(root, index, row)
    with pytest.warns(UserWarning, match="the test clips have changed since .* was evaluated: evaluated anew"):
        assert fit(asked) == run.id
    after = run.predictions("test")
    assert before.labels[before.ids.index(index.loc[row, "id"])] != after.labels[after.ids.index(index.loc[row, "id"])]
    np.testing.assert_array_equal(before.logits, after.logits)
