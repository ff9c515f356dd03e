"""Measures what the place of attention is worth on a drawn world, on validation subjects (docs/findings.md, Attention).

    python docs/place.py RUN     RUN: an I3D (system rgb) that was trained on the world, an id or latest:rgb

Two questions. What does the pooling of the I3D's feature map change, for a linear classifier on it? And how near to the
true place is a map that comes from no label: a blob in the centre, the mean of the training clips' true places, and
what a network makes of the poses when it learns the true place itself?
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from workbench import metrics
from workbench.data import Loader
from workbench.metrics.attention import baseline, ranking
from workbench.nets import truth_weights
from workbench.study.runs.find_runs import open_run
from workbench.study.runs.run_folder import Run

POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "plain average": torch.ones_like,
    "in the true place": lambda a: a.mean(1, keepdim=True).expand_as(a),
    "in the true moment": lambda a: a.mean((2, 3), keepdim=True).expand_as(a),
    "in both": lambda a: a,
}
EPOCHS, BATCH, HIDDEN = 40, 32, 256


@torch.inference_mode()
def clips(run: Run, split: str) -> dict[str, np.ndarray]:
    """By name, a row a clip: label, poses [N,D], masks bool [N,T,H,W], weights [N,T',H',W'], features [N,C] by pool."""
    system, needs = run.system(), frozenset({"video", "pose", "truth", "label"})
    loader = Loader(run.clips(split), run.spec, BATCH, needs=needs, cache="data/cache")
    columns: dict[str, list[Tensor]] = {}
    for batch in loader:
        batch = batch.to("cpu")
        f = system.backbone(batch.video)
        weights = truth_weights(batch.truth, f.shape[2:])
        row = {"label": batch.label, "poses": batch.pose.flatten(1), "masks": batch.truth > 0.5, "weights": weights}
        for name, pool in POOLS.items():
            a = pool(weights)[:, None]
            row[name] = (a * f).sum((2, 3, 4)) / a.sum((2, 3, 4)).clamp_min(1e-9)
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return {name: torch.cat(values).numpy() for name, values in columns.items()}


def classified(train: dict[str, np.ndarray], held: dict[str, np.ndarray], pool: str) -> np.ndarray:
    """float [N]: 100 where a linear classifier on the pooled features is right."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    return 100.0 * (model.fit(train[pool], train["label"]).predict(held[pool]) == held["label"])


def from_poses(train: dict[str, np.ndarray], held: dict[str, np.ndarray]) -> np.ndarray:
    """[N,T',H',W']: the place that a small network reads from the poses, after it was taught the true one."""
    torch.manual_seed(0)
    mean, spread = train["poses"].mean(0), train["poses"].std(0) + 1e-4
    x, new = (torch.tensor((rows["poses"] - mean) / spread) for rows in (train, held))
    places = torch.tensor(train["weights"]).mean(1).flatten(1)
    places = places / places.sum(1, keepdim=True)
    network = nn.Sequential(
        nn.Linear(x.shape[1], HIDDEN), nn.ReLU(), nn.Dropout(0.3), nn.Linear(HIDDEN, places.shape[1])
    )
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            loss = F.cross_entropy(network(x[rows]), places[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.inference_mode():
        maps = network.eval()(new).softmax(1).numpy()
    return still(maps.reshape(len(maps), *train["weights"].shape[2:]), train)


def still(maps: np.ndarray, like: dict[str, np.ndarray]) -> np.ndarray:
    """[N,H',W'], the same at every step -> [N,T',H',W']."""
    return np.repeat(maps[:, None], like["weights"].shape[1], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--runs", default="runs")
    arguments = parser.parse_args()
    run = open_run(arguments.run, arguments.runs)
    train, held = clips(run, "train"), clips(run, "validation")
    print(f"{run.id}: linear classifier on the frozen feature map, top-1 of {len(held['label'])} validation clips")
    for pool in POOLS:
        value = metrics.bootstrap(classified(train, held, pool))
        print(f"  {pool:36s} {value.value:.1f} [{value.low:.1f}, {value.high:.1f}]")
    count, grid = len(held["label"]), train["weights"].shape[1:]
    usual = np.repeat(train["weights"].mean((0, 1))[None], count, axis=0)
    maps = {
        "a blob in the centre": np.repeat(baseline("centre", grid)[None], count, axis=0),
        "the mean of the training clips": still(usual, held),
        "from the poses, taught the place": from_poses(train, held),
        "the true place": still(held["weights"].mean(1), held),
    }
    print("attention in the true place (where), of the same clips; 50 is chance")
    for name, rows in maps.items():
        grades = np.array([ranking(row, mask) for row, mask in zip(rows, held["masks"], strict=True)])
        value = metrics.bootstrap(100 * grades[np.isfinite(grades)])
        print(f"  {name:36s} {value.value:.1f} [{value.low:.1f}, {value.high:.1f}]")


if __name__ == "__main__":
    main()
