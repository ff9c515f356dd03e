"""The Global Model: the Temporal Model and its own base on the whole clip, the Basic Model, fused late (Das, thesis
2020, 5.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from workbench.systems.common.composite import combine
from workbench.systems.thesis.temporal_model import TemporalModel, TemporalModelOptions
from workbench.types import Batch, Output


@dataclass(frozen=True)
class GlobalModelOptions(TemporalModelOptions):
    """The Temporal Model's, and combine: of the two models' class scores (softmax), the product or the sum.

    The thesis' "dot product of the model scores at logit level" is read as their product, class by class: at logit
    level it is the sum. A product of the logits themselves would favour a class that both models exclude.
    """

    combine: Literal["product", "sum"] = "product"


class GlobalModel(TemporalModel):
    """The parameters are the Temporal Model's: the Basic Model is the base, and the fusion has nothing to learn.
    Weights of a trained Temporal Model are a trained Global Model's."""

    Options = GlobalModelOptions

    def forward(self, batch: Batch) -> Output:
        if batch.features is not None:
            return self.fuse(self.classify(batch.features), batch.features["basic"], {})
        basic = self.base(batch)
        return self.fuse(self.classify(super().encode(batch)), basic.logits, basic.maps)

    def encode(self, batch: Batch) -> dict[str, Tensor]:
        """What the Temporal Model reads, and "basic", the logits [B,N] of the base on the whole clip (G = 1)."""
        return {**super().encode(batch), "basic": self.base(batch).logits}

    def fuse(self, temporal: Output, basic: Tensor, maps: dict[str, Tensor]) -> Output:
        """Logits of the combined class scores; ``maps`` are what the base says about the whole clip."""
        how = "logit_sum" if self.options.combine == "product" else "softmax_mean"
        logits = combine([temporal.logits, basic], how)
        return Output(logits, temporal.features, maps | temporal.maps, {"temporal": temporal.logits})

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The Temporal Model's: the models are fused when both have been trained."""
        return super().loss(replace(output, logits=output.aux["temporal"]), batch)
