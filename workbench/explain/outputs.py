"""Asking a system: one forward pass without gradients, and its maps as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from workbench.plain import system_and_batch
from workbench.types import Batch, Output


def ask(system: torch.nn.Module, batch: Batch | Any) -> Output:
    """What ``system`` says about ``batch``, in evaluation mode and without gradients; its mode stays as it was.

    Any module that takes a video [B,3,T,H,W] and returns logits can be asked about one, an array or tensor (see
    ``plain.Plain``)."""
    system, batch = system_and_batch(system, batch)
    with evaluating(system), torch.no_grad():
        return system(batch.to(device(system)))


@contextmanager
def evaluating(system: torch.nn.Module) -> Iterator[None]:
    """The system in evaluation mode; each of its parts is in its own mode again behind."""
    modes = {part: part.training for part in system.modules()}
    system.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def features(system: torch.nn.Module, videos: Any, together: int = 8) -> np.ndarray:
    """float32 [S,F]: what the classifier of ``system``, any module as in ``ask``, reads of videos [S,3,T,H,W], so many
    ``together``."""
    parts = [ask(system, videos[start : start + together]) for start in range(0, len(videos), together)]
    return torch.cat([part.features.float() for part in parts]).cpu().numpy()


def device(system: torch.nn.Module) -> torch.device:
    """Where the system's weights are; the CPU where it has none."""
    return next((parameter.device for parameter in system.parameters()), torch.device("cpu"))


def video(batch: Batch) -> torch.Tensor:
    """The pictures of ``batch``, float [B,3,T,H,W]; ValueError where it has none."""
    if batch.video is None:
        raise ValueError("explanations of a picture need a batch with batch.video [B,3,T,H,W], this one has none")
    return batch.video


def arrays(output: Output, clip: int = 0) -> dict[str, np.ndarray]:
    """The maps of one clip of the batch by name, without the batch axis, float32 (see types.MAPS for the other axes).

    What a system does not have is not in it: ``arrays(output).get("spatial")`` is then None, which figures show as a
    labelled blank. ``affinity_grid``, which belongs to no clip, is left out.
    """
    return {
        name: value[clip].detach().float().cpu().numpy()
        for name, value in output.maps.items()
        if name != "affinity_grid"
    }


def score(output: Output, label: int, clip: int = 0) -> float:
    """The softmax score in [0,1] that one clip of the batch gives to class ``label``."""
    return float(output.logits[clip].softmax(-1)[label])
