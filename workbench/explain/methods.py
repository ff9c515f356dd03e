"""Several explanations of one answer, on one grid, so that they can be laid side by side and be judged by one measure.

All but two come from captum. What a method says of every pixel is taken absolutely, summed over colours and averaged
over the cells of the grid [T',H',W'] of the system's feature map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.explain import outputs
from workbench.explain.contributions import contributions
from workbench.explain.gradcam import gradcam
from workbench.explain.what_if import where_and_when
from workbench.plain import system_and_batch
from workbench.types import Batch

Grid = tuple[int, int, int]
Method = Callable[[nn.Module, Batch, int, Grid], np.ndarray | None]
#: Steps of the path that integrated gradients follows.
STEPS = 16


def explain(
    system: nn.Module, batch: Batch | Any, methods: Sequence[str] | None = None, target: int | None = None
) -> dict[str, np.ndarray | None]:
    """float32 [T',H',W'] >= 0 by method, for class ``target`` (None: the answer) of a batch of one clip, or of a
    video [1,3,T,H,W], which any module can be asked about (see ``outputs.ask``).

    methods: names of METHODS, None all of them. None stands where the system has no such thing (attention, a pooled
    linear head). Mode and parameters stay as they were. ValueError for an unknown method, a batch without video or
    of several clips.
    """
    if unknown := sorted(set(methods or ()) - set(METHODS)):
        raise ValueError(f"unknown explanation {', '.join(unknown)}; known: {', '.join(METHODS)}")
    system, batch = system_and_batch(system, batch)
    if batch.video is None or len(batch) != 1:
        raise ValueError("explanations of a picture need a batch of one clip with batch.video [1,3,T,H,W]")
    batch = batch.to(outputs.device(system))
    output = outputs.ask(system, batch)
    target = int(output.logits[0].argmax()) if target is None else target
    if "feature_map" not in output.maps:
        raise ValueError(f"{type(system).__name__} has no feature map, whose cells explanations are given for")
    t, h, w = output.maps["feature_map"].shape[2:]
    with outputs.evaluating(system):
        return {name: METHODS[name](system, batch, target, (t, h, w)) for name in methods or METHODS}


def _by_gradient(name: str) -> Method:
    """The method of captum that is called so."""

    def method(system: nn.Module, batch: Batch, target: int, grid: Grid) -> np.ndarray:
        from captum import attr

        video = outputs.video(batch).clone().requires_grad_()
        return on_grid(getattr(attr, name)(_score(system, batch)).attribute(video, target), grid)

    return method


def _integrated_gradients(system: nn.Module, batch: Batch, target: int, grid: Grid) -> np.ndarray:
    from captum.attr import IntegratedGradients

    video = outputs.video(batch)
    mean = video.mean((2, 3, 4), keepdim=True).expand_as(video)
    method = IntegratedGradients(_score(system, batch))
    attribution = method.attribute(video.clone(), mean, target, n_steps=STEPS, internal_batch_size=4)
    return on_grid(attribution, grid)


def _occlusion(system: nn.Module, batch: Batch, target: int, grid: Grid) -> np.ndarray:
    """What the score loses when a cell is covered with the clip's mean colour; cells that it gains by count nothing."""
    from captum.attr import Occlusion

    video = outputs.video(batch)
    window = [max(1, size // cells) for size, cells in zip(video.shape[2:], grid, strict=True)]
    mean = video.mean((2, 3, 4), keepdim=True).expand_as(video)
    with torch.no_grad():
        attribution = Occlusion(_score(system, batch)).attribute(
            video, (3, *window), (3, *window), mean, target, perturbations_per_eval=8
        )
    return on_grid(attribution.clamp(min=0), grid)


def _contributions(system: nn.Module, batch: Batch, target: int, grid: Grid) -> np.ndarray | None:
    """The positive shares of the cells in the logit (see ``contributions``)."""
    output = outputs.ask(system, batch)
    try:
        shares = contributions(system, outputs.arrays(output), output.logits[0].float().cpu().numpy(), target)
    except ValueError:
        return None
    return np.maximum(shares.cells, 0)


METHODS: dict[str, Method] = {
    "attention": lambda system, batch, *_: where_and_when(outputs.arrays(outputs.ask(system, batch))),
    "contributions": _contributions,
    "grad-cam": lambda system, batch, target, _: gradcam(system, batch, target).maps["per_step"][0],
    "saliency": _by_gradient("Saliency"),
    "input x gradient": _by_gradient("InputXGradient"),
    "integrated gradients": _integrated_gradients,
    "occlusion": _occlusion,
}


def on_grid(values: Tensor, grid: Grid) -> np.ndarray:
    """float32 [T',H',W']: the mean over each cell of |values| [1,C,T,H,W], summed over C."""
    return functional.adaptive_avg_pool3d(values.detach().abs().sum(1), grid)[0].float().cpu().numpy()


def _score(system: nn.Module, batch: Batch) -> Callable[[Tensor], Tensor]:
    """video [n,3,T,H,W] -> logits [n,N], all else as in the batch of one clip."""
    return lambda video: system(repeated(batch, len(video)).replace(video=video)).logits


def repeated(batch: Batch, count: int) -> Batch:
    """The batch of one clip as one of ``count`` equal clips."""
    fields = {
        name: value.expand(count, *value.shape[1:])
        for name, value in vars(batch).items()
        if isinstance(value, Tensor) and name != "label"
    }
    return batch.replace(**fields, label=None, ids=batch.ids * count)
