"""Every notebook in a real JupyterLab: run it, move each control as a hand would, and see what changes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.browser.cdp import Browser
from tests.browser.hand import Hand
from tests.browser.lab import server
from tests.tiny_runs import PRESET, Place
from workbench.study import notebooks

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lab"), pytest.mark.timeout(1200)]
BOOKS = Path(__file__).parents[2] / "notebooks"
#: What the parameters cells say where the defaults are too heavy, or fit a world of four actions badly.
PARAMETERS = {
    "01_train": {"preset": PRESET, "epochs": 1, "init": {}},
    "02_gradcam": {"layer": "backbone.Mixed_5b", "target": "action 1"},
    "03_embeddings": {"methods": ["tsne", "pca"]},
    "06_confusion": {"block": 3, "pairs": 3, "top": 1},
    "07_detection": {"least": 0.1},
    "08_distillation": {"run": "latest:vpn_a", "method": "pca"},
    "09_ablation_report": {"seeds": 1},
    "10_explorer": {"limit": 2, "steps": 2},
}
#: Controls that change nothing in view, and why.
EXEMPT = {
    "Speed": "shows only while the clip plays, which tests/browser/test_player.py counts",
    "other clip": "the notebook offers one other clip",
}
#: Notebooks with figures that listen to a click.
LINKED = ("07_detection", "10_explorer")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder laid out like the project, on a small world with small runs, in a JupyterLab."""
    root = tmp_path_factory.mktemp("lab")
    place = Place(root / "work", "data/synthadl/tiny", "data/synthadl/untrimmed")
    place.basics()
    place.detectors()
    place.students()
    place.scatter()
    lay_out(place)
    with server(root, place.root) as address:
        yield f"{address}notebooks/"


def lay_out(place: Place) -> None:
    """The notebooks beside the runs, with their parameters."""
    shutil.copytree(BOOKS, place.root / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    table = {"tables": [str(place.table())], "root": str(place.world), "runs": str(place.runs)}
    for stem in notebooks.CONFIGS:
        path = place.root / "notebooks" / f"{stem}.ipynb"
        book = nbformat.read(path, as_version=4)
        cell = next(cell for cell in book.cells if "parameters" in cell.metadata.get("tags", ()))
        given = PARAMETERS.get(stem, {}) | (table if stem == "09_ablation_report" else {})
        for name, value in given.items():
            cell.source, found = re.subn(rf"(?m)^{name} *= .*$", f"{name} = {value!r}", cell.source)
            assert found == 1, f"{stem} has no parameter {name}"
        nbformat.write(book, path)


@pytest.fixture
def hand(chromium: Browser) -> Iterator[Hand]:
    hand = Hand(chromium)
    yield hand
    hand.leave()


@pytest.mark.parametrize("stem", notebooks.CONFIGS)
def test_each_control_changes_what_is_shown(hand: Hand, address: str, artifacts: Path, stem: str) -> None:
    hand.run_all(f"{address}{stem}.ipynb")
    assert hand.ask("failures") == []
    linked = hand.page.run("hand.linked().length")
    assert linked == (stem in LINKED) and all(map(hand.follow, range(linked)))
    hand.page.screenshot(artifacts / f"lab_{stem}.png")
    controls = hand.ask("names")
    names = [name for name, _ in controls]
    assert len(set(names)) == len(names) and [name for name in names if name.endswith(": ")] == []
    wrong = [hand.try_out(name, kind) for name, kind in controls if name.split(": ", 1)[1] not in EXEMPT]
    assert not any(wrong), "; ".join(filter(None, wrong))
    # JupyterLab's own icon for a busy kernel is missing from some of its releases.
    assert [said for said in hand.page.errors if "/favicons/" not in said] == []
    assert [request for request in hand.page.requests if "//127.0.0.1:" not in request] == []
