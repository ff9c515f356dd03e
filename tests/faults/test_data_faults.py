"""Damaged clips, interrupted and impossible caches: one clear sentence each, and nothing lost."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.fixtures import fake_synthadl
from workbench.data import ClipSpec, Loader, open_dataset
from workbench.data.clips import cache
from workbench.data.clips.cache import open_store
from workbench.media import flow

SPEC = ClipSpec(frames=6, size=(40, 40), poses=5)
HTML = "<img src=x onerror=alert(1)> & 'so on'"


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))
    return fake_synthadl(tmp_path / "world", actions=2, subjects=3, views=2, frames=12)


def truncate(path, share=0.5):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def ids(loader):
    return [name for batch in loader for name in batch.ids]


# Damaged clips


@pytest.mark.parametrize("cached", [False, True])
def test_a_truncated_video_is_skipped_by_name(world, tmp_path, cached):
    truncate(world / "videos" / "a01_s01_v1.mp4")
    data = open_dataset("synthadl", world, split="train")
    with pytest.warns(UserWarning, match="skipped clip a01_s01_v1: .*a01_s01_v1.mp4"):
        loader = Loader(data, SPEC, 2, skip_limit=0.25, cache=tmp_path / "cache" if cached else None)
        given = ids(loader)
    assert given == [name for name in data.ids if name != "a01_s01_v1"]
    assert [name for name, _ in loader.skipped] == ["a01_s01_v1"]
    assert ids(loader) == given and len(loader.skipped) == 1  # it is reported once


def test_too_many_damaged_videos_stop_the_run(world):
    for name in ("a01_s01_v1", "a00_s01_v2"):
        truncate(world / "videos" / f"{name}.mp4")
    loader = Loader(open_dataset("synthadl", world, split="train"), SPEC, 4, skip_limit=0.25)
    with (
        pytest.warns(UserWarning),
        pytest.raises(
            RuntimeError, match=r"2 of 4 clips of synthadl cannot be read, more than the 25.0% .* a00_s01_v2: "
        ),
    ):
        list(loader)


def test_a_batch_of_nothing_but_damage_is_left_out(world):
    truncate(world / "videos" / "a00_s01_v1.mp4")
    data = open_dataset("synthadl", world, split="train")
    with pytest.warns(UserWarning):
        assert [batch.ids for batch in Loader(data, SPEC, 1, skip_limit=0.5)] == [[name] for name in data.ids[1:]]


def test_a_damaged_video_of_a_manifest_is_skipped_by_name(world):
    truncate(world / "videos" / "a00_s02_v1.mp4")
    pd.DataFrame(
        {
            "video": [f"videos/a00_s0{s}_v1.mp4" for s in (1, 2, 3)],
            "label": HTML,
            "split": "train",
            "id": ["x", "y", "z"],
        }
    ).to_csv(world / "clips.csv", index=False)
    data = open_dataset("manifest", world / "clips.csv")
    assert data.classes == [HTML] and list(data.problems) == [1]
    with pytest.warns(UserWarning, match="skipped clip y: .*a00_s02_v1.mp4"):
        loader = Loader(data, ClipSpec(frames=4, crop="frame"), 3, needs=frozenset({"video"}), skip_limit=0.5)
    assert ids(loader) == ["x", "z"]


def edit(path, **changes):
    with np.load(path) as arrays:
        values = {**arrays, **changes}
    np.savez(path, **values)


def test_missing_joints_are_filled_or_zero_never_nan(world):
    path = world / "arrays" / "a00_s01_v1.npz"
    with np.load(path) as arrays:
        joints = arrays["joints"].copy()
    joints[3:6] = np.nan  # no body for three frames
    joints[:, 11] = np.nan  # and one hand never
    edit(path, joints=joints)
    data = open_dataset("synthadl", world, split="train")
    batch = next(iter(Loader(data, SPEC, 1)))
    assert batch.ids == ["a00_s01_v1"] and batch.pose.isfinite().all()
    assert (batch.pose[0, 0, :, 11] == 0).all()
    assert (batch.pose[0, 0, :, 10].abs().sum(-1) > 0).all()  # the wrist was interpolated


def test_a_clip_without_any_body_is_skipped(world):
    edit(world / "arrays" / "a00_s01_v1.npz", joints=np.full((16, 25, 3), np.nan, np.float32)[: lengths(world)[0]])
    loader = Loader(open_dataset("synthadl", world, split="train"), SPEC, 2, skip_limit=0.5)
    with pytest.warns(UserWarning, match="skipped clip a00_s01_v1: .*no joint of any person is known"):
        assert "a00_s01_v1" not in ids(loader)


def lengths(world):
    return open_dataset("synthadl", world, split="train").lengths


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: truncate(path), "a00_s01_v1.npz cannot be read"),
        (lambda path: path.write_bytes(b""), "a00_s01_v1.npz cannot be read"),
        (lambda path: edit(path, joints=np.zeros((5, 25, 3), np.float32)), "joints has 5 frames, the index says"),
        (lambda path: edit(path, joints=np.array([{}], dtype=object)), "a00_s01_v1.npz cannot be read"),
    ],
)
def test_damaged_arrays_are_skipped_by_name(world, damage, message):
    damage(world / "arrays" / "a00_s01_v1.npz")
    loader = Loader(open_dataset("synthadl", world, split="train"), SPEC, 2, skip_limit=0.5)
    with pytest.warns(UserWarning, match=message):
        assert "a00_s01_v1" not in ids(loader)


def test_a_video_of_another_length_than_the_table_says_is_skipped(world):
    table = pd.read_parquet(world / "index.parquet")
    table.loc[0, "frames"] += 1
    table.to_parquet(world / "index.parquet")
    loader = Loader(open_dataset("synthadl", world, split="train"), SPEC, 2, skip_limit=0.5, needs=frozenset({"video"}))
    with pytest.warns(UserWarning, match="skipped clip a00_s01_v1: .* frames, the table of synthadl says"):
        list(loader)


def test_class_names_are_kept_to_the_letter(world):
    table = pd.read_parquet(world / "index.parquet")
    table["action"] = table["action"].replace("action 1", HTML)
    table.to_parquet(world / "index.parquet")
    assert open_dataset("synthadl", world, split="test").classes == ["action 0", HTML]


# Caches


def make(i):
    return np.full((i + 1, 2), i, np.int16)


def store(root, function=make, key=None):
    return open_store(root, "numbers", key or {"of": "test"}, [1, 2, 3, 4], (2,), "int16", function, workers=2)


def test_a_store_gives_back_what_was_made(tmp_path):
    first, second = store(tmp_path), store(tmp_path, function=None)  # the second makes nothing
    for i in range(4):
        np.testing.assert_array_equal(first[i], make(i))
        np.testing.assert_array_equal(second[i], make(i))
    assert store(tmp_path, key={"of": "another"}).folder != first.folder
    with pytest.raises(ValueError, match="read-only"):
        first[0][0] = 1


def test_two_that_ask_at_once_build_once(tmp_path):
    made = []

    def slow(i):
        made.append(i)
        time.sleep(0.02)
        return make(i)

    with ThreadPoolExecutor(3) as pool:
        stores = list(pool.map(lambda _: store(tmp_path, slow), range(3)))
    assert sorted(made) == [0, 1, 2, 3]
    assert all((one[3] == make(3)).all() for one in stores)


def test_what_could_not_be_made_is_tried_again(tmp_path):
    def fail(i):
        if i == 2:
            raise ValueError("two is out of order")
        return make(i)

    first = store(tmp_path, fail)
    assert first.bad == {2: "two is out of order"}
    with pytest.raises(ValueError, match="two is out of order"):
        first[2]
    second = store(tmp_path)
    assert second.bad == {}
    for i in range(4):
        np.testing.assert_array_equal(second[i], make(i))


KILLED = """
    import os, signal, sys, time
    from pathlib import Path
    import numpy as np
    from workbench.data.clips.cache import open_store

    def make(i):
        if i == 3:
            time.sleep(0.5)  # the others are written by then
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full((i + 1, 2), i, np.int16)

    open_store(Path(sys.argv[1]), "numbers", {"of": "test"}, [1, 2, 3, 4], (2,), "int16", make, workers=2)
"""


def test_a_killed_build_is_not_trusted_and_goes_on(tmp_path):
    script = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    result = subprocess.run(script, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL, timeout=60)
    assert result.returncode == -signal.SIGKILL
    (folder,) = tmp_path.glob("numbers-*")
    assert not (folder / "rows.npy").exists() and (folder / "done.jsonl").read_text()
    with open(folder / "done.jsonl", "a") as log:
        log.write("[3, 12")  # a line that was cut off
    # The bytes of one finished clip are lost: it must be made again.
    (i, _), *_ = map(json.loads, (folder / "done.jsonl").read_text().splitlines()[:-1])
    with open(folder / "rows.partial", "r+b") as file:
        file.seek(-20 * 2 + 4 * sum(range(1, i + 1)), os.SEEK_END)
        file.write(b"\xff")
    made = []

    def record(i):
        made.append(i)
        return make(i)

    whole = store(tmp_path, record)
    assert sorted(made) == sorted({i, 3})
    for i in range(4):
        np.testing.assert_array_equal(whole[i], make(i))


def test_an_interrupted_flow_cache_goes_on(world, tmp_path, monkeypatch):
    data = open_dataset("synthadl", world, split="train")
    between, calls = flow.between, []

    def interrupted(first, second, method):
        calls.append(len(first))
        if len(calls) == 4:
            time.sleep(0.5)  # the others are written by then
            raise KeyboardInterrupt
        return between(first, second, method)

    def batch(cache):
        spec = dataclasses.replace(SPEC, flow_method="dis")
        return next(iter(Loader(data, spec, 4, needs=frozenset({"flow"}), cache=cache)))

    monkeypatch.setattr(flow, "between", interrupted)
    with pytest.raises(KeyboardInterrupt):
        batch(tmp_path)
    whole = batch(tmp_path)
    assert 5 <= len(calls) < 8  # of four clips some were kept, three if the machine was not too busy
    assert torch.equal(whole.flow, batch(None).flow)


def test_a_full_disk_is_one_sentence_and_keeps_what_is_built(tmp_path, monkeypatch):
    write, calls = os.pwrite, []

    def full(file, data, offset):
        calls.append(offset)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data, offset)

    monkeypatch.setattr(cache.os, "pwrite", full)
    with pytest.raises(
        RuntimeError, match=r"the disk is full: the cache .*numbers-\w+ needs 0 MB; what is built is kept"
    ):
        store(tmp_path)
    monkeypatch.undo()
    made = []
    whole = store(tmp_path, lambda i: made.append(i) or make(i))
    assert len(made) == 2
    np.testing.assert_array_equal(whole[3], make(3))


def _spoil(path, damage, kept):
    data, state = path.read_bytes(), path.stat()
    spoilt = {
        "emptied": b"",
        "cut": data[:-6],
        "flipped": data[:-1] + bytes([data[-1] ^ 1]),
        "zeroed": bytes(len(data)),
    }
    path.write_bytes(spoilt[damage])
    if kept:
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("damage", ["emptied", "cut", "flipped", "zeroed"])
@pytest.mark.parametrize("name", ["rows.npy", "index.json"])
def test_a_damaged_cache_says_so_and_makes_what_is_damaged_again(tmp_path, name, damage, kept):
    made, path = [], store(tmp_path).folder / name
    _spoil(path, damage, kept)

    def function(i):
        made.append(i)
        return make(i)

    for _ in range(2):
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                found = store(tmp_path, function)
                values = [found[i] for i in range(4)]
            break
        except cache.DamagedCache as problem:  # found when it is read: its time of change is the one that was written
            assert (
                kept and "rows.npy is damaged (clip" in str(problem) and "start the same command again" in str(problem)
            )
    assert all((value == make(i)).all() for i, value in enumerate(values)) and 3 in made
    assert any(f"{name} is damaged" in str(one.message) for one in said)


def test_a_changed_video_gets_a_new_cache(world, tmp_path):
    def videos():
        loader = Loader(open_dataset("synthadl", world, split="train"), SPEC, 8, cache=tmp_path / "cache")
        return next(iter(loader)).video

    before = videos()
    source, target = (world / "videos" / f"{name}.mp4" for name in ("a01_s01_v1", "a00_s01_v1"))
    table = pd.read_parquet(world / "index.parquet").set_index("id")
    table.loc["a00_s01_v1", "frames"] = table.loc["a01_s01_v1", "frames"]
    table.reset_index().to_parquet(world / "index.parquet")
    target.write_bytes(source.read_bytes())
    (world / "arrays" / "a00_s01_v1.npz").write_bytes((world / "arrays" / "a01_s01_v1.npz").read_bytes())
    after = videos()
    assert not torch.equal(before[0], after[0]) and torch.equal(before[1:], after[1:])
