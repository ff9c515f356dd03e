"""Which frames and which poses of a video make a clip."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.data import ClipSpec
from workbench.data.spec import candidates, evaluation_windows, train_window


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


@pytest.mark.parametrize("sampling", ["uniform", "strided", "consecutive"])
def test_candidates_hold_every_window(sampling):
    spec = ClipSpec(frames=5, sampling=sampling, phases=3, windows=2)
    for length in (1, 4, 23):
        held = set(candidates(spec, length).tolist())
        asked = [train_window(spec, length, np.random.default_rng(seed)) for seed in range(20)]
        for window in [*asked, *evaluation_windows(spec, length)]:
            assert held >= set(window.frames.tolist())
            assert set(window.poses.tolist()) <= set(range(length))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("frames", 0),
        ("sampling", "dense"),
        ("crop", "hand"),
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
