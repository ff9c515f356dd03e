"""The boundary of commands: what others got wrong is a sentence, what we did is a traceback."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open

from safefiles import reading
from tests.faults.damage import BOMB
from workbench import boundary
from workbench.commands import main, parse
from workbench.study.config.pairs import parse_pairs
from workbench.study.config.train_config import TrainConfig
from workbench.study.tables.table_file import read_table
from workbench.systems import build


def said(capsys, command) -> tuple[int, str]:
    code = boundary.run(command)
    return code, capsys.readouterr().err


def raises(problem: BaseException):
    def command() -> None:
        raise problem

    return command


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (OSError(errno.EACCES, "Permission denied", "/data/a.csv"), "/data/a.csv: Permission denied"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/data"), "/data: Is a directory"),
        (zipfile.BadZipFile("File is not a zip file"), "BadZipFile: File is not a zip file"),
        (zlib.error("Error -3 while decompressing"), "error: Error -3"),
        (SafetensorError("header too large"), "SafetensorError: header too large"),
        (yaml.YAMLError("found a tab"), "YAMLError: found a tab"),
        (sqlite3.DatabaseError("file is not a database"), "DatabaseError: file is not a database"),
        (json.JSONDecodeError("Expecting value", "", 0), "JSONDecodeError: Expecting value"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "UnicodeDecodeError: 'utf-8' codec"),
        (MemoryError("2 GiB"), "there is not enough memory"),
    ],
)
def test_what_files_and_libraries_raise_is_one_sentence(capsys, problem, words):
    code, told = said(capsys, raises(problem))
    assert code == 1 and words in told and len(told.splitlines()) == 1


@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, "No space left on device", "/runs/w.pt"),
                                     sqlite3.OperationalError("database or disk is full")])  # fmt: skip
def test_a_full_disk_says_what_is_safe_to_do(capsys, problem):
    code, told = said(capsys, raises(problem))
    assert code == 1 and "free some space, then start the same command again: what is finished is kept" in told


def test_our_own_sentences_are_told_and_our_faults_are_not_hidden(capsys):
    code, told = said(capsys, lambda: build("vnp", 3))
    assert code == 1 and told.startswith("workbench: unknown system 'vnp'") and len(told.splitlines()) == 1
    for fault in (
        lambda: np.zeros(2) + np.zeros(3),  # a ValueError of an expression
        lambda: int("x"),
        lambda: {}["missing"],
        lambda: [].append(1, 2),
        lambda: None.shape,
        raises(ValueError("raised by somebody else's code, as this test's")),
        raises(NotImplementedError()),
        raises(AssertionError()),
        raises(RecursionError("maximum recursion depth exceeded")),
    ):
        with pytest.raises(Exception) as problem:  # noqa: PT011
            boundary.run(fault)
        assert not isinstance(problem.value, SystemExit)
    assert capsys.readouterr().err == ""


def test_ctrl_c_is_one_line_and_130(capsys):
    code, told = said(capsys, raises(KeyboardInterrupt()))
    assert code == 130 and told == "workbench: stopped; what is finished is kept, the same command goes on\n"


SCRIPT = """
import sys, time
from workbench import boundary
from safefiles.workers import pool

def work():
    with pool(2) as processes:
        list(processes.map(abs, [1, 2]))
        print("ready", flush=True)
        list(processes.map(time.sleep, [1, 1]))
        time.sleep(60)

if __name__ == "__main__":
    sys.exit(boundary.run(work))
"""


def test_ctrl_c_ends_a_command_and_its_workers_with_one_line(tmp_path):
    """The whole group gets it, as from a terminal."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == "workbench: stopped; what is finished is kept, the same command goes on\n"


@pytest.mark.parametrize("command", [["train", "rgb", "--set", "epochs"], ["train", "rgb", "--set", "preset=[", "a=1"],
                                     ["synth", "x", "--set", "=3"], ["profile", "rgb", "--set", "a..b=1"]])  # fmt: skip
def test_wrong_syntax_of_set_is_wrong_usage(capsys, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "should read NAME=VALUE" in told and len(told.splitlines()) == 1 and not list(tmp_path.iterdir())


def test_set_may_be_given_several_times():
    words = ["train", "rgb", "--set", "preset.crop=frame", "--seed", "1", "--set", "preset=study"]
    _, given = parse(words)
    config = TrainConfig(system="rgb", **parse_pairs(given.arguments["pairs"]))
    assert config.numbers.cut.crop == "frame" and config.preset["base"] == "study"


@pytest.mark.parametrize("pairs", [["epochs=3", "epochs=4"], ["epochs=3", "epochs.a=4"], ["epochs.a=4", "epochs=3"],
                                   ["preset=tiny", "preset=study"], ["options.x=1", "options.x=true"]])  # fmt: skip
def test_pairs_that_contradict_each_other_are_told(pairs):
    with pytest.raises(boundary.Usage, match="contradicts another --set"):
        parse_pairs(pairs)


def test_a_set_and_its_parts_go_together_in_any_order():
    for pairs in (["options={a: 1}", "options.b=2"], ["options.b=2", "options={a: 1}"]):
        assert parse_pairs(pairs) == {"options": {"a": 1, "b": 2}}
    whole = ["preset={base: study, width: 0.5}", "preset.crop=frame", "preset.base=study"]
    assert (
        parse_pairs(whole) == parse_pairs(whole[::-1]) == {"preset": {"base": "study", "width": 0.5, "crop": "frame"}}
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "its aliases stand for more than"),
        ("a: &a [*a]", "its aliases stand for more than"),
        ("a: &a {b: 1}\n" + "".join(f"k{i}: &k{i} {{<<: [*a, *a]}}\n" for i in range(3)) + "a: 2", "names 'a' twice"),
        ("rows: []\nrows: []", "names 'rows' twice, line 1"),
        ("[" * 2000, "recursion"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: 2001-99-99", "month must be in"),
        ("!!int ''", "index out of range"),
    ],
)
def test_yaml_that_explodes_or_is_none_is_refused_soon(tmp_path, text, words):
    (tmp_path / "table.yaml").write_text(text)
    started = time.process_time()
    with pytest.raises(reading.Unreadable, match=words) as problem:
        read_table(tmp_path / "table.yaml")
    assert "table.yaml can't be read as YAML" in str(problem.value) and time.process_time() - started < 3


def test_yaml_with_as_many_aliases_as_tables_have_is_read():
    text = "a: &a {x: 1}\nb: &b [*a, *a, 2]\nc: {<<: *a, y: *b}"
    assert reading.parse_yaml(text) == yaml.safe_load(text)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab:-&*[]{}!<'\"#|> \n01", max_size=60))
def test_any_text_is_yaml_as_safe_load_reads_it_or_a_value_error(text):
    try:
        found = reading.parse_yaml(text)
    except ValueError:
        return
    assert found == yaml.safe_load(text)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"[1]", b'{"b": 1}', b"9" * 5000])
def test_json_is_what_is_asked_for_or_one_sentence(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(reading.Unreadable, match=r"a.json can't be read as JSON .+"):
        reading.read_json(tmp_path / "a.json", "a")


def test_what_is_no_file_is_told_from_nothing(tmp_path):
    assert not reading.present(tmp_path / "a")
    (tmp_path / "b").symlink_to(tmp_path / "gone")
    (tmp_path / "c").mkdir()
    os.mkfifo(tmp_path / "d")
    for name, words in (("b", "a link that leads nowhere"), ("c", "a folder"), ("d", "no file")):
        with pytest.raises(reading.Unreadable, match=f"{name} can't be read: it is {words}"):
            reading.present(tmp_path / name)


def test_reading_names_the_file_and_keeps_what_is_missing_apart(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    with (
        pytest.raises(reading.Unreadable, match=r"w.safetensors can't be read as weights \(.+\); train again"),
        reading.reading(tmp_path / "w.safetensors", "weights", "train again"),
    ):
        safe_open(tmp_path / "w.safetensors", "pt")
    with pytest.raises(FileNotFoundError), reading.reading("gone", "weights"):
        Path("gone").read_bytes()
