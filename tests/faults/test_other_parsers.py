"""Files of annotations and scores, envelopes of weights and tracks of detectors, whatever is done to them: read, or
refused in one sentence that names the file."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from tests.fixtures import fake_synthadl
from workbench.data import open_dataset
from workbench.data.formats import ntu_skeleton, people, posefiles
from workbench.data.sources import charades, hmdb51, kinetics, multithumos, pku_mmd, thumos14, tsu
from workbench.metrics import score_files
from workbench.nets import weights
from workbench.types import Skeleton

SETTINGS = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
PIECES = [
    b"",
    b"0",
    b"-1",
    b"1e400",
    b"nan",
    b"null",
    b"{",
    b"]",
    b'"',
    b",",
    b" ",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b";",
]


def edits(text: bytes):
    """Lists of (where, how much is taken out, what is put in)."""
    change = st.tuples(st.integers(0, len(text)), st.integers(0, 40), st.sampled_from(PIECES))
    return st.lists(change, min_size=1, max_size=4)


def edited(good: bytes, changes: list) -> bytes:
    for at, length, piece in changes:
        good = good[:at] + piece + good[at + length :]
    return good


def told(read, folder: Path) -> object:
    """What ``read`` gives; None where it raises what it may raise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read()
        except (ValueError, FileNotFoundError) as problem:
            assert str(folder) in str(problem) and "\n" not in str(problem), problem
            return None


# Scores

ACTIVITYNET = {
    "truth.json": {
        "database": {"a": {"subset": "validation", "duration": 9, "annotations": [{"label": "Sit", "segment": [1, 5]}]}}
    },
    "found.json": {"results": {"a": [{"label": "Sit", "segment": [1, 4.5], "score": 0.5}]}},
}
SCORES = {
    "activitynet": ("truth.json", "found.json", {name: json.dumps(each) for name, each in ACTIVITYNET.items()}),
    "thumos": (
        "truth",
        "found.txt",
        {"truth/Billiards_test.txt": "video_test_0000001 1 2\n", "found.txt": "video_test_0000001 1 2 12 0.5\n"},
    ),
    "pku": ("truth", "found", {"truth/a.txt": "1,1,20,1\n", "found/a.txt": "1,1,19,0.5\n"}),
    "tsu": ("truth", "found", {"truth/a.txt": "1,1,20,1\n", "found/a.txt": "1,1,19,0.5\n"}),
    "charades_classify": (
        "truth.csv",
        "found.txt",
        {"truth.csv": "id,actions,length\nA,c001 1 3,9\n", "found.txt": "A " + " ".join(["0.1"] * 157) + "\n"},
    ),
}


@pytest.mark.parametrize("rule", SCORES)
def test_score_files_survive_edits(tmp_path, rule):
    truth, found, files = SCORES[rule]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert told(lambda: score_files(tmp_path / truth, tmp_path / found, rule), tmp_path) is not None

    @SETTINGS
    @given(st.sampled_from(sorted(files)), st.data())
    def check(name, data):
        for other, text in files.items():
            (tmp_path / other).write_text(text)
        good = files[name].encode()
        (tmp_path / name).write_bytes(edited(good, data.draw(edits(good))))
        value = told(lambda: score_files(tmp_path / truth, tmp_path / found, rule), tmp_path)
        assert value is None or 0 <= float(np.mean(value.mean)) <= 1

    check()


# Annotations of public sets

TABLES = {
    "charades": ("Charades_v1_train.csv", "id,subject,scene,actions,length\nA,S1,Room,c092 1 3;c001 2 4,9\n"),
    "kinetics": ("train.csv", "label,youtube_id,time_start,time_end,split\nzumba,abcdefghijk,3,13,train\n"),
    "hmdb51": ("wave_test_split1.txt", "a.avi 1 \nb.avi 2 \n"),
    "thumos14": ("Billiards_val.txt", "video_validation_0000266  72.8 76.4\n"),
    "multithumos": ("NoHuman.txt", "video_validation_0000266 1.5 2.5\n"),
    "tsu": ("P02T02C03.csv", "event,start_frame,end_frame\nWalk,25,75\n"),
    "pku_mmd": ("Train_Label/0002-L.txt", "1,5,30,2\n2,30,60,2\n"),
}
READERS = {
    "charades": lambda root: charades.intervals(root, "train"),
    "kinetics": kinetics.lists,
    "hmdb51": lambda root: hmdb51.lists(root, 1),
    "thumos14": lambda root: thumos14.intervals(root, "train"),
    "multithumos": lambda root: multithumos.intervals(root, "train"),
    "tsu": lambda root: tsu.intervals(root, "all"),
    "pku_mmd": lambda root: pku_mmd.intervals(root, "train"),
}


@pytest.mark.parametrize("name", TABLES)
def test_annotations_survive_edits(tmp_path, name):
    file, text = TABLES[name]
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert len(told(lambda: READERS[name](tmp_path), tmp_path))

    @SETTINGS
    @given(edits(text.encode()))
    def check(changes):
        path.write_bytes(edited(text.encode(), changes))
        told(lambda: READERS[name](tmp_path), tmp_path)

    check()


# Weights

WORD = st.sampled_from(["module", "model", "net", "backbone", "_orig_mod", "encoder", "student", "x"])


@SETTINGS
@given(st.lists(WORD, max_size=3), st.lists(WORD, max_size=3), st.booleans())
def test_weights_are_found_in_any_envelope_under_any_prefix(tmp_path_factory, prefix, envelope, others):
    module = nn.Sequential(nn.Conv3d(3, 2, 1), nn.BatchNorm3d(2), nn.Linear(2, 3))
    content = {".".join([*prefix, name]): value + 1 for name, value in module.state_dict().items()}
    for word in envelope:
        content = {word: content} | ({"epoch": 3, "optimizer": {"lr": 0.1}} if others else {})
    path = tmp_path_factory.mktemp("weights") / "a.pt"
    torch.save(content, path)
    wanted = {name: value + 1 for name, value in module.state_dict().items()}
    report = weights.load(module, path)
    assert not report.missing and not report.unexpected and not report.reshaped
    assert all(torch.equal(value, wanted[name]) for name, value in module.state_dict().items())


@SETTINGS
@given(st.data())
def test_files_of_weights_survive_broken_bytes(tmp_path_factory, data):
    module = nn.Linear(2, 3)
    folder = tmp_path_factory.mktemp("weights")
    torch.save(module.state_dict(), folder / "a.pt")
    good = (folder / "a.pt").read_bytes()
    (folder / "a.pt").write_bytes(edited(good, data.draw(edits(good))))
    told(lambda: weights.load(module, folder / "a.pt"), folder)


# Tracks

COCO = Skeleton.named("coco_17")


def at(x: float) -> np.ndarray:
    return np.column_stack([np.full(17, x), np.arange(17), np.ones(17)])


@given(st.lists(st.permutations(range(3)), min_size=1, max_size=6))
def test_tracks_keep_persons_apart_whatever_their_order(orders):
    """Person k stands at 100 k + 10."""
    rows = [(number, at(100 * k + 10), k + 7) for number, order in enumerate(orders) for k in order]
    joints = people.placed(people.People(rows, COCO, first=0), "a.json").joints
    assert joints.shape[:2] == (3, len(orders))
    assert sorted(joints[:, 0, 0, 0].tolist()) == [10, 110, 210]
    assert all(len(set(body[:, 0, 0].tolist())) == 1 for body in joints)


def test_everybody_called_0_is_nobody_followed(tmp_path):
    """AlphaPose without tracking; and what a tracker left out comes after those that it follows."""
    found = [
        {"image_id": f"{number}.jpg", "keypoints": at(x).ravel().tolist(), "idx": [0.0]}
        for number in range(2)
        for x in (10, 20)
    ]
    (tmp_path / "a.coco.json").write_text(json.dumps(found))
    joints = posefiles.read(tmp_path / "a.coco.json")["image"].joints
    assert joints[:, :, 0, 0].tolist() == [[10, 10], [20, 20]]
    for entry, track in zip(found, (4, 9, 9, None), strict=True):
        entry["idx"] = track
    (tmp_path / "a.coco.json").write_text(json.dumps(found))
    joints = posefiles.read(tmp_path / "a.coco.json")["image"].joints
    np.testing.assert_array_equal(joints[:, :, 0, 0], [[20, 10], [10, np.nan], [np.nan, 20]])


def test_openpose_follows_by_person_id(tmp_path):
    for number, order in enumerate(((1, 2), (2, 1))):
        persons = [{"person_id": [k], "pose_keypoints_2d": np.tile([k, 5, 1], 25).tolist()} for k in order]
        (tmp_path / f"a_{number:012}_keypoints.json").write_text(json.dumps({"people": persons}))
    joints = posefiles.read(tmp_path)["image"].joints
    assert joints[:, :, 0, 0].tolist() == [[1, 1], [2, 2]]


# Identity


@settings(deadline=None, max_examples=10, suppress_health_check=list(HealthCheck))
@given(clip=st.integers(0, 3), seconds=st.integers(1, 10**6), rewrite=st.booleans())
def test_another_time_of_change_alone_changes_no_identity(shared, clip, seconds, rewrite):
    data = open_dataset("synthadl", shared, "cs", "train")
    before = data.contents
    for path in data.files(clip % len(data)):
        if rewrite:
            shutil.copy(path, copy := path.with_suffix(".copy"))
            os.replace(copy, path)
        os.utime(path, (path.stat().st_mtime - seconds,) * 2)
    assert open_dataset("synthadl", shared, "cs", "train").contents == before


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    return fake_synthadl(tmp_path_factory.mktemp("world"), actions=2, subjects=3, views=1, frames=8)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "read",
    [
        lambda path: score_files(path, path, "activitynet"),
        lambda path: score_files(path, path, "charades"),
        ntu_skeleton.count_frames,
        ntu_skeleton.read_skeleton,
        tsu.read_events,
    ],
)
def test_a_pipe_is_not_waited_for(tmp_path, read):
    """Nobody writes to it: opened, it would be read for ever."""
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(ValueError, match=r"pipe.json can't be read: it is no file"):
        read(tmp_path / "pipe.json")


@pytest.mark.parametrize("rule", ["charades", "charades_classify"])
def test_a_truth_file_without_videos_is_named(rule, tmp_path):
    truth, scores = tmp_path / "truth.csv", tmp_path / "scores.csv"
    truth.write_text("id,actions,length\n")
    scores.write_text("")
    with pytest.raises(ValueError, match="truth.csv lists no video"):
        score_files(truth, scores, rule)
