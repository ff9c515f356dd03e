"""Which data a run learnt from: those at hand, or others. "latest:<system>" means a run on the data at hand."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from shlex import quote
from typing import Any

from workbench.data.catalog import guess
from workbench.study.config.data_of import open_split
from workbench.study.config.kinds import VIDEOS, kind_of
from workbench.study.config.train_config import TrainConfig

PARTS = ("train", "validation")


def trained_on(config: TrainConfig, record: dict[str, Any], root: str | Path, seen: dict | None = None) -> bool:
    """Whether a run of ``config`` learnt from the data at ``root``: by their contents, or, where an old run did not
    keep what it learnt from (``record``, the "data" of its config.json), by the path. ``seen`` remembers contents."""
    root = Path(root)
    same_path = record.get("root") == str(root.resolve())
    if "train" not in record:
        return same_path
    kinds = {guess(root), config.dataset}
    if not same_path and len(kinds) > 1 and kinds & {"manifest", "shards", "pyskl"}:
        return False
    seen = {} if seen is None else seen
    key = config.dataset, config.kind, config.protocol, json.dumps(config.limit), str(root)
    if key not in seen:
        seen[key] = _contents(config, root)
    return seen[key] == [record[part] for part in PARTS]


def _contents(config: TrainConfig, root: Path) -> list[str]:
    try:
        with warnings.catch_warnings(action="ignore"):
            return [open_split(config.model_copy(update={"root": str(root)}), part).contents for part in PARTS]
    except (ValueError, OSError):
        return []


def how_to_train(system: str, config: TrainConfig, runs: str | Path) -> str:
    """The command line that trains ``system`` on the data of ``config``, into the run store ``runs``."""
    root, store = config.root, [] if str(runs) == "runs" else [f"--runs {quote(str(runs))}"]
    where = [] if root is None else [f"--root {quote(root)}"]
    # The teachers of the others read features of encoders, which a table trains too.
    if kind_of(system) is VIDEOS and system != "detector":
        return " ".join(["python -m workbench sweep notebooks/ablations/detection.yaml --seeds 1", *where, *store])
    if config.dataset not in (TrainConfig(system=system, root=root).dataset, "synthadl", "synthadl_u"):
        where.insert(0, f"--data {config.dataset}")
    poses, first = _facts(system, config.dataset, root)
    pairs = [] if poses else ["preset.crop=frame"]
    if config.protocol not in (None, first):
        pairs.append(f"protocol={quote(config.protocol)}")
    return " ".join(["python -m workbench train", quote(system), *where, *store, *(["--set", *pairs] if pairs else [])])


def _facts(system: str, dataset: str, root: str | None) -> tuple[bool, str | None]:
    """Whether the data have poses, and their first protocol; where they can't be opened, as if they had, and None."""
    try:
        with warnings.catch_warnings(action="ignore"):
            data = open_split(TrainConfig(system=system, dataset=dataset, root=root), "train")
    except (ValueError, OSError):
        return True, None
    return data.skeleton is not None, data.protocol
