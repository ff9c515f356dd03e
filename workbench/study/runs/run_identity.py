"""Which run a configuration on data is: its name, whether one of the same configuration is outdated, its first file."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from safefiles.reading import present
from workbench.nets import weights
from workbench.study import files
from workbench.study.config.train_config import TrainConfig, parse
from workbench.study.runs.find_runs import finished
from workbench.study.runs.run_folder import Data, Run


def run_of(config: TrainConfig, dataset: Data, validation: Data) -> Run:
    """The run that ``config`` on ``dataset`` (its training split) and ``validation`` is, whether or not it exists yet.

    The name reads system-protocol-seed-hash; the hash covers the configuration, the weights that it starts from, and
    the contents of both splits: labels, and the bytes of videos, poses and whatever else their clips are read from.
    """
    words = [config.identity(), _contents(config.init), dataset.contents, validation.contents]
    if config.detects:
        words.append(_contents(config.snippets))
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:8]
    protocol = re.sub(r"[^a-zA-Z0-9]+", "-", dataset.protocol).strip("-")[:40]
    name = f"{config.system}-{protocol}-s{config.seed}-{digest}"
    return Run(name, Path(config.runs) / name)


def outdated(run: Run) -> list[str]:
    """One sentence for each finished run of the same configuration whose training or validation clips have changed
    since: ``run``, which is not made yet, takes its place."""
    mine = files.read_json(run.folder / "config.json")
    config, sentences = parse(mine["config"]), []
    for other in finished(run.folder.parent):
        if other.id == run.id or not other.id.startswith(run.id.rpartition("-")[0]):
            continue
        theirs = other._facts["data"]
        changed = [split for split in ("train", "validation") if theirs.get(split) != mine["data"][split]]
        same = other.config.identity() == config.identity() and theirs.get("root") == mine["data"]["root"]
        if same and changed and "train" in theirs:
            what = " and ".join({"train": "training", "validation": "validation"}[split] for split in changed)
            sentences.append(
                f"run {other.id} has this configuration, but its {what} clips (labels, videos or poses) have changed "
                f"since: it is trained anew as {run.id}"
            )
    return sentences


def create(run: Run, config: TrainConfig, dataset: Data, validation: Data, features: dict[str, int] | None) -> None:
    """Writes config.json of a new run, with the channels of snippets' features if it reads such; ValueError
    where the folder holds another configuration."""
    facts = {
        "id": run.id,
        "config": config.model_dump(mode="json"),
        "classes": dataset.classes,
        "skeleton": dataset.skeleton.name if dataset.skeleton else None,
        "features": features,
        "data": {
            "clips": len(dataset),
            "train": dataset.contents,
            "validation": validation.contents,
            "root": _absolute(config.root),
        },
    }
    path = run.folder / "config.json"
    if present(path) and parse(files.read_json(path, "config")["config"]).identity() != config.identity():
        raise ValueError(f"{path} holds another configuration than the run that goes by its name; move the folder away")
    files.write_json(path, facts)


def _contents(sources: dict[str, str]) -> dict[str, str]:
    """What stands behind ``init`` or ``snippets``: a file counts by its bytes, a run by its id."""

    def content(source: str) -> str:
        file = weights.SHIPPED.get(source, Path(source))
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else source

    return {name: content(source) for name, source in sources.items()}


def _absolute(root: str | None) -> str | None:
    return None if root is None else str(Path(root).resolve())
