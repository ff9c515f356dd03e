"""Every command line of the documents, in their order, in one fresh folder; shortened in epochs and limits only.

What a line begins with decides how it is tried: a command of the workbench runs in this process, as the shell would
split its line; what takes minutes even when shortened is only parsed, or asked whether it would run (see ``DRY``).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.detection_fixtures import fake_synthadl_u
from tests.fixtures import estimated, fake_synthadl
from tests.videos import encode, numbered
from workbench.commands import main, parse
from workbench.media.estimation import pose_estimation
from workbench.study import fit, notebooks
from workbench.study.config.pairs import parse_pairs
from workbench.study.config.train_config import TrainConfig
from workbench.study.notebooks import execution
from workbench.study.runs.find_runs import open_together
from workbench.study.tables.table_file import read_table

PROJECT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.md",
    "notebooks/README.md",
    "docs/start.md",
    "docs/bench.md",
    "docs/cluster.md",
    "docs/data.md",
    "docs/howto/own_videos.md",
    "docs/howto/training.md",
    "docs/howto/tables.md",
    "docs/howto/long_videos.md",
    "docs/howto/world.md",
    "docs/mechanisms.md",
    "docs/results_version_1.md",
    "docs/systems.md",
    "data/README.md",
]
FIRST = r"(?:python -m|papermill|make|mlflow|pip install|train \w+ --data|\. \.venv)"
ACTIVATE = ". .venv/bin/activate"
#: Lines in the place of make, before anything is activated.
INSTALLS = ("python -m venv", ".venv/bin/python")
#: What is not run even shortened, by what its line begins with, and why.
DRY = {
    "make": "installs, trains or tests for minutes: make says that there is something to do",
    "mlflow": "serves until it is stopped: the program is there",
    "pip": "needs the network: the extra is one of the project's",
    "papermill": "starts a kernel: parameters are checked and the runs found; one line runs in a real shell",
    "synth": "draws hundreds of videos: parsed; the worlds are small ones of the tests",
    "dask": "serves until it is stopped: the program is there",
    "torchrun": "starts processes that meet (tests/cluster runs it): the program is there, the rest is parsed",
    "pretrain": "draws thousands of videos and trains on them for hours: parsed",
    "sweep": "starts processes that train each row: parsed, and its table is read",
}
#: Names in the place of what a reader has.
PLACES = {"FOLDER": "packed", "DATASET": "data/synthadl/tiny", "ROOT": "ROOT"}

#: One process: the lines see what those before them left. A busy machine needs many times the minute of a free one.
pytestmark = [pytest.mark.xdist_group("documents"), pytest.mark.timeout(900)]


def commands(document: str) -> list[str]:
    """The command lines of a document in order: in blocks of bash, indented, or between back ticks."""
    text = (PROJECT / document).read_text()
    blocks = re.finditer(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    found = [(block.start(1) + at, line) for block in blocks for at, line in enumerate(block[1].splitlines()) if line]
    rest = re.sub(r"^```.*?^```", lambda block: " " * len(block[0]), text, flags=re.MULTILINE | re.DOTALL)
    found += [(line.start(), line[1]) for line in re.finditer(rf"^ {{4}}({FIRST} .*)$", rest, re.MULTILINE)]
    found += [(span.start(), " ".join(span[1].split())) for span in re.finditer(rf"`({FIRST}[^`]+)`", rest)]
    return [line for _, line in sorted(found) if line != "python -m workbench"]


LINES = [(document, line) for document in DOCUMENTS for line in commands(document)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A fresh folder of the project after ``make demo``, small: two worlds, three runs, and what a reader brings."""
    place, before = tmp_path_factory.mktemp("project"), Path.cwd()
    shutil.copytree(PROJECT / "notebooks", place / "notebooks")
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(PROJECT / name, place / name)
    (place / ".venv").symlink_to(sys.prefix)
    fake_synthadl(place / "data/synthadl/tiny", actions=2, subjects=6, views=1, frames=16)
    fake_synthadl_u(place / "data/synthadl/untrimmed", actions=2, subjects=4, views=1, frames=100)
    for label in ("walk", "wave"):
        (place / "my_videos" / label).mkdir(parents=True)
        for name in ("ann", "bob", "eve", "joe"):
            encode(place / f"my_videos/{label}/{name}_{label}.mp4", numbered(12))
    (place / "annotations").mkdir()
    (place / "annotations/detclasslist.txt").write_text("7 Diving\n")
    (place / "annotations/Diving_test.txt").write_text("video_test_0000001 1.0 5.0\n")
    (place / "detections.txt").write_text("video_test_0000001 1.0 5.0 7 0.9\n")
    (place / "ROOT").mkdir()
    os.chdir(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_CACHE", str(place / "records"))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setattr(pose_estimation, "estimate_all", estimated)  # MediaPipe has an environment of its own
        for system in ("rgb", "vpn"):
            fit({"system": system, "root": "data/synthadl/tiny", "epochs": 1, "limit": 4, "progress": False})
        yield place
    os.chdir(before)


def shortened(words: list[str]) -> list[str]:
    """A line of training with one epoch and four clips; a measurement of one of its systems, once."""
    if words[0] == "profile":
        return ["profile", "rgb" if "rgb" in words else words[1], "--repeats", "1"]
    if words[0] != "train":
        return words
    words = [word for word in words if word != "--each-person"]  # test_outcome leaves persons out
    words = [re.sub(r"^(epochs[.\w]*)=\d+$", r"\1=1", word) for word in words]
    more = ["limit=4"] + ["epochs=1"] * (not any(word.startswith("epochs=") for word in words))
    if any(word.startswith("epochs.") for word in words):
        more = ["limit=4", "epochs.backbone=1"]
    if "dense_trajectories" in words:  # a codebook of 256 words needs as many tracks
        more = ["epochs=1"]
    at = words.index("--set") + 1 if "--set" in words else len(words)
    return [*words[:at], *(["--set"] if "--set" not in words else []), *more, *words[at:]]


def test_the_documents_have_commands_and_say_what_is_activated():
    """One rule: a document says how the environment is activated before its first command that needs it."""
    assert len(LINES) > 50 and {document for document, _ in LINES} == set(DOCUMENTS)
    for document in DOCUMENTS:
        needy = [line for line in commands(document) if not line.startswith(("make", "pip", "train", *INSTALLS))]
        assert not needy or needy[0] == ACTIVATE, f"{document} begins with {needy[0]!r}"


def test_every_line_in_order(place, capsys):
    """All of them in one folder, each seeing what the ones before it left."""
    wrong = []
    for document, line in dict.fromkeys(LINES):
        words = shlex.split(line, comments=True)
        words = [PLACES.get(word, word) for word in words]
        if problem := tried(words, line, place, capsys):
            wrong.append(f"{document}: {line}: {problem}")
    assert not wrong, "\n".join(wrong)


def tried(words: list[str], line: str, place: Path, capsys) -> str:
    """What is wrong with a line, "" where nothing is."""
    if words[:3] == ["python", "-m", "workbench"]:
        return of_the_workbench(words[3:], place, capsys)
    if line.startswith(INSTALLS):
        return of_an_installation(words, place)
    if words[0] == "workbench":
        return "" if main(words[1:]) == 0 and list(Path(words[-1]).rglob("*.ipynb")) else "lays nothing out"
    if words[0] == "train":
        return of_a_public_set(words, capsys)
    if words[0] == "papermill":
        given = {words[i + 1]: yaml.safe_load(words[i + 2]) for i, word in enumerate(words) if word == "-p"}
        config = notebooks.config_of(words[1])(**given)
        open_together(config.needed(), config.runs, config.root)
        return "" if Path(words[1]).is_file() else f"there is no {words[1]}"
    if words[0] == "make":
        done = subprocess.run(["make", "-n", *words[1:]], cwd=place, capture_output=True, text=True)
        return done.stderr
    if words[0] == "mlflow":
        return "" if (place / ".venv/bin/mlflow").exists() and Path("runs/mlflow.db").exists() else "nothing to show"
    if words[0] == "printf":
        return subprocess.run(["bash", "-c", line], cwd=place, capture_output=True, text=True).stderr
    if words[0] in ("dask", "torchrun"):
        if "workbench" in words:
            parse(words[words.index("workbench") + 1 :])
        return "" if (place / ".venv/bin" / words[0]).exists() else f"there is no {words[0]}"
    if words[0] == "pip":
        extra = re.search(r"^(?:\.|video-pose-workbench)(?:\[(\w+)\])?$", words[2])[1]
        known = rf"^{extra} = " if extra else r"^dependencies = "
        return "" if re.search(known, (PROJECT / "pyproject.toml").read_text(), re.MULTILINE) else "no extra"
    return "" if words[0] == "." and Path(words[1]).is_file() else f"unknown program {words[0]!r}"


def of_an_installation(words: list[str], place: Path) -> str:
    """The environment is made where the other lines look for it, from files that are there; the last line begins."""
    if words[:3] == ["python", "-m", "venv"]:
        return "" if words[3:] == [Path(ACTIVATE.split()[1]).parts[0]] else "another environment is activated"
    program, _, module, *rest = words
    if module == "workbench":
        parse(rest)
        return "" if (place / program).exists() else f"there is no {program}"
    files = [rest[at + 1] for at, word in enumerate(rest) if word in ("-r", "-e")]
    gone = [name for name in files if not (place / name).exists()]
    return "" if module == "pip" and rest[0] == "install" and files and not gone else f"can't install {gone or words}"


def of_the_workbench(words: list[str], place: Path, capsys) -> str:
    given = parse(words)[1].arguments
    if words[0] in ("synth", "pretrain"):
        return ""
    if words[0] == "sweep":
        return "" if all(read_table(path).rows for path in given["files"]) else "an empty table"
    if words[0] == "wizard" and "packed" in words:
        words = ["wizard", "my_videos", "--out", "another.csv"]
    capsys.readouterr()
    done = main(shortened(words) + ["--force"] * (words[0] == "wizard"))
    said = capsys.readouterr().err.strip().splitlines()
    if words[0] == "doctor":  # two classes of the same stripes are no good set: what counts is that it says so
        missing = "expected in it: nturgb+d_skeletons" if words[1].startswith("ntu60") else ""
        return "" if missing in "".join(said[-1:]) else f"{said[-1:]}"
    return "" if done == 0 else f"{said[-1:]}"


def of_a_public_set(words: list[str], capsys) -> str:
    """Sets without poses are trained on in test_documented_commands; here each says what it expects where."""
    given = parse(words)[1].arguments
    where = {"dataset": given["data"], "root": given["root"]}
    TrainConfig(system=given["system"], **where, **parse_pairs(given["pairs"]))
    capsys.readouterr()
    done, said = main(words), capsys.readouterr().err
    named = all(part in said for part in (str(Path("ROOT").absolute()), "--root", "expected in it", "docs/data.md"))
    return "" if done == 1 and named and len(said.strip().splitlines()) == 1 else said


def test_two_lines_in_a_real_shell_where_nothing_is_activated(place):
    """The activation makes the programs found: a model of one's own videos is trained, and looked at in a notebook."""
    if not Path("my_videos/manifest.csv").exists():
        pytest.skip("the lines before were not run")
    (make,) = [line for line in commands("README.md") if line.startswith("python -m workbench wizard")]
    (look,) = [line for line in commands("README.md") if line.startswith("papermill notebooks/02")]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(PROJECT), "HOME": str(place)}
    environment |= {"WORKBENCH_CACHE": str(place / "records"), "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    script = "\n".join(["set -e", ACTIVATE, f"{make} --force", look])
    done = subprocess.run(["bash", "-c", script], cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    book = (place / "gradcam.ipynb").read_text()
    assert f"trained on {place}/my_videos/manifest.csv" in book and "data-player" in book


def test_the_gallery_of_ones_own_videos_names_what_it_leaves_out(place, monkeypatch, capsys):
    """After the lines above the newest rgb run is on other data than the only vpn run: nothing stops."""
    if not Path("my_videos/manifest.csv").exists():
        pytest.skip("the lines before were not run")
    some = {name: notebooks.CONFIGS[name] for name in ("03_embeddings", "06_confusion")}
    monkeypatch.setattr(execution, "CONFIGS", some)
    assert main(["gallery", "--root", "my_videos/manifest.csv"]) == 0
    said, page = capsys.readouterr().out, Path("gallery/index.html").read_text()
    for name in some:
        assert (
            f"{name}.ipynb is left out: {place}/runs has no finished run with system='vpn' on {place}/my_videos" in said
        )
        assert f"{name}.ipynb" in page
    assert (
        "train one with `python -m workbench train vpn --root my_videos/manifest.csv --set preset.crop=frame`" in said
    )


def test_what_is_only_tried_dry_is_short():
    assert len(DRY) <= 9 and all(len(why) > 20 for why in DRY.values())
