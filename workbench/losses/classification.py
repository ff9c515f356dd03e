"""Classification losses. Means over the batch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from workbench.losses.attention import weight_penalty
from workbench.losses.shapes import agree


def fine_tuning(logits: Tensor, label: Tensor, weight: Tensor, factor: float = 0.0) -> dict[str, Tensor]:
    """Cross-entropy + ``factor`` ||W||^2 of the last layer's weights W, as the thesis fine-tunes I3D.

    "A regularization with a weighting factor of 0.001 between the penultimate layer and the classification layer"
    (4.6.1) doesn't say of what: table 6.7 calls it kernel regularization, L2, whose sum of squares is Keras'.

    Args:
        logits: float [B,N].
        label: int64 [B].
        weight: W, float [N,C].
        factor: >= 0; at 0 there is no term "regularizer".

    Returns:
        "total" and its terms by name, scalars.

    Raises:
        ValueError: shapes that don't agree.

    Source:
        Thesis, 4.6.1 and table 6.7.
    """
    agree("fine_tuning", logits=(logits, "B N"), label=(label, "B"))
    l_c = F.cross_entropy(logits, label)
    if not factor:
        return {"total": l_c, "classification": l_c}
    penalty = weight_penalty(weight, squared=True)
    return {"total": l_c + factor * penalty, "classification": l_c, "regularizer": penalty}


def every_step(logits: Tensor, label: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of every time step against the clip's label: how the papers train their pose LSTMs.

    Args:
        logits: float [B,t_p,N].
        label: int64 [B].
        smoothing: in [0,1], the share of the target that all classes have alike.

    Returns:
        A scalar, the mean over batch and steps.

    Raises:
        ValueError: shapes that don't agree.

    Source:
        VPN (ECCV 2020), appendix 2.
    """
    agree("every_step", logits=(logits, "B t_p N"), label=(label, "B"))
    steps = logits.shape[1]
    return F.cross_entropy(logits.flatten(0, 1), label.repeat_interleave(steps), label_smoothing=smoothing)
