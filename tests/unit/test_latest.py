"""latest:<system> is the newest run of that system on the data at hand; runs on other data are named, never taken."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures import fake_synthadl
from workbench.commands import main
from workbench.data import open_dataset
from workbench.study import files, notebooks
from workbench.study.config.data_of import open_split
from workbench.study.config.experiment import resolve
from workbench.study.config.train_config import parse
from workbench.study.evaluate import alive
from workbench.study.runs import find_runs, init_weights, run_folder, run_identity, run_table


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """Two worlds, one and two, and an empty store; nothing is trained."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))
    monkeypatch.chdir(tmp_path)
    for name, actions in (("one", 2), ("two", 3)):
        fake_synthadl(tmp_path / name, actions=actions, subjects=4, views=1, frames=8, size=(48, 64))
    return tmp_path


def run(system: str, root: str, age: int, **changes) -> run_folder.Run:
    """A finished run that was finished ``age`` seconds ago, as ``fit`` leaves its facts."""
    config = parse({"system": system, "root": root, **changes})
    parts = open_split(config, "train"), open_split(config, "validation")
    asked = resolve(config.resolved(parts[0].protocol, len(parts[0])))
    made = run_identity.run_of(asked, *parts)
    run_identity.create(made, asked, *parts, None)
    weights = made.folder / "weights.safetensors"
    weights.write_bytes(b"")
    os.utime(weights, (1e9 - age, 1e9 - age))
    return made


def test_the_newest_on_the_data_at_hand(place):
    old, new, other = run("rgb", "one", 9, seed=1), run("rgb", "one", 5), run("rgb", "two", 1)
    assert find_runs.open_run("latest:rgb").id == other.id, "without data, the newest of all"
    assert find_runs.open_run("latest:rgb", data="one").id == new.id
    assert (
        find_runs.open_run("latest:rgb", data=place / "two").id
        == other.id
        == find_runs.latest(data=other, system="rgb").id
    )
    assert find_runs.latest(data="one", system="rgb", seed=1).id == old.id
    assert find_runs.open_run(other.id, data="one").id == other.id, "an id is an id"


def test_a_copy_is_the_same_data_and_a_corrected_label_is_not(place):
    first = run("rgb", "one", 5)
    shutil.copytree("one", "copied")
    assert find_runs.open_run("latest:rgb", data="copied").id == first.id
    table = pd.read_parquet("copied/index.parquet")
    table.loc[table["split_cs"] == "train", ["label", "action"]] = [1, "action 1"]
    table.to_parquet("copied/index.parquet")
    with pytest.raises(FileNotFoundError, match=f"on {place}/copied, only on other data .{first.id} of {place}/one.;"):
        find_runs.open_run("latest:rgb", data="copied")
    shutil.copy("copied/index.parquet", "one/index.parquet")
    with pytest.raises(FileNotFoundError, match=r"which has changed since or was parted by another protocol\); train"):
        find_runs.open_run("latest:rgb", data="one")


def test_runs_on_other_data_are_named_with_the_command_that_trains_one(place):
    other = run("vpn", "two", 1)
    with pytest.raises(FileNotFoundError) as caught:
        find_runs.open_run("latest:vpn", data="one")
    assert str(caught.value) == (
        f"{place}/runs has no finished run with system='vpn' on {place}/one, only on other data "
        f"({other.id} of {place}/two); train one with `python -m workbench train vpn --root one`"
    )
    with pytest.raises(FileNotFoundError, match=f"no SynthADL world in {place}/gone .*synth gone`"):
        find_runs.open_run("latest:vpn", data="gone")
    with pytest.raises(ValueError, match="unknown system 'vpnn'; known: "):
        find_runs.open_run("latest:vpnn")


def test_the_command_has_what_the_data_need(place):
    """Videos without poses are read whole, and another protocol or store is named."""
    table = open_dataset(root="one", split="all").table
    rows = table[["video", "subject"]].assign(label="walk").reset_index(drop=True)
    rows["split"] = ["train", "validation", "test", "train", *["train"] * (len(rows) - 4)][: len(rows)]
    rows["video"] = [os.path.relpath(path, place / "one") for path in rows["video"]]
    rows.to_csv("one/clips.csv", index=False)
    run("rgb", "two", 1, runs="store")
    with pytest.raises(FileNotFoundError, match="train rgb --root one/clips.csv --runs store --set preset.crop=frame`"):
        find_runs.open_run("latest:rgb", "store", data="one/clips.csv")
    by_view = run("rgb", "two", 1, runs="store", protocol="cv")
    with pytest.raises(FileNotFoundError, match="train vpn --root two --runs store --set protocol=cv`"):
        find_runs.open_run("latest:vpn", "store", data=by_view)


def test_two_runs_are_the_newest_pair_on_the_same_data(place):
    """After a run on videos of one's own, what a notebook compares is still what can be compared."""
    rgb, vpn = run("rgb", "one", 9), run("vpn", "one", 8)
    own = run("rgb", "two", 1)
    assert find_runs.open_together(["latest:rgb", "latest:vpn"]) == [rgb, vpn]
    assert find_runs.open_together(["latest:rgb", "latest:vpn"], data="one") == [rgb, vpn]
    with pytest.raises(FileNotFoundError, match=f"system='vpn' on {place}/two, only on other data .{vpn.id} of"):
        find_runs.open_together(["latest:rgb", "latest:vpn"], data="two")
    with pytest.raises(FileNotFoundError, match=f"system='vpn' on the data of {own.id}, only on other data"):
        find_runs.open_together([own.id, "latest:vpn"])
    assert find_runs.open_together(["latest:rgb", vpn.id]) == [rgb, vpn]
    with pytest.raises(FileNotFoundError, match="with system='agcn'; train one with .* train agcn --root two`"):
        find_runs.open_together(["latest:rgb", "latest:agcn"])
    with pytest.raises(FileNotFoundError, match="no finished run with system='agcn'; train one with `.* train agcn`"):
        find_runs.open_together(["latest:agcn", "latest:rgb"])
    assert list(run_table.recent("runs", rgb)["id"]) == [rgb.id, vpn.id]
    learnt = [[one.learnt_from(data) for one in (rgb, vpn, own)] for data in ("one", "two")]
    assert learnt == [[True, True, False], [False, False, True]]


def test_notebooks_are_about_the_data_they_are_told(place, capsys):
    rgb, own = run("rgb", "one", 9), run("rgb", "two", 1)
    assert notebooks.open_runs(notebooks.GradCam())[0].id == own.id
    assert capsys.readouterr().out == f"{own.id}, trained on {place}/two\n"
    assert notebooks.open_runs(notebooks.GradCam(root="one"))[0].id == rgb.id
    with pytest.raises(FileNotFoundError, match="system='vpn'; train one with .*train vpn --root two`"):
        notebooks.open_runs(notebooks.Confusion())


def test_commands_are_about_the_data_they_are_told(place, capsys):
    other = run("vpn", "two", 1)
    assert main(["sensitivity", "latest:vpn", "--root", "one"]) == 1
    said = capsys.readouterr().err
    assert f"only on other data ({other.id} of {place}/two)" in said and len(said.splitlines()) == 1
    assert alive.line("vpn", data="one").startswith(
        f"is vpn alive? {place}/runs has no finished run with system='vpn' "
    )
    assert alive.line("vpn", data="two").startswith(f"is vpn alive? {other.id}: ")


def test_weights_to_start_from_are_those_of_the_newest_run_on_the_same_data(place):
    rgb = run("rgb", "one", 9)
    run("rgb", "two", 1)
    assert init_weights.spelt("latest:rgb", "runs", "one") == rgb.id
    assert init_weights.spelt("latest:rgb:backbone", "runs", "one") == f"{rgb.id}:backbone"
    assert init_weights.spelt("i3d_synthadl_p", "runs", "one") == "i3d_synthadl_p"
    facts = files.read_json(rgb.folder / "config.json")
    del facts["data"]["train"]  # an old run, known by where its data were
    files.write_json(rgb.folder / "config.json", facts)
    assert init_weights.spelt("latest:rgb", "runs", "one") == rgb.id


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["rgb", "vpn"]), st.sampled_from("abc")), min_size=1, max_size=6))
def test_a_pair_is_always_of_one_data_set(history):
    """Of any history of runs: the newest first run for which there is a second on the same data."""
    made = [FakeRun(system, data, age) for age, (system, data) in enumerate(history)]
    expected = next(
        ([a, b] for a in made if a.system == "rgb" for b in made if (b.system, b.data) == ("vpn", a.data)), None
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(find_runs, "newest", lambda root, system: [one for one in made if one.system == system])
        patch.setattr(find_runs, "latest", lambda root, data=None, system=None: first_of(made, system, data))
        if expected is None:
            with pytest.raises(FileNotFoundError):
                find_runs.open_together(["latest:rgb", "latest:vpn"])
        else:
            assert find_runs.open_together(["latest:rgb", "latest:vpn"]) == expected


class FakeRun:
    def __init__(self, system: str, data: str, age: int) -> None:
        self.system, self.data, self.age = system, data, age

    def about_the_same(self, other: FakeRun) -> bool:
        return self.data == other.data


def first_of(made: list[FakeRun], system: str, data: FakeRun | None) -> FakeRun:
    for one in made:
        if one.system == system and (data is None or one.data == data.data):
            return one
    raise FileNotFoundError("none")


def test_the_run_that_depends_most_on_poses_is_measured(monkeypatch):
    """Of runs on the same data: one that reads nothing else, then those that another clip's poses change most."""

    class Fake(SimpleNamespace):
        __hash__ = object.__hash__

    def made(system: str, changed: float | None = None, same: bool = True) -> Fake:
        alive = {} if changed is None else {"exchanges": {"shuffled_pose": {"changed": {"value": changed}}}}
        about = {"about_the_same": lambda run: same, "metrics": {"test": {"alive": alive}}}
        return Fake(config=SimpleNamespace(system=system), **about)

    def chosen(*runs: Fake) -> Fake:
        monkeypatch.setattr(find_runs, "newest", lambda root: list(runs))
        return find_runs.by_pose("runs", runs[0])

    rgb, idle, alive = made("rgb"), made("vpn", 0.0), made("vpn", 0.3)
    lstm, elsewhere = made("pose_lstm"), made("pose_lstm", same=False)
    assert chosen(rgb, idle, alive, elsewhere) is alive
    assert chosen(rgb, alive, lstm) is lstm
    assert chosen(rgb, elsewhere) is rgb
    newer = made("separable_sta")
    assert chosen(rgb, newer, idle) is newer
