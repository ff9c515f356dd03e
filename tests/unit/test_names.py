"""Names: what is the same, what looks alike, who a person is, and which clip or class is meant by a number."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures import write_mp4
from workbench.data import open_dataset, spelling
from workbench.data.own import manifest
from workbench.data.wizard import performers, wizard
from workbench.study.config.notebook_config import GradCam
from workbench.views import boards


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_mp4(path, np.random.default_rng(0).integers(0, 255, (6, 32, 48, 3), np.uint8), fps=12)
    return path


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "names-records"))


def folder_of(root, names, clip):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, path)
    return root


# What is the same, and what looks so


@pytest.mark.parametrize(
    "names",
    [
        ["walk", "Walk", "WALK", "walk ", "walk\u00a0", "walk\t", "wa\u200blk", "w\u0430lk"],
        ["pour from cup", "Pour_from_cup", "pour  from cup", "pour-from-cup"],
        ["Straße", "STRASSE"],
        ["e\u0301tude", "\u00e9tude"],
    ],
)
def test_spellings_that_look_alike_are_found(names):
    assert spelling.near([*names, "other"]) == [names]
    assert len(set(spelling.quoted(names).split(", "))) == len(names) and spelling.quoted(names).isascii()


def test_what_differs_in_earnest_does_not_look_alike():
    assert spelling.near(["-1", "1", "c", "c#", "c++", "07", "7", "a1", "a2", "sit down", "sit", "1.5", "15"]) == []


@given(st.lists(st.text(max_size=12), max_size=8))
def test_merged_names_are_the_first_spellings(names):
    found = spelling.merged(names)
    assert len(set(found)) == len({unicodedata.normalize("NFC", name) for name in names}) and set(found) <= set(names)
    assert [spelling.canonical(name) for name in found] == [spelling.canonical(name) for name in names]


def test_one_name_in_two_unicode_forms_is_one_class_and_one_file(tmp_path, clip):
    folder_of(tmp_path, ["caf\u00e9.mp4", "b.mp4"], clip)
    rows = ["cafe\u0301.mp4,cafe\u0301,e\u0301ve,train", "b.mp4,caf\u00e9,\u00e9ve,test"]
    (tmp_path / "m.csv").write_text("\n".join(["video,label,subject,split", *rows]))
    data = open_dataset("manifest", tmp_path / "m.csv", split="all")
    assert data.classes == ["cafe\u0301"] and data.labels.tolist() == [0, 0] and os.path.isfile(data.videos[0])
    assert set(data.table["subject"]) == {"e\u0301ve"}
    assert data.index("caf\u00e9") == 0 == data.index("cafe\u0301")


def test_classes_that_look_alike_are_told_when_a_manifest_is_opened(tmp_path, clip):
    folder_of(tmp_path, ["a.mp4", "b.mp4"], clip)
    (tmp_path / "m.csv").write_text("video,label,split\na.mp4,walk,train\nb.mp4,walk\u00a0,train\n")
    with pytest.warns(UserWarning, match=r"classes that look alike and are 2: 'walk', 'walk\\xa0'"):
        open_dataset("manifest", tmp_path / "m.csv")


# Which file is which


def test_files_of_one_name_keep_their_suffix_in_the_id():
    names = ["j/ann.avi", "j/ann.mp4", "j/bob.MP4", "j/bob.mp4", "j/cyd.mp4", "j/dee.v2.mp4", "j/dee.mp4", "w/ann.mp4"]
    assert manifest.identities(names) == [*names[:4], "j/cyd", "j/dee.v2", "j/dee", "w/ann"]


@given(st.lists(st.from_regex(r"[ab]/[abAB]{1,2}\.(mp4|avi)", fullmatch=True), unique=True, max_size=12))
def test_identities_of_different_files_differ(names):
    found = manifest.identities(names)
    assert len({name.casefold() for name in found}) == len({name.casefold() for name in names})


def test_poses_of_a_name_that_several_videos_share_are_of_none(tmp_path, clip):
    root = folder_of(
        tmp_path / "f", [f"{a}/{n}" for a in ("run", "sit") for n in ("ann.mp4", "ann.avi", "bob.mp4")], clip
    )
    for name in ("run/ann.npz", "run/bob.npz", "sit/ann.avi.npz"):
        np.savez(root / name, joints=np.zeros((6, 13, 3)), skeleton="lcrnet_13")
    found = wizard.propose(root, split="clip")
    poses = dict(zip(found.table["video"], found.table["pose"], strict=True))
    assert {name: pose for name, pose in poses.items() if pose} == {
        "run/bob.mp4": "run/bob.npz",
        "sit/ann.avi": "sit/ann.avi.npz",
    }
    assert any("pose files that fit several videos" in line and "run/ann.npz" in line for line in found.warnings)
    wizard.write(found, root / "m.csv")
    assert len(open_dataset("manifest", root / "m.csv", split="all")) == 6


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems refuse such names")
def test_a_name_that_is_not_utf8_is_left_out_alone_and_readably(tmp_path, clip):
    root = folder_of(tmp_path / "f", [f"{a}/{n}.mp4" for a in ("run", "sit") for n in ("ann", "bob", "eve")], clip)
    shutil.copy(clip, os.fsencode(root / "run") + b"/caf\xe9.mp4")
    found = wizard.propose(root, split="clip")
    assert len(found.table) == 6
    assert any("not UTF-8, left out; rename them (1): run/caf\\xe9.mp4" in line for line in found.warnings)
    wizard.write(found, root / "m.csv")


def test_the_wizard_names_classes_that_look_alike(tmp_path, clip):
    found = wizard.propose(
        folder_of(tmp_path / "f", [f"{a}/{n}.mp4" for a in ("Run", "run", "sit") for n in "xyz"], clip)
    )
    assert any("different classes with similar names" in line and "'Run', 'run'" in line for line in found.warnings)


# Who is a person


@pytest.mark.parametrize(
    "ends",
    [
        ["c01", "c02", "c03", "c04"],
        ["take1", "take2", "take3", "take4"],
        ["cam1", "cam2", "cam3", "cam4"],
        ["rep1", "rep2", "rep3", "rep4"],
        ["v1", "v2", "v3", "v4"],
        ["front", "side", "front2", "side2"],
        ["clip_1", "clip_2", "clip_3", "clip_4"],
        ["foo7", "foo8", "foo9", "foo10"],
    ],
)
def test_what_counts_is_no_person(ends):
    stems = [f"{name}_{end}" for name in ("walk", "sit", "run") for end in ends]
    assert performers.find(stems, [stem.split("_")[0] for stem in stems]) is None


def test_a_guess_is_worded_as_one_and_a_pattern_is_not(tmp_path, clip):
    guessed = wizard.propose(folder_of(tmp_path / "a", [f"{a}/{n}.mp4" for a in ("run", "sit") for n in PEOPLE], clip))
    said = "\n".join(guessed.assumptions)
    assert "subject: a guess" in said and "if these are the performers, nobody is in two parts" in said
    numbered = [f"{a}/person{n}_{a}.mp4" for a in ("run", "sit") for n in range(4)]
    said = "\n".join(wizard.propose(folder_of(tmp_path / "b", numbered, clip)).assumptions)
    assert "split: by subject, nobody is in two parts" in said and "guess" not in said


PEOPLE = ("ann", "bob", "eve", "joe")


def test_clips_of_one_film_stay_in_one_part(tmp_path, clip):
    names = [f"{a}/v_{a}_g{g:02d}_c{c:02d}.mp4" for a in ("Run", "YoYo") for g in range(1, 5) for c in range(1, 4)]
    found = wizard.propose(folder_of(tmp_path / "f", names, clip))
    films = found.table["video"].str.replace(r"_c\d+\.mp4$", "", regex=True)
    assert (found.table.groupby(films)["split"].nunique() == 1).all()
    assert found.table.groupby("label")["split"].nunique().tolist() == [3, 3]
    said = "\n".join(found.assumptions)
    assert "nobody is in two parts" not in said and "films: clips whose names differ in a counter" in said


# What is meant by a number


def names(*ids):
    def index(name):
        raise ValueError(f"no clip {name!r}")

    return type("Data", (), {"ids": list(ids), "__len__": lambda self: len(ids), "index": staticmethod(index)})()


def test_an_exact_id_goes_before_a_position():
    data = names("5", "12", "0", "x")
    assert [boards.position(data, clip) for clip in (12, "12", 0, "0", 3, "x")] == [1, 1, 2, 2, 3, 3]
    with pytest.raises(ValueError, match=r"position from 0 to 3, got 7; .* -r clip 007"):
        boards.position(data, 7)
    with pytest.raises(ValueError, match="no clip '3'; a position is given by -p clip 3"):
        boards.position(data, "3")


def test_an_exact_class_goes_before_a_label():
    classes = ["3", "007", "1"]
    assert [boards.label(classes, target) for target in (1, "1", 3, "007", 0, None)] == [2, 2, 0, 1, 0, None]
    with pytest.raises(ValueError, match=r"label from 0 to 2, got 7; .* -r target 007"):
        boards.label(classes, 7)


@pytest.mark.parametrize("value", [1e5, True])
def test_what_papermill_made_of_a_name_is_refused_with_the_way_out(value):
    with pytest.raises(ValueError, match="papermill's -r clip NAME"):
        GradCam(clip=value)
    assert GradCam(clip="1e5", target=None).target is None
