"""One training step's arithmetic: the forward pass and the stage's loss."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from workbench.systems.base import System
from workbench.types import Batch, Output


class Step(nn.Module):
    """Forward pass and loss in one module, so that data-parallel wrappers see every parameter that is used."""

    def __init__(self, system: System, loss: str) -> None:
        super().__init__()
        self.system, self.loss = system, loss

    def forward(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Loss terms (scalars), and logits [B,N]. Losses are computed in fp32 whatever the precision of the network."""
        output = self.system(batch)
        with torch.autocast(output.logits.device.type, enabled=False):
            output = _float(output)
            return getattr(self.system, self.loss)(output, batch), output.logits.detach()


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
