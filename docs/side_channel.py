"""Measures whether an attention map carries more than a place and a moment: the action itself (docs/findings.md).

    python docs/side_channel.py RUN ...     RUN: a VPN that was trained on the world, an id or latest:vpn

Two questions, both on test subjects. How well does a linear classifier name the action from the map alone, without a
picture? It learns on the maps of the validation subjects. And what does the network answer when the map comes from
another clip's poses: of another action, or of the same one? Both maps are of another place and moment; only the second
still carries the right action.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from workbench import metrics
from workbench.data import Dataset, Loader
from workbench.explain.reuse import Reuse
from workbench.metrics.statistics import Interval
from workbench.study.evaluate.attention_grades import partners
from workbench.study.runs.find_runs import open_run
from workbench.study.runs.run_folder import Run
from workbench.types import Output

BATCH = 32
MAPS = ("spatial", "temporal")


def same_action(labels: np.ndarray, persons: np.ndarray, seed: int = 0) -> np.ndarray:
    """int64 [S]: for each clip another one of its action, of another person where there is one."""
    draw = np.random.default_rng(seed)
    chosen = np.empty_like(labels)
    for i in range(len(labels)):
        alike = np.flatnonzero((labels == labels[i]) & (np.arange(len(labels)) != i))
        others = alike[persons[alike] != persons[i]]
        chosen[i] = draw.choice(others if len(others) else alike)
    return chosen


def ask(run: Run, dataset: Dataset, exchange: bool) -> dict[str, np.ndarray]:
    """By name, a row a clip: label, maps [S,D], the logarithm of the weights, and the answers: own, and where asked for
    "the same action" and "another action", with poses of another clip."""
    system = run.system()

    def loaded(*needs: str) -> Loader:
        return Loader(dataset, run.spec, BATCH, needs=frozenset(needs), cache="data/cache")

    poses = torch.cat([batch.pose for batch in loaded("pose")])
    persons = dataset.table["subject"].to_numpy()
    partner = {
        "the same action": same_action(dataset.labels, persons),
        "another action": partners(dataset.labels, 0),
    }
    reuse, columns, start = Reuse(system), {}, 0
    with torch.no_grad():
        for batch in loaded("video", "pose", "label"):
            output: Output = reuse(batch)
            weights = [output.maps[name].flatten(1).clamp_min(1e-8).log() for name in MAPS]
            row: dict[str, Tensor] = {"label": batch.label, "maps": torch.cat(weights, 1), "own": output.logits}
            here = slice(start, start + len(batch.ids))
            for name, other in partner.items() if exchange else ():
                row[name] = reuse(batch.replace(pose=poses[other[here]])).logits
            reuse.forget()
            start += len(batch.ids)
            for name, value in row.items():
                columns.setdefault(name, []).append(value.argmax(1) if name in ("own", *partner) else value)
    return {name: torch.cat(values).numpy() for name, values in columns.items()}


def line(name: str, value: Interval) -> str:
    return f"  {name:48s} {value.value:6.1f} [{value.low:.1f}, {value.high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="+")
    parser.add_argument("--runs", default="runs")
    arguments = parser.parse_args()
    for name in arguments.run:
        run = open_run(name, arguments.runs)
        train, test = ask(run, run.clips("validation"), False), ask(run, run.clips("test"), True)
        print(f"{run.id}: {len(test['label'])} test clips")
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        named = model.fit(train["maps"], train["label"]).predict(test["maps"]) == test["label"]
        print(line("the action named from the map alone, %", metrics.bootstrap(100.0 * named)))
        own = 100.0 * (test["own"] == test["label"])
        print(line("top-1, %", metrics.bootstrap(own)))
        for other in ("the same action", "another action"):
            hits = 100.0 * (test[other] == test["label"])
            print(line(f"points lost with poses of {other}", metrics.paired_difference(hits, own)))


if __name__ == "__main__":
    main()
