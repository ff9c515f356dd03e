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


def test_seeds_without_a_variance_of_their_own_are_pooled():
    # The identity: every seed and every clip has the mean 1/3, the rest is 2/3 or -1/3, 2 in squares over 2 x 2.
    found = metrics.crossed(np.eye(3))
    assert found.error == pytest.approx(np.sqrt(0.5 / 9))
    assert found.freedom == pytest.approx(4.0)


def test_degrees_of_freedom_by_hand():
    # 3 seeds, 104 clips: mean squares of seeds 1/2, of clips 3, of both 1.
    clips = np.arange(104)
    seeds, both = np.array([-1.0, 0.0, 1.0]), np.array([1.0, -2.0, 1.0])
    of_seeds = np.sqrt(0.5 / 104) * seeds[:, None]
    of_clips = np.sqrt(103 / 104) * np.where(clips < 52, 1, -1)
    of_both = np.sqrt(103 / 312) * both[:, None] * np.where(clips % 2, 1, -1)
    found = metrics.crossed(1 + of_seeds + of_clips + of_both)
    # The seed part counts as 1, with 2 x 103 degrees of freedom, fewer than 2 x 2^8; the clips add 3 - 1 with 103.
    assert found.error == pytest.approx(np.sqrt((1 + 2) / 312))
    assert found.freedom == pytest.approx(3 / (1 / 206 + 2 / 103))
    # Seeds' 2 count as they are, with 2.
    found = metrics.crossed(1 + 2 * of_seeds + of_clips + of_both)
    assert found.error == pytest.approx(np.sqrt((2 + 2) / 312))
    assert found.freedom == pytest.approx(4 / (2 / 2 + 2 / 103))


def correctness(rng, draws: int, seeds: int, clips: int, of_seeds: float, of_clips: float) -> dict[float, np.ndarray]:
    """By the gain of the second network, int8 [draws,R,S] in {-1,0,1}: whether it is right, less whether the first is.
    A clip is got right where a normal score is above 0: of the clip (variance 1), of network and clip, of network and
    seed, and of nothing else (variance 1), and the gain."""
    score = rng.standard_normal((draws, 2, seeds, clips), np.float32)
    score += rng.standard_normal((draws, 1, 1, clips), np.float32)
    score += np.float32(of_clips) * rng.standard_normal((draws, 2, 1, clips), np.float32)
    score += np.float32(of_seeds) * rng.standard_normal((draws, 2, seeds, 1), np.float32)
    return {gain: (score[:, 1] > -gain).astype(np.int8) - (score[:, 0] > 0) for gain in (0.0, 0.5)}


#: seeds, clips, standard deviation that seeds and that clips give a network's score (0.1 is 2 to 3 points, 0.3 up to
#: 9), and how many studies are drawn. 174 and 1044 clips are the test split of SynthADL tiny and six times that.
STUDIES = [
    (3, 174, 0.0, 0.0, 2500), (3, 174, 0.1, 0.7, 1500), (3, 174, 0.3, 0.0, 1500), (3, 174, 0.3, 0.7, 1500),
    (3, 174, 1.0, 0.7, 1500), (3, 1044, 0.0, 0.7, 800), (3, 1044, 0.1, 0.7, 800), (5, 174, 0.0, 0.0, 2000),
    (5, 174, 0.1, 0.7, 1500), (5, 1044, 1.0, 0.7, 500), (10, 174, 0.0, 0.7, 1000), (10, 1044, 0.1, 0.7, 300),
]  # fmt: skip


@pytest.mark.parametrize(("seeds", "clips", "of_seeds", "of_clips", "draws"), STUDIES)
def test_crossed_keeps_its_level_on_data_like_the_studys(seeds, clips, of_seeds, of_clips, draws):
    """False positives at a nominal 5 % (gain 0), and the intervals that hold the true difference."""
    rng = np.random.default_rng([seeds, clips, int(10 * of_seeds), int(10 * of_clips)])
    for gain, differences in correctness(rng, draws, seeds, clips, of_seeds, of_clips).items():
        found = [metrics.crossed(each) for each in differences]
        truth = stats.norm.cdf(gain / np.sqrt(2 + of_seeds**2 + of_clips**2)) - 0.5
        assert 0.93 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.98
        assert gain or 0.02 <= np.mean([one.p < 0.05 for one in found]) <= 0.07


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0, 3.0, 10.0, 100.0])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 4.0])
def test_crossed_keeps_its_level_whatever_the_variances_are(seeds, ratio, correlation):
    """Normal differences, whose mean is independent of the mean squares: each draw gives the chance of a miss itself.
    ratio and correlation are the expected excess of the mean squares of seeds and of clips over the rest."""
    rng, clips, missed = np.random.default_rng(seeds), 60, []
    truth = np.sqrt((1 + ratio + correlation) / (seeds * clips))
    for _ in range(400):
        values = rng.normal(0, np.sqrt(ratio / clips), (seeds, 1)) + rng.normal(0, 1, (seeds, clips))
        found = metrics.crossed(values + rng.normal(0, np.sqrt(correlation / seeds), (1, clips)))
        missed.append(2 * stats.norm.sf((found.high - found.value) / truth))
    assert 0.02 <= np.mean(missed) <= 0.07


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
