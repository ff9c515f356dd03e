"""A manifest written by the workbench: the clips of any data set as a table that opens again."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from safefiles.drafts import replacing
from workbench.data.dataset import Dataset
from workbench.data.files import intervals


def save(dataset: Dataset, path: str | Path, poses: Mapping[int, str]) -> None:
    """Writes ``path`` (.csv) and the .yaml beside it: every clip of ``dataset`` that has a video, under the same ids,
    classes and parts, with ``poses`` (by position, relative to the folder of ``path``). Atomic."""
    path, table = Path(path), dataset.table
    rows = [i for i, path in enumerate(dataset.videos) if path]
    home = os.path.commonpath([os.path.dirname(dataset.videos[i]) for i in rows])
    fresh = pd.DataFrame({"id": [dataset.ids[i] for i in rows]})
    fresh["video"] = [Path(os.path.relpath(dataset.videos[i], home)).as_posix() for i in rows]
    if dataset.instances is None:
        fresh["label"] = [dataset.classes[dataset.labels[i]] for i in rows]
    else:
        by_clip = {name: group for name, group in dataset.instances.groupby("video")}
        fresh["intervals"] = [_intervals(by_clip.get(name), dataset.classes) for name in fresh["id"]]
    for name in ("subject", "camera", "view", "setup"):
        fresh[name] = [str(value) for value in table[name].iloc[rows]] if name in table else ""
    fresh["split"] = table["split" if "split" in table else f"split_{dataset.protocol}"].iloc[rows].tolist()
    fresh["pose"] = [poses.get(i, "") for i in rows]
    settings = {"folder": os.path.realpath(home), "classes": dataset.classes, "mirrored": dataset.mirrored}
    write(fresh, path, settings)


def write(table: pd.DataFrame, path: Path, settings: dict | None) -> None:
    """The table at ``path`` (.csv or .parquet), after the .yaml that says ``settings``, if any; each is whole or not
    there."""
    if settings:
        with replacing(path.with_suffix(".yaml")) as draft:
            draft.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")
    with replacing(path) as draft:
        if path.suffix.lower() == ".csv":
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([table.columns, *table.itertuples(index=False)])
            draft.write_text(text.getvalue(), encoding="utf-8", newline="")
        else:
            table.to_parquet(draft, index=False)


def _intervals(rows: pd.DataFrame | None, classes: list[str]) -> str:
    if rows is None:
        return ""
    return intervals.join([(classes[row.label], row.start, row.end) for row in rows.itertuples()])
