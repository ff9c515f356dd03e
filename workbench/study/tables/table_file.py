"""A table of a paper as a file: columns, rows with what the paper printed, and the claims it makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from safefiles.reading import read_yaml
from workbench.study.config.checked import Config
from workbench.study.config.preset_fields import Preset
from workbench.study.config.stages import of_stage
from workbench.study.config.train_config import TrainConfig

#: What a row may need that not everybody has.
NEEDS = ("dataset", "system", "file")


class Column(Config):
    """A measured number: ``metric`` of the test split, or another that ``runs.table`` has, such as validation_top1
    where the base says ``evaluate: [test, validation]``; shown under ``label``.

    It stands for one column of the paper. protocol None is the base's. parameters are what the column changes in every
    row and in those that it starts from (see ``planning``). unit percent shows a share times 100; another word shows
    the number as it was measured. absent says why nothing here stands for the paper's column.
    """

    metric: str = ""
    label: str
    id: str = ""
    protocol: str | None = None
    direction: Literal["higher", "lower"] = "higher"
    unit: str = "percent"
    parameters: dict[str, Any] = {}
    absent: str = ""

    @model_validator(mode="after")
    def _is_measured_or_absent(self) -> Column:
        if not self.metric and not self.absent:
            raise ValueError(f"column {self.label!r} needs a metric, or says with absent why it has none")
        return self

    @property
    def key(self) -> str:
        """Its id; without one its metric, with the protocol where it has its own."""
        return self.id or "_".join(filter(None, [self.metric, self.protocol]))

    @property
    def scale(self) -> float:
        """What a share in [0,1] is multiplied by to be shown."""
        return 100.0 if self.unit == "percent" else 1.0


class Row(Config):
    """One line of the table: what it changes of ``base`` (fields of TrainConfig). An ``init`` that reads "row:<id>", or
    "row:<id>:<module>", starts from the run that another row is with the same seed; ``snippets`` name encoders so.

    ``published`` is what the paper printed, by column. ``hidden`` rows only serve others. ``seeds`` limits how many a
    row that takes long is run with; a row whose parameters say ``seed`` is one run, whatever the seed of the table.
    ``notebook`` is the file in notebooks/ that is executed; another than 01_train gets the parameters as they are.
    ``requires`` what not everybody has (a key of ``NEEDS`` each), and ``absent`` says why the row is never run.
    ``differs`` is the reason why its training is not that of the table's other rows (see ``budgets``).
    """

    id: str
    label: str
    parameters: dict[str, Any] = {}
    published: dict[str, float | None] = {}
    hidden: bool = False
    seeds: int | None = Field(default=None, gt=0)
    notebook: str = "01_train.ipynb"
    requires: dict[str, str] = {}
    absent: str = ""
    differs: str = ""

    @model_validator(mode="after")
    def _can_run_or_says_why_not(self) -> Row:
        if unknown := set(self.requires) - set(NEEDS):
            raise ValueError(f"row {self.id!r} requires {min(unknown)!r}; valid: {', '.join(NEEDS)}")
        if bool(self.parameters) == bool(self.absent):
            raise ValueError(f"row {self.id!r} needs either parameters or, with absent, a reason why it is not run")
        return self

    @property
    def trains(self) -> bool:
        """Whether it is a run of ``fit``."""
        return Path(self.notebook).stem == "01_train"


class Claim(Config):
    """What the paper says of rows, in own words, and how it is tested.

    greater: ``better`` is ahead of ``worse`` by more than ``gain`` (in the column's unit); within: the two differ by at
    most ``tolerance``; order: ``rows`` fall in this order. columns are ids, or all. ``margin`` is the advantage of
    ``better`` in the paper, by column of the claim: told, not tested. basis: said in the prose, or read off the table.
    same is the table's where None (see ``verdicts``).
    """

    id: str
    text: str
    relation: Literal["greater", "within", "order"] = "greater"
    better: str = ""
    worse: str = ""
    rows: list[str] = []
    columns: Literal["all"] | list[str] = "all"
    gain: float = Field(default=0.0, ge=0)
    tolerance: float | None = Field(default=None, ge=0)
    same: float | None = Field(default=None, gt=0)
    margin: list[float | None] = []
    basis: Literal["text", "table"] = "text"

    @model_validator(mode="after")
    def _fits_its_relation(self) -> Claim:
        ordered = self.relation == "order"
        if ordered and (len(self.rows) < 2 or self.better or self.worse):
            raise ValueError(f"claim {self.id!r} (order) needs rows, two or more, instead of better and worse")
        if not ordered and (not self.better or not self.worse or self.rows):
            raise ValueError(f"claim {self.id!r} ({self.relation}) needs better and worse")
        if (self.relation == "within") != (self.tolerance is not None):
            raise ValueError(f"claim {self.id!r} needs a tolerance if, and only if, its relation is within")
        return self

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The (better, worse) rows that are compared."""
        return list(zip(self.rows, self.rows[1:], strict=False)) if self.rows else [(self.better, self.worse)]


class Table(Config):
    """A table file. ``base`` holds the fields of TrainConfig that all rows share; ``protocols`` are run where nothing
    else is asked for, none given the base's. ``costs`` are columns too, of numbers that ``profiling.profile`` measures
    of each row's system. paper and setting say where the published numbers are from and what they measure. ``seeds``
    is how many each row is run with where nothing else is asked for. ``same``: two rows of a claim are called the same
    in columns in percent where they surely differ by no more than these points (see ``verdicts``)."""

    title: str
    note: str = ""
    paper: str = ""
    setting: str = ""
    base: dict[str, Any]
    protocols: list[str] = []
    seeds: int = Field(default=3, gt=0)
    same: float = Field(default=2.5, gt=0)
    columns: list[Column]
    costs: list[Column] = []
    rows: list[Row]
    claims: list[Claim] = []

    @model_validator(mode="after")
    def _names_fit(self) -> Table:
        columns, rows = [column.key for column in (*self.columns, *self.costs)], [row.id for row in self.rows]
        for kind, names in (("column", columns), ("row", rows), ("claim", [claim.id for claim in self.claims])):
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"two {kind}s have the id {twice[0]!r}")
        for row in self.rows:
            _check_names(f"row {row.id!r} has a published value for", row.published, "column", columns)
        visible = [row.id for row in self.shown]
        for claim in self.claims:
            subject = f"claim {claim.id!r} names"
            _check_names(subject, [name for pair in claim.pairs for name in pair], "row", visible)
            claimed = columns if claim.columns == "all" else claim.columns
            _check_names(subject, claimed, "column", columns)
            if len(claim.margin) not in (0, len(claimed)):
                raise ValueError(f"claim {claim.id!r} has {len(claim.margin)} margins for {len(claimed)} columns")
        if any(row.published for row in self.rows) and not self.paper:
            raise ValueError("rows have published values, but paper doesn't say where they are from")
        return self

    @property
    def shown(self) -> list[Row]:
        """The rows that don't only serve others."""
        return [row for row in self.rows if not row.hidden]

    def row(self, name: str) -> Row:
        """The row called ``name``; StopIteration where there is none."""
        return next(row for row in self.rows if row.id == name)

    def of(self, claim: Claim) -> list[Column]:
        """The columns that ``claim`` is about."""
        return [c for c in (*self.columns, *self.costs) if claim.columns == "all" or c.key in claim.columns]


def _check_names(subject: str, names: Iterable[str], kind: str, valid: list[str]) -> None:
    for name in names:
        if name not in valid:
            raise ValueError(f"{subject} the {kind} {name!r}; there are: {', '.join(valid)}")


def read_table(path: str | Path) -> Table:
    """The table in a YAML file; ValueError naming the file and what is wrong with it."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no table file at {Path(path).absolute()}")
    raw = read_yaml(path)
    try:
        columns = [Column(**column) for column in raw.get("columns", [])]
        costs = [Column(**{"direction": "lower", "unit": "", **column}) for column in raw.get("costs", [])]
        keys = [column.key for column in (*columns, *costs)]
        rows = [Row(**{**row, "published": _published(row, keys)}) for row in raw.get("rows", [])]
        claims = [Claim(**claim) for claim in raw.get("claims", [])]
        return Table(**{**raw, "columns": columns, "costs": costs, "rows": rows, "claims": claims})
    except (ValueError, TypeError, AttributeError, KeyError) as problem:
        raise ValueError(f"{path} is not a table file: {problem}") from None


def _published(row: dict[str, Any], keys: list[str]) -> dict[str, float | None]:
    """The row's published values by column; a list has one for each column, then for each cost."""
    values = row.get("published", {})
    if not isinstance(values, list):
        return values
    if len(values) != len(keys):
        raise ValueError(f"row {row.get('id')!r} has {len(values)} published values for {len(keys)} columns")
    return dict(zip(keys, values, strict=True))


def configs(path: str | Path, changes: dict[str, Any] | None = None) -> dict[str, TrainConfig]:
    """The configuration of every row that is shown, by its label, with ``changes``, untied from the rows it starts
    from, and with all their stages. Rows of other notebooks than 01_train have none, nor have rows that are not run
    here."""
    table = read_table(path)
    by_label = {}
    for row in table.shown:
        if row.trains and not (row.absent or row.requires):
            by_label[row.label] = TrainConfig(
                **{**table.base, **row.parameters, **(changes or {}), "init": {}, "snippets": {}, "epochs": None}
            )
    return by_label


def stretched(epochs: Any, written: Preset, target: Preset) -> Any:
    """Epochs that were written for one preset at another: times the ratio of the presets' factors for the stage, and at
    least 1 where there were some."""

    def stretch(stage: str, count: int) -> int:
        ratio = of_stage(stage, target.epochs, 1.0) / of_stage(stage, written.epochs, 1.0)
        return max(1, round(count * ratio)) if count else 0

    if isinstance(epochs, dict):
        return {stage: stretch(stage, count) for stage, count in epochs.items()}
    return None if epochs is None else stretch("", epochs)
