"""Shards: the same batches as from the files, written once, whatever happens in between."""

from __future__ import annotations

import io
import json
import sys
import tarfile

import numpy as np
import pytest
import torch

from safefiles import checksums
from tests.fixtures import fake_synthadl
from workbench.data import ClipSpec, Loader, open_dataset, shards
from workbench.data.files import tarred

SPEC = ClipSpec(frames=4, size=(32, 32), poses=4)
NEEDS = frozenset({"video", "pose", "label", "rendered", "parts"})


@pytest.fixture(autouse=True)
def records(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "shard-records"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return fake_synthadl(tmp_path_factory.mktemp("world"), actions=2, subjects=4, views=1, frames=10, size=(48, 64))


@pytest.fixture
def parts(source):
    return {split: open_dataset("synthadl", source, "cs", split) for split in ("train", "validation", "test")}


@pytest.fixture
def packed(parts, tmp_path):
    (outcome,) = shards.write(parts, tmp_path / "shards", size=120_000)
    assert (outcome.done, outcome.skipped, outcome.failed) == (8, 0, [])
    return tmp_path / "shards"


def batches(dataset, train=False):
    return list(Loader(dataset, SPEC, 2, needs=NEEDS, train=train))


@pytest.mark.parametrize("split", ["train", "test"])
def test_batches_are_those_of_the_files(parts, packed, split):
    data = open_dataset("auto", packed, split=split)
    assert (data.name, data.protocol, data.classes) == ("synthadl", "cs", parts[split].classes)
    assert data.ids == parts[split].ids and len(list(packed.glob("*.tar"))) > 1
    for ours, theirs in zip(batches(data), batches(parts[split]), strict=True):
        assert ours.ids == theirs.ids
        for name in NEEDS:
            assert torch.equal(getattr(ours, name), getattr(theirs, name)), name


def test_training_draws_the_same_clips(parts, packed):
    pairs = zip(batches(open_dataset("shards", packed), True), batches(parts["train"], True), strict=True)
    for ours, theirs in pairs:
        assert ours.ids == theirs.ids and torch.equal(ours.video, theirs.video)


def test_webdataset_itself_reads_them(packed):
    wds = pytest.importorskip("webdataset")
    paths = sorted(map(str, packed.glob("*.tar")))
    samples = list(wds.WebDataset(paths, shardshuffle=False))
    assert len(samples) == 8 and all({"mp4", "npz", "json"} <= set(sample) for sample in samples)
    assert {json.loads(sample["json"])["id"] for sample in samples} == set(
        open_dataset("shards", packed, None, "all").ids
    )


def test_writing_again_keeps_what_is_there_and_makes_what_is_missing(parts, packed):
    paths = sorted(packed.glob("*.tar"))
    before = {path: path.stat().st_mtime_ns for path in paths}
    paths[0].unlink()
    (packed / "shards.json").unlink()
    with pytest.raises(FileNotFoundError, match="not all were written"):
        open_dataset("shards", packed)
    (outcome,) = shards.write(parts, packed, size=120_000)
    assert outcome.done and outcome.skipped and outcome.done + outcome.skipped == 8
    assert {path: path.stat().st_mtime_ns for path in paths[1:]} == {path: before[path] for path in paths[1:]}
    assert len(open_dataset("shards", packed, split="all")) == 8


def test_an_interrupted_shard_leaves_nothing(parts, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(shards, "_sample", stop)
    with pytest.raises(KeyboardInterrupt):
        shards.write(parts, tmp_path / "shards")
    assert [path.name for path in (tmp_path / "shards").iterdir()] == [".lock"]


def test_a_damaged_video_is_left_out_and_listed(tmp_path):
    world = fake_synthadl(tmp_path / "world", actions=1, subjects=3, views=1, frames=10, size=(48, 64))
    path = world / "videos" / "a00_s01_v1.mp4"
    path.write_bytes(path.read_bytes()[:-400])
    parts = {split: open_dataset("synthadl", world, "cs", split) for split in ("train", "test")}
    (outcome,) = shards.write(parts, tmp_path / "shards")
    assert [name for name, _ in outcome.failed] == ["a00_s01_v1"] and outcome.done == 1
    assert open_dataset("shards", tmp_path / "shards", split="all").ids == ["a00_s03_v1"]


def test_subjects_can_be_left_out(packed):
    data = open_dataset("shards", packed, "leave-out:2", "test")
    assert set(data.table["subject"]) == {2} and len(data) == 2


def test_other_shards_are_not_mixed_in(parts, packed, source):
    with pytest.raises(ValueError, match="shards of another data set or protocol"):
        shards.write({"train": open_dataset("synthadl", source, "cv", "train")}, packed)
    assert len(open_dataset("shards", packed, split="all")) == 8


def test_without_webdataset_one_sentence_says_how_to_get_it(parts, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "webdataset", None)
    with pytest.raises(ImportError, match=r"pip install 'video-pose-workbench\[shards\]'"):
        shards.write(parts, tmp_path / "shards")


# What others may have put into a shard


def hostile(packed, name, data=b"x", kind=tarfile.REGTYPE):
    path = sorted(packed.glob("*.tar"))[0]
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = len(data) if kind == tarfile.REGTYPE else 0, kind, "/etc/passwd"
    with tarfile.open(path, "w") as tar:
        tar.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["../../evil.mp4", "/tmp/evil.mp4"])
def test_names_in_a_tar_lead_nowhere(packed, tmp_path, name):
    hostile(packed, name)
    with pytest.raises(ValueError, match="should have a .json and one video"):
        open_dataset("shards", packed)
    assert not list(tmp_path.rglob("evil*"))


def test_links_in_a_tar_are_passed_over(packed):
    assert tarred.index(hostile(packed, "a.mp4", kind=tarfile.SYMTYPE))["clips"] == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.write_bytes(b"no tar"), "cannot be read as a shard"),
        (lambda path: path.write_bytes(path.read_bytes()[:20000]), "cannot be read as a shard"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
def test_damaged_shards_are_named(packed, change, message):
    path = sorted(packed.glob("*.tar"))[0]
    change(path)
    with pytest.raises((ValueError, FileNotFoundError), match=rf"{path.name}.*{message}"):
        open_dataset("shards", packed)


@pytest.mark.parametrize("name", ["../x.tar", "/x.tar", "..", 3])
def test_shards_json_names_files_of_its_folder_only(packed, name):
    facts = json.loads((packed / "shards.json").read_text())
    (packed / "shards.json").write_text(json.dumps({**facts, "shards": [name]}))
    checksums.keep(packed, ["shards.json"])
    with pytest.raises(ValueError, match="no file of its folder"):
        open_dataset("shards", packed)


def test_the_spool_makes_room(packed, monkeypatch):
    monkeypatch.setattr(tarred, "LIMIT", 1)
    monkeypatch.setattr(tarred, "NEWEST", 2)
    data = open_dataset("shards", packed, split="all")
    first = data.video(0)
    kept = [data.video(i) for i in range(1, 4)][-1]
    assert not tarred.Path(first).exists() and tarred.Path(kept).exists()
    assert np.array_equal(tarred.Path(data.video(0)).stat().st_size, data.table["film"][0][1])
