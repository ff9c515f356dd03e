"""A lab with the worked solutions in it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TypeVar

import nbformat

from safefiles import drafts
from safefiles.reading import reading
from workbench.lessons.answers import QUESTIONS

S = TypeVar("S", bound=ast.stmt)


def solve(lab: str | Path, out: str | Path) -> Path:
    """Writes a copy of ``lab`` to ``out`` in which every function is the one of solutions/<lab>.py beside it, and every
    question has its expected answer; returns ``out``.

    FileNotFoundError where there are no solutions; ValueError for a file that is no notebook, or a function to fill in
    that has no solution.
    """
    lab = Path(lab)
    solutions = lab.parent / "solutions" / f"{lab.stem}.py"
    worked = functions(solutions.read_text(encoding="utf-8"))
    with reading(lab, "a Jupyter notebook"):
        book = nbformat.read(lab, as_version=4)
    for cell in book.cells:
        if cell.cell_type == "code":
            for name in to_fill_in(cell.source):
                if name not in worked:
                    raise ValueError(f"{solutions} has no function {name!r}, which {lab} asks for")
                cell.source = cell.source.replace(functions(cell.source)[name], worked[name])
            cell.source = _answered(cell.source)
    drafts.write(out, nbformat.writes(book).encode())
    return Path(out)


def functions(source: str) -> dict[str, str]:
    """The lines of each function at the top of ``source``, by name; nothing of what is no Python."""
    lines = source.splitlines()
    found = _statements(source, ast.FunctionDef)
    return {node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in found}


def to_fill_in(source: str) -> list[str]:
    """The functions of a cell that it hands to ``lessons.check``."""
    checked = [call.args[1].id for call in _calls(source, "check") if isinstance(call.args[1], ast.Name)]
    return [name for name in functions(source) if name in checked]


def questions(source: str) -> list[str]:
    """The names of the questions that a cell asks."""
    return [ast.literal_eval(call.args[0]) for call in _calls(source, "ask")]


def _answered(source: str) -> str:
    for call in _calls(source, "ask"):
        name = ast.literal_eval(call.args[0])
        measured = next((word.value for word in call.keywords if word.arg == "measured"), None)
        answer = QUESTIONS[name].answer
        right = repr(round(answer, 4) if isinstance(answer, float) else answer)
        if measured is not None:
            right = f'lessons.expected("{name}", {ast.get_source_segment(source, measured)})'
        source = source.replace("answer=None", f"answer={right}", 1)
    return source


def _calls(source: str, name: str) -> list[ast.Call]:
    """The calls of ``lessons.<name>``."""
    nodes = [node for top in _statements(source, ast.stmt) for node in ast.walk(top) if isinstance(node, ast.Call)]
    return [node for node in nodes if ast.unparse(node.func) == f"lessons.{name}" and node.args]


def _statements(source: str, kind: type[S]) -> list[S]:
    try:
        return [node for node in ast.parse(source).body if isinstance(node, kind)]
    except SyntaxError:  # a cell magic
        return []
