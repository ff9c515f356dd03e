"""One training step's arithmetic: the forward pass and the stage's loss."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from workbench.study.evaluate.gradient_shares import gradient_shares
from workbench.systems.common.base import System
from workbench.types import Batch, Output


class Step(nn.Module):
    """Forward pass and loss in one module, so that data-parallel wrappers see every parameter that is used.

    Where ``measures``, the scale of ``gradient_shares``, isn't 0, a forward pass leaves the terms' ``shares`` of the
    gradient too: in here, since the wrappers hand out copies of the terms that the total doesn't come from.
    """

    def __init__(self, system: System, loss: str) -> None:
        super().__init__()
        self.system, self.loss = system, loss
        self.measures = 0.0
        self.shares: dict[str, float] = {}

    def forward(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Loss terms (scalars), and logits [B,N]. Losses are computed in fp32 whatever the precision of the network."""
        output = self.system(batch)
        with torch.autocast(output.logits.device.type, enabled=False):
            output = _float(output)
            terms = getattr(self.system, self.loss)(output, batch)
            trained = [parameter for parameter in self.system.parameters() if parameter.requires_grad]
            self.shares = gradient_shares(terms, trained, self.measures) if self.measures else {}
            return terms, output.logits.detach()


def _float(output: Output) -> Output:
    def cast(values: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.float() if value.is_floating_point() else value for name, value in values.items()}

    return replace(
        output,
        logits=output.logits.float(),
        features=output.features.float(),
        maps=cast(output.maps),
        aux=cast(output.aux),
    )
