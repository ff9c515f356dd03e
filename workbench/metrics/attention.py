"""Attention graded against known truth: does it look at the right place, and at the right moment?

Only a synthetic world knows the truth: which pixels (the discriminative object and hand) and which moment make the
label what it is. An attention map A >= 0 lives on the feature grid [T',H',W'] and is read as constant inside each of
its cells; the truth lives on the clip, mask M bool [T,H,W]. The mask is brought to the grid by averaging over area:

    c[t',h,w]   share of the cell's pixels, over its frames and its square, that are inside M
    v[t']       share of the cell's frames on which anything of M is visible

Frames without a visible region can't be attended rightly, so that every spatial measure leaves them out through v:

    inside_share    sum A c / sum A v      the share of the attention on visible frames that falls inside the region
    pointing_game   mean over t' with weights v of [c > 0 at the cell of A[t'] that is highest]
    ranking         P(A of a point inside > A of a point outside) + P(equal) / 2, the two drawn on the same frame

inside_share says how much, and hardly rises where a sigmoid is high everywhere; pointing_game asks the peak alone;
ranking (an area under the ROC curve, 0.5 without knowledge) ignores the scale. In time, a weighting p[t'] with sum 1:

    temporal_overlap   sum p m, with m[t'] the share of the cell's frames inside the truth interval
    temporal_gain      (overlap - u) / (1 - u), with u the overlap of uniform weights: 0 is uniform, 1 is perfect

``grade`` applies all of them to the region *during the moment*, M and [t inside the interval]: a hand that rests
before it acts is not what makes the label. What can't be measured (nothing visible, the interval is the whole
clip, a map of zeros) is NaN and left out of means. VPN and the thesis show their maps but "never evaluate" them
(thesis section 7.2); the measures are this workbench's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.metrics.classification import as_array
from workbench.types import Truth

#: What ``grade`` returns, in this order.
GRADES = ("inside_share", "pointing_game", "ranking", "temporal_overlap", "temporal_gain")
#: Attention that knows nothing of the clip.
BASELINES = ("uniform", "centre")
NAN = float("nan")


def grade(attention: Any, temporal: Any, truth: Truth) -> dict[str, float]:
    """All of ``GRADES`` for one clip.

    attention float [T',H',W'] >= 0 or None (spatial grades NaN); temporal float [T'] >= 0 or None (then attention
    summed over the place); truth on the frames that the grid covers, its mask in the clip's pixels.
    """
    moment = truth.moment
    region = np.asarray(truth.mask, bool) & moment[:, None, None]
    spatial = {"inside_share": inside_share, "pointing_game": pointing_game, "ranking": ranking}
    grades = {name: NAN if attention is None else measure(attention, region) for name, measure in spatial.items()}
    if temporal is None and attention is not None:
        temporal = _map(attention, 3).sum((1, 2))
    grades["temporal_overlap"] = NAN if temporal is None else temporal_overlap(temporal, moment)
    grades["temporal_gain"] = NAN if temporal is None else temporal_gain(temporal, moment)
    return grades


def inside_share(attention: Any, mask: Any) -> float:
    """Share in [0,1] of the attention on visible frames that falls inside the region (formula above).

    attention float [T',H',W'] >= 0, mask bool [T,H,W]. NaN without a visible frame or without attention there;
    ValueError for other shapes, negative or non-finite attention. A uniform map scores the region's mean area.
    """
    attention, coverage, visible = _on_grid(attention, mask)
    seen = (attention.sum((1, 2)) / attention[0].size * visible).sum()
    return float((attention * coverage).sum() / attention[0].size / seen) if seen > 0 else NAN


def pointing_game(attention: Any, mask: Any) -> float:
    """Share in [0,1] of the visible frames on which the highest cell touches the region; of cells that tie for the
    highest each counts its part, so that a constant map scores by chance. NaN and errors as ``inside_share``."""
    attention, coverage, visible = _on_grid(attention, mask)
    if visible.sum() == 0:
        return NAN
    peak = attention == attention.max((1, 2), keepdims=True)
    hit = (peak & (coverage > 0)).sum((1, 2)) / peak.sum((1, 2))
    return float((hit * visible).sum() / visible.sum())


def ranking(attention: Any, mask: Any) -> float:
    """Chance in [0,1] that a point inside the region has more attention than one outside it on the same visible frame,
    ties counting half: an area under the ROC curve, 0.5 for a constant map. NaN where inside or outside is empty."""
    attention, coverage, visible = _on_grid(attention, mask)
    scores, inside = (values.reshape(len(values), -1) for values in (attention, coverage))
    outside = np.clip(visible[:, None] - inside, 0, None)
    above = (np.sign(scores[:, :, None] - scores[:, None, :]) + 1) / 2
    won = np.einsum("ti,tij,tj->t", inside, above, outside)
    pairs = inside.sum(1) * outside.sum(1)
    valid = pairs > 0
    return float(np.average(won[valid] / pairs[valid], weights=visible[valid])) if valid.any() else NAN


def temporal_overlap(temporal: Any, moment: Any) -> float:
    """Share in [0,1] of the temporal attention that falls inside the truth interval.

    temporal float [T'] >= 0, of any sum; moment bool [T]. NaN where the clip has no frame of the interval or where
    the weights are all zero. Uniform weights score the interval's share of the clip.
    """
    temporal = _map(temporal, 1)
    share = resample(np.asarray(moment, bool), (len(temporal),))
    if share.sum() == 0 or temporal.sum() == 0:
        return NAN
    return float((temporal * share).sum() / temporal.sum())


def temporal_gain(temporal: Any, moment: Any) -> float:
    """``temporal_overlap`` on a scale where uniform weights score 0 and weights all inside the interval 1; negative is
    worse than uniform. NaN also where the interval is the whole clip: then nothing can be learnt from it."""
    moment = np.asarray(moment, bool)
    chance = moment.mean()
    return NAN if chance == 1 else (temporal_overlap(temporal, moment) - float(chance)) / (1 - float(chance))


def baseline(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """float64 ``shape`` ([T',H',W'] or [T']), sum 1: attention that knows nothing of the clip.

    "uniform" is constant; "centre" is a Gaussian around the middle of every axis, its standard deviation a quarter
    of the axis, the prior of a picture whose subject was put in the middle. ValueError for another name.
    """
    if name not in BASELINES:
        raise ValueError(f"unknown baseline {name!r}; known: {', '.join(BASELINES)}")
    weights = np.ones(shape)
    if name == "centre":
        for axis, size in enumerate(shape):
            offset = (np.arange(size) + 0.5) / size - 0.5
            weights *= np.exp(-0.5 * (offset / 0.25) ** 2).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return weights / weights.sum()


def resample(values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """float64 ``shape``: the mean of ``values`` over the area of each new cell, exact also where sizes don't divide."""
    values = as_array(values).astype(np.float64)
    if values.ndim != len(shape) or 0 in values.shape:
        raise ValueError(f"can't resample {list(values.shape)} to {list(shape)}")
    for axis, size in enumerate(shape):
        values = np.moveaxis(np.tensordot(_overlap(values.shape[axis], size), values, (1, axis)), 0, axis)
    return values


def _overlap(source: int, target: int) -> np.ndarray:
    """float64 [target,source], rows of sum 1: how much of each target cell lies in each source cell."""
    edges = np.arange(target + 1)[:, None] * source / target
    covered = np.clip(edges - np.arange(source), 0, 1)
    return np.diff(covered, axis=0) * target / source


def _on_grid(attention: Any, mask: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    attention = _map(attention, 3)
    mask = as_array(mask).astype(bool)
    share = resample(mask, attention.shape)
    return attention, share, resample(mask.any((1, 2)), attention.shape[:1])


def _map(values: Any, dimensions: int) -> np.ndarray:
    values = as_array(values).astype(np.float64)
    if values.ndim != dimensions or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"attention must be finite, >= 0 and of {dimensions} axes, got shape {list(values.shape)}")
    return values
