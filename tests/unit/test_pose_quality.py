"""How good estimated poses are, by hand-made faults; and the whole path from a folder of videos to pose attention."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.fixtures import REST, estimated, write_mp4
from workbench.commands import main
from workbench.data.doctor import pose_quality
from workbench.media.estimation import pose_estimation
from workbench.types import Pose, Skeleton

PROJECT = Path(__file__).parents[2]
KINECT = Skeleton.named("kinect_v2")
STILL = np.repeat(np.asarray(REST, np.float32)[None, None], 40, axis=1)  # [1,40,25,3]


def pose(joints: np.ndarray, confidence: np.ndarray | None = None) -> Pose:
    return Pose(np.asarray(joints, np.float32), KINECT, "camera", np.arange(joints.shape[1]), confidence)


def test_a_body_that_stands_still_in_all_frames_leaves_no_doubt():
    found = pose_quality.of_clip(pose(STILL))
    assert (found["seen"], found["several"], found["jitter"], found["doubtful"]) == (1, 0, 0, 0)
    assert np.isnan(found["confidence"]) and found["frames"] == []


def test_frames_without_a_person_are_counted_and_named():
    joints = STILL.copy()
    joints[:, 10:14] = np.nan
    found = pose_quality.of_clip(pose(joints))
    assert found["seen"] == 0.9 and found["frames"] == [10, 11, 12, 13] and found["doubtful"] == 0.1
    empty = pose_quality.of_clip(pose(np.full_like(STILL, np.nan)))
    assert (empty["seen"], empty["doubtful"]) == (0, 1) and np.isnan(empty["jitter"])


def test_jitter_is_the_noise_as_a_share_of_the_trunk():
    trunk = pose_quality._trunk(pose(STILL))
    assert 0.3 < trunk < 0.8
    noise = np.random.default_rng(0).normal(size=STILL.shape) * 0.05 * trunk
    steady = np.arange(40)[None, :, None, None] * [0.01, 0, 0.02]  # walking at an even pace is no noise
    assert pose_quality.of_clip(pose(STILL + noise + steady))["jitter"] == pytest.approx(0.05, rel=0.08)


def test_unsure_frames_and_jumps_to_another_person_are_doubtful():
    confidence = np.full((1, 40, 25), 0.9, np.float32)
    confidence[:, 5] = 0.2
    joints = STILL.copy()
    joints[:, 20:] += [2, 0, 0]
    found = pose_quality.of_clip(pose(joints, confidence))
    assert found["frames"] == [5, 20] and found["confidence"] == pytest.approx((39 * 0.9 + 0.2) / 40)


def test_several_persons_are_counted():
    second = STILL + [1, 0, 0]
    second[:, 20:] = np.nan
    assert pose_quality.of_clip(pose(np.concatenate([STILL, second])))["several"] == 0.5


@pytest.fixture()
def videos(tmp_path, monkeypatch):
    """A folder a class with a video of each of three persons; poses are found in them by a stand-in, in one badly."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for label in ("sit", "wave"):
        (tmp_path / "my_videos" / label).mkdir(parents=True)
        for person in ("ann", "bob", "eve"):
            write_mp4(
                Path("my_videos", label, f"{person}_{label}.mp4"), rng.integers(0, 255, (12, 48, 64, 3), np.uint8)
            )
    monkeypatch.setattr(pose_estimation, "estimate_all", estimated)
    return tmp_path


def test_the_whole_path_from_videos_to_pose_attention(videos, capsys):
    """The lines of the README, as a reader types them, shortened in epochs and sizes only."""
    section = (PROJECT / "README.md").read_text().partition("## Your own videos")[2].partition("\n## ")[0]
    lines = [shlex.split(line)[3:] for line in section.splitlines() if line.startswith("python -m workbench")]
    short = ["preset.clip=[4,32,32]", "preset.width=0.125", "preset.poses=4", "preset.output_stride=[4,16,16]"]
    (vpn,) = [line for line in lines if line[:2] == ["train", "vpn"]]
    (wizard,) = [line for line in lines if line[0] == "wizard"]
    (prepare,) = [line for line in lines if line[0] == "prepare"]
    assert main(wizard) == 0 and main(prepare) == 0
    said = capsys.readouterr().out
    assert "a person in 92% of the frames" in said and "most in wave/bob_wave (50%)" in said
    assert "open posed_poses.html in a browser" in said
    page = Path("posed_poses.html").read_text()
    assert page.count("<img") == 6 and page.index("wave/bob_wave") < page.index("sit/ann_sit")
    assert "here 3, 5, 8" in page
    at = vpn.index("--set") + 1
    assert (
        main([*vpn[:at], *short, "epochs=1", "init={}", *[w for w in vpn[at:] if not w.startswith(("init", "epochs"))]])
        == 0
    )
    told = capsys.readouterr().out
    assert "2 test clips are classified correctly" in told and "held out: person ann" in told
    assert "papermill notebooks/04_attention_maps.ipynb" in told and "truth" not in told
    assert set(pd.read_csv("posed.csv")["subject"]) == {"ann", "bob", "eve"}


def test_only_what_is_graded_against_the_truth_speaks_of_it():
    """Videos of one's own have none: the gallery leaves out these sections there, whose figures are blank."""
    for name, titles in (("02_gradcam", []), ("04_attention_maps", ["## Graded", "## The ceiling"])):
        cells = json.loads((PROJECT / f"notebooks/{name}.ipynb").read_text())["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        spoken = [text for text in texts if re.search(r"truth|\bgreen\b|true moment|true region", text)]
        assert [text.partition("\n")[0] for text in spoken] == titles
        assert all("SynthADL" in text for text in spoken)
