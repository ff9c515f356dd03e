"""Poses from RGB: what crosses the border to the other process, and what happens when that process does not play."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fixtures import write_mp4
from workbench.data import open_dataset
from workbench.media import pose
from workbench.media.estimation import pose_estimation, pose_worker
from workbench.media.estimation.pose_process import PoseError, PoseProcess
from workbench.types import Clip

#: A stand-in for the pose environment's Python: landmark j of a frame lies at its brightness, in the order x, y, z.
FAKE = """#!{python}
import os, sys, time
sys.path.insert(0, {folder!r})
import numpy as np, pose_worker, socket

open({log!r}, "a").write("started " + " ".join(sys.argv[3:]) + chr(10))

class Find:
    def __init__(self, fps): open({log!r}, "a").write("video at %g" % fps + chr(10))
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def __call__(self, frame, number):
        {misbehaviour}
        if frame.mean() < 20:
            return None
        return np.stack([np.arange(33) / 10, np.full(33, 0.5), np.full(33, -0.25), np.full(33, 0.25),
                         np.full(33, 0.5), np.linspace(0, 1, 33)], axis=1)

pose_worker.serve(socket.socket(fileno=int(sys.argv[2])), Find)
"""


@pytest.fixture(autouse=True)
def records(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))


@pytest.fixture
def environment(tmp_path):
    """environment(misbehaviour="pass") is the path of a stand-in for the pose environment's Python."""

    def make(misbehaviour: str = "pass") -> Path:
        folder = str(Path(pose_worker.__file__).parent)
        path = tmp_path / "python"
        path.write_text(
            FAKE.format(python=sys.executable, folder=folder, log=str(tmp_path / "log"), misbehaviour=misbehaviour)
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


@pytest.fixture
def film(tmp_path):
    """Five frames of 48 x 32, the third black."""
    frames = np.full((5, 32, 48, 3), 120, np.uint8)
    frames[2] = 0
    write_mp4(tmp_path / "film.mp4", frames, fps=10)
    return tmp_path / "film.mp4"


def log(tmp_path):
    path = tmp_path / "log"
    return path.read_text().splitlines() if path.exists() else []


def test_axes_pixels_and_missing_persons(environment, film):
    solid = pose.estimate(film, python=environment())
    assert (solid.joints.shape, solid.space, solid.skeleton.name) == ((1, 5, 33, 3), "camera", "mediapipe_33")
    assert solid.joints.dtype == np.float32
    # MediaPipe's y points down, the workbench's up.
    np.testing.assert_allclose(solid.joints[0, 0, 7], [0.7, -0.5, -0.25], atol=1e-6)
    assert np.isnan(solid.joints[0, 2]).all() and (solid.confidence[0, 2] == 0).all()
    assert np.isfinite(solid.joints[0, [0, 1, 3, 4]]).all()
    np.testing.assert_allclose(solid.confidence[0, 0], np.linspace(0, 1, 33), atol=1e-6)
    flat = pose.estimate(film, "image", python=environment())
    np.testing.assert_allclose(flat.joints[0, 4, 0], [0.25 * 48, 0.5 * 32])
    assert flat.space == "image" and flat.frame_numbers.tolist() == [0, 1, 2, 3, 4]


def test_a_video_is_estimated_once_until_it_changes(environment, film, tmp_path):
    python = environment()
    for _ in range(2):
        pose.estimate(film, python=python)
    assert log(tmp_path) == ["started ", "video at 10"]
    write_mp4(film, np.full((3, 32, 48, 3), 120, np.uint8))
    assert pose.estimate(film, python=python).joints.shape[1] == 3
    assert log(tmp_path)[-1] == "video at 25"
    model = tmp_path / "heavy.task"
    model.write_bytes(b"model")
    pose.estimate(film, python=python, model=model)
    assert log(tmp_path)[-2:] == [f"started {model}", "video at 25"]


def test_a_damaged_memory_is_made_again(environment, film, tmp_path):
    python = environment()
    good = pose.estimate(film, python=python).joints
    (kept,) = (tmp_path / "records" / "pose").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    np.testing.assert_array_equal(pose.estimate(film, python=python).joints, good)


def test_a_clip_that_is_cut_out_has_pixels_of_its_source(environment):
    frames = np.full((2, 20, 40, 3), 90, np.uint8)
    clip = Clip(frames, np.array([7, 9]), 25.0, crop=(100, 50, 180, 90))
    flat = pose.estimate(clip, "image", python=environment())
    np.testing.assert_allclose(flat.joints[0, 0, 0], [100 + 0.25 * 80, 50 + 0.5 * 40])
    assert flat.frame_numbers.tolist() == [7, 9]


@pytest.mark.parametrize(
    ("misbehaviour", "message"),
    [
        ("if number == 3: raise KeyError('model')", "film.mp4: the process that finds poses died .*KeyError: 'model'"),
        ("if number == 3: os.kill(os.getpid(), 9)", "film.mp4: the process that finds poses died .*-9"),
        ("if number == 3: time.sleep(60)", "film.mp4: no pose after 0.5 seconds, given up"),
    ],
)
def test_a_lost_process_is_one_sentence_and_leaves_nothing(environment, film, tmp_path, misbehaviour, message):
    with pytest.raises(PoseError, match=message):
        pose.estimate(film, python=environment(misbehaviour), timeout=0.5)
    assert not list((tmp_path / "records" / "pose").glob("*"))


def test_after_a_loss_the_next_video_gets_another_process(environment, film, tmp_path):
    other = tmp_path / "other.mp4"
    write_mp4(other, np.full((3, 32, 48, 3), 120, np.uint8))
    python = environment("if number == 4: os._exit(3)")
    targets = [tmp_path / "poses" / name for name in ("film.npz", "gone.npz", "other.npz")]
    failed = pose_estimation.estimate_all([film, tmp_path / "gone.mp4", other], targets, python=python)
    assert sorted(Path(name).name for name in failed) == ["film.mp4", "gone.mp4"]
    assert "exit code 3" in failed[str(film)] and "no such video" in failed[str(tmp_path / "gone.mp4")]
    assert [path.name for path in (tmp_path / "poses").glob("*.npz")] == ["other.npz"]
    # Once it behaves, only what is missing is done.
    assert pose_estimation.estimate_all([film, other], [targets[0], targets[2]], python=environment()) == {}
    assert log(tmp_path)[-2:] == ["started ", "video at 10"]


def test_what_is_written_is_a_manifests_pose_file(environment, film, tmp_path):
    pose_estimation.estimate_all([film], [tmp_path / "film.npz"], python=environment())
    (tmp_path / "clips.csv").write_text("video,label,split,pose\nfilm.mp4,walk,train,film.npz\n")
    data = open_dataset("manifest", tmp_path / "clips.csv")
    np.testing.assert_array_equal(data.pose(0).joints, pose.estimate(film, python=environment()).joints)
    np.testing.assert_array_equal(data.pixels(0).joints, pose.estimate(film, "image", python=environment()).joints)


def test_without_the_environment_one_sentence_says_how_to_get_it(film, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_POSE_PYTHON", str(tmp_path / "nowhere" / "python"))
    with pytest.raises(FileNotFoundError, match="there is no .*nowhere/python; make it with `make pose-env`"):
        pose.estimate(film)
    with pytest.raises(FileNotFoundError, match="no pose model at .*gone.task"):
        PoseProcess(sys.executable, tmp_path / "gone.task")
    with pytest.raises(ValueError, match="space must be camera or image, got 'world'"):
        pose.estimate(film, "world")


def test_the_worker_imports_nothing_of_the_workbench():
    text = Path(pose_worker.__file__).read_text()
    assert "workbench." not in text.replace("the workbench.", "")
