"""Any network that reads video, as systems are read: video in, Output out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.types import Batch, Output

WANTED = "[B,3,T,H,W]"


class NoLogits(ValueError):
    """A module that returns something else."""


class Plain(nn.Module):
    """``plain(video)``, or of a Batch with one, is the Output of ``module(video)``, which may return logits [B,N], an
    object with such a field, or an Output.

    maps["feature_map"] [B,C,T',H',W'] is the last one that a part of the module makes; features [B,F] are what its last
    linear layer reads, without one the mean of the feature map, without either the logits. NoLogits for an answer of
    another kind.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, source: Batch | Tensor) -> Output:
        """The Output of a video float [B,3,T,H,W]."""
        video = source.video if isinstance(source, Batch) else source
        assert video is not None  # whoever makes a batch for a plain module gives it one
        feature_map: list[Tensor] = []
        read: list[Tensor] = []

        def hear(part: nn.Module, args: tuple, said: Any) -> None:
            if fits(said, video):
                feature_map[:] = [said]
            if isinstance(part, nn.Linear) and args and args[0].dim() == 2:
                read[:] = [args[0]]

        with listening(self.module, hear):
            said = self.module(video)
        if isinstance(said, Output):
            return said
        logits = getattr(said, "logits", said)
        if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(video):
            got = list(logits.shape) if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
            raise NoLogits(
                f"{type(self.module).__name__} returns {got} for a video {list(video.shape)}, expected logits "
                f"[{len(video)},N], a score for each of N classes"
            )
        pooled = [tensor.float().mean((2, 3, 4)) for tensor in feature_map]
        features = next((tensor for tensor in read if len(tensor) == len(video)), pooled[0] if pooled else logits)
        return Output(logits, features, {"feature_map": feature_map[0]} if feature_map else {})


@contextmanager
def listening(module: nn.Module, hear: Any) -> Iterator[None]:
    """For the time of a call, ``hear(part, args, output)`` is told of every part of ``module`` that has run."""
    hooks = [part.register_forward_hook(hear) for part in module.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def fits(value: Any, video: Tensor) -> bool:
    """Whether ``value`` is a feature map [B,C,T',H',W'] over ``video``: places on its grid stand for places of the
    picture, more than one. Other axes in five dimensions, such as [B,T',H',W',C], have other proportions."""
    if not isinstance(value, Tensor) or value.dim() != 5 or not value.is_floating_point() or len(value) != len(video):
        return False
    (t, h, w), (frames, height, width) = value.shape[2:], video.shape[2:]
    return t <= frames and h <= height and w <= width and h * w > 1 and 2 / 3 < (width * h) / (height * w) < 3 / 2


def array(value: Any) -> np.ndarray:
    """float32 numpy array of an array, a list of numbers, or a tensor anywhere; ValueError of anything else."""
    try:
        return np.asarray(value.detach().float().cpu() if isinstance(value, Tensor) else value, np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"expected an array or tensor of numbers, got a {type(value).__name__}") from None


def as_video(value: Any, module: nn.Module) -> Tensor:
    """``value``, an array or tensor [B,3,T,H,W] of uint8 in [0,255] or of floats as the ``module`` expects them, as a
    tensor on the module's device, floats in the module's dtype. ValueError, one sentence, where it is none."""
    try:
        video = torch.as_tensor(value if isinstance(value, Tensor) else np.asarray(value)).detach()
    except (TypeError, ValueError):
        raise ValueError(f"a video must be an array or tensor {WANTED}, got a {type(value).__name__}") from None
    shape = list(video.shape)
    if video.dim() != 5 or video.shape[1] != 3 or 0 in shape:
        way = ""
        if video.dim() == 4 and shape[0] == 3:
            way = ": one clip is video[None]"
        elif video.dim() == 4 and shape[-1] == 3:
            way = ": frames [T,H,W,3] become one with torch.as_tensor(frames).permute(3, 0, 1, 2)[None]"
        elif video.dim() == 5 and shape[2] == 3:
            way = ": [B,T,3,H,W] becomes one with video.transpose(1, 2)"
        raise ValueError(f"a video must be {WANTED}, got {shape}{way}")
    if video.dtype != torch.uint8 and not video.is_floating_point():
        raise ValueError(f"a video must be uint8 in [0,255], or floats as the network expects them, got {video.dtype}")
    if not torch.isfinite(video).all():
        raise ValueError(f"a video must be finite, this one {shape} holds NaN or infinity")
    kept = next((parameter for parameter in module.parameters() if parameter.is_floating_point()), torch.empty(0))
    return video.to(kept.device, kept.dtype if video.is_floating_point() else None)


def system_and_batch(module: nn.Module, source: Any) -> tuple[nn.Module, Batch]:
    """What to ask, and of what: a system and its batch as they are; of arrays [B,3,T,H,W] the batch, and a module that
    is no system as one. ValueError as ``as_video``, or for a system's video that is not in [-1,1]."""
    if isinstance(source, Batch):
        return module, source
    video = as_video(source, module)
    if not hasattr(module, "needs_test"):
        return Plain(module), Batch(video=video)
    if video.is_floating_point() and video.abs().max() > 1 + 1e-3:
        low, high = (float(end) for end in (video.min(), video.max()))
        raise ValueError(
            f"{type(module).__name__} reads videos in [-1,1], or uint8, this one goes from {low:.3g} to {high:.3g}"
        )
    return module, Batch(video=video)
