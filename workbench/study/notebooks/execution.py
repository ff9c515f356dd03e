"""Notebooks with checked parameters: ``collect`` inside of one, ``execute`` from outside (by papermill)."""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import as_completed
from contextlib import nullcontext
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar

from tqdm import tqdm

from safefiles import checksums
from safefiles.locks import turn
from safefiles.processes import cores, starting
from safefiles.reading import Unreadable, read_json, reading
from workbench.study.config.notebook_config import CONFIGS, AblationReport, Notebook, OfRun, TwoRuns, config_of
from workbench.study.runs.find_runs import finished, open_together
from workbench.study.runs.run_folder import Run
from workbench.study.tables.plan import plan
from workbench.study.tables.table_file import read_table

C = TypeVar("C", bound=Notebook)
TAG = "workbench"
#: The kind of output that ``record`` shows.
NUMBERS = "application/vnd.workbench.numbers+json"
#: Errors that are sentences to the reader: of the data, the runs or the machine, not of the notebook.
SAID = {"ValueError", "ManifestError", "FileNotFoundError", "NotADirectoryError", "PermissionError", "RuntimeError"}
SAID |= {"OSError", "ImportError", "ModuleNotFoundError", "MissingRun"}
#: Parameters that are paths.
PATHS = ("root", "runs", "table", "tables", "paper")
#: Seconds that a kernel on a busy machine may take to start, and to hand over what a cell showed (papermill gives up
#: after 60 and 4); one that has died is noticed at once.
PATIENCE = {"start_timeout": 600, "iopub_timeout": 600}
#: Notebooks that make runs, which others then show.
TRAINS = ("01_train", "05_pose_rendering")


class Failed(RuntimeError):
    """A cell of a notebook raised an error; kind is the error's class by name."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class MissingRun(FileNotFoundError):
    """A run that a notebook reads isn't there."""


def open_runs(config: OfRun | TwoRuns) -> list[Run]:
    """The runs that a notebook reads, in the order of its parameters; "latest:<system>" is the newest on the same data
    as the others (see ``find_runs.open_together``). FileNotFoundError says which isn't there, and what trains it."""
    runs = open_together(config.needed(), config.runs, config.root)
    print("\n".join(f"{run.id}, trained on {run.data_record['root'] or run.config.dataset}" for run in runs))
    return runs


def collect(kind: type[C], namespace: dict[str, Any]) -> C:
    """The parameters of a notebook, from the plain names in its ``globals()``, checked.

    Call it in the cell after the parameters cell: ``config = collect(GradCam, globals())``. ValueError, one sentence
    with the valid names, for a name of the parameters cell (or of papermill's) that is unknown, or a value of a
    wrong kind. Paths (``PATHS``) are looked for from here upwards, so that a notebook also works from its own
    folder.
    """
    fields = kind.model_fields
    values = {name: namespace[name] for name in _assigned(namespace) if name in namespace}
    values |= {name: namespace[name] for name in fields if name in namespace}
    return located(kind(**values))


def located(config: C) -> C:
    """The configuration with its paths as paths from here, found here or in the nearest folder above."""
    paths = {name: _upwards(getattr(config, name)) for name in PATHS if getattr(config, name, None)}
    return config.model_copy(update=paths)


def _upwards(path: str | list[str]) -> str | list[str]:
    if isinstance(path, list):
        return [str(_upwards(each)) for each in path]
    folders = (Path(), *Path.cwd().parents)
    # What does not exist yet (the first run's folder) belongs to the project, not to the notebooks' folder.
    existing = [folder / path for folder in folders if (folder / path).exists()]
    existing += [folder / path for folder in folders if (folder / "pyproject.toml").is_file()]
    return str(existing[0]) if existing else path


def _assigned(namespace: dict[str, Any]) -> list[str]:
    """Names that the parameters cells set: in a notebook those of the cells just run that do nothing but assign plain
    values; elsewhere every public plain name."""
    if "In" not in namespace:
        plain = (bool, int, float, str, list, dict, NoneType)
        return [name for name, value in namespace.items() if not name.startswith("_") and isinstance(value, plain)]
    names: list[str] = []
    # The last entry is the cell that calls ``collect``.
    for cell in reversed(namespace["In"][1:-1]):
        assigned = _literal_assignments(cell)
        if assigned is None:
            break
        names += assigned
    return names


def _literal_assignments(cell: str) -> list[str] | None:
    """The names that a cell of plain assignments sets; None for any other cell."""
    names = []
    try:
        lines = ast.parse(cell).body
        for line in lines:
            if not isinstance(line, ast.Assign | ast.AnnAssign | ast.AugAssign) or line.value is None:
                return None
            targets = line.targets if isinstance(line, ast.Assign) else [line.target]
            ast.literal_eval(line.value)
            if not all(isinstance(target, ast.Name) for target in targets):
                return None
            names += [target.id for target in targets if isinstance(target, ast.Name)]
    except (SyntaxError, ValueError, TypeError):
        return None
    return names


def execute(
    notebook: str | Path,
    out: str | Path,
    parameters: dict[str, Any] | None = None,
    threads: int | None = None,
    reuse: bool = False,
    progress: bool = True,
    imported: tuple[str, ...] = (),
) -> Path:
    """Runs ``notebook`` in a kernel of its own and writes the executed copy to ``out``, whole or not at all.

    parameters are checked by the notebook's configuration before anything starts. threads is how many the kernel
    computes with, None: as many as the environment says. reuse: return at once where ``out`` was made from this very
    notebook, these parameters and the same finished runs. imported: modules which the kernel has from the
    start, since it is forked from a process that all such kernels share (where the system can, with one thread).
    ValueError for an unknown or mistyped parameter; MissingRun where a run that it reads isn't there, with what trains
    it;
    RuntimeError naming notebook, cell and error where it fails: the copy up to there is kept as <out>.failed.ipynb.
    """
    import nbformat

    notebook, out, parameters = Path(notebook), Path(out), dict(parameters or {})
    config = config_of(notebook)(**parameters)
    config = located(config)
    _check_runs(config)
    with reading(notebook, "a Jupyter notebook"):
        source = nbformat.read(notebook, as_version=4)
    if not any("parameters" in cell.metadata.get("tags", ()) for cell in source.cells):
        raise ValueError(f"{notebook} has no cell with the tag 'parameters'")
    key = _key(notebook, parameters, getattr(config, "runs", None))
    with turn(out.with_name(f".{out.stem}.lock"), str(out)):
        if reuse and checksums.intact(out) and _made_from(out) == key:
            return out
        with nullcontext() if threads is None else starting(threads):
            return run_copy(notebook, out, parameters, key, progress, **(_forked(imported) if imported else {}))


def _forked(imported: tuple[str, ...]) -> dict[str, Any]:
    """What lets papermill fork the kernel, where the system can."""
    from workbench.study.notebooks import warm_kernels

    if not warm_kernels.CAN_FORK:
        return {}
    return {"kernel_manager_class": warm_kernels.manager(warm_kernels.warm(imported, 1))}


def run_copy(
    notebook: Path, out: Path, parameters: dict[str, Any], key: str = "", progress: bool = True, **engine: Any
) -> Path:
    """Executes the notebook into ``out``, tagged with ``key``, whole or not at all; ``engine`` are options of
    papermill's engine. RuntimeError naming notebook, cell and error where it fails: the copy up to there is kept as
    <out>.failed.ipynb."""
    import papermill
    from nbclient.exceptions import CellControlSignal, DeadKernelError

    failed = out.with_name(f"{out.stem}.failed.ipynb")
    with checksums.replacing(out) as partial:
        try:
            papermill.execute_notebook(
                notebook, partial, parameters=parameters, progress_bar=progress, **PATIENCE, **engine
            )
        except (papermill.PapermillExecutionError, DeadKernelError, CellControlSignal) as problem:
            _tag(partial, key)
            os.replace(partial, failed)
            sentence = f"notebook {notebook.name} failed {_where(problem)}; what it had done is in {failed}"
            raise Failed(sentence, getattr(problem, "ename", "")) from None
        _tag(partial, key)
    if failed.is_file() and _made_from(failed):
        failed.unlink()
    return out


def _tag(executed: Path, key: str) -> None:
    import nbformat

    copy = nbformat.read(executed, as_version=4)
    copy.metadata[TAG] = {"key": key}
    nbformat.write(copy, executed)


def record(**numbers: float) -> None:
    """Shows numbers in the notebook in a form that a sweep reads from the executed copy (see ``recorded``)."""
    from IPython.display import display

    words = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    display({NUMBERS: numbers, "text/plain": words}, raw=True)


def recorded(executed: str | Path) -> dict[str, float]:
    """The numbers that the cells of an executed notebook gave to ``record``."""
    numbers: dict[str, float] = {}
    with reading(executed, "an executed notebook"):
        for cell in read_json(executed, "cells")["cells"]:
            for output in cell.get("outputs", []):
                numbers |= output.get("data", {}).get(NUMBERS, {})
    return numbers


def execute_all(
    out: str | Path,
    parameters: dict[str, Any] | None = None,
    folder: str | Path = "notebooks",
    reuse: bool = True,
    names: Iterable[str] | None = None,
) -> tuple[list[Path], dict[str, str], list[str]]:
    """Executes every notebook of ``folder`` that has a configuration, or those called ``names``, into ``out``; each is
    given those of ``parameters`` that it knows.

    Returns the executed copies in order; of the notebooks that can't be shown (no run, no data, too few clips, a
    package that isn't installed) file name -> why, and the way out; and the names of those among them that are at fault
    themselves. ValueError for an unknown name.

    Side by side, one a core, in kernels that are forked from one process; those that train come first.
    """
    from workbench.study.notebooks import warm_kernels

    stems = [Path(name).stem for name in (CONFIGS if names is None else names)]
    for stem in stems:
        config_of(stem)
    books = {stem: Path(folder) / f"{stem}.ipynb" for stem in CONFIGS if stem in stems}
    imported = warm_kernels.imports_of(*books.values())
    copies: dict[str, Path] = {}
    left_out: dict[str, str] = {}
    faulty: list[str] = []

    def run(stem: str) -> str:
        config, path = CONFIGS[stem], books[stem]
        shared = set(config.model_fields) - set(config.own)
        own = {name: value for name, value in (parameters or {}).items() if name in shared}
        try:
            if not path.is_file():
                raise FileNotFoundError(
                    f"there is no {path.absolute()}; get it from where the other notebooks are from"
                )
            copies[stem] = execute(path, Path(out) / path.name, own, reuse=reuse, progress=False, imported=imported)
        except (OSError, ValueError, RuntimeError, ImportError) as problem:
            left_out[path.name] = str(problem)
            if isinstance(problem, Failed) and problem.kind not in SAID:
                faulty.append(path.name)
        return stem

    with (
        tqdm(total=len(books), desc="notebooks", unit="notebook") as bar,
        starting(1),
        warm_kernels.pool(cores()) as pool,
    ):
        # The last, 10_explorer, takes longest: it begins first.
        rest = [stem for stem in reversed(books) if stem not in TRAINS]
        for group in ([stem for stem in books if stem in TRAINS], rest):
            for done in as_completed([pool.submit(run, stem) for stem in group]):
                bar.set_postfix_str(done.result(), refresh=False)
                bar.update()
    return [copies[stem] for stem in books if stem in copies], dict(sorted(left_out.items())), sorted(faulty)


def _made_from(executed: Path) -> str | None:
    """The key of an executed notebook; None of one that isn't whole, which is executed again."""
    import nbformat

    try:
        with reading(executed, "an executed notebook"):
            return nbformat.read(executed, as_version=4).metadata.get(TAG, {}).get("key")
    except Unreadable:
        return None


def _check_runs(config: Notebook) -> None:
    try:
        if isinstance(config, AblationReport):
            check_report(config)
        elif isinstance(config, OfRun | TwoRuns):
            open_together(config.needed(), config.runs, config.root)
    except FileNotFoundError as problem:
        raise MissingRun(str(problem)) from None


def check_report(config: AblationReport) -> None:
    """FileNotFoundError where no row of the tables was run: a report of nothing helps nobody."""
    arguments = config.studied()
    planned = plan(map(read_table, arguments.pop("paths")), **arguments)
    keys = {entry.cell for entries in planned.entries for entry in entries if entry.cell}
    if not any((Path(config.runs) / key).exists() for key in keys):
        sentence = f"{Path(config.runs).absolute()} has no run of {', '.join(config.tables)} with these parameters"
        raise FileNotFoundError(f"{sentence}; `{config.made_by()}` makes them")


def _key(notebook: Path, parameters: dict[str, Any], runs: str | None) -> str:
    """Changes with the notebook, its parameters and the runs that "latest:<system>" could mean."""
    ids = [] if runs is None else [run.id for run in finished(runs)]
    return hashlib.sha256(notebook.read_bytes() + json.dumps([parameters, ids], sort_keys=True).encode()).hexdigest()


def _where(problem: Exception) -> str:
    index, name = getattr(problem, "cell_index", None), getattr(problem, "ename", type(problem).__name__)
    message = str(getattr(problem, "evalue", problem)).strip().splitlines() or [""]
    return f"in cell {index}: {name}: {message[0]}" if index is not None else f"({name}: {message[0]})"
