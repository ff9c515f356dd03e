"""Measures a drawn world against the criterion of docs/world.md.

    python docs/world.py surroundings ROOT        what the index and the files say of the label
    python docs/world.py ceiling ROOT --seeds 2   average pooling against the truth, from kept activations;
        --poses RUN: also the mean of the average's scores and those of a run on poses
    python docs/world.py fusion RUN RUN           two runs, and the mean of their scores

ceiling trains the seven inception blocks from Mixed_4b on, with the layers before as they ship: within minutes on one
core what end to end takes hours. Where a run is meant, an id or latest:SYSTEM.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from scipy.stats import binom
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from torch import Tensor, nn

from workbench import metrics
from workbench.data import Augment, ClipSpec, Loader, open_dataset
from workbench.nets import I3D, truth_weights
from workbench.nets.weights import SHIPPED, load
from workbench.study.runs.find_runs import open_run
from workbench.study.runs.run_folder import Predictions

SPEC = ClipSpec(frames=16, size=(96, 96), phases=2)
STRIDE, BLOCKS, VIEWS, EPOCHS, BATCH, RATE = (4, 16, 16), 7, 2, 12, 16, 5e-4


def surroundings(root: Path) -> pd.DataFrame:
    """Per cent of clips that a forest names from what surrounds an action, four folds, and what guessing reaches in
    97.5 of 100 tries."""
    table = pd.read_parquet(root / "index.parquet")
    sizes = [(root / video).stat().st_size for video in table["video"]]
    columns = {
        "room": pd.get_dummies(table[["view", "setup", "background", "camera"]].astype(str)),
        "rivals": table["imposter"].str.get_dummies("+"),
        "frames": table[["frames"]],
        "bytes": pd.DataFrame({"bytes": sizes}),
        "bytes a frame": pd.DataFrame({"rate": sizes / table["frames"]}),
    }
    columns["all"] = pd.concat(columns.values(), axis=1)
    labels, folds = table["label"].to_numpy(), StratifiedKFold(4, shuffle=True, random_state=0)
    guess = 100 * binom.ppf(0.975, len(table), 1 / table["label"].nunique()) / len(table)
    rows = {}
    for name, features in columns.items():
        forest = RandomForestClassifier(100, min_samples_leaf=2, random_state=0)
        named = cross_val_predict(forest, features.to_numpy(float), labels, cv=folds)
        rows[name] = {"named": 100 * np.mean(named == labels), "guessing": guess}
    return pd.DataFrame(rows).T


def network() -> I3D:
    net = I3D(width=0.25, output_stride=STRIDE, bn_momentum=0.1)
    load(net, SHIPPED["i3d_synthadl_p"])
    return net


@torch.no_grad()
def kept(root: Path, split: str, views: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """For each of ``views`` epochs (0: once, without augmentation) bfloat16 [N,C,T,H,W] before Mixed_4b, the truth
    float16 [N,T',H',W'] as weights, labels int64 [N]."""
    front, _ = network().halves(BLOCKS)
    front.eval()
    augment = Augment() if views else None
    needs = frozenset({"video", "truth", "label"})
    loader = Loader(
        open_dataset("synthadl", root, "cs", split), SPEC, BATCH, train=views > 0, needs=needs, augment=augment
    )
    grid, epochs = network().grid((SPEC.frames, *SPEC.size)), []
    for epoch in range(max(views, 1)):
        loader.set_epoch(epoch)
        rows = []
        for batch in loader:
            batch = batch.to("cpu")
            with torch.autocast("cpu", torch.bfloat16):
                seen = front(batch.video).to(torch.bfloat16)
            rows.append((seen, truth_weights(batch.truth, grid).half(), batch.label))
        epochs.append(tuple(torch.cat(column) for column in zip(*rows, strict=True)))
    return epochs


def average(f: Tensor, truth: Tensor) -> Tensor:
    return f.mean((2, 3, 4))


def weighted(f: Tensor, truth: Tensor) -> Tensor:
    return (truth[:, None] * f).sum((2, 3, 4)) / truth.sum((1, 2, 3)).clamp_min(1e-9)[:, None]


def train(epochs: list, test: tuple, classes: int, pool: Callable[[Tensor, Tensor], Tensor], seed: int) -> np.ndarray:
    """Softmax scores float32 [N,classes] of ``test`` after training on kept activations."""
    torch.manual_seed(seed)
    net = network()
    _, back = net.halves(BLOCKS)
    back, head, dropout = nn.Sequential(*back.children()), nn.Linear(net.channels, classes), nn.Dropout(0.3)
    model = nn.ModuleList([back, head, dropout])

    def logits(seen: Tensor, truth: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            f = back(seen)
        return head(dropout(pool(f.float(), truth.float())))

    count = len(epochs[0][2]) // BATCH
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, EPOCHS * count, pct_start=0.1)
    for epoch in range(EPOCHS):
        seen, truth, labels = epochs[epoch % len(epochs)]
        for rows in torch.randperm(len(labels))[: count * BATCH].split(BATCH):
            loss = F.cross_entropy(logits(seen[rows], truth[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        parts = [logits(*pair) for pair in zip(test[0].split(BATCH), test[1].split(BATCH), strict=True)]
    return torch.cat(parts).softmax(-1).numpy()


def families(classes: list[str]) -> np.ndarray:
    """bool [classes]: whether the thing alone tells this action from another one."""
    pairs = ("drink_from_", "read_", "use_tablet", "pour_", "cut_", "stir")
    return np.array([name.startswith(pairs) for name in classes])


def report(scores: np.ndarray, labels: np.ndarray, classes: list[str]) -> dict[str, float]:
    right, thing = scores.argmax(1) == labels, families(classes)[labels]
    value = metrics.bootstrap(100.0 * right)
    parts = {"things": 100 * right[thing].mean(), "others": 100 * right[~thing].mean()}
    return {"top1": value.value, "low": value.low, "high": value.high, **parts}


def ceiling(root: Path, split: str, seeds: int, poses: Predictions | None) -> pd.DataFrame:
    clips = open_dataset("synthadl", root, "cs", split)
    classes = clips.classes
    if poses is not None and list(poses.ids) != list(clips.ids):
        raise SystemExit(f"the run on poses was not measured on {split} of {root}")
    epochs, (test,) = kept(root, "train", VIEWS), kept(root, split, 0)
    rows = {}
    for seed in range(seeds):
        for pool in (average, weighted):
            scores = train(epochs, test, len(classes), pool, seed)
            rows[pool.__name__, seed] = report(scores, test[2].numpy(), classes)
            if poses is not None and pool is average:
                rows["average and poses", seed] = report((scores + poses.scores) / 2, test[2].numpy(), classes)
    return pd.DataFrame(rows).T


def fusion(names: list[str], runs: str, split: str) -> pd.DataFrame:
    opened = [open_run(name, runs) for name in names]
    predictions = [run.predictions(split) for run in opened]
    if any(one.ids != predictions[0].ids for one in predictions):
        raise SystemExit("these runs were measured on different clips")
    scores = [one.scores for one in predictions]
    rows = dict(zip(names, scores, strict=True)) | {"fusion": np.mean(scores, 0)}
    return pd.DataFrame({name: report(each, predictions[0].labels, opened[0].classes) for name, each in rows.items()}).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("surroundings", "ceiling", "fusion"))
    parser.add_argument("where", nargs="+", help="the world's folder, or runs")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--poses", help="a run on poses, to be fused with the average")
    parser.add_argument("--runs", default="runs")
    args = parser.parse_args()
    if args.what == "fusion":
        table = fusion(args.where, args.runs, args.split)
    elif args.what == "ceiling":
        poses = open_run(args.poses, args.runs).predictions(args.split) if args.poses else None
        table = ceiling(Path(args.where[0]), args.split, args.seeds, poses)
    else:
        table = surroundings(Path(args.where[0]))
    print(table.round(1).to_string())


if __name__ == "__main__":
    main()
