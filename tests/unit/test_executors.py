"""Workers elsewhere: what is said, in one sentence, where SLURM or a scheduler is not there or doesn't want to.

SLURM's commands are small scripts here; a real one runs in tests/cluster."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from workbench.study.sweep import clusters, executors

pytest.importorskip("distributed")
pytest.importorskip("dask_jobqueue")


@pytest.fixture
def job(tmp_path) -> Path:
    path = tmp_path / "slurm.yaml"
    path.write_text("cores: 2\nmemory: 4GB\ninterface: lo\n")
    return path


def commands(folder: Path, monkeypatch, **scripts: str) -> None:
    """Programs called sbatch, squeue and scancel, first in PATH; those without a script do nothing."""
    (folder / "bin").mkdir()
    for name in clusters.COMMANDS:
        path = folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{scripts.get(name, 'exit 0')}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")


def start(**place: object) -> None:
    with executors.cluster(**place):
        raise AssertionError("it started")


def test_without_slurm_its_missing_command_is_named(job, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="^--slurm needs SLURM, whose command sbatch is not on this machine; start the"):
        start(slurm=job)


def test_a_job_that_slurm_refuses_is_told_in_its_words(job, monkeypatch, tmp_path):
    commands(tmp_path, monkeypatch, sbatch="echo 'sbatch: error: invalid account' >&2; exit 1")
    with pytest.raises(RuntimeError, match=r"^SLURM refused a job made from .*slurm.yaml: sbatch: error: invalid acc"):
        start(slurm=job)


def test_jobs_that_end_before_they_work_are_told_with_where_they_wrote(job, monkeypatch, tmp_path):
    commands(tmp_path, monkeypatch, sbatch="echo 'Submitted batch job 17'")
    with pytest.raises(RuntimeError, match=r"SLURM's jobs \(17\) ended before they could work; .* slurm-17.out$"):
        start(slurm=job)


def test_a_job_has_a_process_for_every_row_that_its_cores_have_threads_for(monkeypatch, tmp_path):
    path = tmp_path / "slurm.yaml"
    path.write_text("cores: 9\nmemory: 8GB\ninterface: lo\njob_script_prologue: [module load python]\n")
    commands(tmp_path, monkeypatch, sbatch="echo 'Submitted batch job 17'")
    for gpus, rows in ((None, 4), (2, 2)):
        with clusters.slurm(path, 1, 2, gpus) as made:
            script = made.job_script()
        assert f"--nworkers {rows} " in script and re.findall(r"--nthreads (\d+)", script)[-1] == "1"
        assert ("--resources GPU=1" in script) == (gpus is not None)
        places = [script.index(words) for words in ("export OMP_NUM_THREADS=2", "module load python", "--nworkers")]
        assert places == sorted(places)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", "should hold the arguments of dask_jobqueue.SLURMCluster"),
        ("", "should hold the arguments"),
        ("cores: 8", "doesn't say the memory of a job, such as memory: 32GB"),
        ("memory: 8GB", "doesn't say the cores of a job, such as cores: 8"),
        ("cores: two\nmemory: 8GB", "cores should be a whole number above 0, got 'two'"),
        ("cores: 0\nmemory: 8GB", "cores should be a whole number above 0, got 0"),
        ("cores: true\nmemory: 8GB", "cores should be a whole number above 0, got True"),
        ("cores: 2\nmemory: 8", "memory should have a unit, such as 32GB, got 8"),
        ("cores: 2\nmemory: much", "much"),
        ("cores: 2\nmemory: 8GB\njob_script_prologue: module load", "job_script_prologue should be a list of lines"),
        ("cores: 2\nmemory: 8GB\nworker_extra_args: {a: 1}", "worker_extra_args should be a list of lines"),
        ("cores: 2\nmemory: 8GB\nqueu: main", "queu"),
        ("cores: [2", "can't be read as YAML"),
        ("cores: !!python/object/apply:os.getcwd []", "can't be read as YAML"),
    ],
)
def test_faults_of_the_file_are_named(text, words, monkeypatch, tmp_path):
    path = tmp_path / "slurm.yaml"
    path.write_text(text)
    commands(tmp_path, monkeypatch)
    with pytest.raises(ValueError, match=f"^{path}") as told:
        start(slurm=path)
    assert words in str(told.value) and "\n" not in str(told.value)


def test_a_file_that_is_no_text_or_not_there_is_named(monkeypatch, tmp_path):
    path = tmp_path / "slurm.yaml"
    path.write_bytes(b"\xff\xfe\x00cores")
    with pytest.raises(ValueError, match=f"^{path} can't be read as YAML"):
        start(slurm=path)
    with pytest.raises(FileNotFoundError, match="nowhere.yaml"):
        start(slurm=tmp_path / "nowhere.yaml")


def test_a_scheduler_that_does_not_answer_is_told_in_time(monkeypatch):
    monkeypatch.setattr(clusters, "ANSWER", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes calls and never says a word
        port = silent.getsockname()[1]
        with pytest.raises(OSError, match=f"^no Dask scheduler answers at tcp://127.0.0.1:{port} within 0.5 s; start"):
            start(scheduler=f"tcp://127.0.0.1:{port}")
    with pytest.raises(OSError, match=f"^no Dask scheduler answers at 127.0.0.1:{port} within 0.5 s"):
        start(scheduler=f"127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["http://127.0.0.1:80", "tcp://", "tcp://host:port", "nowhere"])
def test_what_is_no_address_is_told(address, monkeypatch):
    monkeypatch.setattr(clusters, "ANSWER", 0.5)
    with pytest.raises((ValueError, OSError), match="scheduler") as told:
        start(scheduler=address)
    assert address in str(told.value) and "\n" not in str(told.value)


def test_people_are_told_that_no_worker_is_there_yet(capsys, monkeypatch):
    class Client:
        looks = 0

        def scheduler_info(self):
            self.looks += 1
            return {"workers": {"one": {}} if self.looks > 3 else {}}

    monkeypatch.setattr(clusters, "PATIENCE", 0)
    monkeypatch.setattr(clusters, "LOOK", 0.01)
    clusters.first_worker(Client(), "see squeue")
    assert capsys.readouterr().err.splitlines() == ["no worker after 0 s, waiting for the first: see squeue"]
