"""How fast pictures are made."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import cv2
import numpy as np


def frames_per_second(makers: Mapping[str, Callable[[], np.ndarray]], rounds: int = 5) -> dict[str, float]:
    """Frames a second and core of each maker, which returns frames [T,...]: the best of ``rounds``, in processor time
    (what else the machine does doesn't count) and without OpenCV's own threads."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return {name: max(_rate(make) for _ in range(rounds)) for name, make in makers.items()}
    finally:
        cv2.setNumThreads(before)


def _rate(make: Callable[[], np.ndarray]) -> float:
    began = time.process_time()
    frames = len(make())
    return frames / (time.process_time() - began)
