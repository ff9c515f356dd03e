"""What a run's attention lies on, class by class: joints, limbs, object or background (see ``explain.grounding``)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from tqdm import tqdm

from workbench import metrics
from workbench.data import sample
from workbench.explain.grounding import KINDS, grounding, regions
from workbench.metrics import attention as graded
from workbench.study import files
from workbench.study.evaluate.attention_grades import constant, gradable
from workbench.study.runs.run_folder import Run

#: The row over all clips.
ALL = "all classes"


def ground(run: Run, split: str = "test", limit: int | None = None, progress: bool = True) -> pd.DataFrame:
    """A row a class and kind (KINDS), and ALL, written to grounding_<split>.csv in the run's folder.

    Columns: class, kind, clips; mass in [0,1], the mean share of the attention on that kind, with its 95 % bootstrap
    interval (_low, _high); uniform, centre and random, the mass of attention that knows nothing (random: uniformly
    drawn weights). limit: that many clips, evenly spread (the file is then not written). Reads the maps that
    ``evaluate`` wrote: FileNotFoundError without them, ValueError for a run that has no attention in space.
    """
    predictions, dataset = run.predictions(split), run.clips(split)
    maps = gradable(run.maps(split))
    if "attention" not in maps:
        raise ValueError(f"run {run.id} has no attention in space: there is nothing to ground")
    rivals = {name: constant(name, {"attention": maps["attention"]})["attention"] for name in graded.BASELINES}
    rivals["random"] = np.random.default_rng(0).random(maps["attention"].shape)
    rows = []
    count = len(predictions.ids)
    clips = np.unique(np.linspace(0, count - 1, min(limit or count, count)).astype(int))
    for i in tqdm(clips, desc=f"{run.id} grounding", unit="clip", disable=not progress):
        clip = sample(dataset, dataset.index(predictions.ids[i]), run.spec)
        kinds = regions(clip.pixels, clip.truth, clip.clip.frames.shape[:3])
        columns = {"mass": maps["attention"][i], **{rival: values[i] for rival, values in rivals.items()}}
        masses = {column: grounding(values, kinds) for column, values in columns.items()}
        label = dataset.classes[int(predictions.labels[i])]
        rows += [{"class": label, "kind": kind, **{key: mass[kind] for key, mass in masses.items()}} for kind in KINDS]
    table = summary(pd.DataFrame(rows))
    if limit is None:
        files.write(run.folder / f"grounding_{split}.csv", table.to_csv(index=False).encode())
    return table


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over the clips of each class, and over all clips in the last rows."""
    lines = []
    for (name, kind), group in pd.concat([rows, rows.assign(**{"class": ALL})]).groupby(["class", "kind"], sort=False):
        interval = metrics.bootstrap(group["mass"].to_numpy())
        line = {"class": name, "kind": kind, "clips": len(group), "mass": interval.value}
        line |= {"mass_low": interval.low, "mass_high": interval.high}
        lines.append(line | {rival: group[rival].mean() for rival in (*graded.BASELINES, "random")})
    return pd.DataFrame(lines)
