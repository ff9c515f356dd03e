"""Snippet features: which frames a snippet reads, what is kept on disk, and going on after a kill."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from safefiles import checksums
from tests.untrimmed_fixtures import FakeReader, fake_untrimmed, grey
from workbench.data import ClipSpec, Snippets, SnippetSpec
from workbench.data.clips.clip_spec import evaluation_windows
from workbench.data.clips.read_clip import track_around
from workbench.data.untrimmed.snippet_files import GrowingRows, truth
from workbench.data.untrimmed.snippet_reader import SnippetReader
from workbench.media import video
from workbench.study.features.extract import extract
from workbench.systems.common.base import System
from workbench.types import Batch, Output

SPACED = {"frames": 4, "sampling": "strided", "stride": 4, "border": 0.0, "poses": 4}
CLIP = ClipSpec(size=(24, 32), crop="frame", flow_method="dis", **SPACED)


class Greys(System):
    """Features: the mean grey of each half of a snippet's frames; may stop the process at some call."""

    def __init__(self, needs: str = "video", die_at: int = 0) -> None:
        super().__init__()
        self.needs_test = frozenset({needs})
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.calls, self.die_at = 0, die_at

    def extra_repr(self) -> str:
        return str(sorted(self.needs_test))

    def forward(self, batch: Batch) -> Output:
        self.calls += 1
        if self.calls == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        (name,) = self.needs_test
        value = getattr(batch, name).flatten(1)
        halves = value.unflatten(1, (2, -1)).mean(2) if name == "pose" else self._greys(batch.video)
        return Output(halves[:, :1], self.gain * halves)

    @staticmethod
    def _greys(video: torch.Tensor) -> torch.Tensor:
        return ((video.mean((1, 3, 4)) + 1) * 127.5).unflatten(1, (2, -1)).mean(2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return fake_untrimmed(tmp_path_factory.mktemp("untrimmed"))


@pytest.mark.parametrize(
    ("spec", "length", "starts"),
    [
        (SnippetSpec(), 48, [0, 16, 32]),
        (SnippetSpec(), 63, [0, 16, 32]),
        (SnippetSpec(), 16, [0]),
        (SnippetSpec(), 3, [0]),
        (SnippetSpec(16, 8), 33, [0, 8, 16]),
        (SnippetSpec(4, 10), 24, [0, 10, 20]),
    ],
)
def test_where_snippets_start(spec, length, starts):
    assert spec.starts(length).tolist() == starts


@pytest.mark.parametrize("field", ["frames", "stride"])
def test_a_snippet_needs_frames(field):
    with pytest.raises(ValueError, match=f"SnippetSpec.{field} must be a whole number of 1 or more, got 0"):
        SnippetSpec(**{field: 0})


@pytest.mark.parametrize(
    ("snippets", "frames", "stride", "first", "expected"),
    [
        # A span of 13 frames around the middle of 16, and of 8 that start 20 apart.
        (SnippetSpec(16, 16), 4, 4, 0, [[1, 5, 9, 13], [17, 21, 25, 29], [33, 37, 41, 45], [49, 53, 57, 61]]),
        (SnippetSpec(8, 20), 4, 4, 2, [[37, 41, 45, 49], [57, 61, 65, 69]]),
        # The paper's: 16 consecutive frames.
        (SnippetSpec(16, 16), 16, 1, 3, [list(range(48, 64))]),
        # A span of 25 frames, wider than its snippet: the video's first and last frames (0, 69) are repeated.
        (SnippetSpec(16, 16), 4, 8, 0, [[0, 3, 11, 19], [11, 19, 27, 35], [27, 35, 43, 51], [43, 51, 59, 67]]),
        (SnippetSpec(16, 18), 4, 12, 3, [[43, 55, 67, 69]]),
    ],
)
def test_frames_are_as_far_apart_as_the_encoder_learnt_them(data, snippets, frames, stride, first, expected):
    clip = replace(CLIP, frames=frames, stride=stride)
    batches = list(SnippetReader(data, 1, snippets, clip, frozenset({"video"})).batches(2, first))
    numbers = torch.cat([batch.frame_numbers for batch in batches])
    assert numbers.tolist() == expected
    seen = torch.cat([batch.video for batch in batches]).float().mean((1, 3, 4))
    assert torch.allclose(seen, torch.tensor([[grey(n) for n in row] for row in numbers.tolist()]).float(), atol=2)


def test_frames_are_spaced_as_the_training_clips_of_the_encoder(data):
    """The same clip, cut out of a trimmed video and out of an untrimmed one."""
    clip = replace(CLIP, stride=3)
    (trained,) = evaluation_windows(clip, 70)
    (batch, *_) = SnippetReader(data, 1, SnippetSpec(), clip, frozenset({"video", "pose"})).batches(1)
    assert np.array_equal(np.diff(batch.frame_numbers[0]), np.diff(trained.frames))


def test_an_encoder_of_whole_clips_is_refused(data, tmp_path):
    words = "sampling='uniform', 4 frames spread over a whole clip, has none: train it with sampling: strided"
    with pytest.raises(ValueError, match=words):
        extract(data, Greys(), tmp_path, clip=replace(CLIP, sampling="uniform"), progress=False)
    assert not list(tmp_path.iterdir())


def test_poses_are_those_of_the_span_of_the_frames(data):
    """Bodies move by 1 cm a frame: the poses of a span of 31 frames around the middle of the second snippet."""
    clip = replace(CLIP, frames=16, stride=2, poses=4, normalize="none")
    (_, batch, *_) = SnippetReader(data, 1, SnippetSpec(), clip, frozenset({"pose"})).batches(1)
    moved = batch.pose[0, 0, :, 0, 0] - batch.pose[0, 0, 0, 0, 0]
    # Frames 8 + 2 (1.5, 5.5, 9.5, 13.5) = 11, 19, 27, 35.
    assert torch.allclose(moved, torch.tensor([0.0, 0.08, 0.16, 0.24]), atol=1e-4)


def test_a_video_shorter_than_a_snippet_repeats_its_last_frame(data):
    clip = replace(CLIP, stride=8)
    (batch,) = SnippetReader(data, 2, SnippetSpec(32, 32), clip, frozenset({"video", "pose"})).batches(8)
    assert batch.frame_numbers.tolist() == [[3, 11, 19, 22]]
    assert batch.pose.shape == (1, 1, 4, 25, 3)
    assert abs(batch.video[0, :, 3].float().mean() - grey(22)) < 2


def test_flow_and_drawn_poses_are_read_too(data):
    batches = list(SnippetReader(data, 0, SnippetSpec(), CLIP, frozenset({"flow", "rendered", "video"})).batches(8))
    (batch,) = batches
    assert batch.flow.shape == (2, 2, 4, 24, 32) and batch.flow.dtype == torch.uint8
    assert (batch.flow.float() - 127.5).abs().max() < 3
    changed = (batch.rendered != batch.video).any(1)
    assert 0 < changed.float().mean() < 0.5


def test_a_person_is_cropped_within_the_snippet_and_the_whole_picture_where_there_is_none(tmp_path):
    hidden = fake_untrimmed(tmp_path, (40,), FakeReader(unseen=(0, 16)))
    clip = ClipSpec(size=(24, 24), **SPACED)
    reader = SnippetReader(hidden, 0, SnippetSpec(), clip, frozenset({"video", "pose"}))
    frames = np.arange(16)
    assert reader._box(0, frames) == (0, 0, 64, 48)
    left, top, right, bottom = reader._box(16, 16 + frames)
    assert right - left == bottom - top < 48
    (batch,) = reader.batches(4)
    assert not batch.pose[0].any() and batch.pose[1].any()


def test_a_track_has_a_box_for_each_frame_that_is_read(tmp_path):
    hidden = fake_untrimmed(tmp_path, (40,), FakeReader(unseen=(0, 16)))
    clip = ClipSpec(size=(24, 24), crop="track", flow_method="dis", **SPACED)
    reader = SnippetReader(hidden, 0, SnippetSpec(), clip, frozenset({"video", "flow", "rendered"}))
    frames = np.array([17, 21, 25, 29])  # 4 apart, in the middle of 16 to 31
    assert reader._box(0, frames - 16) == (0, 0, 64, 48)
    boxes = reader._box(16, frames)
    whole = track_around(reader._within(reader._pixels, 16), clip)
    assert boxes.shape == (4, 4) and np.array_equal(boxes, whole[[0, 4, 8, 12]])
    (batch,) = reader.batches(4)
    assert batch.frame_numbers[1].tolist() == frames.tolist()
    shown = video.crop(video.read(hidden.videos[0], frames[:2]).frames, boxes[:2], (24, 24))
    assert np.array_equal(batch.video[1, :, :2].permute(1, 2, 3, 0), shown)


def test_needs_that_cannot_be_met_are_one_sentence(data):
    with pytest.raises(
        ValueError, match="snippets cannot be read as 'parts'; they can as: flow, pose, rendered, video"
    ):
        SnippetReader(data, 0, SnippetSpec(), CLIP, frozenset({"parts"}))
    with pytest.raises(ValueError, match="pass clip=ClipSpec"):
        extract(data, Greys(), "unused")


def test_features_are_what_the_system_says_of_each_snippet(data, tmp_path):
    found = extract(data, Greys(), tmp_path, clip=CLIP, batch_size=2, progress=False)
    assert found.counts.tolist() == [2, 4, 1] and found.channels == 2
    for i in range(3):
        rows = found.features(i)
        assert rows.dtype == np.float32 and rows.shape == (found.counts[i], 2)
        expected = [[grey(start + 3), grey(start + 11)] for start in found.starts(i)]
        assert np.abs(rows - expected).max() < 3
    assert np.array_equal(found.features(1, 1, 3), found.features(1)[1:3])
    assert found.times(1)[1].tolist() == [0.64, 1.28] and found.centres(1)[1] == pytest.approx(0.96)


def test_poses_are_normalised_within_the_snippet(data, tmp_path):
    found = extract(data, Greys("pose"), tmp_path, clip=CLIP, progress=False)
    assert np.allclose(found.features(1), found.features(1)[:1], atol=2e-3)


def test_what_is_there_is_not_made_again(data, tmp_path):
    first, second = Greys(), Greys()
    found = extract(data, first, tmp_path, clip=CLIP, progress=False)
    again = extract(data, second, tmp_path, clip=CLIP, progress=False)
    assert first.calls == 3 and second.calls == 0
    assert [path.name for path in found.parts[0]] == [path.name for path in again.parts[0]]


def test_other_weights_snippets_or_files_are_other_features(tmp_path):
    data = fake_untrimmed(tmp_path / "videos", (40, 23))
    cache = tmp_path / "cache"
    base = extract(data, Greys(), cache, clip=CLIP, progress=False)
    other = Greys()
    with torch.no_grad():
        other.gain.fill_(2.0)
    doubled = extract(data, other, cache, clip=CLIP, progress=False)
    assert np.allclose(doubled.features(0), 2 * base.features(0), rtol=1e-3)
    assert len(extract(data, Greys(), cache, stride=8, clip=CLIP, progress=False).features(0)) == 4
    os.utime(data.videos[0], ns=(1, 1))
    system = Greys()
    extract(data, system, cache, clip=CLIP, progress=False)
    assert system.calls == 1


def test_a_killed_extraction_goes_on_where_it_stopped(data, tmp_path):
    whole = extract(data, Greys(), tmp_path / "whole", stride=4, clip=CLIP, batch_size=2, progress=False)
    assert whole.counts.tolist() == [7, 14, 2]

    def run() -> None:
        extract(data, Greys(die_at=7), tmp_path / "cut", stride=4, clip=CLIP, batch_size=2, progress=False)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    # What was being written when the process died is half a row.
    (part,) = (tmp_path / "cut").glob("*/*.part")
    with open(part, "ab") as file:
        file.write(b"x")
    system = Greys()
    found = extract(data, system, tmp_path / "cut", stride=4, clip=CLIP, batch_size=2, progress=False)
    assert system.calls == 12 - 6
    for i in range(3):
        assert np.array_equal(found.features(i), whole.features(i))
    assert not list((tmp_path / "cut").glob("*/*.part"))


def test_a_video_that_cannot_be_read_is_left_out(tmp_path):
    data = fake_untrimmed(tmp_path / "videos", (40, 23))
    with open(data.videos[1], "wb") as file:
        file.write(b"no video")
    with pytest.warns(UserWarning, match="no features of v1: .*v1.mp4"):
        found = extract(data, Greys(), tmp_path, clip=CLIP, progress=False)
    os.remove(data.videos[1])
    with pytest.warns(UserWarning, match="no features of v1: .*v1.mp4"):
        assert list(extract(data, Greys(), tmp_path, clip=CLIP, progress=False).bad) == [1]
    assert list(found.bad) == [1] and found.channels == 2
    with pytest.raises(ValueError, match="v1.mp4"):
        found.features(1)
    with pytest.warns(UserWarning), pytest.raises(RuntimeError, match="not one video of fake gave features"):
        extract(data.subset([1]), Greys(), tmp_path, clip=CLIP, progress=False)


def test_features_that_overflow_are_refused(tmp_path):
    rows = GrowingRows(tmp_path / "a.npy", 3)
    rows.add(np.ones((1, 2)))
    with pytest.raises(ValueError, match="not finite in float16, the largest is 1e\\+06"):
        rows.add(np.full((1, 2), 1e6))
    with pytest.raises(RuntimeError, match="1 of 3 snippets were made"):
        rows.finish()
    assert not (tmp_path / "a.npy").exists()


def test_a_part_of_another_length_is_begun_again(tmp_path):
    GrowingRows(tmp_path / "a.npy", 3).add(np.ones((2, 2)))
    assert GrowingRows(tmp_path / "a.npy", 3).done == 2
    assert GrowingRows(tmp_path / "a.npy", 4).done == 0
    (tmp_path / "a.npy.part").write_bytes(b"")
    assert GrowingRows(tmp_path / "a.npy", 3).done == 0


def test_a_damaged_file_is_named(data, tmp_path):
    found = extract(data, Greys(), tmp_path, clip=CLIP, progress=False)
    found.parts[0][0].write_bytes(b"\x93NUMPY")
    np.save(found.parts[0][1], np.zeros((9, 2), np.float16))
    with pytest.raises(ValueError, match=r"v0-.*\.npy is damaged \(6 bytes, 136 were written\); delete it and extract"):
        found.features(0)
    (found.parts[0][0].parent / checksums.NAME).unlink()  # as of files from before
    with pytest.raises(ValueError, match="cannot be read as features"):
        found.features(0)
    with pytest.raises(ValueError, match=r"holds \(9, 2\), expected 4 snippets"):
        found.features(1)


def test_damaged_features_are_made_again(data, tmp_path):
    found = extract(data, Greys(), tmp_path, clip=CLIP, progress=False)
    path, before = found.parts[0][1], found.features(1)
    spoilt = bytearray(path.read_bytes())
    spoilt[-1] ^= 1
    path.write_bytes(spoilt)
    with pytest.warns(UserWarning, match=f"{path.name} is damaged .*: it is kept as .*damaged-.* and made again"):
        again = extract(data, Greys(), tmp_path, clip=CLIP, progress=False)
    assert np.array_equal(again.features(1), before)


@pytest.mark.parametrize("damage", ["flipped", "cut"])
def test_a_part_whose_rows_are_damaged_is_trusted_up_to_them(tmp_path, damage):
    rows = GrowingRows(tmp_path / "a.npy", 4)
    for value in (1, 2, 3):
        rows.add(np.full((1, 2), value))
    part = tmp_path / "a.npy.part"
    data = bytearray(part.read_bytes())
    data[-5] ^= 1  # the second row
    part.write_bytes(data if damage == "flipped" else data[:-7])
    rows = GrowingRows(tmp_path / "a.npy", 4)
    assert rows.done == 1
    rows.add(np.full((3, 2), 5))
    rows.finish()
    assert np.load(tmp_path / "a.npy")[:, 0].tolist() == [1, 5, 5, 5]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == ["a.npy", checksums.NAME]


def test_two_streams_are_joined_by_channels(data, tmp_path):
    rgb = extract(data, Greys(), tmp_path, clip=CLIP, progress=False)
    pose = extract(data, Greys("pose"), tmp_path, clip=CLIP, progress=False)
    both = Snippets.join([rgb, pose])
    assert both.channels == 4
    assert np.array_equal(both.features(1), np.hstack([rgb.features(1), pose.features(1)]))
    other = extract(data, Greys(), tmp_path, stride=8, clip=CLIP, progress=False)
    with pytest.raises(ValueError, match="can't be joined"):
        Snippets.join([rgb, other])


def test_truth_is_what_goes_on_in_the_middle_of_a_snippet(data):
    snippets = Snippets.of(data, SnippetSpec(), [])
    # Centres of the video of 70 frames: 0.32, 0.96, 1.6, 2.24 seconds.
    assert truth(data, snippets)[1].astype(int).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]
    with pytest.raises(ValueError, match="not those of the videos of fake"):
        truth(data.subset([0]), snippets)
