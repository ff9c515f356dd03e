"""The readings of attention's product, by hand, and the point at which its weights become uniform."""

import pytest
import torch

from workbench.nets import AttentionPoint, modulate, truth_weights, uniform_attention
from workbench.nets.attention import modulated_channels

F = torch.tensor([1.0, 3.0]).view(1, 1, 2, 1, 1)  # two cells in time
A = torch.tensor([0.25, 0.75]).view(1, 2, 1, 1)


@pytest.mark.parametrize(
    ("how", "expected"),
    [("residual", [1.25, 5.25]), ("gated", [0.25, 2.25]), ("mean", [0.5, 4.5]), ("both", [0.5, 4.5, 1.0, 3.0])],
)
def test_each_reading_by_hand(how, expected):
    assert modulate(F, A, how).flatten().tolist() == expected
    assert modulated_channels(1, how) == modulate(F, A, how).shape[1]


def test_the_weighted_mean_does_not_depend_on_the_size_of_the_weights():
    f, a = torch.randn(2, 3, 4, 5, 5), torch.rand(2, 4, 5, 5)
    torch.testing.assert_close(modulate(f, a, "mean"), modulate(f, 0.01 * a, "mean"))
    pooled = modulate(f, a, "mean").mean((2, 3, 4))
    torch.testing.assert_close(pooled, (f * a[:, None]).sum((2, 3, 4)) / a.sum((1, 2, 3))[:, None])


def test_weights_of_zero_weigh_all_cells_equally():
    f = torch.randn(2, 3, 4, 5, 5)
    torch.testing.assert_close(modulate(f, torch.zeros(2, 4, 5, 5), "mean"), f)


def test_weights_of_a_place_are_inflated():
    f, spatial = torch.randn(2, 3, 4, 5, 5), torch.rand(2, 1, 5, 5)
    torch.testing.assert_close(modulate(f, spatial, "gated"), f * spatial[:, None])


def test_an_unknown_reading_names_the_valid_ones():
    with pytest.raises(ValueError, match="residual, gated, mean, both"):
        modulate(F, A, "sum")


def test_truth_is_averaged_onto_the_grid_and_scaled():
    truth = torch.zeros(2, 4, 4, 4)
    truth[0, :2, :2, :2] = 1  # one cell whole
    truth[0, 2, :2, :2] = 1  # half of the cell behind it
    weights = truth_weights(truth, (2, 2, 2))
    assert weights[0, :, 0, 0].tolist() == [1.0, 0.5]
    assert weights[0].sum() == 1.5
    assert (weights[1] == 1).all()  # nothing is marked


def test_uniform_attention_keeps_each_clips_mean():
    system = torch.nn.Sequential(AttentionPoint())
    weights = torch.tensor([[0.0, 1.0], [0.2, 0.4]])
    assert system(weights) is weights
    with uniform_attention(system) as points:
        assert points == 1
        torch.testing.assert_close(system(weights), torch.tensor([[0.5, 0.5], [0.3, 0.3]]))
    assert system(weights) is weights
