"""Improved dense trajectories alone (Wang and Schmid, ICCV 2013): the hand-made features that the papers compare with,
and the short-term motion of thesis chapter 3 (F2 of section 3.3.1). No network: Fisher vectors and a linear SVM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import reduce
from typing import Literal

import torch
from torch import Tensor, nn

from workbench import losses
from workbench.nets.fisher import FisherVector
from workbench.nets.modules import ModuleDict
from workbench.systems.common import linear
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.composite import member_stages
from workbench.types import Batch, Output

Descriptor = Literal["shape", "hog", "hof", "mbhx", "mbhy"]

#: The numbers of each descriptor, in the order in which a track has them.
SIZES: dict[str, int] = {"shape": 30, "hog": 96, "hof": 108, "mbhx": 96, "mbhy": 96}


@dataclass(frozen=True)
class CodebookOptions:
    """descriptors of a track that are used (the thesis names HOG, HOF and MBH; "shape" is the fifth); gaussians of
    each descriptor's mixture, and samples, the number of tracks that it is fitted to (both Wang and Schmid's).
    trajectories is how many tracks of a video the loader keeps."""

    descriptors: tuple[Descriptor, ...] = ("hog", "hof", "mbhx", "mbhy")
    gaussians: int = 256
    samples: int = 256_000
    trajectories: int = 512


@dataclass(frozen=True)
class DenseTrajectoriesOptions(CodebookOptions):
    """classifier: "svm", or "sgd" for many clips (see ``linear.fit``). Its C is chosen on validation clips."""

    classifier: Literal["svm", "sgd"] = "svm"


class Codebook(System):
    """The tracks of a clip as one vector: each descriptor is reduced to half its numbers and becomes a Fisher vector;
    the vectors are concatenated to length 1. Knows nothing of classes: its logits are zero."""

    needs_train = frozenset({"trajectories", "label"})
    needs_test = frozenset({"trajectories"})
    Options = CodebookOptions
    default_backbone = None

    def __init__(self, setting: Setting, options: CodebookOptions) -> None:
        super().__init__()
        self.num_classes, self.samples = setting.num_classes, options.samples
        self.vectors: ModuleDict[FisherVector] = ModuleDict(
            {name: FisherVector(SIZES[name], SIZES[name] // 2, options.gaussians) for name in options.descriptors}
        )
        self.features = sum(vector.features for vector in self.vectors.values())

    def forward(self, batch: Batch) -> Output:
        """Reads trajectories; features [B,F] of length 1, logits of zero."""
        parts = self.split(self.take(batch, "trajectories"))
        vectors = [self.vectors[name](part) for name, part in parts.items()]
        features = torch.cat(vectors, dim=1) / len(vectors) ** 0.5  # [B,F], of length 1 as each part is
        return Output(features.new_zeros(len(features), self.num_classes), features)

    def split(self, tracks: Tensor) -> dict[str, Tensor]:
        """The descriptors that are used, float [...,L,D] each, of tracks float [...,L,426]."""
        if tracks.shape[-1] != sum(SIZES.values()):
            raise ValueError(f"a track has {sum(SIZES.values())} numbers, got {tracks.shape[-1]}")
        parts = dict(zip(SIZES, tracks.split(list(SIZES.values()), dim=-1), strict=True))
        return {name: parts[name] for name in self.vectors}

    def codebook_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """What the fit minimises: the error of the reductions, and minus the log-likelihood of the mixtures."""
        parts = self.split(self.take(batch, "trajectories"))
        terms = {name: self.vectors[name].loss(part) for name, part in parts.items()}
        return {**terms, "total": reduce(torch.add, terms.values())}

    def fit_codebook(self, train: Iterable[Batch], validation: Iterable[Batch] | None) -> dict[str, float]:
        """Fits every descriptor's mixture to tracks drawn from the training clips; returns their number."""
        from tqdm import tqdm

        tracks = self.draw(train)
        for name, part in tqdm(self.split(tracks).items(), desc="mixtures", leave=False, disable=None):
            self.vectors[name].fit(part.numpy())
        return {"tracks": float(len(tracks))}

    def draw(self, batches: Iterable[Batch]) -> Tensor:
        """float32 [n,426]: all tracks of the batches or, of more than ``samples``, that many drawn evenly: each track
        draws a number, and those with the smallest stay."""
        generator = torch.Generator().manual_seed(0)
        tracks, numbers = torch.empty(0, sum(SIZES.values())), torch.empty(0)
        new: list[Tensor] = []
        for batch in batches:
            trajectories = self.take(batch, "trajectories").float().cpu()
            new.append(trajectories[trajectories.isfinite().all(2)])
            if sum(map(len, new)) > self.samples / 4:  # seldom enough that copying takes no time
                tracks, numbers = self.smallest(tracks, numbers, new, generator)
                new = []
        return self.smallest(tracks, numbers, new, generator)[0]

    def smallest(
        self, tracks: Tensor, numbers: Tensor, new: list[Tensor], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """``tracks`` with their ``numbers`` and the ``new`` ones, which draw theirs here; of more than ``samples``
        those with the smallest numbers."""
        tracks = torch.cat([tracks, *new])
        numbers = torch.cat([numbers, torch.rand(len(tracks) - len(numbers), generator=generator)])
        if len(tracks) <= self.samples:
            return tracks, numbers
        numbers, order = numbers.topk(self.samples, largest=False)
        return tracks[order], numbers

    def stages(self) -> list[Stage]:
        """One stage, in closed form."""
        return [Stage("codebook", loss="codebook_loss", solve="fit_codebook")]


def codebook(setting: Setting, options: CodebookOptions) -> Codebook:
    """The codebook of a system whose options are, among others, the codebook's."""
    return assemble(
        Codebook, setting, **{field.name: getattr(options, field.name) for field in fields(CodebookOptions)}
    )


class DenseTrajectories(System):
    """A linear classifier of the codebook's vectors."""

    needs_train = frozenset({"trajectories", "label"})
    needs_test = frozenset({"trajectories"})
    Options = DenseTrajectoriesOptions
    default_backbone = None

    def __init__(self, setting: Setting, options: DenseTrajectoriesOptions) -> None:
        super().__init__()
        self.kind = options.classifier
        self.fisher = codebook(setting, options)
        self.classifier = nn.Linear(self.fisher.features, setting.num_classes)

    def encode(self, batch: Batch) -> dict[str, Tensor]:
        """``fisher``: the codebook's vectors float [B,F] of the clips."""
        return {"fisher": self.fisher(batch).features}

    def forward(self, batch: Batch) -> Output:
        """Reads trajectories, or features in their place."""
        features = (self.encode(batch) if batch.features is None else batch.features)["fisher"]  # [B,F]
        return Output(self.classifier(features), features)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The SVM's: squared hinge, of each class against the rest."""
        total = losses.squared_hinge(output.logits, self.take(batch, "label"))
        return {"total": total, "classification": total}

    def codebook_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The codebook's own."""
        return self.fisher.codebook_loss(output, batch)

    def fit_classifier(self, train: Iterable[Batch], validation: Iterable[Batch] | None) -> dict[str, float]:
        """The SVM, with the C that is best on the validation clips (see ``linear.keep`` where there are none)."""
        kept, held = linear.keep(train, validation)
        fitted, chosen = [(split.features["fisher"], split.label) for split in (kept, held)]
        classifier = linear.search(self.kind, fitted, chosen, self.classifier.out_features)
        classifier.copy_to(self.classifier)
        return {"cost": classifier.cost, "validation_accuracy": classifier.accuracy}

    def stages(self) -> list[Stage]:
        """The codebook, then the classifier in closed form."""
        head = Stage("head", trains=("classifier",), cached="encode", solve="fit_classifier")
        return [*member_stages("fisher", self.fisher), head]
