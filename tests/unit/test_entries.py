"""Entries of detection files that cannot count: the score is the official one, and each is told."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from workbench.metrics import score_files
from workbench.metrics.formats.entries import Entries


def scored(*arguments, **how) -> tuple[float, str]:
    """(mean, what was told)"""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = score_files(*arguments, **how)
    return float(np.ravel(found.mean)[0]), " | ".join(str(one.message) for one in told)


TRUTH = {"a": [("Walk", 0, 10)], "b": [("Sit", 5, 15)]}
GOOD = {"a": [("Walk", 0, 10, 0.9)], "b": [("Sit", 5, 15, 0.8)]}


def activitynet(folder, results, truth=TRUTH):
    database = {
        video: {
            "subset": "validation",
            "duration": 30,
            "annotations": [{"label": label, "segment": [start, end]} for label, start, end in events],
        }
        for video, events in truth.items()
    }
    found = {
        video: [{"label": label, "segment": [start, end], "score": score} for label, start, end, score in events]
        for video, events in results.items()
    }
    (folder / "truth.json").write_text(json.dumps({"database": database}))
    (folder / "found.json").write_text(json.dumps({"results": found}))
    return folder / "truth.json", folder / "found.json"


@pytest.mark.parametrize(
    ("change", "mean", "told"),
    [
        ({}, 1.0, ""),
        ({"b": [("Sit", 15, 5, 0.8)]}, 0.5, "1 of 2 detections that end before they start overlap nothing"),
        ({"b": [("Sit", 7, 7, 0.9), ("Sit", 5, 15, 0.8)]}, 0.75, "1 of 3 detections without length overlap nothing"),
        ({"b": [("Sit", 5, 15, 0.8)] * 2}, 1.0, "1 of 3 detections that are there already are counted again"),
        ({"c": [("Walk", 0, 10, 0.95)]}, 0.75, "1 of 3 detections of videos that have no event in"),
        ({"b": [("sit ", 5, 15, 0.8)]}, 0.5, "of labels that are not in .*1 of these 1 labels are there but for cap"),
    ],
)
def test_activitynet(tmp_path, change, mean, told):
    files = activitynet(tmp_path, {**GOOD, **change})
    value, said = scored(*files, "activitynet", 0.5)
    assert value == pytest.approx(mean)
    assert bool(said) == bool(told)
    if told:
        with pytest.warns(match=told):
            score_files(*files, "activitynet", 0.5)


def test_names_of_videos_in_another_form_are_told(tmp_path):
    value, said = scored(*activitynet(tmp_path, {f"v_{name}": GOOD[name] for name in GOOD}), "activitynet", 0.5)
    assert value == 0 and "the names of 2 of these 2 videos are there but for v_ in front" in said


def test_events_without_length_are_told(tmp_path):
    truth = {**TRUTH, "c": [("Sit", 3, 3), ("Walk", 9, 2)]}
    _, said = scored(*activitynet(tmp_path, GOOD, truth), "activitynet", 0.5)
    assert "1 of 4 events without length" in said and "1 of 4 events that end before they start" in said


def test_a_name_that_occurs_twice_in_json_is_told(tmp_path):
    truth, found = activitynet(tmp_path, GOOD)
    text = found.read_text().replace('"a": [', '"a": [], "a": [', 1)
    found.write_text(text)
    value, said = scored(truth, found, "activitynet", 0.5)
    assert value == 1 and "1 names occur more than once, the last counts" in said and ": a" in said


def test_thumos(tmp_path):
    (tmp_path / "Diving_test.txt").write_text("v1 1 5\nv2 1 5\n")
    (tmp_path / "Ambiguous_test.txt").write_text("v3 1 5\n")
    lines = ["v1 5 1 26 0.9", "v2 1 5 26 0.8", "v2 1 5 26 0.8", "v9 1 5 26 0.95"]
    (tmp_path / "found").write_text("\n".join(lines))
    value, said = scored(tmp_path, tmp_path / "found", "thumos", 0.5)
    # Wrong, right (ends exchanged), right, wrong.
    assert value == pytest.approx((1 / 2 + 2 / 3) / 2)
    for words in (
        "1 of 4 detections that end before they start are read with",
        "that are there already",
        "v9 'Diving'",
    ):
        assert words in said


@pytest.mark.parametrize("rule", ["pku", "tsu"])
def test_folders_of_labels(tmp_path, rule):
    for name in ("labels", "found"):
        (tmp_path / name).mkdir()
    for video in "abc":
        (tmp_path / "labels" / f"{video}.txt").write_text("3,10,20,2\n")
    (tmp_path / "found" / "a.txt").write_text("3,10,20,0.9\n3,10,20,0.9\n")
    (tmp_path / "found" / "b.txt").write_text("3,20,10,0.9\n")
    _, said = scored(tmp_path / "labels", tmp_path / "found", rule, 0.5)
    assert "1 videos have no file in" in said and ": c" in said
    assert "that end before they start overlap nothing or little" in said and "stay in the denominator" in said


def test_charades(tmp_path):
    row = " ".join(["0.5"] * 157)
    (tmp_path / "truth.csv").write_text("id,actions,length\nAAAAA,c001 1 5,30\nBBBBB,c002 1 5,30\n")
    (tmp_path / "found").write_text(f"AAAAA {row}\nAAAAA {row}\nCCCCC {row}\n")
    _, said = scored(tmp_path / "truth.csv", tmp_path / "found", "charades_classify")
    assert "1 videos occur more than once" in said and "scores of 1 videos that" in said and ": CCCCC" in said
    assert "1 of the 2 videos of" in said and "have no scores and rank last: BBBBB" in said
    with pytest.warns(Entries, match="1 points occur more than once"):
        (tmp_path / "found").write_text(f"AAAAA 1 {row}\nAAAAA 1 {row}\nBBBBB 1 {row}\n")
        score_files(tmp_path / "truth.csv", tmp_path / "found", "charades")
