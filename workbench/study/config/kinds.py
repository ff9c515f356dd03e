"""The two kinds of data that are learnt from: clips of one class each, and untrimmed videos in which any number of
classes goes on at any moment. What differs between them is a method that both have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from workbench import metrics
from workbench.data import Dataset, SnippetSpec, Untrimmed, open_dataset, open_untrimmed
from workbench.data.catalog import guess
from workbench.study.config.presets import DETECTION, PRESETS
from workbench.systems import detects
from workbench.systems.common.base import System
from workbench.types import Batch

#: Of one step of a pass: the logits, and the batch's label and mask.
Answer = tuple[Tensor, Tensor, Tensor | None]


class Clips:
    """One class a clip.

    results are the files that ``evaluate`` keeps of a split; score the number of a validation pass that is compared
    first, higher being better; foreign the fields of TrainConfig that say nothing here.
    """

    results = ("predictions", "maps")
    score = "top1"
    foreign = frozenset({"snippets", "window"})

    def __reduce__(self) -> str:
        return "CLIPS"  # the same object in every process

    def preset(self, name: str) -> dict[str, Any]:
        """The numbers of a preset that is called so."""
        return PRESETS[name]

    def dataset(self, root: str | None) -> str:
        """The data set that is meant where only ``root`` is said."""
        return guess(root)

    def open(self, name: str, **part: Any) -> Dataset:
        """A split of the data set called ``name``; ``part`` are root, protocol and split."""
        return open_dataset(name, **part)

    def some(self, data: Dataset, count: int) -> list[int]:
        """Positions of ``count`` clips, drawn with a fixed seed and as many of each class as of any other."""
        drawn = np.random.default_rng(0).permutation(len(data))
        turn = pd.Series(data.labels[drawn]).groupby(data.labels[drawn]).cumcount()
        return sorted(drawn[np.argsort(turn, kind="stable")[:count]].tolist())

    def size(self, data: Dataset) -> int:
        """How many examples there are to train on."""
        return len(data)

    def modalities(self, build: Callable[[], System]) -> frozenset[str]:
        """Whose features the system that ``build`` makes reads in training."""
        return frozenset()

    def hits(self, logits: Tensor, batch: Batch) -> dict[str, float]:
        """Counts that add up over batches; divided by the number of clips they become a number of the pass."""
        assert batch.label is not None  # a loader for training gives it
        return {"top1": torch.eq(logits.argmax(-1), batch.label).sum().item()}

    def judge(self, answers: list[Answer]) -> dict[str, float]:
        """Numbers that need the whole pass."""
        return {}

    def chance(self, classes: int) -> float | None:
        """The score of one who guesses, where that is known."""
        return 1 / classes


class Videos:
    """Any number of classes a snippet; see ``Clips``. Compared is the mAP over the snippets of all videos."""

    results = ("predictions",)
    score = "frame_map"
    foreign: frozenset[str] = frozenset()

    def __reduce__(self) -> str:
        return "VIDEOS"

    def preset(self, name: str) -> dict[str, Any]:
        """The numbers of a preset, with those of detectors."""
        return PRESETS[name] | DETECTION.get(name, {"batch_size": 8})

    def dataset(self, root: str | None) -> str:
        """A manifest, or SynthADL-U."""
        return "manifest" if guess(root) == "manifest" else "synthadl_u"

    def open(self, name: str, **part: Any) -> Untrimmed:
        """The videos of a split."""
        return open_untrimmed(name, **part)

    def some(self, data: Untrimmed, count: int) -> list[int]:
        """Evenly spread: videos have no one class."""
        return [i * len(data) // count for i in range(count)]

    def size(self, data: Untrimmed) -> int:
        """Snippets."""
        return sum(len(SnippetSpec().starts(length)) for length in data.lengths)

    def modalities(self, build: Callable[[], System]) -> frozenset[str]:
        """Those whose features the system reads."""
        return build().wants(training=True)

    def hits(self, logits: Tensor, batch: Batch) -> dict[str, float]:
        """Nothing: detection is judged over all videos."""
        return {}

    def judge(self, answers: list[Answer]) -> dict[str, float]:
        """The mean average precision over frames."""
        scores = torch.cat([logits[mask] for logits, _, mask in answers]).float().cpu().numpy()
        labels = torch.cat([label[mask] for _, label, mask in answers]).cpu().numpy()
        return {"frame_map": float(np.nan_to_num(metrics.frame_map(scores, labels).mean))}

    def chance(self, classes: int) -> float | None:
        """Unknown."""
        return None


Kind = Clips | Videos
Data = Dataset | Untrimmed
CLIPS, VIDEOS = Clips(), Videos()


def kind_of(system: str) -> Kind:
    """What a system of this name learns from; ValueError for an unknown one."""
    return VIDEOS if detects(system) else CLIPS
