"""What must not change a batch: processes, the cache, the company a clip is in, the side a person is seen from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.fixtures import fake_synthadl
from workbench.data import Augment, ClipSpec, Loader, open_dataset
from workbench.data.clips import all_bodies
from workbench.media import pose
from workbench.types import Pose

SPEC = ClipSpec(frames=6, size=(40, 40), poses=5, phases=2)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return fake_synthadl(tmp_path_factory.mktemp("world"), actions=2, subjects=4, views=2, frames=16)


@pytest.fixture(autouse=True)
def records(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "records"))


@pytest.fixture
def data(world):
    return open_dataset("synthadl", world, split="train")


def training(data, **more):
    loader = Loader(data, SPEC, **{"batch_size": 3, "seed": 7, "train": True, "augment": Augment(), **more})
    loader.set_epoch(2)
    return loader


def same(first, second):
    fields = ("video", "pose", "label", "frame_numbers")
    return (
        len(first) == len(second)
        and all(a.ids == b.ids for a, b in zip(first, second, strict=True))
        and all(torch.equal(getattr(a, f), getattr(b, f)) for a, b in zip(first, second, strict=True) for f in fields)
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_processes_change_nothing(data, workers):
    loader = training(data, workers=workers)
    assert same(list(training(data)), list(loader))
    loader.set_epoch(3)  # the processes are kept and must notice
    plain = training(data)
    plain.set_epoch(3)
    assert same(list(plain), list(loader))


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        ClipSpec(frames=6, size=(40, 32), sampling="strided", windows=2, stride=3, normalize="agcn", persons=2),
        ClipSpec(frames=6, size=(40, 40), crop="frame", test_area="whole"),
    ],
)
def test_the_cache_changes_nothing(data, tmp_path, spec):
    for how in ({"train": True, "augment": Augment()}, {}):
        plain = Loader(data, spec, 3, seed=1, **how)
        cached = Loader(data, spec, 3, seed=1, cache=tmp_path, **how)
        assert same(list(plain), list(cached))


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
    expected = mirrored.joints if how == "none" else pose.normalize(mirrored, how).joints
    rows = Pose(all_bodies(data, spec, 0).swapaxes(0, 1), data.skeleton, "normalised", found.frame_numbers)
    np.testing.assert_allclose(pose.mirror(rows).joints, expected, atol=1e-5)


def test_a_mirrored_batch_is_a_mirrored_plain_batch(data):
    always = Augment(scale=0, mirror=1, brightness=0, contrast=0)
    never = Augment(scale=0, mirror=0, brightness=0, contrast=0)
    for there, back in zip(training(data, augment=always), training(data, augment=never), strict=True):
        assert torch.equal(there.video.flip(-1), back.video)
        swapped = there.pose[..., data.skeleton.mirror, :] * torch.tensor([-1.0, 1, 1])
        assert torch.equal(swapped, back.pose)
