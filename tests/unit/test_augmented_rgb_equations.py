"""Augmented-RGB in the preset paper against equations 1 to 7, written out in loops over the arrays of a batch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from workbench.study.config.train_config import TrainConfig
from workbench.systems import build
from workbench.systems.augmented_rgb.augmented_rgb import pairs
from workbench.types import Batch

CLASSES, LENGTHS = 4, (9, 6, 2)
SIZES = {"rgb": 5, "flow": 6, "pose": 3}


def batch() -> Batch:
    rng = torch.Generator().manual_seed(2)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    features = {name: torch.randn(3, max(LENGTHS), size, generator=rng) for name, size in SIZES.items()}
    label = (torch.rand(3, max(LENGTHS), CLASSES, generator=rng) < 0.4).float() * mask[..., None]
    return Batch(features=features, label=label, mask=mask, ids=list("abc"))


def system(**options):
    torch.manual_seed(0)
    config = TrainConfig(system="augmented_rgb", preset="paper", options={"dropout": 0.0, **options})
    return build("augmented_rgb", CLASSES, width=8 / 256, features=SIZES, **config.variant())


def cross_entropy(logits: np.ndarray, label: np.ndarray) -> float:
    """Of each class by itself, summed over classes, mean over the snippets of all videos."""
    total = 0.0
    for i, length in enumerate(LENGTHS):
        for t in range(length):
            for c in range(CLASSES):
                p = 1 / (1 + math.exp(-logits[i, t, c]))
                total -= math.log(p) if label[i, t, c] else math.log(1 - p)
    return total / sum(LENGTHS)


def atomic(student: np.ndarray, teacher: np.ndarray, couples: list[tuple[int, int]], cardinality: int) -> float:
    """Equation 1; ``couples`` are its (i, j), both with i = j and not."""

    def h(i: int, j: int, t: int) -> float:
        e = math.exp(teacher[j, t] @ student[i, t])
        return e / (e + phi)

    def length(i: int, j: int) -> int:
        return min(LENGTHS[i], LENGTHS[j])

    phi = sum(length(i, j) for i, j in couples if i != j) / cardinality
    positive = [(i, t) for i, j in couples if i == j for t in range(LENGTHS[i])]
    value = sum(math.log(h(i, i, t)) for i, t in positive) / len(positive)
    for i, j in couples:
        if i != j:
            value += sum(math.log(1 - h(i, j, t)) for t in range(length(i, j))) / length(i, j)
    return value


def global_contextual(student: np.ndarray, teacher: np.ndarray) -> float:
    """Equations 2 to 4."""

    def vector(features: np.ndarray) -> list[float]:
        mean, channels = features.mean(0), features.shape[1]
        cov = sum(np.outer(f - mean, f - mean) for f in features) / (len(features) - 1)
        return [cov[a, b] for a in range(channels) for b in range(a, channels)]

    norms = [
        sum((x - y) ** 2 for x, y in zip(vector(teacher[i, :length]), vector(student[i, :length]), strict=True))
        for i, length in enumerate(LENGTHS)
    ]
    return sum(norms) / len(norms)


def boundary(student: np.ndarray, teacher: np.ndarray) -> float:
    """Equations 5 and 6."""

    def variation(features: np.ndarray) -> float:
        steps = len(features) - 1
        changes = [features[t + 1, c] - features[t, c] for t in range(steps) for c in range(features.shape[1])]
        return sum(changes) / steps

    apart = [abs(variation(teacher[i, :n]) - variation(student[i, :n])) for i, n in enumerate(LENGTHS)]
    return sum(apart) / len(apart)


@pytest.mark.parametrize("teachers", [["flow"], ["pose"], ["pose", "flow"]])
def test_the_preset_paper_is_equations_1_to_7(teachers):
    made, given = system(teachers=teachers, dataset_size=500), batch()
    output = made(given)
    torch.manual_seed(7)
    found = {name: value.item() for name, value in made.loss(output, given).items()}
    torch.manual_seed(7)
    first, second, _ = pairs(given.label)
    couples = list(zip(first.tolist(), second.tolist(), strict=True))
    assert len(couples) == 6  # one negative to each positive
    student = output.aux["sequence"].detach().double().numpy()
    expected = {"atomic": 0.0, "global": 0.0, "boundary": 0.0}
    for said in made.teach(given).values():
        teacher = said.aux["sequence"].detach().double().numpy()
        expected["atomic"] -= atomic(student, teacher, couples, 500)
        expected["global"] += global_contextual(student, teacher)
        expected["boundary"] += boundary(student, teacher)
    classification = cross_entropy(output.logits.detach().double().numpy(), given.label.numpy())
    assert found["classification"] == pytest.approx(classification, rel=1e-5)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-4), name
    total = classification + 300 * expected["atomic"] + 100 * expected["global"] + 5 * expected["boundary"]
    assert found["total"] == pytest.approx(total, rel=1e-4)


def test_what_trains_the_teachers_is_the_same_cross_entropy():
    made, given = system(), batch()
    said = made.teach(given)["flow"]
    expected = cross_entropy(said.logits.detach().double().numpy(), given.label.numpy())
    assert made.teachers["flow"].loss(said, given)["total"].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("option", "term", "ratio"),
    [
        ({"reduction": "mean"}, "classification", 1 / CLASSES),
        ({"global_reading": "mean"}, "global", 1 / (8 * 9 / 2)),
    ],
)
def test_a_mean_is_the_printed_sum_over_its_number(option, term, ratio):
    given, values = batch(), []
    for options in ({}, option):
        made = system(**options)
        values.append(made.loss(made(given), given)[term])
    assert torch.allclose(values[1], ratio * values[0])
