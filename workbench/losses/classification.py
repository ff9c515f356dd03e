"""Classification losses. Means over the batch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from workbench.losses.attention import weight_penalty
from workbench.losses.shapes import agree


def fine_tuning(logits: Tensor, label: Tensor, weight: Tensor, factor: float = 0.0) -> dict[str, Tensor]:
    """Cross-entropy + ``factor`` ||W||^2 of the last layer's weights W, as the thesis fine-tunes I3D (4.6.1: "a
    regularization with a weighting factor of 0.001 between the penultimate layer and the classification layer"). It
    doesn't say of what: table 6.7 calls it kernel regularization, L2, whose sum of squares is Keras'.

    logits: float [B,N]; label: int64 [B]; weight: float [N,C]. "total" and its terms by name, scalars; without a factor
    there is no term "regularizer"."""
    agree("fine_tuning", logits=(logits, "B N"), label=(label, "B"))
    l_c = F.cross_entropy(logits, label)
    if not factor:
        return {"total": l_c, "classification": l_c}
    penalty = weight_penalty(weight, squared=True)
    return {"total": l_c + factor * penalty, "classification": l_c, "regularizer": penalty}


def every_step(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of every time step against the clip's label, averaged over steps, a scalar: how the papers train
    their pose LSTMs. logits: float [B,t_p,N]; label: int64 [B]."""
    agree("every_step", logits=(logits, "B t_p N"), label=(label, "B"))
    steps = logits.shape[1]
    return F.cross_entropy(logits.flatten(0, 1), label.repeat_interleave(steps))
