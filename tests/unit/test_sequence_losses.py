"""Losses over snippets, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from workbench import losses

STUDENT = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [2.0, 1.0]]])  # one video, three snippets, two channels
TEACHER = torch.tensor([[[1.0, 1.0], [1.0, 1.0], [4.0, 1.0]]])
RNG = torch.Generator().manual_seed(0)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=RNG)


def padded(x: torch.Tensor, filler: float = float("nan")) -> tuple[torch.Tensor, torch.Tensor]:
    """x [B,T,C] with two more snippets of rubbish, and the mask that says so."""
    more = torch.cat([x, torch.full((len(x), 2, x.shape[2]), filler)], dim=1)
    return more, torch.arange(more.shape[1]).expand(len(x), -1) < x.shape[1]


def every_loss() -> list:
    both = torch.tensor([True, False])
    return [
        pytest.param(lambda s, t, m: losses.atomic(s, t, both, 0.1, m), id="atomic"),
        pytest.param(lambda s, t, m: losses.global_contextual(s, t, m), id="global"),
        pytest.param(lambda s, t, m: losses.boundary_saliency(s, t, "per_step", m), id="boundary, per step"),
        pytest.param(lambda s, t, m: losses.boundary_saliency(s, t, "printed", m), id="boundary, printed"),
        pytest.param(lambda s, t, m: losses.hallucination(s, t, m), id="hallucination"),
        pytest.param(lambda s, t, m: losses.graph_distillation(s, [t, t.roll(1, 2)], None, m), id="graph"),
        pytest.param(lambda s, t, m: losses.multi_label(s, t.sigmoid().round(), m), id="multi-label"),
    ]


def test_atomic_is_equation_1_with_its_sign_turned():
    # Products of the pair of one video: 1, 2, 9; of the pair of two: 2, 0, 3.
    other = torch.tensor([[[2.0, 5.0], [7.0, 0.0], [1.0, 1.0]]])
    phi = 0.5

    def h(s: float) -> float:
        return math.exp(s) / (math.exp(s) + phi)

    attracted = (math.log(h(1)) + math.log(h(2)) + math.log(h(9))) / 3
    repelled = (math.log(1 - h(2)) + math.log(1 - h(0)) + math.log(1 - h(3))) / 3
    pairs = torch.cat([STUDENT, STUDENT]), torch.cat([TEACHER, other])
    found = losses.atomic(*pairs, torch.tensor([True, False]), phi)
    assert float(found) == pytest.approx(-(attracted + repelled), rel=1e-6)
    # A second positive pair shares the first term, a second negative one adds to the other (1/PT and 1/T).
    twice = [torch.cat([x, x]) for x in pairs]
    again = losses.atomic(*twice, torch.tensor([True, False, True, False]), phi)
    assert float(again) == pytest.approx(-(attracted + 2 * repelled), rel=1e-6)


def test_atomic_does_not_overflow():
    large = torch.full((2, 3, 4), 40.0)
    found = losses.atomic(large, large, torch.tensor([True, False]), 1e-6)
    assert float(found) == pytest.approx(6400 - math.log(1e-6), rel=1e-5)


def test_covariance_is_numpys():
    import numpy as np

    x = noise(2, 7, 3)
    for video, found in zip(x, losses.covariance(x), strict=True):
        assert np.allclose(found, np.cov(video.numpy(), rowvar=False), atol=1e-6)
    assert torch.equal(losses.covariance(x[:, :1]), torch.zeros(2, 3, 3))


def test_global_contextual_counts_each_pair_of_channels_once():
    # Covariances (over 2): student [[1, -0.5], [-0.5, 1]], teacher [[3, 0], [0, 0]].
    assert torch.allclose(losses.covariance(STUDENT)[0], torch.tensor([[1.0, -0.5], [-0.5, 1.0]]))
    assert torch.allclose(losses.covariance(TEACHER)[0], torch.tensor([[3.0, 0.0], [0.0, 0.0]]))
    assert float(losses.global_contextual(STUDENT, TEACHER)) == pytest.approx(4 + 0.25 + 1)
    assert float(losses.global_contextual(STUDENT, TEACHER, reading="mean")) == pytest.approx(5.25 / 3)
    both = torch.cat([STUDENT, STUDENT]), torch.cat([TEACHER, STUDENT])
    assert float(losses.global_contextual(*both)) == pytest.approx(5.25 / 2)


def test_boundary_saliency_in_both_readings():
    # Changes: student (-1, 2), (2, -1); teacher (0, 0), (3, 0). Printed: (2 - 3) / 2; per step: (3 + 2) / 2.
    assert float(losses.boundary_saliency(STUDENT, TEACHER, "printed")) == pytest.approx(0.5)
    assert float(losses.boundary_saliency(STUDENT, TEACHER, "per_step")) == pytest.approx(2.5)
    assert float(losses.boundary_saliency(STUDENT, TEACHER)) == pytest.approx(2.5)


def test_printed_boundaries_see_the_first_and_the_last_snippet_alone():
    student, teacher, changed = noise(2, 9, 4), noise(2, 9, 4), noise(2, 9, 4)
    changed[:, [0, -1]] = student[:, [0, -1]]
    printed = [losses.boundary_saliency(x, teacher, "printed") for x in (student, changed)]
    stepped = [losses.boundary_saliency(x, teacher, "per_step") for x in (student, changed)]
    assert torch.allclose(*printed, atol=1e-6) and not torch.allclose(*stepped)


def test_covariances_do_not_know_the_order_of_snippets_and_boundaries_do():
    student, teacher, order = noise(2, 9, 4), noise(2, 9, 4), torch.randperm(9, generator=RNG)
    turned = student[:, order]
    assert torch.allclose(
        losses.global_contextual(student, teacher), losses.global_contextual(turned, teacher), rtol=1e-5
    )
    for reading in ("per_step", "printed"):
        straight, mixed = (losses.boundary_saliency(x, teacher, reading) for x in (student, turned))
        assert not torch.allclose(straight, mixed)


def test_hallucination_and_graph_distillation():
    student, teacher = torch.zeros(1, 2, 1), torch.tensor([[[0.0], [math.log(3)]]])  # sigmoids 1/2, 1/2 and 3/4
    assert float(losses.hallucination(student, teacher)) == pytest.approx(0.0625 / 2)
    student = torch.tensor([[[1.0, 0.0]]])
    along, across = torch.tensor([[[5.0, 0.0]]]), torch.tensor([[[0.0, 2.0]]])
    assert float(losses.graph_distillation(student, [along, across])) == pytest.approx(0.5)
    edges = torch.tensor([[[0.9, 0.1]]])
    assert float(losses.graph_distillation(student, [along, across], edges)) == pytest.approx(0.1)


def test_multi_label_is_the_mean_over_snippets_of_the_sum_over_classes():
    logits = torch.tensor([[[0.0, math.log(3)], [math.log(3), 0.0]]])
    label = torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
    by_snippet = [-(math.log(0.5) + math.log(0.25)), -(math.log(0.75) + math.log(0.5))]
    assert float(losses.multi_label(logits, label)) == pytest.approx(sum(by_snippet) / 2)
    assert float(losses.multi_label(logits, label, reduction="mean")) == pytest.approx(sum(by_snippet) / 4)


def test_atomic_as_a_mean_does_not_grow_with_the_negative_pairs():
    pairs = torch.cat([STUDENT] * 2), torch.cat([TEACHER, TEACHER.flip(1)])
    positive, twice = torch.tensor([True, False]), [torch.cat([x, x]) for x in pairs]
    once = losses.atomic(*pairs, positive, 0.5, reading="mean")
    assert float(once) == pytest.approx(float(losses.atomic(*pairs, positive, 0.5)))
    again = losses.atomic(*twice, torch.cat([positive] * 2), 0.5, reading="mean")
    assert float(again) == pytest.approx(float(once))


@pytest.mark.parametrize("loss", every_loss())
def test_padding_never_counts(loss):
    student, teacher = noise(2, 6, 3), noise(2, 6, 3)
    (long_student, mask), (long_teacher, _) = padded(student), padded(teacher)
    long_student.requires_grad_()
    found = loss(long_student, long_teacher, mask)
    assert torch.allclose(found, loss(student, teacher, None), rtol=1e-5)
    found.backward()
    assert torch.isfinite(long_student.grad).all() and not long_student.grad[:, 6:].any()


@pytest.mark.parametrize("loss", every_loss()[:-1])
def test_the_teacher_gets_no_gradient(loss):
    student, teacher = noise(2, 6, 3).requires_grad_(), noise(2, 6, 3).requires_grad_()
    loss(student, teacher, None).backward()
    assert teacher.grad is None and student.grad.abs().sum() > 0


def test_videos_of_one_snippet_are_no_trouble():
    student, teacher = noise(2, 4, 3), noise(2, 4, 3)
    mask = torch.tensor([[True, False, False, False], [True] * 4])
    for loss in (losses.global_contextual, lambda s, t, m: losses.boundary_saliency(s, t, "per_step", m)):
        whole = loss(student[1:], teacher[1:], mask[1:])
        assert torch.allclose(loss(student, teacher, mask), whole / 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.global_contextual(noise(2, 3, 4), noise(2, 3, 5)), "expected two tensors of one shape"),
        (lambda: losses.hallucination(noise(2, 3), noise(2, 3)), "snippets in the middle"),
        (lambda: losses.hallucination(STUDENT, TEACHER, torch.ones(1, 2)), r"mask must be \[1, 3\], got \[1, 2\]"),
        (lambda: losses.hallucination(STUDENT, TEACHER, torch.zeros(1, 3)), "the mask leaves no snippet"),
        (lambda: losses.atomic(STUDENT, TEACHER, torch.tensor([True]), 0), "phi must be above 0, got 0"),
        (lambda: losses.atomic(STUDENT, TEACHER, torch.tensor([False]), 1.0), "one or more pairs must be positive"),
        (lambda: losses.atomic(STUDENT, TEACHER, torch.ones(2), 1.0), r"positive must be \[1\]"),
        (lambda: losses.boundary_saliency(STUDENT, TEACHER, "signed"), "per_step or printed, got 'signed'"),
        (lambda: losses.global_contextual(STUDENT, TEACHER, reading="sum"), "squared or mean, got 'sum'"),
        (lambda: losses.multi_label(STUDENT, TEACHER, reduction="none"), "sum or mean, got 'none'"),
        (lambda: losses.atomic(STUDENT, TEACHER, torch.ones(1), 1.0, reading="sum"), "printed or mean, got 'sum'"),
        (lambda: losses.graph_distillation(STUDENT, []), "one or more teachers, got none"),
        (
            lambda: losses.graph_distillation(STUDENT, [TEACHER], torch.ones(1, 3, 2)),
            r"edges must be \[1, 3, 1\], got \[1, 3, 2\]",
        ),
    ],
)
def test_wrong_input_is_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
