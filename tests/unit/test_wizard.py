"""The wizard: from a folder of videos, sorted by class, to a manifest that opens, and what it says of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.fixtures import write_mp4
from workbench import commands
from workbench.data import open_dataset
from workbench.data.wizard import performers, wizard


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_mp4(path, np.random.default_rng(0).integers(0, 255, (6, 32, 48, 3), np.uint8), fps=12)
    return path


@pytest.fixture(autouse=True)
def records(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "wizard-records"))


def folder_of(root, names, clip):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, path)
    return root


PEOPLE = ("ann", "bob", "eve", "joe")


@pytest.fixture
def footage(tmp_path, clip):
    return folder_of(tmp_path / "footage", [f"{a}/{p}_{a}.mp4" for a in ("run", "wave1") for p in PEOPLE], clip)


def test_who_finds_no_person_is_told_how_to_name_the_files(tmp_path, clip, capsys):
    bare = folder_of(tmp_path / "bare", [f"{a}/{n}.mp4" for a in ("clap", "wave") for n in range(4)], clip)
    assert commands.main(["wizard", str(bare), "--split", "leave-one-out"]) == 1
    said = capsys.readouterr().err
    assert "anna_wave_1.mp4" in said and "--subject-pattern '(P\\d+)'" in said and "without --split" in said
    assert commands.main(["wizard", str(bare)]) == 0  # as it says
    named = [f"{a}/{p}_{a}_{n}.mp4" for a in ("clap", "wave") for p in ("anna", "ben", "eve") for n in (1, 2)]
    assert commands.main(["wizard", str(folder_of(tmp_path / "named", named, clip)), "--split", "leave-one-out"]) == 0
    assert "3 found: anna, ben, eve" in capsys.readouterr().out
    marked = [f"{a}/x{n}P{n}.mp4" for a in ("clap", "wave") for n in range(3)]
    options = ["--split", "leave-one-out", "--subject-pattern", r"(P\d+)"]
    assert commands.main(["wizard", str(folder_of(tmp_path / "marked", marked, clip)), *options]) == 0


def test_a_folder_becomes_a_manifest_that_opens(footage, capsys):
    assert commands.main(["wizard", str(footage), "--split", "leave-one-out"]) == 0
    said = capsys.readouterr().out
    assert "2 classes, 8 videos" in said and "4 found: ann, bob, eve, joe" in said
    assert f"train rgb --root {footage / 'manifest.csv'}" in said and "preset.crop=frame" in said
    assert os.listdir(footage).count("manifest.yaml") == 0
    parts = {split: open_dataset("auto", footage / "manifest.csv", split=split) for split in wizard.PARTS.values()}
    assert {split: sorted(set(part.table["subject"])) for split, part in parts.items()} == {
        "train": ["eve", "joe"],
        "validation": ["bob"],
        "test": ["ann"],
    }
    assert parts["test"].classes == ["run", "wave1"] and parts["test"].ids == ["run/ann_run", "wave1/ann_wave1"]
    assert (parts["test"].lengths.tolist(), parts["test"].rates.tolist()) == ([6, 6], [12, 12])
    assert set(open_dataset("auto", footage / "manifest.csv", "leave-out:joe", "test").table["subject"]) == {"joe"}


def test_a_manifest_elsewhere_says_where_the_videos_are(footage, tmp_path):
    (tmp_path / "mine").mkdir()
    out = tmp_path / "mine" / "clips.parquet"
    assert wizard.write(wizard.propose(footage), out) == [out, out.with_suffix(".yaml")]
    data = open_dataset("manifest", out, split="all")
    assert len(data) == 8 and all(Path(path).is_file() for path in data.videos)


def test_a_manifest_above_the_folder_needs_nothing_beside_it(footage):
    out = footage.parent / "clips.csv"
    assert wizard.write(wizard.propose(footage), out) == [out]
    assert pd.read_csv(out)["video"][0] == "footage/run/ann_run.mp4"
    assert len(open_dataset("manifest", out, split="all")) == 8


def test_nothing_is_overwritten_without_force(footage, capsys):
    out = footage / "manifest.csv"
    out.write_text("mine")
    assert commands.main(["wizard", str(footage)]) == 1
    assert "--force" in capsys.readouterr().err and out.read_text() == "mine"
    assert commands.main(["wizard", str(footage), "--force"]) == 0
    assert len(open_dataset("manifest", out, split="all")) == 8


def test_a_write_that_fails_keeps_the_old_one(footage, monkeypatch):
    out = footage / "manifest.csv"
    out.write_text("mine")
    found = wizard.propose(footage)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        wizard.write(found, out, force=True)
    assert out.read_text() == "mine" and sorted(os.listdir(footage)) == ["manifest.csv", "run", "wave1"]


def test_a_folder_that_may_not_be_written_to_is_one_sentence(footage, monkeypatch, capsys):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    assert commands.main(["wizard", str(footage)]) == 1
    assert f"{footage} may not be written to; --out names another place" in capsys.readouterr().err


def test_a_split_by_clip_is_stratified_seeded_and_warned_of(tmp_path, clip):
    root = folder_of(tmp_path / "f", [f"{a}/{i}.mp4" for a in "ab" for i in range(8)], clip)
    found = [wizard.propose(root, seed=seed) for seed in (0, 0, 1)]
    assert any("may leak" in line for line in found[0].warnings)
    splits = [proposal.table["split"].tolist() for proposal in found]
    assert splits[0] == splits[1] != splits[2]
    counts = found[0].table.groupby(["label", "split"]).size().to_dict()
    assert counts == {(a, s): n for a in "ab" for s, n in (("train", 5), ("validation", 1), ("test", 2))}


def test_subjects_are_never_in_two_parts(footage):
    table = wizard.propose(footage).table
    assert (table.groupby("subject")["split"].nunique() == 1).all()
    assert set(table["split"]) == {"train", "validation", "test"}


def test_folders_that_say_the_part_are_believed(tmp_path, clip):
    names = [f"{part}/{a}/{part}{i}.mp4" for part in ("train", "val", "test") for a in "ab" for i in range(2)]
    table = wizard.propose(folder_of(tmp_path / "f", names, clip)).table
    assert table.groupby("split").size().to_dict() == {"train": 4, "validation": 4, "test": 4}
    assert set(table["label"]) == {"a", "b"}


def test_what_is_left_out_is_named(footage, clip, tmp_path):
    (footage / "run" / "broken.mp4").write_bytes(clip.read_bytes()[:300])
    (footage / "run" / "notes.txt").write_text("x")
    shutil.copy(clip, footage / "loose.mp4")
    shutil.copy(clip, tmp_path / "outside.mp4")
    (footage / "run" / "link.mp4").symlink_to(tmp_path / "outside.mp4")
    (footage / "jump").symlink_to(footage / "run")
    (footage / "run" / "frames").mkdir()
    for name in ("run/frames/1.jpg", "run/wave.gif", "run/raw.h264"):
        (footage / name).write_bytes(b"x")
    found = wizard.propose(footage, split="clip")
    warned = "\n".join(found.warnings)
    assert all(name in warned for name in ("broken.mp4", "1 x .txt", "loose.mp4", "link.mp4"))
    assert "links to folders, left out" in warned and "jump" in warned
    assert "folders of pictures, left out; `ffmpeg" in warned and "run/frames (1)" in warned
    assert "`ffmpeg -i run/wave.gif run/wave.mp4`" in warned and "`ffmpeg -i run/raw.h264 run/raw.mp4`" in warned
    assert len(found.table) == 8


def test_poses_beside_the_videos_are_taken(footage):
    joints = np.zeros((6, 13, 3))
    np.savez(footage / "run" / "ann_run.npz", joints=joints, skeleton="lcrnet_13")
    wizard.write(wizard.propose(footage), footage / "manifest.csv")
    data = open_dataset("manifest", footage / "manifest.csv", split="all")
    assert data.skeleton.name == "lcrnet_13"
    assert data.pose(data.index("run/ann_run")).joints.shape == (1, 6, 13, 3)
    assert data.pose(data.index("run/bob_run")) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "thirds"}, "unknown split 'thirds'; known: auto, subject, clip"),
        ({"split": "leave-out:zoe"}, "no subject 'zoe' to leave out; it has: ann, bob, eve, joe"),
        ({"subject_pattern": "("}, "is not a regular expression"),
        ({"subject_pattern": "zoe"}, "finds no subject in 8 file"),
    ],
)
def test_wrong_wishes_are_one_sentence(footage, arguments, message):
    with pytest.raises(ValueError, match=message):
        wizard.propose(footage, **arguments)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "holds no videos in folders by class"),
        (["a.mp4"], "holds no videos in folders by class"),
        (["a/1.mp4"], "of one class only"),
    ],
)
def test_folders_without_classes_are_one_sentence(tmp_path, clip, names, message):
    (tmp_path / "f").mkdir()
    with pytest.raises(ValueError, match=message):
        wizard.propose(folder_of(tmp_path / "f", names, clip))


def test_no_folder_is_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder at"):
        wizard.propose(tmp_path / "gone")


@pytest.mark.parametrize(
    ("stems", "subjects"),
    [
        (["S001C001P003R001A001", "S001C001P005R001A002", "S001C002P003R001A002", "S001C002P005R001A001"], "003 005"),
        (["person01_run_d1", "person02_run_d1", "person01_walk_d1", "person02_walk_d1"], "01 02"),
        (["a01_s03_e01", "a01_s04_e01", "a02_s03_e01", "a02_s04_e01"], "03 04"),
        (["run-ann", "run-bob", "walk-ann", "walk-bob"], "ann bob"),
        (["ann_run2", "bob_run", "ann_walk", "bob_walk"], "ann bob"),
    ],
)
def test_subjects_are_found_in_names(stems, subjects):
    classes = ["run", "run", "walk", "walk"]
    if stems[0].startswith("S001"):
        classes = ["1", "2", "2", "1"]
    found = performers.find(stems, classes)
    assert sorted(set(found.names)) == subjects.split()
    assert found.certain == subjects.replace(" ", "").isdigit()


@pytest.mark.parametrize("stems", [["run_01", "run_02", "walk_01", "walk_02"], ["x", "y", "z", "w"], ["run"] * 4])
def test_numbers_and_unique_names_are_no_subjects(stems):
    assert performers.find(stems, ["run", "run", "walk", "walk"]) is None
