"""Files of the detection data sets: there and back, errors that name file and line, and somebody else's results
scored."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from workbench import metrics
from workbench.commands import main
from workbench.metrics import formats

TRUTH = pd.DataFrame(
    {
        "video": ["v1", "v2", "v1"],
        "label": ["Diving", "Diving", "Billiards"],
        "start": [0.0, 1.5, 3],
        "end": [2.0, 9, 4.25],
    }
)
FOUND = TRUTH.assign(score=[0.1 + 0.2, 0.9, 1e-9])
NUMBERS = {"label": [26, 26, 12]}


def same(one: pd.DataFrame, other: pd.DataFrame, *columns: str) -> None:
    names = ["video", "label", "start", "end", *columns]
    order = ["video", "label", "start"]
    one, other = (table[names].sort_values(order).reset_index(drop=True) for table in (one, other))
    pd.testing.assert_frame_equal(one, other, check_dtype=False)


def test_thumos_there_and_back(tmp_path):
    truth = TRUTH.assign(ambiguous=[False, True, False])
    formats.write_thumos_truth(tmp_path, truth)
    read = formats.read_thumos_truth(tmp_path)
    same(read.query("not ambiguous"), truth[~truth["ambiguous"]])
    assert read[read["ambiguous"]]["label"].tolist() == ["Ambiguous"]
    formats.write_thumos_detections(tmp_path / "found.txt", FOUND)
    same(formats.read_thumos_detections(tmp_path / "found.txt"), FOUND, "score")
    (tmp_path / "found.txt").write_text("v1.mp4 0 2 26 0.5\r\nv1 0 2 99 0.5\r\n")
    assert formats.read_thumos_detections(tmp_path / "found.txt")[["video", "label"]].to_numpy().tolist() == [
        ["v1", "Diving"],
        ["v1", 99],
    ]


def test_activitynet_there_and_back(tmp_path):
    formats.write_activitynet_truth(tmp_path / "truth.json", TRUTH, {"v1": 10, "v2": 20, "v3": 5})
    read = formats.read_activitynet_truth(tmp_path / "truth.json")
    same(read, TRUTH)
    assert dict(zip(read["video"], read["duration"], strict=True)) == {"v1": 10, "v2": 20}
    formats.write_activitynet_detections(tmp_path / "found.json", FOUND)
    same(formats.read_activitynet_detections(tmp_path / "found.json"), FOUND, "score")
    with pytest.raises(ValueError, match="no video of subset 'testing'; it has: validation"):
        formats.read_activitynet_truth(tmp_path / "truth.json", "testing")


def test_pku_there_and_back(tmp_path):
    formats.write_pku_truth(tmp_path / "truth", TRUTH.assign(**NUMBERS), ["v3"])
    same(formats.read_pku_truth(tmp_path / "truth"), TRUTH.assign(**NUMBERS, confidence=1), "confidence")
    formats.write_pku_detections(tmp_path / "found", FOUND.assign(**NUMBERS), ["v3"])
    with pytest.warns(UserWarning, match=r"^1 file\(s\) of .*found say that nothing happens, such as .*v3.txt$"):
        same(formats.read_pku_detections(tmp_path / "found"), FOUND.assign(**NUMBERS), "score")
    assert (tmp_path / "found" / "v3.txt").read_text() == ""
    assert (tmp_path / "truth" / "v2.txt").read_text() == "26,1.5,9,1\n"


def test_dense_json_and_tsu_csv_there_and_back(tmp_path):
    truth = TRUTH.assign(**NUMBERS)
    formats.write_actions_json(tmp_path / "tsu.json", truth, {"v1": 100, "v2": 50, "v3": 7})
    read, durations = formats.read_actions_json(tmp_path / "tsu.json")
    same(read, truth)
    assert durations == {"v1": 100, "v2": 50, "v3": 7}
    classes = {"Get_water": 3, "Stir_coffee/tea": 12}
    own = pd.DataFrame({"video": "P02T02C03", "label": [12, 3], "start": [10, 40], "end": [20, 44]})
    path = tmp_path / "P02T02C03.csv"
    formats.write_tsu_csv(path, own, classes)
    same(formats.read_tsu_csv(path, classes), own)
    path.write_text("event,start_frame,end_frame\r\nMake_coffee.Get_water,1,2\r\n")
    assert formats.read_tsu_csv(path, classes)["label"].tolist() == [3]


def test_charades_there_and_back(tmp_path):
    truth, lengths = TRUTH.assign(label=[0, 156, 92]), {"v1": 30.5, "v2": 12.0, "v3": 3.0}
    formats.write_charades_truth(tmp_path / "test.csv", truth, lengths)
    read, there = formats.read_charades_truth(tmp_path / "test.csv")
    same(read, truth)
    assert there == lengths
    scores = {"v1": np.random.default_rng(0).normal(size=(25, 157)), "v2": np.zeros((25, 157))}
    formats.write_charades_localize(tmp_path / "found.txt", scores)
    back = formats.read_charades_localize(tmp_path / "found.txt")
    assert list(back) == ["v1", "v2"] and all((back[video] == scores[video]).all() for video in back)
    assert metrics.score_files(tmp_path / "test.csv", tmp_path / "found.txt", "charades").mean == pytest.approx(
        metrics.charades_localize(scores, truth, lengths).mean
    )
    whole = {video: values[0] for video, values in scores.items()}
    formats.write_charades_classify(tmp_path / "whole.txt", whole)
    assert metrics.score_files(
        tmp_path / "test.csv", tmp_path / "whole.txt", "charades_classify"
    ).mean == pytest.approx(metrics.charades_classify(whole, truth, lengths).mean)


def test_quoted_fields_and_points_from_zero(tmp_path):
    path = tmp_path / "test.csv"
    path.write_text('id,script,actions,length\r\nv1,"He sits, and reads",c092 11.90 21.20;c001 0 1,30\r\nv2,x,,9\r\n')
    read, lengths = formats.read_charades_truth(path)
    assert read["label"].tolist() == [92, 1] and lengths == {"v1": 30, "v2": 9}
    (tmp_path / "found.txt").write_text("v1 0 1 2\nv1 24 3 4\n")
    scores = formats.read_charades_localize(tmp_path / "found.txt", classes=2)["v1"]
    assert scores[0].tolist() == [1, 2] and scores[24].tolist() == [3, 4] and np.isneginf(scores[1]).all()


@pytest.mark.parametrize("rule", ["thumos", "activitynet", "pku", "tsu"])
def test_files_score_as_their_tables_do(tmp_path, rule, capsys):
    truth, found = (table.assign(**NUMBERS) if rule in ("pku", "tsu") else table for table in (TRUTH, FOUND))
    if rule == "thumos":
        formats.write_thumos_truth(tmp_path / "truth", truth)
        formats.write_thumos_detections(tmp_path / "found", found)
    elif rule == "activitynet":
        formats.write_activitynet_truth(tmp_path / "truth", truth, {"v1": 9, "v2": 9})
        formats.write_activitynet_detections(tmp_path / "found", found)
    else:
        # The labels of all videos may lie there: only those with results count.
        more = pd.concat([truth, truth.iloc[:1].assign(video="trained_on")])
        formats.write_pku_truth(tmp_path / "truth", more)
        formats.write_pku_detections(tmp_path / "found", found)
    expected = metrics.event_map(found, truth, metrics.IOU[rule], rule)
    scored = metrics.score_files(tmp_path / "truth", tmp_path / "found", rule)
    pd.testing.assert_series_equal(scored.mean, expected.mean)
    assert metrics.score_files(tmp_path / "truth", tmp_path / "found", rule, 0.5).mean == expected.mean[0.5]
    where = ["score", str(tmp_path / "truth"), str(tmp_path / "found"), "--rule", rule]
    assert main([*where, "--iou", "0.5", "--classes"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 1 + len(expected.per_class) + 1
    assert float(told[-1].split()[-1]) == pytest.approx(100 * expected.mean[0.5], abs=1e-4)
    assert main(where) == 0
    told = capsys.readouterr().out.splitlines()
    assert float(told[-1].split()[-1]) == pytest.approx(100 * expected.average, abs=1e-4)
    assert main([*where[:2], str(tmp_path / "nothing"), *where[3:]]) == 1
    assert "nothing" in capsys.readouterr().err


def test_the_frames_of_tsus_json_are_counted_in_steps(tmp_path):
    truth = pd.DataFrame({"video": ["v1", "v2"], "label": [3, 4], "start": [16.0, 32.0], "end": [64.0, 96.0]})
    formats.write_actions_json(
        tmp_path / "tsu.json",
        truth,
        {"v1": 160, "v2": 160, "v3": 160},
        {"v1": "testing", "v2": "testing", "v3": "training"},
    )
    found = truth.assign(start=truth["start"] / 16, end=truth["end"] / 16, score=0.5)
    # What is detected in a training video is no error in the test.
    more = pd.concat([found, found.iloc[:1].assign(video="v3", score=0.9)])
    formats.write_pku_detections(tmp_path / "found", more)
    expected = metrics.event_map(found, found.drop(columns="score"), 0.5, "tsu").mean
    assert metrics.score_files(tmp_path / "tsu.json", tmp_path / "found", "tsu", 0.5).mean == expected > 0


def test_what_cannot_be_scored_is_said(tmp_path):
    formats.write_thumos_truth(tmp_path / "other", pd.DataFrame(TRUTH).assign(label="Somersault"))
    formats.write_thumos_detections(tmp_path / "found", FOUND)
    with pytest.raises(ValueError, match="classes such as 'Somersault' that are not THUMOS14's: put detclasslist.txt"):
        metrics.score_files(tmp_path / "other", tmp_path / "found", "thumos")
    formats.write_charades_truth(tmp_path / "none.csv", TRUTH.iloc[:0].assign(label=[]), {"v1": 30.5})
    formats.write_charades_localize(tmp_path / "scores", {"v1": np.zeros((25, 157))})
    with pytest.raises(ValueError, match="none.csv has no event"):
        metrics.score_files(tmp_path / "none.csv", tmp_path / "scores", "charades")


@pytest.mark.parametrize(
    "content",
    ['{"results": []}', '{"results": {"v": null}}', '{"database": []}', '{"database": {"v": []}}',
     '{"database": {"v": {"subset": "validation", "annotations": null}}}'],
)  # fmt: skip
def test_activitynet_files_of_another_form_are_one_sentence(tmp_path, content):
    (tmp_path / "file.json").write_text(content)
    read = formats.read_activitynet_detections if "results" in content else formats.read_activitynet_truth
    with pytest.raises(ValueError, match="file.json.*expected (an object|a list), got"):
        read(tmp_path / "file.json")


@pytest.mark.parametrize(
    ("reader", "content", "words"),
    [
        (formats.read_thumos_detections, "v 0 1 7 0.5\nv 0 1 7\n", "line 2: expected video start end class score"),
        (formats.read_thumos_detections, "v 0 one 7 0.5", "line 1: end must be a number, got 'one'"),
        (formats.read_thumos_detections, "v 0 1 7 nan", "line 1: score must be a number"),
        (formats.read_thumos_detections, b"\xff\xfe\x00", "is not a text file"),
        (formats.read_activitynet_detections, "{", "is not valid JSON"),
        (formats.read_activitynet_detections, "[]", "must hold a JSON object"),
        (formats.read_activitynet_detections, "{}", "has no 'results'"),
        (formats.read_activitynet_detections, '{"results": {"v": [{"label": "a"}]}}', "video v, entry 0: expected"),
        (formats.read_actions_json, '{"v": {"subset": "testing", "duration": 1, "actions": [[1]]}}', "v: expected"),
        (formats.read_actions_json, '{"v": {"subset": "training", "duration": 1, "actions": []}}', "no video of"),
        (lambda path: formats.read_tsu_csv(path, {"a": 0}), "event,start\n", "line 1: expected the header"),
        (lambda path: formats.read_tsu_csv(path, {"a": 0}), "event,start_frame,end_frame\nb,1,2", "line 2: expected a"),
        (formats.read_charades_truth, "id,length\n", "no column 'actions'"),
        (formats.read_charades_truth, "id,actions,length\nv,c157 0 1,9\n", "line 2: expected actions"),
        (formats.read_charades_localize, "v 26" + " 0" * 157, "line 1: the point must lie in 1 to 25"),
        (formats.read_charades_classify, "v" + " x" * 157, "line 1: the scores must be numbers"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path, reader, content, words):
    path = tmp_path / "results.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=words) as problem:
        reader(path)
    assert "results.txt" in str(problem.value)


def test_a_bad_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no file of annotations that ends in _test.txt"):
        formats.read_thumos_truth(tmp_path)
    with pytest.raises(FileNotFoundError, match="has no <video>.txt"):
        metrics.score_files(tmp_path, tmp_path, "pku")
    (tmp_path / "v.txt").write_text("1,2,3\n")
    with pytest.raises(ValueError, match="v.txt, line 1: expected label,start,end,score"):
        formats.read_pku_detections(tmp_path)
    with pytest.raises(FileNotFoundError, match="missing.txt does not exist"):
        formats.read_thumos_detections(tmp_path / "missing.txt")


def test_no_name_leaves_its_folder_or_breaks_a_line(tmp_path):
    with pytest.raises(ValueError, match="can't be the name of a file"):
        formats.write_pku_truth(tmp_path, TRUTH.assign(**NUMBERS, video="../up"))
    with pytest.raises(ValueError, match="blanks and commas"):
        formats.write_thumos_detections(tmp_path / "x.txt", FOUND.assign(video="a b"))
    assert not (tmp_path / "x.txt").exists() and not (tmp_path.parent / "up.txt").exists()


def test_an_unknown_rule_and_an_iou_for_points(tmp_path):
    with pytest.raises(ValueError, match="known: thumos, activitynet, pku, tsu, charades"):
        metrics.score_files(tmp_path, tmp_path, "coco")
    with pytest.raises(ValueError, match="has no iou"):
        metrics.score_files(tmp_path, tmp_path, "charades", 0.5)


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"old": 1}))
    with pytest.raises(ValueError, match="video 'v2' has no duration"):
        formats.write_activitynet_truth(path, TRUTH, {"v1": 1})
    assert json.loads(path.read_text()) == {"old": 1} and len(list(tmp_path.iterdir())) == 1
