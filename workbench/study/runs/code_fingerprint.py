"""Which code a run was made by: a fingerprint of what training its system executes, and of no other file."""

from __future__ import annotations

import ast
import hashlib
import inspect
from functools import cache
from pathlib import Path

import workbench
from workbench import systems
from workbench.data.catalog import SOURCES, UNTRIMMED

#: The folder that holds the packages, and those of them whose code makes a run.
ROOT = Path(workbench.__file__).parents[1]
PACKAGES = ("workbench", "safefiles")
#: Where training and evaluation begin.
STARTS = ("workbench.study.train.fit", "workbench.metrics.classification", "workbench.metrics.attention")
#: Lists of what there is: following them would make every run depend on every system, statistical test and report.
LISTS = ("workbench.systems", "workbench.metrics", "workbench.study")


@cache
def fingerprint(system: str, dataset: str) -> str:
    """Sixteen hex digits that change with the code (not with comments and docstrings) of the modules that a run of
    ``system`` on ``dataset`` imports, directly or through others, from this library. Of a system registered from
    elsewhere (a notebook, another package) its own methods count."""
    kind = systems.kind(system)
    ours = kind.__module__.startswith("workbench.")
    source = (SOURCES | UNTRIMMED).get(dataset)
    starts = [*STARTS, *([kind.__module__] if ours else []), *([source.partition(":")[0]] if source else [])]
    parts = [f"{module} {_content(module)[0]}" for module in sorted(_reached(starts))]
    parts += [] if ours else [inspect.getsource(part) for part in vars(kind).values() if inspect.isfunction(part)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _reached(starts: list[str]) -> set[str]:
    modules: set[str] = set()
    waiting = list(starts)
    while waiting:
        module = waiting.pop()
        if module not in modules and module not in LISTS:
            modules.add(module)
            waiting += _content(module)[1]
    return modules


@cache
def _content(module: str) -> tuple[str, list[str]]:
    """A digest of the module's code, and the modules of this library that it imports."""
    tree = ast.parse(_file(module).read_text())
    imported = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        body = getattr(node, "body", None)
        match body:
            case [ast.Expr(value=ast.Constant()), *_]:  # a docstring
                del body[0]
    ours = [name for name in imported if name.partition(".")[0] in PACKAGES and _file(name).is_file()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), ours


def _file(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
