"""Measures whether an attention map carries more than a place and a moment: the action itself (docs/findings.md).

    python docs/side_channel.py RUN ...     RUN: a VPN that was trained on the world, an id or latest:vpn

Two questions, both on test subjects. How well does a linear classifier name the action from the map alone, without a
picture? It learns on the maps of the validation subjects. And what happens when the map comes from another clip's
poses: of another action, or of the same one? What the network answers, and how far the map is still in the true place
of this clip (*where*; 50 is chance).
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from workbench import metrics
from workbench.data import Dataset, Loader
from workbench.explain.reuse import Reuse
from workbench.metrics.attention import ranking
from workbench.metrics.statistics import Interval
from workbench.study.evaluate.attention_grades import gradable, partners
from workbench.study.runs.find_runs import open_run
from workbench.study.runs.run_folder import Run
from workbench.types import Output

BATCH = 32
MAPS = ("spatial", "temporal")
OWN, SAME, ANOTHER = "its own", "the same action", "another action"


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
    """By name, a row a clip. label; maps [S,D], the logarithm of the weights; and by whose poses they are, OWN and
    where asked for SAME and ANOTHER, answers [S,2]: 100 where the answer is right, and the *where* of the attention."""
    system = run.system()

    def loaded(*needs: str) -> Loader:
        return Loader(dataset, run.spec, BATCH, needs=frozenset(needs), cache="data/cache")

    poses = torch.cat([batch.pose for batch in loaded("pose")])
    partner = {OWN: np.arange(len(dataset))}
    if exchange:
        partner[SAME] = same_action(dataset.labels, dataset.table["subject"].to_numpy())
        partner[ANOTHER] = partners(dataset.labels, 0)
    reuse, start = Reuse(system), 0
    columns: dict[str, list[np.ndarray]] = {}
    with torch.no_grad():
        for batch in loaded("video", "pose", "truth", "label"):
            here, labels = slice(start, start + len(batch.ids)), batch.label.numpy()
            row, masks = {"label": labels}, batch.truth.numpy() > 0.5
            for name, other in partner.items():
                output: Output = reuse(batch.replace(pose=poses[other[here]]))
                right = 100.0 * (output.logits.argmax(1).numpy() == labels)
                row[name] = np.stack([right, where(output, masks) if exchange else right], 1)
                if name == OWN:
                    weights = [
                        output.maps[kind].flatten(1).clamp_min(1e-8).log() for kind in MAPS if kind in output.maps
                    ]
                    row["maps"] = torch.cat(weights, 1).numpy()
            reuse.forget()
            start += len(batch.ids)
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
    return {name: np.concatenate(values) for name, values in columns.items()}


def where(output: Output, masks: np.ndarray) -> list[float]:
    """The grade *where* of each clip's attention, in percent."""
    maps = gradable({name: output.maps[name].numpy() for name in output.maps if name in ("attention", *MAPS)})
    return [100 * ranking(row, mask) for row, mask in zip(maps["attention"], masks, strict=True)]


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
        for name in (OWN, SAME, ANOTHER):
            right, places = test[name].T
            print(line(f"poses of {name}: top-1, %", metrics.bootstrap(right)))
            if name != OWN:
                print(line("  lost", metrics.paired_difference(right, test[OWN][:, 0])))
            print(line("  where", metrics.bootstrap(places[np.isfinite(places)])))


if __name__ == "__main__":
    main()
