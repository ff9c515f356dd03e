"""Which cell said what: the logit of a class as a sum over the cells of the map that was pooled.

Behind a map x [C,T',H',W'] stand, in most systems here, average pooling and a linear layer, and both are sums:

    y_k = b_k + sum over c of w_kc mean over cells of x_c = b_k + sum over cells of (w_k . x_cell) / (T'H'W')

so that each cell's share of the logit is exact, no approximation and no gradient. (Grad-CAM at that layer is the
positive part of the same numbers, times T'H'W', where x = f.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import nn

#: The maps that a head may pool, the last that was made first.
POOLED = ("modulated", "feature_map")


@dataclass(frozen=True)
class Contributions:
    """cells float32 [T',H',W'] and bias, in units of the logit: they sum to ``logit``, the score of class ``label``
    before the softmax. pooled: the name of the map that they are of."""

    cells: np.ndarray
    bias: float
    logit: float
    label: int
    pooled: str


def contributions(
    system: nn.Module,
    maps: Mapping[str, np.ndarray],
    logits: np.ndarray,
    label: int | None = None,
    against: int | None = None,
) -> Contributions:
    """The contributions to the logit of ``label`` (None: the highest), or to its lead over class ``against``.

    maps and logits [N] are one clip's (outputs.arrays, what_if.Answer). ValueError where the system's ``classifier``
    does not read the average of one of its maps, so that there is nothing exact to say, or for an unknown class.
    """
    classifier = getattr(system, "classifier", None)
    logits = np.asarray(logits, np.float64)
    label = int(logits.argmax()) if label is None else label
    for index in (label, 0 if against is None else against):
        if not 0 <= index < len(logits):
            raise ValueError(f"a class must be from 0 to {len(logits) - 1}, got {index}")
    if isinstance(classifier, nn.Linear) and len(logits) == classifier.out_features:
        weight = classifier.weight.detach().double().cpu().numpy()
        bias = np.zeros(len(weight)) if classifier.bias is None else classifier.bias.detach().double().cpu().numpy()
        for name in POOLED:
            if name in maps and len(maps[name]) == weight.shape[1]:
                x = np.asarray(maps[name], np.float64)
                if np.allclose(weight @ x.mean((1, 2, 3)) + bias, logits, rtol=1e-4, atol=1e-4):
                    w, b, y = (
                        array[label] - (0 if against is None else array[against]) for array in (weight, bias, logits)
                    )
                    cells = np.tensordot(w, x, 1) / np.prod(x.shape[1:])
                    return Contributions(cells.astype(np.float32), float(b), float(y), label, name)
    raise ValueError(
        f"{type(system).__name__} does not classify the average of one of its maps: no cell has an exact share"
    )
