"""Files of 2D detectors, as they are written: each pose lies on its own frame, in pixels, and can be trained on."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.official import annotation, openpose_frame, person, write_json
from tests.videos import numbered
from workbench.data import ClipSpec, Loader, doctor, open_dataset
from workbench.data.formats import coco, mediapipe, people, posefiles
from workbench.data.own import pyskl
from workbench.data.sources.official import LeftOut
from workbench.media import pose as poses
from workbench.media import video
from workbench.types import Pose, Skeleton

FLAT = ClipSpec(frames=2, size=(16, 16), poses=4, normalize="agcn", persons=1)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


def seen(pose: Pose) -> list[int]:
    """The frames in which somebody is."""
    return np.flatnonzero(np.isfinite(pose.joints).any(axis=(0, 2, 3))).tolist()


def results(names: list, joints: int = 17) -> list[dict]:
    return [{"image_id": name, "keypoints": person(3, joints).ravel().tolist()} for name in names]


@pytest.mark.parametrize(
    ("names", "frames", "expected"),
    [
        ([4, 5, 6], 10, [4, 5, 6]),
        ([0, 1, 9], 10, [0, 1, 9]),
        (["5.jpg", "6.jpg"], 10, [5, 6]),  # AlphaPose
        (["frame_000004.png", "frame_000005.png"], 10, [3, 4]),  # ffmpeg
        (["frame_000000.png", "frame_000003.png"], 10, [0, 3]),
        ([4, 10], 10, [3, 9]),  # there is no frame 10 unless they count from 1
        (["000009.png", "000010.png"], 10, [8, 9]),
        (["clip_7.jpg"], None, [7]),
    ],
)
def test_detections_lie_on_the_frames_that_their_names_say(tmp_path, names, frames, expected):
    found = coco.read_skeleton(write_json(tmp_path / "a.coco.json", results(names)), frames)
    assert seen(found) == expected and found.joints.shape[1] == (frames or 8)
    np.testing.assert_allclose(found.joints[0, expected[0]], person(3, 17)[:, :2], rtol=1e-6)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ([{"id": 70 + n, "file_name": f"v/{n + 1:06d}.jpg"} for n in range(8)], [4, 5]),
        ([{"id": 70 + n, "file_name": f"v/{n:06d}.jpg"} for n in range(8)], [4, 5]),
        ([{"id": 70 + n, "file_name": "x.jpg", "frame_id": n} for n in range(8)], [4, 5]),
        ([{"id": 70 + n, "file_name": f"{'abcdefgh'[n]}.jpg"} for n in range(8)], [4, 5]),
        # Frames with persons only, named as ffmpeg names them.
        ([{"id": 74, "file_name": "f_000005.png"}, {"id": 75, "file_name": "f_000006.png"}], [4, 5]),
    ],
)
def test_a_table_of_images_says_which_frame_an_image_is(tmp_path, images, expected):
    content = {"images": images, "annotations": results([74, 75])}
    assert seen(coco.read_skeleton(write_json(tmp_path / "a.json", content), 8)) == expected
    content["annotations"] = results([1])
    with pytest.raises(ValueError, match="a.json, entry 0: image_id '1' is not in images"):
        coco.read_skeleton(write_json(tmp_path / "a.json", content), 8)


def test_mmpose_counts_from_0_and_its_script_from_1(tmp_path):
    instance = {"keypoints": person(3, 17)[:, :2].tolist(), "keypoint_scores": [0.9] * 17}
    lists = [{"frame_id": n, "instances": [instance] if n == 4 else []} for n in range(6)]
    assert seen(coco.read_skeleton(write_json(tmp_path / "a.json", lists), 6)) == [4]
    script = {"meta_info": {}, "instance_info": [{"frame_id": n, "instances": [instance]} for n in (4, 5)]}
    assert seen(coco.read_skeleton(write_json(tmp_path / "b.json", script), 6)) == [3, 4]


@pytest.mark.parametrize("joints", [26, 133, 136])
def test_of_more_joints_those_of_coco_are_read(tmp_path, joints):
    found = coco.read_skeleton(write_json(tmp_path / "a.json", results([2], joints)), 5)
    np.testing.assert_allclose(found.joints[0, 2], person(3, joints)[:17, :2], rtol=1e-6)


def test_detections_beyond_the_video_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="a.json has poses for 40 frames, its video has 10"):
        coco.read_skeleton(write_json(tmp_path / "a.json", results([30, 39])), 10)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20), st.integers(0, 40))
def test_numbers_from_0_stay_where_they_are(numbers, more):
    frames = max(numbers) + 1 + more
    rows = [(number, person(3, 17), None) for number in numbers]
    found = people.placed(people.People(rows, Skeleton.named("coco_17"), first=0), "x", frames)
    assert seen(found) == sorted(set(numbers)) and found.joints.shape[1] == frames


def folder(place: Path, numbers: range, joints: int = 25, empty: tuple[int, ...] = ()) -> Path:
    place.mkdir()
    for number in numbers:
        found = [] if number in empty else [person(number, joints)]
        write_json(place / f"{place.name}_{number:012d}_keypoints.json", openpose_frame(found))
    return place


def footage(root: Path, rows: list[tuple[str, str, str]], frames: int = 12) -> Path:
    """A manifest of (label, pose, split), each with a video of its own."""
    lines = ["video,label,pose,split"]
    for number, (label, pose, split) in enumerate(rows):
        video.write(root / f"v{number}.mp4", numbered(frames), 25)
        lines.append(f"v{number}.mp4,{label},{pose},{split}")
    (root / "m.csv").write_text("\n".join(lines))
    return root / "m.csv"


def test_openpose_folders_are_poses_of_a_manifest(tmp_path):
    folder(tmp_path / "a", range(12), empty=(0, 1, 2, 3))
    folder(tmp_path / "b", range(100, 112))
    path = footage(tmp_path, [("x", "a", "train"), ("y", "b", "train")])
    data = open_dataset("manifest", path)
    assert data.skeleton.name == "openpose_25" and seen(data.pixels(0)) == list(range(4, 12))
    np.testing.assert_allclose(data.pixels(1).joints[0, 3], person(103, 25)[:, :2], rtol=1e-6)
    assert len(data.files(0)) == 13 and data.pose(0) is None
    before = data.fingerprint()
    (tmp_path / "a" / "a_000000000005_keypoints.json").write_text(json.dumps(openpose_frame([])))
    assert open_dataset("manifest", path).fingerprint() != before
    (batch,) = Loader(data, FLAT, 2, needs=frozenset({"pose", "label"}))
    assert batch.pose.shape == (2, 1, 4, 25, 3) and batch.pose[..., 2].abs().max() == 0 < batch.pose.abs().max()


def test_a_folder_of_something_else_is_named_as_such(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "notes.txt").write_text("x")
    path = footage(tmp_path, [("x", "a", "train")])
    with pytest.raises(ValueError, match="unknown kind.*folders of OpenPose.*'a' \\(row 1\\)"):
        open_dataset("manifest", path)


def test_who_found_nobody_belongs_to_any_schema(tmp_path):
    folder(tmp_path / "a", range(12), empty=tuple(range(12)))
    folder(tmp_path / "b", range(12), joints=18)
    data = open_dataset("manifest", footage(tmp_path, [("x", "a", "train"), ("y", "b", "train")]))
    assert data.skeleton.name == "openpose_18" and seen(data.pixels(0)) == []


def test_a_bad_first_pose_file_costs_its_clip_alone(tmp_path):
    (tmp_path / "a.coco.json").write_text("")
    for name in "bc":
        write_json(tmp_path / f"{name}.coco.json", results(list(range(12))))
    rows = [("x", "a.coco.json", "train"), ("y", "b.coco.json", "train"), ("x", "c.coco.json", "train")]
    data = open_dataset("manifest", footage(tmp_path, rows))
    with pytest.warns(UserWarning, match="skipped clip v0: .*a.coco.json is empty"):
        (batch,) = Loader(data, FLAT, 3, needs=frozenset({"pose"}))
    assert batch.ids == ["v1", "v2"]
    (tmp_path / "b.coco.json").write_text("")
    (tmp_path / "c.coco.json").write_text("[]")
    with pytest.raises(ValueError, match="not one pose file can be read; the first .*a.coco.json is empty"):
        open_dataset("manifest", tmp_path / "m.csv")


def test_shares_of_the_picture_become_pixels(tmp_path):
    points = person(1, 18)
    points[:, :2] = np.linspace(0.1, 0.9, 36).reshape(18, 2)
    frame = {"frame_index": 3, "skeleton": [{"pose": points[:, :2].ravel().tolist(), "score": [0.9] * 18}]}
    write_json(tmp_path / "k.openpose.json", {"data": [frame], "label": "x", "label_index": 0})
    data = open_dataset("manifest", footage(tmp_path, [("x", "k.openpose.json", "train")]))
    assert seen(data.pixels(0)) == [2]  # frame_index counts from 1
    np.testing.assert_allclose(data.pixels(0).joints[0, 2], points[:, :2] * [96, 64], rtol=1e-5)


def test_shares_from_minus_one_to_one_become_pixels():
    shares = np.array([[[-1.0, 1.0], [0.0, 0.5]]], np.float32)
    assert people.in_pixels(shares, (200, 100)).tolist() == [[[0.0, 100.0], [100.0, 75.0]]]
    pixels = np.array([[[0.0, 7.0]]], np.float32)
    assert people.in_pixels(pixels, (200, 100)) is pixels


def test_mediapipe_landmarks(tmp_path):
    marks = [{"x": 0.01 * k, "y": 0.02 * k, "z": 0.0, "visibility": 0.5} for k in range(33)]
    world = [{"x": 0.1, "y": -0.2, "z": 0.3 + k, "visibility": 1.0} for k in range(33)]
    entries = [None, {"pose_landmarks": marks, "pose_world_landmarks": [world]}, {"pose_landmarks": []}]
    flat, solid = mediapipe.read_poses(write_json(tmp_path / "a.mediapipe.json", {"frames": entries}), 3, (200, 100))
    np.testing.assert_allclose(flat.joints[0, 1, 10], [20, 20], rtol=1e-5)
    np.testing.assert_allclose(solid.joints[0, 1, 4], [0.1, 0.2, 4.3], rtol=1e-5)
    assert seen(flat) == seen(solid) == [1] and flat.confidence[0, 1, 0] == 0.5
    assert set(posefiles.read(tmp_path / "a.mediapipe.json", 3, (200, 100))) == {"image", "camera"}
    with pytest.raises(ValueError, match="a.json, entry 0: expected 33 landmarks"):
        mediapipe.read_poses(write_json(tmp_path / "a.json", [marks[:32]]))


def test_flat_joints_are_centred_and_scaled_but_not_turned():
    skeleton = Skeleton.named("coco_17")
    joints = np.zeros((1, 2, 17, 2), np.float32)
    places = {"shoulder_left": (110, 40), "shoulder_right": (90, 40), "hip_left": (105, 80), "hip_right": (95, 80)}
    for name, place in places.items():
        joints[0, :, skeleton.index(name)] = place
    joints[0, 1] += 30  # walks on
    flat = Pose(joints, skeleton, "image", np.arange(2))
    found = poses.normalize(flat, "thesis")
    assert found.space == "normalised" and found.joints.shape == (1, 2, 17, 3)
    # The trunk is 40 pixels long: shoulders are one trunk above the hips, 10 pixels to either side.
    np.testing.assert_allclose(found.joints[0, 1, skeleton.index("shoulder_left")], [0.25, 1, 0], atol=1e-6)
    np.testing.assert_allclose(found.joints[0, 0], found.joints[0, 1], atol=1e-6)
    middle = poses.normalize(flat, "agcn").joints[0, 0, skeleton.index("hip_right")]
    np.testing.assert_allclose(middle, [-0.125, -0.5, 0], atol=1e-6)


# PySKL


def pickled(path: Path, change=None, joints: int = 17, axes: int = 2, split=None) -> Path:
    entries = [annotation(6, joints, axes, f"clip{n}", n % 2) for n in range(6)]
    for n, entry in enumerate(entries):
        if change is not None:
            change(n, entry)
    split = split or {"train": [f"clip{n}" for n in range(4)], "val": ["clip4", "clip5"]}
    path.write_bytes(pickle.dumps({"split": split, "annotations": entries}))
    return path


def opened(path: Path, split: str = "train"):
    pyskl._load.cache_clear()
    return open_dataset("auto", path, None, split)


@pytest.mark.parametrize(
    ("joints", "axes", "name"),
    [
        (13, 2, "lcrnet_13"),
        (13, 3, "lcrnet_13"),
        (17, 2, "coco_17"),
        (25, 2, "openpose_25"),
        (25, 3, "kinect_v2"),
        (33, 2, "mediapipe_33"),
        (33, 3, "mediapipe_33"),
        (133, 2, "coco_17"),
    ],
)
def test_pickles_of_many_joints_train(tmp_path, joints, axes, name):
    data = opened(pickled(tmp_path / "a.pkl", None, joints, axes))
    assert data.skeleton.name == name and len(data) == 4
    found = data.body(0)
    count = found.skeleton.count
    first = np.argwhere(np.isfinite(found.joints).all(axis=3))[0]
    expected = annotation(6, joints, axes, "clip0", 0)["keypoint"][tuple(first)]
    np.testing.assert_allclose(found.joints[tuple(first)], expected, rtol=1e-3)
    (batch,) = Loader(data, FLAT, 4, needs=frozenset({"pose", "label"}))
    assert batch.pose.shape == (4, 1, 4, count, 3) and batch.label.tolist() == [0, 1, 0, 1]


def test_split_lists_and_labels_come_in_many_forms(tmp_path):
    names = [f"clip{n}" for n in range(6)]
    splits = (tuple(names[:4]), np.array(names[:4]), np.array(names[:4], object))
    labels = (lambda n: [n], lambda n: np.array([n]), lambda n: np.int64(n), lambda n: np.array(n))
    for form in splits:
        for make in labels:
            path = pickled(
                tmp_path / "a.pkl",
                lambda n, entry, make=make: entry.update(label=make(n % 2), total_frames=np.int32(6)),
                split={"train": form, "val": names[4:]},
            )
            data = opened(path)
            assert data.ids == names[:4] and data.labels.tolist() == [0, 1, 0, 1]


def test_missing_scores_sizes_and_lengths_do_no_harm(tmp_path):
    def less(n, entry):
        for name in ("keypoint_score", "img_shape", "original_shape", "total_frames"):
            entry.pop(name, None)

    data = opened(pickled(tmp_path / "a.pkl", less))
    assert data.lengths.tolist() == [6] * 4 and data.pixels(0).confidence is None


BAD = {
    "nobody": lambda entry: entry.update(keypoint=np.zeros((1, 6, 17, 2))),
    "endless": lambda entry: entry.update(keypoint=np.full((1, 6, 17, 2), np.inf)),
    "objects": lambda entry: entry.update(keypoint=np.array([None, "x"], object)),
    "flat": lambda entry: entry.update(keypoint=np.ones((6, 17, 2))),
    "empty": lambda entry: entry.update(keypoint=np.ones((0, 6, 17, 2))),
    "short": lambda entry: entry.update(total_frames=60),
    "scores": lambda entry: entry.update(keypoint_score=np.ones((1, 5, 17))),
    "labels": lambda entry: entry.update(label=[0, 1]),
    "nameless": lambda entry: entry.update(frame_dir=7),
    "none": lambda entry: entry.clear(),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_entry_also_the_first_costs_itself(tmp_path, kind):
    path = pickled(tmp_path / "a.pkl", lambda n, entry: BAD[kind](entry) if n == 0 else None)
    with pytest.warns(LeftOut, match="a.pkl: 1 of 6 left out: annotation 0"):
        data = opened(path)
    assert data.ids == ["clip1", "clip2", "clip3"] and data.skeleton.name == "coco_17"


def test_ids_that_differ_in_a_suffix_are_the_same_and_it_is_said(tmp_path):
    path = pickled(tmp_path / "a.pkl", lambda n, entry: entry.update(frame_dir=f"set/clip{n}.mp4"))
    with pytest.warns(LeftOut, match="6 ids of its splits are taken for .* 'clip0' for 'set/clip0.mp4'"):
        data = opened(path)
    assert data.ids == [f"set/clip{n}.mp4" for n in range(4)]


def test_the_doctor_judges_clips_without_videos_by_their_poses(tmp_path):
    path = pickled(tmp_path / "a.pkl")
    pyskl._load.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error", LeftOut)
        report = doctor.examine(doctor.open_parts("pyskl", path), None, workers=1)
    assert report.result("readable videos").verdict == "not measured"
    assert report.result("pose files").count == "0 of 6" and report.result("gaps in poses").measured == 6
