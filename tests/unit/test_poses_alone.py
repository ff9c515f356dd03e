"""Rows of a manifest that have poses and no video; and what the doctor must not take for a fault."""

from __future__ import annotations

import numpy as np
import pytest

from tests import official
from tests.fixtures import REST
from workbench.commands import main
from workbench.data import ClipSpec, Loader, doctor, open_dataset
from workbench.data.doctor import body_geometry, picture_motion
from workbench.media import video
from workbench.types import Skeleton

KINECT = Skeleton.named("kinect_v2")


@pytest.fixture()
def folder(tmp_path, monkeypatch):
    """Six clips of 10 to 15 frames, without and with pixels, and one 2D file of a detector."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))
    lines = ["pose,label,split"]
    for k, part in enumerate(("train", "train", "validation", "validation", "test", "test")):
        walk = np.arange(10 + k)[:, None, None] * [0.02, 0.01 * k, 0]
        np.savez(tmp_path / f"c{k}.npz", joints=REST * [1, 1, -1] + [0, -1, 3] + walk, skeleton="kinect_v2")
        lines.append(f"c{k}.npz,{'walk' if k % 2 else 'sit'},{part}")
    (tmp_path / "clips.csv").write_text("\n".join(lines))
    return tmp_path


def test_they_are_as_long_as_their_poses_and_are_called_after_them(folder):
    data = open_dataset("manifest", folder / "clips.csv", split="all")
    assert data.lengths.tolist() == [10, 11, 12, 13, 14, 15] and set(data.rates) == {30.0} and not data.problems
    assert data.ids == [f"c{k}" for k in range(6)] and [len(data.files(i)) for i in range(6)] == [1] * 6
    spec = ClipSpec(frames=8, size=(32, 32), poses=8)
    (batch,) = Loader(data, spec, 6, needs=frozenset({"pose", "label"}))
    assert batch.pose.shape == (6, 1, 8, 25, 3) and batch.label.tolist() == [0, 1] * 3
    with pytest.raises(ValueError, match="and no videos, and videos are needed; agcn, pose_gru and pose_lstm read"):
        Loader(data, spec, 6)


def test_systems_of_poses_train_and_others_say_why_not(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    short = ["--set", "preset=tiny", "epochs=1", "evaluate=[]", "cache=null"]
    assert main(["train", "pose_lstm", "--root", "clips.csv", *short]) == 0
    assert main(["train", "rgb", "--root", "clips.csv", *short]) == 1
    assert main(["prepare", "clips.csv", "--poses", "more.csv"]) == 1
    said = capsys.readouterr().err
    assert "has poses and no videos, and videos are needed" in said and "has no videos to find poses in" in said
    assert main(["doctor", "clips.csv", "--skip", "bones of one length"]) == 0


def test_some_clips_may_have_a_video(folder):
    video.write(folder / "c0.mp4", np.random.default_rng(0).integers(0, 255, (10, 48, 64, 3), np.uint8), 25)
    table = "video,pose,label,split\nc0.mp4,c0.npz,sit,train\n,c1.npz,walk,train\n"
    (folder / "some.csv").write_text(table)
    data = open_dataset("manifest", folder / "some.csv")
    assert data.lengths.tolist() == [10, 11] and data.rates.tolist() == [25.0, 30.0]
    loader = Loader(data, ClipSpec(frames=8, size=(32, 32), crop="frame", poses=8), 2)
    with pytest.warns(match="skipped clip c1: c1 has poses and no video, and pictures are needed"):
        (batch,) = loader
    assert batch.ids == ["c0"]
    (folder / "some.csv").write_text(f"{table},,walk,train\n")
    with pytest.raises(ValueError, match=r"rows with neither video nor poses \(1\): row 3"):
        open_dataset("manifest", folder / "some.csv")


def test_detections_alone_are_as_long_as_they_say(folder):
    points = official.person(0, 17).ravel().tolist()
    official.write_json(folder / "d.coco.json", [{"image_id": f"{n}.jpg", "keypoints": points} for n in (2, 6)])
    (folder / "flat.csv").write_text("pose,label,split,frames,fps\nd.coco.json,sit,train,9,25\n")
    data = open_dataset("manifest", folder / "flat.csv")
    assert data.pose(0) is None and data.body(0).joints.shape == (1, 9, 17, 2)
    assert np.isfinite(data.body(0).joints[0]).all(axis=(1, 2)).nonzero()[0].tolist() == [2, 6]
    (folder / "flat.csv").write_text("pose,label,split\nd.coco.json,sit,train\n")
    assert open_dataset("manifest", folder / "flat.csv").lengths.tolist() == [7]


def test_a_clock_in_the_picture_is_nobody():
    changed = np.zeros((5, 80, 100), np.float32)
    changed[:, :8] = 200  # a strip along the upper edge
    boxes = np.tile([20.0, 30.0, 60.0, 70.0], (5, 1))
    assert np.isnan(picture_motion.inside(changed, boxes)[0])
    changed[:, 40:50, 30:40] = 1
    assert picture_motion.inside(changed, boxes)[0] == 1
    changed[:, 40:50, 70:80] = 1
    assert picture_motion.inside(changed, boxes)[0] == 0.5


def test_an_arm_that_stays_bent_is_an_arm():
    joints = np.repeat(REST[None, None], 20, axis=1)
    # Elbow and wrist of the left arm; the hand goes to the shoulder and stays there.
    joints[:, :, 6] = joints[:, :, 4] + [0.05, 0.02, 0.1]
    joints[:, :, 5] = joints[:, :, 4] + [0.0, -0.2, 0.12]
    assert body_geometry.folded(joints, KINECT)[0] <= 1
    exchanged = np.repeat(REST[None, None], 20, axis=1)[:, :, [0, 1, 2, 3, 4, 6, 5, *range(7, 25)]]
    assert body_geometry.folded(exchanged, KINECT)[0] > 1


def test_joints_along_a_curve_have_no_order_to_judge():
    t = np.linspace(0, 3, 25)
    curve = np.stack([np.sin(t), t], axis=1)[None, None]
    assert np.isnan(body_geometry.detour(curve, KINECT)) and np.isfinite(body_geometry.detour(REST[None, None], KINECT))


def test_a_doubt_is_one_where_only_habit_tells(folder):
    video.write(folder / "v.mp4", np.random.default_rng(0).integers(0, 255, (12, 48, 64, 3), np.uint8), 25)
    points = official.person(0, 17).ravel().tolist()
    for names, doubts in (((4, 7), 1), ((0, 7), 0), ((4, 12), 0)):
        found = [{"image_id": f"{number:06}.png", "keypoints": points} for number in names]
        official.write_json(folder / "v.coco.json", found)
        (folder / "v.csv").write_text("video,pose,label,split\nv.mp4,v.coco.json,sit,train\n")
        parts = doctor.open_parts("manifest", folder / "v.csv")
        skip = [check.name for check in doctor.CHECKS if check.name != "frames of poses"]
        (result,) = doctor.examine(parts, skip=skip).results
        assert len(result.findings) == doubts and result.measured == 1


def test_a_text_that_names_films_is_none(folder):
    film = np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3), np.uint8)
    video.write(folder / "a.mp4", film, 25)
    for name, text in (("list.mkv", "ffconcat version 1.0\nfile a.mp4\n"), ("b.ts", "#EXTM3U\na.mp4\n")):
        (folder / name).write_text(text)
        with pytest.raises(ValueError, match=f"{name}: it is an? .*, which plays other files"):
            video.probe(folder / name)
