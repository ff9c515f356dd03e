"""Tables as Markdown: mean and spread over seeds, what each system costs, and every seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbench.study import files, hardware, profiling
from workbench.study.config import TrainConfig

if TYPE_CHECKING:
    from workbench.study.tables import Table


def spread(results: pd.DataFrame) -> pd.DataFrame:
    """One line a system, in the order of ``results``: each number's mean and, as <name>_sd, its standard deviation (NaN
    of a single seed)."""
    by_system = results.drop(columns="seed").groupby("system", sort=False)
    return by_system.mean().join(by_system.std(), rsuffix="_sd").reset_index()


def costs(configs: dict[str, TrainConfig], runs: str | Path, repeats: int = 20) -> dict[str, dict[str, float]]:
    """What ``profiling.profile`` measures at test of each configuration on this machine, by label. Measured once: kept
    under <runs>/costs."""
    measured = {}
    for label, config in configs.items():
        words = [
            config.system,
            config.variant(),
            config.numbers.model_dump(mode="json"),
            hardware.environment()["processor"],
        ]
        digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:16]
        path = Path(runs) / "costs" / f"{config.system}-{digest}.json"
        if not path.is_file():
            files.write_json(path, profiling.profile(config, repeats, training=False))
        measured[label] = files.read_json(path)
    return measured


def section(
    table: Table, results: pd.DataFrame, command: str, priced: dict[str, dict[str, float]] | None = None
) -> str:
    """The table with mean ± standard deviation over seeds and costs with their quartiles, then each seed's numbers.

    results: one line a system and seed, as ``tables.sweep`` returns them; priced: ``costs`` by the rows' labels.
    """
    labels = [column.label for column in table.columns]
    extra = [column.label for column in table.costs] if priced else []
    means, seeds = spread(results), results["seed"].nunique()

    def price(system: str, metric: str) -> str:
        row = priced[system]
        quartiles = f" ({row[f'{metric}_q1']:.3g} to {row[f'{metric}_q3']:.3g})" if f"{metric}_q1" in row else ""
        return _number(row[metric], "{:.3g}") + quartiles

    def seeds_of(system: str, label: str) -> str:
        return " / ".join(_number(value) for value in results.loc[results["system"] == system, label])

    summary = [
        _line(
            [row["system"], *(_mean(row, label) for label in labels)]
            + [price(row["system"], c.metric) for c in table.costs if priced]
        )
        for _, row in means.iterrows()
    ]
    each = [_line([name, *(seeds_of(name, label) for label in labels)]) for name in means["system"]]
    words = f"Mean ± standard deviation over {seeds} seeds (rows without ± have one), in percent, by `{command}`."
    if priced:
        words += f" Costs: median (and quartiles) on {hardware.environment()['processor']}."
    parts = [f"# {table.title}", table.note.strip(), words]
    parts.append("\n".join([*_head([*labels, *extra]), *summary]))
    parts += ["Each seed:", "\n".join([*_head(labels), *each])]
    return "\n\n".join(parts) + "\n"


def write(path: str | Path, sections: Iterable[str]) -> None:
    """The sections in one Markdown file."""
    files.write(Path(path), "\n".join(sections).encode())


def _head(labels: list[str]) -> list[str]:
    return [_line(["", *labels]), _line(["---", *["---:"] * len(labels)])]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: Any, form: str = "{:.1f}") -> str:
    return "–" if pd.isna(value) else form.format(value)


def _mean(row: pd.Series, label: str) -> str:
    deviation = row[f"{label}_sd"]
    return _number(row[label]) + ("" if pd.isna(deviation) else f" ± {deviation:.1f}")
