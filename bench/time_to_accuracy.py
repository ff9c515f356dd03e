"""How soon a network is as good, by the workbench's recipe and by a plain loop: `bench/time_to_accuracy.py --help`.

Both train the I3D of the preset tiny on the same crops of the same clips, with batches of 16 and Adam at the preset's
rate. The plain loop is what one writes first: a Dataset that decodes with decord, a DataLoader, contiguous fp32, from
random weights. The recipe is `fit`: shipped weights, cached clips, augmentation, the memory format and precision that
suit the processor. Told is when each is right on 30, 40 and 50 % of the clips of validation subjects, from its start on
(decoding and validation count), by the clock and in seconds of the processor, and what pretraining the shipped weights
took beside it. Both go on from ``--folder`` where they stopped, for ``--epochs`` in all.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from decord import VideoReader
from torch import nn
from torch.utils.data import DataLoader

from workbench.data import Dataset, open_dataset
from workbench.data.clips.read_clip import Cut
from workbench.nets import I3D, weights
from workbench.study import files, fit
from workbench.study.config.experiment import resolve
from workbench.study.config.train_config import TrainConfig
from workbench.study.runs import hardware
from workbench.study.runs.find_runs import open_run

GOALS = (0.3, 0.4, 0.5)
#: What the recipe starts from, and what that had started from.
PRETRAINED = ("i3d_synthadl_p", "i3d_synthadl_20")
#: By epoch: seconds by the clock, of the processor, and top-1 on validation subjects.
Told = list[list[float]]


class Plain(torch.utils.data.Dataset):
    """Clips as a first script reads them: decoded each time, cropped to the person, 16 frames evenly spread."""

    def __init__(self, data: Dataset, config: TrainConfig, train: bool) -> None:
        self.data, self.train, self.spec = data, train, resolve(config).clip
        self.boxes = [Cut(data, self.spec, i).box for i in range(len(data))]

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        """float32 [3,T,H,W] in [-1,1], and the label."""
        video = VideoReader(self.data.videos[i], num_threads=1)
        frames = video.get_batch(np.linspace(0, len(video) - 1, self.spec.frames).round().astype(int)).asnumpy()
        x0, y0, x1, y1 = (max(0, int(side)) for side in self.boxes[i])
        clip = np.stack([cv2.resize(frame[y0:y1, x0:x1], self.spec.size[::-1]) for frame in frames])
        if self.train and torch.rand(()) < 0.5:
            clip = clip[:, :, ::-1]
        pixels = torch.from_numpy(np.ascontiguousarray(clip.transpose(3, 0, 1, 2)))
        return pixels.float() / 127.5 - 1, int(self.data.labels[i])


class Network(nn.Module):
    def __init__(self, config: TrainConfig, classes: int) -> None:
        super().__init__()
        numbers = config.numbers
        self.backbone = I3D(width=numbers.width, output_stride=numbers.output_stride, bn_momentum=0.1)
        self.dropout, self.classifier = nn.Dropout(0.3), nn.Linear(self.backbone.channels, classes)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.dropout(self.backbone(video).mean((2, 3, 4))))


def plain(config: TrainConfig, folder: Path, epochs: int, workers: int) -> Told:
    """The plain loop, from where ``folder`` says that it stopped."""
    told_file, state_file = folder / "plain.json", folder / "plain.pt"
    told = files.read_json(told_file) if told_file.is_file() else []
    if len(told) >= epochs:
        return told
    splits = {split: open_dataset("synthadl", config.root, "cs", split) for split in ("train", "validation")}
    torch.manual_seed(config.seed + len(told))
    loaders = {
        split: DataLoader(
            Plain(data, config, split == "train"),
            config.numbers.batch_size,
            shuffle=split == "train",
            drop_last=split == "train",
            num_workers=workers,
        )
        for split, data in splits.items()
    }
    network = Network(config, len(splits["train"].classes))
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-4)
    if told:
        state = torch.load(state_file, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
    while len(told) < epochs:
        clock, processor = time.perf_counter(), time.process_time()
        network.train()
        for video, label in loaders["train"]:
            optimizer.zero_grad()
            F.cross_entropy(network(video), label).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            hits = [network(video).argmax(1) == label for video, label in loaders["validation"]]
        before = told[-1] if told else [0.0, 0.0]
        spent = time.perf_counter() - clock, time.process_time() - processor
        told.append([before[0] + spent[0], before[1] + spent[1], float(torch.cat(hits).float().mean())])
        torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict()}, state_file)
        files.write_json(told_file, told)
        print(f"plain  epoch {len(told)}: {told[-1][2]:.2f} after {told[-1][0]:.0f} ({told[-1][1]:.0f}) s", flush=True)
    return told


def recipe(config: TrainConfig, folder: Path) -> Told:
    """The workbench's training; its start, and the filling of a cache, count to the first epoch."""
    told_file = folder / f"recipe-{config.epochs}.json"
    if told_file.is_file():
        return files.read_json(told_file)
    clock, processor, marks, over = time.perf_counter(), time.process_time(), {}, threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            for path in (folder / "runs").glob("*/history.csv"):
                done = len(path.read_text().splitlines()) - 1
                marks.setdefault(done, [time.perf_counter() - clock, time.process_time() - processor])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        run = open_run(fit(config), config.runs)
    finally:
        time.sleep(0.5)
        over.set()
        thread.join()
    scores = run.history["validation_top1"].tolist()
    told = [[*marks[epoch], score] for epoch, score in enumerate(scores, 1)]
    files.write_json(told_file, told)
    return told


def reached(told: Told, goal: float) -> list[float] | None:
    """Seconds by the clock and of the processor until validation reaches ``goal``."""
    return next((row[:2] for row in told if row[2] >= goal), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data/synthadl/tiny", help="a SynthADL world (default: %(default)s)")
    parser.add_argument(
        "--folder", default="runs/time_to_accuracy", type=Path, help="to keep what is done (%(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=10, help="of the plain loop (default: %(default)s)")
    parser.add_argument("--recipe-epochs", type=int, default=8, help="of the recipe (default: tiny's, %(default)s)")
    parser.add_argument("--workers", type=int, default=0, help="of the plain DataLoader (default: %(default)s)")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    where = {"root": args.root, "runs": str(args.folder / "runs"), "cache": str(args.folder / "cache")}
    preset = {"base": "tiny", "validate_every": 1}
    asked = {"preset": preset, "init": {"backbone": "i3d_synthadl_p"}, "epochs": args.recipe_epochs, "evaluate": []}
    config = TrainConfig(system="rgb", **asked, **where)
    bf16 = "with bf16" if hardware.has_bf16("cpu") else "without bf16"
    print(f"{hardware.environment()['processor']} {bf16}, {torch.get_num_threads()} threads; load {os.getloadavg()}")
    own = recipe(config, args.folder)
    print("recipe", json.dumps([[round(number, 2) for number in row] for row in own]))
    first = plain(config, args.folder, args.epochs, args.workers)
    print(f"{'right on validation':20s} {'recipe':>16s} {'plain loop':>20s}   ratio of processor seconds")
    for goal in GOALS:
        mine, theirs = reached(own, goal), reached(first, goal)
        shown = "not reached" if mine is None else f"{mine[0]:.0f} ({mine[1]:.0f}) s"
        other = (
            f"> {first[-1][0]:.0f} ({first[-1][1]:.0f}) s" if theirs is None else f"{theirs[0]:.0f} ({theirs[1]:.0f}) s"
        )
        ratio = "" if mine is None else f"{'> ' * (theirs is None)}{(theirs or first[-1])[1] / mine[1]:.1f}x"
        print(f"{goal:20.0%} {shown:>16s} {other:>20s}   {ratio}")
    cards = [json.loads(weights.card_of(weights.SHIPPED[name]).read_text()) for name in PRETRAINED]
    passes = [(card["epochs"], card["data"]["clips"].get("train", card["data"]["clips"].get("all"))) for card in cards]
    steps = sum(epochs * (clips // config.numbers.batch_size) for epochs, clips in passes)
    step = own[-1][1] / (len(own) * (len(open_dataset("synthadl", args.root, "cs", "train")) // 16))
    words = " and ".join(f"{epochs} epochs of {clips} clips" for epochs, clips in passes)
    print(f"pretraining ({words}) takes about {steps * step / 60:.0f} min of the processor here")


if __name__ == "__main__":
    main()
