"""Flow, regions of the body, drawn poses and trajectories, as they get into a batch."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from tests.fixtures import COLORS, write_mp4
from workbench.data import Augment, ClipSpec, Loader, open_dataset, sample
from workbench.data.clips.augment import View
from workbench.data.clips.read_clip import Cut, _with_border
from workbench.media import flow, pose, rendering, skeletons, trajectories, video
from workbench.types import Pose, Skeleton

SPEC = ClipSpec(frames=8, size=(48, 48), poses=6, flow_method="dis")
KINECT = Skeleton.named("kinect_v2")
MIRROR = Augment(scale=0, mirror=1, brightness=0, contrast=0)
NEW = ("flow", "parts", "rendered")


def needs(*names: str) -> frozenset[str]:
    return frozenset({*names, "label"})


def given(data, spec, *names, **more):
    return next(iter(Loader(data, spec, 1, needs=needs(*names), **more)))


# Flow


def test_flow_in_a_view_by_hand():
    area = np.full((1, 4, 6, 2), 128, np.uint8)
    area[0, 1, 2] = 140, 110
    out = np.empty((2, 1, 2, 3), np.uint8)
    View(1, 1, 2, 3, size=(2, 3)).flow(area, out)
    assert out[:, 0, 0].tolist() == [[128, 140, 128], [128, 110, 128]]
    View(1, 1, 2, 3, size=(2, 3), mirror=True, gain=3.0, shift=50.0).flow(area, out)
    assert out[0, 0, 0].tolist() == [127, 115, 127] and out[1, 0, 0].tolist() == [128, 110, 128]


def test_what_is_enlarged_moves_further():
    area = np.full((1, 4, 4, 2), 137, np.uint8)
    out = np.empty((2, 1, 8, 4), np.uint8)
    View(0, 0, 4, 4, size=(8, 4)).flow(area, out)
    assert (out[0] == 137).all() and (out[1] == 146).all()  # 2 x 9.5 + 127.5 = 146.5, rounded to even
    View(0, 0, 4, 4, size=(8, 4)).flow(area * 0 + 255, out)
    assert (out == 255).all()


def test_flow_is_that_of_the_pictures(data):
    """From each frame of the clip to the next of the video, in pixels of the area; the last frame repeats."""
    spec = ClipSpec(frames=int(data.lengths[0]), size=(48, 48), border=0, flow_method="dis")
    batch = given(data, spec, "flow", "video")
    assert batch.frame_numbers[0].tolist() == list(range(data.lengths[0]))
    frames = batch.video[0].permute(1, 2, 3, 0).numpy()
    expected = flow.quantize(flow.between(frames[:-1], frames[1:], "dis"))
    np.testing.assert_array_equal(batch.flow[0, :, :-1].permute(1, 2, 3, 0), expected)
    np.testing.assert_array_equal(batch.flow[0, :, -1], batch.flow[0, :, -2])


def test_flow_follows_the_hand(data):
    """The small plain square in it is slowed down, but goes its way, across and down."""
    clip = data.ids.index("a01_s02_v1")  # unlike the other action's, this square stands out from the wall in grey
    spec = ClipSpec(frames=int(data.lengths[clip]), size=(96, 96))
    shown = sample(data, clip, spec, needs=needs("flow"))
    found = (shown.batch.flow[0].numpy() / 127.5 - 1) * flow.LIMIT
    joints = shown.pixels.joints[0, :, data.skeleton.index("hand_right")]
    steps = np.diff(joints, axis=0, append=joints[-1:])
    places = joints.round().astype(int)
    seen = np.array([found[:, t, y - 3 : y + 4, x - 3 : x + 4].mean(axis=(1, 2)) for t, (x, y) in enumerate(places)])
    for axis in (0, 1):
        assert np.corrcoef(seen[:, axis], steps[:, axis])[0, 1] > 0.8


def test_a_float_batch_counts_in_units_of_twenty_pixels(data):
    batch = given(data, SPEC, "flow")
    expected = batch.flow.numpy() / 127.5 - 1
    np.testing.assert_allclose(batch.to("cpu").flow, expected, atol=1e-6)
    assert np.abs(expected).max() * flow.LIMIT > 0.5


def test_a_video_of_one_frame_has_no_flow(tmp_path, data):
    write_mp4(tmp_path / "one.mp4", np.full((1, 32, 32, 3), 90, np.uint8))
    (tmp_path / "clips.csv").write_text("video,label,split\none.mp4,still,train\n")
    spec = ClipSpec(frames=2, size=(32, 32), crop="frame")
    loader = Loader(open_dataset("manifest", tmp_path / "clips.csv"), spec, 1, needs=needs("flow"), skip_limit=1.0)
    with pytest.warns(UserWarning, match="one.mp4 has one frame, flow needs two"):
        assert list(loader) == []


# Regions


def red(frames: np.ndarray) -> float:
    """The share of pixels near the colour of the square in the right hand; frames [...,3,T,H,W]."""
    return float((np.abs(np.moveaxis(frames.astype(int), 0, -1) - COLORS[0]).sum(axis=-1) < 150).mean())


def test_parts_look_where_they_say(data):
    spec = dataclasses.replace(SPEC, regions=("right_hand", "full_body", "left_hand", "upper_body", "full_frame"))
    parts = given(data, spec, "parts").parts[0].numpy()
    assert parts.shape == (5, 3, 8, 48, 48)
    shares = [red(part) for part in parts]
    assert shares[0] > 0.15  # a square of 13 pixels in a box of about 30
    assert shares[0] > 4 * shares[1] and shares[0] > 4 * shares[2] and shares[1] > 1.2 * shares[4] > 0
    middle = parts[0][:, :, 22:26, 22:26].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(middle, COLORS[0], atol=40)


def test_the_full_frame_is_the_picture(data):
    spec = ClipSpec(frames=4, size=(60, 80), crop="frame", regions=("full_frame",), border=0.1)
    batch = given(data, spec, "parts", "video")
    assert torch.equal(batch.parts[:, 0], batch.video)


def test_a_left_hand_in_the_mirror_is_the_right_one(data):
    """Asked for one hand only, the loader still shows the other one where the clip is mirrored."""
    spec = dataclasses.replace(SPEC, regions=("left_hand",))
    first = data.subset([0])
    plain = given(first, spec, "parts", train=True).parts[0, 0].numpy()
    mirrored = given(first, spec, "parts", train=True, augment=MIRROR).parts[0, 0].numpy()
    assert red(mirrored) > 0.15 > 4 * red(plain)


def test_a_region_that_is_never_seen_is_black(tmp_path, world, data):
    path = tmp_path / "pose.npz"
    with np.load(world / "arrays" / f"{data.ids[0]}.npz") as arrays:
        joints, pixels = arrays["joints"], arrays["pixels"].copy()
    pixels[:, [6, 7]] = np.nan
    np.savez(path, joints=joints, pixels=pixels, skeleton="kinect_v2")
    (tmp_path / "clip.mp4").write_bytes((world / "videos" / f"{data.ids[0]}.mp4").read_bytes())
    pd.DataFrame({"video": ["clip.mp4"], "label": "a", "split": "train", "pose": "pose.npz"}).to_csv(
        tmp_path / "clips.csv"
    )
    parts = given(open_dataset("manifest", tmp_path / "clips.csv"), SPEC, "parts").parts[0]
    assert (parts[0] == 0).all() and (parts[1] > 0).any() and (parts[2] > 0).any()


def test_a_region_has_the_clip_s_border():
    spec = ClipSpec(size=(40, 20), border=0.1)
    assert _with_border(np.array([[10.0, 20, 30, 60]]), spec).tolist() == [[8, 16, 32, 64]]


# Drawn poses


def colour(limb: str) -> tuple[int, ...]:
    return rendering.FINE_COLORS[skeletons.FINE.index(limb)]


@pytest.mark.parametrize("augment", [None, MIRROR])
def test_a_left_arm_has_its_colour_in_the_mirror_too(data, augment):
    """In the mirror the picture's right arm is called left: the drawn colour goes with the name in the batch."""
    spec = dataclasses.replace(SPEC, background="black", size=(96, 96))
    shown = sample(data, 0, spec, augment=augment, needs=needs("rendered", "pose"))
    drawn = shown.batch.rendered[0].permute(1, 2, 3, 0).numpy()
    for side in ("left", "right"):
        wrist, elbow = (shown.pixels.joints[0, :, KINECT.index(f"{part}_{side}")] for part in ("wrist", "elbow"))
        x, y = ((wrist + elbow) / 2).astype(int).T
        # The arms of the front view hang freely; where the other arm is not in front, its own colour shows.
        hits = (drawn[np.arange(8), y, x] == colour(f"{side} forearm")).all(axis=1)
        assert hits.mean() > 0.7
    hips = [KINECT.index(f"shoulder_{side}") for side in ("left", "right")]
    assert (np.diff(shown.pixels.joints[0, 0, hips, 0]) < 0).all()  # a person who faces us has the left at the right


def test_drawn_poses_lie_on_the_clip(data):
    shown = sample(data, 0, SPEC, needs=needs("rendered", "video"))
    expected = rendering.draw(shown.clip.frames, shown.pixels)
    np.testing.assert_array_equal(shown.batch.rendered[0].permute(1, 2, 3, 0), expected)
    assert (shown.batch.rendered != shown.batch.video).any()


@pytest.mark.parametrize(
    "options", [{"marker": "dot"}, {"colors": "coarse"}, {"ratio_aware": False}, {"background": "black"}]
)
def test_every_way_of_drawing_reaches_the_batch(data, options):
    shown = sample(data, 0, dataclasses.replace(SPEC, **options), needs=needs("rendered"))
    expected = rendering.draw(shown.clip.frames, shown.pixels, **options)
    np.testing.assert_array_equal(shown.batch.rendered[0].permute(1, 2, 3, 0), expected)
    assert shown.batch.video is None and not torch.equal(shown.batch.rendered, given(data, SPEC, "rendered").rendered)


def test_all_persons_are_drawn_or_as_many_as_are_kept(data):
    def two(i):
        one = data.pixels(i)
        return one.with_joints(np.concatenate([one.joints, 0.5 * one.joints + np.float32([70, 10])]))

    crowd = SimpleNamespace(pose=lambda row: None, truth=lambda row: None, pixels=lambda row: two(0))
    crowd = dataclasses.replace(data.subset([0]), reader=SimpleNamespace(**vars(crowd), files=data.reader.files))
    spec = dataclasses.replace(SPEC, background="black", crop="frame")
    main = dataclasses.replace(spec, drawn_persons="main")
    one, both = (given(crowd, dataclasses.replace(main, persons=count), "rendered").rendered for count in (1, 2))
    assert (both > 0).sum() > 1.2 * (one > 0).sum()
    assert Cut(crowd, dataclasses.replace(main, persons=3), 0).joints.shape[1] == 3
    assert torch.equal(given(crowd, spec, "rendered").rendered, both)  # each, whatever the number that poses keep


def test_a_pair_has_one_order_in_space_and_in_pixels(data):
    """2s-AGCN's rule with exactly two bodies: the one that moves most first, wherever the file has it, and the pixels
    of a body in the row of its joints, though in the picture the other seems to move more."""
    rng, frames = np.random.default_rng(0), int(data.lengths[0])
    still = np.repeat(rng.normal(size=(1, 1, 25, 3)), frames, axis=1).astype(np.float32)
    moving = still + np.linspace(0, 2, frames, dtype=np.float32)[None, :, None, None]
    joints = np.concatenate([still, moving])
    pixels = np.concatenate([200 * still[..., :2] + 400, 0.5 * moving[..., :2] + 50])
    solid = Pose(joints, KINECT, "camera", np.arange(frames))
    flat = Pose(pixels, KINECT, "image", np.arange(frames))
    assert pose.order(solid).tolist() == pose.order(solid, flat).tolist() == [1, 0] and pose.order(flat).tolist() == [
        0,
        1,
    ]
    reader = SimpleNamespace(
        pose=lambda row: solid, pixels=lambda row: flat, truth=lambda row: None, files=data.reader.files
    )
    pair = dataclasses.replace(data.subset([0]), reader=reader)
    cut = Cut(pair, dataclasses.replace(SPEC, persons=2, normalize="none", crop="frame", border=0), 0)
    np.testing.assert_allclose(cut.bodies.swapaxes(0, 1), joints[::-1])
    scale = np.array([48 / cut.info.width, 48 / cut.info.height])
    np.testing.assert_allclose(cut.joints[:, :2].swapaxes(0, 1), pixels[::-1] * scale, rtol=1e-5)
    assert (cut.joints.shape[1], np.isfinite(cut.joints[:, 2:]).any()) == (16, False)


def test_the_centre_of_the_picture_is_not_distorted(data):
    spec = dataclasses.replace(SPEC, crop="centre", size=(28, 28), border=1 / 14)  # 224 of 256
    left, top, right, bottom = Cut(data, spec, 0).box
    info = Cut(data, spec, 0).info
    assert right - left == bottom - top == min(info.width, info.height)
    assert abs(left + right - info.width) <= 1 and abs(top + bottom - info.height) <= 1


def test_worse_poses_are_drawn_and_cropped_worse(data):
    high, low = (
        given(data, dataclasses.replace(SPEC, pose_quality=quality, background="black"), "rendered", "parts", "video")
        for quality in ("high", "low")
    )
    assert torch.equal(high.video, low.video)
    assert not torch.equal(high.rendered, low.rendered) and not torch.equal(high.parts, low.parts)


def test_pixels_fail_where_the_pose_fails(data):
    """Degraded with one seed: the same joints are lost, and swapped, in the same frames."""
    body, pixels = data.pose(0), data.pixels(0)
    worse, seen = pose.degrade(body, "low", 3), pose.degrade(pixels, "low", 3)
    lost = np.isnan(worse.joints).any(axis=3)
    assert 0.1 < lost.mean() < 0.8
    np.testing.assert_array_equal(lost, np.isnan(seen.joints).any(axis=3))
    shaken = [(bad.joints - good.joints)[..., 0] for bad, good in ((worse, body), (seen, pixels))]
    known = np.isfinite(shaken[0])
    assert np.corrcoef(shaken[0][known], shaken[1][known])[0, 1] > 0.98


# Everything


def test_trajectories_are_those_of_the_whole_video(data):
    spec = ClipSpec(frames=4, trajectories=30)
    batch = given(data, spec, "trajectories")
    assert batch.video is None and tuple(batch.trajectories.shape) == (1, 30, trajectories.DIMENSIONS)
    expected = trajectories.extract(video.read(data.videos[0]), 30)
    np.testing.assert_array_equal(batch.trajectories[0], expected)


def test_sample_is_what_the_loader_gives(data):
    asked = needs("video", "pose", *NEW)
    batch = next(iter(Loader(data, SPEC, 2, needs=asked)))
    shown = sample(data, 1, SPEC, needs=asked).batch
    for name in ("video", "pose", *NEW):
        assert torch.equal(getattr(shown, name)[0], getattr(batch, name)[1]), name
    only = sample(data, 1, SPEC, needs=frozenset({"flow"})).batch
    assert only.video is None and only.pose is None and only.label is None and torch.equal(only.flow, shown.flow)


@pytest.mark.parametrize("name", NEW)
def test_whole_areas_are_read_whole(data, name):
    spec = dataclasses.replace(SPEC, border=0.125)
    centre, whole = (given(data, dataclasses.replace(spec, test_area=area), name) for area in ("centre", "whole"))
    centre, whole = getattr(centre, name), getattr(whole, name)
    assert whole.shape[-2:] == (60, 60)
    if name != "rendered":  # whose bars are as wide as the person's part within the picture asks for
        assert torch.equal(whole[..., 6:54, 6:54], centre)


def test_a_mirrored_recording_says_so(data):
    kinect = dataclasses.replace(data, mirrored=True)
    spec = ClipSpec(frames=4, normalize="agcn")
    for dataset, mirrored in ((data, False), (kinect, True)):
        found = pose.normalize(data.pose(0), "agcn", mirrored=mirrored).joints
        numbers = ((np.arange(16) + 0.5) * data.lengths[0] / 16).astype(int)
        np.testing.assert_allclose(given(dataset, spec, "pose").pose[0], found[:, numbers], atol=1e-6)


@pytest.mark.parametrize("name", ["rendered", "parts", "flow"])
def test_footage_without_poses_says_what_it_lacks(tmp_path, name):
    write_mp4(tmp_path / "a.mp4", np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3)).astype(np.uint8))
    (tmp_path / "clips.csv").write_text("video,label,split\na.mp4,still,train\n")
    footage = open_dataset("manifest", tmp_path / "clips.csv")
    with pytest.raises(ValueError, match="manifest .*has no joints in pixels to"):
        Loader(footage, SPEC, 1, needs=needs(name))
    spec = ClipSpec(frames=4, size=(32, 32), crop="frame", regions=("full_frame",))
    if name == "rendered":
        with pytest.raises(ValueError, match="no joints in pixels to draw"):
            sample(footage, 0, spec, needs=needs(name))
    else:
        assert getattr(given(footage, spec, name), name).shape[-2:] == (32, 32)


def test_missing_contrib_stops_the_loader(data, monkeypatch):
    monkeypatch.delattr(cv2, "optflow")
    with pytest.raises(ImportError, match="contrib"):
        Loader(data, ClipSpec(frames=4), 1, needs=needs("flow"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("flow_method", "farneback"),
        ("background", "white"),
        ("marker", "line"),
        ("colors", "13"),
        ("ratio_aware", "yes"),
        ("regions", ("left_foot",)),
        ("regions", ()),
        ("trajectories", 0),
    ],
)
def test_a_wrong_spec_names_the_field(field, value):
    with pytest.raises(ValueError, match=f"ClipSpec.{field} must be"):
        ClipSpec(**{field: value})
