"""From tables to cells: which runs a sweep needs, in which order, and which table entries each of them fills.

A cell is one execution of a notebook. Rows, columns and tables that come out as the same configuration are one cell, so
that a teacher or a pretrained backbone is trained once. What a run starts from goes by its id, which is known before it
is trained: the whole graph is known before anything runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from workbench import shipped
from workbench.study import files
from workbench.study.config.data_of import open_split
from workbench.study.config.kinds import Data, kind_of
from workbench.study.config.notebook_config import CONFIGS, Train
from workbench.study.config.preset_fields import preset_numbers
from workbench.study.config.train_config import TrainConfig
from workbench.study.features.encoders import settled
from workbench.study.runs import code_fingerprint
from workbench.study.runs.run_identity import run_of
from workbench.study.tables.table_file import Column, Row, Table, stretched
from workbench.systems import names, variants


class NotHere(Exception):
    """Why an entry of a table is not run; the message is what readers see."""


@dataclass(frozen=True)
class Cell:
    """One notebook to execute. key names its record and its executed copy, and is the run's id where it trains one.

    parameters are the notebook's; runs is the run store; code and source are the fingerprints of the code that the run
    depends on and of the notebook's own; needs are the keys of the cells that must be done before; contents are those
    of the splits on which the run is measured.
    """

    key: str
    label: str
    notebook: str
    parameters: dict[str, Any]
    runs: str
    source: str
    trains: bool
    code: str = ""
    needs: tuple[str, ...] = ()
    contents: dict[str, str] = field(default_factory=dict)

    @property
    def splits(self) -> set[str]:
        """Those on which the run is measured."""
        return set(self.parameters.get("more", {}).get("evaluate", ["test"]))

    def joined(self, other: Cell) -> Cell:
        """This cell, measured on the splits of another of the same run as well: what a run is measured on is no part of
        what it is."""
        if self.splits == other.splits:
            return self
        more = {**self.parameters["more"], "evaluate": sorted(self.splits | other.splits)}
        return replace(self, parameters={**self.parameters, "more": more}, contents=self.contents | other.contents)


@dataclass(frozen=True)
class Entry:
    """A number that a table asks for: the cell it comes from, or why there is none."""

    row: str
    column: str
    seed: int
    cell: str = ""
    reason: str = ""


@dataclass
class Plan:
    """The cells in an order in which each comes after those it needs, and by table what they are for."""

    cells: dict[str, Cell] = field(default_factory=dict)
    entries: list[list[Entry]] = field(default_factory=list)


def plan(
    tables: Iterable[Table],
    seeds: int | None = None,
    rows: Iterable[str] | None = None,
    protocols: Iterable[str] | None = None,
    where: dict[str, Any] | None = None,
) -> Plan:
    """What ``tables`` need with ``seeds`` seeds each, ``rows`` (ids; None all) under ``protocols``; None: the seeds and
    the protocols of the file.

    ``where`` replaces fields of TrainConfig in every row; a preset by name replaces the name only, where a row has
    numbers of its own, and epochs that a row gives are stretched from the file's preset to it. ValueError for unknown
    rows, for rows that start from each other, and for a bad configuration.
    """
    if seeds is not None and seeds < 1:
        raise ValueError(f"seeds must be 1 or more, got {seeds}")
    planned = Plan()
    opened: dict[tuple, Data] = {}
    for table in tables:
        ids = [row.id for row in table.rows]
        wanted = ids if rows is None else list(rows)
        if strangers := [name for name in wanted if name not in ids]:
            raise ValueError(f"{table.title!r} has no row {strangers[0]!r}; it has: {', '.join(ids)}")
        entries = []
        for seed in range(table.seeds if seeds is None else seeds):
            maker = Maker(table, seed, dict(where or {}), protocols, planned.cells, opened)
            for row in table.shown:
                if row.id in wanted and (row.seeds is None or seed < row.seeds):
                    entries += [maker.entry(row, column) for column in table.columns]
        planned.entries.append(entries)
    return planned


@dataclass
class Maker:
    """Makes the cells of one table with one seed, and keeps them in ``cells``, those that others start from first."""

    table: Table
    seed: int
    where: dict[str, Any]
    protocols: Iterable[str] | None
    cells: dict[str, Cell]
    opened: dict[tuple, Data]
    by_setting: dict[tuple[str, str], Cell] = field(default_factory=dict)

    def entry(self, row: Row, column: Column) -> Entry:
        """The entry of a row and a column: what has to be run for it, or why it can't."""
        try:
            if column.absent:
                raise NotHere(column.absent)
            self._check_protocol(column)
            return Entry(row.id, column.key, self.seed, cell=self.cell(row.id, column).key)
        except NotHere as reason:
            return Entry(row.id, column.key, self.seed, reason=str(reason))

    def cell(self, name: str, column: Column, within: tuple[str, ...] = ()) -> Cell:
        """The cell of a row under what ``column`` changes."""
        row, path = self._row(name, within), (*within, name)
        setting = (name, json.dumps([column.protocol, column.parameters], sort_keys=True))
        if setting not in self.by_setting:
            _is_there(row, {**self.table.base, **self.where})
            cell = self._training(row, column, path) if row.trains else self._other(row)
            self.by_setting[setting] = self.cells[cell.key] = self.cells.get(cell.key, cell).joined(cell)
        return self.by_setting[setting]

    def _row(self, name: str, within: tuple[str, ...]) -> Row:
        if name in within:
            raise ValueError(f"rows of {self.table.title!r} start from each other: {' <- '.join((*within, name))}")
        rows = [row for row in self.table.rows if row.id == name]
        if not rows:
            raise ValueError(f"row {within[-1]!r} starts from row {name!r}, which is not in {self.table.title!r}")
        return rows[0]

    def _check_protocol(self, column: Column) -> None:
        usual: str | None = {**self.table.base, **self.where}.get("protocol")
        protocol, wanted = column.protocol or usual, self.protocols or self.table.protocols
        if (protocol is None or protocol not in wanted) if wanted else protocol != usual:
            raise NotHere(f"the protocol {protocol} was not requested")

    def _training(self, row: Row, column: Column, path: tuple[str, ...]) -> Cell:
        values = self._values(row, column, start=len(path) > 1)
        needs: dict[str, Cell] = {}
        tied: dict[str, dict[str, str]] = {
            field: {part: self._source(text, column, path, needs) for part, text in values[field].items()}
            for field in ("init", "snippets")
            if field in values
        }
        config = TrainConfig(**{**values, **tied})
        dataset, validation = self._dataset(config), self._dataset(config, "validation")
        config = config.model_copy(update={"protocol": dataset.protocol, "runs": str(Path(config.runs).resolve())})
        code = code_fingerprint.fingerprint(config.system, config.dataset)
        return Cell(
            key=run_of(settled(config, dataset), dataset, validation).id,
            label=f"{row.label}, seed {self.seed}",
            notebook=str(notebook_file(row.notebook)),
            parameters=train_parameters(config),
            runs=config.runs,
            source=source_digest(row.notebook),
            trains=True,
            code="+".join([code, *(need.code for need in needs.values())]),
            needs=tuple(needs),
            contents={split: self._dataset(config, split).contents for split in {"test", *config.evaluate}},
        )

    def _values(self, row: Row, column: Column, start: bool) -> dict[str, Any]:
        """The fields of TrainConfig for the row under the column; a row that is only started from takes over those
        options of the column that its system has."""
        values = {**self.table.base, **row.parameters}
        changes = dict(column.parameters)
        if start and "options" in changes:
            options = variants(values["system"])
            changes["options"] = {key: value for key, value in changes["options"].items() if key in options}
        for name, change in changes.items():
            old = values.get(name)
            values[name] = {**old, **change} if isinstance(old, dict) and isinstance(change, dict) else change
        # A column that is about other data keeps them, whatever data the sweep is told.
        data = {name: value for name, value in column.parameters.items() if name in ("dataset", "root")}
        values = {"seed": self.seed, **values, **_at_preset(values, self.where), **data}
        return values if column.protocol is None else {**values, "protocol": column.protocol}

    def _source(self, text: str, column: Column, path: tuple[str, ...], needs: dict[str, Cell]) -> str:
        kind, _, rest = text.partition(":")
        if kind != "row":
            return text
        name, colon, module = rest.partition(":")
        try:
            need = self.cell(name, column, path)
        except NotHere as reason:
            raise NotHere(f"it starts from {name!r}, which is not run: {reason}") from None
        needs[need.key] = need
        return f"{need.key}{colon}{module}"

    def _dataset(self, config: TrainConfig, split: str = "train") -> Data:
        key = (config.dataset, config.root, config.protocol, json.dumps(config.limit), split)
        if key not in self.opened:
            try:
                self.opened[key] = open_split(config, split)
            except (ValueError, FileNotFoundError) as problem:
                # Without the table's data there is nothing to run; without its own a row or column is not run.
                shared = config.root == {**self.table.base, **self.where}.get("root")
                if shared and isinstance(problem, FileNotFoundError):
                    raise
                raise NotHere(str(problem)) from None
        return self.opened[key]

    def _other(self, row: Row) -> Cell:
        """The cell of a notebook that trains nothing by itself, or more than one thing."""
        config, source = CONFIGS.get(Path(row.notebook).stem), source_digest(row.notebook)
        values = {"seed": self.seed, **self.where}
        if config is not None:
            values = {name: value for name, value in values.items() if name in config.model_fields}
        parameters = {**row.parameters, **values}
        if config is not None:
            config(**parameters)
        identity = json.dumps([source, parameters], sort_keys=True)
        key = f"{Path(row.notebook).stem}-s{self.seed}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
        runs = str(Path({**self.table.base, **self.where}.get("runs", "runs")).resolve())
        label, file = f"{row.label}, seed {self.seed}", str(notebook_file(row.notebook))
        return Cell(key, label, file, parameters, runs, source, trains=False)


def _at_preset(values: dict[str, Any], where: dict[str, Any]) -> dict[str, Any]:
    """``where``, with its preset put into the row's own numbers, and the row's epochs stretched to it."""
    if "preset" not in where:
        return where
    old, new = values.get("preset", "tiny"), where["preset"]
    if isinstance(old, dict) and isinstance(new, str):
        new = {**old, "base": new}
    changed = {**where, "preset": new}
    if "epochs" not in where and values.get("epochs") is not None:
        kind = kind_of(values["system"])
        changed["epochs"] = stretched(values["epochs"], preset_numbers(old, kind), preset_numbers(new, kind))
    return changed


def _is_there(row: Row, shared: dict[str, Any]) -> None:
    """NotHere where the row needs what this sweep, this version or this machine has not."""
    if row.absent:
        raise NotHere(row.absent)
    dataset, system, file = (row.requires.get(need) for need in ("dataset", "system", "file"))
    if dataset and dataset != shared.get("dataset", "synthadl"):
        raise NotHere(f"it needs the data set {dataset} (--dataset {dataset} --root FOLDER)")
    if system and system not in names():
        raise NotHere(f"it needs the system {system}, which is not part of this version")
    if file and not Path(file).exists():
        raise NotHere(f"it needs the file {file}, which is not there")


def train_parameters(config: TrainConfig) -> dict[str, Any]:
    """What 01_train is told so that it trains ``config``."""
    values, fresh = config.model_dump(mode="json"), TrainConfig(system=config.system).model_dump(mode="json")
    # A worker may run in another folder.
    if config.root is not None and Path(config.root).exists():
        values["root"] = str(Path(config.root).resolve())
    named = {name: value for name, value in values.items() if name in Train.model_fields}
    # The notebook ends with the numbers of the test split.
    values["evaluate"] = sorted({"test", *config.evaluate})
    return named | {"more": {k: v for k, v in values.items() if k not in named and v != fresh[k]}}


def notebook_file(name: str) -> Path:
    """A notebook by its path, or by its name in the project's folder of notebooks; FileNotFoundError otherwise."""
    named = Path(name)
    file = named if named.suffix else named.with_suffix(".ipynb")
    for path in (file, Path("notebooks") / file, shipped.notebooks() / file):
        if path.is_file():
            return path.resolve()
    raise FileNotFoundError(f"there is no notebook {name!r}, neither here nor in notebooks/")


def source_digest(name: str) -> str:
    """Changes with the code of the notebook, not with its text."""
    file = notebook_file(name)
    return _digest(file, file.stat().st_mtime_ns)


@cache
def _digest(file: Path, changed: int) -> str:
    return hashlib.sha256(json.dumps(files.code_cells(file)).encode()).hexdigest()[:16]
