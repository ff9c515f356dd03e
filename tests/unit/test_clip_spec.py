"""Which frames and which poses of a video make a clip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from workbench.data import ClipSpec
from workbench.data.clips.clip_spec import candidates, evaluation_windows, train_window


def test_uniform_takes_the_middle_of_each_segment():
    spec = ClipSpec(frames=4, poses=2)
    (window,) = evaluation_windows(spec, 16)
    assert window.frames.tolist() == [2, 6, 10, 14]
    assert window.poses.tolist() == [4, 12]
    assert candidates(spec, 16).tolist() == [2, 6, 10, 14]
    assert train_window(spec, 16, np.random.default_rng(0)).frames.tolist() == [2, 6, 10, 14]


def test_uniform_repeats_frames_of_a_short_video():
    (window,) = evaluation_windows(ClipSpec(frames=4), 2)
    assert window.frames.tolist() == [0, 0, 1, 1]


def test_uniform_phases_and_windows():
    spec = ClipSpec(frames=2, phases=2, windows=1)
    drawn = {tuple(train_window(spec, 16, np.random.default_rng(seed)).frames.tolist()) for seed in range(20)}
    assert drawn == {(2, 10), (6, 14)}
    assert candidates(spec, 16).tolist() == [2, 4, 6, 10, 12, 14]
    spec = ClipSpec(frames=2, windows=2)
    assert [window.frames.tolist() for window in evaluation_windows(spec, 16)] == [[2, 10], [6, 14]]


def test_strided_starts_in_the_first_half_and_wraps_round():
    spec = ClipSpec(frames=4, poses=4, sampling="strided", stride=2)
    starts = set()
    for seed in range(40):
        window = train_window(spec, 8, np.random.default_rng(seed))
        start = window.frames[0]
        starts.add(int(start))
        assert window.frames.tolist() == [(start + 2 * k) % 8 for k in range(4)]
        assert window.poses.tolist() == window.frames.tolist()
    assert starts == {0, 1, 2, 3}
    assert evaluation_windows(spec, 3)[0].frames.tolist() == [0, 2, 1, 0]


def test_strided_windows_spread_over_the_video():
    one, three, whole = (ClipSpec(frames=3, sampling="strided", stride=2, windows=n) for n in (1, 3, "all"))
    assert [w.frames.tolist() for w in evaluation_windows(one, 17)] == [[6, 8, 10]]
    assert [w.frames[0] for w in evaluation_windows(three, 17)] == [2, 6, 10]
    assert [w.frames.tolist() for w in evaluation_windows(whole, 17)] == [[0, 2, 4], [6, 8, 10], [12, 14, 16]]


def test_poses_span_the_clip():
    spec = ClipSpec(frames=8, poses=2, sampling="strided", stride=2)
    (window,) = evaluation_windows(spec, 15)
    assert window.frames.tolist() == [0, 2, 4, 6, 8, 10, 12, 14]
    assert window.poses.tolist() == [3, 11]


def test_consecutive_frames_are_padded_by_the_first_and_the_last():
    """PERF-Net section 4, and 3 frames where 5 are needed."""
    spec = ClipSpec(frames=5, poses=5, sampling="consecutive")
    assert evaluation_windows(spec, 9)[0].frames.tolist() == [2, 3, 4, 5, 6]
    (short,) = evaluation_windows(spec, 3)
    assert short.frames.tolist() == short.poses.tolist() == [0, 0, 1, 2, 2]
    drawn = {tuple(train_window(spec, 3, np.random.default_rng(seed)).frames.tolist()) for seed in range(40)}
    assert drawn == {(0, 1, 2, 2, 2), (0, 0, 1, 2, 2), (0, 0, 0, 1, 2)}
    starts = {int(train_window(spec, 7, np.random.default_rng(seed)).frames[0]) for seed in range(40)}
    assert starts == {0, 1, 2}


def test_a_short_video_s_poses_are_followed_by_none():
    (repeated,) = evaluation_windows(ClipSpec(frames=4, poses=4), 3)
    assert repeated.poses.tolist() == [0, 1, 1, 2]
    (padded,) = evaluation_windows(ClipSpec(frames=4, poses=4, pose_padding="zeros"), 3)
    assert padded.poses.tolist() == [0, 1, 2, -1] and padded.frames.tolist() == repeated.frames.tolist()
    (long,) = evaluation_windows(ClipSpec(frames=4, poses=2, pose_padding="zeros"), 4)
    assert long.poses.tolist() == [1, 3]
    spec = ClipSpec(frames=4, poses=4, sampling="strided", pose_padding="zeros")
    assert evaluation_windows(spec, 5)[0].poses.tolist() == [0, 2, 4, -1]


def cut(window, granularity):
    return [part.frames.tolist() for part in window.segments[granularity]]


def test_resampled_segments_are_clips_of_the_video():
    spec = ClipSpec(frames=4, poses=2, granularities=(2, 4))
    (window,) = evaluation_windows(spec, 32)
    assert window.frames.tolist() == [4, 12, 20, 28]
    assert cut(window, 2) == [[2, 6, 10, 14], [18, 22, 26, 30]]
    assert cut(window, 4) == [[1, 3, 5, 7], [9, 11, 13, 15], [17, 19, 21, 23], [25, 27, 29, 31]]
    assert [part.poses.tolist() for part in window.segments[2]] == [[4, 12], [20, 28]]


def test_unequal_segments_by_hand():
    # 0..2, 3..5, 6..9: the video's thirds, of 10 frames.
    (window,) = evaluation_windows(ClipSpec(frames=3, granularities=(3,)), 10)
    assert cut(window, 3) == [[0, 1, 2], [3, 4, 5], [6, 8, 9]]
    (short,) = evaluation_windows(ClipSpec(frames=2, poses=1, granularities=(3,)), 2)
    assert cut(short, 3) == [[0, 0], [0, 0], [1, 1]]


def test_a_segment_is_sampled_as_a_video_of_its_own():
    """The same phase, or share of the video at which a strided clip starts, in all segments of a clip."""
    for sampling, phases in (("uniform", 3), ("strided", 1)):
        spec = ClipSpec(frames=5, poses=4, sampling=sampling, phases=phases, granularities=(2, 3))
        for seed in range(20):
            window = train_window(spec, 60, np.random.default_rng(seed))
            for g in (2, 3):
                alone = train_window(ClipSpec(frames=5, poses=4, sampling=sampling, phases=phases), 60 // g, _rng(seed))
                if sampling == "strided":
                    first = window.frames[0] // g  # of a video a g-th as long
                    expected = [(first + 2 * k) % (60 // g) for k in range(5)]
                else:
                    expected = alone.frames.tolist()
                    assert window.segments[g][1].poses.tolist() == (60 // g + alone.poses).tolist()
                for i, frames in enumerate(cut(window, g)):
                    assert frames == [i * 60 // g + frame for frame in expected]


def _rng(seed):
    return np.random.default_rng(seed)


def test_a_strided_segment_is_looped_and_its_poses_are_not():
    spec = ClipSpec(frames=6, poses=4, sampling="strided", stride=2, windows=1, granularities=(2,))
    (window,) = evaluation_windows(spec, 12)
    assert window.frames.tolist() == [0, 2, 4, 6, 8, 10]
    assert cut(window, 2) == [[0, 2, 4, 0, 2, 4], [6, 8, 10, 6, 8, 10]]
    assert [part.poses.tolist() for part in window.segments[2]] == [[0, 2, 3, 5], [6, 8, 9, 11]]


def test_looped_and_repeated_segments_by_hand():
    spec = ClipSpec(frames=7, poses=4, granularities=(3,), segments="looped")
    (window,) = evaluation_windows(spec, 70)
    assert window.frames.tolist() == [5, 15, 25, 35, 45, 55, 65]
    assert cut(window, 3) == [[5, 15, 25, 5, 15, 25, 5], [35, 45] * 3 + [35], [55, 65] * 3 + [55]]
    (window,) = evaluation_windows(replace(spec, segments="repeated"), 70)
    assert cut(window, 3) == [[5, 5, 15, 15, 15, 25, 25], [35, 35, 35, 45, 45, 45, 45], [55, 55, 55, 65, 65, 65, 65]]
    assert [part.poses.tolist() for part in window.segments[3]] == [[8, 8, 26, 26], [43] * 4, [61] * 4]


def test_segments_that_cannot_be_cut():
    with pytest.raises(ValueError, match="4 frames and 8 poses can't be cut into 5 segments, expected 4 or fewer"):
        ClipSpec(frames=4, poses=8, granularities=(2, 5), segments="looped")
    ClipSpec(frames=4, poses=8, granularities=(2, 5))


@pytest.mark.parametrize("segments", ["resampled", "looped", "repeated"])
@pytest.mark.parametrize("sampling", ["uniform", "strided", "consecutive"])
def test_candidates_hold_every_window(sampling, segments):
    spec = ClipSpec(frames=5, sampling=sampling, phases=3, windows=2, poses=5, granularities=(2, 3), segments=segments)
    for length in (1, 4, 23):
        held = set(candidates(spec, length).tolist())
        asked = [train_window(spec, length, np.random.default_rng(seed)) for seed in range(20)]
        for window in [*asked, *evaluation_windows(spec, length)]:
            assert held >= set(window.frames.tolist())
            assert all(held >= set(frames) for g in (2, 3) for frames in cut(window, g))
            assert set(window.poses.tolist()) <= set(range(length))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("frames", 0),
        ("sampling", "dense"),
        ("crop", "hand"),
        ("track_size", "person"),
        ("body", "frame"),
        ("segments", "cut"),
        ("granularities", (1, 2)),
        ("normalize", "max"),
        ("margin", -0.1),
        ("size", (0, 4)),
        ("windows", "all"),
        ("pose_quality", "bad"),
        ("test_area", "left"),
    ],
)
def test_a_wrong_spec_names_the_field(field, value):
    with pytest.raises(ValueError, match=f"ClipSpec.{field} must be"):
        ClipSpec(**{field: value})
