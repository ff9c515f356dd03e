"""Reading, writing, sampling and framing of ordinary files; unusual and damaged ones are in faults/."""

from __future__ import annotations

import os
from dataclasses import replace

import av
import numpy as np
import pytest

from tests.videos import numbered, numbers
from workbench.media import pose as poses
from workbench.media import video
from workbench.media.files import ingest
from workbench.types import Pose, Skeleton


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    video.write(path, numbered(60), 25)
    return path


def test_probe_tells_what_was_written(clip):
    info = video.probe(clip)
    assert (info.frames, info.fps, info.width, info.height, info.rotation) == (60, 25.0, 96, 64, 0)
    assert (info.codec, info.duration, info.variable_rate, info.note) == ("h264", 2.4, False, "")


def test_read_gives_every_frame_in_order(clip):
    whole = video.read(clip)
    assert numbers(whole.frames) == whole.frame_numbers.tolist() == list(range(60))
    assert (whole.fps, whole.crop, whole.source) == (25.0, None, str(clip))
    assert np.abs(whole.frames.astype(int) - numbered(60)).mean() < 8


def test_read_gives_exactly_the_frames_asked_for(clip):
    wanted = [59, 3, 3, 0, 41, 7, 40, 59]
    part = video.read(clip, wanted)
    assert numbers(part.frames) == wanted == part.frame_numbers.tolist()


@pytest.mark.parametrize("wanted", [[60], [0, -1], []])
def test_read_refuses_frames_that_are_not_there(clip, wanted):
    with pytest.raises(video.VideoError, match=r"clip\.mp4: .*(frames 0 to 59|non-empty)"):
        video.read(clip, wanted)


def test_decord_and_pyav_agree(clip):
    info = video.probe(clip)
    assert info.reader == "decord"
    other = video.read(replace(info, reader="pyav"), [50, 2, 17])
    np.testing.assert_array_equal(other.frames, video.read(info, [50, 2, 17]).frames)


def test_decoder_reads_the_same_in_a_process_apart(clip):
    with video.Decoder() as decoder:
        np.testing.assert_array_equal(decoder.read(clip, [9, 5]).frames, video.read(clip, [9, 5]).frames)
        with pytest.raises(video.VideoError, match="no frame 99"):
            decoder.read(clip, [99])


def test_written_files_have_closed_groups_of_pictures(clip):
    with av.open(str(clip)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    keys = [index for index, packet in enumerate(packets) if packet.is_keyframe]
    assert len(keys) > 1
    for key in keys:
        assert all(packet.pts > packets[key].pts for packet in packets[key + 1 :])


def test_equal_frames_give_equal_files(tmp_path):
    written = set()
    for trial in range(8):
        # The encoder must not depend on what lies in memory, so that changes in between.
        noise = [np.full(5_000 * (trial + step + 1), trial, np.uint8) for step in range(8)]
        video.write(tmp_path / "same.mp4", numbered(10), 25)
        written.add((tmp_path / "same.mp4").read_bytes())
        del noise
    assert len(written) == 1


def test_write_takes_a_generator_and_an_uneven_rate(tmp_path):
    video.write(tmp_path / "g.mp4", iter(numbered(12)), 29.97)
    info = video.probe(tmp_path / "g.mp4")
    assert info.frames == 12 and info.fps == pytest.approx(29.97, abs=1e-3)


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        (np.zeros((3, 64, 95, 3), np.uint8), 25, "even sides, got 95 x 64"),
        (np.zeros((0, 64, 96, 3), np.uint8), 25, "no frames"),
        (np.zeros((3, 64, 96, 3), np.float32), 25, "uint8"),
        (np.zeros((3, 64, 96), np.uint8), 25, "uint8"),
        (np.zeros((3, 64, 96, 3), np.uint8), 0, "fps must be positive"),
    ],
)
def test_write_refuses_what_it_cannot_store(tmp_path, frames, fps, message):
    with pytest.raises(ValueError, match=message):
        video.write(tmp_path / "no.mp4", frames, fps)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(clip):
    before = clip.read_bytes()

    def breaks():
        yield from numbered(5)
        yield np.zeros((32, 32, 3), np.uint8)

    with pytest.raises(ValueError, match="size of the first"):
        video.write(clip, breaks(), 25)
    assert clip.read_bytes() == before
    assert [entry.name for entry in clip.parent.iterdir()] == ["clip.mp4"]


def test_an_unwritable_place_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match=r"out\.mp4 can't be written: .*nothing was left half-written"):
        video.write(tmp_path / "file" / "out.mp4", numbered(2), 25)


def test_verified_once_remembered_afterwards(clip, monkeypatch):
    first = video.ingest(clip)
    ingest._memory.clear()
    monkeypatch.setattr(ingest, "_verify", lambda *_: pytest.fail("verified again"))
    assert video.ingest(clip) == first


def test_a_changed_file_is_verified_again(clip):
    assert video.probe(clip).frames == 60
    video.write(clip, numbered(20), 25)
    assert video.probe(clip).frames == 20


def test_a_file_of_equal_size_but_another_time_is_verified_again(clip, monkeypatch):
    known = video.probe(clip)
    asked = []
    monkeypatch.setattr(ingest, "_verify", lambda *given: asked.append(given) or known)
    video.probe(clip)
    assert not asked
    os.utime(clip, (1, 1))
    video.probe(clip)
    assert len(asked) == 1


def test_uniform_sampling_takes_the_middle_of_each_segment():
    assert video.sample_uniform(10, 5).tolist() == [1, 3, 5, 7, 9]
    assert video.sample_uniform(7, 3).tolist() == [1, 3, 5]
    assert video.sample_uniform(3, 6).tolist() == [0, 0, 1, 1, 2, 2]
    drawn = video.sample_uniform(40, 4, np.random.default_rng(0))
    assert np.diff(drawn).tolist() == [10, 10, 10] and 0 <= drawn[0] < 10


def test_strided_sampling_wraps_round():
    assert video.sample_strided(20, 4, 2).tolist() == [0, 2, 4, 6]
    assert video.sample_strided(20, 4, 3, start=5).tolist() == [5, 8, 11, 14]
    assert video.sample_strided(5, 6, 2).tolist() == [0, 2, 4, 1, 3, 0]


def test_strided_sampling_starts_in_the_first_half():
    rng = np.random.default_rng(0)
    starts = {int(video.sample_strided(10, 64, 2, rng)[0]) for _ in range(200)}
    assert starts == {0, 1, 2, 3, 4}
    assert video.sample_strided(1, 3, 2, rng).tolist() == [0, 0, 0]


def test_windows_cover_the_video():
    assert video.windows(20, 4, 2).tolist() == [[0, 2, 4, 6], [8, 10, 12, 14], [13, 15, 17, 19]]
    assert video.windows(7, 4, 2).tolist() == [[0, 2, 4, 6]]
    assert video.windows(3, 4, 2).tolist() == [[0, 2, 1, 0]]


@pytest.mark.parametrize(
    "call",
    [
        lambda: video.sample_uniform(0, 4),
        lambda: video.sample_strided(4, 0, 1),
        lambda: video.sample_strided(4, 2, 1, start=4),
        lambda: video.windows(4, 4, 0),
    ],
)
def test_sampling_refuses_impossible_numbers(call):
    with pytest.raises(ValueError, match=r"at least 1|frame number from 0 to 3"):
        call()


def test_resize_averages_when_it_shrinks():
    frames = np.zeros((1, 2, 4, 3), np.uint8)
    frames[0, :, :2] = [[[10], [20]], [[30], [40]]]
    assert video.resize(frames, (1, 2))[0, 0, :, 0].tolist() == [25, 0]
    assert video.resize(frames, (4, 8)).shape == (1, 4, 8, 3)


def test_crop_is_black_beyond_the_picture():
    frames = np.full((2, 4, 4, 3), 9, np.uint8)
    frames[:, 0, 0] = 200
    cut = video.crop(frames, (-1, -1, 3, 3), (4, 4))[0, :, :, 0]
    assert cut.tolist() == [[0, 0, 0, 0], [0, 200, 9, 9], [0, 9, 9, 9], [0, 9, 9, 9]]
    assert not video.crop(frames, (10, 10, 12, 12), (2, 2)).any()


def test_crop_follows_a_box_for_each_frame():
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    frames[0, 0, 0], frames[1, 2, 2] = 50, 60
    track = video.crop(frames, np.array([[0, 0, 1, 1], [2, 2, 3, 3]]), (1, 1))
    assert track[:, 0, 0, 0].tolist() == [50, 60]


@pytest.mark.parametrize("box", [(2, 0, 2, 3), (0, 0, np.nan, 1), np.zeros((3, 4))])
def test_crop_refuses_boxes_without_area(box):
    with pytest.raises(ValueError, match="box must"):
        video.crop(np.zeros((2, 4, 4, 3), np.uint8), box, (2, 2))


def pixels(*frames: list[tuple[float, float]], bodies: int = 1) -> Pose:
    """Poses in image space of which only the first joints are known."""
    skeleton = Skeleton.named("coco_17")
    joints = np.full((bodies, len(frames), skeleton.count, 2), np.nan, np.float32)
    for t, points in enumerate(frames):
        for joint, point in enumerate(points):
            joints[joint % bodies, t, joint] = point
    return Pose(joints, skeleton, "image", np.arange(len(frames)))


def test_person_box_encloses_all_joints_of_all_persons():
    both = pixels([(10, 20), (30, 50)], [(14, 10), (12, 40)], bodies=2)
    assert video.person_box(both, margin=0) == (10, 10, 30, 50)
    assert video.person_box(both, margin=0.1) == (6, 6, 34, 54)
    assert video.person_box(both, margin=0, square=True) == (0, 10, 40, 50)


def test_person_box_is_never_empty():
    assert video.person_box(pixels([(5, 7)])) == (5, 7, 6, 8)


def test_person_track_follows_and_bridges_frames_without_person():
    moving = pixels([(0, 0), (10, 20)], [], [(20, 0), (30, 16)])
    track = video.person_track(moving, margin=0, fixed=False)
    assert track.tolist() == [[0, 0, 10, 20], [10, 0, 20, 18], [20, 0, 30, 16]]
    fixed = video.person_track(moving, margin=0)
    assert (fixed[:, 2:] - fixed[:, :2]).tolist() == [[10, 20]] * 3
    assert fixed[:, 0].tolist() == [0, 10, 20]


def test_person_box_says_what_it_lacks():
    with pytest.raises(ValueError, match="no joint of any person is known in any of the 2 frames"):
        video.person_box(pixels([], []))
    with pytest.raises(ValueError, match="image space"):
        video.person_box(pixels([(1, 2)]).with_joints(np.zeros((1, 1, 17, 3), np.float32), "camera"))
    with pytest.raises(ValueError, match="margin"):
        video.person_box(pixels([(1, 2)]), margin=-0.1)


def test_a_pose_moves_with_its_crop():
    frames = np.zeros((1, 40, 60, 3), np.uint8)
    frames[0, 24, 33] = 255
    box = (30, 20, 40, 30)
    cut = video.crop(frames, box, (10, 10))[0, :, :, 0]
    joints = poses.crop(pixels([(33, 24)]), box, (10, 10)).joints[0, 0, 0]
    assert np.argwhere(cut == 255).tolist() == [[4, 3]] and joints.tolist() == [3, 4]
    assert poses.crop(pixels([(33, 24)]), box, (20, 40)).joints[0, 0, 0].tolist() == [12, 8]
