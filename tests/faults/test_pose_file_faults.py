"""Whatever is in a file: its reader returns a Pose or raises one ValueError that names the file, and soon."""

from __future__ import annotations

import json
import os
import pickle
import random
import struct
import subprocess
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import official
from tests.official import annotation, bodies, person
from workbench.data import open_dataset
from workbench.data.files import unpickling
from workbench.data.formats import coco, lcrnet, ntu_skeleton, openpose
from workbench.data.sources import cad, msrdaily, multithumos, ntu, nw_ucla, pku_mmd, thumos14, tsu
from workbench.types import Pose

ROWS = [official.ntu_rows(seed) for seed in range(3)]
NTU = official.ntu_text([[("1", ROWS[0]), ("2", ROWS[1])], [], [("2", ROWS[2])]])
LCRNET = json.dumps(official.smarthome_json(bodies(2, 2, 13, 2), bodies(2, 2, 13, 3)))
MSR = official.msr_text([bodies(1, 1, 20, 3)[:, 0]] * 2, [bodies(1, 1, 20, 2)[:, 0]] * 2)
COCO = json.dumps([{"image_id": 3, "keypoints": person(1, 17).ravel().tolist()}] * 2)
CLIP = {"frame_index": 1, "skeleton": [{"pose": [0.5] * 36, "score": [0.5] * 18}]}

#: For each reader the name of a file and what a good one holds.
READERS = {
    "ntu": (ntu.read_skeleton, "a.skeleton", NTU),
    "ntu by identity": (lambda path: ntu.read_skeleton(path, "identity"), "a.skeleton", NTU),
    "ntu frames": (ntu_skeleton.count_frames, "a.skeleton", NTU),
    "lcrnet": (lcrnet.read_camera, "a.json", LCRNET),
    "lcrnet frames": (lcrnet.count_frames, "a.json", LCRNET),
    "nw_ucla": (nw_ucla.read_skeleton, "a.json", json.dumps({"skeletons": bodies(1, 2, 20, 3)[0].tolist()})),
    "nw_ucla raw": (lambda path: nw_ucla.read_skeleton(path.parent), "frame_1_tc_2_skeletons.txt",
                    official.ucla_frame([bodies(1, 1, 20, 3)[0, 0]])),
    "cad": (cad.read_skeleton, "a.txt", official.cad_text(bodies(1, 2, 15, 3)[0], np.ones((2, 15)))),
    "msr": (msrdaily.read_skeleton, "a_skeleton.txt", MSR),
    "pku": (pku_mmd.read_skeleton, "a.txt", official.pku_text(bodies(2, 2, 25, 3))),
    "pku labels": (pku_mmd.read_labels, "a.txt", "1,10,20,2\r\n51,30,40,0\r\n"),
    "pku lists": (pku_mmd.read_split, "a.txt", "Training videos: \n0002-L,A01N01-M, \nValidataion videos: \n0003-R\n"),
    "coco": (coco.read_skeleton, "a.json", COCO),
    "openpose": (openpose.read_skeleton, "a.json", json.dumps(official.openpose_frame([person(1, 25)]))),
    "kinetics": (openpose.read_skeleton, "a.json", json.dumps({"data": [CLIP], "label": "x"})),
    "tsu": (tsu.read_events, "a.csv", "event,start_frame,end_frame\r\nWalk,1,5\r\nEnter,3,9\r\n"),
    "thumos": (thumos14.read_intervals, "a.txt", "video_test_0000004  1.0 2.0\nvideo_test_0000270 3 4\n"),
    "multithumos": (multithumos.read_json, "a.json", json.dumps({"video_test_0000004": {"actions": [[1, 0, 2.5]]}})),
    "cad120": (cad.sub_activities, "a.txt", "0510175411,1,57,reaching,reachable,stationary\n"),
}  # fmt: skip

#: What files are broken with: numbers that are none, too large, cut structures.
PIECES = [
    *(b"", b"\0", b"nan", b"-1", b"1e999", b"99999999999999999999", b",", b" ", b"\r\n", b"[", b"]", b"{}", b"null"),
    *(b'"', b"[" * 3000, b"true", b"1_0", b"\xff\xfe", b"\xd9\xa3", b"END", b"999999999", b"0", b"-0.5"),
]

SETTINGS = settings(
    max_examples=60,
    deadline=timedelta(seconds=10),
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def edits(text: bytes):
    """Lists of (where, how much is taken out, what is put in)."""
    change = st.tuples(st.integers(0, len(text)), st.integers(0, 40), st.sampled_from(PIECES))
    return st.lists(change, min_size=1, max_size=4)


def attempt(read, path: Path, content: bytes) -> object:
    """What ``read`` makes of it; None where it raises what it may raise."""
    path.write_bytes(content)
    try:
        return read(path)
    except ValueError as error:
        assert str(path.parent) in str(error) and "\n" not in str(error)
        return None


@pytest.mark.parametrize("name", READERS)
def test_readers_accept_what_is_good(tmp_path, name):
    read, file, text = READERS[name]
    assert attempt(read, tmp_path / file, text.encode()) is not None


@pytest.mark.parametrize("name", READERS)
def test_readers_survive_broken_files(tmp_path, name):
    read, file, text = READERS[name]
    good = text.encode()

    @SETTINGS
    @given(edits(good))
    def check(changes):
        content = good
        for at, length, piece in changes:
            content = content[:at] + piece + content[at + length :]
        found = attempt(read, tmp_path / file, content)
        if isinstance(found, Pose):
            assert found.joints.size < 1e7 and not np.isinf(found.joints).any()

    check()


@pytest.mark.parametrize("name", READERS)
def test_readers_survive_noise(tmp_path, name):
    read, file, text = READERS[name]

    @settings(SETTINGS, max_examples=25)
    @given(st.one_of(st.binary(max_size=300), st.integers(0, len(text)).map(lambda cut: text.encode()[:cut])))
    def check(content):
        attempt(read, tmp_path / file, content)

    check()


@pytest.mark.parametrize("value", [None, 3, [], [[]], {}, {"frames": 3}, {"data": {}}, {"people": [3]}, [[[1]]], "x"])
@pytest.mark.parametrize("name", [name for name, (_, file, _) in READERS.items() if file.endswith(".json")])
def test_json_of_another_kind(tmp_path, name, value):
    attempt(READERS[name][0], tmp_path / "a.json", json.dumps(value).encode())


@pytest.mark.parametrize("value", ["NaN", "1e999", "1" * 400, "1" * 5000, "true", '"7"'])
def test_json_numbers_that_are_none(tmp_path, value):
    text = json.dumps({"K": 1, "njts": 13, "frames": [[{"pose2d": [0.5] * 26, "pose3d": [0.5] * 39}]]})
    found = attempt(lcrnet.read_skeleton, tmp_path / "a.json", text.replace("0.5", value, 1 + 26).encode())
    assert (found is None) == (value != "NaN")


# Pickles


class Call:
    """Pickles as a call of ``function``."""

    def __init__(self, function, *arguments):
        self.state = (function, arguments)

    def __reduce__(self):
        return self.state


def calls():
    return {
        "os.system": Call(os.system, "touch $MARK"),
        "subprocess": Call(subprocess.call, ["touch", "mark"]),
        "eval": Call(eval, "open('mark', 'w')"),
        "getattr": Call(getattr, {}, "update"),
        "numpy": Call(np.load, "mark", None, True),
        "Path": Path("mark"),
        "random": random.Random(0),
    }


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", calls())
def test_pickles_run_no_code(tmp_path, monkeypatch, name, protocol):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    path = tmp_path / "set.pkl"
    path.write_bytes(pickle.dumps({"split": {"train": []}, "annotations": [calls()[name]]}, protocol))
    with pytest.raises(ValueError, match=r"set.pkl can't be read as a pickle of arrays: it (asks for|makes objects)"):
        open_dataset("pyskl", path)
    assert not (tmp_path / "mark").exists()


def test_pickles_of_objects_in_arrays_are_refused(tmp_path):
    path = tmp_path / "set.pkl"
    for value in (np.array([Call(print, "x")], object), np.zeros(2, "f4,i4")):
        path.write_bytes(pickle.dumps(value))
        with pytest.raises(ValueError, match="set.pkl can't be read as a pickle of arrays"):
            unpickling.load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02Nr" + struct.pack("<I", 4_000_000_000) + b".", "it stores something in place 4000000000"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.", "can't be read"),
        (b"ccodecs\nencode\n.", "it asks for codecs.encode"),
        (b"c_codecs\nencode\n(Vx\nVzlib\ntR.", "it asks for the codec 'zlib'"),
        (b"(lp0\ng0\na.", "expected a pickle with split and annotations"),
        (b"", "can't be read"),
        (b"no pickle", "can't be read"),
    ],
)
def test_pickles_made_by_hand(tmp_path, content, message):
    path = tmp_path / "set.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"set.pkl.*{message}"):
        open_dataset("pyskl", path)


def test_pickled_arrays_must_have_the_bytes_that_they_claim(tmp_path):
    good = pickle.dumps({"a": np.arange(6, dtype=np.float32).reshape(2, 3)}, protocol=2)
    path = tmp_path / "set.pkl"
    path.write_bytes(good.replace(b"K\x02K\x03\x86", b"K\x7fK\x7f\x86"))
    with pytest.raises(ValueError, match=r"array of shape \(127, 127\) that has 24 bytes"):
        unpickling.load(path)
    path.write_bytes(good)
    assert unpickling.array(unpickling.load(path)["a"], "a").tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", "<i8", "u1", "?"])
@pytest.mark.parametrize("protocol", range(6))
def test_pickled_arrays_of_every_kind(tmp_path, dtype, order, protocol):
    values = np.asarray(np.arange(6).reshape(2, 3) % 2, dtype, order=order)
    path = tmp_path / "set.pkl"
    path.write_bytes(pickle.dumps([values, values[0, 1]], protocol))
    array, scalar = unpickling.load(path)
    np.testing.assert_array_equal(unpickling.array(array, "a"), values.astype(float))
    assert scalar == values[0, 1] and isinstance(scalar, int | float | bool)


def test_pickles_survive_broken_bytes(tmp_path):
    path = tmp_path / "set.pkl"
    good = pickle.dumps({"split": {"x_train": ["clip"]}, "annotations": [annotation(2)]}, protocol=4)

    @SETTINGS
    @given(edits(good))
    def check(changes):
        content = good
        for at, length, piece in changes:
            content = content[:at] + piece[:10] + content[at + length % 4 :]
        path.write_bytes(content)
        try:
            data = open_dataset("pyskl", path, "x", "all")
            data.pixels(0), data.pose(0)
        except ValueError as error:
            assert "set.pkl" in str(error)

    check()
