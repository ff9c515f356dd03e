"""Which run a configuration on data is: its name, whether one of the same configuration is outdated, its first file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from safefiles.reading import present
from workbench.nets import weights
from workbench.study import files
from workbench.study.config.experiment import Experiment
from workbench.study.config.kinds import Data
from workbench.study.config.train_config import parse
from workbench.study.runs.find_runs import finished
from workbench.study.runs.run_folder import Run


def run_of(experiment: Experiment, dataset: Data, validation: Data) -> Run:
    """The run that ``experiment`` on ``dataset`` (its training split) and ``validation`` is, whether or not it exists.

    The name reads system-protocol-seed-hash; the hash covers the configuration, the weights that it starts from, and
    the contents of both splits: labels, and the bytes of videos, poses and whatever else their clips are read from.
    """
    parts = [experiment.identity, _contents(experiment.init), dataset.contents, validation.contents]
    if experiment.snippets:
        parts.append(_contents(experiment.snippets))
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
    protocol = re.sub(r"[^a-zA-Z0-9]+", "-", dataset.protocol).strip("-")[:40]
    system = re.sub(r"[^a-zA-Z0-9_]+", "-", experiment.config.title.replace(".py:", "-"))
    name = f"{system}-{protocol}-s{experiment.seed}-{digest}"
    return Run(name, Path(experiment.runs) / name)


def outdated(run: Run) -> list[str]:
    """One sentence for each finished run of the same configuration whose training or validation clips have changed
    since: ``run``, which is not made yet, takes its place."""
    record, sentences = run.data_record, []
    for older in finished(run.folder.parent):
        if older.id == run.id or not older.id.startswith(run.id.rpartition("-")[0]):
            continue
        earlier = older.data_record
        changed = [split for split in ("train", "validation") if earlier.get(split) != record[split]]
        same = older.config.identity() == run.experiment.identity and earlier.get("root") == record["root"]
        if same and changed and "train" in earlier:
            splits = " and ".join({"train": "training", "validation": "validation"}[split] for split in changed)
            sentences.append(
                f"run {older.id} has this configuration, but its {splits} clips (labels, videos or poses) have changed "
                f"since: it is trained anew as {run.id}"
            )
    return sentences


def create(run: Run, experiment: Experiment, train: Data, validation: Data, features: Mapping[str, int] | None) -> None:
    """Writes config.json of a new run, with the channels of snippets' features if it reads such; ValueError
    where the folder holds another configuration."""
    facts = {
        "id": run.id,
        "config": experiment.config.model_dump(mode="json"),
        "classes": train.classes,
        "skeleton": train.skeleton.name if train.skeleton else None,
        "features": features,
        "data": {
            "clips": len(train),
            "train": train.contents,
            "validation": validation.contents,
            "root": None if experiment.root is None else str(Path(experiment.root).resolve()),
        },
    }
    path = run.folder / "config.json"
    if present(path) and parse(files.read_json(path, "config")["config"]).identity() != experiment.identity:
        raise ValueError(f"{path} holds another configuration than the run that goes by its name; move the folder away")
    files.write_json(path, facts)


def _contents(sources: dict[str, str]) -> dict[str, str]:
    """What stands behind ``init`` or ``snippets``: a file counts by its bytes, a run by its id."""

    def content(source: str) -> str:
        found = weights.file_of(source)
        if found is None:
            return source
        file, module = found
        return hashlib.sha256(file.read_bytes()).hexdigest() + (f":{module}" if module else "")

    return {name: content(source) for name, source in sources.items()}
