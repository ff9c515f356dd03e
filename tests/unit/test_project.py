"""The files that describe the project agree with each other."""

from __future__ import annotations

import ast
import errno
import json
import os
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from synthadl.settings import WORLD_SIZES, settle
from tests.installed import ONLY, TORCHS_OWN
from workbench import extras, shipped
from workbench.data import doctor
from workbench.nets import weights
from workbench.study.tables import table_file

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = {
    requirement.name.lower().replace("_", "-"): requirement
    for requirement in map(Requirement, (ROOT / "requirements.lock").read_text().splitlines())
}
EXTRAS = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
#: An extra may hold another one of this project.
DIRECT = [line for line in PROJECT["dependencies"] + EXTRAS if not line.startswith(PROJECT["name"])]

#: What the wheel holds.
PACKAGES = ("workbench", "synthadl", "safefiles")
#: Where a package is imported by another name than it is installed by.
CALLED = {
    "cv2": "opencv-contrib-python-headless",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "umap": "umap-learn",
    "dask_jobqueue": "dask-jobqueue",
    "jupyter_client": "jupyter-client",
}
#: A world of a few seconds, and what packages of the world import of their own.
FEW = {"actions": ["wave"], "subjects": 4, "repetitions": 1, "setups": 3, "resolution": (64, 48)}
OF_THE_WORLDS_PACKAGES = ("llvmlite", "dateutil", "pytz", "tzdata", "six", "packaging", "fsspec")
AT_ROOT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("line", DIRECT)
def test_lock_pins_a_version_that_pyproject_admits(line):
    requirement = Requirement(line)
    pinned = LOCK[requirement.name.lower()]
    (pin,) = pinned.specifier
    assert pin.operator == "=="
    assert requirement.specifier.contains(pin.version)
    assert str(requirement.marker) == str(pinned.marker)


def test_lock_holds_exact_pins_only():
    for requirement in LOCK.values():
        assert [pin.operator for pin in requirement.specifier] == ["=="], requirement


def test_every_package_that_the_library_imports_is_declared():
    imported = set()
    for path in chain.from_iterable((ROOT / package).rglob("*.py") for package in PACKAGES):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            imported |= {name.split(".")[0] for name in names}
    # Parts of declared packages: of ipykernel, ipywidgets and jinja2.
    parts = {"IPython", "traitlets", "markupsafe"}
    # MediaPipe has an environment of its own, which `make pose-env` makes.
    apart = {"mediapipe"}
    declared = {Requirement(line).name.lower() for line in DIRECT} | set(PACKAGES) | parts | apart
    third = {CALLED.get(name, name) for name in imported - set(sys.stdlib_module_names)}
    assert third <= declared


def test_conda_environment_is_what_pip_takes_and_defers_to_the_lock_and_the_same_python(tmp_path):
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, _, pip = environment["dependencies"]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python.removeprefix("python="))
    section = tmp_path / "section.txt"
    section.write_text("\n".join(pip["pip"]).replace("-r requirements.lock", f"-r {ROOT / 'requirements.lock'}"))
    code = (
        "import sys; from pip._internal.network.session import PipSession;"
        "from pip._internal.req import parse_requirements;"
        "print(*(line.requirement for line in parse_requirements(sys.argv[1], PipSession())), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code, section], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(LOCK) + 1


def test_the_world_needs_what_its_extra_brings_and_neither_torch_nor_the_workbench(tmp_path):
    """The README's lines, on fewer clips and small pictures, where nothing else can be imported."""
    text = (ROOT / "synthadl/README.md").read_text()
    lines = "".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)).replace('"tiny")  #', f"{FEW})  #")
    assert str(FEW) in lines and "make_clip" in lines
    brought = {"numpy", *(Requirement(line).name for line in PROJECT["optional-dependencies"]["world"])}
    for line in re.findall(r"pip install (numpy .*)", text):
        assert set(line.split()) == brought
    allowed = {"synthadl", "safefiles", *brought, *OF_THE_WORLDS_PACKAGES}
    code = ONLY.format(allowed=allowed) + lines
    code += """
assert joints.shape[1:] == (25, 3) and box.shape == (len(joints), 4)
assert [cup.props[n].kind for n in cup.truth_props] == ["cup"]
assert [bottle.props[n].kind for n in bottle.truth_props] == ["bottle"]
assert abs(cup.joints - bottle.joints).max() < 0.1 and (cup.joints == aside.joints).all()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=AT_ROOT)
    assert done.returncode == 0, done.stderr


def test_the_worlds_readme_prints_its_sizes():
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (\d.*) \|$", (ROOT / "synthadl/README.md").read_text(), re.MULTILINE)
    printed = {(world, size): re.split(r" (?:\||x) ", cells) for world, size, cells in rows}
    expected = {}
    for world, sizes in WORLD_SIZES.items():
        for size in sizes:
            s = settle(size, world)
            numbers = (s.subjects, s.repetitions, s.setups, *s.resolution, s.fps)
            expected[world, size] = [f"{number:g}" for number in numbers]
    assert printed == expected


def test_the_core_trains_a_step_where_only_torch_and_numpy_are_installed():
    allowed = {"torch", "numpy", "workbench", "safefiles", *TORCHS_OWN}
    code = f"""{ONLY.format(allowed=allowed)}
import torch
from workbench.systems import build
from workbench.types import Batch
system = build("rgb", num_classes=4, clip=(8, 32, 32), width=0.125)
batch = Batch(video=torch.rand(2, 3, 8, 32, 32), label=torch.tensor([0, 1]), ids=["a", "b"])
system.loss(system(batch), batch)["total"].backward()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "lightning" else name)
    with pytest.raises(ModuleNotFoundError, match=r"workbench.study needs lightning.*\[training\]"):
        extras.check("workbench.study")
    extras.check("workbench.data")


@pytest.mark.parametrize("part", extras.NEEDS)
def test_what_a_part_needs_comes_with_the_extra_that_it_names(part):
    extra, packages = extras.NEEDS[part]
    brought, waiting = set(), [extra]
    while waiting:
        for line in map(Requirement, PROJECT["optional-dependencies"][waiting.pop()]):
            waiting += line.extras if line.name == PROJECT["name"] else []
            brought.add(line.name.lower())
    assert {CALLED.get(name, name) for name in packages} <= brought


def test_notebooks_are_laid_out_once_and_never_overwritten(tmp_path):
    first = shipped.lay_out(tmp_path)
    assert tmp_path / "notebooks/01_train.ipynb" in first and tmp_path / "notebooks/ablations/vpn_table1.yaml" in first
    first[0].write_text("mine")
    assert shipped.lay_out(tmp_path) == [] and first[0].read_text() == "mine"


def test_notebooks_are_laid_out_whole_or_not_at_all(tmp_path, monkeypatch):
    """On a disk that gets full half through a file, which would stay there as if it were the user's."""

    def full(source, target):
        Path(target).write_bytes(Path(source).read_bytes()[:100])
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(shipped, "copyfile", full)
    with pytest.raises(OSError, match="No space left on device; nothing was left half-written; free some space"):
        shipped.lay_out(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_import_workbench_and_its_models_load_nothing_heavy():
    code = (
        "import json, sys; import workbench; light = set(sys.modules); import workbench.systems;"
        "print(json.dumps([sorted(light), sorted(sys.modules)]))"
    )
    light, models = json.loads(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )
    assert not {"torch", "numpy", "pandas"} & set(light)
    assert not {
        "pandas",
        "scipy",
        "cv2",
        "av",
        "decord",
        "plotly",
        "captum",
        "lightning",
        "mlflow",
        "numba",
        "umap",
    } & set(models)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_committed_clean_and_define_nothing(path):
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            assert not any(line.startswith(("def ", "class ")) for line in "".join(cell["source"]).splitlines())
    assert any("parameters" in cell["metadata"].get("tags", []) for cell in notebook["cells"])


@pytest.mark.parametrize("command", ["synth", "train", "sweep", "gallery", "demo", "doctor", "new"])
def test_every_command_explains_itself(command):
    done = subprocess.run([sys.executable, "-m", "workbench", command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and f"Usage: python -m workbench {command}" in done.stdout


def test_readme_names_only_make_targets_that_exist():
    targets = {line.split(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if line[:1].isalpha()}
    named = {
        word.rstrip("`.,)") for line in (ROOT / "README.md").read_text().split("make ")[1:] for word in line.split()[:1]
    }
    assert {"demo", "test", "lab"} <= named
    assert {
        name for name in named if name.isalpha() and name in {"demo", "test", "lab", "study", "bench", "pretrain"}
    } <= targets


def test_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 9000


def test_the_page_on_own_videos_counts_the_checks_of_the_doctor():
    assert f"a table of {len(doctor.CHECKS)} checks" in (ROOT / "docs/howto/own_videos.md").read_text()


def test_the_findings_print_what_the_committed_study_measured_of_detection():
    text = " ".join((ROOT / "docs/findings.md").read_text().split())
    flow, poses = (
        pd.read_csv(ROOT / f"docs/study/{name}.csv").query("metric == 'frame_map'").groupby("row")["value"].mean()
        for name in ("augmented_rgb_table1", "detection")
    )
    beside = f"a per-frame mAP of {flow['vanilla_rgb']:.1f}, with flow beside it {flow['two_stream']:.1f}"
    assert f"{beside}, and the student that flow taught {flow['total']:.1f}" in text
    assert f"At the printed 300, 100 and 5 it has {flow['total_printed']:.1f}" in text
    assert f"Poses reach {poses['pose']:.0f} and their student {poses['all']:.0f} (three seeds)" in text
    assert f"with the printed ones it reaches {poses['all_published']:.0f}" in text
    claims = json.loads((ROOT / "docs/study/augmented_rgb_table1.json").read_text())["claims"]
    (test, *_) = next(claim["tests"] for claim in claims if claim["id"] == "augmented_rgb_c11")
    low, value, high = (f"{test['effect'][name]:+.1f}".replace("-", "−") for name in ("low", "value", "high"))
    assert f"({value} [{low}, {high}] over RGB alone)" in text


def test_readme_prints_what_the_cards_of_the_ready_made_networks_say():
    text = (ROOT / "README.md").read_text()
    for label, name in {"Pose LSTM": "pose_lstm", "I3D": "rgb", "VPN": "vpn"}.items():
        facts = json.loads(weights.card_of(weights.SHIPPED[f"{name}_synthadl"]).read_text())
        (row,) = re.findall(rf"^\| {label} \| [\w, ]+ \| ([\d.]+) \[([\d.]+), ([\d.]+)\] \|", text, re.MULTILINE)
        held_out = [100 * facts["held_out"][key] for key in ("top1", "top1_low", "top1_high")]
        assert [float(number) for number in row] == pytest.approx(held_out, abs=0.051), label
        clips = facts["data"]["clips"]
        assert f"{clips['train']:,} clips" in text and f"{clips['test']:,} clips" in text


def test_the_findings_print_the_numbers_of_the_committed_study():
    """Mean and standard deviation over seeds, rounded; – where there is none."""
    labels = {row.label: row.id for row in table_file.read_table(ROOT / "notebooks/ablations/systems.yaml").rows}
    study = pd.read_csv(ROOT / "docs/study/systems.csv").groupby(["row", "column"])["value"]
    mean, spread = study.mean(), study.std()
    columns = {"top-1": "top1", "where": "ranking", "when": "temporal_overlap"}
    lines = (
        (ROOT / "docs/findings.md").read_text().split("| million weights | ms |\n")[1].split("\n\n")[0].splitlines()[1:]
    )
    assert len(lines) > 10
    for line in lines:
        label, _, *printed, weights, ms = (cell.strip() for cell in line.strip("|").split("|"))
        row = labels[label]
        found = [(mean[row, column], spread[row, column]) for column in columns.values()]
        assert printed == ["–" if np.isnan(value) else f"{value:.1f} ± {sd:.1f}" for value, sd in found], label
        assert (weights, ms) == (f"{mean[row, 'parameters_test']:.2f}", f"{mean[row, 'latency_ms']:.0f}"), label
