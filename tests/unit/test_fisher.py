"""Fisher vectors, and linear classifiers in closed form, against numbers worked out by hand."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
import torch
from torch import nn

from workbench import losses
from workbench.nets.fisher import FisherVector
from workbench.nets.pooling import max_min
from workbench.systems.common import linear
from workbench.types import Batch


def mixture(inputs: int = 4, reduced: int = 3, gaussians: int = 5, seed: int = 0) -> FisherVector:
    torch.manual_seed(seed)
    vector = FisherVector(inputs, reduced, gaussians)
    for parameter in vector.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return vector


# Fisher vectors


def test_one_gaussian_by_hand():
    vector = FisherVector(1, 1, 1)
    vector.axes.data.fill_(1)
    vector.means.data.fill_(1)
    vector.log_variances.data.fill_(np.log(4))  # deviation 2
    found = vector(torch.tensor([[[1.0], [3.0]]]))[0]
    # Normalised distances 0 and 1: mean 1/2, and (-1 + 0) / 2 / sqrt(2); then roots, then length 1.
    raw = np.array([sqrt(0.5), -sqrt(sqrt(2) / 4)])
    np.testing.assert_allclose(found, raw / np.linalg.norm(raw), rtol=1e-6)


def test_a_mixture_is_the_published_formula():
    vector, x = mixture(), torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(1))
    centre, axes, means = (value.detach().numpy() for value in (vector.centre, vector.axes, vector.means))
    weights = vector.log_weights.softmax(0).detach().numpy()
    deviations = (vector.log_variances / 2).exp().detach().numpy()
    for clip, found in zip(x.numpy(), vector(x), strict=True):
        reduced = (clip - centre) @ axes.T
        u = (reduced[:, None] - means) / deviations  # [L,K,R]
        density = weights * np.prod(np.exp(-(u**2) / 2) / (deviations * sqrt(2 * np.pi)), axis=2)
        share = density / density.sum(1, keepdims=True)
        mean, spread = (share[..., None] * u).sum(0), (share[..., None] * (u**2 - 1)).sum(0)
        root = 7 * np.sqrt(weights)[:, None]
        expected = np.concatenate([(mean / root).ravel(), (spread / (sqrt(2) * root)).ravel()])
        expected = np.sign(expected) * np.sqrt(np.abs(expected))
        np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


def test_order_and_missing_rows_do_not_matter():
    vector, x = mixture(), torch.randn(2, 6, 4)
    padded = torch.cat([x, torch.full((2, 3, 4), torch.nan)], dim=1)[:, torch.randperm(9)]
    torch.testing.assert_close(vector(padded), vector(x))
    assert torch.equal(vector(torch.full((1, 3, 4), torch.nan)), torch.zeros(1, 30))
    torch.testing.assert_close(vector(x).norm(dim=1), torch.ones(2))
    assert not vector(x).requires_grad


def test_a_fit_finds_the_mixture_that_made_the_descriptors():
    rng = np.random.default_rng(0)
    made = np.concatenate([rng.normal([0, 0], 0.2, (300, 2)), rng.normal([4, 1], [0.5, 0.2], (100, 2))])
    x = np.concatenate([made, np.zeros((400, 1))], axis=1).astype(np.float32)  # a third axis that says nothing
    vector = FisherVector(3, 2, 2)
    vector.fit(x)
    torch.testing.assert_close(vector.axes @ vector.axes.T, torch.eye(2), atol=1e-5, rtol=0)
    order = vector.log_weights.argsort(descending=True)
    torch.testing.assert_close(vector.log_weights.softmax(0)[order], torch.tensor([0.75, 0.25]), atol=0.01, rtol=0)
    means = vector.means[order] @ vector.axes + vector.centre
    torch.testing.assert_close(means, torch.tensor([[0.0, 0, 0], [4, 1, 0]]), atol=0.1, rtol=0)
    again = FisherVector(3, 2, 2)
    again.fit(x)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in vector.state_dict().items())


def test_the_loss_is_least_where_the_fit_ends():
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32) * [3, 2, 1, 0.1]
    x = x.astype(np.float32)
    vector, rows = FisherVector(4, 2, 3), torch.from_numpy(x)
    start = vector.loss(rows).item()
    vector.fit(x)
    loss = vector.loss(rows)
    loss.backward()
    assert loss.item() < start
    for name, parameter in vector.named_parameters():
        assert parameter.grad.abs().max() < 0.05, name  # EM stops at a change of 1e-3
    # The reduction's part by hand: what the two smallest axes hold.
    error = np.linalg.eigvalsh(np.cov(x.T, bias=True))[:2].sum()
    with torch.no_grad():
        likelihood = vector.log_likelihoods(vector.reduce(rows)).logsumexp(1).mean()
    np.testing.assert_allclose(loss.item() + likelihood.item(), error, rtol=1e-3)


def test_the_loss_reaches_every_part_and_ignores_missing_rows():
    vector, x = mixture(), torch.randn(2, 6, 4)
    loss = vector.loss(torch.cat([x, torch.full((2, 3, 4), torch.nan)], dim=1))
    torch.testing.assert_close(loss, vector.loss(x))
    loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in vector.parameters())
    vector.zero_grad()
    vector.loss(torch.full((1, 2, 4), torch.nan)).backward()
    assert all(torch.equal(parameter.grad, torch.zeros_like(parameter)) for parameter in vector.parameters())


def test_too_few_descriptors_are_named():
    with pytest.raises(ValueError, match="7 descriptors are too few for 8 Gaussians in 2 dimensions"):
        FisherVector(4, 2, 8).fit(np.zeros((7, 4), np.float32))


# Pooling over time


def test_max_min_and_differences_by_hand():
    frames = torch.tensor([[1.0, 5], [2, 0], [7, 1], [4, 4]])  # [T,C]
    assert max_min(frames, 2).tolist() == [1, 0, 7, 5, 2, -4, 6, 4]
    assert max_min(frames, 1).tolist() == [1, 0, 7, 5, -3, -5, 5, 3]
    torch.testing.assert_close(
        max_min(torch.stack([frames, -frames]), 1)[1], torch.tensor([-7.0, -5, -1, 0, -5, -3, 3, 5])
    )
    with pytest.raises(ValueError, match="4 time steps need more steps than the 4"):
        max_min(frames, 4)


# Linear classifiers


def clouds(count: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes in the plane, far from each other."""
    rng = np.random.default_rng(seed)
    label = np.arange(count) % 3
    middles = np.array([[3, 0], [-3, 3], [-3, -3]])
    return (middles[label] + rng.normal(0, 0.5, (count, 2))).astype(np.float32), label


@pytest.mark.parametrize("kind", ["svm", "sgd"])
def test_a_solved_classifier_separates_what_can_be(kind):
    found = linear.search(kind, clouds(), clouds(seed=1), 5)
    assert found.accuracy == 1 and found.cost in linear.COSTS
    x, label = clouds(seed=2)
    layer = nn.Linear(2, 5)
    found.copy_to(layer)
    scores = layer(torch.from_numpy(x))
    assert torch.equal(scores.argmax(1), torch.from_numpy(label))
    assert (scores[:, 3:] == -1).all()  # classes without clips
    again = linear.search(kind, clouds(), clouds(seed=1), 5)
    assert np.array_equal(again.weight, found.weight)


def test_two_classes_and_one():
    x, label = clouds()
    two = label < 2
    weight, bias = linear.fit("svm", x[two], 1 + 3 * label[two], 6, 1.0)  # classes 1 and 4 of six
    scores = x[two] @ weight.T + bias
    assert np.array_equal(scores.argmax(1), 1 + 3 * label[two])
    np.testing.assert_allclose(scores[:, 1], -scores[:, 4], rtol=1e-5)
    weight, bias = linear.fit("svm", x[label == 2], label[label == 2], 3, 1.0)
    assert not weight.any() and bias.tolist() == [-1, -1, 1]


def test_the_cost_that_is_best_on_validation_is_taken(monkeypatch):
    """A mislabelled outlier among the training clips: only small costs let it be wrong."""
    x = np.array([[-1], [-1.1], [1], [1.1], [-0.9]], np.float32) * 10
    label = np.array([0, 0, 1, 1, 1])
    answers = {cost: linear.fit("svm", x, label, 2, cost) for cost in linear.COSTS}
    held = (np.array([[-9.0], [-10.0], [10.0]], np.float32), np.array([0, 0, 1]))
    accuracy = {cost: (held[0] @ w.T + b).argmax(1).tolist() == [0, 0, 1] for cost, (w, b) in answers.items()}
    found = linear.search("svm", (x, label), held, 2)
    assert found.cost == min(cost for cost in linear.COSTS if accuracy[cost]) and found.accuracy == 1


def test_without_validation_every_fifth_clip_of_a_class_is_held_out():
    label = torch.tensor([0, 1, 0, 1, 0, 0, 0, 1, 2, 0])
    batches = [
        Batch(features={"x": torch.arange(10.0)[part, None]}, label=label[part]) for part in torch.arange(10).split(4)
    ]
    kept, held = linear.keep(batches, None)
    assert held.features["x"].ravel().tolist() == [6] and held.label.tolist() == [0]
    assert kept.features["x"].ravel().tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    kept, held = linear.keep(batches, batches[:1])
    assert len(kept.label) == 10 and len(held.label) == 4
    with pytest.raises(ValueError, match="no class has five training clips"):
        linear.keep(batches[:1], None)


def test_squared_hinge_by_hand_and_its_direction():
    scores = torch.tensor([[2.0, 0.5, -3.0], [0.0, 0.0, 0.0]])
    # First clip: 0, (1 + 0.5)^2, 0; second, of class 2: 1 + 1 + 1.
    assert losses.squared_hinge(scores, torch.tensor([0, 2])).item() == (2.25 + 3) / 2
    x, label = (torch.from_numpy(value) for value in clouds())
    layer = nn.Linear(2, 3)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    losses.squared_hinge(layer(x), label).backward()
    solved = torch.from_numpy(linear.fit("svm", x.numpy(), label.numpy(), 3, 1.0)[0])
    assert torch.cosine_similarity(-layer.weight.grad.flatten(), solved.flatten(), dim=0) > 0.9
