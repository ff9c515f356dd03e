"""Segments of a video, crops that follow the person, and what the parts of a body show of the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.unit.test_loader import _after_window, centre_of
from workbench.data import Augment, ClipSpec, Loader, sample
from workbench.data.clips.augment import View
from workbench.data.clips.clip_spec import evaluation_windows, train_window
from workbench.data.clips.collate import blank, fill, generator
from workbench.data.clips.prepared_clips import Clips
from workbench.data.clips.read_clip import Cut
from workbench.media import video

SEGMENTS = frozenset({"video", "parts", "pose", "label", "segments"})


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("cache", [False, True])
def test_segments_are_what_the_loader_gives_of_a_video_of_their_own(data, tmp_path, train, cache):
    """Every frame of a segment, every part and every pose is what a clip of those frames shows, in the same view."""
    spec = ClipSpec(frames=4, size=(40, 40), poses=4, phases=2, granularities=(2, 3))
    how = {"train": True, "augment": Augment()} if train else {}
    loader = Loader(data, spec, 3, needs=SEGMENTS, cache=tmp_path if cache else None, **how)
    batch = next(iter(loader))
    clips = Clips(data, spec, SEGMENTS, None, 0)
    for b, name in enumerate(batch.ids):
        i = data.index(name)
        rng = generator(0, 0, "clip", i)
        length = int(data.lengths[i])
        window = train_window(spec, length, rng) if train else evaluation_windows(spec, length)[0]
        view = Augment().draw(spec, rng) if train else View.plain(spec)
        for g in (2, 3):
            for j, part in enumerate(window.segments[g]):
                arrays = {key: array[0] for key, array in blank(clips, 1, (40, 40)).items()}
                fill(arrays, clips, i, part, view)
                for field in ("video", "parts", "pose", "frame_numbers"):
                    assert (getattr(batch.segments[g], field)[b * g + j].numpy() == arrays[field]).all()
    assert set(batch.segments) == {2, 3} and len(batch.segments[3]) == 9


def test_a_segment_of_a_batch(data):
    spec = ClipSpec(frames=4, size=(40, 40), poses=4, granularities=(3,))
    needs = frozenset({"video", "pose", "segments"})
    batch = next(iter(Loader(data, spec, 2, needs=needs)))
    moved = batch.to("cpu")
    assert moved.video.is_floating_point() and moved.segments[3].video.dtype == torch.uint8
    second = moved.segment(3, 1)
    expected = batch.segments[3].video[[1, 4]].float() / 127.5 - 1
    torch.testing.assert_close(second.video, expected)
    assert second.parts is None and torch.equal(second.pose, batch.segments[3].pose[[1, 4]])
    with pytest.raises(ValueError, match="no segments of granularity 2; it has: 3"):
        moved.segment(2, 0)


def test_segments_need_granularities(data):
    with pytest.raises(ValueError, match="cut into segments: ClipSpec.granularities must say how many"):
        Loader(data, ClipSpec(), 2, needs=SEGMENTS)


@pytest.mark.parametrize("track_size", ["frame", "clip"])
def test_a_track_keeps_the_person_in_the_middle(data, track_size):
    spec = ClipSpec(frames=6, size=(48, 48), crop="track", track_size=track_size, border=0.125)
    boxes = Cut(data, spec, 0).box
    points = data.pixels(0).joints[0]
    assert boxes.shape == (len(points), 4)
    middle = (points.min(axis=1) + points.max(axis=1)) / 2
    assert np.abs((boxes[5:-5, :2] + boxes[5:-5, 2:]) / 2 - middle[5:-5]).max() < 8  # averaged over five frames
    sides = boxes[:, 2] - boxes[:, 0]
    longest = (points.max(axis=1) - points.min(axis=1)).max(axis=1)
    if track_size == "clip":
        assert np.ptp(sides) <= 1 and abs(sides[0] - longest.max() * 1.2 * 1.25) < 5
    else:
        assert np.abs(sides[5:-5] - longest[5:-5] * 1.2 * 1.25).max() < 5


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_in_a_track_pictures_joints_and_truth_stay_together(data, seed):
    spec = ClipSpec(frames=6, size=(64, 64), border=0.15, crop="track")
    augment = None if seed is None else Augment(brightness=0, contrast=0, scale=0.15)
    shown = sample(data, 0, spec, augment=augment, seed=seed or 0, needs=frozenset({"video", "truth"}))
    mirrored = seed is not None and augment.draw(spec, _after_window(spec, data, seed)).mirror
    square = centre_of([220, 60, 50], shown.clip.frames)
    hand = shown.pixels.joints[0, :, data.skeleton.index("hand_left" if mirrored else "hand_right")]
    box = (shown.truth.box[:, :2] + shown.truth.box[:, 2:]) / 2
    assert np.abs(square - hand).max() < 3 and np.abs(box - hand).max() < 3 and shown.clip.crop is None
    expected = shown.truth.mask & shown.truth.moment[:, None, None]
    assert ((shown.batch.truth[0].numpy() > 127.5 / 255) == expected).all()


def test_flow_of_a_track_is_not_that_of_the_camera(data):
    """Walls stand still though the crop moves by two pixels a frame."""
    cut = Cut(data, ClipSpec(size=(96, 96), border=0, flow_method="dis"), 0)
    still = cut.flow(np.arange(8))
    step = 2 * np.arange(cut.info.frames)[:, None]
    cut.box = cut.box + step * [1, 0, 1, 0]
    moving = cut.flow(np.arange(8))
    assert np.median(still) == np.median(moving) and np.abs(np.median(moving, axis=(0, 1, 2)) - 127.5).max() < 1


@pytest.mark.parametrize("crop", ["person", "track"])
def test_the_body_can_be_the_clip_itself(data, crop):
    spec = ClipSpec(frames=6, size=(40, 40), crop=crop, body="crop")
    batch = next(iter(Loader(data, spec, 2, needs=frozenset({"video", "parts"}))))
    assert torch.equal(batch.parts[:, 2], batch.video)
    alone = next(iter(Loader(data, replace(spec, body="track"), 2, needs=frozenset({"video", "parts"}))))
    assert torch.equal(alone.parts[:, 2], batch.video) == (crop == "track")  # one person: its own track is the clip's


@pytest.mark.parametrize("mirrored", [False, True])
def test_truth_of_parts_by_hand(data, mirrored):
    """The square is in the right hand: of what decides the label that hand's crop and the body's show all."""
    spec = ClipSpec(frames=8, size=(40, 40))
    augment = Augment(mirror=float(mirrored), scale=0)
    batch = next(iter(Loader(data, spec, 3, train=True, augment=augment, needs=frozenset({"parts", "part_truth"}))))
    left, right, body = batch.part_truth.T
    held, other = (left, right) if mirrored else (right, left)
    assert batch.part_truth.dtype == torch.float32 and (held > 0.7).all() and (body > 0.9).all() and (other < 0.6).all()


def test_truth_of_parts_is_counted_in_their_crops(data):
    """As many white pixels as the parts of a video show that is white where the label is decided."""
    spec = ClipSpec(frames=8, size=(80, 80), border=0.1)
    cut = Cut(data, spec, 0)
    numbers = evaluation_windows(spec, cut.info.frames)[0].frames
    counts, marked = cut.part_truth(numbers), cut._marked(numbers)
    assert counts[:, -1].tolist() == marked.sum((1, 2)).tolist() and counts[:, -1].any()
    for k in range(3):
        boxes = cut.boxes[k][numbers]
        area = video.crop(np.repeat(marked[..., None] * np.uint8(255), 3, axis=3), boxes, spec.area)[..., 0] > 127
        inside = area[:, 8:-8, 8:-8].sum((1, 2)) * ((boxes[:, 2] - boxes[:, 0]) / 96.0) ** 2
        assert np.abs(inside - counts[:, k]).max() < 0.2 * counts[:, -1].max() + 4
