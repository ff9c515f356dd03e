"""Joint by joint, over a whole split: what does a system lose when a joint is taken away, frozen or shaken?

The headless twin of dragging a joint: every clip is asked about once for each joint (see ``explain.what_if``), and the
table says how much each joint counts for the answer, for the attention, and for its grades.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from workbench import data, metrics
from workbench.explain.interventions import Drop, Freeze, Jitter
from workbench.explain.what_if import Answer, WhatIf, where_and_when
from workbench.media import rendering, skeletons
from workbench.metrics.attention import GRADES
from workbench.study import files
from workbench.study.runs import hardware
from workbench.study.runs.run_folder import Run
from workbench.systems.common.base import System
from workbench.types import Skeleton

CHANGES = {"drop": Drop, "freeze": Freeze, "jitter": Jitter}
#: The row in which no joint is spared: what the poses count for altogether.
ALL = "all joints"


def sensitivity(
    run: Run,
    split: str = "test",
    change: str = "drop",
    groups: Mapping[str, tuple[str, ...]] | None = None,
    limit: int | None = None,
    device: str = "auto",
    progress: bool = True,
) -> pd.DataFrame:
    """A row a joint, and one for all of them, written to sensitivity_<change>_<split>.csv in the run's folder.

    change: "drop", "freeze" (at the first frame) or "jitter" (2 % of the body's height); groups: name -> joints that
    are changed together, None for each joint by itself; limit: that many clips, evenly spread (the file is then not
    written). Columns: joint, part, clips; top1 in [0,1] with the change, and top1_loss, what it costs; score_loss, of
    the true class's softmax score in [0,1], with its 95 % bootstrap interval over clips (_low, _high); flips, the share
    of clips that get another answer; attention_moved in [0,1], half the absolute difference between the attentions as
    shares of 1; and <grade>_loss for each grade of metrics.attention (NaN where there is none).
    ValueError for a system that reads no poses, or an unknown change.
    """
    if change not in CHANGES:
        raise ValueError(f"unknown change {change!r}; known: {', '.join(CHANGES)}")
    processor = hardware.device(device)
    system, dataset = run.system().to(processor), run.clips(split)
    if not {"pose", "rendered"} & system.needs_test:
        raise ValueError(f"{run.id} reads no poses in evaluation: it reads {', '.join(sorted(system.needs_test))}")
    groups = dict(groups or {name: (name,) for name in dataset.schema.joints}) | {ALL: dataset.schema.joints}
    clips = np.arange(len(dataset)) if limit is None else np.linspace(0, len(dataset) - 1, min(limit, len(dataset)))
    open_session = partial(session, run, system, dataset)
    rows = []
    for i in tqdm(np.unique(clips.astype(int)), desc=f"{run.id} {change}", unit="clip", disable=not progress):
        rows += _clip(open_session(i), dataset.ids[i], int(dataset.labels[i]), change, groups)
    table = summary(pd.DataFrame(rows), dataset.schema, groups)
    if limit is None:
        files.write(where(run, split, change), table.to_csv(index=False).encode())
    return table


def of_any(run: Run, *args: Any, **named: Any) -> pd.DataFrame:
    """``sensitivity`` as a notebook shows it: empty for a run that reads no poses, as one that truth guides."""
    return sensitivity(run, *args, **named) if {"pose", "rendered"} & run.system().needs_test else pd.DataFrame()


def where(run: Run, split: str, change: str) -> Path:
    """The file of a table."""
    return run.folder / f"sensitivity_{change}_{split}.csv"


def session(run: Run, system: System, dataset: data.Dataset, i: int) -> WhatIf:
    """A what-if session about clip ``i`` of ``dataset``, cut as the run cuts it, with graded attention."""
    spec, needs = run.spec, system.needs_test | {"label"}
    sample = data.sample(dataset, i, spec, needs=needs)
    options = {name: getattr(spec, name) for name in ("background", "marker", "colors", "ratio_aware")}
    redraw = partial(rendering.draw, **options)
    cut = partial(data.sample, i=0, spec=spec, needs=needs)
    return WhatIf(system, sample, dataset.skeleton, dataset.classes, metrics.attention.grade, redraw, cut)


def _clip(
    clip_session: WhatIf, name: str, label: int, change: str, groups: Mapping[str, tuple[str, ...]]
) -> list[dict[str, object]]:
    """What each group counts for in one clip."""
    rows, before = [], clip_session.original
    for group, joints in groups.items():
        intervention = CHANGES[change](tuple(joints))
        if change == "jitter":  # every clip and joint is shaken in its own way, the same in every run
            intervention = replace(intervention, seed=zlib.crc32(f"{name}/{group}".encode()))
        after = clip_session.ask([intervention])
        row = {"joint": group, "right": after.label == label, "flip": after.label != before.label}
        row["lost"] = int(before.label == label) - int(after.label == label)
        row["score_loss"] = float(before.scores[label] - after.scores[label])
        row["attention_moved"] = moved(before, after)
        pairs = {grade: [answer.grades.get(grade, np.nan) for answer in (before, after)] for grade in GRADES}
        rows.append(row | {f"{grade}_loss": old - new for grade, (old, new) in pairs.items()})
    return rows


def moved(before: Answer, after: Answer) -> float:
    """Half the absolute difference in [0,1] of two attentions, each as shares of its sum; NaN where there is none."""
    pair = [where_and_when(answer.maps) for answer in (before, after)]
    if pair[0] is None:
        pair = [answer.maps.get("temporal", answer.maps.get("parts")) for answer in (before, after)]
    first, second = pair
    if first is None or second is None or min(first.sum(), second.sum()) <= 0:
        return float("nan")
    first, second = first / first.sum(), second / second.sum()
    return float(np.abs(first - second).sum() / 2)


def summary(rows: pd.DataFrame, skeleton: Skeleton, groups: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Means over clips, the joint that costs most first and all joints last."""
    parts = dict(zip(skeleton.joints, skeletons.body_part(skeleton), strict=True))
    lines = []
    for name, group in rows.groupby("joint", sort=False):
        interval = metrics.bootstrap(group["score_loss"].to_numpy())
        group_parts = {parts[joint] for joint in groups[name]}
        line = {"joint": name, "part": group_parts.pop() if len(group_parts) == 1 else "", "clips": len(group)}
        line |= {"top1": group["right"].mean(), "top1_loss": group["lost"].mean()}
        line |= {"score_loss": interval.value, "score_loss_low": interval.low, "score_loss_high": interval.high}
        line |= {"flips": group["flip"].mean(), "attention_moved": group["attention_moved"].mean()}
        lines.append(line | {f"{grade}_loss": group[f"{grade}_loss"].mean() for grade in GRADES})
    table = pd.DataFrame(lines)
    order = table.assign(last=table["joint"] == ALL).sort_values(["last", "score_loss"], ascending=[True, False])
    return order.drop(columns="last").reset_index(drop=True)
