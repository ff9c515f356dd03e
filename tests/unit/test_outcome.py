"""What ``train`` says when it ends, and persons left out in turn."""

from __future__ import annotations

import shlex

import numpy as np
import pandas as pd
import pytest

from tests.fixtures import REST
from workbench import commands, metrics
from workbench.commands import main, parse
from workbench.study.report import outcome
from workbench.study.runs.find_runs import all_runs

SHORT = ["preset.poses=4", "options.hidden=4", "epochs=1", "cache=null", "progress=false"]
PEOPLE = ("ann", "bob", "eve")


@pytest.fixture()
def folder(tmp_path, monkeypatch):
    """Two clips of poses of each of three persons, tested on eve; and a table that names nobody."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        commands.training, "TYPED", f"python -m workbench train pose_gru --root clips.csv --set {' '.join(SHORT)}"
    )
    rows = []
    for k, person in enumerate(PEOPLE):
        for label in ("sit", "walk"):
            walk = np.arange(9)[:, None, None] * [0.02 * (label == "walk"), 0.01, 0]
            np.savez(f"{person}_{label}.npz", joints=REST * [1, 1, -1] + [0, 0.1 * k, 3] + walk, skeleton="kinect_v2")
            rows.append((f"{person}_{label}.npz", label, person, ("train", "validation", "test")[k]))
    table = pd.DataFrame(rows, columns=["pose", "label", "subject", "split"])
    table.to_csv("clips.csv", index=False)
    table.drop(columns="subject").to_csv("nameless.csv", index=False)
    table.assign(subject=table["subject"].where(table.index > 0)).to_csv("some.csv", index=False)
    return tmp_path


def train(*words: str) -> int:
    return main(["train", "pose_gru", *words, "--set", *SHORT])


def test_training_ends_with_the_accuracy_who_was_held_out_and_two_commands(folder, capsys):
    assert train("--root", "clips.csv") == 0
    run, scored, held_out, following, *lines = capsys.readouterr().out.splitlines()
    (trained,) = all_runs("runs")
    found = trained.predictions()
    right = int(metrics.hits(found.scores, found.labels, 1).sum())
    assert run == trained.id and scored.startswith(f"{right} of 2 test clips are classified correctly: {50 * right} %")
    assert "95 % interval" in scored and "chance 50 %" in scored
    assert held_out == "held out: person eve; training has 2 clips of 1 other person(s)" and following == "next:"
    for line in lines:
        assert line.startswith("  python -m workbench ")
        parse(shlex.split(line)[3:])
    assert f"sensitivity {trained.id}" in lines[0] and lines[1].endswith("--each-person")


def test_clips_that_nobody_is_named_in_are_said_to_be_held_out_as_clips(folder, capsys):
    assert train("--root", "nameless.csv") == 0
    told = capsys.readouterr().out
    assert "held out: clips, but nobody knows of whom; expect less on new persons" in told
    assert "gallery --root nameless.csv" in told


def test_each_person_is_left_out_in_turn_once(folder, capsys):
    assert train("--root", "clips.csv", "--each-person") == 0
    *table, total = capsys.readouterr().out.strip().splitlines()
    runs = all_runs("runs")
    assert [run.config.protocol for run in runs] == [f"leave-out:{name}" for name in PEOPLE]
    right = [metrics.hits(r.predictions().scores, r.predictions().labels, 1).sum() for r in runs]
    assert [line.split()[:3] for line in table[1:]] == [
        [n, str(int(k)), "2"] for n, k in zip(PEOPLE, right, strict=True)
    ]
    assert f"each of 3 persons left out in turn: {int(sum(right))} of 6 clips" in total and "95 % interval" in total
    before = [run.weights.stat().st_mtime_ns for run in runs]
    assert train("--root", "clips.csv", "--each-person") == 0
    assert [run.weights.stat().st_mtime_ns for run in all_runs("runs")] == before


@pytest.mark.parametrize(("name", "words"), [("nameless", "6 of 6"), ("some", "1 of 6 clips have no subject")])
def test_without_names_nobody_is_left_out(folder, capsys, name, words):
    assert train("--root", f"{name}.csv", "--each-person") == 1
    assert words in capsys.readouterr().err and not (folder / "runs").exists()


class Stub:
    """A run that was tested on ``name``, who got these clips right."""

    def __init__(self, name: str, right: list[int]) -> None:
        self.config = type("Config", (), {"protocol": f"leave-out:{name}"})
        self.right = right

    def predictions(self, split: str):
        labels = np.zeros(len(self.right), int)
        scores = np.array([[1.0, 0] if right else [0, 1.0] for right in self.right])
        return type("Found", (), {"labels": labels, "scores": scores})


def test_the_interval_is_for_other_persons_where_persons_differ():
    # 30 of 40 clips: Wilson's is 60 to 86. One of four persons is always wrong, and of four drawn again all may be.
    *_, total = outcome.in_turn([Stub(name, [int(name != "d")] * 10) for name in "abcd"])
    assert (
        "30 of 40 clips are classified correctly, 75 % (95 % interval for other persons and clips 25 to 100)" in total
    )
    *_, total = outcome.in_turn([Stub(name, [1] * 10) for name in "abcd"])
    assert "100 % (95 % interval for other persons and clips 91 to 100)" in total


def test_wilsons_interval():
    # (k + z^2/2 -+ z sqrt(k (n-k)/n + z^2/4)) / (n + z^2), z = 1.96
    assert metrics.wilson([True] * 8 + [False] * 2) == pytest.approx((0.8, 0.490162, 0.943318), abs=1e-5)
    assert metrics.wilson([True] * 10) == pytest.approx((1.0, 0.722467, 1.0), abs=1e-5)
    with pytest.raises(ValueError, match="one or more values"):
        metrics.wilson([])
