"""Manifests that are wrong, in every way at once, and tables of nonsense: one error, never a crash."""

from __future__ import annotations

import string
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures import write_mp4
from workbench.data import ClipSpec, Loader, open_dataset
from workbench.data.files import intervals
from workbench.data.formats import posefiles

QUIET = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("footage")
    write_mp4(folder / "one.mp4", np.random.default_rng(0).integers(0, 255, (8, 32, 48, 3), np.uint8), fps=10)
    return folder


@pytest.fixture(autouse=True)
def records(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "fault-records"))


def table(folder, rows, name="clips.csv"):
    frame = pd.DataFrame(rows).fillna("")
    frame.to_csv(folder / name, index=False)
    return folder / name


def test_one_report_lists_everything(footage, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.mp4"
    outside.write_bytes((footage / "one.mp4").read_bytes())
    (footage / "link.mp4").symlink_to(outside)
    (footage / "linked").symlink_to(outside.parent)
    names = [
        "../x.mp4",
        "/etc/passwd",
        "a/../../b.mp4",
        "..\\evil.mp4",
        "C:\\evil.mp4",
        "link.mp4",
        "linked/secret.mp4",
    ]
    rows = [{"id": f"o{i}", "video": name, "label": "walk", "split": "train"} for i, name in enumerate(names)]
    rows += [{"id": f"m{i}", "video": f"gone{i}.mp4", "label": "walk", "split": "train"} for i in range(25)]
    rows += [{"id": "twice", "video": "one.mp4", "label": label, "split": "test"} for label in ("walk", "fly", "")]
    rows += [{"id": "odd", "video": "one.mp4", "label": "walk", "split": "dev", "pose": "one.mp4"}]
    path = table(footage, rows, "bad.csv")
    path.with_suffix(".yaml").write_text("classes: [walk, run]")
    before = sorted(footage.iterdir())
    with pytest.raises(ValueError) as caught:
        open_dataset("manifest", path)
    report = str(caught.value)
    assert isinstance(caught.value, FileNotFoundError) and sorted(footage.iterdir()) == before
    lines = report.split("\n")
    assert lines[0] == f"{path} cannot be used, 37 fault(s):"
    for name in names:
        assert repr(name) in next(line for line in lines if "lie outside" in line)
    missing = next(line for line in lines if "do not exist" in line)
    assert "(25)" in missing and "'gone0.mp4' (row 8)" in missing and missing.endswith(", and 5 more")
    assert "ids that occur more than once (1): 'twice' (3 times)" in report
    assert "labels that are none of the 2 classes listed (1): 'fly'" in report
    assert "rows without a label (1): row 35" in report
    assert "'dev' (row 36)" in report and "pose files of an unknown kind" in report


def test_ten_thousand_rows_open_at_once(footage):
    rows = {"id": [f"c{i}" for i in range(10_000)], "video": "one.mp4"}
    rows |= {"label": [f"a{i % 60}" for i in range(10_000)], "split": "train"}
    path = table(footage, rows, "many.csv")
    open_dataset("manifest", path)
    started = time.process_time()
    assert len(open_dataset("manifest", path)) == 10_000
    assert time.process_time() - started < 2


def test_rows_of_another_length_are_told(footage):
    (footage / "uneven.csv").write_text("video,label,split\none.mp4,walk,train,more\none.mp4,walk\n")
    with pytest.raises(ValueError, match=r"number of fields than the header's 3 \(2\): row 1 has 4, row 2 has 2"):
        open_dataset("manifest", footage / "uneven.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "may say folder, classes and mirrored"),
        ("classes: 3", "classes a list of texts"),
        ("classes: [a, a]", "lists a class twice"),
        ("mirror: true", "may say folder, classes and mirrored"),
        ("{", "can.t be read as YAML"),
    ],
)
def test_a_wrong_yaml_is_named(footage, text, message):
    path = table(footage, [{"video": "one.mp4", "label": "walk", "split": "train"}], "beside.csv")
    path.with_suffix(".yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        open_dataset("manifest", path)


def test_the_yaml_fixes_classes_folder_and_mirror(footage, tmp_path):
    path = table(tmp_path, [{"video": "one.mp4", "label": "walk", "split": "train"}])
    path.with_suffix(".yaml").write_text(f"folder: {footage}\nclasses: [walk, run]\nmirrored: true")
    data = open_dataset("manifest", path)
    assert (data.classes, data.labels.tolist(), data.mirrored) == (["walk", "run"], [0], True)
    assert data.videos == [str(footage / "one.mp4")]


def test_protocol_columns(footage):
    rows = [
        {"id": str(i), "video": "one.mp4", "label": "walk", "split_cs": cs, "split_cv": cv}
        for i, (cs, cv) in enumerate([("train", "test"), ("test", "train")])
    ]
    path = table(footage, rows, "protocols.csv")
    assert open_dataset("manifest", path).protocol == "cs"
    assert open_dataset("manifest", path, "cv", "test").ids == ["0"]


def test_frames_that_are_not_the_videos_are_found_when_it_is_read(footage):
    path = table(footage, [{"video": "one.mp4", "label": "a", "split": "train", "frames": 9, "fps": 10}], "claim.csv")
    data = open_dataset("manifest", path)
    assert data.lengths.tolist() == [9]
    loader = Loader(data, ClipSpec(frames=2, crop="frame"), 1, needs=frozenset({"video"}), skip_limit=1)
    with pytest.warns(UserWarning, match="has 8 frames, the table of manifest says 9"):
        assert list(loader) == []


@pytest.mark.parametrize(("frames", "fps"), [("x", "10"), ("0", "10"), ("1.5", "10"), ("8", "-1"), ("8", "inf")])
def test_impossible_frames_are_a_fault(footage, frames, fps):
    row = {"video": "one.mp4", "label": "a", "split": "train", "frames": frames, "fps": fps}
    with pytest.raises(ValueError, match=rf"'{frames}', '{fps}' \(row 1\)"):
        open_dataset("manifest", table(footage, [row], "frames.csv"))


# Untrimmed


def test_intervals_instead_of_labels(footage):
    rows = [
        {"id": "x", "video": "one.mp4", "intervals": "0.1 0.5 sit down; 0.2 0.8 drink", "split": "train"},
        {"id": "y", "video": "one.mp4", "intervals": "", "split": "test"},
    ]
    path = table(footage, rows, "untrimmed.csv")
    data = open_dataset("manifest", path, split="all")
    assert data.classes == ["drink", "sit down"] and data.labels.tolist() == [-1, -1]
    assert data.instances.to_dict("list") == {
        "video": ["x", "x"],
        "label": [1, 0],
        "start": [0.1, 0.2],
        "end": [0.5, 0.8],
    }
    assert len(open_dataset("manifest", path, split="test").instances) == 0
    with pytest.raises(ValueError, match="has intervals, not one label a clip"):
        Loader(data, ClipSpec(frames=2, crop="frame"), 1, needs=frozenset({"video", "label"}))


@pytest.mark.parametrize("text", ["1 2", "2 1 sit", "1 1 sit", "a b sit", "-1 2 sit", "nan 2 sit", "0 inf sit"])
def test_impossible_intervals_are_a_fault(footage, text):
    rows = [{"video": "one.mp4", "intervals": text, "split": "train"}]
    with pytest.raises(ValueError, match=r"intervals that are none \(1\): .* \(row 1\)"):
        open_dataset("manifest", table(footage, rows, "odd.csv"))


LABEL = st.text(string.ascii_letters + " ,'\"", min_size=1).map(str.strip).filter(bool)


@QUIET
@given(st.lists(st.tuples(LABEL, st.floats(0, 1e6), st.floats(1e-3, 1e6))))
def test_intervals_survive_writing(rows):
    rows = [(label, start, start + length) for label, start, length in rows if start + length > start]
    assert intervals.parse(intervals.join(rows)) == rows


# Nonsense

CELL = st.one_of(
    st.sampled_from(["", "one.mp4", "../one.mp4", "train", "test", "walk", "0 1 sit", "\0", "~", "//", "NaN", "1e999"]),
    st.text(max_size=12),
)
HEADER = st.lists(
    st.sampled_from(["video", "label", "id", "split", "subject", "pose", "intervals", "frames", "fps", "split_x", ""]),
    unique=True,
    max_size=8,
)


def opens_or_says_why(path, protocol):
    for split in ("train", "all"):
        try:
            data = open_dataset("manifest", path, protocol, split)
        except (ValueError, FileNotFoundError) as error:
            assert str(error)
        else:
            assert len(data.ids) == len(data.videos) == len(data) and set(data.labels) <= {
                -1,
                *range(len(data.classes)),
            }


@QUIET
@given(HEADER, st.data(), st.sampled_from([None, "split", "x", "leave-out:a", "leave-out:", ":"]))
def test_any_table_opens_or_says_why(footage, header, draw, protocol):
    rows = draw.draw(st.lists(st.lists(CELL, min_size=len(header), max_size=len(header)), max_size=4))
    frame = pd.DataFrame(rows, columns=header, dtype=object)
    frame.to_csv(footage / "fuzz.csv", index=False, escapechar="\\", encoding="utf-8", errors="replace")
    opens_or_says_why(footage / "fuzz.csv", protocol)


@QUIET
@given(st.binary(max_size=200), st.sampled_from([".csv", ".parquet"]))
def test_any_bytes_open_or_say_why(footage, data, suffix):
    path = footage / f"bytes{suffix}"
    path.write_bytes(b"video,label,split\n" + data if suffix == ".csv" and len(data) % 2 else data)
    opens_or_says_why(path, None)


@QUIET
@given(st.data())
def test_any_pose_file_is_read_or_says_why(tmp_path_factory, draw):
    path = tmp_path_factory.getbasetemp() / "fuzz.npz"
    shape = draw.draw(st.lists(st.sampled_from([0, 1, 2, 3, 8, 13]), max_size=4))
    kind = draw.draw(st.sampled_from(["<f4", "<f8", "<i4", "<U3", "?", "<c8"]))
    arrays = {
        name: np.zeros(shape, kind) for name in draw.draw(st.sets(st.sampled_from(["joints", "pixels", "confidence"])))
    }
    np.savez(path, skeleton=draw.draw(st.sampled_from(["lcrnet_13", "no such", 3])), **arrays)
    data = path.read_bytes()
    cut = draw.draw(st.integers(0, len(data)))
    if draw.draw(st.booleans()):
        path.write_bytes(data[:cut] + draw.draw(st.binary(max_size=4)) + data[cut + 4 :])
    try:
        poses = posefiles.read(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:
        assert poses and all(pose.joints.shape[2] == 13 for pose in poses.values())
