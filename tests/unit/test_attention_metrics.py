"""Graded attention against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.metrics import attention as graded
from workbench.types import Truth


def truth(mask: np.ndarray, interval: tuple[int, int]) -> Truth:
    count = len(mask)
    return Truth(np.zeros(25, bool), mask, np.full((count, 4), np.nan, np.float32), interval, np.arange(count))


def corner(frames: int = 4, visible: slice = slice(None)) -> np.ndarray:
    """bool [T,4,4]: the top left quarter is the region."""
    mask = np.zeros((frames, 4, 4), bool)
    mask[visible, :2, :2] = True
    return mask


def test_resample_is_the_area_mean():
    assert graded.resample(np.arange(6.0), (3,)).tolist() == [0.5, 2.5, 4.5]
    # Three cells of 4/3 frames over four: the first is frame 0 and a third of frame 1.
    np.testing.assert_allclose(graded.resample(np.array([1.0, 4.0, 4.0, 1.0]), (3,)), [7 / 4, 4, 7 / 4])
    assert graded.resample(np.array([1.0, 3.0]), (4,)).tolist() == [1, 1, 3, 3]
    assert graded.resample(corner(), (2, 2, 2)).tolist() == [[[1, 0], [0, 0]]] * 2


def test_resample_keeps_the_mean():
    values = np.random.default_rng(0).random((7, 5, 9))
    assert graded.resample(values, (3, 4, 2)).mean() == pytest.approx(values.mean())


def test_inside_share_by_hand():
    weights = np.zeros((2, 2, 2))
    weights[:, 0, 0], weights[:, 1, 1] = 3, 1
    assert graded.inside_share(weights, corner()) == 0.75
    assert graded.inside_share(np.ones((2, 2, 2)), corner()) == 0.25
    half = corner()
    half[:, 1] = False  # the region covers half of the cell, so at most half of the attention can be inside
    assert graded.inside_share(weights, half) == pytest.approx(0.375)


def test_inside_share_leaves_out_frames_where_nothing_is_visible():
    weights = np.zeros((2, 2, 2))
    weights[0, 0, 0] = 1
    weights[1, 1, 1] = 100  # the second half of the clip shows no region
    assert graded.inside_share(weights, corner(visible=slice(0, 2))) == 1.0
    # One of the two frames of a cell is visible: half of the cell's attention counts, all of that is inside.
    assert graded.inside_share(weights, corner(visible=slice(0, 1))) == 1.0


def test_inside_share_equals_counting_pixels():
    rng = np.random.default_rng(2)
    weights, mask = rng.random((2, 3, 3)), rng.random((8, 9, 9)) < 0.1
    mask[3] = False
    pixels = np.kron(weights, np.ones((4, 3, 3)))
    visible = mask.any((1, 2))
    expected = pixels[mask].sum() / pixels[visible].sum()
    assert graded.inside_share(weights, mask) == pytest.approx(expected)


def test_pointing_game_by_hand():
    weights = np.zeros((2, 2, 2))
    weights[0, 0, 0], weights[1, 1, 0] = 1, 1
    assert graded.pointing_game(weights, corner()) == 0.5
    assert graded.pointing_game(np.ones((2, 2, 2)), corner()) == 0.25  # four cells tie, one touches
    assert graded.pointing_game(weights, corner(visible=slice(0, 3))) == pytest.approx(2 / 3)


def test_ranking_by_hand():
    weights = np.array([[[2.0, 1.0], [3.0, 0.0]]])
    assert graded.ranking(weights, corner()) == pytest.approx(2 / 3)
    assert graded.ranking(np.ones((1, 2, 2)), corner()) == 0.5
    assert np.isnan(graded.ranking(weights, np.ones((4, 4, 4), bool)))


def test_ranking_sees_what_a_high_sigmoid_hides_from_inside_share():
    faint = np.full((1, 2, 2), 0.9)
    faint[0, 0, 0] = 0.91
    assert graded.inside_share(faint, corner()) == pytest.approx(0.25, abs=0.01)
    assert graded.ranking(faint, corner()) == 1.0


def test_temporal_overlap_and_gain_by_hand():
    moment = np.array([False, True, True, False])
    assert graded.temporal_overlap([1.0, 3.0, 0.0, 4.0], moment) == pytest.approx(3 / 8)
    assert graded.temporal_overlap([1.0, 1.0], moment) == 0.5
    assert graded.temporal_gain([1.0, 1.0], moment) == 0.0
    assert graded.temporal_gain([0.0, 1.0, 1.0, 0.0], moment) == 1.0
    assert graded.temporal_gain([1.0, 0.0, 0.0, 1.0], moment) == -1.0


def test_what_cannot_be_measured_is_nan():
    whole = np.ones(4, bool)
    assert graded.temporal_overlap([1.0, 2.0], whole) == 1.0
    assert np.isnan(graded.temporal_gain([1.0, 2.0], whole))
    assert np.isnan(graded.temporal_overlap([1.0, 2.0], ~whole))
    assert np.isnan(graded.temporal_overlap([0.0, 0.0], np.array([True, False])))
    empty = np.zeros((4, 4, 4), bool)
    for measure in (graded.inside_share, graded.pointing_game, graded.ranking):
        assert np.isnan(measure(np.ones((2, 2, 2)), empty))


def test_grade_counts_the_region_only_during_the_moment():
    weights = np.zeros((2, 2, 2))
    weights[0, 1, 1], weights[1, 0, 0] = 1, 1  # looks away first, then at the region
    late = graded.grade(weights, None, truth(corner(), (2, 4)))
    early = graded.grade(weights, None, truth(corner(), (0, 2)))
    assert (late["inside_share"], late["pointing_game"], late["ranking"]) == (1.0, 1.0, 1.0)
    assert (early["inside_share"], early["pointing_game"]) == (0.0, 0.0)
    assert late["temporal_overlap"] == 0.5 and late["temporal_gain"] == 0.0


def test_grade_without_one_of_the_maps():
    known = truth(corner(), (0, 2))
    only_time = graded.grade(None, [1.0, 0.0], known)
    assert only_time["temporal_overlap"] == 1.0 and np.isnan(only_time["inside_share"])
    assert list(only_time) == list(graded.GRADES)
    assert np.isnan(list(graded.grade(None, None, known).values())).all()
    only_space = graded.grade(torch.ones(2, 2, 2), None, known)
    assert only_space["temporal_overlap"] == 0.5


def test_baselines():
    uniform, centre = graded.baseline("uniform", (2, 3, 3)), graded.baseline("centre", (2, 3, 3))
    assert uniform.sum() == pytest.approx(1) and np.ptp(uniform) == 0
    assert centre.sum() == pytest.approx(1) and centre[0, 1, 1] == centre.max()
    np.testing.assert_allclose(centre, centre[::-1, ::-1, ::-1])
    # One third off the middle at a standard deviation of one quarter.
    assert centre[0, 0, 1] / centre[0, 1, 1] == pytest.approx(np.exp(-0.5 * (4 / 3) ** 2))
    middle = np.zeros((2, 6, 6), bool)
    middle[:, 2:4, 2:4] = True
    assert graded.inside_share(centre, middle) > graded.inside_share(uniform, middle)
    with pytest.raises(ValueError, match="uniform, centre"):
        graded.baseline("center", (1, 1, 1))


@pytest.mark.parametrize("bad", [-np.ones((2, 2, 2)), np.full((2, 2, 2), np.nan), np.ones((2, 2))])
def test_bad_attention_is_one_sentence(bad):
    with pytest.raises(ValueError, match="attention must be finite, >= 0 and of 3 axes"):
        graded.inside_share(bad, corner())


def test_a_mask_of_other_axes_is_one_sentence():
    with pytest.raises(ValueError, match="can't resample"):
        graded.inside_share(np.ones((2, 2, 2)), np.ones((4, 4), bool))
