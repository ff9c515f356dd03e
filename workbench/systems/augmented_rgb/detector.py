"""Action detection in untrimmed videos: a temporal filter over features of snippets, and a classifier at every snippet
(Dai et al., "Learning an Augmented RGB Representation with Cross-Modal Knowledge Distillation for Action Detection",
ICCV 2021, section 3.1).

The rows of its tables: vanilla RGB, the flow and the pose teacher are this system with one stream; two-stream has two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from workbench import losses
from workbench.nets.modules import ModuleDict
from workbench.nets.temporal import SSTCN, TGM, BiLSTM
from workbench.nets.temporal.masks import real
from workbench.systems.common.base import Stage, System, Training
from workbench.systems.common.building import Setting
from workbench.types import Batch, Output

Filter = SSTCN | TGM | BiLSTM
FILTERS: dict[str, type[SSTCN] | type[TGM] | type[BiLSTM]] = {"sstcn": SSTCN, "tgm": TGM, "lstm": BiLSTM}
CHANNELS = 256  # of the filter's output at width 1 (section 4.2)
# Section 4.2; "plateau" watches the loss.
TRAINING: Training = {
    "epochs": 300,
    "optimizer": {"name": "adam", "lr": 1e-3},
    "schedule": {"name": "plateau", "patience": 10, "factor": 0.3},
}


@dataclass(frozen=True)
class FilterOptions:
    """temporal_filter: the 5-layer SS-TCN, temporal Gaussian mixtures or a bidirectional LSTM, with that dropout."""

    temporal_filter: Literal["sstcn", "tgm", "lstm"] = "sstcn"
    dropout: float = 0.5


@dataclass(frozen=True)
class DetectorOptions(FilterOptions):
    """streams: the modalities whose features are read, each by a filter and a classifier of its own. Of several, the
    mean of the logits is the score (late fusion). reduction: see losses.multi_label."""

    streams: tuple[Literal["rgb", "flow", "pose"], ...] = ("rgb",)
    reduction: Literal["sum", "mean"] = "sum"

    def __post_init__(self) -> None:
        if len(set(self.streams)) < len(self.streams):
            raise ValueError(f"detector: streams must differ from each other, got {', '.join(self.streams)}")


class Stream(nn.Module):
    """One modality: ``filter`` makes snippets know their surroundings, ``classifier`` is the pointwise layer behind."""

    def __init__(self, modality: str, setting: Setting, options: FilterOptions) -> None:
        super().__init__()
        self.modality, self.inputs = modality, setting.feature_channels(modality)
        channels = 2 * max(1, round(CHANNELS * setting.width / 2))  # even, for two directions
        self.filter: Filter = FILTERS[options.temporal_filter](self.inputs, channels, dropout=options.dropout)
        self.classifier = nn.Linear(channels, setting.num_classes)

    def forward(self, features: dict[str, Tensor], mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features by modality, [B,T,inputs], and mask bool [B,T] -> F [B,T,C] and logits [B,T,N]."""
        if self.modality not in features:
            there = ", ".join(features) or "none"
            raise ValueError(f"this detector reads batch.features[{self.modality!r}], but the batch has: {there}")
        x = features[self.modality]
        if x.dim() != 3 or x.shape[2] != self.inputs:
            raise ValueError(
                f"batch.features[{self.modality!r}] must be [B,T,{self.inputs}], got {list(x.shape)}; "
                f"build(..., features={{{self.modality!r}: {x.shape[-1]}}}) makes a detector for them"
            )
        f = self.filter(x, mask)
        return f, self.classifier(f)


class Detector(System):
    """``streams``, by modality."""

    needs_train = frozenset({"features", "label"})
    needs_test = frozenset({"features"})
    Options = DetectorOptions

    def __init__(self, setting: Setting, options: DetectorOptions) -> None:
        super().__init__()
        self.options = options
        self.streams: ModuleDict[Stream] = ModuleDict(
            {name: Stream(name, setting, options) for name in options.streams}
        )

    def wants(self, training: bool, stage: Stage | None = None) -> frozenset[str]:
        """The modalities whose features are read."""
        return frozenset(self.streams)

    @property
    def feature_channels(self) -> dict[str, int]:
        """How many channels the features of each modality have."""
        return {name: stream.inputs for name, stream in self.streams.items()}

    def forward(self, batch: Batch) -> Output:
        """Reads features and mask; logits [B,T,N], maps: see ``maps_of``."""
        features, mask = self.take(batch, "features"), batch.mask
        outputs = {name: stream(features, mask) for name, stream in self.streams.items()}
        sequence = torch.stack([f for f, _ in outputs.values()]).mean(0)  # F(i,t,c), [B,T,C]
        logits = torch.stack([logits for _, logits in outputs.values()]).mean(0)  # [B,T,N]
        aux = {"sequence": sequence} | {f"logits/{name}": logits for name, (_, logits) in outputs.items()}
        return Output(logits, pooled(sequence, mask), maps_of(sequence, logits, mask), aux)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Binary cross-entropy, of each stream by itself: they share nothing, so that one stage trains them all."""
        label, reduction = self.take(batch, "label"), self.options.reduction
        part = losses.share(real(output.logits, batch.mask).sum()) if self.training else 1.0
        terms = {
            name: part * losses.multi_label(output.aux[f"logits/{name}"], label, batch.mask, reduction)
            for name in self.streams
        }
        return terms | {"total": torch.stack(list(terms.values())).sum()}

    def detection_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """``loss``, under a name that a larger system, whose own ``loss`` is another, has too."""
        return self.loss(output, batch)

    def stages(self) -> list[Stage]:
        """Section 4.2, in one stage."""
        return [Stage("detection", loss="detection_loss", **TRAINING)]


def pooled(sequence: Tensor, mask: Tensor | None) -> Tensor:
    """[B,T,C] -> [B,C], the mean over real snippets."""
    if mask is None:
        return sequence.mean(1)
    return sequence.masked_fill(~mask[..., None], 0).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


def maps_of(sequence: Tensor, logits: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
    """``feature_map`` [B,C,T,1,1], the filter's output; ``covariance`` [B,C,C] of its channels (eq. 2); ``temporal``
    [B,T] in [0,1], the score of each snippet's likeliest class."""
    score = logits.float().sigmoid().amax(2)
    return {
        "feature_map": sequence.transpose(1, 2)[..., None, None],
        "covariance": losses.covariance(sequence.float(), mask),
        "temporal": score if mask is None else score.masked_fill(~mask, 0),
    }
