"""Optical flow against motion that is known, and its bytes against numbers worked out by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from workbench.media import flow
from workbench.types import Clip

STEP = 2 * flow.LIMIT / 255


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """float32 [H,W] from 0 to 255, with detail at every scale."""
    rng = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(rng.normal(size=(height, width)), (0, 0), s) * s for s in (1.0, 2.0, 4.0, 8.0)]
    total = sum(layers)
    return (255 * (total - total.min()) / np.ptp(total)).astype(np.float32)


def sliding(shifts: list[tuple[float, float]], height: int = 64, width: int = 80) -> Clip:
    """A window onto a texture that moves by each of ``shifts`` (x, y), pixels, from frame to frame."""
    wide, at = texture(height + 96, width + 96), np.cumsum([(0, 0), *shifts], axis=0)
    views = [
        cv2.warpAffine(wide, np.float32([[1, 0, x], [0, 1, y]]), wide.shape[::-1], flags=cv2.INTER_CUBIC) for x, y in at
    ]
    frames = np.stack(views)[:, 48 : 48 + height, 48 : 48 + width, None].clip(0, 255).round().astype(np.uint8)
    return Clip(frames.repeat(3, axis=3), np.arange(len(frames)), 25.0)


@pytest.mark.parametrize(("method", "within"), [("tvl1", 0.06), ("dis", 0.12)])
def test_a_known_shift_is_found(method, within):
    shifts = [(1.5, -0.75), (-4.0, 2.0), (0.0, 0.0), (11.0, 5.0)]
    found = flow.compute(sliding(shifts, 128, 128), method)
    assert (found.dtype, found.shape) == (np.float32, (4, 128, 128, 2))
    errors = np.linalg.norm(found - np.array(shifts)[:, None, None], axis=3)[:, 16:-16, 16:-16]
    assert errors.mean(axis=(1, 2)).max() < within


@pytest.mark.parametrize("method", flow.METHODS)
def test_a_thing_moves_before_what_stands_still(method):
    wall, thing = texture(64, 64), texture(64, 64, seed=1)
    frames = np.stack([wall, wall])
    frames[0, 14:46, 10:42] = thing[:32, :32]
    frames[1, 16:48, 13:45] = thing[:32, :32]
    clip = Clip(frames[..., None].repeat(3, axis=3).astype(np.uint8), np.arange(2), 25.0)
    (found,) = flow.compute(clip, method)
    np.testing.assert_allclose(np.median(found[25:37, 21:33], axis=(0, 1)), [3, 2], atol=0.3)
    assert np.linalg.norm(found[:, 54:], axis=2).mean() < 0.2


@pytest.mark.parametrize("side", [20, 44, 45, 64])
@pytest.mark.parametrize("method", flow.METHODS)
def test_a_pair_does_not_depend_on_the_pairs_before_it(method, side):
    clip = sliding([(1.0, 0.5), (-2.0, 0.0), (0.5, 3.0)], side, side)
    together = flow.compute(clip, method)
    for t in range(3):
        alone = flow.compute(Clip(clip.frames[t : t + 2], np.arange(2), 25.0), method)
        np.testing.assert_array_equal(alone[0], together[t])


def test_bytes_by_hand():
    assert flow.quantize(np.array([-20.0, -10.0, 0.05, 10.0, 20.0])).tolist() == [0, 64, 128, 191, 255]
    assert flow.quantize(np.array([-21.0, 20.1, 500.0, -np.inf])).tolist() == [0, 255, 255, 0]


def test_bytes_are_right_to_half_a_step():
    values = np.random.default_rng(0).uniform(-20, 20, 10_000)
    error = np.abs((flow.quantize(values) / 127.5 - 1) * flow.LIMIT - values)
    assert 0.49 * STEP < error.max() < 0.5 * STEP + 1e-5
    np.testing.assert_array_equal(flow.quantize(-values), 255 - flow.quantize(values))


def test_wrong_requests_are_one_sentence(monkeypatch):
    clip = sliding([(1.0, 0.0)])
    with pytest.raises(ValueError, match="method must be one of tvl1, dis, got 'farneback'"):
        flow.compute(clip, "farneback")
    with pytest.raises(ValueError, match="flow needs two frames or more, the clip has 1"):
        flow.compute(Clip(clip.frames[:1], np.arange(1), 25.0))
    monkeypatch.delattr(cv2, "optflow")
    with pytest.raises(ImportError, match="install opencv-contrib-python-headless .*, or choose method 'dis'"):
        flow.compute(clip)
    assert flow.compute(clip, "dis").shape == (1, 64, 80, 2)
