"""What the labs and an exercise expect of runs, measured with the networks that come with the workbench, on a few clips
of SynthADL."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from synthadl import world
from synthadl.actions import ACTIONS
from synthadl.plan import plan
from synthadl.settings import settle
from tests.unit.test_lessons import LABS, WORKED
from workbench import data, lessons
from workbench.commands.pages import READY_MADE
from workbench.explain import faithfulness, methods
from workbench.explain.reuse import Reuse
from workbench.nets import weights
from workbench.study.config.experiment import Experiment, resolve
from workbench.study.config.train_config import TrainConfig
from workbench.study.evaluate import exchanges
from workbench.study.runs.init_weights import initialise
from workbench.study.tables.table_file import read_table
from workbench.systems import System
from workbench.types import Batch

PROJECT = LABS[0].parents[2]
TABLE = read_table(PROJECT / READY_MADE)
#: Of every third action one clip; how often each is given another's poses.
STEP, DRAWS = 3, 8
RUNS = [name for name, question in lessons.QUESTIONS.items() if question.needs == "demo runs"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> data.Dataset:
    """Clips of a person whom no network that ships has seen."""
    root = tmp_path_factory.mktemp("world")
    table = plan("tiny")
    table = table[(table.split_cs == "test") & (table.label % STEP == 0)].drop_duplicates("label")
    table = table.assign(label=range(len(table))).reset_index(drop=True)
    settings = settle("tiny", "adl")
    world._claim(root, {"settings": settings.plain()})
    facts = [world._write((root, settings, "adl", 0, n, row))[1] for n, row in enumerate(table.to_dict("records"))]
    table = pd.concat([table.drop(columns=["repetition", "blocked"]), pd.DataFrame(facts)], axis=1)
    table.assign(handedness="right").to_parquet(root / "index.parquet", index=False)
    return data.open_dataset("synthadl", root, "cs", "test")


@pytest.fixture
def row(request) -> str:
    """A row of the table; skips, before anything is drawn, while its network is not there."""
    name = TABLE.row(request.param).parameters["init"][""]
    if name not in weights.SHIPPED:
        pytest.skip(f"{name} does not ship yet")
    return request.param


def ready_made(row: str) -> tuple[Experiment, System]:
    """A network of the table that needs no training."""
    config = TrainConfig(**TABLE.base, **TABLE.row(row).parameters)
    experiment = resolve(config, ACTIONS, "kinect_v2")
    system = experiment.build()
    initialise(system, config.init, config.runs)
    return experiment, system.eval()


def batches_of(clips: data.Dataset, experiment: Experiment, system: System, step: int = 1) -> list[Batch]:
    """A batch a clip, of every ``step``-th."""
    needs, chosen = system.needs_test | {"label"}, range(0, len(clips), step)
    return [data.sample(clips, i, experiment.one_window, needs=needs).batch.to("cpu") for i in chosen]


def changed(system: System, batches: list[Batch]) -> float:
    """The share of answers that another clip's poses change, over DRAWS draws of the other clip."""
    changes, ask, moved = [exchanges.pose_change(batches, seed) for seed in range(DRAWS)], Reuse(system), []
    with torch.no_grad():
        for batch in batches:
            own = ask(batch).logits.argmax()
            moved += [bool(ask(change(batch)).logits.argmax() != own) for change in changes]
            ask.forget()
    return float(np.mean(moved))


def one_map(system: System, batches: list[Batch]) -> float:
    """The loss of the best constant for the attention of these clips, as lab 2 computes it."""
    with torch.no_grad():
        maps = torch.cat([system(batch).maps["attention"] for batch in batches])
    return float(WORKED["best_constant"](maps.flatten(1)))


MEASURED = {"exchange": changed, "same_map": one_map}


def test_every_expectation_of_runs_is_measured():
    assert sorted(MEASURED) == sorted(RUNS)
    for name in RUNS:
        assert lessons.QUESTIONS[name].answer in lessons.QUESTIONS[name].choices


@pytest.mark.parametrize("row", ["vpn"], indirect=True)
@pytest.mark.parametrize("name", RUNS)
def test_an_expectation_holds_for_the_network_that_ships(name, row, request):
    experiment, system = ready_made(row)
    measured = MEASURED[name](system, batches_of(request.getfixturevalue("clips"), experiment, system))
    assert lessons.expected(name, measured) == lessons.QUESTIONS[name].answer, measured


@pytest.mark.parametrize("row", [row.id for row in TABLE.rows], indirect=True)
def test_what_ships_answers_these_clips(row, request):
    """Rightly ten times as often as guessing does, so that a lab shows what networks that have learnt do."""
    clips = request.getfixturevalue("clips")
    experiment, system = ready_made(row)
    with torch.no_grad():
        answers = [int(system(batch).logits[0].argmax()) for batch in batches_of(clips, experiment, system)]
    named = [ACTIONS[answer] == clips.classes[label] for answer, label in zip(answers, clips.labels, strict=True)]
    assert np.mean(named) > 10 / len(ACTIONS)


@pytest.mark.parametrize("row", ["vpn"], indirect=True)
def test_saliency_beats_the_baselines_and_attention_does_not(row, clips, monkeypatch):
    """Exercise 14 of notebooks/README.md, on a quarter of the clips."""
    monkeypatch.setattr(faithfulness, "DRAWS", 1)
    experiment, system = ready_made(row)
    tables = []
    for batch in batches_of(clips, experiment, system, step=4):
        maps = methods.explain(system, batch, ["attention", "saliency"])
        tables.append(faithfulness.curves(system, batch, maps, steps=3).areas().set_index("map"))
    difference = pd.concat(tables).groupby("map").difference.mean()
    insertion = pd.concat(tables).groupby("map").insertion.mean()
    assert insertion["uniform"] == insertion[list(faithfulness.BASELINES)].max()
    assert difference["saliency"] > difference["centre"] > difference["attention"] + 0.1
    assert abs(difference["uniform"]) < 1e-6 and abs(difference["random"]) < 0.1 < difference["centre"]
