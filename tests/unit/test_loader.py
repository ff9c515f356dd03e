"""What is in a batch, where joints and truth lie in it, and how the loader goes through a data set."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.data import Augment, ClipSpec, Loader, open_dataset, sample, truth_of
from workbench.data.clips.augment import View
from workbench.data.clips.prepared_clips import Clips
from workbench.data.clips.read_clip import Cut
from workbench.media import pose

SPEC = ClipSpec(frames=8, size=(48, 48), poses=6)
POSE_ONLY = frozenset({"pose", "label"})


def test_batches_hold_what_was_asked_for(data):
    batches = list(Loader(data, SPEC, 3))
    assert [len(batch) for batch in batches] == [3, 3, 2]
    batch = batches[0]
    assert (batch.video.dtype, tuple(batch.video.shape)) == (torch.uint8, (3, 3, 8, 48, 48))
    assert (batch.pose.dtype, tuple(batch.pose.shape)) == (torch.float32, (3, 1, 6, 25, 3))
    assert (batch.label.dtype, tuple(batch.frame_numbers.shape)) == (torch.int64, (3, 8))
    assert [name for batch in batches for name in batch.ids] == data.ids
    assert torch.cat([batch.label for batch in batches]).tolist() == data.labels.tolist()
    only = next(iter(Loader(data, SPEC, 3, needs=POSE_ONLY)))
    assert only.video is None and torch.equal(only.pose, batch.pose)


def test_poses_are_normalised_as_asked(data):
    batch = next(iter(Loader(data, SPEC, 1, needs=POSE_ONLY)))
    root = data.skeleton.index("spine_base")
    assert batch.pose[0, 0, :, root].abs().max() < 1e-6  # the thesis puts the hip centre at the origin
    plain = next(iter(Loader(data, ClipSpec(frames=8, poses=6, normalize="none"), 1, needs=POSE_ONLY)))
    numbers = ((np.arange(6) + 0.5) * data.lengths[0] / 6).astype(int)
    np.testing.assert_array_equal(plain.pose[0], data.pose(0).joints[:, numbers])


def test_absent_bodies_are_zero(data):
    batch = next(iter(Loader(data, ClipSpec(frames=8, persons=2), 1, needs=POSE_ONLY)))
    assert batch.pose.shape[1] == 2 and batch.pose[0, 0].abs().sum() > 0 and (batch.pose[0, 1] == 0).all()


def test_poses_behind_the_end_of_a_video_are_zero(data):
    length = int(data.lengths[0])
    spec = ClipSpec(frames=8, poses=length + 3, pose_padding="zeros")
    pose = next(iter(Loader(data, spec, 1, needs=POSE_ONLY))).pose[0]
    assert (pose[:, length:] == 0).all() and (pose[:, :length] != 0).any(dim=(0, 2, 3)).all()
    whole = next(iter(Loader(data, ClipSpec(frames=8, poses=length), 1, needs=POSE_ONLY))).pose[0]
    assert torch.equal(pose[:, :length], whole)


def test_pose_quality_degrades_poses_reproducibly(data):
    good, bad, again = (
        next(iter(Loader(data, ClipSpec(frames=8, pose_quality=quality), 2, needs=POSE_ONLY))).pose
        for quality in ("high", "low", "low")
    )
    assert not torch.equal(good, bad) and torch.equal(bad, again) and bad.isfinite().all()


def test_sample_is_what_the_loader_gives(data):
    batch = next(iter(Loader(data, SPEC, 2)))
    shown = sample(data, 1, SPEC)
    assert torch.equal(shown.batch.video[0], batch.video[1]) and torch.equal(shown.batch.pose[0], batch.pose[1])
    assert shown.batch.ids == batch.ids[1:] and torch.equal(shown.batch.frame_numbers[0], batch.frame_numbers[1])
    np.testing.assert_array_equal(shown.clip.frames, batch.video[1].permute(1, 2, 3, 0))
    assert shown.clip.source == data.videos[1] and shown.truth.interval == data.truth(1).interval


def test_area_box_by_hand(data):
    spec = ClipSpec(size=(40, 40), margin=0.1, border=0.1)
    points = data.pixels(0).joints.reshape(-1, 2)
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    side = 1.2 * max(x1 - x0, y1 - y0)  # a square around the joints, a margin on each side
    half = side / 2 * 1.2  # and a border of 4 of 40 pixels on each side
    expected = [(x0 + x1) / 2 - half, (y0 + y1) / 2 - half, (x0 + x1) / 2 + half, (y0 + y1) / 2 + half]
    np.testing.assert_allclose(Cut(data, spec, 0).box, expected, atol=2)
    frame = ClipSpec(size=(30, 40), crop="frame", border=0.1)
    assert Cut(data, frame, 0).box.tolist() == [-16, -12, 176, 132]


def centre_of(color, frames):
    """(x, y) of the pixels near ``color``, in every frame that shows some."""
    close = np.abs(frames.astype(int) - color).sum(axis=-1) < 120
    return np.array([np.argwhere(seen).mean(axis=0)[::-1] + 0.5 if seen.any() else [np.nan] * 2 for seen in close])


@pytest.mark.parametrize("size", [(48, 48), (48, 72)])
@pytest.mark.parametrize("seed", [None, 0, 1, 2, 3, 4, 5])
def test_pictures_joints_and_truth_stay_together(data, size, seed):
    """The red square, the hand that holds it and the truth around it, however the clip is cropped and mirrored."""
    spec = ClipSpec(frames=6, size=size, border=0.15)
    augment = None if seed is None else Augment(brightness=0, contrast=0, scale=0.15)
    shown = sample(data, 0, spec, augment=augment, seed=seed or 0)
    mirrored = seed is not None and augment.draw(spec, _after_window(spec, data, seed)).mirror
    square = centre_of([220, 60, 50], shown.clip.frames)
    hand = shown.pixels.joints[0, :, data.skeleton.index("hand_left" if mirrored else "hand_right")]
    assert np.abs(square - hand).max() < 2
    box = (shown.truth.box[:, :2] + shown.truth.box[:, 2:]) / 2
    assert np.abs(box - hand).max() < 2
    for t in range(6):
        assert np.abs(np.argwhere(shown.truth.mask[t]).mean(axis=0)[::-1] + 0.5 - hand[t]).max() < 2
    arm = {data.skeleton.joints[j] for j in np.flatnonzero(shown.truth.joints)}
    side = "left" if mirrored else "right"
    assert arm == {f"{part}_{side}" for part in ("elbow", "wrist", "hand", "hand_tip", "thumb")}


def _after_window(spec, data, seed):
    """The generator as ``sample`` has it when it draws the view: a uniform window of one phase takes one draw."""
    rng = np.random.default_rng(seed)
    rng.integers(spec.phases)
    return rng


def test_both_mirrorings_occur(data):
    spec, augment = ClipSpec(), Augment()
    assert {augment.draw(spec, np.random.default_rng(seed)).mirror for seed in range(10)} == {True, False}


def test_the_clip_says_where_it_was_cut(data):
    shown = sample(data, 0, SPEC)
    x0, y0, x1, y1 = shown.clip.crop
    points = pose.take(data.pixels(0), shown.clip.frame_numbers).joints
    expected = (points - [x0, y0]) * [48 / (x1 - x0), 48 / (y1 - y0)]
    np.testing.assert_allclose(shown.pixels.joints, expected, atol=1e-3)


def test_whole_area_surrounds_the_centre(data):
    spec = ClipSpec(frames=4, size=(40, 40), border=0.1)
    centre = sample(data, 0, spec)
    whole = sample(data, 0, ClipSpec(frames=4, size=(40, 40), border=0.1, test_area="whole"))
    assert whole.batch.video.shape[-2:] == (48, 48)
    assert torch.equal(whole.batch.video[..., 4:44, 4:44], centre.batch.video)
    np.testing.assert_allclose(whole.pixels.joints - 4, centre.pixels.joints, atol=1e-4)


def test_brightness_and_contrast_by_hand():
    frames = np.full((1, 2, 2, 3), 100, np.uint8)
    out = np.empty((3, 1, 2, 2), np.uint8)
    View(0, 0, 2, 2, size=(2, 2), gain=2.0, shift=10.0).picture(frames, out)
    assert (out == 82).all()  # 2 (100 - 127.5) + 127.5 + 10 = 82.5, rounded to even
    View(0, 0, 2, 2, size=(2, 2), shift=200.0).picture(frames, out)
    assert (out == 255).all()


def test_view_crops_and_mirrors_by_hand():
    frames = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1).repeat(3, axis=3)
    out = np.empty((3, 1, 2, 2), np.uint8)
    View(1, 2, 2, 2, size=(2, 2), mirror=True).picture(frames, out)
    assert out[0, 0].tolist() == [[7, 6], [11, 10]]
    moved = View(1, 2, 2, 2, size=(4, 4), mirror=True).points(np.array([[2.0, 1.0], [3.0, 2.0]]))
    assert moved.tolist() == [[4, 0], [2, 2]]


def test_training_draws_anew_each_epoch(data):
    loader = Loader(data, SPEC, 3, seed=1, train=True, augment=Augment())
    assert len(loader) == 2  # 8 clips: the two left over by batches of 3 wait for another epoch
    first = list(loader)
    assert [batch.ids for batch in first] == [batch.ids for batch in loader]
    loader.set_epoch(1)
    second = list(loader)
    assert [batch.ids for batch in first] != [batch.ids for batch in second]
    shown = {name: video for batch in first for name, video in zip(batch.ids, batch.video, strict=True)}
    again = {name: video for batch in second for name, video in zip(batch.ids, batch.video, strict=True)}
    assert any(not torch.equal(shown[name], again[name]) for name in shown.keys() & again.keys())


def test_a_small_training_set_is_one_batch(data):
    (batch,) = Loader(data.subset([0, 1]), SPEC, 16, train=True, needs=POSE_ONLY)
    assert len(batch) == 2


def test_windows_repeat_ids(data):
    spec = ClipSpec(frames=4, size=(32, 32), sampling="strided", stride=1, windows=3)
    loader = Loader(data.subset([0, 1]), spec, 4)
    batches = list(loader)
    assert len(loader) == len(batches) == 2
    ids = [name for batch in batches for name in batch.ids]
    assert ids == [data.ids[0]] * 3 + [data.ids[1]] * 3
    numbers = torch.cat([batch.frame_numbers for batch in batches])
    assert numbers[0, 0] < numbers[1, 0] < numbers[2, 0]


def test_an_epoch_goes_on_from_its_state(data):
    def loader():
        return Loader(data, SPEC, 2, seed=3, train=True, augment=Augment(), needs=POSE_ONLY)

    def poses(batches):
        return [batch.pose for batch in batches]

    first = loader()
    first.set_epoch(5)
    whole = poses(first)
    interrupted = iter(first)
    next(interrupted), next(interrupted)
    second = loader()
    second.load_state_dict(first.state_dict())
    second.set_epoch(5)
    rest = poses(second)
    assert len(rest) == 2 and all(map(torch.equal, whole[2:], rest))
    assert all(map(torch.equal, whole, poses(second)))  # the epoch after a resumed one is whole again
    second.load_state_dict(first.state_dict())
    second.set_epoch(6)
    assert len(list(second)) == 4


def test_shards_share_an_epoch(data):
    one, two = (Loader(data, SPEC, 2, train=True, needs=POSE_ONLY, shard=(rank, 2)) for rank in (0, 1))
    parts = [{name for batch in loader for name in batch.ids} for loader in (one, two)]
    assert len(one) == len(two) == 2
    assert parts[0] | parts[1] == set(data.ids) and not parts[0] & parts[1]
    tests = [Loader(data, SPEC, 3, needs=POSE_ONLY, shard=(rank, 2)) for rank in (0, 1)]
    assert [len(loader) for loader in tests] == [2, 1]
    assert sorted(name for loader in tests for batch in loader for name in batch.ids) == sorted(data.ids)


def test_the_global_random_state_is_left_alone(data):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    list(Loader(data, SPEC, 4, train=True, augment=Augment()))
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"needs": frozenset({"sound"})},
            "cannot give 'sound'; it gives: flow, label, part_truth, parts, pose, rendered, segments, ",
        ),
        ({"augment": Augment()}, "augment is for training"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"shard": (2, 2)}, "shard"),
    ],
)
def test_wrong_arguments_are_one_sentence(data, arguments, message):
    with pytest.raises(ValueError, match=message):
        Loader(data, SPEC, **{"batch_size": 2, **arguments})


def test_a_data_set_without_poses_says_so(tmp_path, world):
    path = world / "clips.csv"
    path.write_text("video,label,split\nvideos/a00_s01_v1.mp4,drink,train\n")
    footage = open_dataset("manifest", path)
    with pytest.raises(ValueError, match=r"manifest \(split, train\) has no poses"):
        Loader(footage, SPEC, 1)
    needs = frozenset({"video", "label"})
    with pytest.raises(ValueError, match="manifest .*has no joints in pixels .*crop='frame'"):
        Loader(footage, SPEC, 1, needs=needs)
    (batch,) = Loader(footage, ClipSpec(frames=4, crop="frame"), 1, needs=needs)
    assert tuple(batch.video.shape) == (1, 3, 4, 96, 96) and batch.pose is None
    shown = sample(footage, 0, ClipSpec(frames=4, crop="frame"))
    assert shown.pixels is None and shown.truth is None and shown.batch.pose is None


def test_augment_checks_its_numbers():
    with pytest.raises(ValueError, match=r"Augment.mirror must be in \[0, 1\], got 2"):
        Augment(mirror=2)


@pytest.mark.parametrize("train", [False, True])
def test_truth_lies_where_sample_sees_it_in_its_moment_only(data, train, tmp_path):
    spec, augment = ClipSpec(frames=8, size=(48, 48), poses=8), Augment() if train else None
    needs = frozenset({"video", "truth"})
    for seed in range(3):
        seen = sample(data, 0, spec, augment=augment, seed=seed, needs=needs)
        expected = seen.truth.mask & seen.truth.moment[:, None, None]
        assert expected.any()
        given = seen.batch.truth[0].numpy()
        assert given.dtype == np.float32 and ((given > 127.5 / 255) == expected).all()
    for cache in (None, tmp_path):
        batch = next(iter(Loader(data, spec, 2, needs=needs, cache=cache)))
        assert (batch.truth[0].numpy() == sample(data, 0, spec, needs=needs).batch.truth[0].numpy()).all()


@pytest.mark.parametrize("crop", ["person", "track", "frame"])
def test_the_truth_alone_is_the_samples_and_takes_no_decoding(data, crop, monkeypatch):
    spec = ClipSpec(frames=4, size=(40, 48), poses=4, crop=crop)
    seen = sample(data, 1, spec).truth
    monkeypatch.setattr(Clips, "moments", None)
    alone = truth_of(data, 1, spec)
    assert alone.mask.any() and alone.interval == seen.interval
    for name in ("joints", "mask", "box", "frame_numbers"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(seen, name))
