"""Dense trajectories of made-up clips, whose tracks are known."""

from __future__ import annotations

from math import cos, radians, sin, sqrt

import cv2
import numpy as np
import pytest

from workbench.media import trajectories
from workbench.media.trajectories import DIMENSIONS, SLICES, Level, extract
from workbench.systems.thesis.dense_trajectories import SIZES
from workbench.types import Clip

HEIGHT, WIDTH, SIDE, START = 120, 160, 40, (50, 30)


def texture(height: int, width: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return cv2.normalize(smooth, None, 20, 235, cv2.NORM_MINMAX).astype(np.uint8)


def as_clip(grey: np.ndarray) -> Clip:
    return Clip(np.repeat(grey[..., None], 3, axis=3), np.arange(len(grey)), 25.0)


def moving_square(step: tuple[float, float], frames: int = 20, pan: int = 0) -> tuple[Clip, np.ndarray]:
    """A textured square that moves by ``step`` (x, y) a frame, over a textured wall that moves by (pan, 0); and its
    flow, rounded where the pictures are."""
    wall, square = texture(HEIGHT, WIDTH + pan * frames, 0), texture(SIDE, SIDE, 1)
    grey = np.empty((frames, HEIGHT, WIDTH), np.uint8)
    flow = np.zeros((frames - 1, HEIGHT, WIDTH, 2), np.float32)
    flow[..., 0] = pan
    for t in range(frames):
        grey[t] = wall[:, pan * (frames - t) : pan * (frames - t) + WIDTH]
        x, y = (round(start + t * way) for start, way in zip(START, step, strict=True))
        grey[t, y : y + SIDE, x : x + SIDE] = square
        if t < frames - 1:
            flow[t, y : y + SIDE, x : x + SIDE] = step
    return as_clip(grey), flow


def there(found: np.ndarray) -> np.ndarray:
    return found[np.isfinite(found).all(axis=1)]


def test_a_track_has_426_numbers_in_the_order_that_systems_read():
    assert DIMENSIONS == 426 and {name: part.stop - part.start for name, part in SLICES.items()} == SIZES
    assert list(SLICES) == list(SIZES) and SLICES["shape"].start == 0
    assert [part.start for part in SLICES.values()][1:] == [part.stop for part in SLICES.values()][:-1]


@pytest.mark.parametrize(
    ("step", "direction"), [((2, 0), 0), ((2, 2), 1), ((0, 2), 2), ((-2, 0), 4), ((0, -1), 6), ((1, -1), 7)]
)
def test_a_moving_square_gives_its_steps_and_its_bin(step, direction):
    clip, flow = moving_square(step)
    found = there(extract(clip, 5000, flow=flow))
    length = sqrt(step[0] ** 2 + step[1] ** 2)
    steps = found[:, SLICES["shape"]].reshape(-1, 15, 2)
    inside = np.abs(steps - np.array(step) / (15 * length)).max(axis=(1, 2)) < 1e-4
    # The others go with the square's edge some of the way, in its direction too.
    along = steps.sum(axis=1) @ np.array(step) / length
    assert inside.sum() > 20 and (along > 0.95 * np.linalg.norm(steps.sum(axis=1), axis=1)).mean() > 0.9
    # A patch in the middle of the square: 2 x 2 cells of 8 x 8 pixels, and twice the flow, as 120 is half of 240.
    bins = found[inside][:, SLICES["hof"]].reshape(-1, 3, 4, 9)
    total = 4 * 64 * 2 * length + 36 * 0.05
    best = bins[bins[..., direction].min(axis=(1, 2)).argmax()]
    np.testing.assert_allclose(best[..., direction], sqrt((64 * 2 * length + 0.05) / total), rtol=1e-3)
    np.testing.assert_allclose(
        np.delete(best, direction, axis=2), sqrt(0.05 / total), atol=0.01
    )  # cv2's angles are exact to 0.3 degrees


def test_a_direction_between_two_bins_is_shared_by_them():
    angle = radians(22.5)
    clip, flow = moving_square((2 * cos(angle), 2 * sin(angle)))
    bins = there(extract(clip, 5000, flow=flow))[:, SLICES["hof"]].reshape(-1, 3, 4, 9)
    best = bins[bins[..., 0].min(axis=(1, 2)).argmax()]
    np.testing.assert_allclose(best[..., 0], best[..., 1], rtol=1e-3)
    assert best[..., 0].min() > 0.3 and best[..., 2:].max() < 0.05


def test_tracks_are_found_in_pictures_alone():
    found = there(extract(moving_square((2, 1))[0], 5000))
    steps = found[:, SLICES["shape"]].reshape(-1, 15, 2).sum(axis=1)
    directions = np.degrees(np.arctan2(steps[:, 1], steps[:, 0]))
    assert len(found) > 20 and (np.abs(directions - 26.57) < 10).mean() > 0.8


def test_nothing_moves_in_a_still_clip_nor_under_a_moving_camera():
    still = as_clip(np.repeat(texture(HEIGHT, WIDTH, 0)[None], 20, axis=0))
    assert np.isnan(extract(still, 10)).all()
    wall = texture(HEIGHT, WIDTH + 40, 0)
    pan = as_clip(np.stack([wall[:, 40 - 2 * t : 40 - 2 * t + WIDTH] for t in range(20)]))
    assert np.isnan(extract(pan, 10)).all()


def test_the_cameras_motion_is_taken_out_of_what_moves():
    clip, flow = moving_square((1, 2), pan=1)
    steps = there(extract(clip, 5000, flow=flow))[:, SLICES["shape"]].reshape(-1, 15, 2)
    own = np.abs(steps - np.array([0, 1 / 15])).max(axis=(1, 2)) < 0.01
    assert own.sum() > 20 and np.abs(np.median(steps, axis=0) - np.array([0, 1 / 15])).max() < 0.01


def test_descriptors_of_a_ramp_by_hand():
    """Grey rises to the right and nothing moves: HOG is its first bin, HOF its ninth, MBH has no bin of its own."""
    grey = np.repeat(np.tile(np.arange(64, dtype=np.uint8) * 2, (64, 1))[None], 16, axis=0)
    level = Level(grey, np.zeros((15, 64, 64, 4), np.float32), 1.0, 1.0)
    path, shift = np.full((1, 16, 2), 32, np.float32), np.zeros((1, 15, 2), np.float32)
    shift[0, 3], shift[0, 4] = (3, 0), (0, -1)
    found = level.describe(np.array([0]), path, shift)[0]
    expected = np.zeros((15, 2))
    expected[3], expected[4] = (3 / 4, 0), (0, -1 / 4)
    np.testing.assert_allclose(found[SLICES["shape"]], expected.ravel())

    def roots(value: float, place: int, bins: int) -> np.ndarray:
        cell = np.full(bins, 0.05)
        cell[place] += value
        return np.tile(np.sqrt(cell / (4 * cell.sum())), 12)

    np.testing.assert_allclose(found[SLICES["hog"]], roots(256 * 4, 0, 8), rtol=1e-5)  # 16 x 16 pixels, 2 + 2 each
    np.testing.assert_allclose(found[SLICES["hof"]], roots(256, 8, 9), rtol=1e-5)
    np.testing.assert_allclose(found[SLICES["mbhx"]], np.sqrt(1 / 32), rtol=1e-5)
    np.testing.assert_allclose(found[SLICES["mbhy"]], np.sqrt(1 / 32), rtol=1e-5)


def test_mbh_sees_how_flow_changes():
    """u grows with y: its gradient points down (bin 2); v grows with x: its gradient points right (bin 0)."""
    fields = np.zeros((15, 64, 64, 4), np.float32)
    fields[..., 2] = 0.5 * np.arange(64)[:, None]
    fields[..., 3] = 0.5 * np.arange(64)
    level = Level(np.zeros((16, 64, 64), np.uint8), fields, 1.0, 1.0)
    shift = np.ones((1, 15, 2), np.float32)
    found = level.describe(np.array([0]), np.full((1, 16, 2), 32, np.float32), shift)[0]
    for name, direction in (("mbhx", 2), ("mbhy", 0)):
        cells = found[SLICES[name]].reshape(12, 8)
        np.testing.assert_allclose(cells[:, direction], 0.5, rtol=1e-2)
        assert np.delete(cells, direction, axis=1).max() < 0.02


def test_static_and_erratic_tracks_are_dropped():
    steady = np.cumsum(np.full((16, 2), [2.0, 0]), axis=0)
    still = np.zeros((16, 2))
    jump = np.where(np.arange(16)[:, None] < 8, 0, [25.0, 0])
    far = np.cumsum(np.full((16, 2), [15.0, 0]), axis=0)
    path = np.stack([steady, still, jump, far, steady])
    shift = np.diff(path, axis=1)
    shift[4] = 0.9  # moves with the camera: 1.27 pixels are left
    assert trajectories._moves(path, shift).tolist() == [True, False, False, False, True]
    shift[4] = 0.7  # 0.99
    assert trajectories._moves(path, shift).tolist() == [True, False, False, False, False]


def test_a_seed_draws_some_of_many_tracks_and_few_leave_nan():
    clip, flow = moving_square((2, 1))
    every = there(extract(clip, 5000, flow=flow))
    some, again, other = (extract(clip, 15, seed, flow) for seed in (0, 0, 1))
    assert np.array_equal(some, again) and not np.array_equal(some, other)
    rows = {row.tobytes() for row in every}
    assert len({row.tobytes() for row in some}) == 15 and all(row.tobytes() in rows for row in some)
    more = extract(clip, len(every) + 3, flow=flow)
    assert more.dtype == np.float32 and np.array_equal(more[:-3], every) and np.isnan(more[-3:]).all()


def test_a_larger_picture_is_shrunk_to_240_lines():
    rng = np.random.default_rng(0)
    clip, flow = moving_square((2, 1), frames=16)
    grey, flow = clip.frames[..., 0].repeat(2, 1).repeat(2, 2), 2 * flow.repeat(2, 1).repeat(2, 2)  # 240 x 320
    large, double = grey.repeat(2, 1).repeat(2, 2), 2 * flow.repeat(2, 1).repeat(2, 2)
    seed = int(rng.integers(9))
    small = extract(as_clip(grey), 40, seed, flow)
    assert np.isfinite(small).all()
    np.testing.assert_allclose(extract(as_clip(large), 40, seed, double), small, atol=1e-5)


def test_a_track_needs_sixteen_frames():
    clip, flow = moving_square((2, 1), frames=16)
    short = Clip(clip.frames[:15], clip.frame_numbers[:15], clip.fps)
    assert len(there(extract(clip, 500, flow=flow))) > 10
    assert extract(short, 7).shape == (7, 426) and np.isnan(extract(short, 7)).all()
    one = Clip(clip.frames[:1], clip.frame_numbers[:1], clip.fps)
    assert np.isnan(extract(one, 2)).all()


def test_a_long_video_is_read_in_pieces(monkeypatch):
    """Every track starts in one of them: 24 frames have tracks from 0 to 8, here from 0 to 4 and from 5 to 8."""
    clip, flow = moving_square((2, 1), frames=24)
    monkeypatch.setattr(trajectories, "PIECE", 5)
    found = there(extract(clip, 5000, flow=flow))
    monkeypatch.undo()
    parts = [(slice(0, 20), slice(0, 19)), (slice(5, 24), slice(5, 23))]
    expected = [
        there(extract(Clip(clip.frames[a], clip.frame_numbers[a], clip.fps), 5000, flow=flow[b])) for a, b in parts
    ]
    assert all(len(part) > 20 for part in expected)
    assert np.array_equal(found, np.concatenate(expected))


def test_bad_input_is_named():
    clip, flow = moving_square((2, 1), frames=16)
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        extract(clip, 0)
    with pytest.raises(ValueError, match=r"flow must be \[15,120,160,2\], got \[14,120,160,2\]"):
        extract(clip, 5, flow=flow[1:])
    with pytest.raises(ValueError, match="at least 32 x 32 pixels, got 31 x 160"):
        extract(as_clip(np.zeros((16, 31, 160), np.uint8)), 5)
