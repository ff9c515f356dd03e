"""The wheel: what pip makes of the project, and that it works where nothing but the wheel, torch and numpy is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.installed import ONLY, TORCHS_OWN
from workbench.nets import weights
from workbench.show.offline_page import OfflinePage

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("wheel")
SOURCES = ("workbench", "synthadl", "safefiles", "notebooks", "docs/study")
#: What travels under another name than it has in the repository.
MOVED = {"notebooks": "workbench/starter", "docs/study": "workbench/measured"}
ENDINGS = {"notebooks": (".ipynb", ".md", ".yaml", ".py"), "docs/study": (".json",)}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder with the wheel's files, and nothing else, as pip would install them."""
    copy, out, site = (tmp_path_factory.mktemp(name) for name in ("copy", "out", "site"))
    unread = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.egg-info")
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=unread)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", out, copy], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = out.iterdir()
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(site: Path, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", SOURCES)
def test_every_file_of_the_packages_travels(site, name):
    files = {
        path.relative_to(ROOT / name)
        for path in (ROOT / name).rglob("*")
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
    }
    files = {path for path in files if path.suffix in ENDINGS.get(name, (path.suffix,)) and ".mine-" not in path.name}
    there = site / MOVED.get(name, name)
    assert files and [path for path in files if not (there / path).is_file()] == []


def test_nothing_else_travels(site):
    packages = {"workbench", "synthadl", "safefiles"}
    others = {path.name for path in site.iterdir()} - packages
    assert len(others) == 1 and others.pop().endswith(".dist-info")
    assert [path for path in site.rglob("*") if path.name in ("tests", "__pycache__", "shared")] == []
    assert (site / "workbench/py.typed").is_file()


def test_it_brings_the_command_workbench_and_nbconverts_offline_page(site):
    (points,) = site.glob("*.dist-info/entry_points.txt")
    read = ConfigParser()
    read.read(points)
    assert dict(read["console_scripts"]) == {"workbench": "workbench.__main__:run"}
    page = f"{OfflinePage.__module__}:{OfflinePage.__name__}"
    assert dict(read["nbconvert.exporters"]) == {"workbench": page}


def test_it_trains_a_step_with_torch_and_numpy_alone_and_has_weights_notebooks_and_numbers(site, tmp_path):
    allowed = {"torch", "numpy", "workbench", "safefiles", *TORCHS_OWN}
    code = f"""{ONLY.format(allowed=allowed)}
import torch
import workbench
from workbench import shipped
from workbench.nets import weights
from workbench.systems import build
from workbench.types import Batch
system = build("rgb", num_classes=4, clip=(8, 32, 32), width=0.125)
batch = Batch(video=torch.rand(2, 3, 8, 32, 32), label=torch.tensor([0, 1]), ids=["a", "b"])
system.loss(system(batch), batch)["total"].backward()
print(workbench.__file__)
print(all(path.is_file() for path in weights.SHIPPED.values()), len(weights.SHIPPED))
print(shipped.notebooks(), bool(shipped.study("systems")))
"""
    lines = run(site, tmp_path, "-c", code).splitlines()
    assert lines == [f"{site}/workbench/__init__.py", f"True {len(weights.SHIPPED)}", f"{site}/workbench/starter True"]


def test_it_lays_out_the_notebooks_where_no_repository_is(site, tmp_path):
    said = run(site, tmp_path, "-m", "workbench", "new", "here")
    laid = {path.relative_to(tmp_path / "here/notebooks") for path in (tmp_path / "here").rglob("*") if path.is_file()}
    assert Path("01_train.ipynb") in laid and Path("ablations/vpn_table1.yaml") in laid
    assert f"{len(laid)} new files" in said
