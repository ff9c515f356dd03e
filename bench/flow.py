"""Optical flow: pairs per second on one core, and the error on known shifts: `python bench/flow.py --help`.

A textured picture slides by a known number of pixels in several directions, with a little noise of its own in every
frame; the error is the mean distance, in pixels, between what is found and what was done, borders left out. "opencv"
is TV-L1 with OpenCV's own settings.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from workbench.media import flow

ANGLES = (0.3, 1.2, 2.5, 4.0)
NOISE = 2.0


def texture(side: int, rng: np.random.Generator) -> np.ndarray:
    """float32 [side,side] from 0 to 255, with detail at every scale."""
    layers = [cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), s) * s for s in (1.0, 2.0, 4.0, 8.0)]
    total = sum(layers)
    return (255 * (total - total.min()) / np.ptp(total)).astype(np.float32)


def slide(size: int, shift: tuple[float, float], rng: np.random.Generator) -> list[np.ndarray]:
    """Two uint8 [size,size] views of one texture."""
    margin = 32
    wide = texture(size + 2 * margin, rng)
    moved = cv2.warpAffine(wide, np.float32([[1, 0, shift[0]], [0, 1, shift[1]]]), wide.shape, flags=cv2.INTER_CUBIC)
    views = [picture[margin:-margin, margin:-margin] for picture in (wide, moved)]
    return [(view + rng.normal(0, NOISE, view.shape)).clip(0, 255).round().astype(np.uint8) for view in views]


def solver(method: str):
    return cv2.optflow.DualTVL1OpticalFlow_create() if method == "opencv" else flow.make_solver(method)


def measure(method: str, size: int, length: float) -> tuple[float, float]:
    """(mean end-point error in pixels, seconds a pair) for shifts of ``length`` pixels."""
    rng, errors, seconds = np.random.default_rng(0), [], []
    for angle in ANGLES:
        shift = length * np.cos(angle), length * np.sin(angle)
        pair = slide(size, shift, rng)
        began = time.process_time()
        found = solver(method).calc(*pair, None)
        seconds.append(time.process_time() - began)
        inner = found[16:-16, 16:-16]
        errors.append(np.linalg.norm(inner - np.float32(shift), axis=2).mean())
    return float(np.mean(errors)), float(np.mean(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.split(":")[0], epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[108, 224])
    parser.add_argument("--shifts", type=float, nargs="+", default=[0.5, 2, 4, 8, 12])
    parser.add_argument("--methods", nargs="+", default=[*flow.METHODS, "opencv"], choices=[*flow.METHODS, "opencv"])
    given = parser.parse_args()
    cv2.setNumThreads(1)
    columns = "".join(f"{f'{shift:g} px':>9}" for shift in given.shifts)
    for size in given.sizes:
        print(f"{size} x {size}, processor time; mean error in pixels of shifts by\n{'':8}{'pairs/s':>9}{columns}")
        for method in given.methods:
            errors, seconds = zip(*(measure(method, size, shift) for shift in given.shifts), strict=True)
            print(f"{method:8}{1 / np.mean(seconds):9.1f}" + "".join(f"{error:9.3f}" for error in errors), flush=True)


if __name__ == "__main__":
    main()
