"""What ``evaluate`` measured of a run's mechanism, under one-word names, as tables of runs have it."""

from __future__ import annotations

import re
from typing import Any

#: The questions of ``exchanges.ask_all`` in one word.
QUESTIONS = {"shuffled_pose": "pose", "shuffled_time": "time", "uniform_attention": "uniform"}


def columns(alive: dict[str, Any]) -> dict[str, float]:
    """Of a split's "alive": <pose|time|uniform>_<changed|top1|gain>; <map>_over_clips (the share) and _over_cells;
    <level>_<own|other|margin|teacher_share|loss|constant|loss_ratio>, of distillation; and
    <stage>_<first|last>_gradient_<term>. Other characters than letters and digits become "_"."""
    numbers: dict[str, float] = {}
    for question, measured in alive.get("exchanges", {}).items():
        if question in QUESTIONS:
            numbers |= {f"{QUESTIONS[question]}_{name}": interval["value"] for name, interval in measured.items()}
    for name, spread in alive.get("maps", {}).items():
        numbers[f"{name}_over_clips"] = spread["over_clips_share"]
        if "over_cells" in spread:
            numbers[f"{name}_over_cells"] = spread["over_cells"]
    for level, measured in alive.get("distillation", {}).items():
        if level != "skipped":
            values = {name: value["value"] if isinstance(value, dict) else value for name, value in measured.items()}
            numbers |= {f"{level}_{name}": value for name, value in values.items() if name != "ahead"}
            if values.get("constant"):
                numbers[f"{level}_loss_ratio"] = values["loss"] / values["constant"]
    for stage, ends in alive.get("gradients", {}).items():
        for end, shares in ends.items():
            numbers |= {f"{stage}_{end}_{name}": share for name, share in shares.items()}
    return {re.sub(r"[^a-zA-Z0-9]+", "_", name): value for name, value in numbers.items()}
