"""Tests and intervals against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from workbench import metrics


def test_mcnemar_counts_only_the_clips_on_which_the_two_differ():
    first, second = np.zeros(20, bool), np.zeros(20, bool)
    first[:10] = second[:10] = True
    second[10:15] = True
    # Five tosses, all heads: 2 / 2^5.
    assert metrics.mcnemar(first, second) == pytest.approx(2 / 32)
    assert metrics.mcnemar(second, first) == pytest.approx(2 / 32)
    assert metrics.mcnemar(first, first) == 1.0
    with pytest.raises(ValueError, match=r"two \[S\] arrays"):
        metrics.mcnemar(first, second[:3])


def test_sign_flip_is_exact_for_few_and_close_to_it_for_many():
    # All of 1, 1, 1 with one sign: 2 of 8.
    assert metrics.sign_flip([1, 1, 1, 0, 0]) == pytest.approx(0.25)
    # |sum| of +-1 +-2 is at least 1 always.
    assert metrics.sign_flip([2, -1]) == 1.0
    many = np.r_[np.ones(15), -np.ones(5)]
    assert metrics.sign_flip(many) == pytest.approx(stats.binomtest(5, 20).pvalue, abs=0.01)
    assert metrics.sign_flip(np.zeros(4)) == 1.0


def test_crossed_by_hand():
    # Two seeds, two clips: means 3 and 1 of seeds, 1.5 and 2.5 of clips, no rest but (+-0.5).
    values = np.array([[3.0, 3.0], [0.0, 2.0]])
    # ms_r = 2 * var([3,1]) = 4; ms_s = 2 * var([1.5,2.5]) = 1; rest +-0.5: ms_rs = 1.
    found = metrics.crossed(values)
    assert found.value == 2.0
    assert found.error == pytest.approx(np.sqrt(4 / 4))
    assert found.freedom == 1.0
    assert found.p == pytest.approx(2 * stats.t.sf(2.0, 1))
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 1))


def test_crossed_keeps_its_level_where_seeds_and_clips_both_vary():
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(400):
        seeds, clips = rng.normal(0, 0.3, (3, 1)), rng.normal(0, 1, (1, 60))
        wrong += metrics.crossed(seeds + clips + rng.normal(0, 1, (3, 60))).p < 0.05
    # The method's own excess with three seeds; a test over clips alone would be wrong in more than half of these.
    assert wrong / 400 < 0.1


def test_paired_t_is_the_textbooks():
    found = metrics.paired_t([1.0, 2.0, 3.0])
    expected = stats.ttest_1samp([1.0, 2.0, 3.0], 0)
    assert found.p == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high))
    assert np.isnan(metrics.paired_t([1.0]).p)
    assert metrics.paired_t([2.0, 2.0]).p == 0.0


def test_holm_by_hand():
    # Sorted 0.01*4, 0.02*3, 0.03*2, 0.04*1: 0.04, 0.06, 0.06, 0.06.
    assert metrics.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    found = metrics.holm([0.5, np.nan, 0.9])
    assert found[[0, 2]] == pytest.approx([1.0, 1.0]) and np.isnan(found[1])
    assert len(metrics.holm([])) == 0


def test_effect_size_and_rank_agreement():
    assert metrics.cohens_h(0.0, 1.0) == pytest.approx(np.pi)
    assert metrics.cohens_h(0.4, 0.4) == 0.0
    assert metrics.rank_agreement([1, 2, 3], [10, 20, 30]) == 1.0
    assert metrics.rank_agreement([1, 2, 3], [30, 20, 10]) == -1.0
    # One of three pairs is in the other order.
    assert metrics.rank_agreement([1, 2, 3], [2, 1, 3]) == pytest.approx(1 / 3)
    assert metrics.rank_agreement([1, 2, np.nan], [5, 6, 0]) == 1.0
    assert np.isnan(metrics.rank_agreement([1], [2]))
