"""What must not change a batch: processes, the cache, the company a clip is in, the side a person is seen from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from workbench.data import Augment, ClipSpec, Loader
from workbench.data.clips.read_clip import Cut
from workbench.media import pose
from workbench.media.rendering import FINE_COLORS
from workbench.types import Pose

SPEC = ClipSpec(frames=6, size=(40, 40), poses=5, phases=2, flow_method="dis")
ALL = frozenset({"video", "pose", "label", "flow", "parts", "rendered"})


def training(data, **more):
    loader = Loader(data, SPEC, **{"batch_size": 3, "seed": 7, "train": True, "augment": Augment(), **more})
    loader.set_epoch(2)
    return loader


def same(first, second):
    fields = ("video", "pose", "flow", "parts", "rendered", "trajectories", "label", "frame_numbers")

    def equal(a, b):
        return a is b is None or torch.equal(a.nan_to_num(), b.nan_to_num())

    return (
        len(first) == len(second)
        and all(a.ids == b.ids for a, b in zip(first, second, strict=True))
        and all(equal(getattr(a, f), getattr(b, f)) for a, b in zip(first, second, strict=True) for f in fields)
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_processes_change_nothing(data, workers):
    loader = training(data, needs=ALL, workers=workers)
    assert same(list(training(data, needs=ALL)), list(loader))
    loader.set_epoch(3)  # the processes are kept and must notice
    plain = training(data, needs=ALL)
    plain.set_epoch(3)
    assert same(list(plain), list(loader))


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        ClipSpec(
            frames=6,
            size=(40, 32),
            sampling="strided",
            windows=2,
            stride=3,
            normalize="agcn",
            persons=2,
            pose_quality="low",
            flow_method="dis",
            background="black",
            regions=("full_frame", "right_hand"),
        ),
        ClipSpec(frames=6, size=(40, 40), crop="frame", test_area="whole", marker="dot"),
    ],
)
def test_the_cache_changes_nothing(data, tmp_path, spec):
    for how in ({"train": True, "augment": Augment()}, {}):
        plain = Loader(data, spec, 3, seed=1, needs=ALL, **how)
        cached = Loader(data, spec, 3, seed=1, needs=ALL, cache=tmp_path, **how)
        assert same(list(plain), list(cached))


def test_the_cache_keeps_trajectories(data, tmp_path):
    needs, spec = frozenset({"trajectories", "label"}), ClipSpec(frames=6, trajectories=20)
    plain, cached = (Loader(data.subset([0, 1]), spec, 2, needs=needs, cache=cache) for cache in (None, tmp_path))
    first, second = list(plain), list(cached)
    assert same(first, second) and first[0].trajectories.shape[1] == 20
    assert first[0].trajectories.isfinite().any()


def test_specs_share_what_they_agree_on(data, tmp_path):
    """A cache is valid as long as nothing that shapes its rows has changed."""

    def folders(spec):
        Loader(data.subset([0]), spec, 1, needs=ALL, cache=tmp_path)
        return {folder.name for folder in tmp_path.iterdir()}

    first = folders(SPEC)
    assert folders(replace(SPEC, poses=9, stride=3, background="black", marker="dot", colors="coarse")) == first
    assert folders(replace(SPEC, regions=("right_hand", "full_body"))) == first  # the mirror needs both hands anyway
    more = {name.split("-")[2] for name in folders(replace(SPEC, flow_method="tvl1")) - first}
    assert more == {"flow"}
    more = {name.split("-")[2] for name in folders(replace(SPEC, pose_quality="low")) - first} - more
    assert more == {"bodies", "joints", "parts"}


def test_a_clip_is_augmented_alike_in_any_company(data):
    def by_id(loader):
        return {name: video for batch in loader for name, video in zip(batch.ids, batch.video, strict=True)}

    twos, fours = by_id(training(data, batch_size=2)), by_id(training(data, batch_size=4))
    assert twos.keys() == fours.keys() and all(torch.equal(twos[name], fours[name]) for name in twos)


def test_seeds_and_epochs_change_everything(data):
    base = list(training(data))
    other = training(data)
    other.set_epoch(4)
    assert not same(base, list(training(data, seed=8))) and not same(base, list(other))


@pytest.mark.parametrize("how", ["thesis", "agcn", "none"])
def test_mirroring_commutes_with_normalising(data, how):
    """The loader mirrors poses after it has normalised them; that must be the pose of the mirrored person."""
    spec = ClipSpec(normalize=how)
    found = data.pose(0)
    mirrored = pose.mirror(found)
    expected = mirrored.joints if how == "none" else pose.normalize(mirrored, how, mirrored=data.mirrored).joints
    rows = Pose(Cut(data, spec, 0).bodies.swapaxes(0, 1), data.skeleton, "normalised", found.frame_numbers)
    np.testing.assert_allclose(pose.mirror(rows).joints, expected, atol=1e-5)


def test_a_mirrored_batch_is_a_mirrored_plain_batch(data):
    always = Augment(scale=0, mirror=1, brightness=0, contrast=0)
    never = Augment(scale=0, mirror=0, brightness=0, contrast=0)
    both = (training(data, needs=ALL, augment=augment) for augment in (always, never))
    for there, back in zip(*both, strict=True):
        assert torch.equal(there.video.flip(-1), back.video)
        swapped = there.pose[..., data.skeleton.mirror, :] * torch.tensor([-1.0, 1, 1])
        assert torch.equal(swapped, back.pose)
        across, down = there.flow.flip(-1).unbind(1)
        assert torch.equal(255 - across, back.flow[:, 0]) and torch.equal(down, back.flow[:, 1])
        assert torch.equal(there.parts.flip(-1)[:, [1, 0, 2]], back.parts)


def test_brightness_leaves_flow_and_drawn_colours_alone(data):
    bright = Augment(scale=0, mirror=0, brightness=1, contrast=1)
    plain = Augment(scale=0, mirror=0, brightness=0, contrast=0)
    needs = frozenset({"video", "flow", "rendered"})
    first, second = (next(iter(training(data, needs=needs, augment=augment))) for augment in (bright, plain))
    assert not torch.equal(first.video, second.video) and torch.equal(first.flow, second.flow)
    drawn = (second.rendered != second.video).any(1, keepdim=True)
    limb = torch.tensor(FINE_COLORS, dtype=torch.uint8)[:, None, :, None, None, None]
    solid = drawn & (second.rendered == limb).all(2, keepdim=True).any(0)
    kept = solid.expand_as(first.rendered)
    assert solid.sum() > 50 and torch.equal(first.rendered[kept], second.rendered[kept])
