"""Event mAP by hand, and against the official rules written as loops."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from tests import official_evaluators as official
from workbench import metrics

TRUTH = pd.DataFrame({"video": "v", "label": "a", "start": [0.0, 20.0], "end": [10.0, 30.0]})


def found(*rows: tuple) -> pd.DataFrame:
    """Rows of start, end, score, all of label a in video v."""
    times = pd.DataFrame(rows, columns=["start", "end", "score"], dtype=float)
    return times.assign(video="v", label="a")


@pytest.mark.parametrize("seed", range(12))
def test_every_rule_equals_the_loops_on_tables_full_of_ties(seed):
    rng = np.random.default_rng(seed)

    def events(count: int) -> pd.DataFrame:
        start = rng.integers(0, 12, count).astype(float)
        columns = {"video": [f"v{i}" for i in rng.integers(0, 4, count)], "label": rng.integers(0, 3, count)}
        return pd.DataFrame(columns | {"start": start, "end": start + rng.integers(-1, 6, count)})

    predictions = events(int(rng.integers(0, 60)))
    predictions["score"] = rng.integers(0, 6, len(predictions)) / 5
    truth = events(25)
    truth["ambiguous"] = rng.random(25) < 0.15
    sure, unsure = truth[~truth["ambiguous"]], truth[truth["ambiguous"]]
    detections = list(predictions.itertuples(index=False, name=None))
    truths = list(sure[["video", "label", "start", "end"]].itertuples(index=False, name=None))
    vague = list(unsure[["video", "start", "end"]].itertuples(index=False, name=None))
    labels = sorted(set(sure["label"]))
    for iou in (0.1, 0.5, 0.75, 1.0):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = {rule: metrics.event_map(predictions, truth, iou, rule).per_class for rule in metrics.IOU}
            summary = metrics.pku_summary(predictions, truth, iou, "tsu")
        expected = {
            "thumos": [official.thumos(detections, truths, vague, label, iou) for label in labels],
            "activitynet": [official.activitynet(detections, truths, label, iou) for label in labels],
            "tsu": [
                official.pku([d for d in detections if d[1] == n], [t for t in truths if t[1] == n], iou)
                for n in range(51)
            ],
        }
        for rule, values in expected.items():
            np.testing.assert_allclose(results[rule].to_numpy(), values, atol=1e-12)
        by_class = sorted(detections, key=lambda row: row[1])
        assert summary["ap"] == pytest.approx(official.pku(by_class, truths, iou))
        videos = sorted({row[0] for row in [*detections, *truths]})
        each = [
            official.pku([d for d in detections if d[0] == v], [t for t in truths if t[0] == v], iou) for v in videos
        ]
        assert summary["map_video"] == pytest.approx(np.mean(each))


def test_by_hand_a_double_and_a_miss():
    predictions = found((0, 10, 0.9), (0, 9, 0.8), (21, 30, 0.7))
    # Precision 1 at the first truth, 2/3 at the second, the double between them.
    assert metrics.event_map(predictions, TRUTH, 0.5, "thumos").mean == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.event_map(predictions, TRUTH, 0.5, "activitynet").mean == pytest.approx((1 + 2 / 3) / 2)
    # PKU: 2/3 over all; above the double 1/1, so that the first truth counts 1; nothing else is above 2/3 for the
    # second.
    pku = metrics.event_map(predictions, TRUTH, 0.5, "pku")
    assert pku.per_class["a"] == pytest.approx((1 + 2 / 3) / 2)


def test_interpolation_lifts_a_low_precision():
    predictions = found((50, 60, 0.9), (0, 10, 0.8), (20, 30, 0.7))
    assert metrics.event_map(predictions, TRUTH, 0.5, "thumos").mean == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert metrics.event_map(predictions, TRUTH, 0.5, "activitynet").mean == pytest.approx(2 / 3)


def test_the_threshold_itself_counts_except_under_thumos():
    predictions = found((0, 5, 0.9))
    for rule, expected in {"thumos": 0.0, "activitynet": 0.5, "pku": 0.5}.items():
        assert metrics.event_map(predictions, TRUTH, 0.5, rule).mean == pytest.approx(expected)


def test_thumos_truths_choose_by_overlap_and_the_others_by_score():
    truth = TRUTH.iloc[:1]
    predictions = found((0, 6, 0.9), (0, 10, 0.5))
    assert metrics.event_map(predictions, truth, 0.5, "thumos").mean == 0.5
    assert metrics.event_map(predictions, truth, 0.5, "activitynet").mean == 1.0


@pytest.mark.parametrize("marked", [{"ambiguous": [False, False, True]}, {"label": ["a", "a", "Ambiguous"]}])
def test_a_false_positive_on_an_ambiguous_segment_counts_under_activitynet_only(marked):
    extra = pd.DataFrame({"video": ["v"], "label": ["a"], "start": [40.0], "end": [50.0]})
    truth = pd.concat([TRUTH, extra], ignore_index=True).assign(**marked)
    predictions = found((49, 60, 0.9), (0, 10, 0.8), (20, 30, 0.7))
    assert metrics.event_map(predictions, truth, 0.5, "thumos").mean == 1.0
    assert metrics.event_map(predictions, truth, 0.5, "activitynet").mean == pytest.approx(2 / 3)


def test_equal_scores_follow_each_scripts_order():
    hit_first = found((0, 10, 0.5), (50, 60, 0.5))
    truth = TRUTH.iloc[:1]
    assert metrics.event_map(hit_first, truth, 0.5, "thumos").mean == 1.0
    assert metrics.event_map(hit_first, truth, 0.5, "activitynet").mean == 0.5
    assert metrics.event_map(hit_first.iloc[::-1], truth, 0.5, "thumos").mean == 0.5
    assert metrics.event_map(hit_first.iloc[::-1], truth, 0.5, "activitynet").mean == 1.0


def test_events_without_length_are_found_by_nothing_and_find_nothing():
    truth = pd.DataFrame({"video": "v", "label": "a", "start": [5.0], "end": [5.0]})
    for rule in metrics.IOU:
        assert metrics.event_map(found((5, 5, 0.9), (0, 10, 0.8)), truth, 0.5, rule).mean == 0.0
        assert metrics.event_map(found((5, 5, 0.9)), TRUTH, 0.5, rule).mean == 0.0


def test_duplicates_in_the_truth_are_two_events():
    truth = pd.concat([TRUTH.iloc[:1]] * 2, ignore_index=True)
    twice = found((0, 10, 0.9), (0, 10, 0.8))
    assert metrics.event_map(twice, truth, 0.5, "thumos").mean == 1.0
    assert metrics.event_map(twice, truth, 0.5, "activitynet").mean == 1.0
    # PKU-MMD gives both to the later one, so that the other is never found: 1/2 of the recall, at precision 1.
    assert metrics.event_map(twice, truth, 0.5, "pku").mean == pytest.approx(0.5)


def test_an_end_before_its_start_is_read_as_each_script_does():
    turned = found((10, 0, 0.9))
    assert metrics.event_map(turned, TRUTH.iloc[:1], 0.5, "thumos").mean == 1.0
    assert metrics.event_map(turned, TRUTH.iloc[:1], 0.5, "activitynet").mean == 0.0
    both = TRUTH.iloc[:1].assign(start=10.0, end=0.0)
    assert metrics.event_map(turned, both, 0.5, "pku").mean == 1.0


def test_classes_of_the_mean():
    truth = TRUTH.assign(label=[3, 3])
    predictions = found((0, 10, 0.9), (20, 30, 0.8)).assign(label=3)
    assert metrics.event_map(predictions, truth, 0.5, "tsu").mean == pytest.approx(1 / 51)
    assert len(metrics.event_map(predictions, truth, 0.5, "pku").per_class) == 51
    assert metrics.event_map(predictions, truth, 0.5, "pku", classes=[3, 4]).mean == 0.5
    several = metrics.event_map(predictions, truth, 0.5, "thumos", classes=[3, 4])
    assert several.mean == 1.0 and np.isnan(several.per_class[4])
    # 99 is none of TSU's numbers: the mean is over the two labels. PKU-MMD's AP of 3: the stray stays in the
    # denominator.
    assert metrics.event_map(predictions, truth.assign(label=[3, 99]), 0.5, "tsu").mean == (1 / 2 + 0) / 2


def test_several_thresholds_give_a_table():
    per_class, mean = result = metrics.event_map(found((0, 8, 0.9), (20, 30, 0.8)), TRUTH, [0.5, 0.9], "activitynet")
    assert per_class.loc["a"].tolist() == mean.tolist() == [1.0, 0.25]
    assert result.average == 0.625 and list(mean.index) == [0.5, 0.9]
    assert metrics.IOU["activitynet"] == tuple(np.linspace(0.5, 0.95, 10))


def test_no_predictions_score_zero_and_unknown_labels_are_counted_aloud():
    assert metrics.event_map(found(), TRUTH, 0.5).mean == 0.0
    assert metrics.event_map([], TRUTH, 0.5).mean == 0.0
    with pytest.warns(UserWarning, match="1 predictions of labels .* left out: z"):
        stranger = pd.concat([found((0, 10, 0.9)), found((0, 10, 1.0)).assign(label="z")])
        assert metrics.event_map(stranger, TRUTH, 0.5).mean == 0.5


@pytest.mark.parametrize(
    ("predictions", "truth", "iou", "rule", "words"),
    [
        (found(), TRUTH.iloc[:0], 0.5, "thumos", "ground truth is empty"),
        (found((0, 1, np.nan)), TRUTH, 0.5, "thumos", r"score of row 0 .*\(video v\) must be a number"),
        (found((0, np.inf, 1)), TRUTH, 0.5, "pku", "end of row 0 .* finite time"),
        (found((0, 1, 1)).assign(start="soon"), TRUTH, 0.5, "pku", "start of row 0 .* must be a number, got 'soon'"),
        (found((0, 1, 1)).drop(columns="score"), TRUTH, 0.5, "thumos", "no column 'score'"),
        (found(), TRUTH.assign(label=None), 0.5, "thumos", "label of row 0 of the ground truth"),
        (found(), TRUTH, 0.0, "thumos", r"thresholds in \(0,1\], got 0.0"),
        (found(), TRUTH, [], "thumos", "one or several thresholds"),
        (found(), TRUTH, 0.5, "coco", "unknown rule 'coco'; known: thumos, activitynet, pku, tsu"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_sentence(predictions, truth, iou, rule, words):
    with pytest.raises(ValueError, match=words):
        metrics.event_map(predictions, truth, iou, rule)


def test_a_truth_outside_the_classes_is_refused():
    with pytest.raises(ValueError, match="label 'a' of the ground truth is not among the 1 classes"):
        metrics.event_map(found(), TRUTH, 0.5, classes=["b"])


def test_times_past_the_end_are_cut_only_on_demand():
    cut = metrics.clip_times(found((-5, 12, 1), (25, 40, 1), (31, 40, 1)), {"v": 30})
    assert cut[["start", "end"]].to_numpy().tolist() == [[0, 12], [25, 30]]
    with pytest.raises(ValueError, match="video 'v' has no duration"):
        metrics.clip_times(TRUTH, {})


def test_the_summary_by_hand():
    summary = metrics.pku_summary(found((0, 10, 0.9), (50, 60, 0.8)), TRUTH, 0.5)
    # One of two truths, by one of two detections: recall 1/2 at precision 1/2, which the script keeps, for it never
    # looks at the ranks above a stray.
    ap = dict.fromkeys(("ap", "map_action", "map_video", "ap_2d"), 0.25)
    assert summary == pytest.approx({"f1": 0.5, **ap})
