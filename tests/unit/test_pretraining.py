"""Weights that ship: made by one command, small, and tied by their cards to the world that they were made from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from synthadl.actions import PRETRAIN_ACTIONS
from synthadl.plan import plan
from synthadl.settings import WORLDS
from synthadl.world import VERSIONS
from tests.fixtures import fake_synthadl
from workbench.nets import I3D, weights
from workbench.nets.weights import PRETRAINED, SHIPPED, card_of
from workbench.study.config.experiment import resolve
from workbench.study.config.train_config import TrainConfig
from workbench.study.runs import init_weights
from workbench.study.runs.find_runs import finished, open_run
from workbench.study.runs.run_folder import Run
from workbench.study.train import pretraining
from workbench.study.train.fit import fit
from workbench.study.train.pretraining import LARGEST, RECIPES, pretrain

FEW = {"actions": ["lift_cup", "nod"], "subjects": 12, "repetitions": 1, "setups": 3, "fps": 12.5}
FEW |= {"resolution": (64, 48)}
#: What the world's present version is: a change of it is another version.
PRINTS = {3: "840719e75ea2205e"}


def card(path: Path) -> dict:
    return json.loads(card_of(path).read_text())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The LSTM's weights of a world of 24 clips, after one epoch."""
    root = tmp_path_factory.mktemp("made")
    where = {"size": FEW, "workers": 1, "names": ["lstm_synthadl_p"], "runs": root / "runs", "epochs": 1}
    return root, where, pretrain(root / "world", out=root / "out", command="the command", **where)["lstm_synthadl_p"]


def test_the_world_has_a_new_version_where_it_has_changed():
    text = "\n".join(PRETRAIN_ACTIONS) + plan("look", "pretrain").to_csv(index=False)
    assert {VERSIONS["pretrain"]: hashlib.sha256(text.encode()).hexdigest()[:16]} == PRINTS


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_are_those_of_their_card(name):
    path, facts = SHIPPED[name], card(SHIPPED[name])
    assert facts["weights"] == path.name and facts["bytes"] == path.stat().st_size <= LARGEST
    assert facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    words = (facts["command"] or "").split()
    assert not any(word.startswith(("/", "~")) for word in words), "a command that others can type"


def test_what_ships_is_made_by_a_recipe_or_is_where_one_starts():
    inits = [recipe.changes.get("init", {}) for recipe in RECIPES.values()]
    starts = {source.partition(":")[0] for init in inits for source in init.values()}
    assert set(SHIPPED) <= set(RECIPES) | starts and "i3d_synthadl_p" in SHIPPED


@pytest.mark.parametrize("name", sorted(set(SHIPPED) & set(RECIPES)))
def test_shipped_weights_are_of_the_present_world(name):
    facts = card(SHIPPED[name])
    assert facts["system"] == RECIPES[name].system and facts["module"] == RECIPES[name].module
    world = RECIPES[name].world
    assert facts["data"]["version"] == VERSIONS[world] and facts["data"]["classes"] == list(WORLDS[world])
    assert facts["held_out"]["top1"] > 10 * facts["held_out"]["chance"]


def test_the_card_says_how_the_weights_were_made(made):
    root, _, path = made
    facts = card(path)
    assert facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() and facts["bytes"] == path.stat().st_size
    data = facts["data"]
    assert (data["world"], data["version"], data["seed"]) == ("pretrain", VERSIONS["pretrain"], 0)
    assert data["clips"] == {"train": 20, "validation": 2, "test": 2} and data["classes"] == FEW["actions"]
    assert facts["command"] == "the command" and facts["epochs"] == 1 and facts["seconds"] >= 0
    assert facts["machine"] and "threads" in facts["machine"]
    held_out = facts["held_out"]
    assert held_out["clips"] == 2 and held_out["chance"] == 0.5
    assert 0 <= held_out["top1_low"] <= held_out["top1"] <= held_out["top1_high"] <= 1
    (run,) = finished(root / "runs")
    assert facts["run"] == run.id
    kept = load_file(path)
    for name, tensor in run.system().pose_backbone.state_dict().items():
        assert torch.equal(kept[name], tensor)


def test_a_release_folder_has_weights_and_cards_only(made):
    for folder, names in ((made[2].parent, ["lstm_synthadl_p"]), (PRETRAINED, SHIPPED)):
        wanted = {f"{name}.{ending}" for name in names for ending in ("json", "safetensors")}
        assert {path.name for path in folder.iterdir()} == wanted


def test_a_second_command_makes_the_same_and_trains_nothing(made):
    root, where, path = made
    before = path.read_bytes(), card(path)
    path.unlink()
    (run,) = finished(root / "runs")
    trained = (run.folder / "weights.safetensors").stat().st_mtime_ns
    pretrain(root / "world", out=root / "out", command="the command", **where)
    assert (path.read_bytes(), card(path)) == before
    assert (run.folder / "weights.safetensors").stat().st_mtime_ns == trained


def test_a_source_names_a_file_and_a_module_of_it(made, tmp_path):
    _, _, path = made
    assert weights.file_of("i3d_synthadl_p") == (SHIPPED["i3d_synthadl_p"], "")
    assert weights.file_of("i3d_synthadl_p:Mixed_3b") == (SHIPPED["i3d_synthadl_p"], "Mixed_3b")
    assert weights.file_of(str(path)) == (path, "") and weights.file_of(f"{path}:lstm.0") == (path, "lstm.0")
    assert weights.file_of("rgb-cs-s0-12345678:backbone") is None and weights.file_of(":backbone") is None
    network, block = I3D(width=0.25), I3D(width=0.25).Mixed_3b
    init_weights.initialise(nn.ModuleDict({"block": block}), {"block": "i3d_synthadl_p:Mixed_3b"}, "runs")
    weights.load(network, SHIPPED["i3d_synthadl_p"])
    assert all(torch.equal(value, block.state_dict()[name]) for name, value in network.Mixed_3b.state_dict().items())


def test_a_system_of_other_classes_starts_from_them(made):
    _, _, path = made
    start = TrainConfig(system="pose_lstm", preset="study", init={"pose_backbone": str(path)})
    system = resolve(start, ["one", "two"], "kinect_v2").build()
    init_weights.initialise(system, start.init, start.runs)
    for name, tensor in load_file(path).items():
        assert torch.equal(system.pose_backbone.state_dict()[name], tensor)


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_is_a_run_whose_module_a_release_can_carry(name, tmp_path):
    wanted, classes = pretraining.config(name, tmp_path), list(WORLDS[RECIPES[name].world])
    assert wanted.epochs == RECIPES[name].epochs and wanted.numbers.width == 0.25
    module = pretraining.kept(name, resolve(wanted, classes, "kinect_v2").build())
    assert sum(tensor.nbytes for tensor in module.state_dict().values()) < LARGEST
    file = weights.save(module, tmp_path / "all.safetensors")
    other = pretraining.kept(name, resolve(wanted, ["one", "two"], "kinect_v2").build())
    report = weights.load(other, file)
    assert len(report.reshaped) <= 2 and not report.missing, "its classifier alone is of other classes"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"names": ["i3d"]},
            "unknown weights 'i3d' of the world 'pretrain'; known: i3d_synthadl_p, agcn_synthadl_p, l",
        ),
        (
            {"names": ["lstm_synthadl_p"], "world": "adl"},
            "unknown weights 'lstm_synthadl_p' of the world 'adl'; known: p",
        ),
        ({"world": "adl"}, r"weights of a try \(size=tiny\) don't take the place of those that ship; say --out FOLDER"),
        ({"size": "look"}, r"weights of a try \(size=look\) don't take the place of those that ship; say --out FOLDER"),
        ({"epochs": 1}, r"weights of a try \(epochs=1\)"),
        ({"epochs": 1, "limit": 20}, r"weights of a try \(epochs=1, limit=20\)"),
    ],
)
def test_a_try_does_not_take_the_place_of_what_ships(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        pretrain(tmp_path / "world", **changes)
    assert not list(tmp_path.iterdir())


def test_what_a_release_can_not_carry_is_refused(made, monkeypatch):
    root, _, path = made
    monkeypatch.setattr(pretraining, "LARGEST", 1_000)
    (run,) = finished(root / "runs")
    with pytest.raises(ValueError, match=r"lstm_synthadl_p has \d\.\d MB, more than the 0.001 that a release carries"):
        pretraining.export("lstm_synthadl_p", run, root / "elsewhere", "")
    assert not (root / "elsewhere").exists()


def test_a_network_is_ready_made_for_its_own_classes_alone(tmp_path, monkeypatch):
    world = fake_synthadl(tmp_path / "world", actions=2, views=2, frames=12, size=(48, 64))
    where = {"root": str(world), "runs": str(tmp_path / "runs"), "cache": None, "progress": False}
    run = open_run(
        fit({"system": "pose_lstm", "preset": "study", "init": {"": "pose_lstm_synthadl"}, "epochs": 0, **where}),
        tmp_path / "runs",
    )
    assert run.history.empty and run.ready_made is None, "its classifier is of other actions"
    monkeypatch.setattr(Run, "classes", card(SHIPPED["pose_lstm_synthadl"])["data"]["classes"])
    assert run.ready_made == SHIPPED["pose_lstm_synthadl"]
