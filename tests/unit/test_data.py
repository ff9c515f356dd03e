"""Data sets as tables of clips: SynthADL's folder and manifests."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tests.fixtures import fake_synthadl, write_mp4
from workbench.data import open_dataset
from workbench.media import video


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return fake_synthadl(tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def records(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))


# SynthADL


def test_cross_subject_keeps_subjects_apart(world):
    parts = {split: open_dataset("synthadl", world, "cs", split) for split in ("train", "validation", "test")}
    assert {split: set(part.table.subject) for split, part in parts.items()} == {
        "train": {1, 2},
        "validation": {3},
        "test": {4},
    }
    assert sum(map(len, parts.values())) == len(open_dataset("synthadl", world, "cs", "all")) == 36


def test_cross_view_tests_on_the_third_view(world):
    assert set(open_dataset("synthadl", world, "cv", "test").table["view"]) == {3}
    assert set(open_dataset("synthadl", world, "cv", "train").table["view"]) == {1, 2}


def test_synthadl_dataset(world):
    data = open_dataset("synthadl", world, split="test")
    assert data.classes == ["action 0", "action 1", "action 2"]
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] and data.labels.dtype == np.int64
    assert data.skeleton.name == "kinect_v2"
    i = data.index("a01_s04_v2")
    assert data.ids[i] == "a01_s04_v2"
    frames = data.lengths[i]
    pose, pixels, truth = data.pose(i), data.pixels(i), data.truth(i)
    assert (pose.joints.shape, pose.space) == ((1, frames, 25, 3), "camera")
    assert (pixels.joints.shape, pixels.space) == ((1, frames, 25, 2), "image")
    assert truth.mask.shape == (frames, 120, 160)
    assert truth.interval == (frames // 4, 3 * frames // 4)
    # What the truth marks is what is drawn there: the green square that the right hand holds.
    picture = video.read(data.videos[i], [10]).frames[0]
    red, green, _ = picture[truth.mask[10]].mean(axis=0)
    assert green > red + 50
    x, y = pixels.joints[0, 10, data.skeleton.index("hand_right")]
    assert truth.mask[10, int(y), int(x)]


def test_subset_keeps_order_and_classes(world):
    data = open_dataset("synthadl", world, split="test")
    part = data.subset([5, 0])
    assert part.ids == [data.ids[5], data.ids[0]] and part.classes == data.classes
    assert part.index(data.ids[0]) == 1
    np.testing.assert_array_equal(part.pose(0).joints, data.pose(5).joints)
    with pytest.raises(ValueError, match="no clip 'nobody'"):
        data.index("nobody")


def test_a_world_of_low_pose_quality_gives_bad_poses(tmp_path):
    world = fake_synthadl(tmp_path, actions=1, subjects=3, views=1)
    clean = open_dataset("synthadl", world).pose(0).joints
    facts = json.loads((world / "world.json").read_text())
    (world / "world.json").write_text(json.dumps({**facts, "settings": {"pose_quality": "low"}}))
    data = open_dataset("synthadl", world)
    bad = data.pose(0).joints
    assert np.isnan(bad).any() and np.nanmax(np.abs(bad - clean)) > 0.05
    np.testing.assert_array_equal(bad, data.pose(0).joints)


def test_fingerprint_follows_files(tmp_path):
    world = fake_synthadl(tmp_path, actions=1, subjects=3, views=1)
    before = open_dataset("synthadl", world, split="all").fingerprint()
    assert open_dataset("synthadl", world, split="all").fingerprint() == before
    target = next((world / "videos").iterdir())
    target.write_bytes(target.read_bytes() + b"\0")
    assert open_dataset("synthadl", world, split="all").fingerprint() != before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "imagenet"}, "unknown data set 'imagenet'; known: synthadl, manifest"),
        ({"split": "dev"}, "unknown split 'dev'; known: train, validation, test, all"),
        ({"protocol": "loso"}, "no protocol 'loso'; known: cs, cv, setup"),
    ],
)
def test_unknown_names_list_the_valid_ones(world, arguments, message):
    with pytest.raises(ValueError, match=message):
        open_dataset(**{"name": "synthadl", "root": world, **arguments})


def test_a_folder_without_a_world_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="no SynthADL world in .*python -m workbench synth"):
        open_dataset("synthadl", tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "error", "message"),
    [
        ("video", "../outside.mp4", ValueError, "'../outside.mp4', which lies outside"),
        ("arrays", "arrays/gone.npz", FileNotFoundError, "1 file.*gone.npz"),
        ("id", "a00_s01_v2", ValueError, "'a00_s01_v2' more than once"),
        ("split_cs", "dev", ValueError, "split_cs holds 'dev'"),
        ("action", "other", ValueError, "pair up one to one"),
    ],
)
def test_a_wrong_index_is_named(tmp_path, column, value, error, message):
    world = fake_synthadl(tmp_path, actions=1, subjects=3, views=2)
    table = pd.read_parquet(world / "index.parquet")
    table.loc[0, column] = value
    table.to_parquet(world / "index.parquet")
    with pytest.raises(error, match=message):
        open_dataset("synthadl", world, split="train")


@pytest.mark.parametrize("column", ["id", "video", "action", "label", "split_cs"])
def test_an_index_that_holds_lists_is_named(tmp_path, column):
    world = fake_synthadl(tmp_path, actions=1, subjects=3, views=1)
    table = pd.read_parquet(world / "index.parquet")
    table[column] = [["x"]] * len(table)
    table.to_parquet(world / "index.parquet")
    with pytest.raises(ValueError, match=rf"index.parquet: {column} should hold one value a row, it holds \['x'\]"):
        open_dataset("synthadl", world, split="train")


# Manifests


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    """A folder with one short video, one.mp4, of 8 frames."""
    folder = tmp_path_factory.mktemp("footage")
    frames = np.random.default_rng(0).integers(0, 255, (8, 32, 48, 3), np.uint8)
    write_mp4(folder / "one.mp4", frames, fps=10)
    return folder


def manifest(folder, rows, name="clips.csv"):
    table = pd.DataFrame(rows)
    table.to_csv(folder / name, index=False) if name.endswith("csv") else table.to_parquet(folder / name)
    return folder / name


def rows_for(subjects, **more):
    return [{"id": f"c{i}", "video": "one.mp4", "label": "walk", "subject": s, **more} for i, s in enumerate(subjects)]


@pytest.mark.parametrize("name", ["clips.csv", "clips.parquet"])
def test_manifest_split(footage, name):
    rows = rows_for("abc")
    for row, split, label in zip(rows, ("train", "unused", "test"), ("walk", "<b>run</b> & jump", "NA"), strict=True):
        row.update(split=split, label=label)
    path = manifest(footage, rows, name)
    train, test = (open_dataset("manifest", path, split=split) for split in ("train", "test"))
    assert train.classes == test.classes == ["<b>run</b> & jump", "NA", "walk"]
    assert (train.ids, train.labels.tolist(), test.ids, test.labels.tolist()) == (["c0"], [2], ["c2"], [1])
    assert (train.lengths[0], train.rates[0]) == (8, 10)
    assert train.skeleton is None and train.pose(0) is None and train.truth(0) is None


def test_manifest_labels_that_are_numbers_are_in_numeric_order(footage):
    rows = rows_for("abc", split="train")
    for row, label in zip(rows, ("10", "9", "1"), strict=True):
        row["label"] = label
    data = open_dataset("manifest", manifest(footage, rows), split="train")
    assert data.classes == ["1", "9", "10"] and data.labels.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("left_out", "roles"),
    [
        ("01", {"train": ["03"], "validation": ["02"], "test": ["01"]}),
        ("03", {"train": ["02"], "validation": ["01"], "test": ["03"]}),
    ],
)
def test_manifest_leaves_subjects_out(footage, left_out, roles):
    path = manifest(footage, rows_for(["01", "02", "03", "01"]))
    for split, subjects in roles.items():
        data = open_dataset("manifest", path, f"leave-out:{left_out}", split)
        assert sorted(set(data.table.subject)) == subjects


def test_manifest_leaves_several_out_and_validates_on_a_tenth(footage):
    path = manifest(footage, rows_for([f"{i:02d}" for i in range(22)]))
    parts = {
        s: open_dataset("manifest", path, "leave-out:05,20", s).table.subject.tolist() for s in ("validation", "test")
    }
    assert parts == {"test": ["05", "20"], "validation": ["00", "21"]}


@pytest.mark.parametrize(
    ("change", "protocol", "message"),
    [
        ({"split": "dev"}, None, r"values of split other than .* \(1\): 'dev' \(row 1\)"),
        ({"id": "c1"}, None, r"ids that occur more than once \(1\): 'c1' \(2 times\)"),
        ({"video": "../one.mp4"}, None, r"that lie outside .*: '../one.mp4' \(row 1\)"),
        ({"video": "/etc/hostname"}, None, "that lie outside .*: '/etc/hostname'"),
        ({"video": "gone.mp4"}, None, "that do not exist .*: 'gone.mp4'"),
        ({}, "cs", "no protocol 'cs'; known: split, "),
        ({}, "leave-out:zoe", "no subject 'zoe' to leave out; it has: a, b, c"),
        ({}, "leave-out:a,b", "leaves 1 subject"),
    ],
)
def test_manifest_faults_are_one_sentence(footage, change, protocol, message):
    rows = rows_for("abc", split="train")
    rows[0].update(change)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        open_dataset("manifest", manifest(footage, rows), protocol)


@pytest.mark.parametrize("column", ["video", "label", "split"])
def test_manifest_names_the_column_it_lacks(footage, column):
    rows = [{k: v for k, v in row.items() if k != column} for row in rows_for("ab", split="train")]
    with pytest.raises(ValueError, match=rf"lacks the column\(s\) {column}; it has: id"):
        open_dataset("manifest", manifest(footage, rows))


def test_manifest_poses(footage):
    joints = np.random.default_rng(0).normal(size=(8, 13, 3))
    np.savez(footage / "good.npz", joints=joints, skeleton="lcrnet_13", pixels=joints[None, ..., :2])
    np.savez(footage / "short.npz", joints=joints[:7], skeleton="lcrnet_13")
    np.savez(footage / "other.npz", joints=np.zeros((8, 25, 3)), skeleton="kinect_v2")
    rows = rows_for("abcd", split="train")
    for row, pose in zip(rows, ("good.npz", "short.npz", "other.npz", ""), strict=True):
        row["pose"] = pose
    data = open_dataset("manifest", manifest(footage, rows))
    assert data.skeleton.name == "lcrnet_13"
    np.testing.assert_allclose(data.pose(0).joints, joints[None], rtol=1e-6)
    np.testing.assert_allclose(data.pixels(0).joints, joints[None, ..., :2], rtol=1e-6)
    with pytest.raises(ValueError, match=r"short.npz has poses for 7 frames, the video has 8"):
        data.pose(1)
    with pytest.raises(ValueError, match="other.npz is a kinect_v2 skeleton, that of the data set is lcrnet_13"):
        data.pose(2)
    assert data.pose(3) is None and data.pixels(1) is None
