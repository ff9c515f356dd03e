"""Every loss against numbers worked out by hand."""

from __future__ import annotations

from math import log, sqrt

import pytest
import torch

from workbench import losses

T = torch.tensor


@pytest.mark.parametrize(
    ("visual", "pose", "expected"),
    [
        ([[3.0, 4.0]], [[4.0, 3.0]], 0.08),  # (.6, .8) and (.8, .6)
        ([[5.0, 0.0]], [[0.0, 0.1]], 2.0),  # orthogonal
        ([[2.0, 0.0]], [[-7.0, 0.0]], 4.0),  # opposite
        ([[1.0, 2.0]], [[10.0, 20.0]], 0.0),  # the same direction
        ([[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [-1.0, 0.0]], 2.0),  # mean over the batch
    ],
)
def test_normalized_euclidean(visual, pose, expected):
    assert losses.normalized_euclidean(T(visual), T(pose), eps=0.0).item() == pytest.approx(expected, abs=1e-6)


def test_normalized_euclidean_adds_epsilon_under_the_root():
    # eq. 7 with eps 1: (3, 4) / sqrt(26), (0, 0) / sqrt(1)
    assert losses.normalized_euclidean(T([[3.0, 4.0]]), T([[0.0, 0.0]]), eps=1.0).item() == pytest.approx(25 / 26)


def test_normalized_euclidean_has_a_finite_gradient_at_zero():
    visual, pose = T([[0.6, 0.8]]), torch.zeros(1, 2, requires_grad=True)
    losses.normalized_euclidean(visual, pose, eps=0.01).backward()
    # -2 f_e / sqrt(eps)
    scale = -2 / sqrt(1.01) / 0.1
    torch.testing.assert_close(pose.grad, scale * visual)


def test_kl_divergence():
    p, q = T([[0.5, 0.5]]), T([[0.25, 0.75]])
    assert losses.kl_divergence(p, q).item() == pytest.approx(0.5 * log(2) + 0.5 * log(2 / 3))
    assert losses.kl_divergence(q, p).item() == pytest.approx(0.25 * log(0.5) + 0.75 * log(1.5))
    assert losses.kl_divergence(q, q).item() == 0
    both = losses.kl_divergence(torch.cat([p, q]), torch.cat([q, q]))
    assert both.item() == pytest.approx(losses.kl_divergence(p, q).item() / 2)


def test_kl_divergence_stays_finite_where_a_probability_is_zero():
    p, q = T([[1.0, 0.0]], requires_grad=True), T([[0.0, 1.0]], requires_grad=True)
    value = losses.kl_divergence(p, q, eps=1e-4)
    assert value.item() == pytest.approx(log(1e4))
    value.backward()
    assert p.grad.isfinite().all() and q.grad.isfinite().all()


def test_manhattan_is_squared():
    value = losses.manhattan(T([[1.0, 2.0], [0.0, 0.0]]), T([[0.0, 4.0], [1.0, 0.0]]))
    assert value.item() == pytest.approx((9 + 1) / 2)


def test_attention_regularizer():
    spatial, temporal = T([[0.5, 0.5, 1.0], [0.0, 0.0, 0.0]]), T([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    # 2 + .5^2 + 2 x .75^2 and 0 + 0 + 2
    assert losses.attention_regularizer(spatial, temporal).item() == pytest.approx((3.375 + 2) / 2)
    assert losses.attention_regularizer(spatial).item() == pytest.approx(1.0)


def test_fine_tuning_punishes_large_weights_of_the_last_layer():
    logits, label, weight = torch.zeros(2, 4), T([1, 2]), T([[1.0, -2.0], [0.0, 3.0]])
    terms = losses.fine_tuning(logits, label, weight, 0.001)
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(
        {"classification": log(4), "regularizer": 14.0, "total": log(4) + 0.014}
    )
    plain = losses.fine_tuning(logits, label, weight)
    assert plain.keys() == {"total", "classification"} and plain["total"].item() == pytest.approx(log(4))


def test_every_step():
    logits = torch.zeros(2, 3, 4)
    assert losses.every_step(logits, T([1, 2])).item() == pytest.approx(log(4))
    logits[0, 1, 1] = log(3)  # the right class at one of six steps: probability 3 / 6 there
    assert losses.every_step(logits, T([1, 2])).item() == pytest.approx((5 * log(4) + log(2)) / 6)


@pytest.mark.parametrize("loss", [losses.normalized_euclidean, losses.kl_divergence, losses.manhattan])
def test_gradients_are_those_of_finite_differences(loss):
    torch.manual_seed(0)
    p, q = (torch.rand(3, 5, dtype=torch.float64).softmax(1).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(loss, (p, q))
