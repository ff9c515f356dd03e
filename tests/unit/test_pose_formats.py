"""The files of the public data sets as poses: values, order of joints, what is missing."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest

from tests import official
from tests.official import annotation, bodies, person
from workbench.data import open_dataset
from workbench.data.files import facts
from workbench.data.formats import coco, lcrnet, openpose
from workbench.data.own import pyskl
from workbench.data.sources import cad, msrdaily, ntu, nw_ucla, pku_mmd, tsu
from workbench.media import pose
from workbench.types import Pose, Skeleton

# NTU


def ntu_file(folder, frames, newline="\r\n"):
    path = folder / "S001C001P001R001A001.skeleton"
    path.write_text(official.ntu_text(frames, newline), newline="")
    return path


def test_ntu_values_states_and_pixels(tmp_path):
    rows = official.ntu_rows(1)
    rows[3, 11], rows[4, 11] = 1, 0
    found = ntu.read_skeleton(ntu_file(tmp_path, [[("7", rows)]]))
    np.testing.assert_allclose(found.joints[0, 0], rows[:, :3], rtol=1e-6)
    assert found.joints.dtype == np.float32 and found.space == "camera" and found.skeleton.name == "kinect_v2"
    assert found.confidence[0, 0, 2:5].tolist() == [1, 0.5, 0]
    seen = ntu.read_pixels(tmp_path / "S001C001P001R001A001.skeleton")
    np.testing.assert_allclose(seen.joints[0, 0], rows[:, 5:7], rtol=1e-6)
    assert seen.space == "image"


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_ntu_bodies_come_and_go(tmp_path, newline):
    a, b, c = (official.ntu_rows(seed) for seed in (1, 2, 3))
    found = ntu.read_skeleton(ntu_file(tmp_path, [[], [("1", a), ("2", b), ("3", c)], [("2", b)]], newline)).joints
    assert found.shape == (3, 3, 25, 3)
    assert np.isnan(found[:, 0]).all() and np.isnan(found[1:, 2]).all()
    for row, body in enumerate((a, b, c)):
        np.testing.assert_allclose(found[row, 1], body[:, :3], rtol=1e-6)
    # As the official reader has it: the first body of the frame is in the first row, whoever that is.
    np.testing.assert_allclose(found[0, 2], b[:, :3], rtol=1e-6)


def test_ntu_follows_ids(tmp_path):
    a, b = official.ntu_rows(1), official.ntu_rows(2)
    path = ntu_file(tmp_path, [[("1", a), ("2", b)], [("2", b), ("1", a)], [("2", b)]])
    found = ntu.read_skeleton(path, bodies="identity").joints
    for t in range(2):
        np.testing.assert_allclose(found[0, t], a[:, :3], rtol=1e-6)
        np.testing.assert_allclose(found[1, t], b[:, :3], rtol=1e-6)
    assert np.isnan(found[0, 2]).all() and np.isfinite(found[1, 2]).all()


def test_ntu_a_new_id_goes_on_where_its_body_was(tmp_path):
    near, far = official.ntu_rows(1), official.ntu_rows(2)
    far[:, 0] += 5
    path = ntu_file(tmp_path, [[("1", near), ("2", far)], [("3", far)], [("4", near), ("3", far)]])
    found = ntu.read_skeleton(path, bodies="identity").joints
    assert len(found) == 2
    np.testing.assert_allclose(found[1, :, 0, 0], far[0, 0], rtol=1e-6)
    assert np.isnan(found[0, 1]).all() and found[0, 2, 0, 0] == pytest.approx(near[0, 0])


def test_ntu_two_ids_that_shared_a_row_part_again(tmp_path):
    a, b = official.ntu_rows(1), official.ntu_rows(2)
    path = ntu_file(tmp_path, [[("1", a)], [("3", a)], [("1", a), ("3", b)], [("3", b), ("3", a)]])
    found = ntu.read_skeleton(path, bodies="identity").joints
    np.testing.assert_array_equal(np.isfinite(found[..., 0, 0]), [[True] * 4, [False, False, True, True]])
    np.testing.assert_allclose(found[1, 2], b[:, :3], rtol=1e-6)


def test_ntu_large_ids_are_told_apart(tmp_path):
    # Two whole numbers that are one as floats.
    ids = ("72057594037944738", "72057594037944739")
    assert float(ids[0]) == float(ids[1])
    frames = [[(ids[0], official.ntu_rows(1)), (ids[1], official.ntu_rows(2))], [(ids[1], official.ntu_rows(2))]]
    path = ntu_file(tmp_path, frames)
    assert np.isnan(ntu.read_skeleton(path, "identity").joints[0, 1]).all()
    assert np.isfinite(ntu.read_skeleton(path, "identity").joints[1]).all()


def test_ntu_nan_in_all_spellings(tmp_path):
    path = ntu_file(tmp_path, [[("1", official.ntu_rows(1))]])
    lines = path.read_text().split("\n")
    for line, word in zip((4, 5, 6, 7), ("nan", "NaN", "-1.#IND", "1.#QNAN"), strict=True):
        lines[line] = " ".join([word, *lines[line].split()[1:]])
    path.write_text("\n".join(lines))
    joints = ntu.read_skeleton(path).joints[0, 0]
    assert np.isnan(joints[:, 0]).tolist() == [True] * 4 + [False] * 21 and np.isfinite(joints[:, 1:]).all()


def test_ntu_no_body_at_all_is_one_missing_body(tmp_path):
    assert ntu.read_skeleton(ntu_file(tmp_path, [[], []])).joints.shape == (1, 2, 25, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("\n25\n", "\n24\n", 1), "line 4: expected the number of joints .25., got '24'"),
        (lambda text: "3" + text[1:], "ends on line 29, in the middle of a frame"),
        (lambda text: text + "1", "line 30: expected the end of the file, got '1'"),
        (lambda text: text.replace("\n1\n", "\n7\n", 1), "line 2: expected the number of bodies in frame 1 of 1"),
        (lambda text: "-1" + text[1:], "line 1: expected a number of frames .1 to 100000., got '-1'"),
        (lambda text: text[:-3] + " 5\n", "line 29: expected a tracking state of 0, 1 or 2, got '5'"),
        (lambda text: re.sub(r"\n25\n\S+", "\n25\n1e300", text), "line 5: expected a number, got '1e300'"),
        (lambda text: re.sub(r"\n25\n\S+", "\n25\n1_0", text), "line 5: expected a number, got '1_0'"),
        (lambda text: "", "is empty"),
        (lambda text: " \n", "holds nothing but blanks"),
    ],
)  # fmt: skip
def test_ntu_says_what_is_wrong_and_where(tmp_path, change, message):
    path = ntu_file(tmp_path, [[("1", official.ntu_rows(1))]], "\n")
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=f"{path.name}.*{message}"):
        ntu.read_skeleton(path)


# LCR-Net (Smarthome, TSU)


def test_lcrnet_is_planar(tmp_path):
    planar = {"pose2d": [float(i) for i in range(26)], "pose3d": [float(i) for i in range(39)]}
    path = official.write_json(tmp_path / "a.json", {"K": 5, "njts": 13, "frames": [[planar], []]})
    deep, flat = lcrnet.read_skeleton(path), lcrnet.read_pixels(path)
    assert deep.joints.shape == (1, 2, 13, 3) and deep.skeleton.joints[12] == "head"
    assert deep.joints[0, 0, 12].tolist() == [12, 25, 38] and flat.joints[0, 0, 12].tolist() == [12, 25]
    assert np.isnan(deep.joints[0, 1]).all()
    assert lcrnet.count_frames(path) == 2


def test_lcrnet_several_persons_and_gaps(tmp_path):
    deep, flat = bodies(2, 4, 13, 3), bodies(2, 4, 13, 2)
    deep[1, 2] = np.nan
    path = official.write_json(tmp_path / "a.json", official.smarthome_json(flat, deep))
    np.testing.assert_allclose(lcrnet.read_skeleton(path).joints, deep, rtol=1e-6)


@pytest.mark.parametrize(("x", "y"), [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_lcrnet_axes_agree_with_the_picture(tmp_path, x, y):
    deep = bodies(1, 5, 13, 3) + [0, 0, 4]
    flat = deep[..., :2] * [200, -200] + [320, 240]
    stored = deep * [x, y, 1]
    path = official.write_json(tmp_path / "a.json", official.smarthome_json(flat, stored))
    np.testing.assert_allclose(lcrnet.read_skeleton(path).joints, stored, rtol=1e-6)
    np.testing.assert_allclose(lcrnet.read_camera(path).joints, deep, rtol=1e-6)


def test_lcrnet_refined_npz(tmp_path):
    np.savez(tmp_path / "a.npz", kpts=np.arange(68.0).reshape(2, 17, 2))
    assert lcrnet.read_refined(tmp_path / "a.npz").joints[0, 1, 0].tolist() == [34, 35]
    np.savez(tmp_path / "b.npz", kpts=np.zeros((2, 13, 2)))
    with pytest.raises(ValueError, match=r"b.npz: expected kpts \[T,17,2\], got float64 \(2, 13, 2\)"):
        lcrnet.read_refined(tmp_path / "b.npz")


# Kinect v1: NW-UCLA and MSRDailyActivity3D


def test_ucla_json_and_raw_frames_agree(tmp_path):
    joints = bodies(1, 3, 20, 3)
    name = "a01_s01_e00_v01"
    path = official.write_json(
        tmp_path / f"{name}.json", {"file_name": name, "skeletons": joints[0].tolist(), "label": 1}
    )
    raw = tmp_path / "view_1" / "a01_s01_e00"
    raw.mkdir(parents=True)
    # Numbers have no leading zeros: in alphabetical order 10 would come before 9.
    for number, frame in zip((8, 9, 10), joints[0], strict=True):
        (raw / f"frame_{number}_tc_{number * 33}_skeletons.txt").write_text(official.ucla_frame([frame]))
    np.testing.assert_allclose(nw_ucla.read_skeleton(path).joints, joints, rtol=1e-6)
    found = nw_ucla.read_skeleton(raw)
    np.testing.assert_allclose(found.joints, joints, atol=1e-6)
    assert (found.confidence == 1).all() and found.skeleton.name == "kinect_v1"


def test_ucla_raw_frames_without_or_with_two_bodies(tmp_path):
    one, two = bodies(2, 1, 20, 3)[:, 0]
    texts = ["", official.ucla_frame([one, two]), official.ucla_frame([two]).replace(",2\n", ",1\n")]
    for number, text in enumerate(texts):
        (tmp_path / f"frame_{number}_tc_1_skeletons.txt").write_text(text)
    found = nw_ucla.read_skeleton(tmp_path)
    assert found.joints.shape == (2, 3, 20, 3) and np.isnan(found.joints[:, 0]).all()
    np.testing.assert_allclose(found.joints[:, 1], [one, two], atol=1e-6)
    assert found.confidence[0, :, 0].tolist() == [0, 1, 0.5]


def test_msr_world_and_screen(tmp_path):
    world, screen = bodies(2, 3, 20, 3), np.abs(bodies(2, 3, 20, 2)) % 1
    path = tmp_path / "a01_s01_e01_skeleton.txt"
    counts = (1, 0, 2)
    path.write_text(
        official.msr_text([world[:n, t] for t, n in enumerate(counts)], [screen[:n, t] for t, n in enumerate(counts)])
    )
    found, seen = msrdaily.read_skeleton(path), msrdaily.read_pixels(path)
    assert found.joints.shape == (2, 3, 20, 3)
    assert np.isnan(found.joints[:, 1]).all() and np.isnan(found.joints[1, 0]).all()
    np.testing.assert_allclose(found.joints[:, 2], world[:, 2], atol=1e-6)
    np.testing.assert_allclose(seen.joints[0, 0], screen[0, 0] * [640, 480], atol=1e-3)


def test_msr_derived_form(tmp_path):
    world = bodies(1, 2, 20, 3)[0]
    path = tmp_path / "a01_s01_e01_skeleton_proj.txt"
    lines = [f"{t + 1} {v + 1} " + " ".join(map(str, world[t, v])) for t in range(2) for v in range(20)]
    path.write_text("\r\n".join(lines))
    np.testing.assert_allclose(msrdaily.read_skeleton(path).joints[0], world, rtol=1e-6)
    path.write_text("\n".join(lines[:7] + lines[8:]))
    with pytest.raises(ValueError, match="line 8: expected all 20 joints of each frame in order"):
        msrdaily.read_skeleton(path)


# CAD


def test_cad_millimetres_become_metres(tmp_path):
    joints, certain = bodies(1, 3, 15, 3)[0] * 1000, (bodies(1, 3, 15, 1)[0, ..., 0] > 0).astype(int)
    path = tmp_path / "0512164529.txt"
    path.write_text(official.cad_text(joints, certain), newline="")
    found = cad.read_skeleton(path)
    np.testing.assert_allclose(found.joints[0], joints / 1000, atol=1e-6)
    np.testing.assert_array_equal(found.confidence[0], certain)
    assert cad.count_frames(path) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("END", ""), "expected END, the file is cut off"),
        (lambda text: text.replace("2,1,0,0", "2,1,0", 1), "line 2: expected 171 numbers, got 170"),
        (
            lambda text: text.replace("\n2,", "\n1,", 1),
            "line 2: expected a frame number above the one of the line before",
        ),
        (lambda text: "END\n", "holds no frame"),
    ],
)
def test_cad_says_what_is_wrong(tmp_path, change, message):
    path = tmp_path / "0512164529.txt"
    path.write_text(change(official.cad_text(np.zeros((3, 15, 3)), np.ones((3, 15)))))
    with pytest.raises(ValueError, match=message):
        cad.read_skeleton(path)


def test_cad120_sub_activities(tmp_path):
    path = tmp_path / "labeling.txt"
    path.write_text("0510175411,1,57,reaching,reachable,stationary\n0510175411,58,90,scrubbing,cleaner,\n")
    found = cad.sub_activities(path)
    assert found[["label", "start", "end"]].to_numpy().tolist() == [[0, 0, 57], [9, 57, 90]]
    assert found["affordances"].tolist() == [["reachable", "stationary"], ["cleaner"]]
    path.write_text("0510175411,1,57,dancing\n")
    with pytest.raises(ValueError, match="labeling.txt, line 1: expected id,start,end,sub-activity"):
        cad.sub_activities(path)


# PKU-MMD


@pytest.mark.parametrize("blank", ["", " "])
def test_pku_second_body_is_absent_where_it_is_zero(tmp_path, blank):
    frames = bodies(3, 2, 25, 3)
    frames[1, 1] = 0
    path = tmp_path / "0002-L.txt"
    path.write_text(official.pku_text(frames, blank), newline="")
    found = pku_mmd.read_skeleton(path)
    assert found.joints.shape == (2, 3, 25, 3) and np.isnan(found.joints[1, 1]).all()
    np.testing.assert_allclose(found.joints[0], frames[:, 0], atol=1e-6)
    assert pku_mmd.count_frames(path) == 3


# 2D


def test_coco_results_annotations_and_mmpose_agree(tmp_path):
    first, second = person(1, 17), person(2, 17)
    second[4, 2] = 0
    results = [
        {"image_id": "000001.jpg", "keypoints": first.ravel().tolist(), "score": 2.1},
        {"image_id": 3, "keypoints": second.ravel().tolist()},
        {"image_id": 3, "keypoints": first.ravel().tolist()},
    ]
    instances = [{"keypoints": p[:, :2].tolist(), "keypoint_scores": p[:, 2].tolist()} for p in (first, second)]
    mmpose = {
        "instance_info": [
            {"frame_id": 1, "instances": [instances[0]]},
            {"frame_id": 2, "instances": []},
            {"frame_id": 3, "instances": [instances[1], instances[0]]},
        ]
    }
    found = [
        coco.read_skeleton(official.write_json(tmp_path / name, value))
        for name, value in (("a.json", results), ("b.json", {"annotations": results}), ("c.json", mmpose))
    ]
    for one in found:
        assert one.joints.shape == (2, 3, 17, 2) and one.space == "image"
        np.testing.assert_allclose(one.joints[0, 0], first[:, :2], rtol=1e-6)
        assert np.isnan(one.joints[0, 1]).all() and np.isnan(one.joints[0, 2, 4]).all()
        assert one.confidence[0, 2, 3:5].tolist() == [pytest.approx(0.8), 0]
        np.testing.assert_array_equal(one.joints, found[0].joints)


@pytest.mark.parametrize("joints", [18, 25])
def test_openpose_folder(tmp_path, joints):
    people = {5: [person(1, joints)], 6: [], 8: [person(2, joints), person(3, joints)]}
    for number, found in people.items():
        official.write_json(tmp_path / f"my_2_clip_{number:012d}_keypoints.json", official.openpose_frame(found))
    found = openpose.read_skeleton(tmp_path)
    assert found.joints.shape == (2, 9, joints, 2) and found.skeleton.name == f"openpose_{joints}"
    np.testing.assert_allclose(found.joints[1, 8], people[8][1][:, :2], rtol=1e-6)
    assert np.isnan(found.joints[:, :5]).all() and np.isnan(found.joints[:, 6:8]).all()
    # Cut out of a longer video, whose frames it numbers.
    short = openpose.read_skeleton(tmp_path, frames=4)
    np.testing.assert_allclose(short.joints[1, 3], people[8][1][:, :2], rtol=1e-6)


def test_kinetics_skeleton(tmp_path):
    points = person(1, 18)
    frame = {"frame_index": 2, "skeleton": [{"pose": points[:, :2].ravel().tolist(), "score": points[:, 2].tolist()}]}
    path = official.write_json(tmp_path / "x.json", {"data": [frame], "label": "abseiling", "label_index": 0})
    found = openpose.read_skeleton(path)
    assert found.joints.shape == (1, 2, 18, 2) and np.isnan(found.joints[0, 0]).all()
    np.testing.assert_allclose(found.joints[0, 1], points[:, :2], rtol=1e-6)


# Pickles


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(("joints", "axes", "space"), [(17, 2, "image"), (25, 3, "camera")])
def test_pyskl_pickles_of_every_protocol(tmp_path, protocol, joints, axes, space):
    entry = annotation(4, joints, axes)
    content = {
        "split": {"xsub_train": ["clip"], "xsub_val": ["other"], "xview_val": ["clip"]},
        "annotations": [entry, annotation(3, joints, axes, "other", 0)],
    }
    path = tmp_path / f"set{protocol}{axes}.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    train, test = (open_dataset("pyskl", path, "xsub", split) for split in ("train", "test"))
    assert (train.ids, train.labels.tolist(), test.ids, train.lengths.tolist()) == (["clip"], [1], ["other"], [4])
    assert open_dataset("pyskl", path, "xview", "test").ids == ["clip"] and train.mirrored == (axes == 3)
    found = train.pixels(0) if axes == 2 else train.pose(0)
    assert (train.pose(0) if axes == 2 else train.pixels(0)) is None
    assert found.space == space and found.joints.shape == (2, 4, joints, axes)
    np.testing.assert_array_equal(found.joints[0], entry["keypoint"][0].astype(np.float32))
    assert np.isnan(found.joints[1, 1]).all()
    with pytest.raises(ValueError, match="no protocol 'cs'; known: xsub, xview"):
        open_dataset("pyskl", path, "cs")


def test_pyskl_scores_of_zero_are_missing_joints():
    entry = annotation()
    entry["keypoint_score"][0, 0, 3] = 0
    found = pyskl.read_skeleton(entry, "here")
    assert np.isnan(found.joints[0, 0, 3]).all() and found.confidence[0, 0, 3:5].tolist() == [0, 0.5]
    entry["keypoint_score"] = entry["keypoint_score"][:1]
    with pytest.raises(ValueError, match="here: expected keypoint_score"):
        pyskl.read_skeleton(entry, "here")


# Mapping between schemas


@pytest.mark.parametrize("name", Skeleton.names())
def test_every_schema_maps_to_coco_and_back_by_place(name):
    skeleton = Skeleton.named(name)
    known = np.arange(skeleton.count, dtype=np.float32)[None, None, :, None].repeat(3, axis=3)
    found = pose.convert(Pose(known, skeleton, "camera", np.zeros(1)), "coco_17")
    for joint in ("shoulder_left", "elbow_right", "hip_left", "knee_right"):
        side, place = joint.split("_")[1], joint.split("_")[0]
        source = joint if joint in skeleton.joints else f"{side}_{place}"
        assert found.joints[0, 0, found.skeleton.index(joint), 0] == skeleton.index(source)


def test_openpose_25_has_what_openpose_18_has():
    wide, narrow = Skeleton.named("openpose_25"), Skeleton.named("openpose_18")
    values = np.random.default_rng(0).normal(size=(1, 1, 25, 2)).astype(np.float32)
    found = pose.convert(Pose(values, wide, "image", np.zeros(1)), narrow)
    for joint in narrow.joints:
        np.testing.assert_array_equal(found.joints[0, 0, narrow.index(joint)], values[0, 0, wide.index(joint)])
    assert len({child for child, _ in wide.bones}) == 24 and wide.mirror[wide.mirror].tolist() == list(range(25))


# Class lists


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [
        ("ntu120", 120, "drink water", "finger-guessing game (playing rock-paper-scissors)"),
        ("smarthome31", 31, "Cook.Cleandishes", "WatchTV"),
        ("smarthome_cv19", 19, "Cutbread", "Walk"),
        ("nw_ucla", 10, "pick up with one hand", "carry"),
        ("cad60", 12, "talking on the phone", "working on computer"),
        ("msrda16", 16, "drink", "sit down"),
        ("charades157", 157, "Holding some clothes", "Someone is eating something"),
        ("pku_mmd51", 51, "bow", "writing"),
        ("tsu51", 51, "Enter", "Pour.From_can"),
        ("thumos14_20", 20, "BaseballPitch", "VolleyballSpiking"),
        ("multithumos65", 65, "BaseballPitch", "NoHuman"),
        ("ucf101", 101, "ApplyEyeMakeup", "YoYo"),
        ("hmdb51", 51, "brush_hair", "wave"),
        ("kinetics400", 400, "abseiling", "zumba"),
        ("kinetics600", 600, "abseiling", "zumba"),
        ("kinetics700", 700, "abseiling", "zumba"),
    ],
)
def test_class_lists_are_whole(name, count, first, last):
    names = list(facts.classes(name).values())
    assert (len(names), len(set(names)), names[0], names[-1]) == (count, count, first, last)


def test_tsu_events_merge_old_names(tmp_path):
    path = tmp_path / "P02T02C03.csv"
    path.write_text(
        "event,start_frame,end_frame\r\nMake_coffee.Get_water,10,20\r\nStir_coffee/tea,15,40\r\n", newline=""
    )
    assert tsu.read_events(path) == [(3, 10, 20), (12, 15, 40)]
    path.write_text("event,start_frame,end_frame\nDance,1,2\n")
    with pytest.raises(
        ValueError, match="P02T02C03.csv, line 2: expected event,start_frame,end_frame, got 'Dance,1,2'"
    ):
        tsu.read_events(path)
