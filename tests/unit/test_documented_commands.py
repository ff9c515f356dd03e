"""The commands of docs/data.md for public sets: each is one that the program takes, and those of sets without poses run
on drawn copies of their layouts, shortened in epochs and sizes only."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.videos import encode, numbered
from workbench.commands import main, parse
from workbench.data.catalog import SOURCES, UNTRIMMED
from workbench.data.sources import official
from workbench.study.config.pairs import parse_pairs
from workbench.study.config.train_config import TrainConfig

DOCUMENT = Path(__file__).parents[2] / "docs" / "data.md"
COMMANDS = re.findall(r"`(train \w+ --data [^`]+)`", DOCUMENT.read_text())
SHORT = ["preset=tiny", "preset.clip=[8,32,32]", "preset.width=0.125", "epochs=1", "evaluate=[]", "cache=null"]


@pytest.fixture(autouse=True)
def _folders(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("line", COMMANDS)
def test_each_line_is_a_command_of_the_program(line):
    given = parse(shlex.split(line))[1].arguments
    assert given["data"] in {**SOURCES, **UNTRIMMED} and given["root"] == "ROOT"
    where = {"dataset": given["data"], "root": given["root"]}
    config = TrainConfig(system=given["system"], **where, **parse_pairs(given["pairs"]))
    assert config.numbers.cut.crop == ("frame" if "preset.crop=frame" in line else "person")


def ucf101(root: Path) -> None:
    names = [f"UCF-101/{c}/v_{c}_g{g:02d}_c01.avi" for c in ("YoYo", "Archery") for g in (1, 2, 8, 9)]
    draw(root, names)


def hmdb51(root: Path) -> None:
    draw(root, [f"{label}/{label}{n}.avi" for label in ("wave", "walk") for n in range(4)])
    (root / "testTrainMulti_7030_splits").mkdir()
    for label in ("wave", "walk"):
        parts = "".join(f"{label}{n}.avi {1 if n < 2 else 2} \n" for n in range(4))
        (root / f"testTrainMulti_7030_splits/{label}_test_split1.txt").write_text(parts)


def kinetics400(root: Path) -> None:
    clips = [f"abcdefghij{n}_000010_000020" for n in range(4)]
    draw(root, [f"{name}.mp4" for name in clips])
    for part, rows in (("train", (0, 1)), ("val", (2, 3))):
        lines = [f"{label},abcdefghij{n},10,20,{part}" for n, label in zip(rows, ("archery", "yoga"), strict=True)]
        (root / f"{part}.csv").write_text("\n".join(["label,youtube_id,time_start,time_end,split", *lines]))


def draw(root: Path, names: list[str]) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        encode(root / name, numbered(10), codec="mpeg4")


@pytest.mark.parametrize("make", [ucf101, hmdb51, kinetics400], ids=lambda make: make.__name__)
def test_lines_of_sets_without_poses_run_as_written(tmp_path, make):
    root = tmp_path / "ROOT"
    root.mkdir()
    make(root)
    (line,) = [line for line in COMMANDS if f"--data {make.__name__} " in line]
    assert main([*shlex.split(line), *SHORT]) == 0
    assert list((tmp_path / "runs").glob("rgb-*/weights.safetensors"))


def test_what_is_missing_is_named_with_where_it_was_looked_for_and_the_way_out(tmp_path, capsys):
    (tmp_path / "mine" / "walk").mkdir(parents=True)
    encode(tmp_path / "mine" / "walk" / "a.mp4", numbered(4))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "clips.csv").write_text("video,label\n")
    (tmp_path / "x.txt").write_text("")
    for command, words in (
        (
            "train rgb --root mine",
            f"{tmp_path}/mine holds no SynthADL world but videos: `python -m workbench wizard mine`",
        ),
        ("doctor mine", "`python -m workbench wizard mine`"),
        ("train rgb --root other", "give the manifest itself, --root other/clips.csv"),
        ("train rgb --root x.txt", "x.txt is neither a folder nor a manifest"),
        ("train rgb --root gone", f"no SynthADL world in {tmp_path}/gone"),
        ("train rgb --root gone", "`python -m workbench synth gone`"),
        ("train detector --root gone", "`python -m workbench synth gone --world untrimmed`"),
        (
            "train rgb --data ucf101",
            f"no folder at {tmp_path}/data/ucf101, where ucf101 was looked for; --root names it",
        ),
        ("score gone found --rule pku", f"there is no file or folder of annotations at {tmp_path}/gone"),
        (
            "train rgb --data ucf101 --root mine",
            "--root names the folder of ucf101, and expected in it are UCF-101/<Class>/*.avi and ucfTrainTestlist/",
        ),
        ("score mine x.txt --rule thumos", f"{tmp_path}/mine has no file of annotations that ends in _test.txt"),
        ("sweep gone.yaml", f"there is no table file at {tmp_path}/gone.yaml"),
        ("profile gone.yaml", f"there is no table file at {tmp_path}/gone.yaml"),
    ):
        assert main(shlex.split(command)) == 1
        said = capsys.readouterr().err
        assert words in said and len(said.strip().splitlines()) == 1, (command, said)
    assert set(official.LAYOUTS) == set(SOURCES) - {"synthadl", "manifest", "shards", "pyskl"}


def test_what_cannot_be_trained_leaves_no_run_behind(tmp_path, capsys):
    """Neither stages that the system lacks, nor crops around people of videos without poses."""
    (tmp_path / "clips").mkdir()
    rows = ["video,label,subject,split"]
    for name, label, part in (("ann", "drink", "train"), ("bob", "drink", "test"), ("eve", "drink", "train")):
        encode(tmp_path / f"clips/{name}_{label}.mp4", numbered(6))
        rows.append(f"clips/{name}_{label}.mp4,{label},{name},{part}")
    encode(tmp_path / "clips/joe_wave.mp4", numbered(6))
    (tmp_path / "clips.csv").write_text("\n".join([*rows, "clips/joe_wave.mp4,wave,joe,validation"]))
    for pairs, words in (
        ("preset.crop=frame epochs.joints=10", "rgb has no stage 'joints'; its stages: backbone"),
        ("epochs=1", "use crop='frame' (--set preset.crop=frame)"),
    ):
        assert main(shlex.split(f"train rgb --root clips.csv --set {pairs}")) == 1
        assert words in capsys.readouterr().err and not (tmp_path / "runs").exists()
    given = ["protocol=leave-out:bob", "preset.crop=frame", *SHORT]
    assert main(["train", "rgb", "--root", "clips.csv", "--set", *given]) == 0
    assert list((tmp_path / "runs").glob("rgb-leave-out-bob-s0-*/weights.safetensors"))


def test_what_is_written_besides_is_said(capsys):
    for command, words in (
        ("sweep", "numbers and configurations into the folder study/ beside it"),
        ("synth", "videos of 60 to 180 s"),
    ):
        assert main([command, "--help"]) == 0
        assert words in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_a_detector_opens_a_manifest_and_a_pickle_is_one_of_pyskl():
    assert TrainConfig(system="detector", root="m.csv").dataset == "manifest"
    assert TrainConfig(system="detector", root="folder").dataset == "synthadl_u"
    assert TrainConfig(system="agcn", root="set.pkl").dataset == "pyskl"


def test_a_preset_and_a_part_of_it_go_together_in_any_order():
    for pairs in (["preset=tiny", "preset.crop=frame"], ["preset.crop=frame", "preset=tiny"]):
        assert parse_pairs(pairs) == {"preset": {"base": "tiny", "crop": "frame"}}
    with pytest.raises(ValueError, match="'options.x.y=2' contradicts another --set, which says that options.x is 1"):
        parse_pairs(["options.x=1", "options.x.y=2"])
