"""The labs in a real JupyterLab, worked through by a hand: cells left empty, a wrong answer, and every right one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.browser.cdp import Browser
from tests.browser.hand import Hand
from tests.browser.lab import NOTEBOOK, server
from tests.tiny_runs import Place
from workbench import lessons
from workbench.lessons import solving
from workbench.study import fit

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lab"), pytest.mark.timeout(900)]
LABS = sorted((Path(__file__).parents[2] / "notebooks/labs").glob("[0-9]*.ipynb"))
CONTROL = 2
#: JavaScript: what the feedback of a cell says, None where there is none.
SAID = "{cell}.node.querySelector('.wb-feedback')?.innerText ?? null"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The labs, empty and solved, beside a small world and the three runs that they read."""
    root = tmp_path_factory.mktemp("lab")
    place = Place(root / "work", "data/synthadl/tiny")
    place.basics()
    fit(place.asked("pose_lstm") | {"epochs": 1, "progress": False})
    shutil.copytree(LABS[0].parent, place.root / "notebooks/labs")
    with server(root, place.root) as address:
        yield f"{address}notebooks/labs/"


@pytest.fixture
def hand(chromium: Browser) -> Iterator[Hand]:
    hand = Hand(chromium)
    yield hand
    hand.leave()


class Student:
    """Writes in the cells of the lab in view, and reads what they say."""

    def __init__(self, page: Browser) -> None:
        self.page = page

    def cell(self, n: int) -> str:
        return f"{NOTEBOOK}.content.widgets[{n}]"

    def said(self, n: int) -> str | None:
        return self.page.run(SAID.format(cell=self.cell(n)))

    def write(self, n: int, source: str) -> str:
        """Types over a cell, runs it with the keyboard, and returns the feedback."""
        cell = self.cell(n)
        self.page.run(f"{NOTEBOOK}.content.activeCellIndex = {n}; {NOTEBOOK}.content.mode = 'edit'; true")
        self.page.run(f"{cell}.editor.focus()")
        self.page.press("a", CONTROL)
        self.page.call("Input.insertText", text=source)
        assert self.page.run(f"{cell}.model.sharedModel.getSource()") == source
        before = self.page.run(f"{cell}.model.executionCount")
        self.page.run("jupyterapp.commands.execute('notebook:run-cell').then(() => true)")
        self.page.wait(f"{cell}.model.executionCount > {before}", 60)
        self.page.wait(f"{SAID.format(cell=cell)} !== null", 60)
        return self.said(n)


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_a_student_works_through_a_lab(hand: Hand, address: str, artifacts: Path, tmp_path: Path, lab: Path) -> None:
    sources = [cell.source for cell in nbformat.read(lab, as_version=4).cells]
    worked = [cell.source for cell in nbformat.read(solving.solve(lab, tmp_path / lab.name), as_version=4).cells]
    tasks = {n: name for n, source in enumerate(sources) for name in solving.to_fill_in(source)}
    questions = {n: name for n, source in enumerate(sources) for name in solving.questions(source)}
    hand.run_all(f"{address}{lab.name}")
    assert hand.ask("failures") == []
    student = Student(hand.page)
    hand.page.screenshot(artifacts / f"{lab.stem}_empty.png")
    for n, name in tasks.items():
        assert "not filled in yet" in student.said(n) and f"→ {name}: not yet." in student.said(n)
    for n, name in questions.items():
        assert "in the place of None" in student.said(n), name
    for n, name in questions.items():
        slip, hint = next(iter(lessons.QUESTIONS[name].slips.items()), (None, None))
        if slip is not None:
            assert hint in student.write(n, sources[n].replace("answer=None", f"answer={slip!r}")), name
    for n, name in tasks.items():
        assert student.write(n, worked[n]).startswith(f"✓ {name}: right"), student.said(n)
    for n in questions:
        assert student.write(n, worked[n]).startswith("✓ "), student.said(n)
    hand.page.run("jupyterapp.commands.execute('notebook:run-all-cells').then(() => (window.again = true)), true")
    hand.page.wait("window.again", 300)
    assert hand.ask("failures") == []
    assert [n for n in {**tasks, **questions} if not student.said(n).startswith("✓ ")] == []
    hand.fit()
    hand.page.screenshot(artifacts / f"{lab.stem}.png")
    assert [said for said in hand.page.errors if "/favicons/" not in said] == []
    assert [request for request in hand.page.requests if "//127.0.0.1:" not in request] == []
