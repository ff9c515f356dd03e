"""Losses of distillation against numbers worked out by hand."""

from __future__ import annotations

from math import exp, log, sqrt

import pytest
import torch

from workbench import losses

T = torch.tensor


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


# Supervised contrast, VPN++ eq. 1


def test_supervised_contrast_by_hand():
    teacher, student = T([[1.0, 2.0], [0.0, 3.0]]), T([[1.0, 1.0], [1.0, 0.5]])
    # s = 3 and 1.5; M = 0.25.
    likelihood = log(exp(3) / (exp(3) + 0.25)) + log(1 - exp(1.5) / (exp(1.5) + 0.25))
    loss = losses.supervised_contrastive(teacher, student, T([True, False]), 0.25)
    assert loss.item() == pytest.approx(-likelihood, rel=1e-5) and loss > 0


def test_supervised_contrast_is_divided_by_the_positives():
    teacher = student = T([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    loss = losses.supervised_contrastive(teacher, student, T([True, True, False]), 1.0)
    assert loss.item() == pytest.approx(-(2 * log(sigmoid(1)) + log(sigmoid(-1))) / 2, rel=1e-5)


def test_supervised_contrast_survives_what_exp_does_not():
    teacher, student = T([[100.0, 0.0], [100.0, 0.0]]), T([[100.0, 0.0], [100.0, 0.0]]).requires_grad_()
    loss = losses.supervised_contrastive(teacher, student, T([True, False]), 1e-4)
    loss.backward()
    assert loss.item() == pytest.approx(1e4 - log(1e-4), rel=1e-6)  # the positive pair costs nothing
    assert student.grad.tolist() == [[0, 0], [100, 0]]


def test_minimising_it_draws_positives_together_and_negatives_apart():
    teacher = T([[1.0, 0.0], [1.0, 0.0]])
    student = torch.zeros(2, 2, requires_grad=True)
    losses.supervised_contrastive(teacher, student, T([True, False]), 0.5).backward()
    # d/ds: -(1 - sigmoid(0 - log M)) and sigmoid(0 - log M), with sigmoid(log 2) = 2/3.
    torch.testing.assert_close(-student.grad, T([[1 / 3, 0.0], [-2 / 3, 0.0]]))


def test_m_moves_the_boundary():
    """A pair is as likely as not where e^s = M."""
    for m in (0.01, 1.0, 20.0):
        pair = T([[log(m)]]), T([[1.0]])
        assert losses.supervised_contrastive(*pair, T([True]), m).item() == pytest.approx(log(2), rel=1e-5)


def pulled(similarity: str, steps: int = 300) -> tuple[float, float]:
    """Mean cosine of free students to their own teacher and to the others' after minimising L_SCD against all of them.
    Teachers are what comes out of a ReLU, so that they have a direction in common."""
    torch.manual_seed(0)
    teacher = torch.randn(8, 16).relu()
    student = torch.randn(8, 16).requires_grad_()
    optimizer = torch.optim.Adam([student], lr=0.05)
    own = torch.eye(8, dtype=torch.bool)
    i, j = torch.cartesian_prod(torch.arange(8), torch.arange(8)).T
    negative = [(i != j) & (j == (i + shift) % 8) for shift in range(1, 8)]
    for step in range(steps):  # one negative for each positive, as in a mini-batch
        keep = (i == j) | negative[step % 7]
        loss = losses.supervised_contrastive(teacher[j[keep]], student[i[keep]], (i == j)[keep], 8 / 400, similarity)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    cosine = torch.nn.functional.cosine_similarity(student[:, None], teacher[None], dim=2).detach()
    return cosine[own].mean().item(), cosine[~own].mean().item()


@pytest.mark.parametrize("similarity", ["raw", "temperature"])
def test_a_student_that_minimises_it_is_aligned_with_its_own_teacher(similarity):
    own, other = pulled(similarity)
    assert own > 0 and own > other + 0.3


def test_on_unit_vectors_it_ends_anti_parallel_even_to_its_own():
    """s in [-1,1] is always above log M = -3.9: negatives push fifty times as hard as positives pull."""
    own, other = pulled("unit")
    assert own < -0.3 and other < -0.3


def test_similarities_by_hand():
    teacher, student = T([[2.0, 0.0]]), T([[3.0, 4.0]])
    for similarity, s in (("raw", 6.0), ("unit", 0.6), ("temperature", 0.6 / 0.5)):
        loss = losses.supervised_contrastive(teacher, student, T([True]), 0.25, similarity, 0.5)
        assert loss.item() == pytest.approx(log(1 + 0.25 * exp(-s)), rel=1e-4)


# Attention, VPN++ eq. 2


def test_attention_distillation_by_hand():
    teacher, student = T([[3.0, 4.0], [1.0, 0.0]]), T([[8.0, 6.0], [0.0, -0.1]])
    # Unit length: (0.6, 0.8) and (0.8, 0.6); (1, 0) and (0, -1).
    assert losses.attention_distillation(teacher, student).item() == pytest.approx((0.08 + 2) / 2, rel=1e-5)


def test_attention_distillation_ignores_scale_and_ends_at_four():
    torch.manual_seed(0)
    teacher = torch.rand(3, 5)
    assert losses.attention_distillation(teacher, 7 * teacher).item() == pytest.approx(0, abs=1e-6)
    assert losses.attention_distillation(teacher, -teacher).item() == pytest.approx(4, rel=1e-6)


def test_the_mean_is_the_sum_by_the_number_of_cells():
    torch.manual_seed(0)
    teacher, student = torch.rand(3, 5), torch.rand(3, 5)
    whole = losses.attention_distillation(teacher, student)
    torch.testing.assert_close(losses.attention_distillation(teacher, student, "mean"), whole / 5)
    by_hand = losses.feature_distillation(T([[1.0, 2.0], [0.0, 0.0]]), T([[0.0, 4.0], [0.0, 1.0]]), "sum")
    assert by_hand.item() == pytest.approx((5 + 1) / 2)
    by_hand = losses.feature_distillation(T([[1.0, 2.0], [0.0, 0.0]]), T([[0.0, 4.0], [0.0, 1.0]]))
    assert by_hand.item() == pytest.approx((5 + 1) / 4)


def test_the_best_constant_student():
    # Unit length (1, 0) and (0, 1): their mean is sqrt(1/2) long.
    teacher = T([[7.0, 0.0], [0.0, 0.2]])
    assert losses.best_constant(teacher).item() == pytest.approx(2 - sqrt(2), rel=1e-5)
    assert losses.best_constant(teacher, "mean").item() == pytest.approx((2 - sqrt(2)) / 2, rel=1e-5)
    assert losses.best_constant(T([[1.0, 0.0], [-1.0, 0.0]])).item() == pytest.approx(2)
    torch.manual_seed(0)
    teacher = torch.rand(20, 6)
    least = losses.best_constant(teacher)
    for _ in range(50):
        assert losses.attention_distillation(teacher, torch.randn(6).expand(20, 6)) >= least
    student = torch.rand(6).requires_grad_()
    optimizer = torch.optim.Adam([student], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        loss = losses.attention_distillation(teacher, student.expand(20, 6))
        loss.backward()
        optimizer.step()
    assert loss.item() == pytest.approx(least.item(), abs=1e-4)


# CRD


def test_contrastive_representation_by_hand():
    anchor, bank = T([[1.0, 0.0], [0.0, 1.0]]), T([[0.6, 0.8], [-1.0, 0.0], [0.0, 1.0]])
    positive = T([[0.8, 0.6], [0.0, 1.0]])
    negative = T([[True, True, False], [False, True, False]])
    # Temperature 0.5, Z = 3. First: n Z = 6, its positive at 2 * 0.8, negatives at 2 * 0.6 and -2. Second: n Z = 3.
    first = log(exp(1.6) / (exp(1.6) + 6)) + log(6 / (exp(1.2) + 6)) + log(6 / (exp(-2) + 6))
    second = log(exp(2) / (exp(2) + 3)) + log(3 / (1 + 3))
    loss = losses.contrastive_representation(anchor, positive, bank, negative, 3.0, 0.5)
    assert loss.item() == pytest.approx(-(first + second) / 2, rel=1e-5)


def memory(rows: int = 3) -> losses.ContrastiveMemory:
    return losses.ContrastiveMemory(rows, 2, temperature=1.0)


def test_memory_replaces_the_oldest():
    banks, rows = memory(), T([[1.0, 0.0], [0.0, 1.0]])
    banks.store(rows, -rows, T([4, 5]))
    assert banks.label.tolist() == [4, 5, -1] and banks.banks[1, :2].tolist() == (-rows).tolist()
    banks.store(2 * rows, rows, T([6, 7]))
    assert banks.label.tolist() == [7, 5, 6]
    assert banks.banks[0].tolist() == [[0, 2], [0, 1], [2, 0]]
    assert banks.negatives(T([5, 9])).tolist() == [[True, False, True], [True] * 3]
    banks.store(torch.ones(4, 2), torch.ones(4, 2), T([1, 2, 3, 4]))  # more than there is room for
    assert sorted(banks.label.tolist()) == [2, 3, 4]


def test_the_first_batch_fixes_the_normalisers():
    banks, teacher, student = memory(), T([[1.0, 0.0], [0.0, 1.0]]), T([[0.0, 1.0], [-1.0, 0.0]])
    banks.store(teacher, student, T([0, 1]))
    # Each with its own and with the other's: student.teacher is 0, 1 and -1, 0, teacher.student 0, -1 and 1, 0.
    expected = (1 + exp(1) + exp(-1) + 1) / 4
    torch.testing.assert_close(banks.normalizers, T([expected, expected]))
    banks.store(teacher * 3, student * 5, T([0, 1]))
    torch.testing.assert_close(banks.normalizers, T([expected, expected]))


def test_memory_holds_each_side_against_the_other_bank():
    banks, teacher, student = memory(), T([[1.0, 0.0], [0.0, 1.0]]), T([[0.6, 0.8], [-1.0, 0.0]])
    label = T([0, 1])
    banks.store(teacher, student, label)
    negative = T([[False, True, False], [True, False, False]])
    z = banks.normalizers
    expected = losses.contrastive_representation(student, teacher, banks.banks[0], negative, z[0], 1.0)
    expected += losses.contrastive_representation(teacher, student, banks.banks[1], negative, z[1], 1.0)
    torch.testing.assert_close(banks(teacher, student, label), expected)


def test_memory_draws_nothing_and_goes_on_from_its_state():
    torch.manual_seed(0)
    batches = [(torch.randn(2, 4, 2), torch.randint(3, (4,))) for _ in range(6)]

    def run(banks, chosen):
        for (teacher, student), label in chosen:
            banks.store(teacher, student, label)
        return banks(*batches[0][0], batches[0][1])

    whole, again, half, resumed = (memory(7) for _ in range(4))
    expected = run(whole, batches)
    torch.manual_seed(5)
    assert torch.equal(run(again, batches), expected)
    run(half, batches[:3])
    resumed.load_state_dict(half.state_dict())
    assert torch.equal(run(resumed, batches[3:]), expected)


def test_an_anchor_without_negatives_is_drawn_to_its_positive_alone():
    anchor = T([[1.0, 0.0]]).requires_grad_()
    loss = losses.contrastive_representation(
        anchor, T([[0.0, 1.0]]), T([[1.0, 0.0]]), T([[False]]), T(2.0), temperature=1.0
    )
    loss.backward()
    assert loss.item() == pytest.approx(-log(1 / 3), rel=1e-5) and anchor.grad[0, 1] < 0 == anchor.grad[0, 0]


# All


def test_the_order_of_a_batch_makes_no_difference():
    torch.manual_seed(0)
    teacher, student, order = torch.randn(6, 3), torch.randn(6, 3), torch.randperm(6)
    positive, bank, negative = torch.arange(6) < 4, torch.randn(5, 3), torch.rand(6, 5) < 0.5
    for loss in (
        lambda rows: losses.supervised_contrastive(teacher[rows], student[rows], positive[rows], 0.1),
        lambda rows: losses.attention_distillation(teacher[rows], student[rows]),
        lambda rows: losses.contrastive_representation(
            teacher[rows], student[rows], bank, negative[rows], 2.0, temperature=0.5
        ),
    ):
        torch.testing.assert_close(loss(order), loss(torch.arange(6)))


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    teacher, student = (torch.randn(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    positive, bank = T([True, False, True]), torch.randn(2, 4, dtype=torch.float64)
    negative = T([[True, False], [False, False], [True, True]])
    for loss in (
        lambda t, s: losses.supervised_contrastive(t, s, positive, 0.2),
        losses.attention_distillation,
        lambda t, s: losses.contrastive_representation(t, s, bank, negative, 1.5, sqrt(2)),
    ):
        assert torch.autograd.gradcheck(loss, (teacher, student))


ROWS = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: losses.supervised_contrastive(ROWS, ROWS[:, :2], T([True, True]), 1),
            r"got \[2, 3\] and \[2, 2\] and \[2\]",
        ),
        (lambda: losses.supervised_contrastive(ROWS, ROWS, T([True]), 1), r"should agree, got .* and \[1\]"),
        (lambda: losses.supervised_contrastive(ROWS, ROWS, T([True, False]), 0), "m must be above 0, got 0"),
        (lambda: losses.supervised_contrastive(ROWS, ROWS, T([False, False]), 1), "one or more pairs must be positive"),
        (
            lambda: losses.supervised_contrastive(ROWS, ROWS, T([True, False]), 1, "cosine"),
            "similarity must be one of raw, unit, temperature, got 'cosine'",
        ),
        (
            lambda: losses.supervised_contrastive(ROWS, ROWS, T([True, False]), 1, "temperature", 0),
            "temperature must be above 0, got 0",
        ),
        (lambda: losses.attention_distillation(ROWS, ROWS, "max"), "reduction must be one of sum, mean, got 'max'"),
        (lambda: losses.feature_distillation(ROWS, ROWS[:1]), r"should agree, got \[2, 3\] and \[1, 3\]"),
        (lambda: losses.attention_distillation(ROWS, ROWS[:1]), r"should agree, got \[2, 3\] and \[1, 3\]"),
    ],
)
def test_losses_refuse_by_name(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
