"""Explanations judged: exact contributions, several methods, curves, what attention lies on, where a cell looks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.whatif import FRAMES, SIDE, SKELETON, Toy, sample
from workbench.explain import affinity, faithfulness, methods, outputs
from workbench.explain.contributions import contributions
from workbench.explain.grounding import KINDS, grounding, regions
from workbench.show.figures import faithfulness as figures
from workbench.systems import build
from workbench.types import Batch, Output, Pose


@pytest.fixture
def toy() -> tuple[Toy, Batch]:
    return Toy().eval(), sample().batch.to("cpu")


def asked(system, batch) -> tuple[dict[str, np.ndarray], np.ndarray]:
    output = outputs.ask(system, batch)
    return outputs.arrays(output), output.logits[0].numpy()


def test_the_contributions_sum_to_the_logit(toy):
    maps, logits = asked(*toy)
    for label in range(3):
        found = contributions(toy[0], maps, logits, label)
        assert found.cells.shape == (2, 6, 6) and found.pooled == "modulated"
        np.testing.assert_allclose(found.cells.sum() + found.bias, logits[label], rtol=1e-5)
    lead = contributions(toy[0], maps, logits, 0, against=2)
    np.testing.assert_allclose(lead.cells.sum() + lead.bias, logits[0] - logits[2], rtol=1e-4, atol=1e-6)
    cell = toy[0].classifier.weight[1].detach().numpy() @ maps["modulated"][:, 1, 2, 3] / 72
    np.testing.assert_allclose(contributions(toy[0], maps, logits, 1).cells[1, 2, 3], cell, rtol=1e-5)


@pytest.mark.parametrize("name, options", [("vpn", {"coupler": False}), ("rgb", {"backbone": "i3d_nonlocal"})])
def test_the_contributions_of_published_systems_are_exact(name, options):
    torch.manual_seed(0)
    system = build(name, 4, clip=(8, 32, 32), width=0.125, output_stride=(4, 8, 8), poses=8, **options).eval()
    maps, logits = asked(system, Batch(video=torch.rand(1, 3, 8, 32, 32), pose=torch.randn(1, 1, 8, 25, 3)))
    found = contributions(system, maps, logits)
    np.testing.assert_allclose(found.cells.sum(dtype=np.float64) + found.bias, logits.max(), rtol=1e-4)


def test_a_head_that_is_no_average_has_no_exact_shares(toy):
    maps, logits = asked(*toy)
    with pytest.raises(ValueError, match="no cell has an exact share"):
        contributions(toy[0], maps, logits + 1)
    with pytest.raises(ValueError, match="from 0 to 2, got 3"):
        contributions(toy[0], maps, logits, 3)


def test_every_method_explains_on_the_grid(toy):
    system, batch = toy
    system.train()
    found = methods.explain(system, batch)
    assert list(found) == list(methods.METHODS) and system.training
    for name, cells in found.items():
        assert cells.shape == (2, 6, 6) and cells.min() >= 0 and cells.max() > 0, name
    system.eval()
    again = methods.explain(system, batch, ["occlusion"], target=2)["occlusion"]
    video = batch.video.clone()
    video[0, :, :4, 8:12, 12:16] = batch.video[0].mean((1, 2, 3))[:, None, None, None]
    loss = outputs.ask(system, batch).logits[0, 2] - outputs.ask(system, batch.replace(video=video)).logits[0, 2]
    np.testing.assert_allclose(again[0, 2, 3], 3 * max(float(loss), 0), atol=1e-5)  # the same for each of three colours
    with pytest.raises(ValueError, match="unknown explanation magic; known: attention"):
        methods.explain(system, batch, ["magic"])


class Corner(torch.nn.Module):
    """Looks at one cell of the video alone: class 1 is how bright it is."""

    needs_test = frozenset({"video"})

    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, batch: Batch) -> Output:
        bright = batch.video[:, :, :4, :4, 20:].mean((1, 2, 3, 4))
        logits = torch.stack([torch.zeros_like(bright), 8 * bright], 1)
        return Output(logits, logits)


def test_curves_tell_a_faithful_map_from_one_that_is_not():
    video = -torch.ones(1, 3, 8, 24, 24)
    video[:, :, :4, :4, 20:] = 1
    batch, right, wrong = Batch(video=video, ids=["a"]), np.zeros((2, 6, 6)), np.zeros((2, 6, 6))
    right[0, 0, 5], wrong[1, 5, 0] = 1, 1
    found = faithfulness.curves(Corner(), batch, {"right": right, "wrong": wrong, "none": None}, 1, steps=72)
    areas = found.areas().set_index("map")
    assert set(areas.index) == {"right", "wrong", "random", "centre", "uniform"}
    sure = 1 / (1 + np.exp(-8))
    np.testing.assert_allclose(found.deletion["right"][[0, -1]], [sure, found.insertion["right"][0]], rtol=1e-5)
    assert found.deletion["right"][1] < 0.1 < 0.9 < found.insertion["right"][1]
    assert areas.deletion["right"] < 0.05 and areas.insertion["right"] > 0.95
    assert areas.deletion_gain["right"] > 0.1 and areas.insertion_gain["right"] > 0.1
    assert areas.insertion["wrong"] < 0.95 and areas.insertion_gain["wrong"] < 0.5 * areas.insertion_gain["right"]
    assert np.all(np.diff(found.deletion["uniform"]) <= 1e-6)
    np.testing.assert_allclose(found.insertion["uniform"], found.deletion["uniform"][::-1], atol=1e-6)
    assert areas.difference["right"] > 0.9 and abs(areas.difference["uniform"]) < 1e-6
    drawn = figures.areas(found)
    for bars, axis in zip(drawn.data, drawn.select_xaxes(), strict=True):  # room for the numbers beside the bars
        assert axis.range[0] <= min(bars.x) and axis.range[1] > max(bars.x)
        assert axis.range[0] < min(bars.x) or min(bars.x) >= 0
    with pytest.raises(ValueError, match="maps of one grid"):
        faithfulness.curves(Corner(), batch, {"a": right, "b": right[:1]})


def test_attention_is_grounded_by_area():
    kinds = np.full((2, 4, 4), KINDS.index("background"), np.uint8)
    kinds[:, :2, :2] = KINDS.index("object")
    kinds[:, 0, 2:] = KINDS.index("joints")
    attention = np.zeros((1, 2, 2))
    attention[0, 0, 0], attention[0, 0, 1] = 3, 1
    found = grounding(attention, kinds)
    assert found == pytest.approx({"object": 0.75, "joints": 0.125, "limbs": 0, "background": 0.125})
    assert grounding(np.ones((2, 4, 4)), kinds)["object"] == pytest.approx(4 / 16)
    assert np.isnan(grounding(np.zeros((1, 2, 2)), kinds)["object"])
    with pytest.raises(ValueError, match="finite"):
        grounding(-attention, kinds)


def test_regions_put_the_object_before_joints_and_joints_before_limbs():
    given = sample()
    joints = np.full((1, FRAMES, 25, 2), np.nan, np.float32)
    child, parent = SKELETON.bones[0]
    joints[0, :, child], joints[0, :, parent] = (2, 12), (22, 12)
    pixels = Pose(joints, SKELETON, "image", given.clip.frame_numbers)
    kinds = regions(pixels, given.truth, (FRAMES, SIDE, SIDE))
    named = np.array(KINDS)[kinds]
    assert (named[0, 12, [2, 12, 22]] == ["joints", "limbs", "joints"]).all() and named[0, 0, 0] == "background"
    assert named[4, 0, 0] == "object" and named[4, 12, 12] == "limbs"
    assert (regions(None, None, (1, 3, 3)) == KINDS.index("background")).all()


def test_a_cell_looks_where_its_row_says():
    matrix = np.arange(2 * 3 * 5 * 2 * 1 * 2, dtype=np.float32).reshape(30, 4)
    assert affinity.key_grid(4, (2, 3, 5)) == (2, 1, 2) and affinity.key_grid(30, (2, 3, 5)) == (2, 3, 5)
    np.testing.assert_array_equal(affinity.looks(matrix, (2, 3, 5), (1, 2, 4))[:, 0], matrix[29].reshape(2, 2))
    np.testing.assert_array_equal(affinity.received(matrix, (2, 3, 5)).ravel(), matrix.mean(0))
    for wrong, sentence in (((2, 0, 0), "within"), ((0, 3, 0), "within")):
        with pytest.raises(ValueError, match=sentence):
            affinity.looks(matrix, (2, 3, 5), wrong)
    with pytest.raises(ValueError, match="7 keys are neither"):
        affinity.key_grid(7, (2, 3, 5))


def test_a_non_local_system_shows_its_affinity():
    torch.manual_seed(0)
    system = build("rgb", 4, clip=(8, 32, 32), width=0.125, output_stride=(4, 8, 8), backbone="i3d_nonlocal").eval()
    maps, _ = asked(system, Batch(video=torch.rand(1, 3, 8, 32, 32)))
    matrix, grid, keys = affinity.of(maps)
    assert matrix.shape == (np.prod(grid), np.prod(keys)) and grid == maps["feature_map"].shape[1:]
    np.testing.assert_allclose(affinity.looks(matrix, grid, (1, 2, 3)).sum(), 1, rtol=1e-5)
    assert affinity.of({"feature_map": maps["feature_map"]}) is None
