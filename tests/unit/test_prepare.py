"""Preparation: what training would make on its first epoch, once, and what it says of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fixtures import fake_synthadl
from workbench import commands
from workbench.data import ClipSpec, Loader, open_dataset
from workbench.data import prepare as work
from workbench.data.files import written_manifest

SPEC = ClipSpec(frames=4, size=(32, 32), poses=4)
NEEDS = frozenset({"video", "pose", "label"})


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))
    return fake_synthadl(tmp_path / "world", actions=2, subjects=3, views=1, frames=10, size=(48, 64))


def parts(source):
    return {split: open_dataset("synthadl", source, "cs", split) for split in ("train", "test")}


def outcomes(source, cache):
    found = work.prepare(parts(source), SPEC, NEEDS, cache)
    return {one.title: (one.done, one.skipped, len(one.failed)) for one in found}


def test_everything_is_made_once_and_then_skipped(source, tmp_path):
    kinds = [f"{split} {kind}" for split in ("train", "test") for kind in ("videos", "pictures", "bodies")]
    assert outcomes(source, tmp_path / "cache") == dict.fromkeys(kinds, (2, 0, 0))
    assert outcomes(source, tmp_path / "cache") == dict.fromkeys(kinds, (0, 2, 0))


def test_training_finds_what_was_prepared(source, tmp_path):
    outcomes(source, tmp_path / "cache")
    before = sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_dir())
    list(Loader(parts(source)["train"], SPEC, 2, needs=NEEDS, train=True, cache=tmp_path / "cache"))
    assert sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_dir()) == before


def test_the_command_lists_failures_at_the_end_and_fails(source, tmp_path, capsys):
    path = source / "videos" / "a01_s01_v1.mp4"
    path.write_bytes(path.read_bytes()[:-400])
    command = ["prepare", str(source), "--protocol", "cs", "--cache", str(tmp_path / "cache")]
    command += ["--set", "preset.clip=[4,32,32]"]
    assert commands.main(command) == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[0].split() == ["what", "done", "skipped", "failed"]
    assert told.err.splitlines()[-1].startswith("failed: train pictures: a01_s01_v1: ")
    assert commands.main([*command, "--splits", "test"]) == 0


def test_what_is_no_data_set_is_one_sentence(capsys):
    assert commands.main(["prepare", "nowhere"]) == 1
    assert "neither a file, a folder nor a data set; give NAME:FOLDER" in capsys.readouterr().err


def test_estimated_poses_become_a_manifest(source, tmp_path, monkeypatch):
    from workbench.media.estimation import pose_estimation

    def estimate_all(videos, targets, **_):
        for path in targets[1:]:
            path.parent.mkdir(exist_ok=True)
            np.savez(path, joints=np.zeros((14, 33, 3)), skeleton="mediapipe_33")
        return {videos[0]: "nobody is there"}

    monkeypatch.setattr(pose_estimation, "estimate_all", estimate_all)
    data = open_dataset("synthadl", source, "cs", "all")
    found = work.find_poses(data, tmp_path / "posed.csv")
    assert (found.done, found.skipped, found.failed) == (5, 0, [(data.ids[0], "nobody is there")])
    posed = open_dataset("auto", tmp_path / "posed.csv", split="all")
    assert (posed.ids, posed.classes, posed.skeleton.name) == (data.ids, data.classes, "mediapipe_33")
    assert posed.labels.tolist() == data.labels.tolist() and posed.table["pose"][0] == ""
    assert open_dataset("auto", tmp_path / "posed.csv").ids == open_dataset("synthadl", source, "cs").ids
    assert work.find_poses(data, tmp_path / "posed.csv").skipped == 5


def test_a_written_manifest_has_the_same_clips(source, tmp_path):
    data = open_dataset("synthadl", source, "cs", "test")
    written_manifest.save(data, tmp_path / "copy.csv", {})
    copy = open_dataset("manifest", tmp_path / "copy.csv", split="test")
    assert (copy.ids, copy.videos, copy.classes) == (data.ids, data.videos, data.classes)
    assert copy.lengths.tolist() == data.lengths.tolist()
