"""Grad-CAM by hand, maps on frames, joints and kernels, embeddings that agree, confusions and dynamicity."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from scipy.spatial import procrustes
from torch import nn

from workbench.explain import confusion, embeddings, gradcam, joints, maps, outputs
from workbench.types import Batch, Output, Pose, Skeleton

KINECT = Skeleton.named("kinect_v2")


class Tiny(nn.Module):
    """A system whose gradients can be written down: y_k = sum over cells of V[k,c,t] f[c,t,h,w]^2 / 2."""

    def __init__(self, classes: int = 3, channels: int = 4, steps: int = 3) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.backbone = nn.Conv3d(3, channels, 1)
        self.head = nn.Parameter(torch.randn(classes, channels, steps))
        self.norm = nn.BatchNorm1d(classes)

    def forward(self, batch: Batch) -> Output:
        feature_map = self.backbone(batch.video)
        logits = torch.einsum("kct,bcthw->bk", self.head, feature_map**2 / 2)
        return Output(logits=logits, features=feature_map.mean((2, 3, 4)))


@pytest.fixture
def system() -> Tiny:
    return Tiny()


@pytest.fixture
def batch() -> Batch:
    return Batch(video=torch.randn(2, 3, 3, 5, 4, generator=torch.Generator().manual_seed(1)))


def test_gradcam_equals_its_formula(system, batch):
    target = torch.tensor([2, 0])
    found = gradcam.gradcam(system, batch, target)
    value = system.backbone(batch.video).detach()
    # d y_k / d f = V[k,c,t] f: the gradient by hand, pooled in both ways.
    gradient = system.head.detach()[target][..., None, None] * value
    per_step, over_time = gradient.mean((3, 4)), gradient.mean((2, 3, 4))
    wanted = {
        "per_step": torch.relu((per_step[..., None, None] * value).sum(1)),
        "over_time": torch.relu((over_time[..., None, None, None] * value).sum(1)),
    }
    assert found.weights["per_step"].shape == (2, 4, 3) and found.weights["over_time"].shape == (2, 4)
    np.testing.assert_allclose(found.weights["per_step"], per_step, rtol=1e-5)
    np.testing.assert_allclose(found.weights["over_time"], over_time, rtol=1e-5)
    for name, value in wanted.items():
        assert found.maps[name].shape == (2, 3, 5, 4)
        np.testing.assert_allclose(found.maps[name], value, rtol=1e-4, atol=1e-6)
    assert np.abs(found.maps["per_step"] - found.maps["over_time"]).max() > 1e-3


def test_gradcam_over_time_is_captums(system, batch):
    from captum.attr import LayerGradCam

    reference = LayerGradCam(lambda video: system(Batch(video=video)).logits, system.backbone)
    wanted = reference.attribute(batch.video, target=1, relu_attributions=True)[:, 0]
    found = gradcam.gradcam(system, batch, 1)
    np.testing.assert_allclose(found.maps["over_time"], wanted.detach(), rtol=1e-5)


def test_gradcam_explains_the_predicted_class_of_each_clip(system, batch):
    found = gradcam.gradcam(system, batch)
    scores = system(batch).logits.softmax(1)
    assert found.target.tolist() == scores.argmax(1).tolist()
    np.testing.assert_allclose(found.scores, scores.max(1).values.detach(), rtol=1e-5)
    explicit = gradcam.gradcam(system, batch, torch.as_tensor(found.target))
    np.testing.assert_array_equal(found.maps["per_step"], explicit.maps["per_step"])


def test_gradcam_leaves_the_system_as_it_was(system, batch):
    system.train()
    system.norm.eval()
    for parameter in system.parameters():
        parameter.requires_grad_(False)
    with torch.no_grad():
        found = gradcam.gradcam(system, batch, 0)
    assert found.maps["per_step"].max() > 0
    assert system.training and system.backbone.training and not system.norm.training
    assert all(parameter.grad is None for parameter in system.parameters())


def test_gradcam_reads_bytes_as_floats(system):
    picture = torch.randint(0, 256, (1, 3, 3, 5, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    bytes_, floats = Batch(video=picture), Batch(video=picture.float() / 127.5 - 1)
    first, second = gradcam.gradcam(system, bytes_, 0), gradcam.gradcam(system, floats, 0)
    np.testing.assert_allclose(first.maps["per_step"], second.maps["per_step"], rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch": Batch()}, "needs batch.video"),
        ({"layer": "spine"}, "no module 'spine'; try one of: backbone"),
        ({"target": 3}, "between 0 and 2"),
        ({"layer": "norm"}, "5D|\\[B,C,T',H',W'\\]"),
    ],
)
def test_gradcam_says_what_is_wrong(system, batch, change, said):
    if change.get("layer") == "norm":
        system.forward = lambda b: Output(system.norm(system.head.new_ones(2, 3) * b.video.mean()), b.video.flatten(1))
    with pytest.raises(ValueError, match=said):
        gradcam.gradcam(**{"system": system, "batch": batch, "target": 0, **change})


def test_asking_keeps_the_mode_and_names_the_maps(system, batch):
    system.train()
    system.forward = lambda b: Output(
        torch.tensor([[0.0, 1.0], [2.0, 2.0]]),
        b.video.flatten(1),
        {"spatial": torch.ones(2, 3, 3) * int(system.norm.training), "affinity_grid": torch.ones(3)},
    )
    found = outputs.ask(system, batch)
    assert system.training and system.norm.training
    assert list(outputs.arrays(found, 1)) == ["spatial"] and outputs.arrays(found)["spatial"].tolist() == [[0] * 3] * 3
    assert outputs.score(found, 1, clip=1) == pytest.approx(0.5)


def test_steps_cover_their_frames():
    assert maps.spans(4, 16).tolist() == [[0, 4], [4, 8], [8, 12], [12, 16]]
    assert maps.spans(3, 8).tolist() == [[0, 3], [3, 5], [5, 8]]


def test_upsampling_keeps_cells_in_place():
    grid = np.zeros((2, 2, 2), np.float32)
    grid[1, 0, 1] = 1
    blocks = maps.upsample(grid, (4, 4, 4), smooth=False)
    assert blocks[2:, :2, 2:].min() == 1 and blocks.sum() == 8
    smooth = maps.upsample(grid, (4, 4, 4))
    # Frame 3, row 0, column 3 lie beyond the centre of the cell, frame 1 a quarter of a cell before the border.
    assert smooth[3, 0, 3] == 1 and smooth[1, 0, 3] == pytest.approx(0.25)
    assert np.unravel_index(smooth.argmax(), smooth.shape)[0] == 3
    np.testing.assert_array_equal(maps.upsample(grid[1], (3, 2, 2))[2], grid[1])
    with pytest.raises(ValueError, match="T',H',W'"):
        maps.upsample(np.zeros(3), (1, 1, 1))


def test_normalise_scales_as_named():
    values = np.array([[[0.0, 1.0]], [[2.0, 4.0]]], np.float32)
    assert maps.normalise(values).ravel().tolist() == [0, 0.25, 0.5, 1]
    assert maps.normalise(values, "frame").ravel().tolist() == [0, 1, 0, 1]
    assert maps.normalise(values, "sum").sum() == pytest.approx(1)
    assert maps.normalise(np.full((1, 2, 2), 3.0)).max() == 0
    with pytest.raises(ValueError, match="known: clip, frame, sum, none"):
        maps.normalise(values, "video")
    with pytest.raises(ValueError, match="finite"):
        maps.normalise(np.array([[[np.nan]]]))
    with pytest.raises(ValueError, match="non-negative"):
        maps.normalise(-values, "sum")


def test_overlay_mixes_grey_with_the_colour_map():
    frames = np.full((1, 1, 2, 3), 100, np.uint8)
    values = np.array([[[0.0, 1.0]]])
    np.testing.assert_array_equal(maps.overlay(frames, values, opacity=0.0), frames)
    full = maps.overlay(frames, values, opacity=1.0)
    np.testing.assert_array_equal(full[0, 0, 1], maps.colorize(np.array(1.0)))
    dark = maps.colorize(np.array(0.0)).astype(float)
    np.testing.assert_allclose(full[0, 0, 0], 100 * 2 / 3 + dark / 3, atol=0.5001)
    for name in maps.COLORMAPS:
        steps = maps.colorize(np.linspace(0, 1, 9), name) @ np.array([0.2126, 0.7152, 0.0722])
        assert (np.diff(steps) > 0).all(), f"{name} must rise in lightness"
    with pytest.raises(ValueError, match="upsample"):
        maps.overlay(frames, values[0])
    with pytest.raises(ValueError, match=r"\[0,1\]"):
        maps.overlay(frames, values, opacity=2)
    with pytest.raises(ValueError, match="known: inferno"):
        maps.colorize(values, "jet")


def test_joints_in_body_order_keep_their_values():
    values = np.arange(2 * 25, dtype=np.float32).reshape(2, 25)
    matrix = joints.in_body_order(values, KINECT)
    assert sorted(matrix.order.tolist()) == list(range(25)) and matrix.values.shape == (25, 2)
    for row, (name, index) in enumerate(zip(matrix.names, matrix.order, strict=True)):
        assert name == KINECT.joints[index]
        np.testing.assert_array_equal(matrix.values[row], values[:, index])
    # The order is a walk over the body: the joints of a leg stand together.
    legs = [matrix.names.index(name) for name in ("hip_left", "knee_left", "ankle_left", "foot_left")]
    assert max(legs) - min(legs) == 3
    with pytest.raises(ValueError, match="V=25"):
        joints.in_body_order(values[:, :20], KINECT)


def test_top_joints_are_the_highest_on_average():
    values = np.zeros((2, 25), np.float32)
    values[:, KINECT.index("hand_right")] = 1, 3
    values[:, KINECT.index("head")] = 5, -2
    assert joints.top_joints(values, KINECT, 2) == [("hand_right", 2.0), ("head", 1.5)]


def test_kernels_lead_when_they_are_strongest():
    features = np.zeros((4, 2, 1, 2), np.float32)
    features[2, 0], features[0, 1], features[3, :] = (4, 2), (6, 0), (1, 1)
    led = joints.kernels_over_time(features, 1)
    assert led.channels.tolist() == [2, 0]
    assert led.activation.tolist() == [[3, 0], [0, 3]]
    assert led.leads.tolist() == [[True, False], [False, True]]
    assert led.steps.tolist() == [[[4, 2]], [[6, 0]]]
    with pytest.raises(ValueError, match="count"):
        joints.kernels_over_time(features, 5)


@pytest.fixture
def clouds() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (np.repeat(rng.normal(size=(4, 12)) * 6, 12, axis=0) + rng.normal(size=(48, 12))).astype(np.float32)


@pytest.mark.parametrize("method", ["tsne", "pca", "umap"])
def test_embeddings_are_seeded_and_faithful(clouds, method):
    first = embeddings.embed(clouds, method, seed=1)
    np.testing.assert_array_equal(first.points, embeddings.embed(clouds, method, seed=1).points)
    assert first.points.shape == (48, 2) and first.trustworthiness > 0.85
    np.testing.assert_allclose(first.points.mean(0), 0, atol=1e-5)
    assert (first.points**2).sum(1).mean() == pytest.approx(1, rel=1e-4)
    shuffled = np.random.default_rng(1).permutation(first.points)
    assert embeddings.trust(clouds, shuffled) < first.trustworthiness - 0.2


def test_missing_umap_is_one_sentence(clouds, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(RuntimeError, match="pip install umap-learn"):
        embeddings.embed(clouds, "umap")


def test_alignment_undoes_rotation_mirror_and_shift():
    points = np.random.default_rng(0).normal(size=(9, 2))
    turn = np.array([[0.6, -0.8], [0.8, 0.6]]) @ np.diag([1, -1])
    np.testing.assert_allclose(embeddings.align(points @ turn + 5, points), points, atol=1e-5)


def test_comparison_moves_only_what_moved(clouds):
    ids = [f"clip{index}" for index in range(48)]
    back = list(reversed(range(48)))
    turned = clouds @ np.linalg.qr(np.random.default_rng(2).normal(size=(12, 12)))[0].astype(np.float32)
    found = embeddings.compare((ids, clouds), ([ids[i] for i in back], turned[back]), "pca")
    assert found.ids == ids and found.rows.tolist() == list(range(48)) and found.movement.max() < 1e-3
    turned[7] += 40
    moved = embeddings.compare((ids, clouds), (ids + ["new"], np.vstack([turned, turned[:1]])), "pca")
    assert moved.ids == ids and moved.movement.argmax() == 7
    part = embeddings.compare((ids, clouds), (ids[10:], turned[10:]), "pca")
    assert part.ids == ids[10:] and part.rows.tolist() == list(range(10, 48))
    with pytest.raises(ValueError, match="share 0"):
        embeddings.compare((ids, clouds), (["other"] * 48, turned))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "mds"}, "known: tsne, umap, pca"),
        ({"features": np.zeros((4, 3))}, "at least 5"),
        ({"features": np.full((9, 3), np.nan)}, "finite"),
        ({"neighbors": 48}, "fewer than the 48 points"),
    ],
)
def test_embedding_says_what_is_wrong(clouds, change, said):
    with pytest.raises(ValueError, match=said):
        embeddings.embed(**{"features": clouds, "method": "pca", **change})


COUNTS = np.array([[6, 4, 0, 0], [2, 8, 0, 0], [0, 1, 9, 0], [0, 0, 0, 0]])


def test_confusion_pairs_by_hand():
    share = confusion.rates(COUNTS)
    assert share[0].tolist() == [0.6, 0.4, 0, 0] and np.isnan(share[3]).all()
    np.testing.assert_allclose(confusion.pair_scores(COUNTS, [(0, 1), (1, 2), (2, 3)]), [0.3, 0.05, 0.0])
    assert confusion.confused_pairs(COUNTS) == [(0, 1), (1, 2)]
    assert confusion.worst_block(COUNTS, 3) == [0, 1, 2]
    perfect = np.diag([5, 5, 5, 0])
    np.testing.assert_allclose(confusion.gains(COUNTS, perfect)[:3], [0.4, 0.2, 0.1])
    assert np.isnan(confusion.gains(COUNTS, perfect)[3])
    with pytest.raises(ValueError, match="between 2 and 4"):
        confusion.worst_block(COUNTS, 5)
    with pytest.raises(ValueError, match=r"\[N,N\]"):
        confusion.rates(COUNTS[:2])


def test_rival_is_the_class_taken_for_it_most():
    assert confusion.rival(COUNTS, 0) == 1 and confusion.rival(COUNTS, 2) == 1
    assert confusion.rival(np.diag([3, 3, 3]), 2) == 0


def _pose(joints_: np.ndarray) -> Pose:
    return Pose(joints_[None].astype(np.float32), KINECT, "camera", np.arange(len(joints_)))


def test_dynamicity_is_the_classes_mean_procrustes_distance():
    rng = np.random.default_rng(0)
    body = rng.normal(size=(25, 3))
    turns = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(4)]
    still = np.stack([scale * body @ turn + scale for scale, turn in enumerate(turns, 1)])
    wild = rng.normal(size=(4, 25, 3))
    wanted = np.mean([procrustes(a, b)[2] for a, b in zip(wild[:-1], wild[1:], strict=True)])
    poses = [_pose(still), _pose(wild), _pose(still), None, _pose(np.full((4, 25, 3), np.nan))]
    found = confusion.dynamicity(iter(poses), [0, 1, 1, 2, 2], 4)
    np.testing.assert_allclose(found[:2], [0, wanted / 2], atol=1e-6)
    assert np.isnan(found[2:]).all()
