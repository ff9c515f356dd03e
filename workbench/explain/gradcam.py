"""Grad-CAM (Selvaraju et al. 2017) in space and time: which cells of a feature map speak for a class.

With f [C,T',H',W'] the output of a layer and y_k the logit of class k, the weight of a channel is its gradient pooled:

    over_time   w_c   = mean over t,h,w of  d y_k / d f[c,t,h,w]     one weight a channel (captum's LayerGradCam)
    per_step    w_ct  = mean over h,w   of  d y_k / d f[c,t,h,w]     one weight a channel and a time step

and the map is relu(sum over c of w f). The two differ where a channel argues for the class early and against it late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from workbench.types import Batch

POOLINGS = ("per_step", "over_time")


@dataclass(frozen=True)
class GradCAM:
    """What one backward pass says.

    maps: per pooling float32 [B,T',H',W'] >= 0, in units of the logit; weights: "per_step" float32 [B,C,T'],
    "over_time" float32 [B,C]; target int64 [B], the explained class; scores float32 [B], its softmax score.
    """

    maps: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    target: np.ndarray
    scores: np.ndarray

    def of(self, clip: int = 0) -> dict[str, np.ndarray]:
        """Both maps of one clip of the batch: pooling -> float32 [T',H',W']."""
        return {name: value[clip] for name, value in self.maps.items()}


def gradcam(system: nn.Module, batch: Batch, target: int | Tensor | None = None, layer: str = "backbone") -> GradCAM:
    """Both conventions of Grad-CAM at the output of a module.

    Reads the gradient in evaluation mode and leaves mode and parameters as they were.

    Args:
        system: what is explained.
        batch: on the system's device, with video float [B,3,T,H,W].
        target: one class for all clips, or int64 [B]; None: the predicted class.
        layer: the path of the module; its output is [B,C,T',H',W'].

    Returns:
        The maps of the clips, with the weights of the channels and the explained class.

    Raises:
        ValueError: the batch has no video, the layer or class is unknown, or the layer's output is not 5D.

    Source:
        Selvaraju et al., "Grad-CAM" (ICCV 2017).
    """
    from captum._utils.gradient import compute_layer_gradients_and_eval

    if batch.video is None:
        raise ValueError("Grad-CAM needs batch.video [B,3,T,H,W]; this batch has none")
    module, batch = _module(system, layer), batch.to(batch.video.device)
    seen: dict[str, Tensor] = {}

    def score(video: Tensor) -> Tensor:
        logits = system(batch.replace(video=video)).logits
        seen["logits"], seen["target"] = logits, _target(target, logits)
        return logits.gather(1, seen["target"][:, None])[:, 0]

    modes = {part: part.training for part in system.modules()}
    system.eval()
    try:
        # The engine behind captum's LayerGradCam, which only pools over time: one backward pass serves both poolings.
        gradients, values = compute_layer_gradients_and_eval(score, module, (batch.video,))
    finally:
        for part, training in modes.items():
            part.training = training
    gradient, value = gradients[0].detach().float(), values[0].detach().float()
    if value.ndim != 5:
        raise ValueError(f"Grad-CAM needs a layer whose output is [B,C,T',H',W']; {layer!r} gives {list(value.shape)}")
    weights = {"per_step": gradient.mean((3, 4), keepdim=True), "over_time": gradient.mean((2, 3, 4), keepdim=True)}
    return GradCAM(
        maps={name: (weight * value).sum(1).relu().cpu().numpy() for name, weight in weights.items()},
        weights={
            "per_step": weights["per_step"][..., 0, 0].cpu().numpy(),
            "over_time": weights["over_time"][..., 0, 0, 0].cpu().numpy(),
        },
        target=seen["target"].cpu().numpy(),
        scores=seen["logits"].detach().float().softmax(1).gather(1, seen["target"][:, None])[:, 0].cpu().numpy(),
    )


def layers(system: nn.Module) -> list[str]:
    """Names of the modules that give a feature map to look at: the backbone and its direct children."""
    return [name for name, _ in system.named_modules() if name.split(".")[0] == "backbone" and name.count(".") <= 1]


def _module(system: nn.Module, layer: str) -> nn.Module:
    modules = dict(system.named_modules())
    if not layer or layer not in modules:
        known = ", ".join(layers(system) or [name for name, _ in system.named_children()])
        raise ValueError(f"{type(system).__name__} has no module {layer!r}; try one of: {known}")
    return modules[layer]


def _target(target: int | Tensor | None, logits: Tensor) -> Tensor:
    if logits.ndim != 2:
        raise ValueError(f"Grad-CAM explains one class of a clip: logits must be [B,N], got {list(logits.shape)}")
    if target is None:
        return logits.argmax(1)
    chosen = torch.as_tensor(target, device=logits.device).expand(len(logits))
    if chosen.min() < 0 or chosen.max() >= logits.shape[1]:
        raise ValueError(f"target must be a class between 0 and {logits.shape[1] - 1}, got {chosen.tolist()}")
    return chosen
