"""Per-frame mAP, Charades, post-processing, diagnosis and gains, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from workbench import metrics
from workbench.metrics import postprocess

TRUTH = pd.DataFrame({"video": ["v", "v", "w"], "label": ["a", "b", "a"], "start": [0.0, 20, 0], "end": [10.0, 30, 40]})


def table(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["video", "label", "start", "end", "score"])


def test_frame_map_by_hand():
    scores = np.array([[0.9, 0.1, 0.5], [0.8, 0.2, 0.5], [0.7, 0.3, 0.5]])
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0]])
    per_class, mean = metrics.frame_map(scores, labels)
    assert per_class[:2] == pytest.approx([(1 + 2 / 3) / 2, 1 / 2]) and np.isnan(per_class[2])
    assert mean == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert metrics.frame_map(torch.tensor(scores), torch.tensor(labels)).mean == pytest.approx(mean)


def test_frame_map_keeps_tied_steps_in_order():
    assert metrics.frame_map(np.zeros((4, 1)), [[1], [0], [0], [0]]).mean == 1.0
    assert metrics.frame_map(np.zeros((4, 1)), [[0], [0], [0], [1]]).mean == 0.25


def test_what_the_mean_is_over():
    # Class 0 is found, class 1 never happens; class 2's scores are minus infinity, and yet its AP is above 0.
    scores = np.array([[1.0, 0, -np.inf], [0, 1, -np.inf]])
    labels = np.array([[1, 0, 0], [0, 0, 1]])
    assert metrics.frame_map(scores, labels).mean == (1 + 0.5) / 2
    assert metrics.frame_map(scores, labels, over="nonzero").mean == (1 + 0.5) / 2
    assert metrics.frame_map(scores, labels, over="all").mean == (1 + 0 + 0.5) / 3
    assert np.isnan(metrics.frame_map(scores, 0 * labels).mean)


@pytest.mark.parametrize(
    ("scores", "labels", "words"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "must be"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "must be"),
        (np.full((2, 3), np.nan), np.zeros((2, 3)), "step 0 contain NaN"),
        (np.zeros((2, 3)), np.full((2, 3), 2), "must be 0 or 1"),
    ],
)
def test_frame_map_refuses(scores, labels, words):
    with pytest.raises(ValueError, match=words):
        metrics.frame_map(scores, labels)


def test_steps_lie_strictly_inside_an_interval():
    labels = metrics.step_labels([[0, 2, 4], [1, 3, 3], [1, 7, 99]], duration=10, steps=10, classes=2)
    assert np.flatnonzero(labels[:, 0]).tolist() == [3] and np.flatnonzero(labels[:, 1]).tolist() == [8, 9]
    closed = metrics.step_labels([[0, 2, 4]], 10, 10, 1, closed=True)
    assert np.flatnonzero(closed[:, 0]).tolist() == [2, 3, 4]


def test_charades_points_include_the_start_and_both_ends_of_an_interval():
    intervals = pd.DataFrame({"video": ["v"], "label": [1], "start": [0.0], "end": [2.0]})
    labels = metrics.charades_labels(intervals, {"v": 25.0, "w": 50.0}, classes=2)
    assert labels.shape == (2, 25, 2) and np.flatnonzero(labels[0, :, 1]).tolist() == [0, 1, 2]
    assert not labels[1].any() and not labels[:, :, 0].any()


def test_charades_tasks_by_hand():
    intervals = pd.DataFrame({"video": ["v"], "label": [0], "start": [24.0], "end": [30.0]})
    lengths = {"w": 25.0, "v": 25.0, "u": 1.0}
    # A missing video ranks below all; the one positive point is the 2nd, in a tie with 25 of w that come first.
    scores = {"v": np.r_[np.zeros(24), 0.5][:, None], "w": np.full((25, 1), 0.5)}
    assert metrics.charades_localize(scores, intervals, lengths, 1).mean == pytest.approx(1 / 26)
    whole = {"v": [0.1], "w": [0.9], "u": [0.5]}
    # The released script looks up no prediction for w and u, which show nothing: v is first among all.
    assert metrics.charades_classify(whole, intervals, lengths, 1).mean == 1.0
    assert metrics.charades_classify(whole, intervals, lengths, 1, unlabelled="count").mean == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match=r"scores of video v must be \[25, 1\]"):
        metrics.charades_localize({"v": np.zeros((24, 1))}, intervals, lengths, 1)


def test_points_of_a_dense_prediction():
    assert metrics.sample_points(np.arange(50)[:, None])[:, 0].tolist() == list(range(0, 50, 2))
    assert metrics.sample_points(np.arange(5)[:, None])[:, 0].tolist() == sorted(list(range(5)) * 5)


@pytest.mark.parametrize(("count", "steps"), [(3, 48), (1, 7), (5, 5), (9, 4), (2, 3)])
def test_upsampling_is_torchs(count, steps):
    scores = np.random.default_rng(0).normal(size=(count, 2))
    there = torch.nn.functional.interpolate(torch.tensor(scores.T[None]), steps, mode="linear", align_corners=False)
    np.testing.assert_allclose(postprocess.upsample(scores, steps), there[0].numpy().T, atol=1e-12)


def test_intervals_by_hand():
    actionness = np.array([[0.9, 0], [0.7, 0], [0.1, 0.6], [0.8, 0], [0, 0]])
    found = postprocess.intervals(actionness, "v", duration=10, labels=["a", "b"])
    rows = [("v", "a", 0, 4, 0.8), ("v", "a", 6, 8, 0.8), ("v", "b", 4, 6, 0.6)]
    assert [tuple(row) for row in found.to_numpy()] == rows
    merged = postprocess.intervals(actionness, "v", duration=10, merge=2, labels=["a", "b"])
    assert merged[["start", "end"]].to_numpy().tolist() == [[0, 8], [4, 6]]
    assert merged["score"][0] == pytest.approx((0.9 + 0.7 + 0.1 + 0.8) / 4)
    assert postprocess.intervals(actionness, "v", 10, shortest=3)["start"].tolist() == [0]
    assert postprocess.intervals(actionness, "v", 10, score="max")["score"].tolist() == [0.9, 0.8, 0.6]
    assert len(postprocess.intervals(actionness, "v", 10, thresholds=0.95)) == 0


def test_several_thresholds_give_each_interval_once():
    actionness = np.array([[0.9], [0.6], [0.0]])
    found = postprocess.intervals(actionness, thresholds=[0.5, 0.55, 0.8])
    assert found[["start", "end"]].to_numpy().tolist() == [[0, 2], [0, 1]]
    own = postprocess.intervals(np.full((2, 2), 0.5), thresholds=np.array([[0.4, 0.6]]))
    assert own["label"].tolist() == [0]
    with pytest.raises(ValueError, match=r"thresholds must be one, several or \[I,2\]"):
        postprocess.intervals(np.zeros((2, 2)), thresholds=np.zeros((1, 3)))


def test_suppression_is_by_class_and_video_and_keeps_the_surest():
    found = table(
        ("v", "a", 0, 10, 0.5),
        ("v", "a", 1, 10, 0.9),
        ("v", "b", 0, 10, 0.1),
        ("w", "a", 0, 10, 0.2),
        ("v", "a", 20, 21, 0.1),
    )
    kept = postprocess.suppress(found, 0.5)
    assert kept["score"].tolist() == [0.9, 0.1, 0.2, 0.1]
    assert len(postprocess.suppress(found, 0.9)) == 5
    assert postprocess.suppress(found, 0.5, most=1)["score"].tolist() == [0.9, 0.2]
    twice = pd.concat([found.iloc[:1]] * 2)
    assert len(postprocess.suppress(twice, 0.99)) == 1


def test_every_kind_of_mistake():
    found = table(
        ("v", "a", 0, 10, 0.9),
        ("v", "a", 0, 9, 0.8),
        ("v", "a", 20, 30, 0.7),
        ("v", "a", 8, 14, 0.6),
        ("v", "b", 60, 70, 0.5),
        ("w", "b", 0, 10, 0.4),
    )
    kinds = metrics.prediction_kinds(found, TRUTH, 0.5)
    assert kinds["kind"].tolist() == ["right", "double", "wrong label", "localisation", "background", "background"]
    profile = metrics.false_positive_profile(kinds, truths=3, bands=2)
    assert profile.loc[1, ["right", "double", "wrong label"]].tolist() == pytest.approx([1 / 3] * 3)
    assert profile.sum(axis=1).tolist() == pytest.approx([1, 1])
    unsure = pd.concat([TRUTH, TRUTH.iloc[:1].assign(start=65, end=66)]).assign(ambiguous=[False] * 3 + [True])
    assert metrics.prediction_kinds(found, unsure, 0.5, "thumos")["kind"][4] == "ignored"


def test_what_is_missed_by_length_and_by_company():
    truth = pd.concat([TRUTH, TRUTH.iloc[:1].assign(label="b", start=5.0, end=15.0)], ignore_index=True)
    found = metrics.truths_found(table(("v", "a", 0, 10, 0.9)), truth, 0.5)
    assert found["found"].tolist() == [True, False, False, False]
    assert found["length"].tolist() == [10, 10, 40, 10] and found["together"].tolist() == [1, 0, 0, 1]
    by_length = metrics.missed_by_length(found, (10, 20))
    assert by_length["count"].tolist() == [3, 0, 1]
    assert by_length["missed"].tolist()[0] == pytest.approx(2 / 3) and np.isnan(by_length["missed"][1])
    assert metrics.missed_by_overlap(found, 2)["missed"].tolist()[:2] == [1.0, 0.5]


def test_gains_by_class_with_an_interval_over_videos():
    first = table(("v", "a", 0, 10, 0.9), ("v", "b", 50, 60, 0.9))
    second = table(("v", "a", 0, 10, 0.9), ("w", "a", 0, 40, 0.8), ("v", "b", 20, 30, 0.9))
    gain = metrics.event_gain(first, second, TRUTH, 0.5, repeats=50)
    assert gain["label"].tolist() == ["a", "b", "mean"]
    assert gain["gain"].tolist() == [0.5, 1.0, 0.75]
    # Every draw that has b's video gains all of b; those of a range from none (v alone) to all (w alone).
    assert gain[["low", "high"]].to_numpy().tolist()[:2] == [[0.0, 1.0], [1.0, 1.0]]
    same = metrics.event_gain(first, first, TRUTH, 0.5, repeats=20)
    assert (same[["gain", "low", "high"]] == 0).all(axis=None)
    assert metrics.event_gain(first, second, TRUTH, repeats=0)["low"].isna().all()


def test_gains_are_those_of_the_metrics():
    rng = np.random.default_rng(0)
    scores, better, labels = rng.random((60, 3)), rng.random((60, 3)), rng.random((60, 3)) < 0.3
    gain = metrics.frame_gain(scores, better, labels, np.arange(60) // 6, repeats=20)
    expected = [metrics.frame_map(values, labels) for values in (scores, better)]
    np.testing.assert_allclose(gain["first"], [*expected[0].per_class, expected[0].mean])
    np.testing.assert_allclose(gain["gain"].iloc[-1], expected[1].mean - expected[0].mean)
    assert ((gain["low"] <= gain["gain"]) & (gain["gain"] <= gain["high"])).all()


def test_a_video_that_counts_twice_is_one_that_is_there_twice():
    rng = np.random.default_rng(1)
    start = rng.uniform(0, 50, 80)
    found = pd.DataFrame({"video": rng.choice(["v", "w"], 80), "label": "a", "start": start, "end": start + 10})
    found["score"] = rng.random(80)
    scored = metrics.match_events(found, TRUTH[TRUTH["label"] == "a"], 0.3, "pku")
    from workbench.metrics.average_precision import average_precision

    for how in ("none", "right", "pku"):
        once = average_precision(scored.matched.ranks, how)
        np.testing.assert_allclose(average_precision(scored.matched.ranks, how, np.array([2.0, 2.0])), once)
