"""The doctor: every fault that is planted is found by its check, and clean data pass all of them."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from tests.fixtures import fake_synthadl, write_mp4
from tests.videos import encode, numbered
from workbench.commands import main
from workbench.data import doctor, open_dataset
from workbench.data.doctor import body_geometry
from workbench.media import skeletons, video
from workbench.types import Skeleton

KINECT = Skeleton.named("kinect_v2")
ROLES = {1: "train", 2: "validation", 3: "test"}


@pytest.fixture(scope="module", autouse=True)
def records(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_CACHE", str(tmp_path_factory.mktemp("records")))
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Six clips of 36 frames and more: two actions by three subjects, each in another part."""
    return fake_synthadl(tmp_path_factory.mktemp("world"), actions=2, subjects=3, views=1, frames=36)


@pytest.fixture(scope="module")
def healthy(world, tmp_path_factory) -> Path:
    """The same as a manifest in a folder of its own: clips.csv, videos/<class>/, poses/."""
    folder = tmp_path_factory.mktemp("healthy")
    table = pd.read_parquet(world / "index.parquet")
    rows = []
    for row in table.itertuples():
        name = f"{row.label}/{row.id}"
        for kind in ("videos", "poses"):
            (folder / kind / str(row.label)).mkdir(parents=True, exist_ok=True)
        shutil.copy(world / row.video, folder / f"videos/{name}.mp4")
        arrays = np.load(world / row.arrays)
        joints, pixels = arrays["joints"], arrays["pixels"]
        np.savez(folder / f"poses/{name}.npz", joints=joints, pixels=pixels, skeleton="kinect_v2")
        files = {"video": f"videos/{name}.mp4", "pose": f"poses/{name}.npz"}
        place = {"label": row.label, "subject": f"s{row.subject}", "split": ROLES[row.subject]}
        rows.append({"id": row.id, **files, **place, "frames": row.frames, "fps": 25})
    pd.DataFrame(rows).to_csv(folder / "clips.csv", index=False)
    return folder


def examined(folder: Path, *only: str) -> doctor.Report:
    """Of clips.csv, by these checks only, or all."""
    skip = [check.name for check in doctor.CHECKS if only and check.name not in only]
    return doctor.examine(doctor.open_parts("manifest", folder / "clips.csv"), None, skip=skip, workers=1)


# Clean data


def test_a_healthy_manifest_passes_every_check(healthy):
    report = examined(healthy)
    verdicts = {result.check.name: result.verdict for result in report.results}
    # The forearm that the fixture draws really is of rubber.
    assert verdicts.pop("bones of one length") == "warning"
    # Its poses are in 3D.
    assert verdicts.pop("order of flat joints") == "not measured"
    # It has videos, one label a clip, and performers.
    for name in ("flat poses without video", "intervals in the video", "cuts of one film"):
        assert verdicts.pop(name) == "not measured"
    assert verdicts == dict.fromkeys(verdicts, "ok"), report.text()


def test_synthadl_passes(world, capsys):
    assert main(["doctor", str(world), "--all"]) == 0
    assert "6 of 6 clips examined, no errors, warnings: bones of one length" in capsys.readouterr().out


@pytest.mark.parametrize("schema", ["lcrnet_13", "lcrnet_15", "kinect_v1", "smarthome_17", "cad_15"])
def test_other_schemas_of_the_same_body_pass(world, schema):
    pose = skeletons.convert(open_dataset("synthadl", world, split="all").pose(0), schema)
    assert body_geometry.detour(pose.joints, pose.skeleton) < 1.5
    assert body_geometry.lopsided(pose.joints, pose.skeleton)[0] < 1.2
    assert 1.2 < body_geometry.height(pose.joints, pose.skeleton) < 2.2
    assert body_geometry.flips(pose.joints, pose.skeleton) == 0
    assert not body_geometry.handedness(pose.joints, pose.skeleton) < -0.3


# Planted faults


def arrays(folder: Path, change: Callable[[dict], dict | None]) -> None:
    """Changes all pose files."""
    for path in sorted(folder.glob("poses/*/*.npz")):
        held = dict(np.load(path))
        np.savez(path, **{**held, **(change(held) or {})})


def table(folder: Path, change: Callable[[pd.DataFrame], None]) -> None:
    clips = pd.read_csv(folder / "clips.csv", dtype=str)
    change(clips)
    clips.to_csv(folder / "clips.csv", index=False)


def uncounted(folder: Path) -> None:
    table(folder, lambda clips: clips.drop(columns=["frames", "fps"], inplace=True))


def first(folder: Path) -> Path:
    return sorted(folder.glob("videos/*/*.mp4"))[0]


def permuted(folder):
    order = np.random.default_rng(0).permutation(25)
    arrays(folder, lambda held: {"joints": held["joints"][:, order], "pixels": held["pixels"][:, order]})


def permuted_flat(folder):
    permuted(folder)
    for path in sorted(folder.glob("poses/*/*.npz")):
        held = dict(np.load(path))
        np.savez(path, pixels=held["pixels"], skeleton="kinect_v2")


def two_spellings(folder):
    table(folder, lambda clips: clips.loc.__setitem__((0, "label"), f"{clips['label'][0]}\u00a0"))


def one_pose_for_two(folder):
    table(folder, lambda clips: clips.loc.__setitem__((1, "pose"), clips["pose"][0]))


def planar(folder):
    # Stored by axis, read by joint.
    arrays(folder, lambda held: {"joints": np.swapaxes(held["joints"], 1, 2).reshape(held["joints"].shape)})


def interleaved(folder):
    arrays(folder, lambda held: {"joints": np.swapaxes(held["joints"].reshape(-1, 3, 25), 1, 2)})


def rolled(folder):
    arrays(folder, lambda held: {"joints": np.roll(held["joints"], 1, axis=1)})


def elbows_for_wrists(folder):
    order = np.arange(25)
    order[[5, 6, 9, 10]] = [6, 5, 10, 9]
    arrays(folder, lambda held: {"joints": held["joints"][:, order]})


def one_arm_mixed(folder):
    order = np.arange(25)
    order[[5, 7]] = [7, 5]
    arrays(folder, lambda held: {"joints": held["joints"][:, order]})


def rubber(folder):
    def grow(held):
        shake = np.random.default_rng(0).uniform(0.2, 2, (len(held["joints"]), 1))
        joints = held["joints"].copy()
        joints[:, 13] = joints[:, 12] + (joints[:, 13] - joints[:, 12]) * shake
        return {"joints": joints}

    arrays(folder, grow)


def sides_exchanged(folder):
    arrays(folder, lambda held: {name: held[name][:, KINECT.mirror] for name in ("joints", "pixels")})


def z_turned_round(folder):
    arrays(folder, lambda held: {"joints": held["joints"] * [1, 1, -1]})


def y_down(folder):
    arrays(folder, lambda held: {"joints": held["joints"] * [1, -1, 1]})


def z_up(folder):
    arrays(folder, lambda held: {"joints": held["joints"][..., [0, 2, 1]]})


def millimetres(folder):
    arrays(folder, lambda held: {"joints": held["joints"] * 1000})


def flickering(folder):
    def flicker(held):
        joints = held["joints"].copy()
        joints[::5] = joints[::5][:, KINECT.mirror]
        return {"joints": joints}

    arrays(folder, flicker)


def shifted_in_time(folder):
    arrays(folder, lambda held: {name: np.roll(held[name], 4, axis=0) for name in ("joints", "pixels")})


def off_the_person(folder):
    arrays(folder, lambda held: {"pixels": held["pixels"] + [70, 0]})


def far_off(folder):
    arrays(folder, lambda held: {"pixels": held["pixels"] + [130, 0]})


def other_resolution(folder):
    arrays(folder, lambda held: {"pixels": held["pixels"] * 6})


def shares_of_the_picture(folder):
    arrays(folder, lambda held: {"pixels": held["pixels"] / [160, 120]})


def zeros_for_nobody(folder):
    def lose(held):
        joints = held["joints"].copy()
        joints[::4] = 0
        return {"joints": joints}

    arrays(folder, lose)


def nobody(folder):
    arrays(folder, lambda held: {name: np.full_like(held[name], np.nan) for name in ("joints", "pixels")})


def gone_half_the_time(folder):
    def lose(held):
        joints = held["joints"].copy()
        joints[: len(joints) // 2] = np.nan
        return {"joints": joints}

    arrays(folder, lose)


def frozen(folder):
    arrays(folder, lambda held: {"joints": np.repeat(held["joints"][:1], len(held["joints"]), axis=0)})


def short_poses(folder):
    arrays(folder, lambda held: {name: held[name][:-1] for name in ("joints", "pixels")})


def truncated(folder):
    uncounted(folder)
    path = first(folder)
    path.write_bytes(path.read_bytes()[:-2000])


def unreadable(folder):
    uncounted(folder)
    first(folder).write_bytes(b"not a video at all" * 50)


def miscounted(folder):
    table(folder, lambda clips: clips.__setitem__("frames", (clips["frames"].astype(int) + 3).astype(str)))


def wrong_rate(folder):
    table(folder, lambda clips: clips.__setitem__("fps", "30"))


def another_rate(folder):
    uncounted(folder)
    path = first(folder)
    write_mp4(path, video.read(path).frames, fps=50)


def blank(folder):
    path = first(folder)
    write_mp4(path, np.zeros_like(video.read(path).frames))


def stopped(folder):
    path = first(folder)
    frames = video.read(path).frames
    write_mp4(path, np.repeat(frames[:1], len(frames), axis=0))


def label_one_up_in_test(folder):
    def shift(clips):
        clips["label"] = np.where(
            clips["split"] == "test", (clips["label"].astype(int) + 1).astype(str), clips["label"]
        )

    table(folder, shift)


def labels_from_one(folder):
    table(folder, lambda clips: clips.__setitem__("label", (clips["label"].astype(int) + 1).astype(str)))


def one_mislabelled(folder):
    table(folder, lambda clips: clips.loc.__setitem__((0, "label"), "1"))


def untrained_class(folder):
    table(folder, lambda clips: clips.loc.__setitem__((clips["split"] != "test", "label"), "0"))


def lonely_class(folder):
    def skew(clips):
        more = pd.concat([clips[(clips["label"] == "0") & (clips["split"] == "train")]] * 60)
        more["id"] = [f"more{i}" for i in range(len(more))]
        clips.drop(clips.index, inplace=True)
        for name in more:
            clips[name] = more[name].tolist() + ["x"] * 0
        clips.loc[len(clips)] = {**clips.iloc[0], "id": "other", "label": "1"}

    table(folder, skew)


def shared_subject(folder):
    table(folder, lambda clips: clips.__setitem__("subject", "s1"))


def copied_across(folder):
    paths = sorted(folder.glob("videos/0/*.mp4"))
    uncounted(folder)
    table(folder, lambda clips: clips.__setitem__("pose", ""))
    shutil.copy(paths[0], paths[2])


def encoded_again_across(folder):
    paths = sorted(folder.glob("videos/0/*.mp4"))
    uncounted(folder)
    table(folder, lambda clips: clips.__setitem__("pose", ""))
    video.write(paths[2], video.read(paths[0]).frames, 25, crf=26)


def counted_by_nobody_knows(folder):
    """COCO detections of frames 0004 to 0008, of more than there are so many."""
    table(folder, lambda clips: clips.__setitem__("pose", "late.coco.json"))
    points = [number for k in range(17) for number in (60.0 + k % 3, 20.0 + 4 * k, 1)]
    found = [{"image_id": f"frame_{number:04}.png", "keypoints": points} for number in range(4, 9)]
    (folder / "late.coco.json").write_text(json.dumps(found))


def shares_without_a_picture(folder):
    for path in sorted(folder.glob("poses/*/*.npz")):
        held = np.load(path)["pixels"]
        np.savez(path, pixels=held / np.nanmax(held) * 0.98, skeleton="kinect_v2")
    table(folder, lambda clips: clips.__setitem__("video", ""))


def after_the_end(folder):
    def annotate(clips):
        clips["intervals"] = [f"0 1 {label}; 90 95 {label}" for label in clips["label"]]
        clips.drop(columns="label", inplace=True)

    table(folder, annotate)


def takes_of_one_film(folder):
    """Three films of a class, of which one is in two parts."""

    def name(clips):
        stems = ["ann_take1", "bob_take1", "ann_take3"]
        for kind, stem in zip(range(len(clips)), stems * 2, strict=True):
            old = folder / clips["video"][kind]
            clips.loc[kind, "video"] = str(old.rename(old.with_name(f"{stem}.mp4")).relative_to(folder))
        extra = clips.iloc[[0]].assign(id="cyd", video=clips["video"][0].replace("ann_take1", "cyd_take1"))
        shutil.copy(folder / clips["video"][0], folder / extra["video"].iloc[0])
        clips.loc[len(clips)] = extra.iloc[0]
        clips["subject"], clips["pose"] = "", ""

    table(folder, name)


FAULTS = [
    (truncated, "readable videos", "error", "cut off|ends after|decod|opened"),
    (unreadable, "readable videos", "error", "opened"),
    (miscounted, "frame counts", "error", r"says \d+ frames, decoding gives"),
    (wrong_rate, "frame rate in the table", "warning", "says 30 .* has 25"),
    (another_rate, "frame rates", "warning", "50 frames per second, most have 25"),
    (blank, "pictures", "warning", "blank"),
    (stopped, "pictures", "warning", "never changes"),
    (short_poses, "pose files", "error", r"poses for \d+ frames"),
    (nobody, "clips without poses", "error", "no joint is known"),
    (gone_half_the_time, "gaps in poses", "warning", "nobody in 50%|nobody in 4"),
    (zeros_for_nobody, "zeros for missing joints", "error", "exactly 0 in 2"),
    (frozen, "frozen poses", "warning", "100% of the poses"),
    (counted_by_nobody_knows, "frames of poses", "warning", "padded with zeros and none is 0"),
    (shares_without_a_picture, "flat poses without video", "error", "go up to 0.9.: shares of the picture"),
    (after_the_end, "intervals in the video", "error", "90 to 95 s, and the video is shown from 0.00 to 1.44 s"),
    (takes_of_one_film, "cuts of one film", "warning", "ann_take1.* .train. and ann_take3.* .test. look cut"),
    (permuted, "order of joints", "error", "times the shortest tree"),
    (permuted_flat, "order of flat joints", "warning", "times the shortest tree"),
    (planar, "order of joints", "error", "read as planar"),
    (interleaved, "order of joints", "error", "read as joint by joint"),
    (rolled, "order of joints", "error", "read as one joint further on"),
    (elbows_for_wrists, "order along limbs", "error", "wrist_.* from shoulder_"),
    (one_arm_mixed, "both sides alike", "error", "on the other side"),
    (rubber, "bones of one length", "warning", "knee_left .* changes its length"),
    (sides_exchanged, "left and right", "error", "left is where right should be"),
    (z_turned_round, "left and right", "error", "axis is turned round"),
    (z_turned_round, "in front of the camera", "error", "behind the camera in 100%"),
    (flickering, "sides that flip", "warning", "exchanged between"),
    (y_down, "axes", "error", "extend along -y"),
    (z_up, "axes", "error", "extend along z"),
    (z_up, "3D against pixels", "error", "downwards follow -z"),
    (millimetres, "units", "error", "millimetres"),
    (shifted_in_time, "poses in time", "error", "[45] frames earlier"),
    (off_the_person, "skeleton on the person", "error", "of what moves lies in the person's box"),
    (far_off, "crops", "error", "lies within the picture"),
    (other_resolution, "joints in the picture", "error", "outside of 160 x 120"),
    (shares_of_the_picture, "joints in the picture", "error", "shares of the picture"),
    (label_one_up_in_test, "classes in training and test", "error", "off by one"),
    (labels_from_one, "numbers as class names", "warning", "called 1 to 2"),
    (two_spellings, "names that look alike", "error", r"classes '0', '0\\xa0'"),
    (one_pose_for_two, "poses of one video", "warning", "is that of .* and of"),
    (one_mislabelled, "labels against folders", "error", "lies in 0 and is labelled 1"),
    (untrained_class, "classes in training and test", "error", "class 1 is tested and has no clip in train"),
    (lonely_class, "balance of classes", "warning", "1: 1 clips in train, 0: 60"),
    (shared_subject, "subjects in one part", "error", "subject s1 is in train and in test"),
    (copied_across, "files in one part", "error", r"\(train\) and .* \(test\) are the same file"),
    (
        encoded_again_across,
        "films in one part",
        "error",
        r"\(train\) and .* \(test\) show the same|\(test\) and .* \(train\)",
    ),
]


@pytest.mark.parametrize(("fault", "name", "verdict", "words"), FAULTS, ids=[f"{f[0].__name__}-{f[1]}" for f in FAULTS])
def test_a_planted_fault_is_found(healthy, tmp_path, fault, name, verdict, words):
    folder = tmp_path / "sick"
    shutil.copytree(healthy, folder)
    fault(folder)
    result = examined(folder, name).result(name)
    assert result.verdict == verdict, [finding.text for finding in result.findings]
    assert pd.Series([finding.text for finding in result.findings]).str.contains(words, regex=True).any(), (
        result.findings
    )


def test_every_check_has_a_planted_fault():
    planted = {name for _, name, _, _ in FAULTS}
    # These are planted below and in unit/test_times.py: no manifest can have the one, the others take other encoders.
    elsewhere = {"labels in range", "steady time", "notes on files", "pixel aspect"}
    assert {check.name for check in doctor.CHECKS} - planted == elsewhere


def test_labels_counted_from_one_are_out_of_range(world):
    parts = doctor.open_parts("synthadl", world)
    parts = {
        name: replace(data, table=data.table.assign(label=data.table["label"] + 1)) for name, data in parts.items()
    }
    skip = [check.name for check in doctor.CHECKS if check.name != "labels in range"]
    (result,) = doctor.examine(parts, skip=skip).results
    assert (result.verdict, len(result.findings)) == ("error", 3)
    assert result.findings[0].text == "train: label 2 with 2 classes and 0 is unused: are they counted from 1?"


def test_unsteady_time_is_told(tmp_path):
    encode(tmp_path / "a.mp4", numbered(30), milliseconds=[40 * k + 15 * (k % 3) for k in range(30)])
    (tmp_path / "clips.csv").write_text("video,label,split\na.mp4,walk,train\n")
    assert examined(tmp_path, "steady time").result("steady time").verdict == "warning"


# The command, its table and its page


def test_the_command_fails_where_training_would_be_wrong(healthy, tmp_path, capsys):
    folder = tmp_path / "sick"
    shutil.copytree(healthy, folder)
    millimetres(folder)
    assert main(["doctor", str(folder / "clips.csv")]) == 1
    said = capsys.readouterr().out
    assert "training would be wrong: units" in said
    row = next(line for line in said.splitlines() if line.startswith("units"))
    assert "error" in row and "6 of 6" in row and "millimetres" in row
    assert main(["doctor", "manifest", "--root", str(folder / "clips.csv"), "--skip", "units"]) == 0


def test_few_bad_clips_are_a_warning(healthy):
    result = examined(healthy, "units").result("units")
    result.measured, result.findings = 100, [doctor.Finding("a")] * 5
    assert result.verdict == "warning"
    result.findings = [doctor.Finding("a")] * 6
    assert result.verdict == "error"


def test_a_sample_is_drawn_from_all_parts_and_repeats(healthy):
    parts = doctor.open_parts("manifest", healthy / "clips.csv")
    skip = [check.name for check in doctor.CHECKS if check.name != "readable videos"]
    report = doctor.examine(parts, 3, seed=1, skip=skip)
    assert report.examined == 3 and report.result("readable videos").measured == 3
    with pytest.raises(ValueError, match="sample must be at least 1, got 0"):
        doctor.examine(parts, 0)
    with pytest.raises(ValueError, match="there is no check 'unit'; there are: readable videos"):
        doctor.examine(parts, skip=["unit"])


class Pictures(HTMLParser):
    """Collects the pictures, and whatever would be fetched or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pictures, self.outside, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "src" and value.startswith("data:image/jpeg;base64,"):
                self.pictures.append(base64.b64decode(value.partition(",")[2], validate=True))
            elif name in ("src", "href") and not value.startswith(("#", "data:")):
                self.outside.append(value)
        if tag in ("script", "iframe", "link") and dict(attributes).get("rel") != "icon":
            self.outside.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_shows_the_worst_and_nothing_from_outside(healthy, tmp_path):
    folder = tmp_path / "sick"
    shutil.copytree(healthy, folder)
    off_the_person(folder)
    table(folder, lambda clips: clips.__setitem__("id", [f"<script>{k}</script>&" for k in range(len(clips))]))
    page = doctor.write(examined(folder, "skeleton on the person", "units"), folder / "page.html").read_text()
    found = Pictures(page)
    assert found.outside == [] and "<script>" not in page
    assert len(found.pictures) == 3
    height, width = cv2.imdecode(np.frombuffer(found.pictures[0], np.uint8), cv2.IMREAD_COLOR).shape[:2]
    # Three frames and two views of the skeleton.
    assert (height, width) == (180, 3 * 240 + 2 * 180 + 4 * 6)
    words = " ".join(found.words)
    assert "<script>0</script>&" in words and "✖ error" in words and "● ok" in words


def test_a_clip_that_cannot_be_read_has_no_picture_and_a_line(healthy, tmp_path):
    folder = tmp_path / "sick"
    shutil.copytree(healthy, folder)
    unreadable(folder)
    page = doctor.report_page.render(examined(folder, "readable videos"))
    assert Pictures(page).pictures == [] and "can&#x27;t be opened as a video" in page
