"""Training that is killed, runs out of disk, diverges or meets damage: one clear sentence, and nothing is lost."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from safefiles import checksums, drafts
from tests.fixtures import fake_synthadl
from workbench.study import fit
from workbench.study.runs import find_runs, run_folder
from workbench.study.train import checkpoint, loop
from workbench.systems.baselines.pose_lstm import PoseLSTMClassifier
from workbench.systems.vpn.vpn import VPN

PRESET = {
    "base": "tiny",
    "batch_size": 3,
    "clip": [8, 32, 32],
    "output_stride": [4, 16, 16],
    "width": 0.125,
    "poses": 8,
}

# Trains; dies by SIGKILL in the given step, counted over the whole run, or while that checkpoint takes its place.
SCRIPT = """
import json, os, signal, sys
sys.modules["mlflow"] = None
import torch
from safefiles import drafts
from workbench.study import fit
from workbench.study.train import loop

torch.set_num_threads(1)
config, at, where = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
done = 0

def dying(inner, fatal):
    def call(*arguments):
        global done
        done += fatal(*arguments)
        if done == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(*arguments)
    return call

if where == "step":
    loop.Training._step = dying(loop.Training._step, lambda *arguments: 1)
if where == "write":
    drafts.os.replace = dying(os.replace, lambda source, target: "checkpoint.pt" in str(target))
fit(config)
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    return fake_synthadl(tmp_path_factory.mktemp("world"), actions=2, views=2, frames=12, size=(48, 64))


@pytest.fixture(autouse=True)
def no_store(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)


def configuration(world: Path, folder: Path, **changes) -> dict:
    shared = {"root": str(world), "runs": str(folder), "cache": None, "progress": False, "preset": PRESET, "epochs": 2}
    return {**shared, "evaluate": [], **changes}


def run_until_killed(config: dict, at: int, where: str) -> int:
    import json

    command = [sys.executable, "-c", SCRIPT, json.dumps(config), str(at), where]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], capture_output=True).returncode


def test_a_run_killed_in_a_step_and_in_a_write_ends_as_if_it_had_not_been(world, tmp_path):
    """Two stages of two epochs of two steps, dropout, augmentation, bf16 where the processor has it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = find_runs.open_run(fit(configuration(world, tmp_path / "whole", system="vpn")), tmp_path / "whole")
        config = configuration(world, tmp_path / "killed", system="vpn", checkpoint_steps=1)
        # In the middle of the first stage's second epoch, after the checkpoint of that epoch's first step.
        assert run_until_killed(config, at=4, where="step") == -signal.SIGKILL
        place = checkpoint.load(tmp_path / "killed" / whole.id / "checkpoint.pt")
        assert (place["place"]["stage"], place["place"]["epoch"], place["loader"]["position"]) == (0, 1, 1)
        # In the second stage, while a checkpoint takes the place of the one before.
        assert run_until_killed(config, at=4, where="write") == -signal.SIGKILL
        assert checkpoint.load(tmp_path / "killed" / whole.id / "checkpoint.pt")["place"]["stage"] == 1
        assert list((tmp_path / "killed" / whole.id).glob(".checkpoint*"))
        resumed = find_runs.open_run(fit(config), tmp_path / "killed")
    finally:
        torch.set_num_threads(threads)
    assert resumed.id == whole.id
    weights = [(run.folder / "weights.safetensors").read_bytes() for run in (whole, resumed)]
    assert weights[0] == weights[1]
    pd.testing.assert_frame_equal(whole.history.drop(columns="seconds"), resumed.history.drop(columns="seconds"))
    assert not list(resumed.folder.glob(".checkpoint*"))


def test_a_full_disk_is_one_sentence_and_the_old_checkpoint_stays(world, tmp_path, monkeypatch):
    config = configuration(world, tmp_path, system="pose_lstm")
    sync, written = os.fsync, []

    def full(handle: int) -> None:
        written.append(handle)
        if len(written) > 8:  # config, environment, the first epoch's checkpoint and its history, with their checksums
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(drafts.os, "fsync", full)
    with pytest.raises(
        OSError, match=r"(checkpoint.pt|checksums.json) can't be written: No space left.*one is kept; free some"
    ):
        fit(config)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    state = checkpoint.load(folder / "checkpoint.pt")
    assert state["place"]["epoch"] == 1 and not [path for path in folder.iterdir() if ".draft-" in path.name]
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "mlflow", None)
    run = find_runs.open_run(fit(config), tmp_path)
    assert run.finished and run.history["epoch"].tolist() == [1, 2]


def test_a_real_refusal_of_the_file_system_keeps_the_old_file(tmp_path):
    import resource

    path = tmp_path / "file"
    drafts.write(path, b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="file .*can't be written: File too large; the previous one is kept"):
            drafts.write(path, b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_divergence_names_stage_epoch_step_and_term(world, tmp_path, monkeypatch):
    loss, calls = VPN.loss, []

    def breaking(self, output, batch):
        terms = loss(self, output, batch)
        calls.append(self.training)
        return terms | {"embedding": terms["embedding"] * float("nan")} if sum(calls) == 4 else terms

    monkeypatch.setattr(VPN, "loss", breaking)
    words = r"diverged: loss term 'embedding' became nan in stage 'joint', epoch 2, step 2 at learning rate .*; lower"
    config = configuration(world, tmp_path, system="vpn", epochs={"backbone": 0, "joint": 3})
    with pytest.raises(RuntimeError, match=words):
        fit(config)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    state = checkpoint.load(folder / "checkpoint.pt")
    assert state["place"]["epoch"] == 1 and all(value.isfinite().all() for value in state["system"].values())


def test_an_infinite_gradient_stops_before_it_reaches_the_weights(world, tmp_path, monkeypatch):
    def steep(self, output, batch):
        # Finite loss, infinite slope.
        total = (output.logits - output.logits.detach()).abs().sqrt().sum()
        return {"total": total}

    monkeypatch.setattr(PoseLSTMClassifier, "loss", steep)
    with pytest.raises(RuntimeError, match="the gradient's norm became (nan|inf) in stage 'pose', epoch 1, step 1"):
        fit(configuration(world, tmp_path, system="pose_lstm"))


def test_a_damaged_checkpoint_is_named(world, tmp_path, monkeypatch):
    config = configuration(world, tmp_path, system="pose_lstm")
    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "_finish", lambda self: None)
        run = fit(config)
    path = tmp_path / run / "checkpoint.pt"
    assert path.is_file() and not run_folder.Run(run, tmp_path / run).finished
    path.write_bytes(path.read_bytes()[:500])
    (path.parent / checksums.NAME).rename(tmp_path / "kept")
    with pytest.raises(ValueError, match="checkpoint.pt can't be read as a checkpoint .*delete it"):
        fit(config)
    (tmp_path / "kept").rename(path.parent / checksums.NAME)
    with pytest.warns(UserWarning, match="checkpoint.pt is damaged .*: it is kept as checkpoint.damaged-.* made again"):
        assert find_runs.open_run(fit(config), tmp_path).finished


def test_an_unfinished_run_says_what_is_missing(world, tmp_path, monkeypatch):
    config = configuration(world, tmp_path, system="pose_lstm")
    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "_finish", lambda self: None)
        run = fit(config)
    with pytest.raises(RuntimeError, match="is not finished; call fit"):
        find_runs.open_run(run, tmp_path).system()
    with pytest.raises(FileNotFoundError, match="has no predictions for 'test'; make them with evaluate"):
        find_runs.open_run(run, tmp_path).predictions()


def test_skipped_clips_are_named_in_the_run(world, tmp_path):
    broken = tmp_path / "world"
    import shutil

    shutil.copytree(world, broken)
    name, other = sorted(run_folder.open_split(run_folder.parse({"system": "rgb", "root": str(broken)}), "train").ids)[
        :2
    ]
    for path in (broken / "videos" / f"{name}.mp4", broken / "videos" / f"{other}.mp4"):
        path.write_bytes(path.read_bytes()[:200])
    with (
        pytest.raises(RuntimeError, match=f"2 of 8 clips of synthadl cannot be read.*{name}"),
        pytest.warns(UserWarning),
    ):
        fit(configuration(broken, tmp_path / "runs", system="rgb"))


def test_nothing_is_unpickled_and_no_path_leads_out(tmp_path):
    import pickle

    (tmp_path / "evil.pt").write_bytes(pickle.dumps(os.getcwd, protocol=2))
    with pytest.raises(ValueError, match="evil.pt can't be read as a checkpoint"):
        checkpoint.load(tmp_path / "evil.pt")
    with pytest.raises(FileNotFoundError, match="has no run '../evil'"):
        find_runs.open_run("../evil", tmp_path)
