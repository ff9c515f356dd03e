"""Gains of classes with intervals, and runs that differ in a weight of distillation alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from workbench.study import files
from workbench.study.analysis import comparison
from workbench.study.config.train_config import TrainConfig
from workbench.study.runs.run_folder import Run
from workbench.study.tables.table_file import configs, read_table

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_class_gains_by_hand():
    labels = np.array([0, 0, 2, 2, 2, 2])
    first, second = np.array([1, 1, 0, 0, 1, 0], bool), np.array([1, 0, 1, 1, 1, 0], bool)
    gains = comparison.class_gains(first, second, labels, ["a", "b", "c"])
    assert gains["action"].tolist() == ["c", "a"] and gains["clips"].tolist() == [4, 2]
    assert gains["value"].tolist() == [0.5, -0.5]
    assert (gains["low"] <= gains["value"]).all() and (gains["high"] >= gains["value"]).all()


def finished(root: Path, name: str, top1: float | None = None, data: str = "d", **fields: object) -> Run:
    """A run's folder without its work."""
    run = Run(name, root / name)
    config = TrainConfig(**{"system": "vpn_f", **fields}).resolved("cs", 8)
    facts = {"config": config.model_dump(mode="json"), "classes": [], "skeleton": None, "data": {"fingerprint": data}}
    files.write_json(run.folder / "config.json", facts)
    (run.folder / "weights.safetensors").touch()
    if top1 is not None:
        measured = {"test": {"top1": top1, "top1_low": top1 - 0.1, "top1_high": top1 + 0.1}}
        (run.folder / "metrics.json").write_text(json.dumps(measured))
    return run


def test_runs_that_differ_in_the_weight_alone(tmp_path):
    run = finished(tmp_path, "default", 0.5, init={"teacher": "a"})
    finished(tmp_path, "said", 0.55, seed=1, options={"alpha": 50.0}, init={"teacher": "b"})
    finished(tmp_path, "ten", 0.4, options={"alpha": 10.0}, init={"teacher": "a"})
    for number, other in enumerate(
        [
            {"options": {"alpha": 10.0, "similarity": "temperature"}},
            {"epochs": 3},
            {"init": {}},
            {"system": "vpn_a"},
            {"preset": {"width": 0.5}},
            {"data": "other"},
        ]
    ):
        finished(tmp_path, f"other{number}", 0.9, **({"init": {"teacher": "a"}} | other))
    finished(tmp_path, "unmeasured", None, options={"alpha": 100.0}, init={"teacher": "a"})
    found = comparison.sensitivity(run, tmp_path)
    assert found["id"].tolist() == ["default", "ten", "said"] and found["option"].unique().tolist() == ["alpha"]
    assert found["value"].tolist() == [0.1, 10, 50] and found["seed"].tolist() == [0, 0, 1]
    assert found["top1"].tolist() == [0.5, 0.4, 0.55] and found["low"][0] == pytest.approx(0.4)


def test_a_system_without_weights_has_none_to_vary(tmp_path):
    assert comparison.sensitivity(finished(tmp_path, "rgb", 0.5, system="rgb"), tmp_path).empty


def test_the_rows_of_figure_8_differ_in_the_weights_alone():
    """So that the notebook draws them as one curve: the same system, epochs, preset and modules that start. Every
    system that has a weight is there, and is judged on validation subjects."""
    table = read_table(NOTEBOOKS / "ablations/vpnpp_figure8.yaml")
    printed = {row.label for row in table.rows if "as printed" in row.label}
    rows = configs(NOTEBOOKS / "ablations/vpnpp_figure8.yaml", {})
    starts = {row.label: sorted(row.parameters["init"]) for row in table.rows if "init" in row.parameters}
    assert (
        any(column.metric == "validation_top1" for column in table.columns) and "validation" in table.base["evaluate"]
    )
    for system in ("vpn_f", "vpn_a", "vpn_pp", "vfn_pp", "vpfn_pp"):
        mine = {label: config for label, config in rows.items() if config.system == system and label not in printed}
        said = [comparison.options(config) for config in mine.values()]
        tried = {tuple(options.pop(name) for name in comparison.WEIGHTS if name in options) for options in said}
        assert len(tried) == len(mine) >= 4, system
        assert all(options == said[0] for options in said)
        first, *others = mine.values()
        assert all(other.model_copy(update={"options": first.options}) == first for other in others)
        assert len({tuple(starts[label]) for label in mine}) == 1
    for label in printed:
        said = comparison.options(rows[label])
        assert {said.get("alpha", 50), said.get("beta", 50)} == {50} and said["similarity"] == "raw"
