"""The words of a command: what reaches the function, and what is one sentence and exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.commands import app, main, parse

COMMANDS = [name for name in app if not name.startswith("-")]


def given_to(*words: str) -> dict:
    return parse(words)[1].arguments


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "a command is missing"),
        ("trian rgb", 'Did you mean "train"?'),
        ("train", "SYSTEM requires an argument"),
        ("train rgb vpn", "Unexpected words: ['vpn']"),
        ("train rgb --sed 1", "--sed. Did you mean --seed?"),
        ("train rgb --seed", "--seed requires an argument"),
        ("train rgb --seed 2.7", "--seed: '2.7' is not a whole number"),
        ("train rgb --seed 1 --seed 2", "--seed specified multiple times"),
        ("sweep a.yaml --row x", "--row. Did you mean --rows?"),
        ("sweep a.yaml --rows --seeds 1", "--rows requires at least 1 element"),
        ("sweep --rows x y", "FILES requires an argument"),
        ("sweep a.yaml --limit-minutes 1,5", '--limit-minutes: unable to convert "1,5"'),
        ("score truth found", "--rule requires an argument"),
        ("profile rgb --device tpu", 'Choose from: "cpu", "cuda"'),
        ("prepare clips.csv --poses a.csv --shards b", "--poses and --shards exclude each other"),
        ("doctor clips.csv --no-all", "--no-all. Did you mean --all?"),
    ],
)
def test_a_command_that_is_typed_wrongly_is_one_sentence(capsys, line, words):
    assert main(line.split()) == 2
    told = capsys.readouterr()
    assert told.err.startswith("workbench: ") and words in told.err and told.err.count("\n") == 1 and not told.out


def test_words_reach_the_function_in_any_order():
    first = given_to("train", "rgb", "--seed", "-1", "--set", "a=1", "b=[1, 2]", "--root", "x y", "--set=c={d: e=f}")
    other = given_to("train", "--root=x y", "--set", "a=1", "b=[1, 2]", "--set", "c={d: e=f}", "--seed=-1", "rgb")
    assert first == other
    assert (first["system"], first["seed"], first["root"]) == ("rgb", -1, "x y")
    assert first["pairs"] == ["a=1", "b=[1, 2]", "c={d: e=f}"]


def test_lists_take_several_words_and_add_up():
    sweep = given_to("sweep", "a.yaml", "b.yaml", "--rows", "x", "y", "--seeds", "2", "--rows", "z")
    assert ([str(path) for path in sweep["files"]], sweep["rows"]) == (["a.yaml", "b.yaml"], ["x", "y", "z"])
    assert given_to("score", "t", "f", "--rule", "pku", "--iou", "0.5", "-1e-3")["iou"] == [0.5, -0.001]
    assert given_to("train", "rgb", "--set")["pairs"] == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(min_size=1).filter(lambda word: not word.startswith("-")), min_size=1, max_size=4))
def test_set_reaches_the_function_as_it_is_typed(words):
    assert given_to("train", "rgb", "--set", *words)["pairs"] == words


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_is_explained(name):
    arguments = app[name].assemble_argument_collection(parse_docstring=True)
    assert [argument.name for argument in arguments if not argument.parameter.help] == []
    assert app[name].help


def test_help_loads_nothing_heavy():
    code = (
        "import json, sys; from workbench.commands import main; main(['train', '--help']); print();"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "cyclopts" in loaded and not {"torch", "numpy", "pandas", "cv2", "lightning", "pydantic"} & set(loaded)
