"""Classification metrics and statistics against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench import metrics

LOGITS = np.array([[3.0, 2.0, 1.0], [0.0, 5.0, 4.0], [1.0, 0.0, 2.0], [9.0, 1.0, 0.0]])
LABELS = np.array([0, 2, 2, 1])


def test_top_k_by_hand():
    assert metrics.top_k(LOGITS, LABELS, 1) == 0.5
    assert metrics.top_k(LOGITS, LABELS, 2) == 1.0
    assert metrics.hits(LOGITS, LABELS, 1).tolist() == [True, False, True, False]


def test_top_1_of_torch_equals_numpy_and_argmax():
    logits = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 7, 50)
    expected = (logits.argmax(1) == labels).mean()
    assert (
        metrics.top_k(logits, labels) == metrics.top_k(torch.from_numpy(logits), torch.from_numpy(labels)) == expected
    )


def test_constant_logits_score_as_argmax_does():
    labels = np.array([0, 1, 2, 3])
    assert metrics.top_k(np.zeros((4, 4)), labels, 1) == 0.25
    assert metrics.top_k(np.zeros((4, 4)), labels, 3) == 0.75


def test_mean_class_accuracy_weighs_classes_equally_and_leaves_out_the_absent():
    logits = np.eye(4)[[0, 0, 0, 1]]
    assert metrics.mean_class_accuracy(logits, np.array([0, 0, 0, 2])) == 0.5
    assert metrics.top_k(logits, np.array([0, 0, 0, 2])) == 0.75


def test_confusion_has_true_rows_and_predicted_columns():
    matrix = metrics.confusion([0, 0, 1, 2], [0, 1, 1, 0], 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_per_class():
    labels = np.array([0, 0, 1, 1])
    first = np.array([0, 1, 0, 0])
    assert metrics.per_class(first, labels, 3)[:2].tolist() == [0.5, 0.0]
    assert np.isnan(metrics.per_class(first, labels, 3)[2])


@pytest.mark.parametrize(
    ("logits", "labels", "k", "words"),
    [
        (np.zeros((2, 3)), [0, 3], 1, "label 3 is outside"),
        (np.zeros((2, 3)), [0, -1], 1, "label -1 is outside"),
        (np.zeros((2, 3)), [0, 1], 4, "between 1 and the 3"),
        (np.zeros((2, 3)), [0], 1, "2 rows of logits"),
        (np.zeros((0, 3)), [], 1, "at least one clip"),
        (np.array([[0.0, np.nan]]), [0], 1, "clip 0 contain NaN"),
        (np.zeros((1, 3)), [0.5], 1, "must be integers"),
    ],
)
def test_bad_input_is_one_sentence(logits, labels, k, words):
    with pytest.raises(ValueError, match=words):
        metrics.top_k(logits, np.array(labels), k)


def test_bootstrap_is_seeded_and_covers_the_mean():
    values = np.random.default_rng(3).random(200) < 0.7
    first, again = metrics.bootstrap(values, seed=5), metrics.bootstrap(values, seed=5)
    assert first == again
    assert metrics.bootstrap(values, seed=6) != first
    assert first.value == values.mean() and first.low < first.value < first.high
    # The normal approximation of a share's 95 % interval.
    half = 1.96 * np.sqrt(first.value * (1 - first.value) / 200)
    assert abs((first.high - first.low) / 2 - half) < 0.015


def test_bootstrap_of_a_constant_is_a_point_and_nan_is_left_out():
    assert metrics.bootstrap(np.full(9, 0.25)) == (0.25, 0.25, 0.25)
    assert metrics.bootstrap(np.array([1.0, np.nan, 1.0])) == (1.0, 1.0, 1.0)
    assert np.isnan(metrics.bootstrap(np.array([np.nan, np.nan]))).all()


def test_bootstrap_draws_rows_of_all_arrays_together():
    values = np.arange(30)
    interval = metrics.bootstrap(values, -values, statistic=lambda a, b: float((a + b).sum()))
    assert interval == (0.0, 0.0, 0.0)


def test_bootstrap_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = [metrics.bootstrap(rng.random(60) < 0.5, repeats=300, seed=i) for i in range(150)]
    assert 0.88 <= np.mean([low <= 0.5 <= high for _, low, high in held]) <= 1.0


def test_paired_difference_is_narrower_than_two_intervals():
    rng = np.random.default_rng(1)
    first = rng.random(100)
    second = first + 0.05
    difference = metrics.paired_difference(first, second)
    assert difference.value == pytest.approx(0.05) and difference.low > 0.049
    assert metrics.bootstrap(first).high > metrics.bootstrap(second).low
    assert metrics.paired_difference([1.0, np.nan], [0.0, 5.0]).value == -1.0


def test_bad_bootstrap_input():
    with pytest.raises(ValueError, match="one length above 0"):
        metrics.bootstrap([])
    with pytest.raises(ValueError, match="one length"):
        metrics.bootstrap([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="confidence"):
        metrics.bootstrap([1.0], confidence=1.0)


def test_over_seeds():
    spread = metrics.over_seeds([0.5, 0.7, 0.6])
    assert spread.mean == pytest.approx(0.6) and spread.std == pytest.approx(0.1) and spread.count == 3
    assert str(spread) == "0.600 ± 0.100 (n=3)"
    assert np.isnan(metrics.over_seeds([0.5]).std)
    with pytest.raises(ValueError, match="at least one"):
        metrics.over_seeds([])
