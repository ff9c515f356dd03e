"""What must not change a metric."""

from __future__ import annotations

import numpy as np
import pytest

from workbench import metrics
from workbench.metrics import attention as graded

RNG = np.random.default_rng(0)
LOGITS, LABELS = RNG.normal(size=(40, 6)), RNG.integers(0, 6, 40)
WEIGHTS, MASK = RNG.random((4, 6, 6)), np.random.default_rng(4).random((16, 24, 24)) < 0.05
MOMENT = np.arange(16) // 5 == 1
SPATIAL = [graded.inside_share, graded.pointing_game, graded.ranking]


def test_order_of_clips_and_classes():
    clips, classes = RNG.permutation(40), RNG.permutation(6)
    for measure in (lambda a, b: metrics.top_k(a, b, 2), metrics.mean_class_accuracy):
        value = measure(LOGITS, LABELS)
        assert measure(LOGITS[clips], LABELS[clips]) == pytest.approx(value)
        assert measure(LOGITS[:, classes], np.argsort(classes)[LABELS]) == pytest.approx(value)


def test_any_growing_transform_of_the_logits():
    assert metrics.top_k(LOGITS, LABELS, 2) == metrics.top_k(np.exp(3 * LOGITS) + 1, LABELS, 2)


@pytest.mark.parametrize("measure", SPATIAL)
def test_scale_of_the_attention(measure):
    assert measure(7.5 * WEIGHTS, MASK) == pytest.approx(measure(WEIGHTS, MASK))


@pytest.mark.parametrize("measure", SPATIAL)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirroring_both(measure, axis):
    assert measure(np.flip(WEIGHTS, axis), np.flip(MASK, axis)) == pytest.approx(measure(WEIGHTS, MASK))


@pytest.mark.parametrize("measure", SPATIAL)
def test_finer_pixels(measure):
    assert measure(WEIGHTS, np.kron(MASK, np.ones((1, 2, 2), bool))) == pytest.approx(measure(WEIGHTS, MASK))


def test_finer_grid_of_the_same_attention():
    fine = np.kron(WEIGHTS, np.ones((2, 2, 2)))
    assert graded.inside_share(fine, MASK) == pytest.approx(graded.inside_share(WEIGHTS, MASK))
    assert graded.ranking(fine, MASK) == pytest.approx(graded.ranking(WEIGHTS, MASK), abs=0.02)


def test_ranking_reverses_with_the_attention():
    assert graded.ranking(2 - WEIGHTS, MASK) == pytest.approx(1 - graded.ranking(WEIGHTS, MASK))


def test_time_scale_and_frame_rate():
    weights = WEIGHTS.sum((1, 2))
    value = graded.temporal_overlap(weights, MOMENT)
    assert graded.temporal_overlap(3 * weights, MOMENT) == pytest.approx(value)
    assert graded.temporal_overlap(weights, np.repeat(MOMENT, 3)) == pytest.approx(value)
    assert graded.temporal_overlap(weights[::-1], MOMENT[::-1]) == pytest.approx(value)


def test_uniform_attention_scores_the_baseline_whatever_the_grid():
    area = MASK.sum() / MASK.any((1, 2)).sum() / (24 * 24)
    for shape in ((4, 6, 6), (2, 7, 7), (8, 3, 5), (16, 24, 24)):
        assert graded.inside_share(graded.baseline("uniform", shape), MASK) == pytest.approx(area)
        assert graded.ranking(np.ones(shape), MASK) == pytest.approx(0.5)
        assert graded.temporal_gain(np.ones(shape[0]), MOMENT) == pytest.approx(0)
