"""Measures what exercise 14 of notebooks/README.md says of the VPN that comes with the workbench.

python docs/exercises.py --clips 30        on test clips of the world of `make demo`: ten seconds each
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from workbench.data import sample
from workbench.explain import faithfulness, methods
from workbench.study import fit
from workbench.study.runs.find_runs import open_run

READY_MADE = {
    "system": "vpn",
    "root": "data/synthadl/tiny",
    "protocol": "cs",
    "preset": "tiny",
    "epochs": 0,
    "init": {"": "vpn_synthadl"},
    "options": {"embedding": "none"},
    "evaluate": [],
}
MAPS = ["attention", "saliency", "integrated gradients", "grad-cam"]


def measure(count: int) -> pd.DataFrame:
    """A row a clip and map: its areas (see ``Curves.areas``), and whether it beats every baseline of its clip."""
    run = open_run(fit(READY_MADE))
    system, clips, spec = run.system().eval(), run.clips("test"), run.experiment.one_window
    tables = []
    for i in tqdm(np.random.default_rng(0).permutation(len(clips))[:count], unit="clip"):
        batch = sample(clips, int(i), spec, needs=system.needs_test | {"label"}).batch.to("cpu")
        maps = methods.explain(system, batch, MAPS)
        table = faithfulness.curves(system, batch, maps, steps=8).areas().set_index("map")
        best = table.loc[list(faithfulness.BASELINES), "difference"].max()
        tables.append(table.assign(clip=clips.ids[i], beats=table["difference"] > best).reset_index())
    return pd.concat(tables)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=30)
    torch.set_num_threads(1)
    by_map = measure(parser.parse_args().clips).groupby("map")
    means, wins = by_map[["deletion", "insertion", "difference"]].mean(), by_map["beats"].sum()
    print(means.round(3).assign(beats=wins).sort_values("difference", ascending=False).to_string())
