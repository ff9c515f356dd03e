"""Grad-CAM (Selvaraju et al. 2017) in space and time: which cells of a feature map speak for a class.

With f [C,T',H',W'] the output of a layer and y_k the logit of class k, the weight of a channel is its gradient pooled:

    over_time   w_c   = mean over t,h,w of  d y_k / d f[c,t,h,w]     one weight a channel (captum's LayerGradCam)
    per_step    w_ct  = mean over h,w   of  d y_k / d f[c,t,h,w]     one weight a channel and a time step

and the map is relu(sum over c of w f). The two differ where a channel argues for the class early and against it late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.explain import outputs
from workbench.plain import Plain, fits, listening, system_and_batch
from workbench.types import Batch


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


def gradcam(
    system: nn.Module, batch: Batch | Any, target: int | Tensor | None = None, layer: str | None = None
) -> GradCAM:
    """Both conventions of Grad-CAM at the output of a module.

    Reads the gradient in evaluation mode and leaves mode and parameters as they were.

    Args:
        system: what is explained: a system, or any module that takes a video [B,3,T,H,W] and returns logits [B,N].
        batch: on the system's device, with video float [B,3,T,H,W]; or the video alone, an array or tensor of uint8 in
            [0,255] (read in [-1,1]) or of floats as the module expects them.
        target: one class for all clips, or int64 [B]; None: the predicted class.
        layer: the path of the module, or its end where no other ends so; its output is [B,C,T',H',W'], or, where frames
            are read one by one, [B T',C,H',W']. None: the last of ``layers``.

    Returns:
        The maps of the clips, with the weights of the channels and the explained class.

    Raises:
        ValueError: there is no video, the layer or class is unknown, or the layer's output is no feature map.

    Source:
        Selvaraju et al., "Grad-CAM" (ICCV 2017).
    """
    from captum._utils.gradient import compute_layer_gradients_and_eval

    system, batch = system_and_batch(system, batch)
    if batch.video is None:
        raise ValueError("Grad-CAM needs batch.video [B,3,T,H,W]; this batch has none")
    layer = _last(system, batch) if layer is None else layer
    module, batch = _module(system, layer, batch), batch.to(batch.video.device)
    seen: dict[str, Tensor] = {}

    def score(video: Tensor) -> Tensor:
        logits = system(batch.replace(video=video)).logits
        seen["logits"], seen["target"] = logits, _target(target, logits)
        return logits.gather(1, seen["target"][:, None])[:, 0]

    try:
        # The engine behind captum's LayerGradCam, which only pools over time: one backward pass serves both poolings.
        with outputs.evaluating(system):
            gradients, values = compute_layer_gradients_and_eval(score, module, (batch.video,))
    except AssertionError:
        raise ValueError(f"{layer!r} does not run when {type(_body(system)).__name__} answers") from None
    except RuntimeError as problem:
        if "differentiated Tensor" in str(problem) or "does not require grad" in str(problem):
            raise ValueError(f"no gradient reaches {layer!r}: the scores do not depend on what it makes") from None
        raise
    gradient, value = (_over_time(tensors[0].detach().float(), len(batch), layer) for tensors in (gradients, values))
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


def layers(system: nn.Module, batch: Batch | Any) -> list[str]:
    """Paths of the modules that make a feature map [B,C,T',H',W'] of ``batch`` (as ``gradcam`` takes it): the outermost
    such modules and their parts, in the order in which they answer, up to the one that makes maps["feature_map"]. Empty
    where there is none."""
    system, batch = system_and_batch(system, batch)
    names, tensors = {part: name for name, part in _body(system).named_modules()}, dict[str, list[int]]()

    def hear(part: nn.Module, args: tuple, output: Any) -> None:
        values = output if isinstance(output, tuple) and output else (output,)
        if fits(values[0], outputs.video(batch)):
            tensors.pop(names[part], None)
            tensors[names[part]] = [value.data_ptr() for value in values if isinstance(value, Tensor)]

    with listening(_body(system), hear):
        feature_map = outputs.ask(system, batch).maps.get("feature_map")
    indices = [] if feature_map is None else [i for i, v in enumerate(tensors.values()) if feature_map.data_ptr() in v]
    tensors = dict(list(tensors.items())[: indices[-1] + 1 if indices else None])
    outer = [name for name in tensors if not any(name.startswith(f"{outer}.") for outer in tensors)]
    return [name for name in tensors if name in outer or name.rpartition(".")[0] in outer]


def _last(system: nn.Module, batch: Batch) -> str:
    if names := layers(system, batch):
        return names[-1]
    modules = ", ".join(name for name, _ in _body(system).named_children())
    raise ValueError(
        f"no module of {type(_body(system)).__name__} makes a feature map [B,C,T',H',W']: name with layer= one that "
        f"makes [B T',C,H',W'] of the frames; its modules: {modules or 'none'}"
    )


def _module(system: nn.Module, layer: str, batch: Batch) -> nn.Module:
    body = _body(system)
    modules = {name: part for name, part in body.named_modules() if name}
    ends = [name for name in modules if f".{name}".endswith(f".{layer}") and layer]
    if layer in modules or len(ends) == 1:
        return modules[layer if layer in modules else ends[0]]
    names = ", ".join(ends or layers(system, batch) or [name for name, _ in body.named_children()])
    problem = f"has several modules that end with {layer!r}" if ends else f"has no module {layer!r}"
    raise ValueError(f"{type(body).__name__} {problem}; try one of: {names}")


def _body(system: nn.Module) -> nn.Module:
    """Whose modules are named: of a module that is no system, its own."""
    return system.module if isinstance(system, Plain) else system


def _over_time(value: Tensor, clips: int, layer: str) -> Tensor:
    """[B,C,T',H',W'] of what a layer gives for B ``clips``, whose frames it may have read one by one."""
    if value.dim() == 4 and len(value) % clips == 0:
        return value.unflatten(0, (clips, -1)).transpose(1, 2)
    if value.dim() != 5 or len(value) != clips:
        raise ValueError(f"Grad-CAM needs a layer whose output is [B,C,T',H',W']; {layer!r} gives {list(value.shape)}")
    return value


def _target(target: int | Tensor | None, logits: Tensor) -> Tensor:
    if logits.ndim != 2:
        raise ValueError(f"Grad-CAM explains one class of a clip: logits must be [B,N], got {list(logits.shape)}")
    if target is None:
        return logits.argmax(1)
    chosen = torch.as_tensor(target, device=logits.device).expand(len(logits))
    if chosen.min() < 0 or chosen.max() >= logits.shape[1]:
        raise ValueError(f"target must be a class between 0 and {logits.shape[1] - 1}, got {chosen.tolist()}")
    return chosen
