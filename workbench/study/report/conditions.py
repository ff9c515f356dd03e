"""Under which conditions each row of a table ran: by which reading of its paper, and with how much training from where.

Rows can be compared where these are the same. What a row starts from counts: 8 epochs as another row and 6 of its own
are 14. A row's training is that of its video backbone and of the classifier behind it, as they are used at test; a
detector's is that of its temporal filter.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd
import torch

from workbench.study.config.experiment import resolve
from workbench.study.config.kinds import VIDEOS
from workbench.study.config.notebook_config import Train
from workbench.study.config.presets import PRESETS
from workbench.study.config.train_config import TrainConfig
from workbench.study.sweep.results import Results
from workbench.study.tables.plan import Cell
from workbench.study.tables.table_file import Table
from workbench.study.train.optim import matches
from workbench.systems import Stage, variants
from workbench.systems.common.building import BACKBONES

#: Options that go with the size of the network and of the data, as clip and width do: no reading of a mechanism.
SIZES = ("attention_hidden", "bn_momentum", "dataset_size", "embedding_size", "gaussians", "hidden", "lstm_hidden",
         "persons", "samples", "trajectories")  # fmt: skip
PRINTED = "as printed"
NEW = "new"
#: A system's parts and stages don't depend on the size of its clips.
SMALL = {"base": "tiny", "clip": [8, 32, 32], "width": 0.125, "output_stride": [2, 8, 8], "options": {}}
SNIPPETS = {"rgb": 8, "flow": 8, "pose": 8}


def differing(config: TrainConfig) -> dict[str, Any]:
    """The system's options whose values are neither its defaults, which are the paper's, nor those that the preset
    paper adds; sizes among them."""
    printed = {name: [_plain(option.default)] for name, option in variants(config.system).items()}
    for name, value in PRESETS["paper"]["options"].items():
        printed.get(name, []).append(value)
    return {name: value for name, value in resolve(config).options.items() if _plain(value) not in printed[name]}


def reading(config: TrainConfig) -> str:
    """``differing`` in words, "as printed" where nothing but sizes does; sizes in brackets."""
    options = differing(config)
    readings = ", ".join(f"{name} = {_as_text(value)}" for name, value in options.items() if name not in SIZES)
    sizes = ", ".join(f"{name} = {_as_text(value)}" for name, value in options.items() if name in SIZES)
    return (readings or PRINTED) + (f" ({sizes})" if sizes else "")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _as_text(value: Any) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@dataclass(frozen=True, order=True)
class Trained:
    """How long a module was trained in all, and what it was before: a file or a name of shipped weights, or new."""

    epochs: int
    start: str

    def __str__(self) -> str:
        return f"{self.epochs} epochs, {self.start if self.start == NEW else f'from {self.start}'}"


@dataclass(frozen=True)
class Budget:
    """The training of a row's video backbones and of its classifier (None where that is fitted in closed form), which
    without a video backbone stands for the network that it is part of. Rows of the same kind can be compared: all that
    read video, all detectors, and else those of the same system."""

    kind: str
    backbones: tuple[Trained, ...]
    classifier: Trained | None

    def __str__(self) -> str:
        parts = {"backbone": " / ".join(str(trained) for trained in dict.fromkeys(self.backbones))}
        parts["classifier" if self.backbones else "network"] = "" if self.classifier is None else str(self.classifier)
        return "; ".join(f"{name} {training}" for name, training in parts.items() if training)


def budgets(table: Table) -> dict[str, Budget]:
    """The budget of every row of a table file that 01_train trains, hidden ones too, by its id."""
    rows = [row for row in table.rows if row.trains and not row.absent]
    configs = {row.id: TrainConfig(**{**table.base, **row.parameters}) for row in rows}
    return {name: _budget(configs, name) for name in configs}


def of_cell(cells: Mapping[str, Cell], key: str) -> tuple[TrainConfig, Budget]:
    """The configuration and the budget of the cell of a plan that trains a run, by its key."""
    configs: dict[str, TrainConfig] = {}
    waiting = [key]
    while waiting:
        cell = cells[waiting.pop()]
        if cell.key not in configs:
            configs[cell.key] = Train(**cell.parameters).training()
            waiting += cell.needs
    return configs[key], _budget(configs, key)


def readings(results: Results) -> pd.DataFrame:
    """One line a row that is shown and trains: row, label, reading (options that are not the paper's, or "as printed",
    see ``reading``), training (of the video backbone and the classifier, what they start from counted, and the layers
    that stay as they start) and differs, the reason that the table states where a row's training is another. As the
    sweep was told, and in the first column that is run."""
    rows = []
    for row in results.table.shown:
        keys = [entry.cell for entry in results.entries if entry.row == row.id and entry.cell]
        keys = [key for key in keys if results.plan.cells[key].trains]
        if keys:
            config, budget = of_cell(results.plan.cells, keys[0])
            frozen = resolve(config).procedure.frozen if budget.backbones else ()
            training = "; ".join([str(budget), *([f"frozen: {', '.join(frozen)}"] if frozen else [])])
            rows.append((row.id, row.label, reading(config), training, row.differs))
    return pd.DataFrame(rows, columns=["row", "label", "reading", "training", "differs"])


def unequal(table: Table) -> dict[str, str]:
    """The rows that are shown whose budget is not that of most rows of their kind, and that state no reason (``Row``'s
    differs), by id, with both budgets in words; and those whose classifier nothing has trained."""
    budget_of = budgets(table)
    visible = [row for row in table.shown if row.id in budget_of]
    kinds = {budget.kind for budget in budget_of.values()}
    usual = {kind: _usual([b for row in visible if (b := budget_of[row.id]).kind == kind]) for kind in kinds}
    wrong = {}
    for row in visible:
        trained = budget_of[row.id]
        backbone, classifier = usual[trained.kind]
        same = set(trained.backbones) <= {backbone} and trained.classifier in (None, classifier)
        if (not same and not row.differs) or trained.classifier == Trained(0, NEW):
            usually = Budget(trained.kind, () if backbone is None else (backbone,), classifier)
            wrong[row.id] = f"{trained}; other rows: {usually}"
    return wrong


def _usual(budgets: list[Budget]) -> tuple[Trained | None, Trained | None]:
    """The most frequent training of backbones and of classifiers; of those that are as frequent, the longer."""
    backbones = Counter(trained for budget in budgets for trained in set(budget.backbones))
    classifiers = Counter(budget.classifier for budget in budgets if budget.classifier is not None)
    first, second = (
        max(counts, key=lambda trained: (counts[trained], trained), default=None) for counts in (backbones, classifiers)
    )
    return first, second


def _budget(configs: Mapping[str, TrainConfig], name: str) -> Budget:
    backbones, classifier, _ = _parts(configs[name])
    kind = "video" if backbones else "detector" if configs[name].kind is VIDEOS else configs[name].system
    trained = [_trained(configs, name, module) for module in backbones]
    return Budget(kind, tuple(trained), None if classifier is None else _trained(configs, name, classifier))


def _trained(configs: Mapping[str, TrainConfig], name: str, module: str) -> Trained:
    """The training of the ``module`` of a configuration, through what it starts from."""
    config = configs[name]
    stages = resolve(config).procedure.of(_parts(config)[2])
    epochs = sum(s.epochs for s in stages if matches(module, s.trains) and not matches(module, s.freezes))
    prefix = max((part for part in config.init if matches(module, (part,))), key=len, default=None)
    if prefix is None:
        # What starts part by part started as the least trained of them.
        inner = [_trained(configs, name, part) for part in config.init if matches(part, (module,))]
        return min(inner, default=Trained(epochs, NEW))
    source, colon, inside = config.init[prefix].removeprefix("row:").partition(":")
    if source not in configs:
        return Trained(epochs, config.init[prefix])
    source_module = ".".join(filter(None, [inside if colon else prefix, module[len(prefix) :].strip(".")]))
    before = _trained(configs, source, source_module)
    return Trained(before.epochs + epochs, before.start)


def _parts(config: TrainConfig) -> tuple[list[str], str | None, list[Stage]]:
    """A system's video backbones and classifier ("" is the whole), as they are at test, and the published stages."""
    return _of_system(config.system, json.dumps(resolve(config).options, sort_keys=True))


@cache
def _of_system(system: str, options: str) -> tuple[list[str], str | None, list[Stage]]:
    config = TrainConfig(system=system, options=json.loads(options), preset=SMALL)
    with torch.device("meta"):  # names without numbers
        built = resolve(config, ["a", "b"], features=SNIPPETS).build()
    names = [name for name, _ in built.named_modules() if not any(p.startswith("teacher") for p in name.split("."))]
    backbones = [name for name in names if isinstance(built.get_submodule(name), tuple(BACKBONES.values()))]
    if "classifier" in names:
        return backbones, "classifier", built.stages()
    likely = [f"{name.rpartition('.')[0]}.classifier" for name in backbones]
    classifiers = [name for name in names if name in likely or (not backbones and name.endswith(".classifier"))]
    whole = "" if not backbones and any("" in stage.trains for stage in built.stages()) else None
    return backbones, classifiers[0] if classifiers else whole, built.stages()
